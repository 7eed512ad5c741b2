# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A mistake in the inventory or on the command line never widens a run: it is refused before anything is looked at."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from e2e.bed import Bed
from e2e.conftest import Maker
from e2e.playing import Player, Run, until
from e2e.sites import Site, write_inventory
from fleet import Fleet

QUICK = ("-e", "anqicms_stable_for=0.1")
LOOK = "Check the instances"


def extra(**values: Any) -> tuple[str, str]:
    return ("-e", json.dumps(values))


def pids(fleet: Fleet) -> list[int]:
    return [one.pid for one in fleet.instances]


def write(fleet: Fleet, host_vars: dict[str, Any], group_vars: dict[str, Any] | None = None) -> None:
    """An inventory of the fleet, the first host with these variables instead of its list."""
    whole = yaml.safe_load(fleet.write_inventory().read_text())["anqicms"]
    first = whole["hosts"][fleet.hosts[0].name]
    del first["anqicms_instances"]
    first.update(host_vars)
    whole["vars"].update(group_vars or {})
    fleet.inventory.write_text(json.dumps({"anqicms": whole}))


def refused(run: Run, fleet: Fleet, before: list[int], *words: str) -> None:
    assert run.status != 0, run.output
    assert pids(fleet) == before, run.output
    for word in words:
        assert word in run.output, (word, run.output)


def test_names_that_come_close(player: Player, make_fleet: Maker) -> None:
    """In host variables, in group variables, as extra variables, and in the variables of a play that imports ours."""
    fleet = make_fleet(2)
    before = pids(fleet)
    listed = [{"dir": str(fleet.instances[0].dir)}]
    write(fleet, {"anqicms_instance": listed})
    run = player.play("restart", fleet.inventory, *QUICK)
    refused(run, fleet, before, "anqicms_instance (variable of h1): meant is anqicms_instances.")
    assert LOOK not in run.output
    write(fleet, {"anqicms_instances": listed}, {"anqicms_stop_time": 5})
    run = player.play("stop", fleet.inventory)
    refused(run, fleet, before, "anqicms_stop_time (variable of h1, h2): meant is anqicms_stop_timeout.")
    assert LOOK not in run.output
    fleet.write_inventory()
    for name in ("anqicms_instance", "anqicms_onyl"):
        run = player.play("restart", fleet.inventory, *extra(**{name: "x"}))
        refused(run, fleet, before, f"{name} (extra variable)")
    path = player.directory / "mine.yml"
    path.write_text(
        json.dumps(
            [{"name": "Mine", "import_playbook": "anqicms.lifecycle.restart", "vars": {"anqicms_onyl": ["0-x"]}}]
        )
    )
    run = player.play(str(path), fleet.inventory)
    refused(run, fleet, before, "anqicms_onyl (variable of the play or the task): meant is anqicms_only.")


def roles(directory: Path) -> Path:
    """A role of somebody else, whose variables look like ours."""
    parts = {"defaults": {"anqicms_instnces": 1}, "vars": {"anqicms_user_": "x", "anqicms_instance": 7}}
    for part, values in parts.items():
        place = directory / "roles" / "theirs" / part
        place.mkdir(parents=True, exist_ok=True)
        (place / "main.yml").write_text(json.dumps(values))
    return directory / "roles"


@pytest.mark.parametrize("how", ["task", "role", "file", "extra-file"])
def test_names_at_every_place_of_a_play(default_player: Player, make_fleet: Maker, tmp_path: Path, how: str) -> None:
    fleet = make_fleet(1)
    before = pids(fleet)
    slip = {"anqicms_stop_timout": 3}
    (tmp_path / "slip.yml").write_text(json.dumps(slip))
    play: dict[str, Any] = {"name": "Mine", "hosts": "anqicms", "gather_facts": False}
    task = {"name": "Stop", "ansible.builtin.import_role": {"name": "anqicms.lifecycle.stop"}}
    arguments: tuple[str, ...] = ()
    if how == "task":
        play["tasks"] = [{**task, "vars": slip}]
    elif how == "role":
        play["roles"] = [{"role": "anqicms.lifecycle.stop", **slip}]
    else:
        play["tasks"] = [task]
        if how == "file":
            play["vars_files"] = [str(tmp_path / "slip.yml")]
        else:
            arguments = ("-e", f"@{tmp_path / 'slip.yml'}")
    path = tmp_path / "mine.yml"
    path.write_text(json.dumps([play]))
    run = default_player.play(str(path), fleet.inventory, *arguments)
    refused(run, fleet, before, "anqicms_stop_timout")  # ansible-core itself refuses parameters of a role
    assert how == "role" or "meant is anqicms_stop_timeout" in run.output


