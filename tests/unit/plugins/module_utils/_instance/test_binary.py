# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which version is believed of which file."""

import json
import os
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import binary
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import records as _records

SHOP = binary.Binary(2049, 77, 31000000, 1700000000123456789)
HISTORY: t.List[t.Dict[str, t.Any]] = [
    {"pid": 1, "version": "3.5.7", "binary": list(SHOP)},
    {"pid": 2, "version": "3.5.8", "binary": list(SHOP)},
    {"pid": 3, "version": "3.4.0", "binary": list(SHOP._replace(inode=78))},
    {"pid": 4, "version": "2.0.1"},  # a release that noted no binary, or nobody's listener
    {"pid": 5, "binary": list(SHOP)},
    {"pid": 6, "version": None, "binary": list(SHOP)},
]


@pytest.mark.parametrize("found,version", [
    (SHOP, "3.5.8"),
    (SHOP._replace(inode=78), "3.4.0"),
    (SHOP._replace(device=2050), None),
    (SHOP._replace(inode=79), None),
    (SHOP._replace(size=31000001), None),
    (SHOP._replace(mtime_ns=SHOP.mtime_ns + 1), None),
    (None, None),
])  # fmt: skip
def test_what_a_binary_told(found: t.Optional[binary.Binary], version: t.Optional[str]) -> None:
    assert binary.told(HISTORY, found) == version
    assert binary.told([], found) is None


@pytest.mark.parametrize("told,changelog,wanted", [
    ("3.5.8", "3.5.7", ("3.5.8", "binary")),
    ("3.5.8", None, ("3.5.8", "binary")),
    (None, "3.5.7", ("3.5.7", "changelog")),
    (None, None, (None, None)),
    (None, "", (None, None)),
])  # fmt: skip
def test_what_is_said_of_the_files(
    told: t.Optional[str], changelog: t.Optional[str], wanted: t.Tuple[str, str]
) -> None:
    assert binary.files_version(told, changelog) == wanted


def test_a_file_is_another_one_when_it_was_written_to_or_replaced(tmp_path: t.Any) -> None:
    path = str(tmp_path / "anqicms")
    assert binary.of_file(path) is None
    with open(path, "wb") as stream:
        stream.write(b"one")
    first = binary.of_file(path)
    os.utime(path, ns=(1, 5))
    touched = binary.of_file(path)
    os.link(path, path + ".new")
    os.rename(path + ".new", path)  # the same file under the same name
    assert first is not None and touched is not None and first != touched
    assert binary.of_file(path) == touched == first._replace(mtime_ns=5)
    os.symlink(path, path + ".link")
    assert binary.of_file(path + ".link") == touched


def test_of_a_process_it_is_the_file_that_it_executes() -> None:
    directory = os.open("/proc/self", os.O_RDONLY)
    try:
        found = binary.of_process(directory)
        assert found is not None
        assert found == binary.of_file("/proc/self/exe")
    finally:
        os.close(directory)


@pytest.mark.parametrize("value", [[2**64 - 1, 2**64 - 1, 0, -1], list(SHOP), [], None])
def test_no_file_makes_a_record_that_is_refused(value: t.Any) -> None:
    """An owner can give a file any time of change, and a file system any number."""
    entry = dict(pid=1, start_ticks=2, binary=value, exe=value)
    assert _records.parse_lines(json.dumps(entry).encode(), _records.HISTORY) == [entry]
