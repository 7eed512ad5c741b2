# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Which process is the instance: exactly one, or none, or nothing is touched.

By the executable, never by a name: the kernel's link to the running file, its device and inode where one file serves
several directories, the working directory, the namespaces. A process whose executable may not be read but that could be
the instance is reported as unseen: not knowing is not the same as stopped.
"""

import errno
import os
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils import _procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import Instance

_DELETED = ' (deleted)'
_COMM_LENGTH = 15


class Candidate(t.NamedTuple):
    pid: int
    start_ticks: int
    exe: str
    deleted: bool
    cwd: t.Optional[str]
    argv: t.List[str]
    uid: int
    ppid: int
    state: str
    threads: int


class Found(t.NamedTuple):
    """``unseen``: pids that could be the instance but may not be looked at. ``hidden``: /proc hides whole processes."""

    candidates: t.List[Candidate]
    unseen: t.List[int]
    hidden: bool


def split_deleted(exe: str) -> t.Tuple[str, bool]:
    return (exe[: -len(_DELETED)], True) if exe.endswith(_DELETED) else (exe, False)


def exe_matches(instance: Instance, exe: str, target: str) -> t.Optional[str]:
    """``own``: the instance's own path (or its ``.old`` after an upgrade); ``shared``: the file behind its link."""
    path = split_deleted(exe)[0]
    if path in (instance.executable, instance.executable + '.old'):
        return 'own'
    return 'shared' if path == target else None


def _exe_of(pid: int) -> t.Tuple[t.Optional[str], bool]:
    """Its executable, and whether it may exist without our being allowed to see it.

    One system call for nearly every process of the host: a directory handle is opened only for those that may match.
    """
    try:
        return os.readlink('/proc/%d/exe' % pid), False
    except OSError as exc:
        if exc.errno in (errno.EACCES, errno.EPERM):
            return None, True
        if exc.errno not in _procfs.GONE:
            raise
    return _exe_of_threads(pid), False


def _exe_of_threads(pid: int) -> t.Optional[str]:
    """The leader of a process can be a zombie, which has no executable, while its threads live on."""
    try:
        if _procfs.parse_stat(_procfs.read('/proc/%d/stat' % pid)).state not in 'ZX':
            return None  # a thread of the kernel
        tasks = os.listdir('/proc/%d/task' % pid)
    except OSError as exc:
        if exc.errno in _procfs.GONE + (errno.EACCES, errno.EPERM):
            return None
        raise
    for task in tasks:
        try:
            return os.readlink('/proc/%d/task/%s/exe' % (pid, task))
        except OSError:
            continue
    return None


def _may_be(instance: Instance, proc: _procfs.ProcDir) -> bool:
    argv, stat = proc.argv(), proc.stat()
    if argv and (argv[0] == instance.executable or os.path.basename(argv[0]) == instance.binary):
        return argv[0] == instance.executable or not os.path.isabs(argv[0])
    return not argv and stat is not None and stat.comm == instance.binary[:_COMM_LENGTH] and stat.state not in 'ZX'


def _is_ours(instance: Instance, proc: _procfs.ProcDir) -> bool:
    """Not a container's: in our PID namespace, and its path names the same directory where it has mounts of its own.

    Mounts of its own alone make no container: a systemd unit with PrivateTmp has them too.
    """
    if proc.optional_link('ns/pid') not in (None, os.readlink('/proc/self/ns/pid')):
        return False
    if proc.optional_link('ns/mnt') in (None, os.readlink('/proc/self/ns/mnt')):
        return True
    try:
        theirs, ours = os.stat('root' + instance.dir, dir_fd=proc.fd), os.stat(instance.dir)
    except OSError as exc:
        if exc.errno in (errno.ENOENT, errno.ENOTDIR, errno.ESRCH):
            return False
        raise
    return (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino)


def _uses_the_link(instance: Instance, cwd: t.Optional[str], argv: t.Sequence[str], uid: int) -> bool:
    """Whether a process of a file that the instance's binary is a link to belongs to this instance.

    Whoever owns the directory can point the link anywhere, at a shell for example, and other users' processes are not
    theirs.
    """
    if os.stat(instance.dir).st_uid not in (0, uid):
        return False
    return cwd == instance.dir or bool(argv and argv[0] == instance.executable)


