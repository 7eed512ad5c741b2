# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Starts that end well, and starts that do not: what is refused, what is explained, what is believed."""

from __future__ import annotations

import http.server
import json
import os
import pwd
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
import windows
from instance import Instance, make_instance, write_config
from mariadb import MariaDB
from releases import release_of, unpack

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs import position as _log_position
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import plan as _start_plan
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import start as _start
from ansible_collections.anqicms.lifecycle.plugins.module_utils._steps import logs

ME = pwd.getpwuid(os.geteuid()).pw_name
Result = dict[str, Any]


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDB]:
    with MariaDB(tmp_path_factory.mktemp("db") / "mariadb") as server:
        yield server


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Callable[..., Instance]]:
    """Make an instance that is not started. Knobs as keywords."""
    made: list[Instance] = []

    def make(version: str = "3.5.8", db: MariaDB | None = None, **knobs: Any) -> Instance:
        instance = make_instance(tmp_path / "shop.example", version, db=db, database=f"s_{os.urandom(4).hex()}")
        instance.knobs(no_database=db is None, **knobs)
        made.append(instance)
        return instance

    yield make
    for instance in made:
        instance.kill()


def start(shop: Instance, **options: Any) -> Result:
    params = dict(ready_timeout=20.0, ready_limit=60.0, stable_for=0.1, environment=None, arguments=None, user=ME)
    context = windows.context_of(shop)
    try:
        return _start.start(context, dict(params, **options))
    finally:
        context.close()


def failed(shop: Instance, **options: Any) -> LifecycleError:
    with pytest.raises(LifecycleError) as caught:
        start(shop, **options)
    return caught.value


@pytest.mark.parametrize("version", ["2.5.3", "3.2.1", "3.2.8", "3.3.11", "3.5.8"])
def test_started_and_proven(site: Callable[..., Instance], version: str) -> None:
    shop = site(version)
    shop.log.write_text("an old line\n")
    result = start(shop)
    assert (result["pid"], result["version"], result["changed"]) == (shop.pid, version, True)
    position = _log_position.decode(result["log_position"])
    assert position.places["running"].offset == len("an old line\n")
    assert not position.serving
    assert 0 < result["ready_ms"] < 20000
    assert os.getsid(shop.pid) == shop.pid
    again = start(shop)
    assert (again["changed"], again["pid"]) == (False, shop.pid)


def test_the_port_is_held_by_a_stranger(site: Callable[..., Instance]) -> None:
    shop = site()
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", shop.port))
        stranger.listen()
        error = failed(shop)
    assert f"Port {shop.port}" in error.msg
    assert f"pid {os.getpid()}" in error.msg
    assert error.result["holders"][0]["pid"] == os.getpid()
    assert not shop.log.exists()


@pytest.mark.parametrize("version", ["2.5.3", "3.2.8", "3.3.11", "3.5.8"])
def test_the_port_is_taken_while_it_starts(site: Callable[..., Instance], version: str) -> None:
    """It ends with exit code 0, which must not pass for a good start."""
    shop = site(version, start_delay_ms=1500)
    stranger = socket.socket(socket.AF_INET6)

    def take() -> None:
        windows.within(10, shop.pids)
        time.sleep(0.6)
        stranger.bind(("::", shop.port))
        stranger.listen()

    thread = threading.Thread(target=take)
    thread.start()
    with stranger:
        error = failed(shop)
        thread.join()
    assert error.result["exit_code"] == 0
    assert "the port was taken while it started" in error.msg
    assert "bind: address already in use" in error.result["cause_line"]
    assert error.result["pid"] is None


@pytest.mark.parametrize("version", ["2.5.3", "3.2.8", "3.5.8"])
def test_a_wrong_password(site: Callable[..., Instance], db: MariaDB, version: str) -> None:
    shop = site(version, db=db)
    config = json.loads((shop.dir / "config.json").read_text())
    config["mysql"]["password"] = "wrong"
    (shop.dir / "config.json").write_text(json.dumps(config))
    error = failed(shop)
    assert error.result["exit_code"] == 255
    assert "refused the user or password" in error.result["exit_meaning"]
    assert "Error 1045" in error.result["cause_line"]
    assert "mysql.password" in error.msg
    assert "Nothing runs." in error.msg


@pytest.mark.parametrize("version", ["2.5.3", "3.2.8", "3.5.8"])
def test_the_database_is_down(site: Callable[..., Instance], tmp_path: Path, version: str) -> None:
    server = MariaDB(tmp_path / "down")
    shop = site(version, db=server)
    with server:
        start(shop)
        assert shop.told_version() == version
        shop.kill()
        server.stop()
        error = failed(shop, accept_hazards=["database_unreachable"])
        assert error.result["exit_code"] == 255
        assert "is not reachable" in error.result["exit_meaning"]
        assert "Start the database" in error.msg
        server.start()
        assert start(shop)["version"] == version


