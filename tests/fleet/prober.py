# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watch instances from outside: how long did the version endpoint give no correct answer?"""
from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from instance import Instance

INTERVAL_S = 0.05


class Prober:
    """Asks every instance in turn, all of them once per interval. Use as a context manager, then read `downtimes`."""

    def __init__(self, instances: Sequence[Instance], interval: float = INTERVAL_S) -> None:
        self.instances, self.interval = list(instances), interval
        self.downtimes = [0.0 for _unused in self.instances]
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._watch, args=(index,)) for index in range(len(self.instances))]

    def __enter__(self) -> "Prober":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _watch(self, index: int) -> None:
        """Downtime: from the last good answer's successor that failed to the next good answer."""
        instance, away_since = self.instances[index], 0.0
        while not self._end.is_set():
            begin = time.monotonic()
            good = instance.told_version(timeout=2.0) == instance.version
            now = time.monotonic()
            if not good and not away_since:
                away_since = begin
            elif good and away_since:
                self.downtimes[index] += now - away_since
                away_since = 0.0
            self._end.wait(max(0.0, self.interval - (now - begin)))
