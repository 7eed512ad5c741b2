# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The wait until ports can be bound, and what to say about them."""

import os
import select
import socket
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils import _holders, _ports, _process, _sockdiag
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError

_SAFETY_TICK_S = 0.1  # with events from the kernel: events may be lost
_QUICK_S = 0.05  # most releases come this soon after the first look; naming the holders would delay them
_SETTLE_LOOK_S = 0.005
_PROGRESS_S = 1.0
_DIAL_S = 0.2
_NOT_DRAINED = ('ESTABLISHED', 'SYN_RECV', 'FIN_WAIT1', 'FIN_WAIT2', 'CLOSE_WAIT', 'LAST_ACK', 'CLOSING')

Entries = t.List[t.Dict[str, t.Any]]
Progress = t.Callable[[t.Dict[str, t.Any]], None]


class _Watch:
    """Sleeps until something happened that may have released one of the ports."""

    def __init__(self, handle: t.Optional[_process.ProcessHandle]) -> None:
        self.monitor = _sockdiag.open_monitor()
        self.pidfd = handle.pidfd if handle is not None else None
        self.pause = 0.001

    def close(self) -> None:
        if self.monitor is not None:
            self.monitor.close()

    def sleep(self, ports: t.AbstractSet[int], limit: float) -> None:
        """At most ``limit`` seconds; without events from the kernel 1 ms, growing to 40 ms."""
        end = time.monotonic() + min(limit, _SAFETY_TICK_S if self.monitor is not None else self.pause)
        self.pause = min(self.pause * 1.5, 0.04)
        while True:
            left = end - time.monotonic()
            if left <= 0 or self._event(ports, left):
                return

    def _event(self, ports: t.AbstractSet[int], limit: float) -> bool:
        poller = select.poll()
        for fd in (self.pidfd, self.monitor.fileno() if self.monitor is not None else None):
            if fd is not None:
                poller.register(fd, select.POLLIN)
        ready = [fd for fd, dummy in poller.poll(int(limit * 1000) + 1)]
        if self.pidfd in ready:
            self.pidfd = None  # it stays readable for ever
            return True
        if self.monitor is None or not ready:
            return False
        destroyed = self.monitor.drain()
        return bool(destroyed & ports) or _sockdiag.EVENTS_LOST in destroyed


class _Wait:
    """One wait for all ports to be free in the same pass."""

    def __init__(self, ports: t.Sequence[int], address: str, handle: t.Optional[_process.ProcessHandle]) -> None:
        self.ports, self.address, self.handle = list(ports), address, handle
        self.begin = time.monotonic()
        self.pending = set(ports)
        self.first_inodes = {}  # type: t.Dict[int, t.Set[int]]
        self.first_holders = None  # type: t.Optional[Entries]

    def waited_ms(self) -> int:
        return int((time.monotonic() - self.begin) * 1000)

    def look(self) -> bool:
        """Whether all are free. Ports found free are left alone until all others are, then all are looked at again."""
        complete = len(self.pending) == len(self.ports)
        self.pending = {port for port in self.ports if port in self.pending and not self._free(port)}
        if self.pending or complete:
            return not self.pending
        self.pending = {port for port in self.ports if not self._free(port)}
        return not self.pending

    def _free(self, port: int) -> bool:
        probe = _ports.bind_probe(port, self.address)
        if probe.free is None and not _sockdiag.listeners(port):
            raise self.failure(
                'Whether port %d is free cannot be told: %s. Nothing was done.' % (port, probe.reason), None
            )
        return bool(probe.free)

    def remember_listeners(self) -> None:
        self.first_inodes = {port: _listener_inodes(port) for port in self.ports}

    def remember_holders(self) -> None:
        self.first_holders = self.holders()

    def holders(self) -> Entries:
        return [entry for port in self.ports if port in self.pending for entry in _holders.holders(port, self.address)]

    def taken_again(self) -> t.Optional[int]:
        """A port whose first listeners are all gone and that others listen on."""
        for port in self.ports:
            now, before = _listener_inodes(port), self.first_inodes.get(port, set())
            if now and before and not now & before:
                return port
        return None

    def known_pids(self) -> t.Set[t.Optional[int]]:
        pids = {entry['pid'] for entry in self.first_holders or []}  # type: t.Set[t.Optional[int]]
        return pids | set([self.handle.pid] if self.handle is not None else [])

    def result(self, released: t.Optional[bool], holders: Entries, note: str) -> t.Dict[str, t.Any]:
        socks = [sock for port in self.ports for sock in _sockdiag.all_states(port)]
        counts = _sockdiag.count_states(socks)
        notes = [note] if note else []
        notes += compose_notes(released, self.address, socks, holders)
        return {
            'released': released,
            'waited_ms': self.waited_ms(),
            'holders': holders,
            'connections': counts,
            'drained': not any(counts.get(name) for name in _NOT_DRAINED),
            'note': ' '.join(notes),
        }

    def failure(self, msg: str, released: t.Optional[bool], note: str = '') -> LifecycleError:
        holders = self.mark_inherited(self.holders())
        return LifecycleError(
            '%s %s' % (msg, describe_holders(holders)) if holders else msg, **self.result(released, holders, note)
        )

    def mark_inherited(self, holders: Entries) -> Entries:
        """A socket that a process opened which has ended, and that another still has open."""
        before = {entry['inode']: entry['pid'] for entry in self.first_holders or []}
        for entry in holders:
            first = before.get(entry['inode'])
            if self.handle is not None and entry['pid'] != self.handle.pid and self.handle.gone():
                first = self.handle.pid
            if first and entry['pid'] and entry['pid'] != first and not os.path.exists('/proc/%d' % first):
                entry['note'] = 'inherited from process %d, which has ended' % first
        return holders


