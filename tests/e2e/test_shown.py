# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an operator reads: tables and lines as they are, whichever callback shows the run, and ends that say why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from e2e.conftest import Maker
from e2e.playing import Player
from fleet import Fleet

QUICK = ("-e", "anqicms_stable_for=0.1", "-e", "anqicms_serial=1")
LOOK = "Check the instances"
HIDING = {"ANSIBLE_DISPLAY_OK_HOSTS": "false", "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false"}


def pids(fleet: Fleet) -> list[int]:
    return [one.pid for one in fleet.instances]


MINIMAL = {"ANSIBLE_STDOUT_CALLBACK": "minimal"}


@pytest.mark.parametrize("env", [{}, HIDING, MINIMAL], ids=["default", "hiding", "minimal"])
def test_plan_and_results_are_lines(player: Player, make_fleet: Maker, env: dict[str, str]) -> None:
    fleet = make_fleet(2)
    player.env.update(env)
    run = player.play("restart", fleet.inventory, *QUICK)
    assert run.status == 0, run.output
    lines = run.output.splitlines()
    heading = next(line for line in lines if line.startswith("host  id "))
    assert heading.split() == ["host", "id", "state", "version", "port", "pid", "plan", "directory"]
    for host, (record,) in run.results.items():
        (row,) = (line.split() for line in lines if line.startswith(host) and line.endswith(record["dir"]))
        assert row == [
            host,
            record["id"],
            "running",
            record["version"],
            row[4],
            str(record["pid_before"]),
            "restart",
            record["dir"],
        ]
        result = f"{host}  {record['id']}  {record['version']}  done  "
        assert len([line for line in lines if line.startswith(result)]) == 1, run.output


def test_diagnosis_and_discovery_are_lines(default_player: Player, make_fleet: Maker) -> None:
    fleet = make_fleet(1)
    for verb, heading in (("discover", "host "), ("diagnose", "urgency "), ("status", "host ")):
        run = default_player.play(verb, fleet.inventory)
        assert run.status == 0, run.output
        assert any(line.startswith(heading) for line in run.output.splitlines()), run.output


def test_hosts_that_a_roll_did_not_reach_are_named_once(player: Player, make_fleet: Maker) -> None:
    fleet = make_fleet(4)
    before = pids(fleet)
    whole = yaml.safe_load(fleet.write_inventory().read_text())
    (entry,) = whole["anqicms"]["hosts"]["h2"]["anqicms_instances"]
    entry["sites"] = [{"host": "site2", "contains": "on no page"}]
    fleet.inventory.write_text(json.dumps(whole))
    run = player.play("restart", fleet.inventory, *QUICK)
    assert run.status == 2, run.output
    assert run.output.count("Not reached before this failure, and nothing was done on them: h3, h4\n") == 1, run.output
    assert [one.pid for one in fleet.instances[2:]] == before[2:]


def test_empty_group_fails(player: Player, make_fleet: Maker) -> None:
    fleet = make_fleet(1)
    whole = yaml.safe_load(fleet.write_inventory().read_text())
    whole.update(empty={}, other={"hosts": {"o1": {}}})
    fleet.inventory.write_text(json.dumps(whole))
    cases = {
        ("-e", "anqicms_hosts=empty"): "The group empty has no hosts.",
        ("-e", "anqicms_hosts=nowhere"): "The inventory has no host or group nowhere.",
        ("--limit", "o1"): "No host of anqicms is within --limit o1.",
    }
    for verb in ("restart", "discover"):
        for arguments, said in cases.items():
            run = player.play(verb, fleet.inventory, *arguments)
            assert run.status != 0 and said in run.output and "Nothing was done" in run.output, run.output


def site(directory: Path) -> str:
    """A playbook with tags of its own and an import of ours."""
    path = directory / "site.yml"
    other = {"name": "Other", "ansible.builtin.debug": {"msg": "the other one"}, "tags": "other"}
    plays = [
        {"name": "Other", "hosts": "anqicms", "gather_facts": False, "tasks": [other]},
        {"name": "Ours", "import_playbook": "anqicms.lifecycle.restart", "tags": "roll"},
    ]
    path.write_text(json.dumps(plays))
    return str(path)


def test_tags_that_nothing_has_are_refused(player: Player, make_fleet: Maker, tmp_path: Path) -> None:
    """Before: nothing was run, and the run ended well."""
    fleet = make_fleet(1)
    before = pids(fleet)
    mine = site(tmp_path)
    for arguments in (
        ("restart", "--tags", "x"),
        ("stop", "--skip-tags", "x"),
        ("stop", "--tags", "always"),
        ("diagnose", "--tags", "x"),
        ("discover", "--tags", "x"),
        ("prepare", "--tags", "x"),
        (mine, "--tags", "rol"),
    ):
        run = player.play(arguments[0], fleet.inventory, *arguments[1:])
        assert (run.status, LOOK in run.output, pids(fleet)) == (2, False, before), run.output
        assert "--tags and --skip-tags" in run.output and "Nothing was inspected or changed" in run.output
    run = player.play(mine, fleet.inventory, "--tags", "other")
    assert (run.status, "the other one" in run.output, pids(fleet)) == (0, True, before), run.output
    run = player.play(mine, fleet.inventory, "--tags", "roll", *QUICK)
    assert (run.status, "the other one" in run.output) == (0, False) and pids(fleet) != before, run.output
