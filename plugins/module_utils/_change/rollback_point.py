# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Step ``rollback_point``: notes what each database holds before visitors come, so that a later rollback can tell what
was written since.
"""

import json
import os
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import access
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import client, dump_manifest, texts
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import content as facts
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError, reason
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import foreign_json
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import trusted
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context

SPEC: t.Dict[str, t.Dict[str, t.Any]] = dict(
    client_dir=dict(type='path'),
    timeout=dict(type='float', default=3600.0),
)
_FILE = 'left.json'
# What the application writes by itself.
_SETTINGS = ('last_run_version', 'upgrade_archive_category')
_CATEGORIES = 'archive_categories'
# The start that migrates fails to fill these, whose columns it makes only then; the next start does it.
_FILLED = {'modules': ('name',), 'websites': ('token_secret',)}
_STAMP = 'updated_time'
_NOT_THEN, _NOT_NOW = 'it is used since', 'it could not be inspected'

Params = t.Mapping[str, t.Any]
Result = t.Dict[str, t.Any]


Rows = t.Mapping[str, t.Mapping[str, str]]  # of one table: by their ids, the hash of each column, '' for an empty one


class Held(t.NamedTuple):
    """What one database held. ``settings``: their hashes; None where they are not known one by one.

    ``rows``: of the tables that the application fills by itself.
    """

    database: str
    tables: facts.Recorded
    settings: t.Optional[t.Mapping[str, str]]
    rows: t.Mapping[str, Rows] = {}


def plan(context: Context, params: Params) -> Result:
    return dict(changed=False, would='note what the databases hold, for a later rollback')


def run(context: Context, params: Params) -> Result:
    context.look()
    write(os.path.join(context.run.dir(), access.KIND), look(context, params))
    return dict(changed=False)


def look(context: Context, params: Params) -> t.Dict[str, Held]:
    """What is in the databases of all sites now, by their keys. LifecycleError."""
    limit = context.run.time_left(params['timeout'])
    with access.Databases(context, True, params['client_dir']) as databases:
        found = {}
        for one in databases.opened:
            seen = facts.look(one.session, limit)
            content = facts.content(one.session, seen, limit)
            found[one.schema.key] = Held(
                one.name,
                facts.record(one.session, seen, limit, content),
                content.settings,
                _rows(one.session, seen.columns, limit),
            )
        return found


def _rows(session: client.Session, columns: t.Mapping[str, t.Collection[str]], limit: float) -> t.Dict[str, Rows]:
    wanted = {table: sorted(columns[table]) for table in _FILLED if 'id' in columns.get(table, ())}
    answers = session.queries([_hashing(table, names) for table, names in wanted.items()], limit)
    return {
        table: {row[0]: dict(zip(names, row[1:])) for row in answer}
        for (table, names), answer in zip(wanted.items(), answers)
    }


def _hashing(table: str, columns: t.Iterable[str]) -> str:
    hashes = ["IF(COALESCE({0}, '') = '', '', SHA2({0}, 256))".format(texts.name(one)) for one in columns]
    return 'SELECT `id`, %s FROM %s' % (', '.join(hashes), texts.name(table))


def write(directory: str, found: t.Mapping[str, Held]) -> None:
    """Into the directory of the dumps of a run. LifecycleError."""
    values = {
        key: dict(
            database=held.database,
            settings=held.settings,
            rows=held.rows,
            tables={name: list(row) for name, row in held.tables.items()},
        )
        for key, held in found.items()
    }
    try:
        trusted.write_atomic(os.path.join(directory, _FILE), json.dumps(values).encode('utf-8'))
    except OSError as exc:
        raise LifecycleError(
            'What the databases hold could not be noted in %s: %s. Free space there.' % (directory, reason(exc))
        ) from exc


def read(directory: str) -> t.Optional[t.Dict[str, Held]]:
    """None where nothing was noted, or it cannot be read."""
    try:
        values = foreign_json.load(trusted.read_trusted(os.path.join(directory, _FILE)))
        return {
            key: Held(
                one['database'],
                {name: facts.Row(*row) for name, row in one['tables'].items()},
                one['settings'],
                one.get('rows') or {},
            )
            for key, one in values.items()
        }
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


def write_of_dumps(dumps: str, directory: str) -> None:
    """What databases hold that were just restored from these dumps. LifecycleError."""
    manifests = [dump_manifest.read(dumps, site) for site in dump_manifest.sites_in(dumps)]
    write(
        directory,
        {
            one.key: Held(one.database, one.tables, one.content.settings if one.content else None)
            for one in manifests
            if one.tables is not None
        },
    )


def written_since(directory: str, now: t.Mapping[str, Held], name: str) -> t.List[Result]:
    """Since the end of the run whose dumps are in ``directory``. ``name``: of the first database."""
    before = read(directory)
    if before is None:
        return [_row(name, '', None, None, 'what was written since is not known')]
    return since(before, now)


# --- what was written since: pure


def since(before: t.Mapping[str, Held], now: t.Mapping[str, Held]) -> t.List[Result]:
    """The tables that hold something else, with the rows of then and now; None where there is no such table."""
    found: t.List[Result] = []
    for key in sorted(set(before) | set(now)):
        then, there = before.get(key), now.get(key)
        if then is None or there is None:
            name = (then or t.cast(Held, there)).database
            found.append(_row(name, '', None, None, _NOT_THEN if then is None else _NOT_NOW))
            continue
        for table in sorted(set(then.tables) | set(there.tables)):
            what = _what(table, then, there)
            if what is not None:
                rows = [held.tables[table].rows if table in held.tables else None for held in (then, there)]
                found.append(_row(then.database, table, rows[0], rows[1], what))
    return found


def _row(name: str, table: str, before: t.Optional[int], now: t.Optional[int], what: str) -> Result:
    return dict(database=name, table=table, rows_before=before, rows_now=now, what=what)


def _what(table: str, then: Held, there: Held) -> t.Optional[str]:
    """None where a table holds what it held, or only what the application writes by itself."""
    if table not in then.tables or table not in there.tables:
        return 'table is new' if table in there.tables else 'table is gone'
    before, now = then.tables[table], there.tables[table]
    if (before.rows, before.checksum) == (now.rows, now.checksum) or _is_its_own(table, then, there):
        return None
    return 'content changed' if before.rows == now.rows else 'rows'


def _is_its_own(table: str, then: Held, there: Held) -> bool:
    """The copy of the categories goes on after an upgrade, and its end is a setting."""
    if table in then.rows and table in there.rows:
        return _only_filled(_FILLED.get(table, ()), then.rows[table], there.rows[table])
    if then.settings is None or there.settings is None:
        return False
    if table == _CATEGORIES:
        return _SETTINGS[1] not in then.settings
    return table == 'settings' and _of_people(then.settings) == _of_people(there.settings)


def _only_filled(columns: t.Collection[str], then: Rows, now: Rows) -> bool:
    """Whether the rows are the same but for those columns, where they were empty, and for the time of that."""
    if set(then) != set(now):
        return False
    for key, row in then.items():
        differ = [one for one in set(row) | set(now[key]) if row.get(one) != now[key].get(one)]
        filled = [one for one in differ if one in columns and row.get(one) == '']
        if differ and (not filled or set(differ) - set(filled) - {_STAMP}):
            return False
    return True


def _of_people(settings: t.Mapping[str, str]) -> t.Dict[str, str]:
    return {key: value for key, value in settings.items() if key not in _SETTINGS}


def shown(rows: t.Sequence[t.Mapping[str, t.Any]], most: int = 12) -> str:
    """For people: each table with its numbers."""
    texts = []
    for row in rows:
        name = '%s.%s' % (row['database'], row['table']) if row['table'] else row['database']
        before, now = ['no table' if one is None else one for one in (row['rows_before'], row['rows_now'])]
        texts.append(
            '%s: %s' % (name, row['what'])
            if not row['table']
            else '%s: %s'
            % (
                name,
                (
                    '%s rows, content changed' % now
                    if row['what'] == 'content changed'
                    else '%s -> %s rows' % (before, now)
                ),
            )
        )
    return facts.listing(texts, most)
