# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: listed
short_description: Get the instances to check on a host from its variable C(anqicms_instances)
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Returns the validated entries of the list, or one entry without C(dir) to find all instances of the host.
  - Each entry contains the verb, and V(list), V(discover), or V(nothing) as C(how), for the filter
    P(anqicms.lifecycle.plan#filter).
  - The filter fails if the value is neither a list of instances nor V(discover).
positional: verb
options:
  _input:
    description: Value of the variable. V(null) if it is not set.
    type: raw
    required: true
  verb:
    description: What the run does to the instances.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Check the instances
  anqicms.lifecycle.instance_info:
    dir: "{{ item.dir | default(omit) }}"
  loop: "{{ anqicms_instances | default(none) | anqicms.lifecycle.listed('restart') }}"
"""

RETURN = r"""
_value:
  description: The entries.
  type: list
  elements: dict
  sample: [{dir: /www/wwwroot/shop.example, verb: restart, how: list}]
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _plan


def listed(value: t.Any, verb: str) -> list[dict[str, t.Any]]:
    """The entries of one host; see ``_plan.listed``."""
    try:
        return _plan.listed(value, verb)
    except ValueError as error:
        raise AnsibleFilterError(f"{error} Nothing was done.") from error


class FilterModule:
    """Gives the filter to Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"listed": listed}
