# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Which processes an instance had: from the process history, and from /proc."""

import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import cgroups as _cgroups
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import local_time, procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import selection, state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import Instance

_MOST_STARTS = 20
_SAME_CLOCK_S = 2.0
_SAME_LIFE_S = 2.0
_MOST_PARKED_S = 300.0  # from the making of a child to the stop before which it waits


class Life(t.NamedTuple):
    """One process of the instance, from the process history or as it runs now."""

    pid: int
    begin: float
    last_seen: float  # it lived at this time
    running: bool
    uid: t.Optional[int]
    cgroup: t.Optional[str]  # of its memory controller
    parked: float = 0.0  # seconds for which it waited for the end of the one before it, ready to take its place

    @property
    def became(self) -> float:
        """When it became the instance."""
        return self.begin + self.parked


def is_same_life(one: Life, other: Life) -> bool:
    """Two looks give times that differ a little for one start."""
    return one.pid == other.pid and abs(one.begin - other.begin) < _SAME_LIFE_S


def memory_cgroup(cgroups: t.Mapping[str, str]) -> t.Optional[str]:
    """The group whose limit counts: of the memory controller, or of version 2."""
    for controllers, path in cgroups.items():
        if 'memory' in controllers.split(','):
            return path
    return cgroups.get('')


def lives_of_history(entries: t.Iterable[state.Entry]) -> t.List[Life]:
    """The processes that were seen, oldest first. An entry tells both clocks, so its boot need not be known. Pure."""
    found: t.Dict[t.Tuple[t.Any, ...], Life] = {}
    for entry in entries:
        try:
            key = (entry['pid'], entry['start_ticks'], entry['boot_id'])
            begin = entry['at'] - entry['monotonic'] + procfs.seconds_of(entry['start_ticks'])
            life = Life(
                int(entry['pid']),
                begin,
                float(entry['at']),
                False,
                entry.get('uid'),
                memory_cgroup(entry.get('cgroups') or {}),
            )
        except (KeyError, TypeError, ValueError):
            continue
        found[key] = life._replace(begin=found[key].begin) if key in found else life
    return sorted(found.values(), key=lambda life: life.begin)


def noted_counts(
    entries: t.Iterable[state.Entry], boot_id: t.Optional[str], started: float
) -> t.Tuple[t.Tuple[float, int], ...]:
    """When what number of kills for memory was noted in this boot, oldest first. Pure.

    ``started``: the time at which the monotonic clock was 0, by the clock of now. What was noted by a clock that has
    been set since, or before the host slept, is left out.
    """
    found = []
    for entry in entries:
        try:
            at, monotonic, kills = float(entry['at']), float(entry['monotonic']), int(entry['oom_kills'])
        except (KeyError, TypeError, ValueError):
            continue
        if entry.get('boot_id') == boot_id and abs(at - monotonic - started) < _SAME_CLOCK_S:
            found.append((at, kills))
    return tuple(sorted(found))


def history(instance: Instance, base: t.Optional[str]) -> t.List[state.Entry]:
    """The process history; empty where it may not be read or is not believed."""
    try:
        return state.StateDir(instance, base).history()
    except (OSError, LifecycleError):
        return []


def cgroups_of(pid: int) -> t.Dict[str, str]:
    """Paths by controllers; empty when it is gone or may not be looked at."""
    try:
        return _cgroups.parse(procfs.read_text('/proc/%d/cgroup' % pid))
    except OSError:
        return {}


def cgroup_of(pid: int) -> t.Optional[str]:
    return memory_cgroup(cgroups_of(pid))


def running_lives(candidates: t.Iterable[selection.Candidate]) -> t.List[Life]:
    now, boot = time.time(), procfs.booted_at()
    return [
        Life(found.pid, boot + procfs.seconds_of(found.start_ticks), now, True, found.uid, cgroup_of(found.pid))
        for found in candidates
    ]


def lives(candidates: t.Sequence[selection.Candidate], entries: t.Iterable[state.Entry]) -> t.Tuple[Life, ...]:
    """History and present together; what runs now is known better from /proc."""
    running = running_lives(candidates)
    past = [life for life in lives_of_history(entries) if not any(is_same_life(now, life) for now in running)]
    return tuple(sorted(past + running, key=lambda life: life.begin))


def after_stops(known: t.Iterable[Life], stops: t.Iterable[t.Tuple[int, float]]) -> t.Tuple[Life, ...]:
    """With how long a child of this collection was parked: from its begin to the last stop of an older one. Pure.

    ``stops``: pids that were signalled, and when.
    """
    lives, found = list(known), []
    for life in lives:
        older = {each.pid for each in lives if each.begin < life.begin} - {life.pid}
        after = [at for pid, at in stops if pid in older and 0.0 < at - life.begin < _MOST_PARKED_S]
        found.append(life._replace(parked=max(after) - life.begin) if after else life)
    return tuple(sorted(found, key=lambda life: life.became))


def starts(known: t.Iterable[Life]) -> t.List[t.Dict[str, t.Any]]:
    """For results: when its processes began, the newest last."""
    return [
        dict(
            pid=life.pid,
            time=local_time.iso(life.begin),
            epoch=round(life.begin, 3),
            last_seen=local_time.iso(life.last_seen),
            running=life.running,
        )
        for life in known
    ][-_MOST_STARTS:]
