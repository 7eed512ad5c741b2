# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import json
import os
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import journal, last_runs, plans, trusted
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state as _state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import resolve

Entry = t.Dict[str, t.Any]
RESTART = ["graceful_stop", "port_released", "verified_start"]
P7 = {"pid": 7, "start_ticks": 70}
STOP = ["graceful_stop", "port_released"]


def begin(run_id: str, steps: t.Sequence[str] = tuple(RESTART), **more: t.Any) -> Entry:
    return dict(event="begin", run_id=run_id, steps=list(steps), boot_id="b", at=1.0, **more)


def step(name: str, ok: t.Optional[bool] = True) -> t.List[Entry]:
    entries: t.List[Entry] = [dict(event="step", name=name)]
    return entries if ok is None else entries + [dict(event="step_end", name=name, ok=ok)]


def end(outcome: str, **left: t.Any) -> Entry:
    return dict(event="end", outcome=outcome, at=9.0, **left)


def task(run_id: str, by: str, outcome: t.Optional[str] = "done", **left: t.Any) -> t.List[Entry]:
    named = dict(run_id=run_id, by=by)
    entries: t.List[Entry] = [dict(event="task", steps=STOP, boot_id="b", at=1.0, **named)]
    return (
        entries
        if outcome is None
        else entries + [dict(event="task_end", outcome=outcome, at=9.0, **dict(left, **named))]
    )


STOPPED = dict(state="stopped", after=None, boot_id="b", pid_space="p")
RUNNING = dict(state="running", after=P7, boot_id="b", pid_space="p", version="3.5.8")
CASES: t.Dict[str, t.Tuple[t.List[Entry], bool, t.List[t.Tuple[t.Any, ...]]]] = {
    "nothing": ([], False, []),
    "a window that ended": (
        [begin("r1")] + step("graceful_stop") + [end("done", **RUNNING)],
        False,
        [("r1", "done", None)],
    ),
    "a window at work": ([begin("r1")] + step("graceful_stop", None), True, [("r1", "under_way", "graceful_stop")]),
    "a window that nobody ends": (
        [begin("r1")] + step("graceful_stop", None),
        False,
        [("r1", "unfinished", "graceful_stop")],
    ),
    "a step that failed": (
        [begin("r1")] + step("graceful_stop") + step("verified_start", False) + [end("failed")],
        False,
        [("r1", "failed", "verified_start")],
    ),
    "the guardian recovered": (
        [begin("r1")] + step("graceful_stop", None) + [end("recovered", pid=7)],
        False,
        [("r1", "recovered", "graceful_stop")],
    ),
    "two windows, the newest first": (
        [begin("r1"), end("done"), begin("r2")],
        True,
        [("r2", "under_way", None), ("r1", "done", None)],
    ),
    "a stop by tasks": (
        task("s1", "graceful_stop", **STOPPED) + task("s1", "port_released", "unchanged"),
        False,
        [("s1", "done", None)],
    ),
    "a stop of what was stopped": (
        task("s1", "graceful_stop", "unchanged", **STOPPED) + task("s1", "port_released", "unchanged"),
        False,
        [("s1", "unchanged", None)],
    ),
    "a stop whose check was not reached": (task("s1", "graceful_stop", **STOPPED), False, [("s1", "unknown", None)]),
    "a stop that was cut off": (task("s1", "graceful_stop", None), False, [("s1", "unknown", "graceful_stop")]),
    "a stop at work": (task("s1", "graceful_stop", None), True, [("s1", "under_way", "graceful_stop")]),
    "a check that failed": (
        task("s1", "graceful_stop", **STOPPED) + task("s1", "port_released", "failed"),
        False,
        [("s1", "failed", "port_released")],
    ),
    "the same name for two stops": (
        (task("s1", "graceful_stop") + task("s1", "port_released", "unchanged")) * 2,
        False,
        [("s1", "done", None), ("s1", "done", None)],
    ),
    "a stop after a window": (
        [begin("r1"), end("done", **RUNNING)] + task("s1", "graceful_stop", None),
        False,
        [("s1", "unknown", "graceful_stop"), ("r1", "done", None)],
    ),
    "signals of a task without a run": (
        [begin("r1"), end("done"), dict(event="signal", by="graceful_stop", pid=7)],
        False,
        [("r1", "done", None)],
    ),
    "a late note of the guardian": (
        [begin("r1"), end("done"), dict(event="worker", pid=5)],
        False,
        [("r1", "done", None)],
    ),
}


