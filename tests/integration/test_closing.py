# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The document of a run, and the closing table that people read, for every outcome and every reason."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language import words as _words
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._run import closing, document
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._run.document import Head, Planned

HEAD = Head("night-7", "restart", began_at=1795329900.0, ended_at=1795329943.2)
EVIL = 'x {{ lookup("pipe", "id") }}\x1b[31m\r\nok: done \u202e'
RESUME = "Next: fix the cause, then run the same command with -e anqicms_resume=night-7"


def record(host: str, outcome: str = "done", **values: Any) -> dict[str, Any]:
    known = {"host": host, "id": f"0a-{host}", "dir": f"/www/{host}", "outcome": outcome, "version": "3.5.8"}
    bad = outcome in document.BAD
    times = {"downtime_ms": None if bad else 120, "verified_ms": None if bad else 1300, "failed": bad}
    return {**known, **times, "reason": "it does not answer" if bad else "", **values}


def planned(host: str, **values: Any) -> Planned:
    return Planned(host, f"0a-{host}", f"/www/{host}", "3.5.8", "running", **values)


def shown(*parts: Any, head: Head = HEAD, language: str = "en", zone: str | None = "UTC") -> list[str]:
    """The table of instances that were planned, and of records."""
    plans = [part for part in parts if isinstance(part, Planned)]
    records = [part for part in parts if isinstance(part, dict)]
    return closing.lines(document.make(head, plans, records), _words.of(language), zone)


# --- the document


@pytest.mark.parametrize("outcome", document.WORKED)
def test_a_record_decides_the_outcome(outcome: str) -> None:
    head = HEAD._replace(check_mode=outcome == "planned")
    made = document.make(head, [planned("h1")], [record("h1", outcome)])
    (row,) = made["instances"]
    assert (row["outcome"], made["totals"][outcome]) == (outcome, 1)
    assert made["ended"] == ("failed" if outcome in document.BAD else "finished")
    assert set(row) == set(document.EMPTY), "each instance has the same keys"


@pytest.mark.parametrize("why", document.LEFT_OUT)
def test_what_was_left_out_has_its_reason_and_fails_nothing(why: str) -> None:
    made = document.make(HEAD, [planned("h1", why=why, reason="so"), planned("h2")], [record("h2")])
    row = made["instances"][0]
    assert (row["outcome"], row["why"], row["reason"], made["ended"]) == ("left_out", why, "so", "finished")


@pytest.mark.parametrize(
    ("head", "records", "expected"),
    [
        (HEAD, [], "failed"),
        (HEAD, [record("h1")], "failed"),
        (HEAD, [record("h1"), record("h2", "unchanged")], "finished"),
        (HEAD, [record("h1"), record("h2", "lost")], "failed"),
        (HEAD._replace(message="Unreachable: h9."), [record("h1"), record("h2")], "failed"),
        (HEAD._replace(ended="interrupted"), [record("h1"), record("h2")], "interrupted"),
        (HEAD, [record("h1"), record("h2", "planned")], "failed"),  # of an earlier job of a workflow, in check mode
    ],
)
def test_how_a_run_has_ended(head: Head, records: list[dict[str, Any]], expected: str) -> None:
    assert document.make(head, [planned("h1"), planned("h2")], records)["ended"] == expected


def test_numbers_are_numbers_also_where_nothing_is_known() -> None:
    made = document.make(HEAD, [planned("h1"), planned("h2")], [record("h1", "lost"), {**record("h2"), "reason": None}])
    for row in made["instances"]:
        assert isinstance(row["downtime_ms"], int) and isinstance(row["began_at"], float), row
    assert [row["downtime_known"] for row in made["instances"]] == [False, True]
    assert made["instances"][1]["reason"] == ""


def test_a_host_without_a_known_instance_is_a_row_until_one_is_known() -> None:
    made = document.make(HEAD, [Planned("h1"), Planned("h2", why="limit")], [record("h1")])
    assert [(row["host"], row["id"], row["outcome"]) for row in made["instances"]] == [
        ("h2", "", "left_out"),
        ("h1", "0a-h1", "done"),
    ]


