# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Whether the databases of a host's instances can be reached: each is asked once, however many instances name it.

One that the process of an instance is connected to is not asked at all: MySQL counts connections without a login, and
locks a host out (but never the loopback) that has made 100 of them with no login in between.
"""

import os
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import target as _database
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import children, sockdiag

_ESTABLISHED = 1
NOT_ALLOWED = 'only root or its own user can try that'
NOT_KNOWN = 'as whom it would start is not known'


def is_connected(target: _database.Target, socks: t.Iterable[sockdiag.Sock]) -> bool:
    """Whether one of these connections leads to it. Where a name is configured any address will do. Pure."""
    return any(
        sock.state == _ESTABLISHED
        and sock.remote_port == target.port
        and (not target.is_literal or sock.remote_address in (target.host, '::ffff:' + target.host))
        for sock in socks
    )


class Answers:
    """What the databases of this host answered so far."""

    def __init__(self) -> None:
        self.slow: t.Set[str] = set()  # addresses of those that took too long to say something
        self._known: t.Dict[t.Tuple[str, int], _database.Answer] = {}

    def of(
        self, targets: t.Sequence[_database.Target], who: t.Optional[children.Identity], inodes: t.AbstractSet[int]
    ) -> t.List[_database.Answer]:
        """``inodes``: the sockets of the instance's process, empty when none runs or they cannot be seen."""
        if who is None or os.geteuid() not in (0, who.uid):
            why = NOT_ALLOWED if who else NOT_KNOWN
            return [_database.Answer(target, unknown=why) for target in targets]
        socks = sockdiag.client_connections(inodes) if inodes and targets else []
        for target in targets:
            if is_connected(target, socks):
                return [_database.Answer(target)]
        user = who
        return _database.ask_all(targets, lambda target, limit: self._once(target, limit, user))

    def _once(self, target: _database.Target, limit: float, who: children.Identity) -> _database.Answer:
        if target.is_socket:  # whom it lets in depends on the user
            return _database.ask(target, who, limit)
        key = (target.host, target.port)
        if key not in self._known:
            self._known[key] = _database.ask(target, who, limit)
        return self._known[key]._replace(target=target)
