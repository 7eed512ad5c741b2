# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the phrases of wording.txt in texts for people, and prints 'FILE:LINE: phrase -> better' for each.

Those of wording_zh.txt it finds in Chinese texts.

Usage: wording.py [GLOB...]    Without a glob, the files of CHECKED. Exit status 1 if something was found.
Code blocks, text in backquotes and Ansible's code markup are exempt: they quote the application or name something.

Rationale for a script: codespell compares single words only, and vale (whose package on PyPI downloads a binary when it
runs) does not read the strings of Python or the values of YAML.
"""

import ast
import bisect
import io
import itertools
import re
import sys
import token
import tokenize
import typing as t
from pathlib import Path

import paths

WORDS = Path(__file__).with_name("wording.txt")
CHINESE_WORDS = Path(__file__).with_name("wording_zh.txt")
# Globs below the repository root, of Markdown, YAML and Python files.
CHECKED = (
    "*.md",
    "docs/**/*.md",
    "tests/README.md",
    "requirements/README.md",
    "roles/*/*.md",
    "roles/*/meta/*.yml",
    "roles/*/tasks/*.yml",
    "playbooks/*.yml",
    "plugins/modules/*.py",
    "plugins/doc_fragments/*.py",
    "plugins/filter/*.py",
    "plugins/lookup/*.py",
    "plugins/action/*.py",
    "plugins/callback/*.py",
    "plugins/plugin_utils/**/*.py",
    "plugins/module_utils/**/*.py",
    "extensions/**/*.py",
    "extensions/**/*.yml",
)
# The texts in Chinese by those in English. The English ones are checked in the files that they are from.
CATALOGUE = ("plugins/plugin_utils/_language/*.py",)
# Programs for a shell.
EXEMPT = ("plugins/plugin_utils/_python_shell.py",)

# The keys whose values people read: in documentation blocks, argument specifications, tasks and changelog fragments.
KEYS = (
    "description|short_description|notes|requirements|name|msg|fail_msg|success_msg|release_summary|"
    "(?:major|minor|breaking)_changes|(?:deprecated|removed)_features|security_fixes|bugfixes|known_issues"
)
KEY = re.compile(r"^(?P<indent> *(?:- +)*)(?:%s):(?P<value>.*)$" % KEYS)
# A character that is neither a blank nor part of a word: no phrase reaches across it.
HIDDEN = "\0"
CODE = re.compile(r"`[^`\0]*`|<code>[^<\0]*</code>|\b(?:C|V|O|RV|E|M|P|U|L|R)\([^)\0]*\)|\{\{[^\0]*?\}\}|\]\([^)\0]*\)")
BLOCK = re.compile(r"^ *```.*?^ *```|<!--.*?-->", re.MULTILINE | re.DOTALL)
DOCUMENTATION = ("DOCUMENTATION", "EXAMPLES", "RETURN")
# Names of tokens. From Python 3.12 on an f-string is several of them.
TEXTS = ("STRING", "FSTRING_MIDDLE")
STRINGS = (*TEXTS, "FSTRING_START", "FSTRING_END")
BYTES = ("b'", 'b"', "rb", "br")
STATEMENT = ("NEWLINE", "INDENT", "DEDENT")


class Word(t.NamedTuple):
    """A phrase to avoid, and what to write."""

    pattern: t.Pattern[str]
    better: str


class Hit(t.NamedTuple):
    """A phrase that was found."""

    line: int
    phrase: str
    better: str


def read_words(text: str, whole: str = r"\b(?:%s)\b") -> t.List[Word]:
    """The list: 'PATTERN -> BETTER' a line; a pattern is a regular expression of whole words."""
    rows = [line.partition(" -> ") for line in text.splitlines() if line and not line.startswith("#")]
    return [Word(re.compile(whole % phrase, re.IGNORECASE), better) for phrase, _arrow, better in rows]


def find(prose: str, words: t.Iterable[Word]) -> t.List[Hit]:
    """The phrases with their lines; a phrase may start on one line and end on the next."""
    pieces = [(piece, line) for line, text in enumerate(prose.split("\n"), 1) for piece in text.split()]
    joined = " ".join(piece for piece, _line in pieces)
    starts = list(itertools.accumulate((len(piece) + 1 for piece, _line in pieces), initial=0))
    return sorted(
        Hit(pieces[bisect.bisect(starts, match.start()) - 1][1], match.group(), word.better)
        for word in words
        for match in word.pattern.finditer(joined)
    )


def hide(pattern: t.Pattern[str], text: str) -> str:
    """Replace every match, but keep the line ends, so that every line keeps its number."""
    return pattern.sub(lambda match: HIDDEN + "\n" * match.group().count("\n") + HIDDEN, text)


def of_markdown(text: str) -> str:
    """Everything except code."""
    return hide(CODE, hide(BLOCK, text))


def of_yaml(text: str) -> str:
    """The values of KEYS, on their line and on the deeper lines below it."""
    kept, depth = [], None
    for line in text.split("\n"):
        found = KEY.match(line)
        if found:
            depth = len(found["indent"])
        elif depth is not None and line.strip() and len(line) - len(line.lstrip()) <= depth:
            depth = None
        kept.append(HIDDEN if depth is None else found["value"] if found else re.sub("^ *- ", HIDDEN + " ", line))
    return hide(CODE, "\n".join(kept))


def of_python(text: str) -> str:
    """The texts of more than one word, except docstrings; of documentation blocks the values of KEYS."""
    lines = [""] * (text.count("\n") + 2)
    blocks = _documentation(text)
    for parts in _texts(text):
        for first, part in parts if any(" " in part for _first, part in parts) else ():
            prose = of_yaml(part) if first in blocks else re.sub(r"\\[nt]", "  ", part)
            for number, line in enumerate(prose.split("\n"), first - 1):
                lines[number] += " " + line.strip("\"'")
        lines[parts[-1][0] + parts[-1][1].count("\n") - 1] += HIDDEN
    return hide(CODE, "\n".join(lines))


def _texts(text: str) -> t.Iterator[t.List[t.Tuple[int, str]]]:
    """The string literals with their lines; those that follow each other are one text."""
    parts: t.List[t.Tuple[int, str]] = []
    before = "NEWLINE"
    for kind, string, (line, _column), _end, _line in tokenize.generate_tokens(io.StringIO(text).readline):
        name = token.tok_name[kind]
        if name in ("COMMENT", "NL"):
            continue
        if parts and name not in STRINGS:
            yield parts
            parts = []
        if name in TEXTS and before not in STATEMENT and not string.lower().startswith(BYTES):
            parts.append((line, string))
        before = name


def _documentation(text: str) -> t.Set[int]:
    """The first line of each documentation block."""
    return {
        node.value.lineno
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id in DOCUMENTATION
    }


PROSE: t.Dict[str, t.Callable[[str], str]] = {".md": of_markdown, ".yml": of_yaml, ".py": of_python}


def _files(globs: t.Iterable[str]) -> t.List[Path]:
    return sorted({path for glob in globs for path in paths.ROOT.glob(glob) if path.suffix in PROSE})


def main(globs: t.Sequence[str]) -> int:
    chinese = read_words(CHINESE_WORDS.read_text(encoding="utf-8"), whole="%s")
    words = read_words(WORDS.read_text(encoding="utf-8")) + chinese
    found = 0
    catalogue = _files(CATALOGUE)
    exempt = {*catalogue, *_files(EXEMPT)}
    checked = [(path, words) for path in _files(globs or CHECKED) if path not in exempt]
    checked += [(path, chinese) for path in catalogue]
    for path, listed in checked:
        for hit in find(PROSE[path.suffix](path.read_text(encoding="utf-8")), listed):
            print("%s:%d: %s -> %s" % (path.relative_to(paths.ROOT), *hit))
            found += 1
    print("%d found" % found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
