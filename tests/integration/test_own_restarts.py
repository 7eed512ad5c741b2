# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restarts by this collection, as oom_check tells them: each of them is an end that is explained, whoever did it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable

import paths
import pytest
import windows
from instance import Instance
from integration.noon import Noon, guard, kern, running

Result = dict[str, Any]
CLEAN = ["退出 terminated", "监听到退出信号"]


@pytest.fixture
def noon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Noon:
    return Noon(tmp_path, monkeypatch)


def clock(seconds: float) -> str:
    """So many seconds after 12:00."""
    return time.strftime("%H:%M:%S", time.gmtime(12 * 3600 + seconds))


def ends(found: Result) -> list[tuple[Any, ...]]:
    return [(row["cause"], row["pid"], row["details"].get("by")) for row in found["incidents"]]


def restarts(noon: Noon, count: int, spacing: int, words: list[str], kill: bool) -> None:
    """As the host's files tell of them: pids 100, 101 ..., each started in the second in which the last one ended."""
    stops = [spacing * number for number in range(count)]
    lines = [line for at in stops for line in [*words, clock(at + 1)]]
    noon.tell(kern(), None, running(noon.dir, *lines))
    begins = ["01:00:00", *[clock(at + 1) for at in stops]]
    noon.history(*[(100 + number, begin, begin) for number, begin in enumerate(begins[:-1])])
    names = ["SIGTERM", "SIGKILL"] if kill else ["SIGTERM"]
    noon.signals(*[(clock(at), name, 100 + number) for number, at in enumerate(stops) for name in names])
    noon.alive(100 + count, begins[-1])


@pytest.mark.parametrize("spacing", [3, 10, 60, 600])
@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize(
    "words, kill, cause", [(CLEAN, False, "admin_stop"), (CLEAN, True, "admin_kill"), ([], True, "admin_kill")]
)
def test_each_restart_is_one_explained_end(
    noon: Noon, count: int, spacing: int, words: list[str], kill: bool, cause: str
) -> None:
    restarts(noon, count, spacing, words, kill)
    found = noon.check()
    assert (found["verdict"], found["cause"]) == ("no", cause), found
    assert ends(found) == [(cause, 100 + number, "window") for number in range(count)], found
    for number, incident in enumerate(found["incidents"]):
        pid = 100 + number
        sources = {row["source"] for row in incident["evidence"]}
        assert sources == {"journal.jsonl", "running.log"}, incident
        assert f"(run run-{pid})" in incident["identity"] and f"run-{pid}" == incident["details"]["run_id"]
        assert all(f"pid {pid}" in row["text"] for row in incident["evidence"] if row["source"] == "journal.jsonl")
    logged = [
        row["line"]
        for incident in found["incidents"]
        for row in incident["evidence"]
        if row["source"] == "running.log" and (row["text"] == CLEAN[0] or not words)
    ]
    assert len(logged) == len(set(logged)), "each has lines of its own"


def test_the_guard_saw_them_too(noon: Noon) -> None:
    restarts(noon, 3, 60, CLEAN, False)
    noon.tell(guards=guard(*[(f"12:0{minute}:01", "0") for minute in (1, 2, 3)]))
    assert ends(noon.check()) == [("admin_stop", 100 + number, "window") for number in range(3)]


@pytest.mark.parametrize("spacing", [10, 20, 60])
def test_a_kill_by_hand_beside_a_restart_stays_one_of_its_own(noon: Noon, spacing: int) -> None:
    """pid 100 is killed by hand; pid 101, which a guard starts then, is restarted by this collection."""
    noon.tell(kern(), None, running(noon.dir, clock(2), *CLEAN, clock(spacing + 1)))
    noon.history((100, "01:00:00", "11:00:00"), (101, clock(2), clock(2)))
    noon.signals((clock(spacing), "SIGTERM", 101), by="graceful_stop")
    noon.alive(102, clock(spacing + 1))
    found = noon.check()
    assert ends(found) == [("unexplained", None, None), ("admin_stop", 101, "graceful_stop")], found