def test_names_of_others_are_one_warning(player: Player, make_fleet: Maker, tmp_path: Path) -> None:
    """Their roles' variables are nobody's mistake; what a workflow hands on is known."""
    fleet = make_fleet(2)
    before = pids(fleet)
    write(
        fleet,
        {"anqicms_instances": [{"dir": str(fleet.instances[0].dir)}], "anqicms_backup_dir": "/b"},
        {"anqicms_db_password": "secret"},
    )
    handed = extra(anqicms_results={}, anqicms_diagnosis={}, anqicms_run_id="night", anqicms_version_pin="3.5")
    path = tmp_path / "mine.yml"
    path.write_text(
        json.dumps(
            [
                {
                    "name": "Mine",
                    "hosts": "anqicms",
                    "gather_facts": False,
                    "roles": ["theirs", "anqicms.lifecycle.restart"],
                }
            ]
        )
    )
    player.env["ANSIBLE_ROLES_PATH"] = str(roles(tmp_path))
    run = player.play(str(path), fleet.inventory, *QUICK, *handed)
    assert run.status == 0, run.output
    assert not set(pids(fleet)) & set(before)
    (warning,) = re.findall(r"\[WARNING\]: Not variables of.*?(?=\n\n|\nok|\nTASK)", run.output, re.DOTALL)
    for name in ("anqicms_backup_dir", "anqicms_db_password", "anqicms_version_pin"):
        assert name in " ".join(warning.split()), run.output
    assert "anqicms_results" not in warning and "secret" not in run.output
    assert {record["run_id"] for records in run.results.values() for record in records} == {"night"}
    after = pids(fleet)
    run = player.play("restart", fleet.inventory, *handed, "-e", "anqicms_strict=true")
    refused(run, fleet, after, "anqicms_strict refuses them", "anqicms_version_pin (extra variable)")


def test_changing_verb_needs_to_be_told_which(player: Player, make_fleet: Maker) -> None:
    fleet = make_fleet(2)
    before = pids(fleet)
    write(fleet, {})
    for verb in ("restart", "stop", "start"):
        run = player.play(verb, fleet.inventory, *QUICK)
        refused(run, fleet, before, "anqicms_instances is not set for this host", "REFUSED: not listed")
    text = run.output[run.output.index("# Found, for the inventory") :]
    pasted = yaml.safe_load(re.split(r"\n\S*\[|\n(?=ok|fatal|TASK)", text)[0])
    found = [entry["dir"] for entry in pasted["hosts"]["h1"]["anqicms_instances"]]
    assert str(fleet.instances[0].dir) in found
    write(fleet, {"anqicms_instances": "all"})
    refused(player.play("restart", fleet.inventory), fleet, before, "or the word discover")


def test_id_is_enough_and_an_empty_list_is_a_value(default_player: Player, make_fleet: Maker) -> None:
    fleet = make_fleet(2)
    before = pids(fleet)
    write(fleet, {"anqicms_instances": []})
    run = default_player.play("restart", fleet.inventory, *QUICK)
    assert run.status == 0, run.output
    assert "nothing to do: it has no instances" in run.output
    after = pids(fleet)
    assert after[0] == before[0] and after[1] != before[1]
    identity = run.results["h2"][0]["id"]
    run = default_player.play("restart", fleet.inventory, "--limit", "h1", *QUICK)
    refused(run, fleet, after, "No host has an instance to work on")
    whole = yaml.safe_load(fleet.inventory.read_text())
    del whole["anqicms"]["hosts"]["h2"]["anqicms_instances"]
    fleet.inventory.write_text(json.dumps(whole))
    run = default_player.play("restart", fleet.inventory, "--limit", "h2", *QUICK, *extra(anqicms_only=[identity]))
    assert run.status == 0, run.output
    assert pids(fleet)[1] != after[1]


STRANGER = 65534


def strangers_copy(site: Site) -> int:
    """Another user runs a copy below /tmp, and takes its config.json away, which refuses a restart."""
    port = site.instance.port + 1
    run = "setpriv --reuid=%d --clear-groups ./anqicms > /dev/null 2>&1 < /dev/null &" % STRANGER
    script = (
        f"cp -r {site.dir} /tmp/evil && cd /tmp/evil && sed -i s/{site.instance.port}/{port}/ config.json && "
        f"chown -R {STRANGER} . && {{ {run} }} ; sleep 2; rm config.json"
    )
    done = site.host.run("/bin/sh", "-c", script)
    assert done.status == 0, done.output
    found = until(lambda: [pid for pid in site.host.pids_of("./anqicms") if runs(site, pid)], "the stranger", 10, 0.1)
    return found[0]


def runs(site: Site, pid: int) -> bool:
    return site.host.run("/bin/readlink", f"/proc/{pid}/exe").output.strip() == "/tmp/evil/anqicms"


@pytest.mark.root
def test_what_somebody_else_put_there_is_shown_and_left_alone(bed: Bed, remote: Player, site: Site) -> None:
    before = site.start()
    stranger = strangers_copy(site)
    try:
        inventory = write_inventory(bed, [site], remote.directory / "hosts.json")
        whole = json.loads(inventory.read_text())
        whole["anqicms"]["hosts"][site.host.name]["anqicms_instances"] = "discover"
        inventory.write_text(json.dumps(whole))
        run = remote.play("restart", inventory, *QUICK)
        assert run.status == 0, run.output
        assert site.pid not in (0, before) and runs(site, stranger), run.output
        assert "not worked on: it is below /tmp, where all users may put files" in run.output
        assert [record["dir"] for record in run.results[site.host.name]] == [site.dir]
        shown = remote.play("discover", inventory)
        assert shown.status == 0 and "not worked on" in shown.output
        assert "- dir: /tmp/evil" not in shown.output and f"- dir: {site.dir}" in shown.output
    finally:
        site.host.kill([stranger])
        site.host.run("/bin/rm", "-r", "/tmp/evil")
