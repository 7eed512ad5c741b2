# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Leave the caller's session: a process that outlives the connection, the module and sudo."""

import errno
import os
import signal
import sys
import traceback
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import system_text
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import cgroups, children

_READY = b'ready'

_GUARDED = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGTSTP,
    signal.SIGTTOU,
    signal.SIGTTIN,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGALRM,
)


def _nothing(dummy_signum: int, dummy_frame: t.Any) -> None:
    """A handler instead of SIG_IGN: exec resets handlers, an ignored signal would be inherited by what we start."""


def _standard_files(log_path: str, keep: t.Set[int]) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    for descriptor, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(descriptor, target)
    children.close_all_but(keep | {0, 1, 2})


def _leave_login_session(name: str) -> None:
    """On systemd: out of the ssh session's scope, which may be ended at logout."""
    if os.geteuid() != 0 or not cgroups.runs_systemd():
        return
    if cgroups.in_login_session(cgroups.own()):
        failed = cgroups.leave_login_session(name, os.getpid())
        if failed:
            os.write(2, (failed + '\n').encode('utf-8'))


def detach(work: t.Callable[[], None], keep: t.Set[int], log_path: str, scope: str) -> int:
    """Run ``work`` in a process of its own session; returns the read end of a pipe that ends with that process.

    OSError when that process could not be made ready: ``work`` was not begun then. Everything that ``work`` needs must
    be imported before: the module's code is deleted when the module returns.
    """
    pipes: t.List[int] = []
    try:
        pipes += os.pipe()
        pipes += os.pipe()
        alive, alive_write, ready, ready_write = pipes
        _fork_detached(work, keep | {alive_write, ready_write}, log_path, scope, ready_write)
        for descriptor in (alive_write, ready_write):
            os.close(descriptor)
            pipes.remove(descriptor)
        _wait_until_ready(ready)
        pipes.remove(alive)
        return alive
    finally:
        for descriptor in pipes:
            os.close(descriptor)


def _fork_detached(work: t.Callable[[], None], keep: t.Set[int], log_path: str, scope: str, ready: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    old = signal.pthread_sigmask(signal.SIG_BLOCK, _GUARDED)
    try:
        pid = os.fork()
        if pid == 0:
            _detached(work, keep, log_path, scope, ready)
        os.waitpid(pid, 0)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)


def _wait_until_ready(ready: int) -> None:
    """Until the detached process is about to begin its work. OSError with what it reports when it is not."""
    data = b''
    while True:
        chunk = os.read(ready, 4096)
        if not chunk:
            break
        data += chunk
    if data == _READY:
        return
    number, _dummy, text = data.decode('utf-8', 'replace').partition(' ')
    if not number.isdigit():
        raise OSError(errno.ESRCH, 'it was killed before it started its work')
    raise OSError(int(number), text)


def _report(ready: int, data: bytes) -> None:
    """Nobody may be there any more to read it: the work goes on without the caller."""
    try:
        os.write(ready, data)
    except OSError:
        pass
    os.close(ready)


def _detached(work: t.Callable[[], None], keep: t.Set[int], log_path: str, scope: str, ready: int) -> None:
    """The child: never returns into the caller's code."""
    code = 70
    try:
        try:
            _leave(keep, log_path)
        except OSError as exc:
            _report(ready, ('%d %s' % (exc.errno or errno.EIO, system_text(exc))).encode('utf-8', 'replace'))
            os._exit(code)
        _report(ready, _READY)
        _leave_login_session(scope)
        work()
        code = 0
    except BaseException:
        os.write(2, traceback.format_exc().encode('utf-8', 'replace'))
    finally:
        os._exit(code)


def _leave(keep: t.Set[int], log_path: str) -> None:
    """Into a session of its own, by a second fork whose parent ends. OSError when a process or file cannot be had."""
    os.setsid()
    if os.fork():
        os._exit(0)
    for number in _GUARDED:
        signal.signal(number, _nothing)
    os.chdir('/')
    os.umask(0o022)
    _standard_files(log_path, keep)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
