# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Which process is the instance: exactly one, or none, or nothing is touched.

By the file that it executes and by who runs it, never by a name. What executes the file for anybody else is a stranger:
it is shown and left alone. A process whose executable may not be read but that could be the instance is reported as
unseen: not knowing is not the same as stopped.
"""

import errno
import os
import re
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import cgroups as _cgroups
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.names import name_of
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import executed_file as files
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state as _state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import units, users
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import Instance
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.strangers import Stranger

_COMM_LENGTH = 15
_HIDDEN = procfs.GONE + (errno.EACCES, errno.EPERM)
split_deleted = files.split_deleted
_PORT = re.compile(r'[0-9]{1,5}\Z')
_MOST = 50  # processes of one instance that are looked at: from two on nothing is touched
_MOST_NAMED = 10
# A child between fork and exec, and another user's process of that name between its last instruction and its end, when
# it has no arguments any more, are seen for a moment only.
_LOOK_AGAIN_S = (0.02, 0.02, 0.02, 0.02, 0.02, 0.2, 0.3)


class Candidate(t.NamedTuple):
    """``uid``: the real one. ``file``: device and inode of what it executes."""

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
    file: t.Optional[files.FileId] = None
    replaced: bool = False  # its file is not the one on disk any more


class Found(t.NamedTuple):
    """``unseen``: pids that could be the instance but may not be looked at. ``hidden``: /proc hides whole processes."""

    candidates: t.List[Candidate]
    unseen: t.List[int]
    hidden: bool
    strangers: t.Sequence[Stranger] = ()


class _Exe(t.NamedTuple):
    """What a process executes. ``forbidden``: it executes something that this user may not see."""

    file: t.Optional[files.FileId]
    text: t.Optional[str]
    forbidden: bool = False


def _exe_of(path: str) -> t.Optional[_Exe]:
    """What /proc/PID leads to; None when it executes nothing (any more).

    Two system calls for nearly every process of the host: a directory handle is opened only for those that may match.
    """
    try:
        text: t.Optional[str] = os.readlink(path + '/exe')
    except OSError as exc:
        if exc.errno in (errno.EACCES, errno.EPERM):
            return _Exe(None, None, True)
        if exc.errno in procfs.GONE:
            return None
        if exc.errno != errno.ENAMETOOLONG:  # anybody can put a program so deep; no instance lies there
            raise
        text = None
    try:
        found = os.stat(path + '/exe')
    except OSError:  # on a file system of its own user's, which lets nobody else look
        return _Exe(None, text)
    return _Exe((found.st_dev, found.st_ino), text)


def _exe_of_threads(pid: int) -> t.Optional[_Exe]:
    """The leader of a process can be a zombie, which has no executable, while its threads live on."""
    try:
        if procfs.parse_stat(procfs.read('/proc/%d/stat' % pid)).state not in 'ZX':
            return None  # a thread of the kernel
        tasks = os.listdir('/proc/%d/task' % pid)
    except OSError as exc:
        if exc.errno in _HIDDEN:
            return None
        raise
    exes = (_exe_of('/proc/%d/task/%s' % (pid, task)) for task in tasks)
    return next((exe for exe in exes if exe is not None and exe.text is not None), None)


def _file_id(path: str, dir_fd: t.Optional[int] = None) -> t.Optional[files.FileId]:
    try:
        found = os.stat(path, dir_fd=dir_fd)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def target_of(instance: Instance) -> files.Target:
    path = instance.executable
    return files.Target(instance.dir, instance.binary, _file_id(path), _file_id(instance.dir), os.path.realpath(path))


class _Scan:
    """One look at all processes of the host."""

    def __init__(self, instance: Instance, state: t.Optional[_state.StateDir], user: users.Named) -> None:
        self.instance, self.state, self.user = instance, state, user
        self.target = target_of(instance)
        self.recorded = _recorded(state)
        self.candidates: t.List[Candidate] = []
        self.unseen: t.List[int] = []
        self.strangers: t.List[Stranger] = []
        self._known_users: t.Optional[users.Users] = None
        self.units: t.Dict[t.Optional[str], t.Optional[int]] = {}  # the user that a unit names
        for pid in procfs.list_pids():
            exe = _exe_of('/proc/%d' % pid) or _exe_of_threads(pid)
            if exe is not None and (exe.forbidden or self._is_worth_a_look(pid, exe)):
                self._look(pid, exe)
            if len(self.candidates) >= _MOST:
                break

    def _is_worth_a_look(self, pid: int, exe: _Exe) -> bool:
        return pid in self.recorded or files.may_be(self.target, exe.file, exe.text or '')

    def _look(self, pid: int, exe: _Exe) -> None:
        try:
            with procfs.ProcDir(pid) as proc:
                if exe.forbidden:
                    self._look_at_unseen(proc)
                else:
                    self._look_at(proc, exe)
        except OSError as exc:  # ended meanwhile, or not ours to look at; no descriptor left, for example, is no answer
            if exc.errno not in _HIDDEN:
                raise

    def _look_at_unseen(self, proc: procfs.ProcDir) -> None:
        if _may_be(self.instance, proc) and self._is_user(proc, procfs.real_uid(proc.read('status'))):
            self.unseen.append(proc.pid)

    def _look_at(self, proc: procfs.ProcDir, exe: _Exe) -> None:
        stat, argv, uid, text = proc.stat(), proc.argv(), procfs.real_uid(proc.read('status')), exe.text or ''
        if stat is None or procfs.is_dead(stat) or not _is_here(proc):
            return
        sight = files.Sight(
            exe.file, text, _same(proc, 'ns/mnt'), uid, argv, _file_id('cwd', proc.fd), self._is_recorded(stat, exe)
        )
        how = files.match(self.target, sight)
        if how is None:
            return
        if stat.state != 'Z' and proc.optional_link('exe') != text:  # the pid was given to another process meanwhile
            return
        if not self._is_user(proc, uid):
            self._note_stranger(proc.pid, uid, text)
            return
        path, deleted = split_deleted(text)
        self.candidates.append(
            Candidate(
                proc.pid,
                stat.start_ticks,
                path,
                deleted,
                proc.optional_link('cwd'),
                argv,
                uid,
                stat.ppid,
                stat.state,
                stat.threads,
                exe.file,
                how not in (files.OWN, files.SHARED),
            )
        )

    def _note_stranger(self, pid: int, uid: int, text: str) -> None:
        why = 'it executes the file of the instance, but %s is not one of its users: %s' % (
            name_of(uid),
            self._users().text(),
        )
        self.strangers.append(Stranger(pid, uid, text, why))

    def _is_recorded(self, stat: procfs.Stat, exe: _Exe) -> bool:
        entry = self.recorded.get(stat.pid) or {}
        if entry.get('start_ticks') != stat.start_ticks:
            return False
        noted = entry.get('exe')
        return exe.file is not None and (not noted or tuple(noted) == exe.file)

    def _users(self) -> users.Users:
        if self._known_users is None:
            self._known_users = users.users_of(self.instance, self.state, self.user)
        return self._known_users

    def _is_user(self, proc: procfs.ProcDir, uid: int) -> bool:
        return self._users().has(uid) or self._unit_uid(proc) == uid

    def _unit_uid(self, proc: procfs.ProcDir) -> t.Optional[int]:
        cgroups = _cgroups.parse(proc.read('cgroup').decode('utf-8', 'surrogateescape'))
        unit = units.system_unit(cgroups)
        if unit not in self.units:
            found = units.unit_and_uid(self.instance, cgroups)
            self.units[unit] = None if found is None else found[1]
        return self.units[unit]


def _recorded(state: t.Optional[_state.StateDir]) -> t.Dict[int, _state.Entry]:
    """The last entry of each pid that was noted in this boot. A damaged history has none."""
    try:
        history = state.history() if state is not None else []
    except (OSError, LifecycleError):
        return {}
    boot = procfs.boot_id() if history else ''
    return {entry['pid']: entry for entry in history if entry.get('boot_id') == boot and entry.get('pid')}


def _may_be(instance: Instance, proc: procfs.ProcDir) -> bool:
    argv, stat = proc.argv(), proc.stat()
    if argv and (argv[0] == instance.executable or os.path.basename(argv[0]) == instance.binary):
        return argv[0] == instance.executable or not os.path.isabs(argv[0])
    return not argv and stat is not None and stat.comm == instance.binary[:_COMM_LENGTH] and stat.state not in 'ZX'


def _same(proc: procfs.ProcDir, namespace: str) -> bool:
    """Whether it shares a namespace with this process; what cannot be read counts as shared."""
    return proc.optional_link(namespace) in (None, os.readlink('/proc/self/' + namespace))


def _is_here(proc: procfs.ProcDir) -> bool:
    """Not a container's: in our PID namespace. Mounts of its own make no container: PrivateTmp has them too."""
    return _same(proc, 'ns/pid')


