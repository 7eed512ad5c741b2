# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import json
import random
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app.http import Reply
from ansible_collections.anqicms.lifecycle.plugins.module_utils._sites import verdict as _site_verdict
from ansible_collections.anqicms.lifecycle.plugins.module_utils._sites.verdict import Seen, Site


def info(number: t.Any = 1, base_url: str = "http://first.example", code: t.Any = 0, msg: str = "") -> Reply:
    answer = {"code": code, "msg": msg, "data": {"id": number, "base_url": base_url, "name": "x"}}
    return Reply(200, {}, json.dumps(answer).encode())


def page(status: int = 200, text: str = "welcome", location: str = "") -> Reply:
    return Reply(status, {"location": location} if location else {}, text.encode("utf-8"))


def failed(kind: str) -> Reply:
    return Reply(failure=kind, error="why")


FIRST, SECOND = Site("first.example", 1), Site("second.example", 2)
NAMELESS = Site("second.example")
IMPLIED = Site("127.0.0.1", 1, implied=True, status=None)
BY_ADMIN = Site("second.example", 2, admin_host="admin.example")
GONE = Reply(200, {}, b'{"code":-1,"msg":"dial tcp 127.0.0.1:3306: connect: connection refused"}')
FORBIDDEN = Reply(403, {}, b"Forbidden")
ENTRANCE = Reply(200, {}, b'{"code":1001,"msg":"entrance"}')
CLOSED_PAGE = "<!DOCTYPE html><title>网站已关闭</title>"

