# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shadow tables of an instance: in tasks, in windows that fail or are killed, and in an upgrade that is taken back."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any, Callable

import pytest
import windows
from instance import Instance
from integration import databases
from integration.database_calls import call, destroying, refused
from integration.databases import SECRET, without_copies
from integration.upgrading import NEWEST, Site, stage
from mariadb import MariaDB
from websites import Sites

from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import (
    client,
    dump_file,
    dump_manifest,
    restore,
    shadow,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import content as facts
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import at_work
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import runs as _runs
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _rollback_steps, _upgrade_path, _upgrade_steps

Make = Callable[..., Instance]
Step = dict[str, Any]
SHADOW: Step = {"state": "dumped", "method": "shadow"}
STEPS: list[Step] = [{"graceful_stop": {}}, {"database": SHADOW}]
FAILS: Step = {"command": {"argv": ["false"]}}


def copies(db: MariaDB, name: str) -> list[str]:
    return [one for one in databases.state(db, name) if one.startswith((facts.SHADOW, facts.PREFIX))]


def records(instance: Instance) -> list[Path]:
    return sorted(Path(windows.context_of(instance).state.path).glob("shadow-*"))


# --- as tasks


def test_copies_and_their_restore(shop: Make, db: MariaDB) -> None:
    instance = shop()
    before = databases.state(db, instance.database)
    planned = call(instance, "dumped", check=True, method="shadow")
    assert planned["changed"] and "inside the database" in planned["would"] and planned["estimate_ms"] >= 0
    assert copies(db, instance.database) == [] and records(instance) == []
    done = call(instance, "dumped", method="shadow")
    assert done["databases"][0]["method"] == "shadow" and done["databases"][0]["version"] == "3.5.8"
    assert os.listdir(done["directory"]) == ["site-1.json"] and len(records(instance)) == 1
    db.run("DELETE FROM archives", instance.database)
    db.run("DROP TABLE admins", instance.database)
    would = call(instance, "restored", check=True, path=done["directory"])
    assert would["estimate_ms"] < 1000
    assert call(instance, "restored", path=done["directory"])["databases"][0]["restored"]
    assert databases.state(db, instance.database) == before and records(instance) == []
    assert call(instance, "restored", path=done["directory"], check=False)["changed"] is False
    db.run("DELETE FROM archives", instance.database)
    assert "not there any more" in refused(instance, "restored", path=done["directory"])


def test_not_under_a_running_instance(shop: Make, db: MariaDB) -> None:
    instance = shop(start=True)
    assert "Stop it first" in refused(instance, method="shadow")
    assert copies(db, instance.database) == []


def test_tables_of_such_names_that_nobody_knows(shop: Make, db: MariaDB) -> None:
    instance = shop()
    db.run("CREATE TABLE _als1_archives (id int)", instance.database)
    for method in ("dump", "shadow"):
        assert "names of shadow tables (_als1_archives)" in refused(instance, method=method)


def test_no_room_on_the_server(shop: Make, db: MariaDB, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = shop()
    free = dump_file.free_bytes
    monkeypatch.setattr(
        dump_file, "free_bytes", lambda path: 1000 if path.startswith(str(db.directory)) else free(path)
    )
    assert "no room for a copy of all tables" in refused(instance, method="shadow")


def test_packed_while_it_serves(shop: Make, db: MariaDB) -> None:
    instance = shop()
    before = databases.state(db, instance.database)
    directory = call(instance, "dumped", method="shadow")["directory"]
    db.run("DELETE FROM archives", instance.database)
    instance.start()
    packed = call(instance, "packed", path=directory)
    assert packed["changed"] and packed["databases"][0]["compression"] == "zstd"
    assert instance.told_version() == "3.5.8" and copies(db, instance.database) == [] and records(instance) == []
    assert call(instance, "packed", path=directory)["changed"] is False
    instance.kill()
    assert call(instance, "restored", path=directory)["databases"][0]["restored"]
    assert databases.state(db, instance.database) == before


def test_new_copies_do_not_cost_the_ones_before(shop: Make, db: MariaDB) -> None:
    """They become a dump first; what nobody could restore any more is dropped."""
    instance = shop()
    before = databases.state(db, instance.database)
    first = call(instance, "dumped", method="shadow")["directory"] + "/"
    kept = shutil.copytree(first, f"{first[:-1]}-kept")  # the directories of two tasks in one second are the same
    records(instance)[0].write_text(json.dumps(dict(json.loads(records(instance)[0].read_text()), directory=kept)))
    db.run("DELETE FROM archives", instance.database)
    planned = call(instance, "dumped", check=True, method="shadow")
    assert any("become a file first" in note for note in planned["notes"])
    second = call(instance, "dumped", method="shadow")["directory"]
    assert call(instance, "restored", path=kept)["databases"][0]["restored"]
    assert without_copies(databases.state(db, instance.database)) == before and copies(db, instance.database)
    shutil.rmtree(second)
    call(instance, "dumped", path=f"{second}-file")
    assert copies(db, instance.database) == [] and records(instance) == []


# --- in windows


@pytest.mark.parametrize("started", [False, True])
def test_a_failure_restores_the_database(shop: Make, db: MariaDB, place: Path, started: bool) -> None:
    instance = shop(start=True)
    before, pid = databases.state(db, instance.database), instance.pid
    start = [{"verified_start": {"stable_for": 0.2}}] if started else []
    result = windows.run(instance, [*STEPS, destroying(db, instance, place), *start, FAILS])
    assert result["outcome"] == "rolled_back", result
    assert databases.state(db, instance.database) == before and records(instance) == []
    assert windows.runs(instance) not in (0, pid) and instance.told_version() == "3.5.8"
    assert SECRET not in json.dumps(result)


def test_a_failure_before_any_change_drops_the_copies(shop: Make, db: MariaDB) -> None:
    instance = shop(start=True)
    before = databases.state(db, instance.database)
    assert windows.run(instance, [*STEPS, FAILS])["outcome"] == "rolled_back"
    assert databases.state(db, instance.database) == before and records(instance) == []


def test_a_manifest_that_is_gone_is_no_half_copy(shop: Make, db: MariaDB, place: Path) -> None:
    """The database was changed since: nothing is dropped, and the old version is not started on it."""
    instance = shop(start=True)
    state = Path(windows.context_of(instance).state.path)
    remove = {"command": {"argv": ["sh", "-c", f"rm {state}/runs/*/database/site-1.json"]}}
    result = windows.run(instance, [*STEPS, destroying(db, instance, place), remove, FAILS])
    assert result["outcome"] == "failed" and "manifest of the shadow tables of site 1 is gone" in result["msg"], result
    assert "_als1_admins" in copies(db, instance.database) and instance.pid == 0


def killed_in(patch: pytest.MonkeyPatch, killer: windows.Killer, word: str, most: int) -> None:
    """The worker dies before the statement with that number of those that begin so."""
    queries = client.Session.queries

    def querying(session: client.Session, statements: Any, *args: Any, **given: Any) -> Any:
        found = [number for number, one in enumerate(statements) if one.startswith(word)]
        if killer.guardian and os.getpid() != killer.guardian and len(found) > most:
            queries(session, statements[: found[most]])
            killer.kill()
        return queries(session, statements, *args, **given)

    patch.setattr(client.Session, "queries", querying)


MOMENTS: dict[str, Any] = {
    "begun": windows.at("change", kind="database"),
    "copying": 5,
    "copied": windows.at("step_end", name="database"),
    "destroyed": windows.at("step_end", name="command"),
}


@pytest.mark.parametrize("both", [False, True], ids=["worker", "both"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_worker_restores_the_database(
    shop: Make, db: MariaDB, place: Path, monkeypatch: pytest.MonkeyPatch, moment: str, both: bool
) -> None:
    instance = shop(start=True)
    before = databases.state(db, instance.database)
    wanted = [*STEPS, destroying(db, instance, place), {"verified_start": {"stable_for": 0.2}}]
    context, plan = windows.context_of(instance), windows.plan_of(wanted)
    with monkeypatch.context() as patch:
        killer = windows.Killer(MOMENTS[moment] if moment != "copying" else lambda entry, number: False, both=both)
        killer.install(patch)
        if moment == "copying":
            killed_in(patch, killer, "INSERT INTO `_als1_", MOMENTS[moment])
        pipe = windows.begin(context, plan)
    assert windows.wait(context, plan, pipe)["failed"]
    if both:
        assert windows.run(instance, [], run_id="run-2")["state"] == "running"
    assert databases.state(db, instance.database) == before and records(instance) == []
    assert instance.told_version() == "3.5.8" and at_work.interrupted(context.state) is None


@pytest.mark.parametrize("moment", ["renaming", "compared", "dropped", "forget"])
def test_a_rollback_that_is_killed_itself(
    shop: Make, db: MariaDB, place: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Worker and guardian die in the restore; the next run ends it."""
    instance = shop(start=True)
    before = databases.state(db, instance.database)
    context, plan = windows.context_of(instance), windows.plan_of([*STEPS, destroying(db, instance, place), FAILS])
    killer, add = windows.Killer(lambda entry, number: False, both=True), restore.Journal.add

    def adding(journal: restore.Journal, state: str, **data: Any) -> None:
        if state == moment:
            killer.kill()
        add(journal, state, **data)

    with monkeypatch.context() as patch:
        killer.install(patch)
        patch.setattr(restore.Journal, "add", adding)
        if moment == "forget":
            patch.setattr(shadow.Record, "forget", lambda record: killer.kill())
        windows.wait(context, plan, windows.begin(context, plan))
    assert windows.run(instance, [], run_id="run-2")["state"] == "running"
    assert databases.state(db, instance.database) == before and records(instance) == []
    assert instance.told_version() == "3.5.8" and at_work.interrupted(context.state) is None


def test_the_databases_of_all_sites(shop: Make, db: MariaDB, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed while the second one is copied: the first one has all of its copies then."""
    instance = shop()
    user = json.loads((instance.dir / "config.json").read_text())["mysql"]["user"]
    sites = Sites(instance, db)
    sites.add(2, "site2.example")
    db.give(user, SECRET, sites.database(2))
    instance.start()
    before = [databases.state(db, sites.database(number)) for number in (1, 2)]
    wanted = [{"graceful_stop": {}}, {"database": {**SHADOW, "all_sites": True}}]
    context, plan = windows.context_of(instance), windows.plan_of([*wanted, {"verified_start": {"stable_for": 0.2}}])
    write = dump_manifest.write
    with monkeypatch.context() as patch:
        killer = windows.Killer(lambda entry, number: False)
        killer.install(patch)

        def writing(directory: str, manifest: dump_manifest.Manifest) -> None:
            if manifest.site == 2:
                killer.kill()
            write(directory, manifest)

        patch.setattr(dump_manifest, "write", writing)
        pipe = windows.begin(context, plan)
    assert windows.wait(context, plan, pipe)["failed"]
    assert [databases.state(db, sites.database(number)) for number in (1, 2)] == before and records(instance) == []
    result = windows.run(instance, [*wanted, FAILS], run_id="run-2")
    assert result["outcome"] == "rolled_back", result
    assert [databases.state(db, sites.database(number)) for number in (1, 2)] == before and records(instance) == []


# --- in an upgrade


OPTIONS: dict[str, Step] = {"verified_start": {"stable_for": 0.1}, "database": {"method": "shadow"}}
CHECKS: list[Step] = [{"log_check": {"fail_on": "never"}}]


def upgrade(site: Site, archives: dict[str, Path], *more: Step) -> Step:
    hops = _upgrade_path.upgrade_path(
        site.instance.version, NEWEST, {name: {"src": str(path)} for name, path in archives.items()}
    )
    stage(site.instance, hops)
    steps = _upgrade_steps.steps(hops, OPTIONS, CHECKS)
    return windows.run(site.instance, [*steps, *more], deadline=300.0, run_id="up")


def roll_back(site: Site, name: str, *more: Step) -> Step:
    runs = _runs.described(_runs.read_all(windows.context_of(site.instance).state))
    steps = _rollback_steps.steps(_rollback_steps.run_of(runs, "up"), {"verified_start": {"stable_for": 0.1}}, CHECKS)
    return windows.run(site.instance, [*steps, *more], deadline=300.0, run_id=name)


@pytest.mark.parametrize("version", ["3.2.8", pytest.param("2.3.6", marks=pytest.mark.soak)])
def test_an_upgrade_that_fails_is_taken_back(make_site: Any, archives: dict[str, Path], version: str) -> None:
    site = make_site(version)
    pid = site.instance.pid
    result = upgrade(site, archives, FAILS)
    assert result["outcome"] == "rolled_back", (result["msg"], result["steps"][-1])
    site.assert_as_before(pid)
    assert records(site.instance) == []


@pytest.mark.parametrize("packed", [False, True])
def test_an_upgrade_is_rolled_back_later(make_site: Any, archives: dict[str, Path], packed: bool) -> None:
    """Also after a rollback that has failed."""
    site = make_site("3.2.8")
    result = upgrade(site, archives)
    assert result["outcome"] == "done" and site.instance.told_version() == NEWEST, result
    state = Path(windows.context_of(site.instance).state.path)
    directory = next(state.glob("runs/up-*/database"))
    name = site.instance.database
    assert len(copies(site.db, name)) == len(site.tables) and records(site.instance)
    with client.Session(client.find(), databases.login(site.db, name, site.db.user, site.db.password)) as one:
        manifest = dump_manifest.read(str(directory), 1)
        copied = facts.record_shadows(one, facts.look(one), 60.0)
        assert restore.differences(manifest.tables or {}, copied) == []  # no migration has touched one of them
    if packed:
        assert call(site.instance, "packed", path=str(directory))["changed"]
        assert copies(site.db, name) == [] and records(site.instance) == []
    pid = site.instance.pid
    result = roll_back(site, "fails", FAILS)
    assert result["outcome"] == "rolled_back" and site.instance.told_version() == NEWEST, result
    result = roll_back(site, "back")
    assert result["outcome"] == "done", (result["msg"], result["steps"][-1])
    site.assert_as_before(pid)
    assert records(site.instance) == []


def test_copies_that_are_gone_refuse_a_rollback(make_site: Any, archives: dict[str, Path]) -> None:
    site = make_site("3.3.11")
    assert upgrade(site, archives)["outcome"] == "done"
    site.db.run("DROP TABLE _als1_admins", site.instance.database)
    pid = site.instance.pid
    with pytest.raises(LifecycleError, match=r"not there any more. Nothing was done"):
        roll_back(site, "back")
    assert windows.runs(site.instance) == pid
