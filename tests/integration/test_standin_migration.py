# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the stand-in's migrations keep and lose, hop by hop, on a real MariaDB; facts in docs/application.md."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Callable, Iterator

import pytest
from instance import Instance
from integration.standin_migrating import (
    columns,
    count,
    engine,
    is_marked,
    seeded_sites,
    setting,
    tables,
    this_start,
    upgraded,
    within,
)
from mariadb import MariaDB
from seeding import SETTINGS, SMALL, content, lost, seed, statistics
from standin.behaviours import BEHAVIOURS

pytestmark = pytest.mark.usefixtures("never_a_real_release")


@pytest.fixture
def site(tmp_path: Path, db: MariaDB) -> Iterator[Callable[..., Instance]]:
    yield from seeded_sites(tmp_path, db)


DRAFTS_FLAGGED = SMALL.flagged // 2


# Every hop of the path table, and the direct ones beside it.
HOPS = [
    ("2.3.6", "2.5.3"),
    ("2.5.3", "3.3.11"),
    ("2.5.3", "3.5.8"),
    ("3.1.9", "3.3.11"),
    ("3.2.8", "3.3.11"),
    ("3.2.8", "3.5.8"),
    ("3.3.5", "3.3.11"),
    ("3.3.11", "3.4.0"),
    ("3.3.11", "3.5.8"),
    ("3.4.0", "3.5.8"),
    ("3.5.1", "3.5.8"),
    ("3.5.7", "3.5.8"),
]


@pytest.mark.parametrize(("old", "new"), HOPS)
def test_hop_keeps_everything(site: Callable[..., Instance], db: MariaDB, old: str, new: str) -> None:
    instance = site(old)
    before = content(instance, db)
    upgraded(instance, db, new)
    assert lost(before, content(instance, db)) == []
    assert instance.told_version() == new and instance.get("/")[0] == 200
    assert "安企商店" in instance.get("/")[1].decode()
    published, draft = SMALL.drafts + SMALL.flagged, 1
    assert [instance.get(f"/{number}.html")[0] for number in (published, draft)] == [200, 404]
    assert count(db, instance, "archives", "`title` = '文章 1'") == (0 if new >= "3.3" else 1)


@pytest.mark.parametrize(("old", "new"), [("3.2.8", "3.3.5"), ("2.5.3", "3.3.11"), ("3.2.8", "3.5.8")])
def test_articles_are_split(site: Callable[..., Instance], db: MariaDB, old: str, new: str) -> None:
    """3.3.0: drafts in a table of their own without their flags; deleted articles are gone, their texts are not."""
    instance = site(old)
    upgraded(instance, db, new)
    assert count(db, instance, "archives") == SMALL.articles - SMALL.drafts - SMALL.deleted
    assert count(db, instance, "archive_drafts") == SMALL.drafts
    assert count(db, instance, "archive_flags", "`flag` = 'c'") == SMALL.flagged - DRAFTS_FLAGGED
    assert count(db, instance, "archive_data") == SMALL.articles
    assert not {"status", "flag", "deleted_at"} & columns(db, instance, "archives").keys()


def test_only_3_3_11_turns_articles_back_to_innodb(site: Callable[..., Instance], db: MariaDB) -> None:
    instance = site("3.2.8")
    engines = [engine(db, instance)]
    for version in ("3.3.5", "3.4.0", "3.5.1", "3.5.8"):
        upgraded(instance, db, version)
        engines.append(engine(db, instance))
        instance.kill()
    assert engines == ["InnoDB", *["MyISAM"] * 4]


def test_3_3_11_turns_articles_back_to_innodb(site: Callable[..., Instance], db: MariaDB) -> None:
    instance = site("3.3.5")
    assert engine(db, instance) == "MyISAM"
    upgraded(instance, db, "3.3.11")
    assert engine(db, instance) == "InnoDB"


@pytest.mark.parametrize(
    ("old", "new", "there"),
    [
        ("2.5.3", "3.2.8", True),
        ("3.2.8", "3.3.5", True),
        ("3.2.8", "3.3.11", False),
        ("3.2.8", "3.5.8", False),
    ],
)
def test_statistics_move_to_files(site: Callable[..., Instance], db: MariaDB, old: str, new: str, there: bool) -> None:
    instance = site(old)
    upgraded(instance, db, new)
    assert ("statistics" in tables(db, instance)) is there
    lines = [
        json.loads(line)
        for path in (instance.dir / "data" / "statistic").glob("*.log")
        for line in path.read_text().splitlines()
    ]
    assert sorted(line["id"] for line in lines) == ([] if there else list(range(1, SMALL.statistics + 1)))
    days = {path.stem for path in (instance.dir / "data" / "statistic").glob("*.log") if path.stat().st_size}
    assert days == {time.strftime("%Y%m%d", time.localtime(line["created_time"])) for line in lines}


