# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the stand-in prints and how it ends, line by line against transcripts of the real application."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Callable, Iterator

import pytest
import releases
from instance import Instance, make_instance, write_config
from mariadb import MariaDB, free_port

TRANSCRIPTS = Path(__file__).resolve().parent.parent / "fixtures" / "transcripts"
CASES = [(path.parent.name, path.stem) for path in sorted(TRANSCRIPTS.glob("*/*.txt"))]
ALIVE = "still alive"
_SLOW = re.compile(r"\n<time> <esc>\[32m\S+ <esc>\[33mSLOW SQL >= 200ms\n<esc>\[0m<esc>\[31;1m\[<duration>\].*\n")


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDB]:
    with MariaDB(tmp_path_factory.mktemp("db") / "mariadb") as server:
        yield server


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, db: MariaDB) -> Callable[[str], Instance]:
    """The one instance of a version, started once so that its database is there."""
    instances: dict[str, Instance] = {}

    def make(version: str) -> Instance:
        if version not in instances:
            instance = make_instance(tmp_path_factory.mktemp("site") / version, version, db=db)
            process = instance.spawn()
            instance.wait_ready(90.0)  # a first start makes a hundred tables
            process.kill()
            process.wait()
            instances[version] = instance
        return instances[version]

    return make


@pytest.fixture
def instance(request: pytest.FixtureRequest, made: Callable[[str], Instance], db: MariaDB) -> Iterator[Instance]:
    if releases.nearest(request.param) != request.param:
        pytest.skip(f"RELEASES has no {request.param}")
    instance = made(request.param)
    write_config(instance, db)
    for log in (instance.log, instance.dir / "error.log"):
        log.unlink(missing_ok=True)
    yield instance
    instance.kill()


@pytest.mark.parametrize(("instance", "situation"), CASES, indirect=["instance"])
def test_transcript(instance: Instance, situation: str, db: MariaDB) -> None:
    told = _SITUATIONS[situation](instance, db)
    expected = (TRANSCRIPTS / instance.version / f"{situation}.txt").read_text(encoding="utf-8")
    assert _in_order(_transcript(instance, told)) == _in_order(expected)


def _in_order(text: str) -> list[str]:
    """Its lines; the one about the browser always before those of an end."""
    lines = text.splitlines()
    about = [line for line in lines if line.endswith("http://127.0.0.1:<port>")]
    others = [line for line in lines if line not in about]
    place = max([number for number, line in enumerate(others, 1) if line.startswith("Application started")], default=0)
    return [*others[:place], *about, *others[place:]]


def test_every_version_has_every_situation() -> None:
    """Locales came with 3.3.9; up to 2.5.5 pages come a second after the port."""
    wanted, old = set(_SITUATIONS), {"2.3.6", "2.5.3", "3.1.9", "3.2.1", "3.2.8"}
    assert {named for named, _unused in CASES} == old | {"3.3.11", "3.4.0", "3.5.1", "3.5.8"}
    for version in {named for named, _unused in CASES}:
        without = {"locales-missing"} if version in old else set()
        without |= set() if version in ("2.3.6", "2.5.3") else {"page-in-first-second"}
        assert {situation for named, situation in CASES if named == version} == wanted - without, version


def _port_in_use(instance: Instance, _db: MariaDB) -> str:
    with socket.create_server(("::", instance.port), family=socket.AF_INET6, dualstack_ipv6=True):
        return _ended(instance.spawn())