def _candidate(instance: Instance, proc: _procfs.ProcDir, exe: str, how: str) -> t.Optional[Candidate]:
    stat, status, argv = proc.stat(), proc.status(), proc.argv()
    cwd = proc.optional_link('cwd')
    if stat is None or _procfs.is_dead(stat) or not _is_ours(instance, proc):
        return None
    if stat.state != 'Z' and proc.optional_link('exe') != exe:  # the pid was given to another process meanwhile
        return None
    uid = int(status['Uid'].split()[1])
    if how == 'shared' and not _uses_the_link(instance, cwd, argv, uid):
        return None
    path, deleted = split_deleted(exe)
    return Candidate(
        proc.pid,
        stat.start_ticks,
        path,
        deleted,
        cwd,
        argv,
        uid,
        stat.ppid,
        stat.state,
        stat.threads,
    )


def _look(instance: Instance, pid: int, exe: t.Optional[str], how: t.Optional[str]) -> t.Union[Candidate, bool]:
    """The candidate, or whether an unreadable process may be one."""
    try:
        with _procfs.ProcDir(pid) as proc:
            if exe and how:
                return _candidate(instance, proc, exe, how) or False
            return _may_be(instance, proc)
    except OSError as exc:  # ended meanwhile, or not ours to look at; anything else (no descriptor left) is no answer
        if exc.errno in _procfs.GONE + (errno.EACCES, errno.EPERM):
            return False
        raise


def _scan(instance: Instance) -> t.Tuple[t.List[Candidate], t.List[int]]:
    candidates, unseen = [], []  # type: t.List[Candidate], t.List[int]
    target = os.path.realpath(instance.executable)
    for pid in _procfs.list_pids():
        exe, forbidden = _exe_of(pid)
        how = exe_matches(instance, exe, target) if exe else None
        if how or forbidden:
            found = _look(instance, pid, exe, how)
            if isinstance(found, Candidate):
                candidates.append(found)
            elif found:
                unseen.append(pid)
    return candidates, unseen


def argv_port(argv: t.Sequence[str]) -> t.Optional[int]:
    """The port of ``-port N``, ``--port N`` or ``-port=N``, None when there is none or it is not a number."""
    for index, word in enumerate(argv[1:], 1):
        name, equals, value = word.partition('=')
        if name in ('-port', '--port'):
            text = value if equals else (argv[index + 1] if index + 1 < len(argv) else '')
            return int(text) if text.isdigit() and 0 < int(text) < 65536 else None
    return None


def is_own_child(candidates: t.Sequence[Candidate]) -> bool:
    """Whether one candidate is the child of another: a child between fork and exec still shows its parent's file."""
    pids = {candidate.pid for candidate in candidates}
    return any(candidate.ppid in pids for candidate in candidates)


def find(instance: Instance, port: t.Optional[int] = None) -> Found:
    """All processes that match. ``port`` tells two processes of one file apart when exactly one was started with it."""
    candidates, unseen = _scan(instance)
    for _look_again in range(5):
        if not is_own_child(candidates):
            break
        time.sleep(0.02)
        candidates, unseen = _scan(instance)
    if port is not None and len(candidates) > 1:
        with_port = [candidate for candidate in candidates if argv_port(candidate.argv) == port]
        candidates = with_port if len(with_port) == 1 else candidates
    return Found(candidates, unseen, _procfs.some_are_hidden())


def pick(instance: Instance, found: Found) -> t.Optional[Candidate]:
    """The one process of the instance, None when it has none. LifecycleError when that cannot be said."""
    if len(found.candidates) > 1:
        listing = '; '.join(
            'pid %d, uid %d, cwd %s, %s' % (c.pid, c.uid, c.cwd, ' '.join(c.argv)) for c in found.candidates
        )
        raise LifecycleError(
            '%d processes match instance %s (%s). No process was signalled. End the one that does not belong '
            'there, or give port to tell them apart.' % (len(found.candidates), instance.id, listing),
            pids=[c.pid for c in found.candidates],
        )
    if found.candidates:
        return found.candidates[0]
    if found.unseen:
        raise LifecycleError(
            'Process %s may be instance %s, but this user may not look at its executable. No process was '
            'signalled. Run as root or as the user of that process.' % (', '.join(map(str, found.unseen)), instance.id),
            unseen=found.unseen,
        )
    return None
