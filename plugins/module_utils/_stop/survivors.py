# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Children that may outlive the instance: converters, wrappers. They are told of, never signalled."""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import process, procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import launch

_MOST = 100  # children that are held: each takes two descriptors of ours


def _pids(parent: procfs.ProcDir) -> t.List[int]:
    """Children of all its threads: Go programs start them from any. By ppid where the kernel keeps no list of them."""
    try:
        lists = [parent.read('task/%s/children' % task) for task in parent.names('task')]
    except OSError:
        return [pid for pid in procfs.list_pids() if _parent_of(pid) == parent.pid]
    return [int(word) for words in lists for word in words.split()]


def _parent_of(pid: int) -> t.Optional[int]:
    try:
        return procfs.parse_stat(procfs.read('/proc/%d/stat' % pid)).ppid
    except OSError:
        return None


class Children:
    """The direct children seen so far, each held so that its pid cannot be mistaken later; of many, the first."""

    def __init__(self, parent: procfs.ProcDir) -> None:
        self._parent = parent
        self._handles: t.Dict[int, process.ProcessHandle] = {}

    def look(self) -> None:
        """Take in those that are there now."""
        for pid in _pids(self._parent):
            if len(self._handles) >= _MOST:
                break
            handle = None if pid in self._handles else process.open_process(pid)
            if handle is not None:
                self._handles[pid] = handle

    def alive(self) -> t.List[t.Dict[str, t.Any]]:
        """Those that live, for the result. Closes the handles."""
        found = []
        for pid in sorted(self._handles):
            with self._handles.pop(pid) as handle:
                argv = _argv(handle.proc)
                if not handle.gone():
                    found.append(dict(pid=pid, exe=handle.proc.optional_link('exe'), argv=argv))
        return found


def _argv(proc: procfs.ProcDir) -> t.List[str]:
    try:
        return launch.short(proc.argv())
    except OSError:
        return []
