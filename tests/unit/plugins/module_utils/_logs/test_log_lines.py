# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of known lines: each row has a case, and no row can be broken without a case that fails.

The cases are in tests/fixtures/log_lines.txt; a new one needs nothing here.
"""

import os
import re
import typing as t

import pytest
from log_line_cases import CASES, Case

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import exit_codes, log_lines
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs import scan as _log_scan

_DOCS = os.path.join(os.path.dirname(os.path.abspath(__file__)), *[os.pardir] * 5, 'docs')
_KINDS = {'error': log_lines.START_FAILURES, 'panics': log_lines.PANICS}
NEVER = re.compile(r'(?!)')
ROWS = log_lines._TABLE + log_lines.SQL_ERRORS + (log_lines.START_ERROR,)


def scan(text: str, kind: str = log_lines.RUNNING, serving: bool = False) -> _log_scan.Scanner:
    scanner = _log_scan.Scanner(kind, serving)
    scanner.begin('a.log')
    scanner.feed(text.encode('utf-8'))
    scanner.finish()
    return scanner


def seen(case: Case) -> t.Tuple[t.Set[t.Tuple[str, str]], t.Optional[log_lines.Line]]:
    """What the scanner finds, and the row that says why a process with this log has ended."""
    kind = next((_KINDS[word] for word in case.words if word in _KINDS), log_lines.RUNNING)
    scanner = scan(case.text, kind, 'serving' in case.words)
    found = {(entry['code'], entry['severity']) for entry in scanner.findings.values()}
    marked = {(entry['code'], 'marker') for entry in scanner.markers if entry['code'] != 'port_refused'}
    cause = log_lines.cause(exit_codes.plain_lines(case.text)) if kind == log_lines.RUNNING else None
    return found | marked, cause and cause[0]


def is_right(case: Case) -> bool:
    found, cause = seen(case)
    expected = set() if case.severity == 'nothing' else {(case.code, case.severity)}
    if found != expected or (cause is not None) is not ('ends' in case.words):
        return False
    return cause is None or (
        cause.code == case.code and cause.passes is ('passes' in case.words) and case.meaning in cause.meaning
    )


@pytest.mark.parametrize('case', CASES, ids=lambda case: case.name)
def test_a_line_means_what_its_case_says(case: Case) -> None:
    assert is_right(case), seen(case)


def test_every_code_has_a_case() -> None:
    assert {line.code for line in ROWS} <= {case.code for case in CASES}
    assert all(case.meaning for case in CASES if 'ends' in case.words)


def is_noticed() -> bool:
    return not all(is_right(case) for case in CASES)


@pytest.mark.parametrize('row', ROWS, ids=lambda row: row.code)
def test_a_row_whose_pattern_never_fits_is_noticed(row: log_lines.Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(log_lines._COMPILED, row, NEVER)
    assert is_noticed()


def changes(row: log_lines.Line) -> t.Iterator[t.Dict[str, t.Any]]:
    """What else the row could say; nobody sees the code of a harmless one."""
    yield dict(severity='other')
    if row.severity != log_lines.HARMLESS:
        yield dict(code='other')
    if row in log_lines._TABLE:
        yield dict(ends=not row.ends)
    if row.ends:
        yield dict(passes=not row.passes)
        yield dict(meaning='other')


@pytest.mark.parametrize(
    ('row', 'change'),
    [(row, change) for row in ROWS for change in changes(row)],
    ids=lambda value: value.code if isinstance(value, log_lines.Line) else '-'.join(value),
)
def test_a_row_that_says_something_else_is_noticed(
    row: log_lines.Line, change: t.Dict[str, t.Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = row._replace(**change)
    monkeypatch.setitem(log_lines._COMPILED, broken, log_lines._COMPILED[row])
    monkeypatch.setitem(log_lines._ORDER, broken, log_lines._ORDER.get(row, 0))
    monkeypatch.setattr(log_lines, 'SQL_ERRORS', tuple(broken if it is row else it for it in log_lines.SQL_ERRORS))
    for kind, lines in log_lines._KINDS.items():
        monkeypatch.setitem(log_lines._KINDS, kind, [broken if it is row else it for it in lines])
    assert is_noticed()


NEEDLES = log_lines.needles(log_lines.RUNNING)


@pytest.mark.parametrize(
    'needle',
    [it for it in NEEDLES if not any(other in it for other in NEEDLES if other != it)],
    ids=lambda needle: needle.decode('utf-8'),
)
def test_a_text_that_is_not_searched_for_is_noticed(needle: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    others = [it for it in NEEDLES if it != needle]
    monkeypatch.setattr(log_lines, 'needles', lambda kind: [] if kind == log_lines.START_FAILURES else others)
    assert is_noticed()


# --- documents


def document(name: str) -> str:
    with open(os.path.join(_DOCS, name), encoding='utf-8') as file:
        return file.read()


def test_troubleshooting_names_each_code_with_its_severity() -> None:
    rows = re.findall(r'^\| ([^|]+) \| (error|warning) \|', document('troubleshooting.md'), re.M)
    told = {(code, severity) for codes, severity in rows for code in re.findall(r'`(\w+)`', codes)}
    told -= {('page_5xx', 'warning')}  # a finding of a start, not of a log
    assert told == {(line.code, line.severity) for line in ROWS if line.severity in ('error', 'warning')}


def test_troubleshooting_explains_each_cause_of_a_failed_start() -> None:
    text = document('troubleshooting.md')
    section = text[text.index('## Why a start ended') : text.index('## What the logs say')]
    assert sorted({line.meaning for line in ROWS if line.ends if '`%s`' % line.meaning not in section}) == []


@pytest.mark.parametrize('row', [line for line in ROWS if line.needles], ids=lambda row: row.code)
def test_the_facts_are_in_the_document_of_the_application(row: log_lines.Line) -> None:
    text = ' '.join(document('application.md').replace('`', '').split())
    missing = [needle for needle in row.needles if needle.strip().replace('`', '') not in text]
    assert missing == []
