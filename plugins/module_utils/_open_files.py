# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Processes that hold files open below the install directory: locks and half-written files that outlive the instance."""

import os
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils import _process, _procfs

_LOG_SUFFIXES = ('.log',)


class OpenFile(t.NamedTuple):
    handle: _process.ProcessHandle
    path: str
    descriptor: str


def is_log_reader(path: str, flags: int) -> bool:
    """Somebody who only reads a log (tail, a log shipper) holds nothing back."""
    return flags & os.O_ACCMODE == os.O_RDONLY and path.endswith(_LOG_SUFFIXES)


def parse_flags(fdinfo: str) -> int:
    """The open flags of /proc/PID/fdinfo/N, which prints them in octal."""
    for line in fdinfo.split('\n'):
        if line.startswith('flags:'):
            return int(line.split()[1], 8)
    return 0


def _open_paths(pid: int, prefix: str) -> t.List[t.Tuple[str, str]]:
    found = []
    try:
        names = os.listdir('/proc/%d/fd' % pid)
    except OSError:
        return found
    for name in names:
        try:
            path = os.readlink('/proc/%d/fd/%s' % (pid, name))
        except OSError:
            continue
        if path.startswith(prefix) and not _read_only_log(pid, name, path):
            found.append((name, path))
    return found


def _read_only_log(pid: int, name: str, path: str) -> bool:
    try:
        with open('/proc/%d/fdinfo/%s' % (pid, name)) as stream:
            return is_log_reader(path, parse_flags(stream.read()))
    except OSError:
        return False


def holders(directory: str, but: t.Set[int]) -> t.List[OpenFile]:
    """Every process but these that this user may look at and that has a file below the directory open."""
    found = []
    for pid in _procfs.list_pids():
        paths = [] if pid in but else _open_paths(pid, directory.rstrip('/') + '/')
        for name, path in paths:
            handle = _process.open_process(pid)
            if handle is not None:
                found.append(OpenFile(handle, path, name))
    return found


def still_there(found: t.Sequence[OpenFile]) -> t.List[t.Dict[str, t.Any]]:
    """Those that still hold their file, for the result; closes the handles."""
    rows = []
    for entry in found:
        with entry.handle as handle:
            if not handle.gone() and handle.proc.optional_link('fd/' + entry.descriptor) == entry.path:
                rows.append(dict(pid=handle.pid, exe=handle.proc.optional_link('exe'), path=entry.path))
    return rows
