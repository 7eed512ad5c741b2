# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures that several integration tests share."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import paths
import pytest
import release_files
from instance import Instance, end_below, make_instance
from mariadb import MariaDB

sys.path.insert(0, str(paths.link_tree()))  # the collection, for every test that imports from it


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that another user can reach; a test's own temporary directory is closed to others."""
    directory = Path(tempfile.mkdtemp(prefix="anqicms-place-", dir="/var/tmp"))
    directory.chmod(0o755)
    yield directory
    end_below(directory)
    shutil.rmtree(directory)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Callable[..., Instance]]:
    """Make an instance without a database, running unless `start=False`; all end with the test. Knobs as keywords."""
    made: list[Instance] = []

    def make(version: str = "3.5.8", name: str = "shop.example", start: bool = True, **knobs: Any) -> Instance:
        instance = make_instance(tmp_path / name, version)
        instance.knobs(no_database=True, **knobs)
        made.append(instance)
        if start:
            instance.start()
        return instance

    yield make
    for instance in made:
        instance.kill()


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is UTC, whatever the zone of this machine."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDB]:
    """A database of the test file's own."""
    with MariaDB(tmp_path_factory.mktemp("db") / "mariadb") as server:
        yield server


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Of the releases on every way to the newest one, by version."""
    directory = tmp_path_factory.mktemp("archives")
    return {version: release_files.release_zip(version, directory) for version in ("2.5.3", "3.3.11", "3.5.8")}


@pytest.fixture
def make_site(tmp_path: Path, db: MariaDB) -> Iterator[Callable[[str], Any]]:
    """Make an instance of a version with content, for an upgrade; it ends with the test."""
    from integration.upgrading import Site

    made: list[Instance] = []

    def make(version: str) -> Site:
        instance = make_instance(
            tmp_path / "shop.example", version, db=db, database=f"u_{os.urandom(4).hex()}", full=True
        )
        made.append(instance)
        return Site(instance, db)

    yield make
    for instance in made:
        instance.kill()


@pytest.fixture(scope="module")
def walk(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, db: MariaDB, archives: dict[str, Path]
) -> Iterator[Any]:
    """A site of the version that is the parameter, whose upgrade is to be disturbed; one for a file."""
    from integration import walking

    if os.geteuid() != 0:
        pytest.skip("needs root: it walks on disks of its own")
    with walking.walk(request.param, tmp_path_factory.mktemp("walk"), db, archives) as found:
        yield found


@pytest.fixture
def shop(place: Path, db: MariaDB) -> Iterator[Callable[..., Instance]]:
    """An instance that was started once, whose user has the rights of the application and no more; stopped."""
    from integration.databases import SECRET, configure

    made: list[Instance] = []

    def make(version: str = "3.5.8", user: str = "", start: bool = False, **knobs: Any) -> Instance:
        instance = make_instance(place / "www" / "shop", version, db=db, database=f"d_{os.urandom(4).hex()}")
        made.append(instance)
        instance.start()
        instance.kill()
        user = user or f"u_{os.urandom(4).hex()}"
        db.give(user, SECRET, instance.database)
        configure(instance, user=user, password=SECRET)
        db.run("INSERT INTO archives (title) VALUES ('标题 😀'), ('second')", instance.database)
        instance.knobs(**knobs)
        if start:
            instance.start()
        return instance

    yield make
    for instance in made:
        instance.kill()


@pytest.fixture
def never_a_real_release(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of the stand-in itself."""
    monkeypatch.delenv("RELEASES", raising=False)
