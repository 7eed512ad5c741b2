# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""How the processes that wrote running.log ended, and when. What the lines mean is in docs/application.md (Logs).

The lines of an end carry no time: it lies between the last time before them and the first one after.
"""

import errno
import os
import re
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import log_lines
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import running_story
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.events import (
    Coverage,
    Event,
    Evidence,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import local_time
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs import position as _log_position
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs import read as _log_read
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs import scan as _log_scan
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs.scan import Entry

_MOST_MARKS = 5000
_JUMP_S = 600  # a pause so long is noted
_BACK_S = 60  # and a clock that goes back so far: lines of goroutines can change places
_SHOWN = 500
_NEEDLES = tuple(
    text.encode('utf-8')
    for text in (
        '/\n',
        'Now listening on:',
        '退出',
        '监听到',
        '进程结束，开始重启',
        'panic: ',
        'fatal error: ',
        'SIG',
        'goroutine ',
        'runtime: out of memory',
        'Invalid Config',
        'Failed To Connect Database:',
        '端口已经被占用',
        ': bind: ',
        'languages err catalog',
        'locales not found',
        '无法载入字典文件',
    )
)
_KNOWN = (
    running_story.REFUSED
    + running_story.FAILED
    + running_story.CRASHES
    + ('process_started', 'listening', 'signal_arrived', 'exiting', 'in_app_restart')
)
_STAMPED = re.compile(
    rb'\n([12]\d{3}[/-](?:0[1-9]|1[0-2])[/-](?:0[1-9]|[12]\d|3[01]) '
    rb'(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d) '
)
_DUMP = re.compile(r'goroutine \d+ .*\[')


class Reading(t.NamedTuple):
    """``unfinished``: the end of the last process, if that does not run any more: the log shows no end of it.

    ``begun``: when the log was begun, where its first line is that of a start.
    """

    events: t.List[Event]
    unfinished: t.Optional[Event]
    coverage: Coverage
    notes: t.List[str]
    begun: t.Optional[float] = None


# --- which lines


class DeathScanner(_log_scan.Scanner):
    """Collects the lines that begin or end a process, and pauses, as ``markers``; ``root``: its directory, if known."""

    def __init__(self, root: t.Optional[str] = None) -> None:
        super().__init__(log_lines.RUNNING)
        self.root = root
        self.first = self.now = ''  # the first and the last time that was read
        self.undated: t.List[Entry] = []  # markers that wait for a later time
        self.above = ''  # the line before
        self.is_begun = self.begins_with_start = False
        self.counted = 1  # how far the lines of a block are counted

    def _take(self, data: bytes, final: bool) -> None:
        """``data``: whole lines. A line break before them lets every line begin after one."""
        if not data:
            return
        data, self.counted = b'\n' + data, 1
        hits = self._hits(data)
        if not self.is_begun:
            self._take_begin(data, hits)
        at = 0
        for begin, end in hits:
            self._pass_times(data, at, begin - 1)
            at = begin - 1
            self._take_line(data, begin, end)
        self._pass_times(data, at, len(data))
        self._count_lines(data, len(data))
        self.above = _line_before(data, len(data))

    def _searches(self, data: bytes) -> t.Iterator[t.Callable[[int], int]]:
        for needle in _NEEDLES:
            if needle in data:
                yield lambda begin, needle=needle: data.find(needle, begin)  # type: ignore[misc]

    def _take_begin(self, data: bytes, hits: t.Sequence[t.Tuple[int, int]]) -> None:
        """A log that begins in the middle of a process: it was rotated, or is read from a later place on."""
        self.is_begun = True
        begin = 1
        self.begins_with_start = not self.before and self._is_start(data[1 : data.find(b'\n', 1)])
        if self.before:
            begin = data.find(b'\n', 1) + 1  # the first line is cut off
            earlier = _STAMPED.findall(b'\n' + self.before)
            self.now = _text(earlier[-1]) if earlier else ''
        if begin < len(data) and (not hits or hits[0][0] > begin):
            self._keep('in_the_middle', data, begin, _line_before(data, data.find(b'\n', begin) + 1))

    @staticmethod
    def _is_start(line: bytes) -> bool:
        """Of any directory: another start script may have begun the log."""
        found = log_lines.known(log_lines.RUNNING, log_lines.plain(line))
        return found is not None and found.line.code in ('process_started', 'listening')

    def _take_line(self, data: bytes, begin: int, end: int) -> None:
        text = log_lines.plain(data[begin:end])
        code = self._code(text)
        if code is None:
            return
        above = self.above if begin == 1 else _line_before(data, begin)
        own, earlier = _STAMPED.match(data, begin - 1), self.now
        if own is not None:
            self._pass_time(_text(own.group(1)), data, begin)
        self._keep(code, data, begin, text, own=self.now if own else '', earlier=earlier, above=above)

    def _code(self, text: str) -> t.Optional[str]:
        if _DUMP.match(text):
            return 'dump' if self.markers and self.markers[-1]['code'] in running_story.CRASHES else None
        if running_story.ASKED.match(text):
            return 'asked'
        if running_story.OUT_OF_MEMORY.match(text):
            return 'out_of_memory'
        if running_story.SIGNAL.match(text):
            return 'signal'
        found = log_lines.known(log_lines.RUNNING, text)
        code = found.line.code if found else ''
        if code == 'process_started' and self.root is not None and not text.endswith(' %s/' % self.root.rstrip('/')):
            return None
        if found and code.startswith('database_') and not found.line.ends:
            return None  # the database layer complains; the start goes on
        return code if code in _KNOWN else None

    def _pass_times(self, data: bytes, begin: int, end: int) -> None:
        for found in _STAMPED.finditer(data, begin, end):
            stamp = _text(found.group(1))
            if self.undated or stamp[:15] != self.now[:15]:
                self._pass_time(stamp, data, found.start() + 1)
            self.now = stamp

    def _pass_time(self, stamp: str, data: bytes, at: int) -> None:
        for mark in self.undated:
            mark['after'] = stamp
        self.undated = []
        earlier, self.now = self.now, stamp
        self.first = self.first or stamp
        passed = local_time.seconds(stamp) - local_time.seconds(earlier) if earlier else 0
        if passed >= _JUMP_S or passed <= -_BACK_S:
            text = _line_before(data, data.find(b'\n', at) + 1)
            self._keep('jump', data, at, text, own=stamp, earlier=earlier, passed=passed)

    def _count_lines(self, data: bytes, at: int) -> None:
        """Make ``line`` the number of the line that begins at ``at``, which never goes back."""
        self.line += data.count(b'\n', self.counted, at)
        self.counted = at

    def _keep(self, code: str, data: bytes, at: int, text: str, own: str = '', **more: t.Any) -> None:
        if code in running_story.REFUSED and [mark['code'] for mark in self.markers[-2:]] == [code, 'process_started']:
            self.markers.pop()  # a guard that tries once a minute
            return
        self._count_lines(data, at)
        mark = dict(
            code=code, file=self.file, line=self.line, text=text[:_SHOWN], time=own or self.now, after=own or None
        )
        mark.update(more)
        self.markers.append(mark)
        if not own:
            self.undated.append(mark)
        if len(self.markers) > _MOST_MARKS:
            self.left_out += 1
            del self.markers[0]


def _text(stamp: bytes) -> str:
    return stamp.decode('ascii').replace('/', '-')


def _line_before(data: bytes, begin: int) -> str:
    return log_lines.plain(data[data.rfind(b'\n', 0, begin - 1) + 1 : begin - 1])[:_SHOWN]


# --- what they mean, pure


# --- reading


def read(reader: _log_read.Reader, path: str, since: t.Optional[float], until: t.Optional[float]) -> Reading:
    """The log at ``path`` and its rotated files, from ``since`` on."""
    scanner, begin = DeathScanner(reader.directory.path), _begin(since)
    try:
        segments = reader.since_time(path, begin, _local(begin))
        if not segments:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        notes = reader.scan(scanner, path, segments)[1]
        last_write = _last_write(reader, path)
        rotated = _log_position.Neighbours(reader.directory, path, reader.uid).since(0.0)
    except (OSError, LifecycleError) as exc:
        why = exc.msg if isinstance(exc, LifecycleError) else exc.strerror or str(exc)
        return Reading([], None, Coverage(running_story.SOURCE, None, None, False, '%s: %s' % (path, why), False), [])
    if scanner.left_out:
        notes.append('%s has too many starts and ends: only the last %d of these lines were used' % (path, _MOST_MARKS))
    reading = told(scanner, last_write, time.time(), since, until)._replace(notes=notes)
    return reading._replace(begun=None) if rotated else reading  # the log of before was put aside


def read_one(fd: int, path: str, root: str, since: t.Optional[float], until: t.Optional[float]) -> Reading:
    """The one plain file open at ``fd``, whatever it is."""
    scanner, info = DeathScanner(root), os.fstat(fd)
    segment = _log_position.Segment(path, _log_read.begin_of_time(fd, info.st_size, _local(_begin(since))))
    scanner.begin(path)
    begin = _log_read.begin_within(segment, info.st_size)
    end = _log_read.scan_fd(fd, scanner, begin, info.st_size, time.monotonic() + _log_read.MOST_S)
    _log_read.number_lines(fd, scanner, segment._replace(begin=begin))
    notes: t.List[str] = []
    if begin > segment.begin or end + _log_scan.MAX_LINE < info.st_size:
        notes.append('only bytes %d to %d of %s were read' % (begin, end, path))
    return told(scanner, info.st_mtime, time.time(), since, until)._replace(notes=notes)


def _begin(since: t.Optional[float]) -> float:
    return 0.0 if since is None else since - 3600.0  # clocks go back


def _local(epoch: float) -> str:
    return time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(epoch))


def _last_write(reader: _log_read.Reader, path: str) -> t.Optional[float]:
    try:
        fd = reader.directory.open_log(path, reader.uid)
    except FileNotFoundError:
        return None
    try:
        return os.fstat(fd).st_mtime
    finally:
        os.close(fd)


def told(
    scanner: DeathScanner, last_write: t.Optional[float], now: float, since: t.Optional[float], until: t.Optional[float]
) -> Reading:
    """What the lines that were found mean."""
    story = running_story.Story(last_write)
    events = [
        event
        for event in story.tell(scanner.markers)
        if local_time.overlaps(event.time, event.uncertainty, since, until)
    ]
    first, last = local_time.span(scanner.first), local_time.span(scanner.now)
    why_not = None if last else 'it holds no line with a time'
    end = max(last[1], last_write or 0.0) if last else None
    coverage = Coverage(running_story.SOURCE, first and first[0], end, True, why_not, False)
    last_line = Evidence(running_story.SOURCE, scanner.file, None, None, scanner.above)
    begun = first[0] if first and scanner.begins_with_start else None
    return Reading(events, story.unfinished(scanner.now, now, last_line), coverage, [], begun)
