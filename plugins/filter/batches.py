# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: batches
short_description: Convert the batch sizes of a rolling run
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Converts the value of an inventory or of the command line to a value for the play keyword C(serial).
options:
  _input:
    description:
      - Numbers and percentages, as a list, as one value, or as one comma-separated string.
      - For V(null) and a blank string, the batches are one host, then 10%, then 25% of the hosts at a time.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: Work on one host, then on 10%, then on 25% of the hosts at a time
  hosts: anqicms
  serial: "{{ '1, 10%, 25%' | anqicms.lifecycle.batches }}"
  tasks: []
"""

RETURN = r"""
_value:
  description: The batch sizes, each a number or a percentage.
  type: list
  elements: raw
  sample: [1, '10%', '25%']
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _options


def batches(value: t.Any) -> list[int | str]:
    """The sizes as Ansible wants them. Raises AnsibleFilterError for what is no positive number or percentage."""
    try:
        return t.cast("list[int | str]", _options.value_of("anqicms_serial", value))
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Gives the filter to Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"batches": batches}
