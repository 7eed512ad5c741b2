# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the documents say of this repository is there."""

import ast
import re
from pathlib import Path

import paths
import pytest

DOCUMENTS = sorted([*paths.ROOT.glob("*.md"), *paths.ROOT.glob("docs/**/*.md"), paths.ROOT / "tests" / "README.md"])
NAMED_TEST = re.compile(r"`([\w/]+\.py)::(test_\w+)`")
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)")


def anchors(document: Path) -> set[str]:
    """What its headings can be linked by: lower case, no punctuation, dashes for blanks."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(("document", "least"), [("guarantees.md", 50), ("security.md", 15)])
def test_tests_that_are_named_as_a_proof_exist(document: str, least: int) -> None:
    named = NAMED_TEST.findall((paths.ROOT / "docs" / document).read_text(encoding="utf-8"))
    assert len(named) > least
    for file, name in named:
        source = paths.ROOT / "tests" / file
        assert source.is_file() and f"def {name}(" in source.read_text(encoding="utf-8"), f"{file}::{name}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(paths.ROOT)))
def test_links_within_the_repository_lead_somewhere(document: Path) -> None:
    for path, anchor in LINK.findall(document.read_text(encoding="utf-8")):
        if "://" in path:
            continue
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), path
        assert not anchor or anchor in anchors(target), f"{path}#{anchor}"


# --- troubleshooting.md quotes what the collection says

GAP = "…"


def texts_of(tree: ast.AST) -> list[str]:
    """Every string of a program, adjacent literals joined; what is filled in at run time is a gap."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(re.sub(r"%(?:\.\d)?[sdgr]", GAP, node.value))
        elif isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else GAP for part in node.values]
            found.append("".join(str(part) for part in parts))
    return found


def said() -> set[str]:
    """All that modules, plugins, roles and playbooks can say."""
    found = [
        text
        for path in sorted((paths.ROOT / "plugins").rglob("*.py"))
        for text in texts_of(ast.parse(path.read_text(encoding="utf-8")))
    ]
    files = [*paths.ROOT.glob("roles/*/tasks/*.yml"), *paths.ROOT.glob("playbooks/*.yml")]
    found += [re.sub(r"\{\{.*?\}\}", GAP, path.read_text(encoding="utf-8")) for path in files]
    return {" ".join(text.split()) for text in found}


