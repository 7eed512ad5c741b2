# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Logs of any size, as their owner can make them: holes, bombs, lines without an end. What was left out is told."""

import gzip
import os
import time
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import log_lines
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.files import InstallDir
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs import position as _log_position
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs import read as _log_read
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs.position import Segment
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs.scan import Scanner

TIB, MIB = 1 << 40, 1 << 20
LAST = b"\n[WARN] 2026/01/31 12:00 Recovered from a route's Handler('x')\n"
LIMIT_S = 20.0


@pytest.fixture
def shop(tmp_path: t.Any) -> t.Any:
    return tmp_path


def hole(path: t.Any, size: int, end: bytes = LAST) -> None:
    try:
        with open(str(path), "wb") as stream:
            stream.truncate(size)
            stream.seek(size)
            stream.write(end)
    except OSError as exc:
        pytest.skip("this file system has no files of that size: %s" % exc)


def scan(shop: t.Any, name: str = "running.log") -> t.Tuple[Scanner, t.List[str], t.Any]:
    scanner = Scanner(log_lines.RUNNING)
    begin = time.monotonic()
    with InstallDir(str(shop)) as directory:
        reader = _log_read.Reader(directory, os.geteuid())
        segments = reader.start_of(str(shop / "running.log"), None)[0] or [Segment(str(shop / name), 0)]
        place, lost = reader.scan(scanner, str(shop / "running.log"), segments)
    assert time.monotonic() - begin < LIMIT_S
    return scanner, lost, place


def test_a_log_of_a_tebibyte_with_holes(shop: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_log_read, "MOST_BYTES", 64 * MIB)
    monkeypatch.setattr(_log_read, "_MOST_SEARCH_S", 1.0)
    hole(shop / "running.log", TIB)
    scanner, lost, place = scan(shop)
    assert lost == ["only the last 64 MiB of %s were read" % (shop / "running.log")]
    assert [found["line"] for found in scanner.findings.values()] == [None]
    assert place.offset == TIB + len(LAST)


def test_a_look_that_takes_too_long_says_how_far_it_came(shop: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_log_read, "MOST_S", -1.0)
    monkeypatch.setattr(_log_read, "_MOST_SEARCH_S", -1.0)
    hole(shop / "running.log", 64 * MIB)
    _scanner, lost, place = scan(shop)
    assert len(lost) == 1 and "was not read" in lost[0] and place is None


def test_the_time_ends_within_a_file(shop: t.Any) -> None:
    hole(shop / "running.log", 64 * MIB)
    with InstallDir(str(shop)) as directory:
        reader = _log_read.Reader(directory, os.geteuid())
        fd = os.open(str(shop / "running.log"), os.O_RDONLY)
        try:
            lost: t.List[str] = []
            reader.end = time.monotonic() - 1.0
            segment = Segment(str(shop / "running.log"), 0)
            assert reader._plain(fd, Scanner(log_lines.RUNNING), segment, 64 * MIB, lost) == 0
        finally:
            os.close(fd)
    assert "was read to byte 0 of 67108864: reading the logs took more than 60 s" in lost[0]


def test_a_bomb_is_given_up(shop: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with gzip.open(str(shop / "running.log.1.gz"), "wb", 1) as stream:
        for _dummy in range(64):
            stream.write(bytes(MIB))
    monkeypatch.setattr(_log_position, "_MOST_UNPACKED", 8 * MIB)
    _scanner, lost, _place = scan(shop, "running.log.1.gz")
    assert len(lost) == 1 and "unpacks to more than" in lost[0]
    fd = os.open(str(shop / "running.log.1.gz"), os.O_RDONLY)
    try:
        with pytest.raises(EOFError, match="took too long"):
            list(_log_position.unpacked(fd, time.monotonic() - 1.0))
        place = _log_position.Place(str(shop / "running.log"), 60 * MIB, "", "")
        assert not _log_position.is_in_packed(fd, place, time.monotonic() - 1.0)
    finally:
        os.close(fd)


def test_a_line_without_an_end_takes_no_memory(shop: t.Any) -> None:
    with open(str(shop / "running.log"), "wb") as stream:
        for _dummy in range(64):
            stream.write(b"a" * MIB)
        stream.write(LAST)
    scanner, lost, _place = scan(shop)
    assert not lost and len(scanner.findings) == 1 and len(scanner.held) + len(scanner.before) < MIB


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: os.symlink("/dev/zero", path), os.mkdir])
def test_what_is_no_file_is_not_opened(shop: t.Any, make: t.Callable[[str], None]) -> None:
    make(str(shop / "running.log"))
    with pytest.raises(Exception, match="was not opened"):
        scan(shop)
