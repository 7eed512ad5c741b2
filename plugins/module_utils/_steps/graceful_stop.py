# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Step ``graceful_stop``: options and what it does in a window."""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._stop import kill_policy, refusals
from ansible_collections.anqicms.lifecycle.plugins.module_utils._stop import stop as _stop

SPEC: t.Dict[str, t.Dict[str, t.Any]] = dict(
    timeout=dict(type='float', default=30.0),
    idle_timeout=dict(type='float', default=5.0),
    quiet_timeout=dict(type='float', default=120.0),
    migration_timeout=dict(type='float', default=3600.0),
    force=dict(type='str', default='idle', choices=['never', 'idle', 'timeout']),
)


def plan(context: Context, params: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    if context.foreseen.starts:
        killed = kill_policy.would_kill(context.foreseen.version or context.version, params['force'])
        return dict(
            changed=True,
            would='wait at most %g s for requests in flight, then send SIGTERM to the process '
            'that this window has started%s' % (params['idle_timeout'], killed),
            then=dict(stops=True, starts=False),
        )
    planned = refusals.plan(context, params)
    return dict(planned, then=dict(stops=bool(planned['changed'])))


def run(context: Context, params: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    return _stop.stop(context, params, watch=False)
