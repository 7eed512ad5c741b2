# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known of the runs of one ansible-playbook: plans and records as they come, and what got lost between."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _outcome, _plan
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._run import collect, document, planned, results

NOW = 1795329900.0
FOUND: dict[str, Any] = {"id": "0a-shop", "dir": "/www/shop", "binary": "anqicms", "state": "running", "pids": [7]}
FOUND["version"] = {"running": "3.5.8", "files": "3.5.8"}


def plan(*hosts: str, play: str = "p1", verb: str = "restart", **values: Any) -> dict[str, Any]:
    rows = [[host, f"0a-{host}", f"/www/{host}", "3.5.8", "running", "", ""] for host in hosts]
    return {"play": play, "verb": verb, "run_id": "night-7", "began_at": NOW, "planned": rows, **values}


def record(host: str, outcome: str = "done", verb: str = "restart") -> dict[str, Any]:
    bad = outcome in _outcome.BAD
    return {"host": host, "id": f"0a-{host}", "run_id": "night-7", "verb": verb, "outcome": outcome, "failed": bad}


def outcomes(run: collect.Run, interrupted: bool = False) -> dict[str, str]:
    return {row["host"]: row["outcome"] for row in run.document(interrupted)["instances"]}


def collected(*events: Any) -> collect.Collector:
    """A plan, a record, or a call with its arguments."""
    collector = collect.Collector()
    for event in events:
        if isinstance(event, tuple):
            getattr(collector, event[0])(*event[1:])
        elif "planned" in event:
            collector.add_plan(event, NOW)
        else:
            collector.add_records([event], NOW + 1)
    return collector


def test_a_run_is_its_plan_and_its_records() -> None:
    (run,) = collected(plan("h1", "h2"), record("h1")).runs
    assert outcomes(run) == {"h1": "done", "h2": "not_touched"}
    assert (run.document()["run_id"], run.document()["ended_at"]) == ("night-7", NOW + 1)


def test_what_was_checked_before_the_plan_is_the_same_run() -> None:
    (run,) = collected({**plan(run_id=""), "message": ""}, plan("h1"), record("h1")).runs
    assert (outcomes(run), run.run_id) == ({"h1": "done"}, "night-7")


def test_batches_of_a_foreign_play_are_one_run() -> None:
    first = plan("h1")
    first["planned"].append(["h2", "", "", "", "unknown", "", ""])
    (run,) = collected(first, record("h1"), plan("h2"), record("h2")).runs
    assert outcomes(run) == {"h1": "done", "h2": "done"}


@pytest.mark.parametrize(("play", "verb"), [("p2", "restart"), ("p1", "stop")])
def test_another_play_or_verb_is_another_run(play: str, verb: str) -> None:
    runs = collected(plan("h1"), record("h1"), plan("h1", play=play, verb=verb), record("h1", "failed", verb)).runs
    assert [outcomes(run) for run in runs] == [{"h1": "done"}, {"h1": "failed"}]


def test_work_of_a_role_without_its_preflight_is_a_run() -> None:
    (run,) = collected(record("h1")).runs
    assert (outcomes(run), run.run_id, run.verb) == ({"h1": "done"}, "night-7", "restart")


def test_the_instance_in_work_is_lost_if_the_run_is_interrupted() -> None:
    (run,) = collected(plan("h1", "h2", "h3"), ("add_work", "h1"), record("h1"), ("add_work", "h2")).runs
    assert outcomes(run, interrupted=True) == {"h1": "done", "h2": "lost", "h3": "not_touched"}
    made = run.document(interrupted=True)
    assert (made["ended"], made["instances"][1]["dir"]) == ("interrupted", "/www/h2")
    assert "completes the started work" in made["instances"][1]["reason"]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([("add_unreachable", "h1", "gone", "p2", NOW)], "lost"),  # in a hook of a later play
        ([("add_work", "h1"), ("add_unreachable", "h1", "gone", "p1", NOW)], "lost"),  # a role
        ([("add_unreachable", "h1", "gone", "p1", NOW)], "not_touched"),  # in the preflight
        ([("add_unreachable", "h1", "gone", "p2", NOW), record("h1")], "done"),  # it came back
        ([("add_work", "h1"), ("add_unreachable", "h1", "gone", "p2", NOW), record("h1", "lost")], "lost"),
    ],
)
def test_an_unreachable_host(events: list[Any], expected: str) -> None:
    (run,) = collected(plan("h1", "h2"), *events).runs
    assert outcomes(run) == {"h1": expected, "h2": "not_touched"}


