# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The host's half of the event source: watches instances, and writes a line of JSON for each that dies.

It is sent to the host by the other half, begins with a line of settings on standard input, and ends when that is
closed. It changes nothing but the process history. How it decides is explained in docs/event-source.md.
"""

import collections
import functools
import json
import os
import select
import sys
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import causes, needles, rows
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import check as _oom_check
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import counters as _oom_counters
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import news as _death_news
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import sources as _death_sources
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import verdict as _oom_verdict
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.case import Case
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.causes import Decision, Incident
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.follow import Follower, follower
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.identity import COMM_BYTES
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.system_logs import Reading
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import printable, process, procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import (
    directory_lock,
    discovery,
    lock,
    reach,
    selection,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import instance as _instance
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import lives as _lives
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state as _state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import Instance
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.lives import Life, is_same_life

SETTLE = 2.0  # seconds from an end to the look at what led to it: logs may come late
_TICK = 1.0  # seconds between looks for a new process of an instance that has none
_BEAT = 20.0  # seconds between signs of life
_FIND = 60.0  # seconds between looks for new instances, where none are listed
_OVERLAP = 60.0  # seconds that a look reaches back before the one before it
_LONGEST = 86400.0  # seconds that a look reaches back at most

_MOST_WATCHED = 200  # instances: whoever may run programs can make directories that look like one
_COUNTS = 120  # counts that are kept, one a tick

Row = t.Dict[str, t.Any]
_T = t.TypeVar('_T')
Write = t.Callable[[Row], None]


class Death(t.NamedTuple):
    """The end of a process. ``life.last_seen``: it ran then; ``until``: not any more.

    ``by_us``: while a task or window of this collection was at work on it.
    """

    life: Life
    until: float
    by_us: bool


class _Look(_oom_check.Look):
    """As oom_check looks, but at logs alone that say who wrote a line: others can be written by anybody."""

    def __init__(self, context: Context, params: Row, now: float, readings: t.Sequence[Reading]) -> None:
        super().__init__(context, params, now)
        self.readings = readings

    def _kernel_and_services(self) -> None:
        self._take_readings(self.readings)


def trusted_readings(since: float, until: float) -> t.List[Reading]:
    """The journal, the kernel's ring, and what firmware kept of a kernel that crashed."""
    return [
        _death_sources.read_journal(since, until),
        _death_sources.read_ring(since, until),
        _death_sources.read_pstore(),
    ]


