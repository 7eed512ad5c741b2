# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What an instance is: one install directory with one binary."""

import errno
import hashlib
import os
import re
import stat
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError, system_text
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import printable
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.names import name_of

_MOST_LINKS = 40  # as the kernel


class Instance(t.NamedTuple):
    """``dir`` is a real path (no links in it); ``id`` is short, readable and the same on every run."""

    dir: str
    binary: str
    id: str

    @property
    def executable(self) -> str:
        return os.path.join(self.dir, self.binary)


def instance_id(directory: str, binary: str) -> str:
    """``<8 hex digits>-<base name of the directory>``, fit for a file name."""
    name = (directory + '\0' + binary).encode('utf-8', 'surrogateescape')
    digest = hashlib.sha256(name).hexdigest()[:8]
    return '%s-%s' % (digest, re.sub(r'[^A-Za-z0-9._-]', '_', os.path.basename(directory))[:40])


def resolve(directory: str, binary: str = 'anqicms') -> Instance:
    """The instance of a directory.

    Raises LifecycleError when the directory is missing or not one, when the way to it is not to be followed, when
    ``binary`` is not a plain file name, or when either holds what cannot be shown. The binary itself may be missing: a
    running instance whose file was replaced must still be found.
    """
    if not binary or '/' in binary or binary in ('.', '..') or '\0' in binary:
        raise LifecycleError(
            'binary must be a file name inside dir, got %r. Nothing was done. Correct binary.' % (binary,)
        )
    for option, text in (('dir', directory), ('binary', binary)):
        _refuse_unprintable(option, text)
    real = real_directory(native(directory))
    _refuse_unprintable('dir', real)
    return Instance(real, native(binary), instance_id(real, binary))


def found(directory: str, binary: str, look: bool = True) -> Instance:
    """One that a look at the host came upon. Whether it can be worked on is not asked: ``resolve`` does.

    ``look``: whether links on the way may be looked at; else the directory is taken for its real path.
    """
    real = os.path.realpath(directory) if look else directory
    return Instance(real, binary, instance_id(real, binary))


def native(path: str) -> str:
    """As the system's calls take it. Only where Python takes file names for ASCII, as 3.6 may, it is another text."""
    try:
        return os.fsdecode(path.encode('utf-8', 'surrogateescape'))
    except UnicodeEncodeError:
        return path


def _refuse_unprintable(option: str, text: str) -> None:
    """Nobody could name it in an inventory, and it would be shown as another name than it has."""
    if not printable.is_printable(text):
        raise LifecycleError(
            '%s is %s: the name contains invalid UTF-8, control characters or invisible characters, shown here as '
            'escapes. Nothing was done. Rename it.' % (option, text)
        )


class Way(t.NamedTuple):
    """A link or directory on the way to a directory, and its owner."""

    path: str
    uid: int
    link: bool


def real_directory(directory: str) -> str:
    """Its real path. LifecycleError when it is no directory, or somebody else could lead the run to another one."""
    try:
        ways, real, uid = _walk(os.path.join(os.getcwd(), directory))
    except OSError as exc:
        if exc.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG):
            raise LifecycleError(
                'The install directory %s cannot be inspected: %s. Nothing was done. Fix its file system or '
                'permissions.' % (directory, system_text(exc))
            ) from exc
        raise _no_directory(directory) from exc
    except ValueError as exc:
        raise _no_directory(directory) from exc
    way = misleading(ways, uid, os.geteuid())
    if way is not None:
        raise LifecycleError(
            'The path to the install directory %s is not trusted: the %s %s belongs to %s, and %s belongs to %s. '
            'Nothing was done. Change its owner to root or to the owner of the install directory, or set dir to a path '
            'that does not '
            'lead through it.'
            % (directory, 'link' if way.link else 'directory', way.path, name_of(way.uid), real, name_of(uid))
        )
    return real


def _no_directory(directory: str) -> LifecycleError:
    return LifecycleError(
        'The install directory %s does not exist or is not a directory. Nothing was done. Set dir to the directory '
        'that contains the binary.' % directory
    )


def misleading(ways: t.Iterable[Way], uid: int, me: int) -> t.Optional[Way]:
    """The first that neither root, nor the owner ``uid`` of the directory, nor this user has made. Pure."""
    return next((way for way in ways if way.uid not in (0, uid, me)), None)


def _walk(path: str) -> t.Tuple[t.List[Way], str, int]:
    """Every link and directory on the way to a directory, its real path and its owner. OSError where there is none."""
    ways: t.List[Way] = []
    real: str = '/'
    left: t.List[str] = path.split('/')
    links: int = 0
    while left:
        name = left.pop(0)
        if name in ('', '.', '..'):
            real = os.path.dirname(real) if name == '..' else real
            continue
        ways.append(Way(real, os.lstat(real).st_uid, False))
        step = os.path.join(real, name)
        found = os.lstat(step)
        if not stat.S_ISLNK(found.st_mode):
            real = step
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        ways.append(Way(step, found.st_uid, True))
        target = os.readlink(step)
        real, left = '/' if target.startswith('/') else real, target.split('/') + left
    found = os.lstat(real)
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), real)
    return ways, real, found.st_uid
