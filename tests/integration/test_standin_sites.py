# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the stand-in answers for each of several sites, by version; facts in docs/application.md."""

from __future__ import annotations

import http.client
import json
import os
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from instance import Instance, make_instance
from mariadb import MariaDB
from websites import Sites

INFO = "/system/api/siteinfo"
BROWSER = {"User-Agent": "Mozilla/5.0"}

pytestmark = pytest.mark.usefixtures("never_a_real_release")


@pytest.fixture
def make(tmp_path: Path, db: MariaDB) -> Iterator[Callable[..., Sites]]:
    """An instance with its tables, stopped; it ends with the test."""
    made: list[Instance] = []

    def sites(version: str, **knobs: Any) -> Sites:
        instance = make_instance(tmp_path / "site", version, db=db, database=f"w_{os.urandom(4).hex()}")
        made.append(instance)
        instance.start()
        instance.kill()
        instance.knobs(**knobs)
        return Sites(instance, db)

    yield sites
    for instance in made:
        instance.kill()


def ask(sites: Sites, host: str, path: str = "/", **headers: str) -> tuple[int, bytes]:
    return sites.instance.get(path, headers={"Host": host, **BROWSER, **headers})


def number(sites: Sites, host: str) -> int:
    status, body = ask(sites, host, INFO)
    assert status == 200
    return int(json.loads(body)["data"]["id"])


@pytest.mark.parametrize("version", ["3.1.9", "3.3.11", "3.4.0", "3.5.1", "3.5.8"])
def test_each_site_tells_its_id(make: Callable[..., Sites], version: str) -> None:
    sites = make(version)
    sites.configure(base_url="http://first.example", site_name="One")
    sites.add(2, "second.example")
    sites.add(3, "third.example", base_url="")  # no address: never matched
    sites.add(4, "gone.example")
    sites.drop_database(4)
    sites.instance.start()
    hosts = ("first.example", "second.example", "second.example:8001", "third.example", "gone.example", "x.example")
    assert [number(sites, host) for host in hosts] == [1, 2, 2, 1, 1, 1]
    told = json.loads(ask(sites, "second.example", INFO)[1])
    assert told == {"code": 0, "msg": "", "data": {"id": 2, "base_url": "http://second.example", "name": "Site 2"}}
    assert ask(sites, "gone.example") == ask(sites, "first.example")
    assert b"Site 2" in ask(sites, "second.example")[1]
    log = sites.instance.log_text().rpartition("Iris Version")[2]
    assert "gone" not in log and "Error" not in log  # a broken site is not logged


@pytest.mark.parametrize("version", ["2.3.6", "2.5.3"])
def test_old_versions_have_one_site_and_no_siteinfo(make: Callable[..., Sites], version: str) -> None:
    sites = make(version)
    sites.instance.start()
    assert "data" not in json.loads(ask(sites, "first.example", INFO)[1])
    assert ask(sites, "a.example")[1] == ask(sites, "b.example")[1]


def test_states_of_a_site(make: Callable[..., Sites]) -> None:
    sites = make("3.5.8")
    sites.add(2, "closed.example", site_close=1, site_close_tips="back soon")
    sites.add(3, "disabled.example")
    sites.enable(3, False)
    sites.add(4, "robots.example", site_close=2)
    sites.add(5, "people.example", ban_spider=1)
    sites.instance.start()
    status, body = ask(sites, "closed.example")
    assert status == 403 and b"back soon" in body
    assert number(sites, "closed.example") == 2
    assert number(sites, "disabled.example") == 1
    assert ask(sites, "disabled.example") == ask(sites, "x.example")
    agents = ("Mozilla/5.0", "Googlebot")
    assert [ask(sites, "robots.example", **{"User-Agent": agent})[0] for agent in agents] == [403, 200]
    assert [ask(sites, "people.example", **{"User-Agent": agent})[0] for agent in agents] == [200, 403]


@pytest.mark.parametrize(("version", "told"), [("3.5.8", 403), ("3.4.0", 200)])
def test_admin_host(make: Callable[..., Sites], version: str, told: int) -> None:
    sites = make(version)
    sites.configure(base_url="http://first.example", admin_url="https://admin.example")
    sites.add(2, "second.example")
    sites.instance.start(wait=0)
    assert _listens(sites)
    for host in ("first.example", "second.example"):
        status, body = ask(sites, host, INFO)
        assert status == told and b'"id"' not in body
        assert ask(sites, host)[0] == 200
    assert number(sites, "admin.example") == 1


def _listens(sites: Sites) -> bool:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            return bool(sites.instance.get("/"))
        except OSError:
            time.sleep(0.02)
    return False


def test_database_of_a_further_site_lost_while_it_runs(make: Callable[..., Sites]) -> None:
    sites = make("3.5.8")
    sites.add(2, "second.example")
    sites.article(2, 7)
    sites.instance.start()
    assert ask(sites, "second.example", "/7.html")[0] == 200
    sites.drop_database(2)
    assert [ask(sites, "second.example", path)[0] for path in ("/7.html", "/")] == [404, 200]
    assert number(sites, "second.example") == 2


@pytest.mark.parametrize(("version", "status"), [("3.5.8", 429), ("3.5.1", 429), ("3.4.0", 200)])
def test_limiter(make: Callable[..., Sites], version: str, status: int) -> None:
    sites = make(version, limited=True)
    sites.instance.start()
    assert ask(sites, "first.example")[0] == status
    assert number(sites, "first.example") == 1  # /system is never limited


def test_panic_and_redirects(make: Callable[..., Sites]) -> None:
    sites = make("3.5.8", panics_at="/boom", redirects=[["/old", "/new.html"]])
    sites.instance.start()
    assert ask(sites, "first.example", "/boom")[0] == 500
    connection = http.client.HTTPConnection("127.0.0.1", sites.instance.port, timeout=5)
    connection.request("GET", "/old")
    response = connection.getresponse()
    assert (response.status, response.getheader("Location")) == (301, "/new.html")
    connection.close()


def test_html_cache_and_files(make: Callable[..., Sites]) -> None:
    sites = make("3.5.8")
    sites.configure(1, "html_cache", open=True)
    sites.db.run("INSERT INTO `archives` (`id`,`title`) VALUES (7,'Seven')", sites.instance.database)
    (sites.instance.dir / "public" / "sitemap.xml").write_text("<urlset/>")
    sites.instance.start()
    assert ask(sites, "first.example", "/sitemap.xml") == (200, b"<urlset/>")
    assert ask(sites, "first.example", "/../config.json")[0] == 404
    seven = ask(sites, "first.example", "/7.html")
    sites.db.run("DELETE FROM `archives`", sites.instance.database)
    assert ask(sites, "first.example", "/7.html") == seven
    assert ask(sites, "first.example", "/7.html", **{"Cache-Control": "max-age=0"}) == seven
    assert ask(sites, "first.example", "/7.html", **{"Cache-Control": "no-cache"})[0] == 404
