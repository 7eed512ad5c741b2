# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The one opener for everything under an install directory.

That directory belongs to the web user, so nothing in it is trusted: a path is walked component by component from an
open directory handle, links are never followed, and a file is first looked at through an O_PATH handle, which opens
nothing (a FIFO does not block, a device is not touched), and only then opened for reading.
"""

import contextlib
import errno
import os
import re
import stat
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError

MIB = 1 << 20
_MOST_NAMES = 100000
_DIR_FLAGS = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_KINDS = (
    (stat.S_ISLNK, 'a symbolic link'),
    (stat.S_ISDIR, 'a directory'),
    (stat.S_ISFIFO, 'a FIFO'),
    (stat.S_ISSOCK, 'a socket'),
    (stat.S_ISCHR, 'a device'),
    (stat.S_ISBLK, 'a device'),
)


class NotFlushed(OSError):
    """A file is in its place, but a power cut may still take it away."""


class UnsafePath(LifecycleError):
    """A path that this collection does not open: a link, no regular file, a foreign owner, too large."""


def trusted_owners(*uids: t.Optional[int]) -> t.Set[int]:
    """The users whose files are read: root and the given users of the instance (None is skipped)."""
    return {0}.union(uid for uid in uids if uid is not None)


def kind_of(info: os.stat_result) -> t.Optional[str]:
    """What a path is when it is not a regular file, for a message; None for a regular file."""
    if stat.S_ISREG(info.st_mode):
        return None
    return next((text for test, text in _KINDS if test(info.st_mode)), 'not a regular file')


def why_unsafe(info: os.stat_result, owners: t.Optional[t.Collection[int]]) -> t.Optional[str]:
    """Why a file is not opened, None when it may be. ``owners`` None: any owner, for files outside of install trees."""
    kind = kind_of(info)
    if kind is not None:
        return 'it is %s' % kind
    if info.st_nlink != 1:
        return 'it has %d names (hard links)' % info.st_nlink
    if owners is not None and info.st_uid not in owners:
        return 'it belongs to uid %d, which is neither root nor the user of the instance' % info.st_uid
    return None


def _unsafe(path: str, why: str) -> UnsafePath:
    return UnsafePath("%s was not opened: %s. Replace it by a regular file of the instance's user." % (path, why))


def _parts(relative: str) -> t.List[str]:
    parts = relative.split('/')
    if not relative or any(part in ('', '.', '..') or '\0' in part for part in parts):
        raise UnsafePath(
            '%r is not a simple path below the install directory. '
            'It was not opened. Use a relative path without "..".' % (relative,)
        )
    return parts


def _open_directory(name: str, parent: t.Optional[int], shown: str) -> int:
    try:
        return os.open(name, _DIR_FLAGS, dir_fd=parent)
    except OSError as exc:
        if exc.errno in (errno.ELOOP, errno.ENOTDIR):
            raise _unsafe(shown, 'it is a link or not a directory') from exc
        raise


def _walk(start: int, parts: t.Sequence[str], shown: str, check: t.Callable[[int, str], None]) -> int:
    """A handle of the directory ``parts`` below ``start``; ``check`` sees each directory's handle and may raise."""
    handle = os.dup(start)
    for part in parts:
        shown = os.path.join(shown, part)
        try:
            below = _open_directory(part, handle, shown)
        finally:
            os.close(handle)
        handle = below
        try:
            check(handle, shown)
        except LifecycleError:
            os.close(handle)
            raise
    return handle


def _anything(dummy_handle: int, dummy_shown: str) -> None:
    return None


def _from_root(path: str, check: t.Callable[[int, str], None] = _anything) -> int:
    root = os.open('/', _DIR_FLAGS)
    try:
        return _walk(root, [part for part in path.split('/') if part], '/', check)
    finally:
        os.close(root)


