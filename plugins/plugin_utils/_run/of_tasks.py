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


def close(variables: t.Mapping[str, t.Any], templar: t.Any, verb: str) -> None:
    """Show the closing table of the run of this verb, and send and write what belongs to its end."""
    own = collect.plan_of(variables)
    if ending.callback_is_enabled or own.get('verb') != verb:
        return
    hostvars: t.Any = variables['hostvars']
    hosts, alive = ([str(host) for host in variables[f'ansible_play_{name}']] for name in ('hosts_all', 'hosts'))
    of_hosts = {host: hostvars.raw_get(host) for host in hosts}
    lost = [host for host in hosts if host not in alive]
    run = collect.of_tasks(of_hosts, own, lost, time.time())
    to = ending.targets(lambda name: templar.template(variables.get(name)))
    _lines.show(ending.lines(run.document(), run.language, run.time_zone, to))
