# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backup and restore in the stand-in: an open file below data/backup, and what a SIGTERM in the middle leaves."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import threading
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from instance import Instance, make_instance
from integration.stopping import within
from mariadb import MariaDB
from websites import Sites

ARTICLES = 3000

pytestmark = pytest.mark.usefixtures("never_a_real_release")


@pytest.fixture
def shop(tmp_path: Path, db: MariaDB) -> Iterator[Callable[..., Instance]]:
    """A running instance with articles; it ends with the test. Knobs as keywords."""
    instances: list[Instance] = []

    def make(version: str, **knobs: Any) -> Instance:
        instance = make_instance(tmp_path / "shop.example", version, db=db, database=f"k_{os.urandom(4).hex()}")
        instances.append(instance)
        instance.knobs(**knobs)
        instance.start()
        rows = ",".join(f"({number},'a{number}')" for number in range(1, ARTICLES + 1))
        db.run(f"INSERT INTO `archives` (`id`,`title`) VALUES {rows}", instance.database)
        return instance

    yield make
    for instance in instances:
        instance.kill()


def held(instance: Instance, root: Path | None = None) -> list[tuple[str, str]]:
    """Names below data/backup that its process has open, each with r or w."""
    place, found = f"{root or instance.dir}/data/backup/", []
    for name in os.listdir(f"/proc/{instance.pid}/fd"):
        try:
            target = os.readlink(f"/proc/{instance.pid}/fd/{name}")
            flags = re.search(r"flags:\s+(\d+)", Path(f"/proc/{instance.pid}/fdinfo/{name}").read_text())
        except OSError:
            continue
        if target.startswith(place) and flags:
            found.append((target[len(place) :], "w" if int(flags.group(1), 8) & os.O_ACCMODE else "r"))
    return found


def articles(db: MariaDB, instance: Instance) -> int:
    return int(db.run("SELECT COUNT(*) FROM `archives`", instance.database)[0][0])


def dumped(instance: Instance) -> str:
    """Make a backup; the name of its file."""
    instance.backup()
    assert within(20, lambda: "dumping.all.done.cost[" in instance.log_text() and not held(instance))
    return sorted(path.name for path in (instance.dir / "data" / "backup").iterdir())[-1]


@pytest.mark.parametrize("version", ["2.5.3", "3.2.8", "3.4.0", "3.5.8"])
def test_backup_and_restore_whole(shop: Callable[..., Instance], db: MariaDB, version: str) -> None:
    instance = shop(version)
    name = dumped(instance)
    assert re.fullmatch(r"\d{14}\.sql", name)
    assert re.search(
        r"^\d{4}/\d\d/\d\d [\d:]{8} dumping\.all\.done\.cost\[[\d.]+s\], elapsed$", instance.log_text(), re.MULTILINE
    )
    db.run("DELETE FROM `archives` WHERE `id` > 7", instance.database)
    assert instance.backup("restore", name)[0] == 200
    assert within(20, lambda: articles_or_none(db, instance) == ARTICLES and not held(instance))
    assert ("is restore finished EOF" in instance.log_text()) is (version == "3.5.8")


def test_login_is_needed(site: Callable[..., Instance]) -> None:
    instance = site("3.5.8")
    for action in ("dump", "restore", "export"):
        assert b'"code":1001' in instance.get(f"/system/api/plugin/backup/{action}", method="POST")[1]
    assert not (instance.dir / "data" / "backup").exists()


def test_restore_in_the_background(shop: Callable[..., Instance], db: MariaDB) -> None:
    """Answered at once; the file is open for reading until the end; big INSERTs stand whole in the log."""
    instance = shop("3.5.8", restore_ms=9000)
    name = dumped(instance)
    assert json.loads(instance.backup("restore", name)[1]) == {"code": 0, "msg": "恢复任务已开始"}
    assert within(5, lambda: held(instance) == [(name, "r")])
    assert json.loads(instance.backup("restore", name)[1])["code"] == -1  # one at a time
    status = json.loads(instance.get("/system/api/plugin/backup/status", headers={"admin": "token"})[1])["data"]
    assert (status["type"], status["finished"]) == ("restore", False)
    assert within(9, lambda: 0 < articles_or_none(db, instance) < ARTICLES)
    assert held(instance) == [(name, "r")] and instance.get("/")[0] == 200
    assert within(20, lambda: not held(instance))
    assert articles(db, instance) == ARTICLES
    log = instance.log_text()
    assert re.search(r"provider/backup\.go:292 \x1b\[33mSLOW SQL >= 200ms\n.*INSERT INTO `archives`\(`id`,", log)
    assert ",'a150'," in log and log.index("is restore finished EOF") < log.index("重载模板")


