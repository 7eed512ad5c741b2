# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""One event for each thing that the kernel's lines tell, from however many lines of however many logs. Pure.

The kernel prints up to four lines for one kill, and drops some of them when there are many kills; the same lines come
back from each log that keeps them. First the lines of each log are read in their order, which says what belongs
together; then the same events of several logs become one (docs/memory-kills.md).
"""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import events as _death_types
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import kernel_lines
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.events import (
    BOOT,
    KERNEL_INTENT,
    KERNEL_KILL,
    KERNEL_NO_KILL,
    KERNEL_PANIC_OOM,
    KERNEL_SEGFAULT,
    SPOOFED,
    Event,
    RawLine,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.kernel_lines import Record

LAG = 30.0  # seconds that the stamp of a log may be behind the kernel's
_ONE_KILL = 60.0  # seconds from the first line about a kill to the last one
_GROUP_KILL = 10.0  # seconds in which the members of a group are killed
_MOST_SAME = 100  # events of one kind and pid that are compared
_OF_ALL = ('constraint', 'oom_memcg')  # what holds for everyone who is killed at one occasion

_KINDS = {kernel_lines.SEGFAULT: KERNEL_SEGFAULT, kernel_lines.PANIC: KERNEL_PANIC_OOM, kernel_lines.BOOT: BOOT}
_VICTIMS = (kernel_lines.KILLED, kernel_lines.SHARING, kernel_lines.REAPED, kernel_lines.PINNED)
_BEFORE = (
    kernel_lines.INVOKED,
    kernel_lines.SYSRQ,
    kernel_lines.TASK_IN,
    kernel_lines.CHOSEN,
    kernel_lines.INTENT,
)  # in this order
_KILLS = (kernel_lines.KILLED, kernel_lines.NAMED, kernel_lines.ANDROID)
_CLAIMS = _VICTIMS + _KILLS[1:] + _BEFORE[2:] + (kernel_lines.GROUP, kernel_lines.PANIC)
_NO_KILLS = (kernel_lines.WOULD_HAVE, kernel_lines.SKIPPED, kernel_lines.NOBODY)

Said = t.Tuple[Record, RawLine]


class _Draft:
    """An event in the making."""

    def __init__(self, kind: str, record: Record, line: RawLine) -> None:
        self.kind, self.pid, self.comm, self.uid = kind, record.pid, record.comm, record.uid
        self.cgroup, self.scope = record.cgroup, record.scope
        self.tgid: t.Optional[int] = None
        self.details = dict(record.details)
        self.lines = [line]
        self.seen = record.form in _VICTIMS + _KILLS  # a victim was named, not only chosen

    def add(self, record: Record, line: RawLine) -> None:
        """A further line: it only says what was not known yet."""
        self.lines.append(line)
        self.seen = self.seen or record.form in _VICTIMS
        self._fill(record.comm, record.uid, record.cgroup, record.scope, record.details)

    def join(self, other: '_Draft') -> None:
        self.lines += other.lines
        if other.tgid is not None and self.tgid is None:
            self.pid, self.tgid, self.comm = other.pid, other.tgid, other.comm or self.comm
        self.seen = self.seen or other.seen
        self._fill(other.comm, other.uid, other.cgroup, other.scope, other.details)

    def _fill(
        self,
        comm: t.Optional[bytes],
        uid: t.Optional[int],
        cgroup: t.Optional[str],
        scope: t.Optional[str],
        details: t.Mapping[str, t.Any],
    ) -> None:
        self.comm = self.comm if self.comm is not None else comm
        self.uid = self.uid if self.uid is not None else uid
        self.cgroup, self.scope = self.cgroup or cgroup, self.scope or scope
        self.details = dict(details, **self.details)

    def pids(self) -> t.Set[t.Optional[int]]:
        return {self.pid} | ({self.tgid} if self.tgid is not None else set())

    def is_thread(self) -> bool:
        """Threads have names of their own."""
        return self.tgid not in (None, self.pid)

    def moment(self) -> t.Tuple[t.Optional[float], float]:
        dated = [(line.uncertainty, line.time) for line in self.lines if line.time is not None]
        uncertainty, time = min(dated) if dated else (0.0, None)
        return time, uncertainty

    def event(self) -> Event:
        time, uncertainty = self.moment()
        evidence = tuple(sorted(dict.fromkeys(line.evidence for line in self.lines), key=_in_order))
        return Event(
            self.kind,
            time,
            uncertainty,
            self.pid,
            self.tgid,
            self.comm,
            self.uid,
            self.cgroup,
            self.scope,
            self.kind != SPOOFED,
            self.details,
            evidence,
        )


def _in_order(evidence: _death_types.Evidence) -> t.Tuple[str, str, int]:
    return evidence.source, evidence.file or '', evidence.line or 0


def events(lines: t.Iterable[RawLine]) -> t.List[Event]:
    """The events in order of time, those without a time last. The lines of each log must come in its order."""
    logs: t.Dict[t.Tuple[t.Optional[str], ...], _Log] = {}
    spoofed: t.List[_Draft] = []
    for line in lines:
        record, trusted = kernel_lines.parse_line(line)
        if record is None:
            continue
        if trusted:
            logs.setdefault((line.evidence.source, line.boot_id), _Log()).take(record, line)
        elif record.form in _CLAIMS:
            spoofed.append(_Draft(SPOOFED, record, line))
    drafts = spoofed
    for log in logs.values():
        drafts = drafts + log.finish()
    found = [draft.event() for draft in _settled(_merged(drafts)) if not _is_undated(draft)]
    return sorted(found, key=lambda event: (event.time is None, event.time or 0.0))


def _is_undated(draft: _Draft) -> bool:
    """A boot, a panic or a crash of nobody knows when explains no death."""
    return draft.kind in _KINDS.values() and draft.moment()[0] is None


class _Block:
    """What the kernel says before it kills: whom it chose, in which groups, and which tasks there are."""

    def __init__(self) -> None:
        self.said: t.Dict[str, Said] = {}
        self.leaders: t.Dict[int, int] = {}
        self.names: t.Dict[t.Optional[bytes], t.Set[int]] = {}  # processes of the table of tasks by name

    def take_row(self, record: Record) -> None:
        leader = record.details['tgid']
        self.leaders[record.pid or leader] = leader
        self.names.setdefault(record.comm, set()).add(leader)

    def _note_namesakes(self, kill: _Draft) -> None:
        """Other processes of the victim's name, which were there when it was chosen."""
        found = set(self.names.get(kill.comm, ())) if kill.comm is not None else set()
        intent = self.said.get(kernel_lines.INTENT)
        if intent is not None and intent[0].pid is not None and kill.comm is not None and intent[0].comm == kill.comm:
            found.add(intent[0].pid)
        found -= {pid for pid in kill.pids() if pid is not None}
        if found:
            kill.details['same_name'] = sorted(found)[:_MOST_SAME]

    def has(self, *forms: str) -> bool:
        return any(form in self.said for form in forms)

    def without_kill(self) -> t.List[_Draft]:
        """What is left when no victim was named: it was chosen, or nothing is known but that memory ran out."""
        chosen, intent = self.said.get(kernel_lines.CHOSEN), self.said.get(kernel_lines.INTENT)
        context = self.said.get(kernel_lines.TASK_IN)
        first = intent or chosen or context
        if first is None:
            return self._invoked_only()
        # Where both lines are printed, a child of the chosen one may be the victim.
        draft = _Draft(KERNEL_INTENT if intent else KERNEL_KILL, *first)
        for said in self.said.values():
            if said is not first:
                draft.add(*said)
        return [draft]

    def _invoked_only(self) -> t.List[_Draft]:
        said = self.said.get(kernel_lines.INVOKED)
        return [_no_kill(*said)] if said else []

    def of_kill(self, record: Record, line: RawLine) -> t.List[_Draft]:
        """The kill, and with it the intent when not the intended one died."""
        kill = _Draft(KERNEL_KILL, record, line)
        kill.tgid = self.leaders.get(record.pid) if record.pid is not None else None
        self._note_namesakes(kill)
        intent = self.said.get(kernel_lines.INTENT)
        if intent and intent[0].pid not in (record.pid, kill.tgid):
            return self._of_child(kill, intent)
        for record_before, line_before in self.said.values():
            if record_before.pid in (None, record.pid, kill.tgid):
                kill.add(record_before, line_before)
        chosen = self.said.get(kernel_lines.CHOSEN)
        if chosen is None or chosen[0].pid in (None, record.pid):
            return [kill]
        return self._of_thread(kill, *chosen)

    def _of_child(self, kill: _Draft, intent: Said) -> t.List[_Draft]:
        left = self.without_kill()[0]
        left.details['child_killed'] = kill.pid
        kill.details['children_intent'] = intent[0].pid
        kill.lines += left.lines
        kill.scope = kill.scope or left.scope
        kill.details.update((key, left.details[key]) for key in _OF_ALL if key in left.details)
        return [kill, left]

    @staticmethod
    def _of_thread(kill: _Draft, record: Record, line: RawLine) -> t.List[_Draft]:
        """The leader was chosen, and a thread named as the victim, because the leader had ended before the others.

        Where neither the table of tasks nor the user says so, the lines between may be lost: then these are two kills.
        """
        may_be = kill.uid is not None and kill.uid == record.uid
        if kill.tgid != record.pid and (kill.tgid is not None or not may_be):
            return [_Draft(KERNEL_KILL, record, line), kill]
        if kill.comm is not None:
            kill.details['thread_comm'] = kill.comm.decode('utf-8', 'backslashreplace')
        kill.tgid, kill.comm = record.pid, record.comm or kill.comm
        kill.add(record, line)
        return [kill]


