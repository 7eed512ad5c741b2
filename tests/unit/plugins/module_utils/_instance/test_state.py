# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import errno
import json
import os
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import directory_lock, journal, trusted
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state as _state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import Instance, resolve

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


RUNS: t.List[t.Any] = [
    ([], None),
    ([BEGIN, END], None),
    ([BEGIN, END, {"event": "worker", "pid": 3}], None),  # the guardian was slow
    ([BEGIN], (None, {"pid": 5})),
    ([BEGIN, {"event": "step", "name": "a"}], ("a", {"pid": 5})),
    ([dict(BEGIN, recovers=dict(run_id="r0", step="x", before={"pid": 1}))], ("x", {"pid": 1})),
    ([dict(BEGIN, recovers={"run_id": "r0"}), {"event": "recovered", "before": {"pid": 7}}], (None, {"pid": 7})),
]


@pytest.mark.parametrize("run,expected", RUNS)
def test_unfinished(run: t.Any, expected: t.Any) -> None:
    found = journal.unfinished(run)
    assert (found and (found["step"], found["before"])) == expected


def test_an_unfinished_run_keeps_its_name_until_it_is_put_right() -> None:
    first = journal.unfinished([BEGIN])
    second = journal.unfinished([dict(BEGIN, run_id="r2", recovers=first)])
    assert first is not None
    assert second is not None
    assert second["run_id"] == "r1"


CHANGED = {"event": "change", "kind": "config", "number": 0, "data": {}}
UNDONE = {"event": "undone", "number": 0}


@pytest.mark.parametrize(
    "run, changes, had",
    [
        ([BEGIN], 0, False),
        ([BEGIN, CHANGED], 1, True),
        ([BEGIN, CHANGED, UNDONE], 0, True),  # all is taken back, and it is still known that there was something
        ([dict(BEGIN, recovers={"changes": [{"kind": "config", "number": 0, "data": {}}]}), UNDONE], 0, True),
        ([dict(BEGIN, recovers={"changes": [], "had_changes": True})], 0, True),
        ([dict(BEGIN, recovers={"had_changes": True}), {"event": "recovered", "before": None}], 0, False),
    ],
)
def test_a_run_remembers_that_it_had_changes(run: t.Any, changes: int, had: bool) -> None:
    found = journal.unfinished(run)
    assert found is not None and (len(found["changes"]), journal.has_had_changes(found)) == (changes, had)


def test_the_launch_record_alone_is_no_lasting_change() -> None:
    launch = {"kind": "launch", "number": 0, "data": {}}
    assert journal.lasting([launch]) == [] and journal.lasting([launch, dict(launch, kind="config")])


def test_last_run_begins_at_its_begin() -> None:
    assert journal.last_run([BEGIN, END, dict(BEGIN, run_id="r2")]) == [dict(BEGIN, run_id="r2")]


def test_steps_begun() -> None:
    run: t.List[t.Dict[str, t.Any]] = [
        BEGIN,
        {"event": "step", "index": 0, "name": "a"},
        {"event": "step_end", "index": 0, "ok": True},
        {"event": "step", "index": 1, "name": "b"},
    ]
    assert [(step["name"], step["ok"]) for step in journal.steps_begun(run)] == [("a", True), ("b", False)]


def test_lock_excludes_and_ends_with_its_holder(instance: Instance) -> None:
    first = directory_lock.take(instance)
    assert first is not None
    assert directory_lock.take(instance) is None
    assert directory_lock.is_locked(instance)
    assert os.getpid() in directory_lock.holders(instance)
    os.close(first)
    assert not directory_lock.is_locked(instance)


def test_lock_holders_of_a_given_text(instance: Instance) -> None:
    found = os.stat(instance.dir)
    where = "%02x:%02x:%d" % (os.major(found.st_dev), os.minor(found.st_dev), found.st_ino)
    text = (
        "1: POSIX  ADVISORY  WRITE 11 %s 0 EOF\n2: FLOCK  ADVISORY  WRITE 22 %s 0 EOF\n"
        "3: FLOCK  ADVISORY  READ 3 0:1:2 0 EOF\n"
    )
    assert directory_lock.holders(instance, text % (where, where)) == [22]


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
    assert trusted._others(found, 1000) == 0o002
    assert trusted._others(os.stat_result((0o40775, 0, 0, 1, 1000, 100, 0, 0, 0, 0)), 1000) == 0o022
    assert trusted._others(os.stat_result((0o40775, 0, 0, 1, 0, 0, 0, 0, 0, 0)), 0) == 0o022


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


def test_what_an_unfinished_run_needs_is_kept(state: _state.StateDir) -> None:
    """Its own directory, and those that its changes name."""
    own, named = state.run_dir("r1", "t1"), state.run_dir("r0", "t0")
    state.log("begin", run_id="r1", token="t1", steps=["config"], before=None)
    state.log("change", kind="config", number=0, data={"kept": os.path.join(named, "config.json")})
    made = [state.run_dir("r%d" % number) for number in range(2, 14)]
    for age, path in enumerate([own, named] + made):
        os.utime(path, (age, age))
    state.tidy_runs()
    assert [path for path in [own, named] + made if os.path.isdir(path)] == [own, named] + made[2:]
    state.log("end", outcome="done")
    state.tidy_runs()
    assert [path for path in [own, named] + made if os.path.isdir(path)] == made[2:]


