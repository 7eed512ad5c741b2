# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the start that needs the database: connect or create it, migrate, load the sites."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Callable

from standin import fulltext, log, settings
from standin.config import ASKING
from standin.database import UNKNOWN_DATABASE, Database, DatabaseError, NoDatabase
from standin.migration import Migration
from standin.pages import Site
from standin.server import Request, Response
from standin.sites import Sites, closed_site, load_sites, memory_sites
from standin.tables import lacks_deleted_at

if TYPE_CHECKING:
    from standin.main import Program


_ASKING_SECONDS = 0.01


class Handler:
    """Callable for the server; `url` is where a browser would be sent."""

    def __init__(self, sites: Sites, url: str, migrations: list[Migration]) -> None:
        self._sites = sites
        self._migrations = migrations
        self.url = url

    def port_is_open(self) -> None:
        """What goes on in the background begins, of all sites side by side."""
        self._sites.port_is_open()
        for migration in self._migrations:
            migration.after_port()

    def close(self) -> None:
        for migration in self._migrations:
            migration.close()

    def __call__(self, request: Request) -> Response:
        return self._sites.answer(request)


def boot_sites(program: "Program", restart: Callable[[], None]) -> Handler:
    """Ends the process with 255 when the database cannot be had."""
    migrations: list[Migration] = []
    try:
        database, sites = _loaded(program, migrations)
    except DatabaseError as error:
        _fail(program, str(error))
    while program.knobs.hangs == ASKING:
        _ask(database)
    fulltext.start(program, sites)
    told = program.knobs.wrong_version or program.behaviour.version
    handler = Sites(program, sites, told, restart)
    return Handler(handler, sites[0].base_url, migrations)


def _ask(database: Database) -> None:
    try:
        database.run("SELECT `id` FROM `modules` WHERE `id` = %s", (1,))
    except DatabaseError:
        pass
    time.sleep(_ASKING_SECONDS)


def _loaded(program: "Program", migrations: list[Migration]) -> tuple[Database, list[Site]]:
    """The database and the sites that could be loaded, migrated one after the other; `migrations` gets them all."""
    behaviour, config, root = program.behaviour, program.config, program.root
    if program.knobs.no_database:
        nothing = NoDatabase(config.mysql)
        return nothing, memory_sites(behaviour, config, nothing, program.knobs, root)
    database = Database(config.mysql, behaviour.sqlstate, behaviour.connections)
    _connect(program, database)
    if behaviour.multi_site and behaviour.soft_delete and lacks_deleted_at(database):
        return database, [closed_site(behaviour, database, root)]

    def migrated(number: int, own: Database, directory: str) -> bool:
        migration = Migration(behaviour, program.knobs, own, directory, number)
        migrations.append(migration)
        migration.before_port()
        if number == 1 and behaviour.transfers_settings:
            settings.transfer(own, root, config, program.port)
        if not behaviour.settings_in_file:
            settings.ensure_token(own)
        return migration.pages_fail

    return database, load_sites(behaviour, config, database, root, migrated)


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
