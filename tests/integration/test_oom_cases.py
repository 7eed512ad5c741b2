# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deaths as their three logs tell them: check.log, running.log and kern.log of one noon, and what oom_check says."""

from __future__ import annotations

import gzip
import os
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils import _oom_check, _oom_subject, _state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import resolve

Result = dict[str, Any]
DAY = "2026-01-31"
BEGIN = "Now listening on: http://localhost:8001\nApplication started. Press CTRL+C to shut down.\n"
SIZES = "total-vm:812404kB, anon-rss:655120kB, file-rss:0kB, shmem-rss:0kB"
KILLED = f"Out of memory: Killed process 4711 (anqicms) {SIZES}"
IN_GROUP = f"Memory cgroup out of memory: Killed process 4711 (anqicms) {SIZES}"
INTENT = "Out of memory: Kill process 4711 (anqicms) score 651 or sacrifice child"
CHILD = f"Killed process 4712 (cwebp) {SIZES}"
CHOSEN = ("oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/,"
          "task=anqicms,pid=4711,uid=0")
SKIPPED = "Out of memory: OOM victim 4711 (anqicms) is already exiting. Skip killing the task"


def local(clock: str) -> float:
    return time.mktime(time.strptime(f"{DAY} {clock}", "%Y-%m-%d %H:%M:%S"))


def kern(*rows: tuple[str, str]) -> str:
    """Lines of a kern.log that spans the day; rows are time and message."""
    noise = [("00:00:10", "eth0: link up"), ("23:00:00", "eth0: link down")]
    return "".join(f"Jan 31 {clock} web1 kernel: [{int(local(clock)) % 100000:5d}.123456] {text}\n"
                   for clock, text in sorted([*noise, *rows]))


def guard(*rows: tuple[str, str]) -> str:
    """Lines of a check.log: a count of 1 each minute from 11:00 on, but what rows say."""
    said = {f"11:{minute:02d}:01": "1" for minute in range(60)}
    said.update({f"12:{minute:02d}:01": "1" for minute in range(60)})
    said.update(rows)
    return "".join(f"20260131 {clock} anqicms PID check: {count}\n" for clock, count in sorted(said.items()))


