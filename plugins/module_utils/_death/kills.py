# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The kills for memory among the events of a case, ascribed to the instance or to others. Pure."""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import exit_codes
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import causes, excluded, separate
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import events as types
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import identity as _oom_identity
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.case import Case
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.events import DOCKER, SYSTEMD, Event, Evidence
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.excluded import spans_of
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.identity import MAYBE, OTHER, OURS, Match, Seen
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.separate import near
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.lives import Life

_GROUP_KILL_S = 5.0  # all of a group are killed within this
_TICK_S = 0.5  # of the begin of a process
_EXACT_S = 300.0  # what is known to that is a sign of one moment, and not of half a day


class Kills:
    """What the judge of a case begins with."""

    def __init__(self, case: Case) -> None:
        self.case, self.subject = case, case.subject
        self.notes: t.List[str] = []
        self.incidents: t.List[causes.Incident] = []
        self.others: t.List[Event] = []
        self.weak: t.List[t.Tuple[Event, str, Match]] = []  # kills that need a death of their own
        self.doubtful: t.List[Event] = []  # kills that forbid to say that nothing was killed then
        self.exclusion = excluded.Exclusion(case)
        self.events = [self._with_own_pids(event) for event in case.events if self._in_window(event)]
        self.starts = separate.Starts(
            separate.served(self.events) + tuple(began(life) for life in self.subject.lives),
            tuple(
                (entry.begin, max(entry.end, case.until))
                for entry in case.coverage  # a start would be its end
                if entry.source == 'running.log'
                and entry.readable
                and entry.begin is not None
                and entry.end is not None
            ),
        )
        self.seen = Seen(
            self.starts,
            tuple(
                event
                for event in self.events
                if event.kind in causes.NAME_PROCESSES and _oom_identity.bears_name(event, self.subject)
            ),
        )

    def _with_own_pids(self, event: Event) -> Event:
        """What the kernel tells in a container are pids and users of the host."""
        if not self.subject.is_contained or event.kind not in causes.OF_KERNEL or event.pid is None:
            return event
        return event._replace(pid=None, tgid=None, uid=None, details=dict(event.details, kernel_pid=event.pid))

    def _in_window(self, event: Event) -> bool:
        if event.time is None:
            return True
        return self.case.since - event.uncertainty <= event.time <= self.case.until + event.uncertainty

    def _of_kind(self, *kinds: str) -> t.List[Event]:
        return [event for event in self.events if event.kind in kinds]

    def _remark(self) -> None:
        """What is worth saying and decides nothing."""
        for event in self._of_kind(types.SPOOFED):
            self.notes.append(
                'Ignored a line that looks like a kernel message but was written by a program: %s' % quote(event)
            )
        for event in self.case.events:
            if (
                not self._in_window(event)
                and event.kind in (types.KERNEL_KILL, types.USERSPACE_KILL)
                and _oom_identity.match(event, self.subject).answer != OTHER
            ):
                self.notes.append('Outside of the time window: %s' % quote(event))
        for event in self._of_kind(types.STARTED):
            if event.details.get('failed_line') is not None:
                self.notes.append(
                    'A start failed: %s. Its log says: %s'
                    % (
                        exit_codes.explain(None, None, event.details['failed_line']).meaning,
                        event.details['failed_line'],
                    )
                )
        for event in self._of_kind(types.KERNEL_INTENT):
            if _oom_identity.match(event, self.subject, self.seen).answer == OURS:
                self.notes.append(
                    'The kernel chose this process, but that is not a kill, because a child process may have been '
                    'killed instead: %s' % quote(event)
                )

    # --- kills for memory

    def _kills(self) -> None:
        kernel = [event for event in self._of_kind(types.KERNEL_KILL) if self._is_possible(event)]
        for event in kernel:
            self._kill(event, causes.CGROUP_OOM if _is_of_group(event) else causes.GLOBAL_OOM, kernel)
        for event in self._of_kind(types.USERSPACE_KILL):
            if not self._is_known(event):
                is_told = event.details.get('killer') in (SYSTEMD, DOCKER)  # of a kill by the kernel
                if is_told and not any(near(event, other) for other in kernel):
                    self.doubtful.append(event)  # the kernel's log does not have it, so it may lack others
                self._kill(event, causes.CGROUP_OOM if is_told else causes.USERSPACE_OOM, ())
        for event, cause, found in self.weak:
            self._weak_kill(event, cause, found)

    def _is_possible(self, event: Event) -> bool:
        """The kernel counts every kill: where it counted none since the boot, a line that says so is no kernel's."""
        counters = self.case.counters
        if (
            counters.host != 0
            or counters.booted is None
            or event.time is None
            or 'killer' in event.details
            or event.time - event.uncertainty <= counters.booted
        ):
            return True
        self.notes.append(
            'Ignored a line about an OOM kill, because the kernel has counted no OOM kill since boot: %s' % quote(event)
        )
        return False

    def _is_known(self, event: Event) -> bool:
        """systemd tells of kills by the kernel too: then it is one death, and one more line for it."""
        for index, incident in enumerate(self.incidents):
            if (
                near(event, incident.event)
                and event.pid in (None, incident.event.pid, incident.event.tgid)
                and not self.starts.between_stamps(event, incident.event)
            ):
                self.incidents[index] = incident._replace(traces=incident.traces + (event,))
                return True
        return False

    def _kill(self, event: Event, cause: str, together: t.Sequence[Event]) -> None:
        found = _oom_identity.match(event, self.subject, self.seen)
        if found.answer == OTHER:
            self.others.append(event)
        elif found.answer == MAYBE and (found.against or (event.comm is None and event.pid is None)):
            self.weak.append((event, cause, found))
        else:
            self._ascribe(event, cause, found, together)

    def _weak_kill(self, event: Event, cause: str, found: Match) -> None:
        """A maybe that names nobody, or against which something speaks, needs a death that nothing better explains."""
        if any(
            near(event, incident.event) and not self.starts.between_stamps(event, incident.event)
            for incident in self.incidents
        ):
            self.others.append(event)
            self.doubtful.append(event)  # another death beside that one may be its
        elif self._ended_then(event):
            self._ascribe(event, cause, found, ())
        else:
            self._set_aside(event, found)

    def _ascribe(self, event: Event, cause: str, found: Match, together: t.Sequence[Event]) -> None:
        doubts = self._doubts(event, found)
        sure = found.answer == OURS and event.time is not None and not doubts
        victims = tuple(other for other in together if _is_killed_with(event, other))
        if any(incident.event in victims for incident in self.incidents):
            return  # of the same group kill
        if event.details.get('killer') == SYSTEMD:
            doubts.append('systemd does not report whether its limit was reached or the host was out of memory')
        self.incidents.append(
            causes.Incident(
                causes.CONFIRMED if sure else causes.LIKELY,
                cause,
                self._with_pid(event) if found.answer == OURS else event,
                '; '.join([found.how] + doubts),
                found.candidates,
                victims=victims,
            )
        )

    def _ended_then(self, event: Event) -> bool:
        """Whether a death of this instance is known to some minutes, and can be this one."""
        earliest = (event.time or 0.0) - event.uncertainty
        later = [start for start in self.starts.events if (start.time or 0.0) >= earliest]
        return any(
            near(event, trace)
            and trace.uncertainty <= _EXACT_S
            and not self.starts.between(event, trace)
            and (trace.kind == types.STARTED or not separate.differ(event, trace))
            for trace in self._of_kind(types.CLEAN_STOP, *causes.TRACES) + later
        )

    def _set_aside(self, event: Event, found: Match) -> None:
        """Not taken for this instance's, and not for another's: a death of which the time is not known can be it."""
        self.others.append(event)
        if not self._own_log_goes_on(event):
            self.doubtful.append(event)
            self.notes.append('An OOM kill that cannot be attributed (%s): %s' % (found.how, quote(event)))

    def _doubts(self, event: Event, found: Match) -> t.List[str]:
        """Why a line that names this instance is not enough."""
        doubts = [] if event.trusted else ['it is not known which program wrote the line']
        silent = self._silent_source(event)
        if silent is not None:
            doubts.append('but the %s covers that time and has no such line' % silent)
        if (found.needs_sign or found.by_elimination) and self._own_log_goes_on(event):
            doubts.append('but its own log shows that it kept running at that time')
        elif found.needs_sign and not self._died_then(event):
            doubts.append('but no other source shows that it died at that time')
        return doubts

    def _silent_source(self, event: Event) -> t.Optional[str]:
        """A source that knows who writes, and does not have what a log file tells: any program can write that.

        A file that was asked for by name can be of another host, and is believed.
        """
        if event.time is None or any(
            row.source in causes.KNOW_WRITER + ('pstore',) or self._is_given(row) for row in event.evidence
        ):
            return None
        sources = ('journal',) if event.kind == types.USERSPACE_KILL else causes.KNOW_WRITER
        begin, end = event.time - event.uncertainty, event.time + event.uncertainty
        return next(
            (
                entry.source
                for entry in self.case.coverage
                if entry.source in sources and entry.complete and separate.covers(spans_of([entry]), begin, end)
            ),
            None,
        )

    def _is_given(self, row: Evidence) -> bool:
        """With what it was rotated to."""
        return row.file is not None and row.file.startswith(self.case.given)

    def _died_then(self, event: Event) -> bool:
        if any(near(event, sign) for sign in self._of_kind(*causes.SIGNS)):
            return True
        return bool(self._ended(event)) or any(
            event.time is not None and abs(life.became - event.time) <= event.uncertainty + separate.SAME_DEATH_S
            for life in self.subject.lives
        )

    def _ended(self, event: Event) -> t.List[Life]:
        lives = self.subject.lives
        return [life for life in lives if _oom_identity.can_have_ended(life, event, lives)]

    def _with_pid(self, event: Event) -> Event:
        """With the pid of the process that ended then, where the line names none and there is only one."""
        ended = self._ended(event) if event.pid is None else []
        return event._replace(pid=ended[0].pid) if len(ended) == 1 else event

    def _own_log_goes_on(self, event: Event) -> bool:
        """Whether its log was written before and after, and shows neither an end nor a start near that time."""
        own = [entry for entry in self.case.coverage if entry.source == 'running.log']
        at = event.time or 0.0
        spans = any(
            begin <= at - event.uncertainty and at + event.uncertainty <= end - excluded.END_SLACK_S
            for begin, end in spans_of(own)
        )
        return spans and not any(
            near(event, other)
            for other in self._of_kind(types.ABRUPT_END, types.CLEAN_STOP, types.STARTED, types.PANIC, types.GO_OOM)
        )


def quote(event: Event) -> str:
    return event.evidence[0].text if event.evidence else event.kind


def _is_of_group(event: Event) -> bool:
    return event.scope == types.CGROUP


def _is_killed_with(event: Event, other: Event) -> bool:
    """Whether both died in one kill of a whole control group."""
    return (
        other is not event
        and bool(event.details.get('oom_group'))
        and bool(other.details.get('oom_group'))
        and event.details.get('oom_memcg') == other.details.get('oom_memcg')
        and near(event, other, _GROUP_KILL_S)
    )


def began(life: Life) -> Event:
    return Event(
        types.STARTED, life.became, _TICK_S, life.pid, life.pid, None, life.uid, life.cgroup, None, True, {}, ()
    )
