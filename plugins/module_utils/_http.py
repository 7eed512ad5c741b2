# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The version question over HTTP: a small client without proxy, redirects or a robot's user agent."""

import json
import re
import socket
import time
import typing as t

VERSION_PATH = '/system/api/version/info'
# The application refuses names with bot or spider.
_USER_AGENT = 'Mozilla/5.0 (X11; Linux x86_64) anqicms-lifecycle'
_LIMIT = 65536
_VERSION = re.compile(r'^v?\d{1,4}\.\d{1,4}\.\d{1,4}[0-9A-Za-z.+-]{0,32}\Z')
_CHUNK_SIZE = re.compile(rb'([0-9A-Fa-f]{1,8})[ \t]*(;.*)?\Z')


class Answer(t.NamedTuple):
    """``status`` None: no HTTP answer, ``error`` says why. ``version`` only from a well-formed answer."""

    status: t.Optional[int]
    version: t.Optional[str]
    error: t.Optional[str]

    @property
    def alive(self) -> bool:
        """A 403 is the application with an admin host set: it answers, but tells its version only to that host."""
        return self.version is not None or self.status == 403


def request(path: str, host: str) -> bytes:
    return ('GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\nAccept: application/json\r\nConnection: close\r\n\r\n'
            % (path, host, _USER_AGENT)).encode('ascii')


def parse_response(data: bytes) -> t.Tuple[t.Optional[int], bytes]:
    """Status and body of a whole HTTP/1.x response; status None when it is not one."""
    head, _empty, body = data.partition(b'\r\n\r\n')
    match = re.match(rb'HTTP/1\.[01] (\d{3})', head)
    if not match:
        return None, b''
    if re.search(rb'(?im)^transfer-encoding:\s*chunked\s*$', head):
        body = _dechunk(body)
    return int(match.group(1)), body


def _dechunk(data: bytes) -> bytes:
    parts = []
    while data:
        size, _end, data = data.partition(b'\r\n')
        match = _CHUNK_SIZE.match(size)
        length = int(match.group(1), 16) if match else 0
        if not length:
            break
        parts.append(data[:length])
        data = data[length + 2:]
    return b''.join(parts)


def parse_version(status: t.Optional[int], body: bytes) -> t.Optional[str]:
    """The version in a ``version/info`` answer, None for an installer's redirect, an error or anything else."""
    if status != 200:
        return None
    try:
        data = json.loads(body.decode('utf-8'))
        version = data['data']['version']
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return version if isinstance(version, str) and _VERSION.match(version) else None


def _whole(data: bytes) -> bool:
    head, separator, body = data.partition(b'\r\n\r\n')
    match = re.search(rb'(?im)^content-length:\s*(\d+)\s*$', head)
    return bool(separator) and match is not None and len(body) >= int(match.group(1))


def exchange(address: str, port: int, message: bytes, timeout: float) -> bytes:
    """Send one request, return the whole answer (at most 64 KiB). OSError when it is not there in time."""
    end = time.monotonic() + timeout
    with socket.create_connection((address, port), timeout) as connection:
        connection.sendall(message)
        data = b''
        while len(data) < _LIMIT and not _whole(data):
            left = end - time.monotonic()
            if left <= 0:
                raise socket.timeout('no whole answer in %g s' % timeout)
            connection.settimeout(left)
            chunk = connection.recv(_LIMIT)
            if not chunk:
                break
            data += chunk
        return data


def version_info(port: int, host: str = 'localhost', timeout: float = 1.0, address: str = '127.0.0.1') -> Answer:
    """Ask the instance on ``port`` for its version; ``timeout`` in seconds for the whole answer."""
    try:
        status, body = parse_response(exchange(address, port, request(VERSION_PATH, '%s:%d' % (host, port)), timeout))
    except OSError as exc:
        return Answer(None, None, str(exc) or type(exc).__name__)
    version = parse_version(status, body)
    if version:
        return Answer(status, version, None)
    return Answer(status, None, _why_no_version(status))


def _why_no_version(status: t.Optional[int]) -> str:
    if status is None:
        return 'the answer is not HTTP'
    if status == 302:
        return 'redirected (302): the application is in install mode, it has no usable config.json'
    if status == 403:
        return 'forbidden (403): an admin host is set, the version is told to that host only'
    return 'HTTP status %d without a version' % status
