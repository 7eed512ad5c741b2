# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Only one run works on an instance, and no stranger can keep it from that.

Two locks, both a flock that ends with its last holder. The *own lock* is a file of the state directory: whoever cannot
write there cannot take it. The *directory's lock* is on the install directory: it keeps runs of several users and state
directories apart, but everybody who may read that directory can take it. So root heeds it only where root or a user of
the instance holds it.
"""

import errno
import fcntl
import os
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError, nothing_done
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.names import name_of
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import directory_lock
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state as _state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import users as _users

NAME = 'lock'
_TRIES, _PAUSE_S = 20, 0.005  # a look of another process holds it for a moment
_SEARCH_S = 2.0
_MOST_TOKEN = 256
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF, errno.EINVAL)
_HELD = (errno.EWOULDBLOCK, errno.EACCES)  # the second by some network file systems
_FIRST_WITH_LOCKS_IN_FDINFO = (4, 1)


class Holder(t.NamedTuple):
    """A process that holds a lock. ``uid``: its real one, None when it has ended meanwhile."""

    pid: int
    uid: t.Optional[int]


class Lock:
    """What a run holds, and passes on to its worker and guardian. ``notes``: whose lock was not heeded."""

    def __init__(self, own: int, directory: t.Optional[int] = None, notes: t.Sequence[str] = ()) -> None:
        self.own, self.notes = own, list(notes)
        self.descriptors = {own} if directory is None else {own, directory}

    def unlock(self) -> None:
        """Give it up, also for those who have inherited it. The own lock is the last: followers wait for that."""
        for fd in sorted(self.descriptors, key=lambda fd: fd == self.own):
            fcntl.flock(fd, fcntl.LOCK_UN)

    def close(self) -> None:
        for fd in sorted(self.descriptors, key=lambda fd: fd == self.own):
            os.close(fd)


# --- who holds a lock


Wanted = t.Tuple[str, int]  # device and inode as /proc/locks shows them


def parse_holders(text: bytes, wanted: Wanted) -> t.List[int]:
    """Pids that hold a flock on the file, from /proc/locks or the fdinfo of a descriptor. Pure.

    Of a process in another PID namespace there is no row, or no number above 0. The pid is that of the process that
    took the lock, which may have passed it on and ended.
    """
    place = ('%s:%d' % wanted).encode('ascii')
    rows = [line.replace(b'lock:', b'').split() for line in text.split(b'\n') if place in line]
    return [
        int(row[4])
        for row in rows
        if len(row) > 5 and row[1] == b'FLOCK' and row[5] == place and row[4].isdigit() and int(row[4])
    ]


def parse_device(mounts: bytes, mount_id: int) -> t.Optional[str]:
    """The device of a mount from /proc/self/mountinfo, as /proc/locks shows it. Pure."""
    for line in mounts.split(b'\n'):
        fields = line.split()
        if len(fields) > 2 and fields[0] == b'%d' % mount_id:
            major, _colon, minor = fields[2].partition(b':')
            return '%02x:%02x' % (int(major), int(minor))
    return None


def _wanted(fd: int) -> Wanted:
    """On some file systems (btrfs) the device that stat shows is not that of the lock: the mount has it."""
    found = os.fstat(fd)
    device = '%02x:%02x' % (os.major(found.st_dev), os.minor(found.st_dev))
    try:
        fields = procfs.parse_status(procfs.read('/proc/self/fdinfo/%d' % fd))
        return parse_device(procfs.read('/proc/self/mountinfo'), int(fields['mnt_id'])) or device, found.st_ino
    except (OSError, KeyError, ValueError):
        return device, found.st_ino


def _holds(pid: int, wanted: Wanted) -> t.Optional[bool]:
    """Whether a descriptor of this process holds the lock; None when they may not be read."""
    try:
        with procfs.ProcDir(pid) as proc:
            return any(parse_holders(_fdinfo(proc, name), wanted) for name in _descriptors(proc))
    except OSError as exc:
        return False if exc.errno in procfs.GONE else None


def _descriptors(proc: procfs.ProcDir) -> t.List[str]:
    fd = os.open('fd', os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=proc.fd)
    try:
        return os.listdir(fd)
    finally:
        os.close(fd)


def _fdinfo(proc: procfs.ProcDir, name: str) -> bytes:
    try:
        return proc.read('fdinfo/' + name)
    except OSError as exc:
        if exc.errno in procfs.GONE:
            return b''  # closed meanwhile
        raise


def _uid(pid: int) -> t.Optional[int]:
    try:
        with procfs.ProcDir(pid) as proc:
            return int(proc.status()['Uid'].split()[0])
    except (OSError, KeyError, ValueError, IndexError):
        return None


def _tells_by_descriptor() -> bool:
    numbers = [int(part) for part in os.uname().release.split('-')[0].split('.')[:2] if part.isdigit()]
    return tuple(numbers) >= _FIRST_WITH_LOCKS_IN_FDINFO


def holders_of(fd: int) -> t.List[Holder]:
    """The processes that hold a flock on this open file, as far as this user can identify them.

    /proc/locks names the process that took it. One that has ended is not believed, because its number may be another
    process's by now: then whoever has inherited the lock is looked for.
    """
    wanted = _wanted(fd)
    try:
        taken_by = parse_holders(procfs.read('/proc/locks'), wanted)
    except OSError:
        taken_by = []
    if not _tells_by_descriptor():
        return [Holder(pid, _uid(pid)) for pid in taken_by]
    pids = [pid for pid in taken_by if _holds(pid, wanted) is not False] or _inherited_by(wanted)
    return [Holder(pid, _uid(pid)) for pid in pids]


def _inherited_by(wanted: Wanted) -> t.List[int]:
    end, found = time.monotonic() + _SEARCH_S, []
    for pid in procfs.list_pids():
        if time.monotonic() > end:
            break
        if _holds(pid, wanted):
            found.append(pid)
    return found


def holders(directory: str) -> t.List[Holder]:
    """Of the lock of an install directory."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return holders_of(fd)
    finally:
        os.close(fd)


