# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a migration does to the tables of one schema: new tables and columns, then what moves and what is purged."""

from __future__ import annotations

from typing import Callable

from standin.behaviours import Behaviour
from standin.config import DRAFTS, FLAGS, PURGED, TABLES
from standin.database import Database
from standin.schema import index_of, tables_of

Existing = dict[str, dict[str, str]]  # table -> column -> type


def existing_tables(database: Database) -> Existing:
    tables: Existing = {}
    for table, column, kind in database.run(
        "SELECT table_name, column_name, column_type FROM information_schema.columns WHERE table_schema = DATABASE()"
    ):
        tables.setdefault(table, {})[column] = kind
    return tables


def lacks_deleted_at(database: Database) -> bool:
    """Whether a version from 3.5.3 on has made or changed the list of sites."""
    columns = existing_tables(database).get("websites", {})
    return bool(columns) and "deleted_at" not in columns


class Tables:
    """`reached` is called at each point of config.POINTS that is passed."""

    def __init__(self, behaviour: Behaviour, database: Database, reached: Callable[[str], None]) -> None:
        self._behaviour = behaviour
        self._run = database.run
        self._reached = reached
        self._wanted = tables_of(behaviour.schema)

    def change(self, existing: Existing) -> None:
        self._add(existing)
        if not self._behaviour.records_version:
            return
        self._turn_engine()
        self._purge(existing)
        self._split_archives(existing.get("archives", {}))

    def _add(self, existing: Existing) -> None:
        """Columns are only ever added: an old version does so on a newer schema too, and types stay as they are."""
        half = len(self._wanted) // 2
        for number, (table, columns) in enumerate(self._wanted.items()):
            if number == half:
                self._reached(TABLES)
            if table not in existing:
                self._create(table, columns)
            elif columns.keys() - existing[table].keys():
                added = ", ".join(
                    f"ADD COLUMN `{name}` {_definition(name, kind, '')}"
                    for name, kind in columns.items()
                    if name not in existing[table]
                )
                self._run(f"ALTER TABLE `{table}` {added}")

    def _create(self, table: str, columns: dict[str, str]) -> None:
        key = "key" if table == "settings" else "id"
        parts = [f"`{name}` {_definition(name, kind, key)}" for name, kind in columns.items()]
        parts.append(f"PRIMARY KEY (`{key}`)")
        if index_of(table):
            parts.append(f"KEY (`{index_of(table)}`)")
        self._run(f"CREATE TABLE IF NOT EXISTS `{table}` ({','.join(parts)}) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4")

    def _turn_engine(self) -> None:
        """Of articles and drafts, where the version does that."""
        engine = self._behaviour.archives_engine
        for table in ("archives", "archive_drafts"):
            if engine and self._run(
                "SELECT 1 FROM `information_schema`.`tables` WHERE `table_schema` = DATABASE() "
                "AND `table_name` = %s AND `engine` <> %s",
                (table, engine),
            ):
                self._run(f"ALTER TABLE `{table}` ENGINE={engine}")

    def _split_archives(self, columns: dict[str, str]) -> None:
        """3.3.0: drafts move to a table of their own, flags to another.

        The flags of drafts are lost, because the drafts have gone when the flags move.
        """
        if "status" in columns:
            shared = ",".join(f"`{name}`" for name in self._wanted["archive_drafts"] if name in columns)
            self._run(
                f"INSERT IGNORE INTO `archive_drafts` ({shared}) SELECT {shared} FROM `archives` WHERE `status` <> 1"
            )
            self._reached(DRAFTS)
            self._run("DELETE FROM `archives` WHERE `status` <> 1")
        self._reached(FLAGS)
        if "flag" in columns:
            for flag in "chpfsjab":
                self._run(
                    "INSERT INTO `archive_flags` (`flag`,`archive_id`) SELECT %s, `id` FROM `archives` "
                    "WHERE FIND_IN_SET(%s, `flag`)",
                    (flag, flag),
                )
        for name in ("status", "flag"):
            self._drop_column("archives", name, {"archives": columns})

    def _purge(self, existing: Existing) -> None:
        """Soft-deleted rows go, and the column with them: of articles from 3.3.0, of every table from 3.5.3 on.

        The text of a deleted article stays.
        """
        for table, columns in self._wanted.items():
            if "deleted_at" in existing.get(table, {}) and "deleted_at" not in columns:
                if table != "archive_data":
                    self._run(f"DELETE FROM `{table}` WHERE `deleted_at` IS NOT NULL")
                self._drop_column(table, "deleted_at", existing)
        self._reached(PURGED)

    def _drop_column(self, table: str, name: str, existing: Existing) -> None:
        if name in existing.get(table, {}):
            self._run(f"ALTER TABLE `{table}` DROP COLUMN `{name}`")


def _definition(name: str, kind: str, key: str) -> str:
    if name == key:
        return f"{kind} NOT NULL" if kind.startswith("varchar") else f"{kind} NOT NULL AUTO_INCREMENT"
    nullable = kind in ("text", "longtext") or kind.startswith(("datetime", "set"))
    return kind if nullable else f"{kind} NOT NULL DEFAULT {0 if 'int' in kind else repr('')}"
