# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""From what all sources tell to a verdict: was it killed for memory? Pure; explained in docs/memory-kills.md.

``no`` needs a source that would have shown a kill, for the whole window. What could not be looked at is ``unknown``.
"""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils import _death_types as types
from ansible_collections.anqicms.lifecycle.plugins.module_utils import _oom_identity
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death_types import (
    DOCKER,
    SYSTEMD,
    Coverage,
    Event,
    Evidence,
    Life,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._oom_identity import (
    MAYBE,
    OTHER,
    OURS,
    Match,
    Subject,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._stop import signals_sent as _signals_sent

CONFIRMED, LIKELY, NO, UNKNOWN = 'confirmed', 'likely', 'no', 'unknown'
_URGENCY = (CONFIRMED, LIKELY, UNKNOWN, NO)

GLOBAL_OOM, CGROUP_OOM, USERSPACE_OOM = 'kernel_oom_global', 'kernel_oom_cgroup', 'userspace_oom'
GO_RUNTIME_OOM, CRASH, ADMIN_STOP, ADMIN_KILL = 'go_runtime_oom', 'crash', 'admin_stop', 'admin_kill'
HOST_REBOOT, HOST_PANIC, NOT_DEAD, UNEXPLAINED = 'host_reboot', 'host_panic', 'not_dead', 'unexplained'

VERDICTS = {
    GLOBAL_OOM: (CONFIRMED, LIKELY),
    CGROUP_OOM: (CONFIRMED, LIKELY),
    USERSPACE_OOM: (CONFIRMED, LIKELY),
    GO_RUNTIME_OOM: (NO,),
    CRASH: (NO,),
    ADMIN_STOP: (NO,),
    ADMIN_KILL: (NO,),
    HOST_REBOOT: (NO,),
    HOST_PANIC: (NO,),
    NOT_DEAD: (NO,),
    UNEXPLAINED: (NO, UNKNOWN),
}  # type: t.Dict[str, t.Tuple[str, ...]]

# What explains a death by itself, and as what; a kill for memory comes before these, and the first before the others.
_EXPLAINS = {
    types.KERNEL_PANIC_OOM: HOST_PANIC,
    types.GO_OOM: GO_RUNTIME_OOM,
    types.PANIC: CRASH,
    types.KERNEL_SEGFAULT: CRASH,
    types.GUARD_ADMIN_STOP: ADMIN_KILL,
    types.CLEAN_STOP: ADMIN_STOP,
    types.BOOT: HOST_REBOOT,
}
_TRACES = (types.ABRUPT_END, types.GUARD_DROP)  # it is gone, and this does not say why
# What says that it died about then, or was started again after that.
_SIGNS = (types.CLEAN_STOP, types.STARTED, types.PANIC, types.GO_OOM) + _TRACES
_OF_KERNEL = (types.KERNEL_KILL, types.KERNEL_INTENT, types.KERNEL_NO_KILL, types.KERNEL_SEGFAULT)
_KNOW_WRITER = ('journal', 'kmsg', 'dmesg')  # sources that tell who wrote a line
_SAME_DEATH_S = 90.0   # the watchdog looks once a minute, and a log may lag by half of one
_SAME_BOOT_S = 1800.0  # from the panic of a kernel to its next boot
_GROUP_KILL_S = 5.0    # all of a group are killed within this
_SAME_CLOCK_S = 2.0    # the time of a file is a little behind that of a process
_END_SLACK_S = 60.0    # between the last record of a source and now


class Counters(t.NamedTuple):
    """``host``: kills of the kernel since the boot; ``group``: those in the instance's own memory group.

    ``noted``: times since the boot with what ``host`` was then, oldest first.
    """

    booted: t.Optional[float] = None
    host: t.Optional[int] = None
    group: t.Optional[int] = None
    evidence: t.Tuple[Evidence, ...] = ()
    noted: t.Tuple[t.Tuple[float, int], ...] = ()


class Case(t.NamedTuple):
    """Everything that a verdict is made from.

    ``killers``: killers in userspace that run on this host. ``given``: the log files that were asked for by name.
    """

    since: float
    until: float
    subject: Subject
    events: t.Tuple[Event, ...]
    coverage: t.Tuple[Coverage, ...]
    counters: Counters = Counters()
    killers: t.Tuple[str, ...] = ()
    given: t.Tuple[str, ...] = ()


class Incident(t.NamedTuple):
    """One death. ``event`` is what tells of it, ``traces`` what else was left of it; ``victims``: killed together."""

    verdict: str
    cause: str
    event: Event
    how: str
    candidates: t.Tuple[str, ...] = ()
    traces: t.Tuple[Event, ...] = ()
    victims: t.Tuple[Event, ...] = ()


class Decision(t.NamedTuple):
    verdict: str
    cause: str
    incidents: t.Tuple[Incident, ...]
    others: t.Tuple[Event, ...]  # kills of the window that were not this instance's
    notes: t.Tuple[str, ...]


def decide(case: Case) -> Decision:
    """The verdict on the window."""
    return _Judge(case).decide()


# --- time


def near(one: Event, other: Event, within: float = _SAME_DEATH_S) -> bool:
    """Whether both can tell of the same moment."""
    if one.time is None or other.time is None:
        return one.time is None and other.time is None
    return abs(one.time - other.time) <= one.uncertainty + other.uncertainty + within


def _pids(event: Event) -> t.Set[int]:
    return {pid for pid in (event.pid, event.tgid) if pid is not None}


def differ(one: Event, other: Event) -> bool:
    """Whether they tell of two processes: by their pids, or because its own log has both."""
    pids, others = _pids(one), _pids(other)
    numbers = {one.details.get('process'), other.details.get('process')} - {None}
    return bool(pids and others and not pids & others) or len(numbers) > 1


def is_same(one: Event, other: Event) -> bool:
    """Whether they certainly tell of the end of one process; pids are used again."""
    number = one.details.get('process')
    if number is not None and number == other.details.get('process'):
        return True
    return bool(_pids(one) & _pids(other)) and near(one, other)


def _slack(one: Event, other: Event) -> float:
    """How far the times of one death may lie apart: what this collection did, it noted at once."""
    is_ours = _is_own_doing(one) or _is_own_doing(other)
    return _SAME_CLOCK_S if is_ours else _SAME_DEATH_S


def _is_own_doing(event: Event) -> bool:
    return any(row.source == _signals_sent.SOURCE for row in event.evidence)


def _gap(one: Event, other: Event) -> float:
    """Seconds between the times in which they can have been."""
    if one.time is None or other.time is None:
        return 0.0
    return max(0.0, abs(one.time - other.time) - one.uncertainty - other.uncertainty)


def covers(spans: t.Iterable[t.Tuple[float, float]], begin: float, end: float) -> bool:
    """Whether the spans together leave no gap between begin and end."""
    for first, last in sorted(spans):
        if first <= begin:
            begin = max(begin, last)
    return begin >= end


def _spans(coverage: t.Iterable[Coverage], services: bool = False) -> t.List[t.Tuple[float, float]]:
    """What sources cover, without the gaps in what they have of the kernel, or of killers in userspace."""
    return [span for entry in coverage if entry.readable and entry.begin is not None and entry.end is not None
            for span in types.without_gaps(
                (entry.begin, entry.end + _END_SLACK_S),
                [gap for gap in entry.gaps if (gap.services if services else gap.kernel)])]


# --- the judge


class _Judge:
    def __init__(self, case: Case) -> None:
        self.case, self.subject = case, case.subject
        self.notes = []      # type: t.List[str]
        self.incidents = []  # type: t.List[Incident]
        self.others = []     # type: t.List[Event]
        self.events = [self._with_own_pids(event) for event in case.events if self._in_window(event)]

    def decide(self) -> Decision:
        self._remark()
        self._kills()
        self._explained()
        self._traces()
        self._unseen_ends()
        verdict, cause = self._overall()
        self.incidents.sort(key=lambda incident: incident.event.time or 0.0)
        return Decision(verdict, cause, tuple(self.incidents), tuple(self.others), tuple(self.notes))

    def _with_own_pids(self, event: Event) -> Event:
        """What the kernel tells in a container are pids and users of the host."""
        if not self.subject.is_contained or event.kind not in _OF_KERNEL or event.pid is None:
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
            self.notes.append('A line that looks like the kernel\'s was written by a program, and is not believed: %s'
                              % _quote(event))
        for event in self.case.events:
            if not self._in_window(event) and event.kind in (types.KERNEL_KILL, types.USERSPACE_KILL) \
                    and _oom_identity.match(event, self.subject).answer != OTHER:
                self.notes.append('Outside of the window: %s' % _quote(event))
        for event in self._of_kind(types.KERNEL_INTENT):
            if _oom_identity.match(event, self.subject).answer == OURS:
                self.notes.append('The kernel chose it, which is no kill: a child can have died for it: %s'
                                  % _quote(event))

    # --- kills for memory

    def _kills(self) -> None:
        kernel = [event for event in self._of_kind(types.KERNEL_KILL) if self._is_possible(event)]
        for event in kernel:
            self._kill(event, CGROUP_OOM if _is_of_group(event) else GLOBAL_OOM, kernel)
        for event in self._of_kind(types.USERSPACE_KILL):
            if not self._is_known(event):
                is_told = event.details.get('killer') in (SYSTEMD, DOCKER)  # of a kill by the kernel
                self._kill(event, CGROUP_OOM if is_told else USERSPACE_OOM, ())

    def _is_possible(self, event: Event) -> bool:
        """The kernel counts every kill: where it counted none since the boot, a line that says so is no kernel's."""
        counters = self.case.counters
        if counters.host != 0 or counters.booted is None or event.time is None or 'killer' in event.details \
                or event.time - event.uncertainty <= counters.booted:
            return True
        self.notes.append('The kernel has counted no kill since its boot, so this line is not believed: %s'
                          % _quote(event))
        return False

    def _is_known(self, event: Event) -> bool:
        """systemd tells of kills by the kernel too: then it is one death, and one more line for it."""
        for index, incident in enumerate(self.incidents):
            if near(event, incident.event) and event.pid in (None, incident.event.pid, incident.event.tgid):
                self.incidents[index] = incident._replace(traces=incident.traces + (event,))
                return True
        return False

    def _kill(self, event: Event, cause: str, together: t.Sequence[Event]) -> None:
        found = _oom_identity.match(event, self.subject)
        nameless = event.comm is None and event.pid is None and event.cgroup is None
        if found.answer == MAYBE and nameless and not self._has_trace(event):
            found = found._replace(answer=OTHER)
        if found.answer == OTHER:
            self.others.append(event)
            return
        doubts = self._doubts(event, found)
        sure = found.answer == OURS and event.time is not None and not doubts
        victims = tuple(other for other in together if _is_killed_with(event, other))
        if any(incident.event in victims for incident in self.incidents):
            return  # of the same group kill
        if event.details.get('killer') == SYSTEMD:
            doubts.append('systemd does not tell whether its limit or the host had no memory left')
        self.incidents.append(Incident(
            CONFIRMED if sure else LIKELY, cause, self._with_pid(event) if found.answer == OURS else event,
            '; '.join([found.how] + doubts), found.candidates, victims=victims))

    def _doubts(self, event: Event, found: Match) -> t.List[str]:
        """Why a line that names this instance is not enough."""
        doubts = [] if event.trusted else ['who wrote the line is not known']
        silent = self._silent_source(event)
        if silent is not None:
            doubts.append('but the %s covers that time and has no such line' % silent)
        if (found.needs_sign or found.by_elimination) and self._own_log_goes_on(event):
            doubts.append('but its own log shows no end of it then')
        elif found.needs_sign and not self._died_then(event):
            doubts.append('but nothing else says that it died then')
        return doubts

    def _silent_source(self, event: Event) -> t.Optional[str]:
        """A source that knows who writes, and does not have what a log file tells: any program can write that.

        A file that was asked for by name can be of another host, and is believed.
        """
        if event.time is None or any(row.source in _KNOW_WRITER + ('pstore',) or self._is_given(row)
                                     for row in event.evidence):
            return None
        sources = ('journal',) if event.kind == types.USERSPACE_KILL else _KNOW_WRITER
        begin, end = event.time - event.uncertainty, event.time + event.uncertainty
        return next((entry.source for entry in self.case.coverage if entry.source in sources and entry.complete
                     and covers(_spans([entry]), begin, end)), None)

    def _is_given(self, row: Evidence) -> bool:
        """With what it was rotated to."""
        return row.file is not None and row.file.startswith(self.case.given)

    def _died_then(self, event: Event) -> bool:
        if any(near(event, sign) for sign in self._of_kind(*_SIGNS)):
            return True
        return bool(self._ended(event)) or any(
            event.time is not None and abs(life.begin - event.time) <= event.uncertainty + _SAME_DEATH_S
            for life in self.subject.lives)

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
        spans = any(begin <= at - event.uncertainty and at + event.uncertainty <= end - _END_SLACK_S
                    for begin, end in _spans(own))
        return spans and not any(near(event, other) for other in self._of_kind(
            types.ABRUPT_END, types.CLEAN_STOP, types.STARTED, types.PANIC, types.GO_OOM))

    def _has_trace(self, event: Event) -> bool:
        return any(near(event, trace) for trace in self._of_kind(types.CLEAN_STOP, *_TRACES))

    # --- deaths with another explanation

    def _explained(self) -> None:
        for kind, cause in _EXPLAINS.items():
            for event in sorted(self._of_kind(kind), key=_rank_of_evidence):
                if self._may_be_of_us(event) and self._is_end(event) and not self._belongs(event, cause):
                    self.incidents.append(Incident(NO, cause, event, event.details.get('how', _EXPLANATION[cause])))

    def _is_end(self, event: Event) -> bool:
        """A signal that arrived, words of a panic without its stacks, or a number that may be a pid are no end yet."""
        if all(event.details.get(name, True) for name in ('is_complete', 'has_dump', 'certain')):
            return True
        return any(near(event, trace) and not differ(event, trace) for trace in self._of_kind(*_TRACES))

    def _may_be_of_us(self, event: Event) -> bool:
        if event.kind == types.KERNEL_SEGFAULT:
            return _oom_identity.match(event, self.subject).answer == OURS
        return not any(_oom_identity.alive_at(life, event) for life in self.subject.lives)

    def _belongs(self, event: Event, cause: str) -> bool:
        """Whether the event is part of a death that is listed: a killer's SIGTERM leaves the mark of a clean stop."""
        return self._add_to(event, [
            index for index, incident in enumerate(self.incidents)
            if incident.cause == cause or (incident.cause, cause) in _LEAVES or self._holds(incident, event)
            or any(trace.kind == event.kind for trace in incident.traces)])

    def _add_to(self, event: Event, candidates: t.Iterable[int]) -> bool:
        """Make it a trace of the nearest of these incidents that can be the same death; False where none can."""
        known = [index for index in candidates if self._can_be(self.incidents[index], event)]
        if not known:
            return False
        best = min(known, key=lambda index: (not self._holds(self.incidents[index], event),
                                             _gap(self.incidents[index].event, event),
                                             abs((self.incidents[index].event.time or 0.0) - (event.time or 0.0))))
        self.incidents[best] = self.incidents[best]._replace(traces=self.incidents[best].traces + (event,))
        return True

    def _can_be(self, incident: Incident, event: Event) -> bool:
        if any(differ(part, event) for part in (incident.event,) + incident.traces if not self._is_foreign(part)):
            return False
        slack = _SAME_BOOT_S if incident.cause == HOST_PANIC else _slack(incident.event, event)
        return near(incident.event, event, slack) or self._holds(incident, event)

    def _is_foreign(self, event: Event) -> bool:
        """Whether its pids are those of the host, while the others are of this container."""
        return self.subject.is_contained and event.kind == types.USERSPACE_KILL

    @staticmethod
    def _holds(incident: Incident, event: Event) -> bool:
        """Whether it already has something of the same process."""
        return any(is_same(part, event) for part in (incident.event,) + incident.traces)

    # --- deaths without one

    def _traces(self) -> None:
        for event in sorted(self._of_kind(*_TRACES), key=self._distance):
            if any(_oom_identity.alive_at(life, event) for life in self.subject.lives):
                continue
            is_anybodys = event.kind == types.GUARD_DROP and self.subject.others  # the guard counts all of a host
            if not self._add_to(event, range(len(self.incidents))) and not is_anybodys:
                self._unexplained(event)

    def _distance(self, event: Event) -> float:
        """Seconds to the nearest death that is known: who is nearest belongs to it, and another one does not."""
        return min([_gap(incident.event, event) for incident in self.incidents] or [0.0])

    def _unseen_ends(self) -> None:
        """Processes of the history that are gone without a line that says so."""
        ends = self._ends_of_lives()
        free = [incident for incident in self.incidents
                if not any(_pids(incident.event) & _pids(end) for end in ends)]
        for end in ends:
            if any(_pids(incident.event) & _pids(end) and near(end, incident.event, _SAME_CLOCK_S)
                   for incident in self.incidents):
                continue
            fitting = [incident for incident in free
                       if not differ(end, incident.event) and near(end, incident.event, _SAME_CLOCK_S)]
            if fitting:  # one end each
                free.remove(min(fitting, key=lambda incident: _gap(end, incident.event)))
            else:
                self._unexplained(end)

    def _ends_of_lives(self) -> t.List[Event]:
        """When the processes of the history that are gone can have ended, the first to end first."""
        lives, found = self.subject.lives, []
        for index, life in enumerate(lives):
            end = lives[index + 1].begin if index + 1 < len(lives) else self.case.until
            if life.running or end < self.case.since or life.last_seen > self.case.until:
                continue
            begin = min(max(life.last_seen, self.case.since), end)
            middle, half = (begin + end) / 2, (end - begin) / 2
            found.append(Event(types.ABRUPT_END, middle, half, life.pid, life.pid, None, life.uid, life.cgroup, None,
                               True, {}, ()))
        return found

    def _unexplained(self, event: Event) -> None:
        middle = event.time if event.time is not None else (self.case.since + self.case.until) / 2
        begin = max(middle - event.uncertainty, self.case.since)
        end = min(middle + event.uncertainty, self.case.until)
        why = self._why_not_excluded(begin, end)
        cause = self._counted_cause(begin, end) if event.evidence else None
        if why is None:
            verdict, cause, why = NO, UNEXPLAINED, 'it ended without a word, and nothing was killed for memory then'
        elif cause is not None:
            verdict, why = LIKELY, 'it ended without a word, and the kernel has counted a kill that no log shows'
        else:
            verdict, cause = UNKNOWN, UNEXPLAINED
        self.incidents.append(Incident(verdict, cause, event, why))

    def _counted_cause(self, begin: float, end: float) -> t.Optional[str]:
        """What a counter says of a time for which the kernel's log is lost."""
        if covers(self._kernel_spans(), begin, end):
            return None
        if self.case.counters.group:
            return CGROUP_OOM
        return GLOBAL_OOM if self._uncounted(begin, end) else None

    def _uncounted(self, begin: float, end: float) -> bool:
        """Whether the kernel has counted more kills from before ``begin`` until after ``end`` than its log shows."""
        counts = self._counts()
        if self.subject.is_contained or not counts or counts[0][0] > end:
            return False
        first = [count for count in counts if count[0] <= begin][-1:] or counts[:1]
        last = [count for count in counts if count[0] >= end][:1] or counts[-1:]
        logged = [event for event in self.case.events
                  if event.kind == types.KERNEL_KILL and first[0][0] <= (event.time or 0.0) <= last[0][0]]
        return last[0][1] - first[0][1] > len(logged)

    def _counts(self) -> t.List[t.Tuple[float, int]]:
        """What the kernel had counted at which times, from its boot on; none where it is not known."""
        counters = self.case.counters
        if counters.host is None or counters.booted is None:
            return []
        return [(counters.booted, 0)] + list(counters.noted) + [(max(self.case.until, counters.booted), counters.host)]

    def _why_not_excluded(self, begin: float, end: float) -> t.Optional[str]:
        """None where a kill for memory between begin and end would be known."""
        if not covers(self._kernel_spans(), begin, end):
            return self._gap(begin, end) or 'no source that would show a kill by the kernel covers that time'
        if self.case.killers and not covers(_spans(self._of_services(), services=True), begin, end):
            return '%s runs here, and no log that could be read shows what it killed then' % self.case.killers[0]
        return None

    def _gap(self, begin: float, end: float) -> t.Optional[str]:
        """Why a source that covers that time does not tell of all of it."""
        return next((gap.why for entry in self.case.coverage if entry.readable and entry.complete
                     for gap in entry.gaps if gap.kernel and gap.begin <= end and begin <= gap.end), None)

    def _kernel_spans(self) -> t.List[t.Tuple[float, float]]:
        logs = _spans(entry for entry in self.case.coverage if entry.complete and entry.source != 'vmstat')
        counts = self._counts()
        logs += [(before[0], after[0]) for before, after in zip(counts, counts[1:]) if before[1] == after[1]]
        return logs

    def _of_services(self) -> t.List[Coverage]:
        return [entry for entry in self.case.coverage if entry.source in SERVICE_LOGS]

    # --- all together

    def _overall(self) -> t.Tuple[str, str]:
        known = [incident for incident in self.incidents if incident.verdict != NO]
        if known:
            worst = min((incident.verdict for incident in known), key=_URGENCY.index)
            if worst == UNKNOWN:
                return UNKNOWN, UNEXPLAINED
            return worst, [incident.cause for incident in known if incident.verdict == worst][-1]
        if any(life.running and life.begin < self.case.since - 2.0 for life in self.subject.lives):
            self.notes.append('The process that runs now began before the window.')
            return NO, NOT_DEAD
        why = self._why_not_excluded(self.case.since, self.case.until)
        if why is not None and not self._all_ends_are_told():
            self.notes.append(why[0].upper() + why[1:] + '.')
            return UNKNOWN, UNEXPLAINED
        if self.incidents:
            return NO, max(self.incidents, key=lambda incident: incident.event.time or 0.0).cause
        return NO, NOT_DEAD if any(life.running for life in self.subject.lives) else UNEXPLAINED

    def _all_ends_are_told(self) -> bool:
        """Whether the application's own log spans the window and explains the end of every process in it."""
        spans = any(entry.begin is not None and entry.begin <= self.case.since for entry in self.case.coverage
                    if entry.source == 'running.log' and entry.readable)
        return spans and 0 < len(self.incidents) >= len(self._of_kind(types.STARTED))


