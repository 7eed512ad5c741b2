# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the stand-in does at a start: its database, its configuration, the full-text search, its pages."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Callable, Iterator

import pytest
from instance import Instance, make_instance
from integration.standin_sites import ABRUPT, count, last_run_version, ready, standins, within
from mariadb import MariaDB

pytestmark = pytest.mark.usefixtures("never_a_real_release")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Callable[..., Instance]]:
    yield from standins(tmp_path)


def test_new_migration_runs_behind_the_open_port(site: Callable[..., Instance], db: MariaDB) -> None:
    instance = site(ABRUPT, db=db)
    process = ready(instance)
    process.kill()
    process.wait()
    db.run("UPDATE `settings` SET `value` = '3.5.7' WHERE `key` = 'last_run_version'", instance.database)
    instance.knobs(migration_ms=1000)
    ready(instance)
    assert last_run_version(db, instance) == "3.5.7"
    assert within(5, lambda: last_run_version(db, instance) == ABRUPT)


def test_categories_are_copied_behind_the_open_port(site: Callable[..., Instance], db: MariaDB) -> None:
    instance = site("3.2.1", db=db)
    process = ready(instance)
    process.kill()
    process.wait()
    db.run("DELETE FROM `settings`", instance.database)
    db.run("INSERT INTO `archives` (`title`,`category_id`) VALUES ('a',3),('b',4)", instance.database)
    instance.knobs(background_copy_ms=800)
    ready(instance)
    flag = "SELECT 1 FROM `settings` WHERE `key` = 'upgrade_archive_category'"
    assert not db.run(flag, instance.database)
    assert within(5, lambda: bool(db.run(flag, instance.database)))
    assert count(db, instance, "archive_categories") == 2


def test_mysql_environment_rewrites_the_configuration(site: Callable[..., Instance], db: MariaDB) -> None:
    instance = site(ABRUPT, db=db)
    (instance.dir / "config.json").unlink()
    environment = {
        "MYSQL_DATABASE": instance.database,
        "MYSQL_HOST": db.host,
        "MYSQL_PORT": str(db.port),
        "MYSQL_USER": db.user,
        "MYSQL_PASSWORD": db.password,
    }
    process = instance.spawn("-port", str(instance.port), environment=environment)
    assert instance.wait_ready() == process.pid
    config = json.loads((instance.dir / "config.json").read_text())
    assert (config["server"]["port"], config["mysql"]["database"]) == (instance.port, instance.database)


def test_mysql_environment_overrides_the_configuration(site: Callable[..., Instance], db: MariaDB) -> None:
    """From 3.4.2: the keys that it does not know go out of config.json, the file and its mode stay."""
    environment = {
        "MYSQL_DATABASE": f"e_{os.urandom(4).hex()}",
        "MYSQL_HOST": db.host,
        "MYSQL_PORT": str(db.port),
        "MYSQL_USER": db.user,
        "MYSQL_ROOT_PASSWORD": db.password,
        "MYSQL_PASSWORD": "not this one",
    }
    instance = site(ABRUPT, db=db)
    path = instance.dir / "config.json"
    config = json.loads(path.read_text())
    config["mysql"]["port"] = 1  # nobody is there
    path.write_text(json.dumps({**config, "own": 1}))
    inode = path.stat().st_ino
    ready(instance, environment=environment)
    config = json.loads(path.read_text())
    assert config["mysql"]["database"] == environment["MYSQL_DATABASE"] and config["mysql"]["use_default"] is False
    assert set(config) == {"mysql", "server", "sparks"} and "token_secret" not in config["server"]
    assert (path.stat().st_ino, path.stat().st_mode & 0o777) == (inode, 0o600)
    old = site("3.4.0", "old", db=db)
    before = (old.dir / "config.json").read_text()
    ready(old, environment=environment)
    assert (old.dir / "config.json").read_text() == before and last_run_version(db, old) == "3.4.0"


@pytest.mark.parametrize("version", ["2.5.3", "3.1.9", "3.2.8", "3.3.11", "3.4.0", "3.5.1", "3.5.8"])
def test_full_text_search_without_its_dictionary(site: Callable[..., Instance], version: str) -> None:
    instance = site(version, fulltext=True)
    path = instance.dir / "dictionary.txt"
    process = ready(instance)
    assert within(5, lambda: "索引总数0\n" in instance.log_text())
    assert f" 载入sego词典 {path}\n" in instance.log_text() and " sego词典载入完毕\n" in instance.log_text()
    assert (" fulltext init <nil>\n" in instance.log_text()) is (version >= "3.5")
    process.kill()
    process.wait()
    path.unlink()
    assert instance.spawn().wait(10) == 1
    # Not at its end: the application opens the search beside what it says of its port, and either may be written last.
    assert f' 无法载入字典文件 "{path}" \n' in instance.log_text()


