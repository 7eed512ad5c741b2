# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""site_check against stand-ins with several sites, directly and through a real nginx."""

from __future__ import annotations

import os
import socket
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import nginx
import pytest
import windows
from instance import Instance, make_instance
from mariadb import MariaDB
from websites import Sites

from ansible_collections.anqicms.lifecycle.plugins.module_utils import _site_check, _step_site_check, _validate
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError

Row = dict[str, Any]
Ask = Callable[..., list[Row]]
FIRST, SECOND = {"host": "first.example", "id": 1}, {"host": "second.example", "id": 2}


@pytest.fixture(autouse=True)
def never_a_real_release(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RELEASES", raising=False)


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDB]:
    with MariaDB(tmp_path_factory.mktemp("db") / "mariadb") as server:
        yield server


def prepared(directory: Path, db: MariaDB, version: str = "3.5.8") -> Sites:
    """An instance with first.example and second.example, stopped."""
    instance = make_instance(directory, version, db=db, database=f"s_{os.urandom(4).hex()}")
    instance.start()
    instance.kill()
    sites = Sites(instance, db)
    sites.configure(base_url="http://first.example", site_name="Site 1")
    sites.add(2, "second.example")
    sites.article(2, 7)
    return sites


def started(instance: Instance) -> None:
    """Start it without a wait for its version, which an admin host keeps back."""
    instance.start(wait=0)
    listens = windows.within(20, lambda: socket.socket().connect_ex(("127.0.0.1", instance.port)) == 0)
    assert listens, instance.log_text()


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


def options(**given: Any) -> Row:
    """The options with their defaults, as a step of a window gets them."""
    ((_name, values),) = _validate.validate([{"site_check": given}], set())
    return values


def check(instance: Instance, *sites: Row, **given: Any) -> list[Row]:
    """One row for each site, whatever the verdict is."""
    context = windows.context_of(instance)
    try:
        return list(_site_check.check(context, options(**({"sites": list(sites)} if sites else {}), **given))["sites"])
    except LifecycleError as error:
        assert "sites" in error.result, error.msg
        return list(error.result["sites"])
    finally:
        context.close()


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
    ("database gone at the start", {"host": "gone.example", "id": 3}, "default_site", 200, 1),
    ("the same without an id", {"host": "gone.example"}, "default_site", 200, 1),
    ("a stranger that is meant", {"host": "alias.example", "id": 1}, "ok", 200, 1),
    ("wrong id", {"host": "second.example", "id": 4}, "wrong_id", 200, 2),
    ("closed", {"host": "closed.example", "id": 4}, "site_closed", 403, 4),
    ("closed on purpose", {"host": "closed.example", "id": 4, "status": 403, "contains": "back soon"}, "ok", 403, 4),
    ("disabled", {"host": "disabled.example", "id": 5}, "site_disabled", 200, None),
    ("no such page", {**SECOND, "path": "/8.html"}, "unexpected_status", 404, 2),
    ("other content", {**SECOND, "contains": "Site 3"}, "content_missing", 200, 2),
    ("a robot's page", {**SECOND, "path": "/old", "contains": "Article 7"}, "ok", 200, 2),
    ("redirect that is meant", {**SECOND, "path": "/old", "status": 301}, "ok", 301, 2),
    ("redirect to elsewhere", {**SECOND, "path": "/away"}, "redirect", 301, 2),
    ("redirect for ever", {**SECOND, "path": "/loop"}, "redirect", 301, 2),
]


@pytest.mark.parametrize(("site", "reason", "status", "number"), [state[1:] for state in STATES],
                         ids=[state[0] for state in STATES])
def test_states(ask: Ask, site: Row, reason: str, status: int, number: int | None) -> None:
    (row,) = ask(site)
    assert (row["reason"], row["status"], row["id"]) == (reason, status, number), row
    assert row["ok"] == (reason == "ok")
    assert bool(row["message"]) == (reason != "ok")
    assert row["host"] == site["host"] and isinstance(row["ms"], int)


