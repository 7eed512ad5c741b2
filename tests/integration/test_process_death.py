# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The event source as a program of its own, on real processes: what it tells, and what not."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Iterator

import paths
import pytest
import windows
from instance import Instance
from integration.death_source import (
    ANYBODYS_PYTHON,
    QUIET,
    Event,
    Site,
    Watch,
    kill,
    limited,
    memory_group,
    root,
    sources,
    starve,
)

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import check as _oom_check


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    yield from sources(tmp_path)


@pytest.fixture
def group() -> Iterator[Path]:
    yield from memory_group()


@limited
def test_a_kill_for_memory_is_one_event_as_oom_check_says_it(site: Site, watch: Watch, group: Path) -> None:
    shop = site()
    source = watch(shop)
    source.wait_until_seen(shop)
    pid = shop.pid
    starve(shop, group)
    (event,) = source.wait_for(1)
    assert (event["host"], event["meta"]) == ("web1.example", {"hosts": "web1.example"})
    assert event["instance"].endswith("-shop.example")
    assert (event["verdict"], event["cause"], event["pid"]) == ("confirmed", "kernel_oom_cgroup", pid)
    assert event["deaths_last_hour"] == 1
    context = windows.context_of(shop)
    params: Event = dict.fromkeys(_oom_check.SPEC)
    params.update(kernel_logs=[], journal=True, counters=True, since=str(time.time() - 30))
    (incident,) = [row for row in _oom_check.check(context, params)["incidents"] if row["pid"] == pid]
    context.close()
    assert set(event) == set(incident) | {"host", "instance", "dir", "deaths_last_hour", "meta"}
    assert {key: event[key] for key in ("time", "cause", "cgroup")} == {
        key: incident[key] for key in ("time", "cause", "cgroup")
    }
    time.sleep(QUIET)
    assert len(source.events) == 1


def test_each_end_by_its_cause_and_the_new_process_is_watched(site: Site, watch: Watch) -> None:
    shop = site()
    source = watch(shop)
    pids = []
    for count, number in enumerate((signal.SIGTERM, signal.SIGKILL, signal.SIGKILL), 1):
        source.wait_until_seen(shop)
        pids.append(kill(shop, number))
        source.wait_for(count)
        shop.start()
    events = source.events
    assert [event["pid"] for event in events] == pids
    assert source.causes == ["admin_stop", "unexplained", "unexplained"]
    assert [event["deaths_last_hour"] for event in events] == [0, 1, 2], "what somebody wanted does not count"


def test_only_the_one_that_died_of_two(site: Site, watch: Watch) -> None:
    shop, blog = site(), site(name="blog.example")
    source = watch(shop, blog)
    source.wait_until_seen(shop, blog)
    kill(blog)
    (event,) = source.wait_for(1)
    assert event["instance"].endswith("-blog.example")


def test_instances_are_found_where_none_are_listed(site: Site, watch: Watch) -> None:
    shop = site()
    source = watch(shop, instances=None)
    source.wait_until_seen(shop)
    kill(shop)
    assert windows.within(30, lambda: str(shop.dir) in [event["dir"] for event in source.events]), source.log


# --- what is no event

FORGED = "Out of memory: Killed process %d (anqicms) total-vm:1kB, anon-rss:1kB, file-rss:0kB, shmem-rss:0kB"


def forge(shop: Instance, pid: int) -> None:
    """What somebody can write who is not root, and what even root cannot write as the kernel."""
    if os.geteuid() == 0:
        Path("/dev/kmsg").write_text("<2>" + FORGED % pid + "\n")
    if shutil.which("logger"):
        subprocess.run(["logger", "-p", "kern.crit", "-t", "kernel", FORGED % pid], check=False, capture_output=True)
    with shop.log.open("a") as log:
        log.write(f"{FORGED % pid}\npanic: out of memory\n\ngoroutine 1 [running]:\nmain.main()\n")
    now = time.strftime("%Y%m%d %H:%M:%S")
    (shop.dir / "check.log").write_text("".join(f"{now} anqicms PID check: {count}\n" for count in (1, 1, 1, 0, 0)))


def test_forged_lines_are_no_event(site: Site, watch: Watch) -> None:
    shop = site()
    source = watch(shop)
    source.wait_until_seen(shop)
    forge(shop, shop.pid)
    time.sleep(QUIET)
    assert source.events == []
    pid = kill(shop)
    (event,) = source.wait_for(1)
    assert event["pid"] == pid
    assert not event["cause"].startswith(("kernel_oom", "userspace_oom")), event
    forge(shop, pid)
    time.sleep(QUIET)
    assert len(source.events) == 1


