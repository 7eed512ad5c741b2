# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import compare, migration
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import content as facts
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database.migration import (
    DONE,
    PENDING,
    RUNNING,
    UNKNOWN,
)

ALTER = 'ALTER TABLE `archives` MODIFY COLUMN `id` bigint'
CATEGORIES = 'INSERT INTO `archive_categories` (`category_id`,`archive_id`) SELECT 1, 2'


def seen(
    marker: t.Optional[str] = None,
    tables: str = 'settings archives',
    statements: t.Sequence[str] = (),
    settings: str = '',
    lines: t.Optional[int] = None,
    columns: str = '',
) -> migration.Seen:
    return migration.Seen(
        frozenset(tables.split()), frozenset(columns.split()), marker, frozenset(settings.split()), statements, lines
    )


@pytest.mark.parametrize(
    'statement,changes',
    [
        (ALTER, True),
        ('alter table x add y int', True),
        ('/* gorm */ ALTER TABLE x ADD y int', True),
        ('CREATE UNIQUE INDEX i ON x (y)', True),
        ('CREATE INDEX i ON x (y)', True),
        ('DROP TABLE statistics', True),
        ('INSERT INTO `archive_drafts` (`id`) SELECT `id` FROM `archives`', True),
        ('INSERT INTO a\nSELECT * FROM b', True),
        ('REPLACE INTO a SELECT 1', True),
        ('OPTIMIZE TABLE archives', True),
        ("INSERT INTO a VALUES ('SELECT 1')", False),
        ('INSERT INTO `a` (`b`) VALUES (1)', False),
        ('SELECT * FROM archives', False),
        ('UPDATE archives SET views = views + 1', False),
        ('', False),
        (CATEGORIES, False),
        ('alternative', False),
        (' /* a */ /* b ** */\nALTER TABLE x ADD y int', True),
        ('/* ALTER TABLE x */ SELECT 1', False),
        ('/* ALTER TABLE x', False),
        ('/**/ ' * 60 + '!', False),  # read in one way only: else it takes for ever
    ],
)
def test_statements_of_a_migration(statement: str, changes: bool) -> None:
    assert bool(migration.changing([statement])) == changes


MIGRATIONS = [  # version, seen, expected lines, marked for: state
    ('3.5.8', seen('3.5.8'), None, None, DONE),
    ('v3.5.8', seen('3.5.8'), None, None, DONE),
    ('3.5.8', seen('3.3.11'), None, None, PENDING),
    ('3.5.8', seen(None), None, None, PENDING),
    ('3.5.8', seen('3.3.11', statements=[ALTER]), None, None, RUNNING),
    ('3.5.8', seen('3.5.8', statements=[ALTER]), None, None, RUNNING),
    ('3.5.8', seen('3.5.8', statements=[CATEGORIES]), None, None, DONE),
    (None, seen('3.5.8', statements=[ALTER]), None, None, RUNNING),
    (None, seen('3.5.8'), None, None, UNKNOWN),
    ('3.5.8', seen('3.5.8', lines=99), 100, 1.0, RUNNING),
    ('3.5.8', seen('3.5.8', lines=100), 100, 1.0, DONE),
    ('3.5.8', seen('3.5.8', lines=99), 100, 12.0, RUNNING),
    ('3.5.8', seen('3.5.8', lines=99), 100, 60.0, PENDING),
    ('3.5.8', seen('3.5.8', lines=None), 100, 1.0, RUNNING),
    ('3.5.8', seen('3.5.8', lines=None), 100, 12.0, DONE),
    ('3.5.8', seen('3.5.8', lines=0), 0, 0.0, DONE),
    ('3.3.11', seen('3.3.11', lines=0), 100, 0.0, DONE),  # it writes them before the port opens
    ('3.3.0', seen(None), None, None, PENDING),
    ('3.2.8', seen(None), None, None, DONE),
    ('2.5.3', seen(None, settings=''), None, None, PENDING),
    ('2.5.3', seen(None, settings='system'), None, None, DONE),
    ('2.3.6', seen(None, tables='archives'), None, None, DONE),
]


@pytest.mark.parametrize('version,found,lines,marked,state', MIGRATIONS)
def test_whether_a_migration_runs(
    version: t.Optional[str], found: migration.Seen, lines: t.Optional[int], marked: t.Optional[float], state: str
) -> None:
    assert migration.decide(version, found, lines, marked).state == state