def argv_port(argv: t.Sequence[str]) -> t.Optional[int]:
    """The port of ``-port N``, ``--port N`` or ``-port=N``, None when there is none or it is not a number."""
    for index, word in enumerate(argv[1:], 1):
        name, equals, value = word.partition('=')
        if name in ('-port', '--port'):
            text = value if equals else (argv[index + 1] if index + 1 < len(argv) else '')
            return int(text) if _PORT.match(text) and 0 < int(text) < 65536 else None
    return None


def is_own_child(candidates: t.Sequence[Candidate]) -> bool:
    """Whether one candidate is the child of another: a child between fork and exec still shows its parent's file."""
    pids = {candidate.pid for candidate in candidates}
    return any(candidate.ppid in pids for candidate in candidates)


def find(
    instance: Instance,
    port: t.Optional[int] = None,
    state: t.Optional[_state.StateDir] = None,
    user: users.Named = None,
) -> Found:
    """All processes that match. ``port`` tells two processes of one file apart when exactly one was started with it.

    ``state``: what was recorded and proved of it before. ``user``: one more user of the instance.
    """
    scan = _Scan(instance, state, user)
    for wait in _LOOK_AGAIN_S:
        if not is_own_child(scan.candidates) and (scan.candidates or not scan.unseen):
            break
        time.sleep(wait)
        scan = _Scan(instance, state, user)
    candidates = scan.candidates
    if port is not None and 1 < len(candidates) < _MOST:
        with_port = [candidate for candidate in candidates if argv_port(candidate.argv) == port]
        candidates = with_port if len(with_port) == 1 else candidates
    return Found(candidates, scan.unseen, procfs.some_are_hidden(), scan.strangers)


def pick(instance: Instance, found: Found) -> t.Optional[Candidate]:
    """The one process of the instance, None when it has none. LifecycleError when that cannot be said."""
    if len(found.candidates) > 1:
        listing = '; '.join(
            'pid %d, uid %d, cwd %s, %s' % (c.pid, c.uid, c.cwd, ' '.join(c.argv)[:200])
            for c in found.candidates[:_MOST_NAMED]
        ) + ('; ...' if len(found.candidates) > _MOST_NAMED else '')
        raise LifecycleError(
            '%d processes match instance %s (%s). No process was signalled. End the one that does not belong there, or '
            'set port to the port of the right one.' % (len(found.candidates), instance.id, listing),
            pids=[c.pid for c in found.candidates],
        )
    if found.candidates:
        return found.candidates[0]
    if found.unseen:
        raise LifecycleError(
            'Process %s may be instance %s, but this user has no permission to inspect its executable. No process was '
            'signalled. Run as root or as the user of that process.'
            % (', '.join(map(str, found.unseen[:_MOST_NAMED])), instance.id),
            unseen=found.unseen,
        )
    return None
