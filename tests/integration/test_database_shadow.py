# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shadow tables on a real MariaDB, by a user who has the application's rights and no more."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any, Iterator

import pytest
from integration import databases
from integration.databases import without_copies
from mariadb import MariaDB

from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import (
    client,
    dump_file,
    dump_manifest,
    restore,
    shadow,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import content as facts
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError


@pytest.fixture
def name(db: MariaDB) -> Iterator[str]:
    found = f"shop_{os.urandom(4).hex()}"
    databases.make_shop(db, found)
    # What a plain INSERT ... SELECT * gets wrong: an id of 0, generated and invisible columns, dates of zeros.
    db.run(
        "CREATE TABLE odd (id int AUTO_INCREMENT PRIMARY KEY, a int, b int AS (a + 1) STORED, c int INVISIBLE, "
        "d datetime) AUTO_INCREMENT=9",
        found,
    )
    db.run(
        "SET STATEMENT sql_mode = 'NO_AUTO_VALUE_ON_ZERO' FOR INSERT INTO odd (id, a, c, d) VALUES (0, 1, 2, 0)", found
    )
    db.run(
        "CREATE TABLE `part` (id int PRIMARY KEY, CHECK (id > 0)) COMMENT='of `_als1_` only' "
        "PARTITION BY HASH (id) PARTITIONS 2",
        found,
    )
    yield found
    db.run(f"DROP DATABASE `{found}`")


@pytest.fixture
def session(db: MariaDB, name: str) -> Iterator[client.Session]:
    with databases.session(db, name) as one:
        yield one


def next_id(db: MariaDB, name: str) -> Any:
    db.run("INSERT INTO archives (title) VALUES ('next')", name)
    return db.run("SELECT MAX(id) FROM archives", name)[0][0]


def test_a_restore_is_exact_and_leaves_nothing(db: MariaDB, name: str, session: client.Session, tmp_path: Path) -> None:
    before = databases.state(db, name)
    manifest = databases.copied(session, tmp_path / "d")
    assert (
        manifest.shadow
        and not manifest.file
        and sorted(os.listdir(tmp_path / "d"))
        == ["shadow-" + os.path.basename(databases.record(tmp_path / "d").path)[7:], "site-1.json"]
    )
    assert without_copies(databases.state(db, name)) == before
    assert not [one for one in facts.look(session).names if one.startswith(facts.SHADOW)]
    assert len(databases.state(db, name)) == 2 * len(before)
    databases.damage(db, name)
    assert databases.restored(session, tmp_path / "d")["restored"] is True
    assert databases.state(db, name) == before
    assert next_id(db, name) == 201  # ids of deleted articles do not come again
    with pytest.raises(LifecycleError, match="not there any more"):
        databases.restored(session, tmp_path / "d")


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO `_als1_archives` (title) VALUES ('x')",
        "UPDATE `_als1_admins` SET password = ''",
        "ALTER TABLE `_als1_archives` AUTO_INCREMENT = 999",
        "ALTER TABLE `_als1_odd` ADD KEY (a)",
    ],
)
def test_altered_copies_are_not_used(
    db: MariaDB, name: str, session: client.Session, tmp_path: Path, change: str
) -> None:
    databases.copied(session, tmp_path / "d")
    databases.damage(db, name)
    db.run(change, name)
    state = databases.state(db, name)
    with pytest.raises(LifecycleError, match=r"are not what they were when they were made: .*The tables were left"):
        databases.restored(session, tmp_path / "d")
    assert databases.state(db, name) == state


def test_a_missing_copy_is_told(db: MariaDB, name: str, session: client.Session, tmp_path: Path) -> None:
    databases.copied(session, tmp_path / "d")
    databases.damage(db, name)
    db.run("DROP TABLE `_als1_admins`", name)
    with pytest.raises(LifecycleError, match="not there any more"):
        databases.restored(session, tmp_path / "d")


def points(output: str) -> list[str]:
    return [line.split()[1] for line in output.split("\n") if line[:1].isdigit()]


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.soak)], ids=["one-of-each", "every"])
def test_copying_is_repaired_from_every_point(
    db: MariaDB, name: str, session: client.Session, tmp_path: Path, every: bool
) -> None:
    """The tables are as they were, and what was made of the copies is known, dropped and made again."""
    place = tmp_path / "d"
    before = databases.state(db, name)
    ended = databases.dying_at_statement(db, name, place, 0, "copy")
    found = points(ended.stdout)
    assert ended.returncode == 0 and found.count("CREATE") == found.count("INSERT") == len(before), ended.stdout
    assert found[0] == "record" and found[-2:] == ["manifest", "record"] and "ALTER" in found
    first_and_last = {found.index(one) for one in found} | {len(found) - 1 - found[::-1].index(one) for one in found}
    for at in range(1, len(found) + 1) if every else sorted(one + 1 for one in first_and_last):
        shadow.drop(session, databases.record(place))
        (place / "site-1.json").unlink(missing_ok=True)
        assert databases.dying_at_statement(db, name, place, at, "copy").returncode == -signal.SIGKILL
        assert without_copies(databases.state(db, name)) == before, at
        assert shadow.unknown(facts.look(session), databases.record(place).read()) == [], at
        assert dump_manifest.sites_in(str(place)) == ([1] if at == len(found) else []), at
    shadow.drop(session, databases.record(place))
    assert databases.state(db, name) == before and databases.record(place).read() is None
    databases.copied(session, place)
    databases.damage(db, name)
    databases.restored(session, place)
    assert databases.state(db, name) == before


