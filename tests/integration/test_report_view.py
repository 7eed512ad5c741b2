# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a report says of a run: whether all is well, what to do, and where windows stand in time."""

from __future__ import annotations

import time
from typing import Any

import pytest
import report_documents as documents
from report_documents import BEGAN, Row

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language import words
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._report import (
    advice,
    diagnosis_view,
    run_view,
    timeline,
    times,
)
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._run import document

EN, CLOCK = words.of("en"), times.clock("Asia/Shanghai")


def made(*outcomes: str, ended: str = "finished", check_mode: bool = False, **values: Any) -> Row:
    """A document with an instance of each outcome; 'away' is a host that could not be reached."""
    rows = [documents.record(f"web{number}", "shop", BEGAN + number) for number, _outcome in enumerate(outcomes)]
    planned, records = [], []
    for row, outcome in zip(rows, outcomes):
        planned.append(documents.planned(row, why="unreachable" if outcome == "away" else ""))
        if outcome not in ("away", "not_touched"):
            bad = outcome in ("failed", "rolled_back", "lost")
            records.append({**row, "outcome": outcome, "failed": bad, **values})
    return document.make(document.Head("run-1", "restart", check_mode, BEGAN, BEGAN + 9, ended), planned, records)


def refused() -> Row:
    return {**made("not_touched", ended="failed"), "message": "web1: another run works on it"}


@pytest.mark.parametrize(
    ("found", "level", "headline"),
    [
        (made("done", "unchanged"), "good", "All is well: 2 of 2 instances are done"),
        (made("done", findings=[documents.FINDING]), "note", "All instances are done, with remarks on 1 of 1"),
        (made("done", "away"), "note", "Done, but hosts could not be reached: 1"),
        (made(), "note", "Nothing was to be done"),
        (made("done", "failed"), "bad", "Attention needed: 1 of 2 instances"),
        (made("rolled_back", "lost", "not_touched"), "bad", "Attention needed: 2 of 3 instances"),
        (made("done", "not_touched"), "bad", "The run stopped before its end"),
        (made("done", ended="failed"), "bad", "The run stopped before its end"),
        (made("done", "not_touched", ended="interrupted"), "bad", "The run was interrupted"),
        (refused(), "bad", "The run was refused"),
        (made("planned", check_mode=True), "plan", "A plan: nothing was changed"),
        (made("planned", "failed", check_mode=True), "bad", "Attention needed: 1 of 2 instances"),
    ],
)
def test_verdict_of_a_run(found: Row, level: str, headline: str) -> None:
    told = run_view.verdict(found, EN)
    assert (told.level, told.headline) == (level, headline) and told.text


@pytest.mark.parametrize(
    ("urgencies", "level", "headline"),
    [
        (["fine", "fine"], "good", "All is well: 2 of 2 instances are fine"),
        (["attention", "fine"], "note", "All instances are running, with remarks on 1 of 2"),
        (["restarted"], "note", "All instances are running, with remarks on 1 of 1"),
        *(([name, "fine"], "bad", "Attention needed: 1 of 2 instances") for name in diagnosis_view.URGENCIES[:6]),
        ([], "note", "Nothing was checked"),
    ],
)
def test_verdict_of_a_diagnosis(urgencies: list[str], level: str, headline: str) -> None:
    records = [{"urgency": name} for name in urgencies]
    told = diagnosis_view.verdict(diagnosis_view.document("run-1", records, 2.0), EN)
    assert (told.level, told.headline) == (level, headline)


def test_advice_names_the_option_that_resumes() -> None:
    lost, resume = advice.of_run(made("done", "lost", "failed", "not_touched", "away", ended=""), EN)
    assert lost.command == "ansible-playbook anqicms.lifecycle.status --limit web1"
    assert resume == advice.Advice(
        "Fix the cause. Run the same command with this option, which leaves out what is done.",
        "-e anqicms_resume=run-1",
    )
    (away,) = advice.of_run(made("done", "away"), EN)
    assert away.text.startswith("When web1 can be reached again: ") and away.command == "-e anqicms_resume=run-1"
    assert advice.of_run(made("done", "unchanged"), EN) == []
    (recover,) = advice.of_run({**made("failed", ended=""), "verb": "recover"}, EN)
    assert recover == advice.Advice("Fix the cause. Run the same command again.")


def test_advice_for_a_workflow_names_the_job_to_resume() -> None:
    found = {**made("done", "failed", ended=""), "resume": "4719"}
    assert [one.command for one in advice.of_run(found, EN)] == ["-e anqicms_resume=4719"]
    assert [one.command for one in advice.of_run({**found, "resume": ""}, EN)] == [""]


def test_advice_warns_of_a_relaunch_in_awx() -> None:
    found = {**made("failed", "not_touched", ended=""), "awx_job": "4711"}
    assert "Relaunch on failed hosts" in advice.of_run(found, EN)[-1].text


def test_advice_is_safe_to_copy() -> None:
    found = {**made("lost", ended=""), "run_id": "a; rm -rf /"}
    found["instances"][0]["host"] = "$(id)"
    assert [one.command for one in advice.of_run(found, EN)] == [
        "ansible-playbook anqicms.lifecycle.status --limit '$(id)'",
        "-e anqicms_resume='a; rm -rf /'",
    ]


