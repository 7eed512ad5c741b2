# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An upgrade that is rolled back later, on a real database: what is as before, what refuses, and failures in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import windows
from integration.upgrading import NEWEST, Site, stage
from windows import Killer, at

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import database, rollback
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import at_work
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import kept_launch as launch
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import runs as _runs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._steps.table import STEPS
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _rollback_steps, _upgrade_path, _upgrade_steps

Step = dict[str, Any]
OPTIONS: dict[str, Step] = {"verified_start": {"stable_for": 0.1}}
CHECKS: list[Step] = [{"log_check": {"fail_on": "never"}}]
ACCEPTED: Step = {"rollback": {"accept_data_loss": True}}
FAILS: Step = {"command": {"argv": ["false"]}}


def upgrade(site: Site, archives: dict[str, Path], run_id: str = "up", target: str = NEWEST) -> None:
    now = site.instance.told_version()
    hops = _upgrade_path.upgrade_path(now, target, {name: {"src": str(path)} for name, path in archives.items()})
    stage(site.instance, hops)
    result = windows.run(site.instance, _upgrade_steps.steps(hops, OPTIONS, CHECKS), deadline=300.0, run_id=run_id)
    assert result["outcome"] == "done" and not result.get("notes"), result
    assert site.instance.told_version() == target


def steps_of(site: Site, run_id: str = "up", options: Step | None = None) -> list[Step]:
    runs = _runs.described(_runs.read_all(windows.context_of(site.instance).state))
    return _rollback_steps.steps(_rollback_steps.run_of(runs, run_id), {**OPTIONS, **(options or {})}, CHECKS)


def roll_back(
    site: Site, run_id: str = "up", options: Step | None = None, more: list[Step] | None = None, name: str = "back"
) -> Step:
    return windows.run(site.instance, [*steps_of(site, run_id, options), *(more or [])], deadline=300.0, run_id=name)


def refused(site: Site, run_id: str = "up", options: Step | None = None) -> LifecycleError:
    """By the plan: nothing was stopped."""
    pid = site.instance.pid
    with pytest.raises(LifecycleError) as caught:
        roll_back(site, run_id, options)
    assert site.instance.pid == pid and windows.runs(site.instance) == pid
    return caught.value


class State:
    """Files and tables of a site now, to compare with later."""

    def __init__(self, site: Site) -> None:
        self.site, self.version, self.pid = site, site.instance.told_version(), site.instance.pid
        self.tree, self.tables = site.files(), site.checksums()

    def assert_same(self) -> None:
        assert windows.runs(self.site.instance) not in (0, self.pid)
        assert self.site.instance.told_version() == self.version
        assert self.site.checksums() == self.tables
        assert self.site.files() == self.tree
        assert at_work.interrupted(windows.context_of(self.site.instance).state) is None


def write_articles(site: Site) -> None:
    """One more, and one changed."""
    site.db.run("INSERT INTO archives (id, title) VALUES (5001, 'new')", site.instance.database)
    site.db.run("UPDATE archives SET title = 'changed' WHERE id = 50", site.instance.database)


@pytest.mark.parametrize("version", ["2.3.6", "3.2.8"])
def test_without_later_writes_all_is_as_before(make_site: Any, archives: dict[str, Path], version: str) -> None:
    site = make_site(version)
    upgrade(site, archives)
    pid = site.instance.pid
    result = roll_back(site)
    assert result["outcome"] == "done", (result["msg"], result["steps"][-1])
    site.assert_as_before(pid)
    assert roll_back_again(site)["changed"] is False


@pytest.mark.parametrize("compression", ["zstd", "gzip"])
def test_from_dumps_that_were_compressed_since(make_site: Any, archives: dict[str, Path], compression: str) -> None:
    site = make_site("3.3.11")
    upgrade(site, archives)
    context = windows.context_of(site.instance)
    (place,) = Path(context.state.path).glob("runs/up-*/database")
    options = {name: option.get("default") for name, option in database.SPEC.items()}
    packed = database.work(context, dict(options, state="packed", path=str(place), compression=compression))
    assert packed["changed"] and [one["compression"] for one in packed["databases"]] == [compression]
    assert not list(place.glob("*.sql")) and len(list(place.glob("*.sql.*"))) == 1
    pid = site.instance.pid
    result = roll_back(site)
    assert result["outcome"] == "done", (result["msg"], result["steps"][-1])
    site.assert_as_before(pid)


