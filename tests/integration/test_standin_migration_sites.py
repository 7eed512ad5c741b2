# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stand-in's migrations of several sites, and a signal in the middle of one."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Callable, Iterator

import pytest
from instance import Instance
from integration.standin_migrating import is_marked, seeded_sites, this_start, upgraded, within
from mariadb import MariaDB
from seeding import SMALL, content, lost, seed, statistics
from websites import Sites

pytestmark = pytest.mark.usefixtures("never_a_real_release")


@pytest.fixture
def site(tmp_path: Path, db: MariaDB) -> Iterator[Callable[..., Instance]]:
    yield from seeded_sites(tmp_path, db)


@pytest.mark.parametrize(("old", "new"), [("3.2.8", "3.3.11"), ("3.2.8", "3.5.8"), ("3.3.11", "3.5.8")])
def test_every_site_is_migrated(site: Callable[..., Instance], db: MariaDB, old: str, new: str) -> None:
    instance = site(old)
    sites = Sites(instance, db)
    sites.add(2, "second.example")
    seed(instance, db, SMALL._replace(articles=60, statistics=30), number=2)
    sites.add(3, "disabled.example")
    sites.enable(3, False)
    before = [content(instance, db, number) for number in (1, 2)]
    upgraded(instance, db, new)
    assert within(20, lambda: is_marked(instance, db, 2) and statistics(instance, db, 2) >= 30)
    assert [lost(one, content(instance, db, number)) for number, one in enumerate(before, 1)] == [[], []]
    info = instance.get("/system/api/siteinfo", headers={"Host": "second.example"})[1]
    assert json.loads(info)["data"]["id"] == 2
    assert not is_marked(instance, db, 3)
    assert list((sites.root(2) / "data" / "statistic").glob("*.log"))
    assert not (sites.root(3) / "data").exists()


def test_sites_one_after_the_other_before_the_port(site: Callable[..., Instance], db: MariaDB) -> None:
    instance, go = site("3.2.8"), "/nonexistent"
    _second_site(instance, db)
    instance.knobs(migration_site=2, migration_waits_at="begin", migration_waits_for=go)
    instance.become("3.3.11")
    instance.start(wait=0)
    assert within(20, lambda: _waits(db, instance, 2))
    assert is_marked(instance, db, 1) and not is_marked(instance, db, 2)
    assert "Now listening" not in this_start(instance)


def test_sites_side_by_side_behind_the_port(site: Callable[..., Instance], db: MariaDB, tmp_path: Path) -> None:
    instance, go = site("3.3.11"), tmp_path / "go"
    _second_site(instance, db)
    instance.knobs(migration_waits_at="begin", migration_waits_for=str(go))
    instance.become("3.5.8")
    instance.start()
    assert within(20, lambda: _waits(db, instance, 1) and _waits(db, instance, 2))
    assert not is_marked(instance, db, 1) and not is_marked(instance, db, 2)
    go.touch()
    assert within(20, lambda: is_marked(instance, db, 1) and is_marked(instance, db, 2))


def _second_site(instance: Instance, db: MariaDB) -> None:
    Sites(instance, db).add(2, "second.example")
    instance.start()
    instance.kill()


def _waits(db: MariaDB, instance: Instance, number: int) -> bool:
    """As whoever asks the server sees it."""
    database = Sites(instance, db).database(number)
    return bool(
        db.run(
            "SELECT 1 FROM `information_schema`.`processlist` WHERE `info` LIKE 'INSERT INTO%SELECT%' "
            f"AND `db` = '{database}'"
        )
    )


@pytest.mark.parametrize(("old", "new", "marked"), [("3.2.8", "3.3.11", True), ("3.3.11", "3.5.8", False)])
def test_signal_in_a_migration(
    site: Callable[..., Instance], db: MariaDB, tmp_path: Path, old: str, new: str, marked: bool
) -> None:
    """Before the port the signal waits for the end of the migration; behind it the migration is cut."""
    instance, go = site(old), tmp_path / "go"
    instance.knobs(migration_waits_at="drafts" if marked else "tables", migration_waits_for=str(go))
    before = content(instance, db)
    instance.become(new)
    process = instance.spawn()
    assert within(20, lambda: _waits(db, instance, 1))
    process.send_signal(signal.SIGTERM)
    assert within(5, lambda: "退出 terminated" in instance.log_text())
    if marked:
        assert process.poll() is None
        go.touch()
    assert process.wait(20) == 0
    assert is_marked(instance, db) is marked
    assert ("Now listening" in this_start(instance)) is not marked
    go.touch()
    instance.start()
    assert within(20, lambda: is_marked(instance, db))
    db.run("DROP TABLE IF EXISTS `migration_copy`", instance.database)
    assert lost(before, content(instance, db)) == []
