# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of the stand-in's migrations share: an instance with content, its upgrade, its schema."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Callable, Iterator

from instance import Instance, make_instance
from mariadb import MariaDB
from seeding import SMALL, seed, statistics
from websites import Sites


def seeded_sites(tmp_path: Path, db: MariaDB) -> Iterator[Callable[..., Instance]]:
    """For fixtures: a stopped instance with content of its version. Knobs as keywords."""
    made: list[Instance] = []

    def make(version: str, **knobs: Any) -> Instance:
        instance = make_instance(tmp_path / "shop.example", version, db=db, database=f"m_{os.urandom(4).hex()}")
        made.append(instance)
        seed(instance, db, SMALL)
        instance.knobs(**{"statistics_flush_ms": 100, **knobs})
        return instance

    yield make
    for instance in made:
        instance.kill()


def within(seconds: float, condition: Callable[[], Any]) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end and not condition():
        time.sleep(0.02)
    return bool(condition())


def setting(instance: Instance, db: MariaDB, name: str, number: int = 1) -> str:
    if not db.run("SHOW TABLES LIKE 'settings'", Sites(instance, db).database(number)):
        return ""
    rows = db.run(f"SELECT `value` FROM `settings` WHERE `key` = '{name}'", Sites(instance, db).database(number))
    return str(rows[0][0]) if rows else ""


def is_marked(instance: Instance, db: MariaDB, number: int = 1) -> bool:
    if instance.version < "3.3":
        return True
    return setting(instance, db, "last_run_version", number) == instance.version


def upgraded(instance: Instance, db: MariaDB, version: str) -> None:
    """Start it as another version and wait for the end of its migration, the categories left out."""
    rows = statistics(instance, db)
    instance.become(version)
    instance.start(60.0)
    assert within(20, lambda: is_marked(instance, db) and statistics(instance, db) >= rows), instance.log_text()


def columns(db: MariaDB, instance: Instance, table: str) -> dict[str, str]:
    return dict(
        db.run(
            "SELECT `column_name`, `column_type` FROM `information_schema`.`columns` WHERE `table_schema` = "
            f"'{instance.database}' AND `table_name` = '{table}'"
        )
    )


def tables(db: MariaDB, instance: Instance) -> set[str]:
    return {row[0] for row in db.run("SHOW TABLES", instance.database)}


def engine(db: MariaDB, instance: Instance) -> str:
    """Of articles and drafts, which have the same."""
    found = {
        str(row[0])
        for row in db.run(
            "SELECT `engine` FROM `information_schema`.`tables` WHERE `table_schema` = "
            f"'{instance.database}' AND `table_name` IN ('archives', 'archive_drafts')"
        )
    }
    return ",".join(sorted(found))


def count(db: MariaDB, instance: Instance, table: str, where: str = "1") -> int:
    return int(db.run(f"SELECT COUNT(*) FROM `{table}` WHERE {where}", instance.database)[0][0])


def this_start(instance: Instance) -> str:
    """Its log since the last first line."""
    return instance.log_text().rpartition("shop.example/\n")[2]
