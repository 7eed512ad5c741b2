# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What a process does with its database, seen from the connections that it opened itself. Needs no password."""

import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import holders, procfs, sockdiag
from ansible_collections.anqicms.lifecycle.plugins.module_utils._stop.kill_policy import DatabaseUse


def silence(socks: t.Iterable[sockdiag.Sock]) -> t.Optional[float]:
    """Seconds since any of these sent or received, as the kernel counts; None when it tells of none."""
    ages = []
    for sock in socks:
        if sock.info is not None:
            ages += [age for age in (sock.info.last_data_sent, sock.info.last_data_recv) if age is not None]
    return min(ages) / 1000.0 if ages else None


class Watch:
    """Looks again and again at every connection but those of the instance's own port."""

    def __init__(self, proc: procfs.ProcDir, port: int) -> None:
        self._proc, self._port = proc, port
        self._inodes: t.Optional[t.FrozenSet[int]] = None
        self._changed_at = float('-inf')

    def look(self) -> t.Optional[DatabaseUse]:
        """None when this user may not see the connections. One that came or went meanwhile is a sign of use."""
        try:
            inodes = holders.socket_inodes(self._proc)
        except OSError as exc:
            if exc.errno in procfs.GONE:
                return DatabaseUse(False, time.monotonic() - self._changed_at)
            return None
        socks = [sock for sock in sockdiag.client_connections(inodes) if sock.local_port != self._port]
        now, silent = time.monotonic(), silence(socks)
        if socks and silent is None:
            return None  # this kernel does not tell when they were last used
        seen = frozenset(sock.inode for sock in socks)
        if self._inodes not in (None, seen):
            self._changed_at = now
        self._inodes = seen
        waiting = any(sockdiag.query_in_flight(sock) is not False for sock in socks)
        since = now - self._changed_at
        return DatabaseUse(waiting, since if silent is None else min(silent, since))
