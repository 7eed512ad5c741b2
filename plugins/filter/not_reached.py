# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: not_reached
short_description: List the hosts on which a rolling run has not started its work
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Hosts that were left out or that have nothing to do are not included.
positional: hosts, verb
options:
  _input:
    description: The variable C(hostvars).
    type: dict
    required: true
  hosts:
    description: The hosts of the run, in order.
    type: list
    elements: str
    required: true
  verb:
    description: What the run does to the instances.
    type: str
    required: true
    choices: [restart, stop, start, recover, prepare]
"""

EXAMPLES = r"""
- name: Show the remaining hosts
  ansible.builtin.debug:
    msg: "{{ hostvars | anqicms.lifecycle.not_reached(ansible_play_hosts_all, 'restart') }}"
"""

RETURN = r"""
_value:
  description: Names of the hosts.
  type: list
  elements: str
  sample: [web3.example, web4.example]
"""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _ends


def not_reached(hostvars: t.Any, hosts: t.Sequence[str], verb: str) -> list[str]:
    """The names; see ``_ends.not_reached``."""
    return _ends.not_reached({str(host): hostvars[host] for host in hosts}, verb)


class FilterModule:
    """Gives the filter to Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"not_reached": not_reached}
