# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Take back what a window has changed, in reverse order, while the instance is stopped.

A step records each change before it makes it, so what is recorded may be made whole, half, or not at all; every kind
of undo is right for all three, and may itself be broken off and begun again.
"""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError, reason
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import kept_launch as launch
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import runs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._steps import graceful_stop
from ansible_collections.anqicms.lifecycle.plugins.module_utils._steps.table import STEPS
from ansible_collections.anqicms.lifecycle.plugins.module_utils._stop import stop as _stop

Change = t.Mapping[str, t.Any]
Result = t.Dict[str, t.Any]
_STOP_TIMEOUT_S = 120.0


def is_change(name: str, params: t.Mapping[str, t.Any]) -> bool:
    """Whether a step changes what lasts, and can take it back. Pure."""
    return STEPS[name].is_change(params)


def foreign_kinds(changes: t.Sequence[Change]) -> t.List[str]:
    """Kinds of changes that cannot be taken back with the steps that are loaded. Pure."""
    return sorted({change['kind'] for change in changes if change['kind'] != launch.KIND} - set(STEPS))


def undo(context: Context, changes: t.Sequence[Change]) -> t.List[Result]:
    """Stop what runs, take the changes back, newest first. LifecycleError when one of them cannot be.

    Each is noted as taken back at once, so that a recovery of this recovery does not begin before what was done since.
    """
    _stop_whatever_runs(context)
    _forget_end(context, changes)
    results = []
    for change in reversed(changes):
        context.progress('undoing %s' % change['kind'])
        done = _undo_of(change)(context, dict(change['data'], kind=change['kind']))
        results.append(dict(done, kind=change['kind'], number=change['number']))
        _note_undone(context, change)
    context.read_files()
    return results


def _forget_end(context: Context, changes: t.Sequence[Change]) -> None:
    """A run that died in its very end may count as one that a later rollback takes back."""
    for change in changes:
        if change['kind'] == launch.KIND and change['data'].get('directory'):
            try:
                runs.forget(change['data']['directory'])
            except OSError as exc:
                raise LifecycleError(
                    'The run cannot be undone, because the record of its end in %s cannot be removed: %s. The changes '
                    'were left. Fix the cause, then run recover.yml.' % (change['data']['directory'], reason(exc))
                ) from exc


def what_was_left(context: Context, changes: t.Sequence[Change]) -> t.List[Result]:
    """The changes of a run that ends well, each with what it has left. LifecycleError, OSError."""
    found = []
    for change in changes:
        kind = STEPS.get(change['kind'])
        left = kind.left(context, change['data']) if kind is not None and kind.left is not None else {}
        found.append(dict(change, left=left))
    return found


def _undo_of(change: Change) -> t.Callable[[Context, Change], Result]:
    if change['kind'] == launch.KIND:
        return launch.undo
    kind = STEPS.get(change['kind'])
    if kind is None or kind.undo is None:
        raise LifecycleError(
            'The run has made a change of the kind %s, which this release cannot undo. The change was left. Update the '
            'collection on the controller.' % change['kind']
        )
    return kind.undo


def _note_undone(context: Context, change: Change) -> None:
    try:
        context.state.log_at_last('undone', number=change['number'])
    except OSError as exc:
        raise LifecycleError(
            '%s was undone, but this could not be recorded in %s: %s. The instance was not started. Free space there.'
            % (change['kind'], context.state.path, reason(exc))
        ) from exc


def _stop_whatever_runs(context: Context) -> None:
    """Nobody but a recovery may start it now, so what runs was started by this run, or by a guard beside it."""
    if context.look() is not None:
        params = {name: option.get('default') for name, option in graceful_stop.SPEC.items()}
        _stop.stop(context, dict(params, timeout=_STOP_TIMEOUT_S, cut=True), watch=False)
    if context.look() is not None:
        raise LifecycleError(
            'Something has started %s again (pid %d) before its changes could be undone. The changes were left. Find '
            'out what starts it.' % (context.instance.id, context.candidate.pid if context.candidate else 0)
        )
