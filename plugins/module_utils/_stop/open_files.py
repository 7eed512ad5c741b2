# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Processes that hold files open below the install directory: locks and half-written files that outlive it."""

import os
import re
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import process, procfs

_LOG = re.compile(r'\.log($|[.\-_ ])')  # running.log, running.log.1, running.log (deleted)

_MOST, _MOST_FILES = 100, 200  # processes that are held and named, and files of each
_LOOK_S = 3.0  # seconds for a look at the open files of all processes


class OpenFiles(t.NamedTuple):
    """One process and what it held: ``paths`` by descriptor."""

    handle: process.ProcessHandle
    paths: t.Dict[str, str]


def is_log_reader(path: str, flags: int) -> bool:
    """Somebody who only reads a log (tail, a log shipper) holds nothing back."""
    return flags & os.O_ACCMODE == os.O_RDONLY and _LOG.search(os.path.basename(path)) is not None


def _open_paths(pid: int, prefix: str) -> t.Dict[str, str]:
    found: t.Dict[str, str] = {}
    try:
        with procfs.ProcDir(pid) as proc:
            for name in proc.descriptors():
                path = proc.optional_link('fd/' + name) or ''
                if path.startswith(prefix) and not _only_reads_log(proc, name, path):
                    found[name] = path
                if len(found) >= _MOST_FILES:
                    break
    except OSError:
        pass  # ended, not ours to look at, or too many
    return found


def _only_reads_log(proc: procfs.ProcDir, name: str, path: str) -> bool:
    try:
        return is_log_reader(path, procfs.parse_flags(proc.read('fdinfo/' + name, 4096)))
    except OSError:
        return False


def holders(directory: str, but: t.Container[int]) -> t.List[OpenFiles]:
    """Every process but these that this user may look at and that has a file below the directory open.

    At most 100, and what was found in some seconds: anybody may open files, and each takes a descriptor of ours.
    """
    prefix: str = directory.rstrip('/') + '/'
    found: t.List[OpenFiles] = []
    end = time.monotonic() + _LOOK_S
    for pid in procfs.list_pids():
        if time.monotonic() > end or len(found) >= _MOST:
            break
        paths = {} if pid in but else _open_paths(pid, prefix)
        handle = process.open_process(pid) if paths else None
        if handle is not None:
            found.append(OpenFiles(handle, paths))
    return found


def still_there(found: t.Sequence[OpenFiles]) -> t.List[t.Dict[str, t.Any]]:
    """Which of them still hold their files, for the result: an entry for each file. Closes the handles."""
    rows = []
    for entry in found:
        with entry.handle as handle:
            for descriptor in [] if handle.gone() else sorted(entry.paths):
                if handle.proc.optional_link('fd/' + descriptor) == entry.paths[descriptor]:
                    rows.append(
                        dict(pid=handle.pid, exe=handle.proc.optional_link('exe'), path=entry.paths[descriptor])
                    )
    return rows
