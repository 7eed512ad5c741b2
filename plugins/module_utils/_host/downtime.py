# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""How long a run kept the instance down. Pure."""

import typing as t


class Downtime:
    """From the end of its listener to the next correct answer; the sum where a run stops it more than once.

    An answer of a process that was not started after a stop of this run ends nothing. All times are of the monotonic
    clock.
    """

    def __init__(self) -> None:
        self.first: t.Optional[float] = None  # end of a listener
        self._since: t.Optional[float] = None  # None: it is not down
        self._seconds = 0.0

    def begin(self, at: float) -> None:
        """The listener has ended."""
        if self._since is None:
            self._since = at
            self.first = at if self.first is None else self.first

    def end(self, at: float) -> None:
        """It answers correctly."""
        if self._since is not None:
            self._seconds += max(0.0, at - self._since)
            self._since = None

    @property
    def milliseconds(self) -> t.Optional[int]:
        """None where it was not stopped, or is still down."""
        return round(self._seconds * 1000) if self.first is not None and self._since is None else None
