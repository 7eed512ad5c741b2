# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Move the state of an instance aside, so that one that cannot be used no longer stands in the way."""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import nothing_done
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import at_work, one_at_a_time, trusted
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context

Result = t.Dict[str, t.Any]


def put(context: Context, check_mode: bool) -> Result:
    """What changed, where it is kept now, and what was in it. LifecycleError when a run is at work, or it cannot be."""
    if check_mode or not context.state.exists():
        if at_work.is_worked_on(context.state):
            one_at_a_time.refuse(context)
        return _foreseen(context) if check_mode else _nothing_there(context)
    with one_at_a_time.held(context):
        lost = _unfinished(context)
        try:
            kept = context.state.put_aside()
        except OSError as exc:
            raise nothing_done('The state in %s could not be moved aside' % context.state.path, exc) from exc
    return (
        _nothing_there(context)
        if kept is None
        else dict(
            changed=True,
            outcome='done',
            kept_in=kept,
            msg='The state in %s was moved aside. It is kept in %s.%s' % (context.state.path, kept, lost),
        )
    )


def _foreseen(context: Context) -> Result:
    found = _nothing_there(context)
    if context.state.exists():
        found.update(
            changed=True, msg='The state in %s would be moved aside.%s' % (context.state.path, _unfinished(context))
        )
    return dict(found, outcome='planned')


def _nothing_there(context: Context) -> Result:
    kept = context.state.kept_aside()
    before = ' Moved aside earlier: %s.' % ', '.join(kept) if kept else ''
    return dict(
        changed=False,
        outcome='unchanged',
        kept_in=None,
        msg='There is no state in %s.%s' % (context.state.path, before),
    )


def _unfinished(context: Context) -> str:
    """What no recovery will know of any more."""
    try:
        run = context.state.last_unfinished()
    except trusted.DamagedState:
        return ' Whether it contains an unfinished run is not known. Start the instance if it is not running.'
    if run is None:
        return ''
    return ' The unfinished run %s in it will not be recovered. Start the instance if it is not running.' % (
        run.get('run_id')
    )
