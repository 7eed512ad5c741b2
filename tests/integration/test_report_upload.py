# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reports that are uploaded: to a server that takes them, and to those that do not."""

from __future__ import annotations

import http.server
import json
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
import report_documents as documents

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language import words
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._report import upload
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._run import report

EN = words.of("en")
Answer = Callable[[http.server.BaseHTTPRequestHandler], None]


class Server:
    """On loopback. ``answer``: what it does after it has read a request; all requests are kept."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answer: Answer = lambda request: request.send_response(201)
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def _any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.requests.append((self.command, self.path, dict(self.headers), body))
                try:
                    outer.answer(self)
                    self.end_headers()
                except (OSError, AttributeError):  # the client has gone, or the headers are sent already
                    pass

            do_PUT = do_GET = do_POST = _any  # noqa: N815

            def log_message(self, *_arguments: Any) -> None:
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


def send(target: str) -> list[str]:
    return report.write({**documents.bad(), "run_id": "night/7"}, target, EN, "UTC")


def test_files_are_put_below_the_address(server: Server) -> None:
    target = server.address.replace("://", "://user:word@") + "/reports/?key=hush"
    assert report.refusal(target) == ""
    assert send(target) == [f"Report: {server.address}/reports/night_7/run.html"]
    told = [(method, path, headers["Content-Type"]) for method, path, headers, _body in server.requests]
    assert told == [
        ("PUT", "/reports/night_7/run.json?key=hush", "application/json"),
        ("PUT", "/reports/night_7/run.prom?key=hush", "text/plain; charset=utf-8"),
        ("PUT", "/reports/night_7/run.html?key=hush", "text/html; charset=utf-8"),
    ]
    assert server.requests[0][2]["Authorization"].startswith("Basic ")
    assert json.loads(server.requests[0][3])["verb"] == "configure"
    assert server.requests[2][3].startswith(b"<!DOCTYPE html>")


def moved(request: http.server.BaseHTTPRequestHandler) -> None:
    request.send_response(307)
    request.send_header("Location", "/elsewhere/")


def broken(request: http.server.BaseHTTPRequestHandler) -> None:
    request.send_response(500)


def hangs(request: http.server.BaseHTTPRequestHandler) -> None:
    time.sleep(30)


def drips(request: http.server.BaseHTTPRequestHandler) -> None:
    """A byte now and then: each wait is short, and the whole has no end."""
    request.send_response(200)
    for number in range(300):
        request.wfile.write(b"x" if number else b"HTTP/1.0 200 OK\r\nX: ")
        request.wfile.flush()
        time.sleep(0.1)


def floods(request: http.server.BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.end_headers()
    for _unused in range(20):
        request.wfile.write(bytes(1024 * 1024))
    request.close_connection = True


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (moved, "it answered with status 307, a redirect, which is not followed"),
        (broken, "it answered with status 500"),
        (hangs, "no answer within"),
        (drips, "no answer within"),
    ],
)
def test_server_that_does_not_take_it_is_a_line(
    server: Server, monkeypatch: pytest.MonkeyPatch, answer: Answer, said: str
) -> None:
    monkeypatch.setattr(upload.put, "__defaults__", (1.0,))
    server.answer = answer
    began = time.monotonic()
    (line,) = send(server.address + "/x?key=hush")
    assert line.startswith(f"The report was not written to {server.address}/x: ") and "hush" not in line
    assert said in line and "The run itself is not affected." in line
    assert len(server.requests) == 1, "nothing was asked for elsewhere, and no other file was tried"
    assert time.monotonic() - began < 20


def test_upload_without_threads(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the exit of the interpreter, after Ctrl-C, newer Pythons start none."""

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(upload.NotUploaded, match="Connection refused"):
            upload.put("http://127.0.0.1:1", "a", "run.json", b"{}", 1.0)


def test_answer_of_20_mb_is_not_read(server: Server) -> None:
    server.answer = floods
    assert send(server.address) == [f"Report: {server.address}/night_7/run.html"]


def test_nobody_listens(tmp_path: Path) -> None:
    made = Server()
    made.close()
    (line,) = send(made.address)
    assert "Connection refused" in line


@pytest.mark.parametrize(
    "target",
    [
        "ftp://reports.example/x",
        "file:///etc/passwd",
        "http://",
        "https:///x",
        "http://reports.example:port/x",
        "http://reports.example:99999/x",
        "http://[::1/x",
        "http://reports.example/a b",
        "s3://bucket",
    ],
)
def test_bad_address_is_refused_before_anything_is_touched(target: str) -> None:
    told = report.refusal(target)
    assert told.startswith("anqicms_report: the report cannot be written. ") and target.partition("://")[0] in told


@pytest.mark.parametrize(
    "target", ["http://reports.example", "https://reports.example:8443/a/?b=c", "http://[::1]:80/x"]
)
def test_good_address_is_not_refused(target: str) -> None:
    assert report.refusal(target) == ""


def test_secrets_of_an_address_are_not_shown() -> None:
    told = report.refusal("ftp://user:word@reports.example/x?key=hush#hash")
    assert "ftp://reports.example/x is not" in told
    assert not any(secret in told for secret in ("word", "hush", "user", "hash"))
