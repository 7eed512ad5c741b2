# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Windows on real processes: what they do, in which order, and what they say about it."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Callable

import pytest
import windows
from instance import Instance
from watching import Prober

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import at_work, directory_lock, journal
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import follow as _follow
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import worker as _worker

ME = pwd.getpwuid(os.geteuid()).pw_name
VERSIONS = ("2.5.3", "3.2.1", "3.2.8", "3.3.11", "3.5.8")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_restart_in_order_with_its_downtime(site: Callable[..., Instance], version: str) -> None:
    shop = site(version)
    before = shop.pid
    prober = Prober(shop)
    prober.start()
    time.sleep(0.1)
    result = windows.run(shop)
    time.sleep(0.1)
    prober.finish()
    prober.join(10)
    assert (result["outcome"], result["changed"], result["state"]) == ("done", True, "running")
    assert [step["name"] for step in result["steps"]] == ["graceful_stop", "port_released", "verified_start"]
    assert [step["changed"] for step in result["steps"]] == [True, False, True]
    times = [stamp for step in result["steps"] for stamp in (step["started_ms"], step["ended_ms"])]
    assert times == sorted(times)
    assert (result["pid_before"], result["pid_after"]) == (before, shop.pid)
    assert result["version"] == version
    assert (1000 if version == "2.5.3" else 0) < result["downtime_ms"] < result["verified_ms"]  # its pages come later
    seen = max(gap.away_ms for gap in prober.gaps)
    assert result["downtime_ms"] - 150 <= seen <= result["downtime_ms"] + 400  # the prober's pauses, and a busy machine
    context = windows.context_of(shop)
    assert windows.worker_log(context) == ""
    assert at_work.interrupted(context.state) is None
    assert not directory_lock.is_locked(context.instance)


def test_starting_what_is_stopped_and_doing_nothing_twice(site: Callable[..., Instance]) -> None:
    shop = site()
    first = windows.run(shop, [{"graceful_stop": {}}])
    assert (first["outcome"], first["state"], first["downtime_ms"]) == ("done", "stopped", None)
    again = windows.run(shop, [{"graceful_stop": {}}])
    assert (again["outcome"], again["changed"]) == ("unchanged", False)
    started = windows.run(shop, [{"verified_start": {"stable_for": 0}}])
    assert (started["outcome"], started["pid_after"]) == ("done", shop.pid)
    running = windows.run(shop, [{"verified_start": {"stable_for": 0}}])
    assert (running["outcome"], running["pid_after"]) == ("unchanged", shop.pid)


def test_the_port_of_config_json_may_have_been_changed(site: Callable[..., Instance]) -> None:
    """It runs on the old port until the restart, and on the new one after it."""
    from instance import write_config
    from mariadb import free_port

    shop = site()
    shop.port = free_port()
    write_config(shop, None)
    result = windows.run(shop)
    assert result["outcome"] == "done"
    assert result["downtime_ms"] is not None
    assert shop.told_version() == "3.5.8"


def test_the_arguments_may_change_the_port(site: Callable[..., Instance]) -> None:
    from mariadb import free_port

    shop = site()
    port = free_port()
    steps = [{"graceful_stop": {}}, {"verified_start": {"arguments": ["-port", str(port)], "stable_for": 0}}]
    assert windows.run(shop, steps)["outcome"] == "done"
    shop.port = port
    assert shop.told_version() == "3.5.8"
    assert windows.run(shop)["outcome"] == "done"  # and the next restart keeps it
    assert shop.told_version() == "3.5.8"


def test_a_failing_command_stops_the_steps_and_the_instance_runs_again(site: Callable[..., Instance]) -> None:
    shop = site()
    command = {"argv": ["/bin/sh", "-c", "echo why; exit 7"]}
    steps = [{"graceful_stop": {}}, {"command": command}, {"verified_start": {}}]
    result = windows.run(shop, steps)
    assert (result["outcome"], result["failed"], result["state"]) == ("failed", True, "running")
    assert [step["name"] for step in result["steps"]] == ["graceful_stop", "command"]
    assert result["steps"][1]["result"]["exit_code"] == 7
    assert "exit status 7" in result["msg"]
    assert "why" in result["msg"]
    assert f"Now it is running (pid {shop.pid})" in result["msg"]
    assert result["changed"] is True


