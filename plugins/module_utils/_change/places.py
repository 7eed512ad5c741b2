# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Writing below an install directory: everything relative to directory handles, no link followed.

The install directory belongs to the web user, who may exchange any part of it at any moment. So a directory is opened
component by component, must belong to a user of the instance or root, and must lie on the same file system; a rename
moves what stands there, a link too, and never what a link leads to. What is made is made in ``.lifecycle``, which
nobody else can enter, with its owner and mode, and only then renamed to its place.
"""

import errno
import os
import shutil
import stat
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change.file_plan import BULK
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError, nothing_done
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import files
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.names import name_of

_DIR_FLAGS = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST_HANDLES = 200


class Moved(files.UnsafePath):
    """A directory on the way is not what it was when the plan was made."""


class Tree:
    """A directory held open, and what is done in it by relative paths. Use it as a context manager.

    ``owners``: whose directories are entered; None where nobody else can have made one.
    """

    def __init__(self, fd: int, path: str, owners: t.Optional[t.Collection[int]] = None) -> None:
        self.fd, self.path, self.owners = fd, path, owners
        self.device = os.fstat(fd).st_dev
        self._handles: t.Dict[str, int] = {}

    def __enter__(self) -> 'Tree':
        return self

    def __exit__(self, *dummy: t.Any) -> None:
        self.close()

    def close(self) -> None:
        self._forget()
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def _forget(self) -> None:
        for handle in self._handles.values():
            os.close(handle)
        self._handles.clear()

    def shown(self, relative: str) -> str:
        return os.path.join(self.path, relative)

    def directory(self, relative: str) -> int:
        """The handle of a directory below, kept open. Moved when it is a link or a stranger's, OSError else."""
        if not relative:
            return self.fd
        if relative not in self._handles:
            if len(self._handles) >= _MOST_HANDLES:
                self._forget()
            handle = os.dup(self.fd)
            for part in files._parts(relative):
                handle = self._below(handle, part, relative)
            self._handles[relative] = handle
        return self._handles[relative]

    def _below(self, parent: int, name: str, relative: str) -> int:
        """Closes ``parent``."""
        try:
            handle = os.open(name, _DIR_FLAGS, dir_fd=parent)
        except OSError as exc:
            if exc.errno in (errno.ELOOP, errno.ENOTDIR):
                raise self._moved(relative, 'a part of it is a link or no directory') from exc
            raise
        finally:
            os.close(parent)
        info = os.fstat(handle)
        if self.owners is not None and info.st_uid not in self.owners:
            os.close(handle)
            raise self._moved(relative, 'a part of it belongs to %s' % name_of(info.st_uid))
        if info.st_dev != self.device:
            os.close(handle)
            raise self._moved(relative, 'a part of it is on another file system')
        return handle

    def _moved(self, relative: str, why: str) -> Moved:
        return Moved(
            '%s is not entered: %s. Nothing was done there. Put plain directories of the instance\'s user '
            'there.' % (self.shown(relative), why)
        )

    def parent(self, relative: str) -> t.Tuple[int, str]:
        above, slash, name = relative.rpartition('/')
        if name in ('', '.', '..') or '\0' in name or (slash and not above):
            files._parts(relative)
        return self._handles.get(above) or self.directory(above), name

    def lstat(self, relative: str) -> t.Optional[os.stat_result]:
        """None when it, or a directory above it, does not exist."""
        try:
            parent, name = self.parent(relative)
            return os.stat(name, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def make_directory(self, relative: str, mode: int = 0o700) -> None:
        """With those above it; each may be there already."""
        for path in [relative[:at] for at, char in enumerate(relative) if char == '/'] + [relative]:
            parent, name = self.parent(path)
            try:
                os.mkdir(name, mode, dir_fd=parent)
            except FileExistsError:
                continue

    def create(self, relative: str) -> int:
        """A descriptor of a new file of ours (0600). FileExistsError when anything is there."""
        parent, name = self.parent(relative)
        return os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=parent)

    def dress(self, relative: str, uid: int, gid: int, mode: int) -> bool:
        """Owner and mode of something that we made; returns whether it had others. A link, or a second name, is not."""
        parent, name = self.parent(relative)
        info = os.stat(name, dir_fd=parent, follow_symlinks=False)
        if (info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode)) == (uid, gid, mode):
            return False
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
        try:
            info = os.fstat(fd)
            if not stat.S_ISDIR(info.st_mode) and files.why_unsafe(info, None) is not None:
                raise self._moved(relative, 'it is not a regular file with one name')
            if (info.st_uid, info.st_gid) != (uid, gid):
                os.fchown(fd, uid, gid)
            os.fchmod(fd, mode)
        finally:
            os.close(fd)
        return True

    def names(self) -> t.List[str]:
        return files._names_in(os.dup(self.fd), 1 << 20)

    def remove(self, name: str) -> None:
        """A file or a whole tree at the top, whatever is in it; links are removed, not followed."""
        info = self.lstat(name)
        if info is None:
            return
        if not stat.S_ISDIR(info.st_mode):
            os.unlink(name, dir_fd=self.fd)
            return
        shutil.rmtree('/proc/self/fd/%d/%s' % (self.fd, name))


