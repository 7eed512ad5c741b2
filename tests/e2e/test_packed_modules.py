# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each module as each ansible-core packs it: all that it imports is in what is sent, and runs on the oldest Python."""

from __future__ import annotations

import json
import re
from typing import Any

import paths
import pytest
import pythons
from e2e.playing import Player

# What each core runs on a host, at least.
OLDEST = {"2.16": (3, 6), "2.19": (3, 8), "2.21": (3, 9)}
REFUSAL = re.compile(r"(Unsupported parameters for |missing required arguments: )")
# These have no code for the host: their action plugins decide on the controller.
ACTIONS = {"notify", "preflight", "report", "workflow_report"}
MODULES = sorted({path.stem for path in (paths.ROOT / "plugins" / "modules").glob("*.py")} - ACTIONS)


def oldest_python(core: str) -> str:
    found = pythons.discover()
    here = [version for version in pythons.TARGETS if version in found and version >= OLDEST[core]]
    if not here:
        pytest.skip(f"no Python that ansible-core {core} runs on a host")
    return str(found[here[0]].path)


def play_all(player: Player) -> dict[str, dict[str, Any]]:
    """The result of each module with an option that it does not have: it answers that once all its imports are done."""
    player.directory.mkdir(parents=True)
    inventory = player.directory / "inventory.yml"
    host = {"ansible_connection": "local", "ansible_python_interpreter": oldest_python(player.core)}
    inventory.write_text(json.dumps({"all": {"hosts": {"h1": host}}}))
    tasks: list[dict[str, Any]] = [
        {
            f"anqicms.lifecycle.{name}": {"dir": "/nonexistent", "dest": "/nonexistent", "no_such_option": 1},
            "register": f"r_{name}",
            "ignore_errors": True,
        }
        for name in MODULES
    ]
    said = "{{ dict(%s) | to_json }}" % ", ".join(f"{name}=r_{name}" for name in MODULES)
    tasks.append({"ansible.builtin.copy": {"content": said, "dest": f"{player.directory}/said"}})
    playbook = player.directory / "packed.yml"
    playbook.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    player.env["ANSIBLE_KEEP_REMOTE_FILES"] = "1"
    run = player.play(str(playbook), inventory, timeout=600.0)
    assert run.status == 0, run.output
    return dict(json.loads((player.directory / "said").read_text()))


def test_every_module_runs_as_it_is_packed(player: Player) -> None:
    results = play_all(player)
    sent = {path.stem.partition("_")[2] for path in (player.directory / "remote").rglob("AnsiballZ_*.py")}
    assert set(MODULES) <= sent
    for name, result in results.items():
        assert result["failed"] and not {"module_stderr", "python_missing"} & set(result), (name, result)
        assert REFUSAL.match(result["msg"]), (name, result)
