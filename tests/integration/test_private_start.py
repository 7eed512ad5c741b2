# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A start on a port that nobody else knows, before that on the real one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable

import pytest
import windows
from instance import Instance

PRIVATE: list[dict[str, Any]] = [
    {"graceful_stop": {}},
    {"port_released": {}},
    {"verified_start": {"private_port": True, "stable_for": 0.1}},
]
PUBLIC: list[dict[str, Any]] = [{"graceful_stop": {}}, {"port_released": {}}, {"verified_start": {"stable_for": 0.1}}]


def words(shop: Instance) -> list[str]:
    return Path(f"/proc/{shop.pid}/cmdline").read_text().split("\0")[:-1]


@pytest.mark.parametrize("version", ["2.5.3", "3.2.8", "3.5.8"])
def test_both_starts(site: Callable[..., Instance], version: str) -> None:
    """Between them the usual port is closed; after them it runs as before, and the downtime covers both."""
    shop = site(version)
    before, pid = words(shop), shop.pid
    probe = ["sh", "-c", f"! (exec 3<>/dev/tcp/127.0.0.1/{shop.port}) 2>/dev/null"]
    result = windows.run(shop, [*PRIVATE, {"command": {"argv": ["bash", *probe[1:]]}}, *PUBLIC])
    assert result["outcome"] == "done", result
    assert words(shop) == before and windows.runs(shop) not in (0, pid)
    first, second = (step for step in result["steps"] if step["name"] == "verified_start")
    between = second["result"]["ready_ms"] + first["result"]["ready_ms"]
    assert result["downtime_ms"] >= between
    stored = json.loads(Path(windows.context_of(shop).state.path, "launch.json").read_text())
    assert stored["argv"] == before


def test_a_port_of_the_arguments_is_replaced(site: Callable[..., Instance]) -> None:
    shop = site(start=False)
    process = shop.spawn("-port", str(shop.port))
    assert shop.wait_ready() == process.pid
    before = words(shop)
    result = windows.run(shop, [*PRIVATE, *PUBLIC])
    assert result["outcome"] == "done" and words(shop) == before


def test_a_failure_in_between(site: Callable[..., Instance]) -> None:
    """The second try starts it as it ran before, on its own port."""
    shop = site()
    before, pid = words(shop), shop.pid
    result = windows.run(shop, [*PRIVATE, {"command": {"argv": ["false"]}}, *PUBLIC])
    assert result["outcome"] == "rolled_back", result
    assert words(shop) == before and windows.runs(shop) not in (0, pid)
