# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What the kernel keeps of a process beside its user, limits and nice value: read from one, given to another.

Given is only what any user may set for a process of its own: nobody gets a right from having been seen with it. What
only root can give (a realtime class, capabilities), and what nobody can give again (a seccomp filter, namespaces), is
named.
"""

import ctypes
import os
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import procfs

_SET_NO_NEW_PRIVS, _SET_TIMER_SLACK, _DROP_CAPABILITY = 38, 29, 24  # prctl
_RESET_ON_FORK = 0x40000000
_PLAIN_POLICIES = {0: 'SCHED_OTHER', 3: 'SCHED_BATCH', 5: 'SCHED_IDLE'}
_POLICIES = {1: 'SCHED_FIFO', 2: 'SCHED_RR', 6: 'SCHED_DEADLINE'}
_CLASS_SHIFT, _REALTIME_CLASS = 13, 1
_IO_PRIORITY = {  # system calls: set, get
    'x86_64': (251, 252),
    'i386': (289, 290),
    'i686': (289, 290),
    'aarch64': (30, 31),
    'riscv64': (30, 31),
    'loongarch64': (30, 31),
    'armv7l': (314, 315),
    'armv6l': (314, 315),
    'ppc64le': (273, 274),
    'ppc64': (273, 274),
    's390x': (282, 283),
}
_NAMESPACES = ('mnt', 'net', 'ipc', 'uts', 'user', 'cgroup', 'time')


class Traits(t.NamedTuple):
    """None is 'not known'; it is left as it is then."""

    no_new_privs: t.Optional[bool] = None
    affinity: t.Optional[t.List[int]] = None  # processors; empty: all of them, however many there will be
    scheduler: t.Optional[int] = None  # policy
    io_priority: t.Optional[int] = None  # class and level, as the kernel counts them
    personality: t.Optional[int] = None
    coredump_filter: t.Optional[int] = None
    timer_slack: t.Optional[int] = None  # ns
    bounding_set: t.Optional[int] = None  # capabilities that no program it executes can get
    lost: t.Optional[t.List[str]] = None  # what it had, and no process of ours can be given


def _call(name: str, *arguments: int) -> int:
    """A function of the C library. OSError when it fails."""
    libc = ctypes.CDLL(None, use_errno=True)
    result = getattr(libc, name)(*[ctypes.c_ulong(argument) for argument in arguments])
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return int(result)


def _io_call(index: int, *arguments: int) -> int:
    numbers = _IO_PRIORITY.get(os.uname().machine)
    if numbers is None:
        raise OSError('not known for this kind of processor')
    return _call('syscall', numbers[index], *arguments)


def io_priority(pid: int) -> int:
    return _io_call(1, 1, pid)


def _known(read: t.Callable[[], t.Any]) -> t.Any:
    """None where this kernel does not tell, or not this user."""
    try:
        return read()
    except (OSError, AttributeError, KeyError, ValueError):
        return None


# --- read


def of(proc: procfs.ProcDir, status: t.Mapping[str, str]) -> Traits:
    """Of a process, whose status was read."""
    pid = proc.pid
    return Traits(
        no_new_privs=_known(lambda: status['NoNewPrivs'] == '1'),
        affinity=_known(lambda: _affinity(pid)),
        scheduler=_known(lambda: os.sched_getscheduler(pid)),
        io_priority=_known(lambda: io_priority(pid)),
        personality=_known(lambda: int(proc.read('personality'), 16)),
        coredump_filter=_known(lambda: int(proc.read('coredump_filter'), 16)),
        timer_slack=_known(lambda: int(proc.read('timerslack_ns'))),
        bounding_set=_known(lambda: int(status['CapBnd'], 16)),
        lost=lost(status, _known(lambda: _has_file_capabilities(proc)) or False) + _namespaces(proc),
    )


def _affinity(pid: int) -> t.List[int]:
    found = sorted(os.sched_getaffinity(pid))
    return [] if len(found) >= (os.cpu_count() or 1) else found


def _has_file_capabilities(proc: procfs.ProcDir) -> bool:
    """Whether its program itself has capabilities: the next process of that file gets them by the same way."""
    return bool(os.getxattr('/proc/%d/exe' % proc.pid, 'security.capability'))


def lost(status: t.Mapping[str, str], by_its_file: bool = False) -> t.List[str]:
    """What of the status of a process is in no power of ours to give again. Pure."""
    found = []
    masks = [int(status.get(name) or '0', 16) for name in ('CapEff', 'CapPrm', 'CapInh', 'CapAmb')]
    user = (status.get('Uid') or '0').split()[0]
    if user != '0' and any(masks) and not by_its_file:
        found.append('the capabilities 0x%x' % (masks[0] | masks[1] | masks[2] | masks[3]))
    if status.get('Seccomp', '0') != '0':
        found.append('a seccomp filter')
    return found


def _namespaces(proc: procfs.ProcDir) -> t.List[str]:
    others = []
    for name in _NAMESPACES:
        theirs, ours = proc.optional_link('ns/' + name), _own_namespace(name)
        if theirs is not None and theirs != ours:
            others.append(name)
    root = proc.optional_link('root')
    found = ['namespaces of its own (%s)' % ', '.join(others)] if others else []
    return found + (['the root directory %s' % root] if root not in (None, '/') else [])


def _own_namespace(name: str) -> t.Optional[str]:
    try:
        return os.readlink('/proc/self/ns/' + name)
    except OSError:
        return None


# --- give


def named(seen: Traits) -> t.List[str]:
    """What it was seen with, and the new process will not have. Pure."""
    found = list(seen.lost or ())
    policy = (seen.scheduler or 0) & ~_RESET_ON_FORK
    if policy not in _PLAIN_POLICIES:
        found.append('the scheduling policy %s' % _POLICIES.get(policy, policy))
    if _is_realtime_io(seen.io_priority):
        found.append('the realtime class of ionice')
    return ['it was seen with %s: the new process does not have that' % what for what in found]


def given(wanted: Traits) -> Traits:
    """What is left of them in a process that they were given to. Pure."""
    plain = ((wanted.scheduler or 0) & ~_RESET_ON_FORK) in _PLAIN_POLICIES
    return wanted._replace(
        lost=[],
        scheduler=wanted.scheduler if plain else None,
        io_priority=None if _is_realtime_io(wanted.io_priority) else wanted.io_priority,
    )


def _is_realtime_io(value: t.Optional[int]) -> bool:
    return (value or 0) >> _CLASS_SHIFT == _REALTIME_CLASS


def give(wanted: Traits) -> t.List[str]:
    """Give them to this process; what could not be given, for people. ``named`` tells what is not even tried."""
    notes: t.List[str] = []
    for give_one in (_give_scheduler, _give_io_priority, _give_affinity, _give_the_rest):
        notes += give_one(wanted)
    return notes


def _tried(what: str, act: t.Callable[[], t.Any]) -> t.List[str]:
    try:
        act()
        return []
    except (OSError, AttributeError) as exc:
        return ['%s: %s' % (what, getattr(exc, 'strerror', None) or exc)]


def _give_scheduler(wanted: Traits) -> t.List[str]:
    policy = wanted.scheduler
    if policy is None or policy == _known(lambda: os.sched_getscheduler(0)):
        return []
    base = policy & ~_RESET_ON_FORK
    if base not in _PLAIN_POLICIES:
        return []
    return _tried(
        'the scheduling policy %s' % _PLAIN_POLICIES[base],
        lambda: os.sched_setscheduler(0, policy or 0, os.sched_param(0)),
    )


def _give_io_priority(wanted: Traits) -> t.List[str]:
    value = wanted.io_priority
    if value is None or value == _known(lambda: io_priority(0)):
        return []
    if _is_realtime_io(value):
        return []
    return _tried('the I/O priority', lambda: _io_call(0, 1, 0, value or 0))


def _give_affinity(wanted: Traits) -> t.List[str]:
    processors = wanted.affinity
    if processors is None or processors == _known(lambda: _affinity(0)):
        return []
    text = 'the processors %s' % (', '.join(map(str, processors)) or '(all)')
    return _tried(text, lambda: os.sched_setaffinity(0, processors or range(os.cpu_count() or 1)))


def _give_the_rest(wanted: Traits) -> t.List[str]:
    with procfs.ProcDir(os.getpid()) as proc:
        own = of(proc, proc.status())
    notes: t.List[str] = []
    if wanted.coredump_filter not in (None, own.coredump_filter):
        notes += _tried(
            'the core dump filter 0x%x' % (wanted.coredump_filter or 0),
            lambda: _write('/proc/self/coredump_filter', '0x%x' % (wanted.coredump_filter or 0)),
        )
    if wanted.timer_slack and wanted.timer_slack != own.timer_slack:  # 0 is that of a realtime class
        notes += _tried('the timer slack', lambda: _call('prctl', _SET_TIMER_SLACK, wanted.timer_slack or 0, 0, 0, 0))
    if wanted.personality not in (None, own.personality):
        notes += _tried(
            'the personality 0x%x' % (wanted.personality or 0), lambda: _call('personality', wanted.personality or 0)
        )
    if wanted.bounding_set not in (None, own.bounding_set) and own.bounding_set is not None:
        notes += _drop(own.bounding_set & ~(wanted.bounding_set or 0))
    if wanted.no_new_privs and not own.no_new_privs:
        notes += _tried('no_new_privs', lambda: _call('prctl', _SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    return notes


def _drop(capabilities: int) -> t.List[str]:
    """Capabilities out of the bounding set."""

    def drop() -> None:
        for number in range(capabilities.bit_length()):
            if capabilities >> number & 1:
                _call('prctl', _DROP_CAPABILITY, number, 0, 0, 0)

    return _tried('the smaller set of capabilities', drop)


def _write(path: str, text: str) -> None:
    with open(path, 'w') as stream:
        stream.write(text)
