# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ARA records runs as docs/reports.md says."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import paths
import pytest
import pythons
import venvs
from e2e.conftest import VERSION
from e2e.playing import Player
from fleet import Fleet

SECRET = b"anq-secret"  # the password of the database in the config.json of every instance
GUIDE = (paths.ROOT / "docs" / "reports.md").read_text(encoding="utf-8")
pytestmark = pytest.mark.soak


@pytest.fixture
def player(tmp_path: Path) -> Player:
    """The environment that the guide sets up, with a database in the directory of the test."""
    try:
        bin_dir = venvs.ensure("ara")
    except venvs.Missing as error:
        pytest.skip(str(error))
    player = Player(venvs.newest_core(pythons.discover()), tmp_path / "play")
    player.bin = bin_dir
    player.env.update(paths.private_env([bin_dir]), ARA_BASE_DIR=str(tmp_path / "ara"))
    variables = re.findall(r"^\$ export (\w+)=\$\((.*)\)", GUIDE, re.MULTILINE)
    assert [name for name, _command in variables] == ["ANSIBLE_CALLBACK_PLUGINS"]
    for name, command in variables:
        player.env[name] = run(player, *command.split()).strip()
    return player


def run(player: Player, *argv: str) -> str:
    env = player.env
    done = subprocess.run([player.bin / argv[0], *argv[1:]], env=env, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def listed(player: Player, what: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(player, "ara", what, "list", "-f", "json"))
    return found


def test_runs_are_recorded_without_secrets(player: Player, fleet: Fleet, tmp_path: Path) -> None:
    for number in (1, 2):
        fleet.add_instance(fleet.add_host(f"web{number}"), f"site{number}", VERSION)
    fleet.start()
    done = player.play("restart", fleet.inventory, "-e", "anqicms_run_id=night-7")
    assert done.status == 0 and "[WARNING]: Failure using method" not in done.output, done.output
    (fleet.instances[0].dir / "config.json").unlink()
    assert player.play("restart", fleet.inventory).status == 2

    assert sorted(one["status"] for one in listed(player, "playbook")) == ["completed", "failed"]
    assert {one["name"] for one in listed(player, "host")} == {"web1", "web2"}
    tasks = [one["id"] for one in listed(player, "task") if one["name"].endswith("restart : Restart in one window")]
    windows = [one for one in listed(player, "result") if one["task"] in tasks]
    assert [one["status"] for one in windows] == ["changed", "changed"], "one in each batch"
    shown = run(player, "ara", "result", "show", str(windows[0]["id"]), "--with-content", "-f", "json")
    assert json.loads(shown)["content"]["outcome"] == "done"
    stored = [path for path in (tmp_path / "ara").rglob("*") if path.is_file()]
    assert any(path.name == "ansible.sqlite" for path in stored)
    assert not [path for path in stored if SECRET in path.read_bytes()]
