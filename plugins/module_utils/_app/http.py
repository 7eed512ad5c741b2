# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""A small HTTP client without proxies, redirects or a robot's user agent, and the version question."""

import re
import socket
import time
import typing as t
from urllib.parse import urlsplit

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import foreign_json

VERSION_PATH = '/system/api/version/info'
# The application refuses names with bot or spider.
_USER_AGENT = 'Mozilla/5.0 (X11; Linux x86_64) anqicms-lifecycle'
_LIMIT = 65536
_MOST_HEAD = 65536  # bytes in which an answer says what it is
_VERSION = re.compile(r'^v?\d{1,4}\.\d{1,4}\.\d{1,4}[0-9A-Za-z.+-]{0,32}\Z')
_CONTENT_LENGTH = re.compile(rb'(?im)^content-length:[ \t]*(\d{1,18})[ \t\r]*$')
_CHUNKED = re.compile(rb'(?im)^transfer-encoding:[ \t]*chunked[ \t\r]*$')
_PORT = re.compile(r':\d*\Z')
_CHUNK_SIZE = re.compile(rb'([0-9A-Fa-f]{1,8})[ \t]*(;.*)?\Z')
Wrap = t.Callable[[socket.socket], socket.socket]


class Target(t.NamedTuple):
    """Where questions go. With https the certificate is only looked at when ``verify`` is set.

    Unless it is a proxy it is the application itself, which is asked by a ``neutral`` host.
    """

    address: str
    port: int
    scheme: str = 'http'
    verify: bool = False
    is_proxy: bool = False


class Reply(t.NamedTuple):
    """``failure`` is None for a whole answer; else timeout, tls_error, not_http or no_answer, and ``error`` says more.

    The names of ``headers`` are in lower case. A body that reached the limit is cut there, without a failure.
    """

    status: t.Optional[int] = None
    headers: t.Mapping[str, str] = {}
    body: bytes = b''
    failure: t.Optional[str] = None
    error: t.Optional[str] = None


class Answer(t.NamedTuple):
    """``status`` None: no HTTP answer, ``error`` says why. ``version`` only from a well-formed answer."""

    status: t.Optional[int]
    version: t.Optional[str]
    error: t.Optional[str]

    @property
    def alive(self) -> bool:
        """A 403 is the application with an admin host set: it answers, but tells its version only to that host."""
        return self.version is not None or self.status == 403


def ascii_host(name: str) -> str:
    """A host name as it goes over the wire. ValueError when it cannot be one."""
    return name if all(ord(char) < 128 for char in name) else name.encode('idna').decode('ascii')


def host_of(address: str) -> str:
    """The host name of an address, as it goes over the wire and in lower case; empty when it has none."""
    try:
        return ascii_host(urlsplit(address).hostname or '')
    except ValueError:
        return ''


def neutral(host: str) -> str:
    """A host by which the application is asked, with a port that is none.

    The application finds the site without the port. One that has no base URL takes it from the first request whose host
    can be one, and links to it on every page until its next start (docs/application.md, Sites): that is never ours.
    """
    return _PORT.sub('', ascii_host(host)) + ':none'


def request(path: str, host: str, accept: str = 'application/json', *headers: str) -> bytes:
    lines = (
        'GET %s HTTP/1.1' % path,
        'Host: %s' % host,
        'User-Agent: %s' % _USER_AGENT,
        'Accept: %s' % accept,
        'Connection: close',
    ) + headers
    return '\r\n'.join(lines + ('', '')).encode('ascii')


def parse_response(data: bytes) -> t.Tuple[t.Optional[int], bytes]:
    """Status and body of a whole HTTP/1.x response; status None when it is not one."""
    head, _empty, body = data.partition(b'\r\n\r\n')
    match = re.match(rb'HTTP/1\.[01] (\d{3})', head)
    if not match:
        return None, b''
    if _CHUNKED.search(head):
        body = _dechunk(body)
    return int(match.group(1)), body


def _dechunk(data: bytes) -> bytes:
    parts: t.List[bytes] = []
    at: int = 0
    while at < len(data):
        end = data.find(b'\r\n', at)
        end = len(data) if end < 0 else end
        match = _CHUNK_SIZE.match(data, at, min(end, at + _MOST_HEAD))
        length = int(match.group(1), 16) if match else 0
        if not length:
            break
        parts.append(data[end + 2 : end + 2 + length])
        at = end + 2 + length + 2
    return b''.join(parts)


