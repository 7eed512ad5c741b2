# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import os
import threading
import time
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import directory_lock
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state as _state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import resolve
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import follow as _follow


@pytest.fixture
def state(tmp_path: t.Any) -> _state.StateDir:
    (tmp_path / "shop").mkdir()
    made = _state.StateDir(resolve(str(tmp_path / "shop")), str(tmp_path / "state"))
    made.make()
    return made


RUN: t.List[t.Dict[str, t.Any]] = [
    {"event": "begin", "steps": ["graceful_stop", "verified_start"]},
    {"event": "step", "name": "graceful_stop", "index": 0},
    {"event": "progress", "text": "waiting"},
    {"event": "step", "name": "verified_start", "index": 1},
    {"event": "progress", "text": "starting the instance"},
]


@pytest.mark.parametrize(
    "count,expected",
    [
        (0, (None, 0, 0, None)),
        (1, (None, 0, 2, None)),
        (2, ("graceful_stop", 1, 2, None)),
        (3, ("graceful_stop", 1, 2, "waiting")),
        (4, ("verified_start", 2, 2, None)),
        (5, ("verified_start", 2, 2, "starting the instance")),
    ],
)
def test_whereabouts(count: int, expected: t.Any) -> None:
    where = _follow.whereabouts(RUN[:count])
    assert (where["step"], where["index"], where["of"], where["text"]) == expected


def test_the_end_is_seen_at_once_through_the_pipe(state: _state.StateDir) -> None:
    lock = directory_lock.take(state.instance)
    assert lock is not None
    read_end, write_end = os.pipe()
    closed: t.List[float] = []

    def end() -> None:
        closed.append(time.monotonic())
        os.close(write_end)

    timer = threading.Timer(0.2, end)
    timer.start()
    assert _follow.wait_for_end(state, time.monotonic() + 60, read_end) is True
    assert time.monotonic() - closed[0] < 30
    os.close(lock)


def test_the_end_is_seen_through_the_fifo(state: _state.StateDir) -> None:
    lock = directory_lock.take(state.instance)
    assert lock is not None
    alive = _follow.open_alive(state)
    timer = threading.Timer(0.2, os.close, [alive])
    timer.start()
    assert _follow.wait_for_end(state, time.monotonic() + 5) is True
    timer.join()
    os.close(lock)


def test_a_fifo_that_was_left_behind_is_no_life(state: _state.StateDir) -> None:
    os.close(_follow.open_alive(state))
    assert _follow.wait_for_end(state, time.monotonic() + 5) is True


def test_it_stops_waiting_in_time(state: _state.StateDir) -> None:
    lock = directory_lock.take(state.instance)
    assert lock is not None
    alive = _follow.open_alive(state)
    began = time.monotonic()
    assert _follow.wait_for_end(state, began + 0.2) is False
    assert 0.15 < time.monotonic() - began < 30.0
    os.close(alive)
    os.close(lock)


def test_reports(state: _state.StateDir) -> None:
    state.log("begin", token="t", run_id="r", steps=["graceful_stop"], boot_id=procfs.boot_id())
    state.log("step", index=0, name="graceful_stop")
    assert _follow.knows(state, "t")
    assert not _follow.knows(state, "other")
    running = _follow.report(state, "t", False, 60.0)
    assert running["running"] is True
    assert running["where"]["step"] == "graceful_stop"
    assert 0 < running["where"]["left_ms"] <= 60000
    lost = _follow.report(state, "t", True, 60.0)
    assert lost["failed"] is True
    assert "in step graceful_stop" in lost["msg"]
    assert "recover.yml" in lost["msg"]
    state.write_result("t", {"outcome": "done"})
    assert _follow.report(state, "t", False, 60.0) == {"outcome": "done"}
