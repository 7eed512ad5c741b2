# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import select
import socket
import threading
import time
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import sockdiag
from ansible_collections.anqicms.lifecycle.plugins.module_utils._stop import inflight

# between requests for a second: answered, acknowledged, silent
INFO = sockdiag.TcpInfo(0, 1000, 1005, 960, 4000, 300, 3, 3)
SOCK = sockdiag.Sock(2, sockdiag.ESTABLISHED, "127.0.0.1", 8001, "127.0.0.1", 40000, 33, 77, 0, 0, INFO)
TIE = {"last_data_sent": 700, "last_data_recv": 700, "last_ack_recv": 700}
STREAM = inflight.History(0.0, 0.0, 2)

CASES = [
    # the kernel still holds something
    ("handshake", {"state": sockdiag.SYN_RECV}, {}, None, "busy:handshake"),
    ("not accepted", {"inode": 0}, {}, None, "busy:not-accepted"),
    ("unread request", {"rqueue": 1}, {}, None, "busy:unread"),
    ("unsent answer", {"wqueue": 1}, {}, None, "busy:unsent"),
    ("unacknowledged answer", {}, {"unacked": 1}, None, "busy:unsent"),
    ("no information", {"info": None}, {}, None, "busy:no-info"),
    # nothing received yet
    ("just connected", {}, {"bytes_received": 0, "last_data_recv": 299}, None, "busy:fresh"),
    ("connected and silent", {}, {"bytes_received": 0, "last_data_recv": 300}, None, "fresh"),
    # received, never answered
    ("first request, no segment out", {}, {"data_segs_out": 0}, None, "busy:never-answered"),
    ("first request, nothing acknowledged", {}, {"bytes_acked": 0}, None, "busy:never-answered"),
    # order of the last two events
    ("a request came last", {}, {"last_data_recv": 900, "last_data_sent": 1000}, None, "busy:request"),
    ("a request came last, long ago", {}, {"last_data_recv": 60000, "last_data_sent": 60010}, None, "busy:request"),
    ("same tick, more in than out", {}, dict(TIE, data_segs_in=4, data_segs_out=3), None, "busy:tie-in"),
    ("same tick, just now", {}, {"last_data_sent": 499, "last_data_recv": 499, "last_ack_recv": 499}, None, "busy:tie"),
    ("same tick, a while ago", {}, TIE, None, "idle"),
    ("same tick, then a pure ack", {}, dict(TIE, last_ack_recv=660, data_segs_in=4, data_segs_out=3), None, "idle"),
    (
        "same tick, then a pure ack, too fresh",
        {},
        {"last_data_sent": 50, "last_data_recv": 50, "last_ack_recv": 10},
        None,
        "busy:quiet",
    ),
    (
        "same tick, ack in an earlier one",
        {},
        dict(TIE, last_ack_recv=704, data_segs_in=9, data_segs_out=3),
        None,
        "busy:tie-in",
    ),
    # kernels without counters
    (
        "old kernel, tie",
        {},
        dict(TIE, bytes_received=None, bytes_acked=None, data_segs_in=None, data_segs_out=None),
        None,
        "busy:tie",
    ),
    (
        "old kernel, sent last",
        {},
        {"bytes_received": None, "bytes_acked": None, "data_segs_in": None, "data_segs_out": None},
        None,
        "idle",
    ),
    ("4.1 kernel, tie", {}, dict(TIE, data_segs_in=None, data_segs_out=None), None, "busy:tie"),
    # silence after the answer
    ("answered just now", {}, {"last_data_sent": 59, "last_data_recv": 70}, None, "busy:quiet"),
    ("answered 60 ms ago", {}, {"last_data_sent": 60, "last_data_recv": 70}, None, "idle"),
    ("a stream pauses", {}, {"last_data_sent": 2999, "last_data_recv": 9000}, STREAM, "busy:quiet"),
    ("a stream has ended", {}, {"last_data_sent": 3000, "last_data_recv": 9000}, STREAM, "idle"),
    (
        "one more send is no stream",
        {},
        {"last_data_sent": 100, "last_data_recv": 900},
        inflight.History(0.0, 0.0, 1),
        "idle",
    ),
    ("idle keep-alive", {}, {}, None, "idle"),
    ("client has closed, answered", {"state": sockdiag.CLOSE_WAIT}, {}, None, "idle"),
    (
        "client has closed its half, waits",
        {"state": sockdiag.CLOSE_WAIT},
        {"last_data_recv": 900},
        None,
        "busy:request",
    ),
]


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
@pytest.mark.parametrize("name,fields,info,history,expected", CASES, ids=[case[0] for case in CASES])
def test_rule(
    name: str,
    fields: t.Dict[str, t.Any],
    info: t.Dict[str, int],
    history: t.Optional[inflight.History],
    expected: str,
    family: int,
) -> None:
    sock = SOCK._replace(family=int(family), info=INFO._replace(**info))._replace(**fields)
    assert inflight.classify(sock, history) == expected