def test_all_sites_are_named_in_the_failure(many: Sites) -> None:
    sites = [FIRST, {"host": "gone.example", "id": 3}, {"host": "closed.example", "id": 4}]
    with pytest.raises(LifecycleError) as caught:
        _site_check.check(windows.context_of(many.instance), options(sites=sites))
    assert caught.value.msg.startswith("2 of 3 sites of ")
    assert "default_site: gone.example (http://127.0.0.1:" in caught.value.msg
    assert "site_closed: closed.example" in caught.value.msg
    assert [row["ok"] for row in caught.value.result["sites"]] == [True, False, False]


def test_the_default_site_is_asked_when_none_is_listed(many: Sites) -> None:
    (row,) = check(many.instance)
    assert (row["host"], row["reason"], row["id"]) == ("127.0.0.1", "ok", 1)


def test_the_application_sees_a_browser_and_no_proxy_of_the_environment(
        many: Sites, monkeypatch: pytest.MonkeyPatch) -> None:
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
        many: Sites, proxy: nginx.Nginx | None, monkeypatch: pytest.MonkeyPatch) -> None:
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
        assert reasons({**FIRST, **by}, {**SECOND, **by}, {**gone, **by}) == ["ok", "ok", "default_site"]
        assert reasons({**SECOND, **by, "contains": "Site 2"}, {**gone, **by, "contains": "Site 3"}) == [
            "ok", "content_missing"]
        assert reasons({**FIRST, "admin_host": "wrong.example"}) == ["admin_host"]
    finally:
        sites.instance.kill()


@pytest.fixture
def single(tmp_path: Path) -> Iterator[Callable[..., Instance]]:
    """An instance that serves one site from memory; it ends with the test."""
    made: list[Instance] = []

    def make(version: str = "3.5.8", **knobs: Any) -> Instance:
        instance = make_instance(tmp_path / f"site-{len(made)}", version)
        instance.knobs(no_database=True, **knobs)
        made.append(instance)
        instance.start()
        return instance

    yield make
    for instance in made:
        instance.kill()


@pytest.mark.parametrize(("knobs", "site", "reason", "status"), [
    ({"limited": True}, {}, "limited", 429),
    ({"panics_at": "/"}, {}, "server_error", 500),
    ({"panics_at": "/system/api/siteinfo"}, {}, "server_error", 500),
    ({}, {"path": "/slow?ms=3000"}, "timeout", None),
])
@pytest.mark.parametrize("through", ["direct", "proxy"])
def test_trouble(single: Callable[..., Instance], tmp_path: Path, through: str, knobs: Row, site: Row, reason: str,
                 status: int | None) -> None:
    instance, site = single(**knobs), {"host": "first.example", "id": 1, **site}
    begin = time.monotonic()
    if through == "direct":
        (row,) = check(instance, site, timeout=1.0)
    elif not nginx.find_nginx():
        pytest.skip("nginx is not installed (package nginx-light)")
    else:
        with nginx.Nginx(tmp_path / "nginx", instance) as server:
            (row,) = check(instance, site, timeout=1.0, through="proxy", proxy={"port": server.http})
    assert (row["reason"], row["status"]) == (reason, status), row
    assert time.monotonic() - begin < 2.8


def test_installer(tmp_path: Path) -> None:
    instance = make_instance(tmp_path / "site", "3.5.8")
    (instance.dir / "config.json").unlink()
    process = instance.spawn("-port", str(instance.port))
    try:
        assert windows.within(10, lambda: b"install" in Path(instance.log).read_bytes() or process.poll() is None)
        assert windows.within(10, lambda: socket.socket().connect_ex(("127.0.0.1", instance.port)) == 0)
        (row,) = check(instance, FIRST)
        assert (row["reason"], row["status"]) == ("installer", 302)
    finally:
        instance.kill()


