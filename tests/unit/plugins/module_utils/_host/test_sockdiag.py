# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import errno
import os
import select
import socket
import struct
import threading
import time
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import sockdiag

IDLE_INFO = sockdiag.TcpInfo(0, 900, 900, 900, 500, 500, 40, 39)

PROC_TCP = b"""\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1F41 00000000:0000 0A 00000000:00000002 00:00000000 00000000  1000        0 4711 1 0
   1: 0100007F:1F41 0100007F:C000 01 00000010:00000020 00:00000000 00000000    33        0 4712 1 0
   2: 0100007F:1F42 0100007F:C001 06 00000000:00000000 03:00000F8C 00000000     0        0 0 3 0000000000000000
"""


def listener(family: int = socket.AF_INET, address: str = "127.0.0.1") -> socket.socket:
    sock = socket.socket(family)
    sock.bind((address, 0))
    sock.listen(16)
    return sock


def inode(sock: socket.socket) -> int:
    return os.fstat(sock.fileno()).st_ino


def message(kind: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 1, 0) + body


def diag_body(family: int, state: int, port: int, number: int, info: t.Optional[bytes] = None) -> bytes:
    body = struct.pack("=BBBB", family, state, 0, 0) + struct.pack(">HH", port, 9)
    body += bytes(bytearray([127, 0, 0, 1])) + b"\0" * 40 + struct.pack("=IIIII", 0, 3, 4, 33, number)
    return body if info is None else body + struct.pack("=HH", 4 + len(info), 2) + info


def test_request_asks_for_family_states_ports_and_info() -> None:
    request = sockdiag.build_request(socket.AF_INET6, 1 << 10, 8001, True, 3306)
    assert struct.unpack_from("=IHH", request) == (len(request), 20, 0x301)
    assert struct.unpack_from("=BBBxI", request, 16) == (socket.AF_INET6, socket.IPPROTO_TCP, 2, 1 << 10)
    assert struct.unpack_from(">HH", request, 24) == (8001, 3306)
    assert len(request) == 72


def test_reply_with_sockets_and_end() -> None:
    data = message(20, diag_body(2, 10, 8001, 7)) + message(20, diag_body(2, 12, 8001, 8)) + message(3, b"\0" * 4)
    socks, finished, code = sockdiag.parse_reply(data)
    assert (finished, code) == (True, 0)
    assert socks[0] == sockdiag.Sock(2, 10, "127.0.0.1", 8001, "0.0.0.0", 9, 33, 7, 3, 4, None)
    assert socks[1].state == sockdiag.SYN_RECV


def test_reply_can_be_limited_to_inodes() -> None:
    data = message(20, diag_body(2, 1, 8001, 7)) + message(20, diag_body(2, 1, 8001, 8))
    socks, finished, code = sockdiag.parse_reply(data, {8})
    assert [sock.inode for sock in socks] == [8]
    assert (finished, code) == (False, 0)


@pytest.mark.parametrize("kind", [2, 3])
def test_reply_with_an_error(kind: int) -> None:
    assert sockdiag.parse_reply(message(kind, struct.pack("=i", -errno.ENOENT))) == ([], True, errno.ENOENT)


def test_broken_reply_is_an_error_and_not_an_empty_answer() -> None:
    assert sockdiag.parse_reply(struct.pack("=IHHII", 999, 20, 0, 1, 0)) == ([], True, errno.EBADMSG)


def test_info_of_an_old_kernel_lacks_counters() -> None:
    info = sockdiag.parse_info(struct.pack("=26I", *range(26)))
    assert (info.unacked, info.last_data_sent, info.last_data_recv, info.last_ack_recv) == (6, 11, 13, 14)
    assert info.bytes_acked is info.bytes_received is info.data_segs_in is info.data_segs_out is None


