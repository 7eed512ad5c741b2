# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Step ``verified_start``: options and what it does in a window."""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import plan as _start_plan
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import start as _start

SPEC = dict(
    ready_timeout=dict(type='float', default=120.0),
    ready_limit=dict(type='float', default=_start.READY_LIMIT_S),
    stable_for=dict(type='float', default=1.0),
    environment=dict(type='dict', no_log=True),
    arguments=dict(type='list', elements='str'),
    user=dict(type='str'),
    hosts=dict(type='list', elements='str'),
    accept_hazards=dict(type='list', elements='str', default=[]),
)  # type: t.Dict[str, t.Dict[str, t.Any]]


def defaults() -> t.Dict[str, t.Any]:
    """The options of a start that nobody gave options for: a second try, a recovery."""
    return {name: option.get('default') for name, option in SPEC.items()}


def plan(context: Context, params: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    planned = _start_plan.plan(context, params)
    context.will_stop = False
    return planned


def run(context: Context, params: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    return _start.start(context, params)
