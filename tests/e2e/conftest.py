# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fleets, cores and the bed for the end-to-end tests."""

from __future__ import annotations

import fcntl
import os
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
import pythons
import releases
import venvs
from e2e.bed import Bed, Host
from e2e.playing import CORES, Player
from e2e.sites import Site
from fleet import Fleet
from mariadb import MariaDB

VERSION = releases.nearest("3.5.8")
Maker = Callable[..., Fleet]


@pytest.fixture(scope="session", params=CORES)
def core(request: pytest.FixtureRequest) -> str:
    """Each ansible-core in turn; one without an interpreter on this machine is skipped."""
    return _installed(str(request.param))


@pytest.fixture(scope="session")
def default_core() -> str:
    """The core for tests that do not depend on it."""
    return _installed(venvs.default_core(pythons.discover()))


@pytest.fixture(scope="module")
def kernel_log() -> Iterator[None]:
    """No other file has processes killed for memory meanwhile: all kills of a machine stand in one kernel log."""
    path = Path(tempfile.gettempdir(), f"anqicms-tests-kernel-log-{os.geteuid()}.lock")
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _installed(core: str) -> str:
    try:
        venvs.ensure("core-" + core)
    except venvs.Missing as error:
        pytest.skip(str(error))
    return core


def player_of(core: str, directory: Path, bed: Bed | None = None) -> Player:
    """For a test that names its cores, and not each of them in `make test`."""
    return _remote(bed, _installed(core), directory) if bed else Player(_installed(core), directory / "play")


@pytest.fixture
def make_fleet(tmp_path: Path) -> Iterator[Maker]:
    """Make and start a fleet of so many hosts with one instance each; keywords are the stand-in's settings.

    A test that gives some is marked `standin`, or takes them from `for_standin` where it does without them as well.
    """
    made: list[Fleet] = []

    def make(hosts: int = 4, version: str = VERSION, **knobs: Any) -> Fleet:
        real = releases.real_releases() is not None
        assert not (real and knobs), f"a real release knows none of {knobs}"
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


def for_standin(**knobs: Any) -> dict[str, Any]:
    """Settings that make a moment of the stand-in longer; real releases have it as it is."""
    return {} if releases.real_releases() else knobs


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


@pytest.fixture(scope="session")
def plain_host(bed: Bed) -> Host:
    return bed.add()


@pytest.fixture(scope="session")
def systemd_host(bed: Bed) -> Host:
    return bed.add("systemd")


@pytest.fixture
def site(plain_host: Host) -> Iterator[Site]:
    """An instance on the plain host, laid out and not started."""
    with laid_out(plain_host) as made:
        yield made


@pytest.fixture
def systemd_site(systemd_host: Host) -> Iterator[Site]:
    """An instance on the host with systemd, laid out and not started."""
    with laid_out(systemd_host) as made:
        yield made


@contextmanager
def laid_out(host: Host, version: str = VERSION, name: str = "") -> Iterator[Site]:
    """With a database in the network of its host where it is a real release, which needs one."""
    name = name or f"site{os.urandom(3).hex()}"
    with ExitStack() as stack:
        db = None
        if releases.real_releases():
            place = host.bed.root / host.name / f"{Path(name).name}-db"
            db = stack.enter_context(MariaDB(place, network=host.namespace))
        made = Site(host, name, version, db)
        stack.callback(made.end)
        yield made


@pytest.fixture
def remote(bed: Bed, default_core: str, tmp_path: Path) -> Player:
    """Plays from the controller's network of the bed with the default core."""
    return _remote(bed, default_core, tmp_path)


@pytest.fixture
def each_remote(bed: Bed, core: str, tmp_path: Path) -> Player:
    """Plays from the controller's network of the bed with each core in turn."""
    return _remote(bed, core, tmp_path)


def _remote(bed: Bed, core: str, directory: Path) -> Player:
    player = Player(core, directory / "play", bed.on_controller())
    player.directory.mkdir(parents=True)
    return player


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    """Empty, with a database that runs: hosts and instances are added by the test."""
    with Fleet(tmp_path / "fleet") as found:
        assert found.db is not None
        found.db.start()
        yield found
