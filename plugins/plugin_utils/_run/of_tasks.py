# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The canary and the end of a run as tasks see them, from the registered variables of all hosts.

The callback shows the end itself where it is enabled.
"""

from __future__ import annotations

import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _lines
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language import words
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._run import collect, document, ending

Data = t.Mapping[str, t.Any]

Result = dict[str, t.Any]


def close(variables: Data, templar: t.Any, verb: str) -> Result:
    """Show the closing table of the run of this verb, and do what else belongs to its end; returns what a task adds."""
    own = collect.plan_of(variables)
    if own.get('verb') != verb:
        return {}
    to = _targets(variables, templar)
    if ending.callback_is_enabled and to.report != 'artifacts':
        return {}
    run = _run(variables, own)
    artifacts = ending.artifacts(run.document(), run.language, run.time_zone, to)
    if not ending.callback_is_enabled:
        _lines.show(ending.lines(run.document(), run.language, run.time_zone, to, bool(artifacts)))
    return artifacts


def start_batch(variables: Data, templar: t.Any, verb: str) -> dict[str, t.Any]:
    """What the first task of each batch registers. At the start of the second one, the canary is done.

    A run that has asked a person after the canary has notified before that.
    """
    own = collect.plan_of(variables)
    if own.get('verb') != verb or not _targets(variables, templar).notify:
        return {}
    of_hosts = _of_hosts(variables)
    earlier = [one['number'] for one in collect.kept('anqicms__batch', of_hosts, own)]
    number = max(earlier, default=0) + 1
    is_known = number != 2 or any(one.get('asks') for one in collect.kept('anqicms__canary', of_hosts, own))
    return {
        'of': {'play': own['play'], 'verb': verb},
        'number': number,
        'notifications': [] if is_known else notify_canary(variables, templar),
    }


def notify_canary(variables: Data, templar: t.Any) -> list[Data]:
    """Send what the run has done so far; returns what became of it."""
    own, to = collect.plan_of(variables), _targets(variables, templar)
    if not to.notify or own.get('check_mode') or not own:
        return []
    run = _run(variables, own)
    made = run.document()
    if not any(made['totals'][outcome] for outcome in document.WORKED):
        return []
    earlier = len(made['notifications'])
    ending.notify('canary', made, to.notify, words.of(run.language))
    return list(made['notifications'][earlier:])


def _run(variables: Data, own: Data) -> collect.Run:
    hosts, alive = ([str(host) for host in variables[f'ansible_play_{name}']] for name in ('hosts_all', 'hosts'))
    lost = [host for host in hosts if host not in alive]
    return collect.of_tasks(_of_hosts(variables), own, lost, time.time())


def _of_hosts(variables: Data) -> dict[str, Data]:
    hostvars: t.Any = variables['hostvars']
    return {str(host): hostvars.raw_get(host) for host in variables['ansible_play_hosts_all']}


def _targets(variables: Data, templar: t.Any) -> ending.Targets:
    return ending.targets(lambda name: templar.template(variables.get(name)))
