# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the module like any other module, and adds when it ran, by the clock of the controller."""

from __future__ import annotations

import typing as t

from ansible.plugins.action.normal import ActionModule as NormalActionModule

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._timed import timed

Result = dict[str, t.Any]


class ActionModule(NormalActionModule):
    def run(self, tmp: str | None = None, task_vars: Result | None = None) -> Result:
        return timed(lambda: super(ActionModule, self).run(tmp, task_vars))
