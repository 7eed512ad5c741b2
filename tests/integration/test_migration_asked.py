# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The database is asked before a stop whether a migration runs; where it cannot be asked, that hinders nothing."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
import windows
from instance import Instance
from integration.migrating import Make, configure, marker, shops, upgraded
from integration.stopping import gone, signals_of, stop, within
from mariadb import MariaDB, free_port
from seeding import content, lost
from websites import Sites
from windows import Killer, at

from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import asking, client
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import process as _process
from ansible_collections.anqicms.lifecycle.plugins.module_utils._info import describe
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import at_work
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import resolve
from ansible_collections.anqicms.lifecycle.plugins.module_utils._stop import migrating
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import window_plan


@pytest.fixture
def base(place: Path) -> Path:
    return place / "state"


@pytest.fixture
def shop(place: Path, db: MariaDB) -> Iterator[Make]:
    yield from shops(place, db)


SECRET = "told-to-nobody-5"


# --- before a stop


@pytest.mark.parametrize("force", ["idle", "timeout"])
def test_a_stop_waits_for_a_migration_in_the_background(
    shop: Make, db: MariaDB, base: Path, tmp_path: Path, force: str
) -> None:
    instance, go = shop(), tmp_path / "go"
    before = content(instance, db)
    pid = upgraded(instance, go)
    texts: list[str] = []

    def told(text: str) -> None:
        texts.append(text)
        if "waiting for the migration to end" in text:
            assert not gone(pid) and marker(instance, db) == "3.3.11"
            go.touch()

    result = stop(instance.dir, base, force=force, progress=told)
    assert result["stopped"] and signals_of(result)[0] == "SIGTERM" and gone(pid), result
    assert marker(instance, db) == "3.5.8" and lost(before, content(instance, db)) == []
    assert result["migration"]["seen"] and not result["migration"]["unknown"]
    assert 0 < result["migration"]["waited_ms"] <= result["waited_ms"]
    assert any("waiting for the migration to end" in text for text in texts), texts


def test_that_of_another_site_is_waited_for(shop: Make, db: MariaDB, base: Path, tmp_path: Path) -> None:
    """Each has its own mark; the first one's has it already."""
    instance, go = shop(), tmp_path / "go"
    sites = Sites(instance, db)
    sites.add(2, "second.example")
    instance.start()
    instance.kill()
    instance.become("3.5.8")
    instance.knobs(migration_site=2, migration_waits_at="tables", migration_waits_for=str(go))
    pid = instance.start()
    assert within(20, lambda: marker(instance, db) == "3.5.8")
    result = stop(instance.dir, base, migration_timeout=0.5)
    assert result["failed"] and f"({sites.database(2)}: " in result["msg"] and not gone(pid), result
    go.touch()
    result = stop(instance.dir, base)
    assert result["stopped"] and gone(pid) and marker(instance, db, sites.database(2)) == "3.5.8"


def test_statistics_that_are_still_in_memory_are_waited_for(shop: Make, db: MariaDB) -> None:
    """Behind the mark, after a change from below 3.3.11 to 3.5.0 or later that the records know of."""
    instance = shop("3.2.8")
    instance.start()
    assert windows.run(instance)["outcome"] == "done"
    instance.kill()
    before = content(instance, db)
    instance.become("3.5.8")
    instance.knobs(statistics_flush_ms=3000)
    pid = instance.start()
    assert marker(instance, db) == "3.5.8" and content(instance, db).statistics < before.statistics
    result = stop(instance.dir, instance.dir.parent / "state")
    assert result["stopped"] and gone(pid), result
    assert any("data/statistic" in text for text in result["migration"]["seen"]), result["migration"]
    assert lost(before, content(instance, db)) == []


@pytest.mark.parametrize("version", ["2.5.3", "3.2.1", "3.3.11"])
def test_a_migration_before_the_port_opens(shop: Make, db: MariaDB, base: Path, tmp_path: Path, version: str) -> None:
    """2.5.3 and 3.2.1 would die of the signal amid it, 3.3.11 would keep it until then: none gets one."""
    instance, go = shop("2.3.6"), tmp_path / "go"
    instance.become(version)
    instance.knobs(migration_waits_at="tables", migration_waits_for=str(go))
    instance.start(wait=0)
    asleep = f"SELECT 1 FROM information_schema.processlist WHERE db = '{instance.database}' AND info LIKE '%SLEEP%'"
    assert within(20, lambda: db.run(asleep)), instance.log_text()
    pid = instance.pid
    result = stop(instance.dir, base, migration_timeout=0.5, force="timeout")
    assert result["failed"] and "Nothing was signalled" in result["msg"] and "is migrating its" in result["msg"], result
    assert not gone(pid) and not instance.told_version()
    threading.Timer(1.0, go.touch).start()
    result = stop(instance.dir, base)
    assert result["stopped"] and gone(pid) and result["migration"]["waited_ms"] > 0, result


