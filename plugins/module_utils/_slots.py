# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""At most as many instances of one host are down at the same time as it has processors.

A start is work for a processor. Twenty at once take turns on it, and each is away as long as all of them together; one
after the other, each is away as long as its own start. A slot is an abstract socket name: it ends with its holder, and
leaves nothing behind. Somebody who squats the names can delay a window by the limit, and no longer.
"""

import os
import socket
import time
import typing as t

_NAME = '\0anqicms.lifecycle/slot/%d'
_PAUSE_S = 0.01
WAIT_S = 15.0


class Slot:
    """One place among those that are down. Release it when the instance answers again."""

    def __init__(self) -> None:
        self._held = None  # type: t.Optional[socket.socket]

    def take(self, limit: float = WAIT_S, places: t.Optional[int] = None) -> bool:
        """Wait at most ``limit`` seconds for a place; False when there was none: the work goes on without."""
        end = time.monotonic() + limit
        count = places or len(os.sched_getaffinity(0))
        while self._held is None:
            self._held = next((held for held in map(_bind, range(count)) if held is not None), None)
            if self._held is None:
                if time.monotonic() >= end:
                    return False
                time.sleep(_PAUSE_S)
        return True

    def release(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None


def _bind(number: int) -> t.Optional[socket.socket]:
    held = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        held.bind(_NAME % number)
        return held
    except OSError:
        held.close()
        return None