def test_the_text_of_a_command_is_its_own(site: Callable[..., Instance]) -> None:
    """Not that of the stop before it."""
    shop = site()
    context, plan = (
        windows.context_of(shop),
        windows.plan_of([{"graceful_stop": {}}, {"command": {"argv": ["/bin/sleep", "2"]}}]),
    )
    pipe = windows.begin(context, plan)
    assert windows.within(10, lambda: windows.at_event(context, "step", name="command"))
    text = windows.within(5, lambda: _follow.whereabouts(journal.last_run(windows.journal(context)))["text"])
    assert text == "running /bin/sleep, at most 60 s"
    assert windows.wait(context, plan, pipe)["outcome"] == "done"


def test_a_port_that_stays_held_after_the_stop(site: Callable[..., Instance]) -> None:
    """In the middle of a run the message does not say that nothing was done."""
    shop = site()
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        held = {"port_released": {"ports": [stranger.getsockname()[1]], "timeout": 0.2}}
        result = windows.run(shop, [windows.RESTART[0], held, windows.RESTART[2]])
        alone = windows.run(shop, [held])
    assert (result["outcome"], result["state"]) == ("failed", "running")
    assert "is still held" in result["msg"] and "Nothing was done" not in result["msg"]
    assert "Done before it: graceful_stop." in result["msg"]
    assert "Done before it" not in alone["msg"]


def test_on_failure_leave(site: Callable[..., Instance]) -> None:
    shop = site()
    steps = [{"graceful_stop": {}}, {"command": {"cmd": "false"}}, {"verified_start": {}}]
    result = windows.run(shop, steps, on_failure="leave")
    assert (result["outcome"], result["state"], result["pid_after"]) == ("failed", "stopped", None)
    assert shop.pids() == []
    assert (result["unfinished"], result["waits_for"]) == (True, None)
    assert "The run is unfinished" in result["msg"]
    assert (at_work.interrupted(windows.context_of(shop).state) or {})["run_id"] == "run-1"  # so that recover finds it
    assert not directory_lock.is_locked(windows.context_of(shop).instance)


def test_what_was_stopped_before_is_not_started_by_a_failure(site: Callable[..., Instance]) -> None:
    shop = site(start=False)
    result = windows.run(shop, [{"command": {"cmd": "false"}}, {"verified_start": {"user": ME}}])
    assert (result["outcome"], result["state"]) == ("failed", "stopped")
    assert shop.pids() == []


def test_the_start_is_tried_once_more(site: Callable[..., Instance]) -> None:
    """The first start ends with code 3, and while the failure is looked at, its cause goes away."""
    shop = site()
    shop.knobs(no_database=True, says="it has read its settings", exit_code=3, start_delay_ms=1500)
    context, plan = windows.context_of(shop), windows.plan_of(windows.RESTART)
    pipe = windows.begin(context, plan)
    assert windows.within(20, lambda: "it has read its settings" in shop.log_text())
    shop.knobs(no_database=True)
    result = windows.wait(context, plan, pipe)
    assert result["outcome"] == "failed"
    assert result["steps"][2]["result"]["exit_code"] == 3
    assert "The instance runs" in result["msg"]
    assert result["state"] == "running"
    assert result["downtime_ms"] is not None
    assert shop.told_version() == "3.5.8"


def test_a_start_that_fails_twice_says_so(site: Callable[..., Instance]) -> None:
    shop = site()
    shop.knobs(no_database=True, exit_code=3)
    result = windows.run(shop)
    assert (result["outcome"], result["state"], result["downtime_ms"]) == ("failed", "stopped", None)
    assert "A second attempt to start it failed as well" in result["msg"]


def _living(pidfile: Path) -> bool:
    pid = int(pidfile.read_text())
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_time_out_ends_all_that_the_command_started(site: Callable[..., Instance], tmp_path: Path) -> None:
    shop = site(start=False)
    note = tmp_path / "child"
    script = f"sleep 60 & echo $! > {note}; wait"
    began = time.monotonic()
    result = windows.run(shop, [{"command": {"argv": ["/bin/sh", "-c", script], "timeout": 0.5}}])
    assert time.monotonic() - began < 10
    assert result["outcome"] == "failed"
    assert "ended after 0.5 s" in result["msg"]
    assert windows.within(5, lambda: not _living(note))


