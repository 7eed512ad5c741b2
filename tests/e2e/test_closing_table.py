# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The closing table of a run on a fleet, by the callback and, where a task can still run, without it."""

from __future__ import annotations

import itertools
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import releases
import yaml
from e2e.conftest import Maker, for_standin
from e2e.playing import CORES, Player, Run, until
from e2e.test_rolling import ends_at_once, make_unreachable, moved, pids
from fleet import Fleet

QUICK = ("-e", "anqicms_stable_for=0.1", "-e", "anqicms_serial=1", "-e", "anqicms_language=en")
ENABLED = {"ANSIBLE_CALLBACKS_ENABLED": "anqicms.lifecycle.summary"}
HEADING = "host  id "
with_and_without = pytest.mark.parametrize("callback", [True, False], ids=["callback", "tasks"])
WITHOUT = pytest.param(False, id="tasks", marks=pytest.mark.soak)
with_and_in_soak_without = pytest.mark.parametrize("callback", [pytest.param(True, id="callback"), WITHOUT])


@pytest.fixture(params=[pytest.param(core, marks=() if core == "2.19" else pytest.mark.soak) for core in CORES])
def core(request: pytest.FixtureRequest) -> str:
    """One core here, the others in `make soak`."""
    from e2e.conftest import _installed

    return _installed(str(request.param))


class Table:
    """What a run has said at its end."""

    def __init__(self, run: Run, verb: str = "restart", number: int = 0) -> None:
        lines = run.output.splitlines()
        heads = [at for at, line in enumerate(lines) if line.startswith(f"{verb}: ") and ". Run " in line]
        assert len(heads) > number, run.output
        self.lines = list(itertools.takewhile(lambda line: line and "ok: [" not in line, lines[heads[number] :]))
        self.text = "\n".join(self.lines)
        self.ended = self.lines[0].split(": ")[1].split(".")[0].split(" ")[0]
        self.run_id = self.lines[0].split("Run ")[1].split(",")[0]
        self.count = len(heads)

    @property
    def outcomes(self) -> dict[str, str]:
        """The outcome of each host in the rows."""
        at = next((at for at, line in enumerate(self.lines) if line.startswith(HEADING)), None)
        if at is None:
            return {}
        column = self.lines[at].index("outcome")
        ends = next(n for n, line in enumerate(self.lines[at:]) if line.startswith(("Not ", "Left ", "Result")))
        return {line.split()[0]: line[column:].split("  ")[0].strip() for line in self.lines[at + 1 : at + ends]}

    def names(self, text: str) -> str:
        return next((line.partition(": ")[2] for line in self.lines if line.startswith(f"{text}: ")), "")


def play(player: Player, fleet: Fleet, callback: bool, *arguments: str, verb: str = "restart") -> tuple[Run, Table]:
    player.env.pop("ANSIBLE_CALLBACKS_ENABLED", None)
    player.env.update(ENABLED if callback else {})
    run = player.play(verb, fleet.inventory, *QUICK, *arguments)
    table = Table(run, verb)
    assert table.count == 1, run.output
    return run, table


@with_and_without
def test_success(player: Player, make_fleet: Maker, callback: bool) -> None:
    fleet = make_fleet(2)
    run, table = play(player, fleet, callback)
    assert (run.status, table.ended, table.outcomes) == (0, "finished", {"h1": "done", "h2": "done"}), run.output
    assert "Result: 2 done" in table.lines
    assert all(" ms" in line for line in table.lines if line.startswith(("h1 ", "h2 ")))
    for (record,) in run.results.values():
        assert record["run_id"] == table.run_id and record["version_before"] == record["version"]
        assert record["began_at"] < record["ended_at"] and (record["verb"], record["host"][0]) == ("restart", "h")
        names = [step["name"] for step in record["steps"]]
        assert names == ["graceful_stop", "port_released", "verified_start", "log_check", "site_check"]
        assert all(step["ok"] and step["started_ms"] <= step["ended_ms"] for step in record["steps"])


@with_and_without
def test_failure_in_the_second_batch_of_four(player: Player, make_fleet: Maker, callback: bool) -> None:
    fleet = make_fleet(4)
    before = pids(fleet)
    ends_at_once(fleet.hosts[1].instances[0])
    run, table = play(player, fleet, callback)
    assert run.status == 2 and moved(fleet, before) == ["h1"], run.output
    assert (table.ended, table.outcomes) == ("failed", {"h1": "done", "h2": "failed"}), run.output
    assert [name.split(" ")[0] for name in table.names("Not touched").split(", ")] == ["h3", "h4"]
    assert "Result: 1 done, 1 failed, 2 not touched" in table.lines
    assert f"with -e anqicms_resume={table.run_id}" in table.text
    assert (run.output.rindex("PLAY RECAP") < run.output.rindex("Result: ")) == callback


