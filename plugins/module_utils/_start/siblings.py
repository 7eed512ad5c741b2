# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Protect siblings from an instance that kills every process of its own name when it starts (3.2.2 to 3.4.5).

Such a version asks ``pidof <its name>`` whom to kill. Started with a PATH whose first directory has a ``pidof``
that finds nobody, it kills nobody. The directory is ours, and only this start sees it: it never becomes part of a
launch record.
"""

import os
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils import _procfs, _selection, _versions
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import Instance
from ansible_collections.anqicms.lifecycle.plugins.module_utils._launch import SHIM_NAME, LaunchRecord
from ansible_collections.anqicms.lifecycle.plugins.module_utils._state import StateDir, write_atomic

_SCRIPT = b'#!/bin/sh\n# Finds nobody: an AnQiCMS that is starting would kill every process of its own name.\nexit 1\n'
_TOOLS = ('pidof', 'pgrep')


def may_kill_siblings(*versions: t.Optional[str]) -> bool:
    """Whether a start may kill others. The files and the process before may tell different versions; unknown may.

    From 3.4.7 on the question is asked by full path, and the answer is only understood when the starting process
    itself is not in it: started by its absolute path, as here, it kills nobody.
    """
    known = [version for version in versions if _versions.parse(version)]
    return not known or any(_versions.behaviour(version).kills_at_start == 'pidof' for version in known)


def _is_sibling(instance: Instance, pid: int) -> bool:
    try:
        with open('/proc/%d/comm' % pid, 'rb') as stream:
            if stream.read().rstrip(b'\n') != os.fsencode(instance.binary)[:15]:
                return False
        return _selection.split_deleted(os.readlink('/proc/%d/exe' % pid))[0] != instance.executable
    except OSError:
        return os.path.exists('/proc/%d' % pid)  # it runs, and its executable may not be read: it may be one


def has_sibling(instance: Instance) -> bool:
    """Whether another process of the same name runs, whosever it is."""
    return any(_is_sibling(instance, pid) for pid in _procfs.list_pids())


def closed_to_others(path: str) -> t.Optional[str]:
    """The first directory down to ``path`` that another user cannot pass, None when there is none."""
    part = '/'
    for name in [name for name in os.path.abspath(path).split('/') if name]:
        if not os.stat(part).st_mode & 0o001:
            return part
        part = os.path.join(part, name)
    return None


def protect(state: StateDir, instance: Instance, record: LaunchRecord,
            versions: t.Sequence[t.Optional[str]]) -> t.Dict[str, str]:
    """The environment of one start, its PATH led by the harmless tools where the start could kill somebody."""
    environment = record.environment
    if not may_kill_siblings(*versions) or not has_sibling(instance):
        return dict(environment)
    directory = os.path.join(state.base, SHIM_NAME)
    state.make()
    closed = closed_to_others(directory) if record.uid != os.geteuid() else None
    if closed:
        raise LifecycleError('The start of %s could kill its siblings, and the protection in %s cannot be reached by '
                             'uid %d: %s is closed to others. Nothing was stopped or started. Give a state_dir that '
                             'others may pass.' % (instance.id, directory, record.uid, closed))
    try:
        _write_tools(directory)
    except OSError as exc:
        raise LifecycleError('The protection of the siblings of %s in %s could not be written: %s. Nothing was stopped '
                             'or started. Free space there, then try again.'
                             % (instance.id, directory, exc.strerror)) from exc
    return dict(environment, PATH=':'.join([directory] + [part for part in [environment.get('PATH', '')] if part]))


def _write_tools(directory: str) -> None:
    os.makedirs(directory, 0o755, exist_ok=True)
    os.chmod(directory, 0o755)  # noqa: S103  (the instance's user executes what is in it)
    for tool in _TOOLS:
        write_atomic(os.path.join(directory, tool), _SCRIPT, 0o755)