def test_a_command_may_leave_a_child_behind(site: Callable[..., Instance], tmp_path: Path) -> None:
    """Its end is the end of the step, although the child still holds its output."""
    shop = site(start=False)
    note = tmp_path / "child"
    script = f"echo said; setsid sleep 60 & echo $! > {note}"
    try:
        result = windows.run(shop, [{"command": {"argv": ["/bin/sh", "-c", script], "timeout": 20}}])
        assert result["outcome"] == "done"
        assert result["steps"][0]["result"]["output"] == "said"
        assert result["steps"][0]["ended_ms"] < 5000
    finally:
        windows.end_process(int(note.read_text()))


def test_a_command_gets_no_descriptor_and_no_callers_path(site: Callable[..., Instance], tmp_path: Path) -> None:
    shop = site(start=False)
    note = tmp_path / "note"
    script = f"ls /proc/self/fd > {note}; echo $PATH >> {note}"
    assert windows.run(shop, [{"command": {"argv": ["/bin/sh", "-c", script]}}])["outcome"] == "done"
    words = note.read_text().split()
    assert set(words[:-1]) <= {"0", "1", "2", "3"}  # 3 is the directory that ls reads
    assert words[-1].startswith("/usr/local/sbin:")


def test_no_step_begins_after_the_deadline(site: Callable[..., Instance]) -> None:
    shop = site()
    before = shop.pid
    result = windows.run(shop, deadline=0.0)
    assert "the deadline of 0 s has passed before step graceful_stop" in result["msg"]
    assert (result["outcome"], result["state"], shop.pid) == ("failed", "running", before)
    assert at_work.interrupted(windows.context_of(shop).state) is None


def test_a_stop_that_outlasts_the_deadline(site: Callable[..., Instance]) -> None:
    """Its port stays open until it ends, so that the site is not known to be down; a guardian starts it again."""
    shop = site(exit_delay_ms=12000)
    before, context = shop.pid, windows.context_of(shop)
    result = windows.run(shop, deadline=5.0)
    assert (result["outcome"], result["waits_for"]) == ("failed", "end_of_process"), result
    assert windows.within(40, lambda: shop.told_version() and shop.pids() != [before])
    assert windows.within(10, lambda: windows.at_event(context, "end"))


def test_a_worker_that_overstays_is_ended(site: Callable[..., Instance], monkeypatch: pytest.MonkeyPatch) -> None:
    """It was frozen while the instance was down."""
    monkeypatch.setattr(_worker, "OVERSTAY_S", 0.5)
    shop = site()
    steps = [{"graceful_stop": {}}, {"command": {"argv": ["sleep", "0.4"]}}, {"verified_start": {}}]
    context, plan = windows.context_of(shop), windows.plan_of(steps, deadline=5.0)
    pipe = windows.begin(context, plan)
    assert windows.within(20, lambda: windows.at_event(context, "step", name="command"))
    os.kill(windows.at_event(context, "worker")["pid"], signal.SIGSTOP)
    result = windows.wait(context, plan, pipe)
    assert result["outcome"] == "failed"
    assert "had not ended 0.5 s after the deadline of 5 s" in result["msg"]
    assert "The guardian recovered the instance" in result["msg"]
    assert (result["state"], result["pid_after"]) == ("running", shop.pid)


def test_a_command_ends_with_the_window(site: Callable[..., Instance]) -> None:
    shop = site()
    steps = [{"graceful_stop": {}}, {"command": {"argv": ["sleep", "60"]}}, {"verified_start": {}}]
    result = windows.run(shop, steps, deadline=5.0)
    assert "(the deadline of the window)" in result["msg"]
    assert (result["state"], result["pid_after"]) == ("running", shop.pid)


