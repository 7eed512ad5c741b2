# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""How the instance was started before a window: kept for its rollback, since a start of the window replaces it."""

import os
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import journal, trusted
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context

KIND = journal.LAUNCH
_NAME = 'launch.json'


def keep(context: Context) -> None:
    """Copy the launch record; it holds secrets, so it does not go into the journal. LifecycleError when it cannot."""
    record = context.state.read(_NAME)
    if record:
        context.run.keep_file(_NAME, record)
    touched, directory = context.run.touched, context.run.dir()
    context.run.record_change(KIND, directory=directory, kept=os.path.join(directory, _NAME) if record else None)
    context.run.touched = touched  # that alone touches nothing


def put_back(context: Context) -> None:
    """Make the kept record the one that the next start follows."""
    for change in context.run.changes:
        if change['kind'] == KIND:
            undo(context, change['data'])


def undo(context: Context, change: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    kept, own = change.get('kept'), os.path.join(context.state.path, _NAME)
    if kept:
        trusted.write_atomic(own, trusted.read_trusted(kept))
    elif os.path.lexists(own):
        os.unlink(own)
    return dict(changed=True)
