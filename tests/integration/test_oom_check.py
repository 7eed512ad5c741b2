# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""oom_check on real deaths: real kills for memory in control groups of its own, and everything that is none."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable

import memory_groups
import paths
import pytest
import windows
from dying import ended, remember
from instance import Instance

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import check as _oom_check
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError

Result = dict[str, Any]
LIMIT = 192 << 20


def can_read_kernel() -> bool:
    return subprocess.run(["dmesg"], capture_output=True, check=False).returncode == 0


kernel = pytest.mark.skipif(not can_read_kernel(), reason="the log of the kernel may not be read")


def check(shop: Instance, **options: Any) -> Result:
    """The window begins when the instance was made, unless said: other tests kill too."""
    made = (shop.dir / "config.json").stat().st_mtime
    params: Result = dict(
        since=str(made - 0.5),
        until=None,
        pid=None,
        check_log=None,
        running_log=None,
        kernel_logs=[],
        journal=True,
        counters=True,
    )
    params.update(options)
    context = windows.context_of(shop)
    try:
        return _oom_check.check(context, params)
    finally:
        context.close()


@kernel
@memory_groups.needed
def test_a_real_kill(site: Callable[..., Instance]) -> None:
    shop = site()
    pid = remember(shop)
    with memory_groups.limited(LIMIT) as group:
        (group / "cgroup.procs").write_text(str(pid))
        with suppress(OSError):
            shop.get(f"/eat?mb={(LIMIT >> 20) + 64}", timeout=30)
        ended(shop, 10)
        found = check(shop)
    assert (found["verdict"], found["cause"]) == ("confirmed", "kernel_oom_cgroup"), found
    (incident,) = found["incidents"]
    assert incident["pid"] == pid
    assert incident["scope"] == "cgroup"
    assert incident["cgroup"] == "/" + group.name
    assert incident["details"]["anon_rss_kb"] > 100_000
    assert "process history" in incident["identity"]
    assert any(f"Killed process {pid} (anqicms)" in row["text"] for row in incident["evidence"])
    assert abs(incident["epoch"] - time.time()) < 30
    json.dumps(found)


@kernel
@memory_groups.needed
def test_a_real_kill_of_a_process_that_nobody_noted(site: Callable[..., Instance]) -> None:
    shop = site()
    pid = memory_groups.starve(shop)
    ended(shop, 10)
    assert check(shop, pid=pid)["verdict"] == "confirmed"
    found = check(shop)
    # "likely" where another instance of this machine could have died as well: both are right.
    assert found["verdict"] in ("confirmed", "likely"), found
    assert pid in [incident["pid"] for incident in found["incidents"]], "others may be killed on this machine"


@kernel
@memory_groups.needed
def test_only_the_killed_one_of_two_instances(site: Callable[..., Instance]) -> None:
    shop, blog = site(), site(name="blog.example")
    since = str(time.time())
    time.sleep(1)
    remember(shop)
    remember(blog)
    memory_groups.starve(shop)
    ended(shop, 10)
    assert check(shop, since=since)["verdict"] == "confirmed"
    blogs = check(blog, since=since)
    assert (blogs["verdict"], blogs["cause"]) == ("no", "not_dead"), blogs
    os.kill(blog.pid, signal.SIGKILL)
    ended(blog, 10)
    blogs = check(blog, since=since)
    assert (blogs["verdict"], blogs["cause"]) == ("no", "unexplained"), blogs


@kernel
@memory_groups.needed
def test_a_child_that_was_killed_is_not_the_instance(site: Callable[..., Instance]) -> None:
    shop = site()
    time.sleep(3)  # begun before the window for certain
    since = str(time.time())
    eat = "b = []\nwhile True: b.append(b'1' * (1 << 20))"
    with memory_groups.limited(LIMIT) as group:
        command = ["/bin/sh", "-c", f"echo $$ > {group}/cgroup.procs; exec {sys.executable} -c \"{eat}\""]
        assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    found = check(shop, since=since)
    assert (found["verdict"], found["cause"]) == ("no", "not_dead"), found
    assert found["other_kills"]


def kill_9(shop: Instance) -> None:
    os.kill(shop.pid, signal.SIGKILL)


