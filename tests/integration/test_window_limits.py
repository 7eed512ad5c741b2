# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every wait of a window has its limit, and after each the site is up, or the run is unfinished and says why."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
import windows
from instance import Instance, make_instance
from integration.stopping import DEFAULTS as STOP
from mariadb import MariaDB

from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import (
    at_work,
    directory_lock,
    journal,
    one_at_a_time,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import start as _start
from ansible_collections.anqicms.lifecycle.plugins.module_utils._stop import stop as _stop
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import worker as _worker

ME = pwd.getpwuid(os.geteuid()).pw_name
HANGS = dict(no_database=True, start_delay_ms=3_600_000)  # it runs and never opens its port


def restart(**options: Any) -> list[dict[str, Any]]:
    """Steps of a restart, with options of its stop."""
    return [{"graceful_stop": options}, {"port_released": {}}, {"verified_start": {"stable_for": 0.2}}]


@pytest.fixture
def visitor() -> Iterator[Callable[[Instance], socket.socket]]:
    """Holds a request that never ends: the headers are not complete."""
    held: list[socket.socket] = []

    def hold(shop: Instance) -> socket.socket:
        held.append(socket.create_connection(("127.0.0.1", shop.port)))
        held[-1].sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX: ")
        time.sleep(0.1)
        return held[-1]

    yield hold
    for connection in held:
        connection.close()


@pytest.fixture
def guarded() -> Iterator[list[Any]]:
    """Contexts whose guardians are ended after the test."""
    contexts: list[Any] = []
    yield contexts
    for context in contexts:
        end_guardian(context)


def end_guardian(context: Any) -> None:
    run = at_work.interrupted(context.state)
    if run and run.get("guardian"):
        windows.end_process(run["guardian"]["pid"])


def interrupted(context: Any) -> Any:
    return at_work.interrupted(context.state)


def is_finished(context: Any) -> bool:
    """Whether the last run has ended, and nobody works on it."""
    run = journal.last_run(context.state.journal())
    return journal.unfinished(run) is None and not directory_lock.is_locked(context.instance)


@pytest.mark.parametrize("version", ["2.5.3", "3.2.1", "3.3.11", "3.5.1"])
def test_a_visitor_is_cut_at_the_deadline(
    site: Callable[..., Instance], visitor: Callable[[Instance], socket.socket], version: str
) -> None:
    shop = site(version)
    before = shop.pid
    visitor(shop)
    result = windows.run(shop, restart(timeout=0.5 if version < "3.3" else 30.0, idle_timeout=0.2), deadline=6.0)
    stop = result["steps"][0]["result"]
    assert (result["outcome"], result["state"]) == ("done", "running"), result
    assert (stop["exit_kind"], stop["requests"]["cut"]) == ("forced_timeout", 1)
    assert shop.told_version() == version
    assert shop.pid not in (None, before)
    assert interrupted(windows.context_of(shop)) is None


@pytest.mark.parametrize("version", ["3.2.8", "3.5.1"])
def test_with_force_never_a_guardian_waits_for_the_visitor(
    site: Callable[..., Instance], visitor: Callable[[Instance], socket.socket], guarded: list[Any], version: str
) -> None:
    shop = site(version)
    before, held, context = shop.pid, visitor(shop), windows.context_of(shop)
    guarded.append(context)
    result = windows.run(shop, restart(timeout=0.5, idle_timeout=0.2, force="never"), deadline=6.0)
    assert (result["outcome"], result["state"]) == ("failed", "undead"), result
    assert (result["unfinished"], result["waits_for"]) == (True, "end_of_process")
    assert "A guardian on the host waits for the process to end, at most 3600 s" in result["msg"]
    assert not directory_lock.is_locked(context.instance)
    run = interrupted(context)
    assert (run["run_id"], run["waits_for"]) == ("run-1", "end_of_process")
    assert shop.pids() == [before]
    held.close()
    assert windows.runs(shop) != before
    assert windows.within(10, lambda: is_finished(context))
    assert windows.at_event(context, "end")["outcome"] == "recovered"


@pytest.mark.parametrize("force", ["never", "idle"])
def test_a_guardian_ends_an_old_version_as_soon_as_it_is_idle(
    site: Callable[..., Instance],
    visitor: Callable[[Instance], socket.socket],
    guarded: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    force: str,
) -> None:
    """2.5.3 never ends of SIGTERM. Its backups cannot be ruled out while its descriptors may not be read."""
    shop = site("2.5.3")
    context = windows.context_of(shop)
    guarded.append(context)
    if force == "never":
        result = windows.run(shop, restart(timeout=0.5, idle_timeout=0.2, force="never"), deadline=6.0)
        assert (result["outcome"], result["waits_for"]) == ("failed", "end_of_process"), result
    else:
        visitor(shop)
        result = windows.run(shop, restart(timeout=0.5, idle_timeout=0.2), deadline=30.0)
        assert result["outcome"] == "done", result
    assert windows.runs(shop)
    assert windows.within(10, lambda: is_finished(context))


def test_a_guardian_that_stays_has_a_limit(
    site: Callable[..., Instance], visitor: Callable[[Instance], socket.socket]
) -> None:
    shop = site("3.5.1")
    held, context = visitor(shop), windows.context_of(shop)
    steps = restart(timeout=0.5, idle_timeout=0.2, force="never")
    result = windows.run(shop, steps, deadline=6.0, guardian_limit=1.0)
    assert "at most 1 s" in result["msg"]
    pid = interrupted(context)["guardian"]["pid"]
    assert windows.within(20, lambda: windows.at_event(context, "guardian_left"))
    assert windows.within(5, lambda: not Path(f"/proc/{pid}").exists())
    assert interrupted(context)["guardian"] is None
    held.close()
    assert windows.within(10, lambda: not shop.pids())
    found = recover(shop)
    assert found["state"] == "running", found
    assert interrupted(context) is None


def recover(shop: Instance, **options: Any) -> dict[str, Any]:
    """As recover.yml does it."""
    context, plan = windows.context_of(shop), windows.plan_of([], run_id="run-2", **options)
    return windows.wait(context, plan, windows.begin(context, plan))


def test_a_stop_takes_over_from_a_guardian(
    site: Callable[..., Instance], visitor: Callable[[Instance], socket.socket], guarded: list[Any]
) -> None:
    shop = site("3.5.1")
    held, context = visitor(shop), windows.context_of(shop)
    guarded.append(context)
    windows.run(shop, restart(timeout=0.5, idle_timeout=0.2, force="never"), deadline=6.0)
    pid = interrupted(context)["guardian"]["pid"]
    with one_at_a_time.held(context):
        stopped = _stop.stop(context, dict(STOP, timeout=0.5, force="timeout"))
    assert stopped["exit_kind"] == "forced_timeout"
    held.close()
    assert windows.within(20, lambda: not Path(f"/proc/{pid}").exists())
    assert shop.pids() == []
    assert interrupted(context) is None


def test_the_next_restart_takes_over_from_a_guardian(
    site: Callable[..., Instance], visitor: Callable[[Instance], socket.socket], guarded: list[Any]
) -> None:
    shop = site("3.5.1")
    visitor(shop)
    context = windows.context_of(shop)
    guarded.append(context)
    windows.run(shop, restart(timeout=0.5, idle_timeout=0.2, force="never"), deadline=6.0)
    pid = interrupted(context)["guardian"]["pid"]
    result = windows.run(shop, restart(timeout=0.5, idle_timeout=0.2, force="timeout"), deadline=6.0, run_id="run-2")
    assert (result["outcome"], result["state"]) == ("done", "running"), result
    assert windows.within(20, lambda: not Path(f"/proc/{pid}").exists())
    assert interrupted(context) is None


def test_a_start_that_never_answers_ends_with_the_window(site: Callable[..., Instance], guarded: list[Any]) -> None:
    """Its log grows all the time."""
    shop = site()
    context = windows.context_of(shop)
    guarded.append(context)
    shop.knobs(**HANGS)
    loop = "import sys,time\nwhile True: print('x', file=open(sys.argv[1], 'a')); time.sleep(0.2)"
    chat = subprocess.Popen([sys.executable, "-c", loop, str(shop.log)])
    try:
        began = time.monotonic()
        result = windows.run(shop, restart(), deadline=6.0)
        assert time.monotonic() - began < 30
        assert (result["outcome"], result["waits_for"]) == ("failed", "answer"), result
        assert "It was not ended, because it may be migrating its database" in result["msg"]
        assert not directory_lock.is_locked(context.instance)
        again = windows.run(shop, restart(timeout=0.5), deadline=6.0, run_id="run-2")
        assert again["outcome"] == "failed"
        assert not directory_lock.is_locked(context.instance)
        shop.knobs(no_database=True)
        shop.kill()
        assert windows.runs(shop)
        assert windows.within(10, lambda: is_finished(context))
    finally:
        chat.kill()
        chat.wait()


def test_ready_limit_of_a_start_alone(site: Callable[..., Instance]) -> None:
    shop = site(start=False)
    shop.knobs(**HANGS)
    context = windows.context_of(shop)
    params = dict(ready_timeout=60.0, ready_limit=1.0, stable_for=0.1, environment=None, arguments=None, user=ME)
    with pytest.raises(_start.Unproven, match="within 1 s, the time limit of this start"):
        _start.start(context, params)
    context.close()


def hold_port(port: int, seconds: float) -> subprocess.Popen[bytes]:
    """A stranger that takes the port as soon as it is free."""
    code = (
        "import socket,sys,time\n"
        "while True:\n"
        "    s = socket.socket(socket.AF_INET6)\n"
        "    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n"
        "    try:\n"
        "        s.bind(('::', int(sys.argv[1]))); s.listen(5); break\n"
        "    except OSError: s.close()\n"
        "time.sleep(float(sys.argv[2]))\n"
    )
    return subprocess.Popen([sys.executable, "-c", code, str(port), str(seconds)])


def test_a_port_that_a_stranger_took_is_waited_for(site: Callable[..., Instance]) -> None:
    shop = site()
    before, stranger = shop.pid, hold_port(shop.port, 4.0)
    time.sleep(0.3)
    steps = [{"graceful_stop": {}}, {"command": {"argv": ["sleep", "0.5"]}}, {"verified_start": {"stable_for": 0.2}}]
    result = windows.run(shop, steps, deadline=60.0)
    assert (result["outcome"], result["state"]) == ("done", "running"), result
    assert shop.pid != before
    assert stranger.wait(10) == 0


def test_a_guardian_starts_it_when_the_port_is_free_again(site: Callable[..., Instance], guarded: list[Any]) -> None:
    shop = site()
    context = windows.context_of(shop)
    guarded.append(context)
    stranger = hold_port(shop.port, 300.0)
    try:
        time.sleep(0.3)
        steps = [
            {"graceful_stop": {}},
            {"command": {"argv": ["sleep", "0.5"]}},
            {"verified_start": {"stable_for": 0.2}},
        ]
        result = windows.run(shop, steps, deadline=6.0)
        assert (result["outcome"], result["state"], result["waits_for"]) == ("failed", "ambiguous", "condition"), result
        assert "Nothing was stopped" not in result["msg"]
        assert f"pid {stranger.pid}" in result["msg"]
    finally:
        stranger.kill()
        stranger.wait()
    assert windows.runs(shop, 30.0)
    assert windows.within(10, lambda: is_finished(context))


def test_a_frozen_guardian_keeps_no_lock_after_a_good_end(site: Callable[..., Instance]) -> None:
    shop = site()
    context, plan = windows.context_of(shop), windows.plan_of(windows.RESTART)
    pipe = windows.begin(context, plan)
    guardian = windows.within(10, lambda: windows.at_event(context, "guardian"))["pid"]
    os.kill(guardian, signal.SIGSTOP)
    try:
        result = windows.wait(context, plan, pipe)
        assert result["outcome"] == "done"
        assert not directory_lock.is_locked(context.instance)
        assert windows.run(shop, run_id="run-2")["outcome"] == "done"
    finally:
        os.kill(guardian, signal.SIGCONT)
    assert windows.within(10, lambda: not Path(f"/proc/{guardian}").exists())


def test_a_killed_worker_and_a_start_that_never_answers(
    site: Callable[..., Instance], guarded: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recovery of the guardian ends within its own limit."""
    monkeypatch.setattr(_worker, "_LEAST_RECOVERY_S", 2.0)
    shop = site()
    context, plan = windows.context_of(shop), windows.plan_of(windows.RESTART, deadline=6.0)
    guarded.append(context)
    shop.knobs(**HANGS)
    with monkeypatch.context() as patch:
        windows.Killer(windows.at("step_end", index=0)).install(patch)
        pipe = windows.begin(context, plan)
    began = time.monotonic()
    result = windows.wait(context, plan, pipe)
    assert time.monotonic() - began < 30
    assert (result["outcome"], result["waits_for"]) == ("failed", "answer"), result
    assert not directory_lock.is_locked(context.instance)
    assert interrupted(context)["run_id"] == "run-1"


def test_a_page_instead_of_a_version_fails_at_once(site: Callable[..., Instance], guarded: list[Any]) -> None:
    """The first site was disabled while it ran: after the restart every path answers with a page."""
    shop = site()
    context = windows.context_of(shop)
    guarded.append(context)
    shop.knobs(no_database=True, disabled=True)
    began = time.monotonic()
    result = windows.run(shop, restart(), deadline=120.0)
    assert time.monotonic() - began < 60
    assert (result["outcome"], result["waits_for"]) == ("failed", "answer"), result
    assert "but without a version (HTTP status 200 without a version)" in result["msg"]
    shop.knobs(no_database=True)
    again = windows.run(shop, restart(), run_id="run-2")  # it takes over, and does not wait for the old one to answer
    assert (again["outcome"], again["state"]) == ("done", "running"), again


def test_another_site_tells_the_version(site: Callable[..., Instance]) -> None:
    shop = site()
    shop.knobs(no_database=True, disabled=True, second_site="second.example")
    steps: list[dict[str, Any]] = [
        {"graceful_stop": {}},
        {"verified_start": {"stable_for": 0.2, "hosts": ["other.example", "second.example"]}},
    ]
    result = windows.run(shop, steps, deadline=60.0)
    assert (result["outcome"], result["version"]) == ("done", "3.5.8"), result
    assert any("second.example" in note for note in result["steps"][1]["result"]["notes"])


def test_an_idle_connection_of_gos_driver_is_no_progress(
    site: Callable[..., Instance], db: MariaDB, guarded: list[Any], tmp_path: Path
) -> None:
    """It accepts connections and answers nothing; its connections to the database are idle."""
    shop = make_instance(tmp_path / "idle.example", "3.5.8", db=db)
    try:
        shop.start()
        context = windows.context_of(shop)
        guarded.append(context)
        shop.knobs(hangs="silent")
        steps = [{"graceful_stop": {}}, {"verified_start": {"stable_for": 0.2, "ready_timeout": 3.0}}]
        result = windows.run(shop, steps, deadline=120.0)
        assert (result["outcome"], result["waits_for"]) == ("failed", "answer"), result
        assert "there was no progress for 3 s" in result["msg"]
    finally:
        end_guardian(context)
        shop.kill()