def test_following_in_short_calls(site: Callable[..., Instance]) -> None:
    shop = site(start=False)
    context, plan = windows.context_of(shop), windows.plan_of([{"command": {"argv": ["sleep", "2"]}}])
    pipe = windows.begin(context, plan)
    assert _follow.wait_for_end(context.state, time.monotonic() + 0.3, pipe) is False
    where = _follow.report(context.state, plan.token, False, plan.deadline)
    assert where["running"] is True
    assert where["where"]["step"] == "command"
    assert windows.wait(context, plan, None)["outcome"] == "done"  # through the FIFO, as a later call does


def test_eight_at_once_one_wins(site: Callable[..., Instance]) -> None:
    """The others are told the run id of the one that works."""
    shop = site(start=False)
    read_end, write_end = os.pipe()
    children = []
    for number in range(8):
        pid = os.fork()
        if not pid:
            said = "?"
            try:
                context = windows.context_of(shop)
                plan = windows.plan_of([{"command": {"argv": ["sleep", "4"]}}], run_id=f"run-{number}")
                try:
                    pipe = windows.begin(context, plan)
                    said = f"won run-{number} {windows.wait(context, plan, pipe)['outcome']}"
                except LifecycleError as exc:
                    said = f"refused {(exc.result.get('holder') or {}).get('run_id')} {exc.msg[:40]!r}"
            except BaseException as exc:
                said = f"broke {exc!r}"
            finally:
                os.write(write_end, (said + "\n").encode())
                os._exit(0)
        children.append(pid)
    os.close(write_end)
    with os.fdopen(read_end) as stream:
        told = stream.read().split("\n")[:-1]
    for pid in children:
        os.waitpid(pid, 0)
    won = [line.split() for line in told if line.startswith("won")]
    assert len(won) == 1, told
    assert won[0][2] == "done"
    assert [line.split()[1] for line in told if not line.startswith("won")] == [won[0][1]] * 7, told


def test_the_worker_survives_what_kills_a_session(site: Callable[..., Instance], tmp_path: Path) -> None:
    """The module's process is killed, then its whole group gets SIGHUP: the window goes on."""
    shop = site()
    context, plan = windows.context_of(shop), windows.plan_of([{"command": {"argv": ["sleep", "1"]}}, *windows.RESTART])
    before = shop.pid
    module = os.fork()
    if not module:
        try:
            os.setsid()
            windows.begin(context, plan)
            time.sleep(60)
        finally:
            os._exit(1)
    assert windows.within(20, lambda: any(e["event"] == "step" for e in windows.journal(context)))
    os.killpg(module, signal.SIGHUP)
    try:
        os.kill(module, signal.SIGKILL)
    except ProcessLookupError:
        pass
    os.waitpid(module, 0)
    result = windows.wait(context, plan, None)
    assert result["outcome"] == "done"
    assert shop.pid not in (0, before)


def test_the_worker_is_nobodys_child_and_has_no_terminal(site: Callable[..., Instance]) -> None:
    shop = site(start=False)
    context, plan = windows.context_of(shop), windows.plan_of([{"command": {"argv": ["sleep", "1.5"]}}])
    pipe = windows.begin(context, plan)
    assert windows.within(20, lambda: any(e["event"] == "worker" for e in windows.journal(context)))
    pids = [entry["pid"] for entry in windows.journal(context) if entry["event"] in ("guardian", "worker")]
    for pid in pids:
        assert os.getsid(pid) != os.getsid(0)
        assert os.readlink(f"/proc/{pid}/cwd") == "/"
        links = {name: os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd")}
        assert links["0"] == "/dev/null"
        assert links["1"] == links["2"] == os.path.join(context.state.path, "worker.log")
    assert windows.wait(context, plan, pipe)["outcome"] == "done"


def test_the_site_keeps_nothing_of_the_worker(site: Callable[..., Instance]) -> None:
    shop = site()
    windows.run(shop)
    links = [os.readlink(f"/proc/{shop.pid}/fd/{name}") for name in os.listdir(f"/proc/{shop.pid}/fd")]
    context = windows.context_of(shop)
    assert not [link for link in links if link.startswith(context.state.path) or link == str(shop.dir)]
    assert os.getsid(shop.pid) == shop.pid
    assert not directory_lock.is_locked(context.instance)
    taken = subprocess.run(["flock", "-n", str(shop.dir), "true"], check=False)
    assert taken.returncode == 0
