# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the sites answer: health endpoints, pages, and slow requests for tests."""
from __future__ import annotations

import json
import os
import time
from typing import Any, Callable, Iterator, NamedTuple
from urllib.parse import urlsplit

from standin.behaviours import Behaviour
from standin.config import Config, Mysql
from standin.database import Database, DatabaseError
from standin.server import Request, Response


class Site(NamedTuple):
    number: int
    name: str
    status: int
    database: Database
    system: dict[str, Any]  # settings.system
    home: bytes             # kept in memory: survives the loss of the database

    @property
    def base_url(self) -> str:
        return str(self.system.get("base_url") or "")


def _hostname(url: str) -> str:
    return urlsplit(url).hostname or ""


def _json(code: int, text: str, data: Any = None) -> Response:
    body = {"code": code, "msg": text, "data": data} if code == 0 else {"code": code, "msg": text}
    return Response(body=json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(),
                    content_type="application/json; charset=utf-8")


def _page(title: str, text: str) -> bytes:
    return f"<!DOCTYPE html><html><head><title>{title}</title></head><body>{text}</body></html>\n".encode()


def _system(database: Database) -> dict[str, Any]:
    rows = database.run("SELECT `value` FROM `settings` WHERE `key` = 'system'")
    return dict(json.loads(rows[0][0])) if rows else {}


def load_sites(behaviour: Behaviour, config: Config, database: Database) -> list[Site]:
    """Site 1 and the reachable ones of the table websites. A broken one is left out without a word."""
    system = dict(config.raw.get("system") or {}) if behaviour.settings_in_file else _system(database)
    sites = [_site(1, _site_name(behaviour, database), 1, database, system)]
    if not behaviour.multi_site:
        return sites
    for number, name, status, text in database.run(
        "SELECT `id`, `name`, `status`, `mysql` FROM `websites` ORDER BY `id`"
    ):
        if number == 1:
            sites[0] = sites[0]._replace(status=status)
            continue
        own = Database(_own_mysql(config.mysql, text))
        try:
            own.connect()
            sites.append(_site(number, name, status, own, _system(own)))
        except DatabaseError:
            continue
    return sites


def _site_name(behaviour: Behaviour, database: Database) -> str:
    if not behaviour.multi_site:
        return "Default Website"
    rows = database.run("SELECT `name` FROM `websites` WHERE `id` = 1")
    return str(rows[0][0]) if rows else "Default Website"


def _site(number: int, name: str, status: int, database: Database, system: dict[str, Any]) -> Site:
    title = str(system.get("site_name") or name)
    return Site(number, name, status, database, system, _page(title, f"<h1>{title}</h1>"))


def _own_mysql(main: Mysql, text: str) -> Mysql:
    own = json.loads(text or "{}")
    if own.get("use_default"):
        return main._replace(database=own.get("database", ""))
    given = {key: own[key] for key in Mysql._fields if own.get(key)}
    return main._replace(**given)


class Sites:
    """The handler of an installed instance."""

    def __init__(self, behaviour: Behaviour, root: str, sites: list[Site], told_version: str,
                 restart: Callable[[], None]) -> None:
        self._behaviour = behaviour
        self._root = root
        self._sites = sites
        self._told_version = told_version
        self._restart = restart
        admin = str(sites[0].system.get("admin_url") or "")
        self._admin_host = _hostname(admin) if admin.startswith("http") else ""

    def answer(self, request: Request) -> Response:
        if request.path.startswith("/system/"):
            return self._system_answer(request)
        slow = slow_answer(request)
        if slow is not None:
            return slow
        if request.method == "POST":
            return self._upload(request)
        return self._page_answer(request)

    def _site_of(self, request: Request) -> Site:
        host = _hostname("//" + request.host)
        for site in self._sites:
            if site.base_url and _hostname(site.base_url) == host:
                return site
        return self._sites[0]

    def _system_answer(self, request: Request) -> Response:
        if self._admin_host and _hostname("//" + request.host) != self._admin_host:
            return Response(403, b"Forbidden", "text/plain; charset=utf-8")
        site = self._site_of(request)
        if site.status == 0:
            return Response(body=_page("网站已关闭", "网站已关闭"))
        if request.path == "/system/api/version/info":
            return _json(0, "", {"version": self._told_version})
        if request.path == "/system/api/siteinfo" and self._behaviour.multi_site:
            return self._siteinfo(site)
        if request.path == "/system/api/anqi/restart" and self._behaviour.restart_by_exec:
            return self._restart_answer(request)
        return _json(1001, "请先登录") if request.path.startswith("/system/api/") else Response(404, b"Not Found")

    def _siteinfo(self, site: Site) -> Response:
        try:
            self._sites[0].database.run("SELECT `id` FROM `websites` WHERE `id` = %s", (site.number,))
        except DatabaseError as error:
            return _json(-1, str(error))
        return _json(0, "", {"id": site.number, "base_url": site.base_url, "name": site.name})

    def _restart_answer(self, request: Request) -> Response:
        if request.method != "POST" or not request.headers.get("admin"):
            return _json(1001, "请先登录")
        self._restart()
        return _json(0, "")

    def _page_answer(self, request: Request) -> Response:
        site = self._site_of(request)
        if site.status == 0:
            return Response(body=_page("网站已关闭", "网站已关闭"))
        if site.system.get("site_close"):
            return Response(403, _page("closed", str(site.system.get("site_close_tips") or "closed")))
        if request.path == "/":
            return Response(body=site.home)
        return self._article(site, request.path)

    def _article(self, site: Site, path: str) -> Response:
        number = os.path.basename(path).removesuffix(".html")
        if number.isdecimal():
            try:
                rows = site.database.run("SELECT `title` FROM `archives` WHERE `id` = %s", (int(number),))
            except DatabaseError:
                rows = ()
            if rows:
                return Response(body=_page(str(rows[0][0]), str(rows[0][0])))
        return Response(404, _page("404", "404 Not Found"))

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
        return _json(0, "", {"size": size})


def install_answer(request: Request) -> Response:
    """Install mode: everything leads to the installer."""
    if request.path == "/install":
        return Response(body=_page("install", "install"))
    return Response(302, location="/install")


def slow_answer(request: Request) -> Response | None:
    """/slow?ms=N answers after N ms, /stream?ms=N sends a part every 50 ms for N ms."""
    milliseconds = int(request.query.get("ms") or 0)
    if request.path == "/slow":
        time.sleep(milliseconds / 1000)
        return Response(body=b"slow %d\n" % milliseconds, content_type="text/plain")
    if request.path == "/stream":
        return Response(content_type="text/plain", stream=_parts(milliseconds))
    return None


def _parts(milliseconds: int) -> Iterator[bytes]:
    end = time.monotonic() + milliseconds / 1000
    yield b"begin\n"
    while time.monotonic() < end:
        time.sleep(min(0.05, max(end - time.monotonic(), 0)))
        yield b"part\n"
    yield b"end\n"