# --- whether a lock that somebody else holds is heeded


class Judged(t.NamedTuple):
    """``refuses``: the lock of the install directory is heeded. ``note``: why it is not, where somebody holds it."""

    refuses: bool
    note: t.Optional[str] = None


def judge(directory: str, found: t.Sequence[Holder], is_user: t.Callable[[int], bool]) -> Judged:
    """What a lock of the directory that somebody else holds means to root. ``is_user``: of the instance.

    It is not heeded when only strangers hold it, nor when nobody can be identified, because any stranger can reach that
    by handing it on and ending. Other runs of root's are kept away by the own lock.
    """
    if any(holder.uid is not None and is_user(holder.uid) for holder in found):
        return Judged(True)
    strangers = ['pid %d (%s)' % (holder.pid, name_of(holder.uid)) for holder in found if holder.uid is not None]
    if strangers:
        return Judged(
            False,
            'the lock of %s is held by %s, who is not a user of this instance; the lock was ignored'
            % (directory, ', '.join(strangers)),
        )
    return Judged(
        False,
        'the lock of %s is held by a process that could not be identified (it is in another PID namespace, or has '
        'passed on the lock); the lock was ignored' % directory,
    )


def _is_user(state: _state.StateDir) -> t.Callable[[int], bool]:
    """Everybody is, where it cannot be told."""
    try:
        users = _users.users_of(state.instance, state, state.user)
    except (OSError, LifecycleError):
        return lambda uid: True
    return users.has


def _judge(state: _state.StateDir) -> Judged:
    if os.geteuid() != 0:
        return Judged(True)  # whose lock it is this user cannot see for certain
    return judge(state.instance.dir, holders(state.instance.dir), _is_user(state))


# --- taking and looking


def _try(fd: int, operation: int) -> t.Optional[int]:
    """The descriptor when it is locked now, None when somebody else holds the lock. Else it is closed."""
    try:
        fcntl.flock(fd, operation | fcntl.LOCK_NB)
        return fd
    except OSError as exc:
        os.close(fd)
        if exc.errno in _HELD:
            return None
        raise


def path_of(state: _state.StateDir) -> str:
    return os.path.join(state.path, NAME)


