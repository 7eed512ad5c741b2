# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Who an instance was, and who else of its host has its name: from the process history and from /proc."""

import os
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.identity import COMM_BYTES, Other, Subject
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.userspace import SERVICES
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._info import host as _host
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import discovery, lives, selection, state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import Instance
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.lives import Life

_PAGE_KB = os.sysconf('SC_PAGE_SIZE') // 1024
_SAME_START_S = 2.0
_KTHREADD = 2  # the pid of the parent of the kernel's threads, as the kernel counts
_FIRST_PID_NAMESPACE = 0xEFFFFFFC  # its inode, the same on all kernels


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


# --- the host


def host_tasks() -> HostTasks:
    tasks = []
    boot = procfs.booted_at()
    for pid in procfs.list_pids():
        try:
            stat = procfs.parse_stat(procfs.read('/proc/%d/stat' % pid))
            pages = int(procfs.read('/proc/%d/statm' % pid).split()[1])
        except (OSError, ValueError, IndexError):
            continue
        tasks.append(Task(pid, stat.comm, boot + procfs.seconds_of(stat.start_ticks), pages * _PAGE_KB))
    names = {task.comm for task in tasks}
    return HostTasks(tuple(tasks), tuple(name for name in SERVICES if name[:COMM_BYTES] in names))


def others(instance: Instance, own: t.Container[int], tasks: HostTasks, base: t.Optional[str]) -> t.Tuple[Other, ...]:
    """Whoever else can have died under this name: other instances, and other processes that bear it.

    Instances count that were recorded on this host, wherever they are, and also where they are gone since.
    """
    problems: t.List[str] = []
    recorded = discovery.attempt(problems, 'records', lambda: state.recorded(base, problems), [])
    host = _host.Host(instance.binary, [os.path.dirname(instance.dir)], [(one.dir, one.binary) for one in recorded])
    same_name = [task for task in tasks.tasks if task.pid not in own and task.comm == instance.binary[:COMM_BYTES]]
    exes = {process.pid: process.exe for process in host.table}
    found = []
    for other in host.instances:
        if other.dir != instance.dir and other.binary[:COMM_BYTES] == instance.binary[:COMM_BYTES]:
            mine = [task for task in same_name if exes.get(task.pid) == other.executable]
            same_name = [task for task in same_name if task not in mine]
            found.append(_instance(other, mine, base))
    unread = [
        Other('a recorded instance whose record cannot be read (%s)' % problem, None, None, None)
        for problem in problems
    ]
    return tuple(found + [_process(task, exes.get(task.pid)) for task in same_name] + unread)


def _instance(other: Instance, tasks: t.Sequence[Task], base: t.Optional[str]) -> Other:
    past = tuple(lives.lives_of_history(lives.history(other, base)))
    if not tasks:
        uid, cgroup = (past[-1].uid, past[-1].cgroup) if past else (None, None)
        return Other(other.id, None, uid, cgroup, past, dir=other.dir)
    newest = max(tasks, key=lambda task: task.begin)
    return Other(other.id, newest.begin, _uid_of(newest.pid), lives.cgroup_of(newest.pid), past, newest.pid, other.dir)


def _process(task: Task, exe: t.Optional[str]) -> Other:
    name = 'pid %d (%s)' % (task.pid, exe or task.comm)
    return Other(name, task.begin, _uid_of(task.pid), lives.cgroup_of(task.pid), pid=task.pid)


def _uid_of(pid: int) -> t.Optional[int]:
    try:
        return os.stat('/proc/%d' % pid).st_uid
    except OSError:
        return None


def subject(
    instance: Instance,
    candidates: t.Sequence[selection.Candidate],
    tasks: HostTasks,
    pid: t.Optional[int],
    base: t.Optional[str],
    launch_uid: t.Optional[int],
    history: t.Iterable[state.Entry],
) -> Subject:
    known = lives.lives(candidates, history)
    mine = tuple(task for task in tasks.tasks if any(_is_of(task, life) for life in known))  # zombies too
    uids = {life.uid for life in known} | {launch_uid}
    own = {found.pid for found in candidates} | {task.pid for task in mine}
    comm = os.fsencode(instance.binary)
    return Subject(
        comm,
        pid,
        frozenset(uid for uid in uids if uid is not None),
        known,
        others(instance, own, tasks, base),
        is_contained(),
    )


def _is_of(task: Task, life: Life) -> bool:
    return task.pid == life.pid and abs(task.begin - life.begin) < _SAME_START_S


def is_contained() -> bool:
    """Whether the pids of /proc are others than those that the kernel and its log speak of.

    Its own threads are processes of the first namespace alone: where they are seen, /proc shows the kernel's numbers,
    whatever namespace this process is in.
    """
    try:
        if procfs.is_kernel_thread(procfs.read('/proc/%d/stat' % _KTHREADD)):
            return False
    except (OSError, ValueError, IndexError):
        pass  # hidden, or not there
    try:
        is_own = os.readlink('/proc/self') == str(os.getpid())  # else it is the /proc of another namespace
        return not is_own or os.stat('/proc/self/ns/pid').st_ino != _FIRST_PID_NAMESPACE
    except OSError:
        return False
