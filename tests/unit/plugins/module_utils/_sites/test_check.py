# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import http, versions
from ansible_collections.anqicms.lifecycle.plugins.module_utils._sites import check as _site_check
from ansible_collections.anqicms.lifecycle.plugins.module_utils._sites import options as _site_options

PLACES: t.List[t.Tuple[str, t.Optional[str]]] = [
    ("/new", "/new"),
    ("/new#part", "/new"),
    ("//b.example/new", None),
    ("http://a.example/new?x=1", "/new?x=1"),
    ("http://a.example:8001/", "/"),
    ("http://A.EXAMPLE", "/"),
    ("https://a.example/new", None),
    ("http://b.example/new", None),
    ("http://a.example.b.example/", None),
    ("javascript:alert(1)", None),
    ("new", None),
    ("http://[", None),
    ("", None),
]


@pytest.mark.parametrize("location,path", PLACES)
def test_redirects_stay_on_the_host(location: str, path: t.Optional[str]) -> None:
    assert _site_check.same_place(location, "a.example:8001", "http") == path


HOSTS: t.List[t.Tuple[str, bool]] = [
    ("shop.example", True),
    ("localhost", True),
    ("127.0.0.1", True),
    ("[::1]", True),
    ("[::1]:8001", True),
    ("shop.example:8001", True),
    ("xn--fiqs8s", True),
    ("例子.example", True),
    ("a_b.example", True),
    ("", False),
    ("a b", False),
    ("a\n", False),
    ("a\r\nb", False),
    ("a\x00", False),
    ("a/b", False),
    ("a:0", False),
    ("a:70000", False),
    ("a:b", False),
    ("http://a", False),
    ("a@b", False),
    ("-a", False),
    ("a" * 300, False),
    (".", False),
    ("[::1", False),
    ("\u2028", False),
]


@pytest.mark.parametrize("host,good", HOSTS)
def test_hosts(host: str, good: bool) -> None:
    site = dict(host=host, id=None, path="/", status=200, contains=None, admin_host=None)
    wrong = _site_options.wrong_site(site)
    assert (not wrong) == good, wrong
    assert all(text.isprintable() for text in wrong)


def test_siteinfo_is_there_from_3_0_5_on() -> None:
    told = {version: versions.has_siteinfo(version) for version in ("2.5.3", "3.0.4", "3.0.5", "3.5.8", None)}
    assert told == {"2.5.3": False, "3.0.4": False, "3.0.5": True, "3.5.8": True, None: True}


REPLIES: t.List[t.Tuple[str, bytes, t.Optional[str], bytes]] = [
    ("whole", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n\r\nhi", None, b"hi"),
    ("to the end", b"HTTP/1.0 200 OK\r\n\r\nhi", None, b"hi"),
    ("chunked", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", None, b"hi"),
    ("nothing", b"", "no_answer", b""),
    ("not http", b"+OK ready\r\n", "not_http", b""),
    ("head alone", b"HTTP/1.1 200 OK\r\nContent-Le", "no_answer", b""),
    ("torn", b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhi", "no_answer", b""),
    ("torn chunks", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n", "no_answer", b""),
]


@pytest.mark.parametrize("data,failure,body", [case[1:] for case in REPLIES], ids=[case[0] for case in REPLIES])
def test_replies(data: bytes, failure: t.Optional[str], body: bytes) -> None:
    reply = http.parse_reply(data, 1000)
    assert (reply.failure, reply.body) == (failure, body)
    assert (reply.status is None) == (failure is not None) == bool(reply.error)


def test_body_that_reached_the_limit_is_cut_and_no_failure() -> None:
    data = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"x" * 100
    assert http.parse_reply(data, len(data)).failure is None
    assert http.parse_reply(data, len(data) + 1).failure == "no_answer"


def test_a_name_cannot_end_the_line_of_its_header() -> None:
    message = http.request("/", "a.example", "*/*", "Cache-Control: no-cache")
    assert message.endswith(b"Cache-Control: no-cache\r\n\r\n") and message.count(b"\r\n\r\n") == 1
