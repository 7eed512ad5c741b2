# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: diagnosis_table
short_description: Format the diagnosis of a fleet as a table
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - The table has one row for each record. In the lines below a row, V(!) marks what happened, V(>) what to do, V(-)
    further problems, and V(.) information. A row with the urgency V(fine) has no further lines.
  - The end of the table lists what could not be read, and which permissions to grant.
  - Control characters in values that hosts report are escaped.
positional: language
options:
  _input:
    description: The records of P(anqicms.lifecycle.diagnosis#filter).
    type: list
    elements: dict
    required: true
  language:
    description: Language of the table.
    type: str
    choices: [en, zh]
    default: en
"""

EXAMPLES = r"""
- name: Show the diagnosis
  ansible.builtin.debug:
    msg: "{{ hostvars | anqicms.lifecycle.diagnosis(ansible_play_hosts_all) | anqicms.lifecycle.diagnosis_table }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: The lines of the table.
  type: list
  elements: str
  sample:
    - 'urgency  host          instance                   state    version  cause              died'
    - 'killed   web1.example  /www/wwwroot/shop.example  stopped  3.5.8    kernel_oom_cgroup  2026-01-31 03:12:09'
"""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _diagnosis_table
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language import words
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import as_data


def diagnosis_table(records: t.Any, language: t.Any = "en") -> list[str]:
    """The table of all records; see ``_diagnosis_table.lines``."""
    return t.cast("list[str]", as_data(_diagnosis_table.lines(records, words.of_variable(language))))


class FilterModule:
    """Gives the filter to Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"diagnosis_table": diagnosis_table}
