# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Who an instance was, and who else of its host has its name: from the process history and from /proc."""

import os
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils import (
    _cgroups,
    _files,
    _host,
    _launch,
    _procfs,
    _selection,
    _state,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import Instance
from ansible_collections.anqicms.lifecycle.plugins.module_utils._oom_identity import COMM_BYTES, Life, Other, Subject
from ansible_collections.anqicms.lifecycle.plugins.module_utils._userspace_oom import SERVICES

_PAGE_KB = os.sysconf('SC_PAGE_SIZE') // 1024


class Task(t.NamedTuple):
    """A process of the host. ``begin``: seconds since the epoch."""

    pid: int
    comm: str
    begin: float
    rss: int  # kB


class HostTasks(t.NamedTuple):
    tasks: t.Tuple[Task, ...]
    killers: t.Tuple[str, ...]

    def largest(self) -> t.Optional[t.Tuple[str, int]]:
        if not self.tasks:
            return None
        task = max(self.tasks, key=lambda task: task.rss)
        return task.comm, task.rss


def memory_cgroup(cgroups: t.Mapping[str, str]) -> t.Optional[str]:
    """The group whose limit counts: of the memory controller, or of version 2."""
    for controllers, path in cgroups.items():
        if 'memory' in controllers.split(','):
            return path
    return cgroups.get('')


def lives_of_history(entries: t.Iterable[_state.Entry]) -> t.List[Life]:
    """The processes that were seen, oldest first. An entry tells both clocks, so its boot need not be known. Pure."""
    found = {}  # type: t.Dict[t.Tuple[t.Any, ...], Life]
    for entry in entries:
        try:
            key = (entry['pid'], entry['start_ticks'], entry['boot_id'])
            begin = entry['at'] - entry['monotonic'] + _procfs.seconds_of(entry['start_ticks'])
            life = Life(int(entry['pid']), begin, float(entry['at']), False, entry.get('uid'),
                        memory_cgroup(entry.get('cgroups') or {}))
        except (KeyError, TypeError, ValueError):
            continue
        found[key] = life._replace(begin=found[key].begin) if key in found else life
    return sorted(found.values(), key=lambda life: life.begin)


def history(instance: Instance, base: t.Optional[str]) -> t.List[_state.Entry]:
    """The process history; empty where it may not be read or is not believed."""
    try:
        return _state.StateDir(instance, base).history()
    except (OSError, LifecycleError):
        return []


def cgroups_of(pid: int) -> t.Dict[str, str]:
    """Paths by controllers; empty when it is gone or may not be looked at."""
    try:
        return _launch.parse_cgroups(_procfs.read_text('/proc/%d/cgroup' % pid))
    except OSError:
        return {}


def cgroup_of(pid: int) -> t.Optional[str]:
    return memory_cgroup(cgroups_of(pid))


def running_lives(candidates: t.Iterable[_selection.Candidate]) -> t.List[Life]:
    now, boot = time.time(), _procfs.booted_at()
    return [Life(found.pid, boot + _procfs.seconds_of(found.start_ticks), now, True, found.uid, cgroup_of(found.pid))
            for found in candidates]


def lives(candidates: t.Sequence[_selection.Candidate], entries: t.Iterable[_state.Entry]) -> t.Tuple[Life, ...]:
    """History and present together; what runs now is known better from /proc."""
    running = running_lives(candidates)
    past = [life for life in lives_of_history(entries)
            if not any(now.pid == life.pid and abs(now.begin - life.begin) < 2.0 for now in running)]
    return tuple(sorted(past + running, key=lambda life: life.begin))


# --- the host


def host_tasks() -> HostTasks:
    tasks = []
    boot = _procfs.booted_at()
    for pid in _procfs.list_pids():
        try:
            stat = _procfs.parse_stat(_procfs.read('/proc/%d/stat' % pid))
            pages = int(_procfs.read('/proc/%d/statm' % pid).split()[1])
        except (OSError, ValueError, IndexError):
            continue
        tasks.append(Task(pid, stat.comm, boot + _procfs.seconds_of(stat.start_ticks), pages * _PAGE_KB))
    names = {task.comm for task in tasks}
    return HostTasks(tuple(tasks), tuple(name for name in SERVICES if name[:COMM_BYTES] in names))


def others(instance: Instance, own: t.Container[int], tasks: HostTasks, base: t.Optional[str]) -> t.Tuple[Other, ...]:
    """Whoever else can have died under this name: other instances, and other processes that bear it."""
    host = _host.Host(instance.binary, [os.path.dirname(instance.dir)])
    same_name = [task for task in tasks.tasks
                 if task.pid not in own and task.comm == instance.binary[:COMM_BYTES]]
    exes = {process.pid: process.exe for process in host.table}
    found = []
    for other in host.instances:
        if other.dir != instance.dir and other.binary[:COMM_BYTES] == instance.binary[:COMM_BYTES]:
            mine = [task for task in same_name if exes.get(task.pid) == other.executable]
            same_name = [task for task in same_name if task not in mine]
            found.append(_instance(other, mine, base))
    return tuple(found + [_process(task, exes.get(task.pid)) for task in same_name])


def _instance(other: Instance, tasks: t.Sequence[Task], base: t.Optional[str]) -> Other:
    past = tuple(lives_of_history(history(other, base)))
    if not tasks:
        uid, cgroup = (past[-1].uid, past[-1].cgroup) if past else (None, None)
        return Other(other.id, None, uid, cgroup, past)
    newest = max(tasks, key=lambda task: task.begin)
    return Other(other.id, newest.begin, _uid_of(newest.pid), cgroup_of(newest.pid), past)


def _process(task: Task, exe: t.Optional[str]) -> Other:
    return Other('pid %d (%s)' % (task.pid, exe or task.comm), task.begin, _uid_of(task.pid), cgroup_of(task.pid))


def _uid_of(pid: int) -> t.Optional[int]:
    try:
        return os.stat('/proc/%d' % pid).st_uid
    except OSError:
        return None


def subject(instance: Instance, candidates: t.Sequence[_selection.Candidate], tasks: HostTasks,
            pid: t.Optional[int], base: t.Optional[str], launch_uid: t.Optional[int]) -> Subject:
    known = lives(candidates, history(instance, base))
    uids = {life.uid for life in known} | {launch_uid}
    own = {found.pid for found in candidates}
    comm = os.fsencode(instance.binary)
    return Subject(comm, pid, frozenset(uid for uid in uids if uid is not None), known,
                   others(instance, own, tasks, base))


# --- memory


def meminfo() -> t.Dict[str, int]:
    """Sizes of /proc/meminfo in kB."""
    rows = [line.replace(':', ' ').split() for line in _procfs.read_text('/proc/meminfo').split('\n')]
    return {row[0]: int(row[1]) for row in rows if len(row) > 1 and row[1].isdigit()}


def limit_of(cgroups: t.Mapping[str, str]) -> t.Optional[int]:
    """The memory limit of a control group in kB, None where it has none or it cannot be read."""
    for controllers, name in (('memory', 'memory.limit_in_bytes'), ('', 'memory.max')):
        for known, path in cgroups.items():
            if controllers in known.split(','):
                limit = _limit(known, path, name)
                if limit is not None:
                    return limit
    return None


def _limit(controllers: str, path: str, name: str) -> t.Optional[int]:
    try:
        procs = _cgroups.procs_file(controllers, path, _procfs.read_text('/proc/self/mountinfo'))
        if procs is None:
            return None
        text = _files.read_system(os.path.join(os.path.dirname(procs), name)).decode('ascii', 'replace').strip()
    except (OSError, LifecycleError):
        return None
    bytes_ = int(text) if text.isdigit() else None
    return None if bytes_ is None or bytes_ >= 1 << 60 else bytes_ // 1024
