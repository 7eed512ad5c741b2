# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Read logs into a scanner, in blocks, and find the place in a log where a start or a time is."""

import math
import os
import re
import time
import typing as t
import zlib

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import log_lines
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.files import InstallDir
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs import position as _log_position
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs.position import Segment
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs.scan import MAX_LINE, Scanner

MOST_BYTES = 4 << 30  # of one log that are read: those at its end
MOST_S = 60.0  # for all logs of one look
_MOST_SEARCH_S = 5.0  # for the place of the last start
_GIVEN_UP = 'reading the logs took more than %d s' % MOST_S
_BLOCK = 262144
_LOOK_BACK = 4096
_COUNTED = 8 << 20  # lines before the place are counted up to this size: some 15 ms
_NEAR = 262144  # a search by time ends this close
_DATED = re.compile(rb'(?:^|[\n\0])(?:\[\w+\] )?(\d{4}[/-]\d\d[/-]\d\d[ T]\d\d:\d\d(?::\d\d)?)')


def scan_fd(fd: int, scanner: Scanner, begin: int, end: int, until: float = math.inf) -> int:
    """Feed the bytes from ``begin`` to ``end``. Returns where the last whole line ends; less when it was cut.

    Not longer than to ``until`` (monotonic).
    """
    scanner.before = os.pread(fd, min(begin, _LOOK_BACK), max(0, begin - _LOOK_BACK))
    at = begin
    while at < end and time.monotonic() < until:
        block = os.pread(fd, min(_BLOCK, end - at), at)
        if not block:
            break
        scanner.feed(block)
        at += len(block)
    return at - scanner.finish()


def scan_file(path: str, kind: str = log_lines.RUNNING) -> Scanner:
    """The whole of one plain file, without any question of trust: for measurements and tests."""
    scanner = Scanner(kind)
    scanner.begin(path)
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        scan_fd(fd, scanner, 0, os.fstat(fd).st_size)
    finally:
        os.close(fd)
    return scanner


def scan_packed(fd: int, scanner: Scanner, begin: int, until: float = math.inf) -> None:
    """Feed what a gzip file unpacks to from ``begin`` on. EOFError, zlib.error: it is broken, cut or too large."""
    passed = 0
    try:
        for block in _log_position.unpacked(fd, until):
            before = block[: max(0, begin - passed)]
            passed += len(block)
            if before:
                scanner.line += before.count(b'\n')
                scanner.before = (scanner.before + before)[-_LOOK_BACK:]
            scanner.feed(block[len(before) :])
    finally:
        scanner.finish()


class Reader:
    """Reads the logs of one instance through the private opener, for a minute and some GiB at most.

    Whoever owns them decides how large they are, or seem: a file with holes has any size and takes no room.
    """

    def __init__(self, directory: InstallDir, uid: t.Optional[int]) -> None:
        self.directory, self.uid = directory, uid
        self.end = time.monotonic() + MOST_S

    def scan(
        self, scanner: Scanner, path: str, segments: t.Sequence[Segment]
    ) -> t.Tuple[t.Optional[_log_position.Place], t.List[str]]:
        """The place where the log at ``path`` ends now (None when it was not read), and what could not be read."""
        place: t.Optional[_log_position.Place] = _log_position.Place(path, 0, '', '')
        lost: t.List[str] = []
        for segment in segments:
            if time.monotonic() > self.end:
                lost.append('%s was not read: %s' % (segment.path, _GIVEN_UP))
                place = None if segment.path == path else place
                continue
            fd = self.directory.open_log(segment.path, self.uid)
            try:
                scanner.begin(segment.path)
                if segment.path.endswith('.gz'):
                    lost += self._packed(fd, scanner, segment)
                    continue
                size = os.fstat(fd).st_size
                end = self._plain(fd, scanner, segment, size, lost)
                number_lines(fd, scanner, segment._replace(begin=begin_within(segment, size)))
                if segment.path == path:
                    place = _log_position.place_of(fd, path, end)
            finally:
                os.close(fd)
        return place, lost

    def _plain(self, fd: int, scanner: Scanner, segment: Segment, size: int, lost: t.List[str]) -> int:
        begin = begin_within(segment, size)
        if begin > segment.begin:
            lost.append('only the last %d MiB of %s were read' % (MOST_BYTES >> 20, segment.path))
        end = scan_fd(fd, scanner, begin, size, self.end)
        if end + MAX_LINE < size and time.monotonic() > self.end:
            lost.append('%s was read to byte %d of %d: %s' % (segment.path, end, size, _GIVEN_UP))
        return end

    def _packed(self, fd: int, scanner: Scanner, segment: Segment) -> t.List[str]:
        try:
            scan_packed(fd, scanner, segment.begin, self.end)
            return []
        except (EOFError, zlib.error) as exc:
            return ['%s could not be unpacked to its end: %s' % (segment.path, exc)]

    def start_of(self, path: str, not_after: t.Optional[str]) -> t.Tuple[t.List[Segment], t.Optional[str]]:
        """Where the last start of a process is noted, in the log or a rotated plain file, and its local time."""
        neighbours = _log_position.Neighbours(self.directory, path, self.uid)
        later: t.List[Segment] = []
        for name in [path] + [name for dummy, name in neighbours.files if not name.endswith('.gz')][:3]:
            try:
                fd = self.directory.open_log(name, self.uid)
            except FileNotFoundError:
                continue
            try:
                found = last_start(fd, self.directory.path, not_after, time.monotonic() + _MOST_SEARCH_S)
            finally:
                os.close(fd)
            if found is not None:
                return [Segment(name, found[0])] + later, found[1]
            later.insert(0, Segment(name, 0))
        return [], None

    def since_time(self, path: str, epoch: float, local: str) -> t.List[Segment]:
        """What was written since a time: rotated files that were changed later, and the end of the log."""
        neighbours = _log_position.Neighbours(self.directory, path, self.uid)
        segments = [Segment(name, 0) for name in neighbours.since(epoch)]
        try:
            fd = self.directory.open_log(path, self.uid)
        except FileNotFoundError:
            return segments
        try:
            info = os.fstat(fd)
            begin = begin_of_time(fd, info.st_size, local) if info.st_mtime >= epoch - 1.0 else info.st_size
        finally:
            os.close(fd)
        return segments + [Segment(path, begin)]


