# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fleets, cores and the bed for the end-to-end tests."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Callable, Iterator

import pytest
import pythons
import releases
import venvs
from e2e.bed import Bed
from e2e.playing import CORES, Player
from fleet import Fleet

VERSION = "3.5.8"
Maker = Callable[..., Fleet]


@pytest.fixture(scope="session", params=CORES)
def core(request: pytest.FixtureRequest) -> str:
    """Each ansible-core in turn; one without an interpreter on this machine is skipped."""
    return _installed(str(request.param))


@pytest.fixture(scope="session")
def default_core() -> str:
    """The core for tests that do not depend on it."""
    return _installed(venvs.default_core(pythons.discover()))


def _installed(core: str) -> str:
    try:
        venvs.ensure("core-" + core)
    except venvs.Missing as error:
        pytest.skip(str(error))
    return core


@pytest.fixture
def make_fleet(tmp_path: Path) -> Iterator[Maker]:
    """Make and start a fleet of so many hosts with one instance each; keywords are the stand-in's settings."""
    made: list[Fleet] = []

    def make(hosts: int = 4, version: str = VERSION, **knobs: int) -> Fleet:
        real = releases.real_releases() is not None
        fleet = Fleet(tmp_path / f"fleet{len(made)}", with_database=real)
        made.append(fleet)
        for number in range(1, hosts + 1):
            instance = fleet.add_instance(fleet.add_host(f"h{number}"), f"site{number}", version)
            if not real:
                instance.knobs(no_database=True, **knobs)
        fleet.start()
        return fleet

    yield make
    for fleet in made:
        fleet.remove()


@pytest.fixture
def player(core: str, tmp_path: Path) -> Player:
    """Plays with each ansible-core in turn."""
    return Player(core, tmp_path / "play")


@pytest.fixture
def default_player(default_core: str, tmp_path: Path) -> Player:
    return Player(default_core, tmp_path / "play")


@pytest.fixture(scope="session")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    """The test bed of real hosts."""
    if os.geteuid() != 0:
        pytest.skip("needs root: namespaces and overlays")
    with Bed(tmp_path_factory.mktemp("bed")) as made:
        yield made
