# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One MariaDB connection, with errors worded as Go's driver words them and gorm's log lines."""
from __future__ import annotations

import threading
import time
from typing import Any

import pymysql

from standin import log
from standin.address import dial_error
from standin.config import Mysql

UNKNOWN_DATABASE = 1049
_STATES = {1045: "28000", 1049: "42000", 1044: "42000", 1146: "42S02", 1054: "42S22", 1062: "23000", 1366: "22007"}


class DatabaseError(Exception):
    """The text is what the Go driver says; `code` is the server's error number or 0."""

    def __init__(self, text: str, code: int = 0) -> None:
        super().__init__(text)
        self.code = code


class Database:
    """Connects again after a lost connection. Safe to share between threads."""

    def __init__(self, settings: Mysql, sqlstate: bool = True) -> None:
        self.settings = settings
        self._sqlstate = sqlstate
        self._lock = threading.Lock()
        self._connection: Any = None

    def connect(self, database: str | None = None) -> None:
        """Raise DatabaseError if it cannot be reached. An empty `database` connects to the server only."""
        name = self.settings.database if database is None else database
        try:
            self._connection = pymysql.connect(
                host=self.settings.host, port=self.settings.port, user=self.settings.user,
                password=self.settings.password, database=name or None, charset="utf8mb4", autocommit=True,
            )
        except pymysql.MySQLError as error:
            raise self._worded(error) from None

    def create(self) -> None:
        """Make the database that is named in the settings, and connect to it."""
        self.connect("")
        self.run(f"CREATE DATABASE IF NOT EXISTS `{self.settings.database}` DEFAULT CHARACTER SET utf8mb4")
        self.connect()

    def run(self, statement: str, values: tuple[Any, ...] | None = None) -> tuple[tuple[Any, ...], ...]:
        """Run one statement and return all rows. Raise DatabaseError."""
        with self._lock:
            try:
                return self._execute(statement, values)
            except pymysql.MySQLError as error:
                if isinstance(error, pymysql.OperationalError) and error.args[0] not in (2006, 2013):
                    raise self._worded(error) from None
                if not isinstance(error, (pymysql.OperationalError, pymysql.InterfaceError)):
                    raise self._worded(error) from None
            self.connect()
            return self._execute(statement, values)

    def logged(self, location: str, statement: str, rows: str = "0") -> tuple[tuple[Any, ...], ...] | None:
        """Run a statement; a failure, or no row when `rows` is 0, is a log line and None, as with gorm."""
        begin = time.monotonic()
        try:
            found = self.run(statement)
        except DatabaseError as error:
            log.statement_error(location, str(error), time.monotonic() - begin, rows, statement)
            return None
        return found

    def first(self, location: str, statement: str) -> tuple[Any, ...] | None:
        """The first row; none is `record not found` in the log."""
        begin = time.monotonic()
        found = self.run(statement)
        if found:
            return found[0]
        log.statement_error(location, "record not found", time.monotonic() - begin, "0", statement)
        return None

    def _execute(self, statement: str, values: tuple[Any, ...] | None) -> tuple[tuple[Any, ...], ...]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values)
            return tuple(cursor.fetchall())

    def _worded(self, error: pymysql.MySQLError) -> DatabaseError:
        code, text = (tuple(error.args) + (0, ""))[:2]
        original = getattr(error, "original_exception", None)
        if isinstance(original, OSError):
            return DatabaseError(dial_error(self.settings.host, self.settings.port, original))
        if not isinstance(code, int) or code >= 2000:
            return DatabaseError("driver: bad connection")
        state = f" ({_STATES.get(code, 'HY000')})" if self._sqlstate else ""
        return DatabaseError(f"Error {code}{state}: {text}", code)


class NoDatabase(Database):
    """Knows nothing and never fails (knob `no_database`)."""

    def run(self, statement: str, values: tuple[Any, ...] | None = None) -> tuple[tuple[Any, ...], ...]:
        return ()
