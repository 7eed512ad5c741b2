# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Start the process of a launch record, as it was: prepared and parked before the stop, released by one byte.

The parked child costs nothing during the downtime, and as a member of the old process's control group it keeps that
group alive until the new process runs in it. It acts as the instance's user when it opens the log and asks the
database, and becomes that user for good right before it executes the binary: while it is parked that user can neither
stop nor kill it. Where somebody does (the operator is that user, or froze its control group), it is given up after a
while and another one takes its place.
"""

import errno
import json
import os
import select
import signal
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import target as _database
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError, NotYet, used_up
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import cgroups, children, traits
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import Instance
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.launch import LaunchRecord, Parked, is_inside
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import child, root_runs, writers
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import output as _output

PREPARE_S = 10.0  # a child that is not ready by then, without the time for its database, is given up
EXEC_S = 5.0  # one that was released has executed the binary by then
TRIES = 3
_REAP_S = 5.0
_UNTOUCHED = 'Nothing was stopped or started.'

_BUSY_S = 2.0  # so long a binary that somebody writes is tried again, before that is reported
_BUSY_PAUSE_S = 0.05


class _Silent(Exception):
    """The child did not report in time."""


class Launcher(Parked):
    """A child that is ready to become the instance. ``go`` returns when it has executed the binary.

    ``parked`` is called with the pid of each child that is ready; ``databases`` are asked by the first one. ``output``
    is closed with it; by default its user opens the log of the record. ``accepted``: hazards, by their codes.
    """

    def __init__(
        self,
        instance: Instance,
        record: LaunchRecord,
        environment: t.Mapping[str, str],
        parked: t.Callable[[int], None] = lambda pid: None,
        databases: t.Sequence[_database.Target] = (),
        output: t.Optional[_output.Output] = None,
        accepted: t.Collection[str] = (),
    ) -> None:
        self.instance, self.record, self.environment = instance, record, dict(environment)
        self.parked, self.databases, self.accepted = parked, databases, accepted
        self.output = output or _output.Output(record.log)
        self.notes: t.List[str] = []
        self.answers: t.List[_database.Answer] = []
        self.pid = 0
        self._go_read = self._go = self._status = self._log = -1
        self._said = b''

    def prepare(self, untouched: str = _UNTOUCHED) -> None:
        """Fork and prepare the child. LifecycleError when it cannot be made ready; nothing was started then."""
        advice = ''
        try:
            self._fork()
            report = self._report(PREPARE_S + _database.LIMIT_S)
            problem = (
                None
                if 'notes' in report
                else report.get('error', 'the process that was prepared for the start was killed')
            )
        except OSError as exc:
            problem, advice = used_up(exc) or ('no process could be created for it (%s)' % exc.strerror, '')
        except _Silent:
            problem = (
                'the process that was prepared for the start (pid %d) was not ready within %g s; it may be suspended'
            ) % (self.pid, PREPARE_S + _database.LIMIT_S)
        if problem:
            self.abandon()
            text = '%s cannot be started: %s. %s %s' % (self.instance.id, problem, untouched, advice)
            raise LifecycleError(text.rstrip())
        self.notes = report['notes']
        self.answers = [_database.from_json(answer) for answer in report['answers']] or self.answers
        self.databases = ()  # one that takes its place has no time for that
        self.parked(self.pid)

    def _fork(self) -> None:
        self._said = b''
        try:
            self._go_read, self._go = os.pipe()
            self._status, status_write = os.pipe()
        except OSError:
            self._close()
            raise
        try:
            self.pid = os.fork()
            if self.pid == 0:
                self._child(self._go_read, status_write)
        finally:
            os.close(status_write)

    def _report(self, limit: float) -> t.Dict[str, t.Any]:
        """The next line of the child, empty when it has closed its end. _Silent when nothing came in time."""
        until = time.monotonic() + limit
        poller = select.poll()
        poller.register(self._status, select.POLLIN)
        while b'\n' not in self._said:
            if not poller.poll(max(0, int((until - time.monotonic()) * 1000 + 0.999))):
                raise _Silent()
            chunk = os.read(self._status, 65536)
            if not chunk:
                return {}
            self._said += chunk
        line, _newline, self._said = self._said.partition(b'\n')
        return dict(json.loads(line.decode('utf-8')))

    def go(self) -> int:
        """Let it execute the binary; returns its pid. LifecycleError when exec failed, NotYet for a busy file.

        A child that does not execute it in time, or was killed, is replaced by a fresh one at once.
        """
        for left in range(TRIES - 1, -1, -1):
            problem = self._release()
            if problem is None:
                self._close()
                self._close_output()
                self._wake()
                return self.pid
            self._end_child()
            if left:
                self.prepare('Nothing was started.')
        self._close_output()
        raise LifecycleError(
            '%s could not be executed: %s, %d times. Nothing runs. Find out what suspends or kills processes of its '
            'user, then start it.' % (self.instance.executable, problem, TRIES)
        )

    def _wake(self) -> None:
        """Its user may have stopped it in the instant before the new program began, which then never would begin."""
        try:
            os.kill(self.pid, signal.SIGCONT)
        except OSError:
            pass  # it has ended already, as the proof will see

    def _release(self) -> t.Optional[str]:
        """None when it has executed the binary, else why not. LifecycleError when a fresh child would fail as well."""
        said: t.Dict[str, t.Any] = {}
        try:
            os.write(self._go, b'g')
            until = time.monotonic() + EXEC_S
            report = self._report(EXEC_S)
            while report and not report.get('error'):
                said.update(report)
                report = self._report(until - time.monotonic())
        except _Silent:
            return 'the process that was prepared for the start (pid %d) did nothing for %g s; it may be suspended' % (
                self.pid,
                EXEC_S,
            )
        if report.get('error'):
            self.abandon()
            raise self._not_executed(report)
        if not said.get('file'):
            return 'the process that was prepared for the start was killed'
        self._refuse_another(said['file'])
        return None

    def _refuse_another(self, file: t.Sequence[int]) -> None:
        """End the process when it does not execute the file that was checked right before."""
        try:
            why = root_runs.why_another(self.pid, self.record.uid, file)
        except PermissionError:
            self.notes.append('this user cannot see whether the process executes the file that was checked')
            return
        if why is not None:
            pid = self.pid
            self.abandon()
            raise LifecycleError(
                '%s was started as pid %d, but %s. That process was ended. Nothing runs. Find out what replaces the '
                'binary, then start it.' % (self.instance.executable, pid, why)
            )

    def _not_executed(self, report: t.Mapping[str, t.Any]) -> LifecycleError:
        what = '%s could not be executed: %s.' % (self.instance.executable, report['error'])
        if report.get('errno') == errno.ETXTBSY:
            return NotYet('%s After %g s %s. Nothing runs.' % (what, _BUSY_S, self._writers()), changed=False)
        return LifecycleError('%s Nothing runs.' % what, changed=False)

    def _writers(self) -> str:
        path = self.instance.executable
        try:
            return writers.describe(os.stat(path), os.path.realpath(path))
        except OSError as exc:
            return 'it is gone: %s' % exc.strerror

    def started_record(self) -> LaunchRecord:
        """As it was started, for the next start."""
        path, kind = self.output.path, 'null' if self.output.path is None else 'file'
        return self.record._replace(
            log=path,
            log_found='same' if path else None,
            log_file=None,
            output=kind,
            error_output=None,
            traits=traits.given(self.record.traits),
        )

    def proved_log(self) -> t.Optional[str]:
        """The log as a proved start has it: none that only the instance's user has vouched for."""
        path, how = self.output.path, self.output.how
        chosen = path is not None and (how != _output.BY_USER or is_inside(self.instance.dir, path))
        return path if chosen else None

    def abandon(self) -> None:
        """End the parked child; no other takes its place."""
        self._end_child()
        self._close_output()

    def _close_output(self) -> None:
        self.output.close()
        self.output = self.output._replace(fd=-1)

    def _end_child(self) -> None:
        """End the parked child and reap it. Even one that outlives its SIGKILL for a while finds nothing to obey."""
        self._take_back()
        if self.pid:
            children.end(self.pid, _REAP_S)
            self.pid = 0
        self._close()

    def _take_back(self) -> None:
        """The byte that lets it execute the binary, if it is still there."""
        if self._go_read >= 0:
            os.set_blocking(self._go_read, False)
            try:
                os.read(self._go_read, 16)
            except OSError:
                pass

    def _close(self) -> None:
        for fd in (self._go_read, self._go, self._status):
            if fd >= 0:
                os.close(fd)
        self._go_read = self._go = self._status = -1

    def _child(self, go_read: int, status_write: int) -> None:
        """Never returns."""

        def say(**report: t.Any) -> None:
            os.write(status_write, json.dumps(report).encode('utf-8') + b'\n')

        try:
            os.setsid()
            children.close_all_but({go_read, status_write, self.output.fd, 0, 1, 2})
            notes, answers = self._prepare_child()
            say(notes=notes, answers=answers)
            if os.read(go_read, 1) != b'g':
                os._exit(0)
            with children.Acting(child.identity_of(self.record)):
                self._open_standard_files()
            child.say_if_heard(say, executes=True)
            children.become(child.identity_of(self.record))  # from here on its user may stop it: at the last moment
            self._execute(lambda file: child.say_if_heard(say, file=file))
        except BaseException as exc:  # whatever it is, this copy of the caller must end here
            say(error=child.reason(exc), errno=getattr(exc, 'errno', None))
        finally:
            os._exit(70)

    def _execute(self, tell: t.Callable[[t.Sequence[int]], None]) -> None:
        """Become the instance. OSError when that fails, for a file that somebody writes after some tries."""
        argv = [self.instance.executable] + list(self.record.argv[1:])
        end = time.monotonic() + _BUSY_S
        while True:
            tell(root_runs.checked(self.instance, self.record.uid, self.accepted))
            try:
                os.execve(self.instance.executable, argv, self.environment)
            except OSError as exc:
                if exc.errno != errno.ETXTBSY or time.monotonic() > end:
                    raise
            time.sleep(_BUSY_PAUSE_S)

    def _prepare_child(self) -> t.Tuple[t.List[str], t.List[_database.Answer]]:
        record = self.record
        notes = self._place()
        notes += child.set_limits(record.limits) + child.set_priority(record) + child.set_label(record.label)
        notes += traits.give(record.traits)
        child.reset_signals(record.ignores_hup)
        with children.Acting(child.identity_of(record)):
            if record.umask is not None:
                os.umask(record.umask)
            notes += child.differences(record)
            child.chdir(self.instance, record)
            self._log = self._open_log()  # so that a log that cannot be opened is known before anything is stopped
            if not children.may_execute(self.instance.executable, record.uid):
                raise PermissionError(
                    errno.EACCES, 'uid %d has no permission to execute it' % record.uid, self.instance.executable
                )
            return notes, _database.ask_all(self.databases, lambda target, limit: _database.ask(target, None, limit))

    def _open_log(self) -> int:
        """What takes its output; -1 where it is thrown away, as before."""
        if self.output.fd >= 0 or self.output.path is None:
            return self.output.fd
        try:
            return child.open_log(self.instance, self.output.path, self.record.uid)
        except PermissionError as exc:
            text = '%s: uid %d opens this file and needs write permission' % (exc.strerror, self.record.uid)
            raise PermissionError(exc.errno, text, self.output.path) from exc

    def _reopen_log(self) -> None:
        """A log that was renamed while it was down (rotation) is not written to: a new one begins."""
        try:
            self._log = self._open_log()
        except (OSError, LifecycleError):
            pass  # then the one that was opened before the stop has to do

    def _open_standard_files(self) -> None:
        """Standard input from nothing; output appended to the log as before, thrown away where it was before."""
        null = os.open(os.devnull, os.O_RDWR)
        self._reopen_log()
        log = null if self._log < 0 else self._log
        for descriptor, target in ((null, 0), (log, 1), (log, 2)):
            os.dup2(descriptor, target)

    def _place(self) -> t.List[str]:
        """The control group that is wanted, and on systemd never somebody's login session."""
        wanted, leaves = dict(self.record.cgroups), cgroups.runs_systemd() and os.geteuid() == 0
        notes = [] if leaves and cgroups.in_login_session(wanted) else cgroups.join(wanted)
        if leaves and cgroups.in_login_session(cgroups.own()):
            name = 'anqicms-%s-%d' % (self.instance.id, int(time.time() * 1000))
            failed = cgroups.leave_login_session(name, os.getpid())
            notes += [failed] if failed else []
        return notes
