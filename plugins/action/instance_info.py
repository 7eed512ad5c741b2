# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the module like any other module. If it could not start, detects which Pythons the host has.

This is not a separate task, because every task requires a process on the controller for each host, even if the task is
skipped.
"""

from __future__ import annotations

import gc
import typing as t

from ansible.plugins.action.normal import ActionModule as NormalActionModule
from ansible.release import __version__ as core

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import kinds
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _options

Result = dict[str, t.Any]
# What a module leaves that broke down before it could answer; a traceback may hold all of its code.
_LEFT = ('module_stdout', 'module_stderr', 'exception', 'rc')


def _did_not_start(result: Result) -> bool:
    """Whether it broke down before it could answer, or ansible-core's own code there found that it is too old."""
    return 'module_stderr' in result or 'Current version: ' in str(result.get('msg'))


# The module that follows in the same run, by the verb of the role.
_FOLLOWS = {
    **dict.fromkeys(('restart', 'recover'), 'window'),
    **dict.fromkeys(('configure', 'upgrade', 'rollback'), kinds.MODULE),
}

# What makes that there is nothing to do on an instance, see _instance/plans.py, by the verb.
_OF_VERB = {
    'restart': {'only_if_needed': 'anqicms_only_if_needed'},
    'upgrade': {'to_version': 'anqicms_upgrade_to'},
    'rollback': {'of_run': 'anqicms_rollback_run'},
}


class ActionModule(NormalActionModule):
    def run(self, tmp: str | None = None, task_vars: Result | None = None) -> Result:
        result: Result = super().run(tmp, task_vars)
        why = self._why_it_did_not_start() if _did_not_start(result) else ''
        if not why:
            return result
        return {**{key: value for key, value in result.items() if key not in _LEFT}, 'msg': why, 'python_missing': True}

    def _execute_module(self, **call: t.Any) -> Result:
        """Where a window follows in the same run, its module does the look: Ansible packs a module once in a run.

        The host records the plan in the same call, because another task costs a process on the controller.
        """
        self._vars: Result = call.get('task_vars') or {}
        verb = self._vars.get('anqicms__verb', '')
        follows, plan = _FOLLOWS.get(verb), self._plan(verb)
        if follows or plan:
            internal = {**({'look': True} if follows else {}), **({'plan': plan} if plan else {})}
            name = f'anqicms.lifecycle.{follows or "instance_info"}'
            call = dict(call, module_name=name, module_args=dict(self._task.args, internal=internal))
        gc.disable()  # this process ends with its task, and packing makes much that is looked through in vain
        return t.cast(Result, super()._execute_module(**call))

    def _plan(self, verb: str) -> Result | None:
        """What the host is to record of this run; nothing of one that only looks, or that will be refused."""
        how = (self._vars.get('anqicms__listed') or {}).get('how')
        if verb not in _options.RESUMED or self._task.check_mode:
            return None
        run_id, only = (
            self._value('anqicms_run_id') or self._vars.get('anqicms__made_run_id'),
            self._value('anqicms_only'),
        )
        if not run_id or (how == 'nothing' and not only):
            return None
        hosts = sorted(map(str, self._vars.get('ansible_play_hosts_all') or []))
        needs = _OF_VERB.get(verb, {})
        return {
            'run_id': str(run_id),
            'verb': verb,
            'resumes': self._value('anqicms_resume'),
            'fleet': [hosts[0], hosts[-1]] if hosts else [],
            'only': only,
            'found': how != 'list',
            **{key: self._value(name) for key, name in needs.items()},
        }

    def _value(self, name: str) -> t.Any:
        return _options.value_of(name, self._templar.template(self._vars.get(name)))

    def _why_it_did_not_start(self) -> str:
        # Imported where it is needed only: every host of every run comes by here.
        from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _python

        used = (self._used_interpreter or '').lstrip('#!').strip()
        answer = self._low_level_execute_command(_python.command(used))
        return _python.explain(answer.get('stdout', ''), core, used)
