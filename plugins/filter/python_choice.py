# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: python_choice
short_description: Choose the Python of a host for modules, or the package to install
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Reads the output of the script of P(anqicms.lifecycle.python_probe#filter).
  - A configured interpreter is used if it is suitable. Otherwise, the interpreter of the distribution is used if it is
    suitable, otherwise the newest suitable one.
positional: core, configured, check_mode
options:
  _input:
    description: The output of the script.
    type: str
    required: true
  core:
    description: Version of ansible-core, which determines which Pythons are suitable.
    type: str
    required: true
  configured:
    description: The interpreter that is configured for the host.
    type: str
    default: ""
  check_mode:
    description: Return a command that only reports which package it would install.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show which Python to use
  ansible.builtin.debug:
    msg: "{{ (asked.stdout | anqicms.lifecycle.python_choice(ansible_version.full)).message }}"
"""

RETURN = r"""
_value:
  description:
    - C(action) is V(use), V(install), or V(none). C(interpreter) is the interpreter to use. C(packages) are the
      packages to try with the package manager C(manager). C(command) is the script that installs the first of them that
      is available on the host. C(message) is an explanation.
  type: dict
  sample:
    action: use
    interpreter: /usr/bin/python3
    packages: []
    manager: apt-get
    message: '/usr/bin/python3 (3.11.2) fits: ansible-core 2.16.19 needs Python 3.6 - 3.12 on the host. Set in the
      inventory: ansible_python_interpreter: /usr/bin/python3'
    command: ''
"""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _python, _python_shell
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import as_data


def python_choice(told: str, core: str, configured: str = "", check_mode: bool = False) -> dict[str, t.Any]:
    """The choice as plain values; see ``_python.choose``."""
    choice = _python.choose(told, core, configured)
    install = choice.action == "install"
    command = _python_shell.install(choice.manager, choice.packages, check_mode) if install else ""
    return t.cast("dict[str, t.Any]", as_data({**choice._asdict(), "command": command}))


class FilterModule:
    """Gives the filter to Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"python_choice": python_choice}
