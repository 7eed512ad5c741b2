# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sites there are, and what they answer: health endpoints, pages, and slow requests for tests."""

from __future__ import annotations

import json
import os
import re
import time
from typing import TYPE_CHECKING, Any, Callable, Iterator
from urllib.parse import urlsplit

from standin import log
from standin.backup import PREFIX, Backups
from standin.behaviours import Behaviour
from standin.config import Config, Knobs, Mysql
from standin.database import Database, DatabaseError
from standin.pages import DISABLED, Pages, Site, page
from standin.server import Request, Response, json_response

if TYPE_CHECKING:
    from standin.main import Program

_EATEN: list[bytes] = []
_LATE_VIEWS_SECONDS = 1.0
_PLAIN_HOST = re.compile(r"[^:%]+(:\d*)?\Z|\[[\da-fA-F:]+\](:\d*)?\Z")


def _hostname(url: str) -> str:
    return urlsplit(url).hostname or ""


def _settings(database: Database) -> dict[str, Any]:
    rows = database.run("SELECT `key`, `value` FROM `settings` WHERE `key` IN ('system', 'html_cache', 'fulltext')")
    return {str(key): json.loads(value) for key, value in rows}


def load_sites(
    behaviour: Behaviour, config: Config, database: Database, root: str, migrated: Callable[[int, Database, str], bool]
) -> list[Site]:
    """Site 1 and the reachable ones of the table websites. A broken one is left out without a word.

    `migrated` is called for each one that is enabled before its settings are read, and tells whether its pages fail.
    """
    pages_fail = migrated(1, database, root)
    settings = config.raw if behaviour.settings_in_file else _settings(database)
    sites = [_site(1, _site_name(behaviour, database), 1, database, settings, root)._replace(pages_fail=pages_fail)]
    if not behaviour.multi_site:
        return sites
    for number, name, status, text, directory in database.run(
        "SELECT `id`, `name`, `status`, `mysql`, `root_path` FROM `websites` ORDER BY `id`"
    ):
        if number == 1:
            sites[0] = sites[0]._replace(status=status)
            continue
        own = Database(_own_mysql(config.mysql, text))
        try:
            own.connect()
            pages_fail = bool(status) and migrated(number, own, directory)
            site = _site(number, name, status, own, _settings(own), directory)
            sites.append(site._replace(pages_fail=pages_fail))
        except DatabaseError:
            continue
    return sites


def memory_sites(behaviour: Behaviour, config: Config, database: Database, knobs: Knobs, root: str) -> list[Site]:
    """Without a database: one site, and a second one where the knobs name its host."""
    settings = config.raw if behaviour.settings_in_file else {}
    first = _site(1, "Default Website", 0 if knobs.disabled else 1, database, settings, root)
    if not knobs.second_site:
        return [first]
    system = {"base_url": f"http://{knobs.second_site}", "site_name": "Site 2"}
    return [first, _site(2, "Site 2", 1, database, {"system": system}, f"{root.rstrip('/')}-2/")]


def closed_site(behaviour: Behaviour, database: Database, root: str) -> Site:
    """The database has no `websites.deleted_at` any more: no site is found, and every path tells that it is closed."""
    for location, end in zip(
        behaviour.at_websites, ("`id` = 1 AND {} ORDER BY `websites`.`id` LIMIT 1", "{} ORDER BY `id` asc")
    ):
        where = end.format("`websites`.`deleted_at` IS NULL")
        database.logged(location, f"SELECT * FROM `websites` WHERE {where}")
    return _site(1, "", 0, database, {}, root)


def _site_name(behaviour: Behaviour, database: Database) -> str:
    if not behaviour.multi_site:
        return "Default Website"
    rows = database.run("SELECT `name` FROM `websites` WHERE `id` = 1")
    return str(rows[0][0]) if rows else "Default Website"


def _site(number: int, name: str, status: int, database: Database, settings: dict[str, Any], root: str) -> Site:
    title = str((settings.get("system") or {}).get("site_name") or name)
    return Site(number, name, status, database, settings, page(title, f"<h1>{title}</h1>"), root)


def _own_mysql(main: Mysql, text: str) -> Mysql:
    own = json.loads(text or "{}")
    if own.get("use_default"):
        return main._replace(database=own.get("database", ""))
    given = {key: own[key] for key in Mysql._fields if own.get(key)}
    return main._replace(**given)