@pytest.mark.parametrize("spacing", [10, 60])
def test_without_a_log_and_without_a_history_the_journal_tells(noon: Noon, spacing: int) -> None:
    noon.signals(*[(clock(spacing * number), "SIGTERM", 100 + number) for number in range(4)], by="graceful_stop")
    noon.alive(104, clock(spacing * 4))
    found = noon.check()
    assert ends(found) == [("admin_stop", 100 + number, "graceful_stop") for number in range(4)], found


def test_a_kill_for_memory_amid_a_stop_is_one_end(noon: Noon) -> None:
    killed = "Out of memory: Killed process 100 (anqicms) total-vm:1kB, anon-rss:1kB, file-rss:0kB, shmem-rss:0kB"
    noon.tell(kern((clock(5), killed)), None, running(noon.dir, CLEAN[0], clock(6)))
    noon.history((100, "01:00:00", "11:00:00"))
    noon.signals((clock(1), "SIGTERM", 100))
    noon.alive(101, clock(6))
    found = noon.check()
    assert [(row["cause"], row["pid"]) for row in found["incidents"]] == [("kernel_oom_global", 100)], found


# --- on real processes, by the modules

Site = Callable[..., Instance]


def module(name: str, shop: Instance, **options: Any) -> Result:
    arguments = {"ANSIBLE_MODULE_ARGS": {"dir": str(shop.dir), "state_dir": str(shop.dir.parent / "state"), **options}}
    path = paths.ROOT / "plugins" / "modules" / f"{name}.py"
    done = subprocess.run(
        [sys.executable, str(path)],
        input=json.dumps(arguments),
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env=dict(os.environ, PYTHONPATH=str(paths.link_tree())),
    )
    assert done.stdout, done.stderr
    result = dict(json.loads(done.stdout))
    assert not result.get("failed"), result
    return result


@pytest.mark.root  # who may not read the kernel's log is told that it is not known
@pytest.mark.parametrize("version, causes", [("3.5.8", {"admin_stop"}), ("3.2.1", {"admin_kill"})])
def test_restarts_of_real_processes_by_tasks_and_by_windows(site: Site, version: str, causes: set[str]) -> None:
    begin = time.time() - 1
    shop = site(version)
    who: list[tuple[int, str]] = []
    for by in ("graceful_stop", "graceful_stop", "window", "graceful_stop", "window"):
        who.append((shop.pid, by))
        if by == "window":
            assert windows.run(shop)["outcome"] == "done"
        else:
            assert module("graceful_stop", shop)["stopped"]
            module("verified_start", shop, stable_for=0.2)
    found = module("oom_check", shop, since=str(begin), journal=False)
    assert [(row["pid"], row["details"].get("by")) for row in found["incidents"]] == who, found["incidents"]
    assert {row["cause"] for row in found["incidents"]} == causes
    for (pid, by), incident in zip(who, found["incidents"]):
        own = [row["text"] for row in incident["evidence"] if row["source"] == "journal.jsonl"]
        assert own and all(f"pid {pid} " in text for text in own), incident
        assert ("the task graceful_stop" in incident["identity"]) is (by == "graceful_stop")
    assert (found["verdict"], found["cause"]) == ("no", causes.pop()), found


@pytest.mark.root
def test_a_kill_by_hand_between_two_restarts_is_told_apart(site: Site) -> None:
    begin = time.time() - 1
    shop = site()
    windows.run(shop)
    killed = shop.pid
    os.kill(killed, signal.SIGKILL)
    assert windows.within(15, lambda: not shop.pids())
    module("verified_start", shop, stable_for=0.2)
    module("graceful_stop", shop)
    found = module("oom_check", shop, since=str(begin), journal=False)
    assert sorted(row["cause"] for row in found["incidents"]) == ["admin_stop", "admin_stop", "unexplained"], found
    # Its time is known to a second, so it may stand before the stop of the moment before.
    assert [row["pid"] for row in found["incidents"] if row["cause"] == "unexplained"] in ([killed], [None]), found


def test_an_unfinished_run_is_not_continued_by_a_task(site: Site) -> None:
    """What a task signals later is no part of it: a recovery would take the process for one that is ending."""
    shop = site()
    context = windows.context_of(shop)
    context.state.make()
    context.state.log("begin", run_id="r1", token="t", steps=["graceful_stop"], before=None)
    module("graceful_stop", shop)
    unfinished = context.state.last_unfinished()
    context.close()
    assert unfinished is not None and not unfinished["signalled"], unfinished