@pytest.mark.parametrize(
    'version,settings,tables,noted',
    [
        ('3.5.8', '', 'settings archive_categories', True),
        ('3.5.8', 'upgrade_archive_category', 'archive_categories', False),
        ('3.1.9', '', 'archive_categories', False),
        ('3.5.8', '', 'settings', False),
    ],
)
def test_the_copy_of_categories_is_reported_only(version: str, settings: str, tables: str, noted: bool) -> None:
    answer = migration.decide(version, seen(version, tables=tables, settings=settings))
    assert (answer.state, bool(answer.notes)) == (DONE, noted)


@pytest.mark.parametrize(
    'before,after,late',
    [
        ('3.2.8', '3.5.8', True),
        ('2.5.3', '3.5.0', True),
        ('3.3.11', '3.5.8', False),
        ('3.2.8', '3.3.11', False),
        ('3.2.8', '3.4.0', False),
        (None, '3.5.8', True),
        ('3.5.7', '3.5.8', False),
        ('3.2.8', None, True),
    ],
)
def test_late_statistics(before: t.Optional[str], after: t.Optional[str], late: bool) -> None:
    assert migration.jumps_over_statistics(before, after) == late


OLD = 'id deleted_at'
SHAPES = [  # tables, columns of websites: the oldest version
    ('', '', None),
    ('archives statistics', '', (0, 0, 0)),
    ('archives settings', '', (2, 5, 0)),
    ('archives settings websites', OLD, (3, 0, 0)),
    ('settings websites archive_categories', OLD, (3, 2, 0)),
    ('settings websites archive_categories archive_drafts', OLD, (3, 3, 0)),
    ('settings websites archive_drafts', OLD + ' parent_id', (3, 3, 12)),
    ('settings websites archive_drafts', 'id parent_id', (3, 5, 3)),
]


@pytest.mark.parametrize('tables,columns,version', SHAPES)
def test_version_by_shape(tables: str, columns: str, version: t.Any) -> None:
    assert migration.shape_version(seen(tables=tables, columns=columns)) == version


NEWEST: t.Dict[str, t.Any] = dict(tables='settings websites archive_drafts', columns='id parent_id')
NEWER = [  # binary, seen, recorded: newer
    ('3.5.8', seen('3.5.8', **NEWEST), None, False),
    ('3.5.7', seen('3.5.8', **NEWEST), None, False),  # the same schema
    ('3.5.6', seen('3.5.8', **NEWEST), None, True),
    ('3.5.6', seen('3.5.7', **NEWEST), None, True),
    ('3.5.5', seen('3.5.6', **NEWEST), None, False),
    ('3.5.3', seen('3.5.4', **NEWEST), None, False),
    ('3.5.0', seen('3.5.1', tables='settings', columns=OLD), None, False),
    ('3.5.1', seen('3.5.2', tables='settings', columns=OLD), None, True),
    ('3.4.0', seen('3.3.11', **NEWEST), None, True),  # last_run_version was set back
    ('3.5.4', seen('3.5.4', **NEWEST), '3.5.8', True),  # we saw a newer one work on it
    ('3.2.8', seen(None, tables='archives'), None, False),
    ('2.3.6', seen(None, tables='archives settings'), None, True),
    ('2.5.3', seen(None, tables='archives settings'), None, False),
    ('2.3.6', seen(None, tables='archives'), None, False),
    ('3.2.8', seen(None, tables=''), None, False),
    (None, seen('3.5.8', **NEWEST), None, None),
    ('3.5.8', seen('garbage', tables='archives'), None, False),
]


@pytest.mark.parametrize('version,found,recorded,newer', NEWER)
def test_whether_a_database_is_newer(
    version: t.Optional[str], found: migration.Seen, recorded: t.Optional[str], newer: t.Optional[bool]
) -> None:
    answer = migration.is_newer(version, found, recorded)
    assert answer.newer is newer and answer.why


# --- what has to hold after a change of version


def row(rows: int, live: t.Optional[int] = None) -> facts.Row:
    return facts.Row(rows, rows if live is None else live, 'c', 1, 'd')


