# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What is in a database: its tables, what makes a restore impossible, and what is recorded beside a dump."""

import hashlib
import re
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import client, texts
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import foreign_json

PREFIX = '_alr1_'  # of tables that a restore has put aside
SHADOW = '_als1_'  # of copies that a dump with the method shadow has made
LONGEST_NAME = 64
RIGHTS = ('SELECT', 'INSERT', 'UPDATE', 'DELETE', 'CREATE', 'ALTER', 'DROP', 'INDEX')
_HERE = 'table_schema = DATABASE()'
_TABLES = (
    "SELECT table_name, table_type, COALESCE(engine, ''), COALESCE(data_length, 0), COALESCE(index_length, 0), "
    "COALESCE(auto_increment, 0), COALESCE(table_collation, '') FROM information_schema.tables WHERE " + _HERE
)
_FOREIGN = (
    'SELECT table_name, constraint_name FROM information_schema.referential_constraints '
    'WHERE constraint_schema = DATABASE()'
)
_TRIGGERS = 'SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = DATABASE()'
_ROUTINES = 'SELECT routine_name FROM information_schema.routines WHERE routine_schema = DATABASE()'
_EVENTS = 'SELECT event_name FROM information_schema.events WHERE event_schema = DATABASE()'
_COLUMNS = "SELECT table_name, column_name FROM information_schema.columns WHERE " + _HERE
_GRANTS = (
    'SELECT privilege_type FROM information_schema.schema_privileges WHERE DATABASE() LIKE table_schema '
    'UNION SELECT privilege_type FROM information_schema.user_privileges'
)
_SERVER = 'SELECT VERSION(), @@datadir, @@hostname, CURRENT_USER()'
_ODD = re.compile(r'[\x00-\x1f\x7f`\\]')


class Table(t.NamedTuple):
    name: str
    kind: str  # BASE TABLE, VIEW, ...
    engine: str
    data: int  # bytes, as the server estimates
    keys: int  # bytes of its indexes
    auto_increment: int
    collation: str


class Inspected(t.NamedTuple):
    """A database as it is now."""

    tables: t.Dict[str, Table]
    columns: t.Dict[str, t.FrozenSet[str]]
    foreign_keys: t.List[str]
    triggers: t.List[str]
    routines: t.List[str]
    events: t.List[str]
    rights: t.FrozenSet[str]
    server: str
    datadir: str

    @property
    def names(self) -> t.List[str]:
        """Its own tables, without those that a restore has put aside, and without copies."""
        return sorted(
            one
            for one, table in self.tables.items()
            if table.kind == 'BASE TABLE' and not one.startswith((PREFIX, SHADOW))
        )

    @property
    def aside(self) -> t.List[str]:
        return sorted(one for one in self.tables if one.startswith(PREFIX))

    @property
    def shadowed(self) -> t.List[str]:
        """The tables that there is a copy of, by the names of the originals."""
        return sorted(one[len(SHADOW) :] for one in self.tables if one.startswith(SHADOW))

    @property
    def without_shadows(self) -> t.Dict[str, Table]:
        return {one: table for one, table in self.tables.items() if not one.startswith(SHADOW)}

    @property
    def data_bytes(self) -> int:
        return sum(table.data for table in self.without_shadows.values())

    @property
    def all_bytes(self) -> int:
        return sum(table.data + table.keys for table in self.without_shadows.values())


def look(session: client.Session, limit: float = 30.0) -> Inspected:
    """DatabaseError."""
    answers = session.queries((_TABLES, _COLUMNS, _FOREIGN, _TRIGGERS, _ROUTINES, _EVENTS, _GRANTS, _SERVER), limit)
    tables, columns, foreign, triggers, routines, events, grants, server = answers
    by_table: t.Dict[str, t.Set[str]] = {}
    for table, column in columns:
        by_table.setdefault(table, set()).add(column)
    return Inspected(
        {row[0]: Table(row[0], row[1], row[2], int(row[3]), int(row[4]), int(row[5]), row[6]) for row in tables},
        {table: frozenset(found) for table, found in by_table.items()},
        ['%s (%s)' % (row[0], row[1]) for row in foreign],
        [row[0] for row in triggers],
        [row[0] for row in routines],
        [row[0] for row in events],
        frozenset(row[0].upper() for row in grants),
        server[0][0],
        server[0][1],
    )


# --- what makes a restore impossible: pure


