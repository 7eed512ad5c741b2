# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: upgrade_windows
short_description: Assign the hops of an upgrade to windows
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Puts all hops of an upgrade into one window, or each hop into a separate window.
  - The role C(upgrade) uses this filter.
positional: one_by_one, run_id
options:
  _input:
    description: The hops, as returned by P(anqicms.lifecycle.upgrade_path#filter).
    type: list
    elements: dict
    required: true
  one_by_one:
    description: Whether each hop has a separate window.
    type: bool
    required: true
  run_id:
    description: The name of the run.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show the windows of an upgrade
  ansible.builtin.debug:
    msg: "{{ hops | anqicms.lifecycle.upgrade_windows(true, 'night-7') }}"
  vars:
    hops: "{{ '3.2.8' | anqicms.lifecycle.upgrade_path('3.5.8', ['3.3.11', '3.5.8']) }}"
"""

RETURN = r"""
_value:
  description:
    - The windows, each with C(from), C(version), C(run_id), and C(hops). Empty if there is no hop.
    - The C(run_id) of the last window is the name of the run. For the windows before it, the target version of the
      window is appended to the name.
  type: list
  elements: dict
  sample:
    - {from: 3.2.8, version: 3.3.11, run_id: night-7-3.3.11, hops: []}
    - {from: 3.3.11, version: 3.5.8, run_id: night-7, hops: []}
"""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _upgrade_steps
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import as_data


def upgrade_windows(hops: t.Any, one_by_one: bool, run_id: t.Any) -> list[dict[str, t.Any]]:
    """Which hops are in one window; see ``_upgrade_steps.windows``."""
    return t.cast('list[dict[str, t.Any]]', as_data(_upgrade_steps.windows(hops, one_by_one, str(run_id))))


class FilterModule:
    """Gives the filter to Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"upgrade_windows": upgrade_windows}
