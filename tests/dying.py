# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every way in which an instance ends, for real, and what oom_check says of it.

As a program, `dying.py DIR VERSION PORT WAY`, it does all of it in the namespaces in which it was started, and prints
the verdict. The vendor's stop scripts kill by name: they are for a PID namespace of their own.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable

import memory_groups
import windows
from instance import Instance
from memory_group import MemoryGroup

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import check as _oom_check
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import selection
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import resolve

Result = dict[str, Any]
LIMIT = 192 << 20
OLD_STOP = """cd {dir}; exists=$(pgrep -x anqicms | tr -d '\\n')
echo "$(date +'%Y%m%d %H:%M:%S') anqicms PID check: $exists" >> check.log
kill -9 $(pgrep -x anqicms)"""
NEW_STOP = "pkill -9 anqicms"


def remember(shop: Instance) -> int:
    """Note its process, as every module that changes something does; return its pid."""
    context = windows.context_of(shop)
    try:
        context.look()
        context.remember()
        assert context.candidate is not None
        return context.candidate.pid
    finally:
        context.close()


def ended(shop: Instance, seconds: float = 20) -> None:
    """Its last thread is gone: the executable of a process is gone a little earlier."""
    end = time.monotonic() + seconds
    while shop.pids() or selection.find(resolve(str(shop.dir))).candidates:
        assert time.monotonic() < end, "it lives on"
        time.sleep(0.01)


def check(shop: Instance, since: float) -> Result:
    params: Result = dict(
        since=str(since),
        until=None,
        pid=None,
        check_log=None,
        running_log=None,
        kernel_logs=[],
        journal=True,
        counters=True,
    )
    context = windows.context_of(shop)
    try:
        return _oom_check.check(context, params)
    finally:
        context.close()


def by_kernel(shop: Instance) -> None:
    """It is moved to the group after it was noted."""
    with memory_groups.limited(LIMIT) as group:
        MemoryGroup(group).add(shop.pid)
        _eat(shop)
        ended(shop)


def by_runtime(shop: Instance) -> None:
    """Its address space is limited to what it has and some more."""
    status = Path(f"/proc/{shop.pid}/status").read_text()
    size = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmSize"))
    limit = (size << 10) + (64 << 20)
    resource.prlimit(shop.pid, resource.RLIMIT_AS, (limit, limit))
    _eat(shop)


def _eat(shop: Instance) -> None:
    with suppress(OSError, TimeoutError):
        shop.get(f"/eat?mb={(LIMIT >> 20) + 64}", timeout=30)


def by_signal(number: signal.Signals) -> Callable[[Instance], None]:
    return lambda shop: os.kill(shop.pid, number)


def by_script(script: str) -> Callable[[Instance], None]:
    def run(shop: Instance) -> None:
        subprocess.run(["/bin/sh", "-c", script.format(dir=shop.dir)], check=True)

    return run


WAYS: dict[str, Callable[[Instance], None]] = {
    "kernel": by_kernel,
    "runtime": by_runtime,
    "old stop.sh": by_script(OLD_STOP),
    "new stop.sh": by_script(NEW_STOP),
    **{
        number.name: by_signal(number)
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGABRT, signal.SIGSEGV)
    },
}


def die(shop: Instance, way: str) -> Result:
    """Start it, note it, let it end so, and ask why."""
    shop.start()
    since = time.time()
    pid = remember(shop)
    WAYS[way](shop)
    ended(shop)
    return {"was": pid, **check(shop, since)}


def main() -> None:
    directory, version, port, way = sys.argv[1:]
    shop = Instance(Path(directory), version, int(port), "")
    try:
        print(json.dumps(die(shop, way)))
    finally:
        shop.kill()


if __name__ == "__main__":
    main()
