# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a resume takes, leaves out and refuses, from what hosts have recorded: one table of cases."""

from __future__ import annotations

import sys
from typing import Any

import paths
import pytest

sys.path.insert(0, str(paths.link_tree()))

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _plan, _resume

Row = dict[str, Any]


def plan(run_id: str, at: float = 10.0, resumes: str | None = None, **more: Any) -> Row:
    values = dict(verb="restart", fleet=["h1", "h9"], version="3.5.8", begun=False)
    return {"run_id": run_id, "at": at, "resumes": resumes, **values, **more}


def run(run_id: str, outcome: str = "done", as_left: bool | None = True, **more: Any) -> Row:
    values = {"verb": "restart", "began_at": 20.0, "state": "running", "pid": 7, "version": "3.5.8", "step": None}
    return {"run_id": run_id, "outcome": outcome, "as_left": as_left, **values, **more}


def instance(planned: list[Row] | None = None, last_runs: list[Row] | None = None, **more: Any) -> Row:
    """Planned by R, which has not begun."""
    return {
        "id": "1234abcd-a",
        "dir": "/www/a",
        "binary": "anqicms",
        "state": "running",
        "pids": [7],
        "version": {"running": "3.5.8", "files": "3.5.8"},
        "hazards": [],
        "planned": [plan("R")] if planned is None else planned,
        "last_runs": last_runs or [],
        **more,
    }


RESUMED = [plan("S", 30.0, "R"), plan("R")]  # the newest first
CASES: dict[str, tuple[Row, str, str]] = {
    "done, and the process still runs": (instance(last_runs=[run("R")]), "finished", "finished by run R"),
    "unchanged, and the process still runs": (instance(last_runs=[run("R", "unchanged")]), "finished", "by run R"),
    "failed": (instance(last_runs=[run("R", "failed", False)]), "left", "failed"),
    "rolled back": (instance(last_runs=[run("R", "rolled_back")]), "left", "rolled_back"),
    "recovered by the guardian": (instance(last_runs=[run("R", "recovered", None)]), "left", "recovered"),
    "unfinished": (instance(last_runs=[run("R", "unfinished", None)]), "left", "unfinished"),
    "not known how it ended": (instance(last_runs=[run("R", "unknown", None)]), "left", "unknown"),
    "under way: a hazard refuses it": (instance(last_runs=[run("R", "under_way", None)]), "left", "under_way"),
    "not begun": (instance(), "left", "not started by run R"),
    "not begun, worked on before": (instance(last_runs=[run("Q", began_at=5.0)]), "left", "not started by run R"),
    "not begun, and killed since": (
        instance(state="stopped", pids=[], version={"running": None}),
        "left",
        "not started",
    ),
    "not part of that run": (instance([plan("Q")], [run("Q")]), "not_part", "not part of run R"),
    "nothing recorded": (instance([]), "not_part", "not part of run R"),
    "its plan was not recorded, its work was": (instance([], [run("R", "failed")]), "left", "failed"),
    "done, and another process runs": (
        instance(last_runs=[run("R", "done", False)]),
        "refused",
        "left it running as pid 7",
    ),
    "done, and stopped since": (
        instance(last_runs=[run("R", "done", False)], state="stopped", pids=[]),
        "refused",
        "now it is stopped",
    ),
    "done, and not to be seen": (
        instance(last_runs=[run("R", "done", None)], state="ambiguous"),
        "refused",
        "is not known",
    ),
    "another run since": (
        instance(last_runs=[run("X"), run("R", "failed")]),
        "refused",
        "run X (restart) has worked on it",
    ),
    "another run since, not begun": (instance(last_runs=[run("X")]), "refused", "run X (restart) has worked on it"),
    "another version since, not begun": (instance(version={"running": "3.5.9"}), "refused", "which saw version 3.5.8"),
    "failed, and recovered by hand since": (
        instance(last_runs=[run("V", verb="recover"), run("R", "unfinished", None)]),
        "left",
        "unfinished",
    ),
    "records that cannot be read": ({**instance(), "planned": None}, "refused", "cannot be read"),
    "of another verb": (instance([plan("R", verb="stop")]), "refused", "was a stop, not a restart"),
    "finished by a run that resumed it": (instance(RESUMED, [run("S", began_at=40.0)]), "finished", "by run S"),
    "failed in the run that resumed it": (instance(RESUMED, [run("S", "failed", began_at=40.0)]), "left", "failed"),
    "finished before it was resumed": (instance(RESUMED, [run("R")]), "finished", "by run R"),
    "in the middle of its hops": (instance(last_runs=[run("R-3.3.11")]), "left", "run R-3.3.11"),
    "its last hop done": (instance(last_runs=[run("R"), run("R-3.3.11")]), "finished", "by run R"),
    "a name that begins the same": (instance([plan("R2")], [run("R2")]), "not_part", "not part of run R"),
    "a run of another verb wanted to resume it": (
        instance([plan("S", 30.0, "R", verb="stop"), plan("R")]),
        "left",
        "by run R",
    ),
    "a text to break a terminal": (instance(last_runs=[run("R", "\x1b[31m{{ 1 }}")]), "left", "\\x1b[31m{\\{ 1 }}"),
}


