# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The measures of what `oom_check` costs on logs, each taken in a process of its own by `measure.py`.

The logs are beside the directory that a measure gets. Nothing else is read but the ring of the kernel.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paths
from bench import kernel_log
from instance import make_instance

sys.path.insert(0, str(paths.link_tree()))

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import system_logs
from ansible_collections.anqicms.lifecycle.plugins.modules import oom_check

Milliseconds = Callable[[Callable[[], object]], float]
Module = Callable[..., Callable[[], dict[str, Any]]]
HALF_HOUR = 1800.0
ROTATED_DAY = 20  # that the window among the rotated logs is in


class Look:
    """Calls of the module on one log, each asked for a window around one moment."""

    def __init__(self, root: Path, log: Path, milliseconds: Milliseconds, module: Module) -> None:
        self.log, self.milliseconds, self.module = log, milliseconds, module
        self.options = {
            "dir": str(make_instance(root / "www" / "shop", "3.5.8").dir),
            "state_dir": str(root / "state"),
            "kernel_logs": [str(log)],
            "journal": False,
            "counters": False,
        }
        self.end = log.stat().st_mtime

    def around(self, moment: float) -> Callable[[], dict[str, Any]]:
        return self.between(moment - HALF_HOUR, moment + HALF_HOUR)

    def between(self, since: float, until: float) -> Callable[[], dict[str, Any]]:
        return self.module(oom_check.main, since=f"{since:.3f}", until=f"{until:.3f}", **self.options)

    def timed(self, call: Callable[[], dict[str, Any]]) -> float:
        """RuntimeError where it is not the kill of the log that it found: what is fast and blind is worth nothing."""
        results: list[dict[str, Any]] = []
        taken = self.milliseconds(lambda: results.append(call()))
        files = {row["file"] for incident in results[0]["incidents"] for row in incident["evidence"]}
        if not any(file and file.startswith(str(self.log)) for file in files):
            raise RuntimeError(f"no kill was found in {self.log}: {results[0]['coverage']}")
        return taken


def window(look: Look, rounds: int, percent: int) -> dict[str, list[float]]:
    """An hour at this part of the large log, and `grep` over all of it."""
    call = look.around(look.end - kernel_log.DAY * kernel_log.DAYS * (100 - percent) / 100)
    grep = _grep(f'grep -c Killed "{look.log}"')
    taken: dict[str, list[float]] = {"ours": [], "grep": []}
    for _unused in range(rounds):
        taken["grep"].append(look.milliseconds(grep))
        taken["ours"].append(look.timed(call))
    return taken


def rotated(look: Look, rounds: int, _number: int) -> dict[str, list[float]]:
    """An hour of one of many packed logs; which of them were opened, and how much was read of all files."""
    call = look.around(look.end - kernel_log.DAY * (ROTATED_DAY + 0.5))
    grep = _grep(f'gzip -dc "{look.log}".*.gz | grep -c Killed')
    opened: set[str] = set()
    sys.addaudithook(lambda event, arguments: opened.add(str(arguments[0])) if event == "open" else None)
    before = _read_bytes()
    taken: dict[str, list[float]] = {"ours": [look.timed(call)], "grep": []}
    taken["read"] = [(_read_bytes() - before) / kernel_log.MIB]
    taken["opened"] = [float(sum(path.endswith(".gz") for path in opened))]
    for _unused in range(rounds):
        taken["grep"].append(look.milliseconds(grep))
        taken["ours"].append(look.timed(call))
    return taken


def whole(look: Look, rounds: int, _number: int) -> dict[str, list[float]]:
    """All of a log, and the loop over its lines, by the time of the processor. RuntimeError when the lines differ."""
    look.milliseconds = of_processor
    begin, end = look.end - kernel_log.DAYS * kernel_log.DAY - HALF_HOUR, look.end
    (reading,) = system_logs.read_files(begin, end, [str(look.log)])
    telling = kernel_log.loop_over_lines(look.log)
    if telling != len(reading.lines) or not telling:
        raise RuntimeError(f"the loop finds {telling} lines, oom_check {len(reading.lines)}")
    taken: dict[str, list[float]] = {"ours": [], "loop": []}
    for _unused in range(rounds):
        taken["loop"].append(look.milliseconds(lambda: kernel_log.loop_over_lines(look.log)))
        taken["ours"].append(look.timed(look.between(begin, end)))
    return taken


def of_processor(work: Callable[[], object]) -> float:
    """Milliseconds that this process computes: for what takes long, and beside which others work."""
    begin = time.process_time()
    work()
    return (time.process_time() - begin) * 1000


def _grep(command: str) -> Callable[[], object]:
    def run() -> None:
        done = subprocess.run(["sh", "-c", command], check=True, capture_output=True, text=True)
        if int(done.stdout) < 100:
            raise RuntimeError(f"{command} found {done.stdout.strip()} kills")

    return run


def _read_bytes() -> int:
    """By this process, and by its children that it has waited for."""
    return int(Path("/proc/self/io").read_text().split("rchar: ")[1].split()[0])


MEASURES = {"oom_window": window, "oom_rotated": rotated, "oom_whole": whole}


def take(
    name: str,
    root: Path,
    rounds: int,
    number: int,
    milliseconds: Milliseconds,
    module: Module,
    peak_mib: Callable[[], float],
) -> dict[str, list[float]]:
    look = Look(root, root.parent / kernel_log.PLACES[name], milliseconds, module)
    taken = MEASURES[name](look, rounds, number)
    return {**taken, "peak": [peak_mib()]}
