# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Lines of a window of time out of the system's log files and what they were rotated to, in bounded memory.

Only files that overlap the window are read. In a plain file the place is found by its time stamps, so its size does
not matter; a packed one is unpacked as a stream.
"""

import os
import re
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import log_prefix, log_time, needles, records
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.events import Coverage, Evidence, RawLine
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import files as _files
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import local_time
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs import position as _log_position
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs import read as _log_read
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs import unpack
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs.scan import LineCutter, without_nuls

USUAL = ('/var/log/kern.log', '/var/log/syslog', '/var/log/messages')
MOST_LINES = 5000  # of one source
SLACK = 120.0  # seconds around the window that are read: a log is written late, and by clocks that are set
_LAG = 20.0  # how much later than the kernel spoke a syslog may have stamped its line
_TIMEOUT = 120.0  # seconds for one log and its rotated files
_MOST_TEXT = 4096
_MOST_JSON = 16384  # a record of the journal has more around its message
_MOST_UNDATED = 100  # lines without a time for which those beside them are looked at
_SHOWN = 500
_QUOTED = 200
_BLOCK = 262144
_NEAR = 262144  # a search by time ends this close
_SAMPLE = 8192  # where a time is looked for
_SAMPLES = 64  # over a file: a year without a stamp is known from what follows
_UNSET = 1e9  # a host without a clock of its own begins in 1970
_COUNTED = 8 << 20  # lines are counted up to this size, of what is before the place and of what is read

_CONTROL = re.compile('[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]')


class Reading(t.NamedTuple):
    """What one source gave, and which span of time it tells about."""

    lines: t.List[RawLine]
    coverage: Coverage


class Window(t.NamedTuple):
    since: float
    until: float


def shown(line: bytes) -> str:
    """A line for a result: bytes that are no text and control characters are escaped."""
    text = line[:_SHOWN].decode('utf-8', 'backslashreplace')
    return _CONTROL.sub(lambda match: '\\x%02x' % ord(match.group(0)), text)


def moment_of(line: bytes, not_after: float) -> t.Optional[local_time.Moment]:
    """The wall clock time that a line begins with; None for that of a clock that was not yet set."""
    moment = log_time.of_prefix(log_prefix.split(line), not_after)
    return moment if moment is not None and moment.time > _UNSET else None


# --- one file


class Span(t.NamedTuple):
    """What a file covers; ``kernel``: it has lines of the kernel, so it would have had others."""

    begin: t.Optional[float]
    end: t.Optional[float]
    kernel: bool
    unread: t.Optional[str] = None  # why no line of it has a time


class Taker:
    """Takes the lines of a window out of one file."""

    def __init__(self, window: Window, path: str, source: str, not_after: float) -> None:
        self.window, self.path, self.source, self.not_after = window, path, source, not_after
        self.lines: t.List[RawLine] = []
        self.first: t.Optional[float] = None
        self.last: t.Optional[float] = None
        self.kernel = False
        self.tail = b''
        self.number: t.Optional[int] = 1
        self.passed = 0
        self.cutter = LineCutter()
        self.full = self.has_table = False
        self.undated = 0
        self.head = b''

    def feed(self, block: bytes) -> None:
        self._take(self.cutter.feed(block))

    def finish(self) -> None:
        self._take(self.cutter.finish())
        self.last = last_time(self.tail, self.not_after)

    def _take(self, data: bytes) -> None:
        if not data:
            return
        self.kernel = self.kernel or speaks_kernel(data)
        self.head = self.head or data[:_SAMPLE]
        if self.first is None:
            self.first = first_time(data, self.not_after)
        self.tail = data if len(data) >= _SAMPLE else self.tail[-_SAMPLE:] + data
        rest = needles.rare_bytes(data)
        counted, had_table, self.has_table = 0, self.has_table, needles.has_table(data, rest)
        for begin, end in needles.matching(data, rest, had_table or self.has_table):
            if self.number is not None:
                self.number += data.count(b'\n', counted, begin)
                counted = begin
            self._note(data, begin, end)
        self.passed += len(data)
        if self.number is not None:
            self.number = self.number + data.count(b'\n', counted) if self.passed <= _COUNTED else None

    def _note(self, data: bytes, begin: int, end: int) -> None:
        line = data[begin:end].rstrip(b'\r')
        prefix = log_prefix.split(line)
        moment = log_time.of_prefix(prefix, self.not_after)
        when, uncertainty = (moment.time, moment.uncertainty + _LAG) if moment is not None else (None, 0.0)
        if when is not None and not (
            self.window.since - SLACK - uncertainty <= when <= self.window.until + SLACK + uncertainty
        ):
            return
        if len(self.lines) >= MOST_LINES:
            self.full = True
            return
        evidence = Evidence(self.source, self.path, self.number, None, shown(line))
        around = self._around(data, begin, end) if when is None else (None, None)
        self.lines.append(
            RawLine(
                line[: _MOST_JSON if line[:1] == b'{' else _MOST_TEXT],
                when,
                uncertainty,
                evidence,
                'syslog',
                prefix.facility,
                None,
                around,
            )
        )

    def _around(self, data: bytes, begin: int, end: int) -> t.Tuple[t.Optional[float], t.Optional[float]]:
        """The times nearest to a line that has none that is understood."""
        self.undated += 1
        if self.undated > _MOST_UNDATED:
            return None, None
        before = last_time(data[max(0, begin - _SAMPLE) : begin], self.not_after)
        return before, first_time(data[end + 1 : end + 1 + _SAMPLE], self.not_after)


def speaks_kernel(data: bytes) -> bool:
    if b' kernel:' in data or b'] kernel:' in data or data.startswith((b'[', b'<')):
        return True
    return any(_is_kernels(log_prefix.split(line)) for line in data[:_SAMPLE].split(b'\n')[:20])


def _is_kernels(prefix: log_prefix.Prefix) -> bool:
    if prefix.tag is not None or prefix.facility is not None:
        return prefix.tag == log_prefix.KERNEL or (prefix.tag is None and prefix.facility == log_prefix.KERN)
    return prefix.printk is not None or prefix.stamp is not None  # of dmesg


def why_undated(head: bytes) -> t.Optional[str]:
    """Why no line has a time, though there are lines."""
    lines = [line for line in head.split(b'\n')[:20] if line.strip()]
    if not lines:
        return None
    first = lines[0]
    for line in lines:
        prefix = log_prefix.split(line)
        if prefix.printk is not None and prefix.stamp is None:
            return (
                'its times count from an unknown boot: "%s". Provide the log with absolute times, as written by "dmesg '
                '--time-format iso"' % shown(line)[:_QUOTED]
            )
        first = line if prefix.stamp is not None else first
    return 'its time stamps cannot be parsed: "%s"' % shown(first)[:_QUOTED]


def first_time(data: bytes, not_after: float) -> t.Optional[float]:
    """The time of the first line that has one, within the first hundred."""
    for line in data[:_SAMPLE].split(b'\n')[:100]:
        moment = moment_of(line, not_after)
        if moment is not None:
            return moment.time
    return None


def last_time(data: bytes, not_after: float) -> t.Optional[float]:
    for line in reversed(data[-_SAMPLE:].split(b'\n')[-100:]):
        moment = moment_of(line, not_after)
        if moment is not None:
            return moment.time
    return None


class Plain:
    """A plain file that is searched by its time stamps."""

    def __init__(self, fd: int, changed: float) -> None:
        self.fd, self.size, self.kernel = fd, os.fstat(fd).st_size, False
        self.head = b''
        self.marks = self._marks(changed)

    def _lines_at(self, at: int) -> bytes:
        """What is written from the first line on that begins at or after an offset."""
        data = without_nuls(os.pread(self.fd, _SAMPLE, at))
        self.kernel = self.kernel or speaks_kernel(data)
        return data[data.find(b'\n') + 1 :] if at > 0 else data

    def _time_at(self, at: int, not_after: float) -> t.Optional[float]:
        return first_time(self._lines_at(at), not_after)

    def _marks(self, changed: float) -> t.List[t.Tuple[int, float]]:
        """Offsets over the file and the times there. From the end: none is later than the next, whatever its year."""
        count = min(_SAMPLES, self.size // _NEAR + 1)
        last = last_time(without_nuls(os.pread(self.fd, _SAMPLE, max(0, self.size - _SAMPLE))), changed)
        marks = [(self.size, last if last is not None else changed)]
        for number in reversed(range(count)):
            at = self.size * number // count
            lines = self._lines_at(at)
            self.head = lines or self.head  # at the end that of the begin
            when = first_time(lines, min(changed, marks[-1][1]))
            if when is not None and len(marks) > 2 and first_time(lines, marks[-2][1]) != when:
                when = first_time(lines, marks[-2][1])  # the clock was wrong at the mark between: no year went by
                marks.pop()
            if when is not None:
                marks.append((at, when))
        return marks[::-1]

    def range_of(self, window: Window) -> t.Tuple[int, int, float]:
        """Where the lines of a window begin and end, early and late rather than not, and a time not before the last."""
        late = [number for number, mark in enumerate(self.marks) if mark[1] >= window.since - SLACK]
        early = [number for number, mark in enumerate(self.marks) if mark[1] <= window.until + SLACK]
        if not late:
            return self.size, self.size, self.marks[-1][1]
        if not early:
            return 0, 0, self.marks[0][1]
        until = min(len(self.marks) - 1, early[-1] + 1)
        low = self.marks[late[0] - 1][0] if late[0] else 0
        begin = self._halve(low, self.marks[late[0]][0], window.since - SLACK, self.marks[late[0]][1])[0]
        end = self._halve(self.marks[early[-1]][0], self.marks[until][0], window.until + SLACK, self.marks[until][1])[1]
        return begin, max(begin, end), max(mark[1] for mark in self.marks[: until + 1])

    def _halve(self, low: int, high: int, wanted: float, not_after: float) -> t.Tuple[int, int]:
        """Offsets close to each other, with a time before the first one and after the second one."""
        while high - low > _NEAR:
            middle = (low + high) // 2
            when = self._time_at(middle, not_after)
            if when is None:
                break
            low, high = (middle, high) if when < wanted else (low, middle)
        return low, high

    def span(self) -> Span:
        begin = self.marks[0][1] if len(self.marks) > 1 else None
        if begin is None:
            return Span(None, None, self.kernel, why_undated(self.head))
        return Span(begin, self.marks[-1][1], self.kernel)


# --- one log and what it was rotated to


class File(t.NamedTuple):
    path: str
    changed: float


class Log:
    """One log with its rotated files."""

    def __init__(self, base: str, window: Window) -> None:
        self.base, self.source, self.window = base, os.path.basename(base), window
        self.lines: t.List[RawLine] = []
        self.spans: t.List[Span] = []
        self.troubles: t.List[str] = []
        self.end = time.monotonic() + _TIMEOUT

    def read(self) -> Reading:
        files = self._files()
        overlapping, before = chosen(files, self.window)
        for file in overlapping:
            if time.monotonic() > self.end:
                self.troubles.append('reading it took too long')
                break
            self._read(file)
        if not files:
            why_not = '; '.join(self.troubles) or '%s does not exist' % self.base
            return Reading([], Coverage(self.source, None, None, False, why_not, False))
        return Reading(self.lines, self._coverage(before))

    def _files(self) -> t.List[File]:
        """Oldest first. A log that cannot be looked at is a trouble."""
        directory = os.path.dirname(self.base) or '.'
        try:
            names = os.listdir(directory)
        except OSError:
            names = []
        paths = [os.path.join(directory, name) for name in _log_position.rotated_names(self.source, names)]
        found = []
        for path in sorted(paths) + [self.base]:
            try:
                info = os.stat(path)
            except OSError as exc:
                if path == self.base:
                    self.troubles.append('%s: %s' % (path, exc.strerror))
                continue
            kind = _files.kind_of(info)
            if kind is None:
                found.append(File(path, info.st_mtime))
            elif path == self.base:
                self.troubles.append('%s is %s' % (path, kind))
        return sorted(found, key=lambda file: (file.changed, file.path == self.base))

    def _read(self, file: File) -> None:
        try:
            fd = open_regular(file.path)
        except PermissionError:
            self.troubles.append('no permission to read %s: run as root or add the user to the group adm' % file.path)
            return
        except OSError as exc:
            self.troubles.append('%s: %s' % (file.path, exc.strerror))
            return
        taker = Taker(self.window, file.path, self.source, file.changed)
        try:
            if unpack.is_packed(file.path):
                span = self._streamed(taker, unpack.blocks(fd, file.path))
            elif records.is_of_records(os.pread(fd, _SAMPLE, 0)):
                span = self._streamed(taker, _blocks(fd))
            else:
                span = self._plain(fd, taker, file.changed)
            self.spans.append(span)
        except (OSError, unpack.Broken) as exc:
            self.troubles.append('%s: %s' % (file.path, exc))
        finally:
            os.close(fd)
        self.lines += taker.lines[: MOST_LINES - len(self.lines)]
        if taker.full or len(self.lines) >= MOST_LINES:
            self.troubles.append('it has more than %d lines about memory or crashes' % MOST_LINES)

    def _plain(self, fd: int, taker: Taker, changed: float) -> Span:
        plain = Plain(fd, changed)
        begin, end, taker.not_after = plain.range_of(self.window)
        taker.number = _log_read.count_lines(fd, begin) + 1 if begin <= _COUNTED else None
        if begin:
            begin += os.pread(fd, _BLOCK, begin).find(b'\n') + 1
            taker.number = None if taker.number is None else taker.number + 1
        while begin < end and time.monotonic() < self.end:
            block = os.pread(fd, min(_BLOCK, end - begin), begin)
            if not block:
                break
            taker.feed(block)
            begin += len(block)
        taker.finish()
        if begin < end:
            self.troubles.append('%s could not be read to its end' % taker.path)
        span = plain.span()
        return span._replace(kernel=span.kernel or taker.kernel)

    def _streamed(self, taker: Taker, blocks: t.Iterable[bytes]) -> Span:
        """As a whole: what is packed, and records of several lines, each of which is made one line."""
        joiner: t.Optional[records.Joiner] = None
        is_first = True
        try:
            for block in blocks:
                if is_first and records.is_of_records(block):
                    joiner, taker.number = records.Joiner(), None
                is_first = False
                taker.feed(joiner.feed(block) if joiner else block)
                if time.monotonic() > self.end:
                    raise unpack.Broken('reading it took too long')
        finally:
            if joiner is not None:
                taker.feed(joiner.finish())
            taker.finish()
        if taker.first is None:
            return Span(None, None, taker.kernel, why_undated(taker.head))
        return Span(taker.first, taker.last, taker.kernel)

    def _coverage(self, before: t.Optional[File]) -> Coverage:
        """From the first stamp that was read, or the end of the file before it; to the last one."""
        begins = [span.begin for span in self.spans if span.begin is not None]
        ends = [span.end for span in self.spans if span.end is not None]
        self.troubles += [span.unread for span in self.spans if span.unread is not None]
        if not begins or not ends:
            why_not = '; '.join(self.troubles) or 'it has no lines in the time window'
            return Coverage(self.source, None, None, not self.troubles, why_not, False)
        begin = min(begins)
        if before is not None:
            begin = min(begin, before.changed)
        troubles = list(self.troubles)
        if not any(span.kernel for span in self.spans):
            troubles.append('it has no kernel lines in the time window')
        return Coverage(self.source, begin, max(ends), True, '; '.join(troubles) or None, not troubles)


def chosen(files: t.Sequence[File], window: Window) -> t.Tuple[t.List[File], t.Optional[File]]:
    """The files that may have lines of a window, of those that are sorted by time, and the one before them. Pure.

    A file has nothing that is later than its last change. A packed one has nothing from before the last change of
    the file before it; plain ones are asked themselves.
    """
    before: t.Optional[File] = None
    found: t.List[File] = []
    previous: t.Optional[File] = None
    for file in files:
        if file.changed < window.since - SLACK:
            before = file
        elif not (unpack.is_packed(file.path) and previous and previous.changed > window.until + SLACK):
            found.append(file)
        previous = file
    return found, before


def _blocks(fd: int) -> t.Iterator[bytes]:
    at, block = 0, os.pread(fd, _BLOCK, 0)
    while block:
        yield block
        at += len(block)
        block = os.pread(fd, _BLOCK, at)


def open_regular(path: str) -> int:
    """Look first, which opens nothing, then open the very file that was looked at. Links are followed: root's logs."""
    look = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        kind = _files.kind_of(os.fstat(look))
        if kind is not None:
            raise OSError(0, 'it is %s' % kind)
        return os.open('/proc/self/fd/%d' % look, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    finally:
        os.close(look)


def read_files(since: float, until: float, given: t.Sequence[str] = ()) -> t.List[Reading]:
    """The given logs, or the usual ones; of those the missing are told only when all are."""
    readings = [Log(path, Window(since, until)).read() for path in given or USUAL]
    there = [reading for path, reading in zip(given or USUAL, readings) if given or os.path.lexists(path)]
    return there or readings