def begin_within(segment: Segment, size: int) -> int:
    """Where the reading of a file of this size begins: at the place, or nearer to its end."""
    return max(min(segment.begin, size), size - MOST_BYTES)


def number_lines(fd: int, scanner: Scanner, segment: Segment) -> None:
    """Make the numbers of lines those of the file; None where counting what stands before would take too long."""
    entries = [entry for entry in list(scanner.findings.values()) + scanner.markers if entry['file'] == segment.path]
    if segment.begin == 0 or not entries:
        return
    before = count_lines(fd, segment.begin) if segment.begin <= _COUNTED else None
    for entry in entries:
        entry['line'] = None if before is None else entry['line'] + before


def count_lines(fd: int, end: int) -> int:
    count = at = 0
    while at < end:
        block = os.pread(fd, min(_BLOCK, end - at), at)
        if not block:
            break
        count += block.count(b'\n')
        at += len(block)
    return count


def last_start(
    fd: int, root: str, not_after: t.Optional[str], until: float = math.inf
) -> t.Optional[t.Tuple[int, str]]:
    """Offset and local time of the last line that begins a process, at the latest at ``not_after``, from the end on.

    None also where it was not found by ``until`` (monotonic): the place is searched by time then.
    """
    needle = b' ' + root.encode('utf-8', 'surrogateescape') + b'/\n'
    margin = len(needle) + 32
    end = os.fstat(fd).st_size
    while end > 0:
        begin = max(0, end - _BLOCK)
        block = os.pread(fd, end - begin + margin, begin)
        at = block.rfind(needle)
        while at >= 0:
            line = max(block.rfind(b'\n', 0, at), block.rfind(b'\0', 0, at)) + 1
            local = log_lines.stamp(log_lines.plain(block[line : at + len(needle)]))
            if local and (line > 0 or begin == 0) and (not_after is None or local <= not_after):
                return begin + line, local
            at = block.rfind(needle, 0, at)
        if begin == 0 or time.monotonic() > until:
            return None
        end = begin + 32  # a line whose begin was cut off is seen whole in the next block
    return None


def begin_of_time(fd: int, size: int, local: str) -> int:
    """An offset before the first line of a time; early rather than late."""

    def is_before(block: bytes) -> bool:
        found = _DATED.search(block)
        return found is not None and found.group(1).decode('ascii').replace('/', '-').replace('T', ' ') < local

    return halve(fd, size, is_before, _NEAR)


def halve(fd: int, size: int, is_before: t.Callable[[bytes], bool], near: int) -> int:
    """An offset at most ``near`` bytes before the first place whose bytes are not before what is looked for."""
    low, high = 0, size
    while high - low > near:
        middle = (low + high) // 2
        if is_before(os.pread(fd, min(near, high - middle), middle)):
            low = middle
        else:
            high = middle
    return low