class _Log:
    """The lines of one log, of one boot where that is known, in their order."""

    def __init__(self) -> None:
        self.drafts: t.List[_Draft] = []
        self.block = _Block()
        self.last: t.Optional[float] = None
        self.group: t.Optional[t.Tuple[_Draft, t.Optional[float]]] = None
        self.unnamed: t.Optional[_Draft] = None

    def take(self, record: Record, line: RawLine) -> None:
        if line.time is not None:
            if self.last is not None and abs(line.time - self.last) > _ONE_KILL:
                self._next_block()
            self.last = line.time
        form = record.form
        if form == kernel_lines.ROW and record.pid is not None:
            self.block.take_row(record)
        elif form in _KILLS:
            self._kill(record, line)
        elif form in _VICTIMS:
            self._later(record, line)
        elif form == kernel_lines.GROUP:
            self._group(record, line)
        elif form in _NO_KILLS:
            self._nobody(record, line)
        elif form in _KINDS:
            self._other(_KINDS[form], record, line)
        elif form in (kernel_lines.NO_PAGES, kernel_lines.LEAKED):
            self.drafts.append(_no_kill(record, line))
        else:
            self._before(record, line)

    def finish(self) -> t.List[_Draft]:
        self._next_block()
        return self.drafts

    def _next_block(self) -> None:
        self.drafts += self.block.without_kill()
        self.block = _Block()
        if self.unnamed is not None:
            self.drafts.append(self.unnamed)
            self.group = self.unnamed = None

    def _before(self, record: Record, line: RawLine) -> None:
        """A line that comes before a kill; the first one of a block when one like it, or a later one, was there."""
        if self.block.has(*_BEFORE[_BEFORE.index(record.form) :]) and record.form != kernel_lines.SYSRQ:
            self._next_block()
        if record.form == kernel_lines.SYSRQ:
            record = record._replace(details={'sysrq': True})
        self.block.said[record.form] = (record, line)

    def _kill(self, record: Record, line: RawLine) -> None:
        again = self._known(record, line)
        if again is not None and not self.block.said:
            again.add(record, line)
            return
        found = self.block.of_kill(record, line)
        self.drafts += found
        self.block = _Block()
        if self.group is not None and _close(self.group[1], line.time, _GROUP_KILL):
            self.unnamed = None
            _of_group(found[0], self.group[0])

    def _later(self, record: Record, line: RawLine) -> None:
        known = self._known(record, line)
        if known is not None:
            known.add(record, line)
        elif record.pid in (said[0].pid for said in self.block.said.values()):
            self._kill(record, line)
        else:
            self.drafts.append(_Draft(KERNEL_KILL, record, line))
            self.drafts[-1].details.update({'sharing': True} if record.form == kernel_lines.SHARING else {})

    def _known(self, record: Record, line: RawLine) -> t.Optional[_Draft]:
        for draft in reversed(self.drafts[-100:]):
            if draft.kind == KERNEL_KILL and record.pid in draft.pids() and record.pid is not None:
                return draft if _close(draft.lines[-1].time, line.time, _ONE_KILL) else None
        return None

    def _group(self, record: Record, line: RawLine) -> None:
        """The members follow; the one that was chosen has been killed before, or its line was lost."""
        self._next_block()
        mark = _Draft(KERNEL_KILL, record, line)
        last = self.drafts[-1] if self.drafts and self.drafts[-1].kind == KERNEL_KILL else None
        if last is not None and _close(last.lines[-1].time, line.time, _GROUP_KILL):
            mark.details.update((key, last.details[key]) for key in _OF_ALL if key in last.details)
            _of_group(last, mark)
        else:
            self.unnamed = mark
        self.group = (mark, line.time)

    def _nobody(self, record: Record, line: RawLine) -> None:
        draft = _no_kill(record, line)
        for before in self.block.said.values():
            draft.add(*before)
        self.drafts.append(draft)
        self.block = _Block()

    def _other(self, kind: str, record: Record, line: RawLine) -> None:
        draft = _Draft(kind, record, line)
        if kind == KERNEL_PANIC_OOM:
            for before in self.block.said.values():
                draft.add(*before)
            self.block = _Block()
        elif kind == BOOT:
            self._next_block()
        self.drafts.append(draft)


