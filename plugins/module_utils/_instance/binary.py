# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Which binary a file is, and which version it has told.

A version is what the binary told when it ran: CHANGELOG.md is behind in 26 of 62 releases. So the process history notes
it with the file that told it, and a later look asks the history first (docs/architecture.md, Which version).
"""

import os
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError

BINARY, CHANGELOG = 'binary', 'changelog'  # where the version of the files is from


class Binary(t.NamedTuple):
    """One state of one file. Whoever replaces it, or writes to it, changes one of the four."""

    device: int
    inode: int
    size: int
    mtime_ns: int


History = t.Sequence[t.Mapping[str, t.Any]]


class FilesVersion(t.NamedTuple):
    """The version that the next start runs, and who told it: ``binary``, ``changelog``, or None for nobody."""

    version: t.Optional[str] = None
    source: t.Optional[str] = None


def of_file(path: str) -> t.Optional[Binary]:
    """None when it is missing or may not be looked at."""
    return _of(path, None)


def of_process(proc: int) -> t.Optional[Binary]:
    """What a process executes, by a descriptor of its directory in /proc; the file may have been deleted since."""
    return _of('exe', proc)


def _of(path: str, directory: t.Optional[int]) -> t.Optional[Binary]:
    try:
        found = os.stat(path, dir_fd=directory)
    except OSError:
        return None
    return Binary(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def told(history: History, binary: t.Optional[Binary]) -> t.Optional[str]:
    """The version that this very binary told last; None when it never did. Pure."""
    if binary is None:
        return None
    for entry in reversed(history):
        if entry.get('binary') == list(binary) and entry.get('version'):
            return str(entry['version'])
    return None


def files_version(told_version: t.Optional[str], changelog: t.Optional[str]) -> FilesVersion:
    """Pure."""
    if told_version:
        return FilesVersion(told_version, BINARY)
    return FilesVersion(changelog, CHANGELOG) if changelog else FilesVersion()


class Binaries:
    """The binary that runs, the one on disk, and what each told. The history is read once for each."""

    def __init__(self, history: t.Callable[[], History]) -> None:
        self.history = history
        self.running: t.Optional[Binary] = None
        self.on_disk: t.Optional[Binary] = None
        self._told: t.Dict[Binary, t.Optional[str]] = {}

    def learn(self, binary: t.Optional[Binary], version: t.Optional[str]) -> None:
        """A process that executes it has told its version, by a listener of its own."""
        if binary is not None and version:
            self._told[binary] = version

    def has_told(self, binary: t.Optional[Binary], version: t.Optional[str]) -> bool:
        return version is not None and self.told(binary) == version

    def told(self, binary: t.Optional[Binary]) -> t.Optional[str]:
        """A damaged record tells nothing: a look goes on, and whoever changes something has refused before."""
        if binary is None:
            return None
        if binary not in self._told:
            try:
                self._told[binary] = told(self.history(), binary)
            except LifecycleError:
                return None
        return self._told[binary]

    def differ(self) -> t.Optional[bool]:
        """Whether the process executes another file than the one on disk; None when that cannot be seen."""
        return None if self.running is None or self.on_disk is None else self.running != self.on_disk