def obstacles(seen: Inspected) -> t.List[str]:
    """Why a dump of it could not be restored by renaming; empty when it can."""
    views = sorted(one for one, table in seen.tables.items() if table.kind != 'BASE TABLE')
    odd = sorted(one for one in seen.tables if _ODD.search(one))
    long = [one for one in seen.names if len(PREFIX) + len(one) > LONGEST_NAME]
    found = [
        ('foreign keys: %s', seen.foreign_keys),
        ('views or other objects that are not tables: %s', views),
        ('triggers: %s', seen.triggers),
        ('table names with characters that are not handled: %s', [repr(one) for one in odd]),
        ('table names that are too long to be put aside: %s', long),
    ]
    return [text % listing(names) for text, names in found if names]


def missing_rights(seen: Inspected) -> t.List[str]:
    """Which of the rights on the whole database the user is not seen to have.

    A table that a user has no right on is invisible to him, and would be missing in a dump without a word: so rights
    on single tables are not enough.
    """
    return [right for right in RIGHTS if right not in seen.rights]


def renames_all_or_nothing(server: str) -> bool:
    """Whether a kill of this server in the middle of one RENAME TABLE leaves all tables or none renamed."""
    numbers = re.match(r'(?:5\.5\.5-)?([0-9]+)\.([0-9]+)', server)
    version = (int(numbers.group(1)), int(numbers.group(2))) if numbers else (0, 0)
    return version >= ((10, 6) if 'MariaDB' in server else (8, 0))


def notes(seen: Inspected) -> t.List[str]:
    found = []
    if not renames_all_or_nothing(seen.server):
        found.append('the server %s can leave a renaming half done if it is killed meanwhile' % seen.server)
    if seen.routines:
        found.append('routines are not in the dump, and a restore leaves them alone: %s' % listing(seen.routines))
    if seen.events:
        found.append('events are not in the dump, and a restore leaves them alone: %s' % listing(seen.events))
    return found


def not_utf8mb4(seen: Inspected) -> t.List[str]:
    """Tables that cannot hold every text: a migration leaves such rows out one by one."""
    return sorted(one for one, table in seen.without_shadows.items() if not table.collation.startswith('utf8mb4'))


def not_innodb(seen: Inspected) -> t.List[str]:
    return sorted(one for one, table in seen.without_shadows.items() if table.engine.lower() != 'innodb')


def listing(names: t.Sequence[str], most: int = 8) -> str:
    return ', '.join(names[:most]) + (' and %d more' % (len(names) - most) if len(names) > most else '')


# --- what is recorded


class Row(t.NamedTuple):
    """One table. ``live``: rows whose ``deleted_at`` is null. ``ddl``: hash of its definition, AUTO_INCREMENT too."""

    rows: int
    live: int
    checksum: str
    auto_increment: int
    ddl: str


class Content(t.NamedTuple):
    """What a comparison before and after a change of version looks at. Values are hashes, but names of the site."""

    version: str  # last_run_version, '' when there is none
    settings: t.Dict[str, str]
    site: t.Dict[str, str]  # base_url, site_name, template_name of the settings
    admins: t.Dict[str, str]
    drafts: int  # archive_drafts
    bodies: t.List[str]  # archive_data: rows, sum of all, live rows, sum of those


Recorded = t.Dict[str, Row]

_TEXTS = 'archive_data'
_NOTHING_HELD = Content('', {}, {}, {}, 0, [])

# The application sets this to false at every start by itself.
_VALUE = "REPLACE(REPLACE(COALESCE(`value`, ''), '\"initialed\":true', ''), '\"initialed\":false', '')"


def counting(names: t.Sequence[str], columns: t.Mapping[str, t.Collection[str]]) -> str:
    """One statement for the rows of all tables. Pure."""
    live = '(SELECT COUNT(*) FROM {0} WHERE `deleted_at` IS NULL)'
    parts = []
    for number, one in enumerate(names):
        count = '(SELECT COUNT(*) FROM %s)' % texts.name(one)
        alive = live.format(texts.name(one)) if 'deleted_at' in columns.get(one, ()) else '-1'
        parts.append('SELECT %d, %s, %s' % (number, count, alive))
    return ' UNION ALL '.join(parts)


def counted(names: t.Sequence[str], rows: t.Sequence[t.Sequence[str]]) -> t.Dict[str, t.Tuple[int, int]]:
    found = {}
    for number, count, live in rows:
        found[names[int(number)]] = (int(count), int(count) if live == '-1' else int(live))
    return found


def rows(session: client.Session, seen: Inspected, held: 'Content', limit: float) -> t.Dict[str, t.Tuple[int, int]]:
    """As `counted`. The texts were counted when they were read: they are most of a database. DatabaseError."""
    names = [one for one in seen.names if one != _TEXTS or not held.bodies]
    found = counted(names, session.query(counting(names, seen.columns), limit)) if names else {}
    if held.bodies:
        found[_TEXTS] = int(held.bodies[0]), int(held.bodies[2])
    return found


