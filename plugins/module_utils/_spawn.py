# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Start the process of a launch record, as it was: prepared and parked before the stop, released by one byte.

The parked child costs nothing during the downtime, and as a member of the old process's control group it keeps that group
alive until the new process runs in it. It becomes the instance's user before it opens the log or executes anything.
"""

import json
import os
import resource
import signal
import stat
import subprocess
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils import _files
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import Instance
from ansible_collections.anqicms.lifecycle.plugins.module_utils._launch import LaunchRecord, parse_cgroups

_RESET_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGPIPE, signal.SIGCHLD, signal.SIGUSR1,
                  signal.SIGUSR2, signal.SIGALRM, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
SCOPE_TIMEOUT = 5.0


def runs_systemd() -> bool:
    return os.path.isdir('/run/systemd/system')


def in_login_session(cgroups: t.Mapping[str, str]) -> bool:
    """Whether a control group belongs to somebody's login: it may be ended when they log out."""
    return any('/session-' in path and '.scope' in path or path.startswith('/user.slice/') for path in cgroups.values())


def mount_of(controllers: str, mountinfo: str) -> t.Optional[t.Tuple[str, str]]:
    """Mount point and root of a hierarchy, from the text of /proc/self/mountinfo."""
    wanted = set(controllers.split(',')) if controllers else set()
    for line in mountinfo.split('\n'):
        left, dash, right = line.partition(' - ')
        fields, kind = left.split(), right.split()
        if not dash or len(fields) < 5 or len(kind) < 3:
            continue
        if (not controllers and kind[0] == 'cgroup2') or (controllers and kind[0] == 'cgroup' and wanted <= set(kind[2].split(','))):
            return fields[4], fields[3]
    return None


def procs_file(controllers: str, path: str, mountinfo: str) -> t.Optional[str]:
    """The cgroup.procs file of a control group, None when its hierarchy is not mounted here."""
    mount = mount_of(controllers, mountinfo)
    if mount is None:
        return None
    point, root = mount
    if root != '/' and (path == root or path.startswith(root + '/')):
        path = path[len(root):]
    return os.path.join(point + os.path.normpath('/' + path), 'cgroup.procs')


def _read(path: str) -> str:
    with open(path) as stream:
        return stream.read()


def join_cgroups(wanted: t.Mapping[str, str]) -> t.List[str]:
    """Move this process into the groups where it is not yet; returns what could not be done."""
    own, mountinfo, failed = parse_cgroups(_read('/proc/self/cgroup')), _read('/proc/self/mountinfo'), []
    for controllers, path in wanted.items():
        if own.get(controllers) == path:
            continue
        target = procs_file(controllers, path, mountinfo)
        try:
            if target is None:
                raise OSError('its hierarchy is not mounted')
            with open(target, 'w') as stream:
                stream.write('0')
        except OSError as exc:
            failed.append('control group %s:%s: %s' % (controllers, path, exc.strerror or exc))
    return failed


def leave_login_session(name: str, pid: int) -> t.Optional[str]:
    """Ask systemd for a scope of its own in system.slice for ``pid``; returns why it could not be had."""
    command = ['busctl', '--timeout=%d' % SCOPE_TIMEOUT, 'call', 'org.freedesktop.systemd1', '/org/freedesktop/systemd1',
               'org.freedesktop.systemd1.Manager', 'StartTransientUnit', 'ssa(sv)a(sa(sv))', name + '.scope', 'fail', '2',
               'PIDs', 'au', '1', str(pid), 'Slice', 's', 'system.slice', '0']
    try:
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                       timeout=SCOPE_TIMEOUT)
    except (OSError, subprocess.SubprocessError) as exc:
        return 'no systemd scope of its own (%s): it stays in the login session' % exc
    end = time.monotonic() + SCOPE_TIMEOUT
    while time.monotonic() < end:
        if not in_login_session(parse_cgroups(_read('/proc/%d/cgroup' % pid))):
            return None
        time.sleep(0.005)
    return 'systemd did not move the process into its scope in %d s' % SCOPE_TIMEOUT


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
        if int(_read('/proc/self/oom_score_adj')) != record.oom_score_adj:
            with open('/proc/self/oom_score_adj', 'w') as stream:
                stream.write(str(record.oom_score_adj))
    except OSError as exc:
        failed.append('nice %d, oom_score_adj %d: %s' % (record.nice, record.oom_score_adj, exc))
    return failed


def _set_label(label: t.Optional[str]) -> t.List[str]:
    """SELinux and AppArmor: the label that the next exec gets. Only where it differs from our own."""
    try:
        if not label or label == _read('/proc/self/attr/current').rstrip('\0\n'):
            return []
        with open('/proc/self/attr/exec', 'w') as stream:
            stream.write(label)
        return []
    except OSError as exc:
        return ['security label %s: %s' % (label, exc)]


