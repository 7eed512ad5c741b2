# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import json
import os
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils import _state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import Instance, resolve

BEGIN = {"event": "begin", "run_id": "r1", "token": "t", "steps": ["a"], "before": {"pid": 5}}
END = {"event": "end"}


@pytest.fixture
def instance(tmp_path: t.Any) -> Instance:
    (tmp_path / "shop").mkdir()
    return resolve(str(tmp_path / "shop"))


@pytest.fixture
def state(instance: Instance, tmp_path: t.Any) -> _state.StateDir:
    made = _state.StateDir(instance, str(tmp_path / "state"))
    made.make()
    return made


def test_a_torn_line_does_not_swallow_the_next_one(state: _state.StateDir) -> None:
    state.log("begin", run_id="r1")
    with open(os.path.join(state.path, "journal.jsonl"), "ab") as stream:
        stream.write(b'{"event": "st')
    state.log("begin", run_id="r2")
    assert [entry["run_id"] for entry in state.journal()] == ["r1", "r2"]


RUNS = [
    ([], None),
    ([BEGIN, END], None),
    ([BEGIN, END, {"event": "worker", "pid": 3}], None),  # the guardian was slow
    ([BEGIN], (None, {"pid": 5})),
    ([BEGIN, {"event": "step", "name": "a"}], ("a", {"pid": 5})),
    ([dict(BEGIN, recovers=dict(run_id="r0", step="x", before={"pid": 1}))], ("x", {"pid": 1})),
    ([dict(BEGIN, recovers={"run_id": "r0"}), {"event": "recovered", "before": {"pid": 7}}], (None, {"pid": 7})),
]  # type: t.List[t.Any]


@pytest.mark.parametrize("run,expected", RUNS)
def test_unfinished(run: t.Any, expected: t.Any) -> None:
    found = _state.unfinished(run)
    assert (found and (found["step"], found["before"])) == expected


def test_an_unfinished_run_keeps_its_name_until_it_is_put_right() -> None:
    first = _state.unfinished([BEGIN])
    second = _state.unfinished([dict(BEGIN, run_id="r2", recovers=first)])
    assert first is not None
    assert second is not None
    assert second["run_id"] == "r1"


def test_last_run_begins_at_its_begin() -> None:
    assert _state.last_run([BEGIN, END, dict(BEGIN, run_id="r2")]) == [dict(BEGIN, run_id="r2")]


def test_steps_begun() -> None:
    run = [BEGIN, {"event": "step", "index": 0, "name": "a"}, {"event": "step_end", "index": 0, "ok": True},
           {"event": "step", "index": 1, "name": "b"}]  # type: t.List[t.Dict[str, t.Any]]
    assert [(step["name"], step["ok"]) for step in _state.steps_begun(run)] == [("a", True), ("b", False)]


def test_lock_excludes_and_ends_with_its_holder(instance: Instance) -> None:
    first = _state.lock(instance)
    assert first is not None
    assert _state.lock(instance) is None
    assert _state.is_locked(instance)
    assert os.getpid() in _state.lock_holders(instance)
    os.close(first)
    assert not _state.is_locked(instance)


def test_lock_holders_of_a_given_text(instance: Instance) -> None:
    found = os.stat(instance.dir)
    where = "%02x:%02x:%d" % (os.major(found.st_dev), os.minor(found.st_dev), found.st_ino)
    text = ("1: POSIX  ADVISORY  WRITE 11 %s 0 EOF\n2: FLOCK  ADVISORY  WRITE 22 %s 0 EOF\n"
            "3: FLOCK  ADVISORY  READ 3 0:1:2 0 EOF\n")
    assert _state.lock_holders(instance, text % (where, where)) == [22]


def test_only_the_owner_may_look(state: _state.StateDir) -> None:
    state.write_json("results/t.json", {"a": 1})
    state.log("begin")
    for name in ("results/t.json", "journal.jsonl"):
        assert os.stat(os.path.join(state.path, name)).st_mode & 0o777 == 0o600
    assert os.stat(state.path).st_mode & 0o777 == 0o700


