# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs as the first process of a PID namespace of its own: there a pid can be given to a stranger at will.

Usage: reusing.py select|signal|tick DIRECTORY new|old|pidfd|directory. Prints what became of it as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from integration import stopping

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import process
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import selection


def sleeper() -> int:
    pid = os.fork()
    if pid == 0:
        while True:
            signal.pause()
    return pid


def give_to_stranger(pid: int) -> bool:
    """Start a process that gets this free pid."""
    Path("/proc/sys/kernel/ns_last_pid").write_text(str(pid - 1))
    return sleeper() == pid


def end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def alive(pid: int) -> bool:
    return os.waitpid(pid, os.WNOHANG) == (0, 0)


def same_tick(kernel: str) -> dict[str, Any]:
    """A handle, its process gone, its number with a stranger that began in the same clock tick."""
    if kernel == "old":
        stopping.without_pidfd()
    elif kernel == "directory":
        del os.pidfd_open
        process._SYS_PIDFD_OPEN = 100000
    for _unused in range(200):
        pid = sleeper()
        with process.ProcessHandle(pid) as handle:
            end(pid)
            assert give_to_stranger(pid)
            assert (handle.pidfd is None) == (kernel != "pidfd")
            same = stopping.start_of(pid) == handle.start_ticks
            seen = {"same_tick": same, "gone": handle.gone(), "signalled": handle.signal(signal.SIGKILL),
                    "stranger_alive": alive(pid)}  # fmt: skip
            if seen["stranger_alive"]:
                end(pid)
            if same or not seen["stranger_alive"]:
                break
    return seen


def whole_stop(moment: str, directory: Path, kernel: str) -> dict[str, Any]:
    """The instance ends and a stranger gets its pid just after it was selected, or just before the signal."""
    if kernel == "old":
        stopping.without_pidfd()
    actor = stopping.Actor(directory / "site")
    victim = subprocess.Popen(actor.words("ready()\ntime.sleep(600)"), cwd=actor.dir, env=actor.environment())
    assert stopping.within(10, (actor.dir / "ready").exists)
    done: list[bool] = []

    def swap() -> None:
        if not done:
            victim.kill()
            victim.wait()
            done.append(give_to_stranger(victim.pid))

    find = selection.find

    def found(*words: Any) -> Any:
        result = find(*words)
        swap()
        return result

    if moment == "select":
        selection.find = found  # type: ignore[assignment]
    result = stopping.stop(actor.dir, directory / "state", progress=lambda text: swap(), force="timeout")
    return {**result, "reused": done == [True], "stranger_alive": alive(victim.pid)}


def main() -> None:
    moment, directory, kernel = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    print(json.dumps(same_tick(kernel) if moment == "tick" else whole_stop(moment, directory, kernel)))


if __name__ == "__main__":
    main()
