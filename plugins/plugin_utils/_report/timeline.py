# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Where the windows of a run, and the steps in them, stand on one axis of time. Pure.

Positions and widths are in units of which the whole axis has ``WIDTH``.
"""

from __future__ import annotations

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language.words import Words
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._report import times

Data = t.Mapping[str, t.Any]
WIDTH = 1000
_LEAST = 3.0  # of a window: it must be seen in a run of a day, too
_MOST_TICKS = 4
_TICKS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400)
# What a step is for, which is its colour.
KINDS: t.Mapping[str, t.Sequence[str]] = {
    'stop': ('graceful_stop',),
    'port': ('port_released',),
    'change': ('config', 'release', 'database', 'command'),
    'start': ('verified_start',),
    'check': ('log_check', 'site_check'),
}
_KIND_OF = {name: kind for kind, names in KINDS.items() for name in names}


class Segment(t.NamedTuple):
    x: float
    width: float
    kind: str
    name: str
    lasts: str
    failed: bool


class Lane(t.NamedTuple):
    """A window. ``text``: all of it in words, for those who do not see it."""

    row: Data
    x: float
    width: float
    text: str
    segments: t.Sequence[Segment]


class Tick(t.NamedTuple):
    x: float
    label: str


class Timeline(t.NamedTuple):
    ticks: t.Sequence[Tick]
    lanes: t.Sequence[Lane]


def has_window(row: Data) -> bool:
    return bool(row['began_at']) and end_of(row) >= row['began_at']


def end_of(row: Data) -> float:
    """When the last step of a window ended. Its result comes later: on the way is nothing to see of the instance."""
    last = max((float(step.get('ended_ms') or 0) for step in row['steps']), default=0.0)
    return float(row['began_at']) + last / 1000 if last else float(row['ended_at'] or 0)


def make(rows: t.Sequence[Data], clock: times.Clock, words: Words) -> Timeline | None:
    """None where nothing has a time."""
    windows = sorted((row for row in rows if has_window(row)), key=lambda row: (row['began_at'], row['host']))
    if not windows:
        return None
    begin, end = windows[0]['began_at'], max(end_of(row) for row in windows)
    scale = WIDTH / max(end - begin, 0.001)
    lanes = [_lane(row, begin, scale, clock, words) for row in windows]
    return Timeline(ticks(begin, end, clock), lanes)


def _lane(row: Data, begin: float, scale: float, clock: times.Clock, words: Words) -> Lane:
    lasts = end_of(row) - row['began_at']
    width = max(lasts * scale, _LEAST)
    x = min((row['began_at'] - begin) * scale, WIDTH - width)
    text = words(
        '{host}: from {start}, for {time}',
        host=row['host'],
        start=clock.of_day(row['began_at']),
        time=times.duration(lasts * 1000),
    )
    return Lane(row, round(x, 1), round(width, 1), text, segments(row, max(lasts * 1000, 1.0), words, x, width))


def segments(row: Data, whole_ms: float, words: Words, x: float = 0.0, width: float = float(WIDTH)) -> list[Segment]:
    """The steps of a window on a stretch of the axis that stands for so many milliseconds."""
    found = []
    for step in row['steps']:
        began, ended = float(step.get('started_ms') or 0), float(step.get('ended_ms') or 0)
        if ended < began:
            continue
        left, right = (min(max(value / whole_ms, 0.0), 1.0) * width for value in (began, ended))
        name = str(step.get('name'))
        kind, lasts = _KIND_OF.get(name, 'other'), times.duration(ended - began)
        found.append(
            Segment(
                round(x + left, 1),
                round(right - left, 1),
                kind,
                words.known(name.replace('_', ' ')),
                lasts,
                step.get('ok') is False,
            )
        )
    return found


def ticks(begin: float, end: float, clock: times.Clock) -> list[Tick]:
    """Round moments; at most so many that their labels fit on a phone."""
    scale = WIDTH / max(end - begin, 0.001)
    step = next((one for one in _TICKS if (end - begin) / one <= _MOST_TICKS), _TICKS[-1])
    first = -(-begin // step) * step
    moments = [first + number * step for number in range(_MOST_TICKS + 1)]
    return [Tick(round((one - begin) * scale, 1), clock.label(one, step)) for one in moments if one <= end]