def record(session: client.Session, seen: Inspected, limit: float, held: t.Optional['Content'] = None) -> Recorded:
    """Rows, checksums and definitions of all tables. ``held``: what was read of them already. DatabaseError."""
    return _record(session, seen.names, '', rows(session, seen, held or _NOTHING_HELD, limit), limit)


def record_shadows(session: client.Session, seen: Inspected, limit: float) -> Recorded:
    """The same of their copies, as if these had the names of the originals."""
    there = [SHADOW + one for one in seen.shadowed]
    counts = counted(there, session.query(counting(there, seen.columns), limit)) if there else {}
    return _record(session, seen.shadowed, SHADOW, counts, limit)


def _record(
    session: client.Session,
    names: t.Sequence[str],
    prefix: str,
    counts: t.Mapping[str, t.Tuple[int, int]],
    limit: float,
) -> Recorded:
    if not names:
        return {}
    there = [prefix + one for one in names]
    statements = ['CHECKSUM TABLE ' + ', '.join(texts.name(one) for one in there)]
    answers = session.queries(statements + ['SHOW CREATE TABLE ' + texts.name(one) for one in there], limit)
    checksums = {row[0][len(session.login.database) + 1 :]: row[1] for row in answers[0]}
    found = {}
    for one, table, answer in zip(names, there, answers[1:]):
        text = answer[0][1].replace(texts.name(table), texts.name(one), 1)
        found[one] = Row(
            counts[table][0],
            counts[table][1],
            checksums[table],
            increment_of(text),
            hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest(),
        )
    return found


def increment_of(definition: str) -> int:
    """What SHOW CREATE TABLE says of the next id; 0 where it says nothing. Pure."""
    found = re.search(r' AUTO_INCREMENT=(\d+)', definition.rpartition('\n')[2])
    return int(found.group(1)) if found else 0


def content(session: client.Session, seen: Inspected, limit: float) -> Content:
    """DatabaseError."""
    statements = {
        'version': "SELECT `value` FROM `settings` WHERE `key` = 'last_run_version'",
        'settings': 'SELECT `key`, SHA2(%s, 256) FROM `settings`' % _VALUE,
        'system': "SELECT COALESCE(`value`, '') FROM `settings` WHERE `key` = 'system'",
        'admins': 'SELECT `id`, SHA2(CONCAT_WS(0x00, `user_name`, %s), 256) FROM `admins`%s'
        % ('`password`' if 'password' in seen.columns.get('admins', ()) else "''", _live(seen, 'admins')),
        'drafts': 'SELECT COUNT(*) FROM `archive_drafts`',
        'bodies': _bodies(seen),
    }
    needs = {'version': 'settings', 'system': 'settings', 'drafts': 'archive_drafts', 'bodies': 'archive_data'}
    wanted = [key for key in statements if needs.get(key, key) in seen.names]
    answers = dict(zip(wanted, session.queries([statements[key] for key in wanted], limit)))
    version, drafts, bodies = (answers.get(key) or [[]] for key in ('version', 'drafts', 'bodies'))
    system = answers.get('system') or [['']]
    return Content(
        version[0][0].strip('"') if version[0] else '',
        {row[0]: row[1] for row in answers.get('settings', [])},
        site_of(system[0][0]),
        {row[0]: row[1] for row in answers.get('admins', [])},
        int(drafts[0][0]) if drafts[0] else 0,
        list(bodies[0]),
    )


def _live(seen: Inspected, table: str) -> str:
    return ' WHERE `deleted_at` IS NULL' if 'deleted_at' in seen.columns.get(table, ()) else ''


def _bodies(seen: Inspected) -> str:
    """One pass over the texts."""
    total = 'COUNT(*) AS n, COALESCE(SUM(CRC32(`content`)), 0) AS s'
    if 'deleted_at' not in seen.columns.get('archive_data', ()):
        return 'SELECT n, s, n, s FROM (SELECT %s FROM `archive_data`) AS x' % total
    live = 'COUNT(IF(`deleted_at` IS NULL, 1, NULL)), COALESCE(SUM(IF(`deleted_at` IS NULL, CRC32(`content`), 0)), 0)'
    return 'SELECT %s, %s FROM `archive_data`' % (total, live)


def site_of(system: t.Union[str, t.Mapping[str, t.Any]]) -> t.Dict[str, str]:
    """What the settings ``system`` say of the site; empty when they cannot be read. Pure."""
    values: t.Any = system
    if isinstance(system, str):
        try:
            values = foreign_json.load(system or '{}')
        except ValueError:
            return {}
    if not isinstance(values, t.Mapping):
        return {}
    names = ('base_url', 'site_name', 'template_name')
    return {key: str(values[key]) for key in names if values.get(key)}
