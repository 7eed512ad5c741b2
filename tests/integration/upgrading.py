# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An instance with content before an upgrade, and what must be as before when that is taken back."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import seeding
import windows
from instance import Instance
from mariadb import MariaDB
from releases import real_releases

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import release
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import at_work
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _upgrade_steps

NEWEST = "3.5.8"


class Site:
    """An instance with content, and all that must be as before when an upgrade is taken back."""

    def __init__(self, instance: Instance, db: MariaDB) -> None:
        self.instance, self.db = instance, db
        self.seeded = seeding.seed(instance, db, seeding.SMALL)
        instance.start(60.0)
        self.look()

    def files(self) -> dict[str, tuple[int, int, bytes]]:
        """All but what serving itself writes."""
        ignored = ("running.log", "error.log", "cache/", ".lifecycle", "data/statistic-", "standin.json")
        tree = windows.tree_of(self.instance.dir)
        own = f"{self.instance.dir}/"
        # config.json is written anew; the time of a directory tells of its names.
        return {
            path: (mode, 0 if stat.S_ISDIR(mode) or str(path).endswith("config.json") else changed_at, data)
            for path, (mode, changed_at, data) in tree.items()
            if not str(path).removeprefix(own).startswith(ignored)
        }

    def checksums(self) -> dict[str, str]:
        """Without the visits, of which a real release up to 2.5.5 counts those of the tests."""
        names = [
            row[0]
            for row in self.db.run("SHOW TABLES", self.instance.database)
            if row[0] != "statistics" or real_releases() is None
        ]
        return (
            {
                row[0]: row[1]
                for row in self.db.run(
                    "CHECKSUM TABLE " + ",".join(f"`{name}`" for name in names), self.instance.database
                )
            }
            if names
            else {}
        )

    def look(self) -> None:
        """From here on `as before` is as it is now."""
        self.before = seeding.content(self.instance, self.db)
        self.tree, self.tables = self.files(), self.checksums()

    def assert_as_before(self, pid: int, version: str = "") -> None:
        assert windows.runs(self.instance) not in (0, pid)
        assert self.instance.told_version() == (version or self.instance.version)
        assert self.checksums() == self.tables
        assert self.files() == self.tree
        assert at_work.interrupted(windows.context_of(self.instance).state) is None


def stage(
    instance: Instance, hops: list[dict[str, Any]], manifests: dict[str, Any] | None = None, base: Path | None = None
) -> None:
    """As the role does. ``manifests``: of all releases at hand, which prove what nobody has edited."""
    for hop in hops:
        options = {name: option.get("default") for name, option in release.SPEC.items()}
        if manifests:
            options["known_files"] = _upgrade_steps.known_files(manifests, hop["version"])
        release.as_a_task(
            windows.context_of(instance, base),
            dict(options, state="staged", src=hop["release"]["src"], version=hop["version"]),
        )
