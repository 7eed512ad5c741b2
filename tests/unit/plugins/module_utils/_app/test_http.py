# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import socket
import threading
import time
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import http

GOOD = b'{"code":0,"msg":"","data":{"version":"3.5.8"}}'


def response(body: bytes, status: bytes = b"200 OK", *headers: bytes) -> bytes:
    lines = (b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body)) + headers
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ANSWERS: t.List[t.Tuple[str, bytes, t.Optional[int], t.Optional[str]]] = [
    ("good", response(GOOD), 200, "3.5.8"),
    ("http 1.0, ends with the connection", b"HTTP/1.0 200 OK\r\n\r\n" + GOOD, 200, "3.5.8"),
    ("chunked", CHUNKED + b"A\r\n" + GOOD[:10] + b"\r\n24;x=y\r\n" + GOOD[10:] + b"\r\n0\r\n\r\n", 200, "3.5.8"),
    ("chunked, torn", CHUNKED + b"ff\r\n" + GOOD[:10], 200, None),
    ("chunked, no size", CHUNKED + b"zz\r\n" + GOOD + b"\r\n0\r\n\r\n", 200, None),
    ("chunked, negative size", CHUNKED + b"-5\r\n" + GOOD + b"\r\n0\r\n\r\n", 200, None),
    ("torn body", response(GOOD)[:-5], 200, None),
    ("torn head", b"HTTP/1.1 200 OK\r\nContent-Le", 200, None),
    ("install mode", response(b"", b"302 Found", b"Location: /install"), 302, None),
    ("admin host", response(b"Forbidden", b"403 Forbidden"), 403, None),
    ("broken", response(b"oops", b"502 Bad Gateway"), 502, None),
    ("version in an error", response(GOOD, b"500 Internal Server Error"), 500, None),
    ("page", response(b"<!DOCTYPE html>"), 200, None),
    ("other json", response(b"[1, 2]"), 200, None),
    ("no data", response(b'{"code":1001}'), 200, None),
    ("null data", response(b'{"data":null}'), 200, None),
    ("number", response(b'{"data":{"version":3.5}}'), 200, None),
    ("not a version", response(b'{"data":{"version":"{{ lookup }}"}}'), 200, None),
    ("control characters", response(b'{"data":{"version":"3.5.8\\u001b[0m"}}'), 200, None),
    ("newline at the end", response(b'{"data":{"version":"3.5.8\\n"}}'), 200, None),
    ("not utf-8", response(b'{"data":{"version":"\xff"}}'), 200, None),
    ("deep", response(b'{"data":' + b"[" * 60000), 200, None),
    ("not http", b"SSH-2.0-OpenSSH_9.2\r\n", None, None),
    ("binary", bytes(bytearray(range(256))) * 10, None, None),
    ("nothing", b"", None, None),
]


class Server:
    """Answers every connection with the same bytes, a few at a time if asked to."""

    def __init__(self, data: bytes, piece: int = 0, delay: float = 0.0, keep: bool = False) -> None:
        self.data, self.piece, self.delay, self.keep = data, piece or len(data) or 1, delay, keep
        self.got: t.List[bytes] = []
        self.sock = socket.socket()
        self.sock.bind(("127.0.0.1", 0))
        self.sock.listen(5)
        self.port = self.sock.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        peer = self.sock.accept()[0]
        try:
            self.got.append(peer.recv(4096))
            for start in range(0, len(self.data), self.piece):
                time.sleep(self.delay)
                peer.sendall(self.data[start : start + self.piece])
            if self.keep:
                peer.recv(1)
        except OSError:
            pass
        finally:
            peer.close()
            self.sock.close()


@pytest.mark.parametrize("data,status,version", [case[1:] for case in ANSWERS], ids=[case[0] for case in ANSWERS])
def test_answers(data: bytes, status: t.Optional[int], version: t.Optional[str]) -> None:
    answer = http.version_info(Server(data).port)
    assert (answer.status, answer.version) == (status, version)
    assert bool(answer.error) == (version is None)
    assert answer.alive == (version is not None or status == 403)


