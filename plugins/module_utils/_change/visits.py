# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The visits in ``data/statistic`` of a site, made what they were at an earlier moment, so that this can be undone.

The whole directory is renamed beside itself, and what was there then is copied back. While the renamed one is there,
nothing is lost: the way back is to rename it again.
"""

import contextlib
import os
import shutil
import stat
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import migration
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError, system_text
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import files

PLACE = migration.STATISTICS
Sizes = t.Optional[t.Mapping[str, int]]  # of the files by name; None: there was no such directory
_CHUNK = 1 << 20


def differs(root: str, known: Sizes) -> bool:
    """Whether anything is there that was not."""
    try:
        with files.InstallDir(root) as directory:
            if directory.lstat(PLACE) is None:
                return False
            return known is None or any(info.st_size > known.get(name, -1) for name, info in regular(directory))
    except OSError:
        return False  # the site is gone


def sizes(root: str) -> t.Optional[t.Dict[str, int]]:
    """The statistics of one site, by name; None where their directory is not there."""
    try:
        with files.InstallDir(root) as directory:
            if directory.lstat(PLACE) is None:
                return None
            return {name: info.st_size for name, info in regular(directory)}
    except (OSError, LifecycleError):
        return {}


def regular(directory: files.InstallDir) -> t.List[t.Tuple[str, os.stat_result]]:
    found = [(name, directory.lstat('%s/%s' % (PLACE, name))) for name in directory.names(PLACE)]
    return [(name, info) for name, info in found if info is not None and stat.S_ISREG(info.st_mode)]


def set_aside(root: str, known: Sizes, mark: str) -> str:
    """Where those of today are now. LifecycleError."""
    aside = '%s-%s' % (PLACE, mark)
    try:
        with files.InstallDir(root) as directory:
            found = directory.lstat(PLACE)
            if found is not None:
                _rename(directory, PLACE, aside)
                if known is not None:
                    _copy(directory, aside, known, found)
            return directory.shown(aside)
    except OSError as exc:
        raise not_put_back(root, exc) from exc


def put_back(root: str, mark: str) -> None:
    """Those that were set aside; nothing where none are. LifecycleError."""
    aside = '%s-%s' % (PLACE, mark)
    try:
        with files.InstallDir(root) as directory:
            if directory.lstat(aside) is not None:
                _remove(directory, PLACE)
                _rename(directory, aside, PLACE)
    except OSError as exc:
        raise not_put_back(root, exc) from exc


def not_put_back(root: str, exc: OSError) -> LifecycleError:
    return LifecycleError(
        'The statistics in %s could not be restored: %s. Fix the cause, then run recover.yml.'
        % (os.path.join(root, PLACE), system_text(exc))
    )


def _rename(directory: files.InstallDir, source: str, target: str) -> None:
    """Within one directory."""
    parent, name = directory._parent(source)
    try:
        os.rename(name, os.path.basename(target), src_dir_fd=parent, dst_dir_fd=parent)
    finally:
        os.close(parent)


def _remove(directory: files.InstallDir, relative: str) -> None:
    """The copies; links in it are removed, not followed."""
    if directory.lstat(relative) is None:
        return
    parent, name = directory._parent(relative)
    try:
        shutil.rmtree('/proc/self/fd/%d/%s' % (parent, name))
    finally:
        os.close(parent)


def _copy(directory: files.InstallDir, aside: str, known: t.Mapping[str, int], like: os.stat_result) -> None:
    """The files of then, as long as they were. One that the application has removed since stays away."""
    parent, name = directory._parent(PLACE)
    try:
        os.mkdir(name, 0o700, dir_fd=parent)
        place = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    finally:
        os.close(parent)
    try:
        for one, size in known.items():
            with contextlib.suppress(FileNotFoundError):
                _copy_file(directory, '%s/%s' % (aside, one), size, place, one)
        _dress(place, like)
    finally:
        os.close(place)


def _copy_file(directory: files.InstallDir, source: str, size: int, place: int, name: str) -> None:
    info = directory.lstat(source)
    if info is None:
        return
    fd = directory.open_file(source, directory.owners(info.st_uid))
    try:
        made = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=place)
        try:
            while size > 0:
                piece = os.read(fd, min(size, _CHUNK))
                if not piece:
                    break
                size -= len(piece)
                while piece:
                    piece = piece[os.write(made, piece) :]
            _dress(made, info)
            os.utime(made, ns=(info.st_atime_ns, info.st_mtime_ns))
        finally:
            os.close(made)
    finally:
        os.close(fd)


def _dress(fd: int, like: os.stat_result) -> None:
    now = os.fstat(fd)
    if (now.st_uid, now.st_gid) != (like.st_uid, like.st_gid):
        os.fchown(fd, like.st_uid, like.st_gid)
    os.fchmod(fd, stat.S_IMODE(like.st_mode))
