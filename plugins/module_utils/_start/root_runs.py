# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""A start as root: what root would run, and what it must not take over from an earlier process.

The binary and the way to it decide (hazard ``root_runs_writable``). Of the working directory, the variables of the
dynamic loader and the places where programs are looked for, what others could change is left out, and said.
"""

import os
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import changeable
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import Instance
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.launch import LaunchRecord

DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
CODE = 'root_runs_writable'
_LOADER = 'LD_'


def writable(instance: Instance) -> t.List[str]:
    """What somebody but root could change of what root would run, each with the reason."""
    return changeable.changeable(instance.executable) + changeable.open_directory(instance.dir)


def checked(instance: Instance, uid: int, accepted: t.Collection[str]) -> t.Tuple[int, int]:
    """Device and inode of the file that this user is about to execute by its path.

    LifecycleError when root would run what others can change, and that was not accepted. OSError when there is none.
    """
    if uid != 0:
        found = os.stat(instance.executable)
        return found.st_dev, found.st_ino
    opened = changeable.look(instance.executable)
    others = opened.changeable + changeable.open_directory(instance.dir)
    if others and CODE not in accepted:
        raise LifecycleError('root would run files that other users can change: %s (%s)' % (', '.join(others), CODE))
    return opened.identity


def why_another(pid: int, uid: int, file: t.Sequence[int]) -> t.Optional[str]:
    """Why a new process does not execute the file that was checked; None when it does, or has ended.

    PermissionError where this user may not see what another one's process executes.
    """
    try:
        found = os.stat('/proc/%d/exe' % pid)
    except PermissionError:
        if uid == 0:
            return 'the file that it executes is not visible'
        raise
    except OSError:
        return None
    if (found.st_dev, found.st_ino) == tuple(file):
        return None
    return 'it executes another file than the one that was checked, because that file was replaced meanwhile'


def _is_safe(path: str) -> bool:
    return path.startswith('/') and not changeable.place(path)


def harden(record: LaunchRecord, directory: str, given: t.Iterable[str] = ()) -> t.Tuple[LaunchRecord, t.List[str]]:
    """The record as root starts it, and what was left out. ``given``: variables that the caller has named.

    ``directory``: of the instance, which is judged with its binary.
    """
    if record.uid != 0:
        return record, []
    environment = dict(record.environment)
    notes = _without_loader(environment, set(given))
    notes += [] if 'PATH' in set(given) else _without_open_places(environment)
    if record.cwd not in (None, directory) and not _is_safe(record.cwd or ''):
        notes.append('root starts it in the install directory instead of %s, which other users can change' % record.cwd)
        record = record._replace(cwd=None)
    return record._replace(environment=environment), notes


def _without_loader(environment: t.Dict[str, str], given: t.Set[str]) -> t.List[str]:
    names = sorted(name for name in environment if name.startswith(_LOADER) and name not in given)
    for name in names:
        del environment[name]
    return (
        ['root does not keep %s of the last process. Set it in environment to keep it' % ', '.join(names)]
        if names
        else []
    )


def _without_open_places(environment: t.Dict[str, str]) -> t.List[str]:
    places = environment['PATH'].split(':') if environment.get('PATH') else []
    dropped = [place for place in places if not _is_safe(place)]
    if not dropped:
        return []
    environment['PATH'] = ':'.join(place for place in places if place not in dropped) or DEFAULT_PATH
    return [
        'root removes %s from PATH, because other users can change it'
        % ', '.join(place or '(the working directory)' for place in dropped)
    ]