# --- the table


def test_a_run_that_succeeded() -> None:
    lines = shown(planned("h1"), planned("h2"), record("h1"), record("h2", "unchanged", downtime_ms=None))
    assert lines == [
        "",
        "restart: finished. Run night-7, 2026-11-22 06:45:00, 43 s",
        "host  id     version  outcome    downtime  reason",
        "h2    0a-h2  3.5.8    unchanged  -",
        "h1    0a-h1  3.5.8    done       120 ms",
        "Result: 1 done, 1 unchanged",
    ]


def test_a_run_that_stopped_in_the_middle() -> None:
    lines = shown(*map(planned, ("h1", "h2", "h3", "h4")), record("h1"), record("h2", "failed"))
    assert lines[2:] == [
        "host  id     version  outcome  downtime  reason",
        "h1    0a-h1  3.5.8    done     120 ms",
        "h2    0a-h2  3.5.8    failed   -         it does not answer",
        "Not touched: h3 (0a-h3), h4 (0a-h4)",
        "Result: 1 done, 1 failed, 2 not touched",
        RESUME,
    ]


@pytest.mark.parametrize("outcome", document.BAD)
def test_bad_outcomes_are_explained_and_come_last(outcome: str) -> None:
    lines = shown(planned("h1"), planned("h2"), record("h1", outcome), record("h2"))
    word = outcome.replace("_", " ")
    assert lines[4].split("  ")[0] == "h1" and f"  {word}  " in lines[4] and lines[4].endswith("it does not answer")
    assert (RESUME in lines) and ("Check the lost instances" in lines[-1]) == (outcome == "lost")


@pytest.mark.parametrize(
    ("why", "text"),
    [
        ("unreachable", "Left out, unreachable: h1 (0a-h1)"),
        ("limit", "Left out by --limit: h1 (0a-h1)"),
        ("only", "Left out by anqicms_only: h1 (0a-h1)"),
        ("not_needed", "Left out, restart not needed: h1 (0a-h1)"),
        ("finished", "Left out, finished by the resumed run: h1 (0a-h1)"),
        ("not_part", "Left out, not part of the resumed run: h1 (0a-h1)"),
        ("foreign", "Left out, install of another user: h1 (0a-h1)"),
        ("", "Not touched: h1 (0a-h1)"),
    ],
)
def test_each_reason_has_its_line(why: str, text: str) -> None:
    lines = shown(planned("h1", why=why), planned("h2"), record("h2"))
    assert [line for line in lines if line.startswith(("Left", "Not"))] == [text]
    again = "Next: when the unreachable hosts are back, run the same command with -e anqicms_resume=night-7"
    assert (lines[-1] == again) == (why == "unreachable")


def test_every_reason_has_a_text() -> None:
    for why in document.LEFT_OUT:
        assert "Left out" in "".join(shown(planned("h1", why=why), planned("h2"), record("h2")))


def test_a_refused_run_says_why_and_lists_nothing_else() -> None:
    lines = shown(planned("h1", reason="config_missing: there is no config.json"), planned("h2"))
    assert lines[1:] == [
        "restart: failed. Run night-7, 2026-11-22 06:45:00, 43 s",
        "  ! h1 (0a-h1): config_missing: there is no config.json",
        "Result: 2 not touched",
        "Nothing was done. Fix the cause, then run the same command again.",
    ]


def test_a_run_without_a_plan() -> None:
    lines = shown(head=Head("", "stop", message="anqicms_force must be one of idle, never, timeout."))
    assert lines[1:] == [
        "stop: failed",
        "  ! anqicms_force must be one of idle, never, timeout.",
        "Nothing was done. Fix the cause, then run the same command again.",
    ]


def test_a_run_that_was_interrupted_before_its_work() -> None:
    assert shown(planned("h1"), head=HEAD._replace(ended="interrupted"))[1:] == [
        "restart: interrupted. Run night-7, 2026-11-22 06:45:00, 43 s",
        "Result: 1 not touched",
        "Nothing was done. Run the same command again.",
    ]


