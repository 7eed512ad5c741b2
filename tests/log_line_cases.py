# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cases of known log lines, from fixtures/log_lines.txt."""

import os
import re
import typing as t

_MARKS = (
    ('<sql>', '<time> <esc>[31;1mkandaoni.com/anqicms/provider/a.go:7 <esc>[35;1m'),
    ('<time>', '2026/01/31 12:00:00'),
    ('<minute>', '2026/01/31 12:00'),
    ('<esc>', '\x1b'),
    ('<port>', '8001'),
)


class Case(t.NamedTuple):
    code: str
    severity: str
    words: t.Tuple[str, ...]
    meaning: str
    text: str

    @property
    def name(self) -> str:
        return '-'.join((self.code, self.severity) + self.words)


def _plain(text: str) -> str:
    for mark, value in _MARKS:
        text = text.replace(mark, value)
    return text


def _read() -> t.List[Case]:
    fixtures = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'fixtures')
    with open(os.path.join(fixtures, 'log_lines.txt'), encoding='utf-8') as file:
        parts = re.split(r'(?m)^--- (.*)\n', file.read())[1:]
    found = []
    for header, text in zip(parts[::2], parts[1::2]):
        what, _colon, meaning = header.partition(': ')
        code, severity, *words = what.split()
        found.append(Case(code, severity, tuple(words), meaning, _plain(text)))
    return found


CASES = _read()
