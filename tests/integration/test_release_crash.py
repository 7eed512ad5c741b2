# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A switch that dies anywhere, and an inverse that dies too: the files are as before to the byte."""

from __future__ import annotations

import functools
import os
import random
import signal
import time
import traceback
from pathlib import Path
from typing import Any, Callable

import pytest
import release_zips
from release_zips import NEW, OLD, USERS, call, context_of, lay_out, make_zip, snapshot, stage

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import (
    places,
    release,
    release_moves,
    staging,
    switch,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._change.store import Store

MANY = {f"lib/d{number % 7}/f{number}": b"%d" % number for number in range(14)}


def in_child(work: Callable[[], Any], after_s: float | None = None) -> int:
    """Do it in a child, killed after so many seconds where that is given; its exit status, or -9."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os._exit(0)
        except BaseException:
            os.write(2, traceback.format_exc().encode())  # pytest shows it with a failure
            os._exit(1)
    if after_s is not None:
        time.sleep(after_s)
        os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def die_at(number: int, before: bool) -> None:
    """SIGKILL to this process at its so many-th rename."""
    original, count = places.rename, 0

    def rename(source: places.Tree, destination: places.Tree, relative: str) -> None:
        nonlocal count
        count += 1
        if count == number and before:
            os.kill(os.getpid(), signal.SIGKILL)
        original(source, destination, relative)
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)

    setattr(places, "rename", rename)  # noqa: B010


class Change:
    """A switch as a step of a window records it, and its undo."""

    def __init__(self, shop: Path, state: str = "switched") -> None:
        self.shop, self.state = shop, state
        self.direction = state

    def run(self) -> None:
        context = context_of(self.shop, run_id="run-1")
        context.look()
        release.run(context, release_zips.options(state=self.state, version="3.5.8"))

    def undo(self) -> None:
        """What a recovery does: with the change where the run has recorded one."""
        context = context_of(self.shop, run_id="run-2")
        context.look()
        store = Store(context.state)
        changes = [one for one in context.state.journal() if one["event"] == "change"]
        for change in changes[-1:]:
            assert store.switch(change["data"]["switch"]) is not None
            release_moves.undo(context, dict(change["data"], kind=change["kind"]))

    def recorded(self) -> int:
        return len([one for one in context_of(self.shop).state.journal() if one["event"] == "change"])


def prepared(place: Path) -> Path:
    there = {path: b"old " + data for path, data in MANY.items() if "d1" not in path}
    shop = lay_out(place / "shop", OLD, USERS, there)
    (shop / "README.md").chmod(0o640)
    os.utime(shop / "README.md", (5, 5))
    stage(shop, make_zip(place / "new.zip", {**NEW, **MANY}))
    return shop


def renames_of(place: Path) -> int:
    shop = prepared(place / "trial")
    return int(call(shop, state="switched", version="3.5.8")["renames"])


@pytest.mark.parametrize("before", [True, False])
def test_killed_at_every_rename(place: Path, before: bool) -> None:
    count = renames_of(place)
    assert count > 35
    shop = prepared(place)
    was = snapshot(shop)
    staged = dict(snapshot(shop / ".lifecycle"))
    for number in range(1, count + 1):
        change = Change(shop)

        def work(change: Change = change, number: int = number) -> None:
            die_at(number, before)
            change.run()

        assert in_child(work) == -signal.SIGKILL
        if number > 1 or not before:
            assert snapshot(shop) != was, number
        change.undo()
        assert snapshot(shop) == was, number
        tree = {path: row for path, row in snapshot(shop / ".lifecycle").items() if path.startswith("new-")}
        assert tree == {path: row for path, row in staged.items() if path.startswith("new-")}, number
        assert Store(context_of(shop).state).active() is None
        for one in Store(context_of(shop).state).switches():  # the staged tree is whole: let it be used again
            Store(context_of(shop).state).forget_switch(one.id)


def redo(number: int, change: dict[str, Any]) -> None:
    """The inverse of a recorded change, killed at a rename; it runs in a child."""
    shop = Path(change["shop"])
    die_at(number, number % 2 == 1)
    release_moves.undo(context_of(shop), change)


def test_the_inverse_is_killed_at_every_rename(place: Path) -> None:
    shop = prepared(place)
    was = snapshot(shop)
    count = int(call(shop, state="switched", version="3.5.8")["renames"])
    (one,) = Store(context_of(shop).state).switches()
    switched = snapshot(shop)
    data = dict(kind="release", switch=one.id, direction="switched", version="3.5.8")
    for number in range(1, count + 1):

        def work(number: int = number) -> None:
            die_at(number, number % 2 == 0)
            release_moves.undo(context_of(shop), data)

        assert in_child(work) == -signal.SIGKILL
        release_moves.undo(context_of(shop), data)
        assert snapshot(shop) == was, number
        release_moves.undo(context_of(shop), data)  # once more changes nothing
        assert snapshot(shop) == was, number
        # and the inverse of the inverse, killed as well
        again = dict(data, direction="reverted")

        assert in_child(functools.partial(redo, number, {**again, "shop": str(shop)})) == -signal.SIGKILL
        release_moves.undo(context_of(shop), again)
        assert snapshot(shop) == switched, number
        active = Store(context_of(shop).state).active()
        assert active is not None and active.id == one.id


def test_killed_at_random_moments(place: Path) -> None:
    """Also before the plan is written, between it and the record of the change, and after the last rename."""
    seed = random.randrange(1 << 30)
    chance = random.Random(seed)
    shop = prepared(place)
    was = snapshot(shop)
    began = time.monotonic()
    assert in_child(Change(shop).run) == 0
    whole = time.monotonic() - began
    Change(shop).undo()
    ends = {"died": 0, "ended": 0}
    for _round in range(25):
        release_zips.remove_state(shop)
        stage(shop, place / "new.zip")
        ends["died" if in_child(Change(shop).run, chance.uniform(0, 1.2 * whole)) else "ended"] += 1
        for _again in range(chance.randrange(3)):
            in_child(Change(shop).undo, chance.uniform(0, whole))
        Change(shop).undo()
        assert snapshot(shop) == was, (seed, ends)
    assert ends["died"] >= 5, ends


def test_a_plan_without_a_record_of_the_change_has_done_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = prepared(place)
    was = snapshot(shop)
    monkeypatch.setattr(switch, "write", lambda *_arguments: os.kill(os.getpid(), signal.SIGKILL))
    assert in_child(Change(shop).run) == -signal.SIGKILL
    assert (snapshot(shop), Change(shop).recorded()) == (was, 0)


def test_the_plan_is_on_the_disk_before_the_first_rename(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = prepared(place)
    order: list[str] = []
    originals: dict[str, Any] = {
        "syncfs": staging.sync_file_system,
        "rename": places.rename,
        "plan": Store.write_switch,
    }

    def noted(name: str) -> Callable[..., Any]:
        def call_original(*arguments: Any) -> Any:
            if order[-1:] != [name]:
                order.append(name)
            return originals[name](*arguments)

        return call_original

    monkeypatch.setattr(staging, "sync_file_system", noted("syncfs"))
    monkeypatch.setattr(places, "rename", noted("rename"))
    monkeypatch.setattr(Store, "write_switch", noted("plan"))
    original = os.fsync

    def fsync(fd: int) -> None:
        order.append("fsync")
        original(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    Change(shop).run()
    first, last = order.index("rename"), len(order) - order[::-1].index("rename")
    assert order[:2] == ["syncfs", "plan"] and order[2:first].count("fsync") >= 3  # plan, its directory, journal
    assert order[first:last] == ["rename"] and order[last] == "syncfs"
