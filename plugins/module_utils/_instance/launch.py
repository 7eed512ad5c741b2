# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The launch record: how the instance was last seen running, read from the kernel's view of its process.

What was seen is evidence, and gives no rights: ``_start/sighting.py`` decides what of it a start follows. Beside it
stands what the last start was made with that we proved.
"""

import errno
import os
import re
import resource
import signal
import stat
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import cgroups as _cgroups
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import traits as _traits
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.secrets import MASK
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import records as _records
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state as _state

SHIM_NAME = 'kill-at-start-shim'
_LIMIT_NAMES = (  # in the order of the kernel's RLIMIT_* numbers on every architecture but alpha, mips and sparc
    'cpu time',
    'file size',
    'data size',
    'stack size',
    'core file size',
    'resident set',
    'processes',
    'open files',
    'locked memory',
    'address space',
    'file locks',
    'pending signals',
    'msgqueue size',
    'nice priority',
    'realtime priority',
    'realtime timeout',
)
_SHOWN = (
    'PATH',
    'HOME',
    'LANG',
    'LC_ALL',
    'LC_CTYPE',
    'TZ',
    'USER',
    'LOGNAME',
    'SHELL',
    'PWD',
    'GOMEMLIMIT',
    'GOGC',
    'GOMAXPROCS',
    'GODEBUG',
    'GOTRACEBACK',
)
_TERMINALS = (4, 5, 136, 137, 138, 139, 140, 141, 142, 143)  # device numbers of consoles and pseudo terminals
_STACK = str(resource.RLIMIT_STACK)  # a quarter of it is for arguments and variables, at least ARG_MAX, at most 6 MiB
_ARG_MAX, _SLACK = 128 << 10, 16 << 10
_MOST_SHOWN, _LONGEST_SHOWN = 200, 1000  # arguments or variables in a result, and characters of each


class Output(t.NamedTuple):
    """Where a process writes. ``log``: the regular file behind standard output, else that behind standard error.

    ``kind`` and ``error``: what standard output and standard error are (file, null, pipe, socket, terminal, closed,
    other), the latter None where it is the same file.
    ``found``: ``same`` when the log's path on this host is the very file, ``gone`` when it was, None when that text is
    of other mounts and says nothing here. ``number``: the descriptor of the log.
    """

    kind: t.Optional[str] = None
    error: t.Optional[str] = None
    log: t.Optional[str] = None
    found: t.Optional[str] = None
    number: int = 1


class LaunchRecord(t.NamedTuple):
    argv: t.List[str]
    environment: t.Dict[str, str]
    uid: int  # the real one
    gid: int  # the effective one, as is what the groups allow
    groups: t.List[int]
    umask: t.Optional[int]
    limits: t.Dict[str, t.List[int]]  # RLIMIT number -> soft, hard; -1 is unlimited
    nice: int
    oom_score_adj: int
    cgroups: t.Dict[str, str]  # controllers of /proc/PID/cgroup -> path; '' is the unified hierarchy
    label: t.Optional[str]
    cwd: t.Optional[str]
    log: t.Optional[str]  # the regular file that takes its output
    ignores_hup: bool  # started by nohup
    log_found: t.Optional[str] = None  # as in Output
    log_file: t.Optional[t.List[int]] = None  # device and inode, noted before we stop it
    output: t.Optional[str] = None  # what standard output is, as Output.kind
    error_output: t.Optional[str] = None  # what standard error is, None: the same
    traits: _traits.Traits = _traits.Traits()


class Proved(t.NamedTuple):
    """With what the last start was made that was proved."""

    uid: int
    gid: int
    groups: t.List[int]
    log: t.Optional[str]  # None where root did not choose it
    label: t.Optional[str]
    cgroups: t.Dict[str, str]
    pid: int
    start_ticks: int
    boot_id: str


def parse_limits(text: str) -> t.Dict[str, t.List[int]]:
    """Parse /proc/PID/limits."""
    limits = {}
    for line in text.split('\n'):
        match = re.match(r'Max (\S+(?: \S+)*) {2,}(\d+|unlimited) +(\d+|unlimited)', line)
        if match and match.group(1) in _LIMIT_NAMES:
            values = [-1 if value == 'unlimited' else int(value) for value in match.group(2, 3)]
            limits[str(_LIMIT_NAMES.index(match.group(1)))] = values
    return limits


def address_space(limits: t.Mapping[str, t.Sequence[int]]) -> t.Optional[int]:
    """The address space that a process may have (RLIMIT_AS), in kB; None where there is no limit."""
    soft = limits.get(str(_LIMIT_NAMES.index('address space')), [-1])[0]
    return soft // 1024 if soft >= 0 else None


def without_shim(environment: t.Mapping[str, str]) -> t.Dict[str, str]:
    """Without the directory in PATH that protects siblings at one start: it is no part of how the instance is run."""
    parts = environment.get('PATH', '').split(':')
    kept = [part for part in parts if os.path.basename(part) != SHIM_NAME]
    if len(kept) == len(parts):
        return dict(environment)
    cleaned = dict(environment, PATH=':'.join(kept))
    if not kept:
        del cleaned['PATH']
    return cleaned


class Parked:
    """A child that is ready to become the instance. Made by _start/spawn.py, which whoever only looks does not load."""

    pid = 0

    def abandon(self) -> None:
        """End it; no other takes its place."""
        raise NotImplementedError

    def started_record(self) -> LaunchRecord:
        """As it was started, for the next start."""
        raise NotImplementedError

    def proved_log(self) -> t.Optional[str]:
        """The log as a proved start has it."""
        raise NotImplementedError


class NoRecord(PermissionError):
    """How it runs can be read, but nothing could be started so: see ``strerror``."""

    def __init__(self, pid: int, why: str) -> None:
        PermissionError.__init__(
            self, errno.EACCES, 'process %d cannot be used as a template for a start: %s' % (pid, why)
        )


def _whole(proc: procfs.ProcDir, name: str, what: str) -> t.List[str]:
    strings = proc.strings(name)
    if strings.why_cut:
        raise NoRecord(proc.pid, '%s %s, which is too large to be read or given to a program' % (what, strings.why_cut))
    return strings.items


def _arguments(proc: procfs.ProcDir) -> t.List[str]:
    words = _whole(proc, 'cmdline', 'its arguments')
    if not words:
        raise NoRecord(proc.pid, 'it has no arguments, not even a name')
    return words


def _environment(proc: procfs.ProcDir) -> t.Dict[str, str]:
    pairs = [item.partition('=') for item in _whole(proc, 'environ', 'the variables of its environment')]
    return without_shim({name: value for name, equals, value in pairs if equals and name})


def own_label() -> t.Optional[str]:
    with procfs.ProcDir(os.getpid()) as proc:
        return label_of(proc)


def label_of(proc: procfs.ProcDir) -> t.Optional[str]:
    try:
        return proc.read('attr/current').rstrip(b'\0\n').decode('utf-8', 'replace') or None
    except OSError:
        return None


def regular_target(link: t.Optional[str]) -> t.Optional[str]:
    """The path of a descriptor's link; None for a pipe, socket, terminal or /dev/null, which is not opened again."""
    if not link or not link.startswith('/') or link.startswith('/dev/'):
        return None
    return link[: -len(' (deleted)')] if link.endswith(' (deleted)') else link