def test_full_text_search_is_a_setting(site: Callable[..., Instance], db: MariaDB) -> None:
    """From 3.0.5 it is open only with modules; another engine needs no dictionary."""
    instance = site("3.3.11", db=db)
    process = ready(instance)
    (instance.dir / "dictionary.txt").unlink()
    for setting, ends in (
        ({"open": False, "modules": [1]}, False),
        ({"open": True}, False),
        ({"open": True, "modules": [1], "engine": "meilisearch"}, False),
        ({"open": True, "modules": [1]}, True),
    ):
        process.kill()
        process.wait()
        db.run(f"REPLACE INTO `settings` VALUES ('fulltext','{json.dumps(setting)}')", instance.database)
        if ends:
            assert instance.spawn().wait(10) == 1
        else:
            process = ready(instance)


def test_2_3_6_has_no_full_text_search(site: Callable[..., Instance]) -> None:
    instance = site("2.3.6", fulltext=True)
    (instance.dir / "dictionary.txt").unlink()
    ready(instance)
    assert "sego" not in instance.log_text()


@pytest.mark.parametrize(("version", "late"), [("2.3.6", True), ("2.5.3", True), ("3.1.9", False)])
def test_pages_of_the_first_second(site: Callable[..., Instance], version: str, late: bool) -> None:
    """The templates are registered one second after the port has opened; the version is told at once."""
    instance = site(version)
    instance.start(wait=0)
    assert within(10, lambda: bool(instance.told_version()))
    first, begin = instance.get("/")[0], time.monotonic()
    assert first == (500 if late else 200)
    assert within(5, lambda: instance.get("/")[0] == 200)
    assert (0.5 < time.monotonic() - begin < 1.5) is late
    assert ("[ERRO]" in instance.log_text().replace("\x1b[31m", "")) is late
    assert ("view engine is missing" in instance.log_text()) is late


@pytest.mark.parametrize(
    ("version", "told"), [("2.3.6", "2.2.5"), ("3.1.9", "3.1.6"), ("3.5.1", "3.5.0"), ("3.5.8", "3.5.8")]
)
def test_changelog_behind_the_version(tmp_path: Path, version: str, told: str) -> None:
    instance = make_instance(tmp_path / "site", version, changelog_behind=True)
    try:
        instance.start()
        assert f"\n## v{told}\n" in (instance.dir / "CHANGELOG.md").read_text()
        assert instance.told_version() == version
    finally:
        instance.kill()


def test_chain_of_upgrades_on_one_database(site: Callable[..., Instance], db: MariaDB) -> None:
    """2.3.6 -> 2.5.3 -> 3.3.11 -> 3.5.8: settings move, drafts move, deleted rows go."""
    chain = [site(version, version, db=db) for version in ("2.3.6", "2.5.3", "3.3.11", "3.5.8")]
    config = json.loads((chain[0].dir / "config.json").read_text())
    config["system"] = {"site_name": "Shop", "base_url": "http://shop.example"}
    for instance in chain:
        instance.database = chain[0].database
        config["mysql"]["database"], config["server"]["port"] = chain[0].database, instance.port
        kept = config if instance.version < "3" else {key: config[key] for key in ("mysql", "server")}
        (instance.dir / "config.json").write_text(json.dumps(kept))
        process = ready(instance)
        if instance.version == "2.3.6":
            _fill(db, instance.database)
        process.kill()
        process.wait()
        if instance.version == "2.5.3":
            assert set(json.loads((instance.dir / "config.json").read_text())) == {"mysql", "server"}
    last = chain[-1]
    assert within(5, lambda: last_run_version(db, last) == "3.5.8" or bool(_ready_again(last)))
    assert (count(db, last, "archives"), count(db, last, "archive_drafts")) == (85, 10)
    assert "Unknown column 'token_secret' in 'SET'" in last.log_text()


def _ready_again(instance: Instance) -> bool:
    if not instance.pids():
        ready(instance)
    return False


def _fill(db: MariaDB, database: str) -> None:
    """100 articles: 10 drafts, 5 deleted."""
    rows = ",".join(
        f"('a{number}',{2 if number <= 10 else 1},{'NOW()' if number > 95 else 'NULL'})" for number in range(1, 101)
    )
    db.run(f"INSERT INTO `archives` (`title`,`status`,`deleted_at`) VALUES {rows}", database)
