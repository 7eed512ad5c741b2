# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Times of logs: without year, in any language, twice in autumn, and since a boot with sleep."""

import calendar
import os
import time
import typing as t

import kernel_lines
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import log_prefix, log_time
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import local_time

Zone = t.Callable[[str], None]


@pytest.fixture(name='zone')
def _zone() -> t.Iterator[Zone]:
    before = os.environ.get('TZ')

    def choose(name: str) -> None:
        os.environ['TZ'] = name
        time.tzset()

    choose('UTC')
    yield choose
    if before is None:
        del os.environ['TZ']
    else:
        os.environ['TZ'] = before
    time.tzset()


def utc(*parts: int) -> float:
    return float(calendar.timegm(parts + (0,) * (6 - len(parts))))


def of(stamp: str, not_after: float) -> local_time.Moment:
    moment = log_time.of_stamp(stamp.encode(), not_after)
    assert moment is not None
    return moment


@pytest.mark.parametrize('name', [name for name, before in kernel_lines.PREFIXES.items() if before.stamp])
def test_every_stamp_is_read(zone: Zone, name: str) -> None:
    prefix = log_prefix.split(kernel_lines.PREFIXES[name].prefix + b'text')
    moment = log_time.of_prefix(prefix, utc(2026, 8, 1))
    expected = utc(2026, 7, 2, 16, 9, 14) if 'below' in name else utc(2026, 7, 12, 16, 9, 14)
    assert moment is not None
    assert abs(moment.time - expected) <= moment.uncertainty + 0.4
    assert moment.uncertainty <= 60


@pytest.mark.parametrize(
    ('stamp', 'not_after', 'expected'),
    [
        ('Dec 31 23:59:00', (2026, 1, 2), (2025, 12, 31, 23, 59)),
        ('Jan  1 00:01:00', (2026, 1, 2), (2026, 1, 1, 0, 1)),
        ('Feb 29 12:00:00', (2026, 3, 1), (2024, 2, 29, 12)),
        ('Feb 29 12:00:00', (2024, 2, 28, 23), (2024, 2, 29, 12)),
        ('Feb 29 12:00:00', (2024, 2, 20), (2020, 2, 29, 12)),
        ('Feb 29 12:00:00', (2104, 2, 1), (2096, 2, 29, 12)),
        ('Jul 12 00:30:00', (2026, 7, 12), (2026, 7, 12, 0, 30)),
        ('Jul 14 00:00:00', (2026, 7, 12), (2025, 7, 14)),
    ],
)
def test_a_year_that_is_not_written_is_the_latest_that_fits(
    zone: Zone, stamp: str, not_after: t.Tuple[int, ...], expected: t.Tuple[int, ...]
) -> None:
    assert of(stamp, utc(*not_after)).time == utc(*expected)


def test_a_time_in_an_hour_that_comes_twice_is_uncertain(zone: Zone) -> None:
    zone('Europe/Berlin')
    twice = of('Oct 25 02:30:00', utc(2026, 11, 1))
    for true in (utc(2026, 10, 25, 0, 30), utc(2026, 10, 25, 1, 30)):
        assert abs(twice.time - true) <= twice.uncertainty <= 1801
    assert of('Oct 25 03:30:00', utc(2026, 11, 1)) == local_time.Moment(utc(2026, 10, 25, 2, 30), 1.0)
    assert of('Oct 25 01:30:00', utc(2026, 11, 1)) == local_time.Moment(utc(2026, 10, 24, 23, 30), 1.0)


def test_a_time_in_an_hour_that_never_comes_is_uncertain(zone: Zone) -> None:
    zone('Europe/Berlin')
    never = of('Mar 29 02:30:00', utc(2026, 4, 1))
    for possible in (utc(2026, 3, 29, 0, 30), utc(2026, 3, 29, 1, 30)):
        assert abs(never.time - possible) <= never.uncertainty <= 1801


def test_time_asleep_is_an_uncertainty() -> None:
    asleep = 3 * 86400.0
    clocks = log_time.Clocks(real=1e9, monotonic=5000.0, boottime=5000.0 + asleep)
    moment = log_time.of_printk(4000.0, clocks)
    for true in (1e9 - 1000.0, 1e9 - 1000.0 - asleep):
        assert abs(moment.time - true) <= moment.uncertainty
    awake = log_time.of_printk(4000.0, clocks._replace(boottime=5000.0))
    assert awake.time == 1e9 - 1000.0
    assert awake.uncertainty < 1


