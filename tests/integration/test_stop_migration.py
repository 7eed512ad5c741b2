# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""graceful_stop in the middle of a migration on a real MariaDB that cannot be asked: no force kills it.

What it does where the database can be asked is in test_migration_asked.py.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any, Callable, Iterator

import pymysql
import pytest
from instance import Instance, make_instance
from integration.stopping import directories, gone, signals_of, start_of, stop, within
from mariadb import MariaDB

from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import client

Site = Callable[..., Instance]


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDB]:
    with MariaDB(tmp_path_factory.mktemp("db") / "mariadb") as server:
        yield server


@pytest.fixture(autouse=True)
def no_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is seen of the connections is all that is known."""

    def none(*_unused: Any) -> Any:
        raise client.DatabaseError("no_client", "No MySQL client was found.")

    monkeypatch.setattr(client, "find", none)


@contextlib.contextmanager
def db_lock(db: MariaDB, instance: Instance) -> Iterator[None]:
    """Somebody else reads the table meanwhile: an ALTER has to wait."""
    connection = pymysql.connect(
        host=db.host, port=db.port, user=db.user, password=db.password, database=instance.database
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLES archives READ")
        yield


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def site(tmp_path: Path, db: MariaDB) -> Iterator[Site]:
    def make(version: str, **knobs: Any) -> Instance:
        instance = make_instance(www / "site", version, db=db, database=f"m_{os.urandom(4).hex()}")
        instance.knobs(**knobs)
        return instance

    www = tmp_path / "www"
    for _unused in directories(www):
        yield make


def rows(db: MariaDB, instance: Instance, statement: str) -> list[Any]:
    return [row[0] for row in db.run(statement, instance.database)]


def copying(db: MariaDB, instance: Instance) -> bool:
    tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = '%s'" % instance.database
    return ("migration_copy",) in db.run(tables)


def migrating(db: MariaDB, instance: Instance) -> int:
    """Start it and wait until rows are being copied; its pid."""
    instance.start(wait=0)
    assert within(20, lambda: copying(db, instance)), instance.log_text()
    return instance.pid


@pytest.mark.parametrize("force", ["never", "idle", "timeout"])
def test_migration_of_a_version_that_waits_for_its_end(site: Site, db: MariaDB, base: Path, force: str) -> None:
    """3.3.11 takes the SIGTERM when its start has ended: the stop gives up before, and kills nothing."""
    instance = site("3.3.11", migration_ms=3500)
    pid = migrating(db, instance)
    before = start_of(pid)
    result = stop(instance.dir, base, force=force, timeout=1.0)
    assert result["failed"] and "migration running" in result["msg"] and signals_of(result) == ["SIGTERM"]
    assert start_of(pid) == before
    assert within(15, lambda: gone(pid))  # by itself
    assert rows(db, instance, "SELECT value FROM settings WHERE `key` = 'last_run_version'") == ["3.3.11"]
    assert "migration_copy" not in rows(db, instance, "SHOW TABLES")


def test_migration_is_waited_for_where_there_is_time(site: Site, db: MariaDB, base: Path) -> None:
    instance = site("3.3.11", migration_ms=2500)
    pid = migrating(db, instance)
    result = stop(instance.dir, base, force="timeout", timeout=20)
    assert (result["exit_kind"], signals_of(result)) == ("graceful", ["SIGTERM"]) and gone(pid)
    assert rows(db, instance, "SELECT value FROM settings WHERE `key` = 'last_run_version'") == ["3.3.11"]


@pytest.mark.parametrize("version", ["2.5.3", "3.2.1"])
@pytest.mark.parametrize("force", ["idle", "timeout"])
def test_migration_that_a_sigterm_would_kill_gets_none(
    site: Site, db: MariaDB, base: Path, version: str, force: str
) -> None:
    instance = site(version, migration_ms=3000)
    pid = migrating(db, instance)
    before = start_of(pid)
    result = stop(instance.dir, base, force=force, timeout=0.8)
    assert result["failed"] and "may be migrating" in result["msg"] and "Nothing was signalled" in result["msg"]
    assert start_of(pid) == before and instance.wait_ready() == pid
    assert "migration_copy" not in rows(db, instance, "SHOW TABLES")


def test_old_version_is_stopped_when_its_migration_has_ended(site: Site, db: MariaDB, base: Path) -> None:
    instance = site("2.5.3", migration_ms=2000)
    pid = migrating(db, instance)
    result = stop(instance.dir, base, timeout=20)
    assert (result["exit_kind"], result["pid"]) == ("forced_idle", pid) and gone(pid)
    assert "migration_copy" not in rows(db, instance, "SHOW TABLES")


@pytest.mark.parametrize("force", ["idle", "timeout"])
def test_categories_copied_in_the_background_are_not_cut(site: Site, db: MariaDB, base: Path, force: str) -> None:
    """3.2.1 answers, and copies: it is killed when its database has been silent for three seconds, not before."""
    instance = site("3.2.1", background_copy_ms=2500)
    pid = instance.start()
    early = stop(instance.dir, base, force=force, timeout=0.7)
    assert early["failed"] and "migration running" in early["msg"] and not gone(pid)
    result = stop(instance.dir, base, force=force, timeout=20)
    assert (result["exit_kind"], result["pid"]) == ("forced_idle", pid) and gone(pid)
    assert len(rows(db, instance, "SELECT value FROM settings WHERE `key` = 'upgrade_archive_category'")) == 1


def test_silent_database_lets_3_2_1_be_killed_at_once(site: Site, db: MariaDB, base: Path) -> None:
    instance = site("3.2.1")
    pid = instance.start()
    assert within(10, lambda: rows(db, instance, "SELECT value FROM settings WHERE `key` = 'upgrade_archive_category'"))
    assert not within(3.2, lambda: gone(pid))
    result = stop(instance.dir, base)
    assert result["exit_kind"] == "forced_idle" and gone(pid)
    assert result["signals"][1]["at_ms"] - result["signals"][0]["at_ms"] < 500


def test_long_statement_before_the_port_opens_is_a_migration(site: Site, db: MariaDB, base: Path) -> None:
    """An ALTER that waits says nothing for long: neither idle nor timeout may cut it."""
    instance = site("3.3.11")
    instance.start()
    instance.kill()
    db.run("DELETE FROM settings WHERE `key` = 'last_run_version'", instance.database)
    db.run("ALTER TABLE archives ADD COLUMN deleted_at datetime", instance.database)
    with db_lock(db, instance):
        instance.start(wait=0)
        query = "SELECT db FROM information_schema.processlist WHERE state LIKE 'Waiting%'"
        assert within(20, lambda: (instance.database,) in db.run(query))
        pid = instance.pid
        assert not within(1.5, lambda: gone(pid))
        for force in ("idle", "timeout"):
            result = stop(instance.dir, base, force=force, timeout=0.5)
            assert result["failed"] and "migration running" in result["msg"] and not gone(pid)
    assert within(15, lambda: gone(pid))
    assert rows(db, instance, "SELECT value FROM settings WHERE `key` = 'last_run_version'") == ["3.3.11"]
