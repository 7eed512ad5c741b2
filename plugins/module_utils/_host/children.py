# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What the processes that this package forks have in common: whom they act as, what they keep open, how they end.

A process whose real or saved user is the site's may be stopped, killed and traced by that user. So they take that user
only as the effective one, and only while it matters; for good it is taken right before the binary is executed.
"""

import errno
import os
import signal
import time
import typing as t


class Identity(t.NamedTuple):
    """The user as whom something is done."""

    uid: int
    gid: int
    groups: t.Sequence[int]


def own_identity() -> Identity:
    return Identity(os.geteuid(), os.getegid(), os.getgroups())


def refuse_other(who: Identity) -> None:
    """OSError EPERM when this process may not act as that user."""
    if os.geteuid() not in (0, who.uid):
        raise PermissionError(errno.EPERM, 'only root can do it as uid %d' % who.uid)


class Acting:
    """As that user for a while: ``with Acting(who)``. Nothing changes where this process is not root's."""

    def __init__(self, who: Identity) -> None:
        self.who, self.before = who, own_identity()

    def __enter__(self) -> 'Acting':
        refuse_other(self.who)
        if self.before.uid == 0:
            try:
                os.setgroups(list(self.who.groups))
                os.setegid(self.who.gid)
                os.seteuid(self.who.uid)
            except OSError:
                self._back()
                raise
        return self

    def __exit__(self, *_unused: t.Any) -> None:
        if self.before.uid == 0:
            self._back()

    def _back(self) -> None:
        os.seteuid(self.before.uid)
        os.setegid(self.before.gid)
        os.setgroups(list(self.before.groups))


def may_execute(path: str, uid: int) -> bool:
    """Whether the effective user may. The kernel answers this for the real one, which it becomes for that moment."""
    real, effective, saved = os.getresuid()
    if real == effective:
        return os.access(path, os.X_OK)
    os.setresuid(uid, uid, saved)
    try:
        return os.access(path, os.X_OK)
    finally:
        os.setresuid(real, effective, saved)


def become(who: Identity) -> None:
    """Take this user for good. OSError when this process may not, or has not become it in full."""
    if os.geteuid() != 0:
        refuse_other(who)
        return
    os.setgroups(list(who.groups))
    os.setresgid(who.gid, who.gid, who.gid)
    os.setresuid(who.uid, who.uid, who.uid)
    if os.getresuid() != (who.uid,) * 3 or os.getresgid() != (who.gid,) * 3:
        raise PermissionError(errno.EPERM, 'it did not become uid %d and gid %d' % (who.uid, who.gid))


def close_all_but(keep: t.Set[int]) -> None:
    """Give up all other files that were inherited, for good.

    Their numbers stay taken, by /dev/null: objects of the process before the fork still own them, and close them when
    they are collected. A number that was free could be that of a file of ours by then.
    """
    try:
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    except OSError:  # there are too many
        null = -1
    for name in os.listdir('/proc/self/fd'):
        if int(name) not in keep | {null}:
            _give_up(int(name), null)
    if null >= 0:
        os.close(null)


def _give_up(fd: int, null: int) -> None:
    try:
        os.fstat(fd)  # the directory that was listed is closed by now
        if null < 0:
            os.close(fd)
        else:
            os.dup2(null, fd, inheritable=False)
    except OSError:
        pass


def end(pid: int, limit: float) -> bool:
    """SIGKILL to a child of ours, and reap it; False when it is not gone within the limit."""
    until, pause = time.monotonic() + limit, 0.0002
    try:
        os.kill(pid, signal.SIGKILL)
        while os.waitpid(pid, os.WNOHANG)[0] == 0:
            if time.monotonic() > until:
                return False
            time.sleep(pause)
            pause = min(pause * 2, 0.02)
    except (ProcessLookupError, ChildProcessError):
        pass
    return True
