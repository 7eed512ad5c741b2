# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook `upgrade`: a fleet of old versions, on a real database, and what stops it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import release_files
import releases
import seeding
from e2e.playing import Player
from fleet import Fleet
from instance import Instance
from websites import Sites

NEWEST = releases.nearest("3.5.8")
FAST = ("-e", "anqicms_stable_for=0.1")
OLD = tuple(dict.fromkeys(releases.nearest(version) for version in ("2.3.6", "2.5.3", "3.2.8", "3.3.11")))


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    directory = tmp_path_factory.mktemp("archives")
    found = {version: release_files.release_zip(version, directory) for version in ("2.5.3", "3.3.11", NEWEST)}
    return {version: {"src": str(path)} for version, path in found.items()}


class Old:
    """A host with one old instance that has content, and further sites with databases of their own."""

    def __init__(
        self, fleet: Fleet, number: int, version: str, amounts: seeding.Amounts = seeding.SMALL, more_sites: int = 0
    ) -> None:
        self.host = fleet.add_host(f"h{number}")
        self.instance: Instance = fleet.add_instance(self.host, f"site{number}.example", version, full=True)
        assert fleet.db is not None
        self.db = fleet.db
        self.sites = Sites(self.instance, self.db)
        with fleet.sparing():
            self.seeded = {1: seeding.seed(self.instance, self.db, amounts)}
            for more in range(2, 2 + more_sites):
                self.sites.add(more, f"more{more}.example")
                self.seeded[more] = seeding.seed(self.instance, self.db, amounts, more)
            self.instance.start(60.0)
        self.before = {site: seeding.content(self.instance, self.db, site) for site in self.seeded}

    def assert_holds(self) -> None:
        for site, seeded in self.seeded.items():
            assert seeding.lost(self.before[site], seeding.content(self.instance, self.db, site)) == []
            assert seeding.hashes(self.sites.root(site), seeded.files) == seeded.files

    def assert_nothing_harms(self, archive: Path) -> None:
        """What the release owns is as in its archive, and nothing of the way there is in use any more."""
        with zipfile.ZipFile(archive) as opened:
            sizes = {one.filename: one.file_size for one in opened.infolist() if not one.is_dir()}
        for top in ("anqicms", "CHANGELOG.md", *_OWNED):
            there = {
                str(path.relative_to(self.instance.dir)): path.stat().st_size
                for path in [self.instance.dir / top, *(self.instance.dir / top).rglob("*")]
                if path.is_file()
            }
            assert there == {name: size for name, size in sizes.items() if name == top or name.startswith(f"{top}/")}
        config = json.loads((self.instance.dir / "config.json").read_text())
        assert config["server"]["port"] == self.instance.port
        for site in self.seeded:
            tables = {row[0] for row in self.db.run("SHOW TABLES", self.sites.database(site))}
            assert not [one for one in tables if one.startswith("_alr1_") or one in ("statistics", "migration_copy")]


# Whole directories of a release: of system/ nothing may stay where the new one has none.
_OWNED = ("system", "locales", "doc", "clientFiles")


def play(player: Player, fleet: Fleet, playbook: str, *arguments: str, **given: Any) -> Any:
    fleet.write_inventory()
    return player.play(playbook, fleet.inventory, "-e", json.dumps(given), *FAST, *arguments)


def upgrade(player: Player, fleet: Fleet, archives: dict[str, Any], *arguments: str, **more: Any) -> Any:
    fleet.write_inventory()
    given = {"anqicms_upgrade_to": NEWEST, "anqicms_releases": archives, **more}
    return player.play("upgrade", fleet.inventory, "-e", json.dumps(given), *FAST, *arguments, timeout=900.0)


