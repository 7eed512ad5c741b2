# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Which database a start will ask, and whether it can be connected to now: one connect, no login, within a limit.

A name is resolved in a process of its own, because getaddrinfo knows no limit.
"""

import errno
import json
import os
import re
import select
import signal
import socket
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import versions
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import children

LIMIT_S = 2.0
_REAP_S = 1.0
_DEFAULT_HOST = '127.0.0.1'
_DEFAULT_PORT = 3306
_BUSY_S = 0.05  # a local socket whose queue is full is asked again after that
_FIRST_WITH_ENVIRONMENT = (3, 4, 2)
_FIRST_WITH_USER_PASSWORD = (3, 4, 10)
_NOT_ITS_FAULT = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EAFNOSUPPORT)
_IN_PROGRESS = (0, errno.EINPROGRESS, errno.EALREADY, errno.EINTR)


class Target(t.NamedTuple):
    """``host``: a name, an address, or with a slash in front the path of a socket. ``source``: who names it."""

    host: str
    port: int
    source: str = 'config.json'

    @property
    def is_socket(self) -> bool:
        return self.host.startswith('/')

    @property
    def is_literal(self) -> bool:
        return self.is_socket or _family(self.host) is not None

    @property
    def address(self) -> str:
        """For people: what the site's user wrote is shown without control characters, and not in full length."""
        host = ''.join(char if char.isprintable() else '?' for char in self.host[:255])
        if self.is_socket:
            return host
        return '%s:%d' % ('[%s]' % host if ':' in host else host, self.port)


class Answer(t.NamedTuple):
    """``problem``: why it cannot be reached; ``unknown``: why that could not be found out. Neither: it was reached."""

    target: Target
    problem: t.Optional[str] = None
    unknown: t.Optional[str] = None

    @property
    def reached(self) -> bool:
        return self.problem is None and self.unknown is None


def from_json(data: t.Sequence[t.Any]) -> Answer:
    """An answer that came through a pipe."""
    return Answer(Target(*data[0]), *data[1:])


def _family(host: str) -> t.Optional[int]:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host.partition('%')[0])
            return int(family)
        except (OSError, ValueError):
            continue
    return None


# --- which database: pure


def _host(text: t.Any) -> str:
    host = str(text or '').strip() or _DEFAULT_HOST
    if host.startswith('unix('):
        return '/' + host[len('unix(') :].rstrip(')').lstrip('/')
    return host[1:-1] if host.startswith('[') and host.endswith(']') else host


def _from_file(configured: t.Mapping[str, t.Any]) -> t.Optional[Target]:
    if not configured.get('database'):
        return None
    port = configured.get('port')
    return Target(_host(configured.get('host')), port if isinstance(port, int) and port else _DEFAULT_PORT)


def _from_environment(environment: t.Mapping[str, str], version: t.Optional[str]) -> t.Optional[Target]:
    """All of name, host and a password must be set, or the application takes none of them."""
    password = environment.get('MYSQL_ROOT_PASSWORD')
    if not password and versions.at_least(version, _FIRST_WITH_USER_PASSWORD) is not False:
        password = environment.get('MYSQL_PASSWORD')
    if not (password and environment.get('MYSQL_DATABASE') and environment.get('MYSQL_HOST')):
        return None
    port = environment.get('MYSQL_PORT') or ''
    number = int(port) if re.match(r'[0-9]{1,5}$', port) else 0
    return Target(_host(environment['MYSQL_HOST']), number or _DEFAULT_PORT, 'MYSQL_* of the environment')


def targets(
    configured: t.Mapping[str, t.Any], environment: t.Mapping[str, str], version: t.Optional[str]
) -> t.List[Target]:
    """The database of the next start; two where the version that would decide is not known; none when none is named."""
    first, second = _from_file(configured), _from_environment(environment, version)
    knows = versions.at_least(version, _FIRST_WITH_ENVIRONMENT)
    wanted = [first] if second is None or knows is False else [second] if knows else [second, first]
    found: t.List[Target] = []
    for target in wanted:
        if target is not None and target[:2] not in [other[:2] for other in found]:
            found.append(target)
    return found


