# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import asking, migration
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._hazards import preconditions
from ansible_collections.anqicms.lifecycle.plugins.module_utils._hazards import table as _hazards
from ansible_collections.anqicms.lifecycle.plugins.module_utils._hazards.facts import Facts
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import needs


def found(
    marker: t.Optional[str] = None, tables: str = 'settings websites', columns: str = 'id deleted_at', **more: t.Any
) -> asking.Found:
    seen = migration.Seen(frozenset(tables.split()), frozenset(columns.split()), marker, frozenset(), [])
    return asking.Found(**dict(dict(name='shop', key='k', seen=seen), **more))


CASES = [  # version, found, recorded: newer, unknown
    ('3.5.8', [found('3.5.8')], None, 0, 0),
    ('3.5.7', [found('3.5.8')], None, 0, 0),
    ('3.4.0', [found('3.5.1')], None, 1, 0),
    ('3.4.0', [found('3.4.0')], '3.5.1', 1, 0),
    ('3.4.0', [found('3.4.0', columns='id')], None, 1, 0),
    ('3.4.0', [found('3.4.0'), found('3.5.8', name='two')], None, 1, 0),
    ('3.4.0', [found('3.4.0'), found(seen=None, why='no right')], None, 0, 1),
    (None, [found('3.5.8')], None, 0, 1),
    ('3.5.8', [found(tables='', columns='')], None, 0, 0),
    ('3.5.8', [], None, 0, 0),
]


@pytest.mark.parametrize('version,databases,recorded,newer_ones,unknown', CASES)
def test_what_is_newer(
    version: t.Optional[str],
    databases: t.Sequence[asking.Found],
    recorded: t.Optional[str],
    newer_ones: int,
    unknown: int,
) -> None:
    said = needs.judge(version, databases, lambda key: recorded)
    assert (len(said.newer), len(said.unknown)) == (newer_ones, unknown), said


@pytest.mark.parametrize(
    'marker,tables,columns,version',
    [
        ('3.5.8', 'settings websites', 'id', '3.5.8'),
        ('3.3.11', 'settings websites', 'id', '3.5.3'),
        (None, 'settings', '', '2.5.0'),
        (None, 'archives', '', None),
        (None, '', '', None),
    ],
)
def test_version_of_a_database(marker: t.Optional[str], tables: str, columns: str, version: t.Optional[str]) -> None:
    seen = found(marker, tables, columns).seen
    assert seen is not None and migration.version_of(seen) == version


def test_it_refuses_a_start_unless_it_is_accepted() -> None:
    needs = preconditions.Needs('/d', newer=['shop by last_run_version: 3.5.8 or later'], newer_than='3.3.11')
    with pytest.raises(LifecycleError, match=r'newer than version 3\.3\.11.*add database_newer to accept') as caught:
        preconditions.require(needs, (), 'shop', 'Nothing was stopped or started.')
    assert caught.value.result['hazards'] == ['database_newer']
    preconditions.require(needs, ['database_newer'], 'shop', '')
    assert any('database_newer is accepted' in note for note in preconditions.notes(needs, ['database_newer']))


@pytest.mark.parametrize('named,count', [(True, 1), (False, 0)])
def test_what_could_not_be_asked_is_a_note(named: bool, count: int) -> None:
    needs = preconditions.Needs('/d', '3.3.11', names_database=named, newer_unknown=['nobody knows'])
    preconditions.require(needs, (), 'shop', '')
    assert preconditions.notes(needs, ()).count('nobody knows') == count


def test_hazards() -> None:
    rows = {row['code']: row for row in _hazards.evaluate(Facts(newer=['shop by x'], files_version='3.3.11'))}
    assert rows['database_newer']['blocks'] == ['restart', 'start', 'configure']
    rows = {row['code']: row for row in _hazards.evaluate(Facts(database_unknown='no client'))}
    assert rows['database_not_asked']['severity'] == 'info' and not rows['database_not_asked']['blocks']
