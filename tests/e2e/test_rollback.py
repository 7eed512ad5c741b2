# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook `rollback`, after an upgrade of two hosts: what refuses it, what it shows, and who is left alone."""

from __future__ import annotations

from pathlib import Path

import release_files
from e2e.playing import Player
from e2e.test_upgrade import NEWEST, Old, play
from fleet import Fleet


def test_back_from_an_upgrade(default_player: Player, fleet: Fleet, tmp_path: Path) -> None:
    olds = [Old(fleet, number, "3.3.11") for number in (1, 2)]
    untouched = Old(fleet, 3, NEWEST)
    release = release_files.release_zip(NEWEST, tmp_path)
    run = play(
        default_player,
        fleet,
        "upgrade",
        anqicms_upgrade_to=NEWEST,
        anqicms_run_id="night-7",
        anqicms_releases={NEWEST: {"src": str(release)}},
    )
    assert run.outcomes == {"h1": ["done"], "h2": ["done"], "h3": ["unchanged"]}, run.output
    pids = {old.instance.pid for old in [*olds, untouched]}
    database = olds[1].instance.database
    olds[1].db.run("UPDATE archives SET title = 'later' WHERE id = 50", database)

    for given, words in (
        ({}, ["anqicms_rollback_run must be the name of an earlier run. It is not set."]),
        ({"anqicms_rollback_run": "night-8"}, ["No instance has a run night-8", "Known runs: night-7."]),
        (
            {"anqicms_rollback_run": "night-7"},
            [f"{database}.archives: ", "rows, content changed", "anqicms_accept_data_loss"],
        ),
    ):
        run = play(default_player, fleet, "rollback", **given)
        assert run.status != 0 and all(word in run.output for word in words), run.output
        assert {old.instance.pid for old in [*olds, untouched]} == pids

    accepted = {"anqicms_rollback_run": "night-7", "anqicms_accept_data_loss": True}
    plan = play(default_player, fleet, "rollback", "--check", "--diff", **accepted)
    assert plan.status == 0 and f"take run night-7 back: from {NEWEST} to 3.3.11" in plan.output, plan.output
    assert {old.instance.pid for old in [*olds, untouched]} == pids

    run = play(default_player, fleet, "rollback", anqicms_run_id="back-1", **accepted)
    assert run.outcomes == {"h1": ["done"], "h2": ["done"], "h3": ["unchanged"]}, run.output
    assert "the run did not change it" in run.output and "This was lost: " in run.output, run.output
    for old in olds:
        assert old.instance.told_version() == "3.3.11"
        old.assert_holds()
    again = play(default_player, fleet, "rollback", **accepted)
    assert again.outcomes == {f"h{number}": ["unchanged"] for number in (1, 2, 3)}, again.output
    assert "the run was rolled back before" in again.output and "changed=0" in again.output, again.output

    run = play(
        default_player,
        fleet,
        "upgrade",
        "--limit",
        "h1",
        anqicms_upgrade_to=NEWEST,
        anqicms_releases={NEWEST: {"src": str(release)}},
    )
    assert run.outcomes == {"h1": ["done"]}, run.output
    assert olds[0].instance.told_version() == NEWEST
