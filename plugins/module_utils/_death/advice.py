# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What to do about a death, by its cause, the version and the figures that were seen. Pure.

The facts are in docs/memory-kills.md (Memory of the application). To add advice, add a row to the table.
"""

import re
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import versions
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.causes import (
    ADMIN_KILL,
    ADMIN_STOP,
    CGROUP_OOM,
    CRASH,
    GLOBAL_OOM,
    GO_RUNTIME_OOM,
    HOST_PANIC,
    HOST_REBOOT,
    LIKELY,
    UNEXPLAINED,
    UNKNOWN,
    USERSPACE_OOM,
)

_MEMORY = (GLOBAL_OOM, CGROUP_OOM, USERSPACE_OOM, GO_RUNTIME_OOM, HOST_PANIC)
_SHORT_HOST = (GLOBAL_OOM, USERSPACE_OOM, HOST_PANIC)
_DATABASES = ('mysqld', 'mariadbd')


class Figures(t.NamedTuple):
    """What was seen. Sizes are kB; None is not known."""

    verdict: str
    cause: str
    kills: int = 0
    version: t.Optional[str] = None
    rss: t.Optional[int] = None  # of the process, when it was killed
    host_memory: t.Optional[int] = None
    host_swap: t.Optional[int] = None
    limit: t.Optional[int] = None  # of its control group
    address_space: t.Optional[int] = None  # that it may have (RLIMIT_AS)
    gomemlimit: t.Optional[str] = None  # of its environment; '' is: known to be unset
    largest: t.Optional[t.Tuple[str, int]] = None  # the largest process of the host now
    unreadable: t.Tuple[str, ...] = ()  # sources, with what to grant
    ended_together: int = 0  # other instances of the host, where all of them ended with it
    name: str = 'anqicms'  # of the binary


class _Row(t.NamedTuple):
    applies: t.Callable[[Figures], bool]
    say: t.Callable[[Figures], str]


def mib(kilobytes: int) -> str:
    return '%d MiB' % round(kilobytes / 1024.0)


def _is_memory(figures: Figures) -> bool:
    return figures.cause in _MEMORY


def _older(figures: Figures, first: versions.Version) -> bool:
    """Whether the version is known to be older."""
    return versions.at_least(figures.version, first) is False


def _of_limit(figures: Figures) -> str:
    size = ' of %s' % mib(figures.limit) if figures.limit else ''
    used = ' It used %s when it was killed.' % mib(figures.rss) if figures.rss else ''
    return (
        'Its control group reached its memory limit%s; the host itself was not out of memory.%s Raise the limit '
        '(MemoryMax= of the unit, --memory of the container), or reduce its memory use.' % (size, used)
    )


def _of_host(figures: Figures) -> str:
    size = ' of %s' % mib(figures.host_memory) if figures.host_memory else ''
    used = ', %s of it in this process' % mib(figures.rss) if figures.rss else ''
    return (
        "The host's memory%s was exhausted%s. Add memory, or limit the other processes there. MemoryMax= of a unit "
        'keeps one instance from taking down its siblings.' % (size, used)
    )


def _of_largest(figures: Figures) -> str:
    name, size = figures.largest or ('', 0)
    setting = ' Check innodb_buffer_pool_size.' if name in _DATABASES else ''
    return '%s is now the largest process of this host, with %s.%s' % (name, mib(size), setting)


def _is_hog(figures: Figures) -> bool:
    return figures.cause in _SHORT_HOST and figures.largest is not None and figures.largest[1] > (figures.rss or 0)


class _Room(t.NamedTuple):
    """What the heap may take in kB, and what bounds it."""

    size: int
    bound: str


def _room(figures: Figures) -> t.Optional[_Room]:
    """Four fifths of the memory that it may have, half of an address space, which holds far more than that."""
    rooms = [
        (figures.limit, 8, 'the limit of its control group is %s'),
        (figures.host_memory, 8, 'the host has %s'),
        (figures.address_space, 5, 'its address space is limited to %s (ulimit -v, LimitAS=)'),
    ]
    if figures.cause == CGROUP_OOM and not figures.limit:  # that of the host was not what was reached
        rooms[:2] = [(figures.rss, 8, 'it used %s when it was killed')]
    found = [_Room(size * tenths // 10, words % mib(size)) for size, tenths, words in rooms if size]
    return min(found, default=None)


def _set_to(room: t.Optional[_Room]) -> str:
    return ' to about %dMiB (%s)' % (room.size // 1024, room.bound) if room else ' below the limit'


def _of_go_limit(figures: Figures) -> str:
    return (
        'Set GOMEMLIMIT%s in its environment: the Go runtime then collects garbage earlier instead of growing. This '
        'works for builds with Go 1.19 and later.' % _set_to(_room(figures))
    )


_UNITS = {'': 1, 'B': 1, 'KiB': 1 << 10, 'MiB': 1 << 20, 'GiB': 1 << 30, 'TiB': 1 << 40}
_GO_LIMIT = re.compile(r'(\d{1,20})(B|[KMGT]iB|)\Z')


def _has_high_go_limit(figures: Figures) -> bool:
    """Whether the limit that is set is more than it may use; ``off`` is none at all."""
    room, found = _room(figures), _GO_LIMIT.match(figures.gomemlimit or '')
    if not _is_memory(figures) or not figures.gomemlimit or room is None:
        return False
    return figures.gomemlimit == 'off' or (
        found is not None and int(found.group(1)) * _UNITS[found.group(2)] > room.size * 1024
    )


def _of_high_go_limit(figures: Figures) -> str:
    return 'GOMEMLIMIT is %s in its environment, which is too high to help here. Lower it%s.' % (
        figures.gomemlimit,
        _set_to(_room(figures)),
    )


# fmt: off
_TABLE = (
    _Row(lambda f: f.cause == CGROUP_OOM, _of_limit),
    _Row(lambda f: f.cause in _SHORT_HOST, _of_host),
    _Row(_is_hog, _of_largest),
    _Row(lambda f: f.cause in _SHORT_HOST and f.host_swap == 0,
         lambda f: 'The host has no swap, so a short peak of memory use leads to a kill. Add a small amount of swap.'),
    _Row(lambda f: f.kills >= 3,
         lambda f: 'It was killed %d times in the time window. Fix the lack of memory first: another start will not '
                   'help.'
         % f.kills),
    _Row(lambda f: _is_memory(f) and not f.gomemlimit, _of_go_limit),
    _Row(_has_high_go_limit, _of_high_go_limit),
    _Row(lambda f: f.cause in (CGROUP_OOM, GO_RUNTIME_OOM) and not _older(f, (3, 4, 7)),
         lambda f: 'The memory limiter and the cache of the application use the memory of the host, not the limit of a '
                   'container or unit, so they do not help here.'),
    _Row(lambda f: _is_memory(f) and not _older(f, (2, 5, 1)),
         lambda f: 'The built-in full-text search keeps the index of every site in memory and rebuilds it at each '
                   'start. Disable it, exclude article bodies from it, or use an external engine (from 3.5).'),
    _Row(lambda f: _is_memory(f) and not _older(f, (3, 3, 0)),
         lambda f: 'Set the cache type to files in the settings of each site: the in-memory cache %s.'
         % ('has no size limit' if not _older(f, (3, 4, 10)) else 'holds up to 10000 entries')),
    _Row(lambda f: _is_memory(f) and _older(f, (3, 5, 5)),
         lambda f: 'Version %s reads whole uploads into memory. '
                   'Version 3.5.5 needs much less memory for them.' % f.version),
    _Row(lambda f: _is_memory(f) and versions.between(f.version, (3, 3, 0), (3, 3, 2)),
         lambda f: 'Version %s can use up all memory with rewrite rules of several levels. This is fixed in 3.3.3.'
         % f.version),
    _Row(lambda f: f.cause == GO_RUNTIME_OOM,
         lambda f: 'Nothing killed it. It requested memory that a limit (ulimit -v, LimitAS=%s) did not allow, or that '
                   'the host did not have.' % (', here %s' % mib(f.address_space) if f.address_space else '')),
    _Row(lambda f: f.cause == CRASH,
         lambda f: 'Report the crash to the authors of the application, with the log from the line of the panic on. '
                   'log_check shows these lines.'),
    _Row(lambda f: f.cause == ADMIN_KILL,
         lambda f: "The vendor's stop.sh kills every instance of a host with SIGKILL. Stop single instances with "
                   'graceful_stop or the stop playbook.'),
    _Row(lambda f: f.cause == ADMIN_STOP,
         lambda f: 'A person or a program sent it a signal to end. Check who was logged in at that time, and check '
                   'cron, panels and systemd units.'),
    _Row(lambda f: f.cause == HOST_REBOOT,
         lambda f: 'The host was rebooted. Make sure that something starts the instance at boot.'),
    _Row(lambda f: f.cause == HOST_PANIC,
         lambda f: 'vm.panic_on_oom is set on this host, so the host reboots instead of killing one process.'),
    _Row(lambda f: f.cause in (UNEXPLAINED, ADMIN_KILL) and f.ended_together > 0,
         lambda f: 'All %d known instances of this host may have ended within one second. "pkill -9 %s" has that '
                   "effect, and the vendor's stop.sh runs it. Check cron, panels and shell histories. Stop single "
                   'instances with graceful_stop or the stop playbook.' % (f.ended_together + 1, f.name)),
    _Row(lambda f: f.cause == UNEXPLAINED and f.verdict != UNKNOWN,
         lambda f: 'It was not OOM-killed. A process that exits without logging was killed with SIGKILL: by a script, '
                   'a panel, a person, or the start of another instance of 3.2.2 - 3.4.5.'),
    _Row(lambda f: f.verdict == UNKNOWN and bool(f.unreadable),
         lambda f: 'To know more: %s.' % '; '.join(f.unreadable)),
    _Row(lambda f: f.verdict == UNKNOWN and not f.unreadable,
         lambda f: 'To know more: keep the kernel log for longer (a persistent journal, or kern.log), and run diagnose '
                   'or instance_info regularly, which record the pid and the control group of each process.'),
    _Row(lambda f: f.verdict == LIKELY,
         lambda f: 'The verdict is not certain, for the reason given in the summary. Run diagnose or instance_info '
                   'regularly: what they record about a process makes the next verdict certain.'),
)
# fmt: on


def advise(figures: Figures) -> t.List[str]:
    """What to do, the most telling first."""
    return [row.say(figures) for row in _TABLE if row.applies(figures)]
