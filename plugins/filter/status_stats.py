# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: status_stats
short_description: Arrange the status of a fleet by host and instance ID
version_added: 0.2.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Creates the data to pass on with M(ansible.builtin.set_stats).
options:
  _input:
    description: The records of P(anqicms.lifecycle.status#filter).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Pass the status on
  ansible.builtin.set_stats:
    data:
      anqicms_status: "{{ records | anqicms.lifecycle.status_stats }}"
"""

RETURN = r"""
_value:
  description: The records in a dictionary by host and instance ID. An instance that could not be checked is listed by
    its directory. A host that could not be checked is listed as V(-).
  type: dict
  sample:
    web1.example:
      4b1d0a7e-shop.example: {state: running, version: 3.5.8, progress: finished}
"""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _status
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import as_data


def status_stats(records: t.Any) -> dict[str, t.Any]:
    """The records by host; see ``_status.as_stats``."""
    return t.cast("dict[str, t.Any]", as_data(_status.as_stats(records)))


class FilterModule:
    """Gives the filter to Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"status_stats": status_stats}
