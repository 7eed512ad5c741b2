# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Releases switched in a window on running instances, and taken back with it."""

from __future__ import annotations

import os
import shutil
import time
import zipfile
from pathlib import Path
from typing import Any, Callable

import freeze
import pytest
import release_zips
import windows
from instance import Instance
from release_zips import call, snapshot, zip_of
from windows import Killer, at

from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import on_instance
from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import release
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import at_work
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import follow as _follow
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import window_plan

Step = dict[str, Any]
OLD, NEW = "3.5.1", "3.5.8"
FAILS: Step = {"command": {"argv": ["false"]}}
# What the program itself writes while it runs.
OWN = ("running.log", "cache", "error.log", "data", "public")


def steps(*after: Step, version: str = NEW) -> list[Step]:
    return [
        {"graceful_stop": {}},
        {"port_released": {}},
        {"release": {"state": "switched", "version": version}},
        {"verified_start": {"stable_for": 0.2}},
        *after,
    ]


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    place, made = tmp_path_factory.mktemp("archives"), {}

    def archive(version: str) -> Path:
        if version not in made:
            made[version] = zip_of(freeze.release(version), place / f"{version}.zip")
        return made[version]

    return archive


@pytest.fixture
def shop(site: Callable[..., Instance], archives: Callable[[str], Path]) -> Instance:
    made = site(OLD)
    staged = call(made.dir, state="staged", src=str(archives(NEW)), version=NEW)
    assert staged["changed"] and made.told_version() == OLD
    return made


def files_of(shop: Instance) -> dict[str, Any]:
    return {path: row for path, row in snapshot(shop.dir).items() if path.split("/")[0] not in OWN}


def test_an_upgrade_in_one_window(shop: Instance) -> None:
    before = files_of(shop)
    result = windows.run(shop, steps())
    assert (result["outcome"], result["version"]) == ("done", NEW), result["msg"]
    assert shop.told_version() == NEW
    done = result["steps"][2]["result"]
    assert (done["version"], done["previous"]) == (NEW, OLD) and done["renames"] >= 4
    after = files_of(shop)
    assert {"CHANGELOG.md", "anqicms"} <= set(done["files"]["replaced"])
    assert {path for path in before if before[path] != after.get(path)} == set(done["files"]["replaced"])
    assert after["config.json"] == before["config.json"] and after["standin.json"] == before["standin.json"]
    assert windows.worker_log(windows.context_of(shop)) == ""


@pytest.mark.parametrize("index", [3, 4])
def test_a_failure_puts_the_files_back(shop: Instance, index: int) -> None:
    before = files_of(shop)
    wanted = steps()
    wanted.insert(index, FAILS)
    result = windows.run(shop, wanted)
    assert (result["outcome"], result["failed"]) == ("rolled_back", True), result
    assert files_of(shop) == before
    assert shop.told_version() == OLD and at_work.interrupted(windows.context_of(shop).state) is None


def test_a_release_that_does_not_start(shop: Instance, archives: Callable[[str], Path], tmp_path: Path) -> None:
    before = files_of(shop)
    broken = tmp_path / "broken.zip"
    shutil.copy(archives(NEW), broken)
    with zipfile.ZipFile(broken, "a") as made:
        made.writestr("standin.json", '{"no_database": true, "exit_code": 3}')
    call(shop.dir, state="staged", src=str(broken), version=NEW)
    result = windows.run(shop, steps())
    assert (result["outcome"], result["steps"][3]["result"]["exit_code"]) == ("rolled_back", 3), result
    assert files_of(shop) == before and shop.told_version() == OLD


def test_a_release_that_reports_another_version(
    shop: Instance, archives: Callable[[str], Path], tmp_path: Path
) -> None:
    before = files_of(shop)
    other = tmp_path / "other.zip"
    shutil.copy(archives(NEW), other)
    with zipfile.ZipFile(other, "a") as made:
        made.writestr("standin.json", '{"no_database": true, "wrong_version": "3.5.7"}')
    call(shop.dir, state="staged", src=str(other), version=NEW)
    result = windows.run(shop, steps())
    assert result["outcome"] == "rolled_back" and "was switched in as 3.5.8 reports version 3.5.7" in result["msg"]
    assert files_of(shop) == before and shop.told_version() == OLD


