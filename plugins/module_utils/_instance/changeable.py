# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Who could change what root would run: a file, and every directory and link on the way to it, from ``/`` on."""

import errno
import os
import stat
import struct
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.names import name_of

_ACL = 'system.posix_acl_access'
_ACL_HEADER, _ACL_ENTRY = struct.Struct('<I'), struct.Struct('<HHI')
_USER, _GROUP_OF_FILE, _GROUP, _MASK = 0x02, 0x04, 0x08, 0x10
_WRITE = 2
_MOST_LINKS = 40  # as the kernel
_OF_USER = b'user_id='


class Opened(t.NamedTuple):
    """What a path led to. ``changeable``: the parts that somebody but root could change, each with the reason."""

    identity: t.Tuple[int, int]  # device and inode
    changeable: t.List[str]


def parse_acl(data: bytes) -> t.Optional[t.List[t.Tuple[str, int]]]:
    """The users and groups other than root that an access control list lets write; None when it is none. Pure.

    With it the mode of the file shows the mask as that of the group, so what the group may is said here too.
    """
    if len(data) < _ACL_HEADER.size or (len(data) - _ACL_HEADER.size) % _ACL_ENTRY.size:
        return None
    entries = [_ACL_ENTRY.unpack_from(data, offset) for offset in range(_ACL_HEADER.size, len(data), _ACL_ENTRY.size)]
    mask = next((may for tag, may, _who in entries if tag == _MASK), _WRITE)
    kinds = {_USER: 'user id', _GROUP: 'group id'}
    return [(kinds[tag], who) for tag, may, who in entries if tag in kinds and who and may & mask & _WRITE]


def parse_mounts_of_users(mounts: bytes) -> t.Dict[t.Tuple[int, int], int]:
    """Devices that are file systems of a user's own program (FUSE), and that user, from /proc/self/mountinfo. Pure.

    It says of its files what it likes, also that they are root's.
    """
    found = {}
    for line in mounts.split(b'\n'):
        fields = line.split()
        numbers = fields[2].split(b':') if len(fields) > 2 else []
        options = fields[-1].split(b',') if fields else []
        user = next((option[len(_OF_USER) :] for option in options if option.startswith(_OF_USER)), b'')
        if user.isdigit() and int(user) and len(numbers) == 2 and all(number.isdigit() for number in numbers):
            found[int(numbers[0]), int(numbers[1])] = int(user)
    return found


def why_changeable(info: os.stat_result, acl: bytes = b'') -> t.Optional[str]:
    """Why somebody but root can write it; what lies in a sticky directory of root's cannot be replaced by others."""
    if info.st_uid != 0:
        return 'owner %s' % name_of(info.st_uid)
    if stat.S_ISLNK(info.st_mode) or (stat.S_ISDIR(info.st_mode) and info.st_mode & stat.S_ISVTX):
        return None
    others = parse_acl(acl) if acl else []
    if others:
        return 'access control list: %s' % ', '.join('%s %d' % other for other in others[:4])
    if info.st_mode & 0o002 or (info.st_mode & 0o020 and info.st_gid != 0):
        return 'mode %04o' % stat.S_IMODE(info.st_mode)
    return None


def _acl_of(fd: int) -> bytes:
    try:
        return os.getxattr('/proc/self/fd/%d' % fd, _ACL)
    except OSError:
        return b''  # it has none, or its file system knows none


def _mounts_of_users() -> t.Dict[t.Tuple[int, int], int]:
    try:
        return parse_mounts_of_users(procfs.read('/proc/self/mountinfo'))
    except OSError:
        return {}


class _Walk:
    """From directory to directory, none of which can be exchanged meanwhile. Links are followed as the kernel does."""

    def __init__(self) -> None:
        self.here, self.shown, self.links = os.open('/', os.O_PATH | os.O_CLOEXEC), '/', 0
        self.found: t.List[str] = []
        self.of_users = _mounts_of_users()
        self._note(self.here, '/')

    def close(self) -> None:
        os.close(self.here)

    def _note(self, fd: int, path: str) -> os.stat_result:
        info = os.fstat(fd)
        why = why_changeable(info, b'' if stat.S_ISLNK(info.st_mode) else _acl_of(fd))
        user = self.of_users.get((os.major(info.st_dev), os.minor(info.st_dev)))
        why = why or ('file system of a program of %s' % name_of(user) if user else None)
        text = '%s (%s)' % (path, why)
        if why and text not in self.found:
            self.found.append(text)
        return info

    def follow(self, path: str) -> None:
        """OSError when it leads nowhere."""
        left = path.split('/')
        while left:
            name = left.pop(0)
            if name in ('', '.'):
                continue
            target = self._step(name)
            if target is not None:
                left = target.split('/') + left
                if target.startswith('/'):
                    self._enter(os.open('/', os.O_PATH | os.O_CLOEXEC), '/')

    def _step(self, name: str) -> t.Optional[str]:
        """Enter it; the target when it is a link, which is not entered."""
        path = os.path.dirname(self.shown) if name == '..' else os.path.join(self.shown, name)
        fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.here)
        try:
            if not stat.S_ISLNK(self._note(fd, path).st_mode):
                self._enter(os.dup(fd), path)
                return None
            self.links += 1
            if self.links > _MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            return os.readlink('', dir_fd=fd)
        finally:
            os.close(fd)

    def _enter(self, fd: int, path: str) -> None:
        os.close(self.here)
        self.here, self.shown = fd, path


def look(path: str) -> Opened:
    """Open an absolute path part by part, and judge each part. OSError when it leads nowhere."""
    walk = _Walk()
    try:
        walk.follow(path)
        found = os.fstat(walk.here)
        return Opened((found.st_dev, found.st_ino), walk.found)
    finally:
        walk.close()


def open_directory(path: str) -> t.List[str]:
    """A directory in which others can make files. One that is sticky only protects what root has put there."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return []
    return ['%s (mode %04o)' % (path, stat.S_IMODE(mode))] if mode & stat.S_ISVTX and mode & 0o022 else []


def place(path: str) -> t.List[str]:
    """Why others can change what root finds in a directory, or can make it where it is missing; empty: they cannot."""
    walk = _Walk()
    try:
        walk.follow(path)
    except OSError:
        pass
    try:
        return walk.found + open_directory(walk.shown)
    finally:
        walk.close()


def changeable(path: str) -> t.List[str]:
    """The parts of a path, itself included, that somebody but root could change; also why it leads nowhere."""
    walk = _Walk()
    try:
        walk.follow(path)
        return walk.found
    except OSError as exc:
        return walk.found + ['%s (%s)' % (path, exc.strerror)]
    finally:
        walk.close()