SERVICE_LOGS = ('journal', 'syslog', 'messages')
_LEAVES = {(USERSPACE_OOM, ADMIN_STOP), (GO_RUNTIME_OOM, CRASH), (HOST_PANIC, HOST_REBOOT),
           (ADMIN_KILL, ADMIN_STOP), (HOST_REBOOT, ADMIN_STOP)}
_EXPLANATION = {
    HOST_PANIC: 'the kernel panicked for lack of memory instead of killing anything',
    GO_RUNTIME_OOM: 'its own runtime could not get memory and ended it; nothing killed it',
    CRASH: 'it crashed by itself',
    ADMIN_KILL: 'a stop script killed it',
    ADMIN_STOP: 'it was asked to end, and said so',
    HOST_REBOOT: 'the host was started anew',
}


def _rank_of_evidence(event: Event) -> t.Tuple[bool, float]:
    """What this collection itself did comes first, as it knows the process; then by time."""
    return not _is_own_doing(event), event.time or 0.0


def _quote(event: Event) -> str:
    return event.evidence[0].text if event.evidence else event.kind


def _is_of_group(event: Event) -> bool:
    return event.scope == types.CGROUP


def _is_killed_with(event: Event, other: Event) -> bool:
    """Whether both died in one kill of a whole control group."""
    return (other is not event and bool(event.details.get('oom_group')) and bool(other.details.get('oom_group'))
            and event.details.get('oom_memcg') == other.details.get('oom_memcg') and near(event, other, _GROUP_KILL_S))
