# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The glue between Ansible's module class and the work: common options, one kind of failure."""

import traceback
import typing as t

from ansible.module_utils import basic
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.anqicms.lifecycle.plugins.module_utils import _payload

_imported = _payload.install()  # before the imports that it makes cheaper

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import (
    LifecycleError,
    after_a_change,
    system_text,
    used_up,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import hidden, printable
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import instance as _instance
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import one_at_a_time, reach, users
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state as _state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context

Result = t.Dict[str, t.Any]
Shown = t.Callable[[hidden.Spec, t.Mapping[str, t.Any]], Result]
Work = t.Callable[[Context, t.Mapping[str, t.Any]], t.Dict[str, t.Any]]


def common_spec(**extra: t.Dict[str, t.Any]) -> t.Dict[str, t.Dict[str, t.Any]]:
    """The options that name one instance, and a module's own."""
    spec: t.Dict[str, t.Dict[str, t.Any]] = dict(
        dir=dict(type='path', required=True),
        binary=dict(type='str', default='anqicms'),
        port=dict(type='int'),
        user=dict(type='str'),
        state_dir=dict(type='path'),
    )
    spec.update(extra)
    return spec


def internal_options() -> Result:
    """What an action plugin of ours passes to this call, known before a module with its own options is made."""
    params = basic._load_params() or {}
    found = params.get('internal')
    return found if isinstance(found, dict) else {}


def context_of(params: t.Mapping[str, t.Any]) -> Context:
    """The instance that the common options name. LifecycleError when there is none."""
    if params['port'] is not None and not 0 < params['port'] < 65536:
        raise LifecycleError('port must be between 1 and 65535, got %d. Nothing was done.' % params['port'])
    reach.refuse_hanging(params['dir'])
    instance = _instance.resolve(params['dir'], params['binary'])
    state = _state.StateDir(instance, params['state_dir'])
    return Context(instance, state, params['port'], user=users.known(params.get('user')))


def refuse_negative(params: t.Mapping[str, t.Any], *names: str) -> None:
    """Times are seconds, zero or more."""
    for name in names:
        if params.get(name) is not None and params[name] < 0:
            raise LifecycleError('%s must not be negative, got %g. Nothing was done.' % (name, params[name]))


class Module(AnsibleModule):  # type: ignore[misc]  # ansible-core publishes no types
    """Ansible's class with one gate for all that leaves the host: printable text, and secrets masked by us.

    ``shown``: the options as they are shown, for a module that has secrets within its options.
    """

    def __init__(self, argument_spec: t.Dict[str, t.Any], shown: Shown = hidden.options, **options: t.Any) -> None:
        self._shown = shown
        AnsibleModule.__init__(self, argument_spec, **options)
        self.no_log_values: t.Set[str] = hidden.values_of(argument_spec, self.params)

    def exit_json(self, **result: t.Any) -> None:
        AnsibleModule.exit_json(self, **self._passed(result))

    def fail_json(self, msg: str, **result: t.Any) -> None:
        AnsibleModule.fail_json(self, **self._passed(dict(result, msg=msg)))

    def _passed(self, result: Result) -> Result:
        """What may leave. Nothing is left for Ansible to mask: it would mask the digits of numbers, too."""
        secrets, self.no_log_values = self.no_log_values, set()
        options = self._shown(self.argument_spec, self.params)
        passed = hidden.Mask(secrets, options).value(printable.value(result))
        return dict(passed, invocation=dict(module_args=printable.value(options)))


def run(module: AnsibleModule, work: t.Callable[[], Result], changes: bool = False) -> None:
    """Exit with what the work returns; a failure becomes a failed result with what is known.

    ``changes``: whether it may have changed something before it broke down.
    """
    _imported(not module.check_mode)
    result = _outcome(work, changes and not module.check_mode)  # no exception is pending: Ansible would add its text
    if result.get('failed'):
        module.fail_json(**result)
    module.exit_json(**result)


def _outcome(work: t.Callable[[], Result], changes: bool) -> Result:
    try:
        return work()
    except LifecycleError as exc:
        return dict(dict(changed=False), **dict(exc.result, msg=exc.msg, failed=True))
    except Exception as exc:  # a defect of ours, or a host in need; either way people need to read it
        why, advice = used_up(exc) or ('unexpected %s' % _named(exc), 'Report this with the result.')
        done = ('What was done before that '
                'is not known. Check with instance_info.') if changes else 'Nothing was changed.'
        return dict(failed=True, changed=changes, msg='%s. %s %s' % (why, done, advice),
                    exception=traceback.format_exc())


def _named(exc: Exception) -> str:
    """With its type, which the text of a system's failure lacks."""
    return '%s: %s' % (type(exc).__name__, system_text(exc) if isinstance(exc, OSError) else exc)


def look_at_instance(module: AnsibleModule, look: Work) -> None:
    """Run a task that only looks at one instance, in check mode too."""

    def looked() -> t.Dict[str, t.Any]:
        context = context_of(module.params)
        try:
            return look(context, module.params)
        finally:
            context.close()

    run(module, looked)


def run_on_instance(module: AnsibleModule, foresee: Work, work: Work, times: t.Sequence[str]) -> None:
    """Run a task that changes one instance, or in check mode foresee it. ``times``: its options in seconds."""

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
            result = _with_notes(_honest(context, work, module.params), context.lock_notes)
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
            'instance now: run recover.yml.' % (run.get('run_id'), kinds, context.instance.id))


def _honest(context: Context, work: Work, params: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    """What fails after something was done says so: changed, and not that nothing was done."""
    try:
        return work(context, params)
    except LifecycleError as exc:
        if context.acts or exc.result.get('changed'):
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