@pytest.mark.parametrize("case", CASES)
def test_resume(case: str) -> None:
    found, kind, text = CASES[case]
    verdict = _resume.decide(found, "restart", "R")
    assert (verdict.kind, text in verdict.text) == (kind, True), verdict


def test_what_a_resume_of_a_resume_has_to_do() -> None:
    """S resumed R: what R had finished before is finished for S as well."""
    assert _resume.decide(instance(RESUMED, [run("R")]), "restart", "S").kind == "finished"
    assert _resume.decide(instance([plan("R")], [run("R")]), "restart", "S").kind == "not_part"
    chain = [plan("T", 50.0, "S"), *RESUMED]
    assert _resume.decide(instance(chain, [run("T", began_at=60.0)]), "restart", "R").text == "finished by run T"


def test_a_stop_is_finished_while_it_is_stopped() -> None:
    stop: Row = {"verb": "stop", "state": "stopped", "pid": None}
    found = instance([plan("R", verb="stop")], [run("R", **stop)], state="stopped", pids=[])
    assert _resume.decide(found, "stop", "R").kind == "finished"
    started = instance([plan("R", verb="stop")], [run("R", as_left=False, **stop)])
    assert "left it stopped: now it is running as pid 7" in _resume.decide(started, "stop", "R").text


def test_the_plan_of_a_host() -> None:
    both = [instance(last_runs=[run("R")]), instance(id="5678abcd-b", dir="/www/b")]
    other = instance([], id="9999abcd-c", dir="/www/c")
    made = _plan.make_plan(
        {"results": [{"anqicms__listed": {"dir": "/www"}, "instances": [*both, other]}]}, "restart", resume="R"
    )
    assert [one["dir"] for one in made.instances] == ["/www/b"]
    assert [(one["dir"], one["why"]) for one in made.skipped] == [("/www/a", "finished"), ("/www/c", "not_part")]
    assert made.refusals == []


def test_a_refusal_names_the_instance_and_both_ways_out() -> None:
    changed = instance(last_runs=[run("R", "done", False)])
    made = _plan.make_plan(
        {"results": [{"anqicms__listed": {"dir": "/www"}, "instances": [changed]}]}, "restart", resume="R"
    )
    (text,) = made.refusals
    for part in ("/www/a: it was changed since run R", "Nothing was done.", "--limit", "-e anqicms_only=1234abcd-a"):
        assert part in text, text


FLEETS: dict[str, tuple[list[Row], str]] = {
    "known": ([instance()], ""),
    "known to one of two": ([instance(), instance([])], ""),
    "unknown": ([instance([]), instance([plan("Q")])], "No host knows run R."),
    "no instances": ([], "No host knows run R."),
    "of another fleet": ([instance([plan("R", fleet=["h1", "z9"])])], "Run R is of another fleet: it had the host z9"),
    "records that cannot be read: the instance itself says so": ([{**instance(), "planned": None}], ""),
}


@pytest.mark.parametrize("case", FLEETS)
def test_fleets(case: str) -> None:
    found, text = FLEETS[case]
    said = _resume.of_fleet("R", [("h1", one) for one in found], ["h1", "h9"], limited=False)
    assert said.startswith(text) and bool(said) == bool(text), said
    assert not said or "Nothing was done." in said


def test_what_is_left_is_told() -> None:
    done, open_ = instance(last_runs=[run("R")]), instance()
    assert _resume.summary("R", [("h1", done), ("h2", open_)], "restart", False) == (
        "Resumes run R: 1 to do, 1 finished, 0 not part of it."
    )
    assert "Nothing is left to do." in _resume.summary("R", [("h1", done)], "restart", False)
    assert "outside --limit were not checked" in _resume.summary("R", [("h1", done)], "restart", True)
