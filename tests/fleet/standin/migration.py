# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a start does to the schema of one site, by version, and when."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Callable

from standin import log
from standin.behaviours import Behaviour
from standin.config import BEGIN, END, Knobs
from standin.database import Database, DatabaseError
from standin.schema import tables_of
from standin.statistic_log import StatisticLog, move_statistics
from standin.tables import Existing, Tables, existing_tables

_VERSION_QUERY = "SELECT `value` FROM `settings` WHERE `key` = 'last_run_version'"
_CATEGORY_KEY = "upgrade_archive_category"
_NAP_SECONDS = 0.2
_SECRET = "mesezlevtgxoqjyhcfjcdjygshxvnatu"
_MODULES = {1: ("article", "articleModule"), 2: ("product", "productModule")}
_FAILURE = "Error 1114 (HY000): The table 'archives' is full"


class MigrationFailed(Exception):
    """Asked for by the knobs."""


class Migration:
    """Of one site. `before_port` and then `after_port` are called once at a start."""

    def __init__(self, behaviour: Behaviour, knobs: Knobs, database: Database, root: str, number: int = 1) -> None:
        self._behaviour = behaviour
        self._knobs = knobs if knobs.migration_site in (0, number) else _without_faults(knobs)
        self._database = database
        self._root = root
        self._number = number
        self._wanted = tables_of(behaviour.schema)
        self._due = False
        self._statistics: StatisticLog | None = None
        self._background: list[Callable[[], None]] = []
        self.pages_fail = behaviour.pages_fail_beside in existing_tables(database)

    def before_port(self) -> None:
        """Migrate, or keep it for the background where the version does so and the schema names a version already."""
        behaviour = self._behaviour
        last = self._last_version() if behaviour.records_version else ""
        self._due = not last or last != behaviour.version
        if self._due and behaviour.background_migration and last:
            self._fill_columns()
            self._background.append(self._migrate)
        elif self._due:
            self._migrate()
        else:
            self._fill_columns()
        if behaviour.statistics_in_files:
            self._move_statistics()
        if behaviour.background_categories:
            self._background.append(self._copy_categories)
        if self._knobs.crash_after_migration and self._due and self._migrate not in self._background:
            _crash()

    def after_port(self) -> None:
        """One thread after the other: the categories follow the tables."""
        if self._background:
            threading.Thread(target=self._run_background, daemon=True).start()

    def close(self) -> None:
        """At an end that drains, and at a restart from the admin pages."""
        if self._statistics:
            self._statistics.flush()

    def _run_background(self) -> None:
        for work in self._background:
            try:
                work()
            except DatabaseError:  # of the categories: it is gone
                return
            if work == self._migrate and self._knobs.crash_after_migration:
                _crash()

    def _last_version(self) -> str:
        rows = None
        for location in self._behaviour.at_settings:
            rows = self._database.logged(location, _VERSION_QUERY)
            if rows is not None:
                break
        if not self._behaviour.at_settings and "settings" in existing_tables(self._database):
            rows = self._database.run(_VERSION_QUERY)
        return str(rows[0][0]) if rows else ""

    def _migrate(self) -> None:
        """3.3.0 and later: a failure is a line in the log, there is no mark, and the process goes on."""
        try:
            self._change()
        except (DatabaseError, MigrationFailed) as error:
            if not self._behaviour.records_version and isinstance(error, DatabaseError):
                raise
            log.stamped(f"migrate table error  {error}")

    def _move_statistics(self) -> None:
        try:
            self._statistics = move_statistics(
                self._behaviour, self._database, self._root, self._knobs.statistics_flush_ms, self._reached
            )
        except MigrationFailed as error:
            log.stamped(f"migrate table error  {error}")

    def _change(self) -> None:
        behaviour, database = self._behaviour, self._database
        self._reached(BEGIN)
        if behaviour.at_archives:
            database.logged(behaviour.at_archives, "SELECT * FROM `archives` LIMIT 1", "-")
        Tables(behaviour, database, self._reached).change(existing_tables(database))
        self._copy_rows(self._knobs.migration_ms)
        self._fill()
        for statement in self._knobs.spoils:
            database.run(statement)
        self._reached(END)
        if behaviour.records_version:
            database.run(
                "REPLACE INTO `settings` (`key`,`value`) VALUES ('last_run_version', %s)", (behaviour.version,)
            )

    def _reached(self, point: str) -> None:
        """Whatever the knobs want at this point, of a migration that is due."""
        knobs = self._knobs
        if not self._due:
            return
        if knobs.migration_waits_at == point:
            self._wait_for(knobs.migration_waits_for)
        if knobs.migration_dies_at == point:
            os.kill(os.getpid(), signal.SIGKILL)
        if knobs.migration_fails_at == point:
            raise MigrationFailed(_FAILURE)

    def _wait_for(self, path: str) -> None:
        """With an INSERT … SELECT in the server's process list."""
        run = self._database.run
        run("CREATE TABLE IF NOT EXISTS `migration_copy` (`id` int AUTO_INCREMENT PRIMARY KEY, `content` longtext)")
        while not os.path.exists(path):
            run(f"INSERT INTO `migration_copy` (`content`) SELECT SLEEP({_NAP_SECONDS})")
        run("DROP TABLE `migration_copy`")

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
        for number, (table, name) in _MODULES.items():
            statement = f"SELECT * FROM `modules` WHERE `id` = {number}{where} LIMIT 1"
            found = database.first(behaviour.at_modules, statement) if behaviour.at_modules else database.run(statement)
            if not found:
                self._insert("modules", {"id": number, "table_name": table, "title": table, "status": 1, "name": name})
        if behaviour.multi_site and self._number == 1:
            self._insert(
                "websites",
                {
                    "id": 1,
                    "root_path": self._root,
                    "name": "Default Website",
                    "mysql": "{}",
                    "status": 1,
                    "token_secret": _SECRET,
                },
            )
        self._fill_admin()

    def _insert(self, table: str, values: dict[str, object]) -> None:
        """A row with those of the values whose columns the version has; one that is there stays."""
        row = {name: value for name, value in values.items() if name in self._wanted[table]}
        names, marks = ",".join(f"`{name}`" for name in row), ",".join(["%s"] * len(row))
        self._database.run(f"INSERT IGNORE INTO `{table}` ({names}) VALUES ({marks})", tuple(row.values()))

    def _fill_admin(self) -> None:
        where = " WHERE `admins`.`deleted_at` IS NULL" if self._behaviour.soft_delete else ""
        statement = f"SELECT * FROM `admins`{where} LIMIT 1"
        location = self._behaviour.at_admin
        found = self._database.first(location, statement) if location else self._database.run(statement)
        if not found:
            if self._behaviour.at_admin_save:
                self._database.first(
                    self._behaviour.at_admin_save,
                    "SELECT * FROM `admins` WHERE `id` = 1 AND `admins`.`deleted_at` IS NULL LIMIT 1",
                )
            self._database.run("INSERT INTO `admins` (`id`,`user_name`,`status`) VALUES (1,'admin',1)")

    def _fill_columns(self) -> None:
        """3.5.8: what is empty in two late columns. The start that migrates comes before them on an upgrade.

        Its red lines mean nothing: the start after it fills them.
        """
        tables = existing_tables(self._database)
        if self._number == 1 and "token_secret" in self._wanted.get("websites", {}):
            now = f"`updated_time`={int(time.time())}," if "token_secret" in tables["websites"] else ""
            self._fill_column(
                self._behaviour.at_site_update,
                tables,
                "websites",
                1,
                "token_secret",
                _SECRET,
                f"{now}`status`=1,`parent_id`=0",
            )
        if "name" in self._wanted["modules"]:
            for number, (_table, name) in _MODULES.items():
                self._fill_column(self._behaviour.at_module_update, tables, "modules", number, "name", name)

    def _fill_column(
        self, location: str, tables: Existing, table: str, number: int, column: str, value: str, more: str = ""
    ) -> None:
        statement = f"UPDATE `{table}` SET `{column}`='{value}'{',' if more else ''}{more} WHERE `id` = {number}"
        if column not in tables[table]:
            if location:
                self._database.logged(location, statement)
        elif self._database.run(f"SELECT 1 FROM `{table}` WHERE `id` = {number} AND `{column}` = ''"):
            self._database.run(statement)

    def _copy_categories(self) -> None:
        """3.2.0 and later: every article gets its category in a second table, row by row, without a hurry.

        Killed in its middle it begins again at the next start and adds what is missing. A failure counts as done.
        """
        run = self._database.run
        if run("SELECT 1 FROM `settings` WHERE `key` = %s", (_CATEGORY_KEY,)):
            return
        end = time.monotonic() + self._knobs.background_copy_ms / 1000
        for number, category in run("SELECT `id`, `category_id` FROM `archives`"):
            values = (category, number, category, number)
            run(
                "INSERT INTO `archive_categories` (`category_id`,`archive_id`) SELECT %s, %s FROM DUAL "
                "WHERE NOT EXISTS (SELECT 1 FROM `archive_categories` "
                "WHERE `category_id` = %s AND `archive_id` = %s)",
                values,
            )
        self._copy_rows(int((end - time.monotonic()) * 1000))
        run(
            "REPLACE INTO `settings` (`key`,`value`) VALUES (%s, %s)",
            (_CATEGORY_KEY, time.strftime("%Y-%m-%d %H:%M:%S")),
        )


def _without_faults(knobs: Knobs) -> Knobs:
    return knobs._replace(
        migration_ms=0,
        migration_fails_at="",
        migration_dies_at="",
        migration_waits_at="",
        spoils=(),
        crash_after_migration=False,
    )


def _crash() -> None:
    log.crash("runtime error: index out of range [3] with length 3")
    os._exit(2)


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
