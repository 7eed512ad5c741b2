# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: plan
short_description: Determine which instances of a host a run works on, and what blocks it
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Reads the registered results of M(anqicms.lifecycle.instance_info) on one host.
  - A hazard that blocks the verb results in a refusal, unless its code is accepted. A missing result, a host without
    instances, and an instance that is listed twice also result in a refusal.
positional: verb, accept, only_if_needed, only, resume
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
    description: Codes of hazards that are accepted.
    type: list
    elements: str
    default: []
  only_if_needed:
    description: Skip instances that are running and whose process runs the binary that is on disk.
    type: bool
    default: false
  only:
    description: IDs of the instances to work on. If the list is empty, all instances.
    type: list
    elements: str
    default: []
  resume:
    description: Name of the run to resume. What it has finished, and what was not part of it, is skipped.
    type: str
"""

EXAMPLES = r"""
- name: Find the instances of the host
  anqicms.lifecycle.instance_info:
  register: found

- name: Show what blocks a restart
  ansible.builtin.debug:
    msg: "{{ (found | anqicms.lifecycle.plan('restart')).refusals }}"
"""

RETURN = r"""
_value:
  description:
    - C(instances) lists the instances to work on, in order. C(skipped) lists the skipped instances, each with a
      C(reason). C(refusals) is a list of texts. C(unreachable) reports whether the host was unreachable.
  type: dict
  sample:
    instances: []
    skipped: []
    refusals:
      - '/www/wwwroot/shop.example: config_missing: there is no config.json: a start would open the installer on port
        8001 to everyone Restore config.json from a backup.'
    unreachable: false
"""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _options, _plan


def plan(
    found: t.Any,
    verb: str,
    accept: t.Any = (),
    only_if_needed: t.Any = False,
    only: t.Any = (),
    resume: t.Any = None,
) -> dict[str, t.Any]:
    """The plan of one host as plain values; see ``_plan.make_plan``."""
    needed, name = _plan.truth(only_if_needed), _options.value_of('anqicms_resume', resume)
    return _plan.as_result(_plan.make_plan(found, verb, _plan.words(accept), needed, _plan.words(only), name))


class FilterModule:
    """Gives the filter to Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"plan": plan}
