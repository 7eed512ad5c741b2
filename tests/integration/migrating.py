# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of questions to the database share: an instance with rows, as one version and as another."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any, Callable, Iterator

import releases
from instance import Instance, end_below, make_instance
from mariadb import MariaDB
from seeding import SMALL, seed

Make = Callable[..., Instance]


def shops(place: Path, db: MariaDB) -> Iterator[Make]:
    """For fixtures: a stopped instance with a few rows, that was run by this version."""

    def make(version: str = "3.3.11") -> Instance:
        instance = make_instance(place / "shop", version, db=db, database=f"a_{os.urandom(4).hex()}")
        seed(instance, db, SMALL)
        instance.start()
        instance.kill()
        return instance

    yield make
    end_below(place / "shop")


def upgraded(instance: Instance, go: Path, point: str = "tables") -> int:
    """It runs as 3.5.8, and waits in the middle of its background migration for the file ``go``; its pid."""
    instance.become("3.5.8")
    instance.knobs(migration_waits_at=point, migration_waits_for=str(go))
    return instance.start()


def exchange(instance: Instance, version: str) -> None:
    """Put the binary of another version there while this one runs; it needs its own libraries until it has ended."""
    instance.binary.unlink()
    shutil.copy(releases.release_of(version) / "anqicms", instance.binary)
    shutil.copy(releases.release_of(version) / "CHANGELOG.md", instance.dir)


def configure(instance: Instance, **mysql: Any) -> None:
    path = instance.dir / "config.json"
    values = json.loads(path.read_text())
    values["mysql"].update(mysql)
    path.write_text(json.dumps(values))


def marker(instance: Instance, db: MariaDB, database: str = "") -> str:
    rows = db.run("SELECT `value` FROM `settings` WHERE `key` = 'last_run_version'", database or instance.database)
    return str(rows[0][0])


def set_marker(instance: Instance, db: MariaDB, version: str) -> None:
    db.run(f"UPDATE `settings` SET `value` = '{version}' WHERE `key` = 'last_run_version'", instance.database)