def _open_regular(
    parent: int,
    name: str,
    shown: str,
    owners: t.Optional[t.Collection[int]],
    flags: int,
    same: t.Optional[t.Tuple[int, int]] = None,
) -> int:
    """Look first (O_PATH opens nothing), then open the very file that was looked at. ``same``: what it must be."""
    look = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        info = os.fstat(look)
        why = why_unsafe(info, owners)
        if why is None and same not in (None, (info.st_dev, info.st_ino)):
            why = 'it is not the file that the instance has open'
        if why is not None:
            raise _unsafe(shown, why)
        return os.open('/proc/self/fd/%d' % look, flags | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    finally:
        os.close(look)


def read_fd(fd: int, limit: int) -> bytes:
    """At most ``limit`` bytes from where ``fd`` stands."""
    chunks: t.List[bytes] = []
    while limit > 0:
        chunk = os.read(fd, min(limit, 65536))
        if not chunk:
            break
        chunks.append(chunk)
        limit -= len(chunk)
    return b''.join(chunks)


def read_system(path: str, limit: int = 256 * 1024) -> bytes:
    """A file of the system's own (a crontab, a unit): at most ``limit`` bytes of a regular file, links not followed.

    Its directory is trusted as it is; nothing is concluded from the content but names.
    """
    directory, name = os.path.split(path)
    parent = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fd = _open_regular(parent, name, path, None, os.O_RDONLY)
    finally:
        os.close(parent)
    try:
        return read_fd(fd, limit)
    finally:
        os.close(fd)


class InstallDir:
    """An install directory held open. ``path`` is absolute and has no links in it (Instance.dir).

    Raises UnsafePath for links in the path, OSError when it cannot be opened. Close it, or use it as a context manager.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.fd = _from_root(path)
        info = os.fstat(self.fd)
        self.uid = info.st_uid
        self.root_only = info.st_uid == 0 and not info.st_mode & 0o022

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> 'InstallDir':
        return self

    def __exit__(self, *dummy: t.Any) -> None:
        self.close()

    def shown(self, relative: str) -> str:
        return os.path.join(self.path, relative)

    def owners(self, uid: t.Optional[int] = None) -> t.Set[int]:
        """Root, the owner of the directory, and the user that the process runs as, when known.

        In a directory that root alone can write, root chose config.json, so its owner counts as the instance's user.
        """
        config = self.lstat('config.json') if self.root_only else None
        return trusted_owners(self.uid, uid, config.st_uid if config is not None else None)

    def _parent(self, relative: str) -> t.Tuple[int, str]:
        parts = _parts(relative)
        return _walk(self.fd, parts[:-1], self.path, _anything), parts[-1]

    def lstat(self, relative: str) -> t.Optional[os.stat_result]:
        """lstat of a path below, None when it does not exist. UnsafePath when a directory on the way is a link."""
        try:
            parent, name = self._parent(relative)
        except FileNotFoundError:
            return None
        try:
            return os.stat(name, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            return None
        finally:
            os.close(parent)

    def open_file(self, relative: str, owners: t.Collection[int], flags: int = os.O_RDONLY) -> int:
        """A descriptor of a regular file with one name that belongs to one of ``owners``; else UnsafePath or OSError.

        ``flags`` may ask for O_APPEND or O_WRONLY; nothing is ever created here.
        """
        parent, name = self._parent(relative)
        try:
            return _open_regular(parent, name, self.shown(relative), owners, flags)
        finally:
            os.close(parent)

    def create_file(self, relative: str, flags: int = os.O_WRONLY | os.O_APPEND, mode: int = 0o644) -> int:
        """A descriptor of a new file; FileExistsError when anything stands there, a dangling link too."""
        parent, name = self._parent(relative)
        try:
            return os.open(name, flags | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=parent)
        finally:
            os.close(parent)

    def replace(self, name: str, data: bytes, like: os.stat_result, attributes: t.Mapping[str, bytes]) -> None:
        """Put a file in the place of another in one step: written beside it, flushed, renamed.

        OSError when it fails: NotFlushed when the file has its new content, else all is as it was. What an earlier
        writer left beside it is removed: the lock of the instance must be held. ``like``: whose owner and mode it gets.
        ``attributes``: what else the file system kept of the old one.
        """
        self.remove_left_over(name)
        beside = '.%s.%s.lifecycle' % (name, os.urandom(8).hex())
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(beside, flags, 0o600, dir_fd=self.fd)
        try:
            try:
                if (like.st_uid, like.st_gid) != (os.geteuid(), os.getegid()):
                    os.fchown(fd, like.st_uid, like.st_gid)
                os.fchmod(fd, stat.S_IMODE(like.st_mode))
                _give(fd, attributes)
                while data:
                    data = data[os.write(fd, data) :]
                os.fsync(fd)
            finally:
                os.close(fd)
            os.rename(beside, name, src_dir_fd=self.fd, dst_dir_fd=self.fd)
        except OSError:
            os.unlink(beside, dir_fd=self.fd)
            raise
        try:
            self.flush()
        except OSError as exc:
            raise NotFlushed(exc.errno, exc.strerror) from exc

    def remove_left_over(self, name: str) -> None:
        """Remove what writers of ``name`` that were killed have left: plain files of theirs or the owner's."""
        pattern = re.compile(r'\.%s\.([0-9]+|[0-9a-f]{16})\.lifecycle\Z' % re.escape(name))
        owners = self.owners(os.geteuid())
        for left in filter(pattern.match, self.names(most=_MOST_NAMES)):
            with contextlib.suppress(OSError):
                info = os.stat(left, dir_fd=self.fd, follow_symlinks=False)
                if stat.S_ISREG(info.st_mode) and info.st_uid in owners:
                    os.unlink(left, dir_fd=self.fd)

    def move(self, relative: str, directory: str) -> None:
        """Rename a file below into a directory below, made here. OSError, FileExistsError when its name is taken."""
        above, name = self._parent(relative)
        try:
            parent, last = self._parent(directory)
            try:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(last, 0o700, dir_fd=parent)
                there = _open_directory(last, parent, self.shown(directory))
            finally:
                os.close(parent)
            try:
                os.rename(name, name, src_dir_fd=above, dst_dir_fd=there)
            finally:
                os.close(there)
        finally:
            os.close(above)

    def remove_empty(self, relative: str) -> None:
        """Remove a directory below that has nothing in it; any other is left."""
        parent, name = self._parent(relative)
        try:
            with contextlib.suppress(OSError):
                os.rmdir(name, dir_fd=parent)
        finally:
            os.close(parent)

    def flush(self) -> None:
        """Names that were made or replaced in it are on the disk."""
        fd = os.open('.', os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self.fd)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def read(self, relative: str, owners: t.Collection[int], limit: int = MIB) -> bytes:
        """The whole file; UnsafePath when it is larger than ``limit`` bytes."""
        data = self.head(relative, owners, limit + 1)
        if len(data) > limit:
            raise _unsafe(self.shown(relative), 'it is larger than %d bytes' % limit)
        return data

    def head(self, relative: str, owners: t.Collection[int], limit: int) -> bytes:
        """The first ``limit`` bytes."""
        fd = self.open_file(relative, owners)
        try:
            return read_fd(fd, limit)
        finally:
            os.close(fd)

    def tail(self, relative: str, owners: t.Collection[int], limit: int) -> bytes:
        """The last ``limit`` bytes."""
        fd = self.open_file(relative, owners)
        try:
            os.lseek(fd, max(0, os.fstat(fd).st_size - limit), os.SEEK_SET)
            return read_fd(fd, limit)
        finally:
            os.close(fd)

    def names(self, relative: str = '', most: int = 2000) -> t.List[str]:
        """At most ``most`` names of a directory below, sorted; empty when it does not exist."""
        try:
            handle = _walk(self.fd, _parts(relative) if relative else [], self.path, _anything)
        except FileNotFoundError:
            return []
        return _names_in(handle, most)

    def names_beside(self, path: str, most: int = 2000) -> t.List[str]:
        """The names in the directory of a log that ``open_log`` may open; UnsafePath when it may not."""
        relative = self.relative(path)
        if relative is not None:
            return self.names(os.path.dirname(relative), most)
        return _names_in(_from_root(os.path.dirname(os.path.normpath(path)), _root_only), most)

    def open_log(
        self,
        path: str,
        uid: t.Optional[int],
        flags: int = os.O_RDONLY,
        same: t.Optional[t.Tuple[int, int]] = None,
        by_root: bool = False,
    ) -> int:
        """A log of the instance: a file below the directory, or, the one exception, a panel's log elsewhere.

        Elsewhere every directory down to the log must belong to root and be writable by root alone, so that nobody
        else chose what stands there. ``uid`` is the user that the process runs as, None when unknown. ``by_root``: root
        opens it to write, so the same holds for one below the directory. ``same``: the device and inode that it must
        have then; whose it is does not matter.
        """
        relative = None if by_root else self.relative(path)
        if relative is not None:
            return self.open_file(relative, self.owners(uid), flags)
        directory, name = os.path.split(os.path.normpath(path))
        parent = _from_root(directory, _root_only)
        try:
            return _open_regular(parent, name, path, self.owners(uid) if same is None else None, flags, same)
        finally:
            os.close(parent)

    def relative(self, path: str) -> t.Optional[str]:
        """``path`` relative to the directory, None when it lies elsewhere. Nothing is looked up."""
        path = os.path.normpath(os.path.join(self.path, path))
        prefix = self.path.rstrip('/') + '/'
        return path[len(prefix) :] if path.startswith(prefix) else None


def attributes_of(fd: int) -> t.Dict[str, bytes]:
    """The extended attributes of a file, with its access list and label; none where there are none to be had."""
    try:
        return {name: os.getxattr(fd, name) for name in os.listxattr(fd)}
    except OSError:
        return {}


def _give(fd: int, attributes: t.Mapping[str, bytes]) -> None:
    for name, value in attributes.items():
        with contextlib.suppress(OSError):  # a label that only the kernel sets, for example
            os.setxattr(fd, name, value)


def _names_in(handle: int, most: int) -> t.List[str]:
    """Closes ``handle``."""
    try:
        found = []
        with os.scandir('/proc/self/fd/%d' % handle) as entries:
            for entry in entries:
                found.append(entry.name)
                if len(found) >= most:
                    break
        return sorted(found)
    finally:
        os.close(handle)


def _root_only(handle: int, shown: str) -> None:
    info = os.fstat(handle)
    if info.st_uid != 0 or info.st_mode & 0o022:
        raise _unsafe(
            shown,
            'a log outside the install directory is used only if root alone can write the directories that lead to it',
        )
