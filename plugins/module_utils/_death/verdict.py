# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""From what all sources tell to a verdict: was it killed for memory? Pure; explained in docs/memory-kills.md.

``no`` needs a source that would have shown a kill, for the whole window. What could not be looked at is ``unknown``.
"""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import causes, kills, separate
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import events as types
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import identity as _oom_identity
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.case import Case
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.events import Event
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.identity import OURS
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.separate import near
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.lives import Life

_SAME_BOOT_S = 1800.0  # from the panic of a kernel to its next boot
_SAME_CLOCK_S = 2.0  # the time of a file is a little behind that of a process
_MINUTE_S = 60.0  # about a death in which other kills are named


def decide(case: Case) -> causes.Decision:
    """The verdict on the window."""
    return _Judge(case).decide()


# --- the judge


class _Judge(kills.Kills):
    def decide(self) -> causes.Decision:
        self._remark()
        self._kills()
        self._explained()
        self._traces()
        self._unseen_ends()
        verdict, cause = self._overall()
        self.incidents.sort(key=lambda incident: incident.event.time or 0.0)
        return causes.Decision(verdict, cause, tuple(self.incidents), tuple(self.others), tuple(self.notes))

    # --- deaths with another explanation

    def _explained(self) -> None:
        for kind, cause in causes.EXPLAINS.items():
            for event in sorted(self._of_kind(kind), key=_rank_of_evidence):
                if self._may_be_of_us(event) and self._is_end(event) and not self._belongs(event, cause):
                    self.incidents.append(
                        causes.Incident(causes.NO, cause, event, event.details.get('how', causes.EXPLANATION[cause]))
                    )

    def _is_end(self, event: Event) -> bool:
        """A signal that arrived, words of a panic without its stacks, or a number that may be a pid are no end yet."""
        if all(event.details.get(name, True) for name in ('is_complete', 'has_dump', 'certain')):
            return True
        return any(near(event, trace) and not separate.differ(event, trace) for trace in self._of_kind(*causes.TRACES))

    def _may_be_of_us(self, event: Event) -> bool:
        if event.kind == types.KERNEL_SEGFAULT:
            return _oom_identity.match(event, self.subject, self.seen).answer == OURS
        if event.time is not None and event.time + event.uncertainty < (self.subject.known_since or 0.0):
            return False  # nothing is known of this instance from before
        return not any(_oom_identity.alive_at(life, event) for life in self.subject.lives)

    def _belongs(self, event: Event, cause: str) -> bool:
        """Whether the event is part of a death that is listed: a killer's SIGTERM leaves the mark of a clean stop."""
        return self._add_to(
            event,
            [
                index
                for index, incident in enumerate(self.incidents)
                if incident.cause == cause
                or (incident.cause, cause) in causes.LEAVES
                or self._holds(incident, event)
                or any(trace.kind == event.kind for trace in incident.traces)
            ],
        )

    def _add_to(self, event: Event, candidates: t.Iterable[int]) -> bool:
        """Make it a trace of the nearest of these incidents that can be the same death; False where none can."""
        known = [index for index in candidates if self._can_be(self.incidents[index], event)]
        if not known:
            return False
        best = min(
            known,
            key=lambda index: (
                not self._holds(self.incidents[index], event),
                separate.distance(self.incidents[index].event, event),
            ),
        )
        self.incidents[best] = self.incidents[best]._replace(traces=self.incidents[best].traces + (event,))
        return True

    def _can_be(self, incident: causes.Incident, event: Event) -> bool:
        parts = (incident.event,) + incident.traces
        if any(separate.differ(part, event) for part in parts if not self._is_foreign(part)):
            return False
        if self._holds(incident, event):
            return True
        slack = _SAME_BOOT_S if incident.cause == causes.HOST_PANIC else separate.slack(incident.event, event)
        return near(incident.event, event, slack) and not any(
            self.starts.between(part, event) for part in parts if not separate.is_own_doing(part)
        )

    def _is_foreign(self, event: Event) -> bool:
        """Whether its pids are those of the host, while the others are of this container."""
        return self.subject.is_contained and event.kind == types.USERSPACE_KILL

    @staticmethod
    def _holds(incident: causes.Incident, event: Event) -> bool:
        """Whether it already has something of the same process."""
        return any(separate.is_same(part, event) for part in (incident.event,) + incident.traces)

    # --- deaths without one

    def _traces(self) -> None:
        for event in sorted(self._of_kind(*causes.TRACES), key=self._distance):
            if any(_oom_identity.alive_at(life, event) for life in self.subject.lives):
                continue
            is_anybodys = event.kind == types.GUARD_DROP and self.subject.others  # the guard counts all of a host
            if not self._add_to(event, range(len(self.incidents))) and not is_anybodys:
                self._unexplained(event)

    def _distance(self, event: Event) -> t.Tuple[float, ...]:
        """To the nearest death that is known: who is nearest belongs to it, and another one does not."""
        return min([separate.distance(incident.event, event) for incident in self.incidents] or [(0.0, 0.0, 0.0)])

    def _unseen_ends(self) -> None:
        """Processes of the history that are gone without a line that says so."""
        ends = self._ends_of_lives()
        free = [
            incident
            for incident in self.incidents
            if not any(separate.pids(incident.event) & separate.pids(end) for end in ends)
        ]
        for end in ends:
            if any(
                separate.pids(incident.event) & separate.pids(end) and near(end, incident.event)
                for incident in self.incidents
            ):
                continue
            fitting = [
                incident
                for incident in free
                if not separate.differ(end, incident.event) and near(end, incident.event, _SAME_CLOCK_S)
            ]
            if fitting:  # one end each
                free.remove(min(fitting, key=lambda incident: separate.gap(end, incident.event)))
            else:
                self._unexplained(end)

    def _ends_of_lives(self) -> t.List[Event]:
        """When the processes of the history that are gone can have ended, the first to end first."""
        lives, found = self.subject.lives, []
        for index, life in enumerate(lives):
            end = lives[index + 1].became if index + 1 < len(lives) else self.case.until
            if life.running or end < self.case.since or life.last_seen > self.case.until or self._has_failed(life):
                continue
            begin = min(max(life.last_seen, self.case.since), end)
            middle, half = (begin + end) / 2, (end - begin) / 2
            found.append(
                Event(
                    types.ABRUPT_END, middle, half, life.pid, life.pid, None, life.uid, life.cgroup, None, True, {}, ()
                )
            )
        return found

    def _has_failed(self, life: Life) -> bool:
        """Whether its log says why it ended in its start."""
        return any(
            event.details.get('failed') and near(event, kills.began(life), _SAME_CLOCK_S)
            for event in self._of_kind(types.STARTED)
        )

    def _unexplained(self, event: Event) -> None:
        middle = event.time if event.time is not None else (self.case.since + self.case.until) / 2
        begin = max(middle - event.uncertainty, self.case.since)
        end = min(middle + event.uncertainty, self.case.until)
        why = self.exclusion.why_not(begin, end) or self._doubt(begin, end)
        scope = self.exclusion.counted_scope(begin, end) if event.evidence else None
        verdict, cause = causes.UNKNOWN, causes.UNEXPLAINED
        if why is None:
            verdict, why = causes.NO, self.exclusion.words(begin, end, self._of_time(self.others, begin, end))
        elif scope is not None:
            verdict, cause = causes.LIKELY, causes.CGROUP_OOM if scope == types.CGROUP else causes.GLOBAL_OOM
            why = 'the kernel has counted an OOM kill that no log shows'
        self.incidents.append(causes.Incident(verdict, cause, event, 'it exited without logging; ' + why))

    def _doubt(self, begin: float, end: float) -> t.Optional[str]:
        """A kill of that time that can have been this death, or that the kernel's log should have and has not."""
        found = self._of_time(self.doubtful, begin, end)
        return 'an OOM kill of that time cannot be attributed: %s' % kills.quote(found[0]) if found else None

    @staticmethod
    def _of_time(events: t.Iterable[Event], begin: float, end: float) -> t.List[Event]:
        """Those that can have been between the two, or within a minute of it."""
        return [
            event
            for event in events
            if event.time is None
            or (
                event.time + event.uncertainty + _MINUTE_S >= begin
                and event.time - event.uncertainty - _MINUTE_S <= end
            )
        ]

    # --- all together

    def _overall(self) -> t.Tuple[str, str]:
        known = [incident for incident in self.incidents if incident.verdict != causes.NO]
        if known:
            worst = min((incident.verdict for incident in known), key=causes.URGENCY.index)
            if worst == causes.UNKNOWN:
                return causes.UNKNOWN, causes.UNEXPLAINED
            return worst, [incident.cause for incident in known if incident.verdict == worst][-1]
        if any(life.running and life.begin < self.case.since - 2.0 for life in self.subject.lives):
            self.notes.append('The process that runs now was started before the time window.')
            return causes.NO, causes.NOT_DEAD
        why = self.exclusion.why_not(self.case.since, self.case.until) or (
            None if self.incidents else self._doubt(self.case.since, self.case.until)
        )
        if why is not None and not self._all_ends_are_told():
            self.notes.append(why[0].upper() + why[1:] + '.')
            return causes.UNKNOWN, causes.UNEXPLAINED
        if self.incidents:
            return causes.NO, max(self.incidents, key=lambda incident: incident.event.time or 0.0).cause
        return causes.NO, causes.NOT_DEAD if any(life.running for life in self.subject.lives) else causes.UNEXPLAINED

    def _all_ends_are_told(self) -> bool:
        """Whether the application's own log spans the window and explains the end of every process in it."""
        spans = any(
            entry.begin is not None and entry.begin <= self.case.since
            for entry in self.case.coverage
            if entry.source == 'running.log' and entry.readable
        )
        return spans and 0 < len(self.incidents) >= len(separate.served(self.events))


def _rank_of_evidence(event: Event) -> t.Tuple[bool, float]:
    """What this collection itself did comes first, as it knows the process; then by time."""
    return not separate.is_own_doing(event), event.time or 0.0
