# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MariaDB connections that look like those of Go's driver, its wording of errors and gorm's log lines."""

from __future__ import annotations

import socket
import time
from typing import Any

import pymysql

from standin import log
from standin.address import dial_error
from standin.config import Mysql

UNKNOWN_DATABASE = 1049
_COM_STMT_PREPARE, _COM_STMT_CLOSE = 0x16, 0x19
_KEEP_ALIVE_SECONDS = 15  # of Go's dialer
_STATES = {1045: "28000", 1049: "42000", 1044: "42000", 1146: "42S02", 1054: "42S22", 1062: "23000", 1366: "22007"}


class DatabaseError(Exception):
    """The text is what the Go driver says; `code` is the server's error number or 0."""

    def __init__(self, text: str, code: int = 0) -> None:
        super().__init__(text)
        self.code = code


class _Connection:
    """One connection with the packets of Go's driver: prepare, execute, close. The close has no answer."""

    def __init__(self, settings: Mysql, name: str) -> None:
        driver: Any = pymysql  # its types do not know what is used of it here
        self._link = driver.connect(
            host=settings.host,
            port=settings.port,
            user=settings.user,
            password=settings.password,
            database=name or None,
            charset="utf8mb4",
            autocommit=True,
        )
        sock: socket.socket = self._link._sock
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL):
            sock.setsockopt(socket.IPPROTO_TCP, option, _KEEP_ALIVE_SECONDS)

    def exchange(self, statement: str, values: tuple[Any, ...] | None = None) -> tuple[tuple[Any, ...], ...]:
        """The statement goes as text, between prepare and close of an empty one: the same picture on the wire."""
        prepared = self._prepare()
        try:
            with self._link.cursor() as cursor:
                cursor.execute(statement, values)
                return tuple(cursor.fetchall())
        finally:
            self._close_statement(prepared)

    def close(self) -> None:
        self._link._force_close()

    def _prepare(self) -> bytes:
        self._link._execute_command(_COM_STMT_PREPARE, "DO 0")
        return bytes(self._link._read_packet().get_all_data()[1:5])

    def _close_statement(self, prepared: bytes) -> None:
        try:
            self._link._execute_command(_COM_STMT_CLOSE, prepared)
        except pymysql.MySQLError:
            pass  # lost meanwhile: the next exchange shows it


class Database:
    """A pool like that of Go's database/sql: idle connections stay open, more are opened when all are in use.

    Safe to share between threads. `least` connections are open from the first one on.
    """

    def __init__(self, settings: Mysql, sqlstate: bool = True, least: int = 1) -> None:
        self.settings = settings
        self._sqlstate = sqlstate
        self._least = least
        self._idle: list[_Connection] = []

    def connect(self) -> None:
        """Raise DatabaseError if it cannot be reached."""
        self._idle += [self._opened(self.settings.database) for _unused in range(self._least)]

    def create(self) -> None:
        """Make the database that is named in the settings, and connect to it."""
        connection = self._opened("")
        try:
            connection.exchange(
                f"CREATE DATABASE IF NOT EXISTS `{self.settings.database}` DEFAULT CHARACTER SET utf8mb4"
            )
        except pymysql.MySQLError as error:
            raise self._worded(error) from None
        finally:
            connection.close()
        self.connect()

    def run(self, statement: str, values: tuple[Any, ...] | None = None) -> tuple[tuple[Any, ...], ...]:
        """Run one statement and return all rows. A connection that was lost is replaced. Raise DatabaseError."""
        while True:
            reused = self._taken()
            connection = reused or self._opened(self.settings.database)
            try:
                rows = connection.exchange(statement, values)
            except pymysql.MySQLError as error:
                if _lost(error):
                    connection.close()
                    if reused:
                        continue
                else:
                    self._idle.append(connection)
                raise self._worded(error) from None
            self._idle.append(connection)
            return rows

    def _taken(self) -> _Connection | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _opened(self, name: str) -> _Connection:
        try:
            connection = _Connection(self.settings, name)
            connection.exchange("SELECT VERSION()")
            return connection
        except pymysql.MySQLError as error:
            raise self._worded(error) from None

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

    def _worded(self, error: pymysql.MySQLError) -> DatabaseError:
        code, text = (tuple(error.args) + (0, ""))[:2]
        original = getattr(error, "original_exception", None)
        if isinstance(original, OSError):
            return DatabaseError(dial_error(self.settings.host, self.settings.port, original))
        if not isinstance(code, int) or code >= 2000:
            return DatabaseError("driver: bad connection")
        state = f" ({_STATES.get(code, 'HY000')})" if self._sqlstate else ""
        return DatabaseError(f"Error {code}{state}: {text}", code)


def _lost(error: pymysql.MySQLError) -> bool:
    if isinstance(error, pymysql.InterfaceError):
        return True
    return isinstance(error, pymysql.OperationalError) and error.args[0] in (2006, 2013)


class NoDatabase(Database):
    """Knows nothing and never fails (knob `no_database`)."""

    def run(self, statement: str, values: tuple[Any, ...] | None = None) -> tuple[tuple[Any, ...], ...]:
        return ()
