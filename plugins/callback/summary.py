# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: summary
type: aggregate
short_description: Show a closing table at the end of each run
version_added: 0.2.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Shows a table for each run of a changing playbook or role of this collection, after the recap. It contains the
    outcome of every instance, its version and its downtime. Instances that were left out or not touched are listed by
    the reason. The last lines explain what to do next.
  - Without this callback, tasks show the same table, but only if a task can still run at the end. With it, the table is
    also shown if all hosts were unreachable, if the preflight has failed, if a task outside of the collection has
    stopped the run, and after C(Ctrl-C). After C(SIGTERM) and C(SIGKILL), nothing is shown.
  - If C(anqicms_report) or C(anqicms_notify) is set, the callback writes the report and sends the notifications. If
    that fails, a line below the table reports it. It never changes the exit status.
  - Every line is a separate event, and shorter than 1,024 bytes, which is what AWX shows of an event.
  - Other playbooks are not affected.
requirements:
  - Set C(callbacks_enabled = anqicms.lifecycle.summary) in the section C([defaults]) of C(ansible.cfg), or
    C(ANSIBLE_CALLBACKS_ENABLED=anqicms.lifecycle.summary) in the environment.
"""

import atexit
import os
import time
import typing as t

from ansible.plugins.callback import CallbackBase
from ansible.template import Templar

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _lines
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._run import collect, ending
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import shown

_OURS = "anqicms.lifecycle."
_PREFLIGHT = _OURS + "preflight"
_REPORT = _OURS + "report"
# The tasks that change an instance. The record of the instance follows.
_WORK = frozenset(_OURS + name for name in ("window", "graceful_stop", "verified_start"))


class CallbackModule(CallbackBase):
    """Collects what our actions return in the main process, and shows it at the end."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "anqicms.lifecycle.summary"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *arguments: t.Any, **keywords: t.Any) -> None:
        super().__init__(*arguments, **keywords)
        self._collector = collect.Collector()
        self._targets: dict[int, ending.Targets] = {}
        self._play: t.Any = None
        self._process = os.getpid()
        ending.callback_is_enabled = True
        atexit.register(self._at_exit)

    # --- what happens

    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        self._play = play

    def v2_runner_on_start(self, host: t.Any, task: t.Any) -> None:
        if task.action in _WORK and task.check_mode is not True:
            self._collector.add_work(host.name)

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._take(result, "")

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self._take(result, str(result._result.get("msg") or ""))

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        reason = shown(result._result.get("msg") or "", 300)
        self._collector.add_unreachable(result._host.name, f"unreachable: {reason}", self._uuid(), time.time())

    def _take(self, result: t.Any, refusal: str) -> None:
        """Only our own actions are read: a module on a host may return anything."""
        if result._task.action == _PREFLIGHT and result._result.get("run"):
            run = self._collector.add_plan({**result._result["run"], "message": refusal}, time.time())
            self._targets[id(run)] = self._targets_of(result)
        elif result._task.action == _REPORT and result._result.get("records"):
            self._collector.add_records(result._result["records"][-1:], time.time())
        if result._task.action in (_PREFLIGHT, _REPORT):  # those of the canary
            self._collector.add_notifications(result._result.get("notifications") or [])
        if result._task.action in (_PREFLIGHT, _REPORT) and result._result.get("artifact"):
            self._collector.add_artifact()

    def _uuid(self) -> str:
        return str(getattr(self._play, "_uuid", ""))

    def _targets_of(self, result: t.Any) -> ending.Targets:
        """They contain secrets, so they are never part of a result."""
        manager = self._play.get_variable_manager()
        variables = manager.get_vars(play=self._play, host=result._host, task=result._task)
        templar = Templar(loader=self._play.get_loader(), variables=variables)
        return ending.targets(lambda name: templar.template(variables.get(name)))

    # --- the end

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        self._close(interrupted=False)

    def _at_exit(self) -> None:
        """Without the statistics, the run was interrupted. Workers are forks of the main process and show nothing."""
        if os.getpid() == self._process:
            self._close(interrupted=True)

    def _close(self, interrupted: bool) -> None:
        runs, self._collector.runs = self._collector.runs, []
        for run in runs:
            to = self._targets.get(id(run), ending.Targets())
            document = run.document(interrupted)
            _lines.show(ending.lines(document, run.language, run.time_zone, to, run.has_artifact))