def test_nothing_is_signalled_at_the_limit(shop: Make, db: MariaDB, base: Path, tmp_path: Path) -> None:
    instance, go = shop(), tmp_path / "go"
    pid = upgraded(instance, go)
    planned = stop(instance.dir, base, check=True)
    assert "wait at most 3600 s for the migration to end (" in planned["would"] and planned["migration"]["seen"]
    for limit in (0.0, 1.0):
        result = stop(instance.dir, base, migration_timeout=limit, force="timeout")
        assert result["failed"] and "signals" not in result and not gone(pid)
        for text in (
            f"pid {pid} of",
            "is migrating its database",
            "Nothing was signalled",
            f"migration_timeout is {limit:g} s",
            "last_run_version",
            "force does not override this",
        ):
            assert text in result["msg"], result["msg"]
        assert result["migration"]["waited_ms"] >= limit * 1000
    assert not [line for line in instance.log_text().splitlines() if "退出信号" in line]
    go.touch()
    assert stop(instance.dir, base)["stopped"]


def test_in_a_window_it_ends_at_the_deadline_and_goes_on_serving(shop: Make, db: MariaDB, tmp_path: Path) -> None:
    instance, go = shop(), tmp_path / "go"
    pid = upgraded(instance, go)
    result = windows.run(instance, [{"graceful_stop": {"migration_timeout": 1}}, {"verified_start": {}}])
    assert (result["outcome"], result["changed"], result["pid_after"]) == ("failed", False, pid), result
    assert "migration_timeout is 1 s" in result["msg"] and "unfinished" not in result
    result = windows.run(instance, deadline=2.0)
    assert result["pid_after"] == pid and "until the deadline of the window" in result["msg"], result
    go.touch()
    assert windows.run(instance)["outcome"] == "done"


def test_a_restart_in_its_middle_loses_nothing(shop: Make, db: MariaDB, tmp_path: Path) -> None:
    instance, go = shop(), tmp_path / "go"
    before = content(instance, db)
    pid = upgraded(instance, go)
    context, plan = windows.context_of(instance), windows.plan_of(windows.RESTART)
    pipe = windows.begin(context, plan)
    assert windows.within(20, lambda: "waiting for the migration to end" in str(windows.journal(context)))
    assert not gone(pid) and instance.told_version() == "3.5.8" and not windows.at_event(context, "signal")
    go.touch()
    result = windows.wait(context, plan, pipe)
    assert result["outcome"] == "done" and gone(pid), result
    assert marker(instance, db) == "3.5.8" and lost(before, content(instance, db)) == []
    assert result["steps"][0]["result"]["migration"]["seen"]


