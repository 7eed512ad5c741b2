# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What one run, a window or a task of its own, is doing with an instance: its limits and its changes."""

import os
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import nothing_done
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import downtime
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import launch, slots
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state as _state


def _nothing(event: str, **fields: t.Any) -> None:
    """Outside of a window nothing is journalled."""


class Run:
    """``id`` and ``token``: of its window, empty for a task of its own. An id may be given twice, a token not."""

    def __init__(self, state: _state.StateDir) -> None:
        self.state, self.id, self.token = state, '', ''
        self.until: t.Optional[float] = None  # monotonic: the end of the window or recovery; None: no common limit
        self.note: t.Callable[..., None] = _nothing  # journals an event of the worker
        self.lock_notes: t.Sequence[str] = ()  # whose lock was not heeded
        self.slot = slots.Slot()  # a place among the instances of this host that are down
        self.downtime = downtime.Downtime()
        self.window_position: t.Optional[str] = None  # of the logs when the window began
        self.accepted_hazards: t.FrozenSet[str] = frozenset()  # codes that refuse no start of this run
        self.hosts: t.Sequence[str] = ()  # names by which the version is asked for where localhost gets none
        self.touched = False  # a process of the instance was signalled or started by this run, or may have been
        self.acts = 0  # how often one certainly was
        self.changes: t.List[_state.Entry] = []  # what this run has recorded to take back
        self.launcher: t.Optional[launch.Parked] = None  # the child that is ready to become the instance
        # What the start of this run gets in place of what is recorded; None: as it was started before.
        self.next_arguments: t.Optional[t.Sequence[str]] = None
        self.next_environment: t.Mapping[str, str] = {}
        self.private_port: t.Optional[int] = None  # where this run has started it for itself alone
        self.expected_version: t.Optional[str] = None  # what the release must report that this run has switched in
        self.begins = False  # this plan is made to begin, and shown to nobody
        self.knows_databases = False  # the plan of this run has asked whether they are newer than what it will start
        self.migrated: t.Optional[t.Tuple[int, int]] = None  # the process whose migration this run has waited for

    def time_left(self, wanted: float) -> float:
        """``wanted`` seconds, but not more than is left until the end of the window or recovery; never negative."""
        return wanted if self.until is None else max(0.0, min(wanted, self.until - time.monotonic()))

    def act(self) -> None:
        """A process of the instance was signalled or started: whatever fails from now on has changed something."""
        self.touched, self.acts = True, self.acts + 1

    def dir(self) -> str:
        """Where this run keeps what it needs to take its changes back: in the trusted state, 0700, made here."""
        try:
            return self.state.run_dir(self.id, self.token)
        except OSError as exc:
            raise nothing_done('The directory for the run in %s could not be created' % self.state.path, exc) from exc

    def path(self) -> str:
        """The same, not made."""
        return self.state.run_path(self.id, self.token)

    def keep_file(self, name: str, data: bytes) -> str:
        """Keep a file for the run, durably; returns its path. What the run has kept already stays. LifecycleError."""
        path = os.path.join(self.dir(), name)
        if not os.path.lexists(path):
            try:
                self.state.keep(path, data)
            except OSError as exc:
                raise nothing_done('%s could not be written' % path, exc) from exc
        return path

    def record_change(self, kind: str, **data: t.Any) -> None:
        """Note durably what is about to be changed, with all that is needed to take it back; no secrets.

        LifecycleError when it cannot be noted: then it must not be changed. A task of its own notes nothing.
        """
        if not self.id:
            return
        change = dict(kind=kind, number=len(self.changes), data=data)
        try:
            self.state.log('change', durable=True, **change)
        except OSError as exc:
            raise nothing_done('The change could not be recorded in %s' % self.state.path, exc) from exc
        self.changes.append(change)
        self.touched = True

    def close(self) -> None:
        self.slot.release()
        if self.launcher is not None:
            self.launcher.abandon()
            self.launcher = None
