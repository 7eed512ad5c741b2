# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small threaded HTTP/1.1 server that stops like Go's net/http."""

from __future__ import annotations

import json
import socket
import threading
import time
from typing import Any, BinaryIO, Callable, Iterable, NamedTuple
from urllib.parse import unquote

from standin.config import DRIPPING, HELD, NOT_ACCEPTED, SILENT

_REASONS = {
    200: "OK",
    301: "Moved Permanently",
    302: "Found",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    429: "Too Many Requests",
    500: "Internal Server Error",
}
_FRESH_SECONDS = 5  # Go calls a connection without a request idle only after this time
_DRIP_SECONDS = 0.05


class Request(NamedTuple):
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Iterable[bytes]

    @property
    def host(self) -> str:
        return self.headers.get("host", "")


class Response(NamedTuple):
    """`stream` sends its parts chunked, one after the other, instead of `body`."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/html; charset=utf-8"
    location: str = ""
    stream: Iterable[bytes] | None = None


def json_response(code: int, text: str, data: Any = None) -> Response:
    """The application's envelope: without data where there is none, but for a plain success."""
    body: dict[str, Any] = {"code": code, "msg": text}
    if code == 0 and (data is not None or not text):
        body["data"] = data
    return Response(
        body=json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(),
        content_type="application/json; charset=utf-8",
    )


Handler = Callable[[Request], Response]


class _Connection:
    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.state = "new"
        self.since = time.monotonic()

    def idle(self) -> bool:
        return self.state == "idle" or (self.state == "new" and time.monotonic() - self.since > _FRESH_SECONDS)


class Server:
    """`listener` is bound already. Starts no thread before `start`. `hangs` is one of config.HANGS."""

    def __init__(self, listener: socket.socket, handler: Handler, hangs: str = "") -> None:
        self._listener = listener
        self._handler = handler
        self._hangs = hangs
        self._connections: set[_Connection] = set()
        self._lock = threading.Lock()
        self._closing = False

    def start(self) -> None:
        if self._hangs != NOT_ACCEPTED:
            threading.Thread(target=self._accept, daemon=True).start()

    def close_port(self) -> None:
        """Close the listener and the idle connections; requests in flight go on."""
        with self._lock:
            if not self._closing:
                self._closing = True
                try:
                    self._listener.shutdown(socket.SHUT_RDWR)  # frees the port although a thread is in accept
                except OSError:
                    pass
                self._listener.close()
            self._close_idle()

    def drain(self) -> None:
        """Wait, without limit, until no request is in flight."""
        self.close_port()
        pause = 0.001
        while True:
            with self._lock:
                self._close_idle()
                if not self._connections:
                    return
            time.sleep(pause)
            pause = min(pause * 2, 0.5)

    def _close_idle(self) -> None:
        for connection in [one for one in self._connections if one.idle()]:
            self._connections.discard(connection)
            _close(connection.sock)

    def _accept(self) -> None:
        while True:
            try:
                sock, _unused = self._listener.accept()
            except OSError:
                if self._closing:
                    return
                time.sleep(0.005)
                continue
            connection = _Connection(sock)
            with self._lock:
                self._connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: _Connection) -> None:
        sock = connection.sock
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            stream = sock.makefile("rb")
            while self._one_request(connection, stream):
                pass
        except OSError:
            pass
        finally:
            with self._lock:
                self._connections.discard(connection)
            _close(sock)

    def _one_request(self, connection: _Connection, stream: BinaryIO) -> bool:
        """Serve one request; false when the connection is to be closed."""
        if self._hangs == SILENT:
            connection.state = "active"
            _wait_for_ever()
        start = stream.readline(65536)
        if not start.endswith(b"\n"):
            return False
        with self._lock:
            if connection not in self._connections:
                return False
            connection.state = "active"
        headers = _read_headers(stream)
        self._hang(connection.sock)
        words = start.decode("latin-1").split()
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            connection.sock.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n400 Bad Request")
            return False
        if headers.get("expect", "").lower() == "100-continue":
            connection.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = _Body(stream, int(headers.get("content-length") or 0))
        response = self._handler(_request(words, headers, body))
        for _unused in body:
            pass
        keep = words[2] != "HTTP/1.0" and headers.get("connection", "").lower() != "close" and not self._closing
        _send(connection.sock, response, keep, words[0] == "HEAD")
        with self._lock:
            connection.state = "idle"
        return keep and not self._closing

    def _hang(self, sock: socket.socket) -> None:
        if self._hangs == HELD:
            _wait_for_ever()
        if self._hangs == DRIPPING:
            sock.sendall(b"HTTP/1.1 200 OK\r\nX-Drip: ")
            while True:
                time.sleep(_DRIP_SECONDS)
                sock.sendall(b"x")


def _wait_for_ever() -> None:
    threading.Event().wait()


class _Body:
    """Reads the request's body part by part; what the handler leaves is read afterwards."""

    def __init__(self, stream: BinaryIO, length: int) -> None:
        self._stream = stream
        self._left = length

    def __iter__(self) -> "_Body":
        return self

    def __next__(self) -> bytes:
        if self._left <= 0:
            raise StopIteration
        part: bytes = self._stream.read1(min(self._left, 65536))  # type: ignore[attr-defined]
        if not part:
            raise ConnectionError("the client closed the connection within its body")
        self._left -= len(part)
        return part


def _close(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    sock.close()


def _read_headers(stream: BinaryIO) -> dict[str, str]:
    headers: dict[str, str] = {}
    while True:
        row = stream.readline(65536)
        if row in (b"\r\n", b"\n", b""):
            return headers
        name, _unused, value = row.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()


def _request(words: list[str], headers: dict[str, str], body: Iterable[bytes]) -> Request:
    path, _unused, text = words[1].partition("?")
    pairs = (part.partition("=") for part in text.split("&") if part)
    query = {unquote(name): unquote(value) for name, _unused, value in pairs}
    return Request(words[0], unquote(path), query, headers, body)


def _send(sock: socket.socket, response: Response, keep: bool, head_only: bool) -> None:
    rows = [
        f"HTTP/1.1 {response.status} {_REASONS.get(response.status, 'Status')}",
        f"Content-Type: {response.content_type}",
        time.strftime("Date: %a, %d %b %Y %H:%M:%S GMT", time.gmtime()),
    ]
    if response.location:
        rows.append(f"Location: {response.location}")
    rows.append(
        "Transfer-Encoding: chunked" if response.stream is not None else f"Content-Length: {len(response.body)}"
    )
    if not keep:
        rows.append("Connection: close")
    header = ("\r\n".join(rows) + "\r\n\r\n").encode()
    if response.stream is None or head_only:
        sock.sendall(header + (b"" if head_only else response.body))
        return
    sock.sendall(header)
    for part in response.stream:
        sock.sendall(b"%x\r\n%s\r\n" % (len(part), part))
    sock.sendall(b"0\r\n\r\n")
