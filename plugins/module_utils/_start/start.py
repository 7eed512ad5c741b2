# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Start an instance as it was started before, and prove that it is this process that answers."""

import os
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils import (
    _exit_codes,
    _holders,
    _http,
    _process,
    _sockdiag,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._context import Context, milliseconds
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError, NotYet, present
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import needs as _needs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import plan as _start_plan
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import siblings as _shim
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import spawn as _spawn

Params = t.Mapping[str, t.Any]

READY_LIMIT_S = 900.0
_FAST_S = 2.0            # a start without a migration is over by then
_POLL_S = 0.001          # between two version questions while the port is closed: a refused connection costs 0.05 ms
_SLOW_POLL_S = 0.02      # later, and while it answers something else
_MARK_S = 1.0            # between two looks at what moves
_STRANGER_S = 1.0        # a stranger that answers is given so long to go away
_NO_VERSION_S = 5.0      # our own listener that answers HTTP, but without a version, is given so long
_HOSTS_PAUSE_S = 1.0     # between two rounds of asking by the names of sites
_RETRY_S = 1.0           # between two tries of a start that waits for a database, a port or a busy file
_ANSWER_TIMEOUT_S = 1.0
_TAIL_LINES = 20
_NO_VERSION = (
    'it answers on port %d, but without a version (%s%s); a disabled site or a database that is newer than this '
    'version does this')
_TOO_LONG = (
    'it did not answer within %g s, the most that this start may take (last answer: %s). It may be migrating its '
    'database, so it was not ended')


def prepare(context: Context, params: Params, untouched: str = 'Nothing was stopped or started.') -> None:
    """Park a child that is ready to become the instance, before anything is stopped. It also asks the database."""

    def parked(pid: int) -> None:
        with _process.ProcessHandle(pid) as child:
            context.note('parked', pid=child.pid, start_ticks=child.start_ticks)

    record = _start_plan.choose_record(context, params)
    _start_plan.refuse_executable(context, record)  # an upload can begin after the plan
    versions = (context.file_version, context.running_version)
    environment, notes = _shim.protect(context.state, context.instance, record, versions)
    databases = _needs.databases(context, record)
    launcher = _spawn.Launcher(context.instance, record, environment, parked, databases)
    try:
        launcher.prepare(untouched)
        launcher.notes += notes + _needs.require(context, params, record, launcher.answers, untouched)
    except BaseException:
        launcher.abandon()  # no caller may take it for one that is ready
        raise
    context.launcher = launcher


class Unproven(LifecycleError):
    """The process runs, and it was not proven that it serves."""


class Proof:
    """Waits until one process answers as the instance: the version endpoint, through a listener of its own.

    ``ready_timeout`` counts seconds without progress, ``ready_limit`` all of them.
    """

    def __init__(self, context: Context, handle: _process.ProcessHandle, port: int, params: Params) -> None:
        self.context, self.handle, self.port = context, handle, port
        self.ready_timeout: float = params['ready_timeout']
        self.ready_limit = context.time_left(params.get('ready_limit', READY_LIMIT_S))
        self.answer = _http.Answer(None, None, 'never asked')
        self.asked_as: t.Optional[str] = None  # the site whose name got the version
        self.owns: t.Optional[bool] = None
        self.begin = self.progress_at = time.monotonic()
        self.no_version_since: t.Optional[float] = None
        self.hosts_asked_at = float('-inf')
        self.mark: t.Any = None

    def wait(self) -> t.Optional[str]:
        """None when it answered; else what is wrong."""
        while not self._answers():
            elapsed = time.monotonic() - self.begin
            wrong = self._wrong(elapsed)
            if wrong:
                return wrong
            time.sleep(_POLL_S if elapsed < _FAST_S and self.answer.status is None else _SLOW_POLL_S)
        return None

    def _wrong(self, elapsed: float) -> t.Optional[str]:
        """Why it is not waited for any longer, None while it is."""
        if self.handle.gone():
            return 'it ended'
        if self.answer.alive and elapsed > _STRANGER_S:
            return 'another process answers on port %d' % self.port
        last = self.answer.error or self.answer.status
        if self.no_version_since is not None and time.monotonic() - self.no_version_since > _NO_VERSION_S:
            asked = '; also asked as %s' % ', '.join(self.context.hosts) if self.context.hosts else ''
            return _NO_VERSION % (self.port, last, asked)
        if not self._moves():
            return 'it did not answer, and nothing has moved for %g s (last answer: %s)' % (self.ready_timeout, last)
        if elapsed >= self.ready_limit:
            return _TOO_LONG % (round(self.ready_limit, 1), last)
        return None

    def _answers(self) -> bool:
        self.answer = _http.version_info(self.port, timeout=_ANSWER_TIMEOUT_S)
        spoke = self.answer.status is not None
        self.owns = _holders.owns_listener(self.handle.proc, self.port) if spoke else None
        if spoke and not self.answer.alive and self.owns is not False:
            self.no_version_since = self.no_version_since or time.monotonic()
            self._ask_by_hosts()
        else:
            self.no_version_since = None
        return self.answer.alive and self.owns is not False

    def _ask_by_hosts(self) -> None:
        """A disabled first site answers with a page; another site of the same process still tells the version."""
        if time.monotonic() - self.hosts_asked_at < _HOSTS_PAUSE_S:
            return
        self.hosts_asked_at = time.monotonic()
        for host in self.context.hosts:
            answer = _http.version_info(self.port, host, _ANSWER_TIMEOUT_S)
            if answer.version is not None:
                self.answer, self.asked_as = answer, host
                return

    def _moves(self) -> bool:
        """Whether it may still be waited for: something has moved within the last ``ready_timeout`` seconds."""
        now = time.monotonic()
        if now - self.progress_at < min(_MARK_S, self.ready_timeout / 4.0):
            return True
        mark = self._mark()
        if mark != self.mark:
            self.mark, self.progress_at = mark, now
            if now - self.begin > _FAST_S:
                self.context.progress('pid %d is starting, %d s so far' % (self.handle.pid, now - self.begin))
        return now - self.progress_at <= self.ready_timeout

    def _mark(self) -> t.Any:
        """What moves while a migration advances: its log, and the bytes to and from its database.

        A statement that may wait for its answer counts only until the port is open: an idle connection of Go's driver
        looks the same.
        """
        try:
            socks = _sockdiag.client_connections(_holders.socket_inodes(self.handle.proc))
        except OSError:
            socks = []
        socks = [sock for sock in socks if sock.local_port != self.port]
        moved = [(sock.info.bytes_acked, sock.info.bytes_received) for sock in socks if sock.info]
        closed = not _sockdiag.listeners(self.port)
        working = closed and any(_sockdiag.query_in_flight(sock) for sock in socks)
        return self.context.log_size(), sorted(moved, key=str), time.monotonic() if working else 0

    def notes(self) -> t.List[str]:
        """What the proof could not see."""
        notes = []
        if self.asked_as:
            notes.append('it tells its version only when it is asked as %s: the first site is disabled' % self.asked_as)
        if self.answer.version is None:
            notes.append('version/info is forbidden (an admin host is set): the version is that of the files')
        elif self.context.file_version and self.answer.version.lstrip('v') != self.context.file_version.lstrip('v'):
            told = (self.answer.version, self.context.file_version)
            notes.append('it says that it is %s, CHANGELOG.md says %s' % told)
        if self.owns is None:
            notes.append('whether the listener is its own could not be seen by this user')
        return notes


class Start:
    """One start, from exec to the proof."""

    def __init__(self, context: Context, launcher: _spawn.Launcher, stable_for: float) -> None:
        self.context, self.launcher, self.stable_for = context, launcher, stable_for
        self.position, self.log_position = context.log_size(), context.log_position(serving=False)
        self.begin = self.ready_at = time.monotonic()

    def run(self, params: Params) -> None:
        """LifecycleError when it ends, does not answer, or another process answers."""
        self.begin = time.monotonic()
        self.context.touched = True
        self.context.launcher = None  # whatever becomes of it, it cannot be released twice
        self.handle = _process.ProcessHandle(self.launcher.go())
        self.proof = Proof(self.context, self.handle, self.context.port_for(self.launcher.record.argv), params)
        wrong = self.proof.wait()
        if wrong is None:
            self.ready_at = time.monotonic()
            self.context.note_answer(self.ready_at)
            self.context.slot.release()
            self.handle.wait_gone(self.stable_for)
        if self.handle.gone():
            raise self._ended()
        if wrong is not None:
            holders = _holders.holders(self.proof.port) if self.proof.answer.alive else []
            raise self._failure(wrong, Unproven, holders=holders)

    def _ended(self) -> LifecycleError:
        code = _exit_code(self.handle.pid)
        if code is None:
            return self._failure('it ended, its exit code is not known', exit_code=None)
        why = _exit_codes.explain(code, self.context.file_version, self.context.log_since(self.position))
        return self._failure('it ended: %s' % why.meaning, NotYet if why.passes else LifecycleError, exit_code=code,
                             exit_meaning=why.meaning, advice=why.advice, cause_line=why.line)

    def _failure(self, what: str, kind: t.Type[LifecycleError] = LifecycleError, **more: t.Any) -> LifecycleError:
        log = _exit_codes.plain_lines(self.context.log_since(self.position))[-_TAIL_LINES:]
        alive = not self.handle.gone()
        state = 'It still runs as pid %d.' % self.handle.pid if alive else 'Nothing runs.'
        said = more.get('cause_line') or (log[-1] if log else 'nothing')
        advice = more.pop('advice', None) or (
            'Read its log. When it answers, recover proves it; when it hangs, end it.' if alive
            else 'Read its log, then start it again.')
        return kind(
            '%s was started and %s. Its log says: %s. %s %s' % (self.context.instance.id, what, said, state, advice),
            changed=True, pid=self.handle.pid if alive else None, log_tail=log, log_position=self.log_position,
            **more)

    def result(self) -> t.Dict[str, t.Any]:
        return dict(changed=True, pid=self.handle.pid, ready_ms=milliseconds(self.begin, self.ready_at),
                    version=self.proof.answer.version or self.context.file_version, log_position=self.log_position,
                    exit_code=None, log_tail=[], notes=self.launcher.notes + self.proof.notes())


def _exit_code(pid: int) -> t.Optional[int]:
    """Exit status, or minus the signal's number; None when it is not a child of ours (any more)."""
    try:
        _dummy, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return None
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def verify_running(context: Context, params: Params) -> t.Dict[str, t.Any]:
    """It runs already: the same proof, nothing is started. LifecycleError when it does not answer in time."""
    pid, begin = present(context.candidate).pid, time.monotonic()
    proof = Proof(context, present(context.handle), context.port, params)
    wrong = proof.wait()
    if wrong:
        raise Unproven('pid %d of %s runs, but %s. Nothing was started. Stop it first, or read its log.' % (
            pid, context.instance.id, wrong), pid=pid)
    context.running_version = proof.answer.version
    context.note_answer(time.monotonic())
    context.remember()
    return dict(changed=False, pid=pid, ready_ms=milliseconds(begin), exit_code=None, log_tail=[],
                version=proof.answer.version or context.file_version, log_position=context.log_position(),
                notes=['it ran already'] + proof.notes())


def start(context: Context, params: Params) -> t.Dict[str, t.Any]:
    """Start the instance, or prove that it runs. LifecycleError says why it ended.

    Where this run has stopped it, what can pass (a database that is down, a held port, a busy file) is waited for.
    """
    while True:
        try:
            return _start_once(context, params)
        except NotYet as exc:
            if not context.touched or context.until is None or context.time_left(_RETRY_S) < _RETRY_S:
                raise
            context.slot.release()
            context.progress('waiting to start it: %s' % exc.msg)
            time.sleep(_RETRY_S)


def _start_once(context: Context, params: Params) -> t.Dict[str, t.Any]:
    context.hosts = params.get('hosts') or context.hosts
    if context.launcher is None:
        context.will_stop = False
        _start_plan.plan(context, params)
        if context.candidate is not None:
            return verify_running(context, params)
        prepare(context, params, 'Nothing was started.')
    else:
        context.read_files()  # a step after the stop may have changed config.json, and with it the port
    launcher = present(context.launcher)
    context.will_stop = False
    _start_plan.refuse_port(context, launcher.record)
    context.progress('starting it, waiting for its version')
    work = Start(context, launcher, params['stable_for'])
    work.run(params)
    context.remember_started(work.handle, work.launcher.record, work.proof.answer.version, work.log_position)
    return work.result()


def foresee(context: Context, params: Params) -> t.Dict[str, t.Any]:
    """The result in check mode: nothing is started."""
    planned = _start_plan.plan(context, params)
    return dict(changed=planned['changed'], would=planned['would'], pid=planned.get('pid'), ready_ms=None,
                version=context.version, log_position=context.log_position(), exit_code=None, log_tail=[], notes=[])
