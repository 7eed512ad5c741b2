# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What the step ``database`` would do, and what refuses it."""

import os
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import access
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import content as facts
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import (
    dump,
    dump_file,
    dump_manifest,
    restore,
    shadow,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import (
    LifecycleError,
    present,
    reason,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context

Params = t.Mapping[str, t.Any]
Result = t.Dict[str, t.Any]
_PER_SECOND = 140e6  # bytes of data that a client dumps; seen with 20,000 and with 200,000 articles
_LOADED_PER_SECOND = 35e6
_COPIED_PER_SECOND = 50e6
_RENAMED_S = 0.2  # all tables, and the drop of those aside


def plan(context: Context, params: Params) -> Result:
    return dict(access.untouched(lambda: _PLANS[params['state']](context, params)))


def _plan_dumped(context: Context, params: Params) -> Result:
    """Everything that a dump, or a restore of it, would fail on."""
    online = access.is_online(context)
    shadows = params['method'] == shadow.METHOD
    if shadows and online:
        raise access.copied_while_it_runs(context)
    directory = access.directory(context, params, planning=True)
    with access.Databases(context, params['all_sites'], params['client_dir']) as databases:
        seen = [facts.look(one.session) for one in databases.opened]
        notes: t.List[str] = []
        for one, found in zip(databases.opened, seen):
            notes += refuse_unfit(context, one, found)
            notes += _notes_of_shadows(context, one, found, shadows)
            dump.trial(one.session)
        size = sum(found.data_bytes for found in seen)
        if not shadows:
            compressions(directory, seen, params['compression'])
        elif dump_file.choose('none', size, dump_file.free_bytes(directory), []) is None:
            notes.append(
                'there is no room in %s for the dump that is made of the shadow tables afterwards (%d MB)'
                % (directory, size >> 20)
            )
        notes += _refuse_full_server(databases.opened, seen, 'copy of all tables' if shadows else 'restore')
    if online:
        notes.append('the instance runs at this step: its dump is a plain backup, and is not compared or taken back')
    seconds = size / (_COPIED_PER_SECOND if shadows else _PER_SECOND)
    into = directory if params['path'] or not context.foreseen.steps else 'the directory of the run'
    would = 'copy the tables of %s inside the database, for %s' if shadows else 'dump %s into %s'
    return dict(
        changed=True,
        would='%s (%d MB of data, about %.1f s)'
        % (would % (access.names(databases.opened), into), size >> 20, seconds),
        notes=notes,
        estimate_ms=round(seconds * 1000),
        data_bytes=size,
        databases=[_foreseen(one, found) for one, found in zip(databases.opened, seen)],
    )


def _notes_of_shadows(context: Context, one: access.Opened, seen: facts.Inspected, shadows: bool) -> t.List[str]:
    found = shadow.ask_notes(one.session, seen) if shadows else []
    made = access.record(context, one).read()
    manifest = shadow.manifest_that_stands(made, one.schema.site)
    if manifest is not None and restore.all_there(seen, manifest):
        more = ', and become a file first, while the instance is down' if shadows else ''
        found.append(
            'shadow tables of the dump in %s are in it%s: state packed makes a file of them and drops '
            'them' % (present(made).directory, more)
        )
    return ['%s: %s' % (one.name, note) for note in found]


def _foreseen(one: access.Opened, seen: facts.Inspected) -> Result:
    """What whoever plans an upgrade asks of a database."""
    return dict(
        site=one.schema.site,
        database=one.name,
        server=seen.server,
        tables=len(seen.names),
        data_bytes=seen.data_bytes,
        all_bytes=seen.all_bytes,
        not_utf8mb4=facts.not_utf8mb4(seen),
        not_innodb=facts.not_innodb(seen),
    )


def refuse_unfit(context: Context, one: access.Opened, seen: facts.Inspected) -> t.List[str]:
    """LifecycleError for what a restore would fail on; the notes."""
    if seen.aside:
        raise LifecycleError(
            '%s is in the middle of a restore: %s. Nothing was done. Repeat that restore, or run '
            'recover: both put the tables back first.' % (one.schema.login.shown, facts.listing(seen.aside))
        )
    strange = shadow.unknown(seen, access.record(context, one).read())
    if strange:
        raise LifecycleError(
            '%s has tables with names of shadow tables (%s), and this instance has not made them, or '
            'its record of them is lost. Nothing was done. Drop them manually if they are not needed.'
            % (one.schema.login.shown, facts.listing(strange))
        )
    found = facts.obstacles(seen)
    if found:
        raise LifecycleError(
            '%s cannot be dumped so that it can be restored: it has %s. Nothing was done. Remove '
            'them, or change this database manually.' % (one.schema.login.shown, '; '.join(found))
        )
    missing = facts.missing_rights(seen)
    if missing:
        raise LifecycleError(
            'The user %s is not seen to have %s on the whole database %s: tables that he has no right '
            'on would be left out without a word, and a restore could not be made. Nothing was done. '
            'Grant these rights on the database.' % (one.schema.login.user, ', '.join(missing), one.schema.login.shown)
        )
    return ['%s: %s' % (one.name, note) for note in facts.notes(seen)]


def compressions(directory: str, seen: t.Sequence[facts.Inspected], wanted: str) -> t.List[str]:
    """How each is written, all beside each other. LifecycleError when there is no room."""
    free, chosen = dump_file.free_bytes(directory), []
    available = dump_file.compressors()
    if wanted in ('zstd', 'gzip') and wanted not in available:
        raise LifecycleError(
            '%s is not installed. Nothing was done. Install it, or choose another compression.' % wanted
        )
    total = sum(found.data_bytes for found in seen)
    one = dump_file.choose(wanted, total, free, available)
    if one is None:
        raise LifecycleError(
            'There is no room for the dump in %s: %d MB are free, and the databases hold %d MB of '
            'data. Nothing was done. Free space, or give another directory as path.'
            % (directory, free >> 20, total >> 20)
        )
    chosen += [one] * len(seen)
    return chosen


def _refuse_full_server(
    opened: t.Sequence[access.Opened], seen: t.Sequence[facts.Inspected], what: str = 'restore'
) -> t.List[str]:
    """In a restore old and new tables stand beside each other. The notes; LifecycleError when there is no room."""
    needed: t.Dict[str, int] = {}
    notes = []
    for one, found in zip(opened, seen):
        if not _is_local(one.schema.login.target.host) or not os.path.isdir(found.datadir):
            notes.append(
                '%s: whether its server has room for a %s (%d MB) is not known from this host'
                % (one.name, what, found.all_bytes >> 20)
            )
        else:
            needed[found.datadir] = needed.get(found.datadir, 0) + found.all_bytes
    for directory, size in needed.items():
        free = dump_file.free_bytes(directory)
        if free < size * 1.1:
            raise LifecycleError(
                'There is no room for a %s in %s: it needs %d MB beside the tables of today, and %d '
                'MB are free. Nothing was done. Free space there.' % (what, directory, size >> 20, free >> 20)
            )
    return notes


def _is_local(host: str) -> bool:
    return host.startswith(('/', '127.')) or host in ('localhost', '::1')


def _plan_restored(context: Context, params: Params) -> Result:
    return dict(_plan_of_restore(context, params), then=dict(restores_databases=True))


def _plan_of_restore(context: Context, params: Params) -> Result:
    if context.candidate is not None and not context.foreseen.stops:
        raise access.running(context)
    directory = access.directory(context, params, planning=True)
    manifests = access.manifests(directory, params['all_sites'])
    with access.Databases(context, params['all_sites'], params['client_dir']) as databases:
        seen = [facts.look(one.session) for one in databases.opened]
        for one, found in zip(databases.opened, seen):
            refuse_unfit(
                context,
                one,
                found._replace(
                    tables={name: table for name, table in found.tables.items() if not name.startswith(facts.PREFIX)}
                ),
            )
        ready = _with_shadows(context, databases.opened, seen, directory, manifests)
        for manifest in manifests:
            if manifest.file:
                _refuse_other_file(directory, manifest)
            elif manifest.key not in ready:
                _refuse_used_up(directory, manifest, databases.opened, seen)
        loaded = [(one, found) for one, found in zip(databases.opened, seen) if one.schema.key not in ready]
        notes = _refuse_full_server([one for one, _found in loaded], [found for _one, found in loaded])
    seconds = sum(found.data_bytes for _one, found in loaded) / _LOADED_PER_SECOND + _RENAMED_S * len(ready)
    return dict(
        changed=True,
        would='restore %s from %s (about %.0f s)'
        % (', '.join(manifest.database for manifest in manifests), directory, seconds),
        notes=notes,
        estimate_ms=round(seconds * 1000),
    )


def _with_shadows(
    context: Context,
    opened: t.Sequence[access.Opened],
    seen: t.Sequence[facts.Inspected],
    directory: str,
    manifests: t.Sequence[dump_manifest.Manifest],
) -> t.Set[str]:
    """The keys of the databases in which all copies of these dumps stand, or stood when a restore died."""
    wanted = {manifest.key: manifest for manifest in manifests}
    return {
        one.schema.key
        for one, found in zip(opened, seen)
        if one.schema.key in wanted
        and shadow.is_of(access.record(context, one), directory)
        and (restore.all_there(found, wanted[one.schema.key]) or found.aside)
    }


def _refuse_other_file(directory: str, manifest: dump_manifest.Manifest) -> None:
    path = os.path.join(directory, manifest.file)
    try:
        same = os.stat(path).st_size == manifest.bytes and manifest.sha256 in (None, dump_file.hash_of(path))
    except OSError as exc:
        raise LifecycleError('The dump %s cannot be read: %s. Nothing was done.' % (path, reason(exc))) from exc
    if not same:
        raise LifecycleError(
            'The dump %s is not the one that was taken: its size or its hash differs. Nothing was done.' % path
        )


def _refuse_used_up(
    directory: str,
    manifest: dump_manifest.Manifest,
    opened: t.Sequence[access.Opened],
    seen: t.Sequence[facts.Inspected],
) -> None:
    """LifecycleError where the copies are gone, unless the database is what it was then."""
    for one, found in zip(opened, seen):
        if one.schema.key == manifest.key and restore.is_same(one.session, found, manifest.tables or {}, access.LOOK_S):
            return
    raise LifecycleError(
        'The shadow tables of %s that were made for %s are not there any more. Nothing was done. '
        'Restore this database from a backup.' % (manifest.database, directory)
    )


def _plan_migrated(context: Context, params: Params) -> Result:
    with access.Databases(context, params['all_sites'], params['client_dir']) as databases:
        return dict(
            changed=False,
            would='wait until no migration runs in %s, at most %g s'
            % (access.names(databases.opened), params['timeout']),
        )


def _plan_compared(context: Context, params: Params) -> Result:
    if params['path']:
        access.manifests(params['path'], params['all_sites'])
    with access.Databases(context, params['all_sites'], params['client_dir']) as databases:
        return dict(changed=False, would='compare %s with what was recorded' % access.names(databases.opened))


def _plan_packed(context: Context, params: Params) -> Result:
    """In a window the dump may still have to be taken."""
    if params['path']:
        dump_manifest.read(params['path'], 1)
    return dict(changed=True, would='compress the dumps, and note the hashes of the files')


_PLANS: t.Dict[str, t.Callable[[Context, Params], Result]] = dict(
    dumped=_plan_dumped, restored=_plan_restored, migrated=_plan_migrated, compared=_plan_compared, packed=_plan_packed
)
