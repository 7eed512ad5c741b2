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
import select
import socket
import time
import typing as t

_NAME = '\0anqicms.lifecycle/slot/%d'
_LONGEST_PAUSE_S = 0.5  # holders' ends are told by the kernel; this is for a name that was freed between two looks
_BACKLOG = 512
WAIT_S = 15.0


class Slot:
    """One place among those that are down. Release it when the instance answers again."""

    def __init__(self) -> None:
        self._held: t.Optional[socket.socket] = None

    def take(self, limit: float = WAIT_S, places: t.Optional[int] = None) -> bool:
        """Wait at most ``limit`` seconds for a place; False when there was none: the work goes on without."""
        end = time.monotonic() + limit
        count = places or len(os.sched_getaffinity(0))
        while self._held is None:
            self._held = next((held for held in map(_bind, range(count)) if held is not None), None)
            left = end - time.monotonic()
            if self._held is None and left <= 0:
                return False
            if self._held is None:
                _wait_for_an_end(range(count), min(left, _LONGEST_PAUSE_S))
        return True

    def release(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None


def _bind(number: int) -> t.Optional[socket.socket]:
    held = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        held.bind(_NAME % number)
        held.listen(_BACKLOG)
        return held
    except OSError:
        held.close()
        return None


def _wait_for_an_end(numbers: t.Iterable[int], limit: float) -> None:
    """Connect to all holders, who never accept: when one ends, the kernel hangs up on those who wait."""
    poller, waiting = select.poll(), []
    try:
        for number in numbers:
            waiting.append(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK))
            try:
                waiting[-1].connect(_NAME % number)
            except BlockingIOError:  # its queue is full: look again later
                continue
            except OSError:
                return
            poller.register(waiting[-1], select.POLLIN)
        poller.poll(limit * 1000)
    finally:
        for connection in waiting:
            connection.close()
