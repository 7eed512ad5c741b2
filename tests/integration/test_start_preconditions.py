# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a start needs beside itself: refused before the stop with the process untouched, recognisable after it."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
import windows
from instance import Instance, make_instance
from mariadb import MariaDB, free_port

from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import window_call
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError, NotYet
from ansible_collections.anqicms.lifecycle.plugins.module_utils._info import describe
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import at_work
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import resolve
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import needs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import plan as _start_plan
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import start as _start

ME = pwd.getpwuid(os.geteuid()).pw_name
PARAMS: dict[str, Any] = dict(ready_timeout=20.0, ready_limit=60.0, stable_for=0.1, user=ME)
SECRET = "s3cret-word"


@pytest.fixture
def database() -> Iterator[socket.socket]:
    """Something that listens: no more is asked of a database here."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        yield listener


def name_database(shop: Instance, host: str, port: int) -> None:
    """In config.json; the stand-in serves from memory all the same."""
    path = shop.dir / "config.json"
    config = json.loads(path.read_text())
    config["mysql"] = dict(database="shop", user="anq", password=SECRET, host=host, port=port)
    path.write_text(json.dumps(config))


def refused(shop: Instance, steps: Any = None) -> LifecycleError:
    """The refusal of a window, after which the same process serves and no run is unfinished."""
    before = shop.pid
    with pytest.raises(LifecycleError) as caught:
        windows.run(shop, steps)
    assert before and shop.pid == before
    assert shop.told_version() == shop.version
    assert not at_work.interrupted(windows.context_of(shop).state)
    return caught.value


def start_with(**options: Any) -> list[Any]:
    return [*windows.RESTART[:2], {"verified_start": {"stable_for": 0.1, **options}}]


def test_a_restart_while_the_database_is_down(site: Callable[..., Instance]) -> None:
    """A site that still answers from memory is not stopped."""
    shop = site()
    port = free_port()
    name_database(shop, "127.0.0.1", port)
    error = refused(shop)
    assert f"127.0.0.1:{port} (config.json): it refuses connections" in error.msg
    assert f"by uid {os.geteuid()}" in error.msg
    assert "Nothing was stopped or started" in error.msg
    assert "Start the database" in error.msg
    assert error.result["hazards"] == ["database_unreachable"]
    assert SECRET not in error.msg


def test_a_real_database_that_was_stopped(tmp_path: Path) -> None:
    server = MariaDB(tmp_path / "db")
    shop = make_instance(tmp_path / "shop.example", "3.5.8", db=server)
    try:
        with server:
            shop.start()
            assert windows.run(shop)["outcome"] == "done"
            server.stop()
            assert "it refuses connections" in refused(shop).msg
            server.start()
            result = windows.run(shop)
            assert (result["outcome"], windows.notes_of(result, 2)) == ("done", [])
    finally:
        shop.kill()


def test_a_database_that_does_not_answer(site: Callable[..., Instance], database: socket.socket) -> None:
    shop = site()
    database.listen(0)
    waiting = [socket.socket() for _count in range(4)]
    for sock in waiting:  # its queue is full then: the kernel drops what comes
        sock.setblocking(False)
        sock.connect_ex(database.getsockname())
    time.sleep(0.1)
    name_database(shop, "127.0.0.1", database.getsockname()[1])
    began = time.monotonic()
    assert "it did not answer within 2 s" in refused(shop).msg
    assert time.monotonic() - began < 20
    for sock in waiting:
        sock.close()


@pytest.mark.parametrize(
    "hangs,expected",
    [
        (True, "its name was not resolved within 2 s"),
        (False, "its name cannot be resolved (Name or service not known)"),
    ],
)
def test_a_name_that_is_not_resolved(
    site: Callable[..., Instance], monkeypatch: pytest.MonkeyPatch, hangs: bool, expected: str
) -> None:
    """getaddrinfo is replaced for this name, in forked processes too: the resolver of this machine may do either."""
    shop = site()
    name_database(shop, "db.example", 3306)
    original = socket.getaddrinfo

    def resolve(host: Any, *more: Any, **options: Any) -> Any:
        if host != b"db.example":
            return original(host, *more, **options)
        if hangs:
            time.sleep(100)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    began = time.monotonic()
    assert f"db.example:3306 (config.json): {expected}" in refused(shop).msg
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("version,environment_wins", [("3.5.8", True), ("3.2.8", False)])
def test_variables_of_the_start_name_the_database(
    site: Callable[..., Instance], database: socket.socket, version: str, environment_wins: bool
) -> None:
    shop = site(version)
    there, gone = database.getsockname()[1], free_port()

    def steps(port: int) -> list[Any]:
        return start_with(
            environment={
                "MYSQL_DATABASE": "shop",
                "MYSQL_HOST": "127.0.0.1",
                "MYSQL_PORT": str(port),
                "MYSQL_ROOT_PASSWORD": SECRET,
            }
        )

    name_database(shop, "127.0.0.1", there if environment_wins else gone)
    error = refused(shop, steps(gone if environment_wins else there))
    source = "MYSQL_* of the environment" if environment_wins else "config.json"
    assert f"127.0.0.1:{gone} ({source})" in error.msg
    assert SECRET not in error.msg
    name_database(shop, "127.0.0.1", gone if environment_wins else there)
    result = windows.run(shop, steps(there if environment_wins else gone))
    assert (result["outcome"], windows.notes_of(result, 2)) == ("done", [])


def test_variables_of_the_running_process_name_it_too(site: Callable[..., Instance], database: socket.socket) -> None:
    shop = site(start=False)
    name_database(shop, "127.0.0.1", database.getsockname()[1])
    gone = free_port()
    shop.start(
        environment={
            "PATH": "/usr/bin:/bin",
            "MYSQL_DATABASE": "shop",
            "MYSQL_HOST": "127.0.0.1",
            "MYSQL_PORT": str(gone),
            "MYSQL_ROOT_PASSWORD": SECRET,
        }
    )
    assert f"127.0.0.1:{gone} (MYSQL_* of the environment)" in refused(shop).msg


def test_where_the_version_is_not_known_either_database_will_do(
    site: Callable[..., Instance], database: socket.socket
) -> None:
    shop = site(start=False)
    (shop.dir / "CHANGELOG.md").unlink()
    name_database(shop, "127.0.0.1", database.getsockname()[1])
    gone = free_port()
    environment = {
        "MYSQL_DATABASE": "shop",
        "MYSQL_HOST": "127.0.0.1",
        "MYSQL_PORT": str(gone),
        "MYSQL_ROOT_PASSWORD": SECRET,
    }
    context = windows.context_of(shop)
    try:
        result = _start.start(context, dict(PARAMS, environment=environment))
    finally:
        context.close()
    assert any(f"127.0.0.1:{gone} is not, and which of them" in note for note in result["notes"])


def test_accepted_by_name(site: Callable[..., Instance]) -> None:
    shop = site()
    name_database(shop, "127.0.0.1", free_port())
    before = shop.pid
    result = windows.run(shop, start_with(accept_hazards=["database_unreachable"]))
    assert (result["outcome"], result["state"]) == ("done", "running")
    assert shop.pid != before
    notes = windows.notes_of(result, 2)
    assert notes[0].startswith("database_unreachable is accepted: its database is not reachable")


def test_accepted_for_a_whole_window_and_its_second_try(site: Callable[..., Instance]) -> None:
    """The command fails after the stop; the second try of the start has no options of the step."""
    shop = site()
    name_database(shop, "127.0.0.1", free_port())
    steps = [windows.RESTART[0], {"command": {"argv": ["/bin/false"]}}, windows.RESTART[2]]
    result = window_call.run(windows.ModuleCall(shop, steps=steps, accept_hazards=["database_unreachable"]))
    assert (result["outcome"], result["state"]) == ("failed", "running")
    assert "The instance runs (pid" in result["msg"]
    with pytest.raises(LifecycleError, match="unknown hazard code: database_down"):
        window_call.run(windows.ModuleCall(shop, accept_hazards=["database_down"]))
    with pytest.raises(LifecycleError, match="unknown hazard code: database_down"):
        windows.run(shop, start_with(accept_hazards=["database_down"]))
    with pytest.raises(LifecycleError, match="it refuses connections"):
        window_call.run(windows.ModuleCall(shop, check_mode=True))


def test_a_stop_needs_no_database(site: Callable[..., Instance]) -> None:
    shop = site()
    name_database(shop, "127.0.0.1", free_port())
    assert windows.run(shop, [{"graceful_stop": {}}, {"port_released": {}}])["state"] == "stopped"
    assert shop.pids() == []


def test_what_may_come_back_is_an_error_of_its_own_kind_after_the_stop(
    site: Callable[..., Instance], database: socket.socket
) -> None:
    shop = site()
    gone = free_port()
    name_database(shop, "127.0.0.1", gone)
    windows.run(shop, [{"graceful_stop": {}}])
    context = windows.context_of(shop)
    for attempt in (_start_plan.plan, _start.start):
        with pytest.raises(NotYet, match=r"it refuses connections.*Nothing was started") as caught:
            attempt(context, PARAMS)
        assert "Nothing was stopped" not in caught.value.msg
        assert context.run.launcher is None
    name_database(shop, "127.0.0.1", database.getsockname()[1])
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stranger.bind(("127.0.0.1", shop.port))
        stranger.listen()
        with pytest.raises(NotYet, match=f"Port {shop.port}.*pid {os.getpid()}.*Nothing was started") as caught:
            _start.start(context, PARAMS)
    assert _start.start(context, PARAMS)["pid"] == shop.pid
    context.close()


def test_the_database_goes_away_between_the_plan_and_the_stop(
    site: Callable[..., Instance], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parked child asks it too. Nothing is stopped then, and the run is over."""
    shop = site()
    name_database(shop, "127.0.0.1", free_port())
    before = shop.pid
    monkeypatch.setattr(needs, "ask_databases", lambda *_unused: [])
    result = windows.run(shop)
    assert (result["outcome"], result["state"], shop.pid) == ("failed", "running", before)
    assert "it refuses connections. Nothing was stopped or started" in result["msg"]
    assert not at_work.interrupted(windows.context_of(shop).state)


