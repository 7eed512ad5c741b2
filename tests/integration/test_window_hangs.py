# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An application that hangs in every way, at each phase of a window, while what is ours is killed or frozen.

Within the limits the site is up, or the run is unfinished and says why; and a recovery then makes it run.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from typing import Any, Callable

import pytest
import windows
from instance import Instance

from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import at_work, journal
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import follow as _follow
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import worker as _worker

DEADLINE_S = 5.0
# What the next start does, as knobs of the stand-in.
STARTS: dict[str, dict[str, Any]] = {
    "never answers": dict(hangs="silent"),
    "accepts nothing": dict(hangs="not_accepted"),
    "never opens its port": dict(start_delay_ms=3_600_000),
    "answers with a page": dict(disabled=True),
    "drips bytes": dict(hangs="dripping"),
    "holds every request": dict(hangs="held"),
    "grows its log": dict(start_delay_ms=3_600_000, log_before_port_ms=50),
    "grows its log and answers nothing": dict(hangs="silent", log_after_port_ms=50),
}
VISITOR = "a visitor holds a request"
PHASES = {
    "parked": windows.at("parked"),
    "signalled": windows.at("signal"),
    "stopped": windows.at("step_end", index=0),
    "starting": windows.at("progress", text="starting the instance, waiting for its version"),
}
# Signals to worker and guardian.
DEEDS: dict[str, tuple[int | None, int | None]] = {
    "nothing": (None, None),
    "worker killed": (signal.SIGKILL, None),
    "guardian killed": (None, signal.SIGKILL),
    "both killed": (signal.SIGKILL, signal.SIGKILL),
    "worker frozen": (signal.SIGSTOP, None),
    "guardian frozen": (None, signal.SIGSTOP),
    "both frozen": (signal.SIGSTOP, signal.SIGSTOP),
}


@pytest.fixture
def short_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_worker, "OVERSTAY_S", 4.0)
    monkeypatch.setattr(_worker, "_LEAST_RECOVERY_S", 3.0)
    monkeypatch.setattr(_worker, "_KILL_WAIT_S", 3.0)
    monkeypatch.setattr(_worker, "_REPORT_S", 3.0)


def entries(context: Any) -> list[dict[str, Any]]:
    return [dict(entry) for entry in journal.last_run(context.state.journal())]


def wait_for(context: Any, wanted: windows.Wanted, seconds: float = 20.0) -> bool:
    return bool(windows.within(seconds, lambda: any(wanted(entry, 0) for entry in entries(context))))


def do(context: Any, deed: str) -> list[int]:
    """Send what the deed says; the pids of worker and guardian."""
    assert wait_for(context, windows.at("worker"))
    pids = [next(e["pid"] for e in entries(context) if e["event"] == name) for name in ("worker", "guardian")]
    for pid, number in reversed(list(zip(pids, DEEDS[deed]))):  # the guardian first: it would act at once
        if number is not None:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass
    return pids


def outcome(context: Any, plan: Any, pipe: int) -> dict[str, Any]:
    """The report at the end, or at the last moment at which worker and guardian may be at work."""
    ended = _follow.wait_for_end(context.state, time.monotonic() + _worker.longest(plan), pipe)
    return dict(_follow.report(context.state, plan.token, ended, plan.deadline))


def up_or_unfinished(shop: Instance, context: Any, result: dict[str, Any]) -> str | None:
    """None when all is well, else what is wrong."""
    if shop.told_version(2.0):
        return None
    run = at_work.interrupted(context.state) or at_work.running_run(context.state)
    if run is None:
        return "the site is down, and no run is unfinished"
    says_why = result.get("msg") or result.get("running")
    return None if says_why else "the result does not say why"


def tidy(shop: Instance, context: Any, pids: list[int]) -> None:
    """End what is left, then recover: the site must be up."""
    for pid in pids:
        windows.end_process(pid)
    run = at_work.interrupted(context.state)
    if run and run.get("guardian"):
        windows.end_process(run["guardian"]["pid"])
    shop.knobs(no_database=True)
    if not shop.told_version(1.0):
        shop.kill()  # what hangs is ended by the operator
    if at_work.interrupted(context.state):
        found = windows.run(shop, [], run_id="recovery", deadline=20.0)
        assert found["state"] == "running", f"{found}"
    if not shop.pids():
        shop.start()


def hang(shop: Instance, what: str, version: str, phase: str, deed: str) -> None:
    context = windows.context_of(shop)
    steps = [
        {"graceful_stop": {"timeout": 1.0, "idle_timeout": 0.2}},
        {"port_released": {}},
        {"verified_start": {"stable_for": 0.2, "ready_timeout": 60.0}},
    ]
    plan = windows.plan_of(steps, deadline=DEADLINE_S, guardian_limit=60.0)
    visitor = None
    if what == VISITOR:
        visitor = socket.create_connection(("127.0.0.1", shop.port))
        visitor.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX: ")
    else:
        shop.knobs(no_database=True, **STARTS[what])
    began = time.monotonic()
    pipe = windows.begin(context, plan)
    wait_for(context, PHASES[phase], 10.0)
    pids = do(context, deed)
    result = outcome(context, plan, pipe)
    assert time.monotonic() - began < _worker.longest(plan) + 15
    wrong = up_or_unfinished(shop, context, result)
    if visitor is not None:
        visitor.close()
    tidy(shop, context, pids)
    assert wrong is None, (what, version, phase, deed, wrong, result, entries(context))


@pytest.mark.parametrize("what,version,phase,deed", [
    ("never answers", "3.5.8", "starting", "worker killed"),
    ("answers with a page", "3.3.11", "stopped", "nothing"),
    (VISITOR, "3.5.1", "signalled", "worker killed"),
])  # fmt: skip
def test_some_of_them(
    site: Callable[..., Instance], short_limits: None, what: str, version: str, phase: str, deed: str
) -> None:
    hang(site(version), what, version, phase, deed)


@pytest.mark.soak
@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("what", [*STARTS, VISITOR])
def test_every_hang_at_every_phase(site: Callable[..., Instance], short_limits: None, what: str, deed: str) -> None:
    version = "3.5.1" if what == VISITOR else "3.5.8"
    shop = site(version)
    # Before the stop and while it is down, the kinds do not differ yet.
    for phase in PHASES if what in ("never answers", VISITOR) else ("signalled", "starting"):
        hang(shop, what, version, phase, deed)