@with_and_in_soak_without
def test_what_was_left_out(player: Player, make_fleet: Maker, callback: bool) -> None:
    fleet = make_fleet(3)
    other = fleet.add_instance(fleet.hosts[1], "other", fleet.hosts[1].instances[0].version)
    if not releases.real_releases():
        other.knobs(no_database=True)
    other.start()
    fleet.write_inventory()
    run, table = play(player, fleet, callback, "--limit", "h2", verb="stop")
    assert (run.status, table.outcomes) == (0, {"h2": "done"}) and "Result: 2 done, 2 left out" in table.lines, (
        run.output
    )
    chosen, left = (record["id"] for record in run.results["h2"])
    assert [step["name"] for step in run.results["h2"][0]["steps"]] == ["graceful_stop"]
    arguments = ("--limit", "h1,h2", "-e", f"anqicms_only={chosen}")
    run = player.play("start", fleet.inventory, *QUICK, *arguments)
    assert run.status != 0 and "None of its instances has the id" in run.output, run.output
    run, table = play(player, fleet, callback, "--limit", "h2", "-e", f"anqicms_only={chosen}", verb="start")
    assert (run.status, table.outcomes) == (0, {"h2": "done"}), run.output
    assert [step["name"] for step in run.results["h2"][0]["steps"]] == ["verified_start"]
    assert table.names("Left out by anqicms_only") == f"h2 ({left})"
    run, table = play(player, fleet, callback, "--limit", "h1,h2", "-e", "anqicms_only_if_needed=true")
    assert (run.status, [one["id"] for one in run.results["h2"]]) == (0, [left]), run.output
    assert table.names("Left out by --limit") == "h3"
    assert [name.split()[0] for name in table.names("Left out, restart not needed").split(", ")] == ["h1", "h2"]


def unreachable(fleet: Fleet, *names: str) -> None:
    whole = yaml.safe_load(fleet.write_inventory().read_text())
    for name in names:
        gone = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
        whole["anqicms"]["hosts"][name].update(gone)
    fleet.inventory.write_text(json.dumps(whole))


def test_unreachable_hosts(player: Player, make_fleet: Maker) -> None:
    fleet = make_fleet(2)
    unreachable(fleet, "h2")
    run, table = play(player, fleet, True)
    assert run.status != 0 and table.ended == "failed" and "Nothing was done." in table.text, run.output
    assert any(line.startswith("  ! Unreachable: h2.") for line in table.lines), run.output
    for callback in (True, False):
        run, table = play(player, fleet, callback, "-e", "anqicms_unreachable=skip")
        assert (run.status, table.outcomes) == (0, {"h1": "done"}), run.output
        assert table.names("Left out, unreachable") == "h2"
        assert (
            f"when the unreachable hosts are back, run the same command with -e anqicms_resume={table.run_id}"
            in table.text
        )
    unreachable(fleet, "h1", "h2")
    player.env.update(ENABLED)
    run = player.play("restart", fleet.inventory, *QUICK)
    assert run.output.splitlines()[-5:] == [
        "restart: failed",
        "  ! h1: the host was unreachable",
        "  ! h2: the host was unreachable",
        "Result: 2 not touched",
        "Nothing was done. Fix the cause, then run the same command again.",
    ], run.output


@with_and_in_soak_without
def test_host_lost_in_a_hook(player: Player, make_fleet: Maker, tmp_path: Path, callback: bool) -> None:
    fleet = make_fleet(3)
    before = pids(fleet)
    look = tmp_path / "look.yml"
    look.write_text(json.dumps([{"name": "Look", "ansible.builtin.ping": None}]))
    hooks = json.loads(make_unreachable(fleet, "h2", tmp_path)[1])["anqicms_before_window"]
    extra = json.dumps({"anqicms_before_window": [*hooks, str(look)], "anqicms_serial": [2, 1]})
    run, table = play(player, fleet, callback, "-e", extra)
    assert run.status != 0 and moved(fleet, before) == ["h1"], run.output
    assert (table.ended, table.outcomes) == ("failed", {"h1": "done", "h2": "lost"}), run.output
    assert table.names("Not touched").startswith("h3 (") and "anqicms.lifecycle.status" in table.text


@with_and_in_soak_without
def test_host_lost_in_the_window(player: Player, make_fleet: Maker, tmp_path: Path, callback: bool) -> None:
    fleet = make_fleet(2)
    run, table = play(player, fleet, callback, *make_unreachable(fleet, "h1", tmp_path))
    assert run.status != 0 and (table.ended, table.outcomes) == ("failed", {"h1": "lost"}), run.output
    assert "Result: 1 lost, 1 not touched" in table.lines