@pytest.mark.parametrize("case", sorted(CASES))
def test_what_became_of_the_runs(case: str) -> None:
    entries, worked_on, wanted = CASES[case]
    found = last_runs.read(entries, lambda: worked_on)
    assert [(run["run_id"], run["outcome"], run["step"]) for run in found] == wanted


def test_a_recovery_is_known_by_its_steps() -> None:
    found = last_runs.read([begin("r1"), begin("r2", ())], lambda: False)
    assert [run["verb"] for run in found] == ["recover", None]


def test_only_the_newest_are_told() -> None:
    entries = [entry for number in range(9) for entry in (begin("r%d" % number), end("done"))]
    assert [run["run_id"] for run in last_runs.read(entries, lambda: False)] == ["r8", "r7", "r6", "r5", "r4"]


AS_LEFT: t.Dict[str, t.Tuple[t.Any, ...]] = {
    "the same process": (RUNNING, "running", (7, 70), "b", True),
    "another process": (RUNNING, "running", (8, 80), "b", False),
    "the same number, another start": (RUNNING, "running", (7, 71), "b", False),
    "another boot": (RUNNING, "running", (7, 70), "c", False),
    "it was ended": (RUNNING, "stopped", None, "b", False),
    "not to be seen": (RUNNING, "ambiguous", None, "b", None),
    "still stopped": (STOPPED, "stopped", None, "b", True),
    "still stopped after a boot": (STOPPED, "stopped", None, "c", True),
    "started since": (STOPPED, "running", (9, 90), "b", False),
    "seen from another namespace": (dict(RUNNING, pid_space="q"), "stopped", None, "b", None),
    "a record of an older release": ({}, "running", (7, 70), "b", None),
}


@pytest.mark.parametrize("case", sorted(AS_LEFT))
def test_whether_it_is_as_the_run_left_it(case: str) -> None:
    left, state, process, boot, wanted = AS_LEFT[case]
    (run,) = last_runs.read([begin("r1"), end("done", **left)], lambda: False)
    assert last_runs.as_left(run, state, process, last_runs.Here(boot, "p")) is wanted


def test_a_shortened_journal_keeps_the_last_runs_of_tasks() -> None:
    entries = [begin("r1"), end("done")] + task("s1", "graceful_stop")
    assert journal.kept_of_journal(entries + [begin("r2")]) == task("s1", "graceful_stop") + [begin("r2")]
    assert journal.kept_of_journal(task("s1", "graceful_stop")) == task("s1", "graceful_stop")


# --- plans


@pytest.fixture
def state(tmp_path: t.Any) -> _state.StateDir:
    (tmp_path / "shop").mkdir()
    return _state.StateDir(resolve(str(tmp_path / "shop")), str(tmp_path / "state"))


def test_a_plan_is_recorded_and_read(state: _state.StateDir) -> None:
    plans.add(state, dict(run_id="r1", verb="restart", resumes=None, fleet=["a", "z"], only=[]), "3.5.8")
    plans.add(state, dict(run_id="r2", verb="restart", resumes="r1", fleet=["a", "z"]), None)
    told = plans.described(plans.read(state), ["r1"])
    keys = ("run_id", "verb", "resumes", "fleet", "version", "begun")
    assert [tuple(plan[key] for key in keys) for plan in told] == [
        ("r2", "restart", "r1", ["a", "z"], None, False),
        ("r1", "restart", None, ["a", "z"], "3.5.8", True),
    ]
    assert all(isinstance(plan["at"], float) for plan in told)