def roll_back_again(site: Site) -> Step:
    """What the step plans where the run was rolled back already."""
    context = windows.context_of(site.instance)
    context.look()
    return dict(rollback.plan(context, dict(run_id="up", accept_data_loss=False, client_dir=None, timeout=60.0)))


def test_later_writes_are_shown_and_have_to_be_accepted(make_site: Any, archives: dict[str, Path]) -> None:
    site = make_site("3.2.8")
    upgrade(site, archives)
    rows = site.db.run("SELECT COUNT(*) FROM archives", site.instance.database)[0][0]
    write_articles(site)
    pid = site.instance.pid
    error = refused(site)
    name = site.instance.database
    assert f"{name}.archives: {rows} -> {int(rows) + 1} rows" in error.msg and "accept_data_loss" in error.msg
    assert error.result["lost"] == [
        {"database": name, "table": "archives", "rows_before": int(rows), "rows_now": int(rows) + 1, "what": "rows"}
    ]
    result = roll_back(site, options=ACCEPTED)
    assert result["outcome"] == "done", result
    done = next(step["result"] for step in result["steps"] if step["name"] == "rollback")
    assert done["lost"] == error.result["lost"]
    site.assert_as_before(pid)


def test_a_change_without_a_new_row_is_seen(make_site: Any, archives: dict[str, Path]) -> None:
    site = make_site("3.3.11")
    upgrade(site, archives)
    site.db.run("UPDATE archives SET title = 'changed' WHERE id = 50", site.instance.database)
    error = refused(site)
    assert "archives: " in error.msg and "rows, content changed" in error.msg
    site.db.run("UPDATE settings SET value = '{}' WHERE `key` = 'contact'", site.instance.database)
    assert ".settings: " in refused(site).msg


