# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in's ways to hang, and its connections to the database; facts in docs/application.md."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from instance import Instance, make_instance
from integration.stopping import within
from mariadb import MariaDB
from websites import Sites

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import holders, procfs, sockdiag

INFO = "/system/api/version/info"
_BUSY_MS = 250  # the same tick, but on a busy machine
CLOSED = "网站已关闭".encode()

pytestmark = pytest.mark.usefixtures("never_a_real_release")


@pytest.fixture
def made(tmp_path: Path, db: MariaDB) -> Iterator[Callable[..., Instance]]:
    """An instance with a database of its own, not started; it ends with the test."""
    instances: list[Instance] = []

    def make(version: str, **knobs: Any) -> Instance:
        instance = make_instance(
            tmp_path / f"site{len(instances)}", version, db=db, database=f"h_{os.urandom(4).hex()}"
        )
        instances.append(instance)
        instance.knobs(**knobs)
        return instance

    yield make
    for instance in instances:
        instance.kill()


def to_database(pid: int, db: MariaDB) -> list[sockdiag.Sock]:
    with procfs.ProcDir(pid) as proc:
        inodes = holders.socket_inodes(proc)
    return [sock for sock in sockdiag.client_connections(inodes) if sock.remote_port == db.port]


def ages(sock: sockdiag.Sock) -> tuple[int, int, int]:
    """Milliseconds since data were sent, data were received, and an acknowledgement came."""
    assert sock.info is not None
    told = (sock.info.last_data_sent, sock.info.last_data_recv, sock.info.last_ack_recv)
    return tuple(age for age in told if age is not None)  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("version", "count"),
    [("2.3.6", 1), ("2.5.3", 1), ("3.1.9", 1), ("3.2.8", 1), ("3.3.11", 1), ("3.5.1", 2), ("3.5.8", 2)],
)
def test_idle_connection_looks_like_a_query(
    made: Callable[..., Instance], db: MariaDB, version: str, count: int
) -> None:
    """The end of an exchange is a command without an answer: sent and received in one tick, acknowledged later."""
    pid = made(version).start()
    time.sleep(1.0)
    socks = to_database(pid, db)
    assert len(socks) == count
    for sock in socks:
        sent, received, acknowledged = ages(sock)
        assert sent >= 900 and 0 <= received - sent <= _BUSY_MS and acknowledged < received, sock.info
        assert not (sock.wqueue or sock.rqueue) and sock.info is not None and not sock.info.unacked
        assert sockdiag.query_in_flight(sock) is True


def test_keep_alive_renews_the_acknowledgement(made: Callable[..., Instance], db: MariaDB) -> None:
    pid = made("3.5.8").start()
    time.sleep(17.0)
    for sock in to_database(pid, db):
        sent, received, acknowledged = ages(sock)
        assert sent > 15000 and 0 <= received - sent <= _BUSY_MS and acknowledged < sent - 10000
        assert sockdiag.query_in_flight(sock) is True


def test_connections_stay_open_and_are_replaced(made: Callable[..., Instance], db: MariaDB) -> None:
    instance = made("3.5.8")
    pid = instance.start()
    before = {sock.inode for sock in to_database(pid, db)}
    for _unused in range(3):
        assert instance.get("/system/api/siteinfo")[0] == 200
    assert {sock.inode for sock in to_database(pid, db)} == before
    for (number,) in db.run(f"SELECT `id` FROM `information_schema`.`processlist` WHERE `db` = '{instance.database}'"):
        db.run(f"KILL {number}")
    assert b'"code":0' in instance.get("/system/api/siteinfo")[1]