def _listener_inodes(port: int) -> t.Set[int]:
    return {sock.inode for sock in _sockdiag.listeners(port)}


def describe_holders(holders: Entries) -> str:
    """One sentence that names them."""
    parts = []
    for entry in holders:
        who = (
            'pid %d (%s, user %s)' % (entry['pid'], entry['exe'], entry['user'])
            if entry['pid']
            else 'user %s' % entry['user']
        )
        note = ': %s' % entry['note'] if entry['note'] else ''
        parts.append('%s port %d %s by %s%s' % (entry['address'], entry['port'], entry['state'], who, note))
    return 'Held: %s.' % '; '.join(parts)


def _ephemeral_range() -> t.Tuple[int, int]:
    with open('/proc/sys/net/ipv4/ip_local_port_range') as stream:
        low, high = stream.read().split()
    return int(low), int(high)


_ONLY_TIME_WAIT = (
    'Only connections in TIME_WAIT (%d) hold it, from a listener that did not set SO_REUSEADDR: the kernel frees it '
    'after at most 60 seconds.'
)
_NO_HOLDER = (
    'No holder is to be seen: a socket that is bound and does not listen (Linux before 6.8 does not show these), or it '
    'was released just now.'
)
_EPHEMERAL = (
    'An outgoing connection has been given this port as its local port: ports %d-%d are given to any program. Add the '
    'port to net.ipv4.ip_local_reserved_ports.'
)


def compose_notes(
    released: t.Optional[bool], address: str, socks: t.Sequence[_sockdiag.Sock], holders: Entries
) -> t.List[str]:
    """What the sockets of the ports explain, in sentences."""
    if released is None:
        return []
    counts = _sockdiag.count_states(socks)
    waiting, open_now = counts.get('TIME_WAIT', 0), sum(counts.get(name, 0) for name in _NOT_DRAINED)
    if released:
        return _notes_when_free(address, socks, waiting, open_now)
    if not holders:
        return [_ONLY_TIME_WAIT % waiting if waiting else _NO_HOLDER]
    low, high = _ephemeral_range()
    taken = any(entry['state'] not in ('LISTEN', 'BOUND') and low <= entry['port'] <= high for entry in holders)
    return [_EPHEMERAL % (low, high)] if taken else []


def _notes_when_free(address: str, socks: t.Sequence[_sockdiag.Sock], waiting: int, open_now: int) -> t.List[str]:
    notes = []
    if open_now:
        notes.append(
            '%d accepted connection(s) are still open although their listener is gone; they do not hinder a start.'
            % open_now
        )
    if waiting:
        notes.append('%d connection(s) in TIME_WAIT do not hinder a start.' % waiting)
    others = sorted(
        {'%s port %d' % (sock.local_address, sock.local_port) for sock in socks if sock.state == _sockdiag.LISTEN}
    )
    if others:
        notes.append('Free on %s; there is a listener on %s.' % (address, ', '.join(others)))
    return notes


