# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is compared and waited for holds on every way to a newer version, and a restore leads back from each."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
import releases
import seeding
from instance import Instance, make_instance
from integration import databases
from integration.database_calls import call
from mariadb import MariaDB

from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import migration
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError

WAYS = [
    ["2.3.6", "2.5.3", "3.3.11", "3.5.8"],
    ["2.5.3", "3.3.11", "3.5.8"],
    ["3.2.8", "3.3.11"],
    ["3.2.8", "3.5.8"],
    ["3.3.11", "3.5.8"],
    ["3.4.0", "3.5.8"],
    ["3.5.1", "3.5.8"],
    ["3.5.8", "3.5.8"],
]


@pytest.fixture
def seeded(place: Path, db: MariaDB) -> Iterator[Callable[..., Instance]]:
    """An instance with content, stopped."""
    made: list[Instance] = []

    def make(version: str) -> Instance:
        instance = make_instance(place / "www" / "shop", version, db=db, database=f"h_{os.urandom(4).hex()}")
        made.append(instance)
        instance.start()
        instance.kill()
        seeding.seed(instance, db, seeding.SMALL)
        return instance

    yield make
    for instance in made:
        instance.kill()


def hop(instance: Instance, version: str, **knobs: Any) -> None:
    """Stop it, exchange its files, start it."""
    instance.kill()
    releases.unpack(releases.release_of(version), instance.dir)
    instance.version = version
    instance.knobs(**knobs)
    instance.start()


@pytest.mark.parametrize("way", WAYS, ids="-".join)
def test_all_that_has_to_hold_holds(seeded: Callable[..., Instance], db: MariaDB, way: list[str]) -> None:
    instance = seeded(way[0])
    before = databases.state(db, instance.database)
    directory = call(instance, "dumped")["directory"]
    for version in way[1:]:
        hop(instance, version)
        assert call(instance, "migrated", path=directory, timeout=60)["databases"][0]["state"] == "done"
        assert call(instance, "compared", path=directory)["changed"] is False
    assert seeding.statistics(instance, db) >= seeding.SMALL.statistics  # none is in the memory of the process alone
    instance.kill()
    changed = databases.state(db, instance.database) != before
    assert call(instance, "restored", path=directory)["changed"] is changed
    assert databases.state(db, instance.database) == before


def test_lost_settings_are_told(seeded: Callable[..., Instance]) -> None:
    """A jump over 2.5 looks healthy."""
    instance = seeded("2.3.6")
    directory = call(instance, "dumped")["directory"]
    hop(instance, "3.5.8")
    call(instance, "migrated", path=directory, timeout=60)
    with pytest.raises(LifecycleError, match=r"settings of config.json did not come.*site_name"):
        call(instance, "compared", path=directory)


@pytest.mark.parametrize(
    "spoils,word",
    [
        (seeding.lose_setting("system"), "settings are missing: system"),
        (seeding.lose_rows("comments", 1), "comments has"),
        (seeding.lose_rows("archives", 1), "archives and archive_drafts have"),
    ],
)
def test_what_a_migration_loses_is_told(seeded: Callable[..., Instance], spoils: str, word: str) -> None:
    instance = seeded("3.3.11")
    directory = call(instance, "dumped")["directory"]
    hop(instance, "3.5.8", spoils=[spoils])
    call(instance, "migrated", path=directory, timeout=60)
    with pytest.raises(LifecycleError, match=word):
        call(instance, "compared", path=directory)


def test_a_migration_that_has_failed_is_not_waited_for(
    seeded: Callable[..., Instance], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process serves, its mark never comes, and nothing works on it."""
    monkeypatch.setattr(migration, "STALLED_S", 1.0)
    instance = seeded("3.3.11")
    hop(instance, "3.5.8", spoils=["this is no statement"])
    with pytest.raises(LifecycleError, match=r"nothing has worked on it.*last_run_version is 3.3.11, not 3.5.8"):
        call(instance, "migrated", timeout=60)
