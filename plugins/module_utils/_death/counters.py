# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What the kernel has counted: memory kills since the boot, memory kills of a control group, and when the boot was.

A counter survives a log that is lost or wrapped. It says how many and not when or who. What cannot be read is None.
"""

import os
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.events import Coverage, Evidence
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import cgroups as _cgroups
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import files, procfs

_BOOTTIME = 7  # CLOCK_BOOTTIME: Python 3.6 has no name for it
_LIMIT = 65536


class HostCounters(t.NamedTuple):
    """``oom_kills``: kills for memory since the boot, on the whole host and in every control group of it."""

    oom_kills: t.Optional[int]
    why_not: t.Optional[str]
    now: float
    booted: t.Optional[float]  # seconds since the epoch, exact to one second
    boot_id: t.Optional[str]
    suspended: float  # seconds since the boot in which the clock of the kernel's log stood still


class GroupCounters(t.NamedTuple):
    """Of one control group, in version 2 with those below it, for as long as it exists."""

    path: str
    file: t.Optional[str]
    oom: t.Optional[int]  # times that the limit was reached and nothing could be freed
    oom_kills: t.Optional[int]
    oom_group_kills: t.Optional[int]  # times that all processes of the group were killed together
    since: t.Optional[float]  # the group was there at this time, perhaps longer
    why_not: t.Optional[str]


# --- pure


def parse_counts(data: bytes) -> t.Dict[str, int]:
    """Lines of a word and a number: /proc/stat, memory.events, memory.oom_control; anything else is left out."""
    counts = {}
    for line in data.split(b'\n'):
        fields = line.split()
        if len(fields) == 2 and fields[1].isdigit():
            counts[fields[0].decode('ascii', 'replace')] = int(fields[1])
    return counts


def parse_btime(data: bytes) -> t.Optional[float]:
    """When the host booted, from /proc/stat."""
    booted = parse_counts(data).get('btime')
    return None if booted is None else float(booted)


def host_coverage(host: HostCounters) -> Coverage:
    """The counter is raised before the signal is sent: 0 excludes a kill by the kernel between boot and now."""
    readable = host.oom_kills is not None
    begin = host.booted + 1.0 if host.booted is not None and readable else None
    return Coverage('vmstat', begin, host.now if readable else None, readable, host.why_not, begin is not None)


def host_evidence(host: HostCounters) -> Evidence:
    return Evidence('vmstat', '/proc/vmstat', None, None, 'oom_kill %s' % host.oom_kills)


def group_coverage(group: GroupCounters, now: float) -> Coverage:
    """It never tells of kills outside of its group, and nothing of a group that was removed and made again."""
    readable = group.oom_kills is not None
    return Coverage(
        'memory.events', group.since if readable else None, now if readable else None, readable, group.why_not, False
    )


def group_evidence(group: GroupCounters) -> Evidence:
    return Evidence('memory.events', group.file, None, None, 'oom_kill %s' % group.oom_kills)


# --- of this host


def read_host(proc: str = '/proc') -> HostCounters:
    now = time.time()
    try:
        kills = procfs.parse_oom_kills(procfs.read(os.path.join(proc, 'vmstat')))
        why_not = None if kills is not None else 'this kernel does not count OOM kills (older than 4.13)'
    except OSError as exc:
        kills, why_not = None, '%s cannot be read: %s' % (os.path.join(proc, 'vmstat'), exc.strerror)
    return HostCounters(kills, why_not, now, _booted(proc), _boot_id(), suspended())


def _booted(proc: str) -> t.Optional[float]:
    try:
        return parse_btime(procfs.read(os.path.join(proc, 'stat')))
    except OSError:
        return None


def _boot_id() -> t.Optional[str]:
    try:
        return procfs.boot_id()
    except OSError:
        return None


def suspended() -> float:
    """Seconds for which this host has slept since its boot."""
    try:
        return max(0.0, time.clock_gettime(_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC))
    except OSError:
        return 0.0


def read_groups(cgroups: t.Mapping[str, str]) -> t.List[GroupCounters]:
    """Of the memory groups among the control groups of a process (``''`` for version 2, ``memory`` for version 1)."""
    try:
        mountinfo = procfs.read_text('/proc/self/mountinfo')
    except OSError as exc:
        return [
            _unread(path, None, 'the mount points of the control groups cannot be read: %s' % exc.strerror)
            for path in cgroups.values()
        ][:1]
    found = [
        _read_group(controllers, path, mountinfo)
        for controllers, path in sorted(cgroups.items())
        if controllers == '' or 'memory' in controllers.split(',')
    ]
    readable = [group for group in found if group.oom_kills is not None]
    return readable or found[:1]


def _unread(path: str, file: t.Optional[str], why_not: str) -> GroupCounters:
    return GroupCounters(path, file, None, None, None, None, why_not)


def _read_group(controllers: str, path: str, mountinfo: str) -> GroupCounters:
    procs = _cgroups.procs_file(controllers, path, mountinfo)
    if procs is None:
        return _unread(path, None, 'control groups are not mounted here')
    file = os.path.join(os.path.dirname(procs), 'memory.oom_control' if controllers else 'memory.events')
    try:
        counts, since = parse_counts(files.read_system(file, _LIMIT)), os.stat(os.path.dirname(file)).st_mtime
    except FileNotFoundError:
        return _unread(
            path, file, '%s does not exist: the control group was removed, or memory is not limited there' % file
        )
    except (OSError, files.UnsafePath) as exc:
        return _unread(path, file, '%s cannot be read: %s' % (file, getattr(exc, 'strerror', None) or exc))
    if 'oom_kill' not in counts:
        return _unread(path, file, 'this kernel does not count OOM kills in %s' % file)
    return GroupCounters(path, file, counts.get('oom'), counts['oom_kill'], counts.get('oom_group_kill'), since, None)
