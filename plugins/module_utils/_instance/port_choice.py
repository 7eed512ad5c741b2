# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Which port an instance listens on, and which port its next start opens.

The listening sockets of the process decide the first, its arguments and config.json the second. The number that the
caller gives (the option ``port``, mostly from an inventory) decides neither: with a wrong one a healthy site would look
closed. It only chooses among the sockets of the process where nothing else does, and stands in for what cannot be read.
"""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import config_file
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import holders, procfs, sockdiag
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import selection

_ALL_ADDRESSES = ('::', '0.0.0.0')  # the application listens on nothing else
_UNREADABLE = ('unreadable', 'unsafe')  # states of a config.json whose content is not known to us

Listeners = t.Optional[t.Sequence[sockdiag.Sock]]


class Ports(t.NamedTuple):
    """``now``: of the running process, None when nothing runs. ``next``: of the next start. None also: not known."""

    now: t.Optional[int] = None
    next: t.Optional[int] = None
    listening: t.Optional[bool] = False  # whether the process listens on ``now``; None: its sockets cannot be read
    unclear: t.Sequence[int] = ()  # it listens on all of these, and nothing names the one of the site
    next_from: str = 'config.json'

    @property
    def known(self) -> t.Optional[int]:
        """Where it is, or would be, reached."""
        return self.now or self.next


def own_listeners(proc: procfs.ProcDir) -> Listeners:
    """The listening sockets of one process, none when it has ended. None when this user cannot see them.

    A process without any in our network namespace may have some in its own.
    """
    try:
        # A port that is opened between the two readings would be missed, so none is only believed the second time.
        socks = _listeners_of(proc) or _listeners_of(proc)
        return socks if socks or holders.same_network(proc) else None
    except OSError as exc:
        return [] if exc.errno in procfs.GONE else None


def _listeners_of(proc: procfs.ProcDir) -> t.List[sockdiag.Sock]:
    return sockdiag.listeners(inodes=holders.socket_inodes(proc))


def next_port(
    argv: t.Sequence[str], config: t.Optional[config_file.ConfigFile], given: t.Optional[int]
) -> t.Optional[int]:
    """The port that a start with these arguments opens. None when nothing names it. Pure."""
    port = selection.argv_port(argv) or (config.port if config else None)
    return given if port is None and config is not None and config.state in _UNREADABLE else port


def _chosen(own: t.Sequence[sockdiag.Sock], expected: t.Iterable[t.Optional[int]]) -> t.Tuple[int, t.List[int]]:
    """The site's port among those that the process listens on, and all that it could be as well.

    The application listens on all addresses, so a socket of one address (a profiler's, for example) is not the site's.
    """
    wide = {sock.local_port for sock in own if sock.local_address in _ALL_ADDRESSES}
    ports = sorted(wide or {sock.local_port for sock in own})
    named = [port for port in expected if port in ports]
    if named:
        return named[0], []
    return ports[0], ports if len(ports) > 1 else []


def decide(
    runs: bool,
    own: Listeners,
    argv: t.Sequence[str],
    config: t.Optional[config_file.ConfigFile],
    given: t.Optional[int],
) -> Ports:
    """Both ports of an instance. ``argv``: of its process, or of its launch record. Pure."""
    following = next_port(argv, config, given)
    found = Ports(next=following, next_from='-port' if selection.argv_port(argv) else 'config.json')
    if not runs:
        return found
    if own is None:
        return found._replace(now=following or given, listening=None)
    if not own:
        return found._replace(now=following)  # it has not opened its port yet, or has closed it
    now, unclear = _chosen(own, (following, given))
    return found._replace(now=now, listening=True, unclear=unclear)


def problem(ports: Ports, given: t.Optional[int], pid: t.Optional[int]) -> t.Optional[str]:
    """Why no changing verb should work with this: the given port belongs to nothing here. None: it fits. Pure."""
    if ports.unclear:
        return 'pid %s listens on ports %s, and neither -port nor config.json nor port names the one of the site' % (
            pid,
            ', '.join(map(str, ports.unclear)),
        )
    expected = {port for port in (ports.now, ports.next) if port}
    if given is None or not expected or given in expected:
        return None
    return 'port %d was given, but %s' % (given, _what_is_so(ports, pid))


def _what_is_so(ports: Ports, pid: t.Optional[int]) -> str:
    following = 'its next start would use port %s (%s)' % (ports.next, ports.next_from)
    if ports.next is None:
        following = 'the port of its next start is not known'
    if ports.listening:
        return 'pid %s listens on port %s, and %s' % (pid, ports.now, following)
    if ports.now is None:
        return 'it does not run, and %s' % following
    sight = 'listens on no port now' if ports.listening is False else 'has sockets that this user cannot read'
    return 'pid %s %s, and %s' % (pid, sight, following)
