# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Step ``database``: dump and restore the databases of an instance, wait for a migration, compare afterwards."""

import os
import shutil
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import (
    client,
    compare,
    dump,
    migration,
    restore,
    schemas,
    shadow,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import content as facts
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import (
    LifecycleError,
    NotYet,
    after_a_change,
    present,
    reason,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import foreseen, runs, trusted
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context

KIND = 'database'
SPEC: t.Dict[str, t.Dict[str, t.Any]] = dict(
    state=dict(type='str', required=True, choices=['dumped', 'restored', 'migrated', 'compared', 'packed']),
    path=dict(type='path'),
    all_sites=dict(type='bool', default=False),
    client_dir=dict(type='path'),
    method=dict(type='str', default='dump', choices=['dump', shadow.METHOD]),
    compression=dict(type='str', default='auto', choices=['auto', 'none', 'zstd', 'gzip']),
    timeout=dict(type='float', default=3600.0),
)
Params = t.Mapping[str, t.Any]
Result = t.Dict[str, t.Any]
_DUMPS, _KEPT_DUMPS = 'dumps', 3
_PER_SECOND = 140e6   # bytes of data that a client dumps; seen with 20,000 and with 200,000 articles
_LOADED_PER_SECOND = 35e6
_COPIED_PER_SECOND = 50e6
_LOOK_S = 600.0
_RENAMED_S = 0.2      # all tables, and the drop of those aside


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


def _untouched(what: t.Callable[[], t.Any]) -> t.Any:
    """What a plan looks at; its failures say that nothing was done."""
    try:
        return what()
    except client.DatabaseError as exc:
        exc.msg = '%s Nothing was done.' % exc.msg
        raise


# --- plan


def plan(context: Context, params: Params) -> Result:
    return dict(_untouched(lambda: _PLANS[params['state']](context, params)))


def _plan_dumped(context: Context, params: Params) -> Result:
    """Everything that a dump, or a restore of it, would fail on."""
    online = _is_online(context)
    shadows = params['method'] == shadow.METHOD
    if shadows and online:
        raise _copied_while_it_runs(context)
    directory = _directory(context, params, planning=True)
    with Databases(context, params['all_sites'], params['client_dir']) as databases:
        seen = [facts.look(one.session) for one in databases.opened]
        notes: t.List[str] = []
        for one, found in zip(databases.opened, seen):
            notes += _refuse_unfit(context, one, found)
            notes += _notes_of_shadows(context, one, found, shadows)
            dump.trial(one.session)
        size = sum(found.data_bytes for found in seen)
        if not shadows:
            _compressions(directory, seen, params['compression'])
        elif dump.choose('none', size, dump.free_bytes(directory), []) is None:
            notes.append('there is no room in %s for the dump that is made of the shadow tables afterwards (%d MB)' % (
                directory, size >> 20))
        notes += _refuse_full_server(databases.opened, seen, 'copy of all tables' if shadows else 'restore')
    if online:
        notes.append('the instance runs at this step: its dump is a plain backup, and is not compared or taken back')
    seconds = size / (_COPIED_PER_SECOND if shadows else _PER_SECOND)
    into = directory if params['path'] or not context.foreseen.steps else 'the directory of the run'
    would = 'copy the tables of %s inside the database, for %s' if shadows else 'dump %s into %s'
    return dict(changed=True, would='%s (%d MB of data, about %.1f s)' % (
        would % (_names(databases.opened), into), size >> 20, seconds), notes=notes,
        estimate_ms=round(seconds * 1000), data_bytes=size,
        databases=[_foreseen(one, found) for one, found in zip(databases.opened, seen)])


def _notes_of_shadows(context: Context, one: Opened, seen: facts.Inspected, shadows: bool) -> t.List[str]:
    found = shadow.ask_notes(one.session, seen) if shadows else []
    made = _record(context, one).read()
    manifest = shadow.manifest_that_stands(made, one.schema.site)
    if manifest is not None and restore.all_there(seen, manifest):
        more = ', and become a file first, while the instance is down' if shadows else ''
        found.append('shadow tables of the dump in %s stand in it%s: state packed makes a file of them and drops '
                     'them' % (present(made).directory, more))
    return ['%s: %s' % (one.name, note) for note in found]


def _copied_while_it_runs(context: Context) -> LifecycleError:
    pid = context.candidate.pid if context.candidate else 0
    return LifecycleError('%s runs as pid %d: tables that it changes meanwhile cannot be copied so that they fit to '
                          'each other. Nothing was done. Stop it first (graceful_stop), or take a backup with method '
                          'dump.' % (context.instance.id, pid))


def _foreseen(one: Opened, seen: facts.Inspected) -> Result:
    """What whoever plans an upgrade asks of a database."""
    return dict(site=one.schema.site, database=one.name, server=seen.server, tables=len(seen.names),
                data_bytes=seen.data_bytes, all_bytes=seen.all_bytes, not_utf8mb4=facts.not_utf8mb4(seen),
                not_innodb=facts.not_innodb(seen))


def _record(context: Context, one: Opened) -> shadow.Record:
    return shadow.record_of(context.state.path, one.schema.key)


def _refuse_unfit(context: Context, one: Opened, seen: facts.Inspected) -> t.List[str]:
    """LifecycleError for what a restore would fail on; the notes."""
    if seen.aside:
        raise LifecycleError('%s is in the middle of a restore: %s. Nothing was done. Repeat that restore, or run '
                             'recover: both put the tables back first.' % (
                                 one.schema.login.shown, facts.listing(seen.aside)))
    strange = shadow.unknown(seen, _record(context, one).read())
    if strange:
        raise LifecycleError('%s has tables with names of shadow tables (%s), and this instance has not made them, or '
                             'its record of them is lost. Nothing was done. Drop them by hand when nobody needs them.'
                             % (one.schema.login.shown, facts.listing(strange)))
    found = facts.obstacles(seen)
    if found:
        raise LifecycleError('%s cannot be dumped so that it can be restored: it has %s. Nothing was done. Remove '
                             'them, or have this database changed by hand.' % (
                                 one.schema.login.shown, '; '.join(found)))
    missing = facts.missing_rights(seen)
    if missing:
        raise LifecycleError('The user %s is not seen to have %s on the whole database %s: tables that he has no right '
                             'on would be left out without a word, and a restore could not be made. Nothing was done. '
                             'Grant these rights on the database.' % (
                                 one.schema.login.user, ', '.join(missing), one.schema.login.shown))
    return ['%s: %s' % (one.name, note) for note in facts.notes(seen)]


def _compressions(directory: str, seen: t.Sequence[facts.Inspected], wanted: str) -> t.List[str]:
    """How each is written, all beside each other. LifecycleError when there is no room."""
    free, chosen = dump.free_bytes(directory), []
    available = dump.compressors()
    if wanted in ('zstd', 'gzip') and wanted not in available:
        raise LifecycleError('%s is not installed. Nothing was done. Install it, or choose another compression.'
                             % wanted)
    total = sum(found.data_bytes for found in seen)
    one = dump.choose(wanted, total, free, available)
    if one is None:
        raise LifecycleError('There is no room for the dump in %s: %d MB are free, and the databases hold %d MB of '
                             'data. Nothing was done. Free space, or give another directory as path.' % (
                                 directory, free >> 20, total >> 20))
    chosen += [one] * len(seen)
    return chosen


def _refuse_full_server(opened: t.Sequence[Opened], seen: t.Sequence[facts.Inspected],
                        what: str = 'restore') -> t.List[str]:
    """In a restore old and new tables stand beside each other. The notes; LifecycleError when there is no room."""
    needed: t.Dict[str, int] = {}
    notes = []
    for one, found in zip(opened, seen):
        if not _is_local(one.schema.login.target.host) or not os.path.isdir(found.datadir):
            notes.append('%s: whether its server has room for a %s (%d MB) is not known from this host' % (
                one.name, what, found.all_bytes >> 20))
        else:
            needed[found.datadir] = needed.get(found.datadir, 0) + found.all_bytes
    for directory, size in needed.items():
        free = dump.free_bytes(directory)
        if free < size * 1.1:
            raise LifecycleError('There is no room for a %s in %s: it needs %d MB beside the tables of today, and %d '
                                 'MB are free. Nothing was done. Free space there.' % (
                                     what, directory, size >> 20, free >> 20))
    return notes


def _is_local(host: str) -> bool:
    return host.startswith(('/', '127.')) or host in ('localhost', '::1')


def _plan_restored(context: Context, params: Params) -> Result:
    return dict(_plan_of_restore(context, params), then=dict(restores_databases=True))


def _plan_of_restore(context: Context, params: Params) -> Result:
    if context.candidate is not None and not context.foreseen.stops:
        raise _running(context)
    directory = _directory(context, params, planning=True)
    manifests = _manifests(directory, params['all_sites'])
    with Databases(context, params['all_sites'], params['client_dir']) as databases:
        seen = [facts.look(one.session) for one in databases.opened]
        for one, found in zip(databases.opened, seen):
            _refuse_unfit(context, one, found._replace(tables={name: table for name, table in found.tables.items()
                                                               if not name.startswith(facts.PREFIX)}))
        ready = _with_shadows(context, databases.opened, seen, directory, manifests)
        for manifest in manifests:
            if manifest.file:
                _refuse_other_file(directory, manifest)
            elif manifest.key not in ready:
                _refuse_used_up(directory, manifest, databases.opened, seen)
        loaded = [(one, found) for one, found in zip(databases.opened, seen) if one.schema.key not in ready]
        notes = _refuse_full_server([one for one, _found in loaded], [found for _one, found in loaded])
    seconds = sum(found.data_bytes for _one, found in loaded) / _LOADED_PER_SECOND + _RENAMED_S * len(ready)
    return dict(changed=True, would='restore %s from %s (about %.0f s)' % (
        ', '.join(manifest.database for manifest in manifests), directory, seconds), notes=notes,
        estimate_ms=round(seconds * 1000))


def _with_shadows(context: Context, opened: t.Sequence[Opened], seen: t.Sequence[facts.Inspected], directory: str,
                  manifests: t.Sequence[dump.Manifest]) -> t.Set[str]:
    """The keys of the databases in which all copies of these dumps stand, or stood when a restore died."""
    wanted = {manifest.key: manifest for manifest in manifests}
    return {one.schema.key for one, found in zip(opened, seen) if one.schema.key in wanted
            and shadow.is_of(_record(context, one), directory)
            and (restore.all_there(found, wanted[one.schema.key]) or found.aside)}


def _refuse_other_file(directory: str, manifest: dump.Manifest) -> None:
    path = os.path.join(directory, manifest.file)
    try:
        same = os.stat(path).st_size == manifest.bytes and manifest.sha256 in (None, dump.hash_of(path))
    except OSError as exc:
        raise LifecycleError('The dump %s cannot be read: %s. Nothing was done.' % (path, reason(exc))) from exc
    if not same:
        raise LifecycleError('The dump %s is not the one that was taken: its size or its hash differs. Nothing was '
                             'done.' % path)


def _refuse_used_up(directory: str, manifest: dump.Manifest, opened: t.Sequence[Opened],
                    seen: t.Sequence[facts.Inspected]) -> None:
    """LifecycleError where the copies are gone, unless the database is what it was then."""
    for one, found in zip(opened, seen):
        if one.schema.key == manifest.key and restore.is_same(one.session, found, manifest.tables or {}, _LOOK_S):
            return
    raise LifecycleError('The shadow tables of %s that were made for %s are not there any more. Nothing was done. '
                         'Restore this database from a backup.' % (manifest.database, directory))


def _plan_migrated(context: Context, params: Params) -> Result:
    with Databases(context, params['all_sites'], params['client_dir']) as databases:
        return dict(changed=False, would='wait until no migration runs in %s, at most %g s' % (
            _names(databases.opened), params['timeout']))


def _plan_compared(context: Context, params: Params) -> Result:
    if params['path']:
        _manifests(params['path'], params['all_sites'])
    with Databases(context, params['all_sites'], params['client_dir']) as databases:
        return dict(changed=False, would='compare %s with what was recorded' % _names(databases.opened))


def _plan_packed(context: Context, params: Params) -> Result:
    """In a window the dump may still have to be taken."""
    if params['path']:
        dump.read(params['path'], 1)
    return dict(changed=True, would='compress the dumps, and note the hashes of the files')


_PLANS: t.Dict[str, t.Callable[[Context, Params], Result]] = dict(
    dumped=_plan_dumped, restored=_plan_restored, migrated=_plan_migrated, compared=_plan_compared,
    packed=_plan_packed)


def _names(opened: t.Sequence[Opened]) -> str:
    return ', '.join(one.name for one in opened)


def _is_online(context: Context) -> bool:
    """Whether the instance serves at this step."""
    return context.candidate is not None and not context.foreseen.stops


def _running(context: Context) -> LifecycleError:
    pid = context.candidate.pid if context.candidate else 0
    return LifecycleError('%s runs as pid %d: its databases cannot be restored under it. Nothing was done. Stop it '
                          'first (graceful_stop).' % (context.instance.id, pid))


def _directory(context: Context, params: Params, planning: bool = False) -> str:
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
        raise LifecycleError('%s cannot be used for dumps: %s is not a directory that only root and uid %d can write. '
                             'Nothing was done. Give another path.' % (path, part, os.geteuid()))
    return path


def _make(directory: str) -> None:
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
    except OSError as exc:
        raise LifecycleError('%s could not be made: %s. The dump was not taken.' % (directory, reason(exc))) from exc


def _remove_old(context: Context) -> None:
    """Of the dumps in the state the newest stay; those of runs go with their runs."""
    place = os.path.join(context.state.path, _DUMPS)
    for name in sorted(os.listdir(place) if os.path.isdir(place) else [])[:-_KEPT_DUMPS]:
        shutil.rmtree(os.path.join(place, name), ignore_errors=True)


def _manifests(directory: str, all_sites: bool) -> t.List[dump.Manifest]:
    sites = dump.sites_in(directory)
    return [dump.read(directory, site) for site in (sites if all_sites and sites else [1])]


# --- run


def run(context: Context, params: Params) -> Result:
    began = time.monotonic()
    done = _RUNS[params['state']](context, params)
    return dict(done, took_ms=round((time.monotonic() - began) * 1000))


def _run_dumped(context: Context, params: Params) -> Result:
    """Recorded as a change when all is proved: until then there is nothing to be taken back."""
    online, shadows = context.look() is not None, params['method'] == shadow.METHOD
    if online and shadows:
        raise _copied_while_it_runs(context)
    directory = _directory(context, params)
    _make(directory)
    began = time.monotonic()
    until = began + context.run.time_left(params['timeout'])
    try:
        with Databases(context, params['all_sites'], params['client_dir']) as databases:
            seen = [facts.look(one.session) for one in databases.opened]
            notes = [note for one, found in zip(databases.opened, seen) for note in _refuse_unfit(context, one, found)]
            if shadows:  # before the first copy: a death in the middle leaves some
                context.state.make()
                _record_dumps(context, directory, databases, params, 0.0)
            if not online:
                seen = [_without_old_shadows(context, one, found, shadows, until) for one, found in zip(
                    databases.opened, seen)]
            chosen = ['none'] * len(seen) if shadows else _compressions(directory, seen, params['compression'])
            manifests = [_take(context, one, dump.Wanted(
                one.session, found, directory, one.schema.site, one.schema.root, one.schema.key, how, online,
                context.version, _settings_of_file(databases, one), _visits(one, found)), shadows, until)
                for one, found, how in zip(databases.opened, seen, chosen)]
    except LifecycleError as exc:
        exc.msg = '%s The dump was not taken.' % exc.msg
        raise
    dump.flush(directory)
    _remove_old(context)
    if not online and not shadows:
        _record_dumps(context, directory, databases, params, time.monotonic() - began)
    if shadows:
        notes.append('the shadow tables stay in %s until they are restored or packed (state packed)' % ', '.join(
            one.database for one in manifests))
    return dict(changed=True, directory=directory, online=online, notes=notes,
                databases=[_shown(one) for one in manifests])


def _restore_limit(timeout: float, dump_s: float) -> float:
    """Seconds: a restore that is broken off for its time leaves the site down, so it has what the size wants. Pure."""
    return round(max(timeout, runs.RESTORE_FACTOR * dump_s), 3)


def _record_dumps(context: Context, directory: str, databases: Databases, params: Params, took_s: float) -> None:
    context.run.record_change(KIND, directory=directory, sites=[one.schema.site for one in databases.opened],
                          client_dir=params['client_dir'], method=params['method'],
                          restore_s=_restore_limit(params['timeout'], took_s))


def _take(context: Context, one: Opened, wanted: dump.Wanted, shadows: bool, until: float) -> dump.Manifest:
    limit = max(1.0, until - time.monotonic())
    if shadows:
        return shadow.take(wanted, _record(context, one), limit, context.progress)
    return dump.take(wanted, limit, context.progress)


def _without_old_shadows(context: Context, one: Opened, seen: facts.Inspected, all_of_them: bool,
                         until: float) -> facts.Inspected:
    """Copies that were never complete, or whose dump is gone, are dropped; with ``all_of_them`` others are packed."""
    record = _record(context, one)
    made = record.read()
    if made is None:
        return seen
    manifest = shadow.manifest_that_stands(made, one.schema.site)
    if manifest is not None and restore.all_there(seen, manifest):
        if not all_of_them:
            return seen
        shadow.into_file(one.session, made.directory, manifest, max(1.0, until - time.monotonic()), context.progress)
    shadow.drop(one.session, record, context.progress)
    return facts.look(one.session)


def _shown(manifest: dump.Manifest) -> Result:
    tables = manifest.tables or {}
    return dict(site=manifest.site, database=manifest.database, file=manifest.file, compression=manifest.compression,
                method=shadow.METHOD if manifest.shadow else 'dump',
                bytes=manifest.bytes, tables=len(manifest.names), rows=sum(row.rows for row in tables.values()),
                version=manifest.content.version if manifest.content else None)


def _run_restored(context: Context, params: Params) -> Result:
    if context.look() is not None:
        raise _running(context)
    directory = _directory(context, params)
    sites = [one.site for one in _manifests(directory, params['all_sites'])]
    limit = context.run.time_left(params['timeout'])
    return restore_all(context, directory, sites, params['client_dir'], limit)


def restore_all(context: Context, directory: str, sites: t.Sequence[int], client_dir: t.Optional[str],
                limit: float) -> Result:
    """Restore the dumps of these sites, the first site's first: its table names the databases of the others.

    Repeat it after a death at any point. LifecycleError.
    """
    until = time.monotonic() + limit
    context.state.make()
    results: t.List[Result] = []
    try:
        with Databases(context, False, client_dir) as databases:
            results.append(_restore_one(context, directory, 1, databases.opened[0], until))
            if any(site != 1 for site in sites):
                databases.add_others()
            for site in sites:
                if site != 1:
                    results.append(_restore_one(context, directory, site, _of_site(databases, directory, site), until))
    except LifecycleError as exc:
        if any(one['changed'] for one in results):
            exc.result['changed'] = True
            exc.msg = after_a_change(exc.msg)
        if isinstance(exc, client.DatabaseError):
            exc.msg = '%s It was not restored.' % exc.msg
        raise
    return dict(changed=any(one['changed'] for one in results), directory=directory, databases=results)


def _of_site(databases: Databases, directory: str, site: int) -> Opened:
    key = dump.read(directory, site).key
    for one in databases.opened:
        if one.schema.key == key:
            return one
    raise LifecycleError('The dump of site %d in %s is of %s, and no enabled site uses that database. It was not '
                         'restored.' % (site, directory, key))


def _restore_one(context: Context, directory: str, site: int, one: Opened, until: float) -> Result:
    manifest = dump.read(directory, site)
    if manifest.key != one.schema.key:
        raise LifecycleError('The dump in %s is of %s, and config.json names %s. It was not restored.' % (
            directory, manifest.key, one.schema.key))
    context.progress('restoring %s' % one.name)
    journal, record = restore.Journal(context.state.path, one.schema.key), _record(context, one)
    shadows = shadow.is_of(record, directory)
    done = restore.restore(one.session, directory, manifest, journal, max(1.0, until - time.monotonic()),
                           context.progress, shadows)
    if shadows and done['restored']:
        shadow.drop(one.session, record, context.progress)
    if not manifest.online:
        _remember(context, one, manifest.version, restored=True)
    return dict(done, site=site, database=one.name)


def _remember(context: Context, one: Opened, version: t.Optional[str], restored: bool = False) -> None:
    """What is not noted is asked of the database all the same."""
    try:
        migration.remember(context.state.path, one.schema.key, version, restored)
    except OSError:
        context.progress('the state in %s could not be written' % context.state.path)


def _run_migrated(context: Context, params: Params) -> Result:
    context.look()
    directory = _recorded_in(context, params)
    with Databases(context, params['all_sites'], params['client_dir']) as databases:
        waited = [migration.Waiting(one.session, one.name, one.schema.root, _late_lines(
            directory, one.schema.site, context.version)) for one in databases.opened]
        answers = migration.wait(waited, context.version, context.run.time_left(params['timeout']), context.progress,
                                 migration.STALLED_S, alive=lambda: _lives(context))
        for one in databases.opened:
            _remember(context, one, context.version)
    if context.handle is not None and params['all_sites']:
        context.run.migrated = (context.handle.pid, context.handle.start_ticks)
    return dict(changed=False, notes=['%s: %s' % (one.name, note) for one, answer in zip(databases.opened, answers)
                                      for note in answer.notes],
                databases=[dict(site=one.schema.site, database=one.name, state=answer.state, why=answer.why)
                           for one, answer in zip(databases.opened, answers)])


def _lives(context: Context) -> bool:
    """Where no process was seen it may run elsewhere, or be out of sight."""
    return context.handle is None or not context.handle.gone()


def _recorded_in(context: Context, params: Params) -> t.Optional[str]:
    """The directory of the dumps that a step before this one has taken; None when there is none."""
    if not params['path'] and not context.run.id:
        return None
    directory = _directory(context, params)
    return directory if dump.sites_in(directory) else None


def _late_lines(directory: t.Optional[str], site: int, version: t.Optional[str]) -> t.Optional[int]:
    """How many visits have to arrive in data/statistic of a site, where its table has gone there."""
    if directory is None or site not in dump.sites_in(directory):
        return None
    manifest = dump.read(directory, site)
    if not migration.jumps_over_statistics(manifest.version, version) or not manifest.tables:
        return None
    rows = manifest.tables['statistics'].rows if 'statistics' in manifest.tables else 0
    return rows + manifest.visits if rows else None


def _run_compared(context: Context, params: Params) -> Result:
    context.look()
    directory = _recorded_in(context, params)
    if directory is None:
        raise LifecycleError('Nothing was recorded to compare with: no dump was taken by a step before this one. Give '
                             'the directory of one as path.')
    problems, notes, rows = [], [], []
    with Databases(context, params['all_sites'], params['client_dir']) as databases:
        for one in databases.opened:
            manifest = dump.read(directory, one.schema.site)
            if manifest.tables is None or manifest.content is None:
                raise LifecycleError('The dump in %s was taken while the site ran: there is nothing to compare with.'
                                     % directory)
            before = compare.Before(manifest.tables, manifest.content, manifest.site_settings)
            after = compare.look(one.session, context.run.time_left(params['timeout']))
            problems += ['%s: %s' % (one.name, text) for text in compare.broken(before, after, context.version)]
            notes += ['%s: %s' % (one.name, text) for text in compare.notes(before, after)]
            rows.append(dict(site=one.schema.site, database=one.name, version=after.content.version or None,
                             rows=sum(count for count, _live in after.rows.values())))
    if problems:
        raise LifecycleError('The databases do not hold what they held before: %s.' % '; '.join(problems[:12]),
                             problems=problems, notes=notes, databases=rows)
    return dict(changed=False, databases=rows, notes=notes)


def _visits(one: Opened, seen: facts.Inspected) -> int:
    """What data/statistic holds already, where a new version will add the rows of the table to it."""
    return (migration.statistics_lines(one.schema.root) or 0) if 'statistics' in seen.names else 0


def _settings_of_file(databases: Databases, one: Opened) -> t.Dict[str, str]:
    """Up to 2.3.6 the settings of the site are in config.json, and a later version moves them."""
    return facts.site_of(databases.config.get('system') or {}) if one.schema.site == 1 else {}


def _run_packed(context: Context, params: Params) -> Result:
    """Afterwards, when the instance serves again: while it is down this would only cost time."""
    directory = _recorded_in(context, params)
    if directory is None:
        raise LifecycleError('There is no dump to compress. Nothing was done. Give the directory of one as path.')
    before = [dump.read(directory, site) for site in dump.sites_in(directory)]
    copied = [one.site for one in before if one.shadow]
    running = bool(copied) and context.look() is not None
    files_of_shadows(context, directory, params['client_dir'], context.run.time_left(params['timeout']))
    drop_shadows(context, directory, params['client_dir'], copied, running)
    after: t.List[dump.Manifest] = []
    try:
        for one in before:
            after.append(dump.pack(directory, one.site, params['compression'], context.progress))
    except LifecycleError as exc:
        exc.result['changed'] = bool(copied) or after != before[:len(after)]
        raise
    return dict(changed=after != before, directory=directory, databases=[_shown(one) for one in after])


def files_of_shadows(context: Context, directory: str, client_dir: t.Optional[str], limit: float) -> None:
    """An ordinary dump of each database whose copies are the dump in a directory; they stay. LifecycleError."""
    until = time.monotonic() + limit
    found = [dump.read(directory, site) for site in dump.sites_in(directory)]
    missing = {one.key: one for one in found if one.shadow and not one.file}
    for one in _with_copies_of(context, directory, client_dir, [manifest.site for manifest in missing.values()]):
        if one.schema.key in missing:
            shadow.into_file(one.session, directory, missing[one.schema.key], max(1.0, until - time.monotonic()),
                             context.progress)


def drop_shadows(context: Context, directory: str, client_dir: t.Optional[str], sites: t.Sequence[int],
                 running: bool = False) -> None:
    """Drop the copies that are the dump of these sites in a directory, complete or not. LifecycleError."""
    for one in _with_copies_of(context, directory, client_dir, sites):
        shadow.drop(one.session, _record(context, one), context.progress, running)


def _with_copies_of(context: Context, directory: str, client_dir: t.Optional[str], sites: t.Sequence[int],
                    ) -> t.Iterator[Opened]:
    """Nothing is asked where this instance knows of no copies that are this dump."""
    if not sites or not shadow.all_of(context.state.path, directory):
        return
    with Databases(context, any(site != 1 for site in sites), client_dir) as databases:
        for one in databases.opened:
            if shadow.is_of(_record(context, one), directory):
                yield one


_RUNS: t.Dict[str, t.Callable[[Context, Params], Result]] = dict(
    dumped=_run_dumped, restored=_run_restored, migrated=_run_migrated, compared=_run_compared,
    packed=_run_packed)


# --- as a task of its own


def foresee(context: Context, params: Params) -> Result:
    context.look()
    return foreseen.of_a_task(plan(context, params))


def work(context: Context, params: Params) -> Result:
    planned = foresee(context, params)
    done = run(context, params)
    return dict(done, notes=planned.get('notes', []) + [one for one in done.get('notes', [])
                                                        if one not in planned.get('notes', [])])


# --- undo


def is_change(params: Params) -> bool:
    """Whether the step has something to be taken back: after a dump, whatever later steps do to the database. Pure."""
    return params.get('state') in ('dumped', 'restored')


def undo(context: Context, change: t.Mapping[str, t.Any]) -> Result:
    """Restore the dumps that the step has taken. What nobody has changed since is compared, and left.

    NotYet while a database cannot be connected to: it may come back.
    """
    shadows = change.get('method') == shadow.METHOD
    sites = _whole(context, change) if shadows else change['sites']
    done: Result = dict(changed=False, directory=change['directory'], databases=[])
    try:
        if sites:
            done = restore_all(context, change['directory'], sites, change.get('client_dir'),
                               context.run.time_left(runs.restore_s(change)))
        if shadows:
            drop_shadows(context, change['directory'], change.get('client_dir'), change['sites'])
        return done
    except client.DatabaseError as exc:
        if exc.kind == 'cannot_connect':
            raise NotYet(exc.msg, **exc.result) from exc
        raise


def _whole(context: Context, change: t.Mapping[str, t.Any]) -> t.List[int]:
    """The sites whose shadow tables were complete: before that nothing had been changed. LifecycleError."""
    found = dump.sites_in(change['directory'])
    lost = [made.site for made in shadow.all_of(context.state.path, change['directory'])
            if made.whole and made.site not in found]
    if lost:
        raise LifecycleError('The manifest of the shadow tables of site %d is gone from %s. The database was left as '
                             'it is, with them. Compare them with the tables, then rename them by hand.' % (
                                 lost[0], change['directory']))
    return [site for site in change['sites'] if site in found]
