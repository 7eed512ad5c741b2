# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The systemd unit of an instance: the user that it names, which root has written, and whether it ends with it."""

import os
import pwd
import re
import subprocess
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import files, procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import Instance, real_directory

SYSTEM_DIR = '/run/systemd/system'  # there where systemd is the init of this host
UNIT_DIRS = (
    '/etc/systemd/system',
    '/run/systemd/system',
    '/usr/local/lib/systemd/system',
    '/usr/lib/systemd/system',
    '/lib/systemd/system',
)
_KEYS = ('User', 'ExecStart', 'WorkingDirectory')
_LIFE = ('MainPID', 'KillMode')
_MOST_ANCESTORS = 20
_SHOW_TIMEOUT = 5


def system_unit(cgroups: t.Mapping[str, str]) -> t.Optional[str]:
    """The service of the system that holds a process; None for sessions and for services of a user's own manager. Pure.

    The first service on the way counts: what stands below it was made by the service itself.
    """
    path = cgroups.get('name=systemd') or cgroups.get('') or ''
    unit = next((part for part in path.split('/') if part.endswith('.service')), None)
    return None if unit is None or unit.startswith('user@') or '/user.slice/' in path + '/' else unit


def parse(text: str, keys: t.Sequence[str] = _KEYS) -> t.Dict[str, str]:
    """The last value of each of these keys, of a unit file or of ``systemctl show``. Pure."""
    fields = {}
    for line in re.sub(r'\\\n', ' ', text).split('\n'):
        key, equals, value = line.strip().partition('=')
        if equals and key in keys:
            fields[key] = value.strip()
    return fields


def paths(fields: t.Mapping[str, str]) -> t.List[str]:
    """The absolute paths that a unit executes or works in. Pure."""
    text = ' '.join(fields.get(key, '') for key in _KEYS[1:])
    return re.findall(r'(?:^|[\s"\'=;@:+!-])(/[^\s"\';]+)', text)


def unit_and_uid(instance: Instance, cgroups: t.Mapping[str, str]) -> t.Optional[t.Tuple[str, int]]:
    """The unit of a process and its user, where that unit is one of this instance: it names its directory."""
    unit = system_unit(cgroups)
    if unit is None:
        return None
    fields = _show(unit) if os.path.isdir(SYSTEM_DIR) else _read(unit)
    if not any(_leads_to(path, instance) for path in paths(fields)):
        return None
    uid = _uid(fields.get('User', ''))
    return None if uid is None else (unit, uid)


def ending(cgroups: t.Mapping[str, str], pid: int) -> t.Optional[str]:
    """The service that holds these control groups, where systemd ends all in it when this process ends, or will now."""
    unit = system_unit(cgroups)
    if unit is None or not os.path.isdir(SYSTEM_DIR):
        return None
    return unit if ends_with(_show(unit, _LIFE), ancestors(pid)) else None


def ends_with(fields: t.Mapping[str, str], chain: t.Collection[int]) -> bool:
    """Whether what is left in a service is ended when its process in ``chain`` ends. Not known counts as yes. Pure."""
    return fields.get('KillMode') not in ('process', 'none') and is_main(fields, chain)


def is_main(fields: t.Mapping[str, str], chain: t.Collection[int]) -> bool:
    """Whether the unit's main process is one of ``chain``, or has ended. Not known counts as yes. Pure."""
    main = fields.get('MainPID', '0')
    return not main.isdigit() or int(main) == 0 or int(main) in chain


def ancestors(pid: int) -> t.List[int]:
    """The process and those above it, without pid 1."""
    chain: t.List[int] = []
    while pid > 1 and len(chain) < _MOST_ANCESTORS:
        chain.append(pid)
        try:
            with procfs.ProcDir(pid) as proc:
                stat = proc.stat()
        except OSError:
            break
        pid = stat.ppid if stat is not None else 0
    return chain


def _leads_to(path: str, instance: Instance) -> bool:
    """Whether it is the directory or something in it. Links are followed as those to an install directory are."""
    for directory in (path, os.path.dirname(path)):
        try:
            if real_directory(directory) == instance.dir:
                return True
        except LifecycleError:
            continue
    return False


def _uid(user: str) -> t.Optional[int]:
    if not user:
        return 0
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        return int(user) if user.isdigit() else None


def _show(unit: str, keys: t.Sequence[str] = _KEYS) -> t.Dict[str, str]:
    """As systemd itself has it."""
    try:
        done = subprocess.run(  # pylint: disable=ansible-bad-function  # the worker has no module any more
            ['systemctl', 'show', '-p', ','.join(keys), '--', unit],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_SHOW_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return {}
    return parse(done.stdout.decode('utf-8', 'replace'), keys)


def _read(unit: str) -> t.Dict[str, str]:
    """From its file and what was added to it, where systemd cannot be asked."""
    for directory in UNIT_DIRS:
        fields = parse(_text(os.path.join(directory, unit)))
        if fields:
            more = os.path.join(directory, unit + '.d')
            names = sorted(os.listdir(more)) if os.path.isdir(more) else []
            for name in names:
                fields.update(parse(_text(os.path.join(more, name))) if name.endswith('.conf') else {})
            return fields
    return {}


def _text(path: str) -> str:
    try:
        return files.read_system(path).decode('utf-8', 'replace')
    except (OSError, files.UnsafePath):
        return ''
