# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the surveys of extensions/awx from the argument specifications of the roles and the table of variables.

Usage: surveys.py    It needs an environment with ansible-core: .cache/venv/dev/bin/python tests/tools/surveys.py

An answer is an extra variable, which overrides the inventory of every host. So a survey asks only for what is decided
for one run, and no question has a default: AWX sends a default as if somebody had answered.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import paths
import yaml

sys.path.insert(0, str(paths.link_tree()))

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _options

SURVEYS = paths.ROOT / "extensions" / "awx" / "surveys"
# In the order of the questions. Everything else belongs to the inventory or to the template.
PER_RUN = (
    "upgrade_to",
    "rollback_run",
    "resume",
    "confirmed",
    "only",
    "serial",
    "unreachable",
    "accept_hazards",
    "only_if_needed",
    "accept_data_loss",
    "confirm_after_canary",
    "force",
    "warm_up",
    "put_aside",
    "since",
    "until",
    "collect",
    "search",
)
# Variables of plays, which no role documents.
OF_PLAYS = {
    "serial": "How many hosts are worked on at once, batch by batch, the canary first.",
    "search": "Patterns of additional directories to search for instances.",
}
# Without an answer to these, the role would only refuse the run.
REQUIRED = ("rollback_run",)
MARKUP = re.compile(r"\b(?:RV|[VCOPERMU])\(([^)]*)\)")
LONGEST_TEXT = 1024


def verbs() -> list[str]:
    """The playbooks that read at least one of the variables that are decided for one run."""
    names = {verb for name in PER_RUN for verb in _options.OPTIONS[_options.PREFIX + name].verbs}
    return sorted(name for name in names if (paths.ROOT / "playbooks" / f"{name}.yml").exists())


def survey(verb: str) -> dict[str, Any]:
    """AWX demands a name and a description, and gives back what it is given: more keys would be a change."""
    return {"name": "", "description": "", "spec": questions(verb)}


def questions(verb: str) -> list[dict[str, Any]]:
    names = [name for name in PER_RUN if verb in _options.OPTIONS[_options.PREFIX + name].verbs]
    return [_question(name, _meaning(verb, name)) for name in names]


def _meaning(verb: str, name: str) -> str:
    """The second paragraph that a role has for a variable. The first one says what is allowed."""
    if name in OF_PLAYS:
        return OF_PLAYS[name]
    for role in (verb, "restart"):
        path = paths.ROOT / "roles" / role / "meta" / "argument_specs.yml"
        if path.exists():
            specification = yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"]["main"]
            return _plain(str(specification["options"][_options.PREFIX + name]["description"][1]))
    raise FileNotFoundError(path)


def _question(name: str, meaning: str) -> dict[str, Any]:
    variable = _options.PREFIX + name
    option = _options.OPTIONS[variable]
    allowed = option.allowed[0].upper() + option.allowed[1:]
    otherwise = "" if name in REQUIRED else f" {_without_answer(option.default)}"
    return {
        "variable": variable,
        "question_name": name.replace("_", " "),
        "question_description": f"{meaning} {allowed}.{otherwise}",
        "required": name in REQUIRED,
        **_kind(option.allowed),
    }


def _kind(allowed: str) -> dict[str, Any]:
    """The type of the question. AWX has none for lists and booleans: a text of several lines, and a choice."""
    if allowed == "true or false":
        return {"type": "multiplechoice", "choices": ["true", "false"], "default": ""}
    if allowed.startswith("one of "):
        return {"type": "multiplechoice", "choices": allowed[len("one of ") :].split(", "), "default": ""}
    number = re.fullmatch(r"a whole number from (\d+) to (\d+)", allowed)
    if number:
        return {"type": "integer", "min": int(number[1]), "max": int(number[2]), "default": ""}
    return {"type": "textarea" if allowed.startswith("a list of ") else "text", "min": 0, "max": LONGEST_TEXT}


def _plain(text: str) -> str:
    """Without the markup of Ansible: O(anqicms_until) is anqicms_until, and an option of a module is 'force of' it."""
    plain = MARKUP.sub(lambda match: re.sub(r"([\w.]+)(?:#module)?:(\S+)", r"\2 of \1", match[1]), text)
    return plain.replace("#module", "")


def _without_answer(default: Any) -> str:
    if default is None or default == ():
        return "Without an answer, the variable of the inventory counts."
    value = json.dumps(default) if isinstance(default, bool) else str(default)
    value = ",".join(map(str, default)) if isinstance(default, tuple) else value
    return f"Without an answer, the variable of the inventory counts, or else the default of the role: {value}."


def written(verb: str) -> str:
    return json.dumps(survey(verb), indent=1, ensure_ascii=False) + "\n"


def path_of(verb: str) -> Path:
    return SURVEYS / f"{verb}.json"


if __name__ == "__main__":
    for each in verbs():
        path_of(each).write_text(written(each), encoding="utf-8")
