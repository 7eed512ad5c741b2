# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""site_check against stand-ins with several sites, directly and through a real nginx."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Iterator

import nginx
import pytest
import windows
from instance import make_instance
from integration.asking import FIRST, SECOND, Row, check, options, prepared, started
from mariadb import MariaDB
from websites import Sites

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._sites import check as _site_check

Ask = Callable[..., list[Row]]

pytestmark = pytest.mark.usefixtures("never_a_real_release")


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory, db: MariaDB) -> Iterator[Sites]:
    """One instance that serves a site in each state."""
    sites = prepared(tmp_path_factory.mktemp("many") / "site", db)
    sites.add(3, "gone.example")
    sites.drop_database(3)
    sites.add(4, "closed.example", site_close=1, site_close_tips="back soon")
    sites.add(5, "disabled.example")
    sites.enable(5, False)
    sites.instance.knobs(redirects=[["/old", "/7.html"], ["/loop", "/loop"], ["/away", "http://other.example/7.html"]])
    sites.instance.start()
    yield sites
    sites.instance.kill()


@pytest.fixture(scope="module")
def proxy(many: Sites, tmp_path_factory: pytest.TempPathFactory) -> Iterator[nginx.Nginx | None]:
    if not nginx.find_nginx():
        yield None
        return
    with nginx.Nginx(tmp_path_factory.mktemp("nginx") / "nginx", many.instance) as server:
        yield server


@pytest.fixture(params=["direct", "http", "https"])
def ask(request: pytest.FixtureRequest, many: Sites) -> Ask:
    """Ask the instance `many`, by one of three ways."""
    if request.param == "direct":
        return lambda *sites, **given: check(many.instance, *sites, **given)
    server = request.getfixturevalue("proxy")
    if server is None:
        pytest.skip("nginx is not installed (package nginx-light)")
    way = {"scheme": request.param, "port": getattr(server, request.param)}
    return lambda *sites, **given: check(many.instance, *sites, through="proxy", proxy=way, **given)


STATES: list[tuple[str, Row, str, int, int | None]] = [
    ("first", FIRST, "ok", 200, 1),
    ("second", {**SECOND, "path": "/7.html", "contains": "Article 7 of site 2"}, "ok", 200, 2),
    ("second without an id", {"host": "second.example"}, "ok", 200, 2),
    ("database gone at the start", {"host": "gone.example", "id": 3}, "answered_by_default", 200, 1),
    ("the same without an id", {"host": "gone.example"}, "answered_by_default", 200, 1),
    ("a stranger that is meant", {"host": "alias.example", "id": 1}, "ok", 200, 1),
    ("wrong id", {"host": "second.example", "id": 4}, "wrong_id", 200, 2),
    ("closed", {"host": "closed.example", "id": 4}, "site_closed", 403, 4),
    ("closed on purpose", {"host": "closed.example", "id": 4, "status": 403, "contains": "back soon"}, "ok", 403, 4),
    ("disabled", {"host": "disabled.example", "id": 5}, "answered_by_default", 200, 1),
    ("no such page", {**SECOND, "path": "/8.html"}, "unexpected_status", 404, 2),
    ("other content", {**SECOND, "contains": "Site 3"}, "content_missing", 200, 2),
    ("a robot's page", {**SECOND, "path": "/old", "contains": "Article 7"}, "ok", 200, 2),
    ("redirect that is meant", {**SECOND, "path": "/old", "status": 301}, "ok", 301, 2),
    ("redirect to elsewhere", {**SECOND, "path": "/away"}, "redirect", 301, 2),
    ("redirect for ever", {**SECOND, "path": "/loop"}, "redirect", 301, 2),
]


@pytest.mark.parametrize(
    ("site", "reason", "status", "number"), [state[1:] for state in STATES], ids=[state[0] for state in STATES]
)
def test_states(ask: Ask, site: Row, reason: str, status: int, number: int | None) -> None:
    (row,) = ask(site)
    assert (row["reason"], row["status"], row["id"]) == (reason, status, number), row
    assert row["ok"] == (reason == "ok")
    assert bool(row["message"]) == (reason != "ok" or row["identity"] == "not_proven")
    proof = "id" if "id" in site else "base_url"
    assert row["identity"] == (proof if reason == "ok" else None)
    assert row["host"] == site["host"] and isinstance(row["ms"], int)


def test_all_sites_are_named_in_the_failure(many: Sites) -> None:
    sites = [FIRST, {"host": "gone.example", "id": 3}, {"host": "closed.example", "id": 4}]
    with pytest.raises(LifecycleError) as caught:
        _site_check.check(windows.context_of(many.instance), options(sites=sites))
    assert caught.value.msg.startswith("2 of 3 sites of ")
    assert "answered_by_default: gone.example (http://127.0.0.1:" in caught.value.msg
    assert "site_closed: closed.example" in caught.value.msg
    assert [row["ok"] for row in caught.value.result["sites"]] == [True, False, False]


