# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import os
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import runs as _runs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state as _state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import resolve


def run(number: int, name: str, rolls_back: t.Optional[str] = None, run_id: t.Optional[str] = None) -> _runs.Run:
    kind = (
        dict(kind='rollback', number=1, data=dict(run=rolls_back))
        if rolls_back
        else dict(kind='release', number=1, data={})
    )
    return _runs.Run(name, run_id or name, number, 1.0, '3.3.11', '3.5.8', [t.cast(t.Dict[str, t.Any], kind)])


A, B = run(1, 'a'), run(2, 'b')
BACK_B, AGAIN, BACK_A = run(3, 'back-b', 'b'), run(4, 'again', 'back-b'), run(4, 'back-a', 'a')


@pytest.mark.parametrize(
    'runs,names',
    [
        ([], ''),
        ([A], 'a'),
        ([A, B], 'a b'),
        ([A, B, BACK_B], 'a back-b'),
        ([A, B, BACK_B, BACK_A], 'back-b back-a'),
        ([A, B, BACK_B, AGAIN], 'a b again'),
        ([B, BACK_B, AGAIN, run(5, 'third', 'again')], 'back-b third'),
    ],
)
def test_standing(runs: t.Sequence[_runs.Run], names: str) -> None:
    assert ' '.join(one.name for one in _runs.standing(runs)) == names


@pytest.mark.parametrize(
    'runs,than,names',
    [
        ([A], A, ''),
        ([A, B], A, 'b'),
        ([A, B], B, ''),
        ([A, B, BACK_B], A, ''),  # what came after is gone again
        ([A, B, BACK_B], BACK_B, ''),
        ([A, B, BACK_B, AGAIN], A, 'b'),  # and here it stands again
        ([A, B, BACK_B, AGAIN], B, ''),
        ([A, B, BACK_B, run(4, 'd')], BACK_B, 'd'),
    ],
)
def test_later(runs: t.Sequence[_runs.Run], than: _runs.Run, names: str) -> None:
    assert ' '.join(one.name for one in _runs.later(runs, than)) == names


def test_the_one_that_stands_is_meant_where_a_run_id_was_given_twice() -> None:
    first, second = run(1, 'x-1', run_id='x'), run(2, 'x-2', run_id='x')
    assert _runs.named([first, second], 'x') == second
    back = run(3, 'back', 'x-2')
    assert _runs.named([first, second, back], 'x') == first
    assert _runs.named([first, second, back, run(4, 'more', 'x-1')], 'x') == second
    assert _runs.named([first], 'y') is None
    assert _runs.rolled_back_by([first, second, back], second) == back
    assert _runs.rolled_back_by([first, second, back], first) is None


def test_for_people() -> None:
    assert [(one['run_id'], one['stands'], one['changes']) for one in _runs.described([A, B, BACK_B])] == [
        ('back-b', True, ['rollback']),
        ('b', False, ['release']),
        ('a', True, ['release']),
    ]


@pytest.mark.parametrize(
    'kinds,lasts',
    [
        ([], False),
        (['launch'], False),
        (['launch', 'command'], False),
        (['launch', 'database', 'keep_files'], False),
        (['launch', 'config'], True),
        (['launch', 'keep_files', 'release'], True),
    ],
)
def test_what_a_rollback_can_take_back(kinds: t.Sequence[str], lasts: bool) -> None:
    assert _runs.lasts([dict(kind=kind) for kind in kinds]) is lasts


@pytest.fixture
def state(tmp_path: t.Any) -> _state.StateDir:
    (tmp_path / 'shop').mkdir()
    made = _state.StateDir(resolve(str(tmp_path / 'shop')), str(tmp_path / 'state'))
    made.make()
    return made


def test_kept_read_and_forgotten(state: _state.StateDir) -> None:
    places = [state.run_dir(name) for name in ('z', 'a')]
    for place, run_id in zip(places, ('first', 'second')):
        _runs.keep(state, place, run_id, 1.5, ('3.3.11', None), [dict(kind='release', number=0, data={}, left={})])
    found = _runs.read_all(state)
    assert [(one.run_id, one.number, one.name) for one in found] == [('first', 1, 'z'), ('second', 2, 'a')]
    assert (found[0].before, found[0].after, found[0].kinds) == ('3.3.11', None, ['release'])
    _runs.forget(places[0])
    _runs.forget(places[0])
    assert [one.run_id for one in _runs.read_all(state)] == ['second']


@pytest.mark.parametrize(
    'text',
    [
        '',
        '{',
        '[]',
        '{"format": 1}',
        '{"format": 2, "changes": []}',
        '{"format": 1, "changes": [{}]}',
        '{"format": 1, "changes": [], "more": 1}',
    ],
)
def test_one_that_cannot_be_read_is_not_left_out(state: _state.StateDir, text: str) -> None:
    with open(os.path.join(state.run_dir('a'), 'changes.json'), 'w') as stream:
        stream.write(text)
    with pytest.raises(LifecycleError, match='cannot be used'):
        _runs.read_all(state)


def window(run_id: str, outcome: t.Optional[str] = None) -> t.List[t.Dict[str, t.Any]]:
    begin: t.Dict[str, t.Any] = dict(event='begin', run_id=run_id, at=1.0)
    step = dict(event='step', name='graceful_stop', at=2.0)
    return [begin, step] + ([dict(event='end', outcome=outcome, at=3.0)] if outcome else [])


@pytest.mark.parametrize(
    'journal,runs',
    [
        ([], ''),
        (window('a', 'done') + window('b', 'unchanged'), ''),
        (window('a', 'rolled_back'), 'a:rolled_back'),
        (window('a', 'rolled_back') + window('b', 'failed'), 'b:failed a:rolled_back'),
        (window('a', 'not_begun') + window('b', 'done'), 'a:not_begun'),
        (window('a', 'failed') + window('a', 'done'), ''),  # tried again under its name
        (window('a', 'done') + window('a', 'failed'), 'a:failed'),
        (window('a') + window('b', 'done'), 'a:unfinished'),  # a later run has put it right
        (window('a', 'done') + window('b'), 'b:unfinished'),
        (window('a', 'done') + [dict(event='signal', by='task', at=9.0)], ''),
        ([dict(event='end', outcome='failed', at=1.0)] + window('a', 'done'), ''),  # what is left of a longer journal
    ],
)
def test_badly_ended(journal: t.List[t.Dict[str, t.Any]], runs: str) -> None:
    assert ' '.join('%s:%s' % (run['run_id'], run['outcome']) for run in _runs.badly_ended(journal)) == runs


def test_badly_ended_is_bounded() -> None:
    journal = [entry for number in range(30) for entry in window(str(number), 'failed')]
    assert [run['run_id'] for run in _runs.badly_ended(journal)] == [str(number) for number in range(29, 9, -1)]


def test_how_long_restores_may_take() -> None:
    database = dict(kind='database', data=dict(restore_s=7200.0))
    older = dict(kind='database', data=dict(directory='/d'))  # of a release that did not note it
    other = dict(kind='release', data=dict(switch='a'))
    assert _runs.restores_s([]) == _runs.restores_s([other]) == 0.0
    assert _runs.restores_s([other, database]) == 7200.0
    assert _runs.restores_s([older, database]) == 3600.0 + 7200.0
