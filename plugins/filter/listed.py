# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: listed
short_description: What to look at on a host, from its variable C(anqicms_instances)
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - The entries of the list, checked, or one entry without C(dir) where all instances of the host are to be found.
  - Each entry carries the verb, and V(list), V(discover) or V(nothing) as C(how), for the filter
    P(anqicms.lifecycle.plan#filter).
  - Fails for what is neither a list of instances nor the word V(discover).
positional: verb
options:
  _input:
    description: The variable, V(null) where it is not set.
    type: raw
    required: true
  verb:
    description: What the run does to the instances.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Look at the instances
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
