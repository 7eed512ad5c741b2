# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""log_check as a step of real windows: a healthy restart, an error, a crash after the start."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest
import windows
from instance import Instance
from integration.log_writing import LOST, PANIC, Result, check, write

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError

VERSIONS = ("2.5.3", "3.2.8", "3.3.11", "3.5.8")


def last_step(result: Result) -> Result:
    step: Result = result["steps"][-1]
    assert step["name"] == "log_check"
    return dict(step["result"])


@pytest.mark.parametrize("version", VERSIONS)
def test_a_healthy_restart(site: Callable[..., Instance], version: str) -> None:
    shop = site(version)
    write(shop.log, PANIC % 1)
    result = windows.run(shop, [*windows.RESTART, {"log_check": {"fail_on": "warning"}}])
    assert (result["outcome"], result["state"]) == ("done", "running"), result
    said = last_step(result)
    assert (said["verdict"], said["findings"], said["unread"]) == ("ok", [], [])
    begun = ["process_started", "listening", "banner"] + (["views_missing"] if version == "2.5.3" else [])
    assert [marker["code"] for marker in said["markers"]][-len(begun) :] == begun
    assert ("exiting" in [marker["code"] for marker in said["markers"]]) == (version != "2.5.3")
    started = result["steps"][2]["result"]["log_position"]
    again = check(shop, started)
    assert [marker["code"] for marker in again["markers"]] == begun
    write(shop.dir / "cache" / "error.log", "Recovered from a route's Handler('a')\nAt Request: x\nTrace: boom\n")
    assert [finding["code"] for finding in check(shop)["findings"]] == ["handler_panic"]


@pytest.mark.parametrize(
    ("line", "code"), [(LOST, "database_lost"), ("migrate table error  Error 1091 (42000): boom\n", "migration_failed")]
)
def test_an_error_fails_the_window_and_leaves_the_instance_running(
    site: Callable[..., Instance], tmp_path: Path, line: str, code: str
) -> None:
    shop = site()
    (tmp_path / "line").write_text(line)
    said = {"command": {"argv": ["/bin/sh", "-c", f"cat {tmp_path}/line >> {shop.log}"]}}
    before = shop.pid
    result = windows.run(shop, [*windows.RESTART, said, {"log_check": {}}])
    assert (result["outcome"], result["state"], result["pid_after"]) == ("failed", "running", shop.pid)
    assert shop.pid not in (0, before)
    assert result["steps"][2]["result"]["pid"] == shop.pid
    assert f"step log_check failed: The logs of {result['instance']['id']} hold 1 finding(s): {code}: " in result["msg"]
    assert f"Now it is running (pid {shop.pid})" in result["msg"]
    assert last_step(result)["findings"][0]["code"] == code


def test_a_crash_after_the_start_is_found_and_started_again(site: Callable[..., Instance]) -> None:
    shop = site()
    shop.knobs(no_database=True, crash_after_ms=1200)
    result = windows.run(
        shop,
        [
            windows.RESTART[0],
            {"verified_start": {"stable_for": 0.1}},
            {"command": {"argv": ["/bin/sleep", "1.5"]}},
            {"log_check": {}},
        ],
    )
    assert result["outcome"] == "failed"
    assert last_step(result)["findings"][0]["code"] == "panic"
    assert "it was started" in result["msg"]


def test_a_step_that_cannot_be_meant_stops_nothing(site: Callable[..., Instance]) -> None:
    shop = site()
    pid = shop.pid
    with pytest.raises(LifecycleError, match=r"Step 4 \(log_check\) cannot run: ignore"):
        windows.run(shop, [*windows.RESTART, {"log_check": {"ignore": ["("]}}])
    assert shop.pid == pid
