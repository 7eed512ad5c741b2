# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people read in Chinese: tables that align, messages of several pieces, values that stay as they are."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ansible_collections.anqicms.lifecycle.plugins.filter.in_language import in_language
from ansible_collections.anqicms.lifecycle.plugins.filter.outcome_line import outcome_line
from ansible_collections.anqicms.lifecycle.plugins.filter.plan_table import plan_table
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import after_a_change
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _diagnosis_table, _options, _plan, _table, _text
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language import words

ZH = words.of("zh")
Row = dict[str, Any]
HAZARD: Row = {
    "code": "config_missing",
    "severity": "block",
    "blocks": ["restart"],
    "message": "config.json is missing: a start would open the installer on port 8001 to everyone",
    "advice": "Restore config.json from a backup.",
}
SHOP: Row = {
    "id": "1234abcd-shop",
    "dir": "/www/wwwroot/商城.example",
    "binary": "anqicms",
    "state": "running",
    "pids": [7],
    "port": 8001,
    "version": {"running": "3.5.8", "files": "3.5.8"},
    "hazards": [],
}
BLOG: Row = {**SHOP, "id": "5678abcd-blog", "dir": "/www/wwwroot/blog", "state": "stopped", "hazards": [HAZARD]}


def found(*instances: Row) -> Row:
    return {
        "results": [{"anqicms__listed": {"dir": one["dir"], "how": "list"}, "instances": [one]} for one in instances]
    }


def columns(line: str, cells: list[str]) -> list[int]:
    """The terminal cell at which each of these begins."""
    return [_text.width(line[: line.index(cell)]) for cell in cells]


def test_table_of_the_plan_aligns() -> None:
    hosts = {"web1": {"anqicms__found": found(SHOP, BLOG)}, "主机二": {"anqicms__found": found(SHOP)}}
    first, shop, blog, note, other = plan_table(hosts, list(hosts), "restart", "zh")
    headings = ["主机", "实例 id", "状态", "版本", "端口", "进程号", "计划", "目录"]
    assert columns(first, headings) == columns(
        shop, ["web1", "1234abcd", "运行中", "3.5.8", "8001", "7 ", "重启", "/www"]
    )
    assert columns(first, headings) == columns(
        blog, ["web1", "5678abcd", "已停止", "3.5.8", "8001", "7 ", "拒绝", "/www"]
    )
    assert columns(first, headings[:2]) == columns(other, ["主机二", "1234abcd"])
    assert note == "  ! config_missing: 缺少 config.json：启动后会在 8001 端口向所有人开放安装页面"


def test_english_is_the_default() -> None:
    hosts = {"web1": {"anqicms__found": found(BLOG)}}
    assert plan_table(hosts, ["web1"], "restart")[1].split()[2:6] == ["stopped", "3.5.8", "8001", "7"]


@pytest.mark.parametrize(
    ("text", "cells"),
    [("", 0), ("abc", 3), ("运行中", 6), ("ｘ", 2), ("é", 1), ("e\u0301", 1), ("±2", 2), ("a，b", 4)],
)
def test_width(text: str, cells: int) -> None:
    assert _text.width(text) == cells
    assert _text.width(_text.padded(text, 9)) == 9


def test_refusal_names_the_instance_and_its_hazard() -> None:
    (refusal,) = _plan.make_plan(found(BLOG), "restart").refusals
    assert in_language(refusal, "zh") == (
        "/www/wwwroot/blog: config_missing: 缺少 config.json：启动后会在 8001 端口向所有人开放安装页面。"
        "请从备份恢复 config.json。"
    )
    assert in_language(refusal, "en") == refusal


def test_refusals_of_several_instances_in_one_message() -> None:
    refusal = _plan.make_plan(found(BLOG), "restart").refusals[0]
    twice = in_language(f"{refusal} {refusal}", "zh")
    assert twice.count("请从备份恢复 config.json。") == 2 and "everybody" not in twice


