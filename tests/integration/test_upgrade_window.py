# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One window from an old version to a new one, on a real database: what holds after it. Failures in it: walking.py."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import seeding
import windows
from integration.upgrading import NEWEST, Site, stage
from windows import Killer, at

from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import at_work
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _upgrade_path, _upgrade_steps

Step = dict[str, Any]


def way(version: str, archives: dict[str, Path]) -> list[Step]:
    return _upgrade_path.upgrade_path(version, NEWEST, {name: {"src": str(path)} for name, path in archives.items()})


def upgrade(site: Site, archives: dict[str, Path]) -> Step:
    hops = way(site.instance.version, archives)
    stage(site.instance, hops)
    steps = _upgrade_steps.steps(hops, {"verified_start": {"stable_for": 0.1}}, [{"log_check": {"fail_on": "never"}}])
    return windows.run(site.instance, steps, deadline=300.0)


@pytest.mark.parametrize("version", ["2.3.6", "2.5.3", "3.2.8", "3.3.11"])
def test_all_that_must_hold_does(make_site: Any, archives: dict[str, Path], version: str) -> None:
    site = make_site(version)
    result = upgrade(site, archives)
    assert result["outcome"] == "done", (result["msg"], result["steps"][-1])
    assert site.instance.told_version() == NEWEST
    assert seeding.lost(site.before, seeding.content(site.instance, site.db)) == []
    assert seeding.hashes(site.instance.dir, site.seeded.files) == site.seeded.files


# --- a window for each hop

FAILS: Step = {"command": {"argv": ["false"]}}


def killed_in(site: Site, steps: list[Step], killer: Killer, monkeypatch: pytest.MonkeyPatch) -> Step:
    context, plan = windows.context_of(site.instance), windows.plan_of(steps, deadline=300.0)
    with monkeypatch.context() as patch:
        killer.install(patch)
        pipe = windows.begin(context, plan)
    result = windows.wait(context, plan, pipe, 300.0)
    if at_work.interrupted(context.state):
        recovery = windows.plan_of([], run_id=f"recovery-{os.urandom(2).hex()}", deadline=300.0)
        again = windows.wait(context, recovery, windows.begin(context, recovery), 300.0)
        assert again["state"] == "running", again
    return result


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