def _open_own(state: _state.StateDir, flags: int) -> int:
    return os.open(path_of(state), flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _take_own(state: _state.StateDir) -> t.Optional[int]:
    for _attempt in range(_TRIES):
        fd = _try(_open_own(state, os.O_RDWR | os.O_CREAT), fcntl.LOCK_EX)
        if fd is not None and _is_there(fd, path_of(state)):
            return fd
        if fd is not None:
            os.close(fd)  # the state was moved aside meanwhile
        time.sleep(_PAUSE_S)
    return None


def _is_there(fd: int, path: str) -> bool:
    try:
        found, there = os.fstat(fd), os.stat(path)
    except FileNotFoundError:
        return False
    return (found.st_dev, found.st_ino) == (there.st_dev, there.st_ino)


def take(state: _state.StateDir, token: str = '') -> t.Optional[Lock]:
    """Both locks, None when they are held by somebody who is heeded. The state directory must be there.

    ``token``: of the run, so that a repeated call of it is not refused by its own run. LifecycleError when the locks
    cannot be had: nothing was touched then.
    """
    try:
        own = _take_own(state)
    except OSError as exc:
        raise _unusable(path_of(state), exc) from exc
    if own is None:
        return None
    try:
        lock = _with_directory(state, own)
        if lock is not None:
            _write_token(own, token)
            return lock
    except BaseException:
        os.close(own)
        raise
    os.close(own)
    return None


def _with_directory(state: _state.StateDir, own: int) -> t.Optional[Lock]:
    try:
        directory = directory_lock.take(state.instance)
    except OSError as exc:
        if exc.errno not in _NO_LOCKS or os.geteuid() != 0:
            raise _unusable(state.instance.dir, exc) from exc
        return Lock(
            own,
            None,
            [
                'the file system of %s has no locks (%s): '
                'only runs with this state directory exclude each other' % (state.instance.dir, exc.strerror)
            ],
        )
    if directory is not None:
        return Lock(own, directory)
    judged = _judge(state)
    return None if judged.refuses else Lock(own, None, [judged.note] if judged.note else [])


def _unusable(path: str, exc: OSError) -> LifecycleError:
    if exc.errno in _NO_LOCKS:
        return LifecycleError(
            '%s cannot be locked: its file system has no locks (%s). Nothing was stopped or started. Run as root, or '
            'set a state_dir on a local file system.' % (path, exc.strerror)
        )
    return nothing_done('The lock %s could not be taken' % path, exc)


def _write_token(fd: int, token: str) -> None:
    try:
        os.ftruncate(fd, 0)
        os.pwrite(fd, token.encode('utf-8')[:_MOST_TOKEN], 0)
    except OSError:
        pass  # a full disk: then only a call that is repeated in the first moment is refused


def own_is_held(state: _state.StateDir) -> t.Optional[bool]:
    """Whether somebody holds the own lock; None when there is none yet, or it cannot be looked at."""
    try:
        fd = _try(_open_own(state, os.O_RDONLY), fcntl.LOCK_SH)
    except OSError:
        return None
    if fd is None:
        return True
    os.close(fd)
    return False


def is_held_by(state: _state.StateDir, token: str) -> bool:
    """Whether the run of this token holds the own lock."""
    try:
        fd = _open_own(state, os.O_RDONLY)
    except OSError:
        return False
    try:
        same = os.pread(fd, _MOST_TOKEN, 0) == token.encode('utf-8')[:_MOST_TOKEN]
    except OSError:
        same = False
    finally:
        os.close(fd)
    return same and bool(token) and own_is_held(state) is True


def look(state: _state.StateDir) -> Judged:
    """Whether a run or task is at work on the instance. Takes nothing, makes nothing."""
    if own_is_held(state):
        return Judged(True)
    return _judge(state) if directory_lock.is_locked(state.instance) else Judged(False)


def has_ended(state: _state.StateDir) -> bool:
    """Whether the run of this state directory that was at work holds the lock no more."""
    held = own_is_held(state)
    return not look(state).refuses if held is None else not held


def holder_pids(state: _state.StateDir) -> t.List[int]:
    """For messages: who holds the locks."""
    found = holders(state.instance.dir)
    try:
        fd = _open_own(state, os.O_RDONLY)
    except OSError:
        return [holder.pid for holder in found]
    try:
        return [holder.pid for holder in holders_of(fd) or found]
    finally:
        os.close(fd)