def test_a_stream_is_known_after_two_sends_without_a_receive() -> None:
    tracker = inflight.Tracker()
    for now, sent in ((1000.0, 100), (1200.0, 100), (1400.0, 100)):
        looked = SOCK._replace(info=INFO._replace(last_data_recv=int(now) - 500, last_data_sent=sent))
        tracker.observe([looked], now)
    assert [verdict for verdict, dummy in tracker.busy([looked])] == ["busy:quiet"]
    assert inflight.Tracker().busy([looked]) == []


def test_a_new_request_ends_the_stream() -> None:
    tracker = inflight.Tracker()
    for now, received in ((1000.0, 500), (1200.0, 700), (1400.0, 900), (1600.0, 150)):
        looked = SOCK._replace(info=INFO._replace(last_data_recv=received, last_data_sent=100))
        tracker.observe([looked], now)
    assert tracker.busy([looked]) == []


def test_a_reading_that_wavers_by_a_tick_is_no_new_send() -> None:
    tracker = inflight.Tracker()
    for now, sent in ((1000.0, 500), (1004.0, 508), (1010.0, 502), (1020.0, 516)):
        looked = SOCK._replace(info=INFO._replace(last_data_recv=sent + 100, last_data_sent=sent))
        tracker.observe([looked], now)
    assert tracker.busy([looked]) == []


class Server:
    """One thread per connection; a request is a line; the answer comes after the seconds that it names."""

    def __init__(self, family: int, address: str) -> None:
        self.sock = socket.socket(family)
        self.sock.bind((address, 0))
        self.sock.listen(16)
        self.port = self.sock.getsockname()[1]
        self.address = address
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self) -> None:
        while True:
            try:
                peer = self.sock.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        with peer:
            data = peer.recv(100)
            while data:
                time.sleep(float(data))
                peer.sendall(b"answer")
                data = peer.recv(100)

    def client(self) -> socket.socket:
        return socket.create_connection((self.address, self.port))

    def close(self) -> None:
        self.sock.shutdown(socket.SHUT_RDWR)  # a thread that waits in accept() keeps a closed socket listening
        self.thread.join(10)
        self.sock.close()


@pytest.fixture(params=["127.0.0.1", "::1"])
def server(request: pytest.FixtureRequest) -> t.Iterator[Server]:
    running = Server(socket.AF_INET6 if ":" in request.param else socket.AF_INET, request.param)
    yield running
    running.close()


def ask(client: socket.socket, seconds: str = "0") -> None:
    client.sendall(seconds.encode())
    assert client.recv(100) == b"answer"


def test_waits_for_the_slow_request_and_not_for_idle_keep_alives(server: Server) -> None:
    idle = [server.client() for _unused in range(3)]
    for client in idle:
        ask(client)
    slow = server.client()
    ask(slow)
    time.sleep(0.7)  # the answers above are old news, also where all fell into one tick
    slow.sendall(b"0.4")
    begin = time.monotonic()
    seen = inflight.wait_idle(server.port, 60.0)
    took = time.monotonic() - begin
    answer = slow.recv(100)
    for client in [*idle, slow]:
        client.close()
    assert (seen.in_flight, seen.left) == (1, 0)
    assert answer == b"answer"
    assert 350 < seen.waited_ms <= took * 1000 < 30000


def test_first_request_in_the_same_tick_as_the_connection(server: Server) -> None:
    with server.client() as client:
        client.sendall(b"1.5")
        time.sleep(0.4)
        seen = inflight.wait_idle(server.port, 0)
        client.recv(100)
    assert (seen.in_flight, seen.left) == (1, 1)


def test_same_tick_request_after_many_fast_ones(server: Server) -> None:
    with server.client() as client:
        for _unused in range(30):
            ask(client)
        client.sendall(b"1.5")
        time.sleep(0.6)
        seen = inflight.wait_idle(server.port, 0)
        client.recv(100)
    assert seen.left == 1


def test_limit_zero_is_one_look(server: Server) -> None:
    with server.client() as client:
        client.sendall(b"1.5")
        seen = inflight.wait_idle(server.port, 0)
        assert not select.select([client], [], [], 0)[0]  # the request goes on
        client.recv(100)
    assert seen.left == 1


def test_limit_ends_the_wait_with_what_is_left(server: Server) -> None:
    with server.client() as client:
        client.sendall(b"1.5")
        time.sleep(0.02)
        seen = inflight.wait_idle(server.port, 0.2)
        client.recv(100)
    assert seen.left == 1
    assert 200 <= seen.waited_ms < 1500


def test_nobody_connected_is_idle_at_once(server: Server) -> None:
    seen = inflight.wait_idle(server.port, 60.0)
    assert (seen.in_flight, seen.left) == (0, 0)
    assert seen.waited_ms < 30000


def test_connection_that_nobody_accepts_is_busy() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(4)
        with socket.create_connection(sock.getsockname()):
            assert [verdict for verdict, dummy in inflight.look(sock.getsockname()[1])] == ["busy:not-accepted"]
