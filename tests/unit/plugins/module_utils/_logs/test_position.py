# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Positions as text, names of rotated files, and the place of a start or a time in a log."""

import base64
import gzip
import os
import typing as t
import zlib
from pathlib import Path

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs import position as _log_position
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs import read as _log_read

FileOf = t.Callable[[bytes], int]
ROOT = '/www/wwwroot/商店.example'


@pytest.fixture
def file_of(tmp_path: Path) -> t.Iterator[FileOf]:
    """A descriptor of a file with this content."""
    opened: t.List[int] = []

    def make(data: bytes) -> int:
        path = tmp_path / str(len(opened))
        path.write_bytes(data)
        opened.append(os.open(str(path), os.O_RDONLY))
        return opened[-1]

    yield make
    for fd in opened:
        os.close(fd)


def test_a_position_as_text() -> None:
    position = _log_position.Position(1769832000.5, True, {'running': _log_position.Place(ROOT, 7, 'ab', 'cd')})
    token = _log_position.encode(position)
    assert _log_position.is_token(token)
    assert _log_position.decode(token) == position


@pytest.mark.parametrize(
    'content',
    [
        '[]',
        '{}',
        '{"taken": 1, "serving": true, "places": {"a": 1}}',
        'x',
        '{"taken": "x", "serving": true, "places": {}}',
        '{"a": "%s"}' % ('x' * 99999),
    ],
)
def test_what_only_looks_like_a_position_is_refused(content: str) -> None:
    packed = base64.urlsafe_b64encode(zlib.compress(content.encode())).decode()
    with pytest.raises(LifecycleError, match='is not a position'):
        _log_position.decode('anqicms-log-1:' + packed)


def test_names_of_rotated_files() -> None:
    names = [
        'running.log',
        'running.log.1',
        'running.log.2.gz',
        'running.log-20260131',
        'running.log-20260130.gz',
        'running-20260131.log',
        'running_2026-01-31.log.gz',
        'running.log.old',
        'running.log.1.gz',
        'running.logx',
        'running.log.swp',
        'error.log.1',
        'xrunning.log.1',
        'running.sh',
    ]
    assert sorted(_log_position.rotated_names('running.log', names)) == [
        'running-20260131.log',
        'running.log-20260130.gz',
        'running.log-20260131',
        'running.log.1',
        'running.log.2.gz',
        'running.log.old',
        'running_2026-01-31.log.gz',
    ]


@pytest.mark.parametrize('offset', [1, 700, 1024, 1025, 5000, 300000])
def test_a_place_is_known_by_what_stands_before_it(file_of: FileOf, offset: int) -> None:
    data = b''.join(b'line %d\n' % number for number in range(60000))[:400000]
    place = _log_position.place_of(file_of(data), 'a', offset)
    assert _log_position.is_in(file_of(data[:offset]), place)
    assert _log_position.is_in_packed(file_of(gzip.compress(data)), place)
    assert _log_position.is_in_packed(file_of(gzip.compress(data[:offset]) + gzip.compress(b'x')), place)
    assert not _log_position.is_in(file_of(data[: offset - 1]), place)
    assert not _log_position.is_in(file_of(b'x' + data), place)
    assert not _log_position.is_in_packed(file_of(gzip.compress(b'x' + data)), place)
    assert not _log_position.is_in_packed(file_of(gzip.compress(data)[:-9][: offset // 40]), place)
    assert not _log_position.is_in_packed(file_of(data), place)


def test_unpacking_gives_the_whole_content_in_small_blocks(file_of: FileOf) -> None:
    data = os.urandom(700000) + b'x' * 3000000
    blocks = list(_log_position.unpacked(file_of(gzip.compress(data) + gzip.compress(b'end'))))
    assert b''.join(blocks) == data + b'end'
    assert max(map(len, blocks)) <= 262144
    with pytest.raises(EOFError, match='it is cut'):
        list(_log_position.unpacked(file_of(gzip.compress(data)[:-100])))


@pytest.mark.parametrize('before', [0, 1, 262144 - 90, 262144 - 60, 262144 - 30, 262144 - 1, 262144, 500000])
def test_the_last_start_is_found_wherever_it_stands(file_of: FileOf, before: int) -> None:
    line = ('2026/01/31 12:00:05 %s/\n' % ROOT).encode('utf-8')
    head = b'x' * (before - 1) + b'\n' if before else b''
    for after in (b'', b'y\n' * 131072, b'z' * 262100):
        fd = file_of(head + line + after)
        assert _log_read.last_start(fd, ROOT, None) == (before, '2026-01-31 12:00:05')
        assert _log_read.last_start(fd, ROOT, '2026-01-31 12:00:04') is None
        assert _log_read.last_start(fd, '/www/other', None) is None


def test_the_begin_of_a_time_is_near_and_not_late(file_of: FileOf) -> None:
    lines = [b'2026/01/31 %02d:%02d:00 %s\n' % (number // 60, number % 60, b'x' * 3000) for number in range(1440)]
    fd = file_of(b''.join(lines))
    for minute in (0, 1, 700, 1439):
        exact = sum(map(len, lines[:minute]))
        found = _log_read.begin_of_time(fd, sum(map(len, lines)), '2026-01-31 %02d:%02d:00' % divmod(minute, 60))
        assert exact - 600000 < found <= exact


def test_without_times_the_begin_of_a_time_is_the_begin(file_of: FileOf) -> None:
    data = b'no time\n' * 200000
    assert _log_read.begin_of_time(file_of(data), len(data), '2026-01-31 12:00:00') == 0
