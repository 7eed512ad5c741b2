# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Verdicts on cases that are thrown together: no traceback, and no guess that nothing supports."""

import random
import typing as t

from death_events import FULL, HOUR, NOON, OWN_LOG, SINCE, SUBJECT, UNREADABLE, UNTIL, event, life

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import causes, excluded
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import events as types
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import verdict as _oom_verdict
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.case import Case, Counters
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.causes import Decision
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.events import Event
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.identity import Other
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.lives import Life

KINDS = (
    types.KERNEL_KILL,
    types.KERNEL_INTENT,
    types.KERNEL_NO_KILL,
    types.KERNEL_SEGFAULT,
    types.KERNEL_PANIC_OOM,
    types.BOOT,
    types.SPOOFED,
    types.USERSPACE_KILL,
    types.GUARD_DROP,
    types.GUARD_ADMIN_STOP,
    types.CLEAN_STOP,
    types.PANIC,
    types.GO_OOM,
    types.STARTED,
    types.ABRUPT_END,
    types.LOG_JUMP,
    types.IN_APP_RESTART,
)
GROUPS = (None, '/', '/web', '/web/shop', 'shop.service', '/system.slice/shop.service', '/docker/' + 'a' * 64)


def any_event(dice: random.Random) -> Event:
    details: t.Dict[str, t.Any] = {}
    for name, values in (
        ('killer', (None, 'systemd', 'docker', 'earlyoom', 'systemd-oomd')),
        ('process', (None, 1, 2)),
        ('same_name', (None, [3])),
        ('oom_group', (None, '/web')),
        ('failed', (None, 'config_invalid')),
        ('is_complete', (True, False)),
        ('listening', (True, False)),
    ):
        value = dice.choice(values)
        details.update({} if value is None else {name: value})
    if dice.random() < 0.1:
        details['failed_line'] = 'Invalid Config: x'
    time = dice.choice([None, SINCE - 100, NOON, NOON + dice.uniform(-300, 300)])
    return event(
        dice.choice(KINDS),
        time,
        uncertainty=dice.choice([0.1, 21.0, 400.0]),
        pid=dice.choice([None, 3, 4, 5]),
        comm=dice.choice([None, b'anqicms', b'mysqld', b'\xff']),
        uid=dice.choice([None, 0, 1000]),
        cgroup=dice.choice(GROUPS),
        trusted=dice.choice([True, False]),
        details=details,
    )


def any_life(dice: random.Random) -> Life:
    begin = NOON + dice.uniform(-900, 300)
    return life(
        dice.choice([3, 4, 5]), begin, begin + dice.uniform(0, 600), dice.random() < 0.3, cgroup=dice.choice(GROUPS)
    )


def any_case(dice: random.Random) -> Case:
    others = tuple(
        Other(
            'blog',
            dice.choice([None, NOON - 900, NOON]),
            dice.choice([None, 1000]),
            dice.choice(GROUPS),
            tuple(any_life(dice) for _each in range(dice.randint(0, 1))),
        )
        for _each in range(dice.randint(0, 2))
    )
    subject = SUBJECT._replace(
        pid=dice.choice([None, None, 4]),
        uids=dice.choice([frozenset(), frozenset([1000])]),
        others=others,
        lives=tuple(sorted((any_life(dice) for _each in range(dice.randint(0, 3))), key=lambda each: each.begin)),
        is_contained=dice.random() < 0.3,
        known_since=dice.choice([None, NOON]),
    )
    coverage = tuple(
        entry for entry in (FULL, OWN_LOG, UNREADABLE, FULL._replace(source='syslog', end=NOON)) if dice.random() < 0.5
    )
    counters = dice.choice([Counters(), Counters(SINCE - HOUR, 0), Counters(SINCE - HOUR, 2, 1)])
    events = tuple(any_event(dice) for _each in range(dice.randint(0, 6)))
    return Case(SINCE, UNTIL, subject, events, coverage, counters, dice.choice([(), ('earlyoom',)]))


def check_decision(case: Case, decision: Decision) -> None:
    exclusion = excluded.Exclusion(case)
    assert decision.verdict in causes.VERDICTS[decision.cause]
    for incident in decision.incidents:
        assert incident.verdict in causes.VERDICTS[incident.cause] and incident.how
        if incident.verdict == 'confirmed':
            assert incident.event.trusted and incident.event.time is not None and not incident.candidates
        if (incident.verdict, incident.cause) == ('no', 'unexplained'):
            middle = incident.event.time if incident.event.time is not None else (SINCE + UNTIL) / 2
            begin, end = middle - incident.event.uncertainty, middle + incident.event.uncertainty
            assert exclusion.why_not(max(begin, SINCE), min(end, UNTIL)) is None, 'no without coverage'
            others = [other for other in decision.others if other.time is not None and begin <= other.time <= end]
            assert not (others and 'no OOM kill was recorded at that time' in incident.how)
            assert 'covered by ' in incident.how and not incident.how.endswith('covered by ')
    if decision.verdict == 'no' and not decision.incidents and decision.cause != 'not_dead':
        assert exclusion.why_not(SINCE, UNTIL) is None


def test_whatever_is_said_there_is_no_traceback_and_no_guess() -> None:
    for seed in range(1500):
        case = any_case(random.Random(seed))
        try:
            check_decision(case, _oom_verdict.decide(case))
        except Exception as exc:
            raise AssertionError('seed %d: %r' % (seed, case)) from exc
