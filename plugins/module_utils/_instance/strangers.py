# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Processes that are not the instance's but stand where it is looked for: on its file, or on its port."""

import os
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import holders as _holders
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import procfs, sockdiag
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.names import name_of
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import users as _users

MOST = 20  # rows in a result


class Stranger(t.NamedTuple):
    """A process, and why it is shown with the instance. Nothing is ever done to it."""

    pid: t.Optional[int]
    uid: int
    exe: t.Optional[str]
    why: str


def on_port(port: t.Optional[int], own: t.Collection[int] = ()) -> t.List[Stranger]:
    """Who listens on the port but those of ``own``. ``pid`` is None where this user cannot see it."""
    socks = sockdiag.listeners(port) if port else []
    pids = _holders.owners({sock.inode for sock in socks}) if socks else {}
    found: t.Dict[t.Optional[int], Stranger] = {}
    for sock in socks:
        holders: t.Sequence[t.Optional[int]] = pids.get(sock.inode) or [None]
        if not set(own).intersection(holders):
            for pid in holders:
                found.setdefault(pid, _holder(pid, sock))
    return list(found.values())


def _holder(pid: t.Optional[int], sock: sockdiag.Sock) -> Stranger:
    why, uid, exe = 'it listens on port %d' % sock.local_port, sock.uid, None
    if pid is not None:
        try:
            uid = procfs.real_uid(procfs.read('/proc/%d/status' % pid))
            exe = os.readlink('/proc/%d/exe' % pid)
        except OSError:
            pass  # ended meanwhile, or not ours to see: the owner of the socket is known
    return Stranger(pid, uid, exe, why)


def rows(strangers: t.Iterable[Stranger]) -> t.List[t.Dict[str, t.Any]]:
    """For results, at most ``MOST``."""
    return [dict(pid=one.pid, user=name_of(one.uid), exe=one.exe, why=one.why) for one in strangers][:MOST]


def listing(strangers: t.Sequence[Stranger]) -> str:
    """For messages."""
    texts = ['pid %s, user %s, %s' % (one.pid or 'unknown', name_of(one.uid), one.exe) for one in strangers]
    more = ' and %d more' % (len(texts) - 8) if len(texts) > 8 else ''
    return '; '.join(texts[:8]) + more


def way_out(strangers: t.Iterable[Stranger], users: _users.Users) -> str:
    """What to do where one of them is the instance after all."""
    others = [one.uid for one in strangers if not users.has(one.uid)]
    if not others:
        return (
            'If it is this instance, its file or a link to it was changed while it was running. Stop it by the '
            'directory of that file (dir), then start this one.'
        )
    return 'If it is this instance, set user: %s.' % name_of(others[0])
