# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The step database in a window: its dump is restored after a failure, and after kills at each moment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable

import pytest
import windows
from instance import Instance
from integration import databases
from integration.database_calls import destroying
from integration.databases import SECRET
from mariadb import MariaDB

from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import dump_manifest, restore
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import at_work

Make = Callable[..., Instance]
STEPS: list[dict[str, Any]] = [{"graceful_stop": {}}, {"database": {"state": "dumped"}}]


def test_a_window_with_a_dump(shop: Make, db: MariaDB) -> None:
    instance = shop(start=True)
    result = windows.run(instance, [*STEPS, {"verified_start": {"stable_for": 0.2}}])
    assert result["outcome"] == "done", result
    step = next(one["result"] for one in result["steps"] if one["name"] == "database")
    directory = Path(step["directory"])
    assert (
        directory.parent.name.startswith("run-1-")
        and dump_manifest.sites_in(str(directory)) == [1]
        and not step["online"]
    )


@pytest.mark.parametrize("started", [False, True])
def test_a_failure_restores_the_database(shop: Make, db: MariaDB, place: Path, started: bool) -> None:
    instance = shop(start=True)
    before, pid = databases.state(db, instance.database), instance.pid
    start = [{"verified_start": {"stable_for": 0.2}}] if started else []
    damage = destroying(db, instance, place)
    result = windows.run(instance, [*STEPS, damage, *start, {"command": {"argv": ["false"]}}])
    assert result["outcome"] == "rolled_back", result
    assert databases.state(db, instance.database) == before
    assert windows.runs(instance) not in (0, pid) and instance.told_version() == "3.5.8"
    assert SECRET not in json.dumps(result) and SECRET not in json.dumps(windows.journal(windows.context_of(instance)))


MOMENTS = {
    "dumping": windows.at("step", name="database"),
    "dumped": windows.at("change", kind="database"),
    "destroyed": windows.at("step_end", name="command"),
}


@pytest.mark.parametrize("both", [False, True], ids=["worker", "both"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_worker_restores_the_database(
    shop: Make, db: MariaDB, place: Path, monkeypatch: pytest.MonkeyPatch, moment: str, both: bool
) -> None:
    instance = shop(start=True)
    before = databases.state(db, instance.database)
    wanted = [*STEPS, destroying(db, instance, place), {"verified_start": {"stable_for": 0.2}}]
    context, plan = windows.context_of(instance), windows.plan_of(wanted)
    with monkeypatch.context() as patch:
        windows.Killer(MOMENTS[moment], both=both).install(patch)
        pipe = windows.begin(context, plan)
    assert windows.wait(context, plan, pipe)["failed"]
    if both:
        assert windows.run(instance, [], run_id="run-2")["state"] == "running"
    assert databases.state(db, instance.database) == before
    assert instance.told_version() == "3.5.8" and at_work.interrupted(context.state) is None


@pytest.mark.parametrize("moment", ["renaming", "compared", "dropped"])
def test_a_rollback_that_is_killed_itself(
    shop: Make, db: MariaDB, place: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Worker and guardian die in the restore; the next run ends it."""
    instance = shop(start=True)
    before = databases.state(db, instance.database)
    wanted = [*STEPS, destroying(db, instance, place), {"command": {"argv": ["false"]}}]
    context, plan = windows.context_of(instance), windows.plan_of(wanted)
    killer, add = windows.Killer(lambda entry, number: False, both=True), restore.Journal.add

    def adding(journal: restore.Journal, state: str, **data: Any) -> None:
        if state == moment:
            killer.kill()
        add(journal, state, **data)

    with monkeypatch.context() as patch:
        killer.install(patch)
        patch.setattr(restore.Journal, "add", adding)
        windows.wait(context, plan, windows.begin(context, plan))
    assert (databases.state(db, instance.database) != before) is (moment != "dropped")
    assert windows.run(instance, [], run_id="run-2")["state"] == "running"
    assert databases.state(db, instance.database) == before
    assert instance.told_version() == "3.5.8" and at_work.interrupted(context.state) is None
