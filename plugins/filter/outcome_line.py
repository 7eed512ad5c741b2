# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: outcome_line
short_description: Format the outcome for one instance as one line
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - The line contains host, instance, version, outcome, process ID before and after, downtime, time until verified, and
    the reason for a failure.
  - Control characters in values that hosts report are escaped.
positional: host, language
options:
  _input:
    description: A record of P(anqicms.lifecycle.outcome#filter).
    type: dict
    required: true
  host:
    description: Name of the host.
    type: str
    required: true
  language:
    description: Language of the line.
    type: str
    choices: [en, zh]
    default: en
"""

EXAMPLES = r"""
- name: Show the outcome
  ansible.builtin.debug:
    msg: "{{ record | anqicms.lifecycle.outcome_line(inventory_hostname) }}"
  vars:
    record: "{{ anqicms_instance | anqicms.lifecycle.outcome(window_result) }}"
"""

RETURN = r"""
_value:
  description: The line.
  type: str
  sample: web1.example  4b1d0a7e-shop.example  3.5.8  done  pid 599 -> 1506  downtime 277 ms  verified 1288 ms
"""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _outcome
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language import words
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import as_data


def outcome_line(record: t.Any, host: str, language: t.Any = "en") -> str:
    """The line of one record; see ``_outcome.line``."""
    return t.cast(str, as_data(_outcome.line(record, host, words.of_variable(language))))


class FilterModule:
    """Gives the filter to Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"outcome_line": outcome_line}
