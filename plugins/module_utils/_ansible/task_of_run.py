# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""A task that belongs to a run without a window, a stop for example, leaves in the journal what came of it."""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import last_runs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state as _state

OPTIONS: t.Dict[str, t.Dict[str, t.Any]] = dict(
    run_id=dict(type='str'), run_steps=dict(type='list', elements='str', default=[])
)

Result = t.Dict[str, t.Any]


def of_run(
    params: t.Mapping[str, t.Any], by: str, state: t.Optional[_state.StateDir], work: t.Callable[[], Result]
) -> Result:
    """Do the work. ``by``: the name of the module. A full disk must not stop it: the run then has no end."""
    run_id = params.get('run_id')
    if not run_id or state is None:
        return work()
    named = dict(by=by, run_id=run_id)
    state.try_log('task', steps=params.get('run_steps') or [by], boot_id=procfs.boot_id(), **named)
    try:
        result = work()
    except Exception:
        state.try_log('task_end', durable=True, outcome='failed', **named)
        raise
    outcome = 'failed' if result.get('failed') else 'done' if result.get('changed') else 'unchanged'
    state.try_log('task_end', durable=True, outcome=outcome, **dict(_left(result), **named))
    return result


def _left(result: Result) -> Result:
    """What a stop or start leaves; the other tasks leave everything as it is."""
    if result.get('stopped'):
        return last_runs.left('stopped', version=result.get('version'))
    if 'ready_ms' in result and result.get('pid'):
        return last_runs.left('running', result['pid'], result.get('version'))
    return {}