class Watched:
    """One instance, the process that it has now, and the ends that were not told yet."""

    def __init__(self, instance: Instance, asked: Row, state_dir: t.Optional[str], known: Row) -> None:
        self.instance, self.state_dir = instance, state_dir
        self.port, self.user = asked.get('port'), asked.get('user')
        self.told = _death_news.told_of(known.get('told') or [])
        self.began = float(known.get('began') or time.time())  # of the first watch: what was before is past
        self.checked = float(known.get('checked') or self.began)
        self.handle: t.Optional[process.ProcessHandle] = None
        self.life: t.Optional[Life] = None
        self.boot_id: t.Optional[str] = None
        self.deaths: t.List[Death] = []
        self.due: t.Optional[float] = time.monotonic() if known.get('checked') else None
        self._resume(known.get('seen'))

    # --- its process

    def _resume(self, seen: t.Optional[Row]) -> None:
        """Go on with the process that was seen by an earlier watch; where it is gone, that is a death."""
        self.find()
        if not seen:
            return
        life = Life(
            int(seen['pid']), float(seen['begin']), float(seen['at']), False, seen.get('uid'), seen.get('cgroup')
        )
        same = self.life is not None and is_same_life(self.life, life) and seen.get('boot_id') == self.boot_id
        if not same:
            until = time.time() if self.life is None else max(life.last_seen, self.life.begin)
            self._died(Death(life, until, False))

    def find(self) -> bool:
        """Whether a process was found that is not held yet. Several, or hidden ones, are none."""
        if self.handle is not None:
            return False
        candidates = self._candidates()
        handle = process.open_process(candidates[0].pid) if len(candidates) == 1 else None
        if handle is None:
            return False
        if handle.start_ticks != candidates[0].start_ticks:
            handle.close()
            return False
        self.handle, self.life = handle, _lives.running_lives(candidates)[0]
        self.boot_id = procfs.boot_id()
        self._remember()
        return True

    def _candidates(self) -> t.Sequence[selection.Candidate]:
        """None where nothing can be said of it: a watch goes on."""
        try:
            return self._context().find().candidates
        except LifecycleError:
            return []

    def _remember(self) -> None:
        """Note it in the process history, as everything of this collection that meets a process does."""
        try:
            context = self._context()
            try:
                context.look()
                context.remember(before_stop=False)
            finally:
                context.close()
        except Exception:
            pass  # without rights to that the identity of a kill is less certain, and oom_check says so

    def look(self) -> None:
        """Whether its process has ended."""
        if self.handle is None or self.life is None or not self.handle.gone():
            return
        by_us = self._is_worked_on()
        now = time.time()
        self._died(Death(self.life._replace(running=False, last_seen=now), now, by_us))
        self.handle.close()
        self.handle = self.life = None

    def _is_worked_on(self) -> bool:
        """Whether a run or a task of root's, or of this user's, holds the lock; anybody else can take it too."""
        try:
            if lock.own_is_held(_state.StateDir(self.instance, self.state_dir)):
                return True
            return directory_lock.is_locked(self.instance) and any(
                holder.uid in (0, os.geteuid()) for holder in lock.holders(self.instance.dir)
            )
        except (OSError, LifecycleError):
            return False

    def _died(self, death: Death) -> None:
        self.deaths.append(death)
        self.wake()

    def wake(self) -> None:
        """A look is due soon."""
        if self.due is None:
            self.due = time.monotonic() + SETTLE

    def state(self) -> Row:
        """What a later watch needs to go on."""
        seen: t.Optional[Row] = None
        if self.life is not None:
            seen = dict(
                pid=self.life.pid,
                begin=self.life.begin,
                at=time.time(),
                uid=self.life.uid,
                cgroup=self.life.cgroup,
                boot_id=self.boot_id,
            )
        return dict(
            dir=self.instance.dir, binary=self.instance.binary, began=self.began, checked=self.checked, seen=seen
        )

    def close(self) -> None:
        if self.handle is not None:
            self.handle.close()

    # --- what became of it

    def _context(self) -> Context:
        return Context(self.instance, _state.StateDir(self.instance, self.state_dir), self.port, user=self.user)

    def since(self, now: float) -> float:
        """From when on there is something to look at."""
        begins = [self.checked] + [death.life.last_seen for death in self.deaths]
        return max(now - _LONGEST, min(begins) - _OVERLAP)

    def news(
        self, readings: t.Sequence[Reading], now: float, counts: t.Sequence[_death_news.Count]
    ) -> t.List[Incident]:
        """What is to be told, each death once. It is taken as told from here on."""
        deaths, self.deaths, self.due = self.deaths, [], None
        lives = [death.life for death in deaths]
        try:
            case = _death_news.counted(self._case(readings, now, lives), lives, counts)
            decision = _oom_verdict.decide(case)
            known = case.subject.lives
        except Exception as exc:  # the deaths are told all the same
            why = exc.msg if isinstance(exc, LifecycleError) else '%s: %s' % (type(exc).__name__, exc)
            decision, known = _nothing(why), tuple(lives)
        found: t.List[Incident] = []
        for death in deaths:
            if not _death_news.is_known(death.life, self.told):
                incident = _death_news.of_death(decision, death.life, death.until, self.told)
                self._tell(_death_news.meant(incident) if death.by_us else incident, found)
        for incident in _death_news.kills(decision, known, self.told):
            if (incident.event.time or 0.0) >= self.began:
                self._tell(incident, found)
        self.checked, self.told = now, _death_news.kept(self.told, now)
        return found

    def _tell(self, incident: Incident, found: t.List[Incident]) -> None:
        found.append(incident)
        self.told.append(_death_news.as_told(incident))

    def _case(self, readings: t.Sequence[Reading], now: float, lives: t.Sequence[Life]) -> Case:
        params: Row = dict(
            since=repr(self.since(now)),
            until=None,
            pid=None,
            check_log=None,
            running_log=None,
            kernel_logs=[],
            journal=True,
            counters=True,
        )
        context = self._context()
        try:
            case = _Look(context, params, now, readings).take()
        finally:
            context.close()
        return case._replace(subject=_death_news.with_lives(case.subject, lives))


def _nothing(why: str) -> Decision:
    return Decision(causes.UNKNOWN, causes.UNEXPLAINED, (), (), (why,))


# --- the host


