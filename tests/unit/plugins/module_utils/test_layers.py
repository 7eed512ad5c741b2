# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Imports between the folders of module_utils point one way: each folder knows only those before it."""

import ast
import os
import re
import typing as t

import pytest

import ansible_collections.anqicms.lifecycle.plugins.module_utils as package

ROOT = str(next(iter(package.__path__)))
DOCS = os.path.join(ROOT, "..", "..", "docs")
LAYERS = (
    "_errors",
    "_host",
    "_app",
    "_logs",
    "_instance",
    "_sites",
    "_database",
    "_hazards",
    "_stop",
    "_start",
    "_info",
    "_steps",
    "_death",
    "_change",
    "_window",
    "_ansible",
)
# It makes the imports of all others cheaper, so it comes before them; the cache that it fills is loaded late.
FIRST = "_payload"
LATE = {(FIRST, "_ansible")}


def folder_of(path: str) -> str:
    return os.path.relpath(path, ROOT).split(os.sep, 1)[0].partition(".")[0]


def sources() -> t.Iterator[str]:
    for directory, _names, files in os.walk(ROOT):
        for name in sorted(files):
            if name.endswith(".py"):
                yield os.path.join(directory, name)


def imported(path: str, text: str) -> t.Set[str]:
    """The folders of module_utils that a source imports from, at its top or late."""
    found: t.Set[str] = set()
    for node in ast.walk(ast.parse(text, path)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(package.__name__):
            below = (node.module or "")[len(package.__name__) + 1 :]
            found |= {below.partition(".")[0]} if below else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.startswith(package.__name__ + ".")]
            found |= {name[len(package.__name__) + 1 :].partition(".")[0] for name in names}
    return found


def backwards(path: str, text: str) -> t.List[t.Tuple[str, str]]:
    here, order = folder_of(path), (FIRST,) + LAYERS
    arrows = [(here, there) for there in sorted(imported(path, text)) if there != here]
    return [arrow for arrow in arrows if arrow not in LATE and order.index(arrow[1]) > order.index(here)]


@pytest.mark.parametrize("path", sorted(sources()), ids=lambda path: os.path.relpath(path, ROOT))
def test_imports_point_one_way(path: str) -> None:
    with open(path, encoding="utf-8") as stream:
        assert backwards(path, stream.read()) == []


@pytest.mark.parametrize(
    "text",
    [
        "from {0}._window import worker",
        "from {0}._window.worker import run",
        "import {0}._window.worker",
        "def late():\n    from {0}._window import worker",
    ],
)
def test_an_import_the_other_way_is_seen(text: str) -> None:
    path = os.path.join(ROOT, "_host", "procfs.py")
    assert backwards(path, text.format(package.__name__)) == [("_host", "_window")]


def test_the_listing_is_short_and_each_folder_has_its_place() -> None:
    entries = {name for name in os.listdir(ROOT) if not name.startswith("__")}
    assert {name.partition(".")[0] for name in entries} == set(LAYERS) | {FIRST}
    assert len(entries) <= 17


def test_the_documentation_names_them_in_this_order() -> None:
    with open(os.path.join(DOCS, "architecture.md"), encoding="utf-8") as stream:
        rows = re.findall(r"^\| `(_\w+)(?:/|\.py)` \|", stream.read(), re.M)
    assert tuple(rows) == (FIRST,) + LAYERS
