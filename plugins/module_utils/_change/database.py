# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Step ``database``: dump and restore the databases of an instance, wait for a migration, compare afterwards."""

import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import access, database_later, database_plan
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import (
    client,
    dump,
    dump_file,
    dump_manifest,
    restore,
    shadow,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import content as facts
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import (
    LifecycleError,
    NotYet,
    after_a_change,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import foreseen, runs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context

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


# --- run


def run(context: Context, params: Params) -> Result:
    began = time.monotonic()
    done = _RUNS[params['state']](context, params)
    return dict(done, took_ms=round((time.monotonic() - began) * 1000))


def _run_dumped(context: Context, params: Params) -> Result:
    """Recorded as a change when all is proved: until then there is nothing to be taken back."""
    online, shadows = context.look() is not None, params['method'] == shadow.METHOD
    if online and shadows:
        raise access.copied_while_it_runs(context)
    directory = access.directory(context, params)
    access.make(directory)
    began = time.monotonic()
    until = began + context.run.time_left(params['timeout'])
    try:
        with access.Databases(context, params['all_sites'], params['client_dir']) as databases:
            seen = [facts.look(one.session) for one in databases.opened]
            notes = [
                note
                for one, found in zip(databases.opened, seen)
                for note in database_plan.refuse_unfit(context, one, found)
            ]
            if shadows:  # before the first copy: a death in the middle leaves some
                context.state.make()
                _record_dumps(context, directory, databases, params, 0.0)
            if not online:
                seen = [
                    _without_old_shadows(context, one, found, shadows, until)
                    for one, found in zip(databases.opened, seen)
                ]
            chosen = (
                ['none'] * len(seen) if shadows else database_plan.compressions(directory, seen, params['compression'])
            )
            manifests = [
                _take(context, one, _wanted(context, databases, one, found, directory, how, online), shadows, until)
                for one, found, how in zip(databases.opened, seen, chosen)
            ]
    except LifecycleError as exc:
        exc.msg = '%s The dump was not taken.' % exc.msg
        raise
    dump.flush(directory)
    access.remove_old(context)
    if not online and not shadows:
        _record_dumps(context, directory, databases, params, time.monotonic() - began)
    if shadows:
        notes.append(
            'the shadow tables stay in %s until they are restored or packed (state packed)'
            % ', '.join(one.database for one in manifests)
        )
    return dict(
        changed=True, directory=directory, online=online, notes=notes, databases=[_shown(one) for one in manifests]
    )


def _wanted(
    context: Context,
    databases: access.Databases,
    one: access.Opened,
    found: facts.Inspected,
    directory: str,
    compression: str,
    online: bool,
) -> dump.Wanted:
    return dump.Wanted(
        one.session,
        found,
        directory,
        one.schema.site,
        one.schema.root,
        one.schema.key,
        compression,
        online,
        context.version,
        database_later.settings_of_file(databases, one),
        database_later.visits(one, found),
    )


def _restore_limit(timeout: float, dump_s: float) -> float:
    """Seconds: a restore that is broken off for its time leaves the site down, so it has what the size wants. Pure."""
    return round(max(timeout, runs.RESTORE_FACTOR * dump_s), 3)


def _record_dumps(context: Context, directory: str, databases: access.Databases, params: Params, took_s: float) -> None:
    context.run.record_change(
        access.KIND,
        directory=directory,
        sites=[one.schema.site for one in databases.opened],
        client_dir=params['client_dir'],
        method=params['method'],
        restore_s=_restore_limit(params['timeout'], took_s),
    )


def _take(
    context: Context, one: access.Opened, wanted: dump.Wanted, shadows: bool, until: float
) -> dump_manifest.Manifest:
    limit = max(1.0, until - time.monotonic())
    if shadows:
        return shadow.take(wanted, access.record(context, one), limit, context.progress)
    return dump.take(wanted, limit, context.progress)


def _without_old_shadows(
    context: Context, one: access.Opened, seen: facts.Inspected, all_of_them: bool, until: float
) -> facts.Inspected:
    """Copies that were never complete, or whose dump is gone, are dropped; with ``all_of_them`` others are packed."""
    record = access.record(context, one)
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


def _shown(manifest: dump_manifest.Manifest) -> Result:
    tables = manifest.tables or {}
    return dict(
        site=manifest.site,
        database=manifest.database,
        file=manifest.file,
        compression=manifest.compression,
        method=shadow.METHOD if manifest.shadow else 'dump',
        bytes=manifest.bytes,
        tables=len(manifest.names),
        rows=sum(row.rows for row in tables.values()),
        version=manifest.content.version if manifest.content else None,
    )


def _run_restored(context: Context, params: Params) -> Result:
    if context.look() is not None:
        raise access.running(context)
    directory = access.directory(context, params)
    sites = [one.site for one in access.manifests(directory, params['all_sites'])]
    limit = context.run.time_left(params['timeout'])
    return restore_all(context, directory, sites, params['client_dir'], limit)


def restore_all(
    context: Context, directory: str, sites: t.Sequence[int], client_dir: t.Optional[str], limit: float
) -> Result:
    """Restore the dumps of these sites, the first site's first: its table names the databases of the others.

    Repeat it after a death at any point. LifecycleError.
    """
    until = time.monotonic() + limit
    context.state.make()
    results: t.List[Result] = []
    try:
        with access.Databases(context, False, client_dir) as databases:
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


def _of_site(databases: access.Databases, directory: str, site: int) -> access.Opened:
    key = dump_manifest.read(directory, site).key
    for one in databases.opened:
        if one.schema.key == key:
            return one
    raise LifecycleError(
        'The dump of site %d in %s is of %s, and no enabled site uses that database. It was not '
        'restored.' % (site, directory, key)
    )


def _restore_one(context: Context, directory: str, site: int, one: access.Opened, until: float) -> Result:
    manifest = dump_manifest.read(directory, site)
    if manifest.key != one.schema.key:
        raise LifecycleError(
            'The dump in %s is of %s, and config.json names %s. It was not restored.'
            % (directory, manifest.key, one.schema.key)
        )
    context.progress('restoring %s' % one.name)
    journal, record = restore.Journal(context.state.path, one.schema.key), access.record(context, one)
    shadows = shadow.is_of(record, directory)
    done = restore.restore(
        one.session, directory, manifest, journal, max(1.0, until - time.monotonic()), context.progress, shadows
    )
    if shadows and done['restored']:
        shadow.drop(one.session, record, context.progress)
    if not manifest.online:
        access.remember(context, one, manifest.version, restored=True)
    return dict(done, site=site, database=one.name)


def _run_packed(context: Context, params: Params) -> Result:
    """Afterwards, when the instance serves again: while it is down this would only cost time."""
    directory = database_later.recorded_in(context, params)
    if directory is None:
        raise LifecycleError('There is no dump to compress. Nothing was done. Give the directory of one as path.')
    before = [dump_manifest.read(directory, site) for site in dump_manifest.sites_in(directory)]
    copied = [one.site for one in before if one.shadow]
    running = bool(copied) and context.look() is not None
    files_of_shadows(context, directory, params['client_dir'], context.run.time_left(params['timeout']))
    drop_shadows(context, directory, params['client_dir'], copied, running)
    after: t.List[dump_manifest.Manifest] = []
    try:
        for one in before:
            after.append(dump_file.pack(directory, one.site, params['compression'], context.progress))
    except LifecycleError as exc:
        exc.result['changed'] = bool(copied) or after != before[: len(after)]
        raise
    return dict(changed=after != before, directory=directory, databases=[_shown(one) for one in after])


def files_of_shadows(context: Context, directory: str, client_dir: t.Optional[str], limit: float) -> None:
    """An ordinary dump of each database whose copies are the dump in a directory; they stay. LifecycleError."""
    until = time.monotonic() + limit
    found = [dump_manifest.read(directory, site) for site in dump_manifest.sites_in(directory)]
    missing = {one.key: one for one in found if one.shadow and not one.file}
    for one in _with_copies_of(context, directory, client_dir, [manifest.site for manifest in missing.values()]):
        if one.schema.key in missing:
            shadow.into_file(
                one.session, directory, missing[one.schema.key], max(1.0, until - time.monotonic()), context.progress
            )


def drop_shadows(
    context: Context, directory: str, client_dir: t.Optional[str], sites: t.Sequence[int], running: bool = False
) -> None:
    """Drop the copies that are the dump of these sites in a directory, complete or not. LifecycleError."""
    for one in _with_copies_of(context, directory, client_dir, sites):
        shadow.drop(one.session, access.record(context, one), context.progress, running)


def _with_copies_of(
    context: Context,
    directory: str,
    client_dir: t.Optional[str],
    sites: t.Sequence[int],
) -> t.Iterator[access.Opened]:
    """Nothing is asked where this instance knows of no copies that are this dump."""
    if not sites or not shadow.all_of(context.state.path, directory):
        return
    with access.Databases(context, any(site != 1 for site in sites), client_dir) as databases:
        for one in databases.opened:
            if shadow.is_of(access.record(context, one), directory):
                yield one


_RUNS: t.Dict[str, t.Callable[[Context, Params], Result]] = dict(
    dumped=_run_dumped,
    restored=_run_restored,
    migrated=database_later.run_migrated,
    compared=database_later.run_compared,
    packed=_run_packed,
)


# --- as a task of its own


def foresee(context: Context, params: Params) -> Result:
    context.look()
    return foreseen.of_a_task(database_plan.plan(context, params))


def work(context: Context, params: Params) -> Result:
    planned = foresee(context, params)
    done = run(context, params)
    return dict(
        done,
        notes=planned.get('notes', []) + [one for one in done.get('notes', []) if one not in planned.get('notes', [])],
    )


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
            done = restore_all(
                context,
                change['directory'],
                sites,
                change.get('client_dir'),
                context.run.time_left(runs.restore_s(change)),
            )
        if shadows:
            drop_shadows(context, change['directory'], change.get('client_dir'), change['sites'])
        return done
    except client.DatabaseError as exc:
        if exc.kind == 'cannot_connect':
            raise NotYet(exc.msg, **exc.result) from exc
        raise


def _whole(context: Context, change: t.Mapping[str, t.Any]) -> t.List[int]:
    """The sites whose shadow tables were complete: before that nothing had been changed. LifecycleError."""
    found = dump_manifest.sites_in(change['directory'])
    lost = [
        made.site
        for made in shadow.all_of(context.state.path, change['directory'])
        if made.whole and made.site not in found
    ]
    if lost:
        raise LifecycleError(
            'The manifest of the shadow tables of site %d is gone from %s. The database was left as '
            'it is, with them. Compare them with the tables, then rename them manually.'
            % (lost[0], change['directory'])
        )
    return [site for site in change['sites'] if site in found]
