# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Step ``port_released``: options and what it does in a window."""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import ports as _ports
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context

SPEC: t.Dict[str, t.Dict[str, t.Any]] = dict(
    ports=dict(type='list', elements='int'),
    address=dict(type='str', default='::'),
    timeout=dict(type='float', default=30.0),
)


def plan(context: Context, params: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    wrong = [port for port in params['ports'] or [] if not 0 < port < 65536]
    if wrong:
        raise LifecycleError('%s is not a port (1 to 65535). Nothing was done.' % ', '.join(map(str, wrong)))
    return dict(changed=False, would='wait at most %g s until %s can be bound' % (
        params['timeout'], ', '.join('port %d' % port for port in params['ports'] or [context.start_port])))


def run(context: Context, params: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    ports = params['ports'] or [context.start_port]
    limit = context.time_left(params['timeout'])
    waited = _ports.wait_released(ports, params['address'], limit, on_progress=context.progress)
    return dict(waited, changed=False)
