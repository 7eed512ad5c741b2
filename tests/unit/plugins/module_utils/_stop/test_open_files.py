# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import os
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._stop import quiet


@pytest.mark.parametrize("path,flags,reader", [
    ("/www/shop/running.log", os.O_RDONLY, True),
    ("/www/shop/running.log (deleted)", os.O_RDONLY, True),
    ("/www/shop/running.log.1", os.O_RDONLY | os.O_CLOEXEC, True),
    ("/www/shop/logs/error.log-20261122", os.O_RDONLY, True),
    ("/www/shop/running.log", os.O_WRONLY | os.O_APPEND, False),
    ("/www/shop/running.log", os.O_RDWR, False),
    ("/www/shop/data.lock", os.O_RDONLY, False),
    ("/www/shop.log/data", os.O_RDONLY, False),
    ("/www/shop/catalog", os.O_RDONLY, False),
    ("/www/shop/a.login", os.O_RDONLY, False),
])  # fmt: skip
def test_reader_of_a_log(path: str, flags: int, reader: bool) -> None:
    assert quiet.is_log_reader(path, flags) is reader


def test_this_process_holds_a_file(tmp_path: t.Any) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with open(str(tmp_path / "a"), "w"), open(str(tmp_path / "b.log"), "w"), open(str(tmp_path / "b.log")):
        found = quiet.holders(str(tmp_path), ())
        rows = quiet.still_there(found)
    assert sorted(row["path"] for row in rows) == [str(tmp_path / "a"), str(tmp_path / "b.log")]
    assert {row["pid"] for row in rows} == {os.getpid()}
    assert quiet.still_there(quiet.holders(str(tmp_path), ())) == []
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_is_closed_meanwhile_is_not_told(tmp_path: t.Any) -> None:
    with open(str(tmp_path / "a"), "w"):
        found = quiet.holders(str(tmp_path), ())
    assert len(found) == 1 and quiet.still_there(found) == []
