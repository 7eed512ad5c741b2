# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""TCP sockets of this network namespace, asked from the kernel by sock_diag; /proc/net/tcp where that is not there.

The kernel filters by state and port: a look at the listeners takes about 0.1 ms, however many connections there are.
Needs no privileges.
"""

import errno
import os
import re
import socket
import struct
import typing as t

ESTABLISHED, SYN_SENT, SYN_RECV, FIN_WAIT1, FIN_WAIT2, TIME_WAIT = 1, 2, 3, 4, 5, 6
CLOSE, CLOSE_WAIT, LAST_ACK, LISTEN, CLOSING, NEW_SYN_RECV, BOUND_INACTIVE = 7, 8, 9, 10, 11, 12, 13
BOUND = (CLOSE, BOUND_INACTIVE)  # has a local port and neither listens nor is connected; asked for as 13, shown as 7
STATE_NAMES = {
    1: 'ESTABLISHED',
    2: 'SYN_SENT',
    3: 'SYN_RECV',
    4: 'FIN_WAIT1',
    5: 'FIN_WAIT2',
    6: 'TIME_WAIT',
    7: 'BOUND',
    8: 'CLOSE_WAIT',
    9: 'LAST_ACK',
    10: 'LISTEN',
    11: 'CLOSING',
    12: 'SYN_RECV',
    13: 'BOUND',
}
SERVED = (ESTABLISHED, SYN_RECV, CLOSE_WAIT)
EVENTS_LOST = -1
FAMILIES = (socket.AF_INET, socket.AF_INET6)

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_REQUEST_DUMP = 0x301
_DIAG_INFO = 2
_HEADER, _MESSAGE = 16, 72
_DESTROY_GROUPS = 1 << 0 | 1 << 2  # SKNLGRP_INET_TCP_DESTROY, SKNLGRP_INET6_TCP_DESTROY
_ANSWER_TIMEOUT = 5.0
_DELAYED_ACK_MS = 250
_YOUNG_SEGMENTS = 16
_MOST_PROC_NET = 64 << 20  # bytes of a table: some 400,000 sockets


class TcpInfo(t.NamedTuple):
    """Parts of struct tcp_info. Times in ms since the event. None: this kernel does not have the counter."""

    unacked: t.Optional[int]
    last_data_sent: t.Optional[int]
    last_data_recv: t.Optional[int]
    last_ack_recv: t.Optional[int]
    bytes_acked: t.Optional[int]
    bytes_received: t.Optional[int]
    data_segs_in: t.Optional[int]
    data_segs_out: t.Optional[int]


class Sock(t.NamedTuple):
    """One socket. ``inode`` is 0 when no process has it: not accepted yet, TIME_WAIT, closed and lingering."""

    family: int
    state: int
    local_address: str
    local_port: int
    remote_address: str
    remote_port: int
    uid: int
    inode: int
    rqueue: int
    wqueue: int
    info: t.Optional[TcpInfo]

    @property
    def state_name(self) -> str:
        return STATE_NAMES.get(self.state, str(self.state))


def state_mask(states: t.Iterable[int]) -> int:
    mask = 0
    for state in states:
        mask |= 1 << state
    return mask


def build_request(
    family: int, states: int, source_port: int = 0, with_info: bool = False, remote_port: int = 0
) -> bytes:
    """A dump request; ``states`` is a mask of 1 << state, a port of 0 means any."""
    extensions = 1 << (_DIAG_INFO - 1) if with_info else 0
    body = struct.pack('=BBBxI', family, socket.IPPROTO_TCP, extensions, states)
    body += struct.pack('>HH', source_port, remote_port) + b'\0' * 44
    return struct.pack('=IHHII', _HEADER + len(body), _SOCK_DIAG_BY_FAMILY, _REQUEST_DUMP, 1, 0) + body


def parse_info(data: bytes) -> TcpInfo:
    """Parse struct tcp_info, which is as long as the kernel knows it."""

    def number(offset: int, form: str = '=I') -> t.Optional[int]:
        if len(data) < offset + struct.calcsize(form):
            return None
        return int(struct.unpack_from(form, data, offset)[0])

    return TcpInfo(
        number(24), number(44), number(52), number(56), number(120, '=Q'), number(128, '=Q'), number(152), number(156)
    )


def _attribute(data: bytes, start: int, end: int, wanted: int) -> t.Optional[bytes]:
    while start + 4 <= end:
        length, kind = struct.unpack_from('=HH', data, start)
        if length < 4:
            return None
        if kind == wanted:
            return data[start + 4 : start + length]
        start += (length + 3) & ~3
    return None


def _parse_message(data: bytes, start: int, end: int) -> Sock:
    family, state = struct.unpack_from('=BB', data, start)
    local_port, remote_port = struct.unpack_from('>HH', data, start + 4)
    rqueue, wqueue, uid, inode = struct.unpack_from('=IIII', data, start + 56)
    size = 16 if family == socket.AF_INET6 else 4
    local = socket.inet_ntop(family, data[start + 8 : start + 8 + size])
    remote = socket.inet_ntop(family, data[start + 24 : start + 24 + size])
    info = _attribute(data, start + _MESSAGE, end, _DIAG_INFO)
    return Sock(
        family,
        SYN_RECV if state == NEW_SYN_RECV else state,
        local,
        local_port,
        remote,
        remote_port,
        uid,
        inode,
        rqueue,
        wqueue,
        parse_info(info) if info is not None else None,
    )


def parse_reply(data: bytes, inodes: t.Optional[t.AbstractSet[int]] = None) -> t.Tuple[t.List[Sock], bool, int]:
    """Sockets, whether the dump has ended, and an errno (0: none). With ``inodes`` others are passed over unparsed."""
    socks: t.List[Sock] = []
    start = 0
    while start + _HEADER <= len(data):
        length, kind = struct.unpack_from('=IH', data, start)
        if length < _HEADER or start + length > len(data):
            return socks, True, errno.EBADMSG
        if kind in (_NLMSG_ERROR, _NLMSG_DONE):
            code = struct.unpack_from('=i', data, start + _HEADER)[0] if length >= _HEADER + 4 else 0
            return socks, True, -code if code < 0 else 0
        body = start + _HEADER
        wanted = kind == _SOCK_DIAG_BY_FAMILY and length >= _HEADER + _MESSAGE
        if wanted and (inodes is None or struct.unpack_from('=I', data, body + 68)[0] in inodes):
            socks.append(_parse_message(data, body, start + length))
        start += (length + 3) & ~3
    return socks, False, 0


def _ask(request: bytes, inodes: t.Optional[t.AbstractSet[int]]) -> t.List[Sock]:
    """One dump. OSError when sock_diag is not there (old kernel, sandbox, module not loadable)."""
    found: t.List[Sock] = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG) as link:
        link.settimeout(_ANSWER_TIMEOUT)
        link.sendto(request, (0, 0))
        while True:
            data, sender = link.recvfrom(65536)
            if sender[0] != 0:  # not from the kernel
                continue
            socks, finished, code = parse_reply(data, inodes)
            if code:
                raise OSError(code, os.strerror(code))
            found.extend(socks)
            if finished:
                return found


def _hex_address(text: bytes) -> str:
    words = struct.pack('=%dI' % (len(text) // 8), *[int(text[i : i + 8], 16) for i in range(0, len(text), 8)])
    return socket.inet_ntop(socket.AF_INET if len(words) == 4 else socket.AF_INET6, words)


def _proc_line(source_port: int) -> t.Pattern[bytes]:
    port = b'%04X' % source_port if source_port else b'[0-9A-F]{4}'
    return re.compile(
        b'^ *\\d+: ([0-9A-F]+):(%s) ([0-9A-F]+):([0-9A-F]{4}) ([0-9A-F]{2}) ([0-9A-F]+):([0-9A-F]+) '
        b'\\S+ \\S+ +(\\d+) +\\d+ (\\d+)' % port,
        re.M,
    )


def _proc_sock(fields: t.Sequence[bytes]) -> Sock:
    local, local_port, remote, remote_port, state, wqueue, rqueue = fields[:7]
    family = int(socket.AF_INET if len(local) == 8 else socket.AF_INET6)
    number = int(state, 16)
    return Sock(
        family,
        SYN_RECV if number == NEW_SYN_RECV else number,
        _hex_address(local),
        int(local_port, 16),
        _hex_address(remote),
        int(remote_port, 16),
        int(fields[7]),
        int(fields[8]),
        int(rqueue, 16),
        int(wqueue, 16),
        None,
    )


def parse_proc_net(data: bytes, states: int, source_port: int = 0) -> t.List[Sock]:
    """Parse /proc/net/tcp or tcp6; lines of other states and ports are passed over quickly."""
    lines = (match.groups() for match in _proc_line(source_port).finditer(data))
    return [_proc_sock(fields) for fields in lines if states >> int(fields[4], 16) & 1]


def read_proc_net(states: int, source_port: int = 0, root: str = '/proc/net') -> t.List[Sock]:
    """The slow way, and that of other network namespaces (``root=/proc/PID/net``). A missing tcp6: IPv6 is off."""
    socks: t.List[Sock] = []
    for name in ('tcp', 'tcp6'):
        try:
            with open(os.path.join(root, name), 'rb') as stream:
                socks.extend(parse_proc_net(stream.read(_MOST_PROC_NET), states, source_port))
        except OSError as exc:
            if name == 'tcp' or exc.errno != errno.ENOENT:
                raise
    return socks


def dump(
    states: int,
    source_port: int = 0,
    with_info: bool = False,
    remote_port: int = 0,
    inodes: t.Optional[t.AbstractSet[int]] = None,
) -> t.List[Sock]:
    """Sockets of both families in these states. OSError only when neither sock_diag nor /proc/net can be read."""
    found: t.List[Sock] = []
    try:
        for family in FAMILIES:
            found.extend(_ask(build_request(family, states, source_port, with_info, remote_port), inodes))
    except OSError:
        found = read_proc_net(states, source_port)
    # the kernel's filter is trusted for speed only
    return [
        sock
        for sock in found
        if (not source_port or sock.local_port == source_port)
        and (not remote_port or sock.remote_port == remote_port)
        and (inodes is None or sock.inode in inodes)
    ]


def listeners(port: int = 0, inodes: t.Optional[t.AbstractSet[int]] = None) -> t.List[Sock]:
    """Listening sockets, of one local port or all (0), or only these."""
    return dump(1 << LISTEN, port, inodes=inodes)


def connections(port: int) -> t.List[Sock]:
    """Server-side connections of a local port that may still be served, with tcp_info."""
    return dump(state_mask(SERVED), port, with_info=True)


def all_states(port: int) -> t.List[Sock]:
    """Every socket of a local port; bound ones that do not listen are shown by Linux 6.8 and later only."""
    return dump(state_mask(STATE_NAMES), port)


def client_connections(inodes: t.AbstractSet[int], remote_port: int = 0) -> t.List[Sock]:
    """Connections that these sockets (inodes of one process) have to a remote port (0: any), with tcp_info."""
    return dump(state_mask((ESTABLISHED, CLOSE_WAIT)), 0, True, remote_port, inodes)


def count_states(socks: t.Iterable[Sock]) -> t.Dict[str, int]:
    """How many sockets by name of their state, without listeners and bound sockets."""
    counts: t.Dict[str, int] = {}
    for sock in socks:
        if sock.state != LISTEN and sock.state not in BOUND:
            counts[sock.state_name] = counts.get(sock.state_name, 0) + 1
    return counts


class ReleaseMonitor:
    """Tells when the kernel destroys TCP sockets of this network namespace; use ``open_monitor``."""

    def __init__(self) -> None:
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        self._link = socket.socket(socket.AF_NETLINK, kind, _NETLINK_SOCK_DIAG)
        try:
            self._link.bind((0, _DESTROY_GROUPS))
        except OSError:
            self._link.close()
            raise

    def fileno(self) -> int:
        return self._link.fileno()

    def close(self) -> None:
        self._link.close()

    def __enter__(self) -> 'ReleaseMonitor':
        return self

    def __exit__(self, *dummy: t.Any) -> None:
        self.close()

    def drain(self) -> t.Set[int]:
        """Local ports of the sockets destroyed since the last call, and EVENTS_LOST when some were not told."""
        ports: t.Set[int] = set()
        while True:
            try:
                data, sender = self._link.recvfrom(65536)
            except BlockingIOError:
                return ports
            except OSError as exc:
                if exc.errno != errno.ENOBUFS:
                    raise
                ports.add(EVENTS_LOST)
                continue
            if sender[0] == 0:
                ports.update(sock.local_port for sock in parse_reply(data)[0])


def open_monitor() -> t.Optional[ReleaseMonitor]:
    """A monitor, None where the kernel or our privileges have none."""
    try:
        return ReleaseMonitor()
    except (OSError, AttributeError):
        return None


def query_in_flight(sock: Sock) -> t.Optional[bool]:
    """Whether a client-side connection waits for an answer: its last data event was a send. None: cannot tell yet.

    Times are in kernel ticks (up to 10 ms), so an answer and the next request often bear the same time; then see
    ``_same_tick``. A command without an answer (MySQL's COM_STMT_CLOSE) looks like a request for ever: True is 'maybe',
    False is sure.
    """
    if sock.wqueue or sock.rqueue:
        return True
    info = sock.info
    if info is None or info.last_data_sent is None or info.last_data_recv is None:
        return None
    if info.unacked or info.last_data_sent < info.last_data_recv:
        return True
    if info.last_data_sent > info.last_data_recv or info.data_segs_out == 0:
        return False
    return _same_tick(info.last_data_recv, info)


def _same_tick(age: int, info: TcpInfo) -> t.Optional[bool]:
    """A request that stays unanswered is acknowledged alone, after at most 200 ms; an answer acknowledges it itself.

    A young connection acknowledges at once: there, as many segments out as in (a database greets first) mean a request.
    """
    if info.last_ack_recv is None or info.data_segs_out is None or info.data_segs_in is None:
        return None
    if info.last_ack_recv < age or (info.data_segs_out <= _YOUNG_SEGMENTS and info.data_segs_out >= info.data_segs_in):
        return True
    return False if age > _DELAYED_ACK_MS else None
