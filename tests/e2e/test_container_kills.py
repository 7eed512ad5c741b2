# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real kills for memory in containers of podman, which answers as docker does; oom_check asks on their host."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, Iterator

import podman_hosts
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


class Podman(podman_hosts.Podman):
    """Runs instances in containers, with their directories under other names."""

    def run(self, instance: Instance, *options: str) -> str:
        """Run an instance in a container; returns the container's id."""
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

    def has_ended(self, name: str) -> bool:
        return self("inspect", "--format", "{{.State.Running}}", name).stdout.strip() == "false"


@pytest.fixture
def podman() -> Iterator[Podman]:
    try:
        made = Podman.usable("--memory", "64m")
    except podman_hosts.Unusable as error:
        pytest.skip(str(error))
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