def running(directory: Path, *lines: str) -> str:
    """A log of one process from 01:00 on; lines that are a time begin another process."""
    text = f"2026/01/31 01:00:00 {directory}/\n{BEGIN}2026/01/31 11:59:50 finished convert to webp\n"
    for line in lines:
        is_time = len(line) == 8 and line[2] == ":"
        text += f"2026/01/31 {line} {directory}/\n{BEGIN}" if is_time else line + "\n"
    return text + "2026/01/31 13:00:00 google-status 200\n"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of the only instance of a host: the processes of this machine know nothing of that noon."""
    monkeypatch.setattr(_oom_subject, "others", lambda *_: ())
    directory = tmp_path / "shop.example"
    directory.mkdir()
    return directory


def check(place: Path, **options: Any) -> Result:
    params: Result = dict(since=f"{DAY}T09:00:00", until=f"{DAY}T15:00:00", pid=None, check_log=None, running_log=None,
                          kernel_logs=[str(place.parent / "kern.log")], journal=False, counters=False)
    params.update(options)
    instance = resolve(str(place))
    context = Context(instance, _state.StateDir(instance, str(place.parent / "state")))
    try:
        return _oom_check.check(context, params)
    finally:
        context.close()


def write(path: Path, text: str, clock: str = "23:00:01") -> None:
    path.write_text(text)
    os.utime(path, (local(clock), local(clock)))


def tell(place: Path, kernel: str, guards: str | None, own: str | None) -> Result:
    write(place.parent / "kern.log", kernel)
    if guards is not None:
        write(place / "check.log", guards)
    if own is not None:
        write(place / "running.log", own)
    return check(place)


FELL = ("12:01:01", "0")
AGAIN = "12:01:02"
CASES = [
    ("a6_1_the_host", kern(("12:00:20", KILLED)), guard(FELL), [AGAIN], "confirmed", "kernel_oom_global"),
    ("a6_2_its_group", kern(("12:00:20", IN_GROUP)), guard(FELL), [AGAIN], "confirmed", "kernel_oom_cgroup"),
    ("a6_4_only_the_bare_line", kern(("12:00:20", KILLED.partition(": ")[2])), guard(FELL), [AGAIN], "confirmed",
     "kernel_oom_global"),
    ("a6_5_the_line_of_the_kill_is_lost", kern(
        ("12:00:20", CHOSEN),
        ("12:00:21", "oom_reaper: reaped process 4711 (anqicms), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB")),
     guard(FELL), [AGAIN], "confirmed", "kernel_oom_global"),
    ("a6_6_a_child", kern(("12:00:20", INTENT), ("12:00:20", CHILD)), guard(), [], "no", None),
    ("a6_7_a_child_and_later_a_script", kern(("12:00:20", INTENT), ("12:00:20", CHILD)),
     guard(("12:10:30", "4711"), ("12:11:01", "0")), ["12:11:02"], "no", "admin_kill"),
    ("a6_11_a_script", kern(), guard(("12:00:30", "4711"), FELL), [AGAIN], "no", "admin_kill"),
    ("a6_12_a_signal", kern(), guard(FELL), ["退出 terminated", "监听到退出信号", AGAIN], "no", "admin_stop"),
    ("a6_15_a_panic", kern(), guard(FELL), ["panic: assignment to entry in nil map", "", "goroutine 7 [running]:",
                                            "main.main()", AGAIN], "no", "crash"),
    ("a6_14_go", kern(), guard(FELL), ["fatal error: runtime: out of memory", "", "goroutine 7 [running]:",
                                       "main.main()", AGAIN], "no", "go_runtime_oom"),
    ("a6_17_a_panic_of_the_kernel", kern(
        ("12:00:20", "Kernel panic - not syncing: Out of memory: system-wide panic_on_oom is enabled"),
        ("12:01:00", "Linux version 6.1.0-18-amd64 (debian-kernel@lists.debian.org)")), guard(FELL), ["12:01:30"],
     "no", "host_panic"),
    ("a6_16_a_boot", kern(("12:01:00", "Linux version 6.1.0-18-amd64 (debian-kernel@lists.debian.org)")), guard(FELL),
     ["12:01:30"], "no", "host_reboot"),
    ("a6_18_no_log_of_the_kernel", "", guard(FELL), [AGAIN], "unknown", "unexplained"),
    ("a6_29_no_kill", kern(("12:00:20", SKIPPED)), guard(), [], "no", None),
    ("a6_32_no_log_of_the_guard", kern(("12:00:20", KILLED)), None, [AGAIN], "confirmed", "kernel_oom_global"),
    ("a6_33_a_corrupt_log_of_the_guard", kern(("12:00:20", KILLED)), "\0" * 4096 + guard(FELL) + "\r\n2026013\n",
     [AGAIN], "confirmed", "kernel_oom_global"),
    ("a6_38_the_database", kern(("12:00:20", KILLED.replace("anqicms", "mysqld"))), guard(FELL), [AGAIN], "no",
     "unexplained"),
    ("a6_10_yesterday", kern(("00:30:00", KILLED)), guard(), [], "no", None),
]


@pytest.mark.parametrize("kernel, guards, lines, verdict, cause", [case[1:] for case in CASES],
                         ids=[case[0] for case in CASES])
def test_a_death(place: Path, kernel: str, guards: str | None, lines: list[str], verdict: str,
                 cause: str | None) -> None:
    found = tell(place, kernel, guards, running(place, *lines))
    assert found["verdict"] == verdict, found
    assert cause is None or found["cause"] == cause, found
    if verdict == "confirmed":
        assert [incident["pid"] for incident in found["incidents"]] == [4711]
        assert {"kern.log", "running.log"} <= {row["source"] for row in found["incidents"][0]["evidence"]}


def test_a6_39_three_kills_in_a_row(place: Path) -> None:
    kills = [(f"12:0{minute}:20", KILLED.replace("4711", str(4711 + minute))) for minute in (0, 1, 2)]
    falls = [(f"12:0{minute}:01", "0") for minute in (1, 2, 3)]
    found = tell(place, kern(*kills), guard(*falls), running(place, "12:01:02", "12:02:02", "12:03:02"))
    assert [incident["pid"] for incident in found["incidents"]] == [4711, 4712, 4713], found
    assert any("killed 3 times" in text for text in found["advice"])


def test_a6_41_only_the_rotated_file_of_the_window_is_read(place: Path) -> None:
    base = place.parent / "kern.log"
    write(base, "Feb 28 10:00:00 web1 kernel: [    1.000000] later\n")
    packed = place.parent / "kern.log.2.gz"
    packed.write_bytes(gzip.compress(kern(("12:00:20", KILLED)).encode()))
    os.utime(packed, (local("23:00:01"), local("23:00:01")))
    broken = place.parent / "kern.log.9.gz"
    broken.write_bytes(b"it would be an error to read this")
    os.utime(broken, (local("00:00:05") - 86400 * 7, local("00:00:05") - 86400 * 7))
    found = check(place)
    assert (found["verdict"], found["incidents"][0]["pid"]) == ("confirmed", 4711), found
    assert any(row["file"] == str(packed) and row["line"] for row in found["incidents"][0]["evidence"])
    assert not any("kern.log.9" in (row["why_not"] or "") for row in found["coverage"])
