# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What stands in an install directory where a release would write."""

import contextlib
import errno
import hashlib
import os
import stat
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import file_plan, places
from ansible_collections.anqicms.lifecycle.plugins.module_utils._change.archive import File
from ansible_collections.anqicms.lifecycle.plugins.module_utils._change.file_plan import DIRECTORY, FILE, Seen
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import files as _files

_MOST, _DEEPEST = 200000, 40
_LARGEST_EDITED = 64 << 20  # bytes of a file that may be the release's though it has another size than the new one
_CHUNK = 1 << 18
# Checksums that were made by this process or the one that it was forked from, by device, inode, size and time of the
# last change. Whoever forges these hides an edit of his own from himself: the file is taken away, and kept.
_DIGESTS: t.Dict[t.Tuple[int, int, int, int], str] = {}


def _key(info: os.stat_result) -> t.Tuple[int, int, int, int]:
    return info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns


def digest_of(fd: int) -> str:
    key = _key(os.fstat(fd))
    if key not in _DIGESTS:
        digest = hashlib.sha256()
        for piece in iter(lambda: os.read(fd, _CHUNK), b''):
            digest.update(piece)
        _DIGESTS[key] = digest.hexdigest()
    return _DIGESTS[key]


class Look:
    """One look at the places where a release would write. Nothing is changed."""

    def __init__(self, install: places.Tree, owners: t.Collection[int]) -> None:
        self.install, self.owners = install, owners
        self.found: t.Dict[str, Seen] = {}

    def at(self, files: t.Sequence[File], directories: t.Sequence[str]) -> t.Dict[str, Seen]:
        above = {up for file in files for up in file_plan.parents(file.path)}
        for path in sorted(above | set(directories)):
            if not file_plan.below(path, file_plan.WHOLE) and self._is_entered(path):
                self._note(path)
        for file in files:
            if not file_plan.below(file.path, file_plan.WHOLE) and self._is_entered(file.path):
                self._note(file.path, file.size)
        sizes = {file.path: file.size for file in files}
        for top in file_plan.WHOLE:
            self._whole(top, sizes)
        return self.found

    def _is_entered(self, path: str) -> bool:
        above = path.rpartition('/')[0]
        return not above or (above in self.found and self.found[above].kind == DIRECTORY)

    def _note(self, path: str, size: t.Optional[int] = None) -> None:
        """``size``: of the release's file. One of another size is read only where it may be that of an older release.

        The web user decides how large his files are: nothing else is read.
        """
        info = self.install.lstat(path)
        if info is None:
            return
        kind = DIRECTORY if stat.S_ISDIR(info.st_mode) else _files.kind_of(info) or FILE
        reads = info.st_size == size or (
            size is not None and file_plan.may_be_edited(path) and info.st_size <= _LARGEST_EDITED
        )
        self.found[path] = Seen(
            kind,
            info.st_uid,
            info.st_gid,
            stat.S_IMODE(info.st_mode),
            info.st_size,
            self._digest(path, info) if reads and kind == FILE else None,
        )

    def _digest(self, path: str, info: os.stat_result) -> t.Optional[str]:
        """None for a file that is not to be opened: it counts as another one than that of the release."""
        known = _DIGESTS.get(_key(info))
        if known is not None:
            return known
        try:
            parent, name = self.install.parent(path)
            fd = _files._open_regular(parent, name, self.install.shown(path), self.owners, os.O_RDONLY)
        except LifecycleError:
            return None
        except OSError as exc:
            if exc.errno in (errno.ENOENT, errno.EACCES, errno.EPERM):
                return None
            raise
        try:
            return digest_of(fd)
        finally:
            os.close(fd)

    def _whole(self, top: str, sizes: t.Mapping[str, int]) -> None:
        """All that is in a directory of the release's, which goes as a whole."""
        self._note(top)
        left = [top] if self.found.get(top, _NOWHERE).kind == DIRECTORY else []
        while left:
            here = left.pop()
            for name in _files._names_in(os.dup(self.install.directory(here)), _MOST):
                path = here + '/' + name
                self._note(path, sizes.get(path))
                if self.found.get(path, _NOWHERE).kind == DIRECTORY:
                    left.append(path)
            if len(self.found) > _MOST or here.count('/') > _DEEPEST:
                raise LifecycleError(
                    '%s holds more than %d files, or directories deeper than %d. Nothing was changed. '
                    'Move away what does not belong to the release.' % (self.install.shown(top), _MOST, _DEEPEST)
                )


_NOWHERE = Seen('nothing', 0, 0, 0)


def mounts(directory: str) -> t.List[str]:
    """Mount points below the install directory."""
    with open('/proc/self/mountinfo', errors='surrogateescape') as stream:
        return file_plan.mounts_below(stream.read(), directory)


# --- whether files are still the same

Stats = t.Dict[str, t.List[int]]  # inode, size and time of the last change, by path


def stats_of(tree: places.Tree, paths: t.Sequence[str]) -> Stats:
    """Of these files, and of all below these directories, as far as they are there; not of what the site writes."""
    found: Stats = {}
    for path in paths:
        info = tree.lstat(path)
        if info is None or file_plan.is_never_touched(path):
            continue
        if not stat.S_ISDIR(info.st_mode):
            found[path] = [info.st_ino, info.st_size, info.st_mtime_ns]
            continue
        for above, _names, names, fd in os.fwalk('.', dir_fd=tree.directory(path), follow_symlinks=False):
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    inner = os.stat(name, dir_fd=fd, follow_symlinks=False)
                    found[os.path.normpath(os.path.join(path, above, name))] = [
                        inner.st_ino,
                        inner.st_size,
                        inner.st_mtime_ns,
                    ]
    return found


def altered(before: t.Mapping[str, t.Sequence[int]], now: Stats) -> t.List[str]:
    """What is not the file any more that it was; new files do not count. Pure."""
    return sorted(path for path, known in before.items() if list(known) != now.get(path))
