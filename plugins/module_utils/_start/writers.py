# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Whether a file is open for writing, which makes execve fail with ETXTBSY, and by which processes.

A read lease answers the first question for the whole host in two system calls: the kernel refuses it while anybody has
the file open for writing. Only then the descriptors of all processes are looked through.
"""

import errno
import fcntl
import os
import signal
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import names, procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import launch

_F_SETSIG = getattr(fcntl, 'F_SETSIG', 10)
_F_SETLEASE = getattr(fcntl, 'F_SETLEASE', 1024)
_MOST = 4  # processes that a message names
_LOOK_S = 3.0  # seconds for a look at the open files of all processes


def is_written(fd: int) -> t.Optional[bool]:
    """Whether anybody has the file of this read-only descriptor open for writing. None: this user cannot find out.

    The lease must be given back before anybody has to wait for it. When somebody opens the file for writing in between,
    the kernel signals us: by SIGURG, which is ignored by default, because SIGIO would end the process.
    """
    try:
        fcntl.fcntl(fd, _F_SETSIG, int(signal.SIGURG))
        fcntl.fcntl(fd, _F_SETLEASE, fcntl.F_RDLCK)
    except OSError as exc:
        return True if exc.errno == errno.EAGAIN else None
    try:
        fcntl.fcntl(fd, _F_SETLEASE, fcntl.F_UNLCK)
    except OSError:
        pass  # the caller closes the descriptor, which ends the lease as well
    return False


def parse_inode(fdinfo: bytes) -> t.Optional[int]:
    """The inode behind a descriptor from its fdinfo, None before Linux 5.14."""
    for line in fdinfo.split(b'\n'):
        name, _colon, value = line.partition(b':')
        if name == b'ino' and value.strip().isdigit():
            return int(value)
    return None


def parse_maps(data: bytes, inode: int, device: int) -> bool:
    """Whether a process has mapped the file shared: it may write although its descriptor is closed."""
    wanted = b'%02x:%02x' % (os.major(device), os.minor(device))
    for line in data.split(b'\n'):
        fields = line.split(None, 5)
        if len(fields) > 4 and fields[1][3:4] == b's' and fields[3] == wanted and fields[4] == b'%d' % inode:
            return True
    return False


def parse_leases(data: bytes, inode: int, device: int) -> t.List[int]:
    """The processes with a lease on the file that is in the way of readers, from /proc/locks."""
    wanted = b'%02x:%02x:%d' % (os.major(device), os.minor(device), inode)
    found = []
    for line in data.split(b'\n'):
        fields = line.split()
        if len(fields) < 6 or fields[1] != b'LEASE' or not fields[4].isdigit() or fields[5] != wanted:
            continue
        if fields[2:4] != [b'ACTIVE', b'READ']:
            found.append(int(fields[4]))
    return found


def _has_open(pid: int, status: os.stat_result, path: str) -> bool:
    """Looks at other files only by their links: a stat could hang on a dead file server."""
    with procfs.ProcDir(pid) as proc:
        for number in proc.descriptors():
            link = proc.optional_link('fd/' + number) or ''
            if not link.startswith('/'):
                continue
            fdinfo = proc.read('fdinfo/' + number, 4096)
            inode = parse_inode(fdinfo)
            likely = inode == status.st_ino or (inode is None and link == path)
            if likely and launch.is_for_writing(fdinfo):
                found = os.stat('fd/' + number, dir_fd=proc.fd)
                if (found.st_dev, found.st_ino) == (status.st_dev, status.st_ino):
                    return True
    return False


def _has_mapped(pid: int, status: os.stat_result) -> bool:
    return parse_maps(procfs.read('/proc/%d/maps' % pid), status.st_ino, status.st_dev)


def _pids(matches: t.Callable[[int], bool]) -> t.List[int]:
    found: t.List[int] = []
    end = time.monotonic() + _LOOK_S
    for pid in procfs.list_pids():
        if time.monotonic() > end:
            break
        try:
            if matches(pid):
                found.append(pid)
        except OSError:
            continue  # ended, or not ours to look at
    return found


def _lease_holders(status: os.stat_result) -> t.List[int]:
    try:
        return parse_leases(procfs.read('/proc/locks'), status.st_ino, status.st_dev)
    except OSError:
        return []


def _name(pid: int) -> str:
    """``pid 12 (/usr/bin/scp, user www)``, as far as this user may see it."""
    try:
        with procfs.ProcDir(pid) as proc:
            stat = proc.stat()
            what = proc.optional_link('exe') or (stat.comm if stat else None)
            user = names.user_name(os.fstat(proc.fd).st_uid)
        return 'pid %d (%s, user %s)' % (pid, what or '?', user)
    except OSError:
        return 'pid %d' % pid


def _listing(pids: t.Sequence[int]) -> str:
    if not pids:
        return 'a process that this user cannot see'
    names = ', '.join(_name(pid) for pid in pids[:_MOST])
    return names + (' and %d more' % (len(pids) - _MOST) if len(pids) > _MOST else '')


def describe(status: os.stat_result, path: str) -> str:
    """Who has the file open for writing, as the end of a sentence. Looks through all processes: some milliseconds."""
    found = _pids(lambda pid: _has_open(pid, status, path)) or _pids(lambda pid: _has_mapped(pid, status))
    return 'it is open for writing by %s' % _listing(found)


def describe_lease(status: os.stat_result) -> str:
    """Who holds a lease on the file that lets nobody else open it, such as a file server."""
    return 'it is leased by %s' % _listing(_lease_holders(status))
