# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Start an instance as it was started before, and prove that it is this process that answers."""

import os
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import exit_codes, http
from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import versions as _versions
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import asking
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError, NotYet, present
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import holders as _holders
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import process, sockdiag
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import binary
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context, milliseconds
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import needs, pages, siblings, spawn
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import plan as _start_plan
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import record as _start_record

Params = t.Mapping[str, t.Any]

READY_LIMIT_S = 900.0
_FAST_S = 2.0  # a start without a migration is over by then
_POLL_S = 0.001  # between two version questions while the port is closed: a refused connection costs 0.05 ms
_SLOW_POLL_S = 0.02  # later, and while it answers something else
_MARK_S = 1.0  # between two looks at what moves
_STRANGER_S = 1.0  # a stranger that answers is given so long to go away
_NO_VERSION_S = 5.0  # our own listener that answers HTTP, but without a version, is given so long
_HOSTS_PAUSE_S = 1.0  # between two rounds of asking by the names of sites
_RETRY_S = 1.0  # between two tries of a start that waits for a database, a port or a busy file
_ANSWER_TIMEOUT_S = 1.0
_TAIL_LINES = 20
_SOURCES = {
    binary.BINARY: 'what this binary reported before',
    binary.CHANGELOG: 'taken from CHANGELOG.md',
    None: 'not known',
}
_NO_VERSION = (
    'it answers on port %d, but without a version (%s%s). The cause may be a disabled site, or a database that is '
    'newer than this version'
)
_TOO_LONG = (
    'it did not answer within %g s, the time limit of this start (last answer: %s). It was not ended, because it may '
    'be migrating its database'
)


def note_databases(context: Context) -> None:
    """What the plan has asked is known: it is not asked again, and their versions are noted."""
    if context.database_look is not None:
        needs.remember(context.state.path, context.database_look.found())
        context.run.knows_databases = True


def prepare(context: Context, params: Params, untouched: str = 'Nothing was stopped or started.') -> None:
    """Park a child that is ready to become the instance, before anything is stopped. It also asks the database."""

    def parked(pid: int) -> None:
        with process.ProcessHandle(pid) as child:
            context.run.note('parked', pid=child.pid, start_ticks=child.start_ticks)

    chosen = _start_record.choose(context, params)
    record = chosen.record
    _start_plan.refuse_executable(context, record)  # an upload can begin after the plan
    versions = (context.file_version, context.running_version)
    environment, notes = siblings.protect(context.state, context.instance, record, versions)
    databases = needs.databases(context, record)
    output = _start_record.output(context, chosen, untouched)
    launcher = spawn.Launcher(
        context.instance, record, environment, parked, databases, output, needs.accepted(context, params)
    )
    try:
        launcher.prepare(untouched)
        launcher.notes += chosen.notes + list(output.notes) + notes
        launcher.notes += needs.require(context, params, record, launcher.answers, untouched)
    except BaseException:
        launcher.abandon()  # no caller may take it for one that is ready
        raise
    context.run.launcher = launcher


class Unproven(LifecycleError):
    """The process runs, and it was not proven that it serves."""


class Proof:
    """Waits until one process answers as the instance: the version endpoint, through a listener of its own.

    Where the version may be one whose pages come later than that, a page is waited for, too.
    ``ready_timeout`` counts seconds without progress, ``ready_limit`` all of them.
    """

    def __init__(self, context: Context, handle: process.ProcessHandle, port: int, params: Params) -> None:
        self.context, self.handle, self.port = context, handle, port
        self.ready_timeout: float = params['ready_timeout']
        self.ready_limit = context.run.time_left(params.get('ready_limit', READY_LIMIT_S))
        self.answer = http.Answer(None, None, 'never asked')
        self.asked_as: t.Optional[str] = None  # the site whose name got the version
        self.owns: t.Optional[bool] = None
        self.page: t.Optional[http.Reply] = None  # the home page, where it was waited for
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
        if _versions.pages_come_late(self.answer.version or self.context.file_version):
            limit = self.context.run.time_left(pages.LIMIT_S)
            self.page = pages.wait(self.port, self.asked_as or 'localhost', limit, self.handle.gone)
        return None

    def _wrong(self, elapsed: float) -> t.Optional[str]:
        """Why it is not waited for any longer, None while it is."""
        if self.handle.gone():
            return 'it ended'
        if self.answer.alive and elapsed > _STRANGER_S:
            return 'another process answers on port %d' % self.port
        last = self.answer.error or self.answer.status
        if self.no_version_since is not None and time.monotonic() - self.no_version_since > _NO_VERSION_S:
            asked = '; also asked as %s' % ', '.join(self.context.run.hosts) if self.context.run.hosts else ''
            return _NO_VERSION % (self.port, last, asked)
        if not self._moves():
            return ('it did not answer, and there was no progress for %g s (last answer: %s)') % (
                self.ready_timeout,
                last,
            )
        if elapsed >= self.ready_limit:
            return _TOO_LONG % (round(self.ready_limit, 1), last)
        return None

    def _answers(self) -> bool:
        self.answer = http.version_info(self.port, timeout=_ANSWER_TIMEOUT_S)
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
        for host in self.context.run.hosts:
            answer = http.version_info(self.port, host, _ANSWER_TIMEOUT_S)
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
            socks = sockdiag.client_connections(_holders.socket_inodes(self.handle.proc))
        except OSError:
            socks = []
        socks = [sock for sock in socks if sock.local_port != self.port]
        moved = [(sock.info.bytes_acked, sock.info.bytes_received) for sock in socks if sock.info]
        closed = not sockdiag.listeners(self.port)
        working = closed and any(sockdiag.query_in_flight(sock) for sock in socks)
        return self.context.logs.size(), sorted(moved, key=str), time.monotonic() if working else 0

    def notes(self) -> t.List[str]:
        """What the proof could not see."""
        notes = []
        if self.asked_as:
            notes.append(
                'it reports its version only for the host name %s, because the first site is disabled' % self.asked_as
            )
        if self.answer.version is None:
            notes.append(
                'version/info is forbidden (an admin host is set): the version is %s'
                % _SOURCES[self.context.files.source]
            )
        if self.owns is None:
            notes.append('this user cannot see whether the listener belongs to the instance')
        return notes + pages.notes(self.page)

    def findings(self) -> t.List[pages.Finding]:
        return pages.findings(self.page)


