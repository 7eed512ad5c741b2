# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: python_installation
short_description: Parse the result of the installation of a Python
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Reads the output of the C(command) of P(anqicms.lifecycle.python_choice#filter).
positional: check_mode
options:
  _input:
    description: The output of the command.
    type: str
    required: true
  check_mode:
    description: Whether the command was a command for check mode.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show which package was installed
  ansible.builtin.debug:
    msg: "{{ (installed.stdout | anqicms.lifecycle.python_installation).message }}"
"""

RETURN = r"""
_value:
  description: C(package) is the package that was installed, or would be installed in check mode. It is empty if there
    is none. C(message) is an explanation.
  type: dict
  sample:
    package: python3.11
    message: python3.11 was installed.
"""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _python
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import as_data


def python_installation(told: str, check_mode: bool = False) -> dict[str, t.Any]:
    """The end of the installation as plain values; see ``_python.installation``."""
    return t.cast("dict[str, t.Any]", as_data(_python.installation(told, check_mode)._asdict()))


class FilterModule:
    """Gives the filter to Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"python_installation": python_installation}
