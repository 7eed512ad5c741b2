# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The event source as a program of its own: its restarts, those of its watcher, and the ways to a host."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Iterator

import pytest
import windows
from instance import make_instance
from integration.death_source import (
    ANYBODYS_PYTHON,
    QUIET,
    Site,
    Watch,
    kill,
    limited,
    memory_group,
    root,
    sources,
    starve,
)


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    yield from sources(tmp_path)


@pytest.fixture
def group() -> Iterator[Path]:
    yield from memory_group()


def test_its_own_restart_repeats_nothing_and_loses_nothing(site: Site, watch: Watch) -> None:
    shop = site()
    source = watch(shop)
    source.wait_until_seen(shop)
    first = kill(shop)
    source.wait_for(1)
    source.end()
    source.begin()
    shop.start()
    source.wait_until_seen(shop)
    source.end(signal.SIGKILL)
    second = kill(shop)  # nobody watches
    shop.start()
    source.begin()
    assert [event["pid"] for event in source.wait_for(2)] == [first, second]
    source.end()
    source.begin()
    source.wait_until_seen(shop)
    time.sleep(QUIET)
    assert len(source.events) == 2


@limited
def test_a_kill_for_memory_while_it_is_away_is_told_as_one(site: Site, watch: Watch, group: Path) -> None:
    shop = site()
    source = watch(shop)
    source.wait_until_seen(shop)
    source.end()
    starve(shop, group)
    source.begin()
    source.wait_for(1)
    assert source.causes == ["kernel_oom_cgroup"]


def test_a_watcher_that_is_killed_is_started_again(site: Site, watch: Watch) -> None:
    shop = site()
    source = watch(shop)
    source.wait_until_seen(shop)
    watcher = source.watcher()
    os.kill(watcher, signal.SIGKILL)
    pid = kill(shop)
    assert [event["pid"] for event in source.wait_for(1)] == [pid]
    assert "the watcher has ended. It is tried again in 1 s." in source.log


def test_the_watcher_ends_with_its_source(site: Site, watch: Watch) -> None:
    shop = site()
    source = watch(shop)
    source.wait_until_seen(shop)
    watcher = source.watcher()
    source.end(signal.SIGKILL)
    assert windows.within(10, lambda: not Path(f"/proc/{watcher}").exists())


@limited
def test_the_first_start_tells_nothing_of_the_past(site: Site, watch: Watch, group: Path) -> None:
    shop = site()
    context = windows.context_of(shop)
    context.look()
    context.remember()
    context.close()
    starve(shop, group)
    source = watch(shop)
    shop.start()
    for count in range(1, 3):
        source.wait_until_seen(shop)
        pid = kill(shop)  # which makes it look back
        shop.start()
        assert source.wait_for(count)[-1]["pid"] == pid
        source.end()
        source.begin()
    time.sleep(QUIET)
    assert source.causes == ["unexplained"] * 2


def test_through_a_shell(site: Site, watch: Watch) -> None:
    shop = site()
    source = watch(shop, shell=["/bin/sh", "-c"], python=sys.executable)
    source.wait_until_seen(shop)
    kill(shop)
    source.wait_for(1)


@root
def test_without_root_it_watches_and_guesses_nothing(place: Path, watch: Watch) -> None:
    """As a user who may see the process and not the kernel's log: no verdict where nobody could look."""
    shop = make_instance(place / "shop.example", "3.5.8")
    shop.knobs(no_database=True)
    subprocess.run(["chown", "-R", "65534:65534", str(place)], check=True)
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/bin/sh", "-c"]
    subprocess.run([*as_nobody, f"cd {shop.dir} && nohup ./anqicms >> running.log 2>&1 &"], check=True)
    shop.wait_ready()
    source = watch(shop, shell=as_nobody, python=ANYBODYS_PYTHON, state_dir=str(place / "state"))
    source.wait_until_seen(shop)
    time.sleep(2.5)  # it counts once a second
    kill(shop)
    (event,) = source.wait_for(1)
    assert event["cause"] == "unexplained", "the kernel's count of OOM kills excludes one, whoever may read its log"
