# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Whether a run is at work on an instance, and which one has not ended."""

import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import lock
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.state import Entry, StateDir


def is_worked_on(state: StateDir) -> bool:
    """Whether a run or task is at work on the instance. A stranger's lock on its directory is none."""
    return lock.look(state).refuses


def interrupted(state: StateDir) -> t.Optional[Entry]:
    """The unfinished run of this instance, None when there is none or it is still being worked on."""
    run = state.last_unfinished()
    return None if run is None or is_worked_on(state) else run


def running_run(state: StateDir) -> t.Optional[Entry]:
    return state.last_unfinished() if is_worked_on(state) else None


def wait_for_running_run(state: StateDir, timeout: float) -> t.Optional[Entry]:
    """As ``running_run``, but waits for one that has just taken the lock to write its name."""
    end = time.monotonic() + timeout
    while True:
        run = running_run(state)
        if run is not None or not is_worked_on(state) or time.monotonic() > end:
            return run
        time.sleep(0.02)
