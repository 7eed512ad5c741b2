# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Memory control groups of the tests' own, in which the kernel really kills."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Iterator

import pytest
from instance import Instance
from memory_group import MemoryGroup, parent

needed = pytest.mark.skipif(
    os.geteuid() != 0 or parent() is None, reason="needs root and a place for memory control groups"
)


@contextmanager
def limited(limit: int) -> Iterator[Path]:
    """A group that may take so many bytes. What is left in it, and directly below it, ends with the context."""
    path = (parent() or Path("/")) / f"anqicms-test-{os.getpid()}-{time.monotonic_ns()}"
    MemoryGroup(path).make(limit)
    try:
        yield path
    finally:
        for group in [*path.glob("*/"), path]:
            MemoryGroup(group).remove()


def starve(instance: Instance, limit: int = 192 << 20) -> int:
    """Let it take more than a group of its own may: the kernel kills it. Returns the pid that it had."""
    pid = instance.pid
    with limited(limit) as group:
        MemoryGroup(group).add(pid)
        with suppress(OSError):
            instance.get(f"/eat?mb={(limit >> 20) + 64}", timeout=30)
        end = time.monotonic() + 10
        while instance.pids():
            assert time.monotonic() < end, "the kernel did not kill it"
            time.sleep(0.01)
    return pid
