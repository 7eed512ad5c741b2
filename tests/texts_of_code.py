# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The texts in Python sources, as templates: '%s' and the values of f-strings become {0}, {1} and so on."""

import ast
import re
import typing as t

DIRECTIVE = re.compile(r"%(?:%|[-#0 +]*\d*(?:\.\d+)?[sdrgfxo])")


class Text(t.NamedTuple):
    """``exception``: the name of the class, for the message of an exception that is raised, else empty."""

    line: int
    template: str
    exception: str = ""


def of_calls(source: str, name: str) -> t.List[Text]:
    """The first arguments of ``name(...)`` that are literals, as they stand."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call) and node.args]
    named = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == name]
    named += [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "_" + name]
    firsts = [(call.lineno, call.args[0]) for call in named]
    return [Text(line, str(one.value)) for line, one in firsts if isinstance(one, ast.Constant) and _is_text(one)]


def of_sentences(source: str) -> t.List[Text]:
    """All literals with at least three words, except docstrings and what is compared or searched for."""
    tree = ast.parse(source)
    exempt = {id(node) for node in _docstrings(tree)}
    return [
        Text(getattr(node, "lineno", 0), template)
        for node in _literals(tree)
        if id(node) not in exempt
        for template in [template_of(node).strip()]
        if len(re.findall(r"[A-Za-z]{2,}", template)) >= 3 and " " in template
    ]


def of_exceptions(source: str) -> t.List[Text]:
    """The messages of exceptions that are raised, if they are literals."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
            message = node.exc.args[0]
            message = message.left if isinstance(message, ast.BinOp) and isinstance(message.op, ast.Mod) else message
            name = node.exc.func.id if isinstance(node.exc.func, ast.Name) else getattr(node.exc.func, "attr", "")
            if _is_text(message) or isinstance(message, ast.JoinedStr):
                found.append(Text(node.lineno, template_of(message).strip(), name))
    return found


def template_of(node: ast.AST) -> str:
    """The template of a literal."""
    if isinstance(node, ast.JoinedStr):
        numbers = iter(range(99))
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else "{%d}" % next(numbers) for part in node.values
        )
    numbers = iter(range(99))
    text = str(getattr(node, "value", ""))
    return DIRECTIVE.sub(lambda found: "%" if found.group() == "%%" else "{%d}" % next(numbers), text)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _literals(tree: ast.AST) -> t.Iterator[ast.AST]:
    """Texts and f-strings; not the parts of an f-string."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.JoinedStr):
            yield node
            for part in node.values:
                if isinstance(part, ast.FormattedValue):
                    yield from _literals(part)
        elif _is_text(node):
            yield node
        else:
            yield from _literals(node)


def _docstrings(tree: ast.AST) -> t.Iterator[ast.AST]:
    for node in ast.walk(tree):
        for statement in getattr(node, "body", []) if isinstance(getattr(node, "body", []), list) else []:
            if isinstance(statement, ast.Expr) and _is_text(statement.value):
                yield statement.value
