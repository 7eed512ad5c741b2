# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sends one notification to the targets of anqicms_notify, on the controller."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _lines, _options
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language import words as _words
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._notify import result_lines
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._notify.send import send

Result = dict[str, t.Any]


class ActionModule(ActionBase):
    """The targets are read from the variable: arguments of tasks are shown in several places, and these are secret."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: Result | None = None) -> Result:
        result: Result = super().run(tmp, task_vars)
        del tmp
        try:
            return {**result, **self._notify(task_vars or {})}
        except ValueError as error:
            return {**result, 'failed': True, 'changed': False, 'msg': f'{error} Nothing was sent.'}

    def _notify(self, variables: Result) -> Result:
        targets, language, run_id = (
            _options.value_of(name, self._templar.template(variables.get(name)))
            for name in ('anqicms_notify', 'anqicms_language', 'anqicms_run_id')
        )
        event, text, document = (
            _options.value_of(f'anqicms_notify_{name}', self._task.args.get(name))
            for name in ('event', 'text', 'document')
        )
        if text is None and document is None:
            raise ValueError('text must be one line of text, or document a dictionary. Neither is set.')
        document = {'run_id': run_id, **(document or {}), 'text': text}
        if self._task.check_mode:
            return {'changed': False, 'skipped': True, 'msg': 'Not sent in check mode.', 'notifications': []}
        words = _words.of(language)
        sent = send(event, document, targets, words)
        lines = result_lines.lines(sent, words)
        _lines.show(lines)
        return {'changed': any(one['ok'] for one in sent), 'msg': ' '.join(lines), 'notifications': sent}