class Watch:
    """All watched instances of this host."""

    def __init__(self, settings: Row, write: Write) -> None:
        self.settings, self.write = settings, write
        self.watched: t.Dict[str, Watched] = {}
        self.find_at = self.beat_at = self.tick_at = 0.0
        self.counts: t.Deque[_death_news.Count] = collections.deque(maxlen=_COUNTS)
        self.follower = Follower(self._names, self.note)
        self.odd: t.Set[str] = set()

    def note(self, text: str) -> None:
        self.write(dict(what='note', text=text))

    def _attempt(self, what: str, work: t.Callable[[], _T], instead: _T) -> _T:
        """What is odd about one instance is noted once, and ends nothing of the others."""
        try:
            return work()
        except BrokenPipeError:
            raise
        except Exception as exc:
            text = exc.msg if isinstance(exc, LifecycleError) else '%s: %s: %s' % (what, type(exc).__name__, exc)
            if text not in self.odd:
                self.odd.add(text)
                self.note(text)
            return instead

    def _names(self) -> t.Set[bytes]:
        return {os.fsencode(entry.instance.binary)[:COMM_BYTES] for entry in self.watched.values()}

    def run(self, stdin: int) -> None:
        """Until standard input is closed."""
        self.follower = follower(self._names, self.note)
        try:
            while True:
                self.work()
                if stdin in self._wait(stdin):
                    return
        finally:
            self.follower.close()
            for entry in self.watched.values():
                entry.close()

    def _wait(self, stdin: int) -> t.List[int]:
        poller = select.poll()
        for fd in [stdin, self.follower.fd] + [entry.handle.pidfd for entry in self.watched.values() if entry.handle]:
            if fd is not None:
                poller.register(fd, select.POLLIN)
        dues = [entry.due for entry in self.watched.values() if entry.due is not None]
        left = min([self.tick_at] + dues) - time.monotonic()
        return [fd for fd, dummy in poller.poll(max(0, int(left * 1000 + 0.999)))]

    def work(self) -> None:
        """One round. What is to be told is written before the state that takes it as told."""
        now = time.monotonic()
        if now >= self.find_at:
            self._find_instances(now)
        for entry in self.watched.values():
            self._attempt(entry.instance.dir, entry.look, None)
        if self.follower.woken():
            for entry in self.watched.values():
                entry.wake()
        changed = self._tick(now) if now >= self.tick_at else False
        due = [entry for entry in self.watched.values() if entry.due is not None and entry.due <= now]
        if due:
            self._judge(due)
        if changed or due or now >= self.beat_at:
            self._beat(now)

    def _tick(self, now: float) -> bool:
        self.tick_at = now + _TICK
        self.follower.tick()
        self._count()
        found = [self._attempt(entry.instance.dir, entry.find, False) for entry in self.watched.values()]
        return any(found)

    def _count(self) -> None:
        host = _oom_counters.read_host()
        if host.oom_kills is not None:
            self.counts.append(_death_news.Count(host.now, host.oom_kills))

    def _beat(self, now: float) -> None:
        self.beat_at = now + _BEAT
        for entry in self.watched.values():
            if entry.due is None:
                entry.checked = max(entry.checked, time.time() - SETTLE)
        self.write(dict(what='state', instances={id_: entry.state() for id_, entry in self.watched.items()}))

    # --- which instances

    def _find_instances(self, now: float) -> None:
        self.find_at = now + _FIND
        before = set(self.watched)
        for entry in self._listed():
            self._attempt(str(entry.get('dir')), functools.partial(self._add, entry), None)
        if not before or set(self.watched) != before:
            self._tell_watched()

    def _listed(self) -> t.List[Row]:
        """What is asked for; else what an earlier watch knew, as what is down is not found, and what is found now."""
        listed = self.settings.get('instances')
        if listed:
            return list(listed) if not self.watched else []
        known = (
            [
                dict(dir=row['dir'], binary=row['binary'])
                for row in self._known().values()
                if os.path.isdir(str(row.get('dir')))
            ]
            if not self.watched
            else []
        )
        return known + [dict(dir=found.dir, binary=found.binary) for found in discovery.discover([])]

    def _known(self) -> Row:
        return self.settings.get('known') or {}

    def _add(self, asked: Row) -> None:
        reach.refuse_hanging(str(asked['dir']))
        instance = _instance.resolve(str(asked['dir']), str(asked.get('binary') or 'anqicms'))
        if instance.id not in self.watched and len(self.watched) < _MOST_WATCHED:
            self.watched[instance.id] = Watched(
                instance, asked, self.settings.get('state_dir'), self._known().get(instance.id) or {}
            )

    def _tell_watched(self) -> None:
        self.write(
            dict(
                what='watching',
                instances=[
                    dict(id=id_, dir=entry.instance.dir, pid=entry.life.pid if entry.life else None)
                    for id_, entry in self.watched.items()
                ],
            )
        )

    # --- what became of them

    def _judge(self, due: t.Sequence[Watched]) -> None:
        now = time.time()
        needles.keep_rows_of(*sorted(self._names()))
        readings = trusted_readings(min(entry.since(now) for entry in due), now)
        for entry in due:
            self._attempt(entry.instance.dir, functools.partial(self._tell_news, entry, readings, now), None)

    def _tell_news(self, entry: Watched, readings: t.Sequence[Reading], now: float) -> None:
        for incident in entry.news(readings, now, list(self.counts)):
            told = _death_news.as_told(incident)
            self.write(
                dict(
                    what='died',
                    instance=entry.instance.id,
                    dir=entry.instance.dir,
                    told=list(told),
                    incident=rows.incident_row(incident),
                )
            )


def write_line(row: Row) -> None:
    sys.stdout.write(json.dumps(printable.value(row)) + '\n')
    sys.stdout.flush()


def main(settings: Row) -> None:
    """Called with the line of settings that was read from standard input."""
    try:
        Watch(settings, write_line).run(sys.stdin.fileno())
    except BrokenPipeError:
        os._exit(0)  # nobody listens any more; a flush of what is left would fail again
    except LifecycleError as exc:
        write_line(dict(what='refused', text=exc.msg))
