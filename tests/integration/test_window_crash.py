# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SIGKILL to the worker, and to worker and guardian, at the writes of the journal and between them."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any, Callable

import pytest
import windows
from instance import Instance
from windows import Killer, at

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import process
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import at_work, directory_lock
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import spawn
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import start as _start

VERSIONS = ("2.5.3", "3.2.1", "3.2.8", "3.3.11", "3.5.8")
SECONDS = 15.0  # for the guardian; it needs less than two on an idle machine
# One of each class: while it serves; before and after the signal; while it is down; while it starts; when it is over.
CLASSES = {
    "parked": Killer(at("parked")),
    "stop-begins": Killer(at("step", index=0)),
    "before-signal": Killer(at("signal", signal="SIGTERM"), after=False),
    "stopped": Killer(at("step_end", index=0)),
    "start-begins": Killer(at("step", index=2)),
    "started": Killer(at("step_end", index=2)),
    "ended": Killer(at("end")),
}


def begun(site: Instance, killer: Killer | None, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A restart that is killed as the killer says, waited for: context and result."""
    context, plan = windows.context_of(site), windows.plan_of(windows.RESTART)
    with monkeypatch.context() as patch:
        if killer is not None:
            killer.install(patch)
        pipe = windows.begin(context, plan)
    return context, windows.wait(context, plan, pipe)


def assert_put_right(shop: Instance, context: Any, result: dict[str, Any]) -> None:
    assert (result["outcome"], result["failed"], result["state"]) == ("failed", True, "running"), result
    assert "was killed by signal 9" in result["msg"]
    assert "The guardian recovered the instance" in result["msg"]
    assert f"Now it is running (pid {shop.pid})" in result["msg"]
    assert shop.told_version() == shop.version
    assert at_work.interrupted(context.state) is None
    assert not directory_lock.is_locked(context.instance)


@pytest.mark.parametrize("name", CLASSES)
def test_worker_killed(site: Callable[..., Instance], monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    shop = site()
    began = time.monotonic()
    context, result = begun(shop, CLASSES[name], monkeypatch)
    assert time.monotonic() - began < SECONDS
    if name == "ended":  # all was done but to say so
        assert result["outcome"] == "failed"
        assert at_work.interrupted(context.state) is None
        assert shop.told_version() == "3.5.8"
    else:
        assert_put_right(shop, context, result)


@pytest.mark.parametrize("version,knobs", [("2.5.3", {}), ("3.2.8", {}), ("3.5.8", {"exit_delay_ms": 1500})])
def test_worker_killed_while_the_old_process_ends(
    site: Callable[..., Instance], monkeypatch: pytest.MonkeyPatch, version: str, knobs: Any
) -> None:
    """The signal is on its way; one that still serves for a while will be gone soon, and must not count as running."""
    shop = site(version, **knobs)
    before = shop.pid

    killer = Killer(lambda entry, number: False)
    context, plan = windows.context_of(shop), windows.plan_of(windows.RESTART)
    with monkeypatch.context() as patch:
        killer.install(patch)
        original = process.ProcessHandle.signal

        def signalled(handle: Any, number: int) -> bool:
            done = original(handle, number)
            if number == signal.SIGTERM and killer.guardian and os.getpid() != killer.guardian:
                killer.kill()
            return done

        patch.setattr(process.ProcessHandle, "signal", signalled)
        pipe = windows.begin(context, plan)
    result = windows.wait(context, plan, pipe)
    assert_put_right(shop, context, result)
    assert shop.pid != before
    assert "it was started" in result["msg"]  # and before that, if it had not ended yet, its end was completed


def test_worker_killed_between_release_and_exec(site: Callable[..., Instance], monkeypatch: pytest.MonkeyPatch) -> None:
    """The parked child goes on by itself: there must not be two of it."""
    shop = site()
    killer = Killer(lambda entry, number: False)

    def go(launcher: Any) -> int:
        os.write(launcher._go, b"g")
        killer.kill()
        return 0

    original = spawn.Launcher._open_standard_files

    def slow(launcher: Any) -> None:
        time.sleep(1.0)  # much longer than the guardian lets things settle
        original(launcher)

    context, plan = windows.context_of(shop), windows.plan_of(windows.RESTART)
    with monkeypatch.context() as patch:
        killer.install(patch)
        patch.setattr(spawn.Launcher, "go", go)
        patch.setattr(spawn.Launcher, "_open_standard_files", slow)
        pipe = windows.begin(context, plan)
    result = windows.wait(context, plan, pipe)
    assert_put_right(shop, context, result)
    assert len(shop.pids()) == 1


def test_worker_killed_while_the_new_process_starts(
    site: Callable[..., Instance], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = site(start_delay_ms=1500)
    killer = Killer(lambda entry, number: False)
    context, plan = windows.context_of(shop), windows.plan_of(windows.RESTART)
    with monkeypatch.context() as patch:
        killer.install(patch)
        original = _start.Proof._moves

        def moves(proof: Any) -> bool:
            if os.getpid() != killer.guardian and time.monotonic() - proof.begin > 0.5:
                killer.kill()
            return original(proof)

        patch.setattr(_start.Proof, "_moves", moves)
        pipe = windows.begin(context, plan)
    result = windows.wait(context, plan, pipe)
    assert_put_right(shop, context, result)
    assert shop.log_text().count("Now listening on") == 2  # the first life and one more, not two


@pytest.mark.parametrize("name", ["before-signal", "stopped", "start-begins"])
def test_worker_and_guardian_killed(site: Callable[..., Instance], monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Nobody is left; the journal knows, and the next run recovers first."""
    shop = site()
    killer = Killer(CLASSES[name].wanted, after=CLASSES[name].after, both=True)
    context, result = begun(shop, killer, monkeypatch)
    assert result["failed"] is True
    assert "worker and guardian ended without a result in step" in result["msg"]
    assert "recover.yml" in result["msg"]
    interrupted = at_work.interrupted(context.state) or {}
    assert interrupted["run_id"] == "run-1"
    assert not directory_lock.is_locked(context.instance)
    again = windows.run(shop, run_id="run-2")
    assert (again["outcome"], again["state"]) == ("done", "running")
    assert again["recovered"].startswith("unfinished run run-1: ")
    assert at_work.interrupted(context.state) is None
    assert shop.told_version() == "3.5.8"


def test_recovery_alone(site: Callable[..., Instance], monkeypatch: pytest.MonkeyPatch) -> None:
    shop = site("3.2.8")
    context, result = begun(shop, Killer(at("step_end", index=0), both=True), monkeypatch)
    assert shop.pids() == []
    result = windows.run(shop, [], run_id="recovery")
    assert (result["outcome"], result["changed"], result["state"]) == ("done", True, "running")
    assert shop.told_version() == "3.2.8"
    assert at_work.interrupted(context.state) is None


def test_a_recovery_that_fails_stays_to_be_done(site: Callable[..., Instance], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its cause is mended, then it succeeds; the run keeps its first name until then."""
    shop = site()
    context, _result = begun(shop, Killer(at("step_end", index=0), both=True), monkeypatch)
    config = (shop.dir / "config.json").read_text()
    (shop.dir / "config.json").write_text("{")
    failed = windows.run(shop, [], run_id="recovery-1")
    assert failed["outcome"] == "failed"
    assert "Recovery of the unfinished run run-1" in failed["msg"]
    assert "config.json" in failed["msg"]
    assert (at_work.interrupted(context.state) or {})["run_id"] == "run-1"
    assert shop.pids() == []
    (shop.dir / "config.json").write_text(config)
    assert windows.run(shop, [], run_id="recovery-2")["outcome"] == "done"
    assert at_work.interrupted(context.state) is None


def test_a_recovery_is_killed_too(site: Callable[..., Instance], monkeypatch: pytest.MonkeyPatch) -> None:
    shop = site()
    context, _result = begun(shop, Killer(at("step_end", index=0), both=True), monkeypatch)
    with monkeypatch.context() as patch:
        Killer(at("parked"), both=True).install(patch)
        windows.run(shop, run_id="run-2")
    assert (at_work.interrupted(context.state) or {})["run_id"] == "run-1"
    assert windows.run(shop, run_id="run-3")["outcome"] == "done"
    assert shop.told_version() == "3.5.8"


def test_guardian_killed_the_worker_goes_on(site: Callable[..., Instance]) -> None:
    shop = site()
    context = windows.context_of(shop)
    plan = windows.plan_of([{"command": {"argv": ["sleep", "1"]}}, *windows.RESTART])
    pipe = windows.begin(context, plan)
    assert windows.within(10, lambda: any(entry["event"] == "worker" for entry in windows.journal(context)))
    guardian = next(entry["pid"] for entry in windows.journal(context) if entry["event"] == "guardian")
    os.kill(guardian, signal.SIGKILL)
    result = windows.wait(context, plan, pipe)
    assert (result["outcome"], result["state"]) == ("done", "running")


def test_a_killed_window_on_a_stopped_instance_changes_nothing(
    site: Callable[..., Instance], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = site()
    shop.kill()
    context, plan = windows.context_of(shop), windows.plan_of([{"command": {"argv": ["sleep", "30"], "timeout": 60}}])
    pipe = windows.begin(context, plan)
    assert windows.within(10, lambda: any(entry["event"] == "step" for entry in windows.journal(context)))
    worker = next(entry["pid"] for entry in windows.journal(context) if entry["event"] == "worker")
    children = Path(f"/proc/{worker}/task/{worker}/children")
    sleeper = int(windows.within(10, lambda: children.read_text().split())[0])
    try:
        os.kill(worker, signal.SIGKILL)
        result = windows.wait(context, plan, pipe)
    finally:
        windows.end_process(sleeper)
    assert (result["outcome"], result["state"]) == ("failed", "stopped")
    assert f"the worker (pid {worker}) was killed by signal 9 in step command." in result["msg"]
    assert at_work.interrupted(context.state) is None


def test_a_second_run_is_told_who_works(site: Callable[..., Instance]) -> None:
    shop = site()
    context = windows.context_of(shop)
    plan = windows.plan_of([{"command": {"argv": ["sleep", "2"]}}], run_id="the-first")
    pipe = windows.begin(context, plan)
    with pytest.raises(LifecycleError, match="in use by run the-first"):
        windows.run(shop)
    assert windows.wait(context, plan, pipe)["outcome"] == "done"


@pytest.mark.soak
@pytest.mark.parametrize("both", [False, True], ids=["worker", "worker-and-guardian"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("version", VERSIONS)
def test_every_boundary(
    site: Callable[..., Instance], monkeypatch: pytest.MonkeyPatch, version: str, after: bool, both: bool
) -> None:
    shop = site(version)
    number, killed = 0, True
    while killed:
        number += 1
        killer = Killer(lambda entry, count, number=number: count == number, after=after, both=both)  # type: ignore[misc]
        context, result = begun(shop, killer, monkeypatch)
        killed = result["outcome"] != "done"
        if both and at_work.interrupted(context.state):
            assert windows.run(shop, [], run_id="recovery")["state"] == "running", (number, context.state.journal())
        shop.wait_ready()
        assert at_work.interrupted(context.state) is None
        assert len(shop.pids()) == 1
    assert number > 10  # there are so many writes: it was not over at once


@pytest.mark.soak
@pytest.mark.parametrize("version", VERSIONS)
def test_kills_at_any_time(site: Callable[..., Instance], version: str) -> None:
    """Not at a write, but every 10 ms of the first 600."""
    shop = site(version)
    for delay in range(0, 600, 10):
        context, plan = windows.context_of(shop), windows.plan_of(windows.RESTART)
        pipe = windows.begin(context, plan)
        windows.within(5, lambda c=context: any(e["event"] == "worker" for e in windows.journal(c)))  # type: ignore[misc]
        worker = [entry["pid"] for entry in windows.journal(context) if entry["event"] == "worker"][-1]
        timer = threading.Timer(delay / 1000, windows.end_process, [worker])
        timer.start()
        windows.wait(context, plan, pipe)
        timer.join()
        shop.wait_ready()
        assert len(shop.pids()) == 1
        assert at_work.interrupted(context.state) is None
