# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Which databases an instance works on: that of config.json, and those of its other sites."""

import os
import re
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import config_file, versions
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import client, texts
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import target as _database
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError, reason
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import files, foreign_json
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import launch
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context

_ENABLED = 1
_SITES = (
    'SELECT `id`, COALESCE(`status`, 0), COALESCE(`mysql`, \'\'), COALESCE(`root_path`, \'\') '
    'FROM `websites` ORDER BY `id`'
)


class Schema(t.NamedTuple):
    """``site``: the id of the first site that uses it. ``root``: the directory of that site."""

    site: int
    login: texts.Login
    root: str

    @property
    def key(self) -> str:
        """The same for the same database, whoever connects to it."""
        return '%s/%s' % (self.login.target.address, self.login.database)


class Site(t.NamedTuple):
    """A row of the table ``websites``."""

    site: int
    enabled: bool
    mysql: str
    root: str


# --- pure


def _texts(values: t.Mapping[str, t.Any]) -> t.Dict[str, str]:
    return {key: values[key] if isinstance(values.get(key), str) else '' for key in ('user', 'password', 'database')}


def login_of(mysql: t.Mapping[str, t.Any]) -> t.Optional[texts.Login]:
    """The login of a ``mysql`` section; None when it names no database."""
    found = _database.targets(mysql, {}, None)
    return texts.Login(found[0], **_texts(mysql)) if found else None


def from_environment(
    mysql: t.Mapping[str, t.Any], environment: t.Mapping[str, str], version: t.Optional[str]
) -> t.Dict[str, t.Any]:
    """The ``mysql`` section of the next start: variables win over the file from 3.4.2 on, where all are set.

    LifecycleError where they are set, name another database, and the version that decides is not known.
    """
    found = _database.targets(mysql, environment, version)
    if len(found) > 1:
        raise LifecycleError(
            'Whether the database of config.json or that of the MYSQL_* variables is meant is not '
            'known, because the version is not. Nothing was done. Start the instance once, so that '
            'its version is seen.'
        )
    if not found or found[0].source == 'config.json':
        return dict(mysql)
    password = environment.get('MYSQL_ROOT_PASSWORD')
    if not password and versions.at_least(version, (3, 4, 10)) is not False:
        password = environment.get('MYSQL_PASSWORD')
    return dict(
        host=found[0].host,
        port=found[0].port,
        password=password or '',
        user=environment.get('MYSQL_USER') or 'root',
        database=environment.get('MYSQL_DATABASE') or '',
    )


def rows_to_sites(rows: t.Sequence[t.Sequence[str]]) -> t.List[Site]:
    return [
        Site(int(row[0]), row[1] == str(_ENABLED), row[2], row[3])
        for row in rows
        if len(row) == 4 and re.match(r'[0-9]{1,10}$', row[0])
    ]


def site_mysql(main: t.Mapping[str, t.Any], text: str) -> t.Dict[str, t.Any]:
    """The ``mysql`` section of another site, whose login may be that of the first. ValueError when it is none."""
    own = foreign_json.load(text or '{}')
    if not isinstance(own, dict):
        raise ValueError('it is not an object')
    if own.get('use_default'):
        return dict(main, database=own.get('database'))
    return dict(main, **{key: value for key, value in own.items() if value and key in _KEYS})


_KEYS = ('database', 'user', 'password', 'host', 'port')


def others(main: t.Mapping[str, t.Any], sites: t.Sequence[Site], known: t.Iterable[str]) -> t.List[Schema]:
    """The databases of the enabled sites but the first, each once. LifecycleError for a row that cannot be read."""
    found: t.List[Schema] = []
    seen = set(known)
    for site in sites:
        if site.site == 1 or not site.enabled:
            continue
        try:
            login = login_of(site_mysql(main, site.mysql))
        except ValueError as exc:
            raise LifecycleError(
                'The database of site %d is not known: mysql of its row in websites %s. Nothing was '
                'done. Correct the row, or disable the site.' % (site.site, exc)
            ) from None
        if login is None:
            raise LifecycleError(
                'The database of site %d is not known: its row in websites names none. Nothing was '
                'done. Correct the row, or disable the site.' % site.site
            )
        schema = Schema(site.site, login, site.root)
        if schema.key not in seen:
            seen.add(schema.key)
            found.append(schema)
    return found


# --- looking


def environment_of(context: Context) -> t.Mapping[str, str]:
    """Of the process that runs, or ran last; empty when that is not known."""
    if context.handle is not None:
        try:
            return launch.capture(context.handle.proc).environment
        except OSError:
            pass
    record = context.stored_record()
    return record.environment if record is not None else {}


def read_config(context: Context) -> t.Dict[str, t.Any]:
    """All of config.json. LifecycleError when it cannot be read."""
    return read(context.instance.dir, context.candidate.uid if context.candidate else None)


def read(path: str, uid: t.Optional[int]) -> t.Dict[str, t.Any]:
    """The same of an install directory. ``uid``: whose files are believed beside those of its owner."""
    shown = os.path.join(path, config_file.NAME)
    try:
        with files.InstallDir(path) as directory:
            data = directory.read(config_file.NAME, directory.owners(uid))
        values = config_file.load_json(data)
    except OSError as exc:
        raise LifecycleError(
            '%s cannot be read: %s. Nothing was done. Its section mysql names the database.' % (shown, reason(exc))
        ) from exc
    except ValueError as exc:
        raise LifecycleError(
            '%s is not valid JSON: %s. Nothing was done. Correct the file first.' % (shown, exc)
        ) from exc
    return values


def section(values: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    """The ``mysql`` section of config.json, empty when there is none. Pure."""
    mysql = values.get('mysql')
    return mysql if isinstance(mysql, dict) else {}


def mysql_of(context: Context, values: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    """The ``mysql`` section that the application uses. LifecycleError when that is not known."""
    return from_environment(section(values), environment_of(context), context.version)


def own(context: Context, mysql: t.Mapping[str, t.Any]) -> Schema:
    """That of the first site. LifecycleError when none is named."""
    login = login_of(mysql)
    if login is None:
        raise LifecycleError(
            'config.json of %s names no database. Nothing was done. Fill in its section mysql.' % context.instance.id
        )
    return Schema(1, login, context.instance.dir)


ALL_SITES = texts.if_there('websites', _SITES)  # for whoever asks more in the same breath


def all_of(mysql: t.Mapping[str, t.Any], first: Schema, session: client.Session) -> t.List[Schema]:
    """The first one, and those of the other sites that are enabled. DatabaseError when the list cannot be read."""
    return with_others(mysql, first, session.query(ALL_SITES))


def with_others(mysql: t.Mapping[str, t.Any], first: Schema, rows: t.Sequence[t.Sequence[str]]) -> t.List[Schema]:
    """The same from the rows of ``ALL_SITES``."""
    return [first] + others(mysql, rows_to_sites(rows), [first.key])
