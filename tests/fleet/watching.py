# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watches instances from outside, like their visitors and like ps: how long was each away, which pids came and went."""

from __future__ import annotations

import socket
import threading
import time
from typing import NamedTuple

from instance import NO_HOST, Instance, executed

_UP_PAUSE, _DOWN_PAUSE = 0.01, 0.005
_PROC_PAUSE = 0.02
_REQUEST = f"GET /system/api/version/info HTTP/1.1\r\nHost: {NO_HOST}\r\nConnection: close\r\n\r\n".encode()


class Gap(NamedTuple):
    """From the last good answer's end to the next good one, monotonic seconds; requests that got none.

    Good is an answer with the version; after a gap pages must work, too, as `downtime_ms` counts it.
    """

    begin: float
    end: float
    refused: int
    cut: int

    @property
    def away_ms(self) -> float:
        return (self.end - self.begin) * 1000


class Prober(threading.Thread):
    """Asks one instance for its version, on a new connection each time, until `finish`."""

    def __init__(self, instance: Instance) -> None:
        super().__init__(daemon=True)
        self.instance = instance
        self.gaps: list[Gap] = []
        self.asked = 0
        self._over = threading.Event()

    def run(self) -> None:
        last_good, refused, cut = time.monotonic(), 0, 0
        while not self._over.is_set():
            self.asked += 1
            outcome = self._ask()
            if outcome == "good" and (refused or cut) and not self.instance.has_views():
                outcome = "early"
            if outcome == "good":
                if refused or cut:
                    self.gaps.append(Gap(last_good, time.monotonic(), refused, cut))
                last_good, refused, cut = time.monotonic(), 0, 0
            else:
                refused += outcome == "refused"
                cut += outcome == "cut"
            self._over.wait(_UP_PAUSE if outcome == "good" else _DOWN_PAUSE)
        if refused or cut:
            self.gaps.append(Gap(last_good, time.monotonic(), refused, cut))

    def finish(self) -> None:
        self._over.set()
        self.join()

    def _ask(self) -> str:
        try:
            connection = socket.create_connection(("127.0.0.1", self.instance.port), timeout=30)
        except OSError:
            return "refused"
        try:
            with connection:
                connection.sendall(_REQUEST)
                answer = b"".join(iter(lambda: connection.recv(4096), b""))
        except OSError:
            return "cut"
        return "good" if f'"{self.instance.version}"'.encode() in answer else "cut"


class Change(NamedTuple):
    """A process of an instance came or went, at a monotonic time in seconds."""

    when: float
    instance: Instance
    pid: int
    came: bool


class ProcessWatch(threading.Thread):
    """Notes every process of the instances that comes or goes, until `finish`."""

    def __init__(self, instances: list[Instance]) -> None:
        super().__init__(daemon=True)
        self.changes: list[Change] = []
        self._by_binary = {str(instance.binary): instance for instance in instances}
        self._over = threading.Event()
        self._known = self._look()

    def run(self) -> None:
        while not self._over.wait(_PROC_PAUSE):
            self._note()
        self._note()

    def finish(self) -> None:
        self._over.set()
        self.join()

    def _look(self) -> dict[int, str]:
        return {pid: exe for pid, exe in executed() if exe in self._by_binary}

    def _note(self) -> None:
        now, seen = time.monotonic(), self._look()
        for pid in self._known.keys() - seen.keys():
            self.changes.append(Change(now, self._by_binary[self._known[pid]], pid, False))
        for pid in seen.keys() - self._known.keys():
            self.changes.append(Change(now, self._by_binary[seen[pid]], pid, True))
        self._known = seen
