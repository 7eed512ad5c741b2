# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The launch record: how the instance was last seen running, read from the kernel's view of its process."""

import os
import re
import resource
import signal
import stat
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils import _procfs, _records

SHIM_NAME = 'kill-at-start-shim'
_LIMIT_NAMES = (  # in the order of the kernel's RLIMIT_* numbers on every architecture but alpha, mips and sparc
    'cpu time', 'file size', 'data size', 'stack size', 'core file size', 'resident set', 'processes', 'open files',
    'locked memory', 'address space', 'file locks', 'pending signals', 'msgqueue size', 'nice priority',
    'realtime priority', 'realtime timeout')
_SHOWN = ('PATH', 'HOME', 'LANG', 'LC_ALL', 'LC_CTYPE', 'TZ', 'USER', 'LOGNAME', 'SHELL', 'PWD', 'GOMEMLIMIT', 'GOGC',
          'GOMAXPROCS', 'GODEBUG', 'GOTRACEBACK')
MASK = '********'


class LaunchRecord(t.NamedTuple):
    argv: t.List[str]
    environment: t.Dict[str, str]
    uid: int
    gid: int
    groups: t.List[int]
    umask: t.Optional[int]
    limits: t.Dict[str, t.List[int]]  # RLIMIT number -> soft, hard; -1 is unlimited
    nice: int
    oom_score_adj: int
    cgroups: t.Dict[str, str]         # controllers of /proc/PID/cgroup -> path; '' is the unified hierarchy
    label: t.Optional[str]
    cwd: t.Optional[str]
    log: t.Optional[str]              # the regular file behind standard output
    ignores_hup: bool                 # started by nohup


def parse_limits(text: str) -> t.Dict[str, t.List[int]]:
    """Parse /proc/PID/limits."""
    limits = {}
    for line in text.split('\n'):
        match = re.match(r'Max (.+?)\s{2,}(\d+|unlimited)\s+(\d+|unlimited)', line)
        if match and match.group(1) in _LIMIT_NAMES:
            values = [-1 if value == 'unlimited' else int(value) for value in match.group(2, 3)]
            limits[str(_LIMIT_NAMES.index(match.group(1)))] = values
    return limits


def parse_cgroups(text: str) -> t.Dict[str, str]:
    """Parse /proc/PID/cgroup: controllers (``''`` for the unified hierarchy, ``name=systemd``, ``memory``) to path."""
    rows = [line.split(':', 2) for line in text.split('\n') if line.count(':') >= 2]
    return {row[1]: row[2] for row in rows}


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


def _environment(proc: _procfs.ProcDir) -> t.Dict[str, str]:
    pairs = [item.partition('=') for item in _procfs.parse_strings(proc.read('environ'))]
    return without_shim({name: value for name, equals, value in pairs if equals and name})


def _label(proc: _procfs.ProcDir) -> t.Optional[str]:
    try:
        return proc.read('attr/current').rstrip(b'\0\n').decode('utf-8', 'replace') or None
    except OSError:
        return None


def regular_target(link: t.Optional[str]) -> t.Optional[str]:
    """The path of a descriptor's link; None for a pipe, socket, terminal or /dev/null, which is not opened again."""
    if not link or not link.startswith('/') or link.startswith('/dev/'):
        return None
    return link[:-len(' (deleted)')] if link.endswith(' (deleted)') else link


def is_for_writing(fdinfo: str) -> bool:
    """Whether a descriptor may write, from the text of /proc/PID/fdinfo/N (its flags are octal)."""
    match = re.search(r'^flags:\s*([0-7]+)\s*$', fdinfo, re.MULTILINE)
    flags = int(match.group(1), 8) if match else os.O_RDONLY
    return flags & os.O_ACCMODE in (os.O_WRONLY, os.O_RDWR) and not flags & os.O_PATH


def log_of(proc: _procfs.ProcDir) -> t.Optional[str]:
    """The regular file that takes its standard output.

    Only one that it can write already: anybody may hold a descriptor that reads, or only points at, a file of root's.
    """
    try:
        writes = is_for_writing(proc.read('fdinfo/1').decode('ascii', 'replace'))
        found = os.stat('fd/1', dir_fd=proc.fd)
    except OSError:
        return None
    return regular_target(proc.optional_link('fd/1')) if writes and stat.S_ISREG(found.st_mode) else None


def capture(proc: _procfs.ProcDir) -> LaunchRecord:
    """Read it all from one process. OSError when it is gone or may not be read."""
    status = proc.status()
    process = proc.stat()
    if process is None:
        raise ProcessLookupError(proc.pid)
    umask = status.get('Umask')
    return LaunchRecord(
        argv=proc.argv(), environment=_environment(proc),
        uid=int(status['Uid'].split()[1]), gid=int(status['Gid'].split()[1]),
        groups=[int(group) for group in status.get('Groups', '').split()], umask=int(umask, 8) if umask else None,
        limits=parse_limits(proc.read('limits').decode()), nice=process.nice,
        oom_score_adj=int(proc.read('oom_score_adj')),
        cgroups=parse_cgroups(proc.read('cgroup').decode('utf-8', 'surrogateescape')),
        label=_label(proc), cwd=proc.optional_link('cwd'),
        log=log_of(proc),
        ignores_hup=_procfs.signal_in_mask(status.get('SigIgn', '0'), signal.SIGHUP))


def to_json(record: LaunchRecord) -> t.Dict[str, t.Any]:
    return dict(record._asdict())


def from_json(data: t.Mapping[str, t.Any]) -> t.Optional[LaunchRecord]:
    """The record of a stored dict whose types were checked (_records.LAUNCH), None when a field is missing."""
    defaults = dict(dict.fromkeys(_records.LAUNCH.optional), **getattr(LaunchRecord, '_field_defaults', {}))
    try:
        return LaunchRecord(**{name: data[name] if name in data else defaults[name] for name in LaunchRecord._fields})
    except KeyError:
        return None


def masked(record: LaunchRecord) -> t.Dict[str, t.Any]:
    """For results: environment values are hidden but for a list of harmless names."""
    shown = to_json(record)
    shown['environment'] = {name: value if name in _SHOWN else MASK for name, value in record.environment.items()}
    return shown


def current_limits() -> t.Dict[str, t.List[int]]:
    """The limits of this process, for a first start without a record."""
    return {str(number): list(resource.getrlimit(number)) for number in range(len(_LIMIT_NAMES))}
