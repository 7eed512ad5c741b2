# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the workflows call exists here; their form is checked by 'make lint'."""

import re
from pathlib import Path

import paths
import prereqs
import pytest
import venvs

WORKFLOWS = sorted((paths.ROOT / ".github" / "workflows").glob("*.yml"))
MATRIX = re.compile(r"^        (\w+): \[(.*)\]$", re.MULTILINE)


def commands(text: str) -> list[str]:
    """The lines that run, once for each value of the matrix of their job."""
    found = []
    for job in re.split(r"^  \w+:$", text, flags=re.MULTILINE)[1:]:
        values = dict(MATRIX.findall(job))
        for line in re.findall(r"^        run: (.*)$", job, re.MULTILINE):
            for name, listed in values.items():
                if f"${name.upper()}" in line:
                    found += [line.replace(f"${name.upper()}", value.strip(' "')) for value in listed.split(",")]
                    break
            else:
                found.append(line)
    return found


def targets() -> set[str]:
    makefile = (paths.ROOT / "Makefile").read_text(encoding="utf-8")
    stages = re.findall(r"^STAGES := (.*)$", makefile, re.MULTILINE)[0].split()
    return {f"test-{stage}" for stage in stages} | set(re.findall(r"^([a-z][\w-]*):", makefile, re.MULTILINE))


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_what_a_workflow_makes_is_a_target(workflow: Path) -> None:
    made = [re.findall(r'make "?([\w-]+)', line) for line in commands(workflow.read_text(encoding="utf-8"))]
    assert sum(map(len, made)) > 1
    assert {name for names in made for name in names} <= targets()


def test_the_parts_and_cores_of_the_workflows_exist() -> None:
    lines = [line for path in WORKFLOWS for line in commands(path.read_text(encoding="utf-8"))]
    parts = {part for line in lines for part in re.findall(r'PART="?(\w+)', line)}
    cores = {core for line in lines for core in re.findall(r'CORE="?([\d.]+)', line)}
    assert len(parts) > 3 and parts <= prereqs.EVERY
    assert cores == set(venvs.CORES)
