# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names, ids and comments of tests say what happens. None is a code of a plan that is not in the repository."""

import ast
import io
import re
import tokenize
from pathlib import Path

import paths
import pytest

TESTS = paths.ROOT / "tests"
SOURCES = sorted(path for path in TESTS.rglob("*.py") if path != Path(__file__))  # the samples here are such codes
CASES = sorted((TESTS / "fixtures").rglob("*.yml"))
# Names of Python, in lower case: a letter and a number, and often a second number: the fourth case of part b7.
WORDS = "(?:case|fault|issue|ticket|requirement|scenario)"
IN_NAME = re.compile(rf"(?i)(?:^|_)[a-z]\d{{1,2}}_\d{{1,2}}(?:_|$)|^test_[a-z]\d{{1,2}}_|(?:^|_|Test){WORDS}_?\d+")
# A text that begins like that is the id of a case.
IN_ID = re.compile(rf"(?!x86_64)[A-Za-z]\d{{1,2}}[_-]\d{{1,2}}(?:[\W_]|$)|{WORDS}[_ #-]*\d+$")
IN_PROSE = re.compile(rf"\b[A-Z]\d{{1,2}}-\d{{1,2}}\b|^\s*#?\s*[A-Z]\d{{1,2}}: |\b{WORDS} #?\d+")
DOCUMENT = re.compile(r"\b[\w.-]+\.md\b")
OF_THE_APPLICATION = {"CHANGELOG.md"}
DOCUMENTS = OF_THE_APPLICATION | {
    path.name for place in ("*.md", "docs/*.md", "tests/*.md") for path in paths.ROOT.glob(place)
}


def names(tree: ast.AST) -> list[str]:
    return [node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))]


def texts(tree: ast.AST) -> list[str]:
    return [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def prose(source: str, tree: ast.AST) -> list[str]:
    """The comments and docstrings."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = [token.string for token in tokens if token.type == tokenize.COMMENT]
    documented = (ast.Module, ast.FunctionDef, ast.ClassDef)
    return comments + [ast.get_docstring(node) or "" for node in ast.walk(tree) if isinstance(node, documented)]


def codes(source: str) -> list[str]:
    """What looks like the code of a plan in this Python source."""
    tree = ast.parse(source)
    said = prose(source, tree)
    found = [name for name in names(tree) if IN_NAME.search(name)]
    found += [text for text in texts(tree) if IN_ID.match(text)]
    found += [text for text in said if IN_PROSE.search(text)]
    return found + [name for text in said for name in DOCUMENT.findall(text) if name not in DOCUMENTS]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(TESTS)))
def test_no_test_is_named_by_a_code(path: Path) -> None:
    assert not IN_NAME.search(path.stem)
    assert codes(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", CASES, ids=lambda path: str(path.relative_to(TESTS)))
def test_no_case_of_a_fixture_is_named_by_a_code(path: Path) -> None:
    called = re.findall(r"^ *-? *name: *['\"]?(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert [name for name in called if IN_ID.match(name)] == []


@pytest.mark.parametrize("source", [
    "def test_b4_04_returns_soon(): pass", "def test_c3_port_is_free(): pass", "def test_it_a6_29(): pass",
    "class TestFault_7: pass", "def test_case_12(): pass", "def test_issue10(): pass",
    "CASES = [('a6_1_the_host', 1)]", "mark(ids=['A6-29'])", "mark(ids=['B5-2: two holders'])", "mark(ids=['case 12'])",
    "mark(ids=['fault-7'])", "'''What holds a port (C5-1 to C5-19).'''", "def test_it():\n  '''C5: nobody is left.'''",
    "x = 1  # A6-29, as the kernel says it", "# as in issue 10", "# C5: the wait", "'''The cases of real.md.'''",
])  # fmt: skip
def test_a_code_is_found(source: str) -> None:
    assert codes(source) != []


@pytest.mark.parametrize("source", [
    "def test_2_3_6_completes_its_file(): pass", "def test_an_exit_within_5_ms_is_seen(): pass", "X86_64 = 'x86_64'",
    "def test_text_is_json_in_utf8(): pass", "def test_without_tcp6(): pass", "x = 'site-1.json', 'run-1', 't29', 'h1'",
    "# version 3.5.8 from 2026-01-31", "'''See troubleshooting.md and CHANGELOG.md.'''", "x = 'A text in real.md'",
    "def test_the_29th_of_february(): pass", "'''EL6 has a kernel 2.6.32-754.'''",
])  # fmt: skip
def test_versions_numbers_and_documents_of_the_repository_are_no_codes(source: str) -> None:
    assert codes(source) == []
