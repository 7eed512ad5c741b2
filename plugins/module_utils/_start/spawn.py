# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Start the process of a launch record, as it was: prepared and parked before the stop, released by one byte.

The parked child costs nothing during the downtime, and as a member of the old process's control group it keeps that
group alive until the new process runs in it. It becomes the instance's user before it opens the log or executes
anything.
"""

import errno
import json
import os
import resource
import signal
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils import _cgroups, _files, _procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError, NotYet
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import Instance
from ansible_collections.anqicms.lifecycle.plugins.module_utils._launch import LaunchRecord
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import writers

_RESET_SIGNALS = (
    signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGPIPE, signal.SIGCHLD, signal.SIGUSR1,
    signal.SIGUSR2, signal.SIGALRM, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
_BUSY_S = 2.0         # so long a binary that somebody writes is tried again, before that is reported
_BUSY_PAUSE_S = 0.05


def _set_limits(limits: t.Mapping[str, t.Sequence[int]]) -> t.List[str]:
    failed = []
    for number, (soft, hard) in limits.items():
        try:
            if resource.getrlimit(int(number)) != (soft, hard):
                resource.setrlimit(int(number), (soft, hard))
        except (OSError, ValueError) as exc:
            failed.append('limit %s to %d/%d: %s' % (number, soft, hard, exc))
    return failed


def _set_priority(record: LaunchRecord) -> t.List[str]:
    failed = []
    try:
        if os.getpriority(os.PRIO_PROCESS, 0) != record.nice:
            os.setpriority(os.PRIO_PROCESS, 0, record.nice)
    except OSError as exc:
        failed.append('nice %d: %s' % (record.nice, exc.strerror))
    try:
        if int(_procfs.read_text('/proc/self/oom_score_adj')) != record.oom_score_adj:
            with open('/proc/self/oom_score_adj', 'w') as stream:
                stream.write(str(record.oom_score_adj))
    except OSError as exc:
        failed.append('oom_score_adj %d: %s' % (record.oom_score_adj, exc.strerror))
    return failed


def _set_label(label: t.Optional[str]) -> t.List[str]:
    """SELinux and AppArmor: the label that the next exec gets. Only where it differs from our own."""
    try:
        if not label or label == _procfs.read_text('/proc/self/attr/current').rstrip('\0\n'):
            return []
        with open('/proc/self/attr/exec', 'w') as stream:
            stream.write(label)
        return []
    except OSError as exc:
        return ['security label %s: %s' % (label, exc)]


def become(record: LaunchRecord) -> t.List[str]:
    """Take the instance's user, groups and umask; returns what differs. OSError when this user may not."""
    if os.geteuid() == 0:
        os.setgroups(record.groups)
        os.setgid(record.gid)
        os.setuid(record.uid)
    elif os.geteuid() != record.uid:
        raise PermissionError(errno.EPERM, 'only root can start it as uid %d' % record.uid)
    if record.umask is not None:
        os.umask(record.umask)
    gid, groups = os.getegid(), os.getgroups()
    if gid == record.gid and set(groups) | {gid} == set(record.groups) | {record.gid}:
        return []
    return ['group %d and groups %s: this user has %d and %s' % (record.gid, record.groups, gid, groups)]


def _reset_signals(ignores_hup: bool) -> None:
    for number in _RESET_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    if ignores_hup:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())


def _close_all_but(keep: t.Set[int]) -> None:
    for name in os.listdir('/proc/self/fd'):
        if int(name) not in keep:
            try:
                os.close(int(name))
            except OSError:
                pass


def _chdir(instance: Instance, record: LaunchRecord) -> None:
    for path in (record.cwd, instance.dir):
        try:
            os.chdir(path or instance.dir)
            return
        except OSError:
            continue


def open_log(instance: Instance, path: str, uid: int) -> int:
    """The log for appending, made when it is missing in the install directory. UnsafePath for links and the like."""
    flags = os.O_WRONLY | os.O_APPEND
    with _files.InstallDir(instance.dir) as directory:
        try:
            return directory.open_log(path, uid, flags)
        except FileNotFoundError:
            relative = directory.relative(path)
            if relative is None:
                raise
            return directory.create_file(relative, flags)
        except OSError as exc:
            raise OSError(exc.errno, exc.strerror, path) from exc


def is_inside(instance: Instance, path: str) -> bool:
    return os.path.normpath(path).startswith(instance.dir.rstrip('/') + '/')


def _reason(exc: BaseException) -> str:
    if isinstance(exc, LifecycleError):
        return exc.msg
    if isinstance(exc, OSError) and exc.strerror:
        return '%s%s' % ('%s: ' % exc.filename if exc.filename else '', exc.strerror)
    return '%s: %s' % (type(exc).__name__, exc)