@pytest.mark.root
def test_it_is_asked_as_the_instances_user(place: Path) -> None:
    """A socket that only root may use."""
    directory = Path(tempfile.mkdtemp(prefix="anq-"))
    directory.chmod(0o755)
    shop = make_instance(place / "shop.example", "3.5.8")
    name_database(shop, str(directory / "s"), 0)
    subprocess.run(["chown", "-R", "33:33", str(shop.dir)], check=True)
    words = ["setpriv", "--reuid=33", "--regid=33", "--clear-groups", str(shop.binary)]
    process = subprocess.Popen(
        words,
        cwd=shop.dir,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        shop.wait_ready()
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(directory / "s"))
            listener.listen(64)
            (directory / "s").chmod(0o600)
            error = refused(shop)
            assert f"{directory}/s (config.json): Permission denied" in error.msg
            assert "by uid 33" in error.msg
            (directory / "s").chmod(0o666)
            assert windows.run(shop)["outcome"] == "done"
    finally:
        shop.kill()
        process.poll()
        shutil.rmtree(directory)


def test_language_files(site: Callable[..., Instance]) -> None:
    shop = site("3.3.11")
    (shop.dir / "locales").rename(shop.dir / "locales.away")
    error = refused(shop)
    assert "version 3.3.11 exits at startup without the language files" in error.msg
    assert error.result["hazards"] == ["locales_missing"]
    (shop.dir / "locales.away").rename(shop.dir / "locales")
    assert windows.run(shop)["outcome"] == "done"


