# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Molecule scenarios, by Molecule itself. Each verifies effects on its own fleet of stand-ins."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import molecule_scenarios
import pytest
import venvs

pytestmark = pytest.mark.standin("the scenarios make their own fleets")


def play(names: list[str], log: Path) -> tuple[int, list[str], str]:
    try:
        with log.open("wb") as output:
            status, left_out = molecule_scenarios.run(names, output)
    except (venvs.Missing, subprocess.CalledProcessError) as error:
        pytest.skip(f"Molecule cannot be installed here: {error}")
    return status, left_out, re.sub(r"\x1b\[[0-9;]*m", "", log.read_text(errors="replace"))


def test_rolling_restart(tmp_path: Path) -> None:
    status, left_out, output = play(["rolling_restart"], tmp_path / "log")
    assert (status, left_out) == (0, []), output
    assert output.count("The first batch was done before the second one started") == 1


@pytest.mark.soak
def test_all_scenarios_by_one_command(tmp_path: Path) -> None:
    status, left_out, output = play([], tmp_path / "log")
    assert status == 0, output
    for name in molecule_scenarios.all_scenarios():
        played = bool(re.search(rf"{name} ➜ verify", output))
        assert played or any(f"scenario {name}:" in reason for reason in left_out), (name, output)
    if left_out:
        pytest.skip("; ".join(left_out))
