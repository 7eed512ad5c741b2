# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What the module oom_check does: it asks every source, has the answers judged, and says what came of it."""

import os
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import (
    advice,
    causes,
    containers,
    guard_log,
    losses,
    needles,
    our_signals,
    rows,
    running_log,
    running_story,
    separate,
    system_logs,
    userspace,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import counters as _oom_counters
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import events as _death_types
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import identity as _oom_identity
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import kernel as _kernel_oom
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import sources as _death_sources
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import subject as _oom_subject
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import verdict as _oom_verdict
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.case import Case, Counters
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.causes import Decision
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.events import Coverage, Event, Evidence
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import memory as _memory
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.files import InstallDir
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.local_time import iso
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import launch, lives
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs import read as _log_read
from ansible_collections.anqicms.lifecycle.plugins.module_utils._steps import logs

SPEC: t.Dict[str, t.Dict[str, t.Any]] = {
    'since': {'type': 'str'},
    'until': {'type': 'str'},
    'pid': {'type': 'int'},
    'check_log': {'type': 'path'},
    'running_log': {'type': 'path'},
    'kernel_logs': {'type': 'list', 'elements': 'path', 'default': []},
    'journal': {'type': 'bool', 'default': True},
    'counters': {'type': 'bool', 'default': True},
}

_DAY = 86400.0
NOW_S = 60.0  # a window that ends this close to now
_TOGETHER_S = 1.0
_EXACT_S = 300.0  # of a death whose time is not known to that nobody can say that another one was at the same time
_MOST_LOGS = 50  # of other instances that are read
_BY_SIGKILL = (causes.UNEXPLAINED, causes.ADMIN_KILL)

Result = t.Dict[str, t.Any]
Params = t.Mapping[str, t.Any]


# --- options, pure


def moment(name: str, text: str) -> float:
    """Seconds since the epoch of ISO 8601 (local without a zone), or of a number of them."""
    try:
        epoch = logs.parse_since(text).epoch
    except LifecycleError:
        epoch = None
    if epoch is None:
        raise LifecycleError(
            '%s: %r is not a valid time. Nothing was read. Use a time such as 2026-01-31T12:00:00 or '
            '2026-01-31T12:00:00Z.' % (name, text[:80])
        )
    return epoch


def window(params: Params, now: float) -> t.Tuple[float, float]:
    """The day before ``until``, by default up to now."""
    until = now if params['until'] is None else min(moment('until', params['until']), now)
    since = until - _DAY if params['since'] is None else moment('since', params['since'])
    if since >= until:
        raise LifecycleError(
            'since (%s) is not earlier than until (%s). Nothing was read. Swap the two.' % (iso(since), iso(until))
        )
    return since, until


# --- gathering


class Look:
    """One look at everything that can tell of the death of one instance."""

    def __init__(self, context: Context, params: Params, now: float) -> None:
        self.context, self.params, self.now = context, params, now
        self.since, self.until = window(params, now)
        self.events: t.List[Event] = []
        self.coverage: t.List[Coverage] = []
        self.notes: t.List[str] = []
        self.cgroups: t.Dict[str, str] = {}
        self.environment: t.Optional[t.Mapping[str, str]] = None
        self.address_space: t.Optional[int] = None
        self.counters = Counters()
        self.begun: t.Optional[float] = None
        self.history: t.List[t.Dict[str, t.Any]] = []

    def take(self) -> Case:
        self._find()
        self._kernel_and_services()
        self._check_log()
        self._running_log()
        self._own_signals()
        self._containers()
        if self.params['counters']:
            self._count()
        subject = self.subject._replace(known_since=self._known_since())
        return Case(
            self.since,
            self.until,
            subject,
            tuple(self.events),
            tuple(self.coverage),
            self.counters,
            self.tasks.killers,
            tuple(self.params['kernel_logs']),
        )

    def _find(self) -> None:
        """Several processes, or ones that may not be looked at, keep nobody from reading logs."""
        found = self.context.find()
        try:
            self.context.look()
        except (LifecycleError, OSError) as exc:
            self.notes.append(getattr(exc, 'msg', None) or str(exc))
        self.running = bool(found.candidates)
        record = self._record()
        self.tasks = _oom_subject.host_tasks()
        self.history = lives.history(self.context.instance, self.context.state.base)
        self.subject = _oom_subject.subject(
            self.context.instance,
            found.candidates,
            self.tasks,
            self.params['pid'],
            self.context.state.base,
            record.uid if record else None,
            self.history,
        )
        if record is not None:
            self.cgroups, self.environment = record.cgroups, record.environment
            self.address_space = launch.address_space(record.limits)
        if found.candidates:
            self.cgroups = lives.cgroups_of(found.candidates[0].pid) or self.cgroups
            self.address_space = _address_space(found.candidates[0].pid) or self.address_space

    def _record(self) -> t.Any:
        try:
            return self.context.stored_record()
        except (LifecycleError, OSError) as exc:
            self.notes.append(getattr(exc, 'msg', None) or str(exc))
            return None

    def _kernel_and_services(self) -> None:
        needles.keep_rows_of(self.subject.comm[: _oom_identity.COMM_BYTES])
        readings = _death_sources.read_all(self.since, self.until, self.params['kernel_logs'], self.params['journal'])
        self._take_readings(readings)

    def _take_readings(self, readings: t.Sequence[system_logs.Reading]) -> None:
        lines = [line for reading in readings for line in reading.lines]
        of_kernel = _kernel_oom.events(lines)
        self.coverage += losses.with_gaps([reading.coverage for reading in readings], lines, of_kernel)
        self.events += of_kernel + userspace.events(lines)

    def _check_log(self) -> None:
        path = self.params['check_log'] or os.path.join(self.context.instance.dir, 'check.log')
        fd = self._open(path, self.params['check_log'] is not None, guard_log.SOURCE)
        if fd is None:
            return
        try:
            reading = guard_log.read(fd, path, self.since, self.until, {life.pid for life in self.subject.lives})
        finally:
            os.close(fd)
        self.events += reading.events
        self.coverage.append(reading.coverage)
        self.notes += reading.notes

    def _open(self, path: str, given: bool, source: str) -> t.Optional[int]:
        """A log of the instance by the private opener; one that the user names is the user's choice."""
        why: t.Optional[str] = None
        try:
            if given:
                return system_logs.open_regular(path)
            with InstallDir(self.context.instance.dir) as directory:
                return directory.open_log(path, self._uid())
        except OSError as exc:
            why = '%s: %s' % (path, exc.strerror or exc)
        except LifecycleError as exc:
            why = exc.msg
        self.coverage.append(Coverage(source, None, None, False, why, False))
        return None

    def _uid(self) -> t.Optional[int]:
        return self.context.candidate.uid if self.context.candidate else None

    def _running_log(self) -> None:
        path = self.params['running_log'] or self.context.logs.path()
        hidden = self.context.logs.why_hidden()
        if hidden and self.params['running_log'] is None:
            self.notes.append(hidden[0].upper() + hidden[1:] + '.')
        reading = self._read_running_log(path)
        if reading is None:
            return
        self.events += reading.events
        self.coverage.append(reading.coverage)
        self.notes += reading.notes
        if self.params['running_log'] is None:
            self.begun = reading.begun
        if reading.unfinished is not None and not self.running and self.until > self.now - NOW_S:
            self.events += rows.within(reading.unfinished, self.since, self.until)

    def _read_running_log(self, path: str) -> t.Optional[running_log.Reading]:
        """One that the user names elsewhere may be a copy; what it was rotated to is not looked for there."""
        with InstallDir(self.context.instance.dir) as directory:
            if self.params['running_log'] is None or directory.relative(path) is not None:
                return running_log.read(_log_read.Reader(directory, self._uid()), path, self.since, self.until)
        fd = self._open(path, True, running_story.SOURCE)
        if fd is None:
            return None
        try:
            return running_log.read_one(fd, path, self.context.instance.dir, self.since, self.until)
        finally:
            os.close(fd)

    def _own_signals(self) -> None:
        """What this collection sent, as its journal tells."""
        try:
            entries = self.context.state.journal()
        except (LifecycleError, OSError):
            return
        sent = our_signals.events(entries, os.path.join(self.context.state.path, our_signals.SOURCE))
        self.events += sent
        self.subject = self.subject._replace(
            lives=lives.after_stops(
                self.subject.lives, [(event.pid, event.time) for event in sent if event.pid and event.time is not None]
            )
        )

    def _known_since(self) -> t.Optional[float]:
        """When its log was begun by a start, where nothing that is known of it is older."""
        older = [life.begin for life in self.subject.lives] + [
            entry.begin for entry in self.coverage if entry.source == guard_log.SOURCE and entry.begin is not None
        ]
        return None if self.begun is None or any(begin < self.begun - NOW_S for begin in older) else self.begun

    def _containers(self) -> None:
        """Those that the instance runs in: the path of its control group on the host ends with the id of one."""
        known = _oom_identity.containers_in(*[life.cgroup for life in self.subject.lives])
        reading = containers.read(self.context.instance, known)
        self.subject = self.subject._replace(containers=reading.ids)
        self.events += reading.events
        self.coverage += [reading.coverage] if reading.coverage is not None else []

    def _count(self) -> None:
        host = _oom_counters.read_host()
        self.coverage.append(_oom_counters.host_coverage(host))
        groups = _oom_counters.read_groups(self.cgroups)
        self.coverage += [_oom_counters.group_coverage(group, self.now) for group in groups]
        # the root of a container is its own group, that of a host is everybody's
        own = [
            group
            for group in groups
            if group.oom_kills is not None and (group.path != '/' or self.subject.is_contained)
        ]
        evidence = [_oom_counters.host_evidence(host)] + [_oom_counters.group_evidence(group) for group in own]
        noted = lives.noted_counts(self.history, host.boot_id, time.time() - time.monotonic())
        self.counters = Counters(
            host.booted,
            host.oom_kills,
            own[0].oom_kills if own else None,
            tuple(evidence),
            tuple(count for count in noted if (host.booted or 0.0) < count[0] < self.until),
        )
        if host.booted is not None and self.since < host.booted < self.until:
            self._note_boot(host.booted)

    def _note_boot(self, booted: float) -> None:
        seen = Event(
            _death_types.BOOT,
            booted,
            1.0,
            None,
            None,
            None,
            None,
            None,
            None,
            True,
            {},
            (Evidence('btime', '/proc/stat', None, None, 'btime %d' % booted),),
        )
        if not any(event.kind == _death_types.BOOT and separate.near(event, seen) for event in self.events):
            self.events.append(seen)

    # --- figures for advice

    def figures(self, decision: Decision) -> advice.Figures:
        memory = _memory.meminfo()
        kills = [incident for incident in decision.incidents if incident.verdict == causes.CONFIRMED]
        environment = self.environment
        return advice.Figures(
            decision.verdict,
            decision.cause,
            len(kills),
            self.context.version,
            rows.resident(kills[-1].event) if kills else None,
            memory.get('MemTotal'),
            memory.get('SwapTotal'),
            self._limit(kills[-1].event if kills else None),
            self.address_space,
            environment.get('GOMEMLIMIT', '') if environment is not None else None,
            self.tasks.largest(),
            tuple(
                '%s: %s' % (entry.source, entry.why_not)
                for entry in self.coverage
                if not entry.readable and entry.why_not and 'No such file' not in entry.why_not
            ),
            self._ended_together(decision),
            self.context.instance.binary,
        )

    def _limit(self, kill: t.Optional[Event]) -> t.Optional[int]:
        """Of its control group, or of that whose limit was reached: it may have been moved since it was noted."""
        limits = [_memory.limit_of(self.cgroups)]
        reached = kill.details.get('oom_memcg') if kill is not None else None
        if reached and not self.subject.is_contained:
            limits.append(_memory.limit_of({'memory': reached, '': reached}))
        return min((limit for limit in limits if limit is not None), default=None)

    def _ended_together(self, decision: Decision) -> int:
        ends = [incident.event for incident in decision.incidents if incident.cause in _BY_SIGKILL]
        return ended_with(self.subject.others, ends[-1], self.until) if ends else 0


def ended_with(others: t.Sequence[_oom_identity.Other], end: Event, until: float) -> int:
    """How many other instances there are where all of them ended with it without a word, as ``pkill -9`` makes them.

    0 where one did not, or nobody can tell.
    """
    places = [other for other in others if other.dir is not None]
    if end.time is None or end.uncertainty > _EXACT_S or not 0 < len(places) <= _MOST_LOGS:
        return 0
    return len(places) if all(_ended_at(other, end, until) for other in places) else 0


def _ended_at(other: _oom_identity.Other, end: Event, until: float) -> bool:
    at = end.time or 0.0
    try:
        with InstallDir(other.dir or '/') as directory:
            reading = running_log.read(
                _log_read.Reader(directory, other.uid),
                directory.shown('running.log'),
                at - end.uncertainty - _EXACT_S,
                until,
            )
    except (OSError, LifecycleError):
        return False
    unfinished = [reading.unfinished] if reading.unfinished is not None and other.begin is None else []
    ends = [event for event in reading.events if event.kind == _death_types.ABRUPT_END] + unfinished
    return any(event.time is not None and separate.gap(event, end) <= _TOGETHER_S for event in ends)


def _address_space(pid: int) -> t.Optional[int]:
    try:
        return launch.address_space(launch.parse_limits(procfs.read_text('/proc/%d/limits' % pid)))
    except OSError:
        return None


# --- results, pure


def check(context: Context, params: Params) -> Result:
    """The result."""
    look = Look(context, params, time.time())
    case = look.take()
    decision = _oom_verdict.decide(case)
    notes = rows.of_how_many(decision) + look.notes + list(decision.notes)
    return dict(
        changed=False,
        verdict=decision.verdict,
        cause=decision.cause,
        summary=rows.summary(decision),
        since=iso(case.since),
        until=iso(case.until),
        incidents=[rows.incident_row(incident) for incident in decision.incidents[-rows.MOST_SHOWN :]],
        other_kills=[rows.victim_row(event) for event in decision.others[-rows.MOST_SHOWN :]],
        coverage=[rows.coverage_row(entry) for entry in case.coverage],
        counters=[rows.evidence_row(row) for row in case.counters.evidence],
        incident_count=len(decision.incidents),
        other_kill_count=len(decision.others),
        advice=advice.advise(look.figures(decision)),
        notes=rows.shortened(notes),
    )