# --- can it be reached


def _now_left(until: float) -> float:
    return max(0.0, until - time.monotonic())


def _reason(code: int) -> str:
    known = {
        errno.ECONNREFUSED: 'it refuses connections',
        errno.ETIMEDOUT: 'it does not answer',
        errno.ENOENT: 'the socket does not exist',
        errno.ENETUNREACH: 'there is no route to it (%s)' % os.strerror(errno.ENETUNREACH),
        errno.EHOSTUNREACH: 'there is no route to it (%s)' % os.strerror(errno.EHOSTUNREACH),
    }
    return known.get(code) or os.strerror(code)


def _no_answer(limit: float) -> str:
    return 'it did not answer within %g s' % limit


Address = t.Tuple[int, t.Any]


def _addresses(target: Target) -> t.List[Address]:
    """All addresses of the target. OSError (gaierror) when the name cannot be resolved."""
    if target.is_socket:
        return [(int(socket.AF_UNIX), target.host)]
    flags = socket.AI_NUMERICHOST if target.is_literal else 0
    host = target.host.encode('utf-8', 'surrogateescape')  # text would load a codec, which this user may not read
    found = socket.getaddrinfo(host, target.port, 0, socket.SOCK_STREAM, 0, flags)
    return list(dict.fromkeys((int(family), where) for family, _kind, _protocol, _name, where in found))


class _Attempts:
    """Connects to all addresses at the same time: one that does not answer must not use up the time of the others."""

    def __init__(self, limit: float) -> None:
        self.until, self.limit = time.monotonic() + limit, limit
        self.open: t.Dict[int, t.Tuple[socket.socket, t.Any]] = {}
        self.busy: t.List[Address] = []
        self.errors: t.List[int] = []

    def run(self, addresses: t.Sequence[Address]) -> t.Optional[str]:
        """None when one was reached, else why none was. OSError when it could not be tried."""
        try:
            waiting = list(addresses)
            while waiting or self.open or self.busy:
                if any(self._begin(address) for address in waiting) or self._any_ready():
                    return None
                waiting, self.busy = self.busy, []
                if time.monotonic() >= self.until:
                    return _no_answer(self.limit)
            return self._why()
        finally:
            for sock, _address in self.open.values():
                sock.close()

    def _why(self) -> str:
        told = [code for code in self.errors if code not in _NOT_ITS_FAULT]
        if self.errors and not told:
            raise OSError(self.errors[0], os.strerror(self.errors[0]))
        return _reason(told[0]) if told else 'it has no address'

    def _begin(self, address: Address) -> bool:
        try:
            sock = socket.socket(address[0], socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        except OSError as exc:
            self.errors.append(exc.errno or 0)
            return False
        sock.setblocking(False)
        self.open[sock.fileno()] = (sock, address)
        return self._settle(sock.fileno(), sock.connect_ex(address[1]))

    def _settle(self, number: int, code: int) -> bool:
        """Whether it is connected; a failure is noted."""
        if code in _IN_PROGRESS:
            return code == 0
        sock, address = self.open.pop(number)
        sock.close()
        if code == errno.EAGAIN:
            self.busy.append(address)
        else:
            self.errors.append(code)
        return False

    def _any_ready(self) -> bool:
        poller = select.poll()
        for number in self.open:
            poller.register(number, select.POLLOUT)
        left = min(_now_left(self.until), _BUSY_S) if self.busy else _now_left(self.until)
        for number, _events in poller.poll(int(left * 1000 + 0.999)) if self.open or self.busy else []:
            if self._settle(number, self.open[number][0].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)):
                return True
        return False


