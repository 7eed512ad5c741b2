# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Whether a new instance can bind its ports, and the wait until it can."""

import errno
import os
import select
import socket
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import port_notes, process, sockdiag
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.holders import (
    conflicts,
    holders,
    owners,
    owns_listener,
    socket_inodes,
)

__all__ = [
    'WAIT_OPTIONS',
    'Probe',
    'bind_probe',
    'holders',
    'look',
    'owners',
    'owns_listener',
    'socket_inodes',
    'valid_ports',
    'wait_released',
]

_SAFETY_TICK_S = 0.1  # with events from the kernel: events may be lost
_QUICK_S = 0.05  # most releases come this soon after the first look; naming the holders would delay them
_SETTLE_LOOK_S = 0.005
_PROGRESS_S = 1.0
_NOTED = sockdiag.state_mask(range(sockdiag.ESTABLISHED, sockdiag.NEW_SYN_RECV + 1)) & ~(1 << sockdiag.CLOSE)
_NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)

# Of everything that waits for ports: the module and the step.
WAIT_OPTIONS: t.Dict[str, t.Dict[str, t.Any]] = dict(
    ports=dict(type='list', elements='int'),
    address=dict(type='str', default='::'),
    timeout=dict(type='float', default=30.0),
)

Progress = t.Callable[[str], None]


class Probe(t.NamedTuple):
    """``free`` is None when the bind was refused for another reason than a holder; ``reason`` says it for people."""

    free: t.Optional[bool]
    errno: int
    reason: str


def _try_bind(family: int, address: str, port: int) -> int:
    """The errno of the bind that a Go server does (0: it succeeds). Never listens: a dial must not find the probe."""
    try:
        with socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            sock.bind((address, port))
        return 0
    except OSError as exc:
        return exc.errno or errno.EIO


def bind_probe(port: int, address: str = '::') -> Probe:
    """One look, under 0.1 ms: does the bind of a new instance succeed now?

    ``::`` is what AnQiCMS binds: both families on one socket; where IPv6 is off, 0.0.0.0 as Go does.
    """
    code = _try_bind(socket.AF_INET6 if ':' in address else socket.AF_INET, address, port)
    if address == '::' and code in _NO_IPV6:
        code = _try_bind(socket.AF_INET, '0.0.0.0', port)
    return Probe({0: True, errno.EADDRINUSE: False}.get(code), code, _explain_errno(code, port, address))


def _explain_errno(code: int, port: int, address: str) -> str:
    if code == 0:
        return 'free'
    if code == errno.EADDRINUSE:
        return 'in use'
    if code in (errno.EACCES, errno.EPERM):
        return (
            'this user has no permission to bind port %d (a privileged port, or a security policy such as SELinux), so '
            'whether it is in use is not known' % port
        )
    if code == errno.EADDRNOTAVAIL:
        return '%s is not an address of this host' % address
    return 'bind of %s port %d failed: %s' % (address, port, errno.errorcode.get(code, code))


def valid_ports(ports: t.Sequence[int]) -> t.List[int]:
    """The ports without repetition, in their order; LifecycleError when one is not 1..65535 or there is none."""
    wrong = [port for port in ports if not 1 <= port <= 65535]
    if wrong or not ports:
        raise LifecycleError(
            '%s. No port was probed. Set ports to numbers from 1 to 65535.'
            % ('Invalid TCP ports: %s' % ', '.join(map(str, wrong)) if wrong else 'ports is empty')
        )
    return sorted(set(ports), key=list(ports).index)


def valid_address(address: str) -> str:
    """The address; LifecycleError when it is not an IP address (names are not resolved)."""
    try:
        socket.inet_pton(socket.AF_INET6 if ':' in address else socket.AF_INET, address)
    except OSError:
        raise LifecycleError(
            '%r is not an IP address. No port was probed. Set address to an address of this host.' % (address,)
        ) from None
    return address


class _Watch:
    """Sleeps until something happened that may have released one of the ports."""

    def __init__(self, handle: t.Optional[process.ProcessHandle]) -> None:
        self.monitor = sockdiag.open_monitor()
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
        return bool(destroyed & ports) or sockdiag.EVENTS_LOST in destroyed