class Start:
    """One start, from exec to the proof."""

    def __init__(self, context: Context, launcher: spawn.Launcher, stable_for: float) -> None:
        self.context, self.launcher, self.stable_for = context, launcher, stable_for
        self.position, self.log_position = context.logs.size(), context.logs.position(serving=False)
        self.error_position = context.logs.size('error')
        self.begin = self.ready_at = time.monotonic()

    def run(self, params: Params) -> None:
        """LifecycleError when it ends, does not answer, or another process answers."""
        self.begin = time.monotonic()
        self.context.run.launcher = None  # whatever becomes of it, it cannot be released twice
        self.handle = process.ProcessHandle(self._go())
        self.proof = Proof(self.context, self.handle, self.context.port_for(self.launcher.record.argv), params)
        wrong = self.proof.wait()
        if wrong is None:
            self.ready_at = time.monotonic()
            if not params.get('private_port'):  # nobody reaches it there
                self.context.run.downtime.end(self.ready_at)
                self.context.run.slot.release()
            self.handle.wait_gone(self.stable_for)
        if self.handle.gone():
            raise self._ended()
        if wrong is not None:
            holders = _holders.holders(self.proof.port) if self.proof.answer.alive else []
            raise self._failure(wrong, Unproven, holders=holders)

    def _go(self) -> int:
        """The pid of the process that executes the binary. One that never did has changed nothing."""
        before, self.context.run.touched = self.context.run.touched, True
        try:
            pid = self.launcher.go()
        except LifecycleError as exc:
            if exc.result.get('changed') is False:
                self.context.run.touched = before
            else:
                self.context.run.act()
            raise
        self.context.run.act()
        return pid

    def _ended(self) -> LifecycleError:
        code = _exit_code(self.handle.pid)
        why = exit_codes.explain(code, self.context.file_version, self._log() + self._error_log())
        return self._failure(
            'it ended: %s' % why.meaning,
            NotYet if why.passes else LifecycleError,
            exit_code=code,
            exit_meaning=why.meaning,
            advice=why.advice,
            cause_line=why.line,
        )

    def _log(self) -> str:
        return self.context.logs.since(self.position)

    def _error_log(self) -> str:
        """From 3.0.6 on the cause of a failed start is there too, also where standard output goes nowhere."""
        return self.context.logs.since(self.error_position, kind='error')

    def _failure(self, what: str, kind: t.Type[LifecycleError] = LifecycleError, **more: t.Any) -> LifecycleError:
        log = exit_codes.plain_lines(self._log() or self._error_log())[-_TAIL_LINES:]
        alive = not self.handle.gone()
        state = 'It still runs as pid %d.' % self.handle.pid if alive else 'Nothing runs.'
        said = more.get('cause_line') or (log[-1] if log else 'nothing')
        advice = more.pop('advice', None) or (
            'Check its log. Once it answers, run recover, which verifies the start. If it hangs, end the process.'
            if alive
            else 'Check its log, then start it again.'
        )
        return kind(
            '%s was started and %s. Its log says: %s. %s %s' % (self.context.instance.id, what, said, state, advice),
            changed=True,
            pid=self.handle.pid if alive else None,
            log_tail=log,
            log_position=self.log_position,
            **more,
        )

    def result(self) -> t.Dict[str, t.Any]:
        return dict(
            changed=True,
            pid=self.handle.pid,
            ready_ms=milliseconds(self.begin, self.ready_at),
            version=self.proof.answer.version or self.context.file_version,
            log_position=self.log_position,
            exit_code=None,
            log_tail=[],
            findings=self.proof.findings(),
            notes=self.launcher.notes + self.proof.notes(),
        )


