# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AWX does with the questions of a survey, and with the answers to them. Pure."""

from __future__ import annotations

from typing import Any, Callable, Mapping, NamedTuple, Sequence

Spec = Mapping[str, Any]
Question = Mapping[str, Any]


class Launch(NamedTuple):
    """What becomes of the variables of a launch: those of the job, those that are dropped, and why it is refused."""

    extra_vars: dict[str, Any]
    ignored: dict[str, Any]
    errors: list[str]


class Kind(NamedTuple):
    """A type of question. ``takes``: whether AWX takes this answer to it.

    ``empty_default``, ``sends_default``: whether a default of '' and any other default are sent as an answer.
    """

    takes: Callable[[Question, Any], bool]
    empty_default: bool = False
    sends_default: bool = True


def _is_text(_question: Question, answer: Any) -> bool:
    return isinstance(answer, str)


def _is_integer(_question: Question, answer: Any) -> bool:
    return isinstance(answer, int) and not isinstance(answer, bool)


def _is_float(_question: Question, answer: Any) -> bool:
    return isinstance(answer, (int, float)) and not isinstance(answer, bool)


def _is_choice(question: Question, answer: Any) -> bool:
    return isinstance(answer, str) and answer in question["choices"]


def _is_choices(question: Question, answer: Any) -> bool:
    return isinstance(answer, list) and all(_is_choice(question, one) for one in answer)


KINDS: Mapping[str, Kind] = {
    "text": Kind(_is_text, empty_default=True),
    "textarea": Kind(_is_text, empty_default=True),
    "password": Kind(_is_text, empty_default=True),
    "integer": Kind(_is_integer),
    "float": Kind(_is_float),
    "multiplechoice": Kind(_is_choice),
    "multiselect": Kind(_is_choices, sends_default=False),
}
KEYS = frozenset(
    ("variable", "question_name", "question_description", "required", "type", "choices", "default", "min", "max")
)


def errors_of(spec: Any) -> list[str]:
    """Why AWX refuses to save this survey; nothing if it takes it."""
    if not isinstance(spec, Mapping) or not {"name", "description", "spec"} <= set(spec):
        return ["'name', 'description' and 'spec' are required in survey spec."]
    questions = spec["spec"]
    if not isinstance(questions, Sequence) or not questions:
        return ["'spec' doesn't contain any items."]
    wrong = [f"question {number}: {error}" for number, one in enumerate(questions) for error in _errors_of(one)]
    names = [one.get("variable") for one in questions]
    return wrong + [f"'variable' '{name}' duplicated in survey." for name in set(names) if names.count(name) > 1]


def _errors_of(question: Question) -> list[str]:
    missing = [name for name in ("variable", "question_name", "required", "type") if name not in question]
    if missing:
        return [f"'{name}' missing" for name in missing]
    kind = KINDS.get(question["type"])
    if kind is None:
        return [f"'{question['type']}' is not a type of question"]
    wrong = [f"'{name}' is not a key of a question" for name in sorted(set(question) - KEYS)]
    wrong += [
        f"'{name}' must be an integer"
        for name in ("min", "max")
        if not isinstance(question.get(name), (int, type(None)))
    ]
    if question["type"].startswith("multi") and not question.get("choices"):
        wrong.append("'choices' missing")
    default = question.get("default", "")
    if default != "" and not kind.takes(question, default):
        wrong.append(f"default {default!r} is not an answer")
    return wrong


def launch(spec: Spec, given: Mapping[str, Any], asks_variables: bool = False) -> Launch:
    """What a launch with these variables does. Without ``asks_variables`` only those of the survey are taken."""
    questions = {question["variable"]: question for question in spec.get("spec", ())}
    others = {name: value for name, value in given.items() if name not in questions}
    result = Launch(dict(others) if asks_variables else {}, {} if asks_variables else dict(others), [])
    for name, question in questions.items():
        kind = KINDS[question["type"]]
        if name in given:
            taken = kind.takes(question, given[name]) and _fits(question, given[name])
            if taken:
                result.extra_vars[name] = given[name]
            else:
                result.errors.append(f"Value {given[name]!r} for '{name}' is not an answer of type {question['type']}.")
        elif _sends_default(kind, question):
            result.extra_vars[name] = question["default"]
        elif question["required"]:
            result.errors.append(f"'{name}' value missing")
    return result


def _sends_default(kind: Kind, question: Question) -> bool:
    """A default is sent as an answer, and overrides the inventory; a blank one only if the answer would be a text."""
    if "default" not in question or not kind.sends_default:
        return False
    return question["default"] != "" or kind.empty_default


def _fits(question: Question, answer: Any) -> bool:
    """Limits are those of a number or of the length of a text; a blank text that is not required has none."""
    low, high = question.get("min"), question.get("max")
    size = len(answer) if isinstance(answer, str) else answer
    if isinstance(answer, list) or question["type"] == "multiplechoice" or answer == "":
        return True
    return (low is None or size >= low) and (high is None or size <= high)
