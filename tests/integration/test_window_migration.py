# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A migration that outlasts its limit is not cut by the rollback: not by worker, guardian, or the next run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Iterator

import pytest
import release_files
import windows
from instance import Instance, make_instance
from integration import databases
from mariadb import MariaDB
from windows import Killer, at

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import release
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import at_work

Step = dict[str, Any]
OLD, NEW = "3.3.11", "3.5.8"


class Shop:
    """An instance with a staged release, whose migration waits for a file; ``before``: its database."""

    def __init__(self, instance: Instance, db: MariaDB, go: Path, archive: Path) -> None:
        self.instance, self.db, self.go = instance, db, go
        instance.start(60.0)
        self.pid, self.before = instance.pid, databases.state(db, instance.database)
        options = {name: option.get("default") for name, option in release.SPEC.items()}
        release.as_a_task(windows.context_of(instance), dict(options, state="staged", src=str(archive), version=NEW))
        instance.knobs(when=[{"version": NEW, "knobs": {"migration_waits_at": "end", "migration_waits_for": str(go)}}])

    def steps(self, timeout: float) -> list[Step]:
        return [
            {"graceful_stop": {}},
            {"database": {"state": "dumped"}},
            {"keep_files": {"state": "kept"}},
            {"release": {"state": "switched", "version": NEW}},
            {"port_released": {}},
            {"verified_start": {"stable_for": 0.1}},
            {"database": {"state": "migrated", "timeout": timeout}},
        ]

    def signals(self, pid: int) -> list[Step]:
        return [
            entry
            for entry in windows.journal(windows.context_of(self.instance))
            if entry["event"] == "signal" and entry["pid"] == pid
        ]

    def looked_at(self) -> bool:
        """Whether a guardian that has stayed has looked at the migration since."""
        events = windows.journal(windows.context_of(self.instance))
        stays = [index for index, entry in enumerate(events) if entry["event"] == "guardian_stays"]
        return bool(stays) and any(
            entry["event"] == "progress" and "waiting for the migration" in entry["text"]
            for entry in events[stays[-1] :]
        )

    def assert_waits_and_is_taken_back(self, result: Step) -> None:
        """The process of the new version is left alone until its migration has ended."""
        assert (result.get("unfinished"), result.get("waits_for")) == (True, "migration"), result
        assert "waits for the migration to end" in result["msg"] and "Do not end it" in result["msg"]
        pid = result["pid_after"]
        assert pid not in (None, self.pid) and self.instance.told_version() == NEW
        assert windows.within(60, self.looked_at)
        assert (self.instance.pid, self.signals(pid)) == (pid, [])
        self.go.touch()
        state = windows.context_of(self.instance).state
        assert windows.within(120, lambda: state.last_unfinished() is None), state.journal()
        windows.within(20, lambda: not at_work.is_worked_on(state))
        assert windows.runs(self.instance) not in (0, pid, self.pid) and self.instance.told_version() == OLD
        assert self.signals(pid) and databases.state(self.db, self.instance.database) == self.before


@pytest.fixture
def shop(tmp_path: Path, db: MariaDB) -> Iterator[Shop]:
    instance = make_instance(tmp_path / "shop.example", OLD, db=db, database=f"m_{os.urandom(4).hex()}", full=True)
    try:
        yield Shop(instance, db, tmp_path / "go", release_files.release_zip(NEW, tmp_path))
    finally:
        (tmp_path / "go").touch()
        instance.kill()


def test_the_limit_of_the_step(shop: Shop) -> None:
    """The worker takes nothing back, a guardian does when it has ended."""
    shop.assert_waits_and_is_taken_back(windows.run(shop.instance, shop.steps(0.5), deadline=300.0))


@pytest.mark.parametrize("both", [False, True], ids=["worker", "both"])
def test_a_death_amid_the_migration(shop: Shop, monkeypatch: pytest.MonkeyPatch, both: bool) -> None:
    """The guardian, or the next run, waits too, and leaves it to a guardian at its own limit."""
    context = windows.context_of(shop.instance)
    plan = windows.plan_of(shop.steps(60.0), deadline=300.0)
    with monkeypatch.context() as patch:
        Killer(at("step", name="database", index=6), both=both).install(patch)
        pipe = windows.begin(context, plan)
    result = windows.wait(context, plan, pipe, 120.0)
    if both:
        result = windows.run(shop.instance, [], run_id="run-2", deadline=8.0)
    shop.assert_waits_and_is_taken_back(result)


def test_left_as_it_is_when_asked(shop: Shop) -> None:
    result = windows.run(shop.instance, shop.steps(0.5), deadline=300.0, on_failure="leave")
    assert result.get("unfinished") and result["waits_for"] is None, result
    assert shop.instance.told_version() == NEW
    assert shop.signals(result["pid_after"]) == []
