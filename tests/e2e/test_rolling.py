# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a rolling run goes on, stops and reports, on every supported ansible-core."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import pytest
from e2e.conftest import VERSION, Maker, for_standin
from e2e.playing import Player, journal, until
from fleet import Fleet
from instance import Instance

BATCHES = ("-e", "anqicms_serial=1,2", "-e", "anqicms_stable_for=0.1")
SKIP = ("-e", "anqicms_unreachable=skip")


def pids(fleet: Fleet) -> dict[str, int]:
    return {host.name: host.instances[0].pid for host in fleet.hosts}


def moved(fleet: Fleet, before: dict[str, int]) -> list[str]:
    """Hosts whose instance runs as another process than before."""
    return [name for name, pid in pids(fleet).items() if pid and pid != before[name]]


def ends_at_once(instance: Instance) -> None:
    """Its next start fails: its binary becomes a program that ends with 1."""
    shutil.copy("/bin/false", instance.dir / "new")
    (instance.dir / "new").replace(instance.binary)


def tasks_per_instance(output: str) -> int:
    """Tasks of the first batch, which has one host with one instance; the check of the batch itself is not counted."""
    batch = output.split("PLAY [Restart batch by batch]")[1]
    return batch.count("TASK [") - 1


def make_unreachable(fleet: Fleet, name: str, directory: Path) -> list[str]:
    """A hook that cuts one host off after the preflight: nothing listens where it is looked for then."""
    hook = directory / "cut.yml"
    facts = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    hook.write_text(
        json.dumps(
            [{"name": "Cut it off", "ansible.builtin.set_fact": facts, "when": f"inventory_hostname == '{name}'"}]
        )
    )
    return ["-e", json.dumps({"anqicms_before_window": [str(hook)]})]


def test_failing_host_in_batch_two_stops_the_roll(player: Player, make_fleet: Maker) -> None:
    fleet = make_fleet(4)
    before = pids(fleet)
    ends_at_once(fleet.hosts[1].instances[0])
    run = player.play("restart", fleet.inventory, *BATCHES)
    assert run.status == 2, run.output
    assert moved(fleet, before) == ["h1", "h3"], run.output
    assert pids(fleet)["h4"] == before["h4"]
    assert run.outcomes == {"h1": ["done"], "h2": ["failed"], "h3": ["done"]}, run.output
    after = pids(fleet)
    for name in ("h1", "h3"):
        (record,) = run.results[name]
        assert (record["pid_before"], record["pid_after"]) == (before[name], after[name])
        assert f'{name}  {record["id"]}  {VERSION}  done  pid {before[name]} -> {after[name]}' in run.output
    assert len({record["run_id"] for records in run.results.values() for record in records}) == 1
    assert run.results["h2"][0]["reason"], "the failure is explained"
    assert tasks_per_instance(run.output) <= 8
    assert "DEPRECATION" not in run.output, run.output
    assert run.results["h2"][0]["id"] + f"  {VERSION}  failed" in run.output


def test_host_lost_in_batch_one_stops_the_roll(player: Player, make_fleet: Maker, tmp_path: Path) -> None:
    fleet = make_fleet(3)
    before = pids(fleet)
    run = player.play("restart", fleet.inventory, *BATCHES, *make_unreachable(fleet, "h1", tmp_path))
    assert run.status != 0, run.output
    assert pids(fleet) == before, run.output
    assert run.outcomes == {"h1": ["lost"]}, run.output


def test_host_lost_in_a_hook_stops_the_roll(player: Player, make_fleet: Maker, tmp_path: Path) -> None:
    fleet = make_fleet(3)
    before = pids(fleet)
    look = tmp_path / "look.yml"
    look.write_text(json.dumps([{"name": "Look", "ansible.builtin.ping": None}]))
    hooks = json.loads(make_unreachable(fleet, "h2", tmp_path)[1])["anqicms_before_window"]
    run = player.play(
        "restart",
        fleet.inventory,
        *BATCHES,
        "-e",
        json.dumps({"anqicms_before_window": [*hooks, str(look)], "anqicms_serial": [2, 1]}),
    )
    assert run.status != 0, run.output
    assert moved(fleet, before) == ["h1"], run.output
    assert "Lost in an earlier batch: h2" in run.output


def test_unreachable_host_stops_the_preflight_or_is_left_out(player: Player, make_fleet: Maker) -> None:
    fleet = make_fleet(3)
    before = pids(fleet)
    text = fleet.inventory.read_text()
    gone = "    h2:\n      ansible_connection: ssh\n      ansible_host: 127.0.0.1\n      ansible_port: 1\n"
    fleet.inventory.write_text(text.replace("    h2:\n", gone))
    run = player.play("restart", fleet.inventory, *BATCHES)
    assert run.status != 0
    assert pids(fleet) == before, run.output
    run = player.play("restart", fleet.inventory, *BATCHES, *SKIP)
    assert run.status == 0, run.output
    assert moved(fleet, before) == ["h1", "h3"]
    assert "unreachable, left out" in run.output
    assert run.output.count("Left out, because they were unreachable: h2. Nothing was done on them.") == 1
    run = player.play("restart", fleet.inventory, *BATCHES, *SKIP, "-e", "anqicms_unreachable_fails=true")
    assert run.status == 2, run.output
    assert "Left out, because they were unreachable: h2." in run.output
    assert moved(fleet, before) == ["h1", "h3"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_cancelled_run_ends_the_window_it_has_begun(player: Player, make_fleet: Maker, number: signal.Signals) -> None:
    fleet = make_fleet(2, **for_standin(start_delay_ms=2000))
    host = fleet.hosts[0]
    before = pids(fleet)
    with player.begin("restart", fleet.inventory, *BATCHES) as playing:
        until(lambda: not host.instances[0].told_version(), "the window of h1")
        # Ctrl-C at a terminal reaches the whole group, a service manager's or AWX's TERM the process alone
        (os.killpg if number == signal.SIGINT else os.kill)(playing.process.pid, number)
        run = playing.wait(30)
    assert run.status != 0, run.output
    host.instances[0].wait_ready(10)
    until(lambda: journal(host.state_dir)[-1]["event"] == "end", "the end of the window", 10)
    assert moved(fleet, before) == ["h1"], "h1 was ended by its host, h2 was not touched"


def test_limit_and_check_mode(player: Player, make_fleet: Maker) -> None:
    fleet = make_fleet(3)
    before = pids(fleet)
    run = player.play("restart", fleet.inventory, *BATCHES, "--check", "--diff")
    assert run.status == 0, run.output
    assert pids(fleet) == before
    assert run.outcomes == {name: ["planned"] for name in before}
    for name, pid in before.items():
        assert f"-running, pid {pid}" in run.output, "the plan of every host is shown as a diff"
        assert any(
            line.startswith(name) and f"  {pid}" in line and "  restart  " in line for line in run.output.splitlines()
        ), "and in the table"
    run = player.play("restart", fleet.inventory, *BATCHES, "--limit", "h2")
    assert run.status == 0, run.output
    assert moved(fleet, before) == ["h2"]
    assert list(run.outcomes) == ["h2"]
