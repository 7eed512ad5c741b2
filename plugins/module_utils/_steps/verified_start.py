# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Step ``verified_start``: options and what it does in a window."""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import versions
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import kept_launch
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import plan as _start_plan
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import start as _start

SPEC: t.Dict[str, t.Dict[str, t.Any]] = dict(
    ready_timeout=dict(type='float', default=120.0),
    ready_limit=dict(type='float', default=_start.READY_LIMIT_S),
    stable_for=dict(type='float', default=1.0),
    environment=dict(type='dict', no_log=True),
    arguments=dict(type='list', elements='str'),
    user=dict(type='str'),
    private_port=dict(type='bool', default=False),
    hosts=dict(type='list', elements='str'),
    accept_hazards=dict(type='list', elements='str', default=[]),
)


def defaults() -> t.Dict[str, t.Any]:
    """The options of a start that nobody gave options for: a second try, a recovery."""
    return {name: option.get('default') for name, option in SPEC.items()}


def plan(context: Context, params: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    planned = _start_plan.plan(context, params)
    if planned['changed'] and params['private_port']:
        planned['would'] += ', on a free port that no proxy uses'
    return dict(planned, then=dict(stops=False, starts=bool(planned['changed'])))


def run(context: Context, params: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    if context.run.private_port and not params['private_port']:
        kept_launch.put_back(context)  # a look meanwhile may have taken the private start for the usual one
    result = _start.start(context, params)
    _refuse_other_version(context, result.get('version'))
    return result


def _refuse_other_version(context: Context, told: t.Optional[str]) -> None:
    """LifecycleError where the release that this run has switched in is not the version that it was said to be."""
    wanted, found = versions.parse(context.run.expected_version), versions.parse(told)
    if wanted is not None and found is not None and wanted != found:
        raise LifecycleError(
            'The release that was switched in as %s reports version %s, so it is not the requested release. Stage it '
            'as %s, or get the archive of %s.'
            % (context.run.expected_version, told, told, context.run.expected_version),
            changed=True,
        )
