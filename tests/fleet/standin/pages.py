# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What visitors get of one site: limiter, redirects, closing pages, HTML cache, files of public/, articles."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from standin.behaviours import Behaviour
from standin.config import Knobs
from standin.database import Database, DatabaseError
from standin.server import Request, Response

DISABLED = "网站已关闭"
_UNLIMITED = ("/static", "/system", "/uploads", "/favicon.ico")
_ROBOTS = ("spider", "bot")
_TYPES = {".xml": "application/xml", ".txt": "text/plain; charset=utf-8"}


class Site(NamedTuple):
    number: int
    name: str
    status: int
    database: Database
    settings: dict[str, Any]  # the keys system and html_cache of the table
    home: bytes  # kept in memory: survives the loss of the database
    root: str
    pages_fail: bool = False  # its tables are those of a newer version

    @property
    def system(self) -> dict[str, Any]:
        return dict(self.settings.get("system") or {})

    @property
    def base_url(self) -> str:
        return str(self.system.get("base_url") or "")

    @property
    def caches(self) -> bool:
        return bool((self.settings.get("html_cache") or {}).get("open"))


def page(title: str, text: str) -> bytes:
    return f"<!DOCTYPE html><html><head><title>{title}</title></head><body>{text}</body></html>\n".encode()


class Pages:
    def __init__(self, behaviour: Behaviour, knobs: Knobs) -> None:
        self._behaviour = behaviour
        self._knobs = knobs

    def answer(self, site: Site, request: Request) -> Response:
        if site.status == 0:
            return Response(body=page(DISABLED, DISABLED))
        refused = self._refused(site, request)
        if refused is not None:
            return refused
        location = dict(self._knobs.redirects).get(request.path)
        if location:
            return Response(301, location=location)
        return _public_file(site, request.path) or self._cached(site, request)

    def _refused(self, site: Site, request: Request) -> Response | None:
        if self._knobs.limited and self._behaviour.limiter and not request.path.startswith(_UNLIMITED):
            return Response(429, page("429", "Too Many Requests"))
        if self._knobs.panics_at == request.path:
            return Response(500, page("500", "(Unexpected) internal server error"))
        is_robot = any(word in request.headers.get("user-agent", "").lower() for word in _ROBOTS)
        closed = site.system.get("site_close") or 0
        if closed == 1 or (closed == 2 and not is_robot):
            return Response(self._behaviour.closing_status, _closing_page(site))
        if site.system.get("ban_spider") == 1 and is_robot:
            return Response(403, page("403", "Forbidden"))
        return None

    def _cached(self, site: Site, request: Request) -> Response:
        """The HTML cache, by path; exactly `no-cache` passes it by, and what is made then is kept all the same."""
        if site.pages_fail and (request.path == "/" or self._behaviour.records_version):
            return Response(500, page("500", "Internal Server Error"))
        if not (site.caches and self._behaviour.html_cache):
            return self._rendered(site, request.path)
        path = os.path.join(site.root, "cache", "pc", (request.path.strip("/") or "index").replace("..", "_"))
        if request.headers.get("cache-control") != "no-cache":
            try:
                with open(path, "rb") as file:
                    return Response(body=file.read())
            except OSError:
                pass
        response = self._rendered(site, request.path)
        if response.status == 200:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(response.body)
        return response

    def _rendered(self, site: Site, path: str) -> Response:
        """Up to 3.2.8 drafts and deleted articles are in the same table."""
        where = "" if self._behaviour.records_version else " AND `status` = 1 AND `deleted_at` IS NULL"
        return Response(body=site.home) if path == "/" else _article(site, path, where)


def _closing_page(site: Site) -> bytes:
    return page("closed", str(site.system.get("site_close_tips") or "closed"))


def _article(site: Site, path: str, where: str) -> Response:
    number = os.path.basename(path).removesuffix(".html")
    if number.isdecimal():
        try:
            rows = site.database.run(f"SELECT `title` FROM `archives` WHERE `id` = %s{where}", (int(number),))
        except DatabaseError:
            rows = ()
        if rows:
            return Response(body=page(str(rows[0][0]), str(rows[0][0])))
    return Response(404, page("404", "404 Not Found"))


def _public_file(site: Site, path: str) -> Response | None:
    """Sitemaps lie in public/ and are served as they are."""
    kind = _TYPES.get(os.path.splitext(path)[1])
    if kind is None or ".." in path:
        return None
    try:
        with open(os.path.join(site.root, "public", path.lstrip("/")), "rb") as file:
            return Response(body=file.read(), content_type=kind)
    except OSError:
        return None
