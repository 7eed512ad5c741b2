# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks the variables of a run and shows its plan, once for all hosts, on the controller."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _origin, _plan, _table, _variables
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import shown

Result = dict[str, t.Any]
display = Display()


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: Result | None = None) -> Result:
        result: Result = super().run(tmp, task_vars)
        del tmp
        self._vars = task_vars or {}
        arguments = self._task.args
        if arguments.get('phase') == 'plan':
            return {**result, **self._show_plan(str(arguments.get('verb')))}
        return {**result, **self._check_names(_plan.truth(arguments.get('strict', False)))}

    # --- names of variables

    def _check_names(self, strict: bool) -> Result:
        where = _origin.names(self._task, self._vars, self._loader)
        judgement = _variables.judge(where)
        refused = [f'{shown(name)} ({where[name]}): meant is {known}.' for name, known in judgement.meant.items()]
        if refused:
            return _failed(
                ' '.join(refused) + ' Nothing was looked at or touched. Correct the names. What other tools read needs '
                'a name that does not come close to one of this collection.'
            )
        names = ', '.join(f'{shown(name)} ({where[name]})' for name in judgement.unknown)
        if names and strict:
            return _failed(
                f'Not variables of this collection: {names}. anqicms_strict refuses them. '
                'Nothing was looked at or touched.'
            )
        warnings = [f'Not variables of anqicms.lifecycle, and not used by it: {names}.'] if names else []
        return {'changed': False, 'msg': 'ok', 'unknown': judgement.unknown, 'warnings': warnings}

    # --- the plan

    def _show_plan(self, verb: str) -> Result:
        hosts = [str(host) for host in self._vars['ansible_play_batch']]
        facts = {host: self._facts(host) for host in hosts}
        lines = _table.table([row for host in hosts for row in _table.host_rows(host, facts[host], verb)])
        plans = {host: _table.plan_of(facts[host], verb) for host in hosts}
        unlisted = [host for host in hosts if plans[host].unlisted]
        if unlisted:
            display.display(_table.for_inventory({host: facts[host].get('anqicms__found') for host in unlisted}))
        shown_lines = {'changed': False, 'msg': lines, '_ansible_verbose_always': True}
        if self._is_empty(plans):
            return {**shown_lines, **_failed([*lines, 'No host has an instance to work on. Nothing was done.'])}
        return shown_lines

    def _facts(self, host: str) -> Result:
        """What the table needs of a host; variables of the play are not among those of hosts."""
        of_host = self._vars['hostvars'][host]
        names = ('anqicms_accept_hazards', 'anqicms_only', 'anqicms_only_if_needed')
        facts = {
            name: of_host[name] if name in of_host else self._templar.template(self._vars.get(name)) for name in names
        }
        # What was registered is data; there is nothing in it to be templated.
        return {**facts, 'anqicms__found': self._vars['hostvars'].raw_get(host).get('anqicms__found')}

    def _is_empty(self, plans: t.Mapping[str, _plan.Plan]) -> bool:
        """Whether nothing would be done on any host of the play, without a refusal that says so."""
        if any(plan.instances or plan.skipped or plan.refusals for plan in plans.values()):
            return False
        hostvars = self._vars['hostvars']
        later = [host for host in self._vars['ansible_play_hosts_all'] if host not in plans]
        return not any(hostvars[host].get('anqicms_instances') != [] for host in later)


def _failed(message: t.Any) -> Result:
    return {'failed': True, 'changed': False, 'msg': message}
