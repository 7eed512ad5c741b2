# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of the playbook `status`, from answers as hosts give them, hostile ones and missing ones too."""

from __future__ import annotations

from typing import Any

from integration.test_resume import Row, instance, plan, run

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _status
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language import words

EVIL = 'x {{ lookup("pipe", "id") }}\x1b[31m\r\nok: done \u202e'
DAY = 1795329900.0  # 2026-11-22 06:45 UTC


def facts(*instances: Row, **more: Any) -> Row:
    return {
        "anqicms__status_found": {"results": [{"anqicms__listed": {"verb": "status"}, "instances": list(instances)}]},
        **more,
    }


def lost(message: str = "no route to host") -> Row:
    return {"anqicms__status_found": {"unreachable": True, "msg": message, "results": []}}


def table(hosts: dict[str, Row], language: str = "en", zone: str = "UTC") -> list[str]:
    return _status.Writer(words.of(language), zone).lines(_status.records(hosts, list(hosts)))


def cut() -> dict[str, Row]:
    """A roll that was cut off: one done, one at work, one not begun, one lost."""
    planned = [plan("R", DAY)]
    return {
        "h1": facts(instance(planned, [run("R", ended_at=DAY + 5)])),
        "h2": facts(
            instance(planned, [run("R", "under_way", None, began_at=DAY + 6, ended_at=None, step="graceful_stop")])
        ),
        "h3": facts(instance(planned)),
        "h4": lost(),
    }


def test_a_roll_that_was_cut_off() -> None:
    lines = table(cut())
    text = "\n".join(lines)
    assert lines[0].split()[:4] == ["host", "id", "state", "version"]
    assert (
        "done          2026-11-22 06:45:05  R" in text.replace("done       ", "done       ")
        or "2026-11-22 06:45:05" in text
    )
    assert "  ! run R is running now: graceful_stop" in lines
    assert "  - run R (restart), planned 2026-11-22 06:45:00, has not started here" in lines
    assert any(line.startswith("h4 ") and "unreachable" in line for line in lines) and "  ! no route to host" in lines
    assert "Run R (restart): 1 finished, 1 not started, 1 under way." in lines
    assert (
        "  > wait until that work has ended, then ansible-playbook anqicms.lifecycle.restart -e anqicms_resume=R"
        in lines
    )
    assert lines[-1] == "3 instances, 3 running, 1 hosts unreachable"


def test_nothing_is_left_of_a_run_that_has_ended() -> None:
    lines = table({"h1": facts(instance([plan("R", DAY)], [run("R", ended_at=DAY)]))})
    assert len(lines) == 3 and not any("anqicms_resume" in line for line in lines), lines


def test_a_failure_names_its_step_and_how_to_go_on() -> None:
    lines = table({"h1": facts(instance([plan("R", DAY)], [run("R", "failed", step="verified_start", ended_at=DAY)]))})
    assert "  ! it ended in step verified_start" in lines
    assert "  > to continue: ansible-playbook anqicms.lifecycle.restart -e anqicms_resume=R" in lines


def test_what_needs_a_recovery_says_so() -> None:
    broken = instance([plan("R", DAY)], [run("R", "unfinished", None, ended_at=None)], interrupted={"run_id": "R"})
    assert "  ! run R is unfinished: run the playbook recover" in table({"h1": facts(broken)})


def test_a_change_since_is_told_and_nothing_is_offered() -> None:
    lines = table({"h1": facts(instance([plan("R", DAY)], [run("R", "done", False, ended_at=DAY)]))})
    assert "  - it was changed since that run" in lines and not any("anqicms_resume" in line for line in lines)


def test_times_are_those_of_the_zone_and_texts_those_of_the_language() -> None:
    lines = table(cut(), "zh", "Asia/Shanghai")
    text = "\n".join(lines)
    assert "2026-11-22 14:45:05" in text and "主机" in lines[0] and "进行中" in text
    assert "  > 等该工作结束后执行 ansible-playbook anqicms.lifecycle.restart -e anqicms_resume=R" in lines


def test_what_could_not_be_looked_at_is_a_row() -> None:
    answers = [{"anqicms__listed": {"dir": "/www/gone"}, "failed": True, "msg": "does not exist"}]
    hosts = {"h1": {"anqicms__status_found": {"results": answers}}, "h2": {}, "h3": facts()}
    records = _status.records(hosts, list(hosts))
    assert [(one["dir"], one["state"], one["problems"]) for one in records] == [
        ("/www/gone", "unknown", ["does not exist"]),
        (None, "unreachable", ["no answer"]),
        (None, "-", ["no instance was found"]),
    ]
    assert {host: list(rows) for host, rows in _status.as_stats(records).items()} == {
        "h1": ["/www/gone"],
        "h2": ["-"],
        "h3": ["-"],
    }


def test_only_the_instances_that_are_asked_for() -> None:
    hosts = {"h1": facts(instance(), instance(id="5678abcd-b"), anqicms_only="5678abcd-b")}
    assert [one["id"] for one in _status.records(hosts, ["h1"])] == ["5678abcd-b"]


def test_hostile_values_stay_text_and_lines_stay_short() -> None:
    bad = instance(
        [plan(EVIL * 20, DAY)],
        [run(EVIL * 20, EVIL * 20, step=EVIL * 20, ended_at=DAY)],
        id=EVIL,
        state=EVIL,
        hazards=[{"code": "not_all_seen", "message": EVIL * 50}],
        interrupted={"run_id": EVIL * 20},
    )
    lines = table({EVIL: facts(bad), "h2": lost(EVIL * 50)})
    for line in lines:
        assert len(line.encode()) < 1024 and "\x1b" not in line and "\n" not in line and "{{" not in line, line
