# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Whether a new instance can bind its port, and the wait until it can."""

import errno
import socket
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._holders import (
    holders,
    owners,
    owns_listener,
    socket_inodes,
)

__all__ = ['Probe', 'bind_probe', 'holders', 'owners', 'owns_listener', 'socket_inodes', 'valid_ports']

_NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


class Probe(t.NamedTuple):
    """``free`` is None when the bind was refused for another reason than a holder; ``reason`` says it for people."""

    free: t.Optional[bool]
    errno: int
    reason: str


def _try_bind(family: int, address: str, port: int) -> int:
    """The errno of the bind that a Go server does (0: it succeeds). Never listens: a dial must not find the probe."""
    try:
        with socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            sock.bind((address, port))
        return 0
    except OSError as exc:
        return exc.errno or errno.EIO


def bind_probe(port: int, address: str = '::') -> Probe:
    """One look, under 0.1 ms: does the bind of a new instance succeed now?

    ``::`` is what AnQiCMS binds: both families on one socket; where IPv6 is off, 0.0.0.0 as Go does.
    """
    code = _try_bind(socket.AF_INET6 if ':' in address else socket.AF_INET, address, port)
    if address == '::' and code in _NO_IPV6:
        code = _try_bind(socket.AF_INET, '0.0.0.0', port)
    return Probe({0: True, errno.EADDRINUSE: False}.get(code), code, _explain_errno(code, port, address))


def _explain_errno(code: int, port: int, address: str) -> str:
    if code == 0:
        return 'free'
    if code == errno.EADDRINUSE:
        return 'in use'
    if code in (errno.EACCES, errno.EPERM):
        return (
            'this user may not bind port %d (a privileged port, or a security policy such as SELinux); whether it is '
            'in use is not known' % port
        )
    if code == errno.EADDRNOTAVAIL:
        return '%s is not an address of this host' % address
    return 'bind of %s port %d failed: %s' % (address, port, errno.errorcode.get(code, code))


def valid_ports(ports: t.Sequence[int]) -> t.List[int]:
    """The ports without repetition, in their order; LifecycleError when one is not 1..65535 or there is none."""
    wrong = [port for port in ports if not 1 <= port <= 65535]
    if wrong or not ports:
        raise LifecycleError(
            '%s. Ports are numbers from 1 to 65535. Nothing was looked at.'
            % ('These are no TCP ports: %s' % ', '.join(map(str, wrong)) if wrong else 'No port was given')
        )
    return sorted(set(ports), key=list(ports).index)
