# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A wrong port in the inventory refuses a run in its preflight; the port that is still served does not."""

from __future__ import annotations

import json

import pytest
from e2e.conftest import Maker
from e2e.playing import Player
from instance import Instance, write_config
from mariadb import free_port

QUICK = ("-e", "anqicms_stable_for=0.1")


def given(instance: Instance, port: int) -> list[str]:
    return ["-e", json.dumps({"anqicms_instances": [{"dir": str(instance.dir), "port": port}]})]


@pytest.mark.parametrize("verb", ["restart", "stop", "start"])
def test_a_wrong_port_is_refused_with_both_numbers(default_player: Player, make_fleet: Maker, verb: str) -> None:
    fleet, wrong = make_fleet(1), free_port()
    instance = fleet.instances[0]
    pid = instance.pid
    run = default_player.play(verb, fleet.inventory, *QUICK, *given(instance, wrong))
    assert run.status != 0, run.output
    assert f"port {wrong} was given, but pid {pid} listens on port {instance.port}" in " ".join(run.output.split())
    assert "port_mismatch" in run.output
    assert instance.pid == pid
    assert instance.told_version()


def test_stop_with_the_served_port_while_config_json_names_another(default_player: Player, make_fleet: Maker) -> None:
    """Its port is waited for after the stop, when only our records know it."""
    fleet = make_fleet(1)
    instance = fleet.instances[0]
    old, instance.port = instance.port, free_port()
    write_config(instance, fleet.db)
    new, instance.port = instance.port, old
    run = default_player.play("stop", fleet.inventory, *given(instance, old))
    assert run.status == 0, run.output
    assert not instance.pids()
    instance.port = new
    run = default_player.play("start", fleet.inventory, *QUICK, *given(instance, new))
    assert run.status == 0, run.output
    assert instance.told_version()