def test_left_over_statistics_double(site: Callable[..., Instance], db: MariaDB) -> None:
    instance = site("3.2.8")
    upgraded(instance, db, "3.3.11")
    instance.kill()
    db.run(f"DROP DATABASE `{instance.database}`")
    instance.become("3.2.8")
    seed(instance, db, SMALL)
    upgraded(instance, db, "3.3.11")
    assert statistics(instance, db) == 2 * SMALL.statistics


@pytest.mark.parametrize(("new", "left"), [("3.5.8", 0), ("3.5.1", SMALL.statistics)])
def test_statistics_in_memory_at_the_end(site: Callable[..., Instance], db: MariaDB, new: str, left: int) -> None:
    """From 3.5.0 the table is gone while its rows are in memory; only an end that drains (to 3.5.1) writes them."""
    instance = site("3.2.8", statistics_flush_ms=600_000)
    instance.become(new)
    os.kill(instance.start(60.0), signal.SIGTERM)
    assert is_marked(instance, db) and "statistics" not in tables(db, instance)
    assert within(10, lambda: not instance.pids())
    assert statistics(instance, db) == left


def test_ids_stay_int(site: Callable[..., Instance], db: MariaDB) -> None:
    instance = site("3.3.11")
    upgraded(instance, db, "3.5.8")
    assert columns(db, instance, "archives")["id"] == "int(10) unsigned"
    assert columns(db, instance, "archive_favorites")["archive_id"] == "bigint(20)"


@pytest.mark.parametrize(
    ("version", "kind"), [("3.4.0", "int(10) unsigned"), ("3.5.1", "bigint(20)"), ("3.5.8", "bigint(20)")]
)
def test_ids_of_a_new_database(site: Callable[..., Instance], db: MariaDB, version: str, kind: str) -> None:
    assert columns(db, site(version), "archives")["id"] == kind


@pytest.mark.parametrize(
    ("old", "new", "gone"),
    [
        ("3.2.8", "3.3.11", {"archives"}),
        ("3.3.11", "3.5.1", set()),
        ("3.3.11", "3.5.8", {"comments", "attachments", "tags"}),
    ],
)
def test_soft_deleted_rows(site: Callable[..., Instance], db: MariaDB, old: str, new: str, gone: set[str]) -> None:
    """Articles go with 3.3.0, all others with 3.5.3, and the column with them."""
    instance = site(old)
    amounts = {
        "archives": SMALL.articles - SMALL.drafts,
        "comments": SMALL.comments,
        "attachments": SMALL.attachments,
        "tags": SMALL.tags,
    }
    deleted = {"archives": SMALL.deleted, "comments": 3, "attachments": 2, "tags": 1}
    upgraded(instance, db, new)
    for table in set(deleted) - ({"archives"} if old == "3.3.11" else set()):
        missing = deleted[table] if table in gone else 0
        assert count(db, instance, table) == amounts[table] - missing, table
        assert ("deleted_at" in columns(db, instance, table)) is (table not in gone), table


@pytest.mark.parametrize("new", ["3.1.9", "3.2.8", "3.3.11", "3.5.8"])
def test_direct_jump_loses_all_settings(site: Callable[..., Instance], db: MariaDB, new: str) -> None:
    """Past 2.5.x nothing reads them from config.json. It looks healthy."""
    instance = site("2.3.6")
    before, file = content(instance, db), (instance.dir / "config.json").read_bytes()
    upgraded(instance, db, new)
    article = instance.get(f"/{SMALL.drafts + 1}.html")[0]
    assert (instance.told_version(), instance.get("/")[0], article) == (new, 200, 200)
    assert instance.get("/system/api/siteinfo")[1].startswith(b'{"code":0')
    assert "安企商店" not in instance.get("/")[1].decode()
    after = content(instance, db)
    told = lost(before, after)
    assert told == sorted(f"settings.{name}: {'changed' if name == 'import_api' else 'gone'}" for name in SETTINGS)
    assert (instance.dir / "config.json").read_bytes() == file