# --- times


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0 ms"),
        (412, "412 ms"),
        (999.6, "1.0 s"),
        (1290, "1.3 s"),
        (9999, "10.0 s"),
        (48200, "48 s"),
        (125000, "2 min 5 s"),
        (3780000, "1 h 3 min"),
    ],
)
def test_durations(milliseconds: float, text: str) -> None:
    assert times.duration(milliseconds) == text


def test_moments_are_shown_in_the_zone_that_was_asked_for() -> None:
    assert (CLOCK.moment(BEGAN), CLOCK.offset(BEGAN)) == ("2025-11-27 16:00:00", "UTC+08:00")
    assert (times.clock("UTC").moment(BEGAN), times.clock("UTC").offset(BEGAN)) == ("2025-11-27 08:00:00", "UTC")
    assert times.clock("America/St_Johns").offset(BEGAN) == "UTC-03:30"
    assert times.clock(None).moment(0) == "-"


@pytest.mark.parametrize("zone", [None, "Mars/Olympus", "../../etc/passwd"])
def test_other_moments_are_in_the_zone_of_the_controller(zone: str | None, utc: None) -> None:
    assert times.clock(zone).moment(BEGAN) == time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(BEGAN))


# --- the timeline


def test_windows_of_all_hosts_stand_on_one_axis() -> None:
    found = timeline.make(made("done", "failed", "away", "done")["instances"], CLOCK, EN)
    assert found is not None
    assert [lane.row["host"] for lane in found.lanes] == ["web0", "web1", "web3"]
    scale = timeline.WIDTH / (3 + found.lanes[0].row["steps"][-1]["ended_ms"] / 1000)
    assert [round(lane.x) for lane in found.lanes] == [0, round(scale), round(3 * scale)]
    assert found.lanes[-1].x + found.lanes[-1].width == pytest.approx(timeline.WIDTH, abs=0.2)
    assert [tick.label for tick in found.ticks] == ["16:00:00", "16:00:02", "16:00:04"]
    for lane in found.lanes:
        assert [one.kind for one in lane.segments] == ["stop", "port", "start", "check", "check"]
        for one, after in zip(lane.segments, lane.segments[1:]):
            assert one.x + one.width == pytest.approx(after.x, abs=0.2)
        last = lane.segments[-1]
        assert lane.x <= lane.segments[0].x and last.x + last.width <= lane.x + lane.width + 0.1


def test_window_ends_with_its_last_step() -> None:
    row = documents.record("web1", "a", BEGAN)
    assert timeline.end_of(row) == BEGAN + row["steps"][-1]["ended_ms"] / 1000 < row["ended_at"]
    assert timeline.end_of({**row, "steps": []}) == row["ended_at"]


def test_site_that_cannot_be_proven_is_no_remark() -> None:
    proven = {"host": "shop.example", "ok": True, "reason": "ok", "identity": "not_proven"}
    assert run_view.verdict(made("done", sites=[proven]), EN).level == "good"
    assert run_view.verdict(made("done", sites=[{**proven, "ok": False}]), EN).level == "note"


def test_window_of_a_long_run_can_still_be_seen() -> None:
    rows = [documents.record("web1", "a", BEGAN), documents.record("web2", "b", BEGAN + 86400)]
    found = timeline.make(document.make(document.Head("1", "restart"), [], rows)["instances"], CLOCK, EN)
    assert found is not None and len(found.ticks) <= 5
    assert {lane.width for lane in found.lanes} == {3.0}
    assert all(0 <= lane.x <= timeline.WIDTH - lane.width for lane in found.lanes)


@pytest.mark.parametrize("seconds", [0.2, 0.9, 3, 59, 600, 7300, 90000, 4e6])
def test_labels_of_the_axis_are_few_and_round(seconds: float) -> None:
    found = timeline.ticks(BEGAN + 0.4, BEGAN + 0.4 + seconds, CLOCK)
    assert len(found) <= 5 and all(0 <= tick.x <= timeline.WIDTH for tick in found)
    assert len({tick.label for tick in found}) == len(found)


@pytest.mark.parametrize(
    "values",
    [
        {"began_at": None, "ended_at": None},
        {"ended_at": BEGAN - 5},
        {"steps": []},
        {"steps": [{"name": "x"}, {"name": "y", "started_ms": 9, "ended_ms": 3}, {"name": "z", "ended_ms": 1e9}]},
    ],
)
def test_times_that_make_no_sense_break_nothing(values: Row) -> None:
    found = document.make(document.Head("1", "restart"), [], [{**documents.record("web1", "a", BEGAN), **values}])
    shown = run_view.view(found, CLOCK, EN)
    for lane in shown["timeline"].lanes if shown["timeline"] else ():
        assert 0 <= lane.x <= lane.x + lane.width <= timeline.WIDTH
        assert all(one.x + one.width <= timeline.WIDTH for one in lane.segments)


def test_run_without_any_window_has_no_timeline() -> None:
    assert run_view.view(made("away", "not_touched"), CLOCK, EN)["timeline"] is None


def test_deaths_stand_on_the_axis_of_a_diagnosis() -> None:
    shown = diagnosis_view.view(documents.diagnosed(), CLOCK, EN)
    assert [lane.data["dir"] for lane in shown["lanes"]] == ["/www/wwwroot/shop.example", "/www/wwwroot/blog.example"]
    (earlier, killed), (panic,) = (lane.marks for lane in shown["lanes"])
    assert earlier.x < killed.x < panic.x < timeline.WIDTH
    assert killed.text == "2025-11-27 11:12:09 kernel_oom_cgroup"
