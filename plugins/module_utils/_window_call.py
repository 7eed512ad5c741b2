# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""One call of the module ``window``: validate, plan or begin, then follow the worker for a while."""

import os
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.anqicms.lifecycle.plugins.module_utils import (
    _aside,
    _follow,
    _hazards,
    _module,
    _one_at_a_time,
    _state,
    _validate,
    _window,
    _worker,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError

PRIVATE = dict(  # for the action plugin: a name for this run that survives repeated calls, and how long to stay in one
    internal=dict(type='dict', options=dict(
        token=dict(type='str', no_log=False),
        wait=dict(type='float', default=0.0),
        follow=dict(type='bool', default=False),
    )),
)  # type: t.Dict[str, t.Dict[str, t.Any]]


def _internal(params: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    return dict(dict(token=None, wait=0.0, follow=False), **(params['internal'] or {}))


def _plan_of(module: AnsibleModule) -> _window.Plan:
    params = module.params
    _module.refuse_negative(params, 'deadline', 'guardian_limit')
    steps = _validate.validate(params['steps'], module.no_log_values)
    if params['recover'] == 'only' and steps:
        raise LifecycleError('recover: only takes no steps. Nothing was done.')
    if not steps and params['recover'] != 'only':
        raise LifecycleError('steps is empty. Nothing was done. Give the steps of the window, or recover: only.')
    made_up = '%s-%s' % (time.strftime('%Y%m%dT%H%M%SZ', time.gmtime()), os.urandom(3).hex())
    token = _internal(params)['token'] or 'direct-%s' % os.urandom(8).hex()
    return _window.Plan(steps, params['run_id'] or made_up, token, params['deadline'], params['on_failure'],
                        params.get('guardian_limit', _window.GUARDIAN_LIMIT_S))


def _planned(context: Context, plan: _window.Plan) -> t.Dict[str, t.Any]:
    """Check mode."""
    context.state.refuse_damaged()
    unfinished = context.state.interrupted()
    if _state.is_locked(context.instance):
        _one_at_a_time.refuse(context)
    steps = _window.foresee(context, plan)
    before = 'running, pid %d' % context.candidate.pid if context.candidate else 'stopped'
    todo = ['put the unfinished run %s right' % unfinished.get('run_id')] if unfinished else []
    todo += ['%s: %s' % (step['name'], step['would']) for step in steps]
    diffs = [step.pop('diff') for step in steps if 'diff' in step]
    header = '%s (%s)' % (context.instance.id, context.instance.dir)
    diffs.insert(0, dict(before_header=header, after_header=header, before=before + '\n', after='\n'.join(todo) + '\n'))
    changed = bool(unfinished) or any(step['changed'] for step in steps)
    return dict(changed=changed, outcome='planned', steps=steps, run_id=plan.run_id, downtime_ms=None, verified_ms=None,
                diff=diffs, instance=_window.describe_instance(context), interrupted=unfinished,
                version=context.version,
                pid_before=context.candidate.pid if context.candidate else None)


def _accepted(params: t.Mapping[str, t.Any], plan: _window.Plan) -> t.FrozenSet[str]:
    """Also for what no step has options for: a second try, a recovery. LifecycleError for unknown codes."""
    _hazards.refuse_unknown(params.get('accept_hazards') or [])
    lists = [options.get('accept_hazards') for _name, options in plan.steps] + [params.get('accept_hazards')]
    return frozenset(code for codes in lists for code in codes or [])


def _nothing_to_recover(context: Context, plan: _window.Plan, check_mode: bool) -> t.Optional[t.Dict[str, t.Any]]:
    """The result of ``recover: only`` when nothing is to be done, or may be; None when the worker has to do it."""
    found = context.state.interrupted()
    known = dict(steps=[], interrupted=found, instance=_window.describe_instance(context), run_id=plan.run_id,
                 downtime_ms=None, verified_ms=None)  # type: t.Dict[str, t.Any]
    if check_mode:
        return dict(known, changed=found is not None, outcome='planned')
    if _state.is_locked(context.instance):
        _one_at_a_time.refuse(context)
    return None if found else dict(known, changed=False, outcome='unchanged', msg='no unfinished run')


def _put_aside(module: AnsibleModule, context: Context, plan: _window.Plan) -> t.Dict[str, t.Any]:
    if module.params['recover'] != 'only':
        raise LifecycleError('put_aside needs recover: only. Nothing was done. Move the state aside in a task of its '
                             'own.')
    return dict(_aside.put(context, module.check_mode), steps=[], instance=_window.describe_instance(context),
                run_id=plan.run_id, downtime_ms=None, verified_ms=None)


def run(module: AnsibleModule) -> t.Dict[str, t.Any]:
    """What the module exits with. LifecycleError for everything that is refused."""
    plan = _plan_of(module)
    context = _module.context_of(module.params)
    context.accepted_hazards = _accepted(module.params, plan)
    if module.params.get('put_aside'):
        return _put_aside(module, context, plan)
    known = _follow.knows(context.state, plan.token)
    if module.params['recover'] == 'only' and not known:
        settled = _nothing_to_recover(context, plan, module.check_mode)
        if settled is not None:
            return settled
    if module.check_mode:
        return _planned(context, plan)
    until = time.monotonic() + (_internal(module.params)['wait'] or _worker.longest(plan))
    if _internal(module.params)['follow'] and not known:
        raise LifecycleError('The state of run %s in %s is gone: its outcome is not known. Look with instance_info.' % (
            plan.run_id, context.state.path))
    # ssh repeats a call after a lost connection: the second one follows the first one's worker
    pipe = None if known else _worker.begin(context, plan)
    ended = _follow.wait_for_end(context.state, until, pipe)
    return _follow.report(context.state, plan.token, ended, plan.deadline)