def test_plans_have_a_bound(state: _state.StateDir) -> None:
    for number in range(100):
        plans.add(state, dict(run_id="r%d" % number, verb="restart"), None)
    kept = plans.read(state)
    assert len(kept) <= 41
    assert [plan["run_id"] for plan in plans.described(kept, [])] == ["r%d" % number for number in range(99, 79, -1)]


def test_a_line_torn_by_a_power_cut_is_no_damage(state: _state.StateDir) -> None:
    plans.add(state, dict(run_id="r1", verb="restart"), None)
    with open(state.file("planned.jsonl"), "ab") as stream:
        stream.write(b'{"run_id": "r2", "ve')
    plans.add(state, dict(run_id="r3", verb="restart"), None)
    assert [plan["run_id"] for plan in plans.read(state)] == ["r1", "r3"]


@pytest.mark.parametrize("change", [dict(format=2), dict(run_id=5), dict(fleet="a")])
def test_a_newer_or_odd_plan_is_left_alone(state: _state.StateDir, change: Entry) -> None:
    plans.add(state, dict(run_id="r1", verb="restart"), None)
    path = state.file("planned.jsonl")
    with open(path) as stream:
        line = json.loads(stream.read())
    with open(path, "w") as stream:
        stream.write(json.dumps(dict(line, **change)) + "\n")
    before = os.stat(path)
    with pytest.raises(trusted.DamagedState):
        plans.add(state, dict(run_id="r2", verb="restart"), None)
    assert os.stat(path) == before
    state.refuse_damaged()  # it does not keep any run from its work


ROW: Entry = dict(
    id="i1",
    foreign=None,
    state="running",
    hazards=[],
    version=dict(running="3.5.8", files="3.5.8"),
    runs=[dict(run_id="u1", stands=True), dict(run_id="u0", stands=False)],
    planned=[dict(run_id="r1", verb="restart")],
    last_runs=[dict(run_id="night-3.3.11")],
)
CONCERNS: t.Dict[str, t.Tuple[Entry, Entry, bool]] = {
    "any": ({}, {}, True),
    "selected": ({}, dict(only=["i1"]), True),
    "another one is selected": ({}, dict(only=["i2"]), False),
    "found, and of somebody else": (dict(foreign="below /tmp"), dict(found=True), False),
    "listed, and of somebody else": (dict(foreign="below /tmp"), dict(found=False), True),
    "found, of somebody else, and selected": (dict(foreign="below /tmp"), dict(found=True, only=["i1"]), True),
    "no restart is needed": ({}, dict(only_if_needed=True), False),
    "it does not run": (dict(state="stopped"), dict(only_if_needed=True), True),
    "its binary was replaced": (dict(hazards=[dict(code="binary_replaced")]), dict(only_if_needed=True), True),
    "it has the version": ({}, dict(to_version="3.5.8"), False),
    "it has another version": ({}, dict(to_version="3.5.9"), True),
    "nothing to roll back": ({}, dict(of_run="u2"), False),
    "rolled back already": ({}, dict(of_run="u0"), False),
    "something to roll back": ({}, dict(of_run="u1"), True),
    "of the run that is resumed": ({}, dict(resumes="r1"), True),
    "of the hops of the run that is resumed": ({}, dict(resumes="night"), True),
    "of that run, which did something else": ({}, dict(resumes="r1", verb="stop"), False),
    "not of that run": ({}, dict(resumes="r2"), False),
    "plans that cannot be read": (dict(planned=None), dict(resumes="r1"), False),
}


@pytest.mark.parametrize("case", sorted(CONCERNS))
def test_whether_a_run_is_to_work_on_it(case: str) -> None:
    row, plan, wanted = CONCERNS[case]
    assert plans.concerns(dict(ROW, **row), dict(dict(verb="restart"), **plan)) is wanted


@pytest.mark.parametrize(
    "name, run_id, wanted",
    [("r-3.3.11", "r", True), ("r", "r", False), ("r-x", "r", False), ("rr-3.3.11", "r", False), ("r-", "r", False)],
)
def test_windows_of_hops(name: str, run_id: str, wanted: bool) -> None:
    assert plans.is_hop_of(name, run_id) is wanted
