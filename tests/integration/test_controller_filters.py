# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the filters decide and show on the controller, with answers as hosts give them, hostile ones too."""

from __future__ import annotations

import sys
from typing import Any

import paths
import pytest
import yaml

sys.path.insert(0, str(paths.link_tree()))

from ansible.errors import AnsibleFilterError

from ansible_collections.anqicms.lifecycle.plugins.filter.batches import batches
from ansible_collections.anqicms.lifecycle.plugins.filter.outcome import outcome
from ansible_collections.anqicms.lifecycle.plugins.filter.outcome_line import outcome_line
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _ends, _plan, _table, _tags, _text

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
    assert [(row[0][1], row[0][-1]) for row in rows] == [("1234abcd-a", "/www/a")]


def test_user_who_may_not_look_is_told_so_once() -> None:
    """Of a host, not of each instance, and without the symptoms; one who accepts that is told them."""
    codes = ("hidden_processes", "config_unreadable", "port_held_by_stranger")
    blind: dict[str, Any] = {"hazards": [hazard(code, "restart") for code in codes]}
    both = found(instance(**blind), instance("/www/b", id="5678abcd-b", **blind))
    (refusal,) = _plan.make_plan(both, "restart").refusals
    assert refusal.startswith("/www/a: hidden_processes: ")
    rows = _table.host_rows("h1", {"anqicms__found": both}, "restart")
    assert [len(notes) for _cells, notes in rows] == [1, 1]
    assert len(_plan.make_plan(both, "restart", ["hidden_processes"]).refusals) == 4
    rows = _table.host_rows("h1", {"anqicms__found": both, "anqicms_accept_hazards": "hidden_processes"}, "restart")
    assert [len(notes) for _cells, notes in rows] == [3, 3]


LOOKED: dict[str, Any] = {"anqicms__found": {"results": [{"instances": [{}]}]}}
GONE = {"anqicms__found": {"unreachable": True, "results": [{"unreachable": True}]}}


@pytest.mark.parametrize(
    "verb, facts, expected",
    [
        ("restart", LOOKED, True),
        ("restart", {**LOOKED, "anqicms__restart_result": {}}, False),
        ("restart", {**LOOKED, "anqicms__stop_result": {}}, True),
        ("restart", GONE, False),
        ("restart", {"anqicms__found": {"results": []}}, False),
        ("prepare", {"anqicms__asked": {"stdout": ""}}, True),
        ("prepare", {"anqicms__asked": {"unreachable": True}}, False),
        ("prepare", {"anqicms__asked": {}, "anqicms__installing": {"skipped": True}}, False),
    ],
)
def test_hosts_that_were_not_reached(verb: str, facts: dict[str, Any], expected: bool) -> None:
    assert _ends.not_reached({"h1": facts}, verb) == (["h1"] if expected else [])
    assert _ends.is_left_out(facts) == (facts is GONE or "unreachable" in facts.get("anqicms__asked", {}))


@pytest.mark.parametrize(
    "run, skip, own, known, included, word",
    [
        ("all", "", "", "", False, ""),
        ("x", "", "", "", False, "no task of this run has the tag x. Known are: none."),
        ("all", "y", "", "a", False, "no task of this run has the tag y. Known are: a."),
        ("all", "molecule-notest,notest", "", "", False, ""),  # as Molecule always does
        ("all", "molecule-notest,y", "", "", False, "has the tag y"),
        ("notest", "", "", "", False, "has the tag notest"),
        ("roll", "", "roll", "roll", False, ""),
        ("nginx", "", "", "nginx", False, ""),  # somebody else's tasks are meant
        ("nginx,nginxx", "", "", "nginx", False, "has the tag nginxx"),
        ("always", "", "", "", False, "leave nothing to do"),
        ("tagged", "", "", "", False, "leave nothing to do"),
        ("untagged", "", "", "", False, ""),
        ("all", "untagged", "", "", False, "leave nothing to do"),
        ("tagged", "", "roll", "roll", False, ""),
        ("roll", "", "", "roll", True, "use import_role, or apply"),
        ("x", "", "", None, False, ""),  # what is included later may have it
    ],
)
def test_tags(run: str, skip: str, own: str, known: str | None, included: bool, word: str) -> None:
    ran, skipped, owned = (frozenset(text.split(",")) - {""} for text in (run, skip, own))
    tags = _tags.Tags(ran, skipped, owned, known=None if known is None else frozenset(known.split(",")) - {""})
    said = _tags.refusal(tags, included)
    assert (word in said) if word else not said, said


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


