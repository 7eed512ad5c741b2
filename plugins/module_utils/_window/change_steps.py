# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The kinds of steps that change files, configuration or database; imported where a window may have some."""

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import (
    config,
    database,
    database_plan,
    keep_files,
    release,
    rollback,
    rollback_point,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._steps.table import STEPS, Step
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import settle


def register() -> None:
    """Add them to those that a window knows."""
    STEPS['config'] = Step(config.SPEC, config.plan, config.run, config.undo, lambda params: True, left=config.left)
    STEPS['release'] = Step(release.SPEC, release.plan, release.run, release.undo, release.changes_files,
                            left=release.left)
    STEPS['keep_files'] = Step(keep_files.SPEC, keep_files.plan, keep_files.run, keep_files.undo, keep_files.is_change,
                               left=config.left)
    STEPS['database'] = Step(database.SPEC, database_plan.plan, database.run, database.undo, database.is_change,
                             settle=settle.settle)
    STEPS['rollback'] = Step(rollback.SPEC, rollback.plan, rollback.run, rollback.undo, lambda params: True)
    STEPS['rollback_point'] = Step(rollback_point.SPEC, rollback_point.plan, rollback_point.run)
