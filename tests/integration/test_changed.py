# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every outcome of every module that changes something: `changed` is what was done, and no message denies it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, Iterator

import paths
import pytest
import windows
from instance import Instance
from integration import stopping
from request import Request
from windows import Killer, at

Result = dict[str, Any]
Site = Callable[..., Instance]
DENIES = re.compile(r"\bnothing was (?:done|changed|stopped|started|signalled)|\bno process was signalled", re.I)
STOP: Result = {"graceful_stop": {}}
START: Result = {"verified_start": {"stable_for": 0.1}}
FREE: Result = {"port_released": {"timeout": 0.3}}


def task(name: str, shop: Instance | stopping.Actor, check: bool = False, **options: Any) -> Result:
    arguments = {
        "dir": str(shop.dir),
        "state_dir": str(shop.dir.parent / "state"),
        "_ansible_check_mode": check,
        **options,
    }
    done = subprocess.run(
        [sys.executable, str(paths.ROOT / "plugins" / "modules" / f"{name}.py")],
        check=False,
        capture_output=True,
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
        text=True,
        timeout=120,
        env=dict(os.environ, PYTHONPATH=str(paths.link_tree())),
    )
    assert done.stdout, done.stderr
    return dict(json.loads(done.stdout))


def judged(result: Result, changed: bool, failed: bool) -> Result:
    said = str(result.get("msg") or "")
    assert (result["changed"], bool(result.get("failed"))) == (changed, failed), result
    assert not (changed and DENIES.search(said)), said
    for step in result.get("steps") or []:
        denied = DENIES.search(str(step["result"].get("msg") or "")) if "result" in step else None
        assert not (changed and denied), step
    assert result.get("downtime_ms") is None or result["downtime_ms"] >= 0
    return result


@pytest.fixture
def held() -> Iterator[Callable[[int], None]]:
    """Hold a port until the test ends."""
    made: list[Any] = []

    def hold(port: int) -> None:
        sock = socket.socket(socket.AF_INET6)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.append(sock)
        sock.bind(("::", port))
        sock.listen(5)

    yield hold
    for sock in made:
        sock.close()


# --- graceful_stop


def test_a_stop(site: Site) -> None:
    shop = site()
    judged(task("graceful_stop", shop, check=True), True, False)
    assert shop.pid
    judged(task("graceful_stop", shop), True, False)
    judged(task("graceful_stop", shop), False, False)
    judged(task("graceful_stop", shop, check=True), False, False)


DEAF = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nready()\ntime.sleep(60)"


@pytest.fixture
def deaf(tmp_path: Path) -> Iterator[stopping.Actor]:
    """An instance that cannot be asked to end."""
    for directory in stopping.directories(tmp_path / "deaf"):
        actor = stopping.Actor(directory / "shop.example")
        actor.start(DEAF)
        yield actor


def test_a_stop_that_is_refused(deaf: stopping.Actor) -> None:
    result = judged(task("graceful_stop", deaf), False, True)
    assert "Nothing was signalled" in result["msg"], "that is true there"


def test_a_stop_that_kills(site: Site) -> None:
    assert judged(task("graceful_stop", site("3.2.1")), True, False)["exit_kind"] == "forced_idle"


@pytest.mark.parametrize("knobs", [{"hang_on_shutdown": True}, {"exit_delay_ms": 20000}])
def test_a_stop_that_times_out_after_the_signal(site: Site, knobs: Result) -> None:
    shop = site(**knobs)
    result = judged(task("graceful_stop", shop, timeout=0.5, idle_timeout=0, force="never"), True, True)
    assert [entry["signal"] for entry in result["signals"]] == ["SIGTERM"]


def test_a_stop_that_times_out_amid_a_request(site: Site) -> None:
    shop = site("3.3.11")
    Request(shop, "/slow?ms=9000")
    time.sleep(0.3)
    judged(task("graceful_stop", shop, timeout=0.5, idle_timeout=0.2), True, True)


