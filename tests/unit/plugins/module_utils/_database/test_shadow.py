# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import os
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import content as facts
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import dump, dump_manifest, restore, shadow
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError

ROW = facts.Row(3, 2, '77', 4, 'ddl')
MANIFEST = dump_manifest.Manifest(
    'k',
    'shop',
    1,
    '/r',
    '',
    'none',
    0,
    None,
    ['a', 'b'],
    {'a': ROW, 'b': ROW},
    None,
    '3.5.8',
    '10.11',
    1.5,
    {},
    0,
    True,
)


def table(name: str, engine: str = 'InnoDB') -> facts.Table:
    return facts.Table(name, 'BASE TABLE', engine, 100, 10, 0, 'utf8mb4_general_ci')


def inspected(*tables: facts.Table) -> facts.Inspected:
    return facts.Inspected(
        {one.name: one for one in tables}, {}, [], [], [], [], frozenset(facts.RIGHTS), '10.11.6-MariaDB', '/d'
    )


def test_copies_are_no_tables_of_the_site() -> None:
    seen = inspected(table('a'), table('_als1_a', 'MyISAM'), table('_alr1_b'))
    assert (seen.names, seen.aside, seen.shadowed) == (['a'], ['_alr1_b'], ['a'])
    assert (seen.data_bytes, seen.all_bytes, facts.not_innodb(seen)) == (200, 220, [])


def test_statements() -> None:
    assert shadow.copying(['a', 'b`'], {'a': ['id', 'order'], 'b`': ['x']})[1:] == [
        'CREATE TABLE `_als1_a` LIKE `a`',
        'INSERT INTO `_als1_a` (`id`, `order`) SELECT `id`, `order` FROM `a`',
        'CREATE TABLE `_als1_b``` LIKE `b```',
        'INSERT INTO `_als1_b``` (`x`) SELECT `x` FROM `b```',
    ]
    assert shadow.numbering({'a': 6, 'b': 4, 'c': 0, 'd': 77}, {'a': 4, 'b': 4, 'c': 0, 'd': 0}) == [
        'ALTER TABLE `_als1_a` AUTO_INCREMENT = 6',
        'ALTER TABLE `_als1_d` AUTO_INCREMENT = 77',
    ]


@pytest.mark.parametrize(
    'made,expected',
    [
        (None, ['_als1_a', '_als1_x']),
        (shadow.Made('/d', ['a', 'b']), ['_als1_x']),
        (shadow.Made('/d', ['a', 'x']), []),
    ],
)
def test_copies_that_nobody_knows(made: t.Optional[shadow.Made], expected: t.List[str]) -> None:
    assert shadow.unknown(inspected(table('a'), table('_als1_a'), table('_als1_x')), made) == expected


def test_notes() -> None:
    assert shadow.notes(inspected(table('a')), '1') == []
    first, second = shadow.notes(inspected(table('a', 'MyISAM'), table('b')), '2')
    assert 'innodb_flush_log_at_trx_commit=2' in first and 'of a, which' in second


@pytest.mark.parametrize(
    'line,expected',
    [
        (b'CREATE TABLE `_als1_a` (\n', b'CREATE TABLE `a` (\n'),
        (b'INSERT INTO `_als1__als1_a` VALUES\n', b'INSERT INTO `_als1_a` VALUES\n'),
        (b'DROP TABLE IF EXISTS `_als1_a`;\n', b'DROP TABLE IF EXISTS `a`;\n'),
        (b'/*!40000 ALTER TABLE `_als1_a` DISABLE KEYS */;\n', b'/*!40000 ALTER TABLE `a` DISABLE KEYS */;\n'),
        (b"(1,'CREATE TABLE `_als1_a`'),\n", b"(1,'CREATE TABLE `_als1_a`'),\n"),
        (b"  `_als1_a` int COMMENT 'INSERT INTO `_als1_a`',\n", b"  `_als1_a` int COMMENT 'INSERT INTO `_als1_a`',\n"),
        (b'\xff\xfe', b'\xff\xfe'),
        (b'', b''),
    ],
)
def test_a_line_of_a_dump_of_copies(line: bytes, expected: bytes) -> None:
    assert dump.with_original_name(line) == expected


def test_a_manifest_without_a_file() -> None:
    assert dump_manifest.from_json(dump_manifest.to_json(MANIFEST)) == MANIFEST
    with pytest.raises(ValueError, match='names no file'):
        dump_manifest.from_json(dump_manifest.to_json(MANIFEST._replace(shadow=False)))
    assert b'shadow' not in dump_manifest.to_json(MANIFEST._replace(shadow=False, file='x'))  # earlier releases read it


def test_records(tmp_path: t.Any) -> None:
    record = shadow.record_of(str(tmp_path), '127.0.0.1:3306/shop')
    assert record.read() is None and shadow.all_of(str(tmp_path), '/d') == shadow.all_of('/not/there', '/d') == []
    made = shadow.Made(str(tmp_path / 'd'), ['a', 'b'], 3, True)
    record.write(made)
    assert record.read() == made
    assert shadow.all_of(str(tmp_path), str(tmp_path / 'd')) == [made] and shadow.all_of(str(tmp_path), '/other') == []
    assert shadow.manifest_that_stands(record.read(), 1) is None  # its dump was never complete, or is gone
    (tmp_path / 'd').mkdir()
    dump_manifest.write(str(tmp_path / 'd'), MANIFEST)
    assert shadow.manifest_that_stands(record.read(), 1) == MANIFEST
    record.forget()
    record.forget()
    assert record.read() is None and os.listdir(str(tmp_path)) == ['d']


@pytest.mark.parametrize('data', [b'', b'[]', b'{"directory": "/d"}', b'{"directory": "/d", "names": 1}'])
def test_a_record_that_is_not_believed(data: bytes, tmp_path: t.Any) -> None:
    record = shadow.record_of(str(tmp_path), 'k')
    with open(record.path, 'wb') as stream:
        stream.write(data)
    with pytest.raises(LifecycleError, match='Nothing was done'):
        record.read()


def test_a_death_in_a_renaming_that_is_not_all_or_nothing() -> None:
    """A server that leaves some tables renamed: all go back, and no copy is lost."""
    names, copies = ['a', 'b', 'new'], ['a', 'b', 'old']  # old is gone since, new has come
    pairs = [(one, facts.PREFIX + one) for one in names] + [(facts.SHADOW + one, one) for one in copies]
    entries = [dict(state=restore.RENAMING, tables=names, shadows=copies)]
    start = {one: one for one in names}
    start.update({facts.SHADOW + one: 'copy of ' + one for one in copies})
    for done in range(len(pairs) + 1):
        tables = dict(start)
        for one, other in pairs[:done]:
            tables[other] = tables.pop(one)
        seen = inspected(*[table(one) for one in tables])
        plan = restore.decide(entries, seen.names, seen.aside, seen.shadowed)
        assert not plan.drop
        for one, other in plan.rename:
            assert other not in tables
            tables[other] = tables.pop(one)
        assert tables == start, done