RECORD: Row = {
    "id": "1234abcd-shop",
    "version": "3.5.8",
    "outcome": "done",
    "pid_before": 7,
    "pid_after": 9,
    "state": "running",
    "downtime_ms": 165,
    "verified_ms": 1173,
    "findings": [],
    "sites": [{"host": "shop.example", "ok": True, "reason": "ok"}],
    "reason": "",
}
STEP = (
    "1234abcd-shop: step verified_start failed: 1234abcd-shop was started and exited before it answered: exit "
    "code 255: "
    "port in use, invalid config.json, or the database is not reachable. Its log says: nothing. Nothing runs. "
    "Check its "
    "log, then start it again. Done before it: graceful_stop. Now it is stopped."
)


def test_result_line() -> None:
    assert outcome_line(RECORD, "web1", "zh") == (
        "web1  1234abcd-shop  3.5.8  完成  进程 7 -> 9  停机 165 毫秒  验证完成 1173 毫秒  日志: 正常  站点: 1 个正常"
    )
    failed = outcome_line({**RECORD, "outcome": "failed", "reason": f"Run the window: {STEP}"}, "web1", "zh")
    assert "  失败  " in failed and "Run the window: 1234abcd-shop: 步骤 verified_start 失败：" in failed
    assert failed.endswith(
        "没有进程在运行。请查看它的日志，然后再次启动。之前已完成：graceful_stop。现在状态：已停止。"
    )
    assert "退出码为 255：端口被占用" in failed


DEAD: Row = {
    "urgency": "killed",
    "host": "web1",
    "dir": "/www/shop",
    "state": "stopped",
    "version": "3.5.8",
    "verdict": "confirmed",
    "cause": "kernel_oom_cgroup",
    "time": "2026-11-22T11:25:45.051000+00:00",
    "uncertainty_ms": 0,
    "starts": 0,
    "memory": {"limit_kb": 524288, "gomemlimit": "", "host_total_kb": 2048000, "host_swap_total_kb": 0},
    "last_rss_kb": 210944,
    "problems": [],
    "summary": "confirmed (kernel_oom_cgroup) pid 28210 at 2026-11-22T11:25:45.051000+00:00: pid 28210 is in the "
    "process "
    "history of this instance",
    "incidents": [],
    "advice": [
        (
            "Its control group reached its memory limit of 512 MiB; the host itself was not out of memory. It "
            "used 206 MiB when "
            "it was killed. Raise the limit (MemoryMax= of the unit, --memory of the container), or reduce its "
            "memory use."
        ),
        (
            "Set GOMEMLIMIT to about 409MiB (the limit of its control group is 512 MiB) in its environment: the "
            "Go runtime then "
            "collects garbage earlier instead of growing. This works for builds with Go 1.19 and later."
        ),
    ],
    "log": {"findings": [], "unread": []},
    "hazards": [],
    "supervisors": [],
    "restarts": [],
    "bundle": None,
    "bundle_problem": None,
    "coverage": [
        {"source": "journal", "readable": False, "why_not": "it took too long"},
    ],
    "since": "2026-11-21T12:00:00+00:00",
    "until": "2026-11-22T12:00:00+00:00",
}


