# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dumps and restores on a real MariaDB, by a user who has the application's rights and no more."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path
from typing import Iterator

import pymysql
import pytest
from integration import databases
from mariadb import MariaDB

from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import client, dump, dump_file, restore
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import content as facts
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError


@pytest.fixture
def name(db: MariaDB) -> Iterator[str]:
    found = f"shop_{os.urandom(4).hex()}"
    databases.make_shop(db, found)
    yield found
    db.run(f"DROP DATABASE `{found}`")


@pytest.fixture
def session(db: MariaDB, name: str) -> Iterator[client.Session]:
    with databases.session(db, name) as one:
        yield one


@pytest.mark.parametrize("compression", ["none", "zstd", "gzip"])
def test_a_restore_is_exact(db: MariaDB, name: str, session: client.Session, tmp_path: Path, compression: str) -> None:
    before = databases.state(db, name)
    manifest = databases.taken(session, tmp_path / "d", compression)
    assert manifest.compression == compression and set(manifest.names) == set(before)
    databases.damage(db, name)
    assert databases.state(db, name) != before
    assert databases.restored(session, tmp_path / "d")["restored"] is True
    assert databases.state(db, name) == before
    db.run("INSERT INTO archives (title) VALUES ('next')", name)
    assert db.run("SELECT MAX(id) FROM archives", name) == ((201,),)  # ids of deleted articles do not come again


def test_what_is_equal_already_is_left_alone(db: MariaDB, name: str, session: client.Session, tmp_path: Path) -> None:
    databases.taken(session, tmp_path / "d")
    made = db.run("SELECT create_time FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY 1", name)
    assert databases.restored(session, tmp_path / "d") == dict(
        changed=False, restored=False, recovered="nothing", strays=0
    )
    again = db.run("SELECT create_time FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY 1", name)
    assert made == again


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE archives ADD KEY (deleted_at)",
        "ALTER TABLE empty_one AUTO_INCREMENT=99",
        "UPDATE archives SET title = CONCAT(title, ' ') WHERE id = 9",
        "CREATE TABLE another (id int)",
    ],
)
def test_every_difference_is_seen(db: MariaDB, name: str, session: client.Session, tmp_path: Path, change: str) -> None:
    before = databases.state(db, name)
    databases.taken(session, tmp_path / "d")
    db.run(change, name)
    assert databases.restored(session, tmp_path / "d")["restored"] is True
    assert databases.state(db, name) == before


def steps_of(output: str) -> list[str]:
    return [line.split()[1] for line in output.split("\n") if line[:1].isdigit()]


