# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Which processes hold a socket, and who holds a port."""

import errno
import os
import re
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils import _procfs, _sockdiag

_SOCKET_LINK = re.compile(r'^socket:\[(\d+)\]$')


def _entries(proc: _procfs.ProcDir, name: str) -> t.List[str]:
    """Entries of a subdirectory; unlike ProcDir.names a refusal is an OSError, not an empty list."""
    fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=proc.fd)
    try:
        return os.listdir(fd)
    finally:
        os.close(fd)


def _inodes_under(proc: _procfs.ProcDir, name: str) -> t.Set[int]:
    found = set()
    for entry in _entries(proc, name):
        match = _SOCKET_LINK.match(proc.optional_link('%s/%s' % (name, entry)) or '')
        if match:
            found.add(int(match.group(1)))
    return found


def socket_inodes(proc: _procfs.ProcDir) -> t.Set[int]:
    """Inodes of the sockets that a process has open.

    The leader of a process may have ended while its threads live on: then only task/TID/fd shows them.
    Raises OSError EACCES when this user may not look, ESRCH or ENOENT when the process is gone.
    """
    found = _inodes_under(proc, 'fd')
    if not found:
        for task in _entries(proc, 'task'):
            try:
                found |= _inodes_under(proc, 'task/%s/fd' % task)
            except OSError as exc:
                if exc.errno not in _procfs.GONE:
                    raise
    return found


def _inodes_of_pid(pid: int) -> t.Optional[t.Set[int]]:
    """None when this user may not look."""
    try:
        with _procfs.ProcDir(pid) as proc:
            return socket_inodes(proc)
    except OSError as exc:
        if exc.errno in _procfs.GONE:
            return set()
        if exc.errno in (errno.EACCES, errno.EPERM):
            return None
        raise


def owners(inodes: t.AbstractSet[int]) -> t.Dict[int, t.List[int]]:
    """The pids that have each of these sockets open; only inodes that a visible process holds are keys."""
    found = {}  # type: t.Dict[int, t.List[int]]
    if not inodes:
        return found
    for pid in _procfs.list_pids():
        for inode in (_inodes_of_pid(pid) or set()) & inodes:
            found.setdefault(inode, []).append(pid)
    return found


def _same_network(proc: _procfs.ProcDir) -> bool:
    return proc.optional_link('ns/net') in (None, os.readlink('/proc/self/ns/net'))


def owns_listener(proc: _procfs.ProcDir, port: int) -> t.Optional[bool]:
    """Whether this process has a listening socket of the port open.

    None: cannot tell (its descriptors may not be read, or it lives in another network namespace). A process that has
    ended owns nothing: False.
    """
    listening = set(sock.inode for sock in _sockdiag.listeners(port))
    try:
        mine = socket_inodes(proc)
    except OSError as exc:
        if exc.errno in _procfs.GONE:
            return False
        if exc.errno in (errno.EACCES, errno.EPERM):
            return None
        raise
    if listening & mine:
        return True
    return False if _same_network(proc) else None
