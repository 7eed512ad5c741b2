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
    system_text,
    used_up,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import hidden, printable

Result = t.Dict[str, t.Any]
Shown = t.Callable[[hidden.Spec, t.Mapping[str, t.Any]], Result]


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
        done = (
            ('What was done before that is not known. Check with instance_info.') if changes else 'Nothing was changed.'
        )
        return dict(
            failed=True, changed=changes, msg='%s. %s %s' % (why, done, advice), exception=traceback.format_exc()
        )


def _named(exc: Exception) -> str:
    """With its type, which the text of a system's failure lacks."""
    return '%s: %s' % (type(exc).__name__, system_text(exc) if isinstance(exc, OSError) else exc)
