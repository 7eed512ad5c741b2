# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Step ``log_check``: options and what it does in a window, where it reads what was written since the window began."""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._steps import logs

SPEC: t.Dict[str, t.Dict[str, t.Any]] = dict(
    since=dict(type='str'),
    ignore=dict(type='list', elements='str', default=[]),
    fail_on=dict(type='str', default='error', choices=['error', 'warning', 'never']),
)


def plan(context: Context, params: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    logs.check_params(params)
    return dict(changed=False, would='read what the logs say since %s' % (params['since'] or 'the start of the window'))


def run(context: Context, params: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    context.look()
    return logs.check(context, params, params['since'] or context.run.window_position or logs.LAST_START)
