# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The end of a run as a task sees it, where the callback is not enabled: from the registered variables of all hosts."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _lines
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._run import collect, ending

Result = dict[str, t.Any]


def close(variables: t.Mapping[str, t.Any], templar: t.Any, verb: str) -> Result:
    """Show the closing table of the run of this verb, and do what else belongs to its end; returns what a task adds."""
    own = collect.plan_of(variables)
    if own.get('verb') != verb:
        return {}
    to = ending.targets(lambda name: templar.template(variables.get(name)))
    if ending.callback_is_enabled and to.report != 'artifacts':
        return {}
    run = _run(variables, own)
    artifacts = ending.artifacts(run.document(), run.language, run.time_zone, to)
    if not ending.callback_is_enabled:
        _lines.show(ending.lines(run.document(), run.language, run.time_zone, to, bool(artifacts)))
    return artifacts


def _run(variables: t.Mapping[str, t.Any], own: t.Mapping[str, t.Any]) -> collect.Run:
    hostvars: t.Any = variables['hostvars']
    hosts, alive = ([str(host) for host in variables[f'ansible_play_{name}']] for name in ('hosts_all', 'hosts'))
    lost = [host for host in hosts if host not in alive]
    return collect.of_tasks({host: hostvars.raw_get(host) for host in hosts}, own, lost, time.time())
