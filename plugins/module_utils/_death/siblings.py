# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Whether every other instance of the host ended without a word together with this one, as ``pkill -9`` makes them."""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import running_log, separate
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.events import ABRUPT_END, Event
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.identity import Other
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.files import InstallDir
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs import read as _log_read

_TOGETHER_S = 1.0
_EXACT_S = 300.0   # of a death whose time is not known to that nobody can say that another one was at the same time
_MOST = 50         # logs that are read


def ended_with(others: t.Sequence[Other], end: Event, until: float) -> int:
    """How many others there are where all of them ended with it; 0 where one did not, or nobody can tell."""
    places = [other for other in others if other.dir is not None]
    if end.time is None or end.uncertainty > _EXACT_S or not 0 < len(places) <= _MOST:
        return 0
    return len(places) if all(_ended(other, end, until) for other in places) else 0


def _ended(other: Other, end: Event, until: float) -> bool:
    at = end.time or 0.0
    try:
        with InstallDir(other.dir or '/') as directory:
            reading = running_log.read(_log_read.Reader(directory, other.uid), directory.shown('running.log'),
                                      at - end.uncertainty - _EXACT_S, until)
    except (OSError, LifecycleError):
        return False
    unfinished = [reading.unfinished] if reading.unfinished is not None and other.begin is None else []
    ends = [event for event in reading.events if event.kind == ABRUPT_END] + unfinished
    return any(event.time is not None and separate.gap(event, end) <= _TOGETHER_S for event in ends)
