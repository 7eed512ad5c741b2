# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""One look at the databases of an instance before it is stopped or started, in one client process for each.

It is begun at once, and goes on while something else is done. It never raises: what could not be asked is not known.
"""

import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import client, migration, schemas
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError, reason
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context

LIMIT_S = 5.0
Mysql = t.Mapping[str, t.Any]


class Found(t.NamedTuple):
    """What one database said. ``seen`` is None where it did not, and ``why`` says why.

    ``at_work``: statements of a migration that run in it, known also where not all could be asked.
    """

    name: str
    key: str = ''
    root: str = ''
    seen: t.Optional[migration.Seen] = None
    why: str = ''
    at_work: t.Sequence[str] = ()


def plainly(text: str) -> str:
    """What a failure says, without what was not done. Pure."""
    return text.partition(' Nothing was done')[0].rstrip('.')


class _Asked:
    """A question to one database that is under way."""

    def __init__(self, programs: client.Programs, schema: schemas.Schema, statements: t.Sequence[str]) -> None:
        self.schema: schemas.Schema = schema
        self.sites: t.Sequence[t.Sequence[str]] = []
        self.sites_known = False
        self._session = client.Session(programs, schema.login)
        try:
            self._question = client.Question(self._session, statements)
        except BaseException:
            self._session.close()
            raise

    def found(self, limit: float) -> Found:
        try:
            rows, error = self._question.answer(limit)
        finally:
            self._session.close()
        count = len(migration.STATEMENTS)
        self.sites_known = len(rows) > count
        self.sites = rows[count] if self.sites_known else []
        whole = len(rows) >= count
        at_work = migration.changing(row[0] for row in rows[0]) if rows else []
        return Found(
            self.schema.login.database,
            self.schema.key,
            self.schema.root,
            migration.seen_of(rows) if whole else None,
            plainly(error.msg) if error is not None and not whole else '',
            at_work,
        )

    def close(self) -> None:
        self._question.close()
        self._session.close()


class Look:
    """``mysql`` tells how to connect, ``root`` the directory of the first site; both are asked for at the begin."""

    def __init__(self, mysql: t.Callable[[], Mysql], root: str, all_sites: bool = True) -> None:
        self._all_sites: bool = all_sites
        self._found: t.Optional[t.List[Found]] = None
        self._first: t.Optional[_Asked] = None
        self._mysql: Mysql = {}
        try:
            self._begin(mysql, root)
        except (LifecycleError, OSError) as exc:
            why = plainly(exc.msg) if isinstance(exc, LifecycleError) else reason(exc)
            self._found = [Found('its database', why=why)]

    def _begin(self, mysql: t.Callable[[], Mysql], root: str) -> None:
        self._mysql = mysql()
        login = schemas.login_of(self._mysql)
        if login is None:
            self._found = [Found('its database', why='config.json names none')]
            return
        self._programs = client.find()
        statements = migration.STATEMENTS + ((schemas.ALL_SITES,) if self._all_sites else ())
        self._first = _Asked(self._programs, schemas.Schema(1, login, root), statements)

    def found(self, limit: float = LIMIT_S) -> t.List[Found]:
        """What each of them said, the first site's first; the same when it is asked for again."""
        if self._found is None and self._first is not None:
            until = time.monotonic() + limit
            self._found = [self._first.found(limit)]
            if self._found[0].seen is not None and self._all_sites:
                self._found += self._of_others(self._first, until)
            self._first = None
        return self._found or []

    def _of_others(self, first: _Asked, until: float) -> t.List[Found]:
        if not first.sites_known:
            return [Found('the databases of its other sites', why='their list could not be read')]
        try:
            others = schemas.with_others(self._mysql, first.schema, first.sites)[1:]
        except LifecycleError as exc:
            return [Found('the databases of its other sites', why=plainly(exc.msg))]
        return [self._of_other(schema, max(0.1, until - time.monotonic())) for schema in others]

    def _of_other(self, schema: schemas.Schema, limit: float) -> Found:
        try:
            return _Asked(self._programs, schema, migration.STATEMENTS).found(limit)
        except LifecycleError as exc:
            return Found(schema.login.database, schema.key, schema.root, why=plainly(exc.msg))

    def close(self) -> None:
        """End what is under way; nothing is asked any more."""
        if self._first is not None:
            self._first.close()
            self._first = None
            self._found = [Found('its database', why='it was not waited for')]


def begin(context: Context) -> None:
    """Begin a look, where none is under way or was made in this call."""
    if context.database_look is None:
        context.database_look = Look(
            lambda: schemas.mysql_of(context, schemas.read_config(context)), context.instance.dir
        )


def found(context: Context, limit: float = LIMIT_S) -> t.List[Found]:
    """What the look found; a new one where none was begun."""
    begin(context)
    look: Look = context.database_look
    return look.found(limit)


def forget(context: Context) -> None:
    """Whatever was found is old: what asks next, asks anew."""
    if context.database_look is not None:
        context.database_look.close()
        context.database_look = None
