# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every variable reaches the table of integration/test_options.py through a real ansible-core, in each role.

All variables of a role at once: what one of them does wrong, the message or the run shows.
"""

from __future__ import annotations

import json
import os
import pwd
import re
from pathlib import Path
from typing import Any

import option_values
import pytest
import yaml
from e2e.conftest import Maker
from e2e.playing import Player, Run
from fleet import Fleet

VERBS = ("restart", "stop", "start", "recover", "diagnose", "prepare", "discover")
KEYWORDS = ("anqicms_hosts", "anqicms_serial", "anqicms_serial_by")
OF_FLEET = ("anqicms_state_dir", "anqicms_instances")  # an extra variable that is blank would hide the inventory's
LOOK = "Check the instances"


def of_verb(verb: str) -> list[str]:
    """What the role documents, read here without the code that is tested."""
    path = Path(__file__).parents[2] / "roles" / verb / "meta" / "argument_specs.yml"
    if not path.exists():
        return ["anqicms_search", "anqicms_state_dir", "anqicms_strict"]
    return list(yaml.safe_load(path.read_text())["argument_specs"]["main"]["options"])


def survey(directory: Path, values: dict[str, str]) -> tuple[str, str]:
    """Answers as AWX hands them over: a file in which each name and text is marked."""
    path = directory / "survey.yml"
    lines = (f"!unsafe {json.dumps(name)}: !unsafe {json.dumps(text)}\n" for name, text in values.items())
    path.write_text("".join(lines))
    return ("-e", f"@{path}")


def extra(values: dict[str, Any]) -> tuple[str, str]:
    return ("-e", json.dumps(values, default=str))


def message(run: Run) -> str:
    """The one line that says what is wrong."""
    found = re.findall(r'^fatal: .*?"msg": ("(?:[^"\\]|\\.)*")', run.output, re.MULTILINE)
    assert len(found) == 1, run.output
    return str(json.loads(found[0]))


def pids(fleet: Fleet) -> list[int]:
    return [one.pid for one in fleet.instances]


@pytest.mark.parametrize("how", ["null", "blank"])
def test_null_and_blank_are_the_default(player: Player, make_fleet: Maker, tmp_path: Path, how: str) -> None:
    """A whole fleet's life with each variable given and none of them meant: a site that is listed is asked."""
    fleet = make_fleet(1)
    (before,) = pids(fleet)
    port = f"port: {fleet.instances[0].port}"
    text = fleet.inventory.read_text()
    fleet.inventory.write_text(text.replace(port, f"{port}\n          sites: [{{host: shop.example}}]"))
    for verb in ("discover", "prepare", "restart", "stop", "start", "recover", "diagnose"):
        names = [*of_verb(verb), *KEYWORDS]
        names = [name for name in names if name not in OF_FLEET]
        given = extra(dict.fromkeys(names)) if how == "null" else survey(tmp_path, dict.fromkeys(names, ""))
        run = player.play(verb, fleet.inventory, *given)
        assert run.status == 0, run.output
        if verb in ("restart", "stop", "start"):
            (record,) = run.results["h1"]
            assert record["outcome"] == "done", run.output
            assert all((record[key] is None) == (verb == "stop") for key in ("sites", "findings")), run.output
    assert pids(fleet)[0] not in (0, before)


def texts(fleet: Fleet, tmp_path: Path, identity: str) -> dict[str, str]:
    (instance,) = fleet.instances
    hook = tmp_path / "hook.yml"
    hook.write_text(json.dumps([{"name": "A hook", "ansible.builtin.debug": {"msg": "the hook saw it"}}]))
    return {
        "instances": json.dumps([{"dir": str(instance.dir), "sites": [{"host": "shop.example"}]}]),
        "only": f"0123abcd-not-here\n{identity}\n", "user": pwd.getpwuid(os.geteuid()).pw_name, "run_id": "night-7",
        "strict": "true", "unreachable": "skip", "unreachable_fails": "true",
        "accept_hazards": "config_missing,port_mismatch", "only_if_needed": "false",
        "before_window": f"- {hook}\n- {hook}", "after_window": json.dumps([str(hook)]),
        "stop_timeout": "20", "idle_timeout": "1.5", "quiet_timeout": "7", "migration_timeout": "8", "force": "never",
        "release_timeout": "9",
        "ready_timeout": "60", "ready_limit": "70", "stable_for": "0.1", "log_check": "no",
        "log_ignore": "sql_error\na.b", "log_fail_on": "warning", "site_check": "false",
        "site_through": "proxy", "site_proxy": "port: 8080",
        "site_timeout": "3", "warm_up": "2", "deadline": "300", "guardian_limit": "400", "since": "2026-01-01 10:00",
        "until": "2026-01-02T10:00:00", "report": str(tmp_path / "report.json"), "collect": "true",
        "collect_dir": str(tmp_path / "evidence"), "search": str(fleet.root), "hosts": "h1,h2", "serial": "1,50%",
    }  # fmt: skip