# The writes come between the plan, which sees none, and the stop.
def test_a_write_right_before_the_stop_is_not_lost(
    make_site: Any, archives: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_site("3.3.11")
    upgrade(site, archives)
    kind = STEPS["graceful_stop"]

    def late(context: Any, params: Any) -> Any:
        write_articles(site)
        return kind.run(context, params)

    with monkeypatch.context() as patch:
        patch.setitem(STEPS, "graceful_stop", kind._replace(run=late))
        result = roll_back(site)
    assert result["outcome"] == "rolled_back" and "would be lost" in result["msg"], result
    assert site.instance.told_version() == NEWEST
    assert site.db.run("SELECT title FROM archives WHERE id = 5001", site.instance.database) == (("new",),)


def test_what_refuses_it(make_site: Any, archives: dict[str, Path], tmp_path: Path) -> None:
    site = make_site("3.3.11")
    upgrade(site, archives)
    state = Path(windows.context_of(site.instance).state.path)
    step = {"rollback": {"run_id": "other"}}
    pid = site.instance.pid
    with pytest.raises(LifecycleError, match=r"knows no run other .* Known are: up\."):
        windows.run(site.instance, [{"graceful_stop": {}}, step])
    assert windows.runs(site.instance) == pid
    for path, change, word in (
        (next(site.instance.dir.glob(".lifecycle/old-*/anqicms")), b"#!/bin/sh\n", "Replaced files were altered"),
        (next(site.instance.dir.glob(".lifecycle/old-*/anqicms")), None, "Replaced files were altered or are gone"),
        (next(state.glob("runs/*/database/site-1.sql")), b"nothing", "is not the one that was taken"),
        (next(state.glob("runs/*/database/site-1.sql")), None, "cannot be read"),
        (next(state.glob("runs/*/statistics.json")), None, "statistics.json is missing"),
        (site.instance.dir / "config.json", (site.instance.dir / "config.json").read_bytes() + b" ", "config.json"),
        (next(site.instance.dir.glob("locales/*/*")), b"mine", "files: locales/"),
        (next(state.glob("runs/*/database/left.json")), None, "what was written since is not known"),
        (next(state.glob("runs/*/changes.json")), b"{", "changes.json cannot be used"),
    ):
        kept = path.with_name(f"{path.name}.kept")
        path.rename(kept)
        if change is not None:
            path.write_bytes(change)
            path.chmod(kept.stat().st_mode)
        try:
            with pytest.raises(LifecycleError, match=word):
                windows.run(site.instance, steps_before(site))
        finally:
            kept.replace(path)
        assert windows.runs(site.instance) == pid
    result = roll_back(site)
    assert result["outcome"] == "done", result


def steps_before(site: Site) -> list[Step]:
    """Those of a rollback of `up`, whatever is known of it."""
    run = {"run_id": "up", "stands": True, "changes": ["database"]}
    return _rollback_steps.steps(run, OPTIONS, [])


def test_it_needs_its_own_way_back(make_site: Any, archives: dict[str, Path]) -> None:
    site = make_site("3.3.11")
    upgrade(site, archives)
    steps = [step for step in steps_of(site) if "database" not in step]
    result = windows.run(site.instance, steps, run_id="bare")
    assert "the window has no database before this step" in result["msg"], result
    assert site.instance.told_version() == NEWEST


# A failure of each kind: in the files, in the databases (an altered dump of the same size), at the start, at the end.
@pytest.mark.parametrize("fault", ["files", "dump", "start", "end"])
@pytest.mark.parametrize("version", [pytest.param("2.3.6", marks=pytest.mark.soak), "3.2.8"])
def test_a_failure_in_it_goes_back_to_the_new_version(
    make_site: Any, archives: dict[str, Path], monkeypatch: pytest.MonkeyPatch, version: str, fault: str
) -> None:
    site = make_site(version)
    upgrade(site, archives)
    write_articles(site)
    state = State(site)
    steps = steps_of(site, options=ACCEPTED)
    if fault == "dump":
        dump = next(Path(windows.context_of(site.instance).state.path).glob("runs/*/database/site-1.sql"))
        data = dump.read_bytes()
        dump.write_bytes(data.replace("文章 50".encode(), "文章 51".encode()))
        assert data != dump.read_bytes()
    if fault == "start":
        steps.insert(next(number for number, step in enumerate(steps) if "verified_start" in step), FAILS)
    with monkeypatch.context() as patch:
        if fault == "files":
            patch.setattr(launch, "undo", fails_once())
        result = windows.run(
            site.instance, [*steps, *([FAILS] if fault == "end" else [])], deadline=300.0, run_id="back"
        )
    assert result["outcome"] == "rolled_back", result
    state.assert_same()
    if fault != "dump":  # nothing of it was used up
        assert roll_back(site, options=ACCEPTED, name="again")["outcome"] == "done"
        site.assert_as_before(state.pid)


def fails_once() -> Any:
    """In place of a function of the worker: what it does the first time is an error."""
    calls: list[int] = []
    original = launch.undo

    def undo(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise LifecycleError("no room")
        return original(*arguments)

    return undo


MOMENTS = {
    "dumped": at("change", kind="database"),
    "begun": at("change", kind="rollback"),
    "first-switch": at("change", kind="release"),
    "visits": at("change", kind="keep_files", number=6),
    "restoring": at("progress", text="taking launch of run up back"),
    "rolled-back": at("step_end", name="rollback"),
    "at-its-end": at("end"),
}


@pytest.mark.parametrize("both", [pytest.param(False, marks=pytest.mark.soak), True], ids=["worker", "both"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_in_it(
    make_site: Any, archives: dict[str, Path], monkeypatch: pytest.MonkeyPatch, moment: str, both: bool
) -> None:
    site = make_site("3.2.8")
    upgrade(site, archives)
    write_articles(site)
    state = State(site)
    context, plan = (
        windows.context_of(site.instance),
        windows.plan_of(steps_of(site, options=ACCEPTED), deadline=300.0, run_id="back"),
    )
    with monkeypatch.context() as patch:
        Killer(MOMENTS[moment], moment != "at-its-end", both).install(patch)
        pipe = windows.begin(context, plan)
    result = windows.wait(context, plan, pipe, 300.0)
    assert result["failed"], result
    if at_work.interrupted(context.state):
        recovery = windows.plan_of([], run_id="recovery", deadline=300.0)
        windows.wait(context, recovery, windows.begin(context, recovery), 300.0)
    state.assert_same()
    runs = _runs.described(_runs.read_all(windows.context_of(site.instance).state))
    assert [(run["run_id"], run["stands"]) for run in runs] == [("up", True)]


def test_two_upgrades_go_back_the_last_one_first(make_site: Any, archives: dict[str, Path]) -> None:
    site = make_site("3.2.8")
    upgrade(site, archives, "first", "3.3.11")
    between = State(site)
    upgrade(site, archives, "second")
    error = refused(site, "first")
    assert "After run first, changes were made by second (3.3.11 -> 3.5.8)" in error.msg, error.msg
    pid = site.instance.pid
    assert roll_back(site, "second", name="back-2")["outcome"] == "done"
    between.assert_same()
    assert roll_back(site, "first", name="back-1")["outcome"] == "done"
    site.assert_as_before(pid)
    assert steps_of(site, "second") == [] and steps_of(site, "first") == []


def test_a_rollback_is_rolled_back(make_site: Any, archives: dict[str, Path]) -> None:
    """Regretted: the new version comes back with all that was written to it."""
    site = make_site("3.2.8")
    upgrade(site, archives)
    write_articles(site)
    state = State(site)
    assert roll_back(site, options=ACCEPTED)["outcome"] == "done"
    result = roll_back(site, "back", name="forward")
    assert result["outcome"] == "done", (result["msg"], result["steps"][-1])
    assert site.instance.told_version() == NEWEST and site.checksums() == state.tables
    assert {path: data for path, data in site.files().items() if "data/statistic" not in path} == {
        path: data for path, data in state.tree.items() if "data/statistic" not in path
    }
    assert roll_back(site, options=ACCEPTED, name="back-again")["outcome"] == "done"
    site.assert_as_before(state.pid)


def test_statistics_of_since_are_kept_aside(make_site: Any, archives: dict[str, Path]) -> None:
    """What was there is as long as it was; what has come since can be put back, and is by a failure."""
    site = make_site("3.3.11")
    place = site.instance.dir / "data/statistic"
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    assert before
    upgrade(site, archives)
    name = min(before)
    with open(place / name, "ab") as stream:
        stream.write(b"one more\n")
    (place / "20990101.log").write_bytes(b"another\n")
    state = State(site)
    failed = roll_back(site, more=[FAILS])
    assert failed["outcome"] == "rolled_back", failed
    state.assert_same()
    result = roll_back(site, name="again")
    assert result["outcome"] == "done", result
    assert {path.name: path.read_bytes() for path in place.iterdir()} == before
    aside = next(site.instance.dir.glob("data/statistic-*"))
    assert (aside / name).read_bytes() == before[name] + b"one more\n" and (aside / "20990101.log").exists()
    assert any(
        aside.name in note
        for note in next(step["result"]["notes"] for step in result["steps"] if step["name"] == "rollback")
    )
    assert json.loads((site.instance.dir / "config.json").read_bytes())


def test_a_configured_key_goes_back_too(make_site: Any) -> None:
    site = make_site("3.3.11")
    steps: list[Step] = [
        {"graceful_stop": {}},
        {"config": {"settings": {"server": {"log_level": "debug"}}}},
        {"verified_start": {"stable_for": 0.1}},
    ]
    assert windows.run(site.instance, steps, run_id="up")["outcome"] == "done"
    assert site.files() != site.tree
    assert [next(iter(step)) for step in steps_of(site)][:3] == ["graceful_stop", "keep_files", "rollback"]
    pid = site.instance.pid
    assert roll_back(site)["outcome"] == "done"
    site.assert_as_before(pid)