class _Wait:
    """One wait for all ports to be free in the same pass."""

    def __init__(self, ports: t.Sequence[int], address: str, handle: t.Optional[process.ProcessHandle]) -> None:
        self.ports, self.address, self.handle = list(ports), address, handle
        self.begin = time.monotonic()
        self.pending = set(ports)
        self.first_inodes: t.Dict[int, t.Set[int]] = {}
        self.first_holders: t.Optional[port_notes.Entries] = None

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
        probe = bind_probe(port, self.address)
        if probe.free is None and not sockdiag.listeners(port):
            raise self.failure(
                'Whether port %d is free is not known: %s. The port was not waited for.' % (port, probe.reason), None
            )
        return bool(probe.free)

    def remember_listeners(self) -> None:
        self.first_inodes = {port: self.listener_inodes(port) for port in self.ports}

    def remember_holders(self) -> None:
        self.first_holders = self.busy_holders()

    def busy_holders(self) -> port_notes.Entries:
        return [entry for port in self.ports if port in self.pending for entry in holders(port, self.address)]

    def taken_again(self) -> t.Optional[int]:
        """A port whose first listeners are all gone and that others listen on."""
        for port in self.ports:
            now, before = self.listener_inodes(port), self.first_inodes.get(port, set())
            if now and before and not now & before:
                return port
        return None

    def known_pids(self) -> t.Set[t.Optional[int]]:
        pids: t.Set[t.Optional[int]] = {entry['pid'] for entry in self.first_holders or []}
        return pids | set([self.handle.pid] if self.handle is not None else [])

    def listener_inodes(self, port: int) -> t.Set[int]:
        """Of the listeners that may stand in the way of our address."""
        return {sock.inode for sock in sockdiag.listeners(port) if conflicts(sock, self.address)}

    def result(
        self, released: t.Optional[bool], found: port_notes.Entries, note: str, waited_ms: int
    ) -> t.Dict[str, t.Any]:
        socks = [sock for port in self.ports for sock in sockdiag.dump(_NOTED, port)]
        counts = sockdiag.count_states(socks)
        notes = [note] if note else []
        notes += port_notes.compose_notes(released, self.address, socks, found)
        return {
            'released': released,
            'waited_ms': waited_ms,
            'holders': found,
            'connections': counts,
            'drained': not any(counts.get(name) for name in port_notes.NOT_DRAINED),
            'note': ' '.join(notes),
        }

    def failure(self, msg: str, released: t.Optional[bool], note: str = '') -> LifecycleError:
        waited_ms = self.waited_ms()
        found = self.mark_inherited(self.busy_holders())
        return LifecycleError(
            '%s %s' % (msg, port_notes.describe_holders(found)) if found else msg,
            **self.result(released, found, note, waited_ms),
        )

    def mark_inherited(self, found: port_notes.Entries) -> port_notes.Entries:
        """Sockets that were open in two processes, one of which has ended meanwhile."""
        for entry in found:
            before = {old['pid'] for old in self.first_holders or [] if old['inode'] == entry['inode'] and old['pid']}
            ended = sorted(pid for pid in before if not os.path.exists('/proc/%d' % pid))
            if ended and entry['pid'] in before:
                entry['note'] = 'inherited from process %d, which has ended' % ended[0]
        return found


def _settle(wait: _Wait, settle: float) -> None:
    """Look on for a while whether somebody else takes a port that was just released."""
    freed_at, end = time.monotonic(), time.monotonic() + settle
    while time.monotonic() < end:
        for port in wait.ports:
            if wait.listener_inodes(port) and bind_probe(port, wait.address).free is False:
                raise _taken(wait, port, int((time.monotonic() - freed_at) * 1000))
        time.sleep(_SETTLE_LOOK_S)


def _taken(wait: _Wait, port: int, after_ms: int) -> LifecycleError:
    wait.pending = {port}
    pids = sorted({entry['pid'] for entry in wait.busy_holders() if entry['pid']})
    who = 'process %s' % ', '.join(map(str, pids)) if pids else 'a process that is not visible'
    note = 'Port %d was released and taken again by %s within %d ms.' % (port, who, after_ms)
    return wait.failure(
        '%s The new process was left running. Something starts it again (a cron line, a service manager): disable that '
        'first.' % note,
        False,
        note,
    )


def _judge_taken(wait: _Wait, port: int) -> None:
    """The same process may listen anew: it restarts itself in place, and the wait goes on."""
    pids = {entry['pid'] for entry in wait.busy_holders() if entry['port'] == port}
    if pids and not pids & wait.known_pids():
        raise _taken(wait, port, wait.waited_ms())
    wait.remember_listeners()


def _until_free(wait: _Wait, watch: _Watch, timeout: float, on_progress: t.Optional[Progress]) -> bool:
    end, told = wait.begin + timeout, wait.begin
    while not wait.look():
        now = time.monotonic()
        if now >= end:
            return False
        if wait.first_holders is None and now - wait.begin >= _QUICK_S:
            wait.remember_holders()
        port = wait.taken_again()
        if port is not None:
            _judge_taken(wait, port)
        if on_progress is not None and now - told >= _PROGRESS_S:
            told = now
            held = ', '.join(str(port) for port in sorted(wait.pending))
            on_progress('port %s is still held after %d s' % (held, wait.waited_ms() // 1000))
        watch.sleep(wait.pending, min(end - now, _QUICK_S if wait.first_holders is None else end - now))
    return True


def look(ports: t.Sequence[int], address: str = '::') -> t.Dict[str, t.Any]:
    """One probe, no wait, never a failure for a port that is held: the result of ``wait_released``."""
    wait = _Wait(valid_ports(ports), valid_address(address), None)
    free = wait.look()
    waited_ms = wait.waited_ms()
    return wait.result(free, [] if free else wait.busy_holders(), '', waited_ms)


def wait_released(
    ports: t.Sequence[int],
    address: str = '::',
    timeout: float = 30.0,
    handle: t.Optional[process.ProcessHandle] = None,
    on_progress: t.Optional[Progress] = None,
    settle: float = 0.0,
    explain: bool = False,
) -> t.Dict[str, t.Any]:
    """Wait at most ``timeout`` seconds (0: one look) until the bind of a new instance succeeds on all ports.

    ``handle``: the process whose end is awaited, if known. ``on_progress``: gets a short text each second. ``settle``:
    seconds to look on, after a wait, whether another process takes the port again. ``explain``: also look into other
    network namespaces and for address translation.
    Keys: released, waited_ms, holders, connections, drained, note. Raises LifecycleError with the same keys when a port
    stays held, was taken again, or cannot be judged (``released`` is None then).
    """
    wait = _Wait(valid_ports(ports), valid_address(address), handle)
    waited = not wait.look()
    if waited:
        _wait_on(wait, timeout, handle, on_progress)
    waited_ms = wait.waited_ms()
    if waited:
        _settle(wait, settle)
    notes = [note for port in wait.ports for note in port_notes.from_outside(port)] if explain else []
    return wait.result(True, [], ' '.join(notes), waited_ms)


def _wait_on(
    wait: _Wait, timeout: float, handle: t.Optional[process.ProcessHandle], on_progress: t.Optional[Progress]
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
        'Port %s is still held after %d ms. Its holder was not signalled. End that process, or use another port.'
        % (ports, wait.waited_ms()),
        False,
    )
