# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Positions in the logs of an instance: a token that finds its place again after a rotation, or says that it cannot.

A place is known by what stands before it, not by name or inode: the bytes at the begin of the file and those right
before the place are remembered as hashes. A rotated file is looked for among the neighbours of the log.
"""

import base64
import binascii
import hashlib
import json
import math
import os
import re
import time
import typing as t
import zlib

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import foreign_json
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.files import InstallDir

_PREFIX = 'anqicms-log-1:'
_SAMPLE = 1024  # bytes at the begin and before the place that are remembered
_BLOCK = 262144
_MOST_NEIGHBOURS = 50
_MOST_FIND_S = 30.0  # for the search in compressed logs
_MOST_UNPACKED = 4 << 30  # bytes of a compressed log that are looked at


class Place(t.NamedTuple):
    """Where a log ended: its path, its size then, and hashes of what stood at its begin and right before that."""

    path: str
    offset: int
    head: str
    tail: str


class Position(t.NamedTuple):
    """``places`` by kind of log; a kind without one could not be read then. ``taken`` is seconds since the epoch."""

    taken: float
    serving: bool
    places: t.Dict[str, Place]


class Segment(t.NamedTuple):
    """What is to be read: a file from an offset on (of what is unpacked, where it is compressed)."""

    path: str
    begin: int


class Located(t.NamedTuple):
    """``lost`` says why not everything since the position can be read, None when it can."""

    segments: t.List[Segment]
    lost: t.Optional[str]


def encode(position: Position) -> str:
    data = dict(
        taken=round(position.taken, 3),
        serving=position.serving,
        places={kind: list(place) for kind, place in position.places.items()},
    )
    packed = zlib.compress(json.dumps(data, separators=(',', ':')).encode('utf-8'), 9)
    return _PREFIX + base64.urlsafe_b64encode(packed).decode('ascii')


def is_token(text: str) -> bool:
    return text.startswith(_PREFIX)


def decode(token: str) -> Position:
    """LifecycleError for what is no position of this collection."""
    try:
        packed = base64.urlsafe_b64decode(token[len(_PREFIX) :].encode('ascii'))
        reader = zlib.decompressobj()
        data = foreign_json.load(reader.decompress(packed, 65536))
        if not reader.eof:
            raise ValueError(token)
        places = {
            str(kind): Place(str(place[0]), int(place[1]), str(place[2]), str(place[3]))
            for kind, place in data['places'].items()
        }
        return Position(float(data['taken']), bool(data['serving']), places)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, zlib.error, binascii.Error) as exc:
        raise LifecycleError(
            'since: %r is not a position that log_check or verified_start returned. No log was read. Set since to such '
            'a position.' % (token[:40] + '...',)
        ) from exc


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16] if data else ''


def place_of(fd: int, path: str, offset: int) -> Place:
    begin = max(0, offset - _SAMPLE)
    return Place(path, offset, _hash(os.pread(fd, min(_SAMPLE, offset), 0)), _hash(os.pread(fd, offset - begin, begin)))


def take(directory: InstallDir, logs: t.Mapping[str, str], uid: t.Optional[int], serving: bool) -> str:
    """The end of the logs (path by kind) now. What cannot be opened has no place; what is missing begins at 0."""
    places = {}
    for kind, path in logs.items():
        try:
            fd = directory.open_log(path, uid)
        except FileNotFoundError:
            places[kind] = Place(path, 0, '', '')
            continue
        except (OSError, LifecycleError):
            continue
        try:
            places[kind] = place_of(fd, path, os.fstat(fd).st_size)
        finally:
            os.close(fd)
    return encode(Position(time.time(), serving, places))


class Neighbours:
    """The rotated files of one log, newest first, as (path, time of the last change)."""

    def __init__(self, directory: InstallDir, path: str, uid: t.Optional[int]) -> None:
        self.directory, self.path, self.uid = directory, path, uid
        self.files: t.List[t.Tuple[float, str]] = []
        try:
            names = directory.names_beside(path)
        except (OSError, LifecycleError):
            names = []
        for name in sorted(rotated_names(os.path.basename(path), names)):
            self._add(os.path.join(os.path.dirname(path), name))
        self.files = sorted(self.files, reverse=True)[:_MOST_NEIGHBOURS]

    def _add(self, path: str) -> None:
        fd = self.open(path)
        if fd is not None:
            self.files.append((os.fstat(fd).st_mtime, path))
            os.close(fd)

    def open(self, path: str) -> t.Optional[int]:
        try:
            return self.directory.open_log(path, self.uid)
        except (OSError, LifecycleError):
            return None

    def since(self, changed: float) -> t.List[str]:
        """Those that were changed at or after a time, oldest first."""
        return [path for at, path in reversed(self.files) if at >= changed]

    def find(self, place: Place) -> t.Optional[int]:
        """The index of the file in which the place lies now: plain files first, they cost nothing."""
        until = time.monotonic() + _MOST_FIND_S
        packed = [index for index, (dummy, path) in enumerate(self.files) if path.endswith('.gz')]
        plain = [index for index in range(len(self.files)) if index not in packed]
        for index in plain + packed:
            fd = self.open(self.files[index][1])
            if fd is None:
                continue
            try:
                if is_in_packed(fd, place, until) if index in packed else is_in(fd, place):
                    return index
            finally:
                os.close(fd)
        return None


def rotated_names(base: str, names: t.Iterable[str]) -> t.List[str]:
    """The names that rotated files of a log have: running.log.1, running.log-20240101.gz, running-20240101.log."""
    stem, extension = os.path.splitext(base)
    pattern = re.compile(
        r'(?:%s[._-](?:\d[\w.:-]*|old|bak|gz)|%s[._-]\d[\w:-]*%s(?:\.gz)?)$'
        % (re.escape(base), re.escape(stem), re.escape(extension))
    )
    found = {name for name in names if pattern.match(name)}
    return [name for name in found if not (name.endswith('.gz') and name[:-3] in found)]


def is_in(fd: int, place: Place) -> bool:
    """Whether the file is the one that the place was taken in, or a copy of it."""
    if os.fstat(fd).st_size < place.offset:
        return False
    return place_of(fd, place.path, place.offset) == place


def unpacked(fd: int, until: float = math.inf) -> t.Iterator[bytes]:
    """The content of a gzip file in blocks. EOFError or zlib.error when it is broken, cut, or larger than the bound.

    EOFError also where it is not done by ``until`` (monotonic): some KiB can unpack to GiB.
    """
    with os.fdopen(os.dup(fd), 'rb') as packed:
        packed.seek(0)
        reader, data, total = zlib.decompressobj(47), b'', 0
        while True:
            data = data or packed.read(_BLOCK)
            if not data:
                break
            if reader.eof:  # several compressed parts may follow each other
                reader = zlib.decompressobj(47)
            block = reader.decompress(data, _BLOCK)
            data = reader.unused_data if reader.eof else reader.unconsumed_tail
            total += len(block)
            if time.monotonic() > until:
                raise EOFError('unpacking it took too long')
            if total > _MOST_UNPACKED:
                raise EOFError('it unpacks to more than %d bytes' % _MOST_UNPACKED)
            yield block
        yield reader.flush()
        if not reader.eof:
            raise EOFError('it is cut')


def is_in_packed(fd: int, place: Place, until: float = math.inf) -> bool:
    head = tail = b''
    passed = 0
    try:
        for block in unpacked(fd, until):
            head = head if len(head) >= _SAMPLE else (head + block)[:_SAMPLE]
            before = block[: place.offset - passed]
            passed += len(before)
            tail = (tail + before)[-_SAMPLE:]
            if passed == place.offset:
                break
    except (OSError, EOFError, zlib.error):
        return False
    head = head[: place.offset]
    return passed == place.offset and (_hash(head), _hash(tail)) == (place.head, place.tail)


def locate(directory: InstallDir, path: str, uid: t.Optional[int], place: Place, taken: float) -> Located:
    """What is to be read of one log since a place. ``path``: where the log is now. Raises OSError, UnsafePath."""
    neighbours = Neighbours(directory, path, uid)
    try:
        fd: t.Optional[int] = directory.open_log(path, uid)
    except FileNotFoundError:
        fd = None
    try:
        now = [] if fd is None else [Segment(path, 0)]
        if place.offset == 0:
            return Located([Segment(name, 0) for name in neighbours.since(taken)] + now, None)
        if fd is not None and is_in(fd, place):
            return Located([Segment(path, place.offset)], None)
    finally:
        if fd is not None:
            os.close(fd)
    index = neighbours.find(place)
    if index is None:
        what = 'is gone' if fd is None else 'was cut or replaced'
        return Located(
            now, '%s %s since the position, and no rotated file beside it has the lines from there on' % (path, what)
        )
    rotated, later = neighbours.files[index], [Segment(name, 0) for dummy, name in reversed(neighbours.files[:index])]
    return Located([Segment(rotated[1], place.offset)] + later + now, None)