@pytest.mark.parametrize("version", ["2.3.6", "2.5.3"])
def test_versions_without_siteinfo_are_known_by_their_page(single: Callable[..., Instance], version: str) -> None:
    rows = check(single(version), {"host": "first.example", "contains": "Default Website"},
                 {"host": "first.example", "contains": "elsewhere"}, {"host": "first.example", "path": "/9.html"})
    assert [row["reason"] for row in rows] == ["ok", "content_missing", "unexpected_status"]
    assert "no siteinfo" in rows[0]["message"]


@pytest.mark.parametrize("version", ["3.1.9", "3.3.11", "3.4.0", "3.5.1"])
def test_versions_with_siteinfo(single: Callable[..., Instance], version: str) -> None:
    (row,) = check(single(version), FIRST)
    assert (row["reason"], row["id"], row["message"]) == ("ok", 1, "")


def test_instance_that_does_not_run_and_port_of_a_stranger(single: Callable[..., Instance]) -> None:
    instance = single()
    other = single()
    context = windows.context_of(instance, port=other.port)
    with pytest.raises(LifecycleError, match="not belong to process"):
        _site_check.check(context, options())
    context.close()
    instance.kill()
    with pytest.raises(LifecycleError, match="does not run"):
        _site_check.check(windows.context_of(instance), options())


class Wire:
    """Answers every connection by a function of the test; ends with the test."""

    def __init__(self, answer: Callable[[socket.socket], None]) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.asked = 0
        threading.Thread(target=self._serve, args=(answer,), daemon=True).start()

    def _serve(self, answer: Callable[[socket.socket], None]) -> None:
        while True:
            try:
                peer = self.listener.accept()[0]
            except OSError:
                return
            self.asked += 1
            with peer:
                try:
                    answer(peer)
                except OSError:
                    pass


def _reset(peer: socket.socket) -> None:
    peer.recv(1000)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def _says(data: bytes) -> Callable[[socket.socket], None]:
    def answer(peer: socket.socket) -> None:
        peer.recv(1000)
        peer.sendall(data)

    return answer


def _trickles(peer: socket.socket) -> None:
    peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        time.sleep(0.05)
        peer.sendall(b"x")


def _endless(peer: socket.socket) -> None:
    peer.recv(1000)
    peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        peer.sendall(b"x" * 65536)