def test_each_window_has_a_directory_of_its_own(state: _state.StateDir) -> None:
    """Also where two have the same run id; the same window always has the same."""
    one, other = state.run_dir("r", "t1"), state.run_dir("r", "t2")
    assert one != other and state.run_dir("r", "t1") == one
    assert os.path.basename(one).startswith("r-") and state.run_path("r", "t1") == one


def test_room_is_set_aside_and_given_back(state: _state.StateDir) -> None:
    state.reserve()
    assert os.stat(os.path.join(state.path, "reserve")).st_blocks > 0
    state.write_result("t", {})
    assert not os.path.exists(os.path.join(state.path, "reserve"))


def test_write_atomic_leaves_the_old_file_when_it_fails(tmp_path: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "file")
    trusted.write_atomic(path, b"old")

    def full(fd: int, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(trusted, "write_all", full)
    with pytest.raises(OSError):
        trusted.write_atomic(path, b"new")
    assert os.listdir(str(tmp_path)) == ["file"]
    with open(path, "rb") as stream:
        assert stream.read() == b"old"


def test_entries_are_json(state: _state.StateDir) -> None:
    state.log("step", name="a", index=0)
    with open(os.path.join(state.path, "journal.jsonl")) as stream:
        assert json.loads(stream.read())["name"] == "a"


def test_a_record_is_not_to_be_removed_for_want_of_descriptors(
    state: _state.StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    state.log("begin")

    def fail(*_unused: t.Any) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(LifecycleError, match="limit of this process") as caught:
        state.journal()
    assert "Remove" not in caught.value.msg


def signalled(pid: int, **fields: t.Any) -> t.Dict[str, t.Any]:
    return dict(event='signal', signal='SIGTERM', pid=pid, at=float(pid), **fields)


def test_a_shortened_journal_keeps_the_last_run_and_who_was_signalled() -> None:
    old: t.List[t.Dict[str, t.Any]] = [
        dict(BEGIN, run_id='r1'),
        dict(event='progress', text='x'),
        signalled(1, run_id='r1'),
        dict(event='end'),
    ]
    last: t.List[t.Dict[str, t.Any]] = [
        dict(BEGIN, run_id='r2'),
        dict(event='step', name='a'),
        signalled(2),
        signalled(3, by='graceful_stop'),
    ]
    assert journal.kept_of_journal(old + last) == [signalled(1, run_id='r1')] + last


def test_a_shortened_journal_has_a_bound_also_where_only_tasks_stopped_it() -> None:
    tasks = [signalled(pid, by='graceful_stop') for pid in range(5000)]
    assert [entry['pid'] for entry in journal.kept_of_journal(tasks)] == list(range(4600, 5000))
    run: t.List[t.Dict[str, t.Any]] = [dict(BEGIN)]
    kept = journal.kept_of_journal(run + tasks)
    assert kept[0] == BEGIN and [entry['pid'] for entry in kept[1:]] == list(range(4600, 5000))


def test_what_a_task_signals_belongs_to_no_run() -> None:
    assert not journal.unfinished([BEGIN, signalled(1, by='graceful_stop')])['signalled']  # type: ignore[index]
    assert journal.unfinished([BEGIN, signalled(1)])['signalled']  # type: ignore[index]


STEP: t.Dict[str, t.Any] = dict(event='step', index=0)
ENDED: t.Dict[str, t.Any] = dict(event='step_end', index=0, ok=True)


@pytest.mark.parametrize(
    'entries, changed',
    [
        ([], []),
        ([dict(STEP, name='graceful_stop')], [False]),  # nothing was signalled yet
        ([dict(STEP, name='graceful_stop'), signalled(7)], [True]),
        ([dict(STEP, name='graceful_stop'), signalled(7, by='graceful_stop')], [False]),  # not by this run
        ([dict(STEP, name='verified_start')], [True]),  # it may have
        ([dict(STEP, name='command')], [True]),
        ([dict(STEP, name='port_released'), dict(STEP, name='log_check'), dict(STEP, name='site_check')], [False] * 3),
        ([dict(STEP, name='verified_start'), dict(ENDED, changed=False)], [False]),  # it ran already
        ([dict(STEP, name='graceful_stop'), signalled(7), dict(ENDED, changed=True)], [True]),
        ([dict(STEP, name='verified_start'), ENDED], [True]),  # of an earlier release
    ],
)
def test_what_a_broken_off_run_has_changed(entries: t.List[t.Dict[str, t.Any]], changed: t.List[bool]) -> None:
    run = [dict(BEGIN)] + entries
    assert [step['changed'] for step in journal.steps_begun(run)] == changed
    assert journal.has_changed(run) == any(changed)
    assert journal.has_changed([dict(BEGIN, recovers=dict(run_id='r0'))] + entries), 'a recovery comes first'
