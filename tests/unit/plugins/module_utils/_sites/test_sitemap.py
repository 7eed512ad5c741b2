# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._sites import sitemap

URLSET = b'<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">%s</urlset>'
INDEX = b"<sitemapindex><sitemap><loc>%s</loc></sitemap></sitemapindex>"
CASES: t.List[t.Tuple[str, bytes, t.List[str], t.List[str]]] = [
    ("page", URLSET % b"<url><loc>http://a.example/1.html</loc></url>", ["/1.html"], []),
    ("home page", URLSET % b"<url><loc>http://a.example</loc></url>", ["/"], []),
    ("any case", URLSET % b"<URL><LOC>HTTP://A.Example/1</LOC></URL>", ["/1"], []),
    ("twice", URLSET % (b"<url><loc>http://a.example/1</loc></url>" * 2), ["/1"], []),
    ("entities", URLSET % b"<loc>http://a.example/?a=1&amp;b=2</loc>", ["/?a=1&b=2"], []),
    ("cdata", URLSET % b"<loc><![CDATA[http://a.example/c]]></loc>", ["/c"], []),
    ("blanks around", URLSET % b"<loc>\n  http://a.example/1\n </loc>", ["/1"], []),
    ("port", URLSET % b"<loc>http://a.example:8080/1</loc>", ["/1"], []),
    ("chinese", URLSET % "<loc>http://a.example/关于</loc>".encode(), ["/%E5%85%B3%E4%BA%8E"], []),
    ("not ascii", URLSET % "<loc>http://例子.example/1</loc>".encode(), [], []),
    ("encoded already", URLSET % b"<loc>http://a.example/%E5%85%B3</loc>", ["/%E5%85%B3"], []),
    ("header injection", URLSET % b"<loc>http://a.example/&#13;&#10;X: 1</loc>", ["/X:%201"], []),
    ("other host", URLSET % b"<loc>http://b.example/1</loc><loc>//a.example/1</loc><loc>/1</loc>", [], []),
    ("host as a user", URLSET % b"<loc>http://a.example@b.example/1</loc>", [], []),
    ("other scheme", URLSET % b"<loc>file://a.example/etc/passwd</loc><loc>javascript:1</loc>", [], []),
    ("no address", URLSET % b"<loc>http://[</loc>", [], []),
    ("cut", (URLSET % b"<loc>http://a.example/1</loc><loc>http://a.ex")[:-9], ["/1"], []),
    ("index", INDEX % b"http://a.example/archive-1.xml", [], ["/archive-1.xml"]),
    ("index of another host", INDEX % b"http://b.example/archive-1.xml", [], []),
    ("text", b"http://a.example/1\r\nhttp://a.example/2\r\n\r\nhttp://b.example/3", ["/1", "/2"], []),
    (
        "text index",
        b"http://a.example/category.txt\r\nhttp://a.example/archive-1.txt",
        [],
        ["/category.txt", "/archive-1.txt"],
    ),
    ("html", b"<!DOCTYPE html><p>404</p>", [], []),
    ("not utf-8", b"\xff\xfe\r\nhttp://a.example/1", ["/1"], []),
    ("nothing", b"", [], []),
]


@pytest.mark.parametrize("body,pages,sitemaps", [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_sitemaps(body: bytes, pages: t.List[str], sitemaps: t.List[str]) -> None:
    found = sitemap.parse(body, "a.example")
    assert (list(found.pages), list(found.sitemaps)) == (pages, sitemaps)


def test_host_may_be_written_in_either_way() -> None:
    body = URLSET % "<loc>http://例子.example/1</loc><loc>http://xn--fsqu00a.example/2</loc>".encode()
    assert sitemap.parse(body, "xn--fsqu00a.example:8001").pages == ["/1", "/2"]


def test_large_file_takes_no_long_time() -> None:
    hostile = b"<loc>" * 400000 + b"http://a.example/1</loc>"
    assert len(sitemap.parse(hostile, "a.example").pages) <= 1
