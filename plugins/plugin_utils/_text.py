# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Values that hosts reported are data: made harmless here before they are shown or handed to a task."""

from __future__ import annotations

import re
import typing as t
import unicodedata

from ansible.utils.unsafe_proxy import wrap_var

# What a template engine or a terminal would act on: control characters, bidirectional overrides, and lone surrogates.
_HARMFUL = re.compile('[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]')
_MARKS = re.compile(r'\{(?=[{%#])')
# A value that a task uses, as a path for example, must be free of both.
_TEMPLATE = re.compile(r'\{[{%#]')


def shown(value: object, limit: int = 2000) -> str:
    """The value as one line of text: control characters escaped, template marks broken, cut at ``limit`` characters."""
    text = _HARMFUL.sub(lambda found: '\\x%02x' % ord(found.group()), str(value))
    text = _MARKS.sub(r'{\\', text)
    return text if len(text) <= limit else text[:limit] + '...'


def width(text: str) -> int:
    """The cells that a terminal shows it in: a full-width character takes two, a combining one none."""
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in 'WF' else 1
        for letter in text
    )


def padded(text: str, cells: int) -> str:
    """The text with blanks behind it up to that many cells."""
    return text + ' ' * (cells - width(text))


def is_hostile(value: object) -> bool:
    """Whether a value that a task would use holds control characters or template marks."""
    text = str(value)
    return bool(_HARMFUL.search(text) or _TEMPLATE.search(text))


def as_data(value: t.Any) -> t.Any:
    """The same value in plain containers, never a template from here on, whichever ansible-core reads it."""
    if isinstance(value, t.Mapping):
        return {str(key): as_data(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_data(entry) for entry in value]
    return wrap_var(str(value)) if isinstance(value, str) else value
