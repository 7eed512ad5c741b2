# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""From the local times that logs carry to seconds since the epoch, with what that leaves open, and back. Pure."""

import calendar
import datetime
import re
import time
import typing as t

_NUMBER = re.compile(r'\d+')
_LENGTHS = ((0, 4), (4, 6), (6, 8), (8, 10), (10, 12), (12, 14))

_DAY = 86400.0

Date = t.Tuple[int, int, int]
Span = t.Tuple[float, float]  # the earliest and the latest moment


class Moment(t.NamedTuple):
    """Seconds since the epoch; the true time is at most ``uncertainty`` seconds away."""

    time: float
    uncertainty: float


def local(date: Date, seconds: float) -> Moment:
    """A time of the local clock. One that comes twice, or never, for summer time: the middle of what it can be."""
    wall = calendar.timegm(date + (0, 0, 0)) + seconds
    offsets = {_offset(wall + days * _DAY) for days in (-1, 0, 1)}
    possible = [wall - offset for offset in offsets if _offset(wall - offset) == offset]
    times = possible or [wall - offset for offset in offsets]
    return Moment((min(times) + max(times)) / 2, (max(times) - min(times)) / 2)


def _offset(epoch: float) -> int:
    return time.localtime(epoch).tm_gmtoff


def span(stamp: str) -> t.Optional[Span]:
    """What a local time of one second's resolution may be: an hour and more in the night that clocks go back.

    ``stamp``: year to second in this order, whatever stands between the numbers. None when there is no such time.
    """
    try:
        year, month, day, hour, minute, second = _numbers(stamp)
        datetime.datetime(year, month, day, hour, minute, second)  # refuses 31 February
        moment = local((year, month, day), hour * 3600 + minute * 60 + second)
    except (ValueError, OverflowError, OSError):
        return None
    return moment.time - moment.uncertainty, moment.time + moment.uncertainty + 1.0


def iso(epoch: t.Optional[float]) -> t.Optional[str]:
    """In the time zone of the host, for results."""
    if epoch is None:
        return None
    return datetime.datetime.fromtimestamp(round(epoch, 3), datetime.timezone.utc).astimezone().isoformat()


def seconds(stamp: str) -> int:
    """A local time as a number, for distances on the same clock."""
    return calendar.timegm(_numbers(stamp))


def _numbers(stamp: str) -> t.Tuple[int, ...]:
    digits = ''.join(_NUMBER.findall(stamp))
    return tuple(int(digits[begin:end]) for begin, end in _LENGTHS)


def around(low: t.Optional[Span], high: t.Optional[Span]) -> t.Tuple[t.Optional[float], float]:
    """Time and uncertainty of what happened between two times; no time when one of them is not known."""
    if low is None or high is None:
        return None, 0.0
    begin, end = min(low + high), max(low + high)
    return (begin + end) / 2.0, (end - begin) / 2.0


def overlaps(moment: t.Optional[float], uncertainty: float, since: t.Optional[float], until: t.Optional[float]) -> bool:
    """Whether it may have happened in the window; what has no time may have."""
    if moment is None:
        return True
    return (since is None or moment + uncertainty >= since) and (until is None or moment - uncertainty <= until)
