# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What people read, on the terminal of the controller."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError
from ansible.utils.display import Display

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language import words

_display = Display()


def words_of(variables: t.Mapping[str, t.Any], templar: t.Any) -> words.Words:
    """The language of a task. A variable that cannot be read is reported elsewhere, in the language of the locale."""
    try:
        return words.of_variable(templar.template(variables.get('anqicms_language')))
    except AnsibleError:
        return words.of(None)


def show(lines: t.Iterable[str]) -> None:
    """One by one: AWX makes an event of each, and cuts an event that is long."""
    for line in lines:
        _display.display(line)