def test_hosts_that_were_all_unreachable_are_known_without_a_plan() -> None:
    (run,) = collected(plan(), ("add_unreachable", "h1", "gone", "p1", NOW)).runs
    assert outcomes(run) == {"h1": "not_touched"} and run.document()["ended"] == "failed"


# --- as tasks see it


def facts(seen: dict[str, Any] | None, *records: dict[str, Any], of: dict[str, Any] | None = None) -> dict[str, Any]:
    kept = {"of": of or {"play": "p1", "verb": "restart"}, "records": list(records)}
    return {"anqicms__shown": {"run": seen}, "anqicms__reported": kept if records else {}}


def test_tasks_see_the_same() -> None:
    seen = plan("h1", "h2", "h3")
    of_hosts = {"h1": facts(seen, record("h1")), "h2": facts(seen, record("h2", "failed")), "h3": facts(seen)}
    run = collect.of_tasks(of_hosts, seen, [], NOW)
    assert outcomes(run) == {"h1": "done", "h2": "failed", "h3": "not_touched"}


def test_tasks_do_not_take_what_is_left_of_another_run() -> None:
    old = {"play": "p0", "verb": "restart"}
    seen = plan("h1", "h2")
    of_hosts = {"h1": facts(seen, record("h1"), of=old), "h2": facts(plan("h2", "h9", play="p0"))}
    assert outcomes(collect.of_tasks(of_hosts, seen, [], NOW)) == {"h1": "not_touched", "h2": "not_touched"}


def test_tasks_know_a_lost_host_and_not_the_rest_of_one_that_failed() -> None:
    seen = plan("h1", "h2")
    seen["planned"].append(["h2", "0b-blog", "/www/blog", "3.5.8", "running", "", ""])
    of_hosts = {"h1": facts(seen), "h2": facts(seen, record("h2", "failed"))}
    run = collect.of_tasks(of_hosts, seen, ["h1", "h2"], NOW)
    assert [row["outcome"] for row in run.document()["instances"]] == ["lost", "failed", "not_touched"]


@pytest.mark.parametrize(("name", "verb", "count"), [
    ("anqicms__batch", "restart", 1), ("anqicms__canary", "restart", 1), ("anqicms__batch", "stop", 0),
])  # fmt: skip
def test_tasks_know_what_became_of_the_notifications_of_the_canary(name: str, verb: str, count: int) -> None:
    """It is registered on all hosts of a batch."""
    seen = plan("h1", "h2", "h3")
    sent = {"of": {"play": "p1", "verb": verb}, "notifications": [{"type": "slack", "event": "canary", "ok": True}]}
    of_hosts = {"h1": facts(seen), "h2": {**facts(seen), name: sent}, "h3": {**facts(seen), name: sent}}
    assert len(collect.of_tasks(of_hosts, seen, [], NOW).document()["notifications"]) == count


# --- what is planned


def planned_of(*instances: dict[str, Any], only: tuple[str, ...] = (), how: str = "list") -> list[tuple[str, str, str]]:
    found = {"results": [{"anqicms__listed": {"how": how, "dir": "/www/shop"}, "instances": list(instances)}]}
    made = _plan.make_plan(found, "restart", only_if_needed=True, only=only)
    return [(row.id, row.why, row.reason) for row in planned.of_host("h1", found, made, only)]


def test_each_instance_that_was_found_is_planned_or_has_its_reason() -> None:
    stopped = {**FOUND, "id": "0b-blog", "dir": "/www/blog", "state": "stopped"}
    assert planned_of(FOUND, stopped) == [("0a-shop", "not_needed", "runs its newest binary"), ("0b-blog", "", "")]
    assert planned_of(FOUND, stopped, only=("0b-blog",)) == [("0a-shop", "only", ""), ("0b-blog", "", "")]


def test_a_refusal_stands_at_its_instance() -> None:
    hazard = {"code": "config_missing", "blocks": ["restart"], "message": "none", "advice": "Restore it."}
    assert planned_of({**FOUND, "hazards": [hazard]}) == [("0a-shop", "", "config_missing: none. Restore it.")]


