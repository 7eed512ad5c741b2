# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows lines unchanged, and passes values on. It runs on the controller."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _lines
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import as_data

Result = dict[str, t.Any]


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: Result | None = None) -> Result:
        result: Result = super().run(tmp, task_vars)
        del tmp
        lines = [str(line) for line in self._task.args.get('lines') or []]
        _lines.show(lines)
        result.update(changed=False, msg='\n'.join(lines))
        if self._task.args.get('kept'):
            result['kept'] = as_data(self._task.args['kept'])
        if self._task.args.get('stats'):
            result['ansible_stats'] = {'data': self._task.args['stats'], 'per_host': False, 'aggregate': True}
        return result
