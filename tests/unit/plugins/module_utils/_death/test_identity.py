# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose death an event is. Whole deaths are in fixtures/deaths."""

import random
import typing as t

import death_events
import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import events as types
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.events import Event
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.identity import (
    Other,
    Seen,
    Subject,
    holds_cgroup,
    match,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.separate import Starts
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.lives import Life

SUBJECT = Subject(b'anqicms', None, frozenset(), (), ())
NOON = 1e9


def event(kind: str = types.KERNEL_KILL, time: t.Optional[float] = NOON, **fields: t.Any) -> Event:
    return death_events.event(kind, time, **dict(dict(uncertainty=1.0, evidence=()), **fields))


def life(pid: int, begin: float, last_seen: float, running: bool = False, cgroup: t.Optional[str] = '/') -> Life:
    return Life(pid, NOON + begin, NOON + last_seen, running, 1000, cgroup)


@pytest.mark.parametrize(
    'path, own, expected',
    [
        ('/system.slice', '/system.slice/shop.service', True),
        ('system.slice', '/system.slice/shop.service', True),
        ('web.slice', '/outer/web.slice/shop.service', True),
        ('/system', '/system.slice/shop.service', False),
        ('slice', '/system.slice/shop.service', False),
        ('/', '/system.slice/shop.service', False),
        ('/system.slice', '/', False),
        ('', '/a', False),
        (None, '/a', False),
        ('/a', None, False),
    ],
)
def test_a_slice_that_holds_the_group(path: t.Optional[str], own: t.Optional[str], expected: bool) -> None:
    assert holds_cgroup(path, own) is expected


@pytest.mark.parametrize(
    'lives, starts, spans, answer',
    [
        ((life(4142, -900, -60),), (), ((NOON - 999, NOON + 999),), 'other'),  # its log would have the start
        ((life(4142, -900, -60),), (), (), 'maybe'),
        ((life(4142, -900, -60),), (NOON - 30,), ((NOON - 999, NOON + 999),), 'ours'),
        ((life(4142, 60, 90),), (), (), 'ours'),  # the one after it
        ((life(4711, -900, -60),), (), (), 'ours'),
    ],
)
def test_the_last_known_process_was_another(
    lives: t.Tuple[Life, ...], starts: t.Tuple[float, ...], spans: t.Tuple[t.Tuple[float, float], ...], answer: str
) -> None:
    seen = Seen(Starts(tuple(event(types.STARTED, time) for time in starts), spans))
    found = match(event(pid=4711, comm=b'anqicms'), SUBJECT._replace(lives=lives), seen)
    assert found.answer == answer, found


def test_nothing_is_sure_by_a_number_of_another_namespace() -> None:
    """Whatever numbers there are: asked in a PID namespace, that of a killer needs a sign, and excludes nothing."""
    dice = random.Random(6)
    for _number in range(500):
        lives = tuple(life(dice.randint(1, 9), -900, dice.uniform(-899, -1)) for each in range(dice.randint(0, 2)))
        subject = SUBJECT._replace(is_contained=True, lives=lives, pid=dice.choice([None, 3]))
        found = match(event(types.USERSPACE_KILL, pid=dice.randint(1, 9), comm=b'anqicms'), subject)
        assert found.answer == 'maybe' or found.needs_sign, (subject, found)
        assert found.answer != 'other'


def test_an_instance_that_is_recorded_can_have_died() -> None:
    others = (Other('blog', None, None, None, ()),)
    assert match(event(pid=5, comm=b'anqicms'), SUBJECT._replace(others=others)).candidates == ('blog',)


@pytest.mark.parametrize(
    'begin, last_seen, answer',
    [
        (-900, -60, 'other'),
        (-900, 60, 'other'),  # by a clock that is behind it lived on
        (60, 90, 'ours'),  # it got the pid later
    ],
)
def test_a_pid_in_the_history_of_another(begin: float, last_seen: float, answer: str) -> None:
    blog = Other('blog', NOON - 900, 1000, None, (life(5, begin, last_seen),))
    assert match(event(pid=5, comm=b'anqicms'), SUBJECT._replace(others=(blog,))).answer == answer


@pytest.mark.parametrize('since, answer', [(None, 'ours'), (-60, 'ours'), (60, 'ours'), (600, 'maybe')])
def test_a_time_before_the_instance_is_known(since: t.Optional[float], answer: str) -> None:
    known = None if since is None else NOON + since
    assert match(event(pid=5, comm=b'anqicms'), SUBJECT._replace(known_since=known)).answer == answer
