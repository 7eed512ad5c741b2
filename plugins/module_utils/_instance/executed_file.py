# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Which file an instance is, and whether a process executes it. Pure.

The file is known by device and inode. The text of /proc/PID/exe is a path in the mount namespace of that process, where
its user may have put anything: it tells something only in our own.
"""

import os
import typing as t

FileId = t.Tuple[int, int]  # device and inode
OWN, SHARED, REPLACED, RECORDED, RENAMED = 'own', 'shared', 'replaced', 'recorded', 'renamed'
_DELETED = ' (deleted)'


class Target(t.NamedTuple):
    """The instance. ``file``: what its path leads to, a last link followed; None where nothing is there.

    ``leads_to``: the path of that file.
    """

    dir: str
    binary: str
    file: t.Optional[FileId]
    dir_file: t.Optional[FileId]
    leads_to: str

    @property
    def path(self) -> str:
        return os.path.join(self.dir, self.binary)


class Sight(t.NamedTuple):
    """One process. ``text``: of the link to its executable. ``recorded``: noted in this boot with this very file.

    ``same_mounts``: in our mount namespace. ``cwd``: its working directory, as a file.
    """

    file: t.Optional[FileId]
    text: str
    same_mounts: bool
    uid: int
    argv: t.Sequence[str]
    cwd: t.Optional[FileId]
    recorded: bool = False


def split_deleted(text: str) -> t.Tuple[str, bool]:
    return (text[: -len(_DELETED)], True) if text.endswith(_DELETED) else (text, False)


def may_be(target: Target, file: t.Optional[FileId], text: str) -> bool:
    """Whether a process is worth a closer look: by its file, or by a name that a removed or renamed file can have."""
    if file is not None and file == target.file:
        return True
    path, deleted = split_deleted(text)
    name = os.path.basename(path)
    return deleted or target.binary in name or name.startswith('.nfs') or path.startswith(target.dir.rstrip('/') + '/')


def match(target: Target, sight: Sight) -> t.Optional[str]:
    """How a process is the instance's by its file; None when it is not. Who runs it is not asked here."""
    path = split_deleted(sight.text)[0]
    if sight.file is not None and sight.file == target.file:
        if path == target.path:
            return OWN
        return SHARED if _belongs(target, sight) else None
    if sight.recorded:
        return RECORDED
    if not sight.same_mounts:
        return None
    if path in (target.path, target.path + '.old'):
        return REPLACED
    if path == target.leads_to and _belongs(target, sight):
        return REPLACED
    return RENAMED if is_called_so(target, sight.argv, sight.cwd) else None


def _belongs(target: Target, sight: Sight) -> bool:
    """Whether a process of a file that has other paths too is of this instance.

    By its working directory or by the name that it was executed by. Root's must have been executed by the path: whoever
    owns the directory can make it lead to a program that root runs anyway.
    """
    if is_called_so(target, sight.argv, sight.cwd):
        return True
    return sight.uid != 0 and sight.cwd is not None and sight.cwd == target.dir_file


def is_called_so(target: Target, argv: t.Sequence[str], cwd: t.Optional[FileId]) -> bool:
    """Whether it was executed by the path of the instance, or by its name in the directory."""
    if not argv:
        return False
    if argv[0] == target.path:
        return True
    here = cwd is not None and cwd == target.dir_file
    return here and argv[0] in (target.binary, './' + target.binary)