class Sites:
    """The handler of an installed instance."""

    def __init__(self, program: "Program", sites: list[Site], told_version: str, restart: Callable[[], None]) -> None:
        self._behaviour = program.behaviour
        self._knobs = program.knobs
        self._root = program.root
        self._pages = Pages(program.behaviour, program.knobs)
        self._backups = Backups(program)
        self._views_at = 0.0
        self._sites = sites
        self._told_version = told_version
        self._restart = restart
        admin = str(sites[0].system.get("admin_url") or "")
        self._admin_host = _hostname(admin) if admin.startswith("http") else ""

    def port_is_open(self) -> None:
        """The views come a second later where they are late."""
        if self._behaviour.late_views:
            self._views_at = time.monotonic() + _LATE_VIEWS_SECONDS

    def answer(self, request: Request) -> Response:
        self._take_base_url(request)
        if request.path.startswith("/system/"):
            return self._system_answer(request)
        slow = slow_answer(request)
        if slow is not None:
            return slow
        if request.method == "POST":
            return self._upload(request)
        if time.monotonic() < self._views_at:
            for _view in ("the page", "errors/500.html"):
                log.iris_error(self._behaviour, "view engine is missing, use `RegisterView`")
            return Response(500, b"Internal Server Error", "text/plain; charset=utf-8")
        return self._pages.answer(self._site_of(request), request)

    def _take_base_url(self, request: Request) -> None:
        """A site without a base URL takes that of any first request that has one, for all its visitors."""
        site = self._site_of(request)
        if site.base_url or not _PLAIN_HOST.match(request.host):
            return
        settings = {**site.settings, "system": {**site.system, "base_url": f"http://{request.host}"}}
        self._sites = [one._replace(settings=settings) if one is site else one for one in self._sites]

    def _site_of(self, request: Request) -> Site:
        """A site that is disabled is passed over; site 1 answers where none matches, disabled or not."""
        host = _hostname("//" + request.host)
        for site in self._sites:
            if site.status and site.base_url and _hostname(site.base_url) == host:
                return site
        return self._sites[0]

    def _system_answer(self, request: Request) -> Response:
        if self._admin_host and _hostname("//" + request.host) != self._admin_host:
            return self._wrong_entrance()
        site = self._site_of(request)
        if site.status == 0:
            return Response(body=page(DISABLED, DISABLED))
        if self._knobs.panics_at == request.path:
            return Response(500, page("500", "(Unexpected) internal server error"))
        if request.path == "/system/api/version/info":
            return json_response(0, "", {"version": self._told_version})
        if request.path == "/system/api/siteinfo" and self._behaviour.multi_site:
            return self._siteinfo(site)
        if request.path.startswith(PREFIX) and self._behaviour.backup:
            return self._backups.answer(site, request)
        if request.path == "/system/api/anqi/restart" and self._behaviour.restart_by_exec:
            return self._restart_answer(request)
        if request.path.startswith("/system/api/"):
            return json_response(1001, "请先登录")
        if request.path == "/system/":
            return self._admin_pages()
        return Response(404, b"Not Found")

    def _admin_pages(self) -> Response:
        """From 3.4.5 inside the binary, unless a system/ on the disk hides them."""
        try:
            with open(os.path.join(self._root, "system", "index.html"), "rb") as file:
                return Response(body=file.read())
        except OSError:
            if not self._behaviour.background_migration:
                return Response(404, b"Not Found")
            return Response(body=page(f"admin {self._behaviour.version}", ""))

    def _wrong_entrance(self) -> Response:
        if self._behaviour.admin_host_status == 403:
            return Response(403, b"Forbidden", "text/plain; charset=utf-8")
        return json_response(1001, "请使用正确的入口访问")

    def _siteinfo(self, site: Site) -> Response:
        try:
            self._sites[0].database.run("SELECT `id` FROM `websites` WHERE `id` = %s", (site.number,))
        except DatabaseError as error:
            return json_response(-1, str(error))
        return json_response(0, "", {"id": site.number, "base_url": site.base_url, "name": site.name})

    def _restart_answer(self, request: Request) -> Response:
        if request.method != "POST" or not request.headers.get("admin"):
            return json_response(1001, "请先登录")
        self._restart()
        return json_response(0, "")

    def _upload(self, request: Request) -> Response:
        """Write what comes in as it comes, in place, as the application does."""
        name = os.path.basename(request.path) or "upload"
        directory = os.path.join(self._root, "public", "uploads")
        os.makedirs(directory, exist_ok=True)
        size = 0
        with open(os.path.join(directory, name), "wb", buffering=0) as file:
            for part in request.body:
                file.write(part)
                size += len(part)
        return json_response(0, "", {"size": size})


def install_answer(request: Request) -> Response:
    """Install mode: everything leads to the installer."""
    if request.path == "/install":
        return Response(body=page("install", "install"))
    return Response(302, location="/install")


def slow_answer(request: Request) -> Response | None:
    """/slow?ms=N answers after N ms, /stream?ms=N sends a part every 50 ms for N ms, /eat?mb=N keeps memory."""
    milliseconds = int(request.query.get("ms") or 0)
    if request.path == "/slow":
        time.sleep(milliseconds / 1000)
        return Response(body=b"slow %d\n" % milliseconds, content_type="text/plain")
    if request.path == "/stream":
        return Response(content_type="text/plain", stream=_parts(milliseconds))
    if request.path == "/eat":
        _eat(int(request.query.get("mb") or 0))
        return Response(body=b"eaten\n", content_type="text/plain")
    return None


def _eat(megabytes: int) -> None:
    """Where it is not given so much, it ends as the Go runtime does."""
    try:
        for _unused in range(megabytes):
            _EATEN.append(b"\1" * (1 << 20))
    except MemoryError:
        used = len(_EATEN) << 20
        _EATEN.clear()  # to be able to speak
        log.no_memory(1 << 20, used)
        os._exit(2)


def _parts(milliseconds: int) -> Iterator[bytes]:
    end = time.monotonic() + milliseconds / 1000
    yield b"begin\n"
    while time.monotonic() < end:
        time.sleep(min(0.05, max(end - time.monotonic(), 0)))
        yield b"part\n"
    yield b"end\n"