# --- verified_start


def stopped(site: Site, **knobs: Any) -> Instance:
    """It ran before, so that it is known as whom it is started. The knobs are for its next start."""
    shop = site()
    assert task("graceful_stop", shop)["stopped"]
    shop.knobs(no_database=True, **knobs)
    return shop


def test_a_start(site: Site) -> None:
    shop = stopped(site)
    judged(task("verified_start", shop, check=True), True, False)
    assert not shop.pids()
    judged(task("verified_start", shop, stable_for=0.1), True, False)
    judged(task("verified_start", shop, stable_for=0.1), False, False)


@pytest.mark.parametrize(
    "knobs, options",
    [
        ({"exit_code": 255}, {}),
        ({"crash_after_ms": 100}, {"stable_for": 2.0}),
        ({"start_delay_ms": 20000}, {"ready_timeout": 0.5, "ready_limit": 1.0}),
    ],
)
def test_a_start_that_fails_after_the_exec(site: Site, knobs: Result, options: Result) -> None:
    judged(task("verified_start", stopped(site, **knobs), **options), True, True)


def test_a_start_that_is_refused(site: Site, held: Callable[[int], None]) -> None:
    shop = stopped(site)
    held(shop.port)
    result = judged(task("verified_start", shop, ready_timeout=0.5), False, True)
    assert "Nothing was started" in result["msg"]
    config = shop.dir / "config.json"
    config.write_text("{")
    assert "Nothing was stopped or started" in judged(task("verified_start", shop), False, True)["msg"]


def test_a_start_whose_binary_cannot_be_executed(site: Site) -> None:
    """Refused before, or by the kernel: nothing of the instance ran."""
    shop = stopped(site)
    (shop.dir / "anqicms").unlink()
    (shop.dir / "anqicms").write_bytes(b"\x7fELF nothing that runs")
    (shop.dir / "anqicms").chmod(0o755)
    judged(task("verified_start", shop), False, True)


# --- window


def run(shop: Instance, *steps: Result, **options: Any) -> Result:
    return windows.run(shop, [dict(step) for step in steps], **options)


@pytest.mark.parametrize(
    "steps, changed, outcome",
    [
        ((STOP, FREE, START), True, "done"),
        ((START,), False, "unchanged"),
        (({"log_check": {}},), False, "unchanged"),
        (({"command": {"argv": ["true"]}},), True, "done"),
        ((START, STOP, START), True, "done"),
        ((STOP, START, STOP, START), True, "done"),
        ((STOP,), True, "done"),
    ],
)
def test_a_window_that_goes_well(site: Site, steps: tuple[Result, ...], changed: bool, outcome: str) -> None:
    result = judged(run(site(), *steps), changed, False)
    assert result["outcome"] == outcome
    restarts = STOP in steps and START in steps[steps.index(STOP) :]
    assert (result["downtime_ms"] is not None) == restarts, result
    assert (result["verified_ms"] or 0) >= (result["downtime_ms"] or 0)


@pytest.mark.parametrize(
    "after",
    [
        {"command": {"argv": ["false"]}},
        {"log_check": {"since": "2000-01-01T00:00:00"}},
        {"site_check": {"sites": [{"host": "a.example", "id": 7}]}},
        FREE,
    ],
    ids=lambda step: next(iter(step)),
)
def test_a_window_that_fails_after_a_stop_and_a_start(site: Site, after: Result) -> None:
    shop = site(says="migrate table error  Error 1146 (42S02): Table 'shop.tags' doesn't exist")
    result = judged(run(shop, STOP, START, after), True, True)
    assert "Done before it: graceful_stop, verified_start." in result["msg"]
    assert result["outcome"] == "failed" and result["state"] == "running"


