# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Which connections of a server are between a request and the end of its answer, from the kernel's view of them.

Blind to: a pause of more than 60 ms inside an answer when it is seen for the first time, ``Expect: 100-continue`` after
500 ms, websockets. docs/architecture.md names the rule and its limits.
"""

import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import sockdiag

QUIET_MS = 60  # silence after the last byte sent; more than two kernel ticks
STREAM_MS = 3000  # the same for a connection that was seen sending twice after one receive
FRESH_MS = 300  # a client that connected and has sent nothing yet
TIE_MS = 500  # sent and received in the same tick, so that the order is not known
TICK_MS = 12  # two readings of one moment differ by up to a tick
POLL_S = 0.004


class History(t.NamedTuple):
    """When a connection last sent and received (ms, own clock), and how often it sent since that receive."""

    sent_at: float
    received_at: float
    sends: int


class InFlight(t.NamedTuple):
    """``in_flight``: busy connections at the first look; ``left``: at the last."""

    in_flight: int
    left: int
    waited_ms: int


Key = t.Tuple[int, str, int, str, int, int]


def key_of(sock: sockdiag.Sock) -> Key:
    return (sock.family, sock.local_address, sock.local_port, sock.remote_address, sock.remote_port, sock.inode)


def classify(sock: sockdiag.Sock, history: t.Optional[History] = None) -> str:
    """``busy:<why>``, ``fresh`` (connected, silent for a while) or ``idle``; the first rule that matches decides."""
    held = _held_by_kernel(sock)
    if held:
        return held
    info = sock.info
    if info is None or info.last_data_sent is None or info.last_data_recv is None:
        return 'busy:no-info'
    if info.bytes_received == 0:
        return 'busy:fresh' if info.last_data_recv < FRESH_MS else 'fresh'
    if info.data_segs_out == 0 or info.bytes_acked == 0:
        return 'busy:never-answered'
    if info.last_data_recv < info.last_data_sent:
        return 'busy:request'
    tie = _tie(info)
    if tie:
        return tie
    streams = history is not None and history.sends >= 2
    return 'busy:quiet' if info.last_data_sent < (STREAM_MS if streams else QUIET_MS) else 'idle'


def _held_by_kernel(sock: sockdiag.Sock) -> str:
    if sock.state == sockdiag.SYN_RECV:
        return 'busy:handshake'
    if sock.inode == 0:
        return 'busy:not-accepted'
    if sock.rqueue:
        return 'busy:unread'
    if sock.wqueue or (sock.info is not None and sock.info.unacked):
        return 'busy:unsent'
    return ''


def _tie(info: sockdiag.TcpInfo) -> str:
    """Sent and received in the same tick, and no pure acknowledgement after it."""
    if info.last_data_recv != info.last_data_sent:
        return ''
    if info.data_segs_in is None or info.data_segs_out is None or info.bytes_received is None:
        return 'busy:tie'  # before Linux 4.6 nothing tells which came last
    if info.last_ack_recv is not None and info.last_data_recv is not None and info.last_ack_recv < info.last_data_recv:
        return ''
    if info.data_segs_in > info.data_segs_out:
        return 'busy:tie-in'
    return 'busy:tie' if (info.last_data_sent or 0) < TIE_MS else ''


def note(old: t.Optional[History], info: sockdiag.TcpInfo, now_ms: float) -> t.Optional[History]:
    """The history after one more look."""
    if info.last_data_sent is None or info.last_data_recv is None:
        return old
    sent, received = now_ms - info.last_data_sent, now_ms - info.last_data_recv
    if old is None:
        return History(sent, received, 0)
    same_receive, same_send = received - old.received_at <= TICK_MS, sent - old.sent_at <= TICK_MS
    sends = old.sends + (0 if same_send else 1) if same_receive else 0
    return History(old.sent_at if same_send else sent, old.received_at if same_receive else received, sends)


class Tracker:
    """Remembers connections between looks, to know streams (they send again and again after one receive)."""

    def __init__(self) -> None:
        self._seen: t.Dict[Key, History] = {}

    def observe(self, socks: t.Iterable[sockdiag.Sock], now_ms: float) -> None:
        """Take in a complete look; connections that are not in it are forgotten."""
        seen: t.Dict[Key, History] = {}
        for sock in socks:
            key = key_of(sock)
            entry = note(self._seen.get(key), sock.info, now_ms) if sock.info is not None else None
            if entry is not None:
                seen[key] = entry
        self._seen = seen

    def busy(self, socks: t.Iterable[sockdiag.Sock]) -> t.List[t.Tuple[str, sockdiag.Sock]]:
        """The connections in use, each with the reason (``busy:...``)."""
        verdicts = [(classify(sock, self._seen.get(key_of(sock))), sock) for sock in socks]
        return [(verdict, sock) for verdict, sock in verdicts if verdict.startswith('busy')]


def look(port: int, tracker: t.Optional[Tracker] = None) -> t.List[t.Tuple[str, sockdiag.Sock]]:
    """The connections of a local port that are in use now, each with the reason."""
    tracker = tracker or Tracker()
    socks = sockdiag.connections(port)
    tracker.observe(socks, time.monotonic() * 1000)
    return tracker.busy(socks)


def wait_idle(port: int, limit: float, tracker: t.Optional[Tracker] = None) -> InFlight:
    """Wait at most ``limit`` seconds (0: one look) until no connection of the local port is in use."""
    tracker = tracker or Tracker()
    begin = time.monotonic()
    first = left = len(look(port, tracker))
    while left and time.monotonic() - begin < limit:
        time.sleep(POLL_S)
        left = len(look(port, tracker))
    return InFlight(first, left, int((time.monotonic() - begin) * 1000))
