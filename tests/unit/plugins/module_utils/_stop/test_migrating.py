# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import asking, migration
from ansible_collections.anqicms.lifecycle.plugins.module_utils._stop import migrating
from ansible_collections.anqicms.lifecycle.plugins.module_utils._stop.kill_policy import DatabaseUse

ALTER = 'ALTER TABLE `archives` ADD `x` int'
YOUNG, OLD = 5.0, 100000.0


def found(marker: t.Optional[str] = None, statements: t.Sequence[str] = (), **more: t.Any) -> asking.Found:
    seen = migration.Seen(frozenset(['settings', 'archives']), frozenset(), marker, frozenset(), statements)
    return asking.Found(**dict(dict(name='shop', seen=seen, at_work=migration.changing(statements)), **more))


@pytest.mark.parametrize(
    'version,opened,asks',
    [
        ('3.5.8', True, True),
        ('3.4.5', True, True),
        ('v3.4.7', True, True),
        (None, True, True),
        ('garbage', True, True),
        ('3.4.4', True, False),
        ('3.2.1', True, False),
        ('2.3.6', True, False),
        ('3.4.4', False, True),
        ('2.3.6', False, True),
        (None, False, True),
    ],
)
def test_whether_it_is_asked(version: t.Optional[str], opened: bool, asks: bool) -> None:
    assert migrating.can_migrate(version, opened) == asks


@pytest.mark.parametrize(
    'age,failed,use,statements,goes_on',
    [
        (YOUNG, False, None, [], True),  # its connections cannot be seen
        (YOUNG, False, DatabaseUse(True, 0.1), [], True),
        (YOUNG, False, DatabaseUse(True, 19.0), [], True),
        (YOUNG, False, DatabaseUse(True, 21.0), [], False),
        (YOUNG, False, DatabaseUse(False, float('inf')), [], False),  # no connection at all
        (YOUNG, False, DatabaseUse(True, 60.0), ['UPDATE archives SET x = 1'], True),
        (YOUNG, False, DatabaseUse(True, 60.0), ['select 1', ' SHOW TABLES', 'SET x = 1'], False),
        (YOUNG, True, DatabaseUse(True, 0.1), ['UPDATE archives SET x = 1'], False),
        (OLD, False, DatabaseUse(True, 0.1), [], False),
        (OLD, False, None, [], False),
    ],
)
def test_a_mark_that_is_missing(
    age: float, failed: bool, use: t.Optional[DatabaseUse], statements: t.Sequence[str], goes_on: bool
) -> None:
    assert migrating.goes_on(migrating.Life(age, failed, use), statements) == goes_on


BUSY = migrating.Life(YOUNG, False, DatabaseUse(True, 0.1))
FAILED = migrating.Life(YOUNG, True, DatabaseUse(True, 0.1))
JUDGED = [  # version, found, life: what runs, what is not known
    ('3.5.8', [found('3.5.8')], BUSY, [], []),
    ('3.5.8', [found('3.3.11')], BUSY, ['shop: last_run_version is 3.3.11'], []),
    ('3.5.8', [found('3.3.11')], FAILED, [], ['nothing is working on it: its log says "migrate table error"']),
    ('3.5.8', [found('3.3.11', [ALTER])], FAILED, ['shop: the application runs ALTER'], []),  # what is seen counts
    ('3.5.8', [found('3.5.8'), found('3.3.11', name='two')], BUSY, ['two: last_run_version'], []),
    ('3.5.8', [found(seen=None, why='no client')], BUSY, [], ['not known: shop: no client']),
    ('3.5.8', [found(seen=None, why='slow', at_work=[ALTER])], BUSY, ['shop: the application runs ALTER'], []),
    ('3.5.8', [found('3.3.11'), found(seen=None, name='two', why='x')], BUSY, ['shop: '], ['not known: two: x']),
    (None, [found('3.5.8')], BUSY, [], ['the version of the application is not known']),
    (None, [found('3.5.8', [ALTER])], BUSY, ['runs ALTER'], []),
    ('3.2.8', [found(None)], BUSY, [], []),
    ('2.5.3', [found(None)], BUSY, ['the settings have no system yet'], []),
    ('3.5.8', [], BUSY, [], []),
]


@pytest.mark.parametrize('version,databases,life,runs,unknown', JUDGED)
def test_what_runs(
    version: t.Optional[str],
    databases: t.Sequence[asking.Found],
    life: migrating.Life,
    runs: t.Sequence[str],
    unknown: t.Sequence[str],
) -> None:
    judged = migrating.judge(version, databases, life)
    for said, wanted in ((judged.runs, runs), (judged.unknown, unknown)):
        assert len(said) == len(wanted)
        assert all(text in line for text, line in zip(wanted, said)), said


@pytest.mark.parametrize(
    'version,history,late',
    [
        ('3.5.8', ['3.2.8', '3.5.8'], True),
        ('3.5.8', ['3.2.8'], True),
        ('3.5.8', ['3.2.8', '3.3.11', '3.5.8'], False),
        ('3.5.8', ['3.3.11'], False),
        ('3.5.8', ['3.5.8'], False),
        ('3.5.8', [], False),
        ('3.5.8', [None, '3.2.8'], True),
        ('3.3.11', ['3.2.8'], False),
        (None, ['3.2.8'], False),
    ],
)
def test_statistics_that_are_written_late(
    version: t.Optional[str], history: t.Sequence[t.Optional[str]], late: bool
) -> None:
    assert bool(migrating.came_over_statistics(version, [dict(version=one) for one in history])) == late


def test_what_check_mode_says() -> None:
    assert migrating.would_wait(migrating.Judged([], ['x']), 5) == ''
    assert 'at most 5 s for the migration to end (a; b)' in migrating.would_wait(migrating.Judged(['a', 'b'], []), 5)