# fmt: off
CASES: t.List[t.Tuple[str, Site, Seen, str, t.Optional[int], t.Optional[int]]] = [
    ("healthy", FIRST, Seen(info(), page()), "ok", 200, 1),
    ("healthy by name", Site("first.example"), Seen(info(), page()), "ok", 200, 1),
    ("healthy by name with port", Site("FIRST.example:8001"), Seen(info(), page()), "ok", 200, 1),
    ("mobile host of a further site", NAMELESS, Seen(info(2, "http://www.second.example"), page()), "ok", 200, 2),
    ("no base url, no id", NAMELESS, Seen(info(1, ""), page()), "ok", 200, 1),
    ("base url in chinese", Site("xn--fsqu00a.example"), Seen(info(1, "http://例子.example"), page()), "ok", 200, 1),
    ("base url that is none", NAMELESS, Seen(info(1, "http://["), page()), "ok", 200, 1),
    ("default in place, by id", SECOND, Seen(info(1), page()), "answered_by_default", 200, 1),
    ("default in place, by name", NAMELESS, Seen(info(1), page()), "answered_by_default", 200, 1),
    ("default in place, page bad too", SECOND, Seen(info(1), page(404)), "answered_by_default", 404, 1),
    ("default is meant", Site("alias.example", 1), Seen(info(1), page()), "ok", 200, 1),
    ("another site", SECOND, Seen(info(3), page()), "wrong_id", 200, 3),
    ("implied", IMPLIED, Seen(info(1), page()), "ok", 200, 1),
    ("implied with a redirect", IMPLIED, Seen(info(1), page(301, "", "http://www.first.example/")), "ok", 301, 1),
    ("implied with 404", IMPLIED, Seen(info(1), page(404)), "unexpected_status", 404, 1),
    ("implied to the installer", IMPLIED, Seen(info(1), page(302, "", "/install")), "installer", 302, 1),
    ("database gone", FIRST, Seen(GONE, page()), "database_gone", 200, None),
    ("closed", FIRST, Seen(info(), page(403)), "site_closed", 403, 1),
    ("closed, meant", FIRST._replace(status=403), Seen(info(), page(403)), "ok", 403, 1),
    ("disabled", SECOND, Seen(page(200, CLOSED_PAGE), page(200, CLOSED_PAGE)), "site_disabled", 200, None),
    ("disabled in another language", SECOND, Seen(page(200, "<p>fermé"), page(200, "<p>fermé")), "site_disabled", 200,
     None),
    ("same large page", SECOND, Seen(page(200, "<p>" * 9000), page(200, "<p>" * 9000)), "unexpected_answer", 200, None),
    ("same text", SECOND, Seen(page(200, "up"), page(200, "up")), "unexpected_answer", 200, None),
    ("empty", SECOND, Seen(page(200, ""), page(200, "")), "unexpected_answer", 200, None),
    ("another page", SECOND, Seen(page(200, "<p>a"), page(200, "<p>b")), "unexpected_answer", 200, None),
    ("siteinfo 404", FIRST, Seen(page(404), page()), "unexpected_answer", 404, None),
    ("siteinfo 400", FIRST, Seen(page(400), page()), "unexpected_answer", 400, None),
    ("siteinfo with another code", FIRST, Seen(info(code=-3), page()), "unexpected_answer", 200, None),
    ("siteinfo without an id", FIRST, Seen(info(None), page()), "unexpected_answer", 200, None),
    ("siteinfo with true for an id", FIRST, Seen(info(True), page()), "unexpected_answer", 200, None),
    ("siteinfo with a text for a code", FIRST, Seen(info(code="0"), page()), "unexpected_answer", 200, None),
    ("installer", FIRST, Seen(page(302, "", "/install"), page(302, "", "/install")), "installer", 302, None),
    ("installer, whole address", FIRST, Seen(page(302, "", "http://first.example/install"), None), "installer", 302,
     None),
    ("siteinfo elsewhere", FIRST, Seen(page(301, "", "https://first.example/"), None), "redirect", 301, None),
    ("page elsewhere", FIRST, Seen(info(), page(302, "", "http://x.example/")), "redirect", 302, 1),
    ("page elsewhere, meant", FIRST._replace(status=302), Seen(info(), page(302)), "ok", 302, 1),
    ("limited", FIRST, Seen(info(), page(429)), "limited", 429, 1),
    ("limited by the proxy", FIRST, Seen(page(429), None), "limited", 429, None),
    ("panic", FIRST, Seen(info(), page(500)), "server_error", 500, 1),
    ("bad gateway", FIRST, Seen(page(502), page(502)), "server_error", 502, None),
    ("not found", FIRST, Seen(info(), page(404)), "unexpected_status", 404, 1),
    ("not found, meant", FIRST._replace(status=404), Seen(info(), page(404)), "ok", 404, 1),
    ("content", FIRST._replace(contains="wel"), Seen(info(), page()), "ok", 200, 1),
    ("chinese content", FIRST._replace(contains="你好"), Seen(info(), page(200, "x你好x")), "ok", 200, 1),
    ("other content", FIRST._replace(contains="far"), Seen(info(), page()), "content_missing", 200, 1),
    ("no time for the page", FIRST, Seen(info(), None), "timeout", None, 1),
    ("old version", FIRST, Seen(None, page()), "ok", 200, None),
    ("old version, closed", FIRST, Seen(None, page(403)), "site_closed", 403, None),
    ("old version, article gone", FIRST._replace(path="/7.html"), Seen(None, page(404)), "unexpected_status", 404,
     None),
    ("admin host not known", SECOND, Seen(FORBIDDEN, page()), "admin_host", 200, None),
    ("admin host not known, older word", SECOND, Seen(ENTRANCE, page()), "admin_host", 200, None),
    ("admin host not known, page bad", SECOND, Seen(FORBIDDEN, page(500)), "server_error", 500, None),
    ("admin host not known, content", SECOND._replace(contains="wel"), Seen(FORBIDDEN, page()), "admin_host", 200,
     None),
    ("admin host not known, implied", IMPLIED, Seen(FORBIDDEN, page()), "ok", 200, None),
    ("admin host not known, implied, closed", IMPLIED, Seen(FORBIDDEN, page(403)), "site_closed", 403, None),
    ("by the site's own admin host", BY_ADMIN, Seen(FORBIDDEN, page(), info(2)), "ok", 200, 2),
    ("its own, page bad", BY_ADMIN, Seen(FORBIDDEN, page(404), info(2)), "unexpected_status", 404, 2),
    ("by another's, page of its own", BY_ADMIN, Seen(FORBIDDEN, page(), info(1), page(200, "first")), "ok", 200, None),
    ("by another's, page of anybody", BY_ADMIN, Seen(FORBIDDEN, page(), info(1), page()), "answered_by_default", 200,
     None),
    ("by another's, content", BY_ADMIN._replace(contains="wel"), Seen(FORBIDDEN, page(), info(1)), "ok", 200, None),
    ("by another's, other content", BY_ADMIN._replace(contains="far"), Seen(FORBIDDEN, page(), info(1)),
     "content_missing", 200, None),
    ("by another's, nothing to compare", BY_ADMIN, Seen(FORBIDDEN, page(), info(1)), "admin_host", 200, None),
    ("by another's, stranger silent", BY_ADMIN, Seen(FORBIDDEN, page(), info(1), failed("timeout")), "admin_host", 200,
     None),
    ("by the admin host, database gone", BY_ADMIN, Seen(FORBIDDEN, page(), GONE), "database_gone", 200, None),
    ("by the admin host, still forbidden", BY_ADMIN, Seen(FORBIDDEN, page(), ENTRANCE), "admin_host", 403, None),
    ("by the admin host, no answer", BY_ADMIN, Seen(FORBIDDEN, page(), failed("no_answer")), "no_answer", None, None),
] + [
    (kind, FIRST, Seen(failed(kind), None), kind, None, None)
    for kind in ("timeout", "tls_error", "not_http", "no_answer")
] + [
    (kind + " of the page", FIRST, Seen(info(), failed(kind)), kind, None, 1) for kind in ("timeout", "no_answer")
]
# fmt: on


