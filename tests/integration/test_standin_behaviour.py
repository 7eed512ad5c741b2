# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the stand-in does: how it looks, its port, install mode, health endpoints, its own restart."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Callable, Iterator

import pytest
from instance import Instance, make_instance
from integration.standin_sites import ABRUPT, DRAINING, OLD, ignored_signals, listens, ready, standins, within
from mariadb import MariaDB
from request import Request

pytestmark = pytest.mark.usefixtures("never_a_real_release")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Callable[..., Instance]]:
    yield from standins(tmp_path)


def test_process_looks_like_the_application(site: Callable[..., Instance]) -> None:
    instance = site(ABRUPT)
    process = ready(instance, environment={"ONLY": "this"})
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
    assert within(10, lambda: other.told_version() == ABRUPT)
    assert Path(f"/proc/{process.pid}/cmdline").read_bytes().endswith(b"\0-port\0%d\0" % other.port)
    assert not listens(instance.port)


def test_one_listener_serves_both_families(site: Callable[..., Instance]) -> None:
    instance = site(ABRUPT)
    ready(instance)
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family) as dial:
            dial.connect((address, instance.port))
    rows = [
        row
        for row in Path("/proc/net/tcp6").read_text().splitlines()
        if f":{instance.port:04X} " in row and row.split()[3] == "0A"
    ]
    assert len(rows) == 1


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
    assert within(5, lambda: not Path(f"/proc/{parent}").exists())


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
    assert within(10, lambda: listens(instance.port))
    for path in ("/", "/system/api/version/info", "/system/api/siteinfo", "/any"):
        assert instance.get(path)[0] == 302
    assert instance.get("/install")[0] == 200
    assert "Application started." in instance.log_text()


def test_health_endpoints_with_and_without_the_database(site: Callable[..., Instance], tmp_path: Path) -> None:
    own = MariaDB(tmp_path / "own").start()
    try:
        instance = site(ABRUPT, db=own)
        ready(instance)
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
        assert json.loads(body) == {"code": -1, "msg": f"dial tcp 127.0.0.1:{own.port}: connect: connection refused"}
    finally:
        own.close()


def test_sites_are_told_apart_by_host(site: Callable[..., Instance], db: MariaDB) -> None:
    instance = site(ABRUPT, db=db)
    process = ready(instance)
    process.kill()
    process.wait()
    _add_site(db, instance, 2, "second.example")
    db.run(
        "INSERT INTO `websites` (`id`,`root_path`,`name`,`mysql`,`status`) VALUES (3,'/x','gone',"
        "'{\"use_default\":true,\"database\":\"no_such\"}',1)",
        instance.database,
    )
    db.run(
        "INSERT INTO `settings` VALUES ('system','{\"base_url\":\"http://first.example\","
        "\"admin_url\":\"http://admin.example\"}')",
        instance.database,
    )
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
    db.run(
        f"INSERT INTO `websites` (`id`,`root_path`,`name`,`mysql`,`status`) VALUES ({number},'/x','two',"
        f"'{{\"use_default\":true,\"database\":\"{database}\"}}',1)",
        instance.database,
    )


def _ready_or_forbidden(instance: Instance) -> None:
    instance.spawn()
    assert within(10, lambda: listens(instance.port))


def test_restart_in_the_application_keeps_the_pid(site: Callable[..., Instance]) -> None:
    instance = site(ABRUPT)
    process = ready(instance)
    before = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    assert instance.get("/system/api/anqi/restart", method="POST")[1].startswith(b'{"code":1001')
    assert instance.get("/system/api/anqi/restart", method="POST", headers={"admin": "token"})[0] == 200
    assert within(10, lambda: instance.log_text().count("Now listening on") == 2)
    assert instance.wait_ready() == process.pid
    assert Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[19] == before
    assert "监听到路由更改\n进程结束，开始重启\n" in instance.log_text()


def test_restart_in_the_application_with_a_long_request_swallows_signals(site: Callable[..., Instance]) -> None:
    instance = site(ABRUPT)
    process = ready(instance)
    Request(instance, "/slow?ms=8000")
    instance.get("/system/api/anqi/restart", method="POST", headers={"admin": "token"})
    assert within(3, lambda: not listens(instance.port))
    for _unused in range(3):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.1)
    assert process.poll() is None


def test_knobs(site: Callable[..., Instance]) -> None:
    instance = site(ABRUPT, hang_on_shutdown=True, wrong_version="9.9.9")
    process = ready(instance)
    assert instance.told_version() == "9.9.9"
    process.send_signal(signal.SIGTERM)
    assert within(2, lambda: not listens(instance.port))
    time.sleep(0.2)
    assert process.poll() is None
    slow = site(DRAINING, "slow", exit_delay_ms=600)
    process = ready(slow)
    begin = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(5) == 0
    assert time.monotonic() - begin >= 0.6
    deaf = ready(site(DRAINING, "deaf", ignore_sigterm=True))
    deaf.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    assert deaf.poll() is None
    assert site(ABRUPT, "failing", exit_code=7).spawn().wait(5) == 7
    crashing = site(ABRUPT, "crashing", crash_after_ms=200)
    assert ready(crashing).wait(5) == 2
    assert "panic: " in crashing.log_text()


def test_broken_output_ends_it_like_a_go_program(site: Callable[..., Instance]) -> None:
    instance = site(ABRUPT, start_delay_ms=500)
    process = subprocess.Popen([str(instance.binary)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(10) == -signal.SIGPIPE


def test_child_survives(site: Callable[..., Instance]) -> None:
    instance = site(ABRUPT, child="cwebp_linux_amd64")
    process = ready(instance)
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
