# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: batches
short_description: Reads the sizes of the batches of a rolling run
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Makes the value of the play keyword C(serial) from what people write in an inventory or on a command line.
options:
  _input:
    description: Numbers and percentages, as a list, as one value, or as one text with commas.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: Work on one host, then on a tenth, then on a quarter at a time
  hosts: anqicms
  serial: "{{ '1, 10%, 25%' | anqicms.lifecycle.batches }}"
  tasks: []
"""

RETURN = r"""
_value:
  description: The sizes, each a number or a percentage.
  type: list
  elements: raw
  sample: [1, '10%', '25%']
"""

import re
import typing as t

from ansible.errors import AnsibleFilterError


def batches(value: t.Any) -> list[int | str]:
    """The sizes as Ansible wants them. Raises AnsibleFilterError for what is no positive number or percentage."""
    words = value if isinstance(value, (list, tuple)) else str(value).strip(" []").split(",")
    if not words:
        raise AnsibleFilterError("anqicms_serial is empty. Give numbers of hosts or percentages, or leave it out.")
    return [_size(str(word).strip(" \"'")) for word in words]


def _size(word: str) -> int | str:
    if not re.fullmatch(r"[1-9][0-9]*%?", word):
        raise AnsibleFilterError(
            f"anqicms_serial: {word!r} is neither a number of hosts nor a percentage of them, 1 or more."
        )
    return word if word.endswith("%") else int(word)


class FilterModule:
    """Gives the filter to Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"batches": batches}