def test_killed_in_its_middle_with_everything_of_ours(
    shop: Make, db: MariaDB, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Application, worker and guardian: recovery starts it again, which ends the migration, and loses nothing."""
    instance, go = shop(), tmp_path / "go"
    before = content(instance, db)
    pid = upgraded(instance, go)
    killer = Killer(lambda entry, number: "migration to end" in str(entry.get("text")), both=True)
    context, plan = windows.context_of(instance), windows.plan_of(windows.RESTART)
    with monkeypatch.context() as patch:
        killer.install(patch)
        pipe = windows.begin(context, plan)
        windows.within(30, lambda: not at_work.is_worked_on(context.state))
    os.close(pipe)
    assert windows.at_event(context, "begin") and not windows.at_event(context, "signal")
    assert not gone(pid)
    windows.end_process(pid)
    instance.knobs()
    again = windows.run(instance, [])
    assert again["outcome"] == "done" and again["state"] == "running", again
    assert windows.within(20, lambda: marker(instance, db) == "3.5.8")
    assert lost(before, content(instance, db)) == []


def test_recovery_waits_for_it(shop: Make, db: MariaDB, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that had begun to stop it, and whose signal never left, is finished by a stop that waits as well."""
    instance, go = shop(), tmp_path / "go"
    pid = upgraded(instance, go)
    killer = Killer(at("signal"), both=True)
    context, plan = windows.context_of(instance), windows.plan_of(windows.RESTART)
    with monkeypatch.context() as patch:
        killer.install(patch)
        patch.setattr(migrating.Wait, "until_over", lambda self: None)
        patch.setattr(_process.ProcessHandle, "signal", lambda self, number: True)
        pipe = windows.begin(context, plan)
        windows.within(30, lambda: not at_work.is_worked_on(context.state))
    os.close(pipe)
    assert windows.at_event(context, "signal") and not gone(pid)
    threading.Timer(2.0, go.touch).start()
    result = windows.run(instance, [])
    assert result["outcome"] == "done" and gone(pid), result
    assert "waiting for the migration to end" in str(windows.journal(context))
    assert marker(instance, db) == "3.5.8"


def test_a_migration_that_has_failed_is_not_waited_for(shop: Make, db: MariaDB, base: Path) -> None:
    instance = shop()
    instance.become("3.5.8")
    instance.knobs(migration_fails_at="tables")
    pid = instance.start()
    assert within(10, lambda: "migrate table error" in instance.log_text())
    result = stop(instance.dir, base)
    assert result["stopped"] and gone(pid) and result["migration"]["waited_ms"] == 0
    assert any("nothing is working on it" in text for text in result["migration"]["unknown"]), result["migration"]


def test_other_versions_are_not_asked(shop: Make, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From below 3.4.5, once its port has opened, a stop costs nothing."""
    instance = shop("3.2.8")
    pid = instance.start()

    def never(*_unused: Any) -> Any:
        raise AssertionError("the database was asked")

    monkeypatch.setattr(asking, "Look", never)
    assert stop(instance.dir, base, check=True)["changed"]
    result = stop(instance.dir, base)
    assert result["stopped"] and gone(pid) and result["migration"] == migrating.nothing()


def test_one_client_for_one_look(shop: Make, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = shop("3.5.8")
    instance.start()
    begun: list[list[str]] = []
    original = client._begin

    def counted(argv: Any, *more: Any) -> Any:
        begun.append(list(argv))
        return original(argv, *more)

    monkeypatch.setattr(client, "_begin", counted)
    describe.describe(resolve(str(instance.dir)), base=str(base))
    assert len(begun) == 1
    assert stop(instance.dir, base, check=True)["changed"] and len(begun) == 2
    assert stop(instance.dir, base)["stopped"] and len(begun) == 3


# --- where it cannot be asked


def no_client(instance: Instance, db: MariaDB, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PLACES", ("/nowhere",))
    monkeypatch.setattr(client.find, "__defaults__", (None, ("/nowhere",)))


def wrong_password(instance: Instance, db: MariaDB, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(instance, password=SECRET)


def no_rights(instance: Instance, db: MariaDB, monkeypatch: pytest.MonkeyPatch) -> None:
    user = f"u_{os.urandom(4).hex()}"
    db.administer(f"CREATE USER {user}@'%' IDENTIFIED BY '{SECRET}'")
    configure(instance, user=user, password=SECRET)


def not_reachable(instance: Instance, db: MariaDB, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(instance, port=free_port())


def none_named(instance: Instance, db: MariaDB, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(instance, database="")


@pytest.mark.parametrize("trouble", [no_client, wrong_password, no_rights, not_reachable, none_named])
def test_what_cannot_be_asked_is_a_note(
    shop: Make, db: MariaDB, base: Path, monkeypatch: pytest.MonkeyPatch, trouble: Callable[..., None]
) -> None:
    instance = shop("3.5.8")
    pid = instance.start()
    trouble(instance, db, monkeypatch)
    planned = stop(instance.dir, base, check=True)
    result = stop(instance.dir, base)
    assert result["stopped"] and gone(pid) and signals_of(result)[0] == "SIGTERM"
    for migration_result in (planned["migration"], result["migration"]):
        assert migration_result["seen"] == [] and "is not known" in migration_result["unknown"][0]
    assert SECRET not in json.dumps(result) + json.dumps(planned)


@pytest.mark.parametrize("trouble", [no_client, wrong_password, no_rights])
def test_a_start_that_cannot_ask_goes_on(
    shop: Make, db: MariaDB, base: Path, monkeypatch: pytest.MonkeyPatch, trouble: Callable[..., None]
) -> None:
    """The application itself runs with the login that it has; only ours is spoilt."""
    instance = shop("3.5.8")
    instance.start()
    right = (instance.dir / "config.json").read_text()
    trouble(instance, db, monkeypatch)
    context = windows.context_of(instance)
    try:
        planned = window_plan.foresee(context, windows.plan_of(windows.RESTART))
        row = describe.describe(resolve(str(instance.dir)), base=str(base))
    finally:
        context.close()
        (instance.dir / "config.json").write_text(right)
    notes = planned[2]["notes"]
    assert any("whether it is newer than this version is not known" in note for note in notes), notes
    codes = [hazard["code"] for hazard in row["hazards"]]
    assert "database_not_asked" in codes and "database_newer" not in codes and row["version"]["database"] is None
    assert SECRET not in json.dumps(row) + json.dumps(planned)
    assert windows.run(instance)["outcome"] == "done"


def test_the_password_is_in_no_argument(shop: Make, db: MariaDB, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the client while it runs, nor in its environment."""
    instance = shop("3.5.8")
    configure(instance, password=db.password)
    seen: list[bytes] = []
    original = client._begin

    def looked(argv: Any, *more: Any) -> Any:
        process = original(argv, *more)
        for name in ("cmdline", "environ"):
            seen.append(Path(f"/proc/{process.pid}/{name}").read_bytes())
        return process

    monkeypatch.setattr(client, "_begin", looked)
    row = describe.describe(resolve(str(instance.dir)), base=str(base))
    assert row["version"]["database"] == "3.5.8" and any(b"defaults-file" in text for text in seen)
    assert not [text for text in seen if db.password.encode() in text]


def test_a_database_that_does_not_answer_hangs_nobody(shop: Make, db: MariaDB, base: Path) -> None:
    instance = shop("3.5.8")
    instance.start()
    pid = db.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        begin = time.monotonic()
        row = describe.describe(resolve(str(instance.dir)), base=str(base))
        assert time.monotonic() - begin < 12
    finally:
        os.kill(pid, signal.SIGCONT)
    assert row["version"]["database"] is None and "database_not_asked" in [one["code"] for one in row["hazards"]]
