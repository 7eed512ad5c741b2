# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What arrives of the answers to a survey, on a real ansible-core, for every variable of the collection."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import paths
import pytest
import venvs
from awx_answers import ANSWERS, arrives, as_extra_variables

sys.path.insert(0, str(paths.link_tree()))

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _options

PLUGINS = Path(__file__).with_name("lookup_plugins")
# Without those that play keywords read: each of them needs a play of its own.
NAMES = sorted(set(_options.OPTIONS) - _options.OF_KEYWORDS)


def play(core: str, directory: Path) -> dict[tuple[str, str], tuple[str, Any]]:
    """The outcome of each answer for each variable."""
    given = {f"answer_{number}": answer for number, answer in enumerate(ANSWERS)}
    (directory / "answers.yml").write_text(as_extra_variables(given))
    result = directory / "outcomes.json"
    task = {"name": "Look", "ansible.builtin.debug": {"msg": f"{{{{ lookup('answers', '{result}', *names) }}}}"}}
    plays = [
        {"name": "Answers", "hosts": "localhost", "gather_facts": False, "vars": {"names": NAMES}, "tasks": [task]}
    ]
    (directory / "play.yml").write_text(json.dumps(plays))
    bin_dir = venvs.ensure(f"core-{core}")
    env = {
        **paths.private_env([bin_dir]),
        "ANSIBLE_LOOKUP_PLUGINS": str(PLUGINS),
        "ANSIBLE_LOCAL_TEMP": str(directory / "tmp"),
    }
    argv = [str(bin_dir / "ansible-playbook"), "-i", "localhost,", "-e", f"@{directory}/answers.yml", "play.yml"]
    done = subprocess.run(argv, cwd=directory, env=env, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads(result.read_text())
    return {(given[answer], name): (kind, value) for answer, name, kind, value in rows}


def expected(name: str, answer: str, core: str) -> tuple[str, Any]:
    try:
        value = _options.value_of(name, arrives(answer, core))
    except ValueError as error:
        return "refused", str(error)
    return "value", json.loads(json.dumps(value, default=str))


def check(core: str, directory: Path) -> None:
    outcomes = play(core, directory)
    assert len(outcomes) == len(NAMES) * len(ANSWERS)
    for (answer, name), (kind, value) in outcomes.items():
        wanted, what = expected(name, answer, core)
        assert kind == wanted, (answer, name, kind, value)
        assert value == what if kind == "value" else what in value, (answer, name, value)


def test_each_answer_for_each_variable(core: str, tmp_path: Path) -> None:
    check(core, tmp_path)


@pytest.mark.soak
@pytest.mark.parametrize("more", sorted(venvs.MORE_CORES))
def test_each_answer_on_the_cores_between(more: str, tmp_path: Path) -> None:
    try:
        venvs.ensure(f"core-{more}")
    except venvs.Missing as error:
        pytest.skip(str(error))
    check(more, tmp_path)