TABLES: facts.Recorded = dict(
    archives=row(20000, 19995),
    archive_data=row(20000),
    settings=row(2),
    admins=row(1),
    comments=row(1000, 997),
    statistics=row(5000),
    categories=row(7),
)
BEFORE = compare.Before(
    TABLES,
    facts.Content(
        '3.2.8',
        {'system': 'h1', 'content': 'h2', 'last_run_version': 'v'},
        {'base_url': 'http://a', 'site_name': 'n'},
        {'1': 'p1'},
        0,
        ['20000', '55', '20000', '55'],
    ),
)
ROWS = dict(
    archives=(17995, 17995),
    archive_drafts=(2000, 2000),
    archive_data=(20000, 20000),
    settings=(4, 4),
    admins=(1, 1),
    comments=(997, 997),
    categories=(7, 7),
    new_one=(3, 3),
)
CONTENT = facts.Content(
    '3.5.8',
    {'system': 'h1', 'content': 'h2', 'last_run_version': 'w', 'more': 'x'},
    {'base_url': 'http://a', 'site_name': 'n', 'template_name': 't'},
    {'1': 'p1'},
    2000,
    ['20000', '55', '20000', '55'],
)


def after(rows: t.Any = None, **content: t.Any) -> compare.After:
    return compare.After(dict(ROWS, **(rows or {})), CONTENT._replace(**content))


def without(name: str) -> compare.After:
    return compare.After({one: value for one, value in ROWS.items() if one != name}, CONTENT)


BROKEN = [  # what was found: a word of what is broken, or nothing
    (after(), ''),
    (after(dict(comments=(1000, 997))), ''),  # not purged yet
    (after(dict(comments=(1001, 1001))), ''),  # the application may add rows
    (after(dict(comments=(996, 996))), 'comments has 996 rows, not 997'),
    (after(dict(archives=(17994, 17994))), 'archives and archive_drafts have 19994 rows, not 19995'),
    (after(dict(archive_drafts=(2001, 2001))), 'have 19996 rows'),
    (after(dict(categories=(8, 8))), 'categories has 8 rows'),
    (without('comments'), 'the table comments is gone'),
    (without('new_one'), ''),
    (after(settings={'system': 'h1'}), 'settings are missing: content'),
    (after(settings=dict(CONTENT.settings, system='h9')), 'settings have other values: system'),
    (after(site={'base_url': 'http://b', 'site_name': 'n'}), "base_url of the site is 'http://b', not 'http://a'"),
    (after(site={'base_url': 'http://a'}), 'site_name of the site'),
    (after(admins={'1': 'p2'}), 'administrators'),
    (after(admins={}), 'administrators'),
    (after(admins={'1': 'p1', '2': 'q'}), ''),
    (after(bodies=['19999', '50', '19999', '50']), 'texts of the articles'),
    (after(bodies=[]), 'texts of the articles'),
]


@pytest.mark.parametrize('found,word', BROKEN)
def test_what_has_to_hold(found: compare.After, word: str) -> None:
    texts = '; '.join(compare.broken(BEFORE, found, '3.5.8'))
    assert word in texts and bool(texts) == bool(word), texts


def test_statistics_may_only_go_with_3_3_11() -> None:
    assert compare.broken(BEFORE, after(), '3.3.11') == []
    assert compare.broken(BEFORE, after(), '3.2.8') == ['the table statistics is gone']


def test_purged_texts() -> None:
    """Texts that were marked as deleted go with 3.5.3."""
    before = BEFORE._replace(content=BEFORE.content._replace(bodies=['20000', '55', '19990', '50']))
    assert compare.broken(before, after(bodies=['19990', '50', '19990', '50']), '3.5.8') == []
    assert compare.broken(before, after(), '3.5.8') == []
    assert compare.broken(before, after(bodies=['19990', '51', '19990', '51']), '3.5.8') != []


def test_settings_of_config_json_come_into_the_database() -> None:
    before = BEFORE._replace(content=BEFORE.content._replace(settings={}, site={}), site={'site_name': 'n'})
    assert compare.broken(before, after(), '2.5.3') == ['the table statistics is gone']
    lost = compare.broken(before, after(settings={}, site={}), '3.5.8')
    assert any('config.json' in text for text in lost) and any('site_name' in text for text in lost)


def test_what_grew_is_a_note() -> None:
    assert compare.notes(BEFORE, after(dict(comments=(1001, 1001))))[0] == 'comments has 4 rows more'
