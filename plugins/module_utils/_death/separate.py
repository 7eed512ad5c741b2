# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Whether two events tell of one death or of two: by pid, by time, and by a start that lies between them. Pure."""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import events as types
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import our_signals
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.events import Event

SAME_DEATH_S = 90.0  # the watchdog looks once a minute, and a log may lag by half of one
_SAME_CLOCK_S = 2.0  # the time of a file is a little behind that of a process
_ROUNDING_S = 0.05
_LAG_S = 2.0  # between two lines of one log, however late it is as a whole
_EXACT_S = 2.0  # a start whose time is less exact (an hour that comes twice) separates nothing for certain
_RESTART_S = 5.0  # no log shows whether it was started between: two pids so close are two processes

Span = t.Tuple[float, float]


def near(one: Event, other: Event, within: float = SAME_DEATH_S) -> bool:
    """Whether both can tell of the same moment."""
    if one.time is None or other.time is None:
        return one.time is None and other.time is None
    return abs(one.time - other.time) <= one.uncertainty + other.uncertainty + within


def gap(one: Event, other: Event) -> float:
    """Seconds between the times in which they can have been."""
    if one.time is None or other.time is None:
        return 0.0
    return max(0.0, abs(one.time - other.time) - one.uncertainty - other.uncertainty)


def distance(one: Event, other: Event) -> t.Tuple[float, float, float]:
    """For the choice of the nearest: the gap, then how far the more exact time is from the other's span."""
    apart = abs((one.time or 0.0) - (other.time or 0.0))
    return gap(one, other), max(0.0, apart - max(one.uncertainty, other.uncertainty)), apart


def pids(event: Event) -> t.Set[int]:
    return {pid for pid in (event.pid, event.tgid) if pid is not None}


def differ(one: Event, other: Event) -> bool:
    """Whether they tell of two processes: by their pids, or because its own log has both."""
    mine, others = pids(one), pids(other)
    numbers = {one.details.get('process'), other.details.get('process')} - {None}
    return bool(mine and others and not mine & others) or len(numbers) > 1


def is_same(one: Event, other: Event) -> bool:
    """Whether they certainly tell of the end of one process; pids are used again."""
    number = one.details.get('process')
    if number is not None and number == other.details.get('process'):
        return True
    return bool(pids(one) & pids(other)) and near(one, other)


def slack(one: Event, other: Event) -> float:
    """How far the times of one death may lie apart: what this collection did, it noted at once."""
    is_ours = is_own_doing(one) or is_own_doing(other)
    return _SAME_CLOCK_S if is_ours else SAME_DEATH_S


def is_own_doing(event: Event) -> bool:
    return any(row.source == our_signals.SOURCE for row in event.evidence)


def covers(spans: t.Iterable[Span], begin: float, end: float) -> bool:
    """Whether the spans together leave no gap between begin and end, which may be one moment."""
    is_covered = False
    for first, last in sorted(spans):
        if first <= begin <= last:
            begin, is_covered = last, True
    return is_covered and begin >= end


class Starts(t.NamedTuple):
    """When processes of the instance began to serve, and for which spans its log would show every start."""

    events: t.Tuple[Event, ...] = ()
    spans: t.Tuple[Span, ...] = ()

    def between(self, one: Event, other: Event) -> bool:
        """Whether a process was certainly started after the one and before the other: these are two deaths then."""
        if one.time is None or other.time is None:
            return False
        first, last = sorted((one, other), key=lambda event: event.time or 0.0)
        end, begin = _latest(first), _earliest(last)
        return any(
            end <= _latest(start) + _ROUNDING_S
            and _earliest(start) <= begin + _ROUNDING_S
            and _earliest(first) < _earliest(start)
            for start in self.events
            if start.time is not None and start.uncertainty <= _EXACT_S
        )

    def between_stamps(self, one: Event, other: Event) -> bool:
        """Whether one lies between two lines that are further apart than a log can lag."""
        if (
            one.time is None
            or other.time is None
            or abs(one.time - other.time) <= max(one.uncertainty, other.uncertainty)
        ):
            return False
        begin, end = sorted((one.time, other.time))
        return any(begin < (start.time or 0.0) < end and start.uncertainty <= _EXACT_S for start in self.events)

    def any_within(self, begin: float, event: Event) -> bool:
        """Whether one may lie between that time and the event."""
        return event.time is None or any(
            _latest(start) > begin and _earliest(start) <= event.time + _LAG_S
            for start in self.events
            if start.time is not None
        )

    def possible_between(self, one: Event, other: Event) -> bool:
        """Whether the process of the one can have been followed by another before the other."""
        if one.time is None or other.time is None:
            return True
        begin, end = sorted((one.time, other.time))
        if covers(self.spans, begin, end):
            return any(begin - _LAG_S <= _latest(start) and _earliest(start) <= end + _LAG_S for start in self.events)
        return end - begin >= _RESTART_S


def _earliest(event: Event) -> float:
    return (event.time or 0.0) - event.uncertainty


def _latest(event: Event) -> float:
    return (event.time or 0.0) + event.uncertainty


def served(events: t.Iterable[Event]) -> t.Tuple[Event, ...]:
    """The starts after which the process listened: only then the one before it was gone for certain."""
    return tuple(
        event
        for event in events
        if event.kind == types.STARTED and event.details.get('listening', True) and event.details.get('failed') is None
    )
