# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import rollback_point
from ansible_collections.anqicms.lifecycle.plugins.module_utils._change.rollback_point import Held
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import content as facts

MARK = {'upgrade_archive_category': 'x'}


def held(_known: t.Optional[t.Mapping[str, str]] = None, **tables: t.Tuple[int, str]) -> Held:
    return Held(
        'shop',
        {name: facts.Row(rows, rows, checksum, rows + 1, 'ddl') for name, (rows, checksum) in tables.items()},
        _known,
    )


@pytest.mark.parametrize(
    'before,now,text',
    [
        (held(archives=(5, 'a')), held(archives=(5, 'a')), ''),
        (held(archives=(5, 'a')), held(archives=(6, 'b')), 'shop.archives: 5 -> 6 rows'),
        (held(archives=(5, 'a')), held(archives=(4, 'b')), 'shop.archives: 5 -> 4 rows'),
        (held(archives=(5, 'a')), held(archives=(5, 'b')), 'shop.archives: 5 rows, content changed'),
        (held(archives=(5, 'a')), held(archives=(5, 'a'), more=(0, '0')), 'shop.more: no table -> 0 rows'),
        (held(archives=(5, 'a')), held(), 'shop.archives: 5 -> no table rows'),
        # what the application writes by itself
        (held({}, archive_categories=(1, 'a')), held({}, archive_categories=(9, 'b')), ''),
        (
            held(MARK, archive_categories=(1, 'a')),
            held(MARK, archive_categories=(9, 'b')),
            'shop.archive_categories: 1 -> 9 rows',
        ),
        (
            held(None, archive_categories=(1, 'a')),
            held(None, archive_categories=(9, 'b')),
            'shop.archive_categories: 1 -> 9 rows',
        ),
        (
            held({'system': '1'}, settings=(1, 'a')),
            held(dict(MARK, system='1', last_run_version='2'), settings=(3, 'b')),
            '',
        ),
        (
            held({'system': '1'}, settings=(1, 'a')),
            held({'system': '2'}, settings=(1, 'b')),
            'shop.settings: 1 rows, content changed',
        ),
        (
            held({'system': '1'}, settings=(1, 'a')),
            held({'system': '1', 'own': '2'}, settings=(2, 'b')),
            'shop.settings: 1 -> 2 rows',
        ),
        (held(None, settings=(1, 'a')), held({}, settings=(1, 'b')), 'shop.settings: 1 rows, content changed'),
    ],
)
def test_written_since(before: Held, now: Held, text: str) -> None:
    assert rollback_point.shown(rollback_point.since({'k': before}, {'k': now})) == text


def sites(checksum: str, rows: int = 1, **columns: str) -> Held:
    """With one site whose row has these columns."""
    return held({}, websites=(rows, checksum))._replace(
        rows={'websites': {'1': dict({'id': 'i', 'name': 'n', 'token_secret': '', 'updated_time': 't'}, **columns)}}
    )


@pytest.mark.parametrize(
    'now,is_lost',
    [
        (sites('b', token_secret='s'), False),
        (sites('b', token_secret='s', updated_time='u'), False),
        (sites('b', token_secret='s', name='m'), True),
        (sites('b', updated_time='u'), True),
        (sites('b', name='m'), True),
        (sites('b', more='m', token_secret='s'), True),
        (sites('b', rows=2)._replace(rows={'websites': {'1': {}, '2': {}}}), True),
        (sites('b', token_secret='s')._replace(rows={}), True),
    ],
)
def test_a_secret_that_the_next_start_makes(now: Held, is_lost: bool) -> None:
    assert bool(rollback_point.since({'k': sites('a')}, {'k': now})) == is_lost


def test_a_secret_of_before_that_is_another_one() -> None:
    before, now = sites('a', token_secret='s'), sites('b', token_secret='o')
    assert rollback_point.since({'k': before}, {'k': now})


@pytest.mark.parametrize('before,now,is_lost', [('', 'n', False), ('n', 'm', True), ('n', '', True)])
def test_a_name_that_the_next_start_fills(before: str, now: str, is_lost: bool) -> None:
    then, there = (
        held({}, modules=(1, one))._replace(rows={'modules': {'1': {'id': 'i', 'name': one}}}) for one in (before, now)
    )
    assert bool(rollback_point.since({'k': then}, {'k': there})) == is_lost


def test_databases_that_came_or_went() -> None:
    one = held(archives=(5, 'a'))
    assert rollback_point.shown(rollback_point.since({}, {'k': one})) == 'shop: it is used since'
    assert rollback_point.shown(rollback_point.since({'k': one}, {})) == 'shop: it could not be inspected'


def test_what_was_noted_is_read_again(tmp_path: t.Any) -> None:
    assert rollback_point.read(str(tmp_path)) is None
    assert rollback_point.written_since(str(tmp_path), {}, 'shop')[0]['what'] == 'what was written since is not known'
    noted = {'k': held({'system': '1'}, archives=(5, 'a')), 'other': held(None), 'third': sites('a')}
    rollback_point.write(str(tmp_path), noted)
    assert rollback_point.read(str(tmp_path)) == noted
    (tmp_path / 'left.json').write_text('[]')
    assert rollback_point.read(str(tmp_path)) is None
