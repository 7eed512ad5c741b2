# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real kills for memory in containers of podman, which answers as docker does; oom_check asks on their host."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, Iterator

import paths
import pytest
from e2e import bed
from e2e.conftest import VERSION
from e2e.playing import Player, until
from instance import Instance, make_instance

pytestmark = [
    pytest.mark.root,
    pytest.mark.standin("it takes memory when it is asked to"),
    pytest.mark.usefixtures("kernel_log"),
]
LIMIT = 192
CONFIG = """\
[containers]
default_ulimits = ["nofile={files}:{files}", "nproc={processes}:{processes}"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
"""


class Podman:
    """Its own storage and state, so that nothing else of the machine is seen or touched."""

    def __init__(self, root: Path) -> None:
        self.root = root
        files, processes = (
            min(resource.getrlimit(kind)[1] % (1 << 63), 20000)  # no more than we may
            for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC)
        )
        (root / "containers.conf").write_text(CONFIG.format(files=files, processes=processes))
        shim = root / "bin" / "docker"
        shim.parent.mkdir()
        places = " ".join(f"--{name} {root / name}" for name in ("root", "runroot", "tmpdir"))
        shim.write_text(f"#!/bin/sh\nexport CONTAINERS_CONF={root}/containers.conf\nexec podman {places} \"$@\"\n")
        shim.chmod(0o755)
        self.program = str(shim)

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.program, *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            cwd=self.root,
            env=dict(os.environ, PATH=paths.clean_path()),
        )

    def run(self, instance: Instance, *options: str) -> str:
        """Run an instance in a container, with its directory under another name; returns the container's id."""
        inner = "cd /app && exec ./anqicms >> running.log 2>&1"
        done = self(
            "run",
            "-d",
            "--net",
            "host",
            "-v",
            f"{instance.dir}:/app",
            *options,
            "--rootfs",
            f"{bed.make_base()}:O",
            "/bin/sh",
            "-c",
            inner,
        )
        assert done.returncode == 0, done.stderr
        until(instance.told_version, "it answers in its container", 30, 0.05)
        return done.stdout.strip()

    def remove(self) -> None:
        self("rm", "--all", "--force", "--time", "0")
        for line in Path("/proc/self/mountinfo").read_text().splitlines()[::-1]:
            if line.split()[4].startswith(f"{self.root}/"):
                subprocess.run(["umount", "-l", line.split()[4]], check=True)
        shutil.rmtree(self.root)
        for parent in bed.CGROUPS.glob("*/libpod_parent"):
            for directory, _names, _files in os.walk(parent, topdown=False):
                with suppress(OSError):  # another podman's
                    os.rmdir(directory)

    def has_ended(self, name: str) -> bool:
        return self("inspect", "--format", "{{.State.Running}}", name).stdout.strip() == "false"


@pytest.fixture
def podman() -> Iterator[Podman]:
    if shutil.which("podman", path=paths.clean_path()) is None or shutil.which("runc", path=paths.clean_path()) is None:
        pytest.skip("podman and runc are not installed")
    if (bed.CGROUPS / "cgroup.controllers").exists():
        pytest.skip("podman is set up here for control groups of version 1")
    made = Podman(Path(tempfile.mkdtemp(prefix="anqicms-", dir="/var/tmp")))  # podman takes no longer path
    base = bed.make_base()
    tried = made("run", "--rm", "--net", "host", "--memory", "64m", "--rootfs", f"{base}:O", "/bin/true")
    if tried.returncode:
        made.remove()
        pytest.skip(f"podman cannot run a container here: {tried.stderr.strip()[-300:]}")
    yield made
    made.remove()


@pytest.fixture
def place(tmp_path: Path) -> Callable[[str], Instance]:
    def make(name: str) -> Instance:
        made = make_instance(tmp_path / "www" / name, VERSION)
        made.knobs(no_database=True)
        return made

    return make


def ask(player: Player, podman: Podman, instance: Instance, since: float, tmp_path: Path) -> dict[str, Any]:
    player.env["PATH"] = f"{Path(podman.program).parent}:{player.env['PATH']}"
    inventory = tmp_path / "hosts"
    inventory.write_text("localhost ansible_connection=local\n")
    options = dict(dir=str(instance.dir), since=str(since), state_dir=str(tmp_path / "state"))
    done = player.ad_hoc("localhost", "oom_check", json.dumps(options), inventory)
    assert done.status == 0, done.output
    return dict(json.loads(done.output.partition("=>")[2]))


def test_a_container_reaches_its_limit(
    podman: Podman, place: Callable[[str], Instance], default_player: Player, tmp_path: Path
) -> None:
    """Two containers, one is killed: the path of the kernel's line holds the id, and podman whose directory that is."""
    since = time.time() - 1
    shop, blog = place("shop.example"), place("blog.example")
    first = podman.run(shop, "--memory", f"{LIMIT}m")
    second = podman.run(blog, "--memory", f"{LIMIT * 2}m")
    with suppress(OSError):
        shop.get(f"/eat?mb={LIMIT + 64}", timeout=30)
    until(lambda: podman.has_ended(first), "the end of the container", 20)
    found = ask(default_player, podman, shop, since, tmp_path)
    assert (found["verdict"], found["cause"]) == ("confirmed", "kernel_oom_cgroup"), json.dumps(found)
    incident = found["incidents"][-1]
    assert (incident["scope"], first in incident["cgroup"]) == ("cgroup", True), incident
    assert f"control group {incident['cgroup']} belongs to this instance alone" in incident["identity"]
    podman("kill", "--signal", "KILL", second)
    until(lambda: podman.has_ended(second), "the end of the other container", 20)
    found = ask(default_player, podman, blog, since, tmp_path)
    assert found["verdict"] == "no", found