def test_locales_are_missing(site: Callable[..., Instance]) -> None:
    shop = site("3.3.11")
    (shop.dir / "locales").rename(shop.dir / "locales.away")
    error = failed(shop, accept_hazards=["locales_missing"])
    assert error.result["exit_code"] == 1
    assert "locales/" in error.result["exit_meaning"]


def test_killed_while_it_starts(site: Callable[..., Instance]) -> None:
    shop = site(start_delay_ms=5000)

    def kill() -> None:
        for pid in windows.within(10, shop.pids) or []:
            os.kill(pid, signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    error = failed(shop)
    thread.join()
    assert error.result["exit_code"] == -9
    assert "SIGKILL" in error.msg


def test_an_exit_code_without_a_reason(site: Callable[..., Instance]) -> None:
    error = failed(site(exit_code=42))
    assert error.result["exit_code"] == 42
    assert "which the application does not use itself" in error.msg


def test_a_crash_after_the_first_answer(site: Callable[..., Instance]) -> None:
    shop = site(crash_after_ms=700)
    error = failed(shop, stable_for=3.0)
    assert error.result["exit_code"] == 2
    assert "the program crashed" in error.msg
    assert "index out of range" in error.result["cause_line"]
    assert error.result["log_tail"]


class _Stranger(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'{"code":0,"data":{"version":"3.5.8"}}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: Any) -> None:
        pass


def test_a_stranger_that_answers_is_not_believed(site: Callable[..., Instance]) -> None:
    """It takes the port before the new process does, and tells the right version."""
    shop = site("2.5.3", start_delay_ms=4000)  # later versions look at the port first, and end
    servers: list[http.server.HTTPServer] = []

    def take() -> None:
        windows.within(10, shop.pids)
        servers.append(http.server.ThreadingHTTPServer(("127.0.0.1", shop.port), _Stranger))
        servers[0].serve_forever()

    thread = threading.Thread(target=take)
    thread.start()
    error = failed(shop)
    servers[0].shutdown()
    servers[0].server_close()
    thread.join()
    assert f"another process answers on port {shop.port}" in error.msg
    assert os.getpid() in [holder["pid"] for holder in error.result["holders"]]


def test_no_answer_and_no_progress(site: Callable[..., Instance]) -> None:
    shop = site(start_delay_ms=15000)
    began = time.monotonic()
    error = failed(shop, ready_timeout=1.0)
    assert 1.0 <= time.monotonic() - began < 10
    assert "there was no progress for 1 s" in error.msg
    assert f"It still runs as pid {shop.pid}" in error.msg


def test_a_migration_that_advances_is_progress(site: Callable[..., Instance], db: MariaDB) -> None:
    shop = site("2.5.3", db=db)
    start(shop)
    shop.kill()
    unpack(release_of("3.3.11"), shop.dir)
    shop.knobs(migration_ms=5000)
    shop.version = "3.3.11"
    began = time.monotonic()
    result = start(shop, ready_timeout=1.5)
    assert time.monotonic() - began > 4.0
    assert result["version"] == "3.3.11"


def test_install_mode_is_no_good_start(site: Callable[..., Instance]) -> None:
    """config.json goes away between the look at it and the start: it opens its port and answers, with the installer."""
    shop = site()
    context = windows.context_of(shop)
    arguments = ["-port", str(shop.port)]
    params: Result = dict(
        ready_timeout=1.5, ready_limit=60.0, stable_for=0.1, environment=None, arguments=arguments, user=ME
    )
    _start_plan.plan(context, params)
    _start.prepare(context, params)
    (shop.dir / "config.json").unlink()
    with pytest.raises(LifecycleError) as caught:
        _start.start(context, params)
    context.close()
    assert "in install mode" in caught.value.msg


@pytest.mark.parametrize("version", ["2.3.6", "2.5.3"])
def test_ready_means_that_pages_work(site: Callable[..., Instance], version: str) -> None:
    """They answer 500 for a second after the version: that second counts, and is no trouble in the log."""
    shop = site(version)
    begin = time.monotonic()
    result = start(shop, stable_for=0)
    assert shop.get("/")[0] == 200
    assert 1000 <= result["ready_ms"] <= (time.monotonic() - begin) * 1000
    assert result["findings"] == []
    assert "view engine is missing" in shop.log_text()
    context = windows.context_of(shop)
    context.look()
    found = logs.check(context, dict(ignore=[], fail_on="warning"), "last_start")
    context.close()
    assert (found["verdict"], [one["code"] for one in found["markers"]].count("views_missing")) == ("ok", 1)


def test_a_page_that_is_broken_for_good_is_a_finding(site: Callable[..., Instance]) -> None:
    shop = site("2.5.3", panics_at="/")
    result = start(shop, stable_for=0)
    assert 3000 <= result["ready_ms"] < 10000
    (finding,) = result["findings"]
    assert (finding["code"], finding["severity"]) == ("page_5xx", "warning")
    assert "status 500" in finding["text"]
    again = start(shop, stable_for=0)
    assert (again["changed"], again["pid"], again["findings"]) == (False, shop.pid, result["findings"])


def test_where_pages_come_with_the_version_none_is_asked_for(site: Callable[..., Instance]) -> None:
    shop = site("3.5.8", panics_at="/")
    result = start(shop, stable_for=0)
    assert (result["findings"], result["ready_ms"] < 3000) == ([], True)


def test_a_process_that_ends_while_its_pages_are_waited_for(site: Callable[..., Instance]) -> None:
    error = failed(site("2.5.3", crash_after_ms=400), stable_for=0)
    assert error.result["exit_code"] == 2
    assert "the program crashed" in error.msg


def test_the_cause_is_found_in_error_log_where_standard_output_goes_nowhere(
    site: Callable[..., Instance], db: MariaDB
) -> None:
    shop = site("3.5.8", db=db)
    process = subprocess.Popen(
        [str(shop.binary)],
        cwd=shop.dir,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    shop.wait_ready()
    threading.Thread(target=process.wait).start()
    assert windows.run(shop, [{"graceful_stop": {}}])["outcome"] == "done"
    config = json.loads((shop.dir / "config.json").read_text())
    config["mysql"]["password"] = "wrong"
    (shop.dir / "config.json").write_text(json.dumps(config))
    error = failed(shop, user=None)
    assert "refused the user or password" in error.result["exit_meaning"]
    assert "连接数据库失败" in error.result["cause_line"]
    assert any("连接数据库失败" in line for line in error.result["log_tail"])
    assert not shop.log_text()


def test_a_process_that_ends_while_it_is_verified(site: Callable[..., Instance]) -> None:
    """Somebody else started it: its exit code is not known, and its log says why."""
    says = "Failed To Connect Database:  dial tcp 127.0.0.1:3306: connect: connection refused"
    shop = site(start_delay_ms=1000, exit_code=255, says=says)
    process = shop.spawn()
    threading.Thread(target=process.wait).start()
    assert windows.within(5, lambda: shop.pids() == [process.pid])
    error = failed(shop)
    assert "exited before it answered" in error.msg
    assert "the database of config.json is not reachable" in error.result["exit_meaning"]
    assert "runs, but it ended" not in error.msg


def test_what_the_binary_says_counts_not_changelog(site: Callable[..., Instance]) -> None:
    """That file is behind in 26 of 62 releases: no trouble, and nothing to be told each time."""
    shop = site(wrong_version="3.4.0")
    result = start(shop)
    assert result["version"] == "3.4.0"
    assert not any("CHANGELOG" in note for note in result["notes"])


def test_an_undead_process_is_not_started_twice(site: Callable[..., Instance]) -> None:
    shop = site("2.5.3")
    start(shop)
    os.kill(shop.pid, signal.SIGTERM)  # closes its port and stays
    assert windows.within(5, lambda: not shop.told_version(timeout=0.2))
    error = failed(shop)
    assert "will not serve again" in error.msg
    assert "graceful_stop" in error.msg
    assert len(shop.pids()) == 1


def test_config_refusals_name_the_file(site: Callable[..., Instance]) -> None:
    shop = site()
    path = shop.dir / "config.json"
    path.write_text("{")
    assert "config.json" in failed(shop).msg
    path.unlink()
    assert "its installer" in failed(shop).msg
    write_config(shop, None)
    assert start(shop)["version"] == "3.5.8"


def test_check_mode_of_the_start(site: Callable[..., Instance]) -> None:
    shop = site()
    before = windows.tree_of(shop.dir.parent)
    planned = _start.foresee(
        windows.context_of(shop),
        dict(ready_timeout=20.0, ready_limit=60.0, stable_for=0.1, environment=None, arguments=None, user=ME),
    )
    assert planned["changed"] is True
    assert planned["would"].startswith(f"start {shop.binary} as uid ")
    assert windows.tree_of(shop.dir.parent) == before
    assert shop.pids() == []