@pytest.mark.parametrize(
    ('stamp', 'expected'),
    [
        ('2026-07-12T16:09:14.123456+08:00', utc(2026, 7, 12, 8, 9, 14) + 0.123456),
        ('2026-07-12T16:09:14-0330', utc(2026, 7, 12, 19, 39, 14)),
        ('2026-07-12 16:09:14', utc(2026, 7, 12, 8, 9, 14)),
        ('2026-07-12T16:09:14Z', utc(2026, 7, 12, 16, 9, 14)),
        ('Sun 2026-07-12 16:09:14 CST', utc(2026, 7, 12, 8, 9, 14)),
        ('Sun 2026-07-12 16:09:14 UTC', utc(2026, 7, 12, 16, 9, 14)),
    ],
)
def test_zones(zone: Zone, stamp: str, expected: float) -> None:
    zone('Asia/Shanghai')
    assert abs(of(stamp, utc(2026, 8, 1)).time - expected) < 1e-3


@pytest.mark.parametrize(
    ('stamp', 'month', 'day'),
    [
        ('Di Mär 12 10:11:12 2024', 3, 12),
        ('mar. mars 12 10:11:12 2024', 3, 12),
        ('mer. déc. 17 10:11:12 2025', 12, 17),
        ('dim. 19 avril 18:03:30 2026', 4, 19),
        ('jeu. août 14 10:11:12 2025', 8, 14),
        ('mar 12 ago 10:11:12 2025', 8, 12),
        ('dom ene 12 10:11:12 2025', 1, 12),
        ('ter set 16 10:11:12 2025', 9, 16),
        ('śro paź 15 10:11:12 2025', 10, 15),
        ('Вт авг 12 10:11:12 2025', 8, 12),
        ('二 12月 23 10:11:12 2025', 12, 23),
        ('火  7月  8 10:11:12 2025', 7, 8),
        ('화  8월 12 10:11:12 2025', 8, 12),
        ('wo mrt 12 10:11:12 2025', 3, 12),
        ('sam. juin 14 10:11:12 2025', 6, 14),
    ],
)
def test_languages_of_dmesg(zone: Zone, stamp: str, month: int, day: int) -> None:
    found = time.gmtime(of(stamp, utc(2026, 8, 1)).time)
    assert (found.tm_mon, found.tm_mday) == (month, day)


def test_latin_1_is_read(zone: Zone) -> None:
    moment = log_time.of_stamp('mer. déc. 17 10:11:12 2025'.encode('latin-1'), utc(2026, 8, 1))
    assert moment is not None
    assert moment.time == utc(2025, 12, 17, 10, 11, 12)


def test_a_month_that_is_not_understood_is_any_month(zone: Zone) -> None:
    moment = of('Qqq Xxx 12 10:11:12 2026', utc(2026, 8, 1))
    for month in range(1, 8):
        assert abs(moment.time - utc(2026, month, 12, 10, 11, 12)) <= moment.uncertainty


@pytest.mark.parametrize(
    'stamp',
    [
        b'',
        b'12:00:00',
        b'Jul 12',
        b'Jul 32 10:00:00',
        b'Feb 30 10:00:00 2026',
        b'Jul 12 16:09:14 CST',
        b'2026-07-12 16:09:14 IST',
        b'2026-07-12 16:09:14 XYZ',
        b'Jul 12 25:00:00',
        b'2026-13-01T00:00:00Z',
        b'0000-01-01T00:00:00Z',
        b'\xff\xfe',
    ],
)
def test_no_time_is_made_up(zone: Zone, stamp: bytes) -> None:
    assert log_time.of_stamp(stamp, utc(2026, 8, 1)) is None


@settings(deadline=None)
@given(st.binary(max_size=60), st.floats(0, 4e9))
def test_any_bytes(stamp: bytes, not_after: float) -> None:
    moment = log_time.of_stamp(stamp, not_after)
    assert moment is None or moment.uncertainty >= 0


@settings(deadline=None)
@given(st.integers(0, 4000000000), st.integers(0, 364 * 86400 - 1))
def test_yearless_stamps_come_back(written: int, age: int) -> None:
    """Whatever zone: the stamp of a time less than a year ago is that time again."""
    stamp = time.strftime('%b %d %H:%M:%S', time.localtime(written)).encode('ascii')
    moment = log_time.of_stamp(stamp, written + age)
    assert moment is not None
    assert abs(moment.time - written) <= moment.uncertainty
