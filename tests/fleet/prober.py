# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watch instances from outside: how long did the version endpoint give no correct answer?

Asking all the time would be work for the processors whose time is to be measured. So an instance that has answered is
watched by the connection that it answered on, which ends with the process; one that is away is asked again and again.
"""
from __future__ import annotations

import http.client
import json
import select
import threading
import time
from collections.abc import Sequence

from instance import Instance

AWAY_PAUSE_S = 0.02
LOOK_S = 0.2


class Prober:
    """Use as a context manager, then read `downtimes`, in seconds and in the order of the instances."""

    def __init__(self, instances: Sequence[Instance]) -> None:
        self.instances = list(instances)
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
        """Downtime: from the end of a connection that was answered to the next correct answer."""
        instance, away_since = self.instances[index], 0.0
        while not self._end.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", instance.port, timeout=5.0)
            try:
                if not _answers(connection, instance):
                    self._end.wait(AWAY_PAUSE_S)
                    continue
                if away_since:
                    self.downtimes[index] += time.monotonic() - away_since
                self._until_closed(connection)
                away_since = time.monotonic()
            finally:
                connection.close()

    def _until_closed(self, connection: http.client.HTTPConnection) -> None:
        poller = select.poll()
        poller.register(connection.sock, select.POLLIN | select.POLLRDHUP)
        while not self._end.is_set() and not poller.poll(LOOK_S * 1000):
            pass


def _answers(connection: http.client.HTTPConnection, instance: Instance) -> bool:
    """Whether it tells its version, on a connection that is then kept open."""
    try:
        connection.request("GET", "/system/api/version/info")
        response = connection.getresponse()
        told = json.loads(response.read())["data"]["version"]
        return response.status == 200 and told == instance.version and connection.sock is not None
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return False
