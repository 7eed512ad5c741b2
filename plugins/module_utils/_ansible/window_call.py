# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""One call of the module ``window``: validate, plan or begin, then follow the worker for a while."""

import os
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import module as _module
from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import on_instance
from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import kinds, undo
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._hazards import table as _hazards
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import hidden
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.secrets import MASK
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import (
    aside,
    at_work,
    last_runs,
    lock,
    one_at_a_time,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import at_boot, validate, window_plan
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import follow as _follow
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import window as _window
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import worker as _worker

# For the action plugin: a name for this run that survives repeated calls, and how long to stay in one.
PRIVATE: t.Dict[str, t.Dict[str, t.Any]] = dict(
    internal=dict(
        type='dict',
        options=dict(
            token=dict(type='str', no_log=False),
            wait=dict(type='float', default=0.0),
            follow=dict(type='bool', default=False),
            look=dict(type='bool', default=False),
        ),
    ),
)
AT_BOOT = at_boot.main  # Ansible sends what is imported alone, and a boot runs this from what was sent


def _internal(params: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    return dict(dict(token=None, wait=0.0, follow=False), **(params['internal'] or {}))


def shown(spec: hidden.Spec, params: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    """The options as they are shown; of the steps all but what is secret in them."""
    steps = params.get('steps')
    return dict(
        hidden.options(spec, params),
        steps=[validate.shown_step(step) for step in steps] if isinstance(steps, list) else MASK,
    )


def _plan_of(module: AnsibleModule) -> window_plan.Plan:
    params = module.params
    on_instance.refuse_negative(params, 'deadline', 'guardian_limit')
    steps = validate.validate(params['steps'], module.no_log_values)
    if params['recover'] == 'only' and steps:
        raise LifecycleError('steps cannot be combined with recover: only. Nothing was done. Remove one of the two.')
    if not steps and params['recover'] != 'only':
        raise LifecycleError('steps is empty. Nothing was done. List the steps of the window, or set recover: only.')
    made_up = '%s-%s' % (time.strftime('%Y%m%dT%H%M%SZ', time.gmtime()), os.urandom(3).hex())
    token = _internal(params)['token'] or 'direct-%s' % os.urandom(8).hex()
    return window_plan.Plan(
        steps,
        params['run_id'] or made_up,
        token,
        params['deadline'],
        params['on_failure'],
        params.get('guardian_limit', window_plan.GUARDIAN_LIMIT_S),
        params.get('boot_hook', False),
    )


def _refuse_worked_on(context: Context, plan: window_plan.Plan) -> t.Dict[str, t.Any]:
    """The notes of a plan, where somebody holds a lock that is not heeded. LifecycleError for one that is."""
    judged = lock.look(context.state)
    if judged.refuses:
        one_at_a_time.refuse(context, plan.token)
    return dict(notes=[judged.note]) if judged.note else {}


def _planned(context: Context, plan: window_plan.Plan) -> t.Dict[str, t.Any]:
    """Check mode."""
    context.state.refuse_damaged()
    unfinished = at_work.interrupted(context.state)
    notes = _refuse_worked_on(context, plan)
    steps = window_plan.foresee(context, plan)
    before = 'running, pid %d' % context.candidate.pid if context.candidate else 'stopped'
    todo = ['recover the unfinished run %s' % unfinished.get('run_id')] if unfinished else []
    todo += ['%s: %s' % (step['name'], step['would']) for step in steps]
    diffs = [step.pop('diff') for step in steps if 'diff' in step]
    header = '%s (%s)' % (context.instance.id, context.instance.dir)
    diffs.insert(0, dict(before_header=header, after_header=header, before=before + '\n', after='\n'.join(todo) + '\n'))
    changed = bool(unfinished) or any(step['changed'] for step in steps)
    return dict(
        notes,
        changed=changed,
        outcome='planned',
        steps=steps,
        run_id=plan.run_id,
        downtime_ms=None,
        verified_ms=None,
        diff=diffs,
        instance=_window.describe_instance(context),
        interrupted=unfinished,
        version=context.version,
        pid_before=context.candidate.pid if context.candidate else None,
    )


def _accepted(params: t.Mapping[str, t.Any], plan: window_plan.Plan) -> t.FrozenSet[str]:
    """Also for what no step has options for: a second try, a recovery. LifecycleError for unknown codes."""
    _hazards.refuse_unknown(params.get('accept_hazards') or [])
    lists = [options.get('accept_hazards') for _name, options in plan.steps] + [params.get('accept_hazards')]
    return frozenset(code for codes in lists for code in codes or [])


def _user_of(params: t.Mapping[str, t.Any], plan: window_plan.Plan) -> t.Optional[str]:
    """The option, or that of a start among the steps. LifecycleError where they differ: who stops it, starts it."""
    named = [params.get('user')] + [options.get('user') for _name, options in plan.steps]
    users = list(dict.fromkeys(user for user in named if user))
    if len(users) > 1:
        raise LifecycleError('user is given as %s. Nothing was done. Give one.' % ' and as '.join(users))
    return users[0] if users else None


def _nothing_to_recover(context: Context, plan: window_plan.Plan, check_mode: bool) -> t.Optional[t.Dict[str, t.Any]]:
    """The result of ``recover: only`` when nothing is to be done, or may be; None when the worker has to do it."""
    found = at_work.interrupted(context.state)
    known: t.Dict[str, t.Any] = dict(
        steps=[],
        interrupted=found,
        instance=_window.describe_instance(context),
        run_id=plan.run_id,
        downtime_ms=None,
        verified_ms=None,
    )
    if not check_mode:
        _refuse_worked_on(context, plan)
        if found:
            return None
    known.update(_as_it_is(context))
    if check_mode:
        return dict(known, changed=found is not None, outcome='planned')
    return dict(known, changed=False, outcome='unchanged', msg='no unfinished run')


def _as_it_is(context: Context) -> t.Dict[str, t.Any]:
    """What runs, where nothing was done to it; never raises."""
    now = _window.state_after(context)
    return dict(pid_before=now['pid'], pid_after=now['pid'], state=now['state'], version=context.version)


def _unchanged(context: Context, plan: window_plan.Plan) -> t.Optional[t.Dict[str, t.Any]]:
    """The result where no step would change anything that lasts, None where one would or a recovery comes first."""
    context.state.refuse_damaged()
    if context.state.last_unfinished() is not None:
        return None
    notes = _refuse_worked_on(context, plan)
    planned = window_plan.foresee(context, plan)
    lasting = [step for step, (name, params) in zip(planned, plan.steps) if undo.is_change(name, params)]
    if not lasting or any(step['changed'] for step in lasting):
        return None
    return dict(
        notes,
        changed=False,
        outcome='unchanged',
        run_id=plan.run_id,
        downtime_ms=None,
        verified_ms=None,
        steps=[dict(name=step['name'], changed=False, result=dict(changed=False)) for step in lasting],
        instance=_window.describe_instance(context),
        **_as_it_is(context),
    )


def _recorded(context: Context, unchanged: t.Dict[str, t.Any]) -> t.Dict[str, t.Any]:
    """The journal has no window of it, so it is noted as a task is: this run has been here."""
    named = dict(by='window', run_id=unchanged['run_id'])
    left = last_runs.left(unchanged['state'], unchanged['pid_after'], unchanged['version'])
    context.state.try_log('task', steps=['window'], **named)
    context.state.try_log('task_end', durable=True, outcome='unchanged', **dict(left, **named))
    return unchanged


def _put_aside(module: AnsibleModule, context: Context, plan: window_plan.Plan) -> t.Dict[str, t.Any]:
    if module.params['recover'] != 'only':
        raise LifecycleError(
            'put_aside requires recover: only. Nothing was done. Move the state aside in a separate task.'
        )
    return dict(
        aside.put(context, module.check_mode),
        steps=[],
        instance=_window.describe_instance(context),
        run_id=plan.run_id,
        downtime_ms=None,
        verified_ms=None,
        **_as_it_is(context),
    )


def run(module: AnsibleModule) -> t.Dict[str, t.Any]:
    """What the module exits with. LifecycleError for everything that is refused."""
    plan = _plan_of(module)
    while True:
        try:
            return _run(module, plan)
        except one_at_a_time.OwnRun:  # two calls of it at the same moment: this one follows the other
            continue


def _run(module: AnsibleModule, plan: window_plan.Plan) -> t.Dict[str, t.Any]:
    context = on_instance.context_of(dict(module.params, user=_user_of(module.params, plan)))
    context.run.accepted_hazards = _accepted(module.params, plan)
    if module.params.get('put_aside'):
        return _put_aside(module, context, plan)
    needs = undo.foreign_kinds((context.state.last_unfinished() or {}).get('changes') or [])
    if needs:
        return dict(
            changed=False,
            needs=kinds.MODULE,
            failed=True,
            msg=(
                'The unfinished run of %s has changed %s, which this module cannot undo. Nothing was done. Run the '
                'recover playbook.' % (context.instance.id, ', '.join(needs))
            ),
        )
    until = time.monotonic() + (_internal(module.params)['wait'] or _worker.longest(plan))
    if _follow.wait_for_begin(context.state, plan.token, until):
        return dict(running=True, changed=False, where=_follow.whereabouts([]))
    known = _follow.knows(context.state, plan.token)
    if module.params['recover'] == 'only' and not known:
        settled = _nothing_to_recover(context, plan, module.check_mode)
        if settled is not None:
            return settled
    if module.params.get('only_if_changed') and not known:
        unchanged = _unchanged(context, plan)
        if unchanged is not None:
            return unchanged if module.check_mode else _recorded(context, unchanged)
    if module.check_mode:
        return _planned(context, plan)
    if _internal(module.params)['follow'] and not known:
        raise LifecycleError(
            'The state of run %s in %s was removed, so its outcome is not known. Check with instance_info.'
            % (plan.run_id, context.state.path)
        )
    # ssh repeats a call after a lost connection: the second one follows the first one's worker
    pipe = None if known else _worker.begin(context, plan)
    ended = _follow.wait_for_end(context.state, until, pipe)
    return _follow.report(context.state, plan.token, ended, plan.deadline)


def main() -> None:
    module = _module.Module(
        argument_spec=_module.common_spec(
            steps=dict(type='list', elements='dict', default=[], no_log=True),  # some of their options are secret
            run_id=dict(type='str'),
            deadline=dict(type='float', default=900.0),
            guardian_limit=dict(type='float', default=3600.0),
            on_failure=dict(type='str', default='rollback', choices=['rollback', 'leave']),
            only_if_changed=dict(type='bool', default=False),
            boot_hook=dict(type='bool', default=True),
            recover=dict(type='str', default='auto', choices=['auto', 'only']),
            accept_hazards=dict(type='list', elements='str', default=[]),
            put_aside=dict(type='bool', default=False),
            **PRIVATE,
        ),
        shown=shown,
        supports_check_mode=True,
    )
    _module.run(module, lambda: run(module), changes=True)
