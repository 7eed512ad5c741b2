# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Further sites of one instance, as the admin pages make them: rows and databases, effective at its next start."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from instance import Instance
from mariadb import MariaDB


class Sites:
    """The sites of an instance that was started once, so that its tables are there."""

    def __init__(self, instance: Instance, db: MariaDB) -> None:
        self.instance = instance
        self.db = db

    def configure(self, number: int = 1, name: str = "system", **settings: Any) -> None:
        """Write one key of the settings of a site, e.g. `base_url`, `site_close` and `admin_url` of `system`."""
        text = json.dumps(settings)
        self.db.run(f"REPLACE INTO `settings` (`key`,`value`) VALUES ('{name}','{text}')", self.database(number))

    def add(self, number: int, host: str, **system: Any) -> Path:
        """One more site with a database and a directory of its own. Its next start makes the other tables."""
        database, root = self.database(number), self.root(number)
        self.db.run(f"CREATE DATABASE `{database}`")
        self.db.run("CREATE TABLE `settings` (`key` varchar(190) PRIMARY KEY, `value` longtext)", database)
        self.db.run(f"CREATE TABLE `archives` LIKE `{self.database(1)}`.`archives`", database)
        self.configure(number, **{"base_url": f"http://{host}", "site_name": f"Site {number}", **system})
        mysql = json.dumps({"use_default": True, "database": database})
        self.db.run(
            "INSERT INTO `websites` (`id`,`root_path`,`name`,`mysql`,`status`) "
            f"VALUES ({number},'{root}','Site {number}','{mysql}',1)",
            self.instance.database,
        )
        (root / "public").mkdir(parents=True)
        return root

    def article(self, number: int, article: int) -> None:
        database = self.database(number)
        column, value = (
            ("", "") if not self.db.run("SHOW COLUMNS FROM `archives` LIKE 'status'", database) else (",`status`", ",1")
        )
        self.db.run(
            f"INSERT INTO `archives` (`id`,`title`{column}) VALUES "
            f"({article},'Article {article} of site {number}'{value})",
            database,
        )

    def enable(self, number: int, enabled: bool) -> None:
        self.db.run(f"UPDATE `websites` SET `status` = {int(enabled)} WHERE `id` = {number}", self.instance.database)

    def drop_database(self, number: int) -> None:
        self.db.run(f"DROP DATABASE `{self.database(number)}`")

    def database(self, number: int) -> str:
        return self.instance.database if number == 1 else f"{self.instance.database}_{number}"

    def root(self, number: int) -> Path:
        return self.instance.dir if number == 1 else self.instance.dir.parent / f"{self.instance.dir.name}-{number}"
