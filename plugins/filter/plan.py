# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: plan
short_description: Decides which instances of a host a run works on, and why it refuses
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Reads the registered answers of M(anqicms.lifecycle.instance_info) of one host.
  - A hazard that blocks the verb refuses, unless its code is accepted. So do an answer that is missing, an empty host,
    and an instance that is listed twice.
positional: verb
options:
  _input:
    description: The registered variable of the task, looped or not.
    type: dict
    required: true
  verb:
    description: What the run does to the instances.
    type: str
    required: true
    choices: [restart, stop, start, recover, diagnose]
  accept:
    description: Codes of hazards that do not refuse.
    type: list
    elements: str
    default: []
  only_if_needed:
    description: Skip instances that run, and run the binary that is on disk.
    type: bool
    default: false
  only:
    description: Ids of the instances to work on; all if it is empty.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Find the instances of the host
  anqicms.lifecycle.instance_info:
  register: found

- name: Show what stands in the way of a restart
  ansible.builtin.debug:
    msg: "{{ (found | anqicms.lifecycle.plan('restart')).refusals }}"
"""

RETURN = r"""
_value:
  description:
    - C(instances) to work on in order, C(skipped) with a C(reason) each, C(refusals) as texts, and whether the host was
      C(unreachable).
  type: dict
  sample:
    instances: []
    skipped: []
    refusals:
      - '/www/wwwroot/shop.example: config_missing: there is no config.json: a start would open the installer on port
        8001 to everybody Restore config.json from a backup.'
    unreachable: false
"""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _plan


def plan(
    found: t.Any, verb: str, accept: t.Any = (), only_if_needed: t.Any = False, only: t.Any = ()
) -> dict[str, t.Any]:
    """The plan of one host as plain values; see ``_plan.make_plan``."""
    needed = _plan.truth(only_if_needed)
    return _plan.as_result(_plan.make_plan(found, verb, _plan.words(accept), needed, _plan.words(only)))


class FilterModule:
    """Gives the filter to Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"plan": plan}
