# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The last line counts everything; an end that explains nothing is a failure, never a pass."""

from pathlib import Path

import pytest
import results

REPORT = '<testsuites><testsuite tests="7" failures="1" errors="1" skipped="2"/></testsuites>'
CLEAN = '<testsuites><testsuite tests="3" failures="0" errors="0" skipped="1"/></testsuites>'
SANITY = 'Running sanity test "compile" on Python 3.9\nRunning sanity test "compile" on Python 3.10\n'


@pytest.mark.parametrize(
    ("text", "status", "expected"),
    [
        (REPORT, 1, results.Counts(3, 2, 2)),
        (CLEAN, 0, results.Counts(2, 0, 1)),
        (CLEAN, 2, results.Counts(2, 1, 1)),
        ("", 0, results.Counts(0, 1, 0)),
        ("<testsuites/>", 5, results.Counts(0, 1, 0)),
    ],
)
def test_of_junit(tmp_path: Path, text: str, status: int, expected: results.Counts) -> None:
    report = tmp_path / "report.xml"
    report.write_text(text)
    assert results.of_junit(report, status) == expected


def test_a_missing_report_is_a_failure(tmp_path: Path) -> None:
    assert results.of_junit(tmp_path / "none.xml", 0) == results.FAILED


@pytest.mark.parametrize(
    ("output", "status", "expected"),
    [
        (SANITY, 0, results.Counts(2, 0, 0)),
        (SANITY + "FATAL: The 1 sanity test(s) listed below (out of 2) failed.\n", 1, results.Counts(1, 1, 0)),
        (SANITY + "FATAL: no space left\n", 1, results.Counts(1, 1, 0)),
        ("WARNING: All targets skipped.\n", 0, results.Counts(0, 1, 0)),
    ],
)
def test_of_sanity(output: str, status: int, expected: results.Counts) -> None:
    assert results.of_sanity(output, status) == expected


@pytest.mark.parametrize(
    ("again", "expected"),
    [
        (results.Counts(2, 0, 0), results.Counts(12, 0, 3)),
        (results.Counts(1, 1, 0), results.Counts(11, 1, 3)),
        (results.FAILED, results.Counts(10, 2, 3)),  # a repetition that ran nothing
    ],
)
def test_repeated(again: results.Counts, expected: results.Counts) -> None:
    assert results.repeated(results.Counts(10, 2, 3), again) == expected


def test_the_line_sums_all_stages() -> None:
    counts = [results.Counts(1, 2, 3), results.PASSED, results.SKIPPED]
    assert results.total(counts).line() == "2 passed, 2 failed, 4 skipped"


def test_the_last_summary_of_a_stage_counts() -> None:
    output = "lint   1 passed, 0 failed, 0 skipped\nsanity       28 passed, 4 failed, 1 skipped\n"
    assert results.of_line(output, "sanity") == results.Counts(28, 4, 1)
    assert results.of_line(output, "unit") == results.FAILED
