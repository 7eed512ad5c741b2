# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""(d) What `oom_check` costs on large logs and on many, in time and memory, and how fast it reads all of one."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from bench import kernel_log
from bench.modules import medians
from bench.rows import Row, ratio_row

LARGE_MIB, ROTATED, ROTATED_MIB = 1024, 40, 8
PEAK_MIB = 64.0
PLACES = (("end", 98), ("middle", 50), ("begin", 2))
ROUNDS = 5  # at most: each reads gigabytes
LOOP_ROUNDS = 3  # of the loop, which takes a while


def rows(root: Path, rounds: int) -> list[Row]:
    if shutil.disk_usage(root).free < 2 * LARGE_MIB * kernel_log.MIB:
        print(f"left out: oom_check, because {root} has less than {2 * LARGE_MIB} MiB free")
        return []
    rounds = min(rounds, ROUNDS)
    return [*_large_rows(root, rounds), *_rotated_rows(root, rounds)]


def _end() -> float:
    """Of the logs: a month ago, so that no kill in the kernel's ring is among theirs."""
    return time.time() - 30 * kernel_log.DAY


def _large_rows(root: Path, rounds: int) -> list[Row]:
    log = root / kernel_log.PLACES["oom_window"]
    kernel_log.write(log, LARGE_MIB * kernel_log.MIB, kernel_log.DAYS, _end())
    found = []
    for place, percent in PLACES:
        name = f"oom_check, {LARGE_MIB} MiB, an hour near its {place}"
        taken = medians("oom_window", root, rounds, percent)
        found += [
            ratio_row(f"{name}; grep -c Killed", taken["ours"], "ms", taken["grep"], 1 / 3),
            ratio_row(f"{name}, peak; limit", taken["peak"], "MiB", PEAK_MIB, 1),
        ]
    taken = medians("oom_whole", root, min(rounds, LOOP_ROUNDS))
    log.unlink()
    name = f"oom_check, all of {LARGE_MIB} MiB"
    return [
        *found,
        ratio_row(f"{name}, CPU; loop over its lines", taken["ours"], "ms", taken["loop"], 1 / 3),
        ratio_row(f"{name}, peak; limit", taken["peak"], "MiB", PEAK_MIB, 1),
    ]


def _rotated_rows(root: Path, rounds: int) -> list[Row]:
    log = root / kernel_log.PLACES["oom_rotated"]
    log.parent.mkdir()
    kernel_log.write_rotated(log, ROTATED, ROTATED_MIB * kernel_log.MIB, _end())
    packed = sum(path.stat().st_size for path in log.parent.glob("*.gz")) / kernel_log.MIB
    taken = medians("oom_rotated", root, rounds)
    shutil.rmtree(log.parent)
    name = f"oom_check, {ROTATED} rotated .gz"
    return [
        ratio_row(f"{name}, an hour of one; gzip -dc | grep -c", taken["ours"], "ms", taken["grep"], 1 / 3),
        ratio_row(f"{name}, peak; limit", taken["peak"], "MiB", PEAK_MIB, 1),
        ratio_row(f"{name}, opened; the one of that hour", taken["opened"], "", 1, 1),
        ratio_row(f"{name}, read of all files; size of all .gz", taken["read"], "MiB", packed, 2 / ROTATED),
    ]