def test_hosts_without_an_instance() -> None:
    unreachable = _plan.make_plan({"unreachable": True}, "restart")
    assert planned.of_host("h1", {"unreachable": True}, unreachable, ()) == [document.Planned("h1", why="unreachable")]
    assert planned.of_host("h1", None, _plan.make_plan(None, "restart"), ())[0].reason.startswith(
        "There is no preflight"
    )
    rows = planned.others(["h1"], ["h1", "h2", "h3"], ["h1", "h2", "h3", "h4"], {"h2"})
    assert [(row.host, row.why, bool(row.reason)) for row in rows] == [
        ("h2", "", True),
        ("h3", "", False),
        ("h4", "limit", False),
    ]


# --- what programs and AWX get


def full_record(host: str, number: int) -> dict[str, Any]:
    """As a restart makes it whose log and sites were checked."""
    window = {
        "outcome": "done",
        "changed": True,
        "pid_before": 7,
        "pid_after": 8,
        "state": "running",
        "version": "3.5.8",
    }
    window.update(downtime_ms=120, verified_ms=1290, began_at=NOW, ended_at=NOW + 2)
    results_of_steps = {"log_check": {"findings": []}, "site_check": {"sites": [{"host": "shop.example", "ok": True}]}}
    window["steps"] = [
        {"name": name, "started_ms": 10, "ended_ms": 1290, "changed": True, "result": results_of_steps.get(name, {})}
        for name in ("graceful_stop", "port_released", "verified_start", "log_check", "site_check")
    ]
    instance = {**FOUND, "id": f"4b1d0a7{number}-shop.example", "dir": "/www/wwwroot/shop.example"}
    return _outcome.make_record(instance, window, {}, "20261122T064502Z-bb32d1", host=host)


@pytest.mark.parametrize(("hosts", "most_kb"), [(200, 450), (1000, 2250)])
def test_artifacts_of_a_large_fleet(hosts: int, most_kb: int) -> None:
    data: dict[str, Any] = {}
    for host in (f"web{number:04}.customer.example" for number in range(hosts)):
        for number in (1, 2):
            of_record = results.of_record(results.NAME, host, full_record(host, number))
            data.setdefault(host, {}).update(of_record[results.NAME][host])
    size = len(json.dumps(data))
    assert hosts * 2 * 500 < size < most_kb * 1000, size


def test_a_record_in_the_artifacts_has_a_limit_and_all_keys() -> None:
    finding = {"severity": "error", "code": "x" * 200, "text": "名" * 200, "count": 1}
    large = {**full_record("h1", 1), "findings": [finding] * 10, "notes": ["n" * 300] * 50, "reason": "r" * 2000}
    small = results.shortened(large)
    assert len(json.dumps(small)) <= results.MOST_BYTES < len(json.dumps(large))
    assert list(small) == list(large) and small["reason"].startswith("rrr")
    assert results.shortened(full_record("h1", 1)) == full_record("h1", 1)


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({}, "anqicms_results"),
        ({"awx_job_id": 12}, "anqicms_results"),
        ({"awx_workflow_job_id": 34}, "anqicms_results_34"),
        ({"tower_workflow_job_id": "34"}, "anqicms_results_34"),
        ({"awx_workflow_job_id": "{{ 1 }}"}, "anqicms_results"),
    ],
)
def test_results_of_a_workflow_have_its_number(variables: dict[str, Any], name: str) -> None:
    assert results.name_of(variables) == name


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"h1": {"0a": {"outcome": "done"}}}, {"h1": {"0a": {"outcome": "done"}}}),
        ({10: {7: {"outcome": "done"}}}, {"10": {"7": {"outcome": "done"}}}),  # what YAML makes of keys
        ({"h1": None, "h2": {"0a": "text"}}, {"h2": {}}),
        (None, {}),
        ("text", {}),
        (["h1"], {}),
    ],
)
def test_only_records_of_the_same_workflow_are_passed_on(given: Any, expected: Any) -> None:
    assert results.given("anqicms_results_34", {"anqicms_results_34": given}) == expected
    assert results.given("anqicms_results", {"anqicms_results": given}) == {}