def test_2_5_after_a_direct_jump_is_too_late(site: Callable[..., Instance], db: MariaDB) -> None:
    """The table is not empty any more, so that nothing moves."""
    instance = site("2.3.6")
    for version in ("3.2.8", "2.5.3"):
        upgraded(instance, db, version)
        instance.kill()
    assert "system" not in content(instance, db).settings
    assert "system" in json.loads((instance.dir / "config.json").read_text())


def test_settings_move_once(site: Callable[..., Instance], db: MariaDB) -> None:
    """2.5.x: twenty rows, and the file is cut to what the version knows, in place, with the port in use."""
    instance = site("2.3.6")
    path = instance.dir / "config.json"
    config = json.loads(path.read_text())
    config["server"].update(own=1)
    path.write_text(json.dumps({**config, "own": 1}))
    (instance.dir / "collector.json").write_text('{"auto_collect":true}')
    inode, mode = path.stat().st_ino, path.stat().st_mode
    upgraded(instance, db, "2.5.3")
    assert count(db, instance, "settings") == 21
    assert json.loads(setting(instance, db, "collector")) == {"auto_collect": True}
    after = json.loads(path.read_text())
    config["server"].pop("own")
    assert after == {"mysql": config["mysql"], "server": config["server"]}
    assert (path.stat().st_ino, path.stat().st_mode) == (inode, mode)
    instance.kill()
    path.write_text(json.dumps({**after, "system": {"site_name": "too late"}}))
    text = path.read_bytes()
    instance.start()
    assert path.read_bytes() == text and b"too late" not in instance.get("/")[1]


def test_port_of_the_arguments_is_written_by_2_5(site: Callable[..., Instance], db: MariaDB) -> None:
    instance = site("2.3.6")
    port = instance.port
    instance.port += 1
    instance.become("2.5.3")
    instance.spawn("-port", str(instance.port))
    instance.wait_ready()
    assert json.loads((instance.dir / "config.json").read_text())["server"]["port"] == port + 1


@pytest.mark.parametrize(("version", "rewrites"), [("3.4.0", False), ("3.5.1", True), ("3.5.8", True)])
def test_mysql_variables(site: Callable[..., Instance], db: MariaDB, version: str, rewrites: bool) -> None:
    instance = site("3.3.11")
    path = instance.dir / "config.json"
    before = path.read_bytes()
    environment = {
        "MYSQL_DATABASE": instance.database,
        "MYSQL_HOST": db.host,
        "MYSQL_PORT": str(db.port),
        "MYSQL_USER": db.user,
        "MYSQL_PASSWORD": db.password,
    }
    instance.become(version)
    for _start in range(2):
        path.write_bytes(before)
        instance.start(environment=environment)
        after = json.loads(path.read_text())
        assert (path.read_bytes() != before) is rewrites
        assert ("token_secret" not in after["server"], "sparks" in after) == (rewrites, rewrites)
        instance.kill()


def test_2_3_6_completes_its_file(site: Callable[..., Instance], db: MariaDB) -> None:
    """Without a token of the import API: all keys that it knows, the others go; with one it leaves the file alone."""
    instance = site("2.3.6")
    path = instance.dir / "config.json"
    config = json.loads(path.read_text())
    assert len(config) == 16
    before = path.read_bytes()
    instance.start()
    assert path.read_bytes() == before
    instance.kill()
    del config["plugin_import_api"]
    path.write_text(json.dumps({**config, "own": 1}))
    instance.start()
    after = json.loads(path.read_text())
    assert after.pop("plugin_import_api")["token"] and after == config
    assert not path.read_bytes().endswith(b"\n") and b"\n\t\"system\": {\n\t\t" in path.read_bytes()


OLD_ON_NEW = [  # old, new: home, article, version, whether columns are added
    ("2.3.6", "3.5.8", 200, 404, True, True),
    ("2.5.3", "3.5.8", 500, 404, True, True),
    ("3.2.8", "3.3.11", 500, 404, True, True),
    ("3.2.8", "3.5.8", 200, 200, False, False),
    ("3.3.11", "3.5.8", 200, 200, False, False),
    ("3.4.0", "3.5.8", 200, 200, False, False),
    ("3.5.1", "3.5.8", 200, 200, False, False),
    ("3.4.0", "3.5.1", 500, 500, True, False),
    ("3.3.11", "3.4.0", 200, 200, True, False),
    ("2.3.6", "2.5.3", 200, 200, True, False),
    ("3.5.7", "3.5.8", 200, 200, True, False),
]