class Launcher:
    """A child that is ready to become the instance. ``go`` returns when it has executed the binary."""

    def __init__(self, instance: Instance, record: LaunchRecord, environment: t.Mapping[str, str]) -> None:
        self.instance, self.record, self.environment = instance, record, dict(environment)
        self.notes = []  # type: t.List[str]
        self.pid = 0
        self._go = self._status = self._log = -1

    def prepare(self) -> None:
        """Fork and prepare the child. LifecycleError when it cannot be made ready; nothing was started then."""
        go_read, self._go = os.pipe()
        self._status, status_write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            self._child(go_read, status_write)
        os.close(go_read)
        os.close(status_write)
        report = self._report()
        if 'notes' not in report:
            self.abandon()
            raise LifecycleError('%s cannot be started: %s. Nothing was stopped or started.' % (
                self.instance.id, report.get('error', 'the process that was to become it was killed')))
        self.notes = report['notes']

    def _report(self) -> t.Dict[str, t.Any]:
        data = b''
        while not data.endswith(b'\n'):
            chunk = os.read(self._status, 65536)
            if not chunk:
                break
            data += chunk
        return dict(json.loads(data.decode('utf-8'))) if data else {}

    def go(self) -> int:
        """Let it execute the binary; returns its pid. LifecycleError when exec failed, NotYet for a busy file."""
        try:
            os.write(self._go, b'g')
            report = self._report()
        except BrokenPipeError:
            report = dict(error='the process that was to become it was killed')
        if report.get('error'):
            self.abandon()
            raise self._not_executed(report)
        self._close()
        return self.pid

    def _not_executed(self, report: t.Mapping[str, t.Any]) -> LifecycleError:
        what = '%s could not be executed: %s.' % (self.instance.executable, report['error'])
        if report.get('errno') == errno.ETXTBSY:
            return NotYet('%s After %g s %s. Nothing runs.' % (what, _BUSY_S, self._writers()))
        return LifecycleError('%s Nothing runs.' % what)

    def _writers(self) -> str:
        path = self.instance.executable
        try:
            return writers.describe(os.stat(path), os.path.realpath(path))
        except OSError as exc:
            return 'it is gone: %s' % exc.strerror

    def abandon(self) -> None:
        """End the parked child and reap it."""
        self._close()
        if self.pid:
            os.waitpid(self.pid, 0)
            self.pid = 0

    def _close(self) -> None:
        for fd in (self._go, self._status):
            if fd >= 0:
                os.close(fd)
        self._go = self._status = -1

    def _child(self, go_read: int, status_write: int) -> None:
        """Never returns."""

        def say(**report: t.Any) -> None:
            os.write(status_write, json.dumps(report).encode('utf-8') + b'\n')

        try:
            os.setsid()
            _close_all_but({go_read, status_write, 0, 1, 2})
            say(notes=self._prepare_child())
            if os.read(go_read, 1) != b'g':
                os._exit(0)
            self._open_standard_files()
            self._execute()
        except BaseException as exc:  # whatever it is, this copy of the caller must end here
            say(error=_reason(exc), errno=getattr(exc, 'errno', None))
        finally:
            os._exit(70)

    def _execute(self) -> None:
        """Become the instance. OSError when that fails, for a file that somebody writes after some tries."""
        argv = [self.instance.executable] + list(self.record.argv[1:])
        end = time.monotonic() + _BUSY_S
        while True:
            try:
                os.execve(self.instance.executable, argv, self.environment)
            except OSError as exc:
                if exc.errno != errno.ETXTBSY or time.monotonic() > end:
                    raise
            time.sleep(_BUSY_PAUSE_S)

    def _prepare_child(self) -> t.List[str]:
        record = self.record
        notes = self._place()
        notes += _set_limits(record.limits) + _set_priority(record) + _set_label(record.label)
        _reset_signals(record.ignores_hup)
        outside = bool(record.log) and not is_inside(self.instance, record.log or '')
        if outside:  # a panel's log: root's directory, opened as root
            self._log = self._open_log()
        notes += become(record)
        _chdir(self.instance, record)
        if not outside and record.log:
            self._log = self._open_log()  # so that a log that cannot be opened is known before anything is stopped
        if not os.access(self.instance.executable, os.X_OK):
            raise PermissionError(errno.EACCES, 'uid %d may not execute it' % record.uid, self.instance.executable)
        return notes

    def _open_log(self) -> int:
        return open_log(self.instance, self.record.log or '', self.record.uid)

    def _reopen_log(self) -> None:
        """A log that was renamed while it was down (rotation) is not written to: a new one begins."""
        if not self.record.log or not is_inside(self.instance, self.record.log):
            return
        try:
            self._log = self._open_log()
        except (OSError, LifecycleError):
            pass  # then the one that was opened before the stop has to do

    def _open_standard_files(self) -> None:
        """Standard input from nothing; output appended to the log as before, thrown away where there was none."""
        null = os.open(os.devnull, os.O_RDWR)
        self._reopen_log()
        log = null if self._log < 0 else self._log
        for descriptor, target in ((null, 0), (log, 1), (log, 2)):
            os.dup2(descriptor, target)

    def _place(self) -> t.List[str]:
        """The control group: the old one, but on systemd never somebody's login session."""
        wanted = dict(self.record.cgroups)
        if _cgroups.runs_systemd() and os.geteuid() == 0 and (not wanted or _cgroups.in_login_session(wanted)):
            if not _cgroups.in_login_session(_cgroups.own()):
                return []
            name = 'anqicms-%s-%d' % (self.instance.id, int(time.time() * 1000))
            failed = _cgroups.leave_login_session(name, os.getpid())
            return [failed] if failed else []
        return _cgroups.join(wanted)