@pytest.mark.parametrize("hangs", ["not_accepted", "silent", "held"])
def test_port_is_open_and_no_answer_comes(site: Callable[..., Instance], hangs: str) -> None:
    instance = site("3.5.8", start=False, hangs=hangs)
    process = instance.spawn()
    assert within(10, lambda: "Application started." in instance.log_text())
    with socket.create_connection(("127.0.0.1", instance.port), timeout=2) as dial:
        dial.sendall(f"GET {INFO} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        dial.settimeout(0.6)
        with pytest.raises(TimeoutError):
            dial.recv(1)
    assert process.poll() is None


def test_drops_never_end(site: Callable[..., Instance]) -> None:
    instance = site("3.5.8", start=False, hangs="dripping")
    instance.spawn()
    assert within(10, lambda: "Application started." in instance.log_text())
    with socket.create_connection(("127.0.0.1", instance.port), timeout=5) as dial:
        dial.sendall(f"GET {INFO} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        got = b""
        while len(got) < 50:
            got += dial.recv(4096)
    assert got.startswith(b"HTTP/1.1 200 OK\r\nX-Drip: xx") and b"\r\n\r\n" not in got


@pytest.mark.parametrize(("hangs", "busy"), [("no_port", False), ("asking", True)])
def test_port_never_opens(made: Callable[..., Instance], db: MariaDB, hangs: str, busy: bool) -> None:
    instance = made("3.5.8", hangs=hangs)
    process = instance.spawn()
    assert within(20, lambda: len(to_database(process.pid, db)) == 2)
    time.sleep(1.5)
    assert (min(ages(sock)[0] for sock in to_database(process.pid, db)) < 500) is busy
    with socket.socket() as dial:
        assert dial.connect_ex(("127.0.0.1", instance.port)) != 0
    assert process.poll() is None and "Now listening" not in instance.log_text()


def test_log_grows_without_end(site: Callable[..., Instance]) -> None:
    instance = site("3.5.8", start=False, hangs="no_port", log_before_port_ms=20)
    instance.spawn()
    assert within(10, lambda: instance.log_text().count("still at it") > 5)
    other = site("3.5.8", "other", log_after_port_ms=20)
    assert within(10, lambda: other.log_text().partition("Now listening")[2].count("still at it") > 5)
    assert "still" not in other.log_text().partition("Now listening")[0]


@pytest.mark.parametrize("version", ["3.1.9", "3.5.8"])
def test_site_1_disabled_in_memory(site: Callable[..., Instance], version: str) -> None:
    instance = site(version, start=False, disabled=True, second_site="second.example")
    instance.spawn()
    assert within(10, lambda: "Application started." in instance.log_text())
    for path in (INFO, "/system/api/siteinfo", "/", "/7.html"):
        status, body = instance.get(path)
        assert status == 200 and CLOSED in body and b"code" not in body
    assert instance.get(INFO, headers={"Host": "second.example"})[1].endswith(b'{"version":"%s"}}' % version.encode())


def test_site_1_disabled_in_its_database(made: Callable[..., Instance], db: MariaDB) -> None:
    instance = made("3.5.8")
    instance.start()
    instance.kill()
    sites = Sites(instance, db)
    sites.add(2, "second.example")
    sites.enable(1, False)
    instance.start(wait=0)
    assert within(10, lambda: instance.log_text().count("Application started.") == 2)
    assert CLOSED in instance.get(INFO)[1]
    assert b"3.5.8" in instance.get(INFO, headers={"Host": "second.example"})[1]


@pytest.mark.parametrize("version", ["3.2.8", "3.3.11", "3.4.0", "3.5.1"])
def test_old_binary_on_a_newer_schema(made: Callable[..., Instance], db: MariaDB, version: str) -> None:
    """Every path answers 200 with a page after a good banner, and the schema is left alone."""
    newer, older = made("3.5.8"), made(version)
    newer.start()
    newer.kill()
    config = older.dir / "config.json"
    config.write_text(config.read_text().replace(older.database, newer.database))
    columns = (
        f"SELECT `table_name`, `column_name` FROM `information_schema`.`columns` "
        f"WHERE `table_schema` = '{newer.database}' ORDER BY 1, 2"
    )
    before = db.run(columns)
    older.start(wait=0)
    assert within(10, lambda: "Application started." in older.log_text())
    for path in (INFO, "/system/api/siteinfo", "/"):
        status, body = older.get(path)
        assert status == 200 and CLOSED in body
    assert db.run(columns) == before


@pytest.mark.parametrize(("version", "status"), [("2.3.6", 500), ("2.5.3", 500), ("3.1.9", 200), ("3.5.8", 200)])
def test_pages_in_the_first_second(site: Callable[..., Instance], version: str, status: int) -> None:
    instance = site(version, start=False)
    instance.start(wait=0)
    assert within(10, lambda: instance.told_version() == version)
    assert instance.get("/")[0] == status
    assert instance.told_version() == version
    assert within(5, lambda: instance.get("/")[0] == 200)
