# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""One process, held from its selection to the proof that it is gone.

With a pidfd (Linux 5.3) signal and wait are free of races. Where none can be had the open /proc/PID directory takes its
place: Linux 5.1 and later also signal through it. Before that, a signal is sent by number right after a look at that
directory, which answers ESRCH once the pid was reused: the window is the time between two system calls.
"""

import ctypes
import errno
import os
import select
import signal
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import procfs

_SYS_PIDFD_SEND_SIGNAL = 424
_SYS_PIDFD_OPEN = 434
# An old kernel, seccomp, no descriptor left.
_NO_PIDFD = (errno.ENOSYS, errno.EPERM, errno.EINVAL, errno.EMFILE, errno.ENFILE)
# EPERM: seccomp, or really not ours to signal.
_NO_PIDFD_SIGNAL = (errno.ENOSYS, errno.EPERM, errno.EINVAL, errno.EBADF)

try:
    _LIBC: t.Optional[ctypes.CDLL] = ctypes.CDLL(None, use_errno=True)
except OSError:
    _LIBC = None


def _syscall(number: int, *args: int) -> int:
    if _LIBC is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    result = _LIBC.syscall(ctypes.c_long(number), *[ctypes.c_long(arg) for arg in args])
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return int(result)


def pidfd_open(pid: int) -> t.Optional[int]:
    """A pidfd, None where the kernel, a sandbox or the descriptor limit has none. OSError ESRCH: no such process."""
    try:
        if hasattr(os, 'pidfd_open'):
            return int(os.pidfd_open(pid))
        return _syscall(_SYS_PIDFD_OPEN, pid, 0)
    except OSError as exc:
        if exc.errno in _NO_PIDFD:
            return None
        raise


class ProcessHandle:
    """A process that cannot be mistaken for another. Close it, or use it as a context manager."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.proc = procfs.ProcDir(pid)
        try:
            self.pidfd = pidfd_open(pid)
            stat = self.proc.stat()  # read after both are open: it is the same process or it is gone
            if stat is None:
                raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
        except OSError:
            self.proc.close()
            raise
        self.start_ticks = stat.start_ticks

    def close(self) -> None:
        self.proc.close()
        if self.pidfd is not None:
            os.close(self.pidfd)
            self.pidfd = None

    def __enter__(self) -> 'ProcessHandle':
        return self

    def __exit__(self, *dummy: t.Any) -> None:
        self.close()

    def gone(self) -> bool:
        """Whether it has ended: exited, or a zombie without other threads."""
        if self.pidfd is not None and _readable([self.pidfd], 0.0):
            return True
        return procfs.is_dead(self.proc.stat())

    def signal(self, signum: int) -> bool:
        """Send a signal; False when it was gone already. OSError EPERM when this user may not."""
        try:
            if not self._signal_by_descriptor(signum):
                if self.gone():
                    return False
                os.kill(self.pid, signum)
            return True
        except OSError as exc:
            if exc.errno == errno.ESRCH:
                return False
            raise

    def _signal_by_descriptor(self, signum: int) -> bool:
        """False when this kernel or sandbox has no such call. OSError ESRCH when the process is gone."""
        try:
            _syscall(_SYS_PIDFD_SEND_SIGNAL, self.proc.fd if self.pidfd is None else self.pidfd, signum, 0, 0)
            return True
        except OSError as exc:
            if exc.errno not in _NO_PIDFD_SIGNAL:
                raise
            return False

    def may_signal(self) -> bool:
        """Whether this user may signal it (nothing is sent)."""
        try:
            self.signal(0)
            return True
        except OSError as exc:
            if exc.errno == errno.EPERM:
                return False
            raise

    def wait_gone(self, timeout: float, wake: t.Sequence[int] = ()) -> bool:
        """Wait at most ``timeout`` seconds for its end; returns early (False) when one of ``wake`` is readable."""
        end = time.monotonic() + timeout
        pause = 0.001
        while not self.gone():
            left = end - time.monotonic()
            if left <= 0:
                return False
            watched = list(wake) + ([self.pidfd] if self.pidfd is not None else [])
            ready = _readable(watched, min(left, 1.0 if self.pidfd is not None else pause))
            if any(fd in wake for fd in ready):
                return self.gone()
            pause = min(pause * 1.5, 0.04)
        return True


def _readable(fds: t.Sequence[int], timeout: float) -> t.List[int]:
    poller = select.poll()
    for fd in fds:
        poller.register(fd, select.POLLIN)
    return [fd for fd, dummy in poller.poll(max(0, int(timeout * 1000 + 0.999)))]


def open_process(pid: int) -> t.Optional[ProcessHandle]:
    """A handle, None when there is no such process."""
    try:
        return ProcessHandle(pid)
    except OSError as exc:
        if exc.errno in procfs.GONE:
            return None
        raise


def deafness(threads: t.Sequence[t.Mapping[str, str]], signum: int = signal.SIGTERM) -> t.Optional[str]:
    """``ignores`` or ``blocks`` when no thread would take the signal, from the status of each; or None."""
    for verb, key in (('ignores', 'SigIgn'), ('blocks', 'SigBlk')):
        if threads and all(procfs.signal_in_mask(status.get(key, '0'), signum) for status in threads):
            return verb
    return None
