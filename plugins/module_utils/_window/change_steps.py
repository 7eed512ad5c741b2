# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The kinds of steps that change files, configuration or database; imported where a window may have some."""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import (
    access,
    config,
    database,
    database_plan,
    keep_files,
    release,
    release_moves,
    rollback,
    rollback_point,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import client, migration
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import NotYet
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._steps.table import STEPS, Step
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import recovery

_PAUSE_S = 0.5


def settle(context: Context, run: t.Mapping[str, t.Any], limit: float) -> None:
    """Before a run is taken back: a migration that it has set going is not cut.

    LifecycleError with ``migrating`` while one goes on, at most ``limit`` seconds later; NotYet without a server.
    One that has failed is none: nothing has worked on it for some time.
    """
    dumps = [change['data'] for change in run.get('changes') or [] if change['kind'] == access.KIND]
    if not dumps and run.get('waits_for') != recovery.WAITS_FOR_MIGRATION:
        return
    sites, client_dir = [site for dump in dumps for site in dump['sites']] or None, None
    for dump in dumps:
        client_dir = dump.get('client_dir') or client_dir
    try:
        with access.Databases(context, sites is None or len(set(sites)) > 1, client_dir) as databases:
            waited = [migration.Waiting(one.session, one.name) for one in databases.opened]
            migration.wait(
                waited,
                context.version,
                limit,
                context.progress,
                pause=_PAUSE_S,
                alive=lambda: context.handle is None or not context.handle.gone(),
            )
    except migration.Stalled:
        return
    except client.DatabaseError as exc:
        if exc.kind == 'cannot_connect':
            raise NotYet(exc.msg, **exc.result) from exc
        raise


def register() -> None:
    """Add them to those that a window knows."""
    STEPS['config'] = Step(config.SPEC, config.plan, config.run, config.undo, lambda params: True, left=config.left)
    STEPS['release'] = Step(
        release.SPEC, release.plan, release.run, release_moves.undo, release.changes_files, left=release.left
    )
    STEPS['keep_files'] = Step(
        keep_files.SPEC, keep_files.plan, keep_files.run, keep_files.undo, keep_files.is_change, left=config.left
    )
    STEPS['database'] = Step(
        database.SPEC, database_plan.plan, database.run, database.undo, database.is_change, settle=settle
    )
    STEPS['rollback'] = Step(rollback.SPEC, rollback.plan, rollback.run, rollback.undo, lambda params: True)
    STEPS['rollback_point'] = Step(rollback_point.SPEC, rollback_point.plan, rollback_point.run)
