# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the stand-in does: signals, requests in flight, install mode, migrations, health endpoints."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from instance import Instance, make_instance
from mariadb import MariaDB
from request import Request

OLD, DRAINING, ABRUPT = "2.5.3", "3.2.8", "3.5.8"
MARKER = "退出 terminated\n"
END_MARKER = "监听到退出信号\n"

pytestmark = pytest.mark.usefixtures("never_a_real_release")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Callable[..., Instance]]:
    """Make instances below the test's directory; all end with the test. Knobs as keywords."""

    def make(version: str, name: str = "site", db: MariaDB | None = None, **knobs: Any) -> Instance:
        instance = make_instance(tmp_path / name, version, db=db, database=f"b_{os.urandom(4).hex()}")
        instance.knobs(no_database=db is None, **knobs)
        made.append(instance)
        return instance

    made: list[Instance] = []
    yield make
    for instance in made:
        instance.kill()


def _ready(instance: Instance, **options: Any) -> subprocess.Popen[bytes]:
    process = instance.spawn(**options)
    instance.wait_ready()
    return process


def _listens(port: int) -> bool:
    with socket.socket() as dial:
        return dial.connect_ex(("127.0.0.1", port)) == 0


def _within(seconds: float, condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return condition()


def ignored_signals(pid: str) -> int:
    """The mask of ignored signals of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("SigIgn:")[1].split()[0], 16)


def test_process_looks_like_the_application(site: Callable[..., Instance]) -> None:
    instance = site(ABRUPT)
    process = _ready(instance, environment={"ONLY": "this"})
    proc = Path(f"/proc/{process.pid}")
    assert os.readlink(proc / "exe") == str(instance.binary)
    assert (proc / "comm").read_text() == "anqicms\n"
    assert (proc / "cmdline").read_bytes() == str(instance.binary).encode() + b"\0"
    assert (proc / "environ").read_bytes() == b"ONLY=this\0"
    assert {(task / "comm").read_text() for task in (proc / "task").iterdir()} == {"anqicms\n"}
    assert instance.pids() == [process.pid]
    # What this test was started with is passed on; what Python ignores for itself is not.
    inherited = ignored_signals("self") & ~sum(1 << (number - 1) for number in (signal.SIGPIPE, signal.SIGXFSZ))
    assert hex(ignored_signals(str(process.pid)) & ~inherited) == "0x0"


def test_port_flag_overrides_the_configuration(site: Callable[..., Instance]) -> None:
    instance, other = site(ABRUPT), site(ABRUPT, "other")
    process = instance.spawn("-port", str(other.port))
    assert _within(10, lambda: other.told_version() == ABRUPT)
    assert Path(f"/proc/{process.pid}/cmdline").read_bytes().endswith(b"\0-port\0%d\0" % other.port)
    assert not _listens(instance.port)


def test_one_listener_serves_both_families(site: Callable[..., Instance]) -> None:
    instance = site(ABRUPT)
    _ready(instance)
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family) as dial:
            dial.connect((address, instance.port))
    rows = [row for row in Path("/proc/net/tcp6").read_text().splitlines()
            if f":{instance.port:04X} " in row and row.split()[3] == "0A"]
    assert len(rows) == 1


def test_old_closes_the_port_and_stays_for_ever(site: Callable[..., Instance]) -> None:
    instance = site(OLD)
    process = _ready(instance)
    before = instance.log_text()
    process.send_signal(signal.SIGTERM)
    assert _within(1, lambda: not _listens(instance.port))
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
        process.send_signal(number)
    time.sleep(0.5)
    assert process.poll() is None
    assert "退出" not in instance.log_text() and instance.log_text().startswith(before)
    process.kill()
    assert process.wait(5) == -signal.SIGKILL


def test_old_dies_of_a_signal_before_its_port_is_open(site: Callable[..., Instance]) -> None:
    instance = site(OLD, start_delay_ms=5000)
    process = instance.spawn()
    assert _within(5, lambda: bool(instance.log_text()))
    process.send_signal(signal.SIGTERM)
    assert process.wait(2) == -signal.SIGTERM


def test_old_lets_a_request_finish(site: Callable[..., Instance]) -> None:
    instance = site(OLD)
    process = _ready(instance)
    request = Request(instance, "/slow?ms=800")
    process.send_signal(signal.SIGTERM)
    assert _within(0.4, lambda: not _listens(instance.port))
    request.join(5)
    assert request.outcome == 200
    assert process.poll() is None


def test_draining_exits_when_the_request_has_ended(site: Callable[..., Instance]) -> None:
    instance = site(DRAINING)
    process = _ready(instance)
    request = Request(instance, "/slow?ms=1200")
    process.send_signal(signal.SIGTERM)
    assert _within(0.5, lambda: not _listens(instance.port))
    assert instance.log_text().endswith(MARKER + END_MARKER)
    assert process.poll() is None
    request.join(5)
    assert request.outcome == 200
    assert process.wait(3) == 0


def test_draining_does_not_wait_for_idle_connections(site: Callable[..., Instance]) -> None:
    instance = site(DRAINING)
    process = _ready(instance)
    with socket.create_connection(("127.0.0.1", instance.port)) as kept:
        kept.sendall(b"GET /system/api/version/info HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b'{"code":0,"msg":"","data":{"version":"3.2.8"}}' in kept.recv(4096)
        process.send_signal(signal.SIGTERM)
        assert process.wait(2) == 0
        assert kept.recv(1) == b""


def test_abrupt_cuts_the_request(site: Callable[..., Instance]) -> None:
    instance = site(ABRUPT)
    process = _ready(instance)
    request = Request(instance, "/slow?ms=3000")
    process.send_signal(signal.SIGTERM)
    assert process.wait(1) == 0
    request.join(5)
    assert isinstance(request.outcome, str) and request.outcome
    assert instance.log_text().endswith(MARKER + END_MARKER)


def test_abrupt_cuts_a_stream_and_leaves_half_an_upload(site: Callable[..., Instance]) -> None:
    instance = site(ABRUPT)
    process = _ready(instance)
    stream = Request(instance, "/stream?ms=5000")
    with socket.create_connection(("127.0.0.1", instance.port)) as upload:
        upload.sendall(b"POST /upload.bin HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + b"a" * 100)
        path = instance.dir / "public" / "uploads" / "upload.bin"
        assert _within(2, lambda: path.exists() and path.stat().st_size == 100)
        process.send_signal(signal.SIGTERM)
        assert process.wait(1) == 0
    stream.join(5)
    assert stream.outcome == "IncompleteRead"


@pytest.mark.parametrize(("version", "status"), [(OLD, None), (DRAINING, 0), (ABRUPT, 0)])
def test_hangup_under_nohup(site: Callable[..., Instance], version: str, status: int | None) -> None:
    instance = site(version)
    pid = instance.start()
    os.kill(pid, signal.SIGHUP)
    if status is None:
        time.sleep(0.3)
        assert instance.told_version() == version
    else:
        assert _within(3, lambda: not instance.pids())
        assert "退出 hangup\n" in instance.log_text()


@pytest.mark.parametrize(("version", "status", "text"), [(OLD, 2, "goroutine 1 ["), (DRAINING, 0, "退出 quit\n")])
def test_quit(site: Callable[..., Instance], version: str, status: int, text: str) -> None:
    instance = site(version)
    process = _ready(instance)
    process.send_signal(signal.SIGQUIT)
    assert process.wait(3) == status
    assert text in instance.log_text()


@pytest.mark.parametrize("version", [DRAINING, ABRUPT])
def test_signal_during_the_start_is_marked_at_once_and_obeyed_at_its_end(
    site: Callable[..., Instance], version: str
) -> None:
    instance = site(version, start_delay_ms=1500)
    process = instance.spawn()
    assert _within(5, lambda: bool(instance.log_text()))
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    assert _within(0.5, lambda: instance.log_text().endswith(MARKER))
    assert process.poll() is None
    assert process.wait(5) == 0
    assert "Now listening" not in instance.log_text()


def test_signal_in_a_migration_waits_for_its_end(site: Callable[..., Instance], db: MariaDB) -> None:
    instance = site("3.3.11", db=db, migration_ms=1500)
    process = instance.spawn()
    assert _within(5, lambda: _count(db, instance, "migration_copy") > 5)
    process.send_signal(signal.SIGTERM)
    assert _within(0.5, lambda: instance.log_text().endswith(MARKER))
    assert process.poll() is None
    assert process.wait(10) == 0
    assert instance.log_text().endswith(END_MARKER)
    assert "Now listening" not in instance.log_text()
    assert _last_run_version(db, instance) == "3.3.11"


def _count(db: MariaDB, instance: Instance, table: str) -> int:
    try:
        return int(db.run(f"SELECT COUNT(*) FROM `{table}`", instance.database)[0][0])
    except Exception:
        return 0


def _last_run_version(db: MariaDB, instance: Instance) -> str:
    rows = db.run("SELECT `value` FROM `settings` WHERE `key` = 'last_run_version'", instance.database)
    return str(rows[0][0]) if rows else ""


def test_new_migration_runs_behind_the_open_port(site: Callable[..., Instance], db: MariaDB) -> None:
    instance = site(ABRUPT, db=db)
    process = _ready(instance)
    process.kill()
    process.wait()
    db.run("UPDATE `settings` SET `value` = '3.5.7' WHERE `key` = 'last_run_version'", instance.database)
    instance.knobs(migration_ms=1000)
    _ready(instance)
    assert _last_run_version(db, instance) == "3.5.7"
    assert _within(5, lambda: _last_run_version(db, instance) == ABRUPT)


def test_categories_are_copied_behind_the_open_port(site: Callable[..., Instance], db: MariaDB) -> None:
    instance = site("3.2.1", db=db)
    process = _ready(instance)
    process.kill()
    process.wait()
    db.run("DELETE FROM `settings`", instance.database)
    db.run("INSERT INTO `archives` (`title`,`category_id`) VALUES ('a',3),('b',4)", instance.database)
    instance.knobs(background_copy_ms=800)
    _ready(instance)
    flag = "SELECT 1 FROM `settings` WHERE `key` = 'upgrade_archive_category'"
    assert not db.run(flag, instance.database)
    assert _within(5, lambda: bool(db.run(flag, instance.database)))
    assert _count(db, instance, "archive_categories") == 2


def test_mysql_environment_rewrites_the_configuration(site: Callable[..., Instance], db: MariaDB) -> None:
    instance = site(ABRUPT, db=db)
    (instance.dir / "config.json").unlink()
    environment = {
        "MYSQL_DATABASE": instance.database, "MYSQL_HOST": db.host, "MYSQL_PORT": str(db.port),
        "MYSQL_USER": db.user, "MYSQL_PASSWORD": db.password,
    }
    process = instance.spawn("-port", str(instance.port), environment=environment)
    assert instance.wait_ready() == process.pid
    config = json.loads((instance.dir / "config.json").read_text())
    assert (config["server"]["port"], config["mysql"]["database"]) == (instance.port, instance.database)


def test_mysql_environment_overrides_the_configuration(site: Callable[..., Instance], db: MariaDB) -> None:
    """From 3.4.2: the keys that it does not know go out of config.json, the file and its mode stay."""
    environment = {"MYSQL_DATABASE": f"e_{os.urandom(4).hex()}", "MYSQL_HOST": db.host, "MYSQL_PORT": str(db.port),
                   "MYSQL_USER": db.user, "MYSQL_ROOT_PASSWORD": db.password, "MYSQL_PASSWORD": "not this one"}
    instance = site(ABRUPT, db=db)
    path = instance.dir / "config.json"
    config = json.loads(path.read_text())
    config["mysql"]["port"] = 1  # nobody is there
    path.write_text(json.dumps({**config, "own": 1}))
    inode = path.stat().st_ino
    _ready(instance, environment=environment)
    config = json.loads(path.read_text())
    assert config["mysql"]["database"] == environment["MYSQL_DATABASE"] and config["mysql"]["use_default"] is False
    assert set(config) == {"mysql", "server", "sparks"} and "token_secret" not in config["server"]
    assert (path.stat().st_ino, path.stat().st_mode & 0o777) == (inode, 0o600)
    old = site("3.4.0", "old", db=db)
    before = (old.dir / "config.json").read_text()
    _ready(old, environment=environment)
    assert (old.dir / "config.json").read_text() == before and _last_run_version(db, old) == "3.4.0"


@pytest.mark.parametrize("version", ["2.5.3", "3.1.9", "3.2.8", "3.3.11", "3.4.0", "3.5.1", "3.5.8"])
def test_full_text_search_without_its_dictionary(site: Callable[..., Instance], version: str) -> None:
    instance = site(version, fulltext=True)
    path = instance.dir / "dictionary.txt"
    process = _ready(instance)
    assert _within(5, lambda: "索引总数0\n" in instance.log_text())
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
    process = _ready(instance)
    (instance.dir / "dictionary.txt").unlink()
    for setting, ends in (({"open": False, "modules": [1]}, False), ({"open": True}, False),
                          ({"open": True, "modules": [1], "engine": "meilisearch"}, False),
                          ({"open": True, "modules": [1]}, True)):
        process.kill()
        process.wait()
        db.run(f"REPLACE INTO `settings` VALUES ('fulltext','{json.dumps(setting)}')", instance.database)
        if ends:
            assert instance.spawn().wait(10) == 1
        else:
            process = _ready(instance)


def test_2_3_6_has_no_full_text_search(site: Callable[..., Instance]) -> None:
    instance = site("2.3.6", fulltext=True)
    (instance.dir / "dictionary.txt").unlink()
    _ready(instance)
    assert "sego" not in instance.log_text()


@pytest.mark.parametrize(("version", "late"), [("2.3.6", True), ("2.5.3", True), ("3.1.9", False)])
def test_pages_of_the_first_second(site: Callable[..., Instance], version: str, late: bool) -> None:
    """The templates are registered one second after the port has opened; the version is told at once."""
    instance = site(version)
    instance.start(wait=0)
    assert _within(10, lambda: bool(instance.told_version()))
    first, begin = instance.get("/")[0], time.monotonic()
    assert first == (500 if late else 200)
    assert _within(5, lambda: instance.get("/")[0] == 200)
    assert (0.5 < time.monotonic() - begin < 1.5) is late
    assert ("[ERRO]" in instance.log_text().replace("\x1b[31m", "")) is late
    assert ("view engine is missing" in instance.log_text()) is late


def test_started_by_a_script_bash_stays_as_the_parent(tmp_path: Path) -> None:
    instance = make_instance(tmp_path / "site", ABRUPT, by_script=True)
    try:
        pid = instance.start()
        parent = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
        proc = Path(f"/proc/{parent}")
        assert os.path.basename(os.readlink(proc / "exe")) == "bash"
        assert (proc / "cmdline").read_bytes() == b"/bin/bash\0%s\0" % str(instance.dir / "start.sh").encode()
        assert ignored_signals(str(pid)) & 1 == 0  # the program asks for SIGHUP, whatever nohup said
    finally:
        instance.kill()
    assert _within(5, lambda: not Path(f"/proc/{parent}").exists())


@pytest.mark.parametrize(
    ("version", "told"), [("2.3.6", "2.2.5"), ("3.1.9", "3.1.6"), ("3.5.1", "3.5.0"), ("3.5.8", "3.5.8")])
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
        process = _ready(instance)
        if instance.version == "2.3.6":
            _fill(db, instance.database)
        process.kill()
        process.wait()
        if instance.version == "2.5.3":
            assert set(json.loads((instance.dir / "config.json").read_text())) == {"mysql", "server"}
    last = chain[-1]
    assert _within(5, lambda: _last_run_version(db, last) == "3.5.8" or bool(_ready_again(last)))
    assert (_count(db, last, "archives"), _count(db, last, "archive_drafts")) == (85, 10)
    assert "Unknown column 'token_secret' in 'SET'" in last.log_text()


def _ready_again(instance: Instance) -> bool:
    if not instance.pids():
        _ready(instance)
    return False


def _fill(db: MariaDB, database: str) -> None:
    """100 articles: 10 drafts, 5 deleted."""
    rows = ",".join(
        f"('a{number}',{2 if number <= 10 else 1},{'NOW()' if number > 95 else 'NULL'})" for number in range(1, 101)
    )
    db.run(f"INSERT INTO `archives` (`title`,`status`,`deleted_at`) VALUES {rows}", database)


@pytest.mark.parametrize(("version", "exit_status"), [(OLD, 0), (ABRUPT, 255)])
def test_port_in_use_by_a_listener_that_appears_late(
    site: Callable[..., Instance], version: str, exit_status: int
) -> None:
    """Old versions find it when they bind; new ones look before, and lose the race with 0 when it comes later."""
    instance = site(version)
    with socket.create_server(("127.0.0.1", instance.port)):
        assert instance.spawn().wait(10) == exit_status
    instance.knobs(no_database=True, start_delay_ms=1000)
    process = instance.spawn()
    time.sleep(0.6)
    with socket.create_server(("127.0.0.1", instance.port)):
        assert process.wait(10) == 0
    assert f"listen tcp :{instance.port}: bind: address already in use" in instance.log_text()


def test_install_mode_without_a_readable_configuration(site: Callable[..., Instance]) -> None:
    instance = site(ABRUPT)
    (instance.dir / "config.json").unlink()
    instance.spawn("-port", str(instance.port))
    assert _within(10, lambda: _listens(instance.port))
    for path in ("/", "/system/api/version/info", "/system/api/siteinfo", "/any"):
        assert instance.get(path)[0] == 302
    assert instance.get("/install")[0] == 200
    assert "Application started." in instance.log_text()


def test_health_endpoints_with_and_without_the_database(site: Callable[..., Instance], tmp_path: Path) -> None:
    own = MariaDB(tmp_path / "own").start()
    try:
        instance = site(ABRUPT, db=own)
        _ready(instance)
        own.run("INSERT INTO `archives` (`id`,`title`) VALUES (7,'Seven')", instance.database)
        assert instance.get("/system/api/version/info") == (200, b'{"code":0,"msg":"","data":{"version":"3.5.8"}}')
        assert json.loads(instance.get("/system/api/siteinfo")[1])["data"]["id"] == 1
        assert instance.get("/archive/7.html")[0] == 200
    finally:
        own.stop()
    try:
        assert instance.get("/system/api/version/info")[0] == 200
        assert instance.get("/")[0] == 200
        assert instance.get("/archive/7.html")[0] == 404
        status, body = instance.get("/system/api/siteinfo")
        assert status == 200
        assert json.loads(body) == {
            "code": -1, "msg": f"dial tcp 127.0.0.1:{own.port}: connect: connection refused"
        }
    finally:
        own.close()


def test_sites_are_told_apart_by_host(site: Callable[..., Instance], db: MariaDB) -> None:
    instance = site(ABRUPT, db=db)
    process = _ready(instance)
    process.kill()
    process.wait()
    _add_site(db, instance, 2, "second.example")
    db.run("INSERT INTO `websites` (`id`,`root_path`,`name`,`mysql`,`status`) VALUES (3,'/x','gone',"
           "'{\"use_default\":true,\"database\":\"no_such\"}',1)", instance.database)
    db.run("INSERT INTO `settings` VALUES ('system','{\"base_url\":\"http://first.example\","
           "\"admin_url\":\"http://admin.example\"}')", instance.database)
    _ready_or_forbidden(instance)
    told = {host: instance.get("/system/api/siteinfo", headers={"Host": host})[0] for host in ("first.example", "x")}
    assert told == {"first.example": 403, "x": 403}
    status, body = instance.get("/system/api/version/info", headers={"Host": "admin.example"})
    assert (status, json.loads(body)["data"]["version"]) == (200, ABRUPT)
    pages = {host: instance.get("/", headers={"Host": host})[1] for host in ("first.example", "second.example", "x")}
    assert b"Site 2" in pages["second.example"]
    assert pages["x"] == pages["first.example"] != pages["second.example"]


def _add_site(db: MariaDB, instance: Instance, number: int, host: str) -> None:
    database = f"{instance.database}_{number}"
    db.run(f"CREATE DATABASE `{database}`")
    db.run("CREATE TABLE `settings` (`key` varchar(190) PRIMARY KEY, `value` longtext)", database)
    system = json.dumps({"base_url": f"http://{host}", "site_name": f"Site {number}"})
    db.run(f"INSERT INTO `settings` VALUES ('system','{system}')", database)
    db.run(f"INSERT INTO `websites` (`id`,`root_path`,`name`,`mysql`,`status`) VALUES ({number},'/x','two',"
           f"'{{\"use_default\":true,\"database\":\"{database}\"}}',1)", instance.database)


def _ready_or_forbidden(instance: Instance) -> None:
    instance.spawn()
    assert _within(10, lambda: _listens(instance.port))


def test_restart_in_the_application_keeps_the_pid(site: Callable[..., Instance]) -> None:
    instance = site(ABRUPT)
    process = _ready(instance)
    before = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    assert instance.get("/system/api/anqi/restart", method="POST")[1].startswith(b'{"code":1001')
    assert instance.get("/system/api/anqi/restart", method="POST", headers={"admin": "token"})[0] == 200
    assert _within(10, lambda: instance.log_text().count("Now listening on") == 2)
    assert instance.wait_ready() == process.pid
    assert Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[19] == before
    assert "监听到路由更改\n进程结束，开始重启\n" in instance.log_text()


def test_restart_in_the_application_with_a_long_request_swallows_signals(site: Callable[..., Instance]) -> None:
    instance = site(ABRUPT)
    process = _ready(instance)
    Request(instance, "/slow?ms=8000")
    instance.get("/system/api/anqi/restart", method="POST", headers={"admin": "token"})
    assert _within(3, lambda: not _listens(instance.port))
    for _unused in range(3):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.1)
    assert process.poll() is None


def test_knobs(site: Callable[..., Instance]) -> None:
    instance = site(ABRUPT, hang_on_shutdown=True, wrong_version="9.9.9")
    process = _ready(instance)
    assert instance.told_version() == "9.9.9"
    process.send_signal(signal.SIGTERM)
    assert _within(2, lambda: not _listens(instance.port))
    time.sleep(0.2)
    assert process.poll() is None
    slow = site(DRAINING, "slow", exit_delay_ms=600)
    process = _ready(slow)
    begin = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(5) == 0
    assert time.monotonic() - begin >= 0.6
    deaf = _ready(site(DRAINING, "deaf", ignore_sigterm=True))
    deaf.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    assert deaf.poll() is None
    assert site(ABRUPT, "failing", exit_code=7).spawn().wait(5) == 7
    crashing = site(ABRUPT, "crashing", crash_after_ms=200)
    assert _ready(crashing).wait(5) == 2
    assert "panic: " in crashing.log_text()


def test_broken_output_ends_it_like_a_go_program(site: Callable[..., Instance]) -> None:
    instance = site(ABRUPT, start_delay_ms=500)
    process = subprocess.Popen([str(instance.binary)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(10) == -signal.SIGPIPE


def test_child_survives(site: Callable[..., Instance]) -> None:
    instance = site(ABRUPT, child="cwebp_linux_amd64")
    process = _ready(instance)
    process.send_signal(signal.SIGTERM)
    assert process.wait(3) == 0
    held = instance.dir / "public" / "uploads" / "converting.webp"
    holders = [pid for pid in os.listdir("/proc") if pid.isdecimal() and _holds(pid, held)]
    assert len(holders) == 1
    assert os.readlink(f"/proc/{holders[0]}/exe") == str(instance.dir / "source" / "cwebp_linux_amd64")


def _holds(pid: str, path: Path) -> bool:
    try:
        return any(os.readlink(entry.path) == str(path) for entry in os.scandir(f"/proc/{pid}/fd"))
    except OSError:
        return False
