# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A backup under way, and the roles restart and stop."""

from __future__ import annotations

import pytest
from e2e.conftest import Maker
from e2e.playing import Player, until
from fleet import Fleet
from instance import Instance

pytestmark = pytest.mark.standin("the time that a backup takes; the application does one for administrators only")


@pytest.fixture
def one(make_fleet: Maker) -> tuple[Fleet, Instance]:
    """A host whose instance takes its time for a backup."""
    fleet = make_fleet(1, backup_ms=20000)
    instance = fleet.hosts[0].instances[0]
    return fleet, instance


def backing_up(instance: Instance) -> None:
    instance.backup()
    folder = instance.dir / "data" / "backup"
    until(lambda: folder.is_dir() and any(folder.iterdir()), "the file of the backup")


@pytest.mark.parametrize("verb", ["restart", "stop"])
def test_a_backup_that_does_not_end_in_time(one: tuple[Fleet, Instance], default_player: Player, verb: str) -> None:
    fleet, instance = one
    pid = instance.pid
    backing_up(instance)
    run = default_player.play(verb, fleet.inventory, "-e", "anqicms_quiet_timeout=0.5")
    assert run.status == 2 and instance.pid == pid, run.output
    assert "Nothing was signalled" in run.output and "open for writing" in run.output


def test_stop_waits_for_a_backup(one: tuple[Fleet, Instance], default_player: Player) -> None:
    fleet, instance = one
    backing_up(instance)
    planned = default_player.play("stop", fleet.inventory, "--check")
    assert planned.status == 0 and instance.pid and "backup_running" in planned.output, planned.output
    run = default_player.play("stop", fleet.inventory)
    assert run.status == 0 and not instance.pid, run.output
    assert "dumping.all.done" in instance.log_text()
