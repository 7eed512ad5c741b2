# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run of an earlier boot has noted by pid, start time or monotonic clock means nothing today."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable

import pytest
import windows
from instance import Instance

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import process, procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import at_work
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import follow as _follow
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import recovery

Site = Callable[..., Instance]
OTHER = "11111111-2222-3333-4444-555555555555"


def unfinished(shop: Instance, boot_id: str, **more: Any) -> Any:
    """An unfinished restart that had asked the process of today, by pid and start time, to end."""
    context = windows.context_of(shop)
    context.state.make()
    with process.ProcessHandle(shop.pid) as handle:
        before = dict(pid=handle.pid, start_ticks=handle.start_ticks)
    context.state.log(
        "begin", run_id="old", token="x", steps=["graceful_stop", "verified_start"], before=before, boot_id=boot_id
    )
    context.state.log("signal", signal="SIGTERM", pid=before["pid"])
    return context


def recover(shop: Instance) -> dict[str, Any]:
    return windows.run(shop, [], run_id="recovery")


def test_a_process_of_today_is_not_the_one_of_then(site: Site) -> None:
    shop = site()
    pid = shop.pid
    context = unfinished(shop, OTHER)
    result = recover(shop)
    assert result["recovered"] == "unfinished run old: it ran"
    assert (result["pid_after"], shop.pids()) == (pid, [pid])
    assert at_work.interrupted(context.state) is None


def test_of_this_boot_its_end_is_completed(site: Site) -> None:
    shop = site()
    pid = shop.pid
    unfinished(shop, procfs.boot_id())
    assert recover(shop)["recovered"] == "unfinished run old: its last phase was completed, then it was started"
    assert shop.pids() != [pid]


def test_one_that_is_down_after_the_boot_is_started(site: Site) -> None:
    shop = site()
    windows.run(shop)
    unfinished(shop, OTHER)
    shop.kill()
    assert recover(shop)["recovered"] == "unfinished run old: it was started"
    assert shop.told_version() == shop.version


def test_a_parked_child_of_then_is_not_waited_for(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = site()
    context = unfinished(shop, OTHER)
    with process.ProcessHandle(os.getpid()) as handle:  # it would never execute the binary
        context.state.log("parked", pid=handle.pid, start_ticks=handle.start_ticks)
    opened: list[int] = []
    monkeypatch.setattr(process, "open_process", opened.append)
    recovery._wait_for_parked(context, at_work.interrupted(context.state) or {})
    assert opened == []


@pytest.mark.parametrize("began", [-1e6, 1e9])
def test_times_of_another_clock_are_not_shown(site: Site, began: float) -> None:
    shop = site()
    context = unfinished(shop, OTHER)
    path = Path(context.state.path, "journal.jsonl")
    lines = path.read_text().replace('"monotonic": ', f'"monotonic": {began}, "of then": ')
    path.write_text(lines)
    where = _follow.report(context.state, "x", False, 60.0)["where"]
    assert "elapsed_ms" not in where
    assert "left_ms" not in where
    unfinished(shop, procfs.boot_id())
    where = _follow.report(context.state, "x", False, 60.0)["where"]
    assert 0 <= where["elapsed_ms"] < 60000