def _own_address() -> t.Optional[str]:
    """The address that this host uses towards others (nothing is sent)."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(('192.0.2.1', 9))
            return str(sock.getsockname()[0])
    except OSError:
        return None


def _answers(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), _DIAL_S) as sock:
            return bool(sock.getsockname() != sock.getpeername())  # a dial can meet itself
    except OSError:
        return False


def _notes_from_outside(port: int) -> t.List[str]:
    """Other network namespaces and address translation: neither hinders a bind, both may surprise."""
    notes = [
        'Process %d in another network namespace listens on port %d; that does not hinder a start here.'
        % (entry['pid'], port)
        for entry in _holders.elsewhere(port)
    ]
    for address in sorted({item for item in ('127.0.0.1', _own_address()) if item}):
        if _answers(address, port):
            notes.append(
                'A connection to %s port %d is answered although nothing listens here: address translation (DNAT, as '
                'docker makes it) catches it before a new instance would.' % (address, port)
            )
    return notes


def _settle(wait: _Wait, settle: float) -> None:
    """Look on for a while whether somebody else takes a port that was just released."""
    freed_at, end = time.monotonic(), time.monotonic() + settle
    while time.monotonic() < end:
        for port in wait.ports:
            if _listener_inodes(port):
                raise _taken(wait, port, int((time.monotonic() - freed_at) * 1000))
        time.sleep(_SETTLE_LOOK_S)


def _taken(wait: _Wait, port: int, after_ms: int) -> LifecycleError:
    wait.pending = {port}
    pids = sorted({entry['pid'] for entry in wait.holders() if entry['pid']})
    who = 'process %s' % ', '.join(map(str, pids)) if pids else 'a process that is not visible'
    note = 'Port %d was released and taken again by %s within %d ms.' % (port, who, after_ms)
    return wait.failure(
        '%s Something starts it again (a cron guard, a service manager): pause that first. Nothing was done.' % note,
        False,
        note,
    )


def _until_free(wait: _Wait, watch: _Watch, timeout: float, on_progress: t.Optional[Progress]) -> bool:
    end, told = wait.begin + timeout, wait.begin
    while not wait.look():
        now = time.monotonic()
        if now >= end:
            return False
        if wait.first_holders is None and now - wait.begin >= _QUICK_S:
            wait.remember_holders()
        port = wait.taken_again()
        if port is not None and not {entry['pid'] for entry in wait.holders()} & wait.known_pids():
            raise _taken(wait, port, wait.waited_ms())
        if on_progress is not None and now - told >= _PROGRESS_S:
            told = now
            on_progress({'waited_ms': wait.waited_ms(), 'busy': sorted(wait.pending)})
        watch.sleep(wait.pending, min(end - now, _QUICK_S if wait.first_holders is None else end - now))
    return True


def look(ports: t.Sequence[int], address: str = '::') -> t.Dict[str, t.Any]:
    """One probe, no wait, never a failure for a port that is held: the result of ``wait_released``."""
    wait = _Wait(_ports.valid_ports(ports), address, None)
    free = wait.look()
    return wait.result(free, [] if free else wait.holders(), '')


def wait_released(
    ports: t.Sequence[int],
    address: str = '::',
    timeout: float = 30.0,
    handle: t.Optional[_process.ProcessHandle] = None,
    on_progress: t.Optional[Progress] = None,
    settle: float = 0.0,
    explain: bool = False,
) -> t.Dict[str, t.Any]:
    """Wait at most ``timeout`` seconds (0: one look) until the bind of a new instance succeeds on all ports.

    ``handle``: the process whose end is awaited, if known. ``settle``: seconds to look on, after a wait, whether another
    process takes the port again. ``explain``: also look into other network namespaces and for address translation.
    Keys: released, waited_ms, holders, connections, drained, note. Raises LifecycleError with the same keys when a port
    stays held, was taken again, or cannot be judged (``released`` is None then).
    """
    wait = _Wait(_ports.valid_ports(ports), address, handle)
    if not wait.look():
        _wait_on(wait, timeout, handle, on_progress)
        waited_ms = wait.waited_ms()
        _settle(wait, settle)
    else:
        waited_ms = wait.waited_ms()
    notes = [note for port in wait.ports for note in _notes_from_outside(port)] if explain else []
    return dict(wait.result(True, [], ' '.join(notes)), waited_ms=waited_ms)


def _wait_on(
    wait: _Wait, timeout: float, handle: t.Optional[_process.ProcessHandle], on_progress: t.Optional[Progress]
) -> None:
    watch = _Watch(handle)
    try:
        wait.remember_listeners()
        if _until_free(wait, watch, timeout, on_progress):
            return
    finally:
        watch.close()
    ports = ', '.join(str(port) for port in sorted(wait.pending))
    raise wait.failure(
        'Port %s is still held after %d ms. Nothing was done. End what holds it, or use another port.'
        % (ports, wait.waited_ms()),
        False,
    )
