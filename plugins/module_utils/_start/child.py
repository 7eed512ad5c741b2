# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What a child does before it becomes the instance: as whom, with which limits, where."""

import os
import re
import resource
import signal
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import children, files, procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import Instance
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.launch import LaunchRecord


def set_limits(limits: t.Mapping[str, t.Sequence[int]]) -> t.List[str]:
    failed = []
    for number, (soft, hard) in limits.items():
        try:
            if resource.getrlimit(int(number)) != (soft, hard):
                resource.setrlimit(int(number), (soft, hard))
        except (OSError, ValueError) as exc:
            failed.append('limit %s to %d/%d: %s' % (number, soft, hard, exc))
    return failed


def set_priority(record: LaunchRecord) -> t.List[str]:
    failed = []
    try:
        if os.getpriority(os.PRIO_PROCESS, 0) != record.nice:
            os.setpriority(os.PRIO_PROCESS, 0, record.nice)
    except OSError as exc:
        failed.append('nice %d: %s' % (record.nice, exc.strerror))
    try:
        if int(procfs.read_text('/proc/self/oom_score_adj')) != record.oom_score_adj:
            with open('/proc/self/oom_score_adj', 'w') as stream:
                stream.write(str(record.oom_score_adj))
    except OSError as exc:
        failed.append('oom_score_adj %d: %s' % (record.oom_score_adj, exc.strerror))
    return failed


def exec_label(label: str) -> str:
    """The label in the form that asks for it at the next exec. AppArmor shows a mode behind the name, SELinux none."""
    return label if label.count(':') > 1 else 'exec ' + re.sub(r' \([a-z]+\)$', '', label)


def set_label(label: t.Optional[str]) -> t.List[str]:
    """SELinux and AppArmor: the label that the next exec gets. Only where it differs from our own."""
    try:
        if not label or label == procfs.read_text('/proc/self/attr/current').rstrip('\0\n'):
            return []
        with open('/proc/self/attr/exec', 'w') as stream:
            stream.write(exec_label(label))
        return []
    except OSError as exc:
        return ['security label %s: %s' % (label, exc)]


def identity_of(record: LaunchRecord) -> children.Identity:
    return children.Identity(record.uid, record.gid, record.groups)


def differences(record: LaunchRecord) -> t.List[str]:
    """What differs from the record's groups, in a process that acts as its user."""
    gid, groups = os.getegid(), os.getgroups()
    if gid == record.gid and set(groups) | {gid} == set(record.groups) | {record.gid}:
        return []
    return ['group %d and groups %s: this user has %d and %s' % (record.gid, record.groups, gid, groups)]


def reset_signals(ignores_hup: bool) -> None:
    """As the kernel gives them. Python ignores some (SIGPIPE, SIGXFSZ), and a caller may have ignored others."""
    for number in range(1, signal.NSIG):
        try:
            signal.signal(number, signal.SIG_DFL)
        except (OSError, ValueError):
            pass  # SIGKILL, SIGSTOP, and those that the C library keeps for itself
    if ignores_hup:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())


def chdir(instance: Instance, record: LaunchRecord) -> None:
    for path in (record.cwd, instance.dir):
        try:
            os.chdir(path or instance.dir)
            return
        except OSError:
            continue


def open_log(instance: Instance, path: str, uid: int) -> int:
    """The log for appending, made when it is missing in the install directory. UnsafePath for links and the like."""
    flags = os.O_WRONLY | os.O_APPEND
    with files.InstallDir(instance.dir) as directory:
        try:
            return directory.open_log(path, uid, flags)
        except FileNotFoundError:
            relative = directory.relative(path)
            if relative is None:
                raise
            return directory.create_file(relative, flags)
        except OSError as exc:
            raise OSError(exc.errno, exc.strerror, path) from exc


def reason(exc: BaseException) -> str:
    if isinstance(exc, LifecycleError):
        return exc.msg
    if isinstance(exc, OSError) and exc.strerror:
        return '%s%s' % ('%s: ' % exc.filename if exc.filename else '', exc.strerror)
    return '%s: %s' % (type(exc).__name__, exc)


def say_if_heard(say: t.Callable[..., None], **report: t.Any) -> None:
    """How far it is. It goes on, too, when whoever released it is gone."""
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        say(**report)
    except BrokenPipeError:
        pass
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
