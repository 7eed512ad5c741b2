# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Stop exactly one process: wait for its requests, ask it to end, prove that it is gone, say what was cut."""

import errno
import os
import signal
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils import (
    _holders, _inflight, _kill_policy, _open_files, _process, _procfs, _selection, _sockdiag, _supervisors, _versions)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._context import Context, milliseconds, name_of_signal
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError

Params = t.Mapping[str, t.Any]

_FAST_S, _FAST_POLL, _SLOW_POLL = 0.2, 0.002, 0.02
_KILL_BASE_S, _KILL_S_PER_GIB = 10.0, 5.0  # the kernel frees memory before it closes sockets: 0.07 s a GiB were measured
_RESPAWN_WATCH_S = 2.0


def refuse_supervised(context: Context) -> t.List[t.Dict[str, t.Any]]:
    """The supervisors of the instance; LifecycleError when one of them would start it again at once."""
    supervisors = _supervisors.detect(context.instance, context.candidate)
    strong = [entry for entry in supervisors if entry['restarts'] and entry['kind'] != 'cron']
    if strong and context.candidate is not None:
        raise LifecycleError('%s is run by %s (%s), which would start it again. Nothing was signalled. Stop it there.'
                             % (context.instance.id, strong[0]['kind'], strong[0]['where']), supervisors=supervisors)
    return supervisors


def plan(context: Context, params: Params) -> t.Dict[str, t.Any]:
    """What the stop would do. LifecycleError for everything that makes it impossible."""
    candidate, handle = context.look(), context.handle
    if candidate is None or handle is None:
        return dict(changed=False, would='nothing: it does not run')
    if not handle.may_signal():
        raise LifecycleError('No permission to signal pid %d of %s (it runs as uid %d). Nothing was signalled. Run as root or as '
                             'that user.' % (candidate.pid, context.instance.id, candidate.uid), pid=candidate.pid)
    refuse_supervised(context)
    _refuse_deaf(context, params)
    return dict(changed=True, pid=candidate.pid, would='wait at most %g s for requests in flight, then send SIGTERM to pid %d'
                % (params['idle_timeout'], candidate.pid))


def _refuse_deaf(context: Context, params: Params) -> None:
    """A process that ignores or blocks SIGTERM goes on serving: it is left alone unless force says timeout."""
    assert context.handle is not None
    try:
        deaf = _process.stop_signal_state(context.handle.proc.status())
    except OSError:
        return
    how = 'ignores' if deaf['ignored'] else 'blocks' if deaf['blocked'] else None
    if how and params['force'] != 'timeout':
        raise LifecycleError('pid %d of %s %s SIGTERM, so it cannot be asked to end. Nothing was signalled, it goes on serving. Use '
                             'force: timeout to kill it.' % (context.handle.pid, context.instance.id, how), pid=context.handle.pid)