def test_the_default_site_is_asked_when_none_is_listed(many: Sites) -> None:
    (row,) = check(many.instance)
    assert (row["host"], row["reason"], row["id"]) == ("127.0.0.1", "ok", 1)


def test_a_default_site_without_a_base_url(tmp_path: Path, db: MariaDB) -> None:
    """It answers for any host, so that a site that is not served looks well by itself, and not beside others."""
    sites = prepared(tmp_path / "site", db)
    sites.configure(base_url="", site_name="Site 1")
    sites.add(3, "gone.example")
    sites.drop_database(3)
    first, second, gone = ({"host": f"{name}.example"} for name in ("first", "second", "gone"))

    def told(*asked: Row) -> list[tuple[str, str | None]]:
        return [(row["reason"], row["identity"]) for row in check(sites.instance, *asked)]

    bad = ("answered_by_default", None)
    try:
        sites.instance.start()
        (row,) = check(sites.instance, gone)
        assert (row["ok"], row["identity"], row["id"]) == (True, "not_proven", 1)
        assert "set id or contains" in row["message"].lower()
        assert told(first, second) == [("ok", "not_proven"), ("ok", "base_url")]
        assert told(first, second, gone) == [bad, ("ok", "base_url"), bad]
        assert told({**first, "id": 1}, gone) == [("ok", "id"), bad]
        assert told({**first, "contains": "Site 1"}, gone) == [("ok", "page"), bad]
        assert told({**gone, "contains": "Site 3"}) == [("content_missing", None)]
        context = windows.context_of(sites.instance)
        with pytest.raises(LifecycleError, match=r"as it does for first\.example; if that is intended, set id: 1"):
            _site_check.check(context, options(sites=[{**first, "id": 1}, gone]))
        context.close()
    finally:
        sites.instance.kill()