def parse_version(status: t.Optional[int], body: bytes) -> t.Optional[str]:
    """The version in a ``version/info`` answer, None for an installer's redirect, an error or anything else."""
    if status != 200:
        return None
    try:
        data = foreign_json.load(body)
        version = data['data']['version']
    except (ValueError, KeyError, TypeError):
        return None
    return version if isinstance(version, str) and _VERSION.match(version) else None


def _length(head: bytes) -> t.Optional[int]:
    """How long the body is, as the head says; None where it does not."""
    match = _CONTENT_LENGTH.search(head)
    return int(match.group(1)) if match else None


def exchange(
    address: str, port: int, message: bytes, timeout: float, limit: int = _LIMIT, wrap: t.Optional[Wrap] = None
) -> bytes:
    """Send one request, return the whole answer (at most ``limit``). OSError when it is not there in time."""
    end = time.monotonic() + timeout
    with socket.create_connection((address, port), timeout) as plain, wrap(plain) if wrap else plain as connection:
        connection.sendall(message)
        return _receive(connection, end, limit)


def _receive(connection: socket.socket, end: float, limit: int) -> bytes:
    data, wanted, has_head = bytearray(), limit, False
    while len(data) < (wanted if has_head else min(limit, _MOST_HEAD)):
        left = end - time.monotonic()
        if left <= 0:
            raise socket.timeout('no complete answer in time')
        connection.settimeout(left)
        chunk = connection.recv(_LIMIT)
        if not chunk:
            break
        looked = max(0, len(data) - 3)
        data += chunk
        head_ends = -1 if has_head else data.find(b'\r\n\r\n', looked)
        if head_ends >= 0:
            has_head, length = True, _length(bytes(data[:head_ends]))
            wanted = limit if length is None else min(limit, head_ends + 4 + length)
    return bytes(data)


def get(target: Target, host: str, path: str, timeout: float, *headers: str, limit: int = 2 << 20) -> Reply:
    """One GET request by the name ``host``; never raises. ``timeout`` in seconds for the whole answer."""
    if timeout <= 0:
        return Reply(failure='timeout', error='no time was left')
    message = request(path, host if target.is_proxy else neutral(host), '*/*', *headers)
    try:
        wrap = _tls(target, host) if target.scheme == 'https' else None
        data = exchange(target.address, target.port, message, timeout, limit, wrap)
    except OSError as exc:
        return Reply(failure=_failure(exc), error=str(exc) or type(exc).__name__)
    return parse_reply(data, limit)


def _tls(target: Target, host: str) -> Wrap:
    import ssl  # costs more than all the rest of this file, and few ask by TLS

    context = ssl.create_default_context()
    if not target.verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return lambda plain: context.wrap_socket(plain, server_hostname=host_of('//' + host))


def _failure(exc: OSError) -> str:
    if isinstance(exc, socket.timeout):
        return 'timeout'
    # Errors of ssl are OSErrors; their module need not be imported to tell.
    return 'tls_error' if type(exc).__module__ == 'ssl' else 'no_answer'


def parse_reply(data: bytes, limit: int) -> Reply:
    """A whole response as what it says, anything else as its failure. Pure."""
    if not data:
        return Reply(failure='no_answer', error='the connection was closed without an answer')
    status, body = parse_response(data)
    if status is None:
        return Reply(failure='not_http', error='the answer is not HTTP')
    if len(data) < limit and _torn(data):
        return Reply(failure='no_answer', error='the answer ended early, after %d bytes' % len(data))
    return Reply(status, _headers(data.partition(b'\r\n\r\n')[0]), body)


def _headers(head: bytes) -> t.Dict[str, str]:
    pairs = (line.partition(':') for line in head.decode('latin-1').split('\r\n')[1:])
    return {name.strip().lower(): value.strip() for name, _colon, value in pairs}


def _torn(data: bytes) -> bool:
    """Whether the end of an answer is missing, as far as its head tells how long it is."""
    head, separator, body = data.partition(b'\r\n\r\n')
    if _CHUNKED.search(head):
        return not data.endswith(b'0\r\n\r\n')
    length = _length(head)
    return not separator or (b'\ncontent-length:' in head.lower() and (length is None or len(body) < length))


def version_info(port: int, host: str = 'localhost', timeout: float = 1.0, address: str = '127.0.0.1') -> Answer:
    """Ask the instance on ``port`` for its version; ``timeout`` in seconds for the whole answer."""
    try:
        asked = request(VERSION_PATH, neutral(host))
        status, body = parse_response(exchange(address, port, asked, timeout))
    except (OSError, UnicodeError) as exc:
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
        return 'forbidden (403): an admin host is set, and only that host can read the version'
    return 'HTTP status %d without a version' % status