class Stop:
    """One stop of one process."""

    def __init__(self, context: Context, params: Params) -> None:
        assert context.handle is not None and context.candidate is not None
        self.context, self.params = context, params
        self.handle, self.candidate = context.handle, context.candidate
        self.force = params['force']  # type: str
        self.begin = time.monotonic()
        self.signals = []  # type: t.List[t.Dict[str, t.Any]]
        self.tracker = _inflight.Tracker()
        self.on_sigterm = _versions.behaviour(context.version).on_sigterm
        seen = context.seen() or {}
        self.listened = self._listens()
        self.answered = context.running_version is not None or bool(seen.get('version'))
        self.in_flight = self.busy_at_signal = self.busy_at_kill = 0
        self.term_at = self.quiet_since = self.idle_since = 0.0
        self.exit_kind = 'graceful'
        self.children = _children(self.handle.pid)
        self.foreign_files = _open_files.holders(context.instance.dir, {self.handle.pid, os.getpid()})

    def run(self) -> None:
        """Wait until idle, signal, wait for the end. LifecycleError when the process lives on."""
        self._wait_until_started()
        if self.listened:
            waited = _inflight.wait_idle(self.context.port, self.params['idle_timeout'], self.tracker)
            self.in_flight, self.busy_at_signal = waited.in_flight, waited.left
        self._send(signal.SIGTERM)
        self.term_at = self.quiet_since = time.monotonic()
        self._wake_if_stopped()
        self._wait_for_end()

    def _wait_until_started(self) -> None:
        """Versions without a handler of their own die of SIGTERM in the middle of a migration: let it open its port first."""
        if self.listened or self.answered or self.on_sigterm not in ('stays', 'unknown') or self._served():
            return
        end = self.begin + self.params['timeout']
        while not self._listens():
            if self.handle.gone():
                return
            if time.monotonic() > end:
                raise LifecycleError('pid %d of %s has not opened port %d yet: it may be migrating its database. Nothing was '
                                     'signalled. Wait until it answers, then stop it.'
                                     % (self.handle.pid, self.context.instance.id, self.context.port), pid=self.handle.pid)
            time.sleep(_SLOW_POLL)
        self.listened = self.answered = True

    def _listens(self) -> bool:
        """Whether this process listens on the port; any listener where its descriptors may not be read."""
        owns = _holders.owns_listener(self.handle.proc, self.context.port)
        return self.context.listens() if owns is None else owns

    def _served(self) -> bool:
        """Whether it has opened its port in this life: it still holds connections of it, or its log says so."""
        inodes = self._inodes() or set()
        if any(sock.inode in inodes for sock in _sockdiag.connections(self.context.port)):
            return True
        tail = self.context.log_since(0)
        return 'Now listening on' in tail[max(0, tail.rfind(' %s/\n' % self.context.instance.dir)):]

    def _send(self, number: int) -> None:
        if self.handle.signal(number):
            self.signals.append(dict(signal=name_of_signal(number), at_ms=milliseconds(self.begin)))

    def _wake_if_stopped(self) -> None:
        """A job-control stop keeps SIGTERM pending: let it run, so that it can end."""
        stat = self.handle.proc.stat()
        if stat is not None and stat.state == 'T' and self.force != 'never':
            self._send(signal.SIGCONT)

    def _wait_for_end(self) -> None:
        deadline = self.term_at + self.params['timeout']
        while not self.handle.wait_gone(_FAST_POLL if time.monotonic() - self.term_at < _FAST_S else _SLOW_POLL):
            now = time.monotonic()
            kind = self._decide(now, now >= deadline)
            if kind:
                self._kill(kind)
                return
            if now >= deadline:
                raise self._lives_on()
        self._note_listener_end()

    def _note_listener_end(self) -> None:
        if self.listened and self.context.listener_ended_at is None:
            self.context.listener_ended_at = time.monotonic()

    def _decide(self, now: float, expired: bool) -> t.Optional[str]:
        """Look once; the kind of kill that is allowed now, None to go on waiting."""
        closed = not self._listens()
        if closed:
            self._note_listener_end()
        busy = len(_inflight.look(self.context.port, self.tracker)) if closed or expired else 0
        self.busy_at_kill = busy
        migration = self._migration(now)
        if not closed or busy:
            self.idle_since = 0.0
        elif not self.idle_since:
            self.idle_since = now
        idle_for = now - self.idle_since if self.idle_since else 0.0
        grace = _kill_policy.idle_grace(self.context.version)
        return _kill_policy.may_kill(self.force, closed and (self.listened or self._served()), busy, migration, idle_for, grace,
                                     expired)

    def _migration(self, now: float) -> _kill_policy.Migration:
        quiet = now - self.quiet_since  # type: t.Optional[float]
        if _kill_policy.needs_a_look_at_the_database(self.context.version, self.answered):
            inodes = self._inodes()
            if inodes is None:
                quiet = None
            elif self._query_in_flight(inodes):
                self.quiet_since, quiet = now, 0.0
        else:
            quiet = _kill_policy.QUIET_DATABASE_S
        return _kill_policy.judge_migration(self.context.version, self.answered, quiet)

    def _inodes(self) -> t.Optional[t.Set[int]]:
        try:
            return _holders.socket_inodes(self.handle.proc)
        except OSError as exc:
            return set() if exc.errno in _procfs.GONE else None

    def _query_in_flight(self, inodes: t.Set[int]) -> bool:
        """Connections that it opened itself: its database, of whatever port."""
        return any(sock.local_port != self.context.port and _sockdiag.query_in_flight(sock)
                   for sock in _sockdiag.client_connections(inodes))

    def _kill(self, kind: str) -> None:
        self.exit_kind = kind
        limit = _KILL_BASE_S + _KILL_S_PER_GIB * self._resident_gib()
        self._send(signal.SIGKILL)
        if not self.handle.wait_gone(limit):
            raise self._lives_on()
        self._note_listener_end()

    def _resident_gib(self) -> float:
        try:
            return int(self.handle.proc.status().get('VmRSS', '0 kB').split()[0]) / 1048576.0
        except (OSError, ValueError):
            return 0.0

    def _lives_on(self) -> LifecycleError:
        closed = not self._listens()
        why = [self._state_text(), 'port %d is %s' % (self.context.port, 'closed' if closed else 'still open')]
        if closed:
            why.append('%d connections in use' % self.busy_at_kill)
        migration = self._migration(time.monotonic())
        if migration.verdict != 'no':
            why.append('a migration is %s: %s' % (migration.verdict, migration.why))
        return LifecycleError(
            'pid %d of %s is still alive %d ms after %s (%s). It was not killed further. Wait and try again; with force: timeout it '
            'is killed, unless a migration runs.' % (self.handle.pid, self.context.instance.id, milliseconds(self.term_at or self.begin),
                                                     ' and '.join(entry['signal'] for entry in self.signals), ', '.join(why)),
            **self.result(False))

    def _state_text(self) -> str:
        stat, status = self.handle.proc.stat(), {}  # type: t.Optional[_procfs.Stat], t.Dict[str, str]
        try:
            status = self.handle.proc.status()
        except OSError:
            pass
        tracer = status.get('TracerPid', '0')
        text = 'state %s' % (stat.state if stat else 'gone')
        if stat and stat.state == 'D':
            text += ', unkillable while it waits in %s' % (_read_wchan(self.handle.proc) or 'the kernel')
        return text + (', traced by pid %s' % tracer if tracer != '0' else '')

    def result(self, stopped: bool) -> t.Dict[str, t.Any]:
        cut = _kill_policy.cut_requests(self.on_sigterm, self.exit_kind, self.busy_at_signal, self.busy_at_kill)
        lines = [line for line in self.context.log_since(0, 4096).split('\n') if line.strip()]
        return dict(stopped=stopped, changed=bool(self.signals), exit_kind=self.exit_kind if stopped else None, pid=self.handle.pid,
                    signals=self.signals, requests=dict(in_flight=self.in_flight, cut=cut), waited_ms=milliseconds(self.begin),
                    last_log_line=lines[-1] if lines else None, survivors=_alive(self.children) if stopped else [],
                    respawned=None, open_files=_open_files.still_there(self.foreign_files), version=self.context.version,
                    zombie_parent=self._zombie_parent() if stopped else None)

    def _zombie_parent(self) -> t.Optional[int]:
        """The parent that has not collected the ended process, None in the ordinary case."""
        stat = self.handle.proc.stat()
        return stat.ppid if stat is not None and stat.state == 'Z' and stat.ppid not in (1, os.getpid()) else None