def is_for_writing(fdinfo: bytes) -> bool:
    """Whether a descriptor may write, from /proc/PID/fdinfo/N."""
    flags = procfs.parse_flags(fdinfo)
    return flags & os.O_ACCMODE in (os.O_WRONLY, os.O_RDWR) and not flags & os.O_PATH


def _kind(proc: procfs.ProcDir, number: int) -> str:
    """What a descriptor is, for ``Output.kind``; ``file`` only for one that it can write already.

    Anybody may hold a descriptor that reads, or only points at, a file of root's.
    """
    name = 'fd/%d' % number
    try:
        found = os.stat(name, dir_fd=proc.fd)
        writes = is_for_writing(proc.read('fdinfo/%d' % number, 4096))
    except FileNotFoundError:
        return 'closed'
    if stat.S_ISREG(found.st_mode):
        return 'file' if writes and regular_target(proc.optional_link(name)) else 'other'
    if stat.S_ISCHR(found.st_mode):
        return 'null' if found.st_rdev == os.makedev(1, 3) else 'terminal' if _is_terminal(found.st_rdev) else 'other'
    return 'pipe' if stat.S_ISFIFO(found.st_mode) else 'socket' if stat.S_ISSOCK(found.st_mode) else 'other'


def _is_terminal(device: int) -> bool:
    return os.major(device) in _TERMINALS


