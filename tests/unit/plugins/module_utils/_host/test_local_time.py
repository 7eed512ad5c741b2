# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Local times of logs: what is no time, and the nights when clocks change."""

import time
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import local_time


@pytest.fixture(params=['UTC0', 'Asia/Shanghai', 'Europe/Berlin', 'CET-1CEST,M3.5.0,M10.5.0/3'])
def zone(request: t.Any, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[str]:
    monkeypatch.setenv('TZ', request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize('stamp', ['2024/02/29 23:59:59', '20240229 23:59:59', '2024-02-29T23:59:59'])
def test_leap_day_in_every_form(zone: str, stamp: str) -> None:
    low, high = local_time.span(stamp) or (0.0, 0.0)
    assert time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(low)) == '2024-02-29 23:59:59'
    assert high == low + 1.0


@pytest.mark.parametrize(
    'stamp', ['2023/02/29 00:00:00', '20241399 00:00:00', '', 'x', '20240101 25:00:00', '0000/00/00 00:00:00', '99999']
)
def test_what_is_no_time(stamp: str) -> None:
    assert local_time.span(stamp) is None


@pytest.mark.parametrize('zone', ['CET-1CEST,M3.5.0,M10.5.0/3'], indirect=True)
def test_nights_when_clocks_change(zone: str) -> None:
    twice = local_time.span('2026-10-25 02:30:00')
    assert twice == (1792888200.0, 1792888200.0 + 3601.0)
    never = local_time.span('2026-03-29 02:30:00')
    assert never is not None and never[1] - never[0] == 3601.0
    assert never[0] <= 1774747800.0 <= never[1]


@pytest.mark.parametrize(
    ('low', 'high', 'expected'),
    [
        ((10.0, 11.0), (20.0, 21.0), (15.5, 5.5)),
        ((20.0, 21.0), (10.0, 11.0), (15.5, 5.5)),
        (None, (10.0, 11.0), (None, 0.0)),
        ((10.0, 11.0), None, (None, 0.0)),
    ],
)
def test_around(low: t.Any, high: t.Any, expected: t.Any) -> None:
    assert local_time.around(low, high) == expected


@pytest.mark.parametrize(
    ('moment', 'uncertainty', 'since', 'until', 'expected'),
    [
        (None, 0.0, 1.0, 2.0, True),
        (5.0, 1.0, 6.0, None, True),
        (5.0, 0.9, 6.0, None, False),
        (5.0, 1.0, None, 4.0, True),
        (5.0, 0.9, None, 4.0, False),
        (5.0, 0.0, None, None, True),
    ],
)
def test_overlaps(moment: t.Any, uncertainty: float, since: t.Any, until: t.Any, expected: bool) -> None:
    assert local_time.overlaps(moment, uncertainty, since, until) is expected
