# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What the action ``preflight`` knows of a run, as data: its ``run``, from which the end of the run is made.

What only some runs need is imported there: each task is a process of its own, and starts with what it imports.
"""

from __future__ import annotations

import time
import typing as t

from ansible.errors import AnsibleError

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _options, _origin, _plan
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._run import planned, results

Data = t.Mapping[str, t.Any]


class OfAction:
    """The run of one task of the action, from the variables of that task."""

    def __init__(self, task: t.Any, variables: Data, templar: t.Any, verb: str) -> None:
        self._task, self._vars, self._templar, self._verb = task, variables, templar, verb

    def head(self, run_id: str = '') -> dict[str, t.Any]:
        """What is known of the run itself; nothing else, because a failed task shows it."""
        job = self._vars.get('awx_job_id') or self._vars.get('tower_job_id')
        known = {
            'play': str(getattr(_origin.play_of(self._task), '_uuid', '')),
            'verb': self._verb,
            'run_id': run_id,
            'check_mode': bool(self._task.check_mode),
            'began_at': round(time.time(), 3),
            'resumes': self.value('anqicms_resume'),
            'awx_job': str(job or ''),
            'language': self.value('anqicms_language'),
            'time_zone': self.value('anqicms_time_zone'),
        }
        return {key: value for key, value in known.items() if value}

    def value(self, name: str) -> t.Any:
        """The value for the host of this task; the default where it is wrong, which this task reports."""
        try:
            return _options.value_of(name, self._templar.template(self._vars.get(name)))
        except (ValueError, AnsibleError):
            return _options.value_of(name, None)

    def planned(
        self, found: t.Mapping[str, t.Any], plans: t.Mapping[str, _plan.Plan], only: t.Mapping[str, t.Sequence[str]]
    ) -> list[list[t.Any]]:
        """A row for each instance, and for each host without any, all by host: what was found, its plan, the ids."""
        rows = [row for host, plan in plans.items() for row in planned.of_host(host, found[host], plan, only[host])]
        in_play = [str(host) for host in self._vars['ansible_play_hosts_all']]
        alive = {str(host) for host in self._vars['ansible_play_hosts']}
        gone = {host for host in in_play if host not in alive}
        return [list(row) for row in [*rows, *planned.others(plans, in_play, self._without_limit(), gone)]]

    def _without_limit(self) -> list[str]:
        """The hosts that the playbook would work on without --limit; none for a role in a play of somebody else."""
        if not self._vars.get('anqicms__whole_fleet'):
            return []
        hostvars: t.Any = self._vars['hostvars']
        pattern = self.value('anqicms_hosts')
        hosts = hostvars._inventory.get_hosts(pattern, ignore_limits=True, ignore_restrictions=True)
        return [host.name for host in hosts]

    def report_refusal(self) -> str:
        """Why the report could not be written at the end; '' if it can, or if none is wanted."""
        target = self.value('anqicms_report')
        if not target or self._task.check_mode:
            return ''
        from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._run import report

        refusal = report.refusal(target)
        return f'{refusal} Nothing was done. Correct anqicms_report, or leave it out.' if refusal else ''

    def notify(self, event: str, run: Data) -> list[Data]:
        """Send the start of the run, or the end of its canary. What became of it is said at the end of the run."""
        to = self.value('anqicms_notify')
        if not to or self._task.check_mode:
            return []
        from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language import words
        from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._run import collect, ending

        seen = collect.Run('', self._verb)
        seen.add_plan(run, time.time())
        document = seen.document()
        ending.notify(event, document, to, words.of(run.get('language')))
        return list(document['notifications'])

    def passed_on(self) -> dict[str, t.Any]:
        """What the earlier jobs of a workflow have passed on, for the statistics of this one."""
        name = results.name_of(self._vars)
        given = results.given(name, self._vars)
        return results.passed_on({name: given}) if given else {}
