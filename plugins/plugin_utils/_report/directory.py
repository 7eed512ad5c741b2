# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Reports in a directory of the controller, or the document alone in a file. Links are never followed below its path.

A directory that is made here is private. Files in one that exists are as readable as that directory is, so that its
owner decides who reads them, and private where everybody may write to it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import typing as t

LATEST = 'latest'
_PROBE = 256 * 1024  # what a report takes, roughly: room for less is none
_PRIVATE_DIRECTORY, _PRIVATE_FILE = 0o700, 0o600
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def path_of(target: str) -> str:
    return os.path.abspath(os.path.expanduser(target))


def is_file(target: str) -> bool:
    return target.endswith('.json')


def refusal(target: str) -> str:
    """Why nothing can be written there; '' where it can. Nothing is left behind."""
    path = path_of(target)
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return _above(path, is_file(target))
    except OSError as error:
        return f'{path}: {error.strerror}'
    if stat.S_ISLNK(found.st_mode):
        return f'{path} is a link to {os.path.realpath(path)}. Use that path, if you mean it'
    if is_file(target):
        return _probed(os.path.dirname(path)) if stat.S_ISREG(found.st_mode) else f'{path} is not a regular file'
    return _probed(path) if stat.S_ISDIR(found.st_mode) else f'{path} is not a directory'


def _above(path: str, is_file: bool) -> str:
    """Of a path that is not there yet: by the nearest directory above it."""
    above = os.path.dirname(path)
    if is_file and not os.path.isdir(above):
        return f'{above} does not exist, or is not a directory'
    while not os.path.lexists(above):
        above = os.path.dirname(above)
    return _probed(above) if os.path.isdir(above) else f'{above} is not a directory'


def _probed(directory: str) -> str:
    """By writing: permissions, read-only and full file systems and quotas are known in no other way for certain."""
    probe = os.path.join(directory, _temporary('probe'))
    try:
        handle = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _PRIVATE_FILE)
        try:
            _write_all(handle, bytes(_PROBE))
        finally:
            os.close(handle)
            os.unlink(probe)
    except OSError as error:
        return f'{directory}: {error.strerror}'
    return ''


def write(target: str, run: str, files: t.Mapping[str, bytes]) -> str:
    """The path of the directory that was written. ``run``: its name below the target. OSError where it cannot be."""
    path = path_of(target)
    if not os.path.lexists(path):
        os.makedirs(path, _PRIVATE_DIRECTORY, exist_ok=True)
    with _opened(path) as top:
        modes = _modes(os.fstat(top).st_mode)
        made = _made(run, top)
        with _opened(run, top) as inner:
            if made:
                os.fchmod(inner, modes[0])
            for name, content in files.items():
                _replace(name, content, inner, modes[1])
            os.fsync(inner)
        _point_to(run, top)
    return os.path.join(path, run)


def write_file(target: str, content: bytes) -> str:
    path = path_of(target)
    with _opened(os.path.dirname(path)) as directory:
        _replace(os.path.basename(path), content, directory, _PRIVATE_FILE)
    return path


def _made(name: str, below: int) -> bool:
    """Whether it is new."""
    try:
        os.mkdir(name, _PRIVATE_DIRECTORY, dir_fd=below)
    except FileExistsError:
        return False
    return True


def _modes(mode: int) -> tuple[int, int]:
    """Of the directories and the files below one with this mode."""
    if mode & stat.S_IWOTH:
        return _PRIVATE_DIRECTORY, _PRIVATE_FILE
    return _PRIVATE_DIRECTORY | (mode & 0o055), _PRIVATE_FILE | (mode & 0o044)


@contextlib.contextmanager
def _opened(path: str, below: int | None = None) -> t.Iterator[int]:
    """A directory that is no link: OSError where it is one."""
    try:
        handle = os.open(path, _OPEN, dir_fd=below)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise OSError(error.errno, 'it is a link or not a directory', path) from error
        raise
    try:
        yield handle
    finally:
        os.close(handle)


def _replace(name: str, content: bytes, directory: int, mode: int) -> None:
    """At once: whoever reads it sees the old file or the new one. A link of that name is replaced, not followed."""
    temporary = _temporary(name)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _PRIVATE_FILE, dir_fd=directory)
    try:
        try:
            _write_all(handle, content)
            os.fchmod(handle, mode)
            os.fsync(handle)
        finally:
            os.close(handle)
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        os.unlink(temporary, dir_fd=directory)
        raise


def _write_all(handle: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(handle, view) :]


def _point_to(run: str, top: int) -> None:
    """The link to the last run. A directory of that name stays, and so does a file system without links."""
    if run == LATEST:
        return
    temporary = _temporary(LATEST)
    with contextlib.suppress(OSError):
        os.symlink(run, temporary, dir_fd=top)
        try:
            os.rename(temporary, LATEST, src_dir_fd=top, dst_dir_fd=top)
        except OSError:
            os.unlink(temporary, dir_fd=top)


def _temporary(name: str) -> str:
    return f'.{name}.{secrets.token_hex(6)}'
