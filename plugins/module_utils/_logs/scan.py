# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Find the known lines in a stream of bytes, in bounded memory. Pure: whoever reads files feeds it.

A block is searched for the needles of the table as a whole, and only the lines around a hit are looked at: that is
many times faster than a loop over lines. What is found does not depend on how the bytes were cut into blocks.
"""

import re
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import log_lines
from ansible_collections.anqicms.lifecycle.plugins.module_utils._app.log_lines import (
    ERROR,
    HARMLESS,
    MARKER,
    WARNING,
    Found,
    Line,
)

MAX_LINE = 16384  # of a longer line only its begin counts
_LOOK_BACK = 4096  # how far before an undated line the last time is looked for
_MOST = 100  # findings of one severity, and markers, that are kept; more are counted
_SHOWN = 500  # characters of a line in a result
_FOLLOWING = {log_lines.RUNNING: 1, log_lines.PANICS: 3, log_lines.START_FAILURES: 0}  # lines that explain a hit
_SQL_HEADER = re.compile(rb'\x1b\[35;1m(?!record not found)')
_UNCOLOURED_SQL = (b'Error 1', b'Error 2', b'Error 4', b'dial tcp ', b'invalid connection', b'bad connection')
_DATED = re.compile(rb'(?:^|[\n\0])(\d{4}[/-]\d\d[/-]\d\d[ T]\d\d:\d\d:\d\d)')
_REFUSED = ('port_in_use', 'bind_failed')
_TRACE = re.compile(r'^Trace: ?(.*)')
_NULS = re.compile(rb'\0+')

Entry = t.Dict[str, t.Any]


def without_nuls(data: bytes, in_line: bool = False) -> bytes:
    """Text without the NULs of a power cut, or of a log that was cut while its writer went on where it was.

    What stands before them and after them are two lines. ``in_line``: the text goes on a line that is begun.
    """
    if b'\0' not in data:
        return data
    data = _NULS.sub(b'\0', data).replace(b'\n\0', b'\n')
    return (data if in_line or data[:1] != b'\0' else data[1:]).replace(b'\0', b'\n')


class LineCutter:
    """Whole lines out of blocks of any size, each at most MAX_LINE bytes long, without NULs."""

    def __init__(self) -> None:
        self.rest = b''
        self.skipping = False

    def feed(self, data: bytes) -> bytes:
        data = without_nuls(data, self.skipping or bool(self.rest))
        if self.skipping:
            end = data.find(b'\n')
            if end < 0:
                return b''
            data, self.skipping = data[end:], False
        end = data.rfind(b'\n') + 1
        whole = b''.join((self.rest, memoryview(data)[:end])) if end else b''
        self.rest = data[end:] if end else self.rest + data
        if len(self.rest) > MAX_LINE:
            self.rest, self.skipping = self.rest[:MAX_LINE], True
        return _cut_long_lines(whole)

    def finish(self) -> bytes:
        """The last line, when it has no end."""
        last, self.rest, self.skipping = self.rest, b'', False
        return last + b'\n' if last else b''


def _cut_long_lines(data: bytes) -> bytes:
    half = MAX_LINE // 2
    if all(data.find(b'\n', begin, begin + half) >= 0 for begin in range(0, len(data) - half + 1, half)):
        return data
    return b''.join(line[:MAX_LINE] + b'\n' for line in data.split(b'\n')[:-1])


class Life:
    """What is known of the process that writes, from the lines so far."""

    def __init__(self, serving: bool = False) -> None:
        self.serving = self.banner = serving
        self.others_serve = False  # a process before this one listened and was not seen to end
        self.config_invalid = self.ending = self.migrating = self.lacks_views = False

    def next(self) -> 'Life':
        following = Life()
        following.others_serve = self.serving
        return following


class Scanner:
    """One kind of log, over one file or several that follow each other.

    ``serving``: whether the instance ran already where the reading begins. ``since``: a local time
    (``YYYY-MM-DD HH:MM:SS``) before which lines do not count.
    """

    def __init__(self, kind: str, serving: bool = False, since: t.Optional[str] = None) -> None:
        self.kind, self.since = kind, since
        self.needles = log_lines.needles(kind)
        self.following = _FOLLOWING[kind]
        self.life = Life(serving)
        self.cutter = LineCutter()
        self.held = self.before = b''
        self.file, self.line = '', 1
        self.findings: t.Dict[t.Tuple[str, ...], Entry] = {}
        self.markers: t.List[Entry] = []
        self.left_out = 0
        self.last_undated: t.Optional[Entry] = None

    # --- feeding

    def begin(self, path: str) -> None:
        """What comes now is from this file; lines are counted from 1."""
        self.finish()
        self.file, self.line, self.before = path, 1, b''

    def feed(self, data: bytes) -> None:
        self._take(self.held + self.cutter.feed(data), False)

    def finish(self) -> int:
        """The end of a file. Returns the bytes of an unfinished last line, which counts all the same."""
        unfinished = 0 if self.cutter.skipping else len(self.cutter.rest)
        self._take(self.held + self.cutter.finish(), True)
        return unfinished

    def _take(self, data: bytes, final: bool) -> None:
        """Look at whole lines; what a hit at their end needs to be understood is waited for, unless ``final``."""
        self.held = b''
        counted, line = 0, self.line
        done = len(data)
        for begin, end in self._hits(data):
            lines, complete = _lines_from(data, end + 1, self.following)
            if not complete and not final:
                self.held, done = data[begin:], begin
                break
            line += data.count(b'\n', counted, begin)
            counted = begin
            self._look(data, begin, end, lines, line)
        self.line = line + data.count(b'\n', counted, done)
        self.before = (self.before + data[max(0, done - _LOOK_BACK) : done])[-_LOOK_BACK:]

    def _hits(self, data: bytes) -> t.List[t.Tuple[int, int]]:
        """Begin and end of each line that could be a known one, in order."""
        return lines_with(data, self._searches(data))

    def _searches(self, data: bytes) -> t.Iterator[t.Callable[[int], int]]:
        if self.kind == log_lines.START_FAILURES:
            yield lambda begin: begin if begin < len(data) else -1
            return
        for needle in self.needles + (list(_UNCOLOURED_SQL) if self.kind == log_lines.RUNNING else []):
            if needle in data:
                yield lambda begin, needle=needle: data.find(needle, begin)  # type: ignore[misc]
        if self.kind == log_lines.RUNNING:
            yield lambda begin: _search(_SQL_HEADER, data, begin)

    # --- one line

    def _look(self, data: bytes, begin: int, end: int, following: t.List[bytes], number: int) -> None:
        raw = data[begin:end]
        text = log_lines.plain(raw)
        found = self._classify(raw, text, following)
        if found is None or not text:
            return
        time = log_lines.stamp(text)
        if time is None:
            time = self._time_before(data, begin)
        if self.since and time and time < self.since:
            self._follow(found.line)
            return
        self._note(found, text, time, number)

    def _time_before(self, data: bytes, begin: int) -> t.Optional[str]:
        back = data[max(0, begin - _LOOK_BACK) : begin]
        if len(back) < _LOOK_BACK:
            back = (self.before + back)[-_LOOK_BACK:]
        stamps = _DATED.findall(back)
        return stamps[-1].decode('ascii').replace('/', '-').replace('T', ' ') if stamps else None

    def _classify(self, raw: bytes, text: str, following: t.List[bytes]) -> t.Optional[Found]:
        found = log_lines.known(self.kind, text)
        if found is None:
            found = log_lines.sql(text, b'\x1b[35;1m' in raw) if self.kind == log_lines.RUNNING else None
            found = found and self._judge_sql(found, text, following)
        elif found.line.code == 'handler_panic':
            traces = [match.group(1) for match in map(_TRACE.match, map(log_lines.plain, following)) if match]
            found = Found(found.line, found.detail + ''.join(traces[:1])[:200])
        return found

    def _judge_sql(self, found: Found, text: str, following: t.List[bytes]) -> Found:
        """Before the banner of a start missing tables are made next; after its end a lost database is its own doing."""
        line = found.line
        if line.code == 'schema_mismatch' and not self.life.banner:
            if log_lines.is_still_to_come(text, log_lines.plain(following[0]) if following else ''):
                line = log_lines.MIGRATION_BEGINS
            else:
                line = log_lines.SQL_ERROR
        elif line.code == 'schema_mismatch' and self.life.migrating:
            line = line._replace(severity=WARNING)
        elif line.code == 'database_lost' and self.life.ending:
            line = line._replace(severity=HARMLESS)
        return Found(line, found.detail)

    def _note(self, found: Found, text: str, time: t.Optional[str], number: int) -> None:
        line, life = found.line, self.life
        if line.code == 'panic' and life.config_invalid:
            return
        if (line.code == 'migration_begins' and life.migrating) or (line.code == 'views_missing' and life.lacks_views):
            return  # once is enough: each request of that time has lines of it
        self._follow(line)
        if line.code in _REFUSED:
            self._mark(log_lines.PORT_REFUSED, text, time, number)
            line = line._replace(severity=WARNING) if self.life.serving else line
        if line.severity == MARKER:
            self._mark(line, text, time, number)
        elif line.severity != HARMLESS:
            self._find(line, found.detail, text, time, number)

    def _follow(self, line: Line) -> None:
        """What a line changes in what is known of the process."""
        life = self.life
        if line.code == 'process_started':
            self.life = life.next()
        elif line.code == 'listening':
            life.serving = life.banner = True
        elif line.code in ('signal_arrived', 'exiting', 'in_app_restart'):
            life.ending, life.serving = True, False
        elif line.code in _REFUSED and life.others_serve:
            self.life = Life(serving=True)  # somebody tried to start it a second time: the first one goes on
        elif line.code == 'config_invalid':
            life.config_invalid = True
        elif line.code == 'migration_begins':
            life.migrating = True
        elif line.code == 'views_missing':
            life.lacks_views = True
        elif line.code in ('panic', 'out_of_memory', 'fatal_signal'):
            life.serving = False

    def _mark(self, line: Line, text: str, time: t.Optional[str], number: int) -> None:
        self.markers.append(dict(code=line.code, file=self.file, line=number, text=text[:_SHOWN], time=time))
        if len(self.markers) > 2 * _MOST:
            del self.markers[:_MOST]

    def _find(self, line: Line, detail: str, text: str, time: t.Optional[str], number: int) -> None:
        key = (self.file, line.severity, line.code, detail)
        entry = self.findings.get(key)
        if entry is not None:
            entry['count'] += 1
        elif sum(1 for known in self.findings if known[1] == line.severity) < _MOST:
            entry = dict(
                severity=line.severity,
                code=line.code,
                file=self.file,
                line=number,
                text=text[:_SHOWN],
                time=time,
                count=1,
                meaning=line.meaning,
                advice=line.advice,
            )
            self.findings[key] = entry
        else:
            self.left_out += 1
        self.last_undated = entry if time is None else None

    # --- results

    def drop_undated(self) -> int:
        """Leave out the findings whose time is not known, but the last one of the file. Returns how many."""
        undated = [key for key, entry in self.findings.items() if entry['time'] is None]
        for key in undated:
            if self.findings[key] is self.last_undated:
                self.findings[key]['count'] = 1
            else:
                del self.findings[key]
        return len(undated) - (1 if self.last_undated else 0)

    def worst(self) -> t.Optional[str]:
        severities = {entry['severity'] for entry in self.findings.values()}
        return ERROR if ERROR in severities else WARNING if severities else None


def lines_with(data: bytes, searches: t.Iterable[t.Callable[[int], int]]) -> t.List[t.Tuple[int, int]]:
    """Begin and end of each line that has a hit, in order. ``data``: whole lines. ``searches`` are like bytes.find."""
    hits: t.Dict[int, int] = {}
    for find in searches:
        at = find(0)
        while at >= 0:
            begin, end = data.rfind(b'\n', 0, at) + 1, data.find(b'\n', at)
            hits[begin] = end
            at = find(end + 1)
    return sorted(hits.items())


def _search(pattern: t.Pattern[bytes], data: bytes, begin: int) -> int:
    found = pattern.search(data, begin)
    return found.start() if found else -1


def _lines_from(data: bytes, begin: int, count: int) -> t.Tuple[t.List[bytes], bool]:
    """The next ``count`` lines, and whether all of them are there."""
    lines: t.List[bytes] = []
    while len(lines) < count:
        end = data.find(b'\n', begin)
        if end < 0:
            return lines, False
        lines.append(data[begin:end])
        begin = end + 1
    return lines, True
