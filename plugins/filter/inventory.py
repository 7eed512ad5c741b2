# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: inventory
short_description: Convert instances that were found to inventory entries
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Reduces instances to the values that the variable C(anqicms_instances) needs.
  - An instance whose directory or binary contains control characters or template delimiters is left out.
options:
  _input:
    description: Instances as returned by M(anqicms.lifecycle.instance_info).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Find the instances of the host
  anqicms.lifecycle.instance_info:
  register: found

- name: Show the entries for the inventory
  ansible.builtin.debug:
    msg: "{{ found.instances | anqicms.lifecycle.inventory }}"
"""

RETURN = r"""
_value:
  description: One dictionary for each instance, with C(dir), C(binary), and, if known, C(port).
  type: list
  elements: dict
  sample: [{dir: /www/wwwroot/shop.example, binary: anqicms, port: 8001}]
"""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _plan
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import as_data


def inventory(instances: t.Any) -> list[dict[str, t.Any]]:
    """The list for ``anqicms_instances``; see ``_plan.inventory``."""
    return t.cast("list[dict[str, t.Any]]", as_data(_plan.inventory(instances)))


class FilterModule:
    """Gives the filter to Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"inventory": inventory}
