# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watch instances from outside: how long was each not ready, as `downtime_ms` counts it?

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
    """Use as a context manager, then read `downtimes`, in seconds and in the order of the instances.

    `also`: versions that count as an answer beside the one that an instance was made with.
    """

    def __init__(self, instances: Sequence[Instance], also: Sequence[str] = ()) -> None:
        self.instances = list(instances)
        self.also = tuple(also)
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
        """Downtime: from the end of a connection that was answered to the next correct answer and, where they come
        later than that, pages."""
        instance, away_since = self.instances[index], 0.0
        while not self._end.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", instance.port, timeout=5.0)
            try:
                answers = _answers(connection, (instance.version, *self.also))
                if not answers or (away_since and not instance.has_views()):
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


def _answers(connection: http.client.HTTPConnection, versions: Sequence[str]) -> bool:
    """Whether it tells one of these versions, on a connection that is then kept open."""
    try:
        connection.request("GET", "/system/api/version/info")
        response = connection.getresponse()
        told = json.loads(response.read())["data"]["version"]
        return response.status == 200 and told in versions and connection.sock is not None
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return False
