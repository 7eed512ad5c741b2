# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Protect siblings from an instance that kills every process of its own name when it starts (3.2.2 to 3.4.5).

Such a version asks ``pidof <its name>`` whom to kill. Started with a PATH whose first directory has a ``pidof`` that finds
nobody, it kills nobody. The directory is ours, and only this start sees it: it never becomes part of a launch record.
"""

import os
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils import _procfs, _versions
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import Instance
from ansible_collections.anqicms.lifecycle.plugins.module_utils._launch import SHIM_NAME, LaunchRecord
from ansible_collections.anqicms.lifecycle.plugins.module_utils._state import StateDir

_SCRIPT = b'#!/bin/sh\n# Finds nobody: an AnQiCMS that is starting would kill every process of its own name.\nexit 1\n'
_TOOLS = ('pidof', 'pgrep')


def may_kill_siblings(version: t.Optional[str]) -> bool:
    """Whether a start of this version may kill others; an unknown version may.

    From 3.4.7 on the question is asked by full path, and the answer is only understood when the starting process itself is
    not in it: started by its absolute path, as here, it kills nobody.
    """
    return _versions.behaviour(version).kills_at_start in ('pidof', 'unknown')


def has_sibling(instance: Instance) -> bool:
    """Whether another process of the same name runs, whosever it is."""
    own = set()  # type: t.Set[str]
    for pid in _procfs.list_pids():
        try:
            with open('/proc/%d/comm' % pid) as stream:
                if stream.read().rstrip('\n') != instance.binary[:15]:
                    continue
            own.add(os.readlink('/proc/%d/exe' % pid))
        except OSError:
            own.add('unseen') if os.path.exists('/proc/%d' % pid) else None
    return any(exe.replace(' (deleted)', '') != instance.executable for exe in own)


def closed_to_others(path: str) -> t.Optional[str]:
    """The first directory down to ``path`` that another user cannot pass, None when there is none."""
    part = '/'
    for name in [name for name in os.path.abspath(path).split('/') if name]:
        if not os.stat(part).st_mode & 0o001:
            return part
        part = os.path.join(part, name)
    return None


def protect(state: StateDir, instance: Instance, record: LaunchRecord, version: t.Optional[str]) -> t.Dict[str, str]:
    """The environment of one start, its PATH led by the harmless tools where the start could kill somebody."""
    environment = record.environment
    if not may_kill_siblings(version) or not has_sibling(instance):
        return dict(environment)
    directory = os.path.join(state.base, SHIM_NAME)
    state.make()
    closed = closed_to_others(directory) if record.uid != os.geteuid() else None
    if closed:
        raise LifecycleError('The start of %s (%s) could kill its siblings, and the protection in %s cannot be reached by uid %d: %s is '
                             'closed to others. Nothing was stopped or started. Give a state_dir that others may pass.'
                             % (instance.id, version or 'unknown version', directory, record.uid, closed))
    os.makedirs(directory, 0o755, exist_ok=True)
    os.chmod(directory, 0o755)
    for tool in _TOOLS:
        _write_tool(os.path.join(directory, tool))
    return dict(environment, PATH=':'.join([directory] + [part for part in [environment.get('PATH', '')] if part]))


def _write_tool(path: str) -> None:
    temporary = '%s.%d' % (path, os.getpid())
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o755)
    try:
        os.write(fd, _SCRIPT)
        os.fchmod(fd, 0o755)
    finally:
        os.close(fd)
    os.rename(temporary, path)
