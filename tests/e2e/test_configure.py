# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook `configure` on every supported ansible-core."""

from __future__ import annotations

import json
from typing import Any

import pytest
from e2e.conftest import Maker
from e2e.playing import Player
from fleet import Fleet
from instance import Instance

SECRET = "An0ther-Secret"
LEVEL = {"server": {"log_level": "debug"}}
FAST = ("-e", "anqicms_stable_for=0.1")


def change(settings: dict[str, Any]) -> tuple[str, str]:
    return ("-e", json.dumps({"anqicms_config": settings}))


def files(fleet: Fleet) -> list[bytes]:
    return [(one.dir / "config.json").read_bytes() for one in fleet.instances]


def pids(fleet: Fleet) -> list[int]:
    return [one.pid for one in fleet.instances]


def level(instance: Instance) -> str:
    return str(json.loads((instance.dir / "config.json").read_text())["server"].get("log_level"))


def test_a_change_its_plan_and_no_second_one(player: Player, make_fleet: Maker) -> None:
    fleet = make_fleet(2)
    before, content = pids(fleet), files(fleet)
    settings = {"server": {"log_level": "debug"}, "mysql": {"host": "localhost"}}
    plan = player.play("configure", fleet.inventory, *change(settings), "--check", "--diff")
    assert plan.status == 0 and '+        "log_level": "debug"' in plan.output, plan.output
    assert (pids(fleet), files(fleet)) == (before, content)
    run = player.play("configure", fleet.inventory, *change(settings), *FAST)
    assert run.outcomes == {"h1": ["done"], "h2": ["done"]}, run.output
    assert [level(one) for one in fleet.instances] == ["debug", "debug"]
    now = pids(fleet)
    assert 0 not in now and not set(now) & set(before)
    again = player.play("configure", fleet.inventory, *change(settings), *FAST)
    assert again.outcomes == {"h1": ["unchanged"], "h2": ["unchanged"]}, again.output
    assert "changed=0" in again.output and pids(fleet) == now


@pytest.mark.standin("a message in its log")
def test_a_failure_puts_it_back_and_stops_the_roll(player: Player, make_fleet: Maker) -> None:
    """The new process logs an error at its start; the other host is not reached."""
    fleet = make_fleet(2)
    before, content = pids(fleet), files(fleet)
    first = fleet.instances[0]
    first.knobs(no_database=True, says="migrate table error  Error 1146 (42S02): Table 'shop.tags' doesn't exist")
    run = player.play("configure", fleet.inventory, *change(LEVEL), *FAST, "-e", "anqicms_serial=1")
    assert run.status != 0 and run.outcomes == {"h1": ["rolled_back"]}, run.output
    assert files(fleet) == content
    assert pids(fleet)[0] not in (0, before[0]) and pids(fleet)[1] == before[1]


def test_what_is_wrong_stops_nothing(player: Player, make_fleet: Maker) -> None:
    fleet = make_fleet(1)
    before, content = pids(fleet), files(fleet)
    for given, word in (
        ((), "anqicms_config must be"),
        (change({"server": {"port": "x"}}), "server.port is"),
        (change({"system": {"site_name": "x"}}), "would have no effect"),
        (("-e", f"anqicms_config={SECRET}"), "another value, which may be secret"),
    ):
        run = player.play("configure", fleet.inventory, *given)
        assert run.status != 0 and word in run.output, run.output
        assert SECRET not in run.output
    assert (pids(fleet), files(fleet)) == (before, content)


def test_a_password_is_shown_nowhere(player: Player, make_fleet: Maker) -> None:
    fleet = make_fleet(1)
    if fleet.db:  # where it is refused there is no diff
        fleet.db.give("shop", SECRET, fleet.instances[0].database)
    given = change({"mysql": {"user": "shop", "password": SECRET}})
    run = player.play("configure", fleet.inventory, *given, *FAST, "--diff", "-vvv")
    assert run.outcomes == {"h1": ["done"]}, run.output.replace(given[1], "")
    assert SECRET not in run.output.replace(given[1], "")
    assert "(new)" in run.output