def ask_here(target: Target, limit: float = LIMIT_S, resolved: t.Callable[[], None] = lambda: None) -> Answer:
    """Ask as whoever this process is. May take longer than the limit where a name has to be resolved."""
    if not target.is_socket and not 0 < target.port < 65536:
        return Answer(target, 'its port is not between 1 and 65535')
    try:
        addresses = _addresses(target)
    except (OSError, ValueError) as exc:
        return Answer(target, 'its name cannot be resolved (%s)' % (getattr(exc, 'strerror', None) or exc))
    resolved()
    try:
        return Answer(target, _Attempts(limit).run(addresses))
    except (OSError, ValueError) as exc:
        return Answer(target, unknown=str(getattr(exc, 'strerror', None) or exc))


class _Process:
    """One question in a process of its own, which ends by itself soon after the limit."""

    def __init__(self, target: Target, limit: float, who: t.Optional[children.Identity]) -> None:
        self.target, self.limit, self.who = target, limit, who
        self.until = time.monotonic() + limit
        self.pid = 0

    def answer(self) -> Answer:
        read, write = os.pipe()
        try:
            self.pid = os.fork()
        except OSError:
            os.close(write)
            os.close(read)
            raise
        if self.pid == 0:
            self._child(write)
        os.close(write)
        try:
            return self._judge(self._lines(read))
        finally:
            os.close(read)
            children.end(self.pid, _REAP_S)

    def _lines(self, read: int) -> t.List[t.Dict[str, t.Any]]:
        data = b''
        poller = select.poll()
        poller.register(read, select.POLLIN)
        while poller.poll(int(_now_left(self.until) * 1000 + 0.999)):
            chunk = os.read(read, 4096)
            if not chunk:
                break
            data += chunk
        return [json.loads(line.decode('utf-8')) for line in data.split(b'\n')[:-1]]

    def _judge(self, lines: t.Sequence[t.Mapping[str, t.Any]]) -> Answer:
        last = lines[-1] if lines else {}
        if 'problem' in last:
            return Answer(self.target, last['problem'], last['unknown'])
        if time.monotonic() < self.until:
            return Answer(self.target, unknown='the process that asked was killed')
        what = _no_answer(self.limit) if last else 'its name was not resolved within %g s' % self.limit
        return Answer(self.target, what)

    def _child(self, write: int) -> None:
        """Never returns."""

        def tell(**line: t.Any) -> None:
            os.write(write, json.dumps(line).encode('utf-8') + b'\n')

        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, set())
            signal.setitimer(signal.ITIMER_REAL, self.limit + _REAP_S)
            children.close_all_but({write})
            with children.Acting(self.who or children.own_identity()):
                answer = ask_here(self.target, self.limit, lambda: tell(resolved=True))
            tell(problem=answer.problem, unknown=answer.unknown)
        except OSError as exc:
            tell(problem=None, unknown=exc.strerror)
        finally:
            os._exit(0)


def ask(target: Target, who: t.Optional[children.Identity] = None, limit: float = LIMIT_S) -> Answer:
    """Ask, as another user where ``who`` is given. Never longer than the limit.

    A process of its own costs milliseconds, so there is one only where a name has to be resolved.
    """
    try:
        if not target.is_literal:
            return _Process(target, limit, who).answer()
        with children.Acting(who or children.own_identity()):
            return ask_here(target, limit)
    except OSError as exc:
        return Answer(target, unknown=exc.strerror)


def ask_all(
    wanted: t.Sequence[Target], asking: t.Callable[[Target, float], Answer], limit: float = LIMIT_S
) -> t.List[Answer]:
    """Ask one after the other until one is reached, all within one limit."""
    until: float = time.monotonic() + limit
    answers: t.List[Answer] = []
    for index, target in enumerate(wanted):
        left = _now_left(until) / (len(wanted) - index)
        answers.append(asking(target, left))
        if answers[-1].reached:
            break
    return answers
