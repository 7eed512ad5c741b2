# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One window from an old version to a new one, on a real database: what holds after it, and after a failure in it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import seeding
import windows
from integration.upgrading import NEWEST, Site, stage
from windows import Killer, at

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _upgrade_path, _upgrade_steps

Step = dict[str, Any]


def way(version: str, archives: dict[str, Path]) -> list[Step]:
    return _upgrade_path.upgrade_path(version, NEWEST, {name: {"src": str(path)} for name, path in archives.items()})


def upgrade(site: Site, archives: dict[str, Path], *more: Step, before: str = "") -> Step:
    """``more`` stands before the first step of that name behind the last switch, else at the end."""
    hops = way(site.instance.version, archives)
    stage(site.instance, hops)
    steps = _upgrade_steps.steps(hops, {"verified_start": {"stable_for": 0.1}}, [{"log_check": {"fail_on": "never"}}])
    at = len(steps)
    if before:
        last = max(index for index, step in enumerate(steps) if "release" in step)
        at = next(index for index, step in enumerate(steps) if index > last and before in step)
    return windows.run(site.instance, [*steps[:at], *more, *steps[at:]], deadline=300.0)


@pytest.mark.parametrize("version", ["2.3.6", "2.5.3", "3.2.8", "3.3.11"])
def test_all_that_must_hold_does(make_site: Any, archives: dict[str, Path], version: str) -> None:
    site = make_site(version)
    result = upgrade(site, archives)
    assert result["outcome"] == "done", (result["msg"], result["steps"][-1])
    assert site.instance.told_version() == NEWEST
    assert seeding.lost(site.before, seeding.content(site.instance, site.db)) == []
    assert seeding.hashes(site.instance.dir, site.seeded.files) == site.seeded.files


FAILS: Step = {"command": {"argv": ["false"]}}


@pytest.mark.parametrize("before", ["verified_start", "database", "graceful_stop", "port_released", ""])
@pytest.mark.parametrize("version", [pytest.param("2.3.6", marks=pytest.mark.soak), "3.2.8"])
def test_a_failure_leaves_all_as_it_was(make_site: Any, archives: dict[str, Path], version: str, before: str) -> None:
    site = make_site(version)
    pid = site.instance.pid
    result = upgrade(site, archives, FAILS, before=before)
    assert result["outcome"] == "rolled_back", (result["msg"], result["steps"][-1])
    site.assert_as_before(pid)


def begun(site: Site, archives: dict[str, Path], killer: Killer, monkeypatch: pytest.MonkeyPatch) -> Step:
    """An upgrade that is killed as the killer says, and what a recovery makes of it; the result of the first."""
    hops = way(site.instance.version, archives)
    stage(site.instance, hops)
    return killed_in(site, _upgrade_steps.steps(hops, {"verified_start": {"stable_for": 0.0}}, []), killer, monkeypatch)


def killed_in(site: Site, steps: list[Step], killer: Killer, monkeypatch: pytest.MonkeyPatch) -> Step:
    context, plan = windows.context_of(site.instance), windows.plan_of(steps, deadline=300.0)
    with monkeypatch.context() as patch:
        killer.install(patch)
        pipe = windows.begin(context, plan)
    result = windows.wait(context, plan, pipe, 300.0)
    if context.state.interrupted():
        recovery = windows.plan_of([], run_id=f"recovery-{os.urandom(2).hex()}", deadline=300.0)
        again = windows.wait(context, recovery, windows.begin(context, recovery), 300.0)
        assert again["state"] == "running", again
    return result


# One of each class: what was noted and not done, done, half way on, and all but the end.
MOMENTS = {
    "dumped": at("change", kind="database"),
    "kept": at("change", kind="keep_files"),
    "to-be-switched": at("change", kind="release"),
    "switched": at("step_end", name="release"),
    "starting": at("step", name="verified_start"),
    "migrating": at("step", name="database", index=5),
    "compared": at("step_end", name="database", index=6),
    "at-its-end": at("end"),
}


@pytest.mark.parametrize("both", [pytest.param(False, marks=pytest.mark.soak), True], ids=["worker", "both"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_before_the_commit(
    make_site: Any, archives: dict[str, Path], monkeypatch: pytest.MonkeyPatch, moment: str, both: bool
) -> None:
    site = make_site("3.2.8")
    pid = site.instance.pid
    result = begun(site, archives, Killer(MOMENTS[moment], moment != "at-its-end", both), monkeypatch)
    assert result["failed"], result
    site.assert_as_before(pid)


def after_the_first_window(site: Site, archives: dict[str, Path]) -> list[Step]:
    """Each hop has a window of its own, and the first one has ended well; the steps of the second."""
    hops = way(site.instance.version, archives)
    stage(site.instance, hops)
    first, second = (one["hops"] for one in _upgrade_steps.windows(hops, True, "night-7"))
    options = {"verified_start": {"stable_for": 0.0}}
    result = windows.run(site.instance, _upgrade_steps.steps(first, options, []), deadline=300.0)
    assert (result["outcome"], result["version"]) == ("done", "3.3.11"), (result["msg"], result["steps"][-1])
    assert seeding.lost(site.before, seeding.content(site.instance, site.db)) == []
    site.look()
    return _upgrade_steps.steps(second, options, [])


def test_a_failed_second_window_takes_back_only_itself(make_site: Any, archives: dict[str, Path]) -> None:
    site = make_site("3.2.8")
    steps = after_the_first_window(site, archives)
    pid = windows.runs(site.instance)
    result = windows.run(site.instance, [*steps, FAILS], deadline=300.0)
    assert result["outcome"] == "rolled_back", (result["msg"], result["steps"][-1])
    site.assert_as_before(pid, "3.3.11")


def test_killed_in_the_second_window(
    make_site: Any, archives: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_site("3.2.8")
    steps = after_the_first_window(site, archives)
    pid = windows.runs(site.instance)
    result = killed_in(site, steps, Killer(at("step_end", name="release"), True, True), monkeypatch)
    assert result["failed"], result
    site.assert_as_before(pid, "3.3.11")


@pytest.mark.soak
@pytest.mark.parametrize("both", [False, True], ids=["worker", "both"])
@pytest.mark.parametrize("version", ["2.3.6", "2.5.3", "3.2.8", "3.3.11"])
def test_killed_at_every_write(
    make_site: Any, archives: dict[str, Path], monkeypatch: pytest.MonkeyPatch, version: str, both: bool
) -> None:
    """Of the journal. Each try begins with what the one before has left; the last one is not killed any more."""
    site, number, killed = make_site(version), 0, True
    while killed:
        number += 1
        pid = site.instance.pid
        killer = Killer(lambda _entry, count, number=number: count == number, True, both)  # type: ignore[misc]
        result = begun(site, archives, killer, monkeypatch)
        killed = result["outcome"] != "done" and site.instance.told_version() != NEWEST
        if killed and site.instance.pid != pid:
            site.assert_as_before(pid)
    assert number > 15
    assert seeding.lost(site.before, seeding.content(site.instance, site.db)) == []