@limited
def test_a_stranger_of_that_name_who_gets_killed_is_no_event(site: Site, watch: Watch, group: Path) -> None:
    """While the instance is down, so that it cannot be known to live."""
    shop = site()
    source = watch(shop)
    source.wait_until_seen(shop)
    kill(shop)
    source.wait_for(1)
    script = (
        "import ctypes, os; os.setuid(65534); ctypes.CDLL(None).prctl(15, b'anqicms')\n"
        "b = []\nwhile True: b.append(b'1' * (1 << 20))"
    )
    command = ["/bin/sh", "-c", f"echo $$ > {group}/cgroup.procs; exec {ANYBODYS_PYTHON} -c \"{script}\""]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    time.sleep(QUIET)
    assert len(source.events) == 1, source.events


def test_a_stop_of_this_collection_is_told_as_one(site: Site, watch: Watch, tmp_path: Path) -> None:
    shop = site()
    source = watch(shop)
    source.wait_until_seen(shop)
    task_stops(shop, tmp_path)
    (event,) = source.wait_for(1)
    assert (event["cause"], event["deaths_last_hour"]) == ("admin_stop", 0)
    assert "the task graceful_stop of this collection sent SIGTERM" in event["identity"]


def task_stops(shop: Instance, tmp_path: Path) -> int:
    pid = shop.pid
    arguments = {"ANSIBLE_MODULE_ARGS": {"dir": str(shop.dir), "state_dir": str(tmp_path / "state"), "timeout": 20}}
    module = paths.ROOT / "plugins" / "modules" / "graceful_stop.py"
    done = subprocess.run(
        [sys.executable, str(module)],
        input=json.dumps(arguments),
        check=False,
        capture_output=True,
        text=True,
        env=dict(os.environ, PYTHONPATH=str(paths.link_tree())),
    )
    assert json.loads(done.stdout)["changed"], done.stdout
    return pid


@pytest.mark.parametrize("version, cause", [("3.5.8", "admin_stop"), ("3.2.1", "admin_kill")])
def test_restarts_in_a_row_are_one_event_each_and_none_is_counted(
    site: Site, watch: Watch, tmp_path: Path, version: str, cause: str
) -> None:
    """The last one happens while nobody watches."""
    shop = site(version)
    source = watch(shop)
    pids = []
    for number in range(3):
        source.wait_until_seen(shop)
        source.wait_for(number)
        if number == 2:
            source.end()
        pids.append(task_stops(shop, tmp_path))
        shop.start()
    source.begin()
    events = source.wait_for(3)
    assert [(event["pid"], event["cause"], event["deaths_last_hour"]) for event in events] == [
        (pid, cause, 0) for pid in pids
    ]
    assert [event["details"]["by"] for event in events] == ["graceful_stop"] * 3
    assert {
        row["text"].split()[4] for event in events for row in event["evidence"] if row["source"] == "journal.jsonl"
    } == {str(pid) for pid in pids}


def test_a_kill_in_a_window_is_told_as_a_stop(site: Site, watch: Watch) -> None:
    shop = site()
    source = watch(shop)
    source.wait_until_seen(shop)
    with subprocess.Popen(["flock", str(shop.dir), "sleep", "60"]) as holder:
        assert windows.within(10, lambda: _is_locked(shop))
        kill(shop)
        source.wait_for(1)
        _end_group(holder)
    assert source.causes == ["admin_stop"]


@root
def test_a_lock_that_a_stranger_holds_hides_no_death(site: Site, watch: Watch) -> None:
    shop = site()
    for directory in (shop.dir, *shop.dir.parents):
        if "pytest-" in str(directory):  # they are closed to others; the stranger must get to it
            directory.chmod(0o755)
    source = watch(shop)
    source.wait_until_seen(shop)
    holder = subprocess.Popen(["flock", str(shop.dir), "sleep", "60"], user=65534, group=65534)
    try:
        assert windows.within(10, lambda: _is_locked(shop))
        kill(shop)
        source.wait_for(1)
        assert source.causes == ["unexplained"]
    finally:
        _end_group(holder)


def _is_locked(shop: Instance) -> bool:
    return subprocess.run(["flock", "-n", str(shop.dir), "true"], check=False).returncode != 0


def _end_group(process: "subprocess.Popen[bytes]") -> None:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for pid in [*map(int, children), process.pid]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait(10)
