# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Instances that no process and no cron line shows any more, found by the records of earlier runs."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paths
import pytest
from instance import Instance, make_instance

sys.path.insert(0, str(paths.link_tree()))

from ansible_collections.anqicms.lifecycle.plugins.module_utils._info import describe
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state as _state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import resolve

Row = dict[str, Any]
Found = Callable[..., dict[str, Row]]


@pytest.fixture
def dead(tmp_path: Path) -> Iterator[Instance]:
    """One that was seen running, and was killed."""
    instance = make_instance(tmp_path / "www" / "shop.example", "3.5.8")
    instance.knobs(no_database=True)
    instance.start()
    describe.describe(resolve(str(instance.dir)), base=str(tmp_path / "state"), record=True)
    instance.kill()
    yield instance
    instance.kill()


@pytest.fixture
def found(tmp_path: Path) -> Found:
    """Of all that is found on this host, by its directory: what lies below the temporary one."""

    def look(recorded: bool) -> dict[str, Row]:
        rows = describe.describe_all([], base=str(tmp_path / "state"), recorded=recorded)
        return {row["dir"]: row for row in rows if row["dir"].startswith(str(tmp_path))}

    return look


def state_of(instance: Instance, base: Path) -> _state.StateDir:
    return _state.StateDir(resolve(str(instance.dir)), str(base))


def test_one_that_died_is_found_when_it_is_asked_for(dead: Instance, found: Found) -> None:
    assert found(recorded=False) == {}
    row = found(recorded=True)[str(dead.dir)]
    assert (row["state"], row["pids"], row["version"]["files"]) == ("stopped", [], "3.5.8")


def test_one_whose_last_run_did_not_end_is_always_found(dead: Instance, found: Found, tmp_path: Path) -> None:
    state = state_of(dead, tmp_path / "state")
    state.log("begin", token="t", run_id="r", steps=["graceful_stop"])
    row = found(recorded=False)[str(dead.dir)]
    assert row["interrupted"]["run_id"] == "r"
    state.log("end", token="t")
    assert found(recorded=False) == {}


def test_one_that_runs_is_there_once(dead: Instance, found: Found) -> None:
    pid = dead.start()
    assert [row["pids"] for row in found(recorded=True).values()] == [[pid]]


def test_one_that_was_removed_is_not_there(dead: Instance, found: Found) -> None:
    for path in list(dead.dir.iterdir()):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    assert found(recorded=True) == {}
    dead.dir.rmdir()
    assert found(recorded=True) == {}


def test_a_record_under_another_name_is_not_believed(dead: Instance, found: Found, tmp_path: Path) -> None:
    state = state_of(dead, tmp_path / "state")
    Path(state.path).rename(tmp_path / "state" / ("0" * 8 + "-shop.example"))
    assert found(recorded=True) == {}


def test_a_link_in_its_place_leads_nowhere(dead: Instance, found: Found) -> None:
    aside = dead.dir.rename(dead.dir.with_name("aside"))
    dead.dir.symlink_to(aside)
    assert found(recorded=True) == {}


@pytest.mark.root
def test_a_record_of_another_user_hides_nothing_that_runs(dead: Instance, found: Found, tmp_path: Path) -> None:
    dead.start()
    os.chown(Path(state_of(dead, tmp_path / "state").path) / "instance.json", 65534, 65534)
    row = found(recorded=True)[str(dead.dir)]
    assert row["state"] == "running"
    assert any("the records of earlier instances cannot be read" in one["message"] for one in row["hazards"])