def log_of(proc: procfs.ProcDir) -> t.Optional[str]:
    """The regular file that takes its standard output."""
    try:
        return regular_target(proc.optional_link('fd/1')) if _kind(proc, 1) == 'file' else None
    except OSError:
        return None


def output_of(proc: procfs.ProcDir) -> Output:
    """All kinds are None where this user may not look."""
    try:
        kinds = {number: _kind(proc, number) for number in (1, 2)}
        number = next((number for number in (1, 2) if kinds[number] == 'file'), 0)
        error = None if kinds == {1: 'file', 2: 'file'} and _same_target(proc) else kinds[2]
        if not number:
            return Output(kinds[1], error if kinds[2] != kinds[1] else None)
        log = regular_target(proc.link('fd/%d' % number))
        return Output(kinds[1], error, log, _found(proc, number, log or ''), number)
    except OSError:
        return Output()


def _same_target(proc: procfs.ProcDir) -> bool:
    return os.path.samestat(os.stat('fd/1', dir_fd=proc.fd), os.stat('fd/2', dir_fd=proc.fd))


def _found(proc: procfs.ProcDir, number: int, path: str) -> t.Optional[str]:
    """The text of a link is a path of this host only where it leads to the same file, or its mounts are ours."""
    try:
        if os.path.samestat(os.stat('fd/%d' % number, dir_fd=proc.fd), os.lstat(path)):
            return 'same'
    except OSError:
        pass
    return 'gone' if proc.optional_link('ns/mnt') == os.readlink('/proc/self/ns/mnt') else None


def capture(proc: procfs.ProcDir) -> LaunchRecord:
    """Read it all from one process. OSError when it is gone or may not be read; NoRecord when it is too large.

    One whose user ids differ (a setuid program) tells nothing: it acts as somebody else than who has started it.
    """
    status = proc.status()
    process = proc.stat()
    if process is None:
        raise ProcessLookupError(proc.pid)
    uids = set(status['Uid'].split())
    if len(uids) != 1:
        raise PermissionError(errno.EPERM, 'its real and effective user are different')
    output = output_of(proc)
    umask = status.get('Umask')
    return LaunchRecord(
        argv=_arguments(proc),
        environment=_environment(proc),
        uid=int(uids.pop()),
        gid=int(status['Gid'].split()[1]),
        groups=[int(group) for group in status.get('Groups', '').split()],
        umask=int(umask, 8) if umask else None,
        limits=parse_limits(proc.read('limits').decode()),
        nice=process.nice,
        oom_score_adj=int(proc.read('oom_score_adj')),
        cgroups=_cgroups.parse(proc.read('cgroup').decode('utf-8', 'surrogateescape')),
        label=label_of(proc),
        cwd=proc.optional_link('cwd'),
        log=output.log,
        ignores_hup=procfs.signal_in_mask(status.get('SigIgn', '0'), signal.SIGHUP),
        log_found=output.found,
        output=output.kind,
        error_output=output.error,
        traits=_traits.of(proc, status),
    )


def with_log_file(proc: procfs.ProcDir, record: LaunchRecord) -> LaunchRecord:
    """With device and inode of the log that it has open at its path. OSError when it is gone meanwhile."""
    output = output_of(proc)
    if output.found != 'same':
        return record
    found = os.stat('fd/%d' % output.number, dir_fd=proc.fd)
    return record._replace(log=output.log, log_found='same', log_file=[found.st_dev, found.st_ino])


