# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No pattern of the host side takes more than linear time, whatever text somebody else wrote.

All patterns are found by themselves: those compiled at the top of a module, also within tables, and those that stand in
a call. Each meets texts that are made from its own parts: a begin that it likes, one part repeated, an end that it does
not like. The times of two lengths are compared, so a slow machine makes no difference.
"""

import ast
import functools
import os
import re
import time
import typing as t

import pytest

import ansible_collections.anqicms.lifecycle.plugins.module_utils as package

try:
    import re._parser as sre_parse  # type: ignore[import-not-found,unused-ignore]
except ImportError:
    import sre_parse

ROOT = str(next(iter(package.__path__)))
SHORT, LONG = 8000, 32000
LIKELY_LINEAR_S = 0.02  # a pattern that does the long text in this time is not compared
MOST_GROWTH = 9.0  # of four times the text: linear is 4, quadratic 16
SEVERAL = {"search", "sub", "subn", "split", "findall", "finditer"}
SINGLES = "aZ0 \t\n\"'\\/.-_[](){}<>:;=%@,#&|!*\x00\x1b\xff"


class Case(t.NamedTuple):
    where: str
    pattern: t.Any
    anchored: bool  # only ever asked whether a text begins so


def sources() -> t.Iterator[str]:
    for directory, _names, files in os.walk(ROOT):
        for name in sorted(files):
            if name.endswith(".py"):
                yield os.path.join(directory, name)


def literal(node: ast.AST) -> t.Any:
    try:
        return eval(compile(ast.Expression(node), "", "eval"), {"re": re, "tuple": tuple})  # type: ignore[arg-type]
    except Exception:  # it is made of more than constants: the module's own value is looked at
        return None


def in_calls(path: str, tree: ast.AST) -> t.Iterator[Case]:
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if isinstance(node.func.value, ast.Name) and node.func.value.id == "re" and node.args:
            text = literal(node.args[0])
            flags = [literal(word.value) for word in node.keywords if word.arg == "flags"]
            flags += [literal(word) for word in node.args[2:] if node.func.attr in ("match", "search")]
            if isinstance(text, (str, bytes)) and node.func.attr not in ("compile", "escape"):
                anchored = node.func.attr not in SEVERAL
                yield Case("%s:%d" % (os.path.basename(path), node.lineno), re.compile(text, *flags), anchored)


def within(value: t.Any, depth: int = 3) -> t.Iterator[t.Any]:
    if hasattr(value, "pattern") and hasattr(value, "finditer"):
        yield value
    elif depth and isinstance(value, dict):
        for entry in value.values():
            yield from within(entry, depth - 1)
    elif depth and isinstance(value, (list, tuple, set, frozenset)):
        for entry in value:
            yield from within(entry, depth - 1)


@functools.lru_cache(None)
def everything() -> str:
    texts = []
    for path in sources():
        with open(path, encoding="utf-8") as stream:
            texts.append(stream.read())
    return "\n".join(texts)


def is_anchored(source: str, name: str) -> bool:
    """Whether this pattern is asked only for the begin of a text: by its module, a public one by any."""
    text = source if name.startswith("_") else everything()
    calls = set(re.findall(r"\b%s\.(\w+)\(" % re.escape(name), text))
    calls |= set() if calls else set(re.findall(r"\b(?:pattern|form|victim)\.(\w+)\(", source))  # of a table
    return bool(calls) and not calls & SEVERAL


def at_the_top(path: str, source: str) -> t.Iterator[Case]:
    relative = os.path.relpath(path, ROOT)[:-3].replace(os.sep, ".")
    if relative.endswith("__init__"):
        return
    try:
        module = __import__(package.__name__ + "." + relative, fromlist=["x"])
    except ImportError as exc:
        if "ansible'" not in str(exc):
            raise
        return  # it needs Ansible, which is not there on each Python
    for name, value in sorted(vars(module).items()):
        for pattern in within(value):
            yield Case("%s:%s" % (relative, name), pattern, is_anchored(source, name))


def all_cases() -> t.List[Case]:
    found: t.Dict[t.Any, Case] = {}
    for path in sources():
        with open(path, encoding="utf-8") as stream:
            source = stream.read()
        for case in list(at_the_top(path, source)) + list(in_calls(path, ast.parse(source))):
            key = (case.pattern.pattern, case.pattern.flags)
            known = found.get(key)
            found[key] = case if known is None else known._replace(anchored=known.anchored and case.anchored)
    return list(found.values())


# --- texts made from the parts of a pattern


def one_of(items: t.Sequence[t.Any]) -> str:
    """A character of a class."""
    negated = bool(items) and str(items[0][0]) == "NEGATE"
    if not negated:
        kind, value = items[0]
        name = str(kind)
        if name == "LITERAL":
            return chr(value)
        if name == "RANGE":
            return chr(value[0])
        return {"CATEGORY_DIGIT": "0", "CATEGORY_SPACE": " ", "CATEGORY_WORD": "a"}.get(str(value), "!")
    pattern = re.compile("[^%s]" % "".join(member(item) for item in items[1:]), re.DOTALL)
    return next((char for char in "a0 -x\t~" if pattern.match(char)), "\x01")


def member(item: t.Any) -> str:
    kind, value = str(item[0]), item[1]
    if kind == "LITERAL":
        return re.escape(chr(value))
    if kind == "RANGE":
        return "%s-%s" % (re.escape(chr(value[0])), re.escape(chr(value[1])))
    return {
        "CATEGORY_DIGIT": r"\d",
        "CATEGORY_SPACE": r"\s",
        "CATEGORY_WORD": r"\w",
        "CATEGORY_NOT_SPACE": r"\S",
        "CATEGORY_NOT_WORD": r"\W",
        "CATEGORY_NOT_DIGIT": r"\D",
    }[str(value)]


def sample(nodes: t.Iterable[t.Any], many: bool = False) -> str:
    """A text that these nodes match, each repeated part as seldom as it may be, or once more."""
    return "".join(sample_of(node, many) for node in nodes)


def sample_of(node: t.Any, many: bool) -> str:
    kind, value = str(node[0]), node[1]
    if kind == "LITERAL":
        return chr(value)
    if kind == "NOT_LITERAL":
        return "a" if value != ord("a") else "b"
    if kind == "ANY":
        return "a"
    if kind == "IN":
        return one_of(value)
    if kind == "BRANCH":
        return sample(value[1][0], many)
    if kind == "SUBPATTERN":
        return sample(value[-1], many)
    if kind in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        return sample(value[2], many) * int(max(value[0], 1 if many and value[1] else 0))
    return ""


def pumps(nodes: t.Sequence[t.Any], before: str = "") -> t.Iterator[t.Tuple[str, str]]:
    """What stands before a part, and the part: it is what will be repeated."""
    for number, node in enumerate(nodes):
        kind, value = str(node[0]), node[1]
        so_far = before + sample(nodes[:number], True)
        yield "", before + sample(nodes[: number + 1])
        yield "", before + sample(nodes[: number + 1], True)
        if kind in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            yield so_far, sample(value[2]) or "a"
            yield before + sample(nodes[:number]), sample(value[2], True) or "a"
            yield from pumps(list(value[2]), so_far)
        elif kind == "SUBPATTERN":
            yield from pumps(list(value[-1]), so_far)
        elif kind == "BRANCH":
            for branch in value[1]:
                yield so_far, sample(branch) or "a"
                yield from pumps(list(branch), so_far)


def hostile(pattern: t.Any) -> t.Set[t.Tuple[str, str, str]]:
    text = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    found = {("", char, "") for char in SINGLES}
    for before, part in pumps(list(sre_parse.parse(text, pattern.flags & ~re.UNICODE & ~re.LOCALE))):
        if part:
            found |= {(before, part, "\x00"), (before, part + " ", "\x00"), (before, part, "\n")}
    return found


def seconds(case: Case, before: str, part: str, end: str, length: int) -> float:
    text = before + part * (length // len(part) + 1) + end
    subject = text if isinstance(case.pattern.pattern, str) else text.encode("latin-1", "replace")
    begin = time.process_time()
    if case.anchored:
        case.pattern.match(subject)
    else:
        for _found in case.pattern.finditer(subject):
            pass
    return time.process_time() - begin


def is_steep(case: Case, before: str, part: str, end: str) -> bool:
    """Whether four times the text takes far more than four times as long."""
    for length, most in ((22, 0.2), (200, 0.3), (500, 0.1), (2000, 0.5), (SHORT, 3.0)):
        if seconds(case, before, part, end, length) > most:
            return True
    if seconds(case, before, part, end, LONG) < LIKELY_LINEAR_S:
        return False
    fastest = [min(seconds(case, before, part, end, length) for _look in range(3)) for length in (SHORT, LONG)]
    return fastest[1] > LIKELY_LINEAR_S and fastest[1] / fastest[0] > MOST_GROWTH


CASES = all_cases()


def test_the_patterns_are_found() -> None:
    places = {case.where.partition(":")[0] for case in CASES}
    assert {
        "_host.cron",
        "_instance.supervisors",
        "_death.kernel_lines",
        "_death.userspace",
        "_death.log_prefix",
        "_app.http",
        "_sites.sitemap",
    } <= places
    assert len(CASES) > 100


@pytest.mark.parametrize("text", [r"\b(pkill|killall)\b.*x", r"(a+)+b", r"<l>\s*([^<]+?)\s*</l>"])
def test_a_steep_pattern_is_seen(text: str) -> None:
    case = Case("here", re.compile(text), False)
    assert any(is_steep(case, *parts) for parts in sorted(hostile(case.pattern)))


@pytest.mark.parametrize("case", CASES, ids=[case.where for case in CASES])
def test_time_grows_with_the_text(case: Case) -> None:
    steep = [parts for parts in sorted(hostile(case.pattern)) if is_steep(case, *parts)]
    assert not steep, "%s %r: %r" % (case.where, case.pattern.pattern, steep[:3])
