# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The databases of an instance, opened, and where their dumps are."""

import os
import shutil
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import (
    client,
    dump_manifest,
    migration,
    schemas,
    shadow,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import (
    LifecycleError,
    reason,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import trusted
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context

Params = t.Mapping[str, t.Any]
KIND = 'database'
LOOK_S = 600.0  # seconds for the checksums of all tables
_DUMPS, _KEPT_DUMPS = 'dumps', 3


class Opened(t.NamedTuple):
    """One database with a session in it."""

    schema: schemas.Schema
    session: client.Session

    @property
    def name(self) -> str:
        return self.schema.login.database


class Databases:
    """The databases of the instance, opened. As a context manager it closes them.

    LifecycleError when there is no client, or one of them cannot be connected to.
    """

    def __init__(self, context: Context, all_sites: bool, client_dir: t.Optional[str] = None) -> None:
        self.programs = client.find(client_dir)
        self.config = schemas.read_config(context)
        self.mysql = schemas.mysql_of(context, self.config)
        self.opened: t.List[Opened] = []
        try:
            first = self._open(schemas.own(context, self.mysql))
            first.session.query('SELECT 1')
            if all_sites:
                self.add_others()
        except BaseException:
            self.close()
            raise

    def add_others(self) -> None:
        """Those of the other sites, as the database of the first site names them now."""
        first = self.opened[0]
        for schema in schemas.all_of(self.mysql, first.schema, first.session)[1:]:
            self._open(schema).session.query('SELECT 1')

    def _open(self, schema: schemas.Schema) -> Opened:
        self.opened.append(Opened(schema, client.Session(self.programs, schema.login)))
        return self.opened[-1]

    def close(self) -> None:
        for one in self.opened:
            one.session.close()

    def __enter__(self) -> 'Databases':
        return self

    def __exit__(self, *_unused: t.Any) -> None:
        self.close()


def untouched(what: t.Callable[[], t.Any]) -> t.Any:
    """What a plan looks at; its failures say that nothing was done."""
    try:
        return what()
    except client.DatabaseError as exc:
        exc.msg = '%s Nothing was done.' % exc.msg
        raise


def copied_while_it_runs(context: Context) -> LifecycleError:
    pid = context.candidate.pid if context.candidate else 0
    return LifecycleError(
        '%s runs as pid %d: tables that it changes meanwhile cannot be copied so that they fit to '
        'each other. Nothing was done. Stop it first (graceful_stop), or take a backup with method '
        'dump.' % (context.instance.id, pid)
    )


def record(context: Context, one: Opened) -> shadow.Record:
    return shadow.record_of(context.state.path, one.schema.key)


def names(opened: t.Sequence[Opened]) -> str:
    return ', '.join(one.name for one in opened)


def is_online(context: Context) -> bool:
    """Whether the instance serves at this step."""
    return context.candidate is not None and not context.foreseen.stops


def running(context: Context) -> LifecycleError:
    pid = context.candidate.pid if context.candidate else 0
    return LifecycleError(
        '%s runs as pid %d: its databases cannot be restored under it. Nothing was done. Stop it '
        'first (graceful_stop).' % (context.instance.id, pid)
    )


def directory(context: Context, params: Params, planning: bool = False) -> str:
    """Where the dumps are: given, of this run, or a new one of the state. LifecycleError when it cannot be trusted."""
    path: str = params['path'] or ''
    if not path and context.run.id:
        run = context.run.path() if planning else context.run.dir()
        path = os.path.join(run, KIND)
    elif not path:
        path = os.path.join(context.state.path, _DUMPS, time.strftime('%Y%m%dT%H%M%SZ', time.gmtime()))
    path = os.path.abspath(path)
    part = trusted.untrusted_part(path, os.geteuid())
    if part:
        raise LifecycleError(
            '%s cannot be used for dumps: %s is not a directory that only root and uid %d can write. '
            'Nothing was done. Give another path.' % (path, part, os.geteuid())
        )
    return path


def make(directory: str) -> None:
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
    except OSError as exc:
        raise LifecycleError('%s could not be made: %s. The dump was not taken.' % (directory, reason(exc))) from exc


def remove_old(context: Context) -> None:
    """Of the dumps in the state the newest stay; those of runs go with their runs."""
    place = os.path.join(context.state.path, _DUMPS)
    for name in sorted(os.listdir(place) if os.path.isdir(place) else [])[:-_KEPT_DUMPS]:
        shutil.rmtree(os.path.join(place, name), ignore_errors=True)


def manifests(directory: str, all_sites: bool) -> t.List[dump_manifest.Manifest]:
    sites = dump_manifest.sites_in(directory)
    return [dump_manifest.read(directory, site) for site in (sites if all_sites and sites else [1])]


def remember(context: Context, one: Opened, version: t.Optional[str], restored: bool = False) -> None:
    """What is not noted is asked of the database all the same."""
    try:
        migration.remember(context.state.path, one.schema.key, version, restored)
    except OSError:
        context.progress('the state in %s could not be written' % context.state.path)