def stop_script(shop: Instance) -> None:
    """What the vendor's old stop.sh does to this one: its line, then SIGKILL."""
    line = "%s anqicms PID check: %d\n" % (time.strftime("%Y%m%d %H:%M:%S"), shop.pid)
    (shop.dir / "check.log").write_text(line)
    kill_9(shop)


def panic(shop: Instance) -> None:
    """Its runtime writes this, and ends it."""
    with shop.log.open("a") as log:
        log.write(
            "panic: runtime error: index out of range [3] with length 3\n\ngoroutine 1 [running]:\n"
            "main.main()\n\t/src/main.go:12 +0x1d\n"
        )
    kill_9(shop)


def runtime_without_memory(shop: Instance) -> None:
    with shop.log.open("a") as log:
        log.write(
            "runtime: out of memory: cannot allocate 67108864-byte block (742129664 in use)\n"
            "fatal error: out of memory\n\ngoroutine 1 [running]:\nmain.main()\n\t/src/main.go:12 +0x1d\n"
        )
    kill_9(shop)


def clean_stop(shop: Instance) -> None:
    os.kill(shop.pid, signal.SIGTERM)


@kernel
@pytest.mark.parametrize(
    "end, cause",
    [
        (kill_9, "unexplained"),
        (stop_script, "admin_kill"),
        (panic, "crash"),
        (runtime_without_memory, "go_runtime_oom"),
        (clean_stop, "admin_stop"),
    ],
)
def test_deaths_that_are_no_kills_for_memory(
    site: Callable[..., Instance], end: Callable[[Instance], None], cause: str
) -> None:
    shop = site()
    remember(shop)
    since = str(time.time() - 1)
    end(shop)
    ended(shop, 10)
    found = check(shop, since=since)
    assert (found["verdict"], found["cause"]) == ("no", cause), found
    assert found["incidents"]


def test_no_source_reaches_so_far(site: Callable[..., Instance]) -> None:
    shop = site()
    kill_9(shop)
    ended(shop, 10)
    found = check(shop, since="2001-01-01", until="2001-01-02")
    assert (found["verdict"], found["cause"]) == ("unknown", "unexplained")
    assert found["coverage"]


@pytest.mark.parametrize("kind", ["missing", "directory", "fifo", "binary"])
def test_a_log_that_is_none(site: Callable[..., Instance], tmp_path: Path, kind: str) -> None:
    shop = site()
    given = tmp_path / "given"
    if kind == "directory":
        given.mkdir()
    elif kind == "fifo":
        os.mkfifo(given)
    elif kind == "binary":
        given.write_bytes(bytes(range(256)) * 4096)
    options = dict(check_log=str(given), running_log=str(given), kernel_logs=[str(given)])
    found = check(shop, since="2001-01-01", until="2001-01-02", **options)
    assert found["verdict"] == "unknown"


def test_since_after_until(site: Callable[..., Instance]) -> None:
    with pytest.raises(LifecycleError, match="Swap the two"):
        check(site(), since="2026-01-02", until="2026-01-01")


@pytest.mark.parametrize("text", ["yesterday", "last_start", "", "2026-13-01"])
def test_no_time(site: Callable[..., Instance], text: str) -> None:
    with pytest.raises(LifecycleError, match=r"since: .* is not a valid time"):
        check(site(), since=text)


def test_as_a_module(site: Callable[..., Instance], tmp_path: Path) -> None:
    shop = site()
    time.sleep(3)
    arguments = {
        "ANSIBLE_MODULE_ARGS": {"dir": str(shop.dir), "state_dir": str(tmp_path / "state"), "since": str(time.time())}
    }
    module = paths.ROOT / "plugins" / "modules" / "oom_check.py"
    env = dict(os.environ, PYTHONPATH=str(paths.link_tree()))
    done = subprocess.run(
        [sys.executable, str(module)], input=json.dumps(arguments), env=env, check=False, capture_output=True, text=True
    )
    found = json.loads(done.stdout)
    assert done.returncode == 0, found
    assert (found["verdict"], found["cause"], found["changed"]) == ("no", "not_dead", False)