def test_refused_preflight(player: Player, make_fleet: Maker) -> None:
    fleet = make_fleet(2)
    before = pids(fleet)
    (fleet.hosts[1].instances[0].dir / "config.json").unlink()
    run, table = play(player, fleet, True)
    assert run.status != 0 and pids(fleet) == before, run.output
    assert "  ! h2 (" in table.text and "config_missing" in table.text and "Result: 2 not touched" in table.lines
    assert table.lines[-1] == "Nothing was done. Fix the cause, then run the same command again."
    run = player.play("restart", fleet.inventory, *QUICK, "-e", "anqicms_force=perhaps")
    first, reason, last = run.output.splitlines()[-3:]
    assert (first, last) == ("restart: failed", table.lines[-1]), run.output
    assert reason.startswith("  ! anqicms_force must be one of"), run.output


def test_ctrl_c_in_the_middle_of_a_window(player: Player, make_fleet: Maker) -> None:
    fleet = make_fleet(3, **for_standin(start_delay_ms=2000))
    player.env.update(ENABLED)
    second = fleet.hosts[1].instances[0]
    with player.begin("restart", fleet.inventory, *QUICK) as playing:
        until(lambda: not second.told_version(), "the window of h2")
        os.killpg(playing.process.pid, signal.SIGINT)
        run = playing.wait(30)
    table = Table(run)
    assert (table.ended, table.outcomes) == ("interrupted", {"h1": "done", "h2": "lost"}), run.output
    assert "the host completes the started work" in table.text and table.names("Not touched").startswith("h3 (")
    assert f"anqicms_resume={table.run_id}" in table.text and table.count == 1
    second.wait_ready(10)


@with_and_in_soak_without
def test_check_mode_says_no_more_than_the_plan(player: Player, make_fleet: Maker, callback: bool) -> None:
    fleet = make_fleet(2)
    _run, table = play(player, fleet, callback, "--check")
    assert table.ended == "finished" and table.outcomes == {}
    assert table.lines[1:3] == ["Result: 2 planned", "Check mode: nothing was changed."]


def test_each_run_in_a_playbook_has_its_table(player: Player, make_fleet: Maker, tmp_path: Path) -> None:
    """Around them are plays of somebody else, one of which fails, and a role in a play with batches."""
    fleet = make_fleet(2)
    other: dict[str, Any] = {"name": "Other", "hosts": "anqicms", "gather_facts": False}
    role = {"name": "anqicms.lifecycle.start"}
    plays = [
        {**other, "tasks": [{"ansible.builtin.debug": {"msg": "first"}}]},
        {"name": "Restart", "import_playbook": "anqicms.lifecycle.restart"},
        {"name": "Again", "import_playbook": "anqicms.lifecycle.restart"},
        {"name": "Stop", "import_playbook": "anqicms.lifecycle.stop"},
        {**other, "serial": 1, "tasks": [{"ansible.builtin.import_role": role}]},
        {**other, "tasks": [{"ansible.builtin.fail": {"msg": "of somebody else"}}]},
    ]
    path = tmp_path / "site.yml"
    path.write_text(json.dumps(plays))
    player.env.update(ENABLED)
    run = player.play(str(path), fleet.inventory, *QUICK)
    assert run.status == 2, run.output
    for verb, number, count in (("restart", 0, 2), ("restart", 1, 2), ("stop", 0, 1), ("start", 0, 1)):
        table = Table(run, verb, number)
        assert (table.ended, table.count) == ("finished", count), run.output
        assert table.outcomes == {"h1": "done", "h2": "done"}, run.output


def test_jobs_of_a_workflow_pass_their_results_on(player: Player, make_fleet: Maker) -> None:
    """As AWX does it: what a job has set is an extra variable of the next one, which replaces it."""
    fleet = make_fleet(2)
    workflow = ("-e", "awx_workflow_job_id=34")
    run = player.play("restart", fleet.inventory, *QUICK, *workflow, "-e", "awx_job_id=35", "--limit", "h1")
    assert list(run.stats) == ["anqicms_results_34"] and list(run.stats["anqicms_results_34"]) == ["h1"], run.output
    given = ("-e", json.dumps(run.stats))
    run = player.play("restart", fleet.inventory, *QUICK, *workflow, *given, "-e", "awx_job_id=36", "--limit", "h2")
    results = run.stats["anqicms_results_34"]
    assert {host: [one["run_id"] for one in of_host.values()] for host, of_host in results.items()} == {
        "h1": ["35"],
        "h2": ["36"],
    }, run.output