def test_info_of_a_new_kernel() -> None:
    info = sockdiag.parse_info(
        struct.pack("=24I", *range(24))
        + struct.pack("=QQQQ", 0, 0, 0, 11)
        + struct.pack("=QIIIIII", 12, 0, 0, 0, 0, 5, 6)
    )
    assert (info.bytes_acked, info.bytes_received, info.data_segs_in, info.data_segs_out) == (11, 12, 5, 6)


def test_info_attribute_is_found_in_a_message() -> None:
    socks = sockdiag.parse_reply(message(20, diag_body(2, 1, 8001, 7, struct.pack("=26I", *range(26)))))[0]
    assert socks[0].info is not None
    assert socks[0].info.last_data_sent == 11


def test_proc_net_by_state_and_port() -> None:
    everything = (1 << 16) - 1
    assert len(sockdiag.parse_proc_net(PROC_TCP, everything)) == 3
    found = sockdiag.parse_proc_net(PROC_TCP, 1 << sockdiag.ESTABLISHED, 8001)
    assert found == [sockdiag.Sock(2, 1, "127.0.0.1", 8001, "127.0.0.1", 49152, 33, 4712, 32, 16, None)]
    assert sockdiag.parse_proc_net(PROC_TCP, everything, 9999) == []


def test_states_are_counted_by_name_without_listeners() -> None:
    counts = sockdiag.count_states(sockdiag.parse_proc_net(PROC_TCP, (1 << 16) - 1))
    assert counts == {"ESTABLISHED": 1, "TIME_WAIT": 1}