def test_diagnosis() -> None:
    first, row, *below = _diagnosis_table.lines([DEAD], ZH)
    headings = ["紧急程度", "主机", "实例", "状态", "版本", "原因", "异常退出", "启动次数", "内存"]
    cells = [
        "被杀（内存不足）",
        "web1",
        "/www/shop",
        "已停止",
        "3.5.8",
        "kernel_oom_cgroup",
        "2026-11-22",
        "0 ",
        "退出时 206 MiB",
    ]
    assert columns(first, headings) == columns(row, cells)
    assert below == [
        (
            "  ! 已确认（kernel_oom_cgroup，控制组内存超限，被内核杀掉）进程 28210，时间 "
            "2026-11-22T11:25:45.051000+00:00："
            "进程 28210 在这个实例的进程历史中"
        ),
        (
            "  > 它的控制组达到了内存上限（512 MiB）；主机本身内存充足。被杀时占用 206 MiB。"
            "请调高上限（单元的 MemoryMax=，容器的 --memory），或减少内存占用。"
        ),
        (
            "  > 请在它的环境变量中设置 GOMEMLIMIT，值约 409MiB（控制组的上限是 512 MiB）："
            "Go 运行时会提早回收内存，而不是继续增长。"
            "Go 1.19 及以后编译的版本有效。"
        ),
        "  . 内存: 上限 512 MiB, GOMEMLIMIT 未设置, 主机可用 0/2000 MiB, 没有交换空间",
        "以下主机未能查看 web1: journal: 耗时过长",
        "从 2026-11-21 12:00:00 到 2026-11-22 12:00:00：1 被杀（内存不足）。",
    ]


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("anqicms_stop_timeout", "soon", "anqicms_stop_timeout 必须是秒数，不小于 0。现在是 'soon'。"),
        ("anqicms_force", "now", "anqicms_force 必须是以下之一：idle, never, timeout。现在是 'now'。"),
        (
            "anqicms_config",
            "x",
            "anqicms_config 必须是 config.json 各键的字典。现在是别的值（可能是敏感信息，不显示）。",
        ),
    ],
)
def test_wrong_value(name: str, given: Any, expected: str) -> None:
    with pytest.raises(ValueError) as raised:
        _options.value_of(name, given)
    assert ZH.known(str(raised.value)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "1a-shop is in use by run 7 (step x). Nothing was done. Wait until that has ended, then try again.",
            "未做任何",
        ),
        (
            "Nothing was changed. Not a text of ours. Nothing was done.",
            "未做任何修改。Not a text of ours. 未做任何操作。",
        ),
        ("an unknown text: {0} {braces} %s", "an unknown text: {0} {braces} %s"),
        ("done", "完成"),
        ("", ""),
        ("process {0} may be this instance, but", "process {0} may be this instance, but"),
        ("port 1 is also configured in {evil!r:>9}", "端口 1 也配置在 {evil!r:>9} 中"),
        ("/a: no space is left on the disk (/a: No space left on device). Nothing was done.", "/a: 磁盘空间已用完（"),
    ],
)
def test_known(text: str, expected: str) -> None:
    assert ZH.known(text).startswith(expected) or expected in ZH.known(text)


def test_a_value_is_no_word_of_ours() -> None:
    """A host, a path or a reason may be called like a word that has a translation."""
    assert ZH.known(
        "Unreachable: done, failed. Nothing was done. Bring them back, leave them out with --limit, or set "
        "anqicms_unreachable to skip."
    ).startswith("连不上的主机：done, failed。")


def test_nothing_more_was_done() -> None:
    """After a change a message may not say that nothing was done, in no language."""
    text = "1a-shop is in use by run 7 (step x). Nothing was done. Wait until that has ended, then try again."
    assert "未做任何操作" in ZH.known(text)
    assert "未再做其他操作" in ZH.known(after_a_change(text))
    text = (
        "pid 7 of a has not opened port 1 yet: it may be migrating its database. Nothing was signalled. Wait until it "
    )
    assert "没有再发送其他信号" in ZH.known(after_a_change(text + "answers, then stop it."))


def test_long_and_hostile_texts_are_translated_in_time() -> None:
    """The matching is linear; with backtracking each of these would take for ever."""
    for piece in ("port is also configured in ", ": ", ". ", "; ", " (", "{0}", "\x00", "Nothing was done. "):
        assert ZH.known(piece * 2000)


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_TW"}, "zh"),
        ({"LANG": "xx"}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"LANG": "de_DE.UTF-8", "LC_MESSAGES": "zh_CN.GB18030"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": ""}, "zh"),
        ({"LANG": "\udcff=;/x"}, "en"),
    ],
)
def test_language_of_the_locale(environment: dict[str, str], language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert words.of(None).language == language
    assert words.of_variable("").language == language
    assert words.of_variable("klingon").language == language
    assert words.of_variable(" ZH ").language == "zh"
    assert words.of_variable("en").language == "en"


def test_headings_stay_in_one_line() -> None:
    assert not re.search(r"\n", "".join(ZH.known(heading) for heading in _table.HEADINGS))
