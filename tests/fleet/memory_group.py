# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A memory control group of our own, version 1 or 2: the kernel kills in it, and nowhere else.

Run as a program it says what is missing here for that, with status 2.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

VERSION_1 = Path("/sys/fs/cgroup/memory")
VERSION_2 = Path("/sys/fs/cgroup")


def parent() -> Path | None:
    """Where groups with a limit of memory can be made; None when nowhere."""
    if (VERSION_1 / "memory.limit_in_bytes").exists():
        return VERSION_1 if os.access(VERSION_1, os.W_OK) else None
    with suppress(OSError):
        if "memory" in (VERSION_2 / "cgroup.subtree_control").read_text().split() and os.access(VERSION_2, os.W_OK):
            return VERSION_2
    return None


class MemoryGroup:
    """Made by `make`. What is in it when it is removed is ended."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def make(self, limit: int) -> None:
        """No swap, where the kernel counts it: the limit is to be reached."""
        self.remove()
        self.path.mkdir()
        if self.path.parent == VERSION_1:
            (self.path / "memory.limit_in_bytes").write_text(str(limit))
            self._set_if_there("memory.memsw.limit_in_bytes", limit)
        else:
            (self.path / "memory.max").write_text(str(limit))
            self._set_if_there("memory.swap.max", 0)

    def _set_if_there(self, name: str, value: int) -> None:
        if (self.path / name).exists():
            (self.path / name).write_text(str(value))

    def add(self, pid: int) -> None:
        if pid <= 0:  # 0 would be this very process
            raise ProcessLookupError(f"no process to put into {self.path}")
        (self.path / "cgroup.procs").write_text(str(pid))

    def remove(self) -> None:
        end = time.monotonic() + 10
        while self.path.exists() and time.monotonic() < end:
            for pid in (self.path / "cgroup.procs").read_text().split():
                with suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            with suppress(OSError):
                self.path.rmdir()
                return
            time.sleep(0.02)


def what_is_missing() -> list[str]:
    if os.geteuid() != 0:
        return ["it needs root: sudo make demo-oom"]
    missing = []
    if parent() is None:
        missing.append(
            "no memory control group can be made below /sys/fs/cgroup: it is mounted read-only, as in most "
            "containers, or the memory controller is off"
        )
    if subprocess.run(["dmesg"], check=False, capture_output=True).returncode:
        missing.append("the log of the kernel, in which the kill is told, may not be read (dmesg): it needs CAP_SYSLOG")
    return missing


def main() -> int:
    missing = what_is_missing()
    if missing:
        print(
            "This demo kills a process for memory, for real. Here it cannot:\n  "
            + "\n  ".join(missing)
            + "\nNothing was started.",
            file=sys.stderr,
        )
    return 2 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
