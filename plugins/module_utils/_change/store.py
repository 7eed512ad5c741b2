# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What the trusted state knows of releases: which are staged, what was switched, which one is active.

``releases/staged-TREE.json`` with the manifest of a staged tree, ``releases/switch-ID.json`` with the plan of a switch,
``releases/active.json`` the switch that stands. Every write is on the disk before it is relied on.
"""

import json
import os
import re
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change.archive import File
from ansible_collections.anqicms.lifecycle.plugins.module_utils._change.file_plan import Rename
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError, reason
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import foreign_json
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state as _state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import trusted

FORMAT = 1
_DIRECTORY = 'releases'
_ACTIVE = 'active.json'
_NAME = re.compile(r'(staged|switch)-([0-9A-Za-z._-]+)\.json\Z')
_MOST_BYTES = 256 << 20

Entry = t.Dict[str, t.Any]


class Staged(t.NamedTuple):
    """A release in a tree of its own below ``.lifecycle``. ``stats``: inode, size and time of each file."""

    version: str
    sha256: str
    tree: str
    at: float
    files: t.List[File]
    directories: t.List[str]
    changelog: t.Optional[str]
    stats: t.Dict[str, t.List[int]]
    old: t.Dict[str, t.List[str]]  # checksums by path, of the other releases that were known when it was staged

    def proofs(self) -> t.Dict[str, str]:
        return {file.path: file.sha256 for file in self.files}


class Switch(t.NamedTuple):
    """The plan of a switch: all that its inverse needs. ``before``: what was active until then."""

    id: str
    version: str
    sha256: str
    tree: str  # of the staged files, below .lifecycle
    old: str  # of the replaced ones
    left: str  # of what stands in the way of the inverse
    bulk: t.List[int]  # device and inode of .lifecycle
    at: float
    run_id: t.Optional[str]
    previous: t.Optional[str]  # the version before, where it is known
    before: t.Optional[str]
    renames: t.List[Rename]


class Store:
    """The records of one instance, below its state directory. Each is read once: nobody else may write meanwhile."""

    def __init__(self, state: _state.StateDir) -> None:
        self.path = os.path.join(state.path, _DIRECTORY)
        self.state = state
        self._staged: t.Optional[t.List[Staged]] = None
        self._switches: t.Dict[str, t.Optional[Switch]] = {}

    def make(self) -> None:
        """LifecycleError when there is no room or no permission."""
        self.state.make()
        try:
            trusted.make_dir(self.path, 0o700)
        except OSError as exc:
            raise LifecycleError(
                'The state directory %s could not be made: %s. Nothing was changed. Free space there, '
                'or give another state_dir.' % (self.path, reason(exc))
            ) from exc

    def _write(self, name: str, entry: t.Mapping[str, t.Any]) -> None:
        trusted.write_atomic(os.path.join(self.path, name), json.dumps(dict(entry, format=FORMAT)).encode('utf-8'))
        trusted.flush_directory(self.path)

    def _data(self, name: str) -> t.Optional[bytes]:
        try:
            fd = os.open(os.path.join(self.path, name), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        with os.fdopen(fd, 'rb') as stream:
            return stream.read(_MOST_BYTES)

    def _read(self, name: str) -> t.Optional[Entry]:
        path, data = os.path.join(self.path, name), self._data(name)
        if data is None:
            return None
        try:
            entry = foreign_json.load(data)
            if not isinstance(entry, dict) or entry.pop('format') != FORMAT:
                raise ValueError('it is of another format')
        except (ValueError, LookupError) as exc:
            raise trusted.DamagedState(path, 'cannot be read: %s' % exc) from exc
        return entry

    def _names(self, kind: str) -> t.List[str]:
        found = [_NAME.match(name) for name in (os.listdir(self.path) if os.path.isdir(self.path) else [])]
        return sorted(match.group(2) for match in found if match and match.group(1) == kind)

    # staged releases

    def write_staged(self, staged: Staged) -> None:
        self._staged = None
        self._write('staged-%s.json' % staged.tree, staged._asdict())

    def staged(self) -> t.List[Staged]:
        """All, the newest first."""
        if self._staged is None:
            self._staged = self._read_staged()
        return list(self._staged)

    def _read_staged(self) -> t.List[Staged]:
        found = []
        for name in self._names('staged'):
            entry = self._read('staged-%s.json' % name)
            if entry is not None:
                entry['files'] = [File(*file) for file in entry['files']]
                entry['old'] = {path: [one] if isinstance(one, str) else one for path, one in entry['old'].items()}
                found.append(Staged(**entry))
        return sorted(found, key=lambda one: -one.at)

    def forget_staged(self, tree: str) -> None:
        self._staged = None
        self._unlink('staged-%s.json' % tree)

    # switches

    def write_switch(self, switch: Switch) -> None:
        self._switches.pop(switch.id, None)
        self._write(
            'switch-%s.json' % switch.id,
            dict(switch._asdict(), renames=[[one.out, one.path] for one in switch.renames]),
        )

    def switch(self, number: str) -> t.Optional[Switch]:
        if number not in self._switches:
            self._switches[number] = self._read_switch(number)
        return self._switches[number]

    def _read_switch(self, number: str) -> t.Optional[Switch]:
        entry = self._read('switch-%s.json' % number)
        if entry is None:
            return None
        entry['renames'] = [Rename(bool(out), path) for out, path in entry['renames']]
        return Switch(**entry)

    def switches(self) -> t.List[Switch]:
        """All, the newest first."""
        found = [self.switch(name) for name in self._names('switch')]
        return sorted([one for one in found if one is not None], key=lambda one: -one.at)

    def is_used(self, tree: str) -> bool:
        """Whether a switch has used a staged tree. Its name is random, so a record without it need not be parsed."""
        records = (self._data('switch-%s.json' % number) for number in self._names('switch'))
        return any(tree.encode('utf-8') in (data or b'') for data in records)

    def forget_switch(self, number: str) -> None:
        self._switches.pop(number, None)
        self._unlink('switch-%s.json' % number)

    def _unlink(self, name: str) -> None:
        try:
            os.unlink(os.path.join(self.path, name))
        except FileNotFoundError:
            pass

    # what stands

    def active(self) -> t.Optional[Switch]:
        """The switch that stands; None before the first one, and after all were taken back."""
        number = (self._read(_ACTIVE) or {}).get('switch')
        return self.switch(number) if number else None

    def set_active(self, number: t.Optional[str]) -> None:
        self._write(_ACTIVE, dict(switch=number, at=time.time()))

    def bulk(self) -> t.Optional[t.List[int]]:
        """Device and inode of ``.lifecycle`` as it was made, None before that."""
        return (self._read('bulk.json') or {}).get('identity')

    def set_bulk(self, identity: t.List[int]) -> None:
        if self.bulk() != identity:
            self._write('bulk.json', dict(identity=identity))