@pytest.fixture(scope="module")
def steps(db: MariaDB, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """What a restore does, in order."""
    found, place = f"steps_{os.urandom(4).hex()}", tmp_path_factory.mktemp("steps") / "d"
    databases.make_shop(db, found)
    with databases.session(db, found) as session:
        databases.taken(session, place)
    databases.damage(db, found)
    yield steps_of(databases.dying(db, found, place, 0).stdout)
    db.run(f"DROP DATABASE `{found}`")


def test_a_restore_is_repaired_from_every_point(
    db: MariaDB, name: str, session: client.Session, tmp_path: Path, steps: list[str]
) -> None:
    """Killed before, and in, each of its steps: repaired it is as before the restore or as the dump, never between."""
    place = tmp_path / "d"
    dumped = databases.state(db, name)
    databases.taken(session, place)
    assert steps.index("renaming") < steps.index("compared") < steps.index("dropped")
    clients = [-number for number, step in enumerate(steps, 1) if step == "client"]
    for at in [*range(1, len(steps) + 1), *clients]:
        databases.damage(db, name)
        damaged = databases.state(db, name)
        ended = databases.dying(db, name, place, at)
        assert ended.returncode == -9, (at, ended.stdout)
        journal = restore.Journal(str(place), "key")
        compared = any(entry["state"] == "compared" for entry in journal.entries())
        way = restore.recover(session, journal)
        now = databases.state(db, name)
        # Before the comparison the restore may be ended or taken back; both are right, a mix of both is not.
        assert now == (dumped if compared or now == dumped else damaged), (at, way)
        assert way != ("back" if compared else "forward"), at
        databases.restored(session, place)
        assert databases.state(db, name) == dumped, at


def test_the_repair_is_repaired_as_well(
    db: MariaDB, name: str, session: client.Session, tmp_path: Path, steps: list[str]
) -> None:
    place, loading = tmp_path / "d", steps.index("renaming") + 3  # after it: the client that renames, that loads
    before = databases.state(db, name)
    databases.taken(session, place)
    for at in range(1, 30):
        databases.damage(db, name)
        damaged = databases.state(db, name)
        assert databases.dying(db, name, place, -loading).returncode == -9
        ended = databases.dying(db, name, place, at, recovering=True)
        restore.recover(session, restore.Journal(str(place), "key"))
        assert databases.state(db, name) == damaged, (at, ended.stdout)
        databases.restored(session, place)
        assert databases.state(db, name) == before
        if ended.returncode == 0:
            break
    else:
        raise AssertionError("the repair never ended")
    assert at > 3


def test_a_dump_that_cannot_be_loaded_leaves_all_as_it_is(
    db: MariaDB, name: str, session: client.Session, tmp_path: Path
) -> None:
    databases.taken(session, tmp_path / "d")
    path = tmp_path / "d" / "site-1.sql"
    text = path.read_bytes()
    for broken in (text.replace(b"INSERT INTO `admins`", b"INSERT INTO `nobody`"), text.replace(b"'/a'", b"'/c'")):
        assert broken != text
        path.write_bytes(broken)
        databases.damage(db, name)
        damaged = databases.state(db, name)
        with pytest.raises(LifecycleError, match="the tables are as they were before it"):
            databases.restored(session, tmp_path / "d")
        assert databases.state(db, name) == damaged
        path.write_bytes(text)
        databases.restored(session, tmp_path / "d")
    path.write_bytes(text[:-30])
    db.run("DELETE FROM admins", name)
    with pytest.raises(LifecycleError, match="it is not the one that was taken"):
        databases.restored(session, tmp_path / "d")


def test_what_a_dead_process_left_in_the_server_is_ended(
    db: MariaDB, name: str, session: client.Session, tmp_path: Path
) -> None:
    before = databases.state(db, name)
    databases.taken(session, tmp_path / "d")
    databases.damage(db, name)
    stray = pymysql.connect(
        host="127.0.0.1", port=db.port, user=databases.USER, password=databases.PASSWORD.encode(), database=name
    )
    with stray.cursor() as cursor:
        cursor.execute("SELECT * FROM archives FOR UPDATE")  # its lock would hold the renaming up

    def wait() -> None:
        with pytest.raises(pymysql.MySQLError), stray.cursor() as cursor:
            cursor.execute("SELECT SLEEP(60) FROM archives LIMIT 1")

    thread = threading.Thread(target=wait)
    thread.start()
    assert databases.restored(session, tmp_path / "d")["strays"] == 1
    thread.join(10)
    assert not thread.is_alive() and databases.state(db, name) == before


def test_a_dump_is_compressed_and_hashed_afterwards(
    db: MariaDB, name: str, session: client.Session, tmp_path: Path
) -> None:
    before = databases.state(db, name)
    databases.taken(session, tmp_path / "d")
    packed = dump_file.pack(str(tmp_path / "d"), 1)
    assert sorted(os.listdir(tmp_path / "d")) == ["site-1.json", "site-1.sql.zst"]
    assert packed.sha256 == dump_file.hash_of(str(tmp_path / "d" / "site-1.sql.zst"))
    assert dump_file.pack(str(tmp_path / "d"), 1) == packed
    databases.damage(db, name)
    assert databases.restored(session, tmp_path / "d")["restored"] and databases.state(db, name) == before


def test_a_backup_of_a_running_site(db: MariaDB, name: str, session: client.Session, tmp_path: Path) -> None:
    """Nothing is compared but the set of tables."""
    manifest = databases.taken(session, tmp_path / "d", online=True)
    assert manifest.online and manifest.content is None
    databases.damage(db, name)
    assert databases.restored(session, tmp_path / "d")["restored"]
    assert sorted(databases.state(db, name)) == sorted(manifest.names)


@pytest.mark.parametrize(
    "compression,said",
    [
        ("none", "no space is left on the disk"),
        ("zstd", "zstd ended with exit status 1"),
    ],
)
def test_a_full_disk_leaves_no_dump(
    db: MariaDB, name: str, session: client.Session, tmp_path: Path, compression: str, said: str
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    for _unused in range(6):
        db.run("INSERT INTO archive_data (content) SELECT MD5(RAND()) FROM archive_data", name)
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=0700", "none", str(place)], check=True)
    try:
        with pytest.raises(LifecycleError) as caught:
            databases.taken(session, place, compression)
        assert said in caught.value.msg
        assert os.listdir(place) == []
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_what_cannot_be_restored_is_named(db: MariaDB, name: str, session: client.Session) -> None:
    for statement in (
        "CREATE TABLE child (p int unsigned, CONSTRAINT fk_x FOREIGN KEY (p) REFERENCES archives (id))",
        "CREATE VIEW seen AS SELECT 1",
        f"CREATE TABLE {'x' * 60} (id int)",
    ):
        db.run(statement, name)
    db.administer("CREATE TRIGGER trig BEFORE INSERT ON archives FOR EACH ROW SET NEW.title = 'x'", name)
    db.administer("CREATE PROCEDURE proc() SELECT 1", name)
    found = "; ".join(facts.obstacles(facts.look(session)))
    assert "fk_x" in found and "seen" in found and "xxxxx" in found
    with pytest.raises(client.DatabaseError, match="trial dump") as caught:  # a trigger is not seen without its right
        dump.trial(session)
    assert caught.value.kind == "trial_dump" and "TRIGGER" in caught.value.msg


def test_tables_aside_that_nobody_knows_of(db: MariaDB, name: str, session: client.Session, tmp_path: Path) -> None:
    """The record of the restore is lost: which tables are the right ones is not guessed."""
    databases.taken(session, tmp_path / "d")
    db.run("CREATE TABLE _alr1_archives (id int)", name)
    before = databases.state(db, name)
    with pytest.raises(LifecycleError, match=r"_alr1_archives.*nothing is known of that restore"):
        databases.restored(session, tmp_path / "d")
    assert databases.state(db, name) == before


def test_rights_on_single_tables_are_not_enough(db: MariaDB, name: str) -> None:
    """A table without rights is in no list: nobody would miss it in the dump."""
    for table in ("archives", "settings"):
        db.give("part", "secret-1", name, "")
        db.administer(f"GRANT ALL ON `{name}`.`{table}` TO 'part'@'127.0.0.1'")
    with databases.session(db, name, user="part", password="secret-1") as one:
        seen = facts.look(one)
    assert seen.names == ["archives", "settings"] and facts.missing_rights(seen) == list(facts.RIGHTS)
    with databases.session(db, name) as one:
        assert facts.missing_rights(facts.look(one)) == []


def test_a_full_disk_of_the_server_leaves_all_as_it_was(tmp_path: Path) -> None:
    """The dump does not fit beside the tables of today."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200m,mode=0755", "none", str(place)], check=True)
    try:
        with MariaDB(place / "mariadb") as small:
            databases.make_shop(small, "shop")
            small.run("CREATE TABLE filler (id int AUTO_INCREMENT PRIMARY KEY, content longtext)", "shop")
            small.run("INSERT INTO filler (content) SELECT REPEAT(MD5(id), 500) FROM archive_data", "shop")
            with databases.session(small, "shop") as one:
                databases.taken(one, tmp_path / "d")
                databases.damage(small, "shop")
                damaged = databases.state(small, "shop")
                free = os.statvfs(place).f_bavail * os.statvfs(place).f_frsize
                (place / "ballast").write_bytes(b"x" * (free - (2 << 20)))
                with pytest.raises(LifecycleError, match="the tables are as they were before it"):
                    databases.restored(one, tmp_path / "d")
                assert databases.state(small, "shop") == damaged
                (place / "ballast").unlink()
                assert databases.restored(one, tmp_path / "d")["restored"]
    finally:
        subprocess.run(["umount", str(place)], check=True)
