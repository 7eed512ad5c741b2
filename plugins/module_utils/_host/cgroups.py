# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Control groups: put a process back into those of its launch record, or out of a login session."""

import os
import re
import subprocess
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import procfs

SCOPE_TIMEOUT = 5.0


def parse(text: str) -> t.Dict[str, str]:
    """Parse /proc/PID/cgroup: controllers (``''`` for the unified hierarchy, ``name=systemd``, ``memory``) to path."""
    rows = [line.split(':', 2) for line in text.split('\n') if line.count(':') >= 2]
    return {row[1]: row[2] for row in rows}


def runs_systemd() -> bool:
    return os.path.isdir('/run/systemd/system')


def in_login_session(cgroups: t.Mapping[str, str]) -> bool:
    """Whether a control group belongs to somebody's login: it may be ended when they log out."""
    return any(re.search(r'/session-[^/]*\.scope|^/user\.slice/', path) for path in cgroups.values())


def mount_of(controllers: str, mountinfo: str) -> t.Optional[t.Tuple[str, str]]:
    """Mount point and root of a hierarchy, from the text of /proc/self/mountinfo."""
    wanted = set(controllers.split(',')) if controllers else set()
    for line in mountinfo.split('\n'):
        left, dash, right = line.partition(' - ')
        fields, kind = left.split(), right.split()
        if not dash or len(fields) < 5 or len(kind) < 3:
            continue
        unified = not controllers and kind[0] == 'cgroup2'
        if unified or (controllers and kind[0] == 'cgroup' and wanted <= set(kind[2].split(','))):
            return fields[4], fields[3]
    return None


def procs_file(controllers: str, path: str, mountinfo: str) -> t.Optional[str]:
    """The cgroup.procs file of a control group, None when its hierarchy is not mounted here."""
    mount = mount_of(controllers, mountinfo)
    if mount is None:
        return None
    point, root = mount
    if root != '/' and (path == root or path.startswith(root + '/')):
        path = path[len(root) :]
    return os.path.join(point + os.path.normpath('/' + path.lstrip('/')), 'cgroup.procs')


def own() -> t.Dict[str, str]:
    """The control groups of this process."""
    return parse(procfs.read_text('/proc/self/cgroup'))


def join(wanted: t.Mapping[str, str]) -> t.List[str]:
    """Move this process into the groups where it is not yet; returns what could not be done."""
    mine, mountinfo, failed = own(), procfs.read_text('/proc/self/mountinfo'), []
    for controllers, path in wanted.items():
        if mine.get(controllers) == path:
            continue
        target = procs_file(controllers, path, mountinfo)
        try:
            if target is None:
                raise OSError('its hierarchy is not mounted')
            with open(target, 'w') as stream:
                stream.write('0')
        except OSError as exc:
            failed.append('control group %s:%s: %s' % (controllers, path, exc.strerror or exc))
    return failed


def leave_login_session(name: str, pid: int) -> t.Optional[str]:
    """Ask systemd for a scope of its own in system.slice for ``pid``; returns why it could not be had."""
    command = [
        'busctl',
        '--timeout=%d' % SCOPE_TIMEOUT,
        'call',
        'org.freedesktop.systemd1',
        '/org/freedesktop/systemd1',
        'org.freedesktop.systemd1.Manager',
        'StartTransientUnit',
        'ssa(sv)a(sa(sv))',
        name + '.scope',
        'fail',
        '2',
        'PIDs',
        'au',
        '1',
        str(pid),
        'Slice',
        's',
        'system.slice',
        '0',
    ]
    try:
        subprocess.run(  # pylint: disable=ansible-bad-function  # the worker has no module any more
            command,
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=SCOPE_TIMEOUT,
        )
    except (OSError, subprocess.SubprocessError) as exc:
        return 'no systemd scope of its own (%s): it stays in the login session' % exc
    end = time.monotonic() + SCOPE_TIMEOUT
    while time.monotonic() < end:
        if not in_login_session(parse(procfs.read_text('/proc/%d/cgroup' % pid))):
            return None
        time.sleep(0.005)
    return 'systemd did not move the process into its scope in %d s' % SCOPE_TIMEOUT
