# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Stop exactly one process: wait for its requests, ask it to end, prove that it is gone, say what was cut."""

import functools
import os
import signal
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import versions
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import asking
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import holders, process, procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import judge, launch
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import supervisors as _supervisors
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import (
    Context,
    milliseconds,
    name_of_signal,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._stop import (
    inflight,
    kill_policy,
    migrating,
    quiet,
    refusals,
)

Params = t.Mapping[str, t.Any]

_FAST_S, _FAST_POLL, _SLOW_POLL = 0.2, 0.002, 0.02
_KILL_BASE_S, _KILL_S_PER_GIB = (
    10.0,
    5.0,
)  # the kernel frees memory before it closes sockets: 0.07 s a GiB were measured
_RESPAWN_WATCH_S = 2.0


class StillAlive(LifecycleError):
    """It was asked to end and has not ended yet."""


class Stop:
    """One stop of one process."""

    def __init__(self, context: Context, handle: process.ProcessHandle, params: Params) -> None:
        self.context, self.handle, self.params = context, handle, params
        self.force: str = params['force']
        self.begin = time.monotonic()
        self.term_at = self.begin
        self.signals: t.List[t.Dict[str, t.Any]] = []
        self.exit_kind = 'graceful'
        self.on_sigterm = versions.behaviour(context.version).on_sigterm
        self.tracker = inflight.Tracker()
        self.in_flight = self.busy_at_signal = self.busy_at_kill = 0
        self.idle_since: t.Optional[float] = None
        self.image: t.Optional[t.Tuple[t.Optional[str], bytes]] = None
        self.children = Children(handle.proc)
        self.foreign_files = quiet.holders(context.instance.dir, (handle.pid,) + _ours(context))
        self.listened = self._listens()
        self.is_closed = False  # after our signal
        self.opened = self.listened or context.running_version is not None or self._has_served()
        self.database = migrating.Watch(handle.proc, context.port)
        self.quiet = quiet.Wait(context, handle, params['quiet_timeout'])
        self.migrates = migrating.Wait(context, handle, params['migration_timeout'], self.opened)

    def run(self) -> None:
        """Wait until idle, signal, wait for the end. LifecycleError when the process lives on."""
        self.migrates.until_over()  # a process begins none later, so the look may stand before the wait for requests
        asking.forget(self.context)
        self._wait_until_started()
        self.in_flight = self._wait_until_idle()
        while not self.quiet.is_quiet():  # the last look before the signal: a restore may have begun meanwhile
            self.quiet.until_quiet()
            self._wait_until_idle()
        self._send(signal.SIGTERM)
        self.term_at = time.monotonic()
        if self._is_halted() and self.force != 'never':
            self._send(signal.SIGCONT)  # a job-control stop keeps SIGTERM pending
        self._wait_for_end()

    def _wait_until_started(self) -> None:
        """Versions without a handler of their own die of SIGTERM amid a migration: let it open its port first."""
        if self.opened or self.on_sigterm not in ('stays', 'unknown'):
            return
        while not self._listens():
            if self.handle.gone():
                return
            if time.monotonic() > self.begin + self.params['timeout'] or self._at_deadline():
                raise LifecycleError(
                    'pid %d of %s has not opened port %d yet: it may be migrating its database. Nothing was '
                    'signalled. Wait until it answers, then stop it.'
                    % (self.handle.pid, self.context.instance.id, self.context.port),
                    pid=self.handle.pid,
                )
            self.handle.wait_gone(_SLOW_POLL)
        self.listened = self.opened = True

    def _wait_until_idle(self) -> int:
        """How many requests were in flight at the first look."""
        first = 0
        if self.listened:
            limit = 0.0 if self._is_halted() else self.params['idle_timeout']
            waited = inflight.wait_idle(self.context.port, self.context.run.time_left(limit), self.tracker)
            first, self.busy_at_signal = waited.in_flight, waited.left
        self.children.look()
        self.image = self._image()
        return first

    def _listens(self) -> bool:
        """Whether this process listens on the port; any listener where its descriptors may not be read."""
        return self.context.listens()

    def _has_served(self) -> bool:
        """Whether it has opened its port in this life."""
        try:
            inodes = holders.socket_inodes(self.handle.proc)
        except OSError:
            inodes = set()
        context = self.context
        return judge.has_served(
            context.seen(), context.port, inodes, context.instance.dir, lambda limit: context.logs.since(0, limit)
        )

    def _is_halted(self) -> bool:
        stat = self.handle.proc.stat()
        return stat is not None and stat.state == 'T'

    def _image(self) -> t.Optional[t.Tuple[t.Optional[str], bytes]]:
        """The path and where the kernel put things: changes when it executes a file in place. None: not visible."""
        try:
            return self.handle.proc.optional_link('exe'), self.handle.proc.read('auxv')
        except OSError:
            return None

    def _send(self, number: int) -> None:
        self.context.run.touched = True
        self.context.run.note('signal', signal=name_of_signal(number), pid=self.handle.pid)
        if self.handle.signal(number):
            self.context.run.act()
            self.signals.append(dict(signal=name_of_signal(number), at_ms=milliseconds(self.begin)))

    def _wait_for_end(self) -> None:
        while not self.handle.wait_gone(_FAST_POLL if time.monotonic() - self.term_at < _FAST_S else _SLOW_POLL):
            expired = time.monotonic() >= self.term_at + self.params['timeout']
            kind = self._decide(expired)
            if kind:
                self._kill(kind)
                return
            if (expired or self._at_deadline()) and not self._may_wait_on():
                raise self._lives_on()
        self._note_listener_end()

    def _may_wait_on(self) -> bool:
        """In a window, a site whose port our signal has closed is waited for until the deadline: it is down anyway."""
        return self.context.run.until is not None and self.is_closed and not self._at_deadline()

    def _at_deadline(self) -> bool:
        return self.context.run.until is not None and time.monotonic() >= self.context.run.until

    def _note_listener_end(self) -> None:
        if self.listened:
            self.context.run.downtime.begin(time.monotonic())

    def _decide(self, expired: bool) -> t.Optional[str]:
        """Look once; the kind of kill that is allowed now, None to go on waiting."""
        closed = self.is_closed = not self._listens()
        if closed:
            self._note_listener_end()
            self.children.look()
        else:
            self._ask_again_after_exec()
        self.busy_at_kill = len(inflight.look(self.context.port, self.tracker)) if closed or expired else 0
        now = time.monotonic()
        if not closed or self.busy_at_kill:
            self.idle_since = None
        elif self.idle_since is None:
            self.idle_since = now
        look = kill_policy.Look(
            closed and self.opened,
            self.busy_at_kill,
            self._migration(),
            now - self.idle_since if self.idle_since is not None else 0.0,
            kill_policy.idle_grace(self.context.version),
            expired,
            self._at_deadline() and self.params.get('cut', True),
        )
        return kill_policy.may_kill(self.force, look)

    def _ask_again_after_exec(self) -> None:
        """An application that restarts itself in place stays the same process, but that program got no SIGTERM."""
        image = self._image()
        if None not in (image, self.image) and image != self.image:
            self.image = image
            self._send(signal.SIGTERM)

    def _migration(self) -> kill_policy.Migration:
        looks = kill_policy.needs_a_look_at_the_database(self.context.version, self.opened)
        use = self.database.look() if looks else None
        judged = kill_policy.judge_migration(self.context.version, self.opened, use)
        seen = quiet.look_at(self.context, self.handle)
        return kill_policy.with_backups(judged, [entry.path for entry in seen.files], seen.known)

    def _kill(self, kind: str) -> None:
        self.exit_kind = kind
        limit = _KILL_BASE_S + _KILL_S_PER_GIB * self._resident_gib()
        self._send(signal.SIGKILL)
        if not self.handle.wait_gone(limit):
            raise self._lives_on()
        self._note_listener_end()

    def _status(self) -> t.Dict[str, str]:
        try:
            return self.handle.proc.status()
        except OSError:
            return {}

    def _resident_gib(self) -> float:
        words = self._status().get('VmRSS', '').split()
        return int(words[0]) / 1048576.0 if words else 0.0

    def _lives_on(self) -> LifecycleError:
        closed = not self._listens()
        why = [self._state_text(), 'port %d is %s' % (self.context.port, 'closed' if closed else 'still open')]
        if closed:
            why.append('%d connections in use' % self.busy_at_kill)
        migration = self._migration()
        if migration.verdict != 'no':
            why.append('migration %s: %s' % (migration.verdict, migration.why))
        return StillAlive(
            'pid %d of %s is still running %d ms after %s (%s). No further signal was sent. Wait and try again, or set '
            'force: timeout, which kills it unless a migration runs.'
            % (
                self.handle.pid,
                self.context.instance.id,
                milliseconds(self.term_at),
                ', '.join(entry['signal'] for entry in self.signals),
                ', '.join(why),
            ),
            **self.result(False),
        )

    def _state_text(self) -> str:
        stat = self.handle.proc.stat()
        text = 'state %s' % (stat.state if stat else 'gone')
        if stat and stat.state == 'Z':
            text += ', its main thread has ended, but %d other threads still run' % (stat.threads - 1)
        if stat and stat.state == 'D':
            text += ', it cannot be killed while it waits in %s' % (_wait_channel(self.handle.proc) or 'the kernel')
        tracer = self._status().get('TracerPid', '0')
        text += ', traced by pid %s' % tracer if tracer != '0' else ''
        exe = self.handle.proc.optional_link('exe')
        if exe and self.image and exe != self.image[0]:
            text += ', it now executes %s' % exe
        return text

    def result(self, stopped: bool) -> t.Dict[str, t.Any]:
        cut = kill_policy.cut_requests(self.on_sigterm, self.exit_kind, self.busy_at_signal, self.busy_at_kill)
        kind = self.exit_kind if self.signals else 'already_stopped'  # it ended by itself before our first signal
        lines = [line for line in self.context.logs.since(0, 4096).split('\n') if line.strip()]
        return dict(
            stopped=stopped,
            changed=bool(self.signals),
            exit_kind=kind if stopped else None,
            pid=self.handle.pid,
            signals=self.signals,
            requests=dict(in_flight=self.in_flight, cut=cut),
            quiet=self.quiet.result(),
            migration=self.migrates.result(),
            waited_ms=milliseconds(self.begin),
            last_log_line=lines[-1] if lines else None,
            survivors=self.children.alive() if stopped else [],
            respawned=None,
            open_files=quiet.still_there(self.foreign_files),
            version=self.context.version,
            zombie_parent=self._zombie_parent() if stopped else None,
        )

    def _zombie_parent(self) -> t.Optional[int]:
        """The parent that has not collected the ended process, None in the ordinary case."""
        stat = self.handle.proc.stat()
        return stat.ppid if stat is not None and stat.state == 'Z' and stat.ppid not in (1, os.getpid()) else None


def _wait_channel(proc: procfs.ProcDir) -> str:
    try:
        return proc.read('wchan').decode('utf-8', 'replace').strip('\0 ')
    except OSError:
        return ''


def watch_for_respawn(context: Context, gone: int, seconds: float) -> t.Optional[int]:
    """The pid of a new process of the instance, looked for at least once and for at most ``seconds``."""
    end = time.monotonic() + seconds
    while True:
        fresh = [c.pid for c in context.find().candidates if c.pid != gone]
        if fresh:
            return fresh[0]
        if time.monotonic() >= end:
            return None
        time.sleep(0.05)


def _ours(context: Context) -> t.Tuple[int, ...]:
    """This process, and the one that is parked to become the instance."""
    return (os.getpid(),) + ((context.run.launcher.pid,) if context.run.launcher else ())


def already_stopped(context: Context) -> t.Dict[str, t.Any]:
    return dict(
        stopped=True,
        changed=False,
        exit_kind='already_stopped',
        pid=None,
        signals=[],
        requests=dict(in_flight=0, cut=0),
        quiet=quiet.nothing(),
        migration=migrating.nothing(),
        waited_ms=0,
        last_log_line=None,
        survivors=[],
        respawned=None,
        version=context.version,
        zombie_parent=None,
        open_files=quiet.still_there(quiet.holders(context.instance.dir, _ours(context))),
    )


def stop(context: Context, params: Params, watch: bool = True) -> t.Dict[str, t.Any]:
    """Stop the instance. ``watch``: where something could start it again, look for that for 2 s after its end.

    Raises LifecycleError when it lives on or was started again by somebody else.
    """
    supervisors = refusals.prepare(context, params)
    if context.candidate is None or context.handle is None:
        return already_stopped(context)
    context.remember()
    work = Stop(context, context.handle, params)
    context.progress('waiting for requests in flight, then SIGTERM to pid %d' % work.handle.pid)
    work.run()
    result = work.result(True)
    harmless = (_supervisors.ENDS_IT, _supervisors.NOTHING)
    guarded = watch and any(_supervisors.effect(entry) not in harmless for entry in supervisors)
    respawned = watch_for_respawn(context, work.handle.pid, _RESPAWN_WATCH_S if guarded else 0.0)
    result['respawned'] = respawned
    if respawned is not None:
        raise LifecycleError(
            'pid %d of %s was stopped, but something started it again as pid %d. The new process was left running. '
            'Disable what starts it (a cron line, a panel, a unit), then stop it again.'
            % (work.handle.pid, context.instance.id, respawned),
            **result,
        )
    return result


def stop_as_task(context: Context, params: Params) -> t.Dict[str, t.Any]:
    """A stop that belongs to no window: the journal says who signalled the process, as diagnose asks it later."""
    context.run.note = functools.partial(context.state.try_log, by='graceful_stop')
    try:
        return stop(context, params)
    finally:
        if context.run.touched:
            context.state.tidy()


def foresee(context: Context, params: Params) -> t.Dict[str, t.Any]:
    """The result in check mode: nothing is sent."""
    planned = refusals.plan(context, params)
    return dict(
        already_stopped(context),
        stopped=not planned['changed'],
        changed=planned['changed'],
        would=planned['would'],
        quiet=planned.get('quiet', quiet.nothing()),
        migration=planned.get('migration', migrating.nothing()),
        exit_kind=None if planned['changed'] else 'already_stopped',
        pid=planned.get('pid'),
    )


# --- children that may outlive the instance: converters, wrappers. They are told of, never signalled


_MOST = 100  # children that are held: each takes two descriptors of ours


def _pids(parent: procfs.ProcDir) -> t.List[int]:
    """Children of all its threads: Go programs start them from any. By ppid where the kernel keeps no list of them."""
    try:
        lists = [parent.read('task/%s/children' % task) for task in parent.names('task')]
    except OSError:
        return [pid for pid in procfs.list_pids() if _parent_of(pid) == parent.pid]
    return [int(word) for words in lists for word in words.split()]


def _parent_of(pid: int) -> t.Optional[int]:
    try:
        return procfs.parse_stat(procfs.read('/proc/%d/stat' % pid)).ppid
    except OSError:
        return None


class Children:
    """The direct children seen so far, each held so that its pid cannot be mistaken later; of many, the first."""

    def __init__(self, parent: procfs.ProcDir) -> None:
        self._parent = parent
        self._handles: t.Dict[int, process.ProcessHandle] = {}

    def look(self) -> None:
        """Take in those that are there now."""
        for pid in _pids(self._parent):
            if len(self._handles) >= _MOST:
                break
            handle = None if pid in self._handles else process.open_process(pid)
            if handle is not None:
                self._handles[pid] = handle

    def alive(self) -> t.List[t.Dict[str, t.Any]]:
        """Those that live, for the result. Closes the handles."""
        found = []
        for pid in sorted(self._handles):
            with self._handles.pop(pid) as handle:
                argv = _argv(handle.proc)
                if not handle.gone():
                    found.append(dict(pid=pid, exe=handle.proc.optional_link('exe'), argv=argv))
        return found


def _argv(proc: procfs.ProcDir) -> t.List[str]:
    try:
        return launch.short(proc.argv())
    except OSError:
        return []