@pytest.mark.parametrize("last", [FREE, START], ids=lambda step: next(iter(step)))
def test_a_port_that_somebody_takes_in_the_middle(site: Site, held: Callable[[int], None], last: Result) -> None:
    """By `command`: a window has no other place for it."""
    shop = site()
    code = (
        "import os, socket, time; s = socket.socket(socket.AF_INET6); "
        "s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('::', %d)); s.listen(5); "
        "os.fork() and os._exit(0); os.setsid(); [os.close(n) for n in (0, 1, 2)]; time.sleep(25)" % shop.port
    )
    taker = {"command": {"argv": [sys.executable, "-c", code]}}
    result = judged(run(shop, STOP, taker, last, deadline=4.0, guardian_limit=0.0), True, True)
    assert "Done before it: graceful_stop, command." in result["msg"]
    assert f"ort {shop.port}" in result["msg"]
    end_holder(shop.port)


def end_holder(port: int) -> None:
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            if b"s.bind(('::', %d))" % port in (entry / "cmdline").read_bytes():
                os.kill(int(entry.name), signal.SIGKILL)


def test_a_window_that_is_refused(deaf: stopping.Actor) -> None:
    result = judged(task("window", deaf, steps=windows.RESTART), False, True)
    assert "Nothing was signalled" in result["msg"]


def test_a_stop_that_times_out_in_a_window(site: Site) -> None:
    shop = site(hang_on_shutdown=True)
    stop = {"graceful_stop": {"timeout": 0.3, "idle_timeout": 0, "force": "never"}}
    result = judged(run(shop, stop, START, deadline=1.5, guardian_limit=0.0), True, True)
    assert [step["changed"] for step in result["steps"]] == [True]
    assert result["downtime_ms"] is None, "it is down"


def test_a_failed_start_after_the_stop_is_tried_again(site: Site) -> None:
    shop = site()
    shop.knobs(no_database=True, exit_code=1)
    result = judged(run(shop, STOP, START, deadline=8.0, guardian_limit=0.0), True, True)
    assert [step["changed"] for step in result["steps"]] == [True, True]
    assert result["downtime_ms"] is None


def test_only_the_second_try_did_something(site: Site) -> None:
    """Its process ends by itself in the middle of a run that itself did nothing yet."""
    shop = site()
    kill = {"command": {"argv": ["kill", "-9", str(shop.pid)]}}
    result = run(
        shop,
        kill,
        {"log_check": {"since": "2000-01-01T00:00:00"}},
        {"site_check": {"sites": [{"host": "a.example", "id": 7}]}},
    )
    judged(result, True, True)


# --- a worker that is killed


@pytest.mark.parametrize(
    "killer, changed",
    [
        (Killer(at("parked")), False),
        (Killer(at("step", index=0)), False),
        (Killer(at("step_end", index=0)), True),
        (Killer(at("step", index=2)), True),
    ],
    ids=["parked", "stop-begins", "stopped", "start-begins"],
)
def test_a_guardian(site: Site, monkeypatch: pytest.MonkeyPatch, killer: Killer, changed: bool) -> None:
    shop = site()
    context, plan = windows.context_of(shop), windows.plan_of(windows.RESTART)
    with monkeypatch.context() as patch:
        killer.install(patch)
        pipe = windows.begin(context, plan)
    result = judged(windows.wait(context, plan, pipe), changed, True)
    assert "The guardian recovered the instance" in result["msg"]
    context.close()


# --- an unfinished run that is put right first


def test_a_recovery_before_the_steps(site: Site) -> None:
    """Its answer belongs to the recovery and ends no downtime of the steps."""
    shop = site()
    context = windows.context_of(shop)
    context.state.make()
    context.state.log(
        "begin", run_id="old", token="x", steps=["graceful_stop", "verified_start"], before=dict(pid=1, start_ticks=1)
    )
    context.close()
    result = judged(run(shop, *windows.RESTART), True, False)
    assert result["recovered"].startswith("unfinished run old") and result["downtime_ms"] > 0
