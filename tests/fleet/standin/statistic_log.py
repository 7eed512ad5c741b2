# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""3.3.11 and later: visits in data/statistic/YYYYMMDD.log of each site, one JSON object a line, appended."""

from __future__ import annotations

import json
import os
import threading
import time
from typing import Any, Callable

from standin import log
from standin.behaviours import Behaviour
from standin.config import STATISTICS
from standin.database import Database

_COLUMNS = ("id", "created_time", "spider", "host", "url", "ip", "device", "http_code", "user_agent")
_BATCH = 5000


class StatisticLog:
    """From 3.5.0 on lines stay in memory until the next flush, and are lost with the process."""

    def __init__(self, root: str, buffers: bool, flush_ms: int) -> None:
        self._directory = os.path.join(root, "data", "statistic")
        self._buffers = buffers
        self._seconds = flush_ms / 1000
        self._kept: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def open(self) -> bool:
        """Make the file of today. A failure is a line in the log, and nothing is counted."""
        try:
            if os.path.isdir(os.path.dirname(os.path.dirname(self._directory))):
                os.makedirs(self._directory, mode=0o755, exist_ok=True)
            self._append(time.strftime("%Y%m%d"), [])
        except OSError as error:
            log.line(f"InitStatisticLog error: open {error.filename}: {os.strerror(error.errno or 0).lower()}")
            return False
        if self._buffers:
            threading.Thread(target=self._flush_for_ever, daemon=True).start()
        return True

    def write(self, rows: list[dict[str, Any]]) -> None:
        with self._lock:
            self._kept += rows
        if not self._buffers:
            self.flush()

    def flush(self) -> None:
        with self._lock:
            rows, self._kept = self._kept, []
            days: dict[str, list[dict[str, Any]]] = {}
            for row in rows:
                days.setdefault(time.strftime("%Y%m%d", time.localtime(row["created_time"])), []).append(row)
            for day, those in days.items():
                self._append(day, those)

    def _flush_for_ever(self) -> None:
        while True:
            time.sleep(self._seconds)
            self.flush()

    def _append(self, day: str, rows: list[dict[str, Any]]) -> None:
        with open(os.path.join(self._directory, f"{day}.log"), "a", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows)


def move_statistics(
    behaviour: Behaviour, database: Database, root: str, flush_ms: int, reached: Callable[[str], None]
) -> StatisticLog | None:
    """Open the log of a site, and empty the table of older versions into it, deleted rows too. Then drop the table."""
    statistics = StatisticLog(root, behaviour.buffers_statistics, flush_ms)
    if not statistics.open():
        return None
    if database.run("SHOW TABLES LIKE 'statistics'"):
        last = 0
        columns = ",".join(f"`{name}`" for name in _COLUMNS)
        while True:
            rows = database.run(
                f"SELECT {columns} FROM `statistics` WHERE `id` > %s ORDER BY `id` LIMIT {_BATCH}", (last,)
            )
            if not rows:
                break
            statistics.write([dict(zip(_COLUMNS, row)) for row in rows])
            last = rows[-1][0]
        reached(STATISTICS)
        database.run("DROP TABLE `statistics`")
    return statistics
