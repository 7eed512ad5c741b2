# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The module ``instance_info``: describe one instance, or find all of a host."""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import module as _module
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import hidden
from ansible_collections.anqicms.lifecycle.plugins.module_utils._info.describe import describe, describe_all
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import reach, users
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import resolve


def argument_spec() -> t.Dict[str, t.Any]:
    return _module.common_spec(
        dir=dict(type='path'),
        search=dict(type='list', elements='path', default=[]),
        recorded=dict(type='bool', default=False),
        http=dict(type='bool', default=True),
    )


def look(params: t.Mapping[str, t.Any], record: bool) -> t.Dict[str, t.Any]:
    port, http, base, user = params['port'], params['http'], params['state_dir'], users.known(params['user'])
    if port is not None and not 0 < port < 65536:
        raise LifecycleError('port must be between 1 and 65535, got %d. Nothing was inspected. Correct port.' % port)
    plan = (params.get('internal') or {}).get('plan')
    if params['dir'] is None:
        problems: t.List[str] = []
        found = describe_all(
            params['search'], params['binary'], http, base, record, params['recorded'], user, problems, plan
        )
        return dict(changed=False, instances=found, problems=problems)
    reach.refuse_hanging(params['dir'])
    instance = resolve(params['dir'], params['binary'])
    return dict(changed=False, instances=[describe(instance, port, http, base, record, user, plan)])


def run(**private: t.Dict[str, t.Any]) -> None:
    """``private``: an option that another module, which carries this one in its payload, is called with."""

    def shown(spec: hidden.Spec, params: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
        return {name: value for name, value in hidden.options(spec, params).items() if name not in private}

    module = _module.Module(
        dict(argument_spec(), **private), shown=shown, supports_check_mode=True, required_by=dict(port='dir')
    )
    _module.run(module, lambda: look(module.params, record=not module.check_mode))
