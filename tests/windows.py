# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Windows from the inside: begun by the same functions as the module's, and killed at a chosen write of their journal.

Import this before anything of the collection: it makes it importable.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

import paths
import pytest
from instance import Instance

sys.path.insert(0, str(paths.link_tree()))

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import process
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import at_work
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state as _state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import resolve
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import change_steps, validate, window_plan
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import follow as _follow
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import worker as _worker

change_steps.register()

Result = dict[str, Any]
Wanted = Callable[[Mapping[str, Any], int], bool]  # of a journal's entry and its number
RESTART: list[Result] = [{"graceful_stop": {}}, {"port_released": {}}, {"verified_start": {"stable_for": 0.2}}]


def context_of(site: Instance, base: Path | None = None, **options: Any) -> Context:
    """`base`: the state directory, `state` beside the install directory by default."""
    instance = resolve(str(site.dir))
    return Context(instance, _state.StateDir(instance, str(base or site.dir.parent / "state")), **options)


def plan_of(steps: Sequence[Any], **options: Any) -> window_plan.Plan:
    values: Result = dict(run_id="run-1", token=os.urandom(8).hex(), deadline=120.0, on_failure="rollback")
    values.update(options)
    return window_plan.Plan(validate.validate(steps, set()), **values)


class ModuleCall:
    """The parts of AnsibleModule that one call of a window uses."""

    def __init__(self, site: Instance, check_mode: bool = False, **params: Any) -> None:
        self.check_mode = check_mode
        self.no_log_values: set[str] = set()
        self.params: Result = dict(
            dir=str(site.dir),
            binary="anqicms",
            port=None,
            state_dir=str(site.dir.parent / "state"),
            steps=RESTART,
            run_id=None,
            deadline=60.0,
            on_failure="rollback",
            recover="auto",
            internal=None,
        )
        self.params.update(params)


def begin(context: Context, plan: window_plan.Plan) -> int:
    return _worker.begin(context, plan)


def wait(context: Context, plan: window_plan.Plan, pipe: int | None, seconds: float = 60.0) -> Result:
    """The result of a window that was begun. TimeoutError when it does not end in time."""
    if not _follow.wait_for_end(context.state, time.monotonic() + seconds, pipe):
        raise TimeoutError(f"the window still runs: {context.state.journal()}")
    # Those who were killed close their files one after another: until then the run counts as being worked on.
    within(seconds, lambda: not at_work.is_worked_on(context.state))
    return dict(_follow.report(context.state, plan.token, True, plan.deadline))


def run(site: Instance, steps: Sequence[Any] | None = None, base: Path | None = None, **options: Any) -> Result:
    """A whole window, a restart by default."""
    context, plan = context_of(site, base), plan_of(RESTART if steps is None else steps, **options)
    return wait(context, plan, begin(context, plan))


def journal(context: Context) -> list[Result]:
    return [dict(entry) for entry in context.state.journal()]


def at_event(context: Context, event: str, **fields: Any) -> Result:
    """The first entry of this event with these fields; empty when there is none yet."""
    found = [entry for entry in journal(context) if at(event, **fields)(entry, 0)]
    return found[0] if found else {}


def worker_log(context: Context) -> str:
    """What went wrong in the worker outside of what it reports; empty when nothing did."""
    return Path(context.state.path, "worker.log").read_text(errors="replace")


class Killer:
    """SIGKILL to the worker at one write of its journal, and to its guardian too if `both`.

    Works by way of fork: the worker inherits the patched function. The guardian's own writes are not counted.
    """

    def __init__(self, wanted: Wanted, after: bool = True, both: bool = False) -> None:
        self.wanted, self.after, self.both = wanted, after, both
        self.guardian = 0
        self.writes = 0

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        original, killer = _state.StateDir.append, self

        def append(state: _state.StateDir, name: str, entry: dict[str, Any], durable: bool = False) -> None:
            if entry.get("event") == "guardian":
                killer.guardian = os.getpid()
            due = killer.is_due(name, entry)
            if due and not killer.after:
                killer.kill()
            original(state, name, entry, durable)
            if due:
                killer.kill()

        monkeypatch.setattr(_state.StateDir, "append", append)

    def is_due(self, name: str, entry: Mapping[str, Any]) -> bool:
        if name != "journal.jsonl" or not self.guardian or os.getpid() == self.guardian:
            return False
        self.writes += 1
        return self.wanted(entry, self.writes)

    def kill(self) -> None:
        if self.both:
            os.kill(self.guardian, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)


def at(event: str, **fields: Any) -> Wanted:
    """For Killer: the first write of this event with these fields."""
    return lambda entry, number: entry.get("event") == event and all(entry.get(k) == v for k, v in fields.items())


def runs(site: Instance, seconds: float = 20.0) -> int:
    """Its pid as soon as it answers. TimeoutError when it does not."""
    return site.wait_ready(seconds)


def within(seconds: float, condition: Callable[[], Any]) -> Any:
    """What the condition says, as soon as that is true, or when the time is over."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found or time.monotonic() > end:
            return found
        time.sleep(0.02)


def tree_of(*directories: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every path below: mode, time of the last change, content. For proofs that nothing was changed."""
    found = {}
    for directory in directories:
        for path in [directory, *sorted(directory.rglob("*"))]:
            if path.name in ("lib", "running.log") or "lib" in path.parts[len(directory.parts) :]:
                continue
            status = path.lstat()
            found[str(path)] = (status.st_mode, status.st_mtime_ns, path.read_bytes() if path.is_file() else b"")
    return found


def end_process(pid: int) -> None:
    """SIGKILL to a process that a test made, and wait for its end."""
    handle = process.open_process(pid)
    if handle is not None:
        with handle:
            handle.signal(signal.SIGKILL)
            handle.wait_gone(10.0)


def load(path: Path) -> Result:
    return dict(json.loads(path.read_text()))


def notes_of(result: dict[str, Any], step: int = -1) -> list[str]:
    """The notes of a step, without the one that each start has: that its PATH starts with the harmless tools."""
    return [note for note in result["steps"][step]["result"]["notes"] if not note.startswith("PATH starts with ")]