def why_too_large(record: LaunchRecord) -> t.Optional[str]:
    """Why execve would refuse these arguments and variables under these limits, None when it takes them. Pure."""
    texts = list(record.argv) + ['%s=%s' % item for item in record.environment.items()]
    sizes = [len(os.fsencode(text)) + 1 for text in texts]
    stack = record.limits.get(_STACK, [-1])[0]
    most = 6 << 20 if stack < 0 else max(_ARG_MAX, min(stack // 4, 6 << 20))
    if max(sizes) > procfs.MOST_STRING_BYTES:
        return 'one of its arguments or variables has more than %d KiB' % (procfs.MOST_STRING_BYTES >> 10)
    if sum(sizes) + 8 * (len(sizes) + 3) > most - _SLACK:
        return 'its arguments and variables have %d KiB in total, and its stack limit allows %d' % (
            sum(sizes) >> 10,
            (most - _SLACK) >> 10,
        )
    return None


def to_json(record: LaunchRecord) -> t.Dict[str, t.Any]:
    return dict(record._asdict(), traits=dict(record.traits._asdict()))


def from_json(data: t.Mapping[str, t.Any]) -> t.Optional[LaunchRecord]:
    """The record of a stored dict whose types were checked (_records.LAUNCH), None when a field is missing."""
    defaults = dict(dict.fromkeys(_records.LAUNCH.optional), **getattr(LaunchRecord, '_field_defaults', {}))
    try:
        values = {name: data[name] if name in data else defaults[name] for name in LaunchRecord._fields}
    except KeyError:
        return None
    known = data.get('traits') or {}
    values['traits'] = _traits.Traits(**{name: known.get(name) for name in _traits.Traits._fields})
    return LaunchRecord(**values)


def proved_of(data: t.Optional[t.Mapping[str, t.Any]]) -> t.Optional[Proved]:
    """The last proved start of the stored dict; None in one of a release that did not note it: that was only seen."""
    found = (data or {}).get('proved')
    return Proved(**{name: found.get(name) for name in Proved._fields}) if found else None


def store(state: _state.StateDir, record: LaunchRecord, proved: t.Optional[Proved] = None) -> None:
    """Write what was seen; the proved start of before stays where this is none. OSError when that cannot be done."""
    kept = proved or proved_of(state.launch())
    state.write_json('launch.json', dict(to_json(record), proved=dict(kept._asdict()) if kept else None))


def believed_log(log: t.Optional[str], found: t.Optional[str], proved: t.Optional[Proved], directory: str) -> str:
    """Where its output is read: in the directory, or a path that is one of this host; running.log when not known."""
    if log and (found or is_inside(directory, log)):
        return log
    return (proved.log if proved else None) or os.path.join(directory, 'running.log')


def is_inside(directory: str, path: str) -> bool:
    return os.path.normpath(path).startswith(directory.rstrip('/') + '/')


def masked(record: LaunchRecord) -> t.Dict[str, t.Any]:
    """For results: environment values are hidden but for a list of harmless names, and what is long is cut."""
    shown = to_json(record)
    shown['argv'] = short(record.argv)
    names = [name for name in _SHOWN if name in record.environment]
    names += [name for name in record.environment if name not in _SHOWN]
    shown['environment'] = {
        _cut(name): _cut(record.environment[name]) if name in _SHOWN else MASK for name in names[:_MOST_SHOWN]
    }
    return shown


def short(words: t.Sequence[str]) -> t.List[str]:
    """Arguments for a result or a message: who started the process decided how many and how long they are."""
    more = len(words) - _MOST_SHOWN
    return [_cut(word) for word in words[:_MOST_SHOWN]] + (['... (%d more)' % more] if more > 0 else [])


def _cut(text: str) -> str:
    more = len(text) - _LONGEST_SHOWN
    return text if more <= 0 else '%s... (%d more characters)' % (text[:_LONGEST_SHOWN], more)


def current_limits() -> t.Dict[str, t.List[int]]:
    """The limits of this process, for a first start without a record."""
    return {str(number): list(resource.getrlimit(number)) for number in range(len(_LIMIT_NAMES))}
