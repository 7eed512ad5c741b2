# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import os
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import database
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import (
    client,
    dump,
    dump_file,
    dump_manifest,
    restore,
    schemas,
    texts,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import content as facts
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database.target import Target
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError

KINDS = [  # what clients print, and the kind
    ("ERROR 1045 (28000): Access denied for user 'x'@'h' (using password: YES)", 'access_denied'),
    ("ERROR 1698 (28000): Access denied for user 'root'@'localhost'", 'access_denied'),
    ('mariadb-dump: Got error: 1045: "Access denied for user \'x\'@\'h\'" when trying to connect', 'access_denied'),
    (
        "mysqldump: Got error: 1044: Access denied for user 'x'@'h' to database 'd' when selecting the database",
        'access_denied',
    ),
    ("ERROR 1049 (42000): Unknown database 'd'", 'unknown_database'),
    ('mariadb-dump: Got error: 1049: "Unknown database \'d\'" when selecting the database', 'unknown_database'),
    ("ERROR 2002 (HY000): Can't connect to server on '127.0.0.1' (115)", 'cannot_connect'),
    ("ERROR 2003 (HY000): Can't connect to MySQL server on 'h:3306' (111)", 'cannot_connect'),
    ("ERROR 2005 (HY000): Unknown server host 'h' (-2)", 'cannot_connect'),
    ("ERROR 2013 (HY000) at line 3: Lost connection to server during query", 'cannot_connect'),
    ("ERROR 1040 (08004): Too many connections", 'cannot_connect'),
    ("ERROR 1142 (42000) at line 1: DROP command denied to user 'x'@'h' for table `d`.`t`", 'no_right'),
    ("mysqldump: Couldn't execute 'SHOW TRIGGERS': Access denied; you need the TRIGGER privilege (1227)", 'failed'),
    ("mysqldump: unknown variable 'column-statistics=0'", 'wrong_options'),
    ("mysql: unknown option '--binary-mode'", 'wrong_options'),
    ('mariadb-dump: Got errno 28 on write', 'disk_full'),
    ("ERROR 1114 (HY000) at line 9: The table 't' is full", 'failed'),
    ('', 'failed'),
]


@pytest.mark.parametrize('said,kind', KINDS)
def test_kind_of_a_failure(said: str, kind: str) -> None:
    assert texts.kind_of(said) == kind


def test_warnings_are_left_out() -> None:
    said = (
        "Warning: mariadb-dump: unknown variable 'loose-column-statistics=0'\n"
        "mysqldump: [Warning] Using a password on the command line interface can be insecure.\n  ERROR 1\n"
    )
    assert texts.without_warnings(said) == 'ERROR 1'


LOGIN = texts.Login(Target('db.example', 3307), 'shop', 'a"b\\c#\n', 'shop')


def test_option_file() -> None:
    text = texts.option_file(LOGIN).decode()
    assert 'password="a\\"b\\\\c#\\n"\n' in text and 'host="db.example"' in text and 'protocol="tcp"' in text
    query = text.index('[mysql]\nlocal-infile="0"\nskip-reconnect\n')
    assert text.index('[client]') < query < text.index('[mysqldump]')
    by_socket = texts.option_file(LOGIN._replace(target=Target('/run/s', 3306))).decode()
    assert 'protocol="socket"\nsocket="/run/s"' in by_socket and 'host=' not in by_socket
    assert LOGIN.password not in repr(LOGIN) and 'a"b' not in str(LOGIN) and LOGIN.shown == 'shop at db.example:3307'


def test_texts_in_statements() -> None:
    assert texts.literal("标'") == "_utf8mb4 x'e6a08727'"
    assert texts.name('a`b') == '`a``b`'
    assert texts.rows_of(b'1\ta\\tb\\nc\\\\d\\0\nNULL\t\n') == [['1', 'a\tb\nc\\d\0'], ['NULL', '']]
    assert texts.rows_of(b'') == []


def test_no_client(tmp_path: t.Any) -> None:
    with pytest.raises(client.DatabaseError) as caught:
        client.find(str(tmp_path))
    assert caught.value.kind == 'no_client' and str(tmp_path) in caught.value.msg
    for name in ('mysql', 'mysqldump'):
        (tmp_path / name).write_text('#!/bin/sh\n')
        (tmp_path / name).chmod(0o755)
    other = tmp_path / 'other'
    other.mkdir()
    (other / 'mysql').write_text('#!/bin/sh\n')
    (other / 'mysql').chmod(0o755)
    with pytest.raises(client.DatabaseError):
        client.find(None, [str(other)])
    (tmp_path / 'mysqldump').chmod(0o777)
    with pytest.raises(client.DatabaseError) as caught:
        client.find(str(tmp_path))
    assert 'mysqldump' in caught.value.msg and 'can change' in caught.value.msg


# --- schemas

MAIN = dict(host='127.0.0.1', port=3306, user='u', password='p', database='first')


@pytest.mark.parametrize(
    'text,expected',
    [
        ('{"use_default":true,"database":"b"}', ('b', '127.0.0.1', 3306, 'u', 'p')),
        ('{"database":"c","user":"x","password":"y","host":"h","port":3307}', ('c', 'h', 3307, 'x', 'y')),
        ('{"database":"d","host":"","port":0}', ('d', '127.0.0.1', 3306, 'u', 'p')),
    ],
)
def test_login_of_another_site(text: str, expected: t.Tuple[t.Any, ...]) -> None:
    login = schemas.login_of(schemas.site_mysql(MAIN, text))
    assert login is not None
    assert (login.database, login.target.host, login.target.port, login.user, login.password) == expected


def sites(*rows: t.Tuple[int, bool, str]) -> t.List[schemas.Site]:
    return [schemas.Site(number, enabled, mysql, '/r') for number, enabled, mysql in rows]


def test_databases_of_other_sites() -> None:
    own = '{"use_default":true,"database":"%s"}'
    rows = sites(
        (1, True, 'broken'), (2, True, own % 'b'), (3, False, own % 'c'), (4, True, own % 'b'), (5, True, own % 'first')
    )
    assert [one.site for one in schemas.others(MAIN, rows, ['127.0.0.1:3306/first'])] == [2]


@pytest.mark.parametrize('text', ['{broken', '[]', '{}', '{"use_default":true}', ''])
def test_site_whose_database_is_not_known(text: str) -> None:
    with pytest.raises(LifecycleError, match='site 7 is not known'):
        schemas.others(dict(MAIN, database=''), sites((7, True, text)), [])


def test_sites_from_rows() -> None:
    assert schemas.rows_to_sites([['2', '1', '{}', '/a'], ['3', '0', '', ''], ['x', '1', '', '']]) == [
        schemas.Site(2, True, '{}', '/a'),
        schemas.Site(3, False, '', ''),
    ]


VARIABLES = dict(MYSQL_DATABASE='e', MYSQL_HOST='eh', MYSQL_PASSWORD='ep')


@pytest.mark.parametrize(
    'environment,version,expected',
    [
        ({}, '3.5.8', ('first', '127.0.0.1', 'u', 'p')),
        (VARIABLES, '3.5.8', ('e', 'eh', 'root', 'ep')),
        (dict(VARIABLES, MYSQL_USER='eu', MYSQL_ROOT_PASSWORD='rp'), '3.5.8', ('e', 'eh', 'eu', 'rp')),
        (VARIABLES, '3.3.11', ('first', '127.0.0.1', 'u', 'p')),
        (VARIABLES, '3.4.5', ('first', '127.0.0.1', 'u', 'p')),
    ],
)
def test_variables_win_where_the_version_reads_them(
    environment: t.Dict[str, str], version: str, expected: t.Tuple[str, ...]
) -> None:
    found = schemas.from_environment(MAIN, environment, version)
    assert (found['database'], found['host'], found['user'], found['password']) == expected


def test_variables_and_no_version() -> None:
    with pytest.raises(LifecycleError, match='not known'):
        schemas.from_environment(MAIN, VARIABLES, None)


# --- what is in a database


def inspected(*tables: facts.Table, **given: t.Any) -> facts.Inspected:
    values: t.Dict[str, t.Any] = dict(
        columns={},
        foreign_keys=[],
        triggers=[],
        routines=[],
        events=[],
        rights=frozenset(facts.RIGHTS),
        server='10.11.6-MariaDB',
        datadir='/d',
    )
    return facts.Inspected({one.name: one for one in tables}, **dict(values, **given))


def table(name: str, kind: str = 'BASE TABLE', data: int = 100) -> facts.Table:
    return facts.Table(name, kind, 'InnoDB', data, 10, 0, 'utf8mb4_general_ci')


@pytest.mark.parametrize(
    'seen,word',
    [
        (inspected(table('a')), ''),
        (inspected(table('a'), foreign_keys=['a (fk_1)']), 'foreign keys: a (fk_1)'),
        (inspected(table('v', 'VIEW')), 'not tables: v'),
        (inspected(table('s', 'SEQUENCE')), 'not tables: s'),
        (inspected(table('a'), triggers=['trg']), 'triggers: trg'),
        (inspected(table('x' * 58)), ''),
        (inspected(table('x' * 59)), 'too long'),
        (inspected(table('a\nb')), 'characters'),
        (inspected(table('_alr1_a')), ''),  # told by whoever meets them
        (inspected(table('a'), routines=['r'], events=['e']), ''),
    ],
)
def test_obstacles(seen: facts.Inspected, word: str) -> None:
    found = '; '.join(facts.obstacles(seen))
    assert word in found and bool(found) == bool(word)


def test_what_an_upgrade_asks() -> None:
    other = facts.Table('old', 'BASE TABLE', 'MyISAM', 1, 1, 0, 'latin1_swedish_ci')
    seen = inspected(table('a'), other)
    assert facts.not_utf8mb4(seen) == facts.not_innodb(seen) == ['old']


def test_rights_and_notes() -> None:
    seen = inspected(table('a'), rights=frozenset(('SELECT', 'INSERT')), routines=['r'], events=['e'])
    assert facts.missing_rights(seen) == ['UPDATE', 'DELETE', 'CREATE', 'ALTER', 'DROP', 'INDEX']
    assert len(facts.notes(seen)) == 2
    assert (seen.data_bytes, seen.all_bytes, seen.names) == (100, 110, ['a'])


@pytest.mark.parametrize(
    'server,expected',
    [
        ('10.11.19-MariaDB-0+deb12u1', True),
        ('10.6.0-MariaDB', True),
        ('10.5.29-MariaDB', False),
        ('5.5.5-10.11.6-MariaDB', True),
        ('5.5.5-10.3.39-MariaDB', False),
        ('8.0.36', True),
        ('5.7.44-log', False),
        ('', False),
        ('11.4.2-MariaDB', True),
        ('5.6.50', False),
    ],
)
def test_servers_that_rename_all_or_nothing(server: str, expected: bool) -> None:
    assert facts.renames_all_or_nothing(server) is expected


@pytest.mark.parametrize(
    'system,expected',
    [
        (
            '{"base_url":"http://a","site_name":"店","template_name":"t","icp":"x"}',
            dict(base_url='http://a', site_name='店', template_name='t'),
        ),
        ('', {}),
        ('{broken', {}),
        ('[]', {}),
        (dict(base_url='u'), dict(base_url='u')),
    ],
)
def test_site_of_settings(system: t.Any, expected: t.Dict[str, str]) -> None:
    assert facts.site_of(system) == expected


def test_one_statement_counts_all() -> None:
    text = facts.counting(['a', 'b'], {'a': ['id', 'deleted_at']})
    assert text.count('UNION ALL') == 1 and '`deleted_at` IS NULL' in text and text.endswith('FROM `b`), -1')
    assert facts.counted(['a', 'b'], [['0', '5', '3'], ['1', '7', '-1']]) == {'a': (5, 3), 'b': (7, 7)}


# --- dumps

MIB = 1 << 20


@pytest.mark.parametrize(
    'wanted,data,free,available,expected',
    [
        ('auto', 100, 200, ['zstd', 'gzip'], 'none'),
        ('auto', 100, 150, ['zstd', 'gzip'], 'zstd'),
        ('auto', 100, 150, ['gzip'], 'gzip'),
        ('auto', 100, 150, [], None),
        ('auto', 100, 120, ['zstd'], None),
        ('none', 100, 150, ['zstd'], None),
        ('none', 100, 200, [], 'none'),
        ('gzip', 100, 130, ['gzip'], 'gzip'),
    ],
)
def test_room_for_a_dump(wanted: str, data: int, free: int, available: t.List[str], expected: t.Optional[str]) -> None:
    assert dump_file.choose(wanted, data * MIB, free * MIB, available) == expected


MADE = b'-- Head\nCREATE TABLE `a` (\n);\nINSERT INTO `a` VALUES (\'\\nCREATE TABLE `no` (\');\nCREATE TABLE `b``c` (\n'


def test_tables_in_a_dump() -> None:
    assert dump.tables_in(MADE) == ['a', 'b`c']
    assert dump.tables_in(b'\nCREATE TABLE `cut') == []


@pytest.mark.parametrize(
    'tail,made,word',
    [
        (b'x\n-- Dump completed on 2026-11-27 10:00:00\n', ['a', 'b'], None),
        (b'x\n-- Dump completed\n\n', ['a', 'b'], None),
        (b"INSERT INTO x VALUES ('-- Dump completed');\n", ['a', 'b'], 'last line'),
        (b'-- Dump completed\nmore\n', ['a', 'b'], 'last line'),
        (b'', ['a', 'b'], 'last line'),
        (b'-- Dump completed\n', ['a'], 'missing in it: b'),
        (b'-- Dump completed\n', ['a', 'b', 'c'], 'did not have before: c'),
    ],
)
def test_incomplete_dumps(tail: bytes, made: t.List[str], word: t.Optional[str]) -> None:
    found = dump.why_incomplete(tail, made, ['a', 'b'])
    assert found is None if word is None else word in (found or '')


ROW = facts.Row(3, 2, '77', 4, 'ddl')
CONTENT = facts.Content('3.5.8', {'system': 'h'}, {'base_url': 'u'}, {'1': 'p'}, 5, ['1', '2', '1', '2'])
MANIFEST = dump_manifest.Manifest(
    'k',
    'shop',
    1,
    '/r',
    'site-1.sql',
    'none',
    9,
    None,
    ['a'],
    {'a': ROW},
    CONTENT,
    '3.5.8',
    '10.11',
    1.5,
    {'site_name': 'x'},
)


@pytest.mark.parametrize('manifest', [MANIFEST, MANIFEST._replace(tables=None, content=None, site_settings={})])
def test_a_manifest_comes_back(manifest: dump_manifest.Manifest) -> None:
    assert dump_manifest.from_json(dump_manifest.to_json(manifest)) == manifest


@pytest.mark.parametrize(
    'data',
    [
        b'',
        b'{}',
        b'[]',
        dump_manifest.to_json(MANIFEST).replace(b'"format": 1', b'"format": 2'),
        dump_manifest.to_json(MANIFEST._replace(file='../x')),
        dump_manifest.to_json(MANIFEST._replace(compression='sh')),
        dump_manifest.to_json(MANIFEST).replace(b'"site": 1, ', b''),
    ],
)
def test_a_manifest_that_is_not_believed(data: bytes, tmp_path: t.Any) -> None:
    (tmp_path / 'site-1.json').write_bytes(data)
    with pytest.raises(LifecycleError, match='Nothing was done'):
        dump_manifest.read(str(tmp_path), 1)


def test_first_line_is_left_out(tmp_path: t.Any) -> None:
    path = tmp_path / 'x'
    for line, expected in ((b'/*M!999999\\- enable the sandbox mode */ \n', True), (b'-- MariaDB dump\n', False)):
        path.write_bytes(line + b'rest')
        with open(str(path), 'rb') as stream:
            assert dump_file.first_line(stream) == (line if expected else b'')


# --- restores: what is done after a death

RENAMING = dict(state='renaming', tables=['a', 'b'])
COMPARED, DROPPED = dict(state='compared'), dict(state='dropped')
P = facts.PREFIX
BACK = [(P + 'a', 'a'), (P + 'b', 'b')]

DEATHS = [  # journal, plain tables, tables aside: way, dropped, renamed
    ([], ['a', 'b'], [], 'nothing', [], []),
    ([], ['a', 'b'], [P + 'a'], 'nothing', [], []),
    ([RENAMING], ['a', 'b'], [], 'nothing', [], []),
    ([RENAMING], [], [P + 'a', P + 'b'], 'back', [], BACK),
    ([RENAMING], ['a', 'new'], [P + 'a', P + 'b'], 'back', ['a', 'new'], BACK),
    ([RENAMING], ['b'], [P + 'a'], 'back', [], BACK[:1]),  # a server that does not rename all or nothing
    ([RENAMING, COMPARED], ['a', 'b'], [P + 'a', P + 'b'], 'forward', [P + 'a', P + 'b'], []),
    ([RENAMING, COMPARED], ['a', 'b'], [P + 'b'], 'forward', [P + 'b'], []),
    ([RENAMING, COMPARED], ['a', 'b'], [], 'nothing', [], []),
    ([RENAMING, COMPARED, DROPPED], ['a', 'b'], [], 'nothing', [], []),
]


@pytest.mark.parametrize('entries,names,aside,way,drop,rename', DEATHS)
def test_after_a_death(
    entries: t.Any, names: t.List[str], aside: t.List[str], way: str, drop: t.List[str], rename: t.Any
) -> None:
    plan = restore.decide(entries, names, aside)
    assert (plan.way, list(plan.drop), list(plan.rename)) == (way, drop, rename)


def test_statements() -> None:
    assert restore.rename_statement(BACK) == 'RENAME TABLE `_alr1_a` TO `a`, `_alr1_b` TO `b`'
    assert restore.drop_statement(['a', 'b`']) == 'DROP TABLE `a`, `b```'


@pytest.mark.parametrize(
    'found,word',
    [
        ({'a': ROW}, ''),
        ({'a': ROW._replace(rows=4)}, 'a has 4 rows, not 3'),
        ({'a': ROW._replace(checksum='78')}, 'other content'),
        ({'a': ROW._replace(ddl='x')}, 'defined differently'),
        ({}, 'missing: a'),
        ({'a': ROW, 'n': ROW}, 'that were not: n'),
    ],
)
def test_differences(found: facts.Recorded, word: str) -> None:
    texts = '; '.join(restore.differences({'a': ROW}, found))
    assert word in texts and bool(texts) == bool(word)


def test_a_journal_with_a_torn_line(tmp_path: t.Any) -> None:
    journal = restore.Journal(str(tmp_path), 'key')
    assert journal.entries() == []
    journal.add('renaming', tables=['a'])
    with open(journal.path, 'ab') as stream:
        stream.write(b'{"state": "compa')
    assert [entry['state'] for entry in journal.entries()] == ['renaming']
    journal.add('compared')
    assert [entry['state'] for entry in journal.entries()] == ['renaming', 'compared']
    assert os.stat(journal.path).st_mode & 0o777 == 0o600
    journal.close()
    journal.close()
    assert journal.entries() == [] and os.listdir(str(tmp_path)) == []


def test_a_journal_that_cannot_be_written(tmp_path: t.Any) -> None:
    """Nothing may be done that is not announced."""
    with pytest.raises(LifecycleError, match='could not be written'):
        restore.Journal(str(tmp_path / 'missing'), 'key').add('renaming')


@pytest.mark.parametrize('timeout,dump_s,limit', [(3600.0, 1200.0, 12000.0), (3600.0, 10.0, 3600.0), (5.0, 0.1, 5.0)])
def test_a_restore_has_the_time_that_its_dump_asks_for(timeout: float, dump_s: float, limit: float) -> None:
    assert database._restore_limit(timeout, dump_s) == limit
