# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Follows a window in short calls, shows its progress, and continues to follow it after a lost connection.

The window itself runs in a worker on the host. Every call contains the same token, so that a call that is repeated, by
this plugin or by ssh, attaches to the worker that the first call has started.
"""

from __future__ import annotations

import time
import typing as t
import uuid

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import kinds
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import shown
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._timed import timed

display = Display()

_FIRST_WAIT_S = 8.0  # most windows end within the first call
_NEXT_WAIT_S = 5.0
_RETRY_S, _LONGEST_RETRY_S = 0.5, 10.0
_UNSTARTED_RETRY_S = 30.0  # nothing is known to have begun: give up sooner
_LOST_CODES = (-9, -15, 129, 130, 137, 143, 255, -1)  # the module, sudo or ssh was killed under us; -1: paramiko
_DEFAULT_DEADLINE_S = 900.0
_LONGER_S = 160.0  # than twice the deadline no worker and guardian are at work, see _worker.longest
_ROLLBACKS_S = 1200.0  # and longer where there is something to take back
_RESTORES = 2 * 10.0  # times the limit of a dump, where the host says that it is still at work, see _instance/runs.py
_DEFAULT_DATABASE_S = 3600.0

Result = dict[str, t.Any]


def lost(result: Result) -> bool:
    """Whether an answer is no answer: the module, sudo or ssh was killed before it could report.

    A Python that is missing, or that cannot run the module, says so and would say it again.
    """
    if 'module_stdout' not in result or 'outcome' in result:
        return False
    said = '%s%s' % (result.get('module_stdout', ''), result.get('module_stderr', ''))
    silent = result.get('rc') in (0, 1) and not result.get('module_stdout', '').strip() and 'Traceback' not in said
    return result.get('rc') in _LOST_CODES or (silent and 'SyntaxError' not in said)


def without_private(result: Result) -> Result:
    """The result without the arguments that only this plugin passes."""
    invocation = result.get('invocation')
    arguments = invocation.get('module_args') if isinstance(invocation, dict) else None
    if isinstance(arguments, dict):
        arguments.pop('internal', None)
    return result


def progress_line(host: str, directory: str, where: object) -> str:
    """One line for people: host, directory, step, time so far and time left. ``where`` is what the host said."""
    told = where if isinstance(where, t.Mapping) else {}
    step = 'beginning'
    if told.get('step'):
        step = 'step %s/%s %s' % (told.get('index'), told.get('of'), told.get('step'))
    text = ' (%s)' % told['text'] if told.get('text') else ''
    so_far, left = seconds(told.get('elapsed_ms')), seconds(told.get('left_ms'))
    line = 'window [%s %s]: %s%s, %.1f s so far' % (host, directory, step, text, so_far or 0.0)
    if left is not None:
        line += ', %d s until its deadline' % left
    return ''.join(char if char.isprintable() else '?' for char in line)


def restores(steps: object) -> float:
    """Seconds on top for databases, whose restore takes as long as they are large. Pure."""
    if isinstance(steps, str):  # the module reads it
        return _RESTORES * _DEFAULT_DATABASE_S if 'database' in steps else 0.0
    options = [step.get('database') for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []
    dumps = [one for one in options if isinstance(one, dict) and one.get('state') == 'dumped']
    return _RESTORES * sum(number(one.get('timeout', _DEFAULT_DATABASE_S)) for one in dumps)


def number(value: object) -> float:
    """0 for what the module refuses with a better message."""
    try:
        return max(0.0, float(value)) if isinstance(value, (int, float, str)) else 0.0
    except ValueError:
        return 0.0


def seconds(milliseconds: object) -> float | None:
    """None for what is no number of milliseconds, whatever the host said instead; never negative."""
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, (int, float)):
        return None
    return max(0.0, milliseconds / 1000.0) if abs(milliseconds) < 1e15 else None


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: Result | None = None) -> Result:
        result = super().run(tmp, task_vars)
        del tmp
        self._vars: Result = task_vars or {}
        self._host = str(self._vars.get('inventory_hostname', '?'))
        self._began = False
        self._give_up_at = time.monotonic() + self._longest()
        self._losses: list[str] = []
        # What a plain restart does not need is not sent to the host.
        self._module = 'window' if self._step_names().isdisjoint(kinds.OF_CHANGES) else kinds.MODULE
        result.update(timed(self._follow))
        return result

    def _follow(self) -> Result:
        """The result of the window, however long it takes."""
        token = uuid.uuid4().hex
        answer = self._call(self._arguments(token=token, wait=_FIRST_WAIT_S))
        while answer.get('running'):
            self._began = True
            display.display(progress_line(self._host, str(self._task.args.get('dir')), answer.get('where')))
            if time.monotonic() > self._give_up_at + restores(self._task.args.get('steps')):
                answer = self._not_ended(answer)
                break
            answer = self._call(self._arguments(token=token, wait=_NEXT_WAIT_S, follow=True))
        return self._shaped(without_private(answer))

    def _not_ended(self, answer: Result) -> Result:
        msg = (
            'the window on %s has not ended %g s after its start, which is more than the time limits of worker and '
            'guardian. Its state is not known. Check with instance_info what is running there.'
            % (self._host, self._longest() + restores(self._task.args.get('steps')))
        )
        return dict(failed=True, outcome='failed', changed=True, state='unknown', where=answer.get('where'), msg=msg)

    def _arguments(self, **internal: t.Any) -> Result:
        return dict(self._task.args, internal=internal)

    def _longest(self) -> float:
        """Seconds after which worker and guardian have certainly ended."""
        changes = not self._step_names().isdisjoint({*kinds.OF_CHANGES, 'command'})
        return 2 * self._deadline() + _LONGER_S + (_ROLLBACKS_S if changes else 0.0)

    def _step_names(self) -> set[str]:
        steps = self._task.args.get('steps')
        if isinstance(steps, str):  # a list as JSON or YAML: the module reads it
            return {name for name in (*kinds.OF_CHANGES, 'command') if name in steps}
        entries = [step for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []
        return {str(name) for step in entries for name in step}

    def _deadline(self) -> float:
        try:
            return float(self._task.args.get('deadline', _DEFAULT_DEADLINE_S))
        except (TypeError, ValueError):
            return _DEFAULT_DEADLINE_S  # the module refuses it with a better message

    def _shaped(self, answer: Result) -> Result:
        if self._losses:
            answer['connection_losses'] = self._losses
        return answer

    def _call(self, arguments: Result) -> Result:
        """One call; a lost one is made again with the same token until the window must have ended."""
        pause = _RETRY_S
        begin = time.monotonic()
        while True:
            try:
                answer = self._execute_module(
                    module_name=f'anqicms.lifecycle.{self._module}', module_args=arguments, task_vars=self._vars
                )
                if answer.get('needs') == kinds.MODULE and self._module != kinds.MODULE:
                    self._module = kinds.MODULE
                    continue
                if not lost(answer):
                    return answer
                why = 'the module was killed (rc %s)' % answer.get('rc')
                if not self._may_go_on(begin, pause):
                    return answer
            except AnsibleConnectionFailure as exc:
                why = str(exc)
                if not self._may_go_on(begin, pause):
                    raise AnsibleConnectionFailure(self._farewell(why)) from exc
            self._losses.append(shown(why, 200))
            display.display(
                'window [%s]: connection lost, the work on the host continues; trying again in %.1f s'
                % (self._host, pause)
            )
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_RETRY_S)
            self._reconnect()

    def _may_go_on(self, begin: float, pause: float) -> bool:
        limit = self._give_up_at if self._began else min(self._give_up_at, begin + _UNSTARTED_RETRY_S)
        return time.monotonic() + pause < limit

    def _farewell(self, why: str) -> str:
        run_id = self._task.args.get('run_id')
        return (
            '%s. If run %s was started on %s, the host completes it or rolls it back by itself. Check with '
            'instance_info, or run recover.yml.' % (why, run_id or '(without a run_id)', self._host)
        )

    def _reconnect(self) -> None:
        try:
            self._connection.reset()
        except Exception as exc:  # whatever a dead connection says when it is asked to go away
            display.vvv('window [%s]: reset of the connection: %s' % (self._host, exc))
