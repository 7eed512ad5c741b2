# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Knobs that make a migration of the stand-in fail, die, wait or lose something, at each point and for one version."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from instance import Instance, make_instance
from mariadb import MariaDB
from seeding import SMALL, Content, content, lose_rows, lose_setting, lost, seed, statistics
from websites import Sites

pytestmark = pytest.mark.usefixtures("never_a_real_release")

POINTS = ["begin", "tables", "purged", "drafts", "flags", "end", "statistics"]


@pytest.fixture
def shop(tmp_path: Path, db: MariaDB) -> Iterator[Instance]:
    """A seeded 3.2.8, stopped: each point lies on its way to a newer version."""
    instance = make_instance(tmp_path / "shop.example", "3.2.8", db=db, database=f"f_{os.urandom(4).hex()}")
    try:
        seed(instance, db, SMALL)
        yield instance
    finally:
        instance.kill()


def within(seconds: float, condition: Callable[[], Any]) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end and not condition():
        time.sleep(0.02)
    return bool(condition())


def mark(instance: Instance, db: MariaDB, number: int = 1) -> str:
    database = Sites(instance, db).database(number)
    rows = db.run("SELECT `value` FROM `settings` WHERE `key` = 'last_run_version'", database)
    return str(rows[0][0]) if rows else ""


def completed(instance: Instance, db: MariaDB, before: Content) -> list[str]:
    """What is lost when a start without faults has gone over it."""
    instance.knobs(statistics_flush_ms=50)
    instance.start(60.0)
    assert within(10, lambda: mark(instance, db) == instance.version)
    assert within(10, lambda: statistics(instance, db) >= before.statistics)
    return lost(before, content(instance, db))


@pytest.mark.parametrize("point", POINTS)
def test_failure_leaves_no_mark_and_goes_on(shop: Instance, db: MariaDB, point: str) -> None:
    before = content(shop, db)
    shop.become("3.3.11")
    shop.knobs(migration_fails_at=point)
    shop.start(60.0)
    assert "migrate table error  Error 1114" in shop.log_text()
    assert mark(shop, db) == ("3.3.11" if point == "statistics" else "")
    assert shop.told_version() == "3.3.11"
    shop.kill()
    doubled = ["statistics"] if point == "statistics" else []
    assert completed(shop, db, before) == doubled


@pytest.mark.parametrize("point", POINTS)
def test_death_in_its_middle(shop: Instance, db: MariaDB, point: str) -> None:
    """The next start completes it; where the statistics were copied and not dropped they are there twice."""
    before = content(shop, db)
    shop.become("3.3.11")
    shop.knobs(migration_dies_at=point)
    assert shop.spawn().wait(60) == -signal.SIGKILL
    assert "Now listening" not in shop.log_text().rpartition("shop.example/\n")[2]
    assert completed(shop, db, before) == (["statistics"] if point == "statistics" else [])


@pytest.mark.parametrize("point", POINTS)
def test_points_are_what_they_say(shop: Instance, db: MariaDB, point: str) -> None:
    shop.become("3.3.11")
    shop.knobs(migration_dies_at=point)
    shop.spawn().wait(60)
    passed = POINTS.index(point)
    columns = {row[0] for row in db.run("SHOW COLUMNS FROM `archives`", shop.database)}
    tables = {row[0] for row in db.run("SHOW TABLES", shop.database)}
    assert ("archive_flags" in tables) is (passed >= POINTS.index("purged"))
    assert ("deleted_at" in columns) is (passed < POINTS.index("purged"))
    moved = 0 if passed < POINTS.index("drafts") else SMALL.drafts
    drafts = db.run("SELECT COUNT(*) FROM `archive_drafts`", shop.database)[0][0] if "archive_drafts" in tables else 0
    assert drafts == moved
    assert ("status" in columns) is (passed < POINTS.index("end"))
    assert mark(shop, db) == ("3.3.11" if point == "statistics" else "")
    assert "statistics" in tables
    lines = statistics(shop, db) - SMALL.statistics
    assert lines == (SMALL.statistics if point == "statistics" else 0)


@pytest.mark.parametrize(("new", "background"), [("3.3.11", False), ("3.5.8", True)])
def test_crash_when_it_is_over(shop: Instance, db: MariaDB, new: str, background: bool) -> None:
    if background:
        shop.become("3.3.11")
        shop.start(60.0)
        shop.kill()
    shop.become(new)
    shop.knobs(crash_after_migration=True)
    assert shop.spawn().wait(60) == 2
    assert mark(shop, db) == new
    log = shop.log_text().rpartition("shop.example/\n")[2]
    assert "panic: " in log and ("Now listening" in log) is background
    shop.start()  # nothing is due any more


def test_something_is_lost(shop: Instance, db: MariaDB) -> None:
    before = content(shop, db)
    shop.become("3.3.11")
    shop.knobs(
        spoils=[
            lose_setting("system"),
            lose_rows("archives", 3),
            lose_rows("archive_data", 1),
            "UPDATE `admins` SET `password` = '' WHERE `id` = 1",
        ]
    )
    shop.start(60.0)
    assert lost(before, content(shop, db)) == [
        "archive_data: 100 rows, now 99",
        "archives: 95 rows, now 92",
        "settings.system: gone",
        "bodies",
        "admins",
    ]


def test_one_site_of_two(shop: Instance, db: MariaDB) -> None:
    Sites(shop, db).add(2, "second.example")
    shop.start()
    shop.kill()
    shop.become("3.3.11")
    shop.knobs(migration_site=2, migration_fails_at="tables")
    shop.start(60.0)
    assert (mark(shop, db, 1), mark(shop, db, 2)) == ("3.3.11", "")


def test_slow_migration(shop: Instance, db: MariaDB, tmp_path: Path) -> None:
    """The port stays closed, and the server shows a statement of its own, for as long as the file is missing."""
    go = tmp_path / "go"
    shop.become("3.3.11")
    shop.knobs(migration_waits_at="drafts", migration_waits_for=str(go))
    shop.start(wait=0)
    seen = (
        "SELECT 1 FROM `information_schema`.`processlist` WHERE `info` LIKE 'INSERT INTO%SELECT%' "
        f"AND `db` = '{shop.database}'"
    )
    for _look in range(3):
        assert within(20, lambda: db.run(seen))
        assert not shop.told_version()
    go.touch()
    shop.wait_ready(60.0)
    assert ("migration_copy",) not in db.run("SHOW TABLES", shop.database)


def test_knobs_for_one_version_and_for_a_port_of_the_arguments(shop: Instance) -> None:
    """The old version, and the new one on its own port, are spared."""
    shop.knobs(
        when=[
            {"version": "3.3.11", "flag": True, "knobs": {"exit_code": 7}},
            {"version": "3.3.11", "flag": False, "knobs": {"wrong_version": "9.9.9"}},
        ]
    )
    assert shop.start() and shop.told_version() == "3.2.8"
    shop.kill()
    shop.become("3.3.11")
    assert shop.spawn("-port", str(shop.port)).wait(60) == 7
    assert shop.start(60.0) and shop.told_version() == "9.9.9"