def test_texts_are_the_values_that_belong_there(player: Player, make_fleet: Maker, tmp_path: Path) -> None:
    fleet = make_fleet(1)
    (before,) = pids(fleet)
    run = player.play("restart", fleet.inventory, "-e", "anqicms_stable_for=0.1")
    identity = run.results["h1"][0]["id"]
    values = {"anqicms_" + name: text for name, text in texts(fleet, tmp_path, identity).items()}
    for verb in VERBS:
        names = [name for name in [*of_verb(verb), *KEYWORDS] if name in values]
        run = player.play(verb, fleet.inventory, *survey(tmp_path, {name: values[name] for name in names}))
        assert run.status == 0, run.output
        if verb == "restart":
            (record,) = run.results["h1"]
            assert (record["run_id"], record["outcome"], record["findings"]) == ("night-7", "done", None), run.output
            assert run.output.count("the hook saw it") == 3, run.output
    assert json.loads((tmp_path / "report.json").read_text())["run_id"] == "night-7"
    assert list((tmp_path / "evidence" / "night-7" / "h1").iterdir())
    assert pids(fleet)[0] not in (0, before)


def test_wrong_values_are_all_named_before_anything_is_looked_at(player: Player, make_fleet: Maker) -> None:
    fleet = make_fleet(1)
    before = pids(fleet)
    for verb in VERBS:
        wrong = {name: option_values.ROWS[name].wrong[0] for name in of_verb(verb)}
        run = player.play(verb, fleet.inventory, *extra(wrong))
        assert (run.status, LOOK in run.output, pids(fleet)) == (2, False, before), run.output
        said = message(run)
        assert said.isprintable() and said.endswith(" Nothing was inspected or changed."), said
        for name in wrong:
            assert re.search(rf"(?:^|\. ){name} must be [^.]", said), (name, said)
        assert said.count("(extra variable).") == len(wrong), said
        slips = {name + "_": 1 for name in wrong}
        run = player.play(verb, fleet.inventory, *extra(slips))
        assert (run.status, LOOK in run.output, pids(fleet)) == (2, False, before), run.output
        for name in wrong:
            assert f"{name}_ (extra variable): meant is {name}." in message(run)


def test_wrong_play_keywords_are_one_error(player: Player, make_fleet: Maker) -> None:
    fleet = make_fleet(1)
    before = pids(fleet)
    for name in KEYWORDS:
        for wrong in option_values.ROWS[name].wrong[:3]:
            run = player.play("restart", fleet.inventory, *extra({name: wrong}))
            assert run.status != 0 and pids(fleet) == before, run.output
            lines = [line for line in run.output.splitlines() if f"{name} must be " in line]
            assert lines and "Nothing was" in lines[0] and "Traceback" not in run.output, run.output
            assert LOOK not in run.output


@pytest.mark.parametrize("how", ["roles", "import_role", "include_role"])
def test_role_used_directly_is_the_same(player: Player, make_fleet: Maker, tmp_path: Path, how: str) -> None:
    fleet = make_fleet(2)
    before = pids(fleet)
    play: dict[str, Any] = {"name": "Mine", "hosts": "anqicms", "gather_facts": False, "serial": 1}
    name = "anqicms.lifecycle.restart"
    if how == "roles":
        play["roles"] = [name]
    else:
        play["tasks"] = [{"name": "Restart", f"ansible.builtin.{how}": {"name": name}}]
    path = tmp_path / "mine.yml"
    path.write_text(json.dumps([play]))
    wrong = {name: option_values.ROWS[name].wrong[0] for name in of_verb("restart")}
    run = player.play(str(path), fleet.inventory, *extra(wrong))
    assert (run.status, LOOK in run.output, pids(fleet)) == (2, False, before), run.output
    assert all(f"{name} must be " in message(run) for name in wrong)
    blank = {name: None for name in of_verb("restart") if name not in OF_FLEET}
    run = player.play(str(path), fleet.inventory, *extra(blank))
    assert run.status == 0, run.output
    assert not set(pids(fleet)) & {0, *before}


def test_what_is_wrong_on_a_later_host_refuses_the_whole_run(default_player: Player, make_fleet: Maker) -> None:
    """Before: the roll ended in its middle, at the first batch with a host like this."""
    fleet = make_fleet(3)
    before = pids(fleet)
    whole = yaml.safe_load(fleet.write_inventory().read_text())
    whole["anqicms"]["hosts"]["h3"].update(anqicms_log_ignore=["no_such_code"], anqicms_stable_for="{{ 'soon' }}")
    fleet.inventory.write_text(json.dumps(whole))
    run = default_player.play("restart", fleet.inventory)
    assert (run.status, pids(fleet)) == (2, before), run.output
    said = message(run)
    assert "anqicms_log_ignore must be " in said and "unknown finding code: no_such_code" in said, said
    assert "anqicms_stable_for must be a number of seconds, 0 or more. It is 'soon' (variable of h3)." in said