@pytest.mark.parametrize("repairing", [False, True], ids=["restore", "its-repair"])
def test_a_restore_is_repaired_from_every_point(
    db: MariaDB, name: str, session: client.Session, tmp_path: Path, repairing: bool
) -> None:
    """As before the restore with all copies, or as when they were made, never between."""
    place = tmp_path / "d"
    before = databases.state(db, name)
    ended, at = None, 0
    while ended is None or ended.returncode == -signal.SIGKILL:
        at += 1
        databases.copied(session, place)
        databases.damage(db, name)
        damaged = databases.state(db, name)
        if repairing:  # of one that has died after its renaming
            assert databases.dying_at_statement(db, name, place, 3, "restore").returncode == -signal.SIGKILL
            assert without_copies(databases.state(db, name)) != without_copies(damaged)
        ended = databases.dying_at_statement(db, name, place, at, "recover" if repairing else "restore")
        compared = any(entry["state"] == "compared" for entry in restore.Journal(str(place), "key").entries())
        way = restore.recover(session, restore.Journal(str(place), "key"))
        now = databases.state(db, name)
        # Before the comparison the restore may be ended or taken back; both are right, a mix of both is not.
        assert now == (before if compared or now == before else damaged), (at, way, ended.stdout)
        databases.restored(session, place)
        assert databases.state(db, name) == before, at
        databases.record(place).forget()
    assert ended.returncode == 0, ended.stdout
    assert points(ended.stdout) == (["RENAME"] if repairing else ["journal", "RENAME", "journal", "DROP", "journal"])


def test_the_server_is_killed_after_the_copying(tmp_path: Path) -> None:
    with MariaDB(tmp_path / "mariadb") as server:
        databases.make_shop(server, "shop")
        # Its next id is far behind the highest one, and the server keeps that in its memory.
        server.run("CREATE TABLE reserved (id int AUTO_INCREMENT PRIMARY KEY, a int)", "shop")
        server.run("INSERT INTO reserved (a) SELECT id FROM archive_data", "shop")
        before = databases.state(server, "shop")
        assert "AUTO_INCREMENT=256 " in before["reserved"][0]
        with databases.session(server, "shop") as one:
            databases.copied(one, tmp_path / "d")
            databases.damage(server, "shop")
            os.kill(server.pid, signal.SIGKILL)
            server.stop()
            server.start()
            assert databases.restored(one, tmp_path / "d")["restored"]
        assert databases.state(server, "shop") == before


def test_packed_they_are_an_ordinary_dump(db: MariaDB, name: str, session: client.Session, tmp_path: Path) -> None:
    before = databases.state(db, name)
    place = tmp_path / "d"
    manifest = databases.copied(session, place)
    databases.damage(db, name)
    written = shadow.into_file(session, str(place), manifest, 60.0)
    assert written.file == "site-1.sql" and dump_manifest.read(str(place), 1) == written
    assert shadow.into_file(session, str(place), written, 60.0) == written
    text = (place / "site-1.sql").read_bytes()
    assert b"\nCREATE TABLE `archives` (" in text and b"\nINSERT INTO `archives` VALUES" in text
    assert shadow.drop(session, databases.record(place))
    assert dump_file.pack(str(place), 1).compression != "none"
    assert databases.restored(session, place)["restored"] and databases.state(db, name) == before


def test_a_dump_in_a_file_leaves_copies_out(db: MariaDB, name: str, session: client.Session, tmp_path: Path) -> None:
    databases.copied(session, tmp_path / "d")
    manifest = databases.taken(session, tmp_path / "file")
    assert not [one for one in manifest.names if one.startswith(facts.SHADOW)]
    assert b"_als1_archives" not in (tmp_path / "file" / "site-1.sql").read_bytes()
    state = databases.state(db, name)
    databases.damage(db, name)
    databases.restored(session, tmp_path / "file")
    assert databases.state(db, name) == state  # with the copies, which it does not touch


def test_a_full_disk_of_the_server_leaves_no_copy(tmp_path: Path) -> None:
    """InnoDB may end when its disk is full: then the copies are known, and go when it is there again."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    place, record = tmp_path / "disk", databases.record(tmp_path / "d")
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=250m,mode=0755", "none", str(place)], check=True)
    try:
        with MariaDB(place / "mariadb") as small:
            databases.make_shop(small, "shop")
            small.run("CREATE TABLE filler (id int AUTO_INCREMENT PRIMARY KEY, content longtext)", "shop")
            small.run("INSERT INTO filler (content) SELECT REPEAT(MD5(id), 5000) FROM archive_data", "shop")
            small.run("ALTER TABLE filler AUTO_INCREMENT = 300", "shop")  # the server forgets what it has reserved
            before = databases.state(small, "shop")
            free = os.statvfs(place).f_bavail * os.statvfs(place).f_frsize
            (place / "ballast").write_bytes(b"x" * (free - (20 << 20)))
            with databases.session(small, "shop") as one:
                with pytest.raises(LifecycleError):
                    databases.copied(one, tmp_path / "d")
                assert dump_manifest.sites_in(str(tmp_path / "d")) == []
                (place / "ballast").unlink()
                small.stop()
                small.start()
                assert shadow.unknown(facts.look(one), record.read()) == []
                shadow.drop(one, record)
                assert databases.state(small, "shop") == before
                databases.copied(one, tmp_path / "d")
                databases.damage(small, "shop")
                databases.restored(one, tmp_path / "d")
            assert databases.state(small, "shop") == before
    finally:
        subprocess.run(["umount", str(place)], check=True)
