# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import errno
import os
import socket
import threading
import time
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import holders as _holders
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import (
    names,
    port_notes,
    process,
    procfs,
    sockdiag,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import ports as _ports


def sock_of(state: int, address: str, port: int = 8001, inode: int = 5) -> sockdiag.Sock:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return sockdiag.Sock(int(family), state, address, port, address, 40000, 33, inode, 0, 0, None)


def go_listener(port: int = 0) -> socket.socket:
    """What a Go server opens for ``:PORT``."""
    sock = socket.socket(socket.AF_INET6)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.bind(("::", port))
    sock.listen(16)
    return sock


def free_port() -> int:
    with go_listener() as sock:
        return int(sock.getsockname()[1])


CONFLICTS = [
    ("::", "::", True),
    ("127.0.0.2", "::", True),
    ("::1", "::", True),
    ("::", "0.0.0.0", True),
    ("127.0.0.2", "0.0.0.0", True),
    ("::ffff:127.0.0.2", "0.0.0.0", True),
    ("::1", "0.0.0.0", False),
    ("127.0.0.2", "127.0.0.1", False),
    ("127.0.0.1", "127.0.0.1", True),
    ("::ffff:127.0.0.1", "127.0.0.1", True),
    ("0.0.0.0", "127.0.0.1", True),
    ("::", "127.0.0.1", True),
    ("0.0.0.0", "::1", False),
    ("::1", "::1", True),
]


@pytest.mark.parametrize("held,asked,expected", CONFLICTS)
def test_conflicts(held: str, asked: str, expected: bool) -> None:
    assert _holders.conflicts(sock_of(sockdiag.LISTEN, held), asked) is expected


def test_listeners_block_before_connections() -> None:
    listening, connected = sock_of(sockdiag.LISTEN, "::"), sock_of(sockdiag.ESTABLISHED, "127.0.0.1")
    assert _holders.blocking([connected, listening]) == [listening]
    assert _holders.blocking([connected]) == [connected]
    assert _holders.blocking([sock_of(sockdiag.TIME_WAIT, "127.0.0.1", inode=0)]) == []


@pytest.mark.parametrize(
    "value,expected", [("8001", True), ("0.0.0.0:8001", True), ("[::]:8001", True), ("18001", False), ("/run/x", False)]
)
def test_unit_listens(value: str, expected: bool) -> None:
    assert _holders.unit_listens("[Socket]\nListenStream = %s\nAccept=no\n" % value, 8001) is expected


def test_socket_units_are_named(tmp_path: t.Any) -> None:
    tmp_path.joinpath("shop.socket").write_text("[Socket]\nListenStream=8001\n")
    tmp_path.joinpath("other.socket").write_text("[Socket]\nListenStream=8002\n")
    assert _holders.socket_units(8001, [str(tmp_path), str(tmp_path / "missing")]) == ["shop.socket"]


def test_docker_target() -> None:
    argv = [
        "/usr/bin/docker-proxy",
        "-proto",
        "tcp",
        "-host-port",
        "80",
        "-container-ip",
        "172.17.0.2",
        "-container-port",
        "8001",
    ]
    assert _holders.docker_target(argv) == "172.17.0.2:8001"
    assert _holders.docker_target(["/bin/sh"]) == ""
    assert _holders.docker_target([]) == ""


NOTES = [
    (True, "::", [], [], ""),
    (
        True,
        "::",
        [sock_of(sockdiag.TIME_WAIT, "::ffff:127.0.0.1", inode=0)],
        [],
        "1 connection(s) in TIME_WAIT do not prevent",
    ),
    (True, "::", [sock_of(sockdiag.ESTABLISHED, "127.0.0.1")], [], "1 accepted connection(s) are still open"),
    (
        True,
        "127.0.0.1",
        [sock_of(sockdiag.LISTEN, "127.0.0.2")],
        [],
        "Free on 127.0.0.1; there is a listener on 127.0.0.2 port 8001",
    ),
    (False, "::", [sock_of(sockdiag.TIME_WAIT, "127.0.0.1", inode=0)], [], "after at most 60 seconds"),
    (False, "::", [], [], "bound but does not listen"),
    (False, "::", [], [{"state": "ESTABLISHED", "port": 40000}], "ip_local_reserved_ports"),
    (False, "::", [], [{"state": "LISTEN", "port": 40000}], ""),
    (None, "::", [], [], ""),
]


@pytest.mark.parametrize("released,address,socks,holders,expected", NOTES)
def test_notes(
    released: t.Optional[bool],
    address: str,
    socks: t.List[sockdiag.Sock],
    holders: t.List[t.Dict[str, t.Any]],
    expected: str,
) -> None:
    text = " ".join(port_notes.compose_notes(released, address, socks, holders))
    assert expected in text if expected else text == ""


@pytest.mark.parametrize("ports", [[0], [65536], [-1], [8001, 70000], []])
def test_wrong_ports_are_refused(ports: t.List[int]) -> None:
    with pytest.raises(LifecycleError, match="1 to 65535"):
        _ports.wait_released(ports)


@pytest.mark.parametrize("address", ["localhost", "", "300.1.1.1", "::g"])
def test_wrong_addresses_are_refused(address: str) -> None:
    with pytest.raises(LifecycleError, match="not an IP address"):
        _ports.wait_released([8001], address)


def test_ports_keep_their_order_and_lose_repetitions() -> None:
    assert _ports.valid_ports([9, 8, 9, 1, 65535]) == [9, 8, 1, 65535]


def test_probe_of_a_free_port_leaves_nothing_behind() -> None:
    port = free_port()
    assert _ports.bind_probe(port) == _ports.Probe(True, 0, "free")
    assert sockdiag.all_states(port) == []


def test_probe_of_a_held_port() -> None:
    with go_listener() as sock:
        port = sock.getsockname()[1]
        for address in ("::", "0.0.0.0", "127.0.0.1", "::1"):
            assert _ports.bind_probe(port, address) == _ports.Probe(False, errno.EADDRINUSE, "in use")


def test_probe_of_an_address_of_another_host_is_unknown() -> None:
    probe = _ports.bind_probe(free_port(), "192.0.2.7")
    assert probe.free is None
    assert "not an address of this host" in probe.reason


def test_address_of_another_host_is_a_failure_and_not_a_wait() -> None:
    begin = time.monotonic()
    with pytest.raises(LifecycleError, match="is not known") as caught:
        _ports.wait_released([free_port()], "192.0.2.7", timeout=60)
    assert caught.value.result["released"] is None
    assert time.monotonic() - begin < 30


def test_own_listener_is_found() -> None:
    with go_listener() as sock, procfs.ProcDir(os.getpid()) as proc:
        port, number = sock.getsockname()[1], os.fstat(sock.fileno()).st_ino
        assert number in _ports.socket_inodes(proc)
        assert _ports.owners({number}) == {number: [os.getpid()]}
        assert _ports.owns_listener(proc, port) is True
        assert _ports.owns_listener(proc, free_port()) is False


def test_owner_of_nothing() -> None:
    assert _ports.owners(set()) == {}


def test_holder_is_named() -> None:
    with go_listener() as sock:
        port = sock.getsockname()[1]
        found = _ports.holders(port)
        assert len(found) == 1
        assert found[0]["pid"] == os.getpid()
        assert found[0]["exe"] == os.readlink("/proc/self/exe")
        assert found[0]["cwd"] == os.getcwd()
        assert found[0]["user"] == names.user_name(os.geteuid())
        assert (found[0]["state"], found[0]["address"], found[0]["port"], found[0]["note"]) == (
            "LISTEN",
            "::",
            port,
            None,
        )


def test_timeout_zero_is_one_look() -> None:
    with go_listener() as sock:
        begin = time.monotonic()
        with pytest.raises(LifecycleError, match="still held") as caught:
            _ports.wait_released([sock.getsockname()[1]], timeout=0)
        assert time.monotonic() - begin < 30
        assert caught.value.result["released"] is False
        assert caught.value.result["holders"][0]["pid"] == os.getpid()


def test_timeout_is_kept() -> None:
    with go_listener() as sock, pytest.raises(LifecycleError) as caught:
        _ports.wait_released([sock.getsockname()[1]], timeout=0.3)
    assert 300 <= caught.value.result["waited_ms"] < 30000


def test_look_does_not_fail() -> None:
    with go_listener() as sock:
        result = _ports.look([sock.getsockname()[1], free_port()])
    assert result["released"] is False
    assert [entry["pid"] for entry in result["holders"]] == [os.getpid()]


def close_later(sock: socket.socket, seconds: float) -> t.List[float]:
    closed_at: t.List[float] = []

    def close() -> None:
        time.sleep(seconds)
        closed_at.append(time.monotonic())
        sock.close()

    threading.Thread(target=close).start()
    return closed_at


@pytest.mark.parametrize("events", [True, False])
def test_release_is_seen_soon(events: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not events:
        monkeypatch.setattr(sockdiag, "open_monitor", lambda: None)
    sock = go_listener()
    port = sock.getsockname()[1]
    closed_at = close_later(sock, 0.3)
    result = _ports.wait_released([port], timeout=60)
    late = time.monotonic() - closed_at[0]
    assert result["released"] is True
    assert result["holders"] == []
    assert late < 30
    assert 250 <= result["waited_ms"] < 30000


def test_all_ports_must_be_free_at_once() -> None:
    first, second = go_listener(), go_listener()
    ports = [first.getsockname()[1], second.getsockname()[1], free_port()]
    close_later(first, 0.1)
    closed_at = close_later(second, 0.3)
    _ports.wait_released(ports, timeout=5)
    assert time.monotonic() >= closed_at[0]


def test_waiting_costs_little_processor_time() -> None:
    with go_listener() as sock:
        used = time.process_time()
        with pytest.raises(LifecycleError):
            _ports.wait_released([sock.getsockname()[1], free_port()], timeout=0.9)
        assert time.process_time() - used < 0.45


def test_progress_is_told() -> None:
    told: t.List[str] = []
    with go_listener() as sock:
        port = sock.getsockname()[1]
        with pytest.raises(LifecycleError):
            _ports.wait_released([port], timeout=1.3, on_progress=told.append)
    assert told == ["port %d is still held after 1 s" % port]


def test_end_of_a_process_ends_the_wait() -> None:
    pid = os.fork()
    if pid == 0:
        time.sleep(0.3)
        os._exit(0)
    sock = go_listener()
    port = sock.getsockname()[1]
    try:
        with process.ProcessHandle(pid) as handle:
            close_later(sock, 0.35)
            assert _ports.wait_released([port], timeout=5, handle=handle)["released"] is True
    finally:
        os.waitpid(pid, 0)
