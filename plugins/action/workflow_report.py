# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows and writes the report of all jobs of a workflow in AWX, on the controller."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _lines, _options
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._run import ending, report, results, workflow

Result = dict[str, t.Any]
_NO_WORKFLOW = (
    'There is no awx_workflow_job_id, so this is not a job of a workflow in AWX. Nothing was done. Make it the last '
    'node of a workflow, or read the closing tables of the single runs.'
)


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: Result | None = None) -> Result:
        result: Result = super().run(tmp, task_vars)
        del tmp
        self._vars = task_vars or {}
        known = _lines.words_of(self._vars, self._templar).known
        name = results.name_of(self._vars)
        if name == results.NAME:
            return {**result, 'failed': True, 'changed': False, 'msg': known(_NO_WORKFLOW)}
        try:
            language, time_zone, target = (self._value(f'anqicms_{key}') for key in ('language', 'time_zone', 'report'))
        except ValueError as error:
            return {**result, 'failed': True, 'changed': False, 'msg': known(f'{error} Nothing was done.')}
        refusal = report.refusal(target)
        if refusal:
            return {**result, 'failed': True, 'changed': False, 'msg': known(f'{refusal} Nothing was done.')}
        return {**result, **self._report(name, language, time_zone, target)}

    def _value(self, name: str) -> t.Any:
        return _options.value_of(name, self._templar.template(self._vars.get(name)))

    def _report(self, name: str, language: str | None, time_zone: str | None, target: str | None) -> Result:
        number = name[len(results.NAME) + 1 :]
        hosts = [str(host) for host in self._vars['ansible_play_hosts_all']]
        document = workflow.make(number, results.given(name, self._vars), hosts)
        to = ending.Targets(target)
        passed_on = ending.artifacts(document, language, time_zone, to)
        _lines.show(ending.lines(document, language, time_zone, to, bool(passed_on)))
        return {'changed': False, 'document': document, **passed_on}
