# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a start does to the schema, by version."""
from __future__ import annotations

import os
import threading
import time
from typing import Any

from standin.behaviours import Behaviour
from standin.config import Knobs
from standin.database import Database
from standin.schema import tables_of

_VERSION_QUERY = "SELECT `value` FROM `settings` WHERE `key` = 'last_run_version'"


class Migration:
    """Decides once whether there is anything to do, does it, and remembers that it was done."""

    def __init__(self, behaviour: Behaviour, knobs: Knobs, database: Database, root: str) -> None:
        self._behaviour = behaviour
        self._knobs = knobs
        self._database = database
        self._root = root
        self._last = self._last_version()

    def start(self) -> None:
        """Migrate before the port opens, or in the background where the version does so."""
        if self._behaviour.records_version and self._last == self._behaviour.version:
            return
        if self._behaviour.background_migration and self._last:
            self._harmless_updates()
            threading.Thread(target=self._run, daemon=True).start()
        else:
            self._run()
        if self._behaviour.background_categories:
            threading.Thread(target=self._copy_categories, daemon=True).start()

    def _last_version(self) -> str:
        last = ""
        for location in self._behaviour.at_settings:
            rows = self._database.logged(location, _VERSION_QUERY)
            last = str(rows[0][0]) if rows else ""
            if rows is not None:
                break
        return last

    def _run(self) -> None:
        behaviour = self._behaviour
        if behaviour.at_archives:
            self._database.logged(behaviour.at_archives, "SELECT * FROM `archives` LIMIT 1", "-")
        existing = self._existing()
        if behaviour.records_version and "status" in existing.get("archives", {}):
            self._split_archives()
        self._sync(existing)
        self._copy_rows(self._knobs.migration_ms)
        self._fill()
        if behaviour.records_version:
            self._database.run(
                "REPLACE INTO `settings` (`key`,`value`) VALUES ('last_run_version', %s)", (behaviour.version,)
            )

    def _existing(self) -> dict[str, dict[str, str]]:
        tables: dict[str, dict[str, str]] = {}
        for table, column, kind in self._database.run(
            "SELECT table_name, column_name, column_type FROM information_schema.columns "
            "WHERE table_schema = DATABASE()"
        ):
            tables.setdefault(table, {})[column] = kind
        return tables

    def _sync(self, existing: dict[str, dict[str, str]]) -> None:
        wanted = tables_of(self._behaviour.schema)
        for table, columns in wanted.items():
            if table not in existing:
                self._create(table, columns)
            else:
                self._alter(table, columns, existing[table])
        if self._behaviour.records_version and "statistics" in existing:
            self._database.run("DROP TABLE `statistics`")

    def _create(self, table: str, columns: dict[str, str]) -> None:
        key = "key" if table == "settings" else "id"
        parts = [f"`{name}` {_definition(name, kind, key)}" for name, kind in columns.items()]
        self._database.run(
            f"CREATE TABLE IF NOT EXISTS `{table}` ({','.join(parts)},PRIMARY KEY (`{key}`)) "
            "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"
        )

    def _alter(self, table: str, wanted: dict[str, str], existing: dict[str, str]) -> None:
        changes = [f"ADD COLUMN `{name}` {_definition(name, kind, '')}"
                   for name, kind in wanted.items() if name not in existing]
        gone = ["status", "flag", "deleted_at"] if table == "archives" else ["deleted_at"]
        if self._behaviour.records_version:
            changes += [f"DROP COLUMN `{name}`" for name in gone if name in existing and name not in wanted]
            if existing.get("id", "").startswith("int") and wanted.get("id", "").startswith("bigint"):
                changes.append(f"MODIFY COLUMN `id` {wanted['id']} NOT NULL AUTO_INCREMENT")
        if changes:
            self._database.run(f"ALTER TABLE `{table}` {', '.join(changes)}")

    def _split_archives(self) -> None:
        """3.3.0: drafts move to a table of their own, row by row; deleted rows are purged."""
        database = self._database
        columns = tables_of(self._behaviour.schema)["archive_drafts"]
        self._create("archive_drafts", columns)
        database.run("DELETE FROM `archives` WHERE `deleted_at` IS NOT NULL")
        shared = ",".join(f"`{name}`" for name in columns if name in tables_of("2.3.6")["archives"])
        for (number,) in database.run("SELECT `id` FROM `archives` WHERE `status` <> 1"):
            database.run(
                f"INSERT IGNORE INTO `archive_drafts` ({shared}) SELECT {shared} FROM `archives` WHERE `id` = {number}"
            )
        database.run("DELETE FROM `archives` WHERE `status` <> 1")

    def _copy_rows(self, milliseconds: int) -> None:
        """Keep the database busy with a table copy, one row at a time."""
        if milliseconds <= 0:
            return
        end = time.monotonic() + milliseconds / 1000
        run = self._database.run
        run("CREATE TABLE IF NOT EXISTS `migration_copy` (`id` int AUTO_INCREMENT PRIMARY KEY, `content` longtext)")
        while time.monotonic() < end:
            run("INSERT INTO `migration_copy` (`content`) VALUES (REPEAT('x', 2000))")
            time.sleep(0.002)
        run("DROP TABLE `migration_copy`")

    def _fill(self) -> None:
        """Rows that every installation has."""
        behaviour, database = self._behaviour, self._database
        where = " AND `modules`.`deleted_at` IS NULL" if behaviour.soft_delete else ""
        for number, name in ((1, "article"), (2, "product")):
            statement = f"SELECT * FROM `modules` WHERE `id` = {number}{where} LIMIT 1"
            found = (database.first(behaviour.at_modules, statement) if behaviour.at_modules
                     else database.run(statement))
            if not found:
                database.run("INSERT INTO `modules` (`id`,`table_name`,`title`,`status`) VALUES (%s,%s,%s,1)",
                             (number, name, name))
        if behaviour.multi_site:
            database.run(
                "INSERT IGNORE INTO `websites` (`id`,`root_path`,`name`,`mysql`,`status`) "
                "VALUES (1,%s,'Default Website','{}',1)", (self._root,)
            )
        self._fill_admin()

    def _fill_admin(self) -> None:
        where = " WHERE `admins`.`deleted_at` IS NULL" if self._behaviour.soft_delete else ""
        statement = f"SELECT * FROM `admins`{where} LIMIT 1"
        location = self._behaviour.at_admin
        found = self._database.first(location, statement) if location else self._database.run(statement)
        if not found:
            if self._behaviour.at_admin_save:
                self._database.first(self._behaviour.at_admin_save, "SELECT * FROM `admins` WHERE `id` = 1 "
                                     "AND `admins`.`deleted_at` IS NULL LIMIT 1")
            self._database.run("INSERT INTO `admins` (`id`,`user_name`,`status`) VALUES (1,'admin',1)")

    def _harmless_updates(self) -> None:
        """Updates that come before their columns on an upgrade: red lines that mean nothing."""
        behaviour = self._behaviour
        if behaviour.at_site_update:
            self._database.logged(
                behaviour.at_site_update, "UPDATE `websites` SET `token_secret`='mesezlevtgxoqjyhcfjcdjygshxvnatu',"
                "`status`=1,`parent_id`=0 WHERE `id` = 1"
            )
        if behaviour.at_module_update:
            for number, name in ((1, "articleModule"), (2, "productModule")):
                self._database.logged(
                    behaviour.at_module_update, f"UPDATE `modules` SET `name`='{name}' WHERE `id` = {number}"
                )

    def _copy_categories(self) -> None:
        """3.2.0 - 3.2.1: every archive gets its category in a second table, after the port is open."""
        run = self._database.run
        if run("SELECT 1 FROM `settings` WHERE `key` = 'upgrade_archive_category'"):
            return
        end = time.monotonic() + self._knobs.background_copy_ms / 1000
        for number, category in run("SELECT `id`, `category_id` FROM `archives`"):
            run("INSERT INTO `archive_categories` (`category_id`,`archive_id`) VALUES (%s,%s)", (category, number))
        self._copy_rows(int((end - time.monotonic()) * 1000))
        run("REPLACE INTO `settings` (`key`,`value`) VALUES ('upgrade_archive_category','1')")