@pytest.mark.parametrize(("old", "new", "home", "article", "tells", "adds"), OLD_ON_NEW)
def test_old_version_on_a_newer_schema(
    site: Callable[..., Instance], db: MariaDB, old: str, new: str, home: int, article: int, tells: bool, adds: bool
) -> None:
    """Where it tells no version every path is 200 with a page that the site is closed, and the tables stay."""
    instance = site(new)
    before = shape(db, instance)
    instance.become(old)
    instance.log.unlink()
    instance.start(wait=0)
    assert within(20, lambda: "Now listening" in this_start(instance)), instance.log_text()
    number = SMALL.drafts + SMALL.flagged
    assert within(5, lambda: instance.get(f"/{number}.html")[0] == article) and instance.get("/")[0] == home
    assert bool(instance.told_version()) is tells
    assert ("网站已关闭" in instance.get("/")[1].decode()) is not tells
    after = shape(db, instance)
    assert bool(after - before) is adds and not before - after
    mark = old if tells and BEHAVIOURS[old].records_version else new if new >= "3.3" else ""
    assert within(10, lambda: setting(instance, db, "last_run_version") == mark)


def shape(db: MariaDB, instance: Instance) -> set[tuple[str, str]]:
    return {
        (row[0], row[1])
        for row in db.run(
            "SELECT `table_name`, `column_name` FROM `information_schema`.`columns` WHERE `table_schema` = "
            f"'{instance.database}'"
        )
    }


def test_next_upgrade_after_an_old_version_makes_drafts_of_all(site: Callable[..., Instance], db: MariaDB) -> None:
    instance = site("3.3.11")
    for version in ("3.2.8", "3.5.8"):
        upgraded(instance, db, version)
        instance.kill()
    assert (count(db, instance, "archives"), count(db, instance, "archive_drafts")) == (0, SMALL.articles)


@pytest.mark.parametrize(("old", "new"), [("3.1.9", "3.2.8"), ("2.5.3", "3.5.8")])
def test_categories_are_copied_behind_the_port(site: Callable[..., Instance], db: MariaDB, old: str, new: str) -> None:
    """Row by row; what a kill has cut the next start begins again and ends."""
    instance = site(old, background_copy_ms=60_000)
    instance.become(new)
    instance.start(60.0)
    articles = count(db, instance, "archives")
    assert within(20, lambda: count(db, instance, "archive_categories") == articles)
    assert not setting(instance, db, "upgrade_archive_category")
    instance.kill()
    db.run("DELETE FROM `archive_categories` WHERE `archive_id` > 40", instance.database)
    instance.knobs()
    instance.start()
    assert within(20, lambda: setting(instance, db, "upgrade_archive_category"))
    assert count(db, instance, "archive_categories") == articles


@pytest.mark.parametrize("old", ["3.2.8", "3.3.11"])
def test_the_second_start_fills_two_columns(site: Callable[..., Instance], db: MariaDB, old: str) -> None:
    """The one that migrates makes them and leaves them empty."""
    instance, seen = site(old), []
    upgraded(instance, db, "3.5.8")
    for _start in range(3):
        names = db.run("SELECT `name` FROM `modules` ORDER BY `id`", instance.database)
        sites = db.run("SELECT `token_secret`, `updated_time` > 0 FROM `websites`", instance.database)
        seen.append((names, sites))
        instance.kill()
        instance.start()
    assert seen[0] == ((("",), ("",)), (("", 0),))
    names, ((secret, stamped),) = seen[1]
    assert names == (("articleModule",), ("productModule",)) and len(secret) == 32 and stamped
    assert seen[2] == seen[1]


def test_a_new_database_has_both(site: Callable[..., Instance], db: MariaDB) -> None:
    instance = site("3.5.8")
    assert all(row[0] for row in db.run("SELECT `name` FROM `modules`", instance.database))
    assert all(row[0] for row in db.run("SELECT `token_secret` FROM `websites`", instance.database))


def test_versions_without_a_migration_of_categories(site: Callable[..., Instance], db: MariaDB) -> None:
    instance = site("3.2.8")
    assert within(20, lambda: setting(instance, db, "upgrade_archive_category"))
    mark = setting(instance, db, "upgrade_archive_category")
    db.run("DELETE FROM `archive_categories`", instance.database)
    upgraded(instance, db, "3.5.8")
    assert setting(instance, db, "upgrade_archive_category") == mark
    assert count(db, instance, "archive_categories") == 0
