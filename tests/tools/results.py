# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Counts what the test stages did and says it in one last line."""

import re
import typing as t
import xml.etree.ElementTree as ET
from pathlib import Path


class Counts(t.NamedTuple):
    """How many checks or tests passed, failed and were skipped."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def plus(self, other: "Counts") -> "Counts":
        return Counts(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def line(self) -> str:
        return "%d passed, %d failed, %d skipped" % self


PASSED = Counts(passed=1)
FAILED = Counts(failed=1)
SKIPPED = Counts(skipped=1)


def total(counts: t.Iterable[Counts]) -> Counts:
    """The sum of them all."""
    result = Counts()
    for count in counts:
        result = result.plus(count)
    return result


def of_junit(path: Path, status: int) -> Counts:
    """What a pytest run reported; a bad end without a failed test, or no report at all, is a failure itself."""
    try:
        suites = list(ET.parse(path).getroot().iter("testsuite"))
    except (OSError, ET.ParseError):
        return FAILED
    tests, failures, errors, skipped = (
        sum(int(suite.get(key, "0")) for suite in suites) for key in ("tests", "failures", "errors", "skipped")
    )
    bad = failures + errors
    counts = Counts(max(0, tests - bad - skipped), bad, skipped)
    return counts.plus(FAILED) if status != 0 and bad == 0 else counts


def repeated(first: Counts, again: Counts) -> Counts:
    """A run whose failed tests were run once more: what passed then counts as passed."""
    steady = min(again.passed, first.failed)
    return Counts(first.passed + steady, first.failed - steady, first.skipped)


def of_sanity(output: str, status: int) -> Counts:
    """What ansible-test sanity reported on its output; an end without a named failure is a failure of its own."""
    names = set(re.findall(r"^Running sanity test .+", output, re.MULTILINE))
    said = re.search(r"The (\d+) sanity test\(s\) listed below", output)
    failed = int(said.group(1)) if said else int(status != 0 or not names)
    return Counts(max(0, len(names) - failed), failed, 0)


def of_line(output: str, name: str) -> Counts:
    """The counts that the last summary in some output gives for a stage; one failure when it gives none."""
    found = re.findall(r"^%s +(\d+) passed, (\d+) failed, (\d+) skipped$" % re.escape(name), output, re.MULTILINE)
    return Counts(*map(int, found[-1])) if found else FAILED
