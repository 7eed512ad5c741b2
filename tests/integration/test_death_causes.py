# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Verdict and advice after each real way to end, on the host and in a PID namespace, by version where it matters."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import dying
import memory_groups
import pytest
from instance import Instance, make_instance

Result = dict[str, Any]
NAMESPACE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
BY_NAME = ("old stop.sh", "new stop.sh")


def can_read_kernel() -> bool:
    return subprocess.run(["dmesg"], capture_output=True, check=False).returncode == 0


pytestmark = [
    pytest.mark.standin("it ends as it is told"),
    pytest.mark.skipif(not can_read_kernel(), reason="the log of the kernel may not be read"),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root for namespaces and control groups"),
]

# way, version, cause, a word of the advice
ENDS = [
    ("runtime", "3.5.8", "go_runtime_oom", "GOMEMLIMIT to about"),
    ("SIGKILL", "3.5.8", "unexplained", "It was not OOM-killed"),
    ("SIGTERM", "3.5.8", "admin_stop", "sent it a signal to end"),
    ("SIGTERM", "3.2.8", "admin_stop", "sent it a signal to end"),
    ("SIGHUP", "3.5.8", "admin_stop", "sent it a signal to end"),
    ("SIGHUP", "3.2.8", "admin_stop", "sent it a signal to end"),
    ("SIGQUIT", "3.5.8", "admin_stop", "sent it a signal to end"),
    ("SIGQUIT", "2.5.3", "admin_stop", "sent it a signal to end"),
    ("SIGABRT", "3.5.8", "crash", "Report the crash"),
    ("SIGABRT", "2.5.3", "crash", "Report the crash"),
    ("SIGSEGV", "3.5.8", "crash", "Report the crash"),
    ("old stop.sh", "3.5.8", "admin_kill", "stop.sh"),
    ("new stop.sh", "3.5.8", "unexplained", "It was not OOM-killed"),
]


def shop_of(tmp_path: Path, version: str) -> Instance:
    shop = make_instance(tmp_path / "shop.example", version)
    shop.knobs(no_database=True)
    return shop


def in_namespace(shop: Instance, way: str) -> Result:
    env = dict(os.environ, PYTHONPATH=":".join(path for path in sys.path if path))
    words = [*NAMESPACE, sys.executable, dying.__file__, str(shop.dir), shop.version, str(shop.port), way]
    done = subprocess.run(words, env=env, check=False, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def on_host(shop: Instance, way: str) -> Result:
    try:
        return dying.die(shop, way)
    finally:
        shop.kill()


@pytest.mark.parametrize("way, version, cause, word", ENDS, ids=[f"{row[0]} {row[1]}" for row in ENDS])
@pytest.mark.parametrize("where", ["host", "namespace"])
def test_an_end_that_is_no_kill_for_memory(
    tmp_path: Path, where: str, way: str, version: str, cause: str, word: str
) -> None:
    if where == "host" and way in BY_NAME:
        pytest.skip("it would kill by name")
    shop = shop_of(tmp_path, version)
    found = on_host(shop, way) if where == "host" else in_namespace(shop, way)
    assert (found["verdict"], found["cause"]) == ("no", cause), found
    assert len(found["incidents"]) == 1, found["incidents"]
    assert word in " ".join(found["advice"]), found["advice"]


@memory_groups.needed
def test_a_kill_by_the_kernel_on_the_host(tmp_path: Path) -> None:
    found = on_host(shop_of(tmp_path, "3.5.8"), "kernel")
    assert (found["verdict"], found["cause"]) == ("confirmed", "kernel_oom_cgroup"), found
    assert [row["pid"] for row in found["incidents"]] == [found["was"]]
    assert "GOMEMLIMIT to about" in " ".join(found["advice"])


@memory_groups.needed
def test_a_kill_by_the_kernel_in_a_pid_namespace(tmp_path: Path) -> None:
    """It was noted in another group, and its number is not the kernel's: never sure, and never 'no'."""
    found = in_namespace(shop_of(tmp_path, "3.5.8"), "kernel")
    assert (found["verdict"], found["cause"]) == ("likely", "kernel_oom_cgroup"), found
    killed = found["incidents"][-1]
    assert killed["details"]["kernel_pid"] != found["was"]
    assert killed["candidates"] == ["a process outside this container"]