@pytest.mark.parametrize("version", ["2.5.3", "3.3.11", "3.5.8"])
def test_the_dictionary_of_the_full_text_search(site: Callable[..., Instance], version: str) -> None:
    shop = site(version, says="2026/01/02 15:04:05 载入sego词典 dictionary.txt")
    dictionary = shop.dir / "dictionary.txt"
    dictionary.write_text("安企 100 n\n")
    assert windows.run(shop)["outcome"] == "done"
    dictionary.unlink()
    error = refused(shop)
    assert "dictionary.txt is missing: the full-text search is enabled" in error.msg
    assert not isinstance(error, NotYet)
    shop.knobs(no_database=True)
    assert windows.run(shop, start_with(accept_hazards=["dictionary_missing"]))["outcome"] == "done"
    assert windows.run(shop)["outcome"] == "done", "since its last start the log says nothing of it"


def test_a_log_that_tells_nothing_is_noted(site: Callable[..., Instance]) -> None:
    shop = site()
    (shop.dir / "dictionary.txt").unlink(missing_ok=True)
    shop.log.write_text("")
    result = windows.run(shop)
    assert result["outcome"] == "done"
    assert any("Whether the full-text search is enabled" in note for note in result["steps"][2]["result"]["notes"])


def codes(row: dict[str, Any]) -> dict[str, Any]:
    return {hazard["code"]: hazard for hazard in row["hazards"]}


def test_hazards_of_an_instance(site: Callable[..., Instance], database: socket.socket) -> None:
    shop = site()
    port = free_port()
    name_database(shop, "127.0.0.1", port)
    base = str(shop.dir.parent / "state")
    found = codes(describe.describe(resolve(str(shop.dir)), base=base))["database_unreachable"]
    assert f"127.0.0.1:{port}" in found["message"]
    assert found["severity"] == "block"
    assert "stop" not in found["blocks"]
    assert "restart" in found["blocks"]
    assert "database_unreachable" not in codes(describe.describe(resolve(str(shop.dir)), http=False, base=base))
    name_database(shop, "127.0.0.1", database.getsockname()[1])
    assert "database_unreachable" not in codes(describe.describe(resolve(str(shop.dir)), base=base))


def test_one_database_of_several_instances_is_asked_once(
    site: Callable[..., Instance], database: socket.socket
) -> None:
    shops = [site(name=name) for name in ("a.example", "b.example", "c.example")]
    for shop in shops:
        name_database(shop, "127.0.0.1", database.getsockname()[1])
    directory = shops[0].dir.parent
    rows = [
        row
        for row in describe.describe_all([str(directory)], base=str(directory / "state"))
        if row["dir"].startswith(str(directory))
    ]
    assert len(rows) == 3
    database.setblocking(False)
    database.accept()[0].close()
    database.accept()[0].close()  # a client's, which waits in vain: the others are not asked then
    with pytest.raises(BlockingIOError):
        database.accept()