@pytest.mark.parametrize(
    "site,seen,reason,status,number", [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_verdicts(site: Site, seen: Seen, reason: str, status: t.Optional[int], number: t.Optional[int]) -> None:
    verdict = _site_verdict.decide(site, seen)
    assert (verdict.reason, verdict.status, verdict.id) == (reason, status, number), verdict
    text = _site_verdict.message(site, verdict, "http://127.0.0.1:8001")
    if not verdict.ok:
        assert text.startswith("%s (http://127.0.0.1:8001): " % site.host) and text.endswith(".")
        assert text.count(". ") >= 1  # what was seen, and what to do


ANYBODY = info(1, "")
IDENTITIES: t.List[t.Tuple[str, Site, Seen, t.Optional[str]]] = [
    ("by its id", FIRST, Seen(info(), page()), "id"),
    ("the default site is intended", FIRST, Seen(ANYBODY, page()), "id"),
    ("by its base url", Site("first.example"), Seen(info(), page()), "base_url"),
    (
        "a further site answers only to whom it claims",
        NAMELESS,
        Seen(info(2, "http://www.second.example"), page()),
        "base_url",
    ),
    ("no base url", NAMELESS, Seen(ANYBODY, page()), "not_proven"),
    ("base url that is none", NAMELESS, Seen(info(1, "http://["), page()), "not_proven"),
    ("no base url, but a text of its page", NAMELESS._replace(contains="wel"), Seen(ANYBODY, page()), "page"),
    ("no siteinfo", FIRST, Seen(None, page()), "not_proven"),
    ("no siteinfo, but a text of its page", FIRST._replace(contains="wel"), Seen(None, page()), "page"),
    ("the default site that nobody has listed", IMPLIED, Seen(ANYBODY, page()), "id"),
    ("nobody has listed it, and siteinfo is kept back", IMPLIED, Seen(FORBIDDEN, page()), "not_proven"),
    ("by the admin host", BY_ADMIN, Seen(FORBIDDEN, page(), info(2)), "id"),
    ("by the page, beside that of a stranger", BY_ADMIN, Seen(FORBIDDEN, page(), info(1), page(200, "first")), "page"),
    (
        "by a text, as siteinfo is kept back",
        BY_ADMIN._replace(contains="wel"),
        Seen(FORBIDDEN, page(), info(1)),
        "page",
    ),
    ("not ok", SECOND, Seen(info(1), page()), None),
]


@pytest.mark.parametrize("site,seen,identity", [case[1:] for case in IDENTITIES], ids=[case[0] for case in IDENTITIES])
def test_what_proves_the_identity(site: Site, seen: Seen, identity: t.Optional[str]) -> None:
    verdict = _site_verdict.decide(site, seen)
    assert (verdict.ok, verdict.identity) == (identity is not None, identity), verdict
    if identity == "not_proven":
        assert _site_verdict.message(site, verdict, "here"), "it says why"


A, B, C = Site("a.example"), Site("b.example"), Site("c.example")
TOGETHER: t.List[t.Tuple[str, t.List[Site], t.List[Reply], t.List[t.Optional[str]]]] = [
    ("one site", [A], [ANYBODY], ["not_proven"]),
    ("two, and the default one answers for both", [A, B], [ANYBODY, ANYBODY], [None, None]),
    ("one of them is the default site", [A._replace(id=1), B], [ANYBODY, ANYBODY], ["id", None]),
    ("one of them is known by its page", [A._replace(contains="wel"), B], [ANYBODY, ANYBODY], ["page", None]),
    (
        "both are known by their pages",
        [A._replace(contains="wel"), B._replace(contains="wel")],
        [ANYBODY, ANYBODY],
        ["page", "page"],
    ),
    ("both are the default site", [A._replace(id=1), B._replace(id=1)], [ANYBODY, ANYBODY], ["id", "id"]),
    ("two pages of one site", [A, A._replace(path="/7.html")], [ANYBODY, ANYBODY], ["not_proven", "not_proven"]),
    (
        "two ways to write one host",
        [A, A._replace(host="A.example:8001")],
        [ANYBODY, ANYBODY],
        ["not_proven", "not_proven"],
    ),
    ("another one answers for itself", [A, B], [ANYBODY, info(2, "http://b.example")], ["not_proven", "base_url"]),
    ("three", [A, B, C], [ANYBODY, info(2, "http://b.example"), ANYBODY], [None, "base_url", None]),
    (
        "the default site is known by its base url",
        [A, B],
        [info(1, "http://a.example"), info(1, "http://a.example")],
        ["base_url", None],
    ),
]


@pytest.mark.parametrize("sites,infos,expected", [case[1:] for case in TOGETHER], ids=[case[0] for case in TOGETHER])
def test_several_sites_tell_of_each_other(
    sites: t.List[Site], infos: t.List[Reply], expected: t.List[t.Optional[str]]
) -> None:
    alone = [_site_verdict.decide(site, Seen(told, page())) for site, told in zip(sites, infos)]
    together = _site_verdict.compare(sites, alone)
    assert [verdict.identity for verdict in together] == expected
    assert [verdict.reason for verdict in together] == [
        "ok" if identity else "answered_by_default" for identity in expected
    ]
    for site, verdict in zip(sites, together):
        if not verdict.ok:
            assert "id: 1" in _site_verdict.message(site, verdict, "here")


def test_page_is_compared_only_where_nothing_else_tells() -> None:
    assert _site_verdict.needs_stranger(BY_ADMIN, Seen(FORBIDDEN, page(), info(1)))
    assert not _site_verdict.needs_stranger(BY_ADMIN, Seen(FORBIDDEN, page(), info(2)))
    assert not _site_verdict.needs_stranger(BY_ADMIN, Seen(info(1), page(), info(1)))
    assert not _site_verdict.needs_stranger(BY_ADMIN._replace(contains="x"), Seen(FORBIDDEN, page(), info(1)))
    assert not _site_verdict.needs_stranger(BY_ADMIN, Seen(FORBIDDEN, page(), GONE))
    assert not _site_verdict.needs_stranger(BY_ADMIN, Seen(FORBIDDEN, page(), failed("timeout")))
    assert not _site_verdict.needs_stranger(SECOND, Seen(FORBIDDEN, page()))


def test_text_of_a_host_is_shown_in_one_line_without_control_characters() -> None:
    told = Reply(200, {}, json.dumps({"code": -1, "msg": "a\x1b[31m\nb" + "x" * 5000}).encode())
    text = _site_verdict.message(FIRST, _site_verdict.decide(FIRST, Seen(told, page())), "here")
    assert text.isprintable() and len(text) < 500
    assert "a?[31m?b" in text


def test_any_bytes_give_a_verdict() -> None:
    chance = random.Random(4)
    good = info().body
    for _unused in range(3000):
        body = bytearray(good[: chance.randrange(len(good) + 1)])
        for _change in range(chance.randrange(4)):
            body[chance.randrange(len(body) + 1) : chance.randrange(len(body) + 1)] = bytes([chance.randrange(256)])
        headers = {"location": "http://[" * chance.randrange(2)}
        reply = Reply(chance.choice([200, 301, 403, 404, 500]), headers, bytes(body))
        verdict = _site_verdict.decide(SECOND, Seen(reply, chance.choice([reply, page(), None])))
        assert not verdict.ok or b'"id": 2' in body


@pytest.mark.parametrize("path,status,words,others", [
    ("/", 404, "template/ of its directory", "database"),
    ("/1.html", 404, "database of an additional site", "template"),
    ("/", 418, "database of an additional site", "template"),
    ("/", 500, "that its template exists", "database"),
])  # fmt: skip
def test_what_a_page_that_is_not_found_means(path: str, status: int, words: str, others: str) -> None:
    """A site without its template answers the home page with 404 (3.5.8) or 500 (2.5.3, 3.3.11)."""
    site = Site("first.example", 1, path=path)
    text = _site_verdict.message(site, _site_verdict.decide(site, Seen(info(), page(status))), "http://127.0.0.1:8001")
    assert words in text and others not in text
