# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gate: whatever a host's values hold, what leaves is printable text, and ordinary text stays as it is."""

import json
import os
import typing as t
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import printable

LINES = [
    ('plain text, ~!"\\', 'plain text, ~!"\\'),
    ('', ''),
    ('安企内容管理系统\u3000，。：「」', '安企内容管理系统\u3000，。：「」'),
    ('中\U00020000\U00030000文', '中\U00020000\U00030000文'),  # rare ones, newer than old Pythons
    ('é ü ñ ß Ж ب א ไ 한 かな', 'é ü ñ ß Ж ب א ไ 한 かな'),
    ('😀 \u2764\ufe0f', '😀 \u2764\ufe0f'),
    ('\udcff', '\\xff'),
    ('a\udcc3(', 'a\\xc3('),
    ('\udce4\udcb8\udcad', '中'),  # bytes of UTF-8 that a Python for ASCII did not decode
    ('\udce4\udcb8', '\\xe4\\xb8'),
    ('\udce2\udc80\udcae', '\\u202e'),  # and what they hide is escaped, too
    ('\ud800', '\\ud800'),
    ('\x1b[31m', '\\x1b[31m'),
    ('\x9b31m', '\\x9b31m'),
    ('a\0b\x07\x08\r', 'a\\x00b\\x07\\x08\\x0d'),
    ('\x7f\x80\x9f\xad', '\\x7f\\x80\\x9f\\xad'),
    ('\u202a\u202b\u202c\u202d\u202e', '\\u202a\\u202b\\u202c\\u202d\\u202e'),
    ('\u2066\u2067\u2068\u2069\u200e\u200f\u061c', '\\u2066\\u2067\\u2068\\u2069\\u200e\\u200f\\u061c'),
    ('\u2028\u2029\ufeff\u200b\u2060', '\\u2028\\u2029\\ufeff\\u200b\\u2060'),
    ('\U000e0041', '\\U000e0041'),
    ('a\nb\tc', 'a\\x0ab\\x09c'),
]


@pytest.mark.parametrize('text,expected', LINES)
def test_line(text: str, expected: str) -> None:
    assert printable.line(text) == expected
    assert printable.line(expected) == expected
    assert printable.is_printable(text) is (text == expected or text == '\udce4\udcb8\udcad')


def test_lines_keep_newline_and_tab_only() -> None:
    assert printable.lines('a\n\tb\r\x1b\u2028') == 'a\n\tb\\x0d\\x1b\\u2028'


def test_values_keep_their_types_and_keys_are_texts_too() -> None:
    value = {
        '\udcff': [1, 1.5, True, None, '\x1b', b'\xff', ('\u202e', {'x'})],
        'msg': 'one\ntwo',
        'dir': 'one\ntwo',
        'diff': [{'before': 'a\n', 'after_header': 'b\n'}],
    }
    assert printable.value(value) == {
        '\\xff': [1, 1.5, True, None, '\\x1b', '\\xff', ['\\u202e', ['x']]],
        'msg': 'one\ntwo',
        'dir': 'one\\x0atwo',
        'diff': [{'before': 'a\n', 'after_header': 'b\\x0a'}],
    }


def test_what_is_nested_too_deep_ends() -> None:
    deep: t.List[t.Any] = []
    for _level in range(100000):
        deep = [deep]
    assert 'too deep' in json.dumps(printable.value(deep))


def is_harmless(text: str) -> bool:
    """By the categories of Unicode, as far as this Python knows them."""
    kinds = {unicodedata.category(char) for char in text}
    directions = {unicodedata.bidirectional(char) for char in text}
    return not kinds & {'Cc', 'Cs', 'Zl', 'Zp'} and not directions & {
        'LRE',
        'RLE',
        'LRO',
        'RLO',
        'PDF',
        'LRI',
        'RLI',
        'FSI',
        'PDI',
    }


def test_every_character_that_acts_on_a_terminal_is_escaped() -> None:
    for number in range(0x110000):
        if number < 0x3000 or 0xD7FF < number < 0x10000 or number > 0xDFFFF:
            text = printable.line(chr(number))
            assert is_harmless(text), hex(number)
            assert text == chr(number) or text.startswith('\\')


@given(st.text(st.characters(blacklist_categories=())) | st.binary().map(os.fsdecode))
def test_any_text_comes_out_printable(text: str) -> None:
    found = printable.line(text)
    assert is_harmless(found)
    assert found.encode('utf-8').decode('utf-8') == found
    assert printable.line(found) == found
    assert printable.lines(printable.lines(text)) == printable.lines(text)


@given(st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF)))
def test_chinese_is_untouched(text: str) -> None:
    assert printable.line(text) == text and printable.is_printable(text)


@settings(max_examples=50)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(st.characters(blacklist_categories=())),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_any_structure_is_json_in_utf8_and_passes_twice(value: t.Any) -> None:
    found = printable.value(value)
    json.dumps(found, ensure_ascii=False).encode('utf-8')
    assert printable.value(found) == found
