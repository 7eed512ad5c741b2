# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The order and the batches of real runs, with an inventory that lists its hosts in any order, as AWX does."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from e2e.conftest import Maker
from e2e.playing import Player, Run, journal
from fleet import Fleet

SCRIPT = """#!{python}
import json, random
groups = json.loads({groups!r})
for group in groups.values():
    random.shuffle(group.get("hosts", []))
print(json.dumps(groups))
"""
CUSTOMERS = {"web1": "acme", "web2": "acme", "web3": "bolt", "web9": "acme", "web10": "bolt", "web11": "coop"}


def shuffled(directory: Path, hosts: dict[str, dict[str, Any]], **groups: list[str]) -> Path:
    """An inventory script with a random order of hosts in each group."""
    whole: dict[str, Any] = {name: {"hosts": members} for name, members in groups.items()}
    whole["anqicms"] = {"hosts": list(hosts)}
    whole["_meta"] = {"hostvars": hosts}
    path = directory / "shuffled.py"
    path.write_text(SCRIPT.format(python=sys.executable, groups=json.dumps(whole)))
    path.chmod(0o755)
    return path


def option(name: str) -> str:
    return "{{ lookup('anqicms.lifecycle.option', '%s') }}" % name


@pytest.fixture
def batches_only(tmp_path: Path) -> str:
    """A playbook with the keywords of ours, which names the hosts of each of its batches."""
    show = {
        "name": "Show the batch",
        "ansible.builtin.debug": {"msg": "BATCH {{ ansible_play_batch | join(' ') }}"},
        "run_once": True,
    }
    play = {"hosts": option("anqicms_hosts"), "gather_facts": False, "tasks": [show]}
    path = tmp_path / "batches.yml"
    path.write_text(
        json.dumps([{"name": "First", **play}, {"name": "Then", **play, "serial": option("anqicms_serial")}])
    )
    return str(path)


def batches(run: Run) -> list[str]:
    """The hosts of each batch of the second play; the first play has all of them in one."""
    assert run.status == 0 and "DEPRECATION" not in run.output, run.output
    first, *others = re.findall(r'"msg": "BATCH (.*)"', run.output)
    assert sorted(first.split()) == sorted(" ".join(others).split()), run.output
    return list(others)


def test_batches_do_not_depend_on_the_inventory(player: Player, tmp_path: Path, batches_only: str) -> None:
    hosts: dict[str, dict[str, Any]] = {
        name: {"ansible_connection": "local", "customer": customer, "anqicms_serial": [1, "50%"]}
        for name, customer in CUSTOMERS.items()
    }
    hosts["web1"]["anqicms_serial_by"] = "{}"  # web9 is the first of all, because it is a canary
    hosts["web9"]["anqicms_serial_by"] = {"customer": 1}
    inventory = shuffled(tmp_path, hosts, anqicms_canary=["web10", "web9"])
    for _unused in range(2):
        run = player.play(batches_only, inventory)
        assert batches(run) == ["web9", "web10", "web1 web3 web11", "web2"]
    run = player.play(batches_only, inventory, "--limit", "!anqicms_canary", "-e", "anqicms_serial_by=")
    assert batches(run) == ["web1", "web2 web3", "web11"]


class Window(NamedTuple):
    begin: float
    end: float

    def meets(self, other: Window) -> bool:
        return self.begin < other.end and other.begin < self.end


def windows(fleet: Fleet) -> dict[str, Window]:
    """When the host itself began and ended the last window of its instance."""
    found = {}
    for host in fleet.hosts:
        times = {entry["event"]: float(entry["at"]) for entry in journal(host.state_dir)}
        found[host.name] = Window(times["begin"], times["end"])
    return found


def met(fleet: Fleet) -> set[tuple[str, str]]:
    """Pairs of hosts whose windows were open at the same time."""
    times = windows(fleet)
    return {(one, other) for one in times for other in times if one < other and times[one].meets(times[other])}


def plain(fleet: Fleet) -> dict[str, dict[str, Any]]:
    """The variables of each host of a fleet's inventory."""
    (group,) = yaml.safe_load(fleet.inventory.read_text()).values()
    return {name: {**group["vars"], **values} for name, values in group["hosts"].items()}


def test_hosts_of_one_customer_are_never_away_together(
    default_player: Player, make_fleet: Maker, tmp_path: Path
) -> None:
    """Both hosts of each customer are in one batch without anqicms_serial_by, which shows that the times are true."""
    fleet = make_fleet(4)
    hosts = plain(fleet)
    for number, values in enumerate(hosts.values()):
        values["customer"] = "acme" if number < 2 else "bolt"
    inventory = shuffled(tmp_path, hosts)
    together, of_one = (
        ("-e", json.dumps({"anqicms_serial": "100%", "anqicms_stable_for": 3})),
        {("h1", "h2"), ("h3", "h4")},
    )
    run = default_player.play("restart", inventory, *together)
    assert run.status == 0 and met(fleet) >= of_one, (windows(fleet), run.output)
    for _unused in range(2):
        run = default_player.play("restart", inventory, *together, "-e", '{"anqicms_serial_by": {"customer": 1}}')
        assert run.status == 0 and run.output.count("PLAY [Restart batch by batch]") == 2, run.output
        assert met(fleet) and not met(fleet) & of_one, windows(fleet)


def test_unknown_names_are_refused_before_anything_is_inspected(default_player: Player, make_fleet: Maker) -> None:
    fleet = make_fleet(1)
    (before,) = (one.pid for one in fleet.instances)
    run = default_player.play("restart", fleet.inventory, "-e", '{"anqicms_serial_by": {"anqicms_hots": 1, "anqi": 2}}')
    assert run.status == 2 and "Check the instances" not in run.output, run.output
    assert (
        "anqicms_serial_by names anqicms_hots, which is neither a group nor a variable of a host of this run. "
        "Similar are: anqicms" in run.output
    )
    assert "(extra variable). Nothing was inspected or changed." in run.output
    assert [one.pid for one in fleet.instances] == [before]