def rename(source: Tree, destination: Tree, relative: str) -> None:
    """From one tree to the same path in the other. The directory above it is there in both."""
    before, name = source.parent(relative)
    after, name = destination.parent(relative)
    os.rename(name, name, src_dir_fd=before, dst_dir_fd=after)


def open_install(directory: files.InstallDir, owners: t.Collection[int]) -> Tree:
    return Tree(os.dup(directory.fd), directory.path, owners)


def _not_ours(path: str, why: str) -> LifecycleError:
    return LifecycleError(
        '%s is not used: %s. Nothing was done. It holds staged and replaced releases of this '
        'collection; move it away, and stage again.' % (path, why)
    )


def _is_made(install: Tree) -> bool:
    """Make ``.lifecycle``; whether it was not there."""
    try:
        os.mkdir(BULK, 0o700, dir_fd=install.fd)
    except FileExistsError:
        return False
    except PermissionError as exc:
        raise LifecycleError(
            'This user may not write in %s. Nothing was changed. Run as root, or as the owner of that '
            'directory.' % install.path
        ) from exc
    except OSError as exc:
        raise nothing_done('%s could not be made' % install.shown(BULK), exc) from exc
    return True


def open_bulk(install: Tree, make: bool = False, expected: t.Optional[t.Sequence[int]] = None) -> t.Optional[Tree]:
    """``.lifecycle``, None where it is not there and is not to be made. LifecycleError when it is not ours alone.

    ``expected``: device and inode that it had when it was made.
    """
    path = install.shown(BULK)
    if make and _is_made(install):
        expected = None
    try:
        handle = os.open(BULK, _DIR_FLAGS, dir_fd=install.fd)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise _not_ours(path, 'it is a link or no directory') from exc
    info = os.fstat(handle)
    why = None
    if info.st_uid != os.geteuid() or info.st_mode & 0o077:
        why = 'it belongs to %s with mode %04o, not to %s alone' % (
            name_of(info.st_uid),
            stat.S_IMODE(info.st_mode),
            name_of(os.geteuid()),
        )
    elif info.st_dev != install.device:
        why = 'it is on another file system than the install directory'
    elif expected is not None and list(expected) != [info.st_dev, info.st_ino]:
        why = 'it is another directory than the one that was made'
    if why is not None:
        os.close(handle)
        raise _not_ours(path, why)
    return Tree(handle, path)


def open_below(tree: Tree, name: str, make: bool = False) -> Tree:
    """A directory at the top of a tree of ours."""
    if make:
        os.mkdir(name, 0o700, dir_fd=tree.fd)
    return Tree(os.open(name, _DIR_FLAGS, dir_fd=tree.fd), tree.shown(name))
