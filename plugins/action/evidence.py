# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the module on the host, and writes the bundle that it returns to a directory on the controller."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _bundle

Result = dict[str, t.Any]


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: Result | None = None) -> Result:
        result = super().run(tmp, task_vars)
        del tmp
        answer = self._execute_module(
            module_name='anqicms.lifecycle.evidence', module_args=dict(self._task.args), task_vars=task_vars
        )
        parts = answer.pop('parts', None)
        result.update(answer)
        if parts is not None:
            result.update(self._write(parts, str(answer.get('id')), str((task_vars or {}).get('inventory_hostname'))))
        return t.cast(Result, result)

    def _write(self, parts: t.Any, instance_id: str, host: str) -> Result:
        try:
            path = _bundle.place(str(self._task.args['dest']), host, instance_id)
            return {'path': path, 'files': _bundle.write(path, parts)}
        except _bundle.Refused as exc:
            return {'failed': True, 'msg': f'The bundle was not written whole: {exc}.'}
        except OSError as exc:
            return {
                'failed': True,
                'msg': f'The bundle could not be written to {exc.filename} on the controller: {exc.strerror}. '
                'Give another directory as dest.',
            }
