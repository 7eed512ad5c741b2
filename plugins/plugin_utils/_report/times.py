# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Times and durations as people read them. Pure, but for the zone of the controller."""

from __future__ import annotations

import datetime
import typing as t

import zoneinfo

_SECOND, _MINUTE, _HOUR = 1000, 60_000, 3_600_000


class Clock(t.NamedTuple):
    """Shows moments, which are seconds since the epoch, in one time zone. ``zone``: None for that of the controller."""

    zone: datetime.tzinfo | None

    def at(self, epoch: float) -> datetime.datetime:
        return datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).astimezone(self.zone)

    def moment(self, epoch: float) -> str:
        return self.at(epoch).strftime('%Y-%m-%d %H:%M:%S') if epoch else '-'

    def of_day(self, epoch: float) -> str:
        return self.at(epoch).strftime('%H:%M:%S')

    def label(self, epoch: float, step: float) -> str:
        """For an axis with so many seconds between its labels."""
        return self.at(epoch).strftime('%H:%M:%S' if step < 60 else '%H:%M' if step < 21600 else '%m-%d %H:%M')

    def offset(self, epoch: float) -> str:
        """The zone of a moment, such as UTC+08:00."""
        text = self.at(epoch).strftime('%z')
        return f'UTC{text[:3]}:{text[3:5]}' if text[1:5] != '0000' else 'UTC'


def clock(zone: str | None) -> Clock:
    """``zone``: a name such as Asia/Shanghai. One that the controller does not know means its own zone."""
    try:
        return Clock(zoneinfo.ZoneInfo(zone) if zone else None)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return Clock(None)


def duration(milliseconds: float) -> str:
    """Two figures at least, and the unit."""
    rounded = round(milliseconds)
    if rounded < _SECOND:
        return f'{rounded} ms'
    if rounded < 10 * _SECOND:
        return f'{milliseconds / _SECOND:.1f} s'
    if rounded < _MINUTE:
        return f'{milliseconds / _SECOND:.0f} s'
    if rounded < _HOUR:
        return f'{rounded // _MINUTE} min {rounded % _MINUTE // _SECOND} s'
    return f'{rounded // _HOUR} h {rounded % _HOUR // _MINUTE} min'
