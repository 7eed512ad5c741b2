# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The gate: what leaves this host in a result is printable text. Pure.

File names, arguments, environments and log lines are bytes that anybody may have chosen. A byte that is no UTF-8 makes
ansible-core refuse the whole result; an escape sequence or a bidirectional override changes what people see. Both are
shown as a backslash escape, ``\\xff`` or ``\\u202e``. All other text, Chinese for example, stays as it is.

This is for results only. Records keep what was read, for the next start is given just that.
"""

import re
import typing as t

# Controls, what is invisible, what changes the direction of other text, line and paragraph separators, surrogates.
_ODD = re.compile(
    '[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f'
    '\u3164\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U0001d173-\U0001d17a\U000e0000-\U000e00ff]'
)
_PLAIN = re.compile('[ -~]*\\Z')
_BYTES = re.compile('[\udc80-\udcff]+')  # what the system's decoder makes of bytes that it cannot decode
# Results that are texts of several lines: a newline or a tab there is nothing odd.
_OF_SEVERAL_LINES = frozenset(('msg', 'output', 'exception', 'before', 'after'))
_DEEPEST = 100
_TOO_DEEP = '(nested too deep to be shown)'


def decoded(text: str, errors: str = 'backslashreplace') -> str:
    """Text whose bytes are UTF-8 as such, also where the system's decoder knew ASCII only."""
    return _BYTES.sub(lambda found: found.group().encode('ascii', 'surrogateescape').decode('utf-8', errors), text)


def is_printable(text: str) -> bool:
    """Whether the text is shown as it is. What people and inventories name, a path for example, must be."""
    try:
        return not _ODD.search(decoded(text, 'strict'))
    except UnicodeDecodeError:
        return False


def line(text: str) -> str:
    """One line of printable text."""
    if _PLAIN.match(text):  # nearly all is, and this look is fast: packed files are results, too
        return text
    return _ODD.sub(_escape, decoded(text))


def lines(text: str) -> str:
    """Printable text of several lines."""
    return _ODD.sub(lambda found: found.group() if found.group() in '\n\t' else _escape(found), decoded(text))


def _escape(found: 't.Match[str]') -> str:
    number = ord(found.group())
    return ('\\x%02x' if number < 0x100 else '\\u%04x' if number < 0x10000 else '\\U%08x') % number


def value(entry: t.Any, key: str = '', depth: int = 0) -> t.Any:
    """The same structure in plain containers, each text in it, keys included, printable. Numbers stay numbers."""
    if entry is None or isinstance(entry, (bool, int, float)):
        return entry
    if depth > _DEEPEST:
        return _TOO_DEEP
    if isinstance(entry, t.Mapping):
        return {line(str(name)): value(one, str(name), depth + 1) for name, one in entry.items()}
    if isinstance(entry, (list, tuple, set, frozenset)):
        return [value(one, key, depth + 1) for one in entry]
    text = entry.decode('utf-8', 'surrogateescape') if isinstance(entry, bytes) else str(entry)
    return lines(text) if key in _OF_SEVERAL_LINES else line(text)
