# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What is worth saying about a port: pure sentences, and a look outside this network namespace."""

import socket
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import holders as _holders
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import sockdiag

NOT_DRAINED = ('ESTABLISHED', 'SYN_RECV', 'FIN_WAIT1', 'FIN_WAIT2', 'CLOSE_WAIT', 'LAST_ACK', 'CLOSING')
_DIAL_S = 0.2

Entries = t.List[t.Dict[str, t.Any]]


def describe_holders(holders: Entries) -> str:
    """One sentence that names them."""
    parts = []
    for entry in holders:
        who = (
            'pid %d (%s, user %s)' % (entry['pid'], entry['exe'], entry['user'])
            if entry['pid']
            else 'user %s' % entry['user']
        )
        note = ': %s' % entry['note'] if entry['note'] else ''
        parts.append('%s port %d %s by %s%s' % (entry['address'], entry['port'], entry['state'], who, note))
    return 'Held: %s.' % '; '.join(parts)


def _ephemeral_range() -> t.Tuple[int, int]:
    with open('/proc/sys/net/ipv4/ip_local_port_range') as stream:
        low, high = stream.read().split()
    return int(low), int(high)


_ONLY_TIME_WAIT = (
    'Only connections in TIME_WAIT (%d) hold the port. They come from a listener that did not set SO_REUSEADDR. The '
    'kernel frees the port after at most 60 seconds.'
)
_NO_HOLDER = (
    'No process that holds the port is visible. Either a socket is bound but does not listen (Linux before 6.8 does '
    'not show these), or the port was released just now.'
)
_EPHEMERAL = (
    'An outgoing connection uses this port as its local port: the kernel assigns ports %d-%d to any program. Add the '
    'port to net.ipv4.ip_local_reserved_ports.'
)


def compose_notes(
    released: t.Optional[bool], address: str, socks: t.Sequence[sockdiag.Sock], holders: Entries
) -> t.List[str]:
    """What the sockets of the ports explain, in sentences."""
    if released is None:
        return []
    counts = sockdiag.count_states(socks)
    waiting, open_now = counts.get('TIME_WAIT', 0), sum(counts.get(name, 0) for name in NOT_DRAINED)
    if released:
        return _notes_when_free(address, socks, waiting, open_now)
    if not holders:
        return [_ONLY_TIME_WAIT % waiting if waiting else _NO_HOLDER]
    low, high = _ephemeral_range()
    taken = any(entry['state'] not in ('LISTEN', 'BOUND') and low <= entry['port'] <= high for entry in holders)
    return [_EPHEMERAL % (low, high)] if taken else []


def _notes_when_free(address: str, socks: t.Sequence[sockdiag.Sock], waiting: int, open_now: int) -> t.List[str]:
    notes = []
    if open_now:
        notes.append(
            '%d accepted connection(s) are still open after their listener has ended; they do not prevent a start.'
            % open_now
        )
    if waiting:
        notes.append('%d connection(s) in TIME_WAIT do not prevent a start.' % waiting)
    others = sorted(
        {'%s port %d' % (sock.local_address, sock.local_port) for sock in socks if sock.state == sockdiag.LISTEN}
    )
    if others:
        notes.append('Free on %s; there is a listener on %s.' % (address, ', '.join(others)))
    return notes


def _own_address() -> t.Optional[str]:
    """The address that this host uses towards others (nothing is sent)."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(('192.0.2.1', 9))
            return str(sock.getsockname()[0])
    except OSError:
        return None


def _answers(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), _DIAL_S) as sock:
            return bool(sock.getsockname() != sock.getpeername())  # a dial can meet itself
    except OSError:
        return False


def from_outside(port: int) -> t.List[str]:
    """Other network namespaces and address translation: neither hinders a bind, both may surprise."""
    notes = [
        'Process %d in another network namespace listens on port %d; that does not prevent a start here.'
        % (entry['pid'], port)
        for entry in _holders.elsewhere(port)
    ]
    for address in sorted({item for item in ('127.0.0.1', _own_address()) if item}):
        if _answers(address, port):
            notes.append(
                'A connection to %s port %d is answered although nothing listens here: address translation (DNAT, as '
                'Docker sets it up) redirects it before it can reach a new instance.' % (address, port)
            )
    return notes
