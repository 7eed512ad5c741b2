# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Memory control groups of the tests' own, in which the kernel really kills."""

from __future__ import annotations

import os
import signal
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Iterator

import pytest
from instance import Instance

MEMORY = Path("/sys/fs/cgroup/memory")

needed = pytest.mark.skipif(
    os.geteuid() != 0 or not (MEMORY / "memory.limit_in_bytes").exists() or not os.access(MEMORY, os.W_OK),
    reason="needs root and a memory control group (version 1) to write to",
)


@contextmanager
def limited(limit: int) -> Iterator[Path]:
    """A group that may take so many bytes. What is left in it and in groups below it ends with the context."""
    path = MEMORY / f"anqicms-test-{os.getpid()}-{time.monotonic_ns()}"
    path.mkdir()
    try:
        (path / "memory.limit_in_bytes").write_text(str(limit))
        yield path
    finally:
        _remove(path)


def _remove(path: Path) -> None:
    end = time.monotonic() + 10
    while path.exists() and time.monotonic() < end:
        for group in sorted([path, *path.glob("*/")], reverse=True):
            with suppress(OSError):
                for pid in (group / "cgroup.procs").read_text().split():
                    os.kill(int(pid), signal.SIGKILL)
                group.rmdir()
        time.sleep(0.02)


def starve(instance: Instance, limit: int = 192 << 20) -> int:
    """Let it take more than a group of its own may: the kernel kills it. Returns the pid that it had."""
    pid = instance.pid
    with limited(limit) as group:
        (group / "cgroup.procs").write_text(str(pid))
        with suppress(OSError):
            instance.get(f"/eat?mb={(limit >> 20) + 64}", timeout=30)
        end = time.monotonic() + 10
        while instance.pids() and time.monotonic() < end:
            time.sleep(0.01)
    return pid