def become(record: LaunchRecord) -> None:
    """Take the instance's user, groups and umask. OSError when this user may not."""
    if os.geteuid() == 0:
        os.setgroups(record.groups)
        os.setgid(record.gid)
        os.setuid(record.uid)
    elif os.geteuid() != record.uid:
        raise PermissionError('only root can start it as uid %d' % record.uid)
    if record.umask is not None:
        os.umask(record.umask)


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
    """The log for appending, made when it is missing inside the install directory. UnsafePath for links and the like."""
    flags = os.O_WRONLY | os.O_APPEND
    with _files.InstallDir(instance.dir) as directory:
        try:
            return directory.open_log(path, uid, flags)
        except FileNotFoundError:
            relative = directory.relative(path)
            if relative is None:
                raise
            return directory.create_file(relative, flags)


def is_inside(instance: Instance, path: str) -> bool:
    return os.path.normpath(path).startswith(instance.dir.rstrip('/') + '/')


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
        if report.get('error'):
            self.abandon()
            raise LifecycleError('%s cannot be started: %s. Nothing was started.' % (self.instance.id, report['error']))
        self.notes = report.get('notes', [])

    def _report(self) -> t.Dict[str, t.Any]:
        data = b''
        while not data.endswith(b'\n'):
            chunk = os.read(self._status, 65536)
            if not chunk:
                break
            data += chunk
        return dict(json.loads(data.decode('utf-8'))) if data else {}

    def go(self) -> int:
        """Let it execute the binary; returns its pid. LifecycleError when exec failed."""
        os.write(self._go, b'g')
        report = self._report()
        if report.get('error'):
            self.abandon()
            raise LifecycleError('%s could not be executed: %s. Nothing runs.' % (self.instance.executable, report['error']))
        self._close()
        return self.pid

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
            argv = [self.instance.executable] + list(self.record.argv[1:])
            os.execve(self.instance.executable, argv, self.environment)
        except BaseException as exc:  # whatever it is, this copy of the caller must end here
            say(error=getattr(exc, 'msg', None) or '%s: %s' % (type(exc).__name__, exc))
        finally:
            os._exit(70)

    def _prepare_child(self) -> t.List[str]:
        record = self.record
        notes = self._place()
        notes += _set_limits(record.limits) + _set_priority(record) + _set_label(record.label)
        _reset_signals(record.ignores_hup)
        if record.log and not is_inside(self.instance, record.log):
            self._log = open_log(self.instance, record.log, record.uid)  # a panel's log: root's directory, opened as root
        become(record)
        _chdir(self.instance, record)
        return notes

    def _open_standard_files(self) -> None:
        """Standard input from nothing, output appended to the log as before; without a log it is thrown away as before."""
        null = os.open(os.devnull, os.O_RDWR)
        if self.record.log and self._log < 0:
            self._log = open_log(self.instance, self.record.log, self.record.uid)
        log = null if self._log < 0 else self._log
        for descriptor, target in ((null, 0), (log, 1), (log, 2)):
            os.dup2(descriptor, target)

    def _place(self) -> t.List[str]:
        """The control group: the old one, but on systemd never somebody's login session."""
        wanted = dict(self.record.cgroups)
        if runs_systemd() and os.geteuid() == 0 and (not wanted or in_login_session(wanted)):
            if not in_login_session(parse_cgroups(_read('/proc/self/cgroup'))):
                return []
            name = 'anqicms-%s-%d' % (self.instance.id, int(time.time() * 1000))
            failed = leave_login_session(name, os.getpid())
            return [failed] if failed else []
        return join_cgroups(wanted)


def _head(path: str) -> bytes:
    """The first bytes of a file; a FIFO put in its place does not block."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.read(fd, 20)
    finally:
        os.close(fd)


def executable_problem(instance: Instance, header: t.Optional[bytes] = None) -> t.Optional[str]:
    """Why the binary cannot be executed here: missing, not a file, not executable, not for this machine. None: it can."""
    path = instance.executable
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            return '%s is not a regular file' % path
        if not found.st_mode & 0o111:
            return '%s is not executable (mode %04o)' % (path, stat.S_IMODE(found.st_mode))
        header = _head(path) if header is None else header
        own = _head('/proc/self/exe')
    except OSError as exc:
        return '%s: %s' % (path, exc.strerror)
    if header[:4] != b'\x7fELF':
        return '%s is not a Linux program' % path
    if header[4:6] != own[4:6] or header[18:20] != own[18:20]:
        return '%s is for another processor architecture (ELF machine %d, this host runs %d)' % (
            path, int.from_bytes(header[18:20], 'little'), int.from_bytes(own[18:20], 'little'))
    return None
