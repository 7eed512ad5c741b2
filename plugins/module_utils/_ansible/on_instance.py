# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""A module's work on one instance: found by the common options, alone while something is changed."""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import task_of_run
from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible.module import run
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError, after_a_change
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import observed, one_at_a_time, users
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context

Work = t.Callable[[Context, t.Mapping[str, t.Any]], t.Dict[str, t.Any]]


def context_of(params: t.Mapping[str, t.Any]) -> Context:
    """The instance that the common options name. LifecycleError when there is none."""
    if params['port'] is not None and not 0 < params['port'] < 65536:
        raise LifecycleError('port must be between 1 and 65535, got %d. Nothing was done.' % params['port'])
    return Context(*observed.named(params), params['port'], user=users.known(params.get('user')))


def refuse_negative(params: t.Mapping[str, t.Any], *names: str) -> None:
    """Times are seconds, zero or more."""
    for name in names:
        if params.get(name) is not None and params[name] < 0:
            raise LifecycleError('%s must not be negative, got %g. Nothing was done.' % (name, params[name]))


def look_at_instance(module: AnsibleModule, look: Work, by: str = '') -> None:
    """Run a task that only looks at one instance, in check mode too. ``by``: its name, where it may be of a run."""

    def looked() -> t.Dict[str, t.Any]:
        context = context_of(module.params)
        try:
            state = None if module.check_mode else context.state
            return task_of_run.of_run(module.params, by, state, lambda: look(context, module.params))
        finally:
            context.close()

    run(module, looked)


def run_on_instance(module: AnsibleModule, foresee: Work, work: Work, times: t.Sequence[str], by: str = '') -> None:
    """Run a task that changes one instance, or in check mode foresee it. ``times``: its options in seconds.

    ``by``: its name, where it may be of a run.
    """

    def held() -> t.Dict[str, t.Any]:
        refuse_negative(module.params, *times)
        context = context_of(module.params)
        context.state.refuse_damaged()
        if module.check_mode:
            refuse_half_changed(context)
            _refuse_wrong_port(context, module.params)
            return foresee(context, module.params)
        with one_at_a_time.held(context):
            refuse_half_changed(context)
            _refuse_wrong_port(context, module.params)
            done = task_of_run.of_run(module.params, by, context.state, lambda: _honest(context, work, module.params))
            result = _with_notes(done, context.run.lock_notes)
            context.state.tidy_runs()
            return result

    run(module, held, changes=True)


def refuse_half_changed(context: Context) -> None:
    """LifecycleError where a run has changed files or the database and has not ended: only a recovery may go on."""
    run = context.state.last_unfinished()
    if run and run.get('changes'):
        kinds = ', '.join(dict.fromkeys(change['kind'] for change in run['changes']))
        raise LifecycleError(
            'Run %s has changed %s of %s and is unfinished. Nothing was done. Only a recovery may stop or start the '
            'instance now: run recover.yml.' % (run.get('run_id'), kinds, context.instance.id)
        )


def _honest(context: Context, work: Work, params: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    """What fails after something was done says so: changed, and not that nothing was done."""
    try:
        return work(context, params)
    except LifecycleError as exc:
        if context.run.acts or exc.result.get('changed'):
            exc.result['changed'] = True
            exc.msg = after_a_change(exc.msg)
        raise


def _with_notes(result: t.Dict[str, t.Any], notes: t.Sequence[str]) -> t.Dict[str, t.Any]:
    return dict(result, notes=list(notes) + result.get('notes', [])) if notes else result


def _refuse_wrong_port(context: Context, params: t.Mapping[str, t.Any]) -> None:
    """Only where a port is given: this look costs some milliseconds more."""
    if context.port_option is not None:
        context.look()
        context.refuse_wrong_port(params.get('arguments'))
