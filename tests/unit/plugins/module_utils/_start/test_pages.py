# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the answer of the home page says about a start."""

import http.server
import threading
import time
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import http as _http
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import pages


@pytest.mark.parametrize("reply,codes,unknown", [
    (None, [], False),
    (_http.Reply(200), [], False),
    (_http.Reply(404), [], False),
    (_http.Reply(429), [], False),
    (_http.Reply(500), ["page_5xx"], False),
    (_http.Reply(503), ["page_5xx"], False),
    (_http.Reply(failure="timeout", error="no complete answer in time"), [], True),
    (_http.Reply(failure="no_answer"), [], True),
])  # fmt: skip
def test_findings_and_notes(reply: t.Optional[_http.Reply], codes: t.List[str], unknown: bool) -> None:
    assert [finding["code"] for finding in pages.findings(reply)] == codes
    assert bool(pages.notes(reply)) is unknown


class _Page(http.server.BaseHTTPRequestHandler):
    works_at = 0.0
    asked: t.ClassVar[t.List[t.Tuple[str, str]]] = []

    def do_GET(self) -> None:
        self.asked.append((self.headers["Host"], self.headers["Cache-Control"]))
        self.send_response(200 if time.monotonic() >= self.works_at else 500)
        self.end_headers()

    def log_request(self, code: t.Any = "-", size: t.Any = "-") -> None:
        pass


@pytest.fixture
def page() -> t.Iterator[t.Callable[[float], int]]:
    """A home page that answers with 500 for so many seconds; its port."""
    server = http.server.HTTPServer(("127.0.0.1", 0), _Page)
    thread = threading.Thread(target=server.serve_forever)

    def begin(seconds: float) -> int:
        _Page.works_at = time.monotonic() + seconds
        _Page.asked.clear()
        thread.start()
        return server.server_port

    yield begin
    server.shutdown()
    thread.join()
    server.server_close()


def test_it_is_waited_for(page: t.Callable[[float], int]) -> None:
    port, begin = page(0.4), time.monotonic()
    assert pages.wait(port, "shop.example", 3.0, lambda: False).status == 200
    assert time.monotonic() - begin >= 0.4
    assert set(_Page.asked) == {("shop.example:none", "no-cache")}


def test_not_longer_than_the_limit_nor_than_the_process_lives(page: t.Callable[[float], int]) -> None:
    port, begin = page(60), time.monotonic()
    assert pages.wait(port, "localhost", 0.3, lambda: False).status == 500
    assert 0.2 <= time.monotonic() - begin < 2
    begin = time.monotonic()
    assert pages.wait(port, "localhost", 30, lambda: True).status == 500
    assert pages.wait(port, "localhost", 0.0, lambda: False).status == 500
    assert time.monotonic() - begin < 2