def articles_or_none(db: MariaDB, instance: Instance) -> int:
    """The table is gone for a moment."""
    try:
        return articles(db, instance)
    except Exception:
        return 0


def test_sigterm_cuts_a_restore(shop: Callable[..., Instance], db: MariaDB) -> None:
    instance = shop("3.5.8", restore_ms=6000)
    name = dumped(instance)
    instance.backup("restore", name)
    assert within(6, lambda: 0 < articles_or_none(db, instance) < ARTICLES)
    os.kill(instance.pid, signal.SIGTERM)
    assert within(3, lambda: not instance.pids())
    assert 0 < articles(db, instance) < ARTICLES
    assert "is restore finished" not in instance.log_text()


def test_sigterm_leaves_a_truncated_backup(shop: Callable[..., Instance]) -> None:
    instance = shop("3.5.8", backup_ms=4000)
    assert json.loads(instance.backup()[1])["msg"] == "备份任务已开始"
    assert within(5, lambda: [mode for _name, mode in held(instance)] == ["w"])
    name = held(instance)[0][0]
    path = instance.dir / "data" / "backup" / name
    assert within(4, lambda: b"INSERT INTO `archives`" in path.read_bytes())
    os.kill(instance.pid, signal.SIGTERM)
    assert within(3, lambda: not instance.pids())
    assert "dumping.all.done" not in instance.log_text()
    assert path.read_bytes().endswith(b";\n") and b"`websites`" not in path.read_bytes()  # as if it were whole


def test_draining_version_waits_where_the_backup_is_a_request(shop: Callable[..., Instance]) -> None:
    """Until 3.3.11 the answer comes at the end, and the drain waits for it."""
    instance = shop("3.3.11", backup_ms=2000)
    asking = threading.Thread(target=instance.backup, daemon=True)
    asking.start()
    assert within(5, lambda: bool(held(instance)))
    os.kill(instance.pid, signal.SIGTERM)
    assert within(10, lambda: not instance.pids())
    assert "dumping.all.done" in instance.log_text()


def test_file_of_an_old_backup_may_stay_open(site: Callable[..., Instance]) -> None:
    """Until 3.4.2 the program does not close it: the garbage collector does, some time later."""
    instance = site("3.4.0", dump_lingers_ms=1500)
    instance.backup()
    assert within(5, lambda: "dumping.all.done" in instance.log_text())
    assert [mode for _name, mode in held(instance)] == ["w"]
    assert within(10, lambda: not held(instance))


@pytest.mark.parametrize(("action", "mode"), [("dump", "w"), ("restore", "r")])
def test_without_a_database(site: Callable[..., Instance], action: str, mode: str) -> None:
    instance = site("3.5.8", backup_ms=900, restore_ms=900)
    backups = instance.dir / "data" / "backup"
    backups.mkdir(parents=True)
    (backups / "20260101000000.sql").write_text("INSERT INTO `a` VALUES (1);\n" * 9)
    assert instance.backup(action, "20260101000000.sql")[0] == 200
    assert within(3, lambda: [how for _name, how in held(instance)] == [mode])
    assert within(5, lambda: not held(instance))


def test_further_site_has_its_own_directory(shop: Callable[..., Instance], db: MariaDB) -> None:
    instance = shop("3.5.8", backup_ms=1500)
    instance.kill()
    sites = Sites(instance, db)
    root = sites.add(2, "second.example")
    sites.article(2, 7)
    instance.start()
    instance.backup(host="second.example")
    assert within(5, lambda: [mode for _name, mode in held(instance, root)] == ["w"]) and not held(instance)
    assert within(10, lambda: not held(instance, root))
    (path,) = (root / "data" / "backup").iterdir()
    assert "Article 7 of site 2" in path.read_text() and not (instance.dir / "data" / "backup").exists()


def test_further_site_without_a_database(site: Callable[..., Instance]) -> None:
    instance = site("3.5.8", backup_ms=900, second_site="second.example")
    instance.backup(host="second.example")
    root = instance.dir.parent / f"{instance.dir.name}-2"
    assert within(3, lambda: bool(held(instance, root))) and not held(instance)


def test_slow_download_holds_the_file(site: Callable[..., Instance]) -> None:
    instance = site("3.5.8")
    backups = instance.dir / "data" / "backup"
    backups.mkdir(parents=True)
    (backups / "big.sql").write_bytes(b"-" * (32 << 20))
    body = b'{"name":"big.sql"}'
    with socket.create_connection(("127.0.0.1", instance.port)) as client:
        client.sendall(
            b"POST /system/api/plugin/backup/export HTTP/1.1\r\nHost: x\r\nadmin: token\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        client.recv(1000)
        assert within(3, lambda: held(instance) == [("big.sql", "r")])
        assert not within(0.5, lambda: not held(instance))
    assert within(5, lambda: not held(instance))
