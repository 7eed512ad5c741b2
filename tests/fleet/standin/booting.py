# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the start that needs the database: connect or create it, migrate, load the sites."""
from __future__ import annotations

import os
from typing import TYPE_CHECKING, Callable

from standin import log
from standin.config import write
from standin.database import UNKNOWN_DATABASE, Database, DatabaseError, NoDatabase
from standin.migration import Migration, transfer_settings
from standin.server import Request, Response
from standin.sites import Sites, load_sites

if TYPE_CHECKING:
    from standin.main import Program


class Handler:
    """Callable for the server; `url` is where a browser would be sent."""

    def __init__(self, sites: Sites, url: str) -> None:
        self._sites = sites
        self.url = url

    def __call__(self, request: Request) -> Response:
        return self._sites.answer(request)


def boot_sites(program: "Program", restart: Callable[[], None]) -> Handler:
    """Ends the process with 255 when the database cannot be had."""
    behaviour, config = program.behaviour, program.config
    try:
        database = NoDatabase(config.mysql) if program.knobs.no_database else _ready_database(program)
        sites = load_sites(behaviour, config, database, program.root)
    except DatabaseError as error:
        _fail(program, str(error))
    told = program.knobs.wrong_version or behaviour.version
    handler = Sites(program, sites, told, restart)
    return Handler(handler, sites[0].base_url)


def _ready_database(program: "Program") -> Database:
    database = Database(program.config.mysql, program.behaviour.sqlstate)
    _connect(program, database)
    Migration(program.behaviour, program.knobs, database, program.root).start()
    if program.behaviour.transfers_settings:
        kept = transfer_settings(database, program.config.raw)
        if kept:
            write(program.root, kept)
    return database


def _connect(program: "Program", database: Database) -> None:
    location = program.behaviour.at_connect
    try:
        database.connect()
    except DatabaseError as error:
        if location:
            log.connect_error(location, str(error))
        if error.code != UNKNOWN_DATABASE:
            raise
        database.create()


def _fail(program: "Program", text: str) -> None:
    log.line(f"Failed To Connect Database:  {text}")
    if program.behaviour.error_log:
        log.error_file(program.root, f"连接数据库失败 {text}")
    os._exit(255)