def _no_kill(record: Record, line: RawLine) -> _Draft:
    draft = _Draft(KERNEL_NO_KILL, record, line)
    draft.details['reason'] = record.form
    return draft


def _of_group(victim: _Draft, mark: _Draft) -> None:
    victim.details = dict(mark.details, **victim.details)
    victim.scope, victim.cgroup = mark.scope, victim.cgroup or mark.cgroup
    victim.lines += mark.lines


def _close(one: t.Optional[float], other: t.Optional[float], most: float) -> bool:
    return one is None or other is None or abs(one - other) <= most


def _merged(drafts: t.Sequence[_Draft]) -> t.List[_Draft]:
    """The same thing from several logs, or printed twice, once."""
    known: t.Dict[t.Tuple[str, t.Optional[int]], t.List[_Draft]] = {}
    merged = []
    for draft in drafts:
        same = next(
            (
                other
                for pid in draft.pids()
                for other in known.get((draft.kind, pid), ())[-_MOST_SAME:]
                if _is_same(draft, other)
            ),
            None,
        )
        if same is None:
            merged.append(draft)
            same = draft
        else:
            same.join(draft)
        for pid in same.pids() | draft.pids():
            entries = known.setdefault((draft.kind, pid), [])
            entries += [] if same in entries[-_MOST_SAME:] else [same]
    return merged


