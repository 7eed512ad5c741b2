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
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.events import (
    ABRUPT_END,
    CLEAN_STOP,
    GO_OOM,
    IN_APP_RESTART,
    LOG_JUMP,
    PANIC,
    STARTED,
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

SOURCE = 'running.log'
_MOST_MARKS = 5000
_JUMP_S = 600             # a pause so long is noted
_BACK_S = 60              # and a clock that goes back so far: lines of goroutines can change places
_SHOWN = 500
_TICK_S = 0.01            # a file's time is that of the kernel's last tick, so up to this much too early
_NEEDLES = tuple(text.encode('utf-8') for text in (
    '/\n', 'Now listening on:', '退出', '监听到', '进程结束，开始重启', 'panic: ', 'fatal error: ', 'SIG', 'goroutine ',
    'runtime: out of memory', 'Invalid Config', 'Failed To Connect Database:', '端口已经被占用', ': bind: ',
    'languages err catalog', 'locales not found', '无法载入字典文件'))
_REFUSED = ('port_in_use', 'bind_failed')
_FAILED = ('config_invalid', 'database_denied', 'database_unreachable', 'locales_missing', 'dictionary_missing')
_CRASHES = ('panic', 'out_of_memory', 'signal')
_KNOWN = _REFUSED + _FAILED + _CRASHES + ('process_started', 'listening', 'signal_arrived', 'exiting', 'in_app_restart')
_STAMPED = re.compile(rb'\n([12]\d{3}[/-](?:0[1-9]|1[0-2])[/-](?:0[1-9]|[12]\d|3[01]) '
                      rb'(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d) ')
_DUMP = re.compile(r'goroutine \d+ .*\[')
_SIGNAL = re.compile(r'SIG([A-Z]{2,7}): ')
_QUIT = re.compile(r'退出 (\w+)')
# Go's own end for lack of memory, and the line before it that says how much was asked for.
_GO_OOM = re.compile(r'fatal error: (?:.*\bout of memory\b|(?:runtime: )?cannot (?:allocate memory|map pages in arena '
                     r'address space)|failed to reserve page summary memory)')
_ASKED = re.compile(r'runtime: out of memory: cannot allocate (\d+)-byte block \((\d+) in use\)')


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
        self.above = ''             # the line before
        self.is_begun = self.begins_with_start = False
        self.counted = 1            # how far the lines of a block are counted

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
            return 'dump' if self.markers and self.markers[-1]['code'] in _CRASHES else None
        if _ASKED.match(text):
            return 'asked'
        if _GO_OOM.match(text):
            return 'out_of_memory'
        if _SIGNAL.match(text):
            return 'signal'
        found = log_lines.known(log_lines.RUNNING, text)
        code = found.line.code if found else ''
        if code == 'process_started' and self.root is not None and not text.endswith(' %s/' % self.root.rstrip('/')):
            return None
        if code.startswith('database_') and not text.startswith('Failed To Connect Database:'):
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
        if code in _REFUSED and [mark['code'] for mark in self.markers[-2:]] == [code, 'process_started']:
            self.markers.pop()  # a guard that tries once a minute
            return
        self._count_lines(data, at)
        mark = dict(code=code, file=self.file, line=self.line, text=text[:_SHOWN], time=own or self.now,
                    after=own or None)
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


class _Life:
    """A process. ``mark``: the line that begins it, None when that was not seen; ``number``: in this log."""

    def __init__(self, number: int, mark: t.Optional[Entry], place: float = 0.0) -> None:
        self.number, self.mark, self.place = number, mark, place
        self.is_serving = self.is_refused = False
        self.details: t.Dict[str, t.Any] = dict(listening=False, failed=None)
        self.stop: t.Optional[t.Dict[str, t.Any]] = None  # details of their events
        self.crash: t.Optional[t.Dict[str, t.Any]] = None  # details of their events


class _Story:
    """Follows the marks. A process is gone when it says so, or when another one has bound the port after it."""

    def __init__(self, last_write: t.Optional[float]) -> None:
        self.last_write = last_write
        self.events: t.List[t.Tuple[float, Event]] = []  # with the place in the log
        self.place = 0.0     # of the mark that is looked at
        self.lives: t.List[_Life] = []  # that began here
        self.count = 0       # of all, also those whose begin was not seen
        self.open: t.List[_Life] = []  # not known to be gone, oldest first
        self.asked: t.Dict[str, t.Any] = {}
        self.is_config_invalid = False
        self.on = dict(in_the_middle=self._middle, process_started=self._begin, listening=self._listen,
                       signal_arrived=self._signal, exiting=self._exit, in_app_restart=self._restart,
                       dump=self._dump, asked=self._ask, jump=self._jump)
        self.on.update(dict.fromkeys(_REFUSED, self._refuse))
        self.on.update(dict.fromkeys(_FAILED, self._fail))
        self.on.update(dict.fromkeys(_CRASHES, self._crash))

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
        details = dict(is_proven=False, last_write=self.last_write, not_before=begin and begin[0], not_after=now,
                       process=self.open[-1].number)
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
        found = _ASKED.match(mark['text'])
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


def _event(kind: str, moment: t.Optional[float], uncertainty: float, details: t.Dict[str, t.Any],
           evidence: t.Tuple[Evidence, ...]) -> Event:
    return Event(kind, moment, uncertainty, None, None, None, None, None, None, False, details, evidence)


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
        return Reading([], None, Coverage(SOURCE, None, None, False, '%s: %s' % (path, why), False), [])
    if scanner.left_out:
        notes.append('%s has too many starts and ends: only the last %d of these lines were used' % (
            path, _MOST_MARKS))
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


def told(scanner: DeathScanner, last_write: t.Optional[float], now: float, since: t.Optional[float],
         until: t.Optional[float]) -> Reading:
    """What the lines that were found mean."""
    story = _Story(last_write)
    events = [event for event in story.tell(scanner.markers)
              if local_time.overlaps(event.time, event.uncertainty, since, until)]
    first, last = local_time.span(scanner.first), local_time.span(scanner.now)
    why_not = None if last else 'it holds no line with a time'
    end = max(last[1], last_write or 0.0) if last else None
    coverage = Coverage(SOURCE, first and first[0], end, True, why_not, False)
    last_line = Evidence(SOURCE, scanner.file, None, None, scanner.above)
    begun = first[0] if first and scanner.begins_with_start else None
    return Reading(events, story.unfinished(scanner.now, now, last_line), coverage, [], begun)