def _exit_code(pid: int) -> t.Optional[int]:
    """Exit status, or minus the signal's number; None when it is not a child of ours (any more)."""
    try:
        _dummy, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return None
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _ended_meanwhile(context: Context, pid: int) -> Unproven:
    """Somebody else has started it, and it ended while its answer was waited for."""
    log = exit_codes.of_last_start(context.logs.since(0), context.instance.dir)
    why = exit_codes.explain(None, context.version, log)
    tail = exit_codes.plain_lines(log)[-_TAIL_LINES:]
    return Unproven(
        'pid %d of %s was running, but exited before it answered: %s. Its log says: %s. Nothing was started. %s'
        % (pid, context.instance.id, why.meaning, why.line or (tail or ['nothing'])[-1], why.advice),
        pid=None,
        exit_meaning=why.meaning,
        log_tail=tail,
    )


def verify_running(context: Context, params: Params) -> t.Dict[str, t.Any]:
    """It runs already: the same proof, nothing is started. LifecycleError when it does not answer in time."""
    pid, begin = present(context.candidate).pid, time.monotonic()
    proof = Proof(context, present(context.handle), context.port, params)
    wrong = proof.wait()
    if present(context.handle).gone():
        raise _ended_meanwhile(context, pid)
    if wrong:
        raise Unproven(
            'pid %d of %s runs, but %s. Nothing was started. Check its log, or stop it first.'
            % (pid, context.instance.id, wrong),
            pid=pid,
        )
    context.running_version = proof.answer.version
    if proof.owns:
        context.binaries.learn(context.binaries.running, proof.answer.version)
    context.run.downtime.end(time.monotonic())
    context.remember()
    return dict(
        changed=False,
        pid=pid,
        ready_ms=milliseconds(begin),
        exit_code=None,
        log_tail=[],
        version=proof.answer.version or context.file_version,
        log_position=context.logs.position(),
        findings=proof.findings(),
        notes=['it was already running'] + proof.notes(),
    )


def start(context: Context, params: Params) -> t.Dict[str, t.Any]:
    """Start the instance, or prove that it runs. LifecycleError says why it ended.

    Where this run has stopped it, what can pass (a database that is down, a held port, a busy file) is waited for. A
    port that a stranger has taken is waited for no longer than ``ready_timeout``: he may keep it for good.
    """
    begin = time.monotonic()
    while True:
        try:
            return _start_once(context, params)
        except NotYet as exc:
            if isinstance(exc, _start_plan.HeldByStranger) and time.monotonic() - begin >= params['ready_timeout']:
                raise
            if not context.run.touched or context.run.until is None or context.run.time_left(_RETRY_S) < _RETRY_S:
                raise
            context.run.slot.release()
            context.progress('waiting before the start: %s' % exc.msg)
            time.sleep(_RETRY_S)


def _start_once(context: Context, params: Params) -> t.Dict[str, t.Any]:
    context.run.hosts = params.get('hosts') or context.run.hosts
    if context.run.launcher is None:
        asking.forget(context)
        _start_plan.plan(context, params)
        if context.candidate is not None:
            return verify_running(context, params)
        note_databases(context)
        prepare(context, params, 'Nothing was started.')
    else:
        context.read_files()  # a step after the stop may have changed config.json, and with it the port
    launcher = t.cast(spawn.Launcher, present(context.run.launcher))
    _start_plan.refuse_port(context, launcher.record)
    context.progress('starting the instance, waiting for its version')
    work = Start(context, launcher, params['stable_for'])
    work.run(params)
    context.remember_started(
        work.handle,
        work.launcher,
        work.proof.answer.version,
        work.log_position,
        proven=bool(work.proof.owns),
        usual=not params.get('private_port'),
    )
    return work.result()


def foresee(context: Context, params: Params) -> t.Dict[str, t.Any]:
    """The result in check mode: nothing is started."""
    planned = _start_plan.plan(context, params)
    return dict(
        changed=planned['changed'],
        would=planned['would'],
        pid=planned.get('pid'),
        ready_ms=None,
        version=context.version,
        log_position=context.logs.position(),
        exit_code=None,
        log_tail=[],
        findings=[],
        notes=planned.get('notes') or [],
    )