@pytest.mark.parametrize("family,address", [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_listener_and_its_connection_are_seen(family: int, address: str) -> None:
    with listener(family, address) as server:
        port = server.getsockname()[1]
        assert [sock.inode for sock in sockdiag.listeners(port)] == [inode(server)]
        with socket.create_connection((address, port)):
            accepted = server.accept()[0]
            with accepted:
                found = sockdiag.connections(port)
                assert [sock.inode for sock in found] == [inode(accepted)]
                assert found[0].info is not None
                assert found[0].local_address == address
    assert sockdiag.listeners(port) == []


def test_all_listeners_without_a_port() -> None:
    with listener() as one, listener() as two:
        found = {sock.inode for sock in sockdiag.listeners()}
        assert {inode(one), inode(two)} <= found


def test_proc_net_says_the_same_as_netlink() -> None:
    with listener() as server:
        port = server.getsockname()[1]
        slow, fast = sockdiag.read_proc_net(1 << sockdiag.LISTEN, port), sockdiag.listeners(port)
        assert [(sock.inode, sock.local_address, sock.uid) for sock in slow] == [
            (sock.inode, sock.local_address, sock.uid) for sock in fast
        ]


def test_without_netlink_proc_net_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockdiag, "_NETLINK_SOCK_DIAG", 31)  # no such protocol: what a sandbox answers
    with listener() as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            assert [sock.inode for sock in sockdiag.listeners(port)] == [inode(server)]
            assert [sock.info for sock in sockdiag.connections(port)] == [None]
            assert sockdiag.open_monitor() is None


def test_without_tcp6_the_host_has_ipv4_only(tmp_path: t.Any) -> None:
    tmp_path.joinpath("tcp").write_bytes(PROC_TCP)
    assert len(sockdiag.read_proc_net(1 << sockdiag.LISTEN, 0, str(tmp_path))) == 1


def test_without_any_table_it_is_an_error_and_not_an_empty_answer(tmp_path: t.Any) -> None:
    with pytest.raises(OSError):
        sockdiag.read_proc_net(1 << sockdiag.LISTEN, 0, str(tmp_path))


def test_monitor_tells_the_end_of_a_listener() -> None:
    monitor = sockdiag.open_monitor()
    if monitor is None:
        pytest.skip("kernel feature: sock_diag destroy events")
    with monitor:
        server = listener()
        port = server.getsockname()[1]
        server.close()
        seen: t.Set[int] = set()
        end = time.monotonic() + 2
        while port not in seen and time.monotonic() < end:
            select.select([monitor], [], [], 0.1)
            seen |= monitor.drain()
        assert port in seen
        assert port not in monitor.drain()


# A client of a database: did it send last, and does it still wait?

QUERY_CASES = [
    ("bytes not sent", {"wqueue": 1}, {}, True),
    ("an answer not read", {"rqueue": 1}, {}, True),
    ("not acknowledged", {}, {"unacked": 1}, True),
    ("sent after the last receive", {}, {"last_data_sent": 100, "last_data_recv": 200}, True),
    ("received after the last send", {}, {"last_data_sent": 200, "last_data_recv": 100}, False),
    ("nothing ever sent", {}, {"data_segs_out": 0, "data_segs_in": 1}, False),
    ("same tick, acknowledged alone later", {}, {"last_ack_recv": 860}, True),
    ("same tick, long ago", {}, {}, False),
    ("same tick, just now", {}, {"last_data_sent": 4, "last_data_recv": 4, "last_ack_recv": 4}, None),
    ("same tick, young connection, as many out as in", {}, {"data_segs_in": 2, "data_segs_out": 2}, True),
    ("same tick, young connection, greeted first", {}, {"data_segs_in": 3, "data_segs_out": 2}, False),
    ("same tick, old kernel", {}, {"data_segs_in": None, "data_segs_out": None}, None),
]


@pytest.mark.parametrize("name,fields,info,expected", QUERY_CASES, ids=[case[0] for case in QUERY_CASES])
def test_query_in_flight(
    name: str, fields: t.Dict[str, t.Any], info: t.Dict[str, t.Any], expected: t.Optional[bool]
) -> None:
    sock = sockdiag.Sock(2, 1, "127.0.0.1", 40000, "127.0.0.1", 3306, 0, 5, 0, 0, IDLE_INFO._replace(**info))
    assert sockdiag.query_in_flight(sock._replace(**fields)) is expected


def test_query_in_flight_without_info_is_unknown() -> None:
    sock = sockdiag.Sock(2, 1, "127.0.0.1", 40000, "127.0.0.1", 3306, 0, 5, 0, 0, None)
    assert sockdiag.query_in_flight(sock) is None


def serve_database(server: socket.socket, release: threading.Event) -> None:
    """Greets, answers each query at once, and ``slow`` only when it is released."""
    peer = server.accept()[0]
    with peer:
        peer.sendall(b"greeting")
        while True:
            data = peer.recv(4096)
            if not data:
                return
            if b"slow" in data:
                release.wait(5)
            peer.sendall(b"answer")


def ask(client: socket.socket, query: bytes) -> None:
    client.sendall(query)
    assert client.recv(4096)


def verdict(client: socket.socket, port: int) -> t.Optional[bool]:
    found = sockdiag.client_connections({inode(client)}, port)
    assert len(found) == 1
    return sockdiag.query_in_flight(found[0])


@pytest.mark.parametrize("queries", [0, 1, 40])
def test_late_answer_is_seen_as_a_query_in_flight(queries: int) -> None:
    """Also when the last answer and the slow query fall into the same kernel tick."""
    release = threading.Event()
    with listener() as server:
        port = server.getsockname()[1]
        thread = threading.Thread(target=serve_database, args=(server, release))
        thread.start()
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.recv(4096)
            for _unused in range(queries):
                ask(client, b"query")
            client.sendall(b"slow")
            looks = []
            for pause in (0.0, 0.02, 0.05, 0.4):
                time.sleep(pause)
                looks.append(verdict(client, port))
            release.set()
            client.recv(4096)
            time.sleep(0.3)
            after = verdict(client, port)
        thread.join(5)
    assert looks == [True] * 4
    assert after is False


def test_only_the_sockets_of_the_asked_process_count() -> None:
    with listener() as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as one, socket.create_connection(("127.0.0.1", port)):
            assert [sock.inode for sock in sockdiag.client_connections({inode(one)}, port)] == [inode(one)]
            assert [sock.inode for sock in sockdiag.client_connections({inode(one)})] == [inode(one)]
            assert sockdiag.client_connections({inode(one)}, 1) == []
