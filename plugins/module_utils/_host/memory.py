# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Memory: of the host, of a process, and what a control group may take. Sizes are kB; None is not known."""

import os
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import cgroups as _cgroups
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import files, procfs


def meminfo() -> t.Dict[str, int]:
    """Sizes of /proc/meminfo in kB."""
    rows = [line.replace(':', ' ').split() for line in procfs.read_text('/proc/meminfo').split('\n')]
    return {row[0]: int(row[1]) for row in rows if len(row) > 1 and row[1].isdigit()}


def of_process(pid: t.Optional[int]) -> t.Dict[str, t.Optional[int]]:
    """What a process holds in memory now, held at most, and has in the swap."""
    try:
        status = procfs.parse_status(procfs.read('/proc/%d/status' % pid)) if pid is not None else {}
    except OSError:
        status = {}
    return {
        name: _kilobytes(status.get(field))
        for name, field in (('rss_kb', 'VmRSS'), ('peak_kb', 'VmHWM'), ('swap_kb', 'VmSwap'))
    }


def _kilobytes(text: t.Optional[str]) -> t.Optional[int]:
    number = (text or '').split(' ')[0]
    return int(number) if number.isdigit() else None


def report(
    pid: t.Optional[int], cgroups: t.Mapping[str, str], environment: t.Optional[t.Mapping[str, str]]
) -> t.Dict[str, t.Any]:
    """For results: of one instance and of its host."""
    host = meminfo()
    return dict(
        of_process(pid),
        limit_kb=limit_of(cgroups),
        gomemlimit=environment.get('GOMEMLIMIT', '') if environment is not None else None,
        host_total_kb=host.get('MemTotal'),
        host_available_kb=host.get('MemAvailable'),
        host_swap_total_kb=host.get('SwapTotal'),
        host_swap_free_kb=host.get('SwapFree'),
    )


def limit_of(cgroups: t.Mapping[str, str]) -> t.Optional[int]:
    """The least memory limit of a control group and those above it, None where there is none or it cannot be read."""
    for controllers, name in (('memory', 'memory.limit_in_bytes'), ('', 'memory.max')):
        for known, path in cgroups.items():
            if controllers in known.split(','):
                limits = [limit for limit in _limits(known, path, name) if limit is not None]
                if limits:
                    return min(limits)
    return None


def _limits(controllers: str, path: str, name: str) -> t.Iterator[t.Optional[int]]:
    """From the group itself upwards, as far as it can be seen from here."""
    mountinfo = procfs.read_text('/proc/self/mountinfo')
    mount, procs = _cgroups.mount_of(controllers, mountinfo), _cgroups.procs_file(controllers, path, mountinfo)
    if mount is None or procs is None:
        return
    directory = os.path.dirname(procs)
    while directory.startswith(mount[0]):
        yield _limit(os.path.join(directory, name))
        directory = os.path.dirname(directory)


def _limit(path: str) -> t.Optional[int]:
    try:
        text = files.read_system(path).decode('ascii', 'replace').strip()
    except (OSError, LifecycleError):
        return None
    bytes_ = int(text) if text.isdigit() else None
    return None if bytes_ is None or bytes_ >= 1 << 60 else bytes_ // 1024