def test_check_mode_does_not_repeat_the_plan() -> None:
    head = HEAD._replace(check_mode=True)
    lines = shown(planned("h1"), planned("h2"), record("h1", "planned"), record("h2", "planned"), head=head)
    assert lines[2:] == ["Result: 2 planned", "Check mode: nothing was changed."]
    lines = shown(planned("h1"), planned("h2"), record("h1", "planned"), record("h2", "failed"), head=head)
    assert [line.split()[0] for line in lines[2:4]] == ["host", "h2"], "what cannot be done is a row"


def test_recover_cannot_be_resumed() -> None:
    lines = shown(planned("h1"), record("h1", "failed"), head=HEAD._replace(verb="recover"))
    assert lines[-1] == "Next: fix the cause, then run the same command again."


def test_awx_is_warned_of_its_relaunch() -> None:
    parts = (planned("h1"), planned("h2"), record("h1", "failed"))
    assert "Relaunch on failed hosts" in shown(*parts, head=HEAD._replace(awx_job="7"))[-1]
    assert "Relaunch" not in "".join(shown(*parts))
    assert "Relaunch" not in "".join(shown(planned("h1"), parts[2], head=HEAD._replace(awx_job="7")))


def test_an_upgrade_shows_both_versions() -> None:
    lines = shown(planned("h1"), record("h1", version_before="3.3.11"))
    assert "  3.3.11 -> 3.5.8  " in lines[3]


def test_the_time_zone_is_the_chosen_one() -> None:
    assert "2026-11-22 14:45:00" in shown(planned("h1"), record("h1"), zone="Asia/Shanghai")[1]


def test_hostile_values_are_escaped() -> None:
    hostile = record("h1", "failed", id=EVIL, reason=EVIL, version=EVIL)
    text = "\n".join(shown(hostile, Planned(EVIL), Planned(EVIL, EVIL, why="only"), head=HEAD._replace(run_id=EVIL)))
    assert "\x1b" not in text and "\r" not in text and "\u202e" not in text and "{{" not in text
    assert not any(line.startswith("ok: done") for line in text.splitlines())


@pytest.mark.parametrize("letter", ["x", "名", "😀"])
def test_no_line_is_longer_than_an_event_of_awx(letter: str) -> None:
    name = letter * 5000
    values = {"id": name, "reason": name, "version": name, "version_before": name[:4000]}
    parts = (record("h1", "failed", **values), Planned(name), Planned("h2", name, why="limit"))
    lines = shown(*parts, head=HEAD._replace(run_id=name, message=name))
    lines += shown(Planned("h3", name, reason=name), head=HEAD._replace(verb=name))
    assert max(len(line.encode()) for line in lines) < 1024


def test_many_hosts_are_lines_of_names() -> None:
    hosts = [f"web{number:03}.example" for number in range(200)]
    left = [Planned(host, why="limit") for host in hosts]
    lines = shown(*map(planned, hosts), *left, *(record(host) for host in hosts[:50]), record(hosts[50], "failed"))
    assert len([line for line in lines if line.endswith("120 ms")]) == 50
    names = " ".join(line for line in lines if line.startswith(("Not touched", "  web")))
    assert all(f"{host} (0a-{host})" in names for host in hosts[51:])
    assert max(map(len, lines)) <= 150 and len(lines) < 120
    assert lines[-2:] == ["Result: 50 done, 1 failed, 149 not touched", RESUME]


def test_more_names_than_anybody_reads_are_counted() -> None:
    lines = shown(*(Planned(f"h{number}", why="limit") for number in range(1000)), planned("h"), record("h"))
    assert lines[-2].endswith("h198, h199, and 800 more") and lines[-1] == "Result: 1 done, 1000 left out"


def test_chinese_columns_are_aligned() -> None:
    lines = shown(planned("h1"), planned("主机"), record("主机"), record("h1", "failed"), language="zh")
    assert "失败" in lines[4] and "完成" in lines[3], lines
    assert lines[1] != shown(planned("h1"), record("h1"))[1]
    assert "anqicms_resume=night-7" in lines[-1] and "Next" not in lines[-1]
