# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run in Chinese says everything in Chinese, and hands over the same data as one in English."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from e2e.conftest import VERSION, Maker
from e2e.playing import Player, Run
from e2e.test_rolling import ends_at_once
from fleet import Fleet

ZH = ("-e", "anqicms_language=zh", "-e", "anqicms_stable_for=0.1")
ENGLISH = re.compile(r"(?:\b[a-z]{2,}\b ){3}[a-z]{2,}", re.IGNORECASE)


@pytest.fixture
def player(default_core: str, tmp_path: Path) -> Player:
    """One core: the texts are made by the same code on all of them."""
    return Player(default_core, tmp_path)


@pytest.fixture
def fleet(make_fleet: Maker) -> Fleet:
    return make_fleet(1)


def only_chinese(lines: list[str]) -> None:
    """None of these has a sentence in English."""
    assert [line for line in lines if ENGLISH.search(line)] == []


def lines_of(run: Run, *starts: str) -> list[str]:
    return [line for line in run.output.splitlines() if line.startswith(starts)]


def test_restart(player: Player, fleet: Fleet) -> None:
    (instance,) = fleet.instances
    before = instance.pid
    run = player.play("restart", fleet.inventory, *ZH)
    assert run.status == 0, run.output
    heading, row = lines_of(run, "主机", "h1  ")[:2]
    assert heading.split() == ["主机", "实例", "id", "状态", "版本", "端口", "进程号", "计划", "目录"], run.output
    assert row.split()[2:4] == ["运行中", VERSION] and "重启" in row
    assert f"完成  进程 {before} -> {instance.pid}  停机 " in run.output and "日志: 正常" in run.output
    (record,) = run.results["h1"]
    assert (record["outcome"], record["state"]) == ("done", "running"), "data has codes"
    assert "重启：已结束。运行 " in run.output and "结果：完成 1" in run.output
    only_chinese(lines_of(run, "主机", "h1  ", "  ! ", "  - ", "  . ", "重启：", "结果："))


def test_start_that_fails(player: Player, fleet: Fleet) -> None:
    (instance,) = fleet.instances
    ends_at_once(instance)
    run = player.play("restart", fleet.inventory, *ZH)
    assert run.status == 2, run.output
    assert re.search(r"h1  \S+  \S+  失败  .*: 步骤 verified_start 失败：", run.output), run.output
    assert "没有进程在运行。" in run.output and "现在状态：已停止。" in run.output
    assert run.outcomes == {"h1": ["failed"]}
    assert "step verified_start failed" in run.results["h1"][0]["reason"], "data is not translated"


def test_hazard_that_refuses(player: Player, fleet: Fleet) -> None:
    (instance,) = fleet.instances
    (instance.dir / "config.json").unlink()
    before = instance.pid
    run = player.play("restart", fleet.inventory, *ZH)
    assert (run.status, instance.pid) == (2, before), run.output
    assert "  ! config_missing: 缺少 config.json：启动后会在 8001 端口向所有人开放安装页面" in run.output
    assert f"{instance.dir}: config_missing: 缺少 config.json" in run.output
    assert "请从备份恢复 config.json。" in run.output
    assert "Restore config.json" not in run.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["-e", "anqicms_stop_timeout=soon"],
            "anqicms_stop_timeout 必须是秒数，不小于 0。现在是 'soon'（额外变量）。没有检查，也没有改动任何内容。",
        ),
        (["-e", "anqicms_stop_timeot=1"], "anqicms_stop_timeot（额外变量）：应为 anqicms_stop_timeout。"),
        (
            ["-e", "anqicms_hosts=web"],
            "清单里没有主机或主机组 web。请添加，或用 -e anqicms_hosts=PATTERN 指定其他主机。",
        ),
        (["--limit", "h1", "-e", "anqicms_hosts=h2"], "请改正 --limit，或用 -e anqicms_hosts=PATTERN 指定其他主机。"),
        (["-e", "anqicms_only=1234abcd-x"], "这台主机上没有 id 为 1234abcd-x 的实例。未做任何操作。"),
    ],
    ids=["value", "name", "hosts", "limit", "only"],
)
def test_refusals(player: Player, fleet: Fleet, arguments: list[str], message: str) -> None:
    run = player.play("restart", fleet.inventory, *ZH, *arguments)
    assert run.status != 0 and message in run.output, run.output


def test_diagnose(player: Player, fleet: Fleet) -> None:
    run = player.play("diagnose", fleet.inventory, "-e", "anqicms_language=zh")
    assert run.status == 0, run.output
    heading, row = lines_of(run, "紧急程度", "正常", "需要留意", "未知")[:2]
    assert heading.split()[:5] == ["紧急程度", "主机", "实例", "状态", "版本"], run.output
    assert "运行中" in row
    (record,) = run.stats["anqicms_diagnosis"]["h1"].values()
    assert record["state"] == "running", "data has codes"
    only_chinese(lines_of(run, "  ! ", "  > ", "  - ", "  . ", "以下主机未能查看"))


@pytest.mark.parametrize(
    ("environment", "word"),
    [
        ({"LC_ALL": "C.UTF-8", "LANG": "zh_CN.UTF-8"}, "状态"),
        ({"LC_ALL": "C.UTF-8", "LANG": "xx"}, "状态"),
        ({"LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "ascii"}, "?  ? id "),
    ],
    ids=["locale of China", "unknown locale", "ascii terminal"],
)
def test_terminal(player: Player, fleet: Fleet, environment: dict[str, str], word: str) -> None:
    """A terminal that cannot show the letters gets others for them. LC_ALL is what ansible-core itself needs."""
    player.env.update(environment)
    run = player.play("restart", fleet.inventory, "--check", *ZH)
    assert run.status == 0 and word in run.output, run.output
