# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The event source as a program of its own, and the ends of an instance, for the tests of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, Iterator

import paths
import pytest
import windows
from instance import Instance

Event = dict[str, Any]
SOURCE = paths.ROOT / "extensions" / "eda" / "plugins" / "event_source" / "process_death.py"
MEMORY = Path("/sys/fs/cgroup/memory")
LIMIT_MB = 192
PYTHONS = ("/usr/bin/python3", "/usr/local/bin/python3")
ANYBODYS_PYTHON = next((path for path in PYTHONS if Path(path).exists()), sys.executable)
QUIET = 4.0  # seconds in which whatever is told would have been told
can_limit = os.geteuid() == 0 and (MEMORY / "memory.limit_in_bytes").exists() and os.access(MEMORY, os.W_OK)
limited = pytest.mark.skipif(not can_limit, reason="needs root and a memory control group (version 1) to write to")
root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


class Source:
    """A running source. What it emits and logs goes to files."""

    def __init__(self, directory: Path, arguments: Event) -> None:
        self.directory, self.arguments = directory, arguments
        self.memory = Path(arguments["state_file"])
        self.begin()

    def begin(self) -> None:
        with (self.directory / "events").open("ab") as events, (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(SOURCE), json.dumps(self.arguments)],
                stdin=subprocess.DEVNULL,
                stdout=events,
                stderr=log,
            )

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(number)
        self.process.wait(20)

    @property
    def events(self) -> list[Event]:
        return [json.loads(line) for line in (self.directory / "events").read_text().splitlines()]

    @property
    def log(self) -> str:
        return (self.directory / "log").read_text(errors="replace")

    @property
    def causes(self) -> list[str]:
        return [event["cause"] for event in self.events]

    def wait_for(self, count: int) -> list[Event]:
        assert windows.within(30, lambda: len(self.events) >= count), (self.events, self.log)
        return self.events

    def wait_until_seen(self, *instances: Instance) -> None:
        """It has met these processes, and remembers them."""
        pids = {instance.pid for instance in instances}
        assert windows.within(30, lambda: pids <= self.seen()), self.log

    def seen(self) -> set[int]:
        with suppress(FileNotFoundError, ValueError):
            rows = json.loads(self.memory.read_text())["instances"].values()
            return {row["seen"]["pid"] for row in rows if row.get("seen")}
        return set()

    def watcher(self) -> int:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0]) if children else 0


def sources(tmp_path: Path) -> Iterator[Callable[..., Source]]:
    """For fixtures: watch instances; the sources end with the test."""
    made: list[Source] = []

    def start(*instances: Instance, **options: Any) -> Source:
        directory = tmp_path / f"source{len(made)}"
        directory.mkdir()
        arguments = {
            "host": "web1.example",
            "instances": [{"dir": str(instance.dir)} for instance in instances],
            "state_dir": str(tmp_path / "state"),
            "state_file": str(directory / "memory.json"),
            **options,
        }
        source = Source(directory, {key: value for key, value in arguments.items() if value is not None})
        made.append(source)
        return source

    yield start
    for source in made:
        if source.process.poll() is None:
            source.end(signal.SIGKILL)


def memory_group() -> Iterator[Path]:
    """For fixtures: a control group with a limit of memory; what is in it ends with the test."""
    path = MEMORY / f"anqicms-death-{os.getpid()}-{time.monotonic_ns()}"
    path.mkdir()
    (path / "memory.limit_in_bytes").write_text(str(LIMIT_MB << 20))
    yield path
    assert windows.within(10, lambda: _emptied(path))


def _emptied(path: Path) -> bool:
    for pid in (path / "cgroup.procs").read_text().split():
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    with suppress(OSError):
        path.rmdir()
    return not path.exists()


def starve(shop: Instance, group: Path) -> None:
    (group / "cgroup.procs").write_text(str(shop.pid))
    with suppress(Exception):
        shop.get(f"/eat?mb={LIMIT_MB + 64}", timeout=30)
    ended(shop)


def kill(shop: Instance, number: signal.Signals = signal.SIGKILL) -> int:
    pid = shop.pid
    os.kill(pid, number)
    ended(shop)
    return pid


def ended(shop: Instance) -> None:
    assert windows.within(15, lambda: not shop.pids())


Site = Callable[..., Instance]
Watch = Callable[..., Source]