@pytest.mark.parametrize("given", [0, "0%", [], "ten", "-1", "1;2", "{{ x }}"])
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
        ({}, "no preflight result"),
        ({"results": [{"anqicms__listed": {"dir": "/www/a"}, "msg": "no such directory"}]}, "no such directory"),
        (found(), "no instance was found"),
        (found(instance(), instance()), "listed more than once"),
        (found(instance(dir="/www/{{ x }}"), dir="/www/a"), "template marks"),
        (found(instance(binary="a\nb"), dir="/www/a"), "control characters"),
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


# --- which instances, and who says so


def looked_at(value: Any, *instances: dict[str, Any], verb: str = "restart") -> dict[str, Any]:
    """What a look registers on a host whose anqicms_instances is that, when it finds these instances."""
    entries = _plan.listed(value, verb)
    return {"results": [{"anqicms__listed": entry, "instances": list(instances)} for entry in entries]}


@pytest.mark.parametrize("verb", ["restart", "stop", "start", "upgrade"])
def test_changing_verb_works_on_nothing_that_nobody_named(verb: str) -> None:
    plan = _plan.make_plan(looked_at(None, instance(), verb=verb), verb)
    assert (plan.instances, plan.unlisted) == ([], True)
    assert "anqicms_instances is not set" in plan.refusals[0]
    for value, only in ((None, ["1234abcd-a"]), ("discover", []), ([{"dir": "/www/a"}], [])):
        plan = _plan.make_plan(looked_at(value, instance(), verb=verb), verb, only=only)
        assert ([one["dir"] for one in plan.instances], plan.refusals) == (["/www/a"], [])


def test_host_that_could_not_be_looked_at_says_why_and_not_that_a_list_is_missing() -> None:
    (entry,) = _plan.listed(None, "restart")
    answer = {"results": [{"anqicms__listed": entry, "msg": "No Python was found.", "python_missing": True}]}
    plan = _plan.make_plan(answer, "restart")
    assert not plan.unlisted
    assert "No Python was found" in plan.refusals[0]


@pytest.mark.parametrize("verb", ["recover", "diagnose"])
def test_verb_that_looks_finds_by_itself(verb: str) -> None:
    plan = _plan.make_plan(looked_at(None, instance(), verb=verb), verb)
    assert ([one["dir"] for one in plan.instances], plan.refusals) == (["/www/a"], [])


def test_empty_list_is_a_host_without_instances() -> None:
    answer = looked_at([])
    assert _plan.make_plan(answer, "restart") == _plan.Plan([], [], [], False)
    lines = _table.table(_table.host_rows("h1", {"anqicms__found": answer}, "restart"))
    assert lines[1].endswith("nothing to do: it has no instances")
    assert _plan.make_plan(answer, "restart", only=["1234abcd-a"]).refusals


@pytest.mark.parametrize(
    "value, word",
    [
        ("all", "'all'"),
        ({"dir": "/www/a"}, "must be a list"),
        ("/www/a", "With -e write it as JSON"),
        (["/www/a"], "must be a list of dictionaries with dir"),
        ([{"port": 8001}], "missing required arguments: dir"),
        ([{"dir": "/www/a", "prot": 8001}], "prot"),
        ([{"dir": "/www/a", "port": "many"}], "port"),
    ],
)
def test_what_is_no_list_of_instances(value: Any, word: str) -> None:
    with pytest.raises(ValueError, match="anqicms_instances must be") as caught:
        _plan.listed(value, "restart")
    assert word in str(caught.value)


def test_look_of_another_verb_is_not_read() -> None:
    plan = _plan.make_plan(looked_at([{"dir": "/www/a"}], instance(), verb="stop"), "start")
    assert plan.instances == []
    assert "no preflight result" in plan.refusals[0]


def test_what_is_meant_for_another_verb_is_not_read() -> None:
    facts = {"anqicms__found": found(instance()), "anqicms_only_if_needed": True}
    for verb, plan in (("restart", "skip: runs its newest binary"), ("upgrade", "upgrade"), ("stop", "stop")):
        assert plan in "\n".join(_table.table(_table.host_rows("h1", facts, verb)))


FOREIGN = {"foreign": "its directory belongs to mallory"}


