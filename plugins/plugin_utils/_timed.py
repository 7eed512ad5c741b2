# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""When the work on an instance took place, by the clock of the controller: those of hosts may differ."""

from __future__ import annotations

import time
import typing as t

Result = dict[str, t.Any]


def timed(work: t.Callable[[], t.Mapping[str, t.Any]]) -> Result:
    """The result of the work with ``began_at`` and ``ended_at``, in seconds since the epoch."""
    began_at = time.time()
    result = work()
    return {**result, 'began_at': began_at, 'ended_at': time.time()}