def play_the_whole_way(
    player: Player, fleet: Fleet, archives: dict[str, Any], amounts: seeding.Amounts, sites_of: dict[str, int]
) -> None:
    """One instance of each old version; looked at, upgraded, and upgraded again."""
    olds = [Old(fleet, number, version, amounts, sites_of.get(version, 0)) for number, version in enumerate(OLD, 1)]
    before = {old.instance.pid for old in olds}
    plan = upgrade(player, fleet, archives, "--check", "--diff")
    assert plan.status == 0, plan.output
    assert {old.instance.pid for old in olds} == before
    run = upgrade(player, fleet, archives)
    assert run.outcomes == {f"h{number}": ["done"] for number in range(1, 5)}, run.output
    for old in olds:
        assert old.instance.told_version() == NEWEST
        old.assert_holds()
        old.assert_nothing_harms(Path(archives[NEWEST]["src"]))
    again = upgrade(player, fleet, archives)
    assert again.outcomes == {f"h{number}": ["unchanged"] for number in range(1, 5)}, again.output
    assert "changed=0" in again.output


def test_a_fleet_of_old_versions(player: Player, fleet: Fleet, archives: dict[str, Any]) -> None:
    play_the_whole_way(player, fleet, archives, seeding.SMALL, {})


@pytest.mark.parametrize(
    "amounts", [seeding.SMALL, pytest.param(seeding.LARGE, marks=pytest.mark.soak)], ids=["100", "20000"]
)
def test_sites_with_databases_of_their_own(
    default_player: Player, fleet: Fleet, archives: dict[str, Any], amounts: seeding.Amounts
) -> None:
    """So many articles in each site; one instance has two sites more."""
    play_the_whole_way(default_player, fleet, archives, amounts, {"3.2.8": 2})


@pytest.mark.standin("a migration that loses something")
@pytest.mark.parametrize("method", ["dump", "shadow"])
def test_a_failure_rolls_back_and_stops(
    default_player: Player, fleet: Fleet, archives: dict[str, Any], method: str
) -> None:
    """A setting is lost in the migration of the first host: all is as before there, and the second is not reached."""
    first, second = (Old(fleet, number, "3.2.8") for number in (1, 2))
    first.instance.knobs(when=[{"version": "3.3.11", "knobs": {"spoils": [seeding.lose_setting("system")]}}])
    pids = first.instance.pid, second.instance.pid
    run = upgrade(default_player, fleet, archives, "-e", "anqicms_serial=1", anqicms_database_method=method)
    assert run.status != 0 and run.outcomes == {"h1": ["rolled_back"]}, run.output
    assert first.instance.told_version() == "3.2.8" and first.instance.pid not in (0, pids[0])
    assert second.instance.pid == pids[1]
    first.assert_holds()
    assert bool(list(fleet.root.rglob("site-1.sql*"))) is (method == "dump")


def test_what_is_refused_before_anything_is_touched(
    default_player: Player, fleet: Fleet, archives: dict[str, Any], tmp_path: Path
) -> None:
    old = Old(fleet, 1, "3.2.8")
    pid = old.instance.pid
    broken = tmp_path / "broken.zip"
    broken.write_bytes(Path(archives[NEWEST]["src"]).read_bytes()[:100000])
    for more, word in (
        ({"anqicms_upgrade_to": None}, "anqicms_upgrade_to must be"),
        ({"anqicms_upgrade_to": "3.1.0"}, "is older than 3.2.8"),
        ({"anqicms_releases": {NEWEST: archives[NEWEST]}}, "requires 3.3.11"),
        ({"anqicms_releases": {**archives, NEWEST: {"src": str(broken)}}}, "The archive is refused"),
        ({"anqicms_releases": {**archives, NEWEST: {"src": "/nowhere.zip"}}}, "/nowhere.zip"),
        ({"anqicms_releases": {**archives, NEWEST: {**archives[NEWEST], "sha256": "0" * 64}}}, "0000"),
    ):
        run = upgrade(default_player, fleet, archives, **more)
        assert run.status != 0 and word in run.output, run.output
        assert old.instance.pid == pid and not (old.instance.dir / ".lifecycle").exists()
