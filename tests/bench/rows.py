# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A row of the result: what was measured, what it is compared with, and whether the goal was met."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    name: str
    value: float
    unit: str
    baseline: float
    ratio: float
    goal: str
    ok: bool


def ratio_row(name: str, value: float, unit: str, baseline: float, most: float, slack: float = 0.0) -> Row:
    """`most`: the largest allowed ratio; `slack`: or so much more than the baseline, whichever allows more."""
    goal = f"<= {most:.3g} x" + (f" or + {slack:g} {unit}" if slack else "")
    limit = max(baseline * most, baseline + slack) if slack else baseline * most
    return _row(name, value, unit, baseline, goal, value <= limit)


def ratio_or_limit_row(name: str, value: float, unit: str, baseline: float, most: float, limit: float) -> Row:
    """`limit`: the value may be as large as this in any case."""
    goal = f"<= {most:g} x or {limit:g} {unit}"
    return _row(name, value, unit, baseline, goal, value <= max(baseline * most, limit))


def sum_row(name: str, value: float, unit: str, baseline: float, more: float, goal: str) -> Row:
    """`more`: how much more than the baseline it may be; `goal` says of what that is made."""
    return _row(name, value, unit, baseline, goal, value <= baseline + more)


def shown_row(name: str, value: float, unit: str, baseline: float) -> Row:
    """One without a goal."""
    return _row(name, value, unit, baseline, "(shown)", True)


def _row(name: str, value: float, unit: str, baseline: float, goal: str, ok: bool) -> Row:
    return Row(name, round(value, 3), unit, round(baseline, 3), round(value / baseline, 3), goal, ok)
