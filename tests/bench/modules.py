# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""(c) The verdicts of single modules against what one would ask otherwise.

Ours are measured inside a process that has imported them; commands from their start to their end.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.rows import Row, ratio_or_limit_row, ratio_row

MEASURE = Path(__file__).resolve().parent / "measure.py"
SOCKETS, PROCESSES, LOG_MIB = 15000, 2000, 1024
LOOPBACK_UP = 'ip link set lo up && exec "$@"'
# What of ours, its key among the measures, the other command, its key, and the largest allowed ratio.
PORT_ROWS = (
    ("free: verdict", "verdict", "ss -ltnp", "ss", 1 / 20),
    ("free: verdict", "verdict", "lsof -iTCP:PORT", "lsof", 1 / 20),
    ("free: with connections", "free", "ss -ltnp", "ss", 1 / 10),
    ("free: main()", "module", "that of wait_for", "wait_for", 1.0),
    ("held: by whom", "held", "ss -ltnp", "ss", 1.0),
)


def medians(name: str, root: Path, rounds: int, number: int = 0, before: Sequence[str] = ()) -> dict[str, float]:
    """The medians of one of the measures, in milliseconds. RuntimeError with its output when it fails."""
    words = [*before, sys.executable, str(MEASURE), name, str(root / name), str(rounds), str(number)]
    done = subprocess.run(words, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)} ended with {done.returncode}:\n{done.stderr[-4000:]}")
    times = json.loads(done.stdout.splitlines()[-1])
    return {key: statistics.median(values) for key, values in times.items()}


def namespace(*options: str) -> list[str]:
    """Root measures in a namespace of its own, where other people's processes or sockets do not count."""
    return ["unshare", *options] if os.geteuid() == 0 else []


def stop_rows(root: Path, rounds: int) -> list[Row]:
    found = medians("end", root, rounds)
    return [
        ratio_or_limit_row(
            f"graceful_stop: exit to {what}; bare pidfd poll", found[what], "ms", found["poll"], 3, limit
        )
        for what, limit in (("verdict", 10), ("return", 30))
    ]


def port_rows(root: Path, rounds: int) -> list[Row]:
    found = medians("port", root, rounds, SOCKETS, namespace("--net", "sh", "-c", LOOPBACK_UP, "sh"))
    rows = []
    for what, key, command, other, most in PORT_ROWS:
        if other in found:
            rows.append(ratio_row(f"port {what}, {SOCKETS} sockets; {command}", found[key], "ms", found[other], most))
        else:
            print(f"left out: {command}, which is not installed here")
    return rows


def instance_rows(root: Path, rounds: int) -> list[Row]:
    found = medians("instance", root, rounds, PROCESSES, namespace("--pid", "--fork", "--mount-proc", "--kill-child"))
    name = f"instance_info of %s, {PROCESSES} processes; ps -eo pid,args"
    return [ratio_row(name % what, found[what], "ms", found["ps"], 2) for what in ("one", "all")]


def log_rows(root: Path, rounds: int) -> list[Row]:
    if shutil.disk_usage(root).free < 2 * LOG_MIB << 20:
        print(f"left out: log_check, because {root} has less than {2 * LOG_MIB} MiB free")
        return []
    found = medians("log", root, rounds, LOG_MIB)
    whole, loop = found["whole"] / 1000, found["loop"] / 1000
    return [
        ratio_row(f"log_check of {LOG_MIB} MiB; loop over its lines", whole, "s", loop, 1 / 3),
        ratio_row("log_check near its end; an empty log", found["near_end"], "ms", found["empty"], 1, 50),
        ratio_row(f"log_check of {LOG_MIB} MiB, peak of memory; its limit", found["peak"], "MiB", 64, 1),
    ]
