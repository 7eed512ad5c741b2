# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host that goes down in the middle of an upgrade puts its instance back by itself when it boots."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any, Iterator

import pytest
import release_files
import seeding
import windows
from e2e.bed import Bed, Host
from e2e.playing import Player, Run, until
from e2e.sites import Site, write_inventory
from mariadb import MariaDB
from standin.config import END

pytestmark = [pytest.mark.root, pytest.mark.standin("a migration that waits")]
OLD, NEW = "3.2.8", "3.3.11"
NAME = "anqicms-recover-"
ARMED = {
    "systemd": [f"/etc/systemd/system/{NAME}", f"/etc/systemd/system/multi-user.target.wants/{NAME}"],
    "cron": [f"/etc/cron.d/{NAME}"],
}


@pytest.fixture(params=list(ARMED))
def host(request: pytest.FixtureRequest, bed: Bed) -> Iterator[Host]:
    """One of its own, because it is reset."""
    made = bed.add(request.param)
    yield made
    made.stop()


@pytest.fixture
def db(host: Host) -> Iterator[MariaDB]:
    """As on another machine: a reset of the host does not end it."""
    with MariaDB(host.bed.root / host.name / "db", network=host.namespace) as made:
        yield made


class Shop:
    """An instance of the old version with content, and all that must be as before when an upgrade is taken back."""

    def __init__(self, host: Host, db: MariaDB) -> None:
        self.site, self.db = Site(host, "shop.example", OLD, db, full=True), db
        self.instance = self.site.instance
        self.site.start()
        self.site.kill()
        self.seeded = seeding.seed(self.instance, db, seeding.SMALL)
        self.site.start()
        self.content, self.tables, self.tree = seeding.content(self.instance, db), self.checksums(), self.files()

    def checksums(self) -> dict[str, str]:
        names = [row[0] for row in self.db.run("SHOW TABLES", self.instance.database)]
        return dict(self.db.run("CHECKSUM TABLE " + ",".join(f"`{name}`" for name in names), self.instance.database))

    def files(self) -> dict[str, tuple[int, bytes]]:
        """All but what serving itself writes; the directory of the staged releases is ours."""
        own, ignored = f"{self.instance.dir}/", ("running.log", "error.log", "cache/", ".lifecycle", "data/statistic-")
        return {
            path: (mode, b"" if stat.S_ISDIR(mode) else data)
            for path, (mode, _changed_at, data) in windows.tree_of(self.instance.dir).items()
            if not str(path).removeprefix(own).startswith(ignored)
        }

    def assert_as_before(self) -> None:
        assert self.site.version() == OLD
        assert self.checksums() == self.tables
        assert self.files() == self.tree


def armed(host: Host) -> list[str]:
    """The unit and its link, or the line of cron: as far as they are there, without the names of instances."""
    found = host.run("/usr/bin/find", "/etc", "-name", f"{NAME}*").output.split()
    return sorted(path.partition(NAME)[0] + NAME for path in found)


def upgrade(player: Player, inventory: Path, directory: Path, **more: Any) -> tuple[str, Path, str, str]:
    archive = release_files.release_zip(NEW, directory)
    given = {"anqicms_upgrade_to": NEW, "anqicms_releases": {NEW: {"src": str(archive)}}, "anqicms_stable_for": 0.1}
    return "upgrade", inventory, "-e", json.dumps({**given, **more})


def wait_recovered(site: Site) -> None:
    """The run has ended by itself, and what the boot was to do is gone."""
    try:
        until(lambda: site.events()[-1:] == ["end"] and not armed(site.host), "the recovery by the boot", 60, 0.1)
    except AssertionError as error:
        units = site.host.run("/bin/sh", "-c", "systemctl --no-pager status 'anqicms-recover-*' cron; ps -ef").output
        raise AssertionError(f"{error}\n{site.events()}\n{armed(site.host)}\n{units}") from None


def lost_in_the_middle(shop: Shop, player: Player, inventory: Path, directory: Path) -> Run:
    """The files are the new ones, half of the database is migrated, and the host is reset; then it boots."""
    host = shop.site.host
    never = {"version": NEW, "knobs": {"migration_waits_at": END, "migration_waits_for": "/nowhere"}}
    shop.instance.knobs(when=[never])
    shop.tree = shop.files()
    with player.begin(*upgrade(player, inventory, directory)) as playing:
        until(
            lambda: (
                shop.db.run("SHOW TABLES LIKE 'migration_copy'", shop.instance.database)
                or playing.process.poll() is not None
            ),
            "the migration",
            300,
            0.05,
        )
        assert playing.process.poll() is None, playing.output()
        assert armed(host) == ARMED[host.kind]
        host.reset()
        assert shop.files() != shop.tree and shop.checksums() != shop.tables
        shop.db.stop()  # it comes after the host
        host.boot()
        shop.db.start()
        return playing.wait(300)


def assert_stays(site: Site) -> None:
    """What has started it is gone, also for systemd, and it serves on."""
    pid = site.pid
    if site.host.kind == "systemd":
        assert site.host.run("/bin/systemctl", "daemon-reload").status == 0
    assert site.answers() and site.pid == pid != 0


def test_a_reset_in_the_middle_of_a_command(bed: Bed, remote: Player, host: Host) -> None:
    """A window without steps of changes is sent without them, and is taken back all the same."""
    site = Site(host, "blog.example", OLD)
    site.start()
    command = {"argv": ["/usr/bin/touch", "/root/mark"], "undo": ["/bin/rm", "-f", "/root/mark"]}
    steps = [
        {"graceful_stop": {}},
        {"command": command},
        {"command": {"argv": ["/bin/sleep", "3600"]}},
        {"verified_start": {}},
    ]
    playbook = remote.directory / "commands.json"
    window = {"anqicms.lifecycle.window": {"dir": site.dir, "steps": steps, "boot_hook": True}}
    playbook.write_text(json.dumps([{"hosts": "anqicms", "gather_facts": False, "tasks": [window]}]))
    inventory = write_inventory(bed, [site], remote.directory / "hosts.json")
    with remote.begin(str(playbook), inventory):
        until(lambda: host.pids_of("/bin/sleep 3600"), "the second command", 60, 0.05)
        assert armed(host) == ARMED[host.kind] and not site.pid
        host.reset()
    host.boot()
    wait_recovered(site)
    assert site.answers() and host.run("/bin/ls", "/root/mark").status != 0


def test_a_reset_in_the_middle_of_an_upgrade(bed: Bed, remote: Player, host: Host, db: MariaDB, tmp_path: Path) -> None:
    shop = Shop(host, db)
    inventory = write_inventory(bed, [shop.site], remote.directory / "hosts.json")
    run = lost_in_the_middle(shop, remote, inventory, tmp_path)
    assert run.status != 0 and any(
        word in run.output for word in ("A later recovery has fixed the instance", "The host was rebooted meanwhile")
    ), run.output
    wait_recovered(shop.site)
    shop.assert_as_before()
    assert_stays(shop.site)
    shop.instance.knobs()
    run = remote.play(*upgrade(remote, inventory, tmp_path))
    assert run.outcomes == {host.name: ["done"]}, run.output
    assert shop.site.version() == NEW and armed(host) == []
    assert seeding.lost(shop.content, seeding.content(shop.instance, db)) == []
