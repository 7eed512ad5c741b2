# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Leave the caller's session: a process that outlives the connection, the module and sudo."""

import os
import signal
import sys
import traceback
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils import _cgroups

_GUARDED = (
    signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGTSTP, signal.SIGTTOU, signal.SIGTTIN,
    signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM)


def _nothing(dummy_signum: int, dummy_frame: t.Any) -> None:
    """A handler instead of SIG_IGN: exec resets handlers, an ignored signal would be inherited by what we start."""


def _standard_files(log_path: str, keep: t.Set[int]) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    for descriptor, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(descriptor, target)
    for name in os.listdir('/proc/self/fd'):
        if int(name) not in keep | {0, 1, 2}:
            try:
                os.close(int(name))
            except OSError:
                pass


def close_all_files() -> None:
    """All but the standard files, for a process that stays behind what others wait for."""
    for name in os.listdir('/proc/self/fd'):
        if int(name) > 2:
            try:
                os.close(int(name))
            except OSError:
                pass


def _leave_login_session(name: str) -> None:
    """On systemd: out of the ssh session's scope, which may be ended at logout."""
    if os.geteuid() != 0 or not _cgroups.runs_systemd():
        return
    if _cgroups.in_login_session(_cgroups.own()):
        failed = _cgroups.leave_login_session(name, os.getpid())
        if failed:
            os.write(2, (failed + '\n').encode('utf-8'))


def detach(work: t.Callable[[], None], keep: t.Set[int], log_path: str, scope: str) -> int:
    """Run ``work`` in a process of its own session; returns the read end of a pipe that ends with that process.

    Everything that ``work`` needs must be imported before: the module's code is deleted when the module returns.
    """
    read_end, write_end = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    old = signal.pthread_sigmask(signal.SIG_BLOCK, _GUARDED)
    try:
        pid = os.fork()
        if pid:
            os.close(write_end)
            os.waitpid(pid, 0)
            return read_end
        _detached(work, keep | {write_end}, log_path, scope)
        return -1  # never reached
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)


def _detached(work: t.Callable[[], None], keep: t.Set[int], log_path: str, scope: str) -> None:
    """The child: never returns into the caller's code."""
    code = 70
    try:
        os.setsid()
        if os.fork():
            os._exit(0)
        for number in _GUARDED:
            signal.signal(number, _nothing)
        os.chdir('/')
        os.umask(0o022)
        _standard_files(log_path, keep)
        signal.pthread_sigmask(signal.SIG_SETMASK, set())
        _leave_login_session(scope)
        work()
        code = 0
    except BaseException:
        os.write(2, traceback.format_exc().encode('utf-8', 'replace'))
    finally:
        os._exit(code)
