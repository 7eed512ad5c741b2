# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A large database is put back also where the time of the window is used up: its own limit counts then."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import windows
from integration.upgrading import Site, stage
from windows import Killer, at

from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import restore
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import at_work
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import window as _window
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import window_plan
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import worker as _worker
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _upgrade_path, _upgrade_steps

NEEDED_S, LIMIT_S = 20.0, 60.0
FAILS: dict[str, Any] = {"command": {"argv": ["false"]}}


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """A restore needs more than what is left for everything else."""
    load = restore._load

    def slow(session: Any, reader: Any, manifest: Any, until: float, progress: Any) -> None:
        if until - time.monotonic() < NEEDED_S:
            raise LifecycleError("It was broken off at its limit.")
        load(session, reader, manifest, until, progress)

    monkeypatch.setattr(restore, "_load", slow)
    monkeypatch.setattr(window_plan, "ROLLBACK_S", 1.0)


def steps_of(site: Site, archives: dict[str, Path]) -> list[dict[str, Any]]:
    hops = _upgrade_path.upgrade_path("3.2.8", "3.3.11", {"3.3.11": {"src": str(archives["3.3.11"])}})
    stage(site.instance, hops)
    return _upgrade_steps.steps(hops, {"verified_start": {"stable_for": 0.0}, "database": {"timeout": LIMIT_S}}, [])


@pytest.mark.usefixtures("large")
def test_a_rollback_after_the_deadline(
    make_site: Any, archives: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    site: Site = make_site("3.2.8")
    pid, steps = site.instance.pid, steps_of(site, archives)
    after_failure = _window.Window._after_failure

    def late(window: _window.Window) -> None:
        window.context.run.until = time.monotonic()
        after_failure(window)

    monkeypatch.setattr(_window.Window, "_after_failure", late)
    result = windows.run(site.instance, [*steps, FAILS], deadline=300.0)
    assert result["outcome"] == "rolled_back", result
    site.assert_as_before(pid)


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("both", [False, True], ids=["guardian", "next-run"])
def test_a_recovery(make_site: Any, archives: dict[str, Path], monkeypatch: pytest.MonkeyPatch, both: bool) -> None:
    site: Site = make_site("3.2.8")
    pid = site.instance.pid
    context, plan = windows.context_of(site.instance), windows.plan_of(steps_of(site, archives), deadline=300.0)
    monkeypatch.setattr(_worker, "recovery_limit", lambda plan: 1.0)
    with monkeypatch.context() as patch:
        Killer(at("step", name="graceful_stop", index=8), both=both).install(patch)
        windows.wait(context, plan, windows.begin(context, plan), 300.0)
    if both:
        assert at_work.interrupted(context.state)
        recovery = windows.plan_of([], run_id="recovery", deadline=2.0)
        again = windows.wait(context, recovery, windows.begin(context, recovery), 300.0)
        assert again["state"] == "running", again
    site.assert_as_before(pid)