def _definition(name: str, kind: str, key: str) -> str:
    if name == key:
        return f"{kind} NOT NULL" if kind.startswith("varchar") else f"{kind} NOT NULL AUTO_INCREMENT"
    nullable = kind in ("text", "longtext") or kind.startswith(("datetime", "set"))
    return kind if nullable else f"{kind} NOT NULL DEFAULT {0 if 'int' in kind else repr('')}"


def lacks_deleted_at(database: Database) -> bool:
    """Whether a version from 3.5.3 on has made or changed the list of sites."""
    columns = [row[0] for row in database.run(
        "SELECT `column_name` FROM `information_schema`.`columns` WHERE `table_schema` = DATABASE() "
        "AND `table_name` = 'websites'")]
    return bool(columns) and "deleted_at" not in columns


def transfer_settings(database: Database, raw: dict[str, Any]) -> dict[str, Any] | None:
    """2.5.x: move the settings of config.json to the table if that is empty; return what stays in the file."""
    import json

    more = {key: value for key, value in raw.items() if key not in ("mysql", "server")}
    if not more or database.run("SELECT 1 FROM `settings` LIMIT 1"):
        return None
    for key, value in more.items():
        database.run("REPLACE INTO `settings` (`key`,`value`) VALUES (%s,%s)",
                     (key, json.dumps(value, ensure_ascii=False)))
    return {key: raw[key] for key in ("mysql", "server") if key in raw}


def locales_present(root: str) -> bool:
    """Is there any locales/*/*.yml?"""
    try:
        languages = os.listdir(os.path.join(root, "locales"))
    except OSError:
        return False
    for language in languages:
        try:
            files = os.listdir(os.path.join(root, "locales", language))
        except OSError:
            continue
        if any(name.endswith(".yml") for name in files):
            return True
    return False
