# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: diagnosis
short_description: Combine what is known about every instance of the fleet, most urgent first
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Combines the results of M(anqicms.lifecycle.instance_info), M(anqicms.lifecycle.oom_check), and
    M(anqicms.lifecycle.log_check) that the role P(anqicms.lifecycle.diagnose#role) registered on every host.
  - A host or an instance that could not be checked is a separate record.
positional: hosts, only
options:
  _input:
    description: The variable C(hostvars).
    type: dict
    required: true
  hosts:
    description: The hosts.
    type: list
    elements: str
    required: true
  only:
    description: IDs of instances. The default is all instances. The variable C(anqicms_only) of a host takes
      precedence.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Show a summary of each instance, most urgent first
  ansible.builtin.debug:
    msg: "{{ hostvars | anqicms.lifecycle.diagnosis(ansible_play_hosts_all) | map(attribute='summary') }}"
  run_once: true
"""

RETURN = r"""
_value:
  description:
    - One record for each instance, with C(urgency), C(host), C(id), C(dir), C(state), C(version), C(verdict), C(cause),
      C(time), C(uncertainty_ms), C(pid), C(summary), C(advice), C(incidents), C(coverage), C(log), C(restarts),
      C(starts), C(memory), C(supervisors), C(hazards), C(problems), and C(bundle).
    - C(urgency) is V(killed), V(likely killed), V(crashed), V(unknown), V(died), V(down), V(attention), V(restarted),
      or V(fine), in this order.
  type: list
  elements: dict
  sample:
    - urgency: killed
      host: web1.example
      id: 4b1d0a7e-shop.example
      dir: /www/wwwroot/shop.example
      state: stopped
      verdict: confirmed
      cause: kernel_oom_cgroup
"""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _diagnosis


def diagnosis(hostvars: t.Any, hosts: t.Sequence[str], only: t.Sequence[str] = ()) -> list[dict[str, t.Any]]:
    """The records of all hosts; see ``_diagnosis.records``."""
    return _diagnosis.records(hostvars, hosts, only)


class FilterModule:
    """Gives the filter to Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"diagnosis": diagnosis}
