# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: upgrade_steps
short_description: Makes the steps of the window of an upgrade
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Makes the steps of one window that goes all the way, with one dump of the databases before it; or, to plan them, of
    the windows of all hops behind each other.
  - Used by the role C(upgrade).
positional: options, checks, manifests, one_by_one
options:
  _input:
    description: The hops, from P(anqicms.lifecycle.upgrade_path#filter).
    type: list
    elements: dict
    required: true
  options:
    description: Options of the steps C(graceful_stop), C(port_released), C(verified_start) and C(database), by name.
    type: dict
    required: true
  checks:
    description: The steps after the last start.
    type: list
    elements: dict
    required: true
  manifests:
    description:
      - What the archives hold, by version, for a plan that is made before they are on the host; see
        P(anqicms.lifecycle.release_manifest#lookup).
    type: dict
  one_by_one:
    description: Whether each hop has a window of its own, with its own dump.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show the steps of an upgrade
  ansible.builtin.debug:
    msg: "{{ hops | anqicms.lifecycle.upgrade_steps({}, [{'log_check': {}}]) }}"
  vars:
    hops: "{{ '3.3.11' | anqicms.lifecycle.upgrade_path('3.5.8', {'3.5.8': {'src': '/srv/anqicms-v3.5.8.zip'}}) }}"
"""

RETURN = r"""
_value:
  description: The steps, for O(anqicms.lifecycle.window#module:steps); empty where there is no hop.
  type: list
  elements: dict
  sample:
    - graceful_stop: {}
    - database: {state: dumped, all_sites: true}
"""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _upgrade_steps


class FilterModule:
    """Gives the filter to Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"upgrade_steps": _upgrade_steps.steps}
