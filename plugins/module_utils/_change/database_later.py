# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""After a change of version: the end of its migration, and the comparison."""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import access
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import (
    compare,
    dump_manifest,
    migration,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import content as facts
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import (
    LifecycleError,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context

Params = t.Mapping[str, t.Any]
Result = t.Dict[str, t.Any]


def run_migrated(context: Context, params: Params) -> Result:
    context.look()
    directory = recorded_in(context, params)
    with access.Databases(context, params['all_sites'], params['client_dir']) as databases:
        waited = [
            migration.Waiting(
                one.session, one.name, one.schema.root, _late_lines(directory, one.schema.site, context.version)
            )
            for one in databases.opened
        ]
        answers = migration.wait(
            waited,
            context.version,
            context.run.time_left(params['timeout']),
            context.progress,
            migration.STALLED_S,
            alive=lambda: _lives(context),
        )
        for one in databases.opened:
            access.remember(context, one, context.version)
    if context.handle is not None and params['all_sites']:
        context.run.migrated = (context.handle.pid, context.handle.start_ticks)
    return dict(
        changed=False,
        notes=['%s: %s' % (one.name, note) for one, answer in zip(databases.opened, answers) for note in answer.notes],
        databases=[
            dict(site=one.schema.site, database=one.name, state=answer.state, why=answer.why)
            for one, answer in zip(databases.opened, answers)
        ],
    )


def _lives(context: Context) -> bool:
    """Where no process was seen it may run elsewhere, or be out of sight."""
    return context.handle is None or not context.handle.gone()


def recorded_in(context: Context, params: Params) -> t.Optional[str]:
    """The directory of the dumps that a step before this one has taken; None when there is none."""
    if not params['path'] and not context.run.id:
        return None
    directory = access.directory(context, params)
    return directory if dump_manifest.sites_in(directory) else None


def _late_lines(directory: t.Optional[str], site: int, version: t.Optional[str]) -> t.Optional[int]:
    """How many visits have to arrive in data/statistic of a site, where its table has gone there."""
    if directory is None or site not in dump_manifest.sites_in(directory):
        return None
    manifest = dump_manifest.read(directory, site)
    if not migration.jumps_over_statistics(manifest.version, version) or not manifest.tables:
        return None
    rows = manifest.tables['statistics'].rows if 'statistics' in manifest.tables else 0
    return rows + manifest.visits if rows else None


def run_compared(context: Context, params: Params) -> Result:
    context.look()
    directory = recorded_in(context, params)
    if directory is None:
        raise LifecycleError(
            'Nothing was recorded to compare with: no dump was taken by a step before this one. Give '
            'the directory of one as path.'
        )
    problems, notes, rows = [], [], []
    with access.Databases(context, params['all_sites'], params['client_dir']) as databases:
        for one in databases.opened:
            manifest = dump_manifest.read(directory, one.schema.site)
            if manifest.tables is None or manifest.content is None:
                raise LifecycleError(
                    'The dump in %s was taken while the site ran: there is nothing to compare with.' % directory
                )
            before = compare.Before(manifest.tables, manifest.content, manifest.site_settings)
            after = compare.look(one.session, context.run.time_left(params['timeout']))
            problems += ['%s: %s' % (one.name, text) for text in compare.broken(before, after, context.version)]
            notes += ['%s: %s' % (one.name, text) for text in compare.notes(before, after)]
            rows.append(
                dict(
                    site=one.schema.site,
                    database=one.name,
                    version=after.content.version or None,
                    rows=sum(count for count, _live in after.rows.values()),
                )
            )
    if problems:
        raise LifecycleError(
            'The databases do not hold what they held before: %s.' % '; '.join(problems[:12]),
            problems=problems,
            notes=notes,
            databases=rows,
        )
    return dict(changed=False, databases=rows, notes=notes)


def visits(one: access.Opened, seen: facts.Inspected) -> int:
    """What data/statistic holds already, where a new version will add the rows of the table to it."""
    return (migration.statistics_lines(one.schema.root) or 0) if 'statistics' in seen.names else 0


def settings_of_file(databases: access.Databases, one: access.Opened) -> t.Dict[str, str]:
    """Up to 2.3.6 the settings of the site are in config.json, and a later version moves them."""
    return facts.site_of(databases.config.get('system') or {}) if one.schema.site == 1 else {}