def test_messages_that_are_explained_are_said_by_the_collection() -> None:
    document = (paths.ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    cells = [line.split(" | ")[0] for line in document.splitlines() if line.startswith("| `")]
    messages = [message for cell in cells for message in re.findall(r"`([^`]+)`", cell)]
    known = said()
    assert len(messages) > 50
    unknown = [message for message in messages if not is_said(message, known)]
    assert not unknown, unknown


def is_said(message: str, known: set[str]) -> bool:
    """Whether one text has all pieces of the message, in order."""
    pieces = [piece.strip() for piece in message.split(GAP)]
    return any(has_in_order(text, pieces) for text in known)


def has_in_order(text: str, pieces: list[str]) -> bool:
    at = 0
    for piece in pieces:
        at = text.find(piece, at)
        if at < 0:
            return False
        at += len(piece)
    return True


def test_messages_that_are_explained_in_chinese_are_said_in_chinese() -> None:
    document = (paths.ROOT / "docs" / "zh" / "troubleshooting.md").read_text(encoding="utf-8")
    rows = [line.split(" | ")[0] for line in document.partition("## 显示")[0].splitlines() if line.startswith("| `")]
    messages = [message for cell in rows for message in re.findall(r"`([^`]+)`", cell)]
    catalogue = [ast.parse(path.read_text(encoding="utf-8")) for path in (paths.ROOT / "plugins").rglob("zh*.py")]
    known = {re.sub(r"\{[^{}]*\}", GAP, text) for tree in catalogue for text in texts_of(tree)}
    assert len(messages) > 30
    unknown = [message for message in messages if not is_said(message, known)]
    assert not unknown, unknown


# --- CONTRIBUTING.md shows code of the repository


def test_code_that_is_shown_is_in_the_file_that_it_names() -> None:
    document = (paths.ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n# (\S+)\n(.*?)^```", document, re.MULTILINE | re.DOTALL)
    assert len(blocks) > 5
    for file, block in blocks:
        there = {line.strip() for line in (paths.ROOT / file).read_text(encoding="utf-8").splitlines()}
        gone = [line for line in block.splitlines() if line.strip() not in there]
        assert not gone, (file, gone)


# --- the Chinese pages say what the English ones say


def text_of(*names: str) -> str:
    return paths.ROOT.joinpath(*names).read_text(encoding="utf-8")


def section(document: str, heading: str) -> str:
    """One section of the second level, without its heading."""
    return re.split(r"^## ", document, flags=re.MULTILINE)[1:][headings(document).index(heading)].partition("\n")[2]


def headings(document: str) -> list[str]:
    return re.findall(r"^## (.*)$", document, re.MULTILINE)


def commands(document: str) -> list[list[str]]:
    """The code blocks, without the comments, which are translated."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", document, re.MULTILINE | re.DOTALL)
    return [[re.sub(r"\s{2,}# .*", "", line).rstrip() for line in block.splitlines()] for block in blocks]


def words(document: str) -> set[str]:
    """What stands in backquotes outside of code blocks: options, commands, files."""
    return set(re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", document, flags=re.MULTILINE | re.DOTALL)))


def numbers(document: str) -> set[str]:
    return set(re.findall(r"\d+(?:[.,]\d+)*", document))


def links(document: str) -> set[str]:
    return {path for path, _anchor in LINK.findall(document)}


def items(document: str) -> int:
    return len(re.findall(r"^- ", document, re.MULTILINE))


def test_the_chinese_readme_keeps_pace_with_the_english_one() -> None:
    english, chinese = text_of("README.md"), text_of("README.zh-CN.md")
    assert commands(chinese) == commands(english)
    assert words(chinese) == words(english)
    assert numbers(chinese) == numbers(english)
    levels = [re.findall(r"^#+(?= )", text, re.MULTILINE) for text in (english, chinese)]
    assert levels[0] == levels[1]
    assert items(chinese) == items(english)
    guides = {f"docs/zh/{path.name}" for path in (paths.ROOT / "docs" / "zh").glob("*.md")}
    translated = {"README.md", "docs/guarantees.zh-CN.md", *guides}
    assert links(english) - {"README.zh-CN.md"} == links(chinese) - translated
    assert translated <= links(chinese)


@pytest.mark.parametrize(("english", "chinese"), [("In short", "保证"), ("Not guaranteed", "不保证")])
def test_the_chinese_guarantees_keep_pace_with_the_english_ones(english: str, chinese: str) -> None:
    here = section(text_of("docs", "guarantees.md"), english)
    there = section(text_of("docs", "guarantees.zh-CN.md"), chinese)
    assert items(there) == items(here) > 10
    assert words(there) == words(here)
    assert numbers(there) == numbers(here)
    assert links(there) == links(here)


@pytest.mark.parametrize(("document", "least"), [("variables.md", 50), ("reference.md", 20)])
def test_each_row_says_the_same_in_both_languages(document: str, least: int) -> None:
    rows = [line.strip("| ").split(" | ") for line in text_of("docs", document).splitlines() if line.startswith("| `")]
    assert len(rows) > least
    for name, *_facts, english, chinese in rows:
        assert re.search("[\u4e00-\u9fff]", chinese), name
        assert words(chinese) == words(english), name
        assert links(chinese) == links(english), name


def test_how_values_may_be_written_is_the_same_in_both_languages() -> None:
    document = text_of("docs", "variables.md")
    english, chinese = (section(document, heading) for heading in ("How values may be written", "值的写法"))
    assert (items(chinese), words(chinese), numbers(chinese)) == (items(english), words(english), numbers(english))


# --- the README and galaxy.yml promise what is there


def test_galaxy_promises_what_the_readme_promises() -> None:
    galaxy, readme = text_of("galaxy.yml"), text_of("README.md")
    said = dict(re.findall(r"^(\w+): (\S.*)$", galaxy, re.MULTILINE))
    assert said["description"] in readme
    assert f"{said['namespace']}-{said['name']}-{said['version']}.tar.gz" in readme
    assert f"# {said['namespace']}.{said['name']}\n" in readme


def test_the_playbooks_and_modules_of_the_reference_are_those_of_the_collection() -> None:
    document = text_of("docs", "reference.md")
    names = {
        heading: set(re.findall(r"^\| `(\w+)`", section(document, heading), re.MULTILINE))
        for heading in ("Playbooks and roles", "Modules")
    }
    assert names["Playbooks and roles"] == {path.stem for path in paths.ROOT.glob("playbooks/[!_]*.yml")}
    of_the_collection_alone = {"change_window", "preflight", "report", "workflow_report"}
    assert names["Modules"] == {path.stem for path in paths.ROOT.glob("plugins/modules/*.py")} - of_the_collection_alone


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(paths.ROOT)))
def test_playbooks_that_are_run_exist(document: Path) -> None:
    lines = [line for block in commands(document.read_text(encoding="utf-8")) for line in block]
    for line in lines:
        for name in re.findall(r"ansible-playbook .*?\banqicms\.lifecycle\.(\w+)", line):
            assert (paths.ROOT / "playbooks" / f"{name}.yml").is_file(), line
