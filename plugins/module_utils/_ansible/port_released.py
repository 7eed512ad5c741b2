# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What the module port_released does."""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import module as _module
from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import task_of_run
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import ports as _ports
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import observed, users
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.observed import Observed

SPEC = _module.common_spec(dir=dict(type='path'), **_ports.WAIT_OPTIONS, **task_of_run.OPTIONS)

_SETTLE_S = 0.15  # a guard that takes the port back at once is seen; a task of its own costs more than this anyway


def wanted_ports(params: t.Mapping[str, t.Any]) -> t.List[int]:
    """``ports``, else ``port``, which has to be one of the instance in ``dir``, else that of its next start."""
    if params['ports'] is not None:
        return list(params['ports'])
    if params['dir'] is None:
        return [params['port']]
    found = Observed(*observed.named(params), params['port'], users.known(params.get('user')))
    found.look()
    if params['port'] is None:
        return [found.start_port]
    if found.candidate is not None or params['port'] != found.last_port():  # the stop before this call closed it
        found.refuse_wrong_port()
    return [params['port']]


def work(params: t.Mapping[str, t.Any], check_mode: bool = False) -> t.Dict[str, t.Any]:
    """The result; in check mode that of one look, which never fails for a port that is held."""
    if check_mode or params['dir'] is None:
        return _work(params, check_mode)
    state = observed.named(params)[1] if params.get('run_id') else None
    return task_of_run.of_run(params, 'port_released', state, lambda: _work(params, False))


def _work(params: t.Mapping[str, t.Any], check_mode: bool) -> t.Dict[str, t.Any]:
    ports = wanted_ports(params)
    if params['timeout'] < 0:
        raise LifecycleError('timeout must not be negative, got %g. Nothing was done.' % params['timeout'])
    if check_mode:
        return dict(_ports.look(ports, params['address']), changed=False)
    result = _ports.wait_released(ports, params['address'], params['timeout'], settle=_SETTLE_S, explain=True)
    return dict(result, changed=False)
