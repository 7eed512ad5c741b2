# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbooks that share the plays of `_fleet.yml`: what each of them runs, by name, by path and imported."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import paths
import pytest
from e2e.playing import Player

TITLES = {
    "restart": "Restart",
    "stop": "Stop",
    "start": "Start",
    "configure": "Configure",
    "rollback": "Roll back",
    "upgrade": "Upgrade",
    "recover": "Recover",
}
LAST = ["Report the hosts that were left out"]


class Play(NamedTuple):
    """What `--list-tasks` and `--list-hosts` say of a play."""

    hosts: set[str]
    name: str
    tags: str
    tasks: list[str]


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    path = tmp_path / "hosts.yml"
    path.write_text(json.dumps({"anqicms": {"hosts": {"h1": {}, "h2": {}}}}))
    return path


def listed(player: Player, inventory: Path, *playbooks: str) -> list[Play]:
    run = player.play(playbooks[0], inventory, *playbooks[1:], "--list-tasks", "--list-hosts")
    assert run.status == 0, run.output
    plays = []
    for text in re.split(r"^  play #\d+ ", run.output, flags=re.MULTILINE)[1:]:
        name, tags = re.findall(r"\A\(.*?\): (.*)\tTAGS: \[(.*)\]$", text, re.MULTILINE)[0]
        hosts = text.partition("hosts (")[2].partition("tasks:")[0].splitlines()[1:]
        tasks = re.findall(r"^      (.*)\tTAGS: ", text, re.MULTILINE)
        plays.append(Play({host.strip() for host in hosts if host.strip()}, name, tags, tasks))
    return plays


def imported(verb: str, **keywords: Any) -> dict[str, Any]:
    return {"name": f"Then {verb}", "import_playbook": f"anqicms.lifecycle.{verb}", **keywords}


def check_plays_of(verb: str, plays: list[Play]) -> None:
    preflight, batches, end = plays
    assert [play.name for play in plays] == ["Preflight: check all hosts", f"{TITLES[verb]} batch by batch", *LAST]
    roles = {task.partition(" : ")[0] for task in preflight.tasks}
    assert roles - {f"anqicms.lifecycle.{verb}"} == {"anqicms.lifecycle.common"}, preflight.tasks
    assert batches.tasks[0] == "Stop if an earlier batch has lost a host"
    assert all(task.startswith(f"anqicms.lifecycle.{verb} : ") for task in batches.tasks[1:]), batches.tasks
    assert len(batches.tasks) == (3 if verb == "upgrade" else 2), "each task costs a process for each host"
    assert any("Ask after the canary" in task for task in batches.tasks) == (verb == "upgrade")
    assert end.tasks == LAST


@pytest.mark.parametrize("how", ["name", "path", "import"])
def test_each_playbook_runs_its_own_role(player: Player, inventory: Path, tmp_path: Path, how: str) -> None:
    """Those of all verbs are read in one process: none may take the variables of another."""
    mine = tmp_path / "mine.yml"
    mine.write_text(json.dumps([imported(verb) for verb in TITLES]))
    playbooks = {
        "name": [f"anqicms.lifecycle.{verb}" for verb in TITLES],
        "path": [str(paths.ROOT / "playbooks" / f"{verb}.yml") for verb in TITLES],
        "import": [str(mine)],
    }[how]
    first, *others = playbooks
    plays = listed(player, inventory, first.removeprefix("anqicms.lifecycle."), *others)
    for number, verb in enumerate(TITLES):
        check_plays_of(verb, plays[3 * number : 3 * number + 3])
    assert len(plays) == 3 * len(TITLES)


def test_keywords_of_an_import_reach_its_plays_alone(player: Player, inventory: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.yml"
    first = imported("restart", vars={"anqicms_hosts": "h1"}, tags=["mine"])
    mine.write_text(json.dumps([first, imported("upgrade")]))
    plays = listed(player, inventory, str(mine))
    check_plays_of("restart", plays[:3])
    check_plays_of("upgrade", plays[3:])
    assert [(play.hosts, play.tags) for play in plays[:3]] == [({"h1"}, "mine")] * 3
    assert [(play.hosts, play.tags) for play in plays[3:]] == [({"h1", "h2"}, "")] * 3
