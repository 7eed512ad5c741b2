# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What the lines of a running.log say of each life of a process. Pure."""

import re
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.events import (
    ABRUPT_END,
    CLEAN_STOP,
    GO_OOM,
    IN_APP_RESTART,
    LOG_JUMP,
    PANIC,
    STARTED,
    Event,
    Evidence,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import local_time
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs.scan import Entry

SOURCE = 'running.log'
_TICK_S = 0.01  # a file's time is that of the kernel's last tick, so up to this much too early
REFUSED = ('port_in_use', 'bind_failed')
FAILED = ('config_invalid', 'database_denied', 'database_unreachable', 'locales_missing', 'dictionary_missing')
CRASHES = ('panic', 'out_of_memory', 'signal')
SIGNAL = re.compile(r'SIG([A-Z]{2,7}): ')
_QUIT = re.compile(r'退出 (\w+)')
# Go's own end for lack of memory, and the line before it that says how much was asked for.
OUT_OF_MEMORY = re.compile(
    r'fatal error: (?:.*\bout of memory\b|(?:runtime: )?cannot (?:allocate memory|map pages in arena '
    r'address space)|failed to reserve page summary memory)'
)
ASKED = re.compile(r'runtime: out of memory: cannot allocate (\d+)-byte block \((\d+) in use\)')


class _Life:
    """A process. ``mark``: the line that begins it, None when that was not seen; ``number``: in this log."""

    def __init__(self, number: int, mark: t.Optional[Entry], place: float = 0.0) -> None:
        self.number, self.mark, self.place = number, mark, place
        self.is_serving = self.is_refused = False
        self.details: t.Dict[str, t.Any] = dict(listening=False, failed=None)
        self.stop: t.Optional[t.Dict[str, t.Any]] = None  # details of their events
        self.crash: t.Optional[t.Dict[str, t.Any]] = None  # details of their events


class Story:
    """Follows the marks. A process is gone when it says so, or when another one has bound the port after it."""

    def __init__(self, last_write: t.Optional[float]) -> None:
        self.last_write = last_write
        self.events: t.List[t.Tuple[float, Event]] = []  # with the place in the log
        self.place = 0.0  # of the mark that is looked at
        self.lives: t.List[_Life] = []  # that began here
        self.count = 0  # of all, also those whose begin was not seen
        self.open: t.List[_Life] = []  # not known to be gone, oldest first
        self.asked: t.Dict[str, t.Any] = {}
        self.is_config_invalid = False
        self.on = dict(
            in_the_middle=self._middle,
            process_started=self._begin,
            listening=self._listen,
            signal_arrived=self._signal,
            exiting=self._exit,
            in_app_restart=self._restart,
            dump=self._dump,
            asked=self._ask,
            jump=self._jump,
        )
        self.on.update(dict.fromkeys(REFUSED, self._refuse))
        self.on.update(dict.fromkeys(FAILED, self._fail))
        self.on.update(dict.fromkeys(CRASHES, self._crash))

    def tell(self, marks: t.Sequence[Entry]) -> t.List[Event]:
        """The events in the order of the log."""
        for place, mark in enumerate(marks):
            self.place = float(place)
            self.on[mark['code']](mark)
        self._abrupt(is_proven=False)
        for life in self.lives:
            if life.mark is not None and not life.is_refused:
                self.place = life.place
                self._event(STARTED, life.mark, life.details)
        return [event for dummy, event in sorted(self.events, key=lambda entry: entry[0])]

    def unfinished(self, low: str, now: float, last_line: Evidence) -> t.Optional[Event]:
        if not self.open:
            return None
        begin = local_time.span(low) or (self.last_write and (self.last_write, self.last_write)) or None
        moment, uncertainty = local_time.around(begin, (now, now))
        details = dict(
            is_proven=False,
            last_write=self.last_write,
            not_before=begin and begin[0],
            not_after=now,
            process=self.open[-1].number,
        )
        return _event(ABRUPT_END, moment, uncertainty, details, (last_line,))

    def _last(self) -> _Life:
        if not self.open:  # what speaks after its end is the one that has ended, unless nothing is known before
            self.open.append(_Life(max(self.count, 1), None))
        return self.open[-1]

    def _next(self, mark: t.Optional[Entry]) -> _Life:
        self.count += 1
        return _Life(self.count, mark, self.place)

    def _middle(self, mark: Entry) -> None:
        self.open.append(self._next(None))

    def _begin(self, mark: Entry) -> None:
        life = self._next(mark)
        self.lives.append(life)
        self.open.append(life)
        self.is_config_invalid, self.asked = False, {}

    def _listen(self, mark: Entry) -> None:
        if not self.open or self.open[-1].is_serving:
            self._begin(mark)  # up to 2.1.5 nothing is printed before
        life = self.open[-1]
        life.is_serving = life.details['listening'] = True
        self._abrupt(is_proven=True)

    def _refuse(self, mark: Entry) -> None:
        if self.open and self.open[-1].mark is not None and not self.open[-1].is_serving:
            self.open.pop().is_refused = True

    def _fail(self, mark: Entry) -> None:
        if self.open and not self.open[-1].is_serving:
            self.open.pop().details.update(failed=mark['code'], failed_line=mark['text'])
            self.is_config_invalid = mark['code'] == 'config_invalid'

    def _signal(self, mark: Entry) -> None:
        life, found = self._last(), _QUIT.match(mark['text'])
        if life.stop is None:
            details = dict(signal=found and found.group(1), is_complete=False, process=life.number)
            life.stop = self._event(CLEAN_STOP, mark, details)

    def _exit(self, mark: Entry) -> None:
        life = self._last()
        if life.stop is None:
            life.stop = self._event(CLEAN_STOP, mark, dict(signal=None, process=life.number))
        life.stop['is_complete'] = True
        self.open.pop()

    def _restart(self, mark: Entry) -> None:
        self._event(IN_APP_RESTART, mark, dict(process=self._last().number))
        self.open.pop()

    def _ask(self, mark: Entry) -> None:
        found = ASKED.match(mark['text'])
        if found is not None:
            self.asked = dict(asked_bytes=int(found.group(1)), in_use_bytes=int(found.group(2)))

    def _crash(self, mark: Entry) -> None:
        """A panic after an invalid config.json belongs to that; a panic while panicking to the first one."""
        if self.is_config_invalid or self._last().crash is not None:
            return
        life = self._last()
        details: t.Dict[str, t.Any] = dict(has_dump=False, process=life.number)
        if mark['code'] == 'out_of_memory':
            life.crash = self._event(GO_OOM, mark, dict(details, **self.asked))
        elif mark['text'].startswith('SIGQUIT: '):
            life.crash = self._event(CLEAN_STOP, mark, dict(details, signal='quit', is_complete=True))
        else:
            life.crash = self._event(PANIC, mark, details)

    def _dump(self, mark: Entry) -> None:
        """Only the stacks prove the end: somebody may have logged the words."""
        if self.open and self.open[-1].crash is not None:
            (self.open.pop().crash or {})['has_dump'] = True

    def _jump(self, mark: Entry) -> None:
        self._event(LOG_JUMP, dict(mark, time=mark['earlier'], after=mark['time']), dict(seconds=mark['passed']))

    def _abrupt(self, is_proven: bool) -> None:
        """All but the last are gone without a word."""
        for gone, follower in zip(self.open, self.open[1:]):
            mark, last = follower.mark or {}, self.open[-1].mark or {}
            low = mark.get('earlier') or mark.get('time') or ''
            lines = dict(mark, time=low, after=last.get('after'))
            self.place = follower.place - 0.5
            self._event(ABRUPT_END, lines, dict(is_proven=is_proven, process=gone.number))
        del self.open[:-1]

    def _event(self, kind: str, mark: Entry, details: t.Dict[str, t.Any]) -> t.Dict[str, t.Any]:
        """Returns the details, which may grow."""
        low = local_time.span(mark['time'])
        written = self.last_write and (self.last_write + _TICK_S,) * 2
        high = local_time.span(mark['after']) if mark['after'] else written
        moment, uncertainty = local_time.around(low, high or None)
        details.update(not_before=low and low[0], not_after=high[1] if high else None)
        evidence = [Evidence(SOURCE, mark['file'], mark['line'], None, mark['text'])]
        if kind == ABRUPT_END and mark['line'] != 1:
            line = None if mark['line'] is None else mark['line'] - 1
            evidence.insert(0, Evidence(SOURCE, mark['file'], line, None, mark['above']))
        self.events.append((self.place, _event(kind, moment, uncertainty, details, tuple(evidence))))
        return details


def _event(
    kind: str,
    moment: t.Optional[float],
    uncertainty: float,
    details: t.Dict[str, t.Any],
    evidence: t.Tuple[Evidence, ...],
) -> Event:
    return Event(kind, moment, uncertainty, None, None, None, None, None, None, False, details, evidence)
