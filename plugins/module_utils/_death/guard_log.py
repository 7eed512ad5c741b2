# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The log of the vendor's old start.sh and stop.sh: when a count of processes fell, and who may have done it.

start.sh writes how many lines of ``ps`` hold the word, stop.sh writes PIDs without a separator, both in one format. So
only a fall below what the count usually is tells something, and a number that is no count is a stop by hand.
"""

import collections
import os
import re
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.events import (
    GUARD_ADMIN_STOP,
    GUARD_CRASH_LOOP,
    GUARD_DROP,
    GUARD_START,
    Coverage,
    Event,
    Evidence,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import local_time
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs import read as _log_read
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs.scan import LineCutter

SOURCE = 'check.log'
_BLOCK = 262144
_MOST_READ = 8 << 20  # some 200,000 lines: five months of a line a minute
_COUNTED = 64 << 20  # lines before the place are counted up to this size
_NEAR = 65536  # a search by time ends this close
_MOST_EVENTS = 1000
_HIGHEST_COUNT = 200  # no host shows more lines of ps with the word: it is a PID
_USUAL = 30  # the counts that make the baseline
_LOOP = 3  # so many starts, each at most _LOOP_GAP_S after the one before, are a crash loop
_LOOP_GAP_S = 600
_GAP_S = 900
_OFF_THE_MINUTE_S = 10  # cron writes about the same second of each minute
_SHOWN = 500
_LINE = re.compile(
    rb'(\d{4}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]) (?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d) '
    rb'(?:\S.{0,255}? )?PID check: *(\d*)$'
)
_DATED = re.compile(rb'(?:^|\n)\0*(\d{8} \d\d:\d\d:\d\d) ')
# What the scripts print elsewhere, where cron sends all of it to the same file.
_SPOKEN = re.compile(rb'PID \S+ check:|\S+ (?:NOT running|is stop|is (?:not|already) running|started\.|stopped\.)')


class Reading(t.NamedTuple):
    """``notes``: what was odd in the log, for people. ``baseline``: the usual count at its end."""

    events: t.List[Event]
    coverage: Coverage
    notes: t.List[str]
    baseline: int


class _Entry(t.NamedTuple):
    """One line that can be read."""

    stamp: str
    seconds: int  # of the local clock: for distances
    digits: str
    line: int
    text: str


class _Record(t.NamedTuple):
    """An event before its times are looked up. It happened between the first and the last of its lines."""

    kind: str
    lines: t.List[_Entry]
    details: t.Dict[str, t.Any]


class Baseline:
    """The usual count: the most frequent of the last ones. Zero is never usual: the guard starts the program then."""

    def __init__(self) -> None:
        self.recent: t.Deque[int] = collections.deque(maxlen=_USUAL)
        self.count = 0

    def add(self, count: int) -> None:
        if count == 0:
            return
        self.recent.append(count)
        if self.recent.count(count) > self.recent.count(self.count):
            self.count = count


class Watch:
    """Takes one line after the other, from one file, and keeps what happened."""

    def __init__(self, first_line: t.Optional[int] = 1, pids: t.Container[int] = ()) -> None:
        """``pids``: those that the instance is known to have had; in a container they are as low as counts."""
        self.first_line = first_line  # None: its number in the file is not known
        self.pids = pids
        self.taken = self.corrupt = self.gaps = self.set_back = 0
        self.first_corrupt = 0
        self.baseline = Baseline()
        self.seconds: t.Deque[int] = collections.deque(maxlen=15)  # of the minute
        self.records: t.Deque[_Record] = collections.deque(maxlen=_MOST_EVENTS)
        self.fell = False
        self.first: t.Optional[_Entry] = None
        self.last: t.Optional[_Entry] = None
        self.previous: t.Optional[int] = None  # count
        self.admin = False  # a stop by hand since the last count
        self.drop: t.Optional[_Record] = None  # not made up for yet
        self.start: t.Optional[_Record] = None
        self.loop: t.Optional[_Record] = None

    def take(self, raw: bytes) -> None:
        self.taken += 1
        line = raw.strip(b' \r')
        if not line or _SPOKEN.match(line):
            return
        entry = _parse(line, self.taken)
        if entry is None:
            self.corrupt += 1
            self.first_corrupt = self.first_corrupt or self.taken
            return
        self._look_at_clock(entry)
        if self._is_pids(entry):
            self._admin_stop(entry)
        else:
            self._count(entry, int(entry.digits))
        self.first, self.last = self.first or entry, entry

    def _look_at_clock(self, entry: _Entry) -> None:
        if self.last is None:
            return
        passed = entry.seconds - self.last.seconds
        self.gaps += passed > _GAP_S
        if passed < 0:
            span = local_time.span(entry.stamp)
            is_summer_end = span is not None and span[1] - span[0] > 60.0
            self.set_back += not is_summer_end

    def _is_pids(self, entry: _Entry) -> bool:
        if not entry.digits or len(entry.digits) > 3 or int(entry.digits) > _HIGHEST_COUNT:
            return True
        if int(entry.digits) in self.pids and int(entry.digits) != self.baseline.count and len(self.seconds) < 5:
            return True
        return int(entry.digits) > self.baseline.count and self._is_off_the_minute(entry.seconds)

    def _is_off_the_minute(self, seconds: int) -> bool:
        distances = [abs((seconds - usual + 30) % 60 - 30) for usual in self.seconds]
        return len(distances) >= 5 and min(distances) > _OFF_THE_MINUTE_S

    def _admin_stop(self, entry: _Entry) -> None:
        is_certain = not 0 < len(entry.digits) <= 3 or int(entry.digits) > _HIGHEST_COUNT
        details = dict(digits=entry.digits[:_SHOWN], certain=is_certain)
        self.records.append(_Record(GUARD_ADMIN_STOP, [entry], details))
        self.admin = True

    def _count(self, entry: _Entry, count: int) -> None:
        baseline = self.baseline.count
        if self.last is not None and count < baseline and (self.previous is None or count < self.previous):
            details = dict(baseline=baseline, count=count, stopped_by_hand=self.admin, back_at=None)
            self.drop = _Record(GUARD_DROP, [self.last, entry], details)
            self.records.append(self.drop)
            self.fell = True
        elif self.drop is not None and count >= self.drop.details['baseline']:
            self.drop.details['back_at'] = _middle(entry.stamp)
            self.drop = None
        if count == 0:
            self._note_start(entry)
            self._note_loop(entry)
        self.baseline.add(count)
        self.seconds.append(entry.seconds % 60)
        self.previous, self.admin = count, False

    def _note_start(self, entry: _Entry) -> None:
        """start.sh starts the program whenever it counts nothing; again and again where that does not help."""
        if self.start is None or self.previous != 0:
            self.start = _Record(GUARD_START, [entry], dict(attempts=0))
            self.records.append(self.start)
        self.start.lines[1:] = [entry] if self.start.details['attempts'] else []
        self.start.details['attempts'] += 1

    def _note_loop(self, entry: _Entry) -> None:
        if self.loop is None or entry.seconds - self.loop.lines[-1].seconds > _LOOP_GAP_S:
            self.loop = _Record(GUARD_CRASH_LOOP, [entry], dict(count=0))
        self.loop.lines[1:] = [entry] if self.loop.details['count'] else []
        self.loop.details['count'] += 1
        if self.loop.details['count'] == _LOOP:
            self.records.append(self.loop)

    # --- results

    def events(self, file: str) -> t.List[Event]:
        return sorted((self._event(record, file) for record in self.records), key=lambda event: event.time or 0.0)

    def _event(self, record: _Record, file: str) -> Event:
        low, high = local_time.span(record.lines[0].stamp), local_time.span(record.lines[-1].stamp)
        moment, uncertainty = local_time.around(low, high)
        details = dict(record.details, not_before=low and low[0], not_after=high and high[1])
        evidence = tuple(Evidence(SOURCE, file, self.number(entry.line), None, entry.text) for entry in record.lines)
        return Event(record.kind, moment, uncertainty, None, None, None, None, None, None, False, details, evidence)

    def number(self, line: int) -> t.Optional[int]:
        return None if self.first_line is None else self.first_line + line - 1

    def notes(self) -> t.List[str]:
        told = []
        if self.corrupt:
            number = self.number(self.first_corrupt)
            where = '' if number is None else ', the first is line %d' % number
            told.append('%d line(s) of check.log cannot be read%s' % (self.corrupt, where))
        if len(self.records) == _MOST_EVENTS:
            told.append('only the last %d events of check.log are reported' % _MOST_EVENTS)
        if self.gaps:
            told.append('check.log has %d gap(s) of more than %d minutes' % (self.gaps, _GAP_S // 60))
        if self.set_back:
            told.append('the clock went back %d time(s) in check.log' % self.set_back)
        if self.last is not None and not self.fell:
            told.append(
                'the process count in check.log never fell below its usual %d. This does not prove that nothing died'
                % self.baseline.count
            )
        return told


def _parse(line: bytes, number: int) -> t.Optional[_Entry]:
    found = _LINE.match(line)
    if found is None:
        return None
    stamp, digits = found.group(1).decode('ascii'), found.group(2).decode('ascii')
    return _Entry(stamp, local_time.seconds(stamp), digits, number, line[:_SHOWN].decode('utf-8', 'replace'))


def _middle(stamp: str) -> t.Optional[float]:
    span = local_time.span(stamp)
    return local_time.around(span, span)[0]


# --- reading


def read(
    fd: int, file: str, since: t.Optional[float], until: t.Optional[float], pids: t.Container[int] = ()
) -> Reading:
    """The log open at ``fd``. What lies before ``since`` is read as far as the usual count needs it."""
    size = os.fstat(fd).st_size
    begin = 0 if since is None else _begin_of_time(fd, size, _context_of(since))
    notes = []
    if size - begin > _MOST_READ:
        begin = size - _MOST_READ
        notes.append('only the last %d MiB of check.log were read' % (_MOST_READ >> 20))
    watch = _watch(fd, begin, size, pids)
    events = [event for event in watch.events(file) if local_time.overlaps(event.time, event.uncertainty, since, until)]
    return Reading(events, _coverage(watch), notes + watch.notes(), watch.baseline.count)


def _context_of(epoch: float) -> bytes:
    """An hour and the lines of a baseline earlier: clocks go back, and the usual count must be known."""
    return time.strftime('%Y%m%d %H:%M:%S', time.localtime(epoch - 7200.0)).encode('ascii')


def _watch(fd: int, begin: int, size: int, pids: t.Container[int]) -> Watch:
    number = _log_read.count_lines(fd, begin) + 1 if begin <= _COUNTED else None
    watch, cutter, at = Watch(number, pids), LineCutter(), begin
    is_cut = begin > 0
    while at < size:
        block = os.pread(fd, min(_BLOCK, size - at), at)
        if not block:
            break
        at += len(block)
        is_cut = _take_all(watch, cutter.feed(block), is_cut)
    _take_all(watch, cutter.finish(), is_cut)
    return watch


def _take_all(watch: Watch, data: bytes, is_cut: bool) -> bool:
    """``is_cut``: the begin of the first line is missing. Returns whether the next line's is."""
    lines = data.split(b'\n')[:-1]
    if lines and is_cut:
        watch.taken += 1
        lines = lines[1:]
        is_cut = False
    for line in lines:
        watch.take(line)
    return is_cut


def _begin_of_time(fd: int, size: int, local: bytes) -> int:
    """An offset before the first line of a time; early rather than late."""

    def is_before(block: bytes) -> bool:
        found = _DATED.search(block)
        return found is not None and found.group(1) < local

    return _log_read.halve(fd, size, is_before, _NEAR)


def _coverage(watch: Watch) -> Coverage:
    """check.log never tells why a process ended, so it covers no kill completely."""
    first = local_time.span(watch.first.stamp) if watch.first else None
    last = local_time.span(watch.last.stamp) if watch.last else None
    why_not = None if watch.last else 'none of its lines can be parsed' if watch.corrupt else 'it is empty'
    return Coverage(SOURCE, first and first[0], last and last[1], True, why_not, False)
