# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backup and restore of the admin pages: a file below data/backup of the site is open for as long as either lasts."""

from __future__ import annotations

import json
import os
import threading
import time
from typing import TYPE_CHECKING, Any, BinaryIO, Iterator

from pymysql.converters import escape_item

from standin import log
from standin.behaviours import BACKGROUND
from standin.database import Database, DatabaseError, NoDatabase
from standin.pages import Site
from standin.server import Request, Response, json_response

if TYPE_CHECKING:
    from standin.main import Program

PREFIX = "/system/api/plugin/backup/"
_ROWS = 100  # of one INSERT
_PARTS = 20  # of a backup without a database
_SLOW_SECONDS = 0.2  # gorm logs such a statement
_KEPT_SECONDS = 3.0  # the status, after the end
_NO_TASK = "当前没有进行中的任务"
_BUSY = "当前有备份/恢复任务进行中，请稍后再试"


class _Status:
    """The one task of the process, of whatever site."""

    def __init__(self, kind: str) -> None:
        self.kind, self.percent, self.finished = kind, 0, False

    def data(self) -> dict[str, Any]:
        return {"finished": self.finished, "type": self.kind, "percent": self.percent, "message": ""}


class Backups:
    def __init__(self, program: "Program") -> None:
        self._behaviour = program.behaviour
        self._knobs = program.knobs
        self._status: _Status | None = None
        self._lock = threading.Lock()

    def answer(self, site: Site, request: Request) -> Response:
        """The header `admin` stands for a login; any value will do."""
        if not request.headers.get("admin"):
            return json_response(1001, "请先登录")
        action = (request.method, request.path.removeprefix(PREFIX))
        if action == ("GET", "status") and self._behaviour.backup == BACKGROUND:
            return json_response(0, "", self._status.data()) if self._status else json_response(0, _NO_TASK)
        name = _name(request) if request.method == "POST" else ""
        if action == ("POST", "dump"):
            return self._begin("backup", site, "", "备份任务已开始", "备份已完成")
        if action == ("POST", "restore"):
            return self._begin("restore", site, name, "恢复任务已开始", "数据已恢复")
        if action == ("POST", "export"):
            return _export(site, name)
        return Response(404, b"Not Found")

    def _begin(self, kind: str, site: Site, name: str, begun: str, done: str) -> Response:
        """Until 3.3.11 the answer comes at the end."""
        if self._behaviour.backup != BACKGROUND:
            failure = self._work(_Status(kind), site, name)
            return json_response(-1, failure) if failure else json_response(0, done)
        with self._lock:
            if self._status and not self._status.finished:
                return json_response(-1, _BUSY)
            status = self._status = _Status(kind)
        threading.Thread(target=self._work, args=(status, site, name), daemon=True).start()
        return json_response(0, begun)

    def _work(self, status: _Status, site: Site, name: str) -> str:
        """What went wrong, if anything."""
        try:
            if status.kind == "backup":
                self._dump(status, site)
            else:
                self._restore(status, site, name)
        except OSError:
            return "备份文件不存在"
        finally:
            status.finished = True
            forget = threading.Timer(_KEPT_SECONDS, self._forget, (status,))
            forget.daemon = True
            forget.start()
        return ""

    def _forget(self, status: _Status) -> None:
        with self._lock:
            if self._status is status:
                self._status = None

    def _dump(self, status: _Status, site: Site) -> None:
        begin = time.monotonic()
        path = os.path.join(_directory(site), time.strftime("%Y%m%d%H%M%S.sql"))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666), "wb", buffering=0)
        try:
            total = _parts(site.database)
            for number, part in enumerate(_dumped(site.database), 1):
                file.write(part.encode())
                status.percent = min(number * 100 // total, 99)
                _pause(begin, self._knobs.backup_ms, number / total)
        finally:
            self._close(file)
        log.stamped(f"dumping.all.done.cost[{time.monotonic() - begin:.9f}s], elapsed")

    def _close(self, file: BinaryIO) -> None:
        """Until 3.4.2 nobody closes it but the garbage collector."""
        if not (self._behaviour.leaves_dump_open and self._knobs.dump_lingers_ms):
            file.close()
            return
        later = threading.Timer(self._knobs.dump_lingers_ms / 1000, file.close)
        later.daemon = True
        later.start()

    def _restore(self, status: _Status, site: Site, name: str) -> None:
        begin, read = time.monotonic(), 0
        with open(os.path.join(_directory(site), os.path.basename(name) or "."), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            for statement in _statements(file):
                read += len(statement)
                status.percent = read * 100 // size
                self._execute(site.database, statement.decode(), begin, read / size)
            _pause(begin, self._knobs.restore_ms, 1.0)
            if self._behaviour.says_restored:
                log.stamped("is restore finished EOF")
        if self._behaviour.multi_site:
            log.line("重载模板")

    def _execute(self, database: Database, statement: str, begin: float, fraction: float) -> None:
        """Each statement takes its share of the time that was asked for."""
        started, failure = time.monotonic(), ""
        try:
            database.run(statement)
        except DatabaseError as error:
            failure = str(error)
        _pause(begin, self._knobs.restore_ms, fraction)
        took = time.monotonic() - started
        if failure:
            log.statement_error(self._behaviour.at_restore, failure, took, "0", statement)
        elif took >= _SLOW_SECONDS:
            log.slow_statement(self._behaviour.at_restore, took, statement.count("),\n(") + 1, statement)


def _name(request: Request) -> str:
    try:
        return str(json.loads(b"".join(request.body))["name"])
    except (ValueError, KeyError, TypeError):
        return ""


def _directory(site: Site) -> str:
    return os.path.join(site.root, "data", "backup")


def _pause(begin: float, milliseconds: int, fraction: float) -> None:
    time.sleep(max(begin + milliseconds / 1000 * fraction - time.monotonic(), 0))


def _statements(file: BinaryIO) -> Iterator[bytes]:
    """Up to a line that ends with a semicolon."""
    text = b""
    for row in file:
        text += row
        if row.endswith(b";\n"):
            yield text
            text = b""
    if text:
        yield text


def _tables(database: Database) -> list[str]:
    return [
        str(row[0])
        for row in database.run(
            "SELECT `table_name` FROM `information_schema`.`tables` WHERE `table_schema` = DATABASE() ORDER BY 1"
        )
    ]


def _parts(database: Database) -> int:
    if isinstance(database, NoDatabase):
        return _PARTS
    counts = [int(database.run(f"SELECT COUNT(*) FROM `{table}`")[0][0]) for table in _tables(database)]
    return max(sum(1 + -(-count // _ROWS) for count in counts), 1)


def _dumped(database: Database) -> Iterator[str]:
    """Per table: its making, then its rows by the hundred."""
    if isinstance(database, NoDatabase):
        yield from (
            f"INSERT INTO `archives`(`id`,`title`) VALUES\n({number},'Article {number}');\n"
            for number in range(1, _PARTS + 1)
        )
        return
    for table in _tables(database):
        making = str(database.run(f"SHOW CREATE TABLE `{table}`")[0][1])
        yield f"DROP TABLE IF EXISTS `{table}`;\n{making};\n\n"
        columns = ",".join(
            f"`{row[0]}`"
            for row in database.run(
                "SELECT `column_name` FROM `information_schema`.`columns` WHERE `table_schema` = DATABASE() "
                "AND `table_name` = %s ORDER BY `ordinal_position`",
                (table,),
            )
        )
        rows = database.run(f"SELECT * FROM `{table}`")
        for first in range(0, len(rows), _ROWS):
            values = ",\n".join(_row(row) for row in rows[first : first + _ROWS])
            yield f"INSERT INTO `{table}`({columns}) VALUES\n{values};\n"


def _row(row: tuple[Any, ...]) -> str:
    return "(" + ",".join(escape_item(value, "utf8mb4") for value in row) + ")"


def _export(site: Site, name: str) -> Response:
    """The file, as fast as the client takes it."""
    path = os.path.join(_directory(site), os.path.basename(name))
    if not os.path.isfile(path):
        return json_response(-1, "备份文件不存在")
    return Response(content_type="application/octet-stream", stream=_read(path))


def _read(path: str) -> Iterator[bytes]:
    with open(path, "rb", buffering=0) as file:
        part = file.read(65536)
        while part:
            yield part
            part = file.read(65536)