@pytest.mark.parametrize(("answer", "reason"), [
    (_reset, "no_answer"),
    (_says(b""), "no_answer"),
    (_says(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"), "no_answer"),
    (_says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"), "no_answer"),
    (_says(b"SSH-2.0-OpenSSH_9.2\r\n"), "not_http"),
    (_says(b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 100000), "unexpected_answer"),
    (_says(b"HTTP/1.1 301 Moved\r\nLocation: http://[\r\n\r\n"), "redirect"),
    (_trickles, "timeout"),
    (_endless, "unexpected_answer"),
], ids=["reset", "nothing", "torn", "torn chunks", "ssh", "deep", "bad redirect", "trickle", "endless"])
def test_wires(single: Callable[..., Instance], answer: Callable[[socket.socket], None], reason: str) -> None:
    wire = Wire(answer)
    begin = time.monotonic()
    (row,) = check(single(), FIRST, through="proxy", proxy={"port": wire.port}, timeout=1.0)
    wire.listener.close()
    assert row["reason"] == reason, row
    assert time.monotonic() - begin < 4.0
    (row,) = check(single(), FIRST, through="proxy", proxy={"port": wire.port}, timeout=1.0)
    assert row["reason"] in ("no_answer", reason)


def test_redirect_to_another_host_is_never_followed(single: Callable[..., Instance]) -> None:
    trap = Wire(_says(b"HTTP/1.1 200 OK\r\n\r\ntrapped"))
    instance = single(redirects=[["/", f"http://127.0.0.1:{trap.port}/"]])
    (row,) = check(instance, FIRST)
    assert (row["reason"], trap.asked) == ("redirect", 0)
    trap.listener.close()


def test_caches_are_passed_by_and_warmed_up(tmp_path: Path, db: MariaDB) -> None:
    sites = prepared(tmp_path / "site", db)
    root = sites.root(2)
    sites.configure(2, "html_cache", open=True)
    for number in (8, 9):
        sites.article(2, number)
    pages = [f"http://second.example/{number}.html" for number in (7, 8, 9, 99)]
    (root / "public" / "sitemap.xml").write_text(
        "<sitemapindex><sitemap><loc>http://second.example/archive-1.xml</loc></sitemap>"
        "<sitemap><loc>http://first.example/archive-1.xml</loc></sitemap></sitemapindex>")
    (root / "public" / "archive-1.xml").write_text("<urlset>" + "".join(
        f"<url><loc>{page}</loc></url>" for page in [*pages, "http://other.example/1.html"]) + "</urlset>")
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


def test_warm_up_of_a_plain_sitemap_ends_in_time(single: Callable[..., Instance]) -> None:
    instance = single()
    (instance.dir / "public" / "sitemap.txt").write_text(
        "\r\n".join(f"http://first.example/slow?ms={number}" for number in range(400, 500)))
    begin = time.monotonic()
    (row,) = check(instance, FIRST, warm_up=1000, warm_up_timeout=1.0)
    assert row["reason"] == "ok"
    assert row["warm_up"]["found"] == 100 and 2 <= row["warm_up"]["pages"] <= 3
    assert time.monotonic() - begin < 2.5


def test_a_window_ends_with_it_and_does_not_start_again(single: Callable[..., Instance]) -> None:
    instance = single()
    steps = [*windows.RESTART, {"site_check": {"sites": [FIRST]}}]
    result = windows.run(instance, steps)
    assert result["outcome"] == "done", result
    assert result["steps"][-1]["result"]["sites"][0]["reason"] == "ok"
    steps[-1] = {"site_check": {"sites": [{**FIRST, "id": 2}]}}
    result = windows.run(instance, steps)
    assert (result["outcome"], result["state"]) == ("failed", "running")
    assert result["steps"][-1]["result"]["sites"][0]["reason"] == "default_site"
    assert "default_site: first.example" in result["msg"]
    starts = instance.log_text().count("Now listening on")
    assert starts == 3 and result["pid_after"] == instance.pid


@pytest.mark.parametrize("given", [
    {"sites": []},
    {"sites": [{"host": "a b"}]},
    {"sites": [{"host": "a\r\nX-Evil: 1"}]},
    {"sites": [{"host": "a.example/x"}]},
    {"sites": [{"host": ""}]},
    {"sites": [{"host": "a.example:70000"}]},
    {"sites": [{"host": "a.example", "path": "x"}]},
    {"sites": [{"host": "a.example", "path": "/x y"}]},
    {"sites": [{"host": "a.example", "path": "/x\x00"}]},
    {"sites": [{"host": "a.example", "status": 99}]},
    {"sites": [{"host": "a.example", "id": 0}]},
    {"sites": [{"host": "a.example", "contain": "x"}]},
    {"sites": [{"host": "a.example", "admin_host": "/"}]},
    {"through": "proxy"},
    {"proxy": {"port": 80}},
    {"through": "proxy", "sites": [FIRST], "proxy": {"port": 65536}},
    {"through": "proxy", "sites": [FIRST], "proxy": {"address": "a b"}},
    {"timeout": 0},
    {"warm_up": -1},
    {"warm_up_timeout": 0},
], ids=str)
def test_wrong_options_are_refused_before_anything_is_asked(single: Callable[..., Instance], given: Row) -> None:
    instance = single()
    before = instance.log_text()
    context = windows.context_of(instance)
    for refuse in (_site_check.check, _step_site_check.plan):
        with pytest.raises(LifecycleError, match="No site was asked"):
            refuse(context, options(**given))
    context.close()
    assert instance.log_text() == before
