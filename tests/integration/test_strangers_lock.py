# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose lock on the install directory keeps a run away. On real processes of several users."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator, NamedTuple

import pytest
import windows
from instance import Instance, make_instance

from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import window_call
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._info import describe
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import (
    at_work,
    directory_lock,
    instance,
    one_at_a_time,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import lock as _lock
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import follow as _follow
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import window_plan

root = pytest.mark.root
WWW, TENANT = 33, 65534
HOLD = """
import fcntl, os, sys, time
fd = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECTORY)
fcntl.flock(fd, fcntl.LOCK_EX)
if sys.argv[2] == 'passed on' and os.fork():
    os._exit(0)
if sys.argv[2] == 'in flight':
    import array, socket
    ends = socket.socketpair()
    ends[0].sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [fd]))])
    os.close(fd)
    if os.fork():
        os._exit(0)
time.sleep(60)
"""


class Holder(NamedTuple):
    """Who holds the directory's lock, and whether root is kept away by it."""

    uid: int
    how: str
    refuses: bool
    before: tuple[str, ...] = ()


HOLDERS = [
    Holder(0, "itself", True),
    Holder(0, "passed on", True),
    Holder(WWW, "itself", True),
    Holder(WWW, "passed on", True),
    Holder(TENANT, "itself", False),
    Holder(TENANT, "passed on", False),
    Holder(TENANT, "in flight", False),  # no process has the descriptor: nobody can be identified
    Holder(TENANT, "itself", False, ("unshare", "--user", "--map-root-user", "--pid", "--fork")),
]
IDS = [f"{one.uid} {one.how} {' '.join(one.before[:1])}".strip() for one in HOLDERS]


@pytest.fixture
def site(place: Path) -> Instance:
    """Of www, not started."""
    made = make_instance(place / "www" / "shop", "3.5.8")
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", f"{WWW}:{WWW}", str(made.dir)], check=True)
    return made


def as_user(uid: int) -> list[str]:
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"] if uid else []


@pytest.fixture
def hold(site: Instance) -> Iterator[Callable[[Holder], None]]:
    """Have the lock held until the test ends."""
    groups = []

    def begin(one: Holder) -> None:
        words = [*as_user(one.uid), *one.before, "/usr/bin/python3", "-c", HOLD, str(site.dir), one.how]
        process = subprocess.Popen(words, start_new_session=True)
        groups.append(process)
        assert windows.within(10, lambda: directory_lock.is_locked(instance.resolve(str(site.dir))))
        if one.how != "itself":
            process.wait(10)

    yield begin
    for process in groups:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()


def start_as_www(site: Instance) -> int:
    text = f"cd {site.dir} && nohup {site.binary} >> {site.log} 2>&1 &"
    subprocess.run([*as_user(WWW), "/bin/sh", "-c", text], check=True, stdin=subprocess.DEVNULL)
    return site.wait_ready()


@root
@pytest.mark.parametrize("one", HOLDERS, ids=IDS)
def test_whose_lock_keeps_root_away(site: Instance, place: Path, hold: Callable[[Holder], None], one: Holder) -> None:
    before = start_as_www(site)
    hold(one)
    state = windows.context_of(site, place / "state").state
    assert at_work.is_worked_on(state) is one.refuses
    call = windows.ModuleCall(site, check_mode=True, state_dir=str(place / "state"))
    if one.refuses:
        with pytest.raises(LifecycleError, match=r"in use by pid .* Nothing was done"):
            window_call.run(call)
        with pytest.raises(LifecycleError, match=r"in use by pid .* Nothing was done"):
            windows.run(site, None, place / "state")
        assert site.pid == before
        return
    assert "was ignored" in window_call.run(call)["notes"][0]
    result = windows.run(site, None, place / "state")
    assert (result["outcome"], result["pid_before"]) == ("done", before), result
    assert site.pid == result["pid_after"] != before
    assert "was ignored" in result["notes"][0] and str(site.dir) in result["notes"][0]
    assert ("nobody" in result["notes"][0]) is (one.how != "in flight")
    assert at_work.interrupted(state) is None and not at_work.is_worked_on(state)


@root
def test_a_strangers_lock_neither_hides_nor_makes_a_run(
    site: Instance, place: Path, hold: Callable[[Holder], None]
) -> None:
    hold(Holder(TENANT, "itself", False))
    state = windows.context_of(site, place / "state").state
    state.make()
    state.log("begin", run_id="cut", token="x", steps=["verified_start"], before=None)
    assert at_work.running_run(state) is None and at_work.interrupted(state) is not None
    row = describe.describe(instance.resolve(str(site.dir)), base=str(place / "state"))
    codes = [hazard["code"] for hazard in row["hazards"]]
    assert "unfinished_run" in codes and "run_in_progress" not in codes
    with one_at_a_time.held(windows.context_of(site, place / "state")) as nothing:
        assert nothing is None and at_work.is_worked_on(state) and at_work.running_run(state) is not None
    kept = window_call.run(
        windows.ModuleCall(site, steps=[], recover="only", put_aside=True, state_dir=str(place / "state"))
    )
    assert kept["changed"] and Path(kept["kept_in"]).is_dir()


@root
def test_an_operator_who_is_not_root_is_refused_by_any_lock(
    site: Instance, place: Path, hold: Callable[[Holder], None]
) -> None:
    home = place / "home"
    home.mkdir()
    os.chown(home, WWW, WWW)
    assert _take_as(WWW, site, home) == "taken"
    hold(Holder(TENANT, "itself", False))
    assert _take_as(WWW, site, home) == "refused"


def _take_as(uid: int, site: Instance, base: Path) -> str:
    code = f"""
import sys
sys.path[:0] = {sys.path!r}
import windows
from instance import Instance
from pathlib import Path
context = windows.context_of(Instance(Path({str(site.dir)!r}), '3.5.8', 0, ''), Path({str(base)!r}))
context.state.make()
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import lock
print('taken' if lock.take(context.state) else 'refused')
"""
    done = subprocess.run(
        [*as_user(uid), "/usr/bin/python3", "-c", code],
        check=False,
        capture_output=True,
        text=True,
        env={"HOME": str(base), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@root
def test_an_operators_run_and_roots_keep_each_other_away(site: Instance, place: Path) -> None:
    """They have different state directories, and the directory's lock in common, which a worker inherits."""
    theirs = windows.context_of(site, place / "theirs")
    theirs.state.make()
    lock = _lock.take(theirs.state)
    assert lock is not None
    with pytest.raises(LifecycleError, match=f"in use by pid {os.getpid()}"):
        windows.run(site, None, place / "state")
    lock.close()


@root
def test_in_a_pid_namespace_who_cannot_be_seen_is_not_heeded(
    site: Instance, place: Path, hold: Callable[[Holder], None]
) -> None:
    """As in a container that shares the directory with its host. The own lock still counts."""
    (place / "state").mkdir()
    hold(Holder(WWW, "itself", True))
    code = f"""
import sys
sys.path[:0] = {sys.path!r}
import windows
from instance import Instance
from pathlib import Path
context = windows.context_of(Instance(Path({str(site.dir)!r}), '3.5.8', 0, ''), Path({str(place / 'state')!r}))
context.state.make()
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import lock
taken = lock.take(context.state)
print(taken.notes[0], lock.take(context.state))
"""
    done = subprocess.run(
        ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", code],
        check=False,
        capture_output=True,
        text=True,
    )
    assert "could not be identified" in done.stdout and done.stdout.endswith("None\n"), done


# --- a call that is repeated


def test_a_call_that_is_repeated_while_the_first_one_looks_follows_it(
    site: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ssh made it again before the first one had begun its journal: there is one run, and both tell its result."""
    site.start()
    pid, state = site.pid, windows.context_of(site).state
    foresee, looking = window_plan.foresee, threading.Event()

    def slow(*given: Any) -> Any:
        looking.set()
        time.sleep(1.5)
        return foresee(*given)

    monkeypatch.setattr(window_plan, "foresee", slow)
    options: dict[str, Any] = {"internal": {"token": "abc", "wait": 0.0}, "recover": "auto"}
    if os.geteuid() == 0:
        options["accept_hazards"] = ["root_runs_writable"]
    results: list[Any] = []
    first = threading.Thread(target=lambda: results.append(window_call.run(windows.ModuleCall(site, **options))))
    first.start()
    assert looking.wait(20) and not _follow.knows(state, "abc")
    briefly = {**options, "internal": {"token": "abc", "wait": 0.1}}
    assert window_call.run(windows.ModuleCall(site, **briefly))["running"]
    results.append(window_call.run(windows.ModuleCall(site, **options)))
    first.join()
    told = [json.loads(json.dumps(result)) for result in results]
    assert told[0] == told[1] and told[0]["outcome"] == "done", told
    assert told[0]["pid_before"] == pid and site.pid == told[0]["pid_after"] != pid
    assert len([entry for entry in state.journal() if entry["event"] == "begin"]) == 1


def test_another_run_is_refused_by_its_name(site: Instance) -> None:
    context = windows.context_of(site)
    context.state.make()
    lock = _lock.take(context.state, "abc")
    assert lock is not None
    context.state.log("begin", run_id="the-first", token="abc", steps=["graceful_stop"], before=None)
    with pytest.raises(LifecycleError, match="in use by run the-first"):
        window_call.run(windows.ModuleCall(site, internal={"token": "other"}))
    lock.close()


# --- a state directory in which nothing can be locked


@root
def test_a_state_directory_that_is_read_only_or_full(site: Instance, place: Path) -> None:
    """On a file system of its own, in a mount namespace of its own."""
    before = start_as_www(site)
    (place / "state").mkdir()
    for options, fill in (
        ("size=64k,ro", ":"),
        ("size=64k,nr_inodes=6", f"cat /dev/zero > {place}/state/fill"),
        ("nr_inodes=4", ":"),
    ):
        script = (
            f"mount -t tmpfs -o mode=755,{options} tmpfs {place}/state; {fill} 2> /dev/null; "
            f"exec {sys.executable} -c \"$1\""
        )
        code = f"""
import sys
sys.path[:0] = {sys.path!r}
import windows
from instance import Instance
from pathlib import Path
try:
    print(windows.run(Instance(Path({str(site.dir)!r}), '3.5.8', 0, ''), None, Path({str(place / 'state')!r})))
except windows._state.LifecycleError as exc:
    print('refused:', exc.msg)
"""
        done = subprocess.run(
            ["unshare", "--mount", "/bin/sh", "-c", script, "sh", code], check=False, capture_output=True, text=True
        )
        assert done.stdout.startswith("refused: ") and "Nothing was" in done.stdout, done
        assert site.pid == before and site.told_version()
