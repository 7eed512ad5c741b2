# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: status_table
short_description: Show the status of a fleet as lines of text
version_added: 0.2.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Creates a table with a row for each instance. Below it, a line for each run that is not finished shows how to
    resume it.
positional: language, zone
options:
  _input:
    description: The records of P(anqicms.lifecycle.status#filter).
    type: list
    elements: dict
    required: true
  language:
    description: V(en) or V(zh). The default depends on the locale of the controller.
    type: str
  zone:
    description: Name of the time zone of the times. The default is the time zone of the controller.
    type: str
"""

EXAMPLES = r"""
- name: Show the table
  anqicms.lifecycle.report:
    lines: "{{ hostvars | anqicms.lifecycle.status(ansible_play_hosts_all) | anqicms.lifecycle.status_table('en') }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
"""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _status
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language import words


def status_table(records: t.Any, language: str | None = None, zone: str | None = None) -> list[str]:
    """The lines; see ``_status.Writer``."""
    return _status.Writer(words.of(language), zone).lines(records)


class FilterModule:
    """Gives the filter to Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"status_table": status_table}
