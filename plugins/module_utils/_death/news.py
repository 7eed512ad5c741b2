# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Which incidents of a verdict are news: each death once, and none that a stranger could cause. Pure.

A line of a log alone is no death. News are the end of a process that was seen to run, and a kill for memory that the
kernel or a service of root's tells of a process that was seen as the instance's (docs/event-source.md).
"""

import hashlib
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import causes, separate
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.case import Case
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.causes import Decision, Incident
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.events import ABRUPT_END, Event
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.identity import Subject
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.lives import Life, is_same_life

KEPT = 2000  # told deaths of one instance
KEPT_S = 2 * 86400.0
_SAME_S = 90.0  # between the times that two looks give one death
_EXPLAINED_S = 10.0  # between the end of a process and the line that explains it
_COUNTED_S = 1.0  # that a count must be older than an end
_KILLS = (causes.GLOBAL_OOM, causes.CGROUP_OOM, causes.USERSPACE_OOM)


class Told(t.NamedTuple):
    """A death that was told. ``mark``: of the line that explained it."""

    pid: t.Optional[int]
    epoch: float
    cause: str
    mark: str


class Count(t.NamedTuple):
    """How many kills for memory the kernel had counted."""

    time: float
    kills: int


def told_of(rows: t.Any) -> t.List[Told]:
    """As they were stored; what has not their form is left out."""
    kinds: t.Tuple[t.Tuple[type, ...], ...] = ((int, type(None)), (int, float), (str,), (str,))
    return [
        Told(*row)
        for row in rows
        if isinstance(row, list)
        and len(row) == len(kinds)
        and all(isinstance(value, kind) for value, kind in zip(row, kinds))
    ]


def kept(told: t.Sequence[Told], now: float) -> t.List[Told]:
    return [entry for entry in told if entry.epoch > now - KEPT_S][-KEPT:]


def is_told(incident: Incident, told: t.Iterable[Told]) -> bool:
    """By its process; where a line names none, by the line, as one line explains one end."""
    pids, at, mark = pids_of(incident.event), incident.event.time or 0.0, mark_of(incident.event)
    if not pids:
        return any(entry.mark == mark for entry in told)
    return any(entry.pid in pids and abs(entry.epoch - at) <= _SAME_S + incident.event.uncertainty for entry in told)


def mark_of(event: Event) -> str:
    """The file is left out: it may be rotated."""
    first = event.evidence[0] if event.evidence else None
    text = '%s %s' % (first.line, first.text) if first else repr(event.time)
    return hashlib.sha256(text.encode('utf-8', 'surrogateescape')).hexdigest()[:12]


def pids_of(event: Event) -> t.Set[int]:
    return {pid for pid in (event.pid, event.tgid) if pid is not None}


def with_lives(subject: Subject, lives: t.Iterable[Life]) -> Subject:
    """The subject with processes that were watched: their end is known better than from its history."""
    watched = tuple(lives)
    past = tuple(life for life in subject.lives if not any(is_same_life(life, ours) for ours in watched))
    return subject._replace(
        lives=tuple(sorted(past + watched, key=lambda life: life.begin)),
        uids=subject.uids | {life.uid for life in watched if life.uid is not None},
    )


def counted(case: Case, lives: t.Sequence[Life], counts: t.Sequence[Count]) -> Case:
    """The kernel's count of kills from shortly before the ends on: that it has not grown excludes one.

    The count since the boot is left out unless it is 0: kills of other days tell nothing of these ends.
    """
    if case.counters.host is None:
        return case
    before = [count for count in counts if lives and count.time < min(life.last_seen for life in lives) - _COUNTED_S]
    if before:
        since_then = case.counters.host - before[-1].kills
        counters = case.counters._replace(booted=before[-1].time, host=since_then, noted=())  # of the boot
        return case._replace(counters=counters)
    return case._replace(counters=case.counters._replace(host=None)) if case.counters.host else case


def of_death(decision: Decision, life: Life, until: float, told: t.Sequence[Told]) -> Incident:
    """What is to be told of the end of a process that was last seen at ``last_seen`` and not any more at ``until``."""
    middle, half = (life.last_seen + until) / 2, abs(until - life.last_seen) / 2  # clocks can be set back between
    end = Event(ABRUPT_END, middle, half, life.pid, life.pid, None, life.uid, life.cgroup, None, True, {}, ())
    fitting = [
        incident
        for incident in decision.incidents
        if _can_be(incident, end) and _is_after(incident.event, life.begin) and not is_told(incident, told)
    ]
    if not fitting:
        return Incident(causes.UNKNOWN, causes.UNEXPLAINED, end, 'it ended, and no source shows why')
    best = min(fitting, key=lambda incident: (_rank(incident), abs((incident.event.time or 0.0) - middle)))
    return best._replace(event=best.event._replace(pid=life.pid)) if not pids_of(best.event) else best


def meant(incident: Incident) -> Incident:
    """The same, told as a stop, of a process that ended while this collection was at work on it."""
    if incident.cause != causes.UNEXPLAINED:
        return incident
    return incident._replace(
        verdict=causes.NO,
        cause=causes.ADMIN_STOP,
        how='it ended while a task or window of this collection was working on it',
    )


def _can_be(incident: Incident, end: Event) -> bool:
    """A kill of another pid is another's, however alike both are."""
    pids = pids_of(incident.event)
    return (not pids or end.pid in pids) and separate.near(incident.event, end, _EXPLAINED_S)


def _is_after(event: Event, begin: float) -> bool:
    return event.time is None or event.time + event.uncertainty >= begin


def _rank(incident: Incident) -> int:
    if incident.cause in _KILLS:
        return 0
    return 2 if incident.cause == causes.UNEXPLAINED else 1


def kills(decision: Decision, lives: t.Iterable[Life], told: t.Sequence[Told]) -> t.List[Incident]:
    """Kills for memory of processes that are known by their pid, as nobody else can have one that they had."""
    known, seen = {life.pid for life in lives}, list(told)
    found = []
    for incident in decision.incidents:
        if (
            incident.cause in _KILLS
            and incident.verdict == causes.CONFIRMED
            and incident.event.trusted
            and pids_of(incident.event) & known
            and not is_told(incident, seen)
        ):
            found.append(incident)
            seen.append(as_told(incident))
    return found


def as_told(incident: Incident) -> Told:
    event = incident.event
    return Told(event.tgid if event.tgid is not None else event.pid, event.time or 0.0, incident.cause, mark_of(event))


def is_known(life: Life, told: t.Iterable[Told]) -> bool:
    """Whether the end of this process was told before it was seen."""
    return any(
        entry.pid == life.pid and life.begin <= entry.epoch + 2.0 and entry.epoch >= life.begin for entry in told
    )
