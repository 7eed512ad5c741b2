# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: rollback_steps
short_description: Create the steps of the window that rolls back a run
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Creates the steps of one window that rolls back what an earlier run has changed on an instance. If this window
    fails, everything is restored to the state before the window.
  - The role C(rollback) uses this filter.
positional: run_id, options, checks
options:
  _input:
    description: The runs of the instance, RV(anqicms.lifecycle.instance_info#module:instances[].runs).
    type: list
    elements: dict
    required: true
  run_id:
    description: ID of the run to roll back.
    type: str
    required: true
  options:
    description: >-
      Options of the steps C(graceful_stop), C(port_released), C(verified_start), C(database), and C(rollback), by name.
    type: dict
    required: true
  checks:
    description: The steps after the start.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the steps of a rollback
  ansible.builtin.debug:
    msg: "{{ runs | anqicms.lifecycle.rollback_steps('night-7', {}, [{'log_check': {}}]) }}"
  vars:
    runs: [{run_id: night-7, stands: true, changes: [database, release]}]
"""

RETURN = r"""
_value:
  description: >-
    The steps, for O(anqicms.lifecycle.window#module:steps). Empty if the run has changed nothing or was already rolled
    back.
  type: list
  elements: dict
  sample:
    - graceful_stop: {}
    - rollback: {run_id: night-7}
"""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _rollback_steps


class FilterModule:
    """Gives the filter to Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"rollback_steps": _rollback_steps.steps_of}
