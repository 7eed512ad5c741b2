# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""graceful_stop: who would start it again, and who did."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Iterator

import pytest
from instance import Instance, make_instance
from integration.stopping import directories, gone, signals_of, start_of, stop, within


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Instance]:
    for www in directories(tmp_path / "www"):
        yield make_instance(www / "site", "3.5.8")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tmp_path / "state"


# Starts the instance again `pause` seconds after its end, until its own end.
WATCHDOG = """
import subprocess, sys, time
binary, pause, log = sys.argv[1], float(sys.argv[2]), open('running.log', 'ab')
while True:
    subprocess.call([binary], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    time.sleep(pause)
"""


@pytest.mark.parametrize("pause", ["0", "1"])
def test_a_start_by_a_watchdog_after_the_stop_is_a_failure(site: Instance, base: Path, pause: str) -> None:
    watchdog = subprocess.Popen([sys.executable, "-c", WATCHDOG, str(site.binary), pause], cwd=site.dir)
    try:
        pid = site.wait_ready()
        result = stop(site.dir, base)
        assert result["failed"] and gone(pid) and watchdog.poll() is None
        assert "started it again as pid %d" % result["respawned"] in result["msg"]
        assert result["respawned"] == site.wait_ready() != pid
        assert (result["exit_kind"], signals_of(result)) == ("graceful", ["SIGTERM"])
    finally:
        watchdog.kill()
        watchdog.wait()


SUPERVISOR = """
import os, signal, sys
if os.fork() == 0:
    os.execv(sys.argv[1], [sys.argv[1]])
while True:
    signal.pause()
"""


@pytest.mark.parametrize("name", ["supervisord", "runsv", "s6-supervise"])
@pytest.mark.parametrize("force", ["idle", "timeout"])
def test_the_child_of_a_supervisor_is_refused(
    site: Instance, base: Path, tmp_path: Path, name: str, force: str
) -> None:
    program = tmp_path / name
    shutil.copy(os.path.realpath(sys.executable), program)
    environment = {**os.environ, "PYTHONHOME": sys.base_prefix}
    supervisor = subprocess.Popen([str(program), "-c", SUPERVISOR, str(site.binary)], cwd=site.dir, env=environment,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        pid = site.wait_ready()
        before = start_of(pid)
        result = stop(site.dir, base, force=force)
        assert result["failed"] and f"is run by {name}" in result["msg"] and "Nothing was signalled" in result["msg"]
        assert start_of(pid) == before and site.told_version() == "3.5.8"
        planned = stop(site.dir, base, force=force, check=True)
        assert planned["failed"] and planned["supervisors"][0]["kind"] == name
    finally:
        supervisor.kill()
        supervisor.wait()


def test_the_first_process_of_a_container_is_refused(site: Instance, base: Path, tmp_path: Path) -> None:
    """Its parent is the container's init: the runtime decides what is next."""
    program = tmp_path / "tini"
    shutil.copy(os.path.realpath(sys.executable), program)
    environment = {**os.environ, "PYTHONHOME": sys.base_prefix}
    supervisor = subprocess.Popen([str(program), "-c", SUPERVISOR, str(site.binary)], cwd=site.dir, env=environment,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        pid = site.wait_ready()
        result = stop(site.dir, base)
        assert result["failed"] and "is run by container (tini)" in result["msg"] and not gone(pid)
    finally:
        supervisor.kill()
        supervisor.wait()


def test_where_nobody_watches_the_stop_returns_at_once(site: Instance, base: Path) -> None:
    """Where no guard is known the end is not followed by two seconds of looking around."""
    site.start()
    begin = time.monotonic()
    result = stop(site.dir, base)
    assert result["respawned"] is None and time.monotonic() - begin < 1.5
    assert not within(0.3, site.pids)