def test_whatever_the_umask(instance: Instance, tmp_path: t.Any) -> None:
    old = os.umask(0)
    try:
        made = _state.StateDir(instance, str(tmp_path / "open"))
        made.make()
    finally:
        os.umask(old)
    assert os.stat(made.path).st_mode & 0o777 == 0o700
    assert os.stat(os.path.join(made.path, "results")).st_mode & 0o777 == 0o700


def test_made_by_another_process_meanwhile(
    instance: Instance, tmp_path: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first two runs on a host begin at once: one finds the directory in the middle of its own making it."""
    base = tmp_path / "a" / "state"
    mkdir, isdir = os.mkdir, os.path.isdir

    def late(path: t.Any, mode: int = 0o777) -> None:
        if not isdir(path):
            mkdir(path, mode)
        mkdir(path, mode)

    made = _state.StateDir(instance, str(base))
    monkeypatch.setattr(os, "mkdir", late)
    made.make()
    assert os.path.isdir(os.path.join(made.path, "results"))


@pytest.mark.parametrize("name", ["journal.jsonl", "launch.json"])
def test_links_in_the_state_are_not_followed(state: _state.StateDir, tmp_path: t.Any, name: str) -> None:
    (tmp_path / "elsewhere").write_text("{}")
    os.symlink(str(tmp_path / "elsewhere"), os.path.join(state.path, name))
    with pytest.raises(LifecycleError):
        state.read(name)


def test_a_linked_or_open_state_directory_is_refused(instance: Instance, tmp_path: t.Any) -> None:
    (tmp_path / "real").mkdir()
    os.symlink(str(tmp_path / "real"), str(tmp_path / "linked"))
    with pytest.raises(LifecycleError, match="cannot be trusted"):
        _state.StateDir(instance, str(tmp_path / "linked"))
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(LifecycleError, match="cannot be trusted"):
        _state.StateDir(instance, str(tmp_path / "open"))


def test_a_directory_of_the_users_own_group_is_its_own() -> None:
    found = os.stat_result((0o40775, 0, 0, 1, 1000, 1000, 0, 0, 0, 0))
    assert _state._others(found, 1000) == 0o002
    assert _state._others(os.stat_result((0o40775, 0, 0, 1, 1000, 100, 0, 0, 0, 0)), 1000) == 0o022
    assert _state._others(os.stat_result((0o40775, 0, 0, 1, 0, 0, 0, 0, 0, 0)), 0) == 0o022


def test_history_knows_exactly_this_process(state: _state.StateDir) -> None:
    state.history_add(7, 100, version="3.5.8")
    state.history_add(7, 100, version="3.5.8")
    state.history_add(7, 999, version="3.2.8")
    assert len(state.history()) == 2
    assert (state.seen(7, 100) or {})["version"] == "3.5.8"
    assert state.seen(8, 100) is None


def test_what_is_kept_has_a_bound(state: _state.StateDir) -> None:
    for number in range(30):
        state.write_result("t%d" % number, {"n": number})
        os.utime(os.path.join(state.path, "results", "t%d.json" % number), (number, number))
    for number in range(700):
        state.append("journal.jsonl", {"event": "begin", "run_id": str(number), "text": "x" * 400})
    state.tidy()
    assert len(os.listdir(os.path.join(state.path, "results"))) == 20
    assert (state.result("t29") or {})["n"] == 29
    assert [entry["run_id"] for entry in state.journal()] == ["699"]


def test_room_is_set_aside_and_given_back(state: _state.StateDir) -> None:
    state.reserve()
    assert os.stat(os.path.join(state.path, "reserve")).st_blocks > 0
    state.write_result("t", {})
    assert not os.path.exists(os.path.join(state.path, "reserve"))


def test_write_atomic_leaves_the_old_file_when_it_fails(tmp_path: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "file")
    _state.write_atomic(path, b"old")

    def full(fd: int, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_state, "write_all", full)
    with pytest.raises(OSError):
        _state.write_atomic(path, b"new")
    assert os.listdir(str(tmp_path)) == ["file"]
    with open(path, "rb") as stream:
        assert stream.read() == b"old"


def test_entries_are_json(state: _state.StateDir) -> None:
    state.log("step", name="a", index=0)
    with open(os.path.join(state.path, "journal.jsonl")) as stream:
        assert json.loads(stream.read())["name"] == "a"
