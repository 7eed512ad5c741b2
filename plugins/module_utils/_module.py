# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The glue between Ansible's module class and the work: common options, one kind of failure."""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.anqicms.lifecycle.plugins.module_utils import _payload

_payload.install()  # before the imports that it makes cheaper

from ansible_collections.anqicms.lifecycle.plugins.module_utils import _instance, _one_at_a_time, _state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError

Work = t.Callable[[Context, t.Mapping[str, t.Any]], t.Dict[str, t.Any]]


def common_spec(**extra: t.Dict[str, t.Any]) -> t.Dict[str, t.Dict[str, t.Any]]:
    """The options that name one instance, and a module's own."""
    spec = dict(
        dir=dict(type='path', required=True),
        binary=dict(type='str', default='anqicms'),
        port=dict(type='int'),
        state_dir=dict(type='path'),
    )  # type: t.Dict[str, t.Dict[str, t.Any]]
    spec.update(extra)
    return spec


def context_of(params: t.Mapping[str, t.Any]) -> Context:
    """The instance that the common options name. LifecycleError when there is none."""
    if params['port'] is not None and not 0 < params['port'] < 65536:
        raise LifecycleError('port must be between 1 and 65535, got %d. Nothing was done.' % params['port'])
    instance = _instance.resolve(params['dir'], params['binary'])
    return Context(instance, _state.StateDir(instance, params['state_dir']), params['port'])


def refuse_negative(params: t.Mapping[str, t.Any], *names: str) -> None:
    """Times are seconds, zero or more."""
    for name in names:
        if params.get(name) is not None and params[name] < 0:
            raise LifecycleError('%s must not be negative, got %g. Nothing was done.' % (name, params[name]))


def run(module: AnsibleModule, work: t.Callable[[], t.Dict[str, t.Any]]) -> None:
    """Exit with what the work returns; a LifecycleError becomes a failed result with what is known."""
    try:
        result = work()
    except LifecycleError as exc:
        module.fail_json(**dict(dict(changed=False), **dict(exc.result, msg=exc.msg)))
    if result.get('failed'):
        module.fail_json(**result)
    module.exit_json(**result)


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
            _refuse_wrong_port(context, module.params)
            return foresee(context, module.params)
        with _one_at_a_time.held(context):
            _refuse_wrong_port(context, module.params)
            return work(context, module.params)

    run(module, held)


def _refuse_wrong_port(context: Context, params: t.Mapping[str, t.Any]) -> None:
    """Only where a port is given: this look costs some milliseconds more."""
    if context.port_option is not None:
        context.look()
        context.refuse_wrong_port(params.get('arguments'))