def _read_wchan(proc: _procfs.ProcDir) -> str:
    try:
        return proc.read('wchan').decode('utf-8', 'replace').strip('\0 ')
    except OSError:
        return ''


def _children(pid: int) -> t.List[_process.ProcessHandle]:
    """Handles of its direct children, so that their pids cannot be mistaken later."""
    handles = []
    try:
        with open('/proc/%d/task/%d/children' % (pid, pid)) as stream:
            pids = [int(word) for word in stream.read().split()]
    except OSError as exc:
        if exc.errno not in _procfs.GONE + (errno.EACCES,):
            raise
        pids = []
    for child in pids:
        handle = _process.open_process(child)
        if handle is not None:
            handles.append(handle)
    return handles


def _alive(handles: t.Sequence[_process.ProcessHandle]) -> t.List[t.Dict[str, t.Any]]:
    found = []
    for handle in handles:
        with handle:
            if not handle.gone():
                found.append(dict(pid=handle.pid, exe=handle.proc.optional_link('exe'), argv=handle.proc.argv()))
    return found


def watch_for_respawn(context: Context, gone: int, seconds: float) -> t.Optional[int]:
    """The pid of a new process of the instance, looked for at least once and for at most ``seconds``."""
    end = time.monotonic() + seconds
    while True:
        fresh = [c.pid for c in _selection.find(context.instance, context.port_option).candidates if c.pid != gone]
        if fresh:
            return fresh[0]
        if time.monotonic() >= end:
            return None
        time.sleep(0.05)


def already_stopped(context: Context) -> t.Dict[str, t.Any]:
    return dict(stopped=True, changed=False, exit_kind='already_stopped', pid=None, signals=[], requests=dict(in_flight=0, cut=0),
                waited_ms=0, last_log_line=None, survivors=[], respawned=None, version=context.version, zombie_parent=None,
                open_files=_open_files.still_there(_open_files.holders(context.instance.dir, {os.getpid()})))


def stop(context: Context, params: Params, watch: bool = True) -> t.Dict[str, t.Any]:
    """Stop the instance. ``watch``: where something could start it again, look for that for 2 s after its end.

    Raises LifecycleError when it lives on or was started again by somebody else.
    """
    plan(context, params)
    if context.candidate is None:
        return already_stopped(context)
    guarded = bool(_supervisors.detect(context.instance, context.candidate)) if watch else False
    context.remember()
    work = Stop(context, params)
    context.progress('waiting for requests in flight, then SIGTERM to pid %d' % work.handle.pid)
    work.run()
    result = work.result(True)
    result['respawned'] = watch_for_respawn(context, work.handle.pid, _RESPAWN_WATCH_S if guarded else 0.0)
    if result['respawned']:
        raise LifecycleError('pid %d of %s was stopped, but something started it again as pid %d. It was left running. Pause its guard '
                             '(a cron line, a panel, a unit) and stop it again.' % (work.handle.pid, context.instance.id, result['respawned']),
                             **result)
    return result


def foresee(context: Context, params: Params) -> t.Dict[str, t.Any]:
    """The result in check mode: nothing is sent."""
    planned = plan(context, params)
    return dict(already_stopped(context), stopped=not planned['changed'], changed=planned['changed'], would=planned['would'],
                exit_kind=None if planned['changed'] else 'already_stopped', pid=planned.get('pid'))
