# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of the modules that can be the tasks of a run without a window, a stop for example."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  run_id:
    description:
      - Name of the run that this task belongs to. The task then records its outcome in the state directory, except in
        check mode. M(anqicms.lifecycle.instance_info) and the C(status) playbook show it.
      - Without this option, and without O(dir), nothing is recorded.
    type: str
  run_steps:
    description:
      - Names of the modules that the run uses on this instance, in order. The run is done when all of them have
        succeeded.
      - Used only with O(run_id). The default is this module alone.
    type: list
    elements: str
    default: []
"""
