# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the filters decide and show on the controller, with answers as hosts give them, hostile ones too."""

from __future__ import annotations

import sys
from typing import Any

import paths
import pytest

sys.path.insert(0, str(paths.link_tree()))

from ansible.errors import AnsibleFilterError

from ansible_collections.anqicms.lifecycle.plugins.filter.batches import batches
from ansible_collections.anqicms.lifecycle.plugins.filter.outcome import outcome
from ansible_collections.anqicms.lifecycle.plugins.filter.outcome_line import outcome_line
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _plan, _table, _text

EVIL = 'x {{ lookup("pipe", "id") }} {% set a = 1 %}{# c #}\x1b[31m\r\nok: done \u202e'


def instance(directory: str = "/www/a", **values: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "id": "1234abcd-a",
        "dir": directory,
        "binary": "anqicms",
        "state": "running",
        "pids": [7],
        "port": 8001,
        "version": {"running": "3.5.8", "files": "3.5.8"},
        "hazards": [],
    }
    return {**facts, **values}


def hazard(code: str, *blocks: str) -> dict[str, Any]:
    return {"code": code, "severity": "block", "blocks": list(blocks), "message": "it is so", "advice": "mend it"}


def found(*instances: dict[str, Any], **listed: Any) -> dict[str, Any]:
    return {"results": [{"anqicms__listed": listed, "instances": list(instances)}]}


def test_only_the_instances_that_are_asked_for() -> None:
    """A sibling that would be refused does not stand in the way, and is not shown."""
    bad = instance("/www/b", id="5678abcd-b", hazards=[hazard("config_missing", "restart")])
    both = found(instance(), bad)
    assert _plan.make_plan(both, "restart").refusals
    plan = _plan.make_plan(both, "restart", only=["1234abcd-a"])
    assert ([one["dir"] for one in plan.instances], plan.refusals) == (["/www/a"], [])
    rows = _table.host_rows("h1", {"anqicms__found": both, "anqicms_only": "1234abcd-a"}, "restart")
    assert [row[0][1] for row in rows] == ["/www/a"]


def test_an_id_that_the_host_does_not_have() -> None:
    plan = _plan.make_plan(found(instance()), "restart", only=["9999abcd-x"])
    assert plan.instances == []
    assert "9999abcd-x" in plan.refusals[0]


def test_what_could_not_be_looked_at_refuses_though_others_are_asked_for() -> None:
    both = {"results": [{"msg": "no such directory"}, found(instance())["results"][0]]}
    plan = _plan.make_plan(both, "restart", only=["1234abcd-a"])
    assert "no such directory" in plan.refusals[0]


@pytest.mark.parametrize(
    "given, expected",
    [
        (3, [3]),
        ("25%", ["25%"]),
        ("1, 10%,25%", [1, "10%", "25%"]),
        ("[1, '10%']", [1, "10%"]),
        ([1, "100%"], [1, "100%"]),
    ],
)
def test_batches(given: Any, expected: list[Any]) -> None:
    assert batches(given) == expected


@pytest.mark.parametrize("given", [0, "0%", "", [], "ten", "-1", "1;2", "{{ x }}"])
def test_batches_refuses_what_is_no_size(given: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="anqicms_serial"):
        batches(given)


def test_hazard_blocks_its_verbs_only_and_can_be_accepted() -> None:
    answer = found(instance(hazards=[hazard("config_missing", "restart", "start")]))
    assert "config_missing: it is so. mend it" in _plan.make_plan(answer, "restart").refusals[0]
    assert _plan.make_plan(answer, "stop").refusals == []
    accepted = _plan.make_plan(answer, "restart", ["config_missing"])
    assert [entry["dir"] for entry in accepted.instances] == ["/www/a"]


@pytest.mark.parametrize(
    "answer, word",
    [
        ({}, "not looked at"),
        ({"results": [{"anqicms__listed": {"dir": "/www/a"}, "msg": "no such directory"}]}, "no such directory"),
        (found(), "no instance was found"),
        (found(instance(), instance()), "listed more than once"),
        (found(instance(dir="/www/{{ x }}")), "template marks"),
        (found(instance(binary="a\nb")), "control characters"),
    ],
)
def test_what_cannot_be_trusted_refuses(answer: Any, word: str) -> None:
    (refusal,) = _plan.make_plan(answer, "restart").refusals
    assert word in refusal


def test_missing_python_refuses_once_for_all_instances_of_a_host() -> None:
    rows = [{"anqicms__listed": {"dir": f"/www/{name}"}, "msg": "No Python", "python_missing": True} for name in "ab"]
    (refusal,) = _plan.make_plan({"results": rows}, "restart").refusals
    assert refusal.startswith("this host: ") and "No Python" in refusal


@pytest.mark.parametrize(
    "facts, taken",
    [
        ({}, False),
        ({"state": "stopped"}, True),
        ({"hazards": [hazard("binary_replaced", "stop")]}, True),
        ({"hazards": [hazard("low_disk", "upgrade")]}, False),
    ],
)
def test_only_if_needed(facts: dict[str, Any], taken: bool) -> None:
    plan = _plan.make_plan(found(instance(**facts)), "restart", only_if_needed=True)
    assert (len(plan.instances), len(plan.skipped)) == ((1, 0) if taken else (0, 1))


def test_unreachable_host_is_left_out_and_shown() -> None:
    answer = {"unreachable": True, "results": [{"unreachable": True, "anqicms__listed": {}}]}
    plan = _plan.make_plan(answer, "restart")
    assert (plan.instances, plan.refusals, plan.unreachable) == ([], [], True)
    lines = _table.table(_table.host_rows("h1", {"anqicms__found": answer}, "restart"))
    assert lines[1].endswith("unreachable, left out")


def test_nothing_that_a_host_says_reaches_the_terminal_or_a_template() -> None:
    text = _text.shown(EVIL)
    assert text.isprintable() and "{{" not in text and "{%" not in text and "{#" not in text
    lines = _table.table(_table.host_rows("h1", {"anqicms__found": found(instance(EVIL))}, "restart"))
    record = outcome(instance(), {"failed": True, "outcome": "failed"}, {"dir": "/www/a", "task": "T", "msg": EVIL})
    for line in [*lines, outcome_line(record, "h1")]:
        assert line.isprintable() and "{{" not in line and "{%" not in line
    assert len(lines) == 2, "one line stays one line"


def test_result_of_another_instance_is_not_taken_for_this_one() -> None:
    left = {"outcome": "done", "changed": True, "instance": {"dir": "/www/other"}, "pid_after": 9}
    failure = {"dir": "/www/a", "task": "Hook", "msg": "it refused"}
    record = outcome(instance(), left, failure, "run")
    assert (record["outcome"], record["pid_after"], record["reason"]) == ("failed", None, "Hook: it refused")
    assert outcome(instance("/www/other"), left, failure)["outcome"] == "done"


@pytest.mark.parametrize(
    "result, check_mode, expected",
    [
        ({"outcome": "done", "changed": True}, False, "done"),
        ({"outcome": "unchanged", "changed": False}, False, "unchanged"),
        ({"outcome": "rolled_back", "failed": True, "changed": True}, False, "rolled_back"),
        ({"unreachable": True, "msg": "gone"}, False, "lost"),
        ({"changed": True}, True, "planned"),
        ({"changed": True, "stopped": True}, False, "done"),
    ],
)
def test_outcome(result: dict[str, Any], check_mode: bool, expected: str) -> None:
    record = outcome(instance(), result, None, "run", check_mode)
    assert record["outcome"] == expected
    assert record["failed"] == (expected in ("rolled_back", "lost"))
