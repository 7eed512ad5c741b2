# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Only one user of the collection works on an instance at a time."""

import contextlib
import os
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils import _state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError

_BEGIN_WAIT_S = 3.0  # a run that has just taken the lock writes its name within that time


def refuse(context: Context) -> t.NoReturn:
    """Somebody else holds the lock."""
    try:
        run = context.state.wait_for_running_run(_BEGIN_WAIT_S)
    except _state.DamagedState:
        run = None
    pids = ', '.join(map(str, _state.lock_holders(context.instance))) or 'unknown'
    who = 'run %s (step %s)' % (run.get('run_id'), run.get('step')) if run else 'pid %s, which has no run in %s' % (
        pids, context.state.path)
    raise LifecycleError('%s is being worked on by %s. Nothing was done. Wait until that has ended, then try again.' % (
        context.instance.id, who), holder=run)


def _take_over(context: Context) -> None:
    try:
        run = _state.unfinished(_state.last_run(context.state.journal()))
    except LifecycleError:
        return  # a journal that cannot be read does not turn work that ended well into a failure
    if run and run.get('guardian'):
        context.state.try_log('end', durable=True, outcome='superseded')


@contextlib.contextmanager
def held(context: Context) -> t.Iterator[None]:
    """Hold the instance's lock meanwhile. LifecycleError when somebody else does.

    What ends well here takes over from a guardian that stayed behind an unfinished run.
    """
    lock = _state.lock(context.instance)
    if lock is None:
        refuse(context)
    try:
        yield
        _take_over(context)
    finally:
        os.close(lock)
