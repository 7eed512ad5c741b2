# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The database is asked before a start whether it is newer: an old version is not started on it."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import pytest
import windows
from instance import Instance
from integration.migrating import Make, exchange, set_marker, shops
from integration.stopping import gone
from mariadb import MariaDB

from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import migration
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._hazards import table as _hazards
from ansible_collections.anqicms.lifecycle.plugins.module_utils._info import describe
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import journal
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import resolve


@pytest.fixture
def base(place: Path) -> Path:
    return place / "state"


@pytest.fixture
def shop(place: Path, db: MariaDB) -> Iterator[Make]:
    yield from shops(place, db)


NEWER = [  # the table of what an old version does to a newer database
    ("2.3.6", "3.5.8"),
    ("2.5.3", "3.5.8"),
    ("3.2.8", "3.3.11"),
    ("3.2.8", "3.5.8"),
    ("3.3.11", "3.5.8"),
    ("3.4.0", "3.5.8"),
    ("3.5.1", "3.5.8"),
    ("3.4.0", "3.5.1"),
    ("2.3.6", "2.5.3"),
]


def columns(instance: Instance, db: MariaDB) -> int:
    statement = f"SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = '{instance.database}'"
    return int(db.run(statement)[0][0])


@pytest.mark.parametrize("old,new", NEWER)
def test_an_old_version_is_not_started_on_a_newer_database(
    shop: Make, db: MariaDB, base: Path, old: str, new: str
) -> None:
    instance = shop(new)
    pid = instance.start()
    count = columns(instance, db)
    exchange(instance, old)
    row = describe.describe(resolve(str(instance.dir)), base=str(base))
    (hazard,) = [one for one in row["hazards"] if one["code"] == "database_newer"]
    assert hazard["severity"] == "block" and set(hazard["blocks"]) == {"restart", "start", "configure"}
    context = windows.context_of(instance)
    with pytest.raises(LifecycleError) as caught:
        windows.begin(context, windows.plan_of(windows.RESTART))
    context.close()
    assert caught.value.result["hazards"] == ["database_newer"]
    for text in (f"newer than version {old}", "Nothing was stopped or started", "add database_newer to accept_hazards"):
        assert text in caught.value.msg, caught.value.msg
    assert not gone(pid) and columns(instance, db) == count


def test_accepted_by_name(shop: Make, db: MariaDB, base: Path) -> None:
    instance = shop("3.5.8")
    pid = instance.start()
    exchange(instance, "3.3.11")
    accepted = [
        {"graceful_stop": {}},
        {"port_released": {}},
        {"verified_start": {"accept_hazards": ["database_newer"], "stable_for": 0.2, "ready_timeout": 5}},
    ]
    result = windows.run(instance, accepted)
    assert gone(pid) and result["steps"][0]["changed"], result
    assert "database_newer" not in result.get("msg", "")


def test_a_mark_that_was_set_back_fools_nobody(shop: Make, db: MariaDB) -> None:
    """By the shape of the tables, and by what an earlier look has noted."""
    instance = shop("3.5.1")
    instance.start()
    assert windows.run(instance)["outcome"] == "done"
    exchange(instance, "3.4.0")
    set_marker(instance, db, "3.4.0")
    context = windows.context_of(instance)
    with pytest.raises(LifecycleError, match=r"earlier runs: 3\.5\.1 or later"):
        windows.begin(context, windows.plan_of(windows.RESTART))
    context.close()


def test_the_same_schema_is_not_newer(shop: Make, db: MariaDB, base: Path) -> None:
    instance = shop("3.5.8")
    instance.start()
    set_marker(instance, db, "3.5.8")
    row = describe.describe(resolve(str(instance.dir)), base=str(base))
    assert row["version"]["database"] == "3.5.8"
    assert not [one for one in row["hazards"] if one["code"].startswith("database_")]
    set_marker(instance, db, "3.5.9")
    row = describe.describe(resolve(str(instance.dir)), base=str(base), record=True)
    assert "database_newer" in [one["code"] for one in row["hazards"]]
    set_marker(instance, db, "3.5.8")
    row = describe.describe(resolve(str(instance.dir)), base=str(base))
    assert "database_newer" in [one["code"] for one in row["hazards"]]  # noted by the look before


def test_a_recovery_does_not_start_an_old_version_on_it(shop: Make, db: MariaDB) -> None:
    instance = shop("3.5.8")
    instance.start()
    assert windows.run(instance)["outcome"] == "done"  # so that it is known how it runs
    context = windows.context_of(instance)
    context.state.make()
    begun = dict(run_id="run-0", token="t0", steps=["graceful_stop", "verified_start"], force="idle", hosts=[])
    context.state.log("begin", durable=True, before=dict(pid=instance.pid, start_ticks=1), boot_id="x", **begun)
    context.state.log("signal", durable=True, signal="SIGTERM", pid=instance.pid)
    instance.kill()
    count = columns(instance, db)
    instance.become("3.3.11")
    result = windows.run(instance, [])
    assert result["failed"] and "newer than version 3.3.11" in result["msg"] and not instance.pids(), result
    assert columns(instance, db) == count
    instance.become("3.5.8")
    assert windows.run(instance, [])["state"] == "running"
    context.close()


def test_codes_are_known() -> None:
    _hazards.refuse_unknown(["database_newer", "database_not_asked"])
    assert migration.version_of(migration.Seen(frozenset(), frozenset(), None, frozenset(), [])) is None
    assert journal.is_of_this_boot({"boot_id": "x"}) is False
