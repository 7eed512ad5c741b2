# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What an instance cannot write once it is started as another user than before: files of the earlier one."""

import os
import stat
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import files
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.names import name_of
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import Instance
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.launch import LaunchRecord

_WRITTEN = ('running.log', 'error.log')  # what it writes,
_MAY_BE_ROOTS = ('config.json', 'public')  # what root may keep where it keeps the install directory,
_WRITTEN_BELOW = ('cache', 'data', 'public/uploads')  # and directories in which it writes everything
_MOST_NAMES = 2000  # that are looked at below each of these


def may_write(info: os.stat_result, record: LaunchRecord) -> bool:
    """By the mode. Links are left to the application. Pure."""
    if record.uid == 0 or stat.S_ISLNK(info.st_mode):
        return True
    groups = set(record.groups) | {record.gid}
    shift = 6 if info.st_uid == record.uid else 3 if info.st_gid in groups else 0
    return bool(info.st_mode >> shift & 2)


def of(instance: Instance, before: t.Optional[int], record: LaunchRecord) -> t.List[str]:
    """What the user of the record cannot write, each with its owner; nothing where it ran as that user before."""
    if before is None or before == record.uid:
        return []
    found = []
    with files.InstallDir(instance.dir) as directory:
        log = directory.relative(record.log) if record.log else None
        hardened = not may_write(os.fstat(directory.fd), record)
        for name in list(dict.fromkeys(_names(directory, hardened) + ([log] if log else []))):
            info = _lstat(directory, name)
            if info is not None and not may_write(info, record):
                found.append('%s (owner %s, mode %04o)' % (name, name_of(info.st_uid), stat.S_IMODE(info.st_mode)))
    return found


def _names(directory: files.InstallDir, hardened: bool) -> t.List[str]:
    names = list(_WRITTEN)
    if not hardened:
        names += list(_MAY_BE_ROOTS) + [
            name for name in _names_in(directory, 'public', _MOST_NAMES) if not _is_directory(_lstat(directory, name))
        ]  # robots.txt, sitemaps
    for name in _WRITTEN_BELOW:
        names += [name] + _names_below(directory, name)
    return names


def _names_below(directory: files.InstallDir, top: str) -> t.List[str]:
    """The first ``_MOST_NAMES``, the upper ones first: what is further down is of less weight."""
    found: t.List[str] = []
    waiting = [top]
    while waiting and len(found) < _MOST_NAMES:
        names = _names_in(directory, waiting.pop(0), _MOST_NAMES - len(found))
        found += names
        waiting += [name for name in names if _is_directory(_lstat(directory, name))]
    return found


def _names_in(directory: files.InstallDir, upper: str, most: int) -> t.List[str]:
    try:
        return ['%s/%s' % (upper, name) for name in directory.names(upper, most)]
    except (OSError, LifecycleError):
        return []  # a link or no directory: the application sees to that


def _is_directory(info: t.Optional[os.stat_result]) -> bool:
    return info is not None and stat.S_ISDIR(info.st_mode)


def _lstat(directory: files.InstallDir, name: str) -> t.Optional[os.stat_result]:
    try:
        return directory.lstat(name)
    except (OSError, LifecycleError):
        return None