def test_the_version_that_was_named_counts_until_it_is_told(
    shop: Instance, archives: Callable[[str], Path], tmp_path: Path
) -> None:
    """CHANGELOG.md is behind in many releases."""
    behind = tmp_path / "behind"
    shutil.copytree(freeze.release(NEW), behind / NEW)
    (behind / NEW / "CHANGELOG.md").write_text("# CHANGELOG\n\n## v3.5.6\n")
    call(shop.dir, state="staged", src=str(zip_of(behind / NEW, tmp_path / "behind.zip")), version=NEW)
    shop.kill()
    context = release_zips.context_of(shop.dir)
    context.look()
    assert context.file_version == OLD
    release.run(context, release_zips.options(state="switched", version=NEW))
    assert (context.file_version, context.changelog) == (NEW, "3.5.6")


@pytest.mark.parametrize("event", ["change", "step_end"])
@pytest.mark.parametrize("both", [False, True])
def test_the_worker_dies_after_the_plan_or_after_the_renames(
    shop: Instance, monkeypatch: pytest.MonkeyPatch, event: str, both: bool
) -> None:
    before = files_of(shop)
    fields: Step = {"kind": "release"} if event == "change" else {"name": "release"}
    context, plan = windows.context_of(shop), windows.plan_of(steps())
    Killer(at(event, **fields), both=both).install(monkeypatch)
    pipe = windows.begin(context, plan)
    _follow.wait_for_end(context.state, time.monotonic() + (3 if both else 40), pipe)
    monkeypatch.undo()
    if both:
        assert (files_of(shop) != before) is (event != "change")
        with pytest.raises(LifecycleError, match="Only a recovery may"):
            on_instance.refuse_half_changed(windows.context_of(shop))
        result = windows.run(shop, [])  # the next run puts it right first
        assert "undone" in str(result.get("recovered")), result
    assert windows.runs(shop) and shop.told_version() == OLD
    assert files_of(shop) == before
    assert at_work.interrupted(windows.context_of(shop).state) is None


def test_two_hops_in_one_window_and_back(site: Callable[..., Instance], archives: Callable[[str], Path]) -> None:
    shop = site("3.3.11")
    before = files_of(shop)
    assert "system/index.html" in before
    for version in ("3.4.0", NEW):
        call(shop.dir, state="staged", src=str(archives(version)), version=version)
    hop: Step = {"graceful_stop": {}}
    chain = [*steps(version="3.4.0"), hop, *steps(version=NEW)[1:]]
    result = windows.run(shop, [*chain, FAILS], run_id="run-1")
    assert result["outcome"] == "rolled_back", result
    assert [step.get("undone") for step in result["steps"] if step["name"] == "release"] == [True, True]
    assert files_of(shop) == before and shop.told_version() == "3.3.11"
    for version in ("3.4.0", NEW):
        call(shop.dir, state="staged", src=str(archives(version)), version=version)
    result = windows.run(shop, chain, run_id="run-2")
    assert (result["outcome"], shop.told_version()) == ("done", NEW), result
    assert not (shop.dir / "system").exists()
    call(shop.dir, state="tidied", keep=0)
    back = windows.run(
        shop,
        [
            {"graceful_stop": {}},
            {"release": {"state": "reverted", "version": "3.3.11"}},
            {"verified_start": {"stable_for": 0}},
        ],
    )
    assert (back["outcome"], shop.told_version()) == ("done", "3.3.11"), back
    assert files_of(shop) == before


def test_a_running_instance_is_not_switched(shop: Instance) -> None:
    before = files_of(shop)
    for check in (False, True):
        with pytest.raises(LifecycleError, match=r"runs \(pid \d+\)\. Nothing was renamed"):
            call(shop.dir, check=check, state="switched", version=NEW)
    assert files_of(shop) == before


def test_what_is_refused_stops_nothing(shop: Instance) -> None:
    pid = shop.pid
    (staged,) = [name for name in os.listdir(shop.dir / ".lifecycle") if name.startswith("new-")]
    (shop.dir / ".lifecycle" / staged / "anqicms").write_bytes(b"\x7fELF")
    for wanted, said in ((steps(), "is not the file that was unpacked"), (steps(version="3.5.9"), "is not staged")):
        context, plan = windows.context_of(shop), windows.plan_of(wanted)
        with pytest.raises(LifecycleError, match=said):
            window_plan.foresee(context, plan)
    assert shop.pid == pid
