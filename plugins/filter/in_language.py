# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: in_language
short_description: Translate a message of this collection
version_added: 0.2.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Translates a finished English message of this collection, for example a refusal or the message of a hazard. Values
    in it, such as paths and process IDs, and text that is not known remain as they are.
positional: language
options:
  _input:
    description: The message.
    type: str
    required: true
  language:
    description: The language. If it is V(null) or blank, the language of the locale of the controller.
    type: str
    choices: [en, zh]
"""

EXAMPLES = r"""
- name: Show what blocks a restart
  ansible.builtin.debug:
    msg: "{{ (found | anqicms.lifecycle.plan('restart')).refusals | join(' ') | anqicms.lifecycle.in_language('zh') }}"
"""

RETURN = r"""
_value:
  description: The message in that language.
  type: str
"""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language import words
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import as_data


def in_language(text: t.Any, language: t.Any = None) -> str:
    """The message in that language; see ``Words.known``."""
    return t.cast(str, as_data(words.of_variable(language).known(str(text))))


class FilterModule:
    """Gives the filter to Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"in_language": in_language}
