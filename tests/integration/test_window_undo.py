# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A window takes back what it has changed: after a failure, after the death of its worker, after that of both."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any, Callable, Mapping

import pytest
import windows
from instance import Instance
from windows import Killer, Wanted, at

from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import on_instance
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import at_work, journal
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state as _state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._steps.table import STEPS
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import window as _window

Step = dict[str, Any]


def change(mark: Path) -> Step:
    """A change that can be taken back, however often that is begun."""
    return {"command": {"argv": ["touch", str(mark)], "undo": ["rm", "-f", str(mark)]}}


def steps(mark: Path, *after: Step) -> list[Step]:
    return [{"graceful_stop": {}}, {"port_released": {}}, change(mark), {"verified_start": {"stable_for": 0.2}}, *after]


@pytest.fixture
def shop(site: Callable[..., Instance]) -> Instance:
    return site()


FAILS: Step = {"command": {"argv": ["false"]}}


def assert_as_before(shop: Instance, mark: Path, before: int) -> None:
    assert not mark.exists()
    assert windows.runs(shop) not in (0, before) and shop.told_version() == shop.version
    assert at_work.interrupted(windows.context_of(shop).state) is None


def test_what_ends_well_stays(shop: Instance, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    result = windows.run(shop, steps(mark))
    assert (result["outcome"], result["changed"], mark.exists()) == ("done", True, True)
    assert [step.get("undone") for step in result["steps"]] == [None, None, False, None]


@pytest.mark.parametrize("index", [3, 4])
def test_a_failure_takes_it_back(shop: Instance, tmp_path: Path, index: int) -> None:
    """Before the start and after it, when the new process has to be stopped first."""
    mark, before = tmp_path / "mark", shop.pid
    wanted = steps(mark)
    wanted.insert(index, FAILS)
    result = windows.run(shop, wanted)
    assert (result["outcome"], result["failed"], result["changed"]) == ("rolled_back", True, True), result
    assert [step["undone"] for step in result["steps"] if "undone" in step] == [True]
    assert "its changes were undone, then it was started" in result["msg"]
    assert_as_before(shop, mark, before)


def test_two_changes_are_taken_back_in_reverse(shop: Instance, tmp_path: Path) -> None:
    trace = tmp_path / "trace"

    def note(number: int) -> Step:
        return {"command": {"argv": ["true"], "undo": ["sh", "-c", f"echo {number} >> {trace}"]}}

    result = windows.run(shop, [{"graceful_stop": {}}, note(1), note(2), FAILS, {"verified_start": {}}])
    assert result["outcome"] == "rolled_back" and trace.read_text() == "2\n1\n"


def test_what_cannot_be_taken_back_is_not_started(shop: Instance, tmp_path: Path) -> None:
    """The run stays unfinished; the recovery goes on when the cause is gone."""
    mark = tmp_path / "cause"
    step = {"command": {"argv": ["true"], "undo": ["test", "-e", str(mark)]}}
    result = windows.run(shop, [{"graceful_stop": {}}, step, FAILS, {"verified_start": {}}])
    assert (result["outcome"], result["state"], result["unfinished"]) == ("failed", "stopped", True)
    run = at_work.interrupted(windows.context_of(shop).state)
    assert run is not None and [change["kind"] for change in run["changes"]] == ["launch", "command"]
    mark.touch()
    again = windows.run(shop, [], run_id="run-2")
    assert again["state"] == "running" and "its changes were undone" in again["recovered"], again
    assert at_work.interrupted(windows.context_of(shop).state) is None


def test_left_as_it_is_when_asked(shop: Instance, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    result = windows.run(shop, steps(mark, FAILS), on_failure="leave")
    assert (result["outcome"], result["unfinished"], mark.exists()) == ("failed", True, True)


# Before the change is noted; noted and not made; made; started with it; all but the end.
MOMENTS = {
    "before": Killer(at("step", name="command")),
    "noted": Killer(at("change", kind="command")),
    "made": Killer(at("step_end", name="command")),
    "starting": Killer(at("step", name="verified_start")),
    "started": Killer(at("step_end", name="verified_start")),
    "before-end": Killer(at("end"), after=False),
}


@pytest.mark.parametrize("both", [False, True], ids=["worker", "both"])
@pytest.mark.parametrize("name", MOMENTS)
def test_a_killed_worker(
    shop: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, both: bool
) -> None:
    mark, before, killer = tmp_path / "mark", shop.pid, MOMENTS[name]
    context, plan = windows.context_of(shop), windows.plan_of(steps(mark))
    with monkeypatch.context() as patch:
        Killer(killer.wanted, killer.after, both).install(patch)
        pipe = windows.begin(context, plan)
    result = windows.wait(context, plan, pipe)
    assert result["failed"], result
    if both:
        assert at_work.interrupted(context.state) is not None
        again = windows.run(shop, [], run_id="run-2")
        assert again["state"] == "running", again
    else:
        assert "The guardian recovered the instance" in result["msg"]
    assert_as_before(shop, mark, before)


def test_a_recovery_that_is_killed_itself(shop: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was taken back is not taken back again: it might undo what was done since."""
    count = tmp_path / "count"
    step = {"command": {"argv": ["true"], "undo": ["sh", "-c", f"echo x >> {count}"]}}
    wanted = [{"graceful_stop": {}}, step, {"verified_start": {}}]
    context, plan = windows.context_of(shop), windows.plan_of(wanted)
    with monkeypatch.context() as patch:
        Killer(at("step_end", name="command"), both=True).install(patch)
        windows.wait(context, plan, windows.begin(context, plan))
    second = windows.plan_of([], run_id="run-2")
    with monkeypatch.context() as patch:
        Killer(at("undone", number=1), both=True).install(patch)
        windows.wait(context, second, windows.begin(context, second))
    assert windows.run(shop, [], run_id="run-3")["state"] == "running"
    assert count.read_text() == "x\n"


def refuses(context: Context, params: Mapping[str, Any]) -> Step:
    raise LifecycleError("It is not quiet. Nothing was signalled.")


@pytest.mark.parametrize("case", ["a command before the stop", "a stop that refuses"])
def test_what_fails_before_anything_was_touched_stops_nothing(
    shop: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """How it was started is noted first; that alone is nothing to be taken back."""
    before, wanted = shop.pid, steps(tmp_path / "mark")
    if case == "a stop that refuses":
        monkeypatch.setitem(STEPS, "graceful_stop", STEPS["graceful_stop"]._replace(run=refuses))
    else:
        wanted.insert(0, FAILS)
    result = windows.run(shop, wanted)
    assert (result["outcome"], result["failed"], result.get("unfinished")) == ("failed", True, None), result
    assert (shop.pid, result["pid_after"], result["state"]) == (before, before, "running")
    assert "taken back" not in result["msg"] and at_work.interrupted(windows.context_of(shop).state) is None


@pytest.mark.parametrize("both", [False, True], ids=["worker", "both"])
def test_a_death_before_anything_was_touched_stops_nothing(
    shop: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, both: bool
) -> None:
    before, context, plan = shop.pid, windows.context_of(shop), windows.plan_of(steps(tmp_path / "mark"))
    with monkeypatch.context() as patch:
        Killer(at("change", kind="launch"), both=both).install(patch)
        pipe = windows.begin(context, plan)
    result = windows.wait(context, plan, pipe)
    if both:
        result = windows.run(shop, [], run_id="run-2")
        assert not result.get("failed"), result
    assert (shop.pid, result["state"], at_work.interrupted(context.state)) == (before, "running", None), result


@pytest.mark.parametrize("both", [False, True], ids=["worker", "both"])
@pytest.mark.parametrize("moment", [at("undone", number=0), at("change", kind="launch")], ids=["undone", "noted"])
def test_what_did_not_run_before_is_not_started(
    shop: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, both: bool, moment: Wanted
) -> None:
    """A death when all is taken back, and only the end is missing; or when nothing is done yet."""
    assert windows.run(shop, [{"graceful_stop": {}}], run_id="run-0")["state"] == "stopped"
    mark, context = tmp_path / "mark", windows.context_of(shop)
    plan = windows.plan_of(steps(mark, FAILS))
    with monkeypatch.context() as patch:
        Killer(moment, both=both).install(patch)
        pipe = windows.begin(context, plan)
    result = windows.wait(context, plan, pipe)
    if both:
        assert at_work.interrupted(context.state) is not None
        result = windows.run(shop, [], run_id="run-2")
    assert (result["state"], shop.pids(), mark.exists()) == ("stopped", [], False), result
    assert at_work.interrupted(context.state) is None


def no_room_for(monkeypatch: pytest.MonkeyPatch, event: str, always: bool) -> None:
    """As on a full disk; ``always``: also when the reserve was given up."""
    original = _state.StateDir.append

    def append(state: _state.StateDir, name: str, entry: Step, durable: bool = False) -> None:
        if entry.get("event") == event and (always or os.path.exists(os.path.join(state.path, "reserve"))):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        original(state, name, entry, durable)

    monkeypatch.setattr(_state.StateDir, "append", append)


def test_the_reserve_is_given_up_for_the_commit(
    shop: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_room_for(monkeypatch, "end", always=False)
    result = windows.run(shop, steps(tmp_path / "mark"))
    assert (result["outcome"], at_work.interrupted(windows.context_of(shop).state)) == ("done", None), result


def test_the_reserve_is_given_up_for_a_rollback(
    shop: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk does not keep the site down."""
    mark, before = tmp_path / "mark", shop.pid
    no_room_for(monkeypatch, "undone", always=False)
    assert windows.run(shop, steps(mark, FAILS))["outcome"] == "rolled_back"
    assert_as_before(shop, mark, before)


def test_a_recovery_that_cannot_be_noted_is_followed_by_no_change(
    shop: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else what this run changes would count for the earlier one, and a recovery would not take it back."""
    mark, before = tmp_path / "mark", shop.pid
    windows.run(shop, steps(mark, FAILS), on_failure="leave")
    with monkeypatch.context() as patch:
        no_room_for(patch, "recovered", always=True)
        result = windows.run(shop, steps(tmp_path / "other"), run_id="run-2")
    assert (result["unfinished"], result["steps"], mark.exists()) == (True, [], False), result
    assert "run-1 was recovered, but this could not be recorded" in result["msg"]
    assert windows.run(shop, [], run_id="run-3")["state"] == "running"
    assert_as_before(shop, mark, before)


def test_a_commit_that_cannot_be_noted_is_none(shop: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The result says so, and what to do; the recovery takes the changes back."""
    mark, before = tmp_path / "mark", shop.pid
    with monkeypatch.context() as patch:
        no_room_for(patch, "end", always=True)
        result = windows.run(shop, steps(mark))
    assert (result["outcome"], result["failed"], result["unfinished"]) == ("failed", True, True), result
    assert "the commit could not be recorded" in result["msg"] and "will undo its changes" in result["msg"]
    assert (result["state"], mark.exists()) == ("running", True)
    again = windows.run(shop, [], run_id="run-2")
    assert "its changes were undone" in again["recovered"], again
    assert_as_before(shop, mark, before)


def test_an_end_that_may_not_be_on_the_disk(shop: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is written and its flush fails: whoever comes next takes nothing back, and a note says what is not known."""
    original = _state.StateDir.append

    def append(state: _state.StateDir, name: str, entry: Step, durable: bool = False) -> None:
        original(state, name, entry, durable)
        if entry.get("event") == "end":
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(_state.StateDir, "append", append)
    result = windows.run(shop, steps(tmp_path / "mark"))
    assert (result["outcome"], at_work.interrupted(windows.context_of(shop).state)) == ("done", None), result
    assert any("may not survive a power cut" in note for note in result["notes"])


def test_a_start_that_is_not_proven_settles_nothing(shop: Instance) -> None:
    """All was taken back and a process runs: whether it is the site is not known, so the run stays unfinished."""
    context = windows.context_of(shop)
    window = _window.Window(context, windows.plan_of(steps(shop.dir)))
    context.run.changes, context.run.touched = [{"kind": "config", "number": 0, "data": {}}], True
    window.error, window.undone, window.before = LifecycleError("a step"), [{}], {"pid": 1, "start_ticks": 1}
    assert window.is_settled({"state": "running", "pid": 2})
    window.second_error = LifecycleError("it does not answer")
    assert not window.is_settled({"state": "running", "pid": 2})


def test_a_rollback_whose_end_cannot_be_noted(shop: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark, before = tmp_path / "mark", shop.pid
    with monkeypatch.context() as patch:
        no_room_for(patch, "end", always=True)
        result = windows.run(shop, steps(mark, FAILS))
    assert (result["outcome"], result["unfinished"], mark.exists()) == ("failed", True, False), result
    assert "its changes were undone" in result["msg"] and "could not be recorded" in result["msg"]
    pid = shop.pid
    again = windows.run(shop, [], run_id="run-2")
    assert again["state"] == "running" and shop.pid == pid, again
    assert_as_before(shop, mark, before)


def test_a_recovered_run_whose_end_cannot_be_noted(
    shop: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guardian says so too."""
    mark, before = tmp_path / "mark", shop.pid
    context, plan = windows.context_of(shop), windows.plan_of(steps(mark))
    with monkeypatch.context() as patch:
        no_room_for(patch, "end", always=True)
        Killer(at("step_end", name="command")).install(patch)
        result = windows.wait(context, plan, windows.begin(context, plan))
    assert (result["unfinished"], mark.exists(), result["state"]) == (True, False, "running"), result
    assert "could not be recorded" in result["msg"]
    assert windows.run(shop, [], run_id="run-2")["state"] == "running"
    assert_as_before(shop, mark, before)


def test_a_failed_undo_is_no_failed_start(shop: Instance, tmp_path: Path) -> None:
    """The message names what was tried; after an undo that failed no start is."""
    step = {"command": {"argv": ["true"], "undo": ["false"]}}
    result = windows.run(shop, [{"graceful_stop": {}}, step, FAILS, {"verified_start": {}}])
    assert (result["outcome"], result["state"]) == ("failed", "stopped")
    assert "second attempt" not in result["msg"] and "could not be undone" in result["msg"], result["msg"]


def test_a_start_that_fails_after_the_changes_were_taken_back(shop: Instance, tmp_path: Path) -> None:
    """Each step says that it was taken back, and the message what failed then."""
    mark, config = tmp_path / "mark", shop.dir / "config.json"
    spoils = {"command": {"argv": ["sh", "-c", f"mv {config} {config}.away; false"]}}
    result = windows.run(shop, [{"graceful_stop": {}}, change(mark), spoils, {"verified_start": {}}])
    assert (result["outcome"], result["unfinished"], mark.exists()) == ("failed", True, False), result
    assert "Its changes were undone, but it could not be started:" in result["msg"], result["msg"]
    assert [step["undone"] for step in result["steps"] if "undone" in step] == [True]
    config.with_suffix(".json.away").rename(config)
    assert windows.run(shop, [], run_id="run-2")["state"] == "running"


def test_the_launch_record_of_before_is_used(shop: Instance, tmp_path: Path) -> None:
    """A start with other arguments replaced it; the rollback starts as it was started before."""
    argv = Path(f"/proc/{shop.pid}/cmdline").read_bytes()
    wanted = steps(tmp_path / "mark", FAILS)
    wanted[3]["verified_start"]["arguments"] = ["-port", str(shop.port)]
    assert windows.run(shop, wanted)["outcome"] == "rolled_back"
    assert Path(f"/proc/{shop.pid}/cmdline").read_bytes() == argv


def test_the_launch_record_of_this_window_is_used(shop: Instance, tmp_path: Path) -> None:
    """An earlier window with the same run id has changed how it is started, and was committed."""
    wanted = steps(tmp_path / "mark")
    wanted[3]["verified_start"]["arguments"] = ["-port", str(shop.port)]
    assert windows.run(shop, wanted)["outcome"] == "done"
    argv = Path(f"/proc/{shop.pid}/cmdline").read_bytes()
    assert b"-port" in argv
    assert windows.run(shop, steps(tmp_path / "other", FAILS))["outcome"] == "rolled_back"
    assert Path(f"/proc/{shop.pid}/cmdline").read_bytes() == argv


def test_tasks_of_their_own_keep_away(shop: Instance, tmp_path: Path) -> None:
    """A half changed instance is stopped and started by a recovery alone."""
    windows.run(shop, steps(tmp_path / "mark", FAILS), on_failure="leave")
    before = shop.pid
    context = windows.context_of(shop)
    with pytest.raises(LifecycleError, match="run-1 has changed"):
        on_instance.refuse_half_changed(context)
    assert shop.pid == before and os.path.isdir(context.state.path)
    assert journal.unfinished(journal.last_run(context.state.journal())) is not None
