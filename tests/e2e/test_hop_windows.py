# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook `upgrade` with a window for each hop: what a failed later hop leaves, and the way back hop by hop."""

from __future__ import annotations

import json
from typing import Any

import pytest
import release_files
import seeding
from e2e.playing import Player
from e2e.test_combinations import lose_at
from e2e.test_upgrade import FAST, NEWEST, Old, play
from fleet import Fleet

MIDDLE = "3.3.11"
RUN = "night-7"


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    directory = tmp_path_factory.mktemp("archives")
    return {version: {"src": str(release_files.release_zip(version, directory))} for version in (MIDDLE, NEWEST)}


def upgrade(player: Player, fleet: Fleet, archives: dict[str, Any], *arguments: str, **more: Any) -> Any:
    given = {
        "anqicms_upgrade_to": NEWEST,
        "anqicms_releases": archives,
        "anqicms_hop_windows": True,
        "anqicms_run_id": RUN,
        **more,
    }
    return play(player, fleet, "upgrade", *arguments, **given)


def checksums(old: Old, names: list[str]) -> dict[str, str]:
    rows = old.db.run("CHECKSUM TABLE " + ",".join(f"`{name}`" for name in names), old.instance.database)
    return {str(row[0]).rsplit(".", 1)[-1]: str(row[1]) for row in rows}


def recorded(old: Old, run_id: str) -> dict[str, str]:
    """What the database held at the stop of the window of a run, as it was recorded beside its dump."""
    (manifest,) = [
        path
        for path in old.host.state_dir.glob("*/runs/*/database/site-1.json")
        if (path.parent.parent.name.startswith(run_id) and "3-3-11" not in path.parent.parent.name)
    ]
    tables = json.loads(manifest.read_text())["tables"]
    return {name: str(row[2]) for name, row in tables.items()}


def test_hop_by_hop_and_back(player: Player, fleet: Fleet, archives: dict[str, Any]) -> None:
    far, near = Old(fleet, 1, "3.2.8"), Old(fleet, 2, MIDDLE)
    pids = far.instance.pid, near.instance.pid
    plan = upgrade(player, fleet, archives, "--check", "--diff")
    assert plan.status == 0, plan.output
    for version in (MIDDLE, NEWEST):
        assert f"switch the release {version} in" in plan.output, plan.output
    assert (far.instance.pid, near.instance.pid) == pids

    run = upgrade(player, fleet, archives)
    assert run.outcomes == {"h1": ["done"], "h2": ["done"]}, run.output
    (record,) = run.results["h1"]
    assert [(hop["version"], hop["run_id"], hop["outcome"]) for hop in record["hops"]] == [
        (MIDDLE, f"{RUN}-{MIDDLE}", "done"),
        (NEWEST, RUN, "done"),
    ]
    assert record["downtime_ms"] == sum(hop["downtime_ms"] for hop in record["hops"])
    assert record["version"] == NEWEST and run.results["h2"][0]["hops"] == []
    for old in (far, near):
        assert old.instance.told_version() == NEWEST
        old.assert_holds()

    early = play(player, fleet, "rollback", anqicms_rollback_run=f"{RUN}-{MIDDLE}", anqicms_accept_data_loss=True)
    assert early.status != 0 and f"changes were made by {RUN} ({MIDDLE} -> {NEWEST})" in early.output, early.output
    back = play(player, fleet, "rollback", anqicms_rollback_run=RUN, anqicms_accept_data_loss=True)
    assert back.outcomes == {"h1": ["done"], "h2": ["done"]}, back.output
    assert [old.instance.told_version() for old in (far, near)] == [MIDDLE, MIDDLE]
    first = play(player, fleet, "rollback", anqicms_rollback_run=f"{RUN}-{MIDDLE}", anqicms_accept_data_loss=True)
    assert first.outcomes == {"h1": ["done"], "h2": ["unchanged"]}, first.output
    assert [old.instance.told_version() for old in (far, near)] == ["3.2.8", MIDDLE]
    far.assert_holds()


@pytest.mark.standin("a migration that loses something")
def test_a_failed_second_hop_takes_back_only_itself(
    default_player: Player, fleet: Fleet, archives: dict[str, Any]
) -> None:
    first, second = (Old(fleet, number, "3.2.8") for number in (1, 2))
    first.instance.knobs(when=[{"version": NEWEST, "knobs": {"spoils": [seeding.lose_setting("system")]}}])
    pids = first.instance.pid, second.instance.pid
    run = upgrade(default_player, fleet, archives, "-e", "anqicms_serial=1")
    assert run.status != 0 and run.outcomes == {"h1": ["rolled_back"]}, run.output
    (record,) = run.results["h1"]
    assert [(hop["version"], hop["outcome"]) for hop in record["hops"]] == [(MIDDLE, "done"), (NEWEST, "rolled_back")]
    assert record["changed"] and record["version"] == MIDDLE, record
    assert record["reason"].startswith(f"Hop 2 of 2 ({MIDDLE} -> {NEWEST}): "), record
    assert f"stand: 3.2.8 -> {MIDDLE} (run {RUN}-{MIDDLE})" in record["reason"], record

    assert first.instance.told_version() == MIDDLE and first.instance.pid not in (0, pids[0])
    before = recorded(first, RUN)
    assert len(before) > 10 and checksums(first, list(before)) == before
    assert {str(row[0]) for row in first.db.run("SHOW TABLES", first.instance.database)} == set(before)
    first.assert_holds()
    assert second.instance.pid == pids[1] and second.instance.told_version() == "3.2.8"

    first.instance.knobs()
    again = upgrade(default_player, fleet, archives, anqicms_run_id="night-8")
    assert again.outcomes == {"h1": ["done"], "h2": ["done"]}, again.output
    assert again.results["h1"][0]["hops"] == [] and len(again.results["h2"][0]["hops"]) == 2
    first.assert_holds()


@pytest.mark.parametrize(("moment", "said"), [
    ("", ""),
    ("instead", "The dumps were not compressed after the window: the test has refused it"),
    ("before", "The dumps were not compressed after the window: the connection was lost"),
])  # fmt: skip
def test_dumps_are_compressed_after_the_window(
    default_player: Player, fleet: Fleet, archives: dict[str, Any], moment: str, said: str
) -> None:
    """That they are not is a note: the upgrade has ended well."""
    old = Old(fleet, 1, MIDDLE)
    fleet.write_inventory()
    if moment:
        lose_at(default_player, fleet, "database", 1, moment)
    given = {"anqicms_upgrade_to": NEWEST, "anqicms_releases": archives, "anqicms_run_id": RUN}
    run = default_player.play("upgrade", fleet.inventory, "-e", json.dumps(given), *FAST)
    assert run.status == 0 and run.outcomes == {"h1": ["done"]}, run.output
    assert [note for note in run.results["h1"][0]["notes"] if note.startswith("The dumps")] == [said] * bool(said)
    (place,) = old.host.state_dir.glob("*/runs/*/database")
    assert [path.suffix == ".sql" for path in place.glob("site-1.sql*")] == [bool(said)]
    assert old.instance.told_version() == NEWEST
    old.assert_holds()