def test_answer_in_pieces_on_a_connection_that_stays_open() -> None:
    server = Server(response(GOOD), piece=7, keep=True)
    begin = time.monotonic()
    assert http.version_info(server.port, "shop.example", timeout=60.0).version == "3.5.8"
    assert time.monotonic() - begin < 30.0
    lines = server.got[0].split(b"\r\n")
    assert lines[0] == b"GET /system/api/version/info HTTP/1.1"
    assert b"Host: shop.example:none" in lines and b"Connection: close" in lines
    agent = next(line for line in lines if line.startswith(b"User-Agent"))
    assert b"bot" not in agent.lower() and b"spider" not in agent.lower()


@pytest.mark.parametrize(
    "host, asked",
    [
        ("localhost", "localhost:none"),
        ("shop.example:8001", "shop.example:none"),
        ("shop.example:", "shop.example:none"),
        ("[::1]", "[::1]:none"),
        ("[::1]:80", "[::1]:none"),
        ("b\u00fccher.example", "xn--bcher-kva.example:none"),
    ],
)
def test_application_is_asked_by_no_port(host: str, asked: str) -> None:
    """Its base URL would be that of our question; a proxy needs the host as it is."""
    server = Server(response(GOOD))
    assert http.get(http.Target("127.0.0.1", server.port), host, "/", 30.0).status == 200
    assert ("\r\nHost: %s\r\n" % asked).encode() in server.got[0]


def test_proxy_is_asked_by_the_host_as_it_is() -> None:
    server = Server(response(GOOD))
    assert http.get(http.Target("127.0.0.1", server.port, is_proxy=True), "shop.example", "/", 30.0).status == 200
    assert b"\r\nHost: shop.example\r\n" in server.got[0]


def test_silence_ends_in_time() -> None:
    begin = time.monotonic()
    answer = http.version_info(Server(b"", keep=True).port, timeout=0.2)
    assert answer.status is None and answer.version is None and answer.error
    assert time.monotonic() - begin < 30.0


def test_drip_ends_in_time() -> None:
    """Each piece comes in time, the whole never does."""
    begin = time.monotonic()
    answer = http.version_info(Server(response(b"x" * 4000), piece=1, delay=0.02).port, timeout=0.2)
    assert answer.version is None
    assert time.monotonic() - begin < 30.0


def test_endless_answer_is_cut() -> None:
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    begin = time.monotonic()
    assert http.version_info(Server(head + b"x" * (8 << 20), keep=True).port, timeout=60.0).version is None
    assert time.monotonic() - begin < 30.0


def test_nobody_listens() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        answer = http.version_info(bound.getsockname()[1])
    assert (answer.status, answer.version, answer.alive) == (None, None, False) and answer.error


def test_no_proxy_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert http.version_info(Server(response(GOOD)).port).version == "3.5.8"


HEAD = b"HTTP/1.1 200 OK\r\n"
HOSTILE = {
    "digits": HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\nx",
    "blanks": HEAD + b"Content-Length:" + b" " * 60000 + b"\r\n\r\nx",
    "one byte in each of many chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 340000,
    "no end of a head": HEAD + b"Content-Length:\r\n" * 100000,
}


@pytest.mark.parametrize("answer", list(HOSTILE.values()), ids=list(HOSTILE))
def test_hostile_answers_take_little_time(answer: bytes) -> None:
    begin = time.process_time()
    http.parse_reply(answer, 2 << 20)
    http.parse_response(answer)
    assert time.process_time() - begin < 3.0


@pytest.mark.parametrize("answer", list(HOSTILE.values()), ids=list(HOSTILE))
def test_hostile_answers_of_a_server(answer: bytes) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(1)

        def serve() -> None:
            connection = server.accept()[0]
            with connection:
                try:
                    connection.recv(4096)
                    connection.sendall(answer)
                except OSError:
                    pass  # it has had enough

        thread = threading.Thread(target=serve)
        thread.start()
        told = http.version_info(server.getsockname()[1], timeout=5.0)
        thread.join()
    assert told.version is None
