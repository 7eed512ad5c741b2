# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: python_probe
short_description: Get the shell script that detects the Pythons of a host
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Run the script with M(ansible.builtin.raw), because the host may have no Python that a module can run with.
  - The script changes nothing.
  - Pass its output to P(anqicms.lifecycle.python_choice#filter).
options:
  _input:
    description: An interpreter to check in addition to those in the usual directories, or an empty string.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Detect the Pythons of the host
  ansible.builtin.raw: "{{ ansible_python_interpreter | default('') | anqicms.lifecycle.python_probe }}"
  register: asked
  changed_when: false
"""

RETURN = r"""
_value:
  description: The script.
  type: str
"""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _python


def python_probe(configured: str) -> str:
    """The script; see ``_python.command``."""
    return _python.command(str(configured))


class FilterModule:
    """Gives the filter to Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"python_probe": python_probe}
