# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Put right what an unfinished run left: the instance runs again, or it is said why not.

Used by the guardian (its worker was killed), by the next run and by ``recover.yml``. The steps of this release change
nothing on disk, so an interrupted window is put right by starting the instance as it was.
"""

import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils import _step_graceful_stop, _step_verified_start, _start, _stop
from ansible_collections.anqicms.lifecycle.plugins.module_utils._context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError

_SETTLE_S = 0.3  # a SIGTERM that was just sent shows its effect: the port closes within some milliseconds

Run = t.Mapping[str, t.Any]


def _is_the_old_one(context: Context, run: Run) -> bool:
    before = run.get('before') or {}
    candidate = context.candidate
    return candidate is not None and (candidate.pid, candidate.start_ticks) == (before.get('pid'), before.get('start_ticks'))


def _stop_what_was_stopping(context: Context) -> None:
    params = dict((name, option.get('default')) for name, option in _step_graceful_stop.SPEC.items())
    _stop.stop(context, params, watch=False)


def make_it_run(context: Context, run: Run) -> t.Dict[str, t.Any]:
    """Make the instance run as before the run; returns what was found and done. LifecycleError when it cannot be."""
    time.sleep(_SETTLE_S)
    context.will_stop = False
    found = context.look()
    if found is not None and _is_the_old_one(context, run) and not context.listens():
        _stop_what_was_stopping(context)
        found = None
        context.look()
    result = _start.start(context, _step_verified_start.defaults())
    how = 'it ran' if not result['changed'] else 'it was ending, its end was completed and it was started' if found else 'it was started'
    return dict(result, recovered=how)


def should_run(run: Run) -> bool:
    """Whether the instance ran before the unfinished run, or the run was to start it."""
    return bool(run.get('before')) or 'verified_start' in (run.get('steps') or [])


def recover(context: Context, run: Run) -> t.Dict[str, t.Any]:
    """Finish an unfinished run in the journal. The lock must be held. LifecycleError when the instance does not run after it."""
    if not should_run(run):
        context.state.try_log('end', durable=True, outcome='unchanged', recovery=True)
        return dict(changed=False, pid=None, recovered='nothing: it did not run before')
    try:
        result = make_it_run(context, run)
    except LifecycleError as exc:
        context.state.try_log('recovery_failed', durable=True, msg=exc.msg)
        raise LifecycleError('Recovery of the unfinished run %s of %s failed: %s Run recover.yml when the cause is mended.' % (
            run.get('run_id'), context.instance.id, exc.msg), **exc.result)
    context.state.try_log('end', durable=True, outcome='recovered', recovery=True, pid=result['pid'])
    return result
