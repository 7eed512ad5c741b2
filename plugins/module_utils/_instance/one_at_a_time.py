# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Only one user of the collection works on an instance at a time."""

import contextlib
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import at_work, journal, trusted
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import lock as _lock
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context

_BEGIN_WAIT_S = 3.0  # a run that has just taken the lock writes its name within that time


class OwnRun(LifecycleError):
    """It is an earlier call of this very run that is at work."""


def refuse(context: Context, token: str = '') -> t.NoReturn:
    """Somebody else holds the lock. OwnRun when that is the run of this token."""
    if _lock.is_held_by(context.state, token):
        raise OwnRun('An earlier call of this run is still working on %s.' % context.instance.id)
    try:
        run = at_work.wait_for_running_run(context.state, _BEGIN_WAIT_S)
    except trusted.DamagedState:
        run = None
    pids = ', '.join(map(str, _lock.holder_pids(context.state))) or 'unknown'
    who = (
        'run %s (step %s)' % (run.get('run_id'), run.get('step'))
        if run
        else 'pid %s, which has no run in %s' % (pids, context.state.path)
    )
    raise LifecycleError(
        '%s is in use by %s. Nothing was done. Wait until that has ended, then try again.' % (context.instance.id, who),
        holder=run,
    )


def _take_over(context: Context) -> None:
    try:
        run = journal.unfinished(journal.last_run(context.state.journal()))
    except LifecycleError:
        return  # a journal that cannot be read does not turn work that ended well into a failure
    if run and run.get('guardian'):
        context.state.try_log('end', durable=True, outcome='superseded')


def take(context: Context, token: str = '') -> _lock.Lock:
    """The lock of the instance. LifecycleError when somebody else who is heeded holds it, or it cannot be had."""
    context.state.make()
    lock = _lock.take(context.state, token)
    if lock is None:
        refuse(context, token)
    context.run.lock_notes = lock.notes
    return lock


@contextlib.contextmanager
def held(context: Context) -> t.Iterator[None]:
    """Hold the instance's lock meanwhile. LifecycleError when somebody else does.

    What ends well here takes over from a guardian that stayed behind an unfinished run.
    """
    lock = take(context)
    try:
        yield
        _take_over(context)
    finally:
        lock.close()
