# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: plan_table
short_description: Format what was found on all hosts and what a run would do as a table
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Reads the results of M(anqicms.lifecycle.instance_info) that the preflight registered on every host.
  - Control characters in values that hosts report are escaped.
positional: hosts, verb, language
options:
  _input:
    description: The variable C(hostvars).
    type: dict
    required: true
  hosts:
    description: The hosts to show, in order.
    type: list
    elements: str
    required: true
  verb:
    description: What the run does to the instances. V(discover) only shows them, with entries for the inventory.
    type: str
    required: true
    choices: [restart, stop, start, recover, discover]
  language:
    description: Language of the table.
    type: str
    choices: [en, zh]
    default: en
"""

EXAMPLES = r"""
- name: Show the plan
  ansible.builtin.debug:
    msg: "{{ hostvars | anqicms.lifecycle.plan_table(ansible_play_hosts, 'restart') }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: The lines of the table. The lines below an instance list its hazards. V(!) marks a hazard that blocks the
    verb.
  type: list
  elements: str
  sample:
    - 'host          id                     state    version  port  pid   plan     directory'
    - 'web1.example  4b1d0a7e-shop.example  running  3.5.8    8001  5539  REFUSED  /www/wwwroot/shop.example'
    - '  ! config_missing: there is no config.json: a start would open the installer on port 8001 to everyone'
"""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _table
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language import words


def plan_table(hostvars: t.Any, hosts: t.Sequence[str], verb: str, language: t.Any = "en") -> list[str]:
    """The table of all hosts; see ``_table.host_rows`` for its rows. For discover, with entries for the inventory."""
    said = words.of_variable(language)
    rows = [row for host in hosts for row in _table.host_rows(host, hostvars[host], verb, said)]
    lines = _table.table(rows, words=said)
    if verb != "discover":
        return lines
    found = {host: hostvars[host].get("anqicms__found") for host in hosts}
    return [*lines, *map(said.known, _table.for_inventory(found).splitlines())]


class FilterModule:
    """Gives the filter to Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"plan_table": plan_table}
