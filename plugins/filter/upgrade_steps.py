# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: upgrade_steps
short_description: Create the steps of the window of an upgrade
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Creates the steps of one window for all hops, with one dump of the databases before them. To plan an upgrade with
    separate windows, it creates the steps of the windows of all hops in one list.
  - The role C(upgrade) uses this filter.
positional: options, checks, manifests, one_by_one
options:
  _input:
    description: The hops, as returned by P(anqicms.lifecycle.upgrade_path#filter).
    type: list
    elements: dict
    required: true
  options:
    description: Options of the steps C(graceful_stop), C(port_released), C(verified_start), and C(database), by name.
    type: dict
    required: true
  checks:
    description: The steps after the last start.
    type: list
    elements: dict
    required: true
  manifests:
    description:
      - Content of the archives by version, as returned by P(anqicms.lifecycle.release_manifest#lookup). Required for a
        plan that is created before the archives are on the host.
    type: dict
  one_by_one:
    description: Whether each hop has a separate window with a separate dump.
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
  description: The steps, for O(anqicms.lifecycle.window#module:steps). Empty if there is no hop.
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