def _config_not_json(instance: Instance, _db: MariaDB) -> str:
    text = (instance.dir / "config.json").read_text()
    (instance.dir / "config.json").write_text(text[: len(text) // 2])
    return _ended(instance.spawn())


def _wrong_password(instance: Instance, _db: MariaDB) -> str:
    _change_mysql(instance, "password", "wrong")
    return _ended(instance.spawn())


def _database_down(instance: Instance, _db: MariaDB) -> str:
    _change_mysql(instance, "port", free_port())
    return _ended(instance.spawn())


def _warm_start_sigterm(instance: Instance, _db: MariaDB) -> str:
    process = instance.spawn()
    _wait_for_last_line(instance)
    process.send_signal(signal.SIGTERM)
    return _ended(process, seconds=0.5)


def _first_start(instance: Instance, db: MariaDB) -> str:
    db.run(f"DROP DATABASE `{instance.database}`")
    process = instance.spawn()
    _wait_for_last_line(instance)
    return _ended(process, seconds=0.1)


def _page_in_first_second(instance: Instance, _db: MariaDB) -> str:
    process = instance.spawn()
    deadline = time.monotonic() + 20
    while not instance.told_version() and time.monotonic() < deadline:
        time.sleep(0.005)
    first = instance.get("/")[0]
    _wait_for_last_line(instance)
    said = instance.log_text()
    _wait_for_page(instance)
    assert first == 500
    told = _ended(process, seconds=0.1)
    instance.log.write_text(said, encoding="utf-8")  # without the lines of the questions that came too early still
    return told


def _locales_missing(instance: Instance, _db: MariaDB) -> str:
    (instance.dir / "locales").rename(instance.dir / "locales.away")
    try:
        process = instance.spawn()
        if instance.version >= "3.5":
            _wait_for_last_line(instance)
            return _ended(process, seconds=0.1)
        return _ended(process)
    finally:
        (instance.dir / "locales.away").rename(instance.dir / "locales")


_SITUATIONS: dict[str, Callable[[Instance, MariaDB], str]] = {
    "port-in-use": _port_in_use,
    "config-not-json": _config_not_json,
    "wrong-password": _wrong_password,
    "database-down": _database_down,
    "warm-start-sigterm": _warm_start_sigterm,
    "first-start": _first_start,
    "page-in-first-second": _page_in_first_second,
    "locales-missing": _locales_missing,
}


def _change_mysql(instance: Instance, key: str, value: str | int) -> None:
    path = instance.dir / "config.json"
    config = json.loads(path.read_text())
    config["mysql"][key] = value
    path.write_text(json.dumps(config))


def _wait_for_last_line(instance: Instance) -> None:
    """The line about the browser comes one second after the start: as a rule, but not always, after the others."""
    end = time.monotonic() + 20
    while not all(words in instance.log_text() for words in ("http://127.0.0.1", "Application started")):
        assert time.monotonic() < end, instance.log_text()
        time.sleep(0.02)


def _wait_for_page(instance: Instance) -> None:
    """The last line and the templates come after one second each: on a busy machine in either order."""
    end = time.monotonic() + 20
    while instance.get("/")[0] != 200:
        assert time.monotonic() < end, instance.log_text()
        time.sleep(0.02)


def _ended(process: subprocess.Popen[bytes], seconds: float = 20) -> str:
    try:
        return f"exit {process.wait(seconds)}"
    except subprocess.TimeoutExpired:
        return ALIVE
    finally:
        process.kill()
        process.wait()


def _transcript(instance: Instance, told: str) -> str:
    text = f"[{told}]\n--- running.log\n{instance.log_text()}"
    errors = instance.dir / "error.log"
    if errors.exists():
        text += f"--- error.log\n{errors.read_text(encoding='utf-8')}"
    return _normalized(text, instance)


def _normalized(text: str, instance: Instance) -> str:
    """Times, addresses, durations and the statements that are slow are different each time."""
    mysql = json.loads((instance.dir / "config.json").read_text() or "{}")["mysql"] if "dial tcp" in text else {}
    text = text.replace(f"127.0.0.1:{mysql.get('port')}", "<database address>")
    text = text.replace(f":{instance.port}", ":<port>").replace(instance.database, "<database>")
    text = text.replace(f"{instance.dir}/", "<root>/").replace("\x1b", "<esc>")
    text = re.sub(r"\d{4}[/-]\d\d[/-]\d\d \d\d:\d\d:\d\d", "<time>", text)
    text = re.sub(r"(\[ERRO\](?:<esc>\[0m)?) \d{4}/\d\d/\d\d \d\d:\d\d", r"\1 <minute>", text)
    text = re.sub(r"\[\d+\.\d{3}ms\]", "[<duration>]", text)
    return _SLOW.sub("", text)
