# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether two events tell of one death or of two."""

import itertools
import random
import typing as t

import death_events
import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import events as types
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import separate
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.events import Event
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.separate import Starts


def at(time: t.Optional[float], uncertainty: float = 0.5, kind: str = types.ABRUPT_END, **fields: t.Any) -> Event:
    return death_events.event(kind, time, uncertainty=uncertainty, **dict(dict(evidence=()), **fields))


def start(time: float, uncertainty: float = 0.5, **details: t.Any) -> Event:
    return at(time, uncertainty, types.STARTED, details=details)


@pytest.mark.parametrize(
    'one, other, begin, expected',
    [
        (at(10), at(20), start(15), True),
        (at(20), at(10), start(15), True),  # whatever their order
        (at(10), at(20), start(25), False),
        (at(10), at(20), start(5), False),
        (at(10, 20), at(20), start(15), False),  # it can have been after the start
        (at(10), at(20, 9), start(15), False),  # and this one before it
        (at(8, 7), at(20, 5), start(15), True),  # both up to the stamp of the start, as in one log
        (at(10), at(20), start(15, 1800), False),  # an hour that comes twice
        (at(None), at(20), start(15), False),
    ],
)
def test_a_start_that_certainly_lies_between(one: Event, other: Event, begin: Event, expected: bool) -> None:
    assert Starts((begin,)).between(one, other) is expected


@pytest.mark.parametrize(
    'apart, uncertainty, begin, expected',
    [(30, 21, 15, True), (30, 21, 40, False), (30, 21, -1, False), (20, 21, 10, False), (1, 0.1, 0.5, True)],
)
def test_a_start_between_two_lines_of_one_killer(
    apart: float, uncertainty: float, begin: float, expected: bool
) -> None:
    known = Starts((start(begin),))
    assert known.between_stamps(at(0, uncertainty), at(apart, uncertainty)) is expected
    assert known.between_stamps(at(apart, uncertainty), at(0, uncertainty)) is expected


@pytest.mark.parametrize(
    'one, other, starts, spans, expected',
    [
        (10, 11, (), ((0, 99),), False),
        (10, 80, (), ((0, 99),), False),
        (10, 80, (20,), ((0, 99),), True),
        (10, 80, (90,), ((0, 99),), False),
        (10, 11, (), (), False),
        (10, 80, (), (), True),  # no log would show it
        (10, 80, (), ((0, 50), (60, 99)), True),
    ],
)
def test_a_start_that_may_lie_between(
    one: float, other: float, starts: t.Tuple[float, ...], spans: t.Tuple[t.Tuple[float, float], ...], expected: bool
) -> None:
    known = Starts(tuple(map(start, starts)), spans)
    assert known.possible_between(at(one), at(other)) is expected
    assert known.possible_between(at(other), at(one)) is expected


def test_what_surely_lies_between_may_lie_between() -> None:
    dice = random.Random(14)
    for _number in range(2000):
        one, other = at(dice.uniform(0, 99), dice.uniform(0, 9)), at(dice.uniform(0, 99), dice.uniform(0, 9))
        known = Starts(tuple(start(dice.uniform(0, 99)) for _each in range(3)), ((-99, 199),))
        if known.between(one, other):
            assert known.possible_between(one, other)
            assert known.between(other, one)  # pylint: disable=arguments-out-of-order


def test_only_a_start_that_served_ends_the_one_before() -> None:
    found = [start(1), start(2, listening=True), start(3, listening=False), start(4, failed='config_invalid'), at(5)]
    assert [event.time for event in separate.served(found)] == [1, 2]


def test_the_nearest_is_the_one_within_whose_span_the_time_lies() -> None:
    early, late, killed = at(10, 20), at(50, 20), at(26, 21)
    assert sorted((late, early), key=lambda event: separate.distance(event, killed)) == [early, late]


def test_pids_and_processes_of_the_log_differ() -> None:
    events = [
        at(1, pid=4),
        at(1, pid=5, tgid=4),
        at(1, pid=6),
        at(1, details={'process': 1}),
        at(1, details={'process': 2}),
    ]
    different = [
        (one, other)
        for one, other in itertools.combinations(range(5), 2)
        if separate.differ(events[one], events[other])
    ]
    assert different == [(0, 2), (1, 2), (3, 4)]


def test_spans_may_leave_no_gap() -> None:
    assert separate.covers([(5, 10), (0, 5)], 0, 10)
    assert not separate.covers([(0, 4), (5, 10)], 0, 10)
    assert not separate.covers([], 0, 10)
    assert separate.covers([(0, 10), (90, 100)], 0, 10)
    assert separate.covers([(0, 9), (2, 3), (5, 10)], 0, 10)


def test_a_moment_is_covered_by_a_span_that_holds_it() -> None:
    assert separate.covers([(0, 5)], 5, 5)
    assert not separate.covers([], 5, 5)
    assert not separate.covers([(0, 4), (6, 9)], 5, 5)