def _is_same(one: _Draft, other: _Draft) -> bool:
    if not _together(one, other, LAG):
        return False
    if one.pid is None and (one.cgroup != other.cgroup or one.details.get('reason') != other.details.get('reason')):
        return False
    return one.comm is None or other.comm is None or one.comm == other.comm or one.is_thread() or other.is_thread()


def _together(one: _Draft, other: _Draft, most: float) -> bool:
    boots = {line.boot_id for draft in (one, other) for line in draft.lines if line.boot_id is not None}
    (time, uncertainty), (other_time, other_uncertainty) = one.moment(), other.moment()
    return len(boots) < 2 and _close(time, other_time, most + uncertainty + other_uncertainty)


def _settled(drafts: t.Sequence[_Draft]) -> t.List[_Draft]:
    """What one log only saw as chosen, another one saw to its end."""
    ends: t.Dict[t.Optional[int], t.List[_Draft]] = {}
    for draft in drafts:
        if _is_end(draft):
            for pid in draft.pids():
                ends.setdefault(pid, []).append(draft)
    settled = []
    for draft in drafts:
        end = None
        if draft.pid is not None and draft.kind in (KERNEL_KILL, KERNEL_INTENT) and not _is_end(draft):
            end = next((each for each in ends.get(draft.pid, ()) if _together(draft, each, _ONE_KILL)), None)
        if end is None:
            settled.append(draft)
        else:
            end.join(draft)
    return settled


def _is_end(draft: _Draft) -> bool:
    """Whether this says what became of the one that was chosen."""
    if draft.kind == KERNEL_INTENT:
        return 'child_killed' in draft.details
    return draft.seen if draft.kind == KERNEL_KILL else draft.kind == KERNEL_NO_KILL and draft.pid is not None
