# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Chat robots and webhooks on loopback, which check signatures by the public documents of their services.

The signatures are computed here from SHA-256 alone, so that they share nothing with the code that is tested.
"""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

TOKEN = "tok3n-0f-a-r0b0t-that-n0b0dy-may-read"
SECRET = "SEC5ecret0fS1gnatures"
SIGNING = ("dingtalk", "feishu", "webhook")
HUGE = 20 * 1024 * 1024
_REFUSED: dict[str, Any] = {
    "dingtalk": {"errcode": 310000, "errmsg": "sign not match"},
    "feishu": {"code": 19021, "msg": "sign match fail or timestamp is not within one hour from current time"},
    "wecom": {"errcode": 93000, "errmsg": "invalid webhook url"},
}
_ACCEPTED: dict[str, Any] = {
    "dingtalk": {"errcode": 0, "errmsg": "ok"},
    "feishu": {"StatusCode": 0, "StatusMessage": "success", "code": 0, "data": {}, "msg": "success"},
    "wecom": {"errcode": 0, "errmsg": "ok"},
}


class Received(NamedTuple):
    kind: str
    body: bytes

    @property
    def payload(self) -> dict[str, Any]:
        return dict(json.loads(self.body))


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """RFC 2104."""
    key = (hashlib.sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key) + message).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in key) + inner).digest()


class Robots:
    """A server that plays all services; a context manager. Paths are /KIND/HABIT."""

    def __init__(self, certificate: Path | None = None) -> None:
        self.received: list[Received] = []
        self.ends = threading.Event()
        robots = self

        class Handler(_Handler):
            owner = robots

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
            self.scheme = "https"

    def __enter__(self) -> "Robots":
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.ends.set()
        self.server.shutdown()
        self.server.server_close()

    def url(self, kind: str, habit: str = "ok") -> str:
        return f"{self.scheme}://127.0.0.1:{self.server.server_address[1]}/{kind}/{habit}?access_token={TOKEN}"

    def target(self, kind: str, habit: str = "ok", **more: Any) -> dict[str, Any]:
        signed = {"secret": SECRET} if kind in SIGNING else {}
        return {"type": kind, "url": self.url(kind, habit), "timeout": 30.0, **signed, **more}


class _Handler(BaseHTTPRequestHandler):
    owner: Robots

    def log_message(self, *_arguments: object) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        path, _question, query = self.path.partition("?")
        _empty, kind, habit = path.split("/")
        if not self._is_signed(kind, dict(urllib.parse.parse_qsl(query)), body):
            self._answer(_REFUSED.get(kind), 403)
            return
        self.owner.received.append(Received(kind, body))
        try:
            getattr(self, f"_{habit}")(kind)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def do_GET(self) -> None:
        """Where a redirect leads."""
        self.owner.received.append(Received("redirected", b"{}"))
        self._answer(None, 200)

    def _is_signed(self, kind: str, query: dict[str, str], body: bytes) -> bool:
        if kind == "dingtalk":
            key, text, sign = SECRET, f"{query['timestamp']}\n{SECRET}", query["sign"]
            return query["timestamp"].isdigit() and len(query["timestamp"]) == 13 and _is(sign, key, text)
        if kind == "feishu":
            payload = json.loads(body)
            return len(payload["timestamp"]) == 10 and _is(payload["sign"], f"{payload['timestamp']}\n{SECRET}", "")
        if kind == "webhook":
            stamp = self.headers["X-Anqicms-Timestamp"]
            digest = hmac_sha256(SECRET.encode(), stamp.encode() + b"." + body)
            return bool(self.headers["X-Anqicms-Signature"] == "sha256=" + digest.hex())
        return True

    def _answer(self, payload: Any, status: int = 200) -> None:
        """Robots refuse with HTTP 200, the others with a status."""
        text = b"ok" if payload is None else json.dumps(payload).encode()
        self.send_response(status if payload is None else 200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    # --- habits

    def _ok(self, kind: str) -> None:
        self._answer(_ACCEPTED.get(kind))

    def _errcode(self, kind: str) -> None:
        self._answer(_REFUSED.get(kind, {"ok": False, "error": "invalid_token"}))

    def _refusing(self, _kind: str) -> None:
        self._answer(None, 500)

    def _redirecting(self, kind: str) -> None:
        self.send_response(302)
        self.send_header("Location", self.owner.url(kind))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _huge(self, _kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(HUGE))
        self.end_headers()
        for _number in range(HUGE // 65536):
            self.wfile.write(b"x" * 65536)

    def _hanging(self, _kind: str) -> None:
        self.owner.ends.wait(60)

    def _dripping(self, _kind: str) -> None:
        self.send_response(200)
        self.end_headers()
        while not self.owner.ends.wait(0.05):
            self.wfile.write(b" ")

    def _echoing(self, kind: str) -> None:
        """What a proxy or a curious robot may do: the answer contains everything that came."""
        said = f"no such robot: {self.path} {SECRET} {self.owner.url(kind, 'echoing')}"
        self._answer({"errcode": 1, "errmsg": said, "code": 1, "msg": said, "ok": False, "error": said})

    def _echoing_status(self, _kind: str) -> None:
        self.send_response(404)
        self.end_headers()
        self.wfile.write(f"no such robot: {self.path}".encode())


def _is(sign: str, key: str, text: str) -> bool:
    return sign == base64.b64encode(hmac_sha256(key.encode(), text.encode())).decode()
