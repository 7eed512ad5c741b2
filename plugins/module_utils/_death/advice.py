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
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.verdict import (
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
    rss: t.Optional[int] = None          # of the process, when it was killed
    host_memory: t.Optional[int] = None
    host_swap: t.Optional[int] = None
    limit: t.Optional[int] = None        # of its control group
    address_space: t.Optional[int] = None  # that it may have (RLIMIT_AS)
    gomemlimit: t.Optional[str] = None   # of its environment; '' is: known to be unset
    largest: t.Optional[t.Tuple[str, int]] = None  # the largest process of the host now
    unreadable: t.Tuple[str, ...] = ()   # sources, with what to grant
    ended_together: int = 0              # other instances of the host, where all of them ended with it
    name: str = 'anqicms'                # of the binary


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
    used = ' It had %s when it was killed.' % mib(figures.rss) if figures.rss else ''
    return ('Its control group reached its limit%s, the host did not run out of memory.%s Raise the limit (MemoryMax= '
            'of the unit, --memory of the container), or lower what it takes.' % (size, used))


def _of_host(figures: Figures) -> str:
    size = ' of %s' % mib(figures.host_memory) if figures.host_memory else ''
    used = ', %s of it in this process' % mib(figures.rss) if figures.rss else ''
    return ('The host\'s memory%s was used up%s. Add memory, or limit what else runs there; MemoryMax= of a unit keeps '
            'one instance from taking its siblings down.' % (size, used))


def _of_largest(figures: Figures) -> str:
    name, size = figures.largest or ('', 0)
    setting = ' Look at innodb_buffer_pool_size.' if name in _DATABASES else ''
    return '%s is the largest process of this host now, with %s.%s' % (name, mib(size), setting)


def _is_hog(figures: Figures) -> bool:
    return figures.cause in _SHORT_HOST and figures.largest is not None and figures.largest[1] > (figures.rss or 0)


class _Room(t.NamedTuple):
    """What the heap may take in kB, and what bounds it."""

    size: int
    bound: str


def _room(figures: Figures) -> t.Optional[_Room]:
    """Four fifths of the memory that it may have, half of an address space, which holds far more than that."""
    rooms = [(figures.limit, 8, 'its control group may have %s'),
             (figures.host_memory, 8, 'the host has %s'),
             (figures.address_space, 5, 'its address space is limited to %s (ulimit -v, LimitAS=)')]
    if figures.cause == CGROUP_OOM and not figures.limit:  # that of the host was not what was reached
        rooms[:2] = [(figures.rss, 8, 'it was killed with %s')]
    found = [_Room(size * tenths // 10, words % mib(size)) for size, tenths, words in rooms if size]
    return min(found, default=None)


def _set_to(room: t.Optional[_Room]) -> str:
    return ' to about %dMiB (%s)' % (room.size // 1024, room.bound) if room else ' below the limit'


def _of_go_limit(figures: Figures) -> str:
    return ('Set GOMEMLIMIT%s in its environment: the runtime then collects garbage earlier instead of growing. Builds '
            'with Go 1.19 and later know it.' % _set_to(_room(figures)))


_UNITS = {'': 1, 'B': 1, 'KiB': 1 << 10, 'MiB': 1 << 20, 'GiB': 1 << 30, 'TiB': 1 << 40}
_GO_LIMIT = re.compile(r'(\d{1,20})(B|[KMGT]iB|)\Z')


def _has_high_go_limit(figures: Figures) -> bool:
    """Whether the limit that is set is more than it may use; ``off`` is none at all."""
    room, found = _room(figures), _GO_LIMIT.match(figures.gomemlimit or '')
    if not _is_memory(figures) or not figures.gomemlimit or room is None:
        return False
    return figures.gomemlimit == 'off' or (
        found is not None and int(found.group(1)) * _UNITS[found.group(2)] > room.size * 1024)


def _of_high_go_limit(figures: Figures) -> str:
    return 'GOMEMLIMIT is %s in its environment, which is too much to help here. Lower it%s.' % (
        figures.gomemlimit, _set_to(_room(figures)))


_TABLE = (
    _Row(lambda f: f.cause == CGROUP_OOM, _of_limit),
    _Row(lambda f: f.cause in _SHORT_HOST, _of_host),
    _Row(_is_hog, _of_largest),
    _Row(lambda f: f.cause in _SHORT_HOST and f.host_swap == 0,
         lambda f: 'The host has no swap: a short peak is deadly there. A little swap gives it time.'),
    _Row(lambda f: f.kills >= 3,
         lambda f: 'It was killed %d times in the window: starting it again does not help, mend the memory first.'
         % f.kills),
    _Row(lambda f: _is_memory(f) and not f.gomemlimit, _of_go_limit),
    _Row(_has_high_go_limit, _of_high_go_limit),
    _Row(lambda f: f.cause in (CGROUP_OOM, GO_RUNTIME_OOM) and not _older(f, (3, 4, 7)),
         lambda f: 'Its own limiter and cache reckon with the memory of the host and not with the limit of a container '
                   'or unit, so they do not help here.'),
    _Row(lambda f: _is_memory(f) and not _older(f, (2, 5, 1)),
         lambda f: 'The built-in full-text search holds the index of every site in memory and builds it anew at each '
                   'start. Turn it off, leave article bodies out of it, or use an external engine (from 3.5).'),
    _Row(lambda f: _is_memory(f) and not _older(f, (3, 3, 0)),
         lambda f: 'Set the cache type to files in the settings of each site: the cache in memory %s.'
         % ('has no bound' if not _older(f, (3, 4, 10)) else 'holds 10000 entries')),
    _Row(lambda f: _is_memory(f) and _older(f, (3, 5, 5)),
         lambda f: 'Version %s reads whole uploads into memory; 3.5.5 takes much less for them.' % f.version),
    _Row(lambda f: _is_memory(f) and versions.between(f.version, (3, 3, 0), (3, 3, 2)),
         lambda f: 'Version %s can use up all memory with rewrite rules of several levels; 3.3.3 mends that.'
         % f.version),
    _Row(lambda f: f.cause == GO_RUNTIME_OOM,
         lambda f: 'Nothing killed it: it asked for memory that a limit (ulimit -v, LimitAS=%s) did not grant, or that '
                   'the host did not have.' % (', here %s' % mib(f.address_space) if f.address_space else '')),
    _Row(lambda f: f.cause == CRASH,
         lambda f: 'The lines from the panic on belong into a report to the authors of the application. log_check '
                   'shows them.'),
    _Row(lambda f: f.cause == ADMIN_KILL,
         lambda f: 'The vendor\'s stop.sh ends every instance of a host by SIGKILL. Stop single instances with '
                   'graceful_stop or the playbook stop.'),
    _Row(lambda f: f.cause == ADMIN_STOP,
         lambda f: 'Somebody or something asked it to end: look at who logged in then, at cron, panel and units.'),
    _Row(lambda f: f.cause == HOST_REBOOT,
         lambda f: 'The host was started anew; see that something starts the instance at a boot.'),
    _Row(lambda f: f.cause == HOST_PANIC,
         lambda f: 'vm.panic_on_oom is set on this host: it restarts instead of killing one process.'),
    _Row(lambda f: f.cause in (UNEXPLAINED, ADMIN_KILL) and f.ended_together > 0,
         lambda f: 'All %d instances of this host that are known can have ended within one second: "pkill -9 %s" does '
                   'that, and the vendor\'s stop.sh runs it. Look into cron, panels and the history of shells. Stop '
                   'single instances with graceful_stop or the playbook stop.' % (f.ended_together + 1, f.name)),
    _Row(lambda f: f.cause == UNEXPLAINED and f.verdict != UNKNOWN,
         lambda f: 'It was not killed for memory. What ends a process without a word is SIGKILL: by a script, a panel, '
                   'a person, or another instance of 3.2.2 - 3.4.5 that started.'),
    _Row(lambda f: f.verdict == UNKNOWN and bool(f.unreadable),
         lambda f: 'To know more: %s.' % '; '.join(f.unreadable)),
    _Row(lambda f: f.verdict == UNKNOWN and not f.unreadable,
         lambda f: 'To know more: keep the log of the kernel for longer (a persistent journal, or kern.log), and let '
                   'diagnose or instance_info look now and then, so that a process is known by its pid and group.'),
    _Row(lambda f: f.verdict == LIKELY,
         lambda f: 'It is not certain, for the reason that the summary gives. Let diagnose or instance_info look now '
                   'and then: what they note of a process makes the next answer certain.'),
)


def advise(figures: Figures) -> t.List[str]:
    """What to do, the most telling first."""
    return [row.say(figures) for row in _TABLE if row.applies(figures)]