@pytest.mark.parametrize("facts", [FOREIGN, {"dir": "/tmp/{{ x }}"}, {"binary": "a\x1bb"}])
def test_found_install_of_somebody_else_is_shown_and_ends_nothing(facts: dict[str, Any]) -> None:
    bad = instance("/tmp/b", hazards=[hazard("several_processes", "restart", "recover")], id="5678abcd-b")
    answer = looked_at("discover", {**bad, **facts}, instance())
    plan = _plan.make_plan(answer, "restart")
    assert ([one["dir"] for one in plan.instances], plan.refusals) == (["/www/a"], [])
    assert plan.skipped[0]["reason"].startswith("not worked on: its")
    lines = _table.table(_table.host_rows("h1", {"anqicms__found": answer}, "restart"))
    assert "not worked on: its" in lines[1]
    assert [entry["dir"] for entry in _plan.inventory(answer["results"][0]["instances"])] == ["/www/a"]


def test_install_of_somebody_else_that_is_named_is_judged_as_any() -> None:
    bad = instance(**FOREIGN, hazards=[hazard("several_processes", "restart")])
    assert _plan.make_plan(looked_at([{"dir": "/www/a"}], bad), "restart").refusals
    assert _plan.make_plan(looked_at("discover", bad), "restart", only=["1234abcd-a"]).refusals


def test_what_was_found_can_be_pasted_into_the_inventory() -> None:
    odd = instance("/www/a: b #1", id="5678abcd-b", port=8002)
    bad = instance("/www/{{ x }}", id="9999abcd-b")
    text = _table.for_inventory({"web1.example": looked_at(None, instance(), odd, bad), "7": looked_at(None)})
    assert yaml.safe_load(text) == {
        "hosts": {
            "web1.example": {
                "anqicms_instances": [
                    {"dir": "/www/a", "binary": "anqicms", "port": 8001},
                    {"dir": "/www/a: b #1", "binary": "anqicms", "port": 8002},
                ]
            },
            "7": {"anqicms_instances": []},
        }
    }
    assert "# left out: /www/" in text and "{{" not in text


# --- results of several tasks as one record


def test_no_result_and_a_skipped_one_are_failures() -> None:
    for result in (None, {}, {"skipped": True, "changed": False}):
        record = outcome(instance(), result, verb="start")
        assert (record["outcome"], record["failed"]) == ("failed", True)
        assert "no result" in record["reason"]


@pytest.mark.parametrize(
    "verb, word",
    [("restart", "completes"), ("recover", "completes"), ("stop", "not known"), ("start", "not known")],
)
def test_only_a_worker_goes_on_after_a_lost_connection(verb: str, word: str) -> None:
    record = outcome(instance(), {"unreachable": True, "msg": "gone"}, verb=verb)
    assert (record["outcome"], record["state"]) == ("lost", "unknown")
    assert word in record["reason"]
    assert ("completes the started work" in record["reason"]) == (verb in ("restart", "recover"))


STARTED = {"changed": True, "ready_ms": 12, "pid": 9, "state": "running"}
READ: dict[str, Any] = {"findings": []}
ASKED: dict[str, Any] = {"sites": []}


@pytest.mark.parametrize(
    "checks, expected, findings, sites",
    [
        ({"log_check": READ, "site_check": ASKED}, "done", [], []),
        ({"log_check": {"skipped": True}, "site_check": ASKED}, "done", None, []),
        ({"log_check": {"unreachable": True, "msg": "gone"}, "site_check": ASKED}, "lost", None, None),
        ({"log_check": READ, "site_check": {"unreachable": True}}, "lost", [], None),
        ({"log_check": {**READ, "failed": True}, "site_check": ASKED}, "failed", [], None),
    ],
)
def test_checks_after_a_start(checks: Any, expected: str, findings: Any, sites: Any) -> None:
    record = outcome(instance(), STARTED, verb="start", checks=checks)
    assert (record["outcome"], record["findings"], record["sites"]) == (expected, findings, sites)
    assert (record["state"], record["pid_after"]) == ("running", 9)


def test_checks_of_the_instance_before_are_not_read() -> None:
    failed = {"failed": True, "msg": "no"}
    record = outcome(instance(), failed, verb="start", checks={"log_check": READ, "site_check": ASKED})
    assert (record["outcome"], record["findings"], record["sites"]) == ("failed", None, None)
