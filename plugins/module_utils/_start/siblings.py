# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Protect siblings from an instance that kills every process of its own name when it starts (3.2.2 to 3.4.5).

Such a version asks ``pidof <its name>`` whom to kill. Started with a PATH whose first directory has a ``pidof``
that finds nobody, it kills nobody. Every start gets that PATH: CHANGELOG.md and the process before tell which version
was there, and only the binary on the disk decides. The directory is ours and never becomes part of a launch record.
"""

import os
import stat
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import versions as _versions
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import selection
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import Instance
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.launch import SHIM_NAME, LaunchRecord
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.state import StateDir
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.trusted import write_atomic

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
        return selection.split_deleted(os.readlink('/proc/%d/exe' % pid))[0] != instance.executable
    except OSError:
        return _runs(pid)  # its executable may not be read: it may be one


def _runs(pid: int) -> bool:
    try:
        with procfs.ProcDir(pid) as proc:
            return not procfs.is_dead(proc.stat())
    except OSError as exc:
        return exc.errno not in procfs.GONE


def has_sibling(instance: Instance) -> bool:
    """Whether another process of the same name runs, whosever it is."""
    return any(_is_sibling(instance, pid) for pid in procfs.list_pids())


def closed_to_others(path: str) -> t.Optional[str]:
    """The first directory down to ``path`` that another user cannot pass, None when there is none."""
    part = '/'
    for name in [name for name in os.path.abspath(path).split('/') if name]:
        if not os.stat(part).st_mode & 0o001:
            return part
        part = os.path.join(part, name)
    return None


def protect(
    state: StateDir, instance: Instance, record: LaunchRecord, versions: t.Sequence[t.Optional[str]]
) -> t.Tuple[t.Dict[str, str], t.List[str]]:
    """The environment of one start, its PATH led by the harmless tools, and notes.

    LifecycleError when these cannot be set up, a sibling runs, and the version may kill it.
    """
    directory = os.path.join(state.base, SHIM_NAME)
    problem = _set_up(state, directory, record.uid)
    if problem is None:
        path = ':'.join(part for part in (directory, record.environment.get('PATH')) if part)
        return dict(record.environment, PATH=path), ['PATH starts with %s, which protects siblings' % directory]
    if may_kill_siblings(*versions) and has_sibling(instance):
        raise LifecycleError(
            'The start of %s could kill its siblings, and the protection in %s cannot be set up: %s. Nothing was '
            'stopped or started. Set a state_dir that every user can enter, with free space, on a file system without '
            'noexec.' % (instance.id, directory, problem)
        )
    return dict(record.environment), ['siblings are not protected (needed for versions 3.2.2 to 3.4.5): ' + problem]


def _set_up(state: StateDir, directory: str, uid: int) -> t.Optional[str]:
    """Make the directory with its tools; why it would not work for this user, None when it does."""
    if ':' in directory:
        return 'a path with a colon cannot be in PATH'
    try:
        state.make()
        closed = closed_to_others(directory) if uid != os.geteuid() else None
        if closed:
            return 'uid %d cannot enter it, because %s is closed to other users' % (uid, closed)
        _write_tools(directory)
    except LifecycleError as exc:
        return exc.msg
    except OSError as exc:
        return 'it could not be written: %s' % exc.strerror
    if not all(os.access(os.path.join(directory, tool), os.X_OK) for tool in _TOOLS):
        return 'programs there cannot be executed (mounted noexec?)'
    return None


def _write_tools(directory: str) -> None:
    """Written once; a start finds them as they are."""
    os.makedirs(directory, 0o755, exist_ok=True)
    if os.stat(directory).st_mode & 0o7777 != 0o755:
        os.chmod(directory, 0o755)  # noqa: S103  (the instance's user executes what is in it)
    for tool in _TOOLS:
        path = os.path.join(directory, tool)
        if not _is_written(path):
            write_atomic(path, _SCRIPT, 0o755, flush=False)


def _is_written(path: str) -> bool:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    with os.fdopen(fd, 'rb') as stream:
        found = os.fstat(fd)
        sound = stat.S_ISREG(found.st_mode) and found.st_mode & 0o7777 == 0o755 and found.st_uid in (0, os.geteuid())
        return sound and stream.read(len(_SCRIPT) + 1) == _SCRIPT