def test_the_application_sees_a_browser_and_no_proxy_of_the_environment(
    many: Sites, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    many.configure(2, base_url="http://second.example", site_name="Site 2", ban_spider=1)
    many.instance.kill()
    many.instance.start()
    assert many.instance.get("/", headers={"Host": "second.example", "User-Agent": "somebot"})[0] == 403
    (row,) = check(many.instance, SECOND)
    assert row["reason"] == "ok", row


def test_name_of_tls_is_the_site(many: Sites, proxy: nginx.Nginx | None) -> None:
    if proxy is None:
        pytest.skip("nginx is not installed (package nginx-light)")
    way = {"scheme": "https", "port": proxy.https}
    (row,) = check(many.instance, SECOND, through="proxy", proxy=way)
    assert row["reason"] == "ok"
    assert "second.example second.example /system/api/siteinfo" in proxy.requests()


def test_certificate_is_looked_at_when_asked(
    many: Sites, proxy: nginx.Nginx | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if proxy is None:
        pytest.skip("nginx is not installed (package nginx-light)")
    way = {"scheme": "https", "port": proxy.https, "validate_certs": True}
    assert check(many.instance, FIRST, through="proxy", proxy=way)[0]["reason"] == "tls_error"
    monkeypatch.setenv("SSL_CERT_FILE", str(proxy.directory / "cert.pem"))
    assert check(many.instance, FIRST, through="proxy", proxy=way)[0]["reason"] == "ok"
    alias = {"host": "alias.example", "id": 1}  # not in the certificate
    assert check(many.instance, alias, through="proxy", proxy=way)[0]["reason"] == "tls_error"


def test_proxy_that_wants_tls_or_has_nobody_behind(many: Sites, proxy: nginx.Nginx | None, tmp_path: Path) -> None:
    if proxy is None:
        pytest.skip("nginx is not installed (package nginx-light)")
    site = {"host": "encrypted.example", "id": 1}
    (row,) = check(many.instance, site, through="proxy", proxy={"port": proxy.http})
    assert (row["reason"], row["status"]) == ("redirect", 301)
    assert "https://encrypted.example/" in row["message"]
    (row,) = check(many.instance, FIRST, through="proxy", proxy={"port": proxy.https})
    assert row["reason"] == "unexpected_answer" and row["status"] == 400  # plain HTTP where TLS is spoken
    (row,) = check(many.instance, FIRST, through="proxy", proxy={"port": proxy.http, "scheme": "https"})
    assert row["reason"] == "tls_error"
    with nginx.Nginx(tmp_path / "nginx", make_instance(tmp_path / "stopped", "3.5.8")) as lonely:
        (row,) = check(many.instance, FIRST, through="proxy", proxy={"port": lonely.http})
    assert (row["reason"], row["status"]) == ("server_error", 502)


def test_database_gone_while_it_runs(tmp_path: Path) -> None:
    own = MariaDB(tmp_path / "own").start()
    sites = prepared(tmp_path / "site", own)
    article = {**SECOND, "path": "/7.html"}
    try:
        sites.instance.start()
        assert [row["reason"] for row in check(sites.instance, FIRST, SECOND, article)] == ["ok"] * 3
        sites.drop_database(2)  # siteinfo and the home page do not see it
        assert [row["reason"] for row in check(sites.instance, SECOND, article)] == ["ok", "unexpected_status"]
        own.stop()
        assert sites.instance.told_version() == "3.5.8"
        assert sites.instance.get("/")[0] == 200
        rows = check(sites.instance, FIRST, SECOND)
        assert [row["reason"] for row in rows] == ["database_gone"] * 2
        assert "connection refused" in rows[0]["message"]
        if nginx.find_nginx():
            with nginx.Nginx(tmp_path / "nginx", sites.instance) as server:
                (row,) = check(sites.instance, FIRST, through="proxy", proxy={"port": server.http})
            assert row["reason"] == "database_gone"
    finally:
        sites.instance.kill()
        own.close()


@pytest.mark.parametrize("version", ["3.5.8", "3.5.1"])  # the first answers 403, the second 200 with code 1001
def test_admin_host(tmp_path: Path, db: MariaDB, version: str) -> None:
    sites = prepared(tmp_path / "site", db, version)
    sites.configure(base_url="http://first.example", site_name="Site 1", admin_url="https://admin.example")
    sites.add(3, "gone.example")
    sites.drop_database(3)
    gone = {"host": "gone.example", "id": 3}
    try:
        started(sites.instance)

        def reasons(*asked: Row, **more: Any) -> list[str]:
            return [row["reason"] for row in check(sites.instance, *asked, **more)]

        assert reasons(FIRST, SECOND, gone) == ["admin_host"] * 3
        assert reasons() == ["ok"]  # the default site that nobody has listed, with a remark
        by = {"admin_host": "admin.example"}
        assert reasons({**FIRST, **by}, {**SECOND, **by}, {**gone, **by}) == ["ok", "ok", "answered_by_default"]
        assert reasons({**SECOND, **by, "contains": "Site 2"}, {**gone, **by, "contains": "Site 3"}) == [
            "ok",
            "content_missing",
        ]
        assert reasons({**FIRST, "admin_host": "wrong.example"}) == ["admin_host"]
    finally:
        sites.instance.kill()


def test_caches_are_passed_by_and_warmed_up(tmp_path: Path, db: MariaDB) -> None:
    sites = prepared(tmp_path / "site", db)
    root = sites.root(2)
    sites.configure(2, "html_cache", open=True)
    for number in (8, 9):
        sites.article(2, number)
    pages = [f"http://second.example/{number}.html" for number in (7, 8, 9, 99)]
    (root / "public" / "sitemap.xml").write_text(
        "<sitemapindex><sitemap><loc>http://second.example/archive-1.xml</loc></sitemap>"
        "<sitemap><loc>http://first.example/archive-1.xml</loc></sitemap></sitemapindex>"
    )
    (root / "public" / "archive-1.xml").write_text(
        "<urlset>"
        + "".join(f"<url><loc>{page}</loc></url>" for page in [*pages, "http://other.example/1.html"])
        + "</urlset>"
    )
    article = {**SECOND, "path": "/7.html"}
    try:
        sites.instance.start()
        (row,) = check(sites.instance, article)
        assert (row["reason"], row["warm_up"]) == ("ok", None)
        (row,) = check(sites.instance, article, warm_up=2)
        assert {**row["warm_up"], "ms": 0} == {"found": 2, "pages": 2, "failed": 0, "ms": 0}
        assert sorted(path.name for path in (root / "cache" / "pc").iterdir()) == ["7.html", "8.html"]
        (row,) = check(sites.instance, article, warm_up=100)
        assert {**row["warm_up"], "ms": 0} == {"found": 4, "pages": 4, "failed": 1, "ms": 0}
        assert row["reason"] == "ok"  # a page that fails changes no verdict
        sites.drop_database(2)
        assert sites.instance.get("/7.html", headers={"Host": "second.example"})[0] == 200  # from the cache
        (row,) = check(sites.instance, article, warm_up=100)
        assert (row["reason"], row["status"], row["warm_up"]) == ("unexpected_status", 404, None)
    finally:
        sites.instance.kill()
