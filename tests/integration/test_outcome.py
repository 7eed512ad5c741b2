# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checks after a start found is in the record and in the line for people."""

from __future__ import annotations

import sys
from typing import Any

import paths
import pytest

sys.path.insert(0, str(paths.link_tree()))

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _outcome

SHOP = {"id": "0a-shop", "dir": "/www/shop", "pids": [7], "version": {"running": "3.5.8"}}
SLOW = {"severity": "warning", "code": "slow_sql", "text": "SLOW SQL >= 200ms", "count": 3, "file": "running.log"}
PANIC = {"severity": "error", "code": "panic", "text": "panic: {{ 7 * 7 }}\x1b[31m", "count": 1}
GOOD = {"host": "shop.example", "ok": True, "reason": "ok", "status": 200, "identity": "id"}
DOUBTED = {**GOOD, "host": "news.example", "identity": "not_proven"}
LOST = {"host": "blog.example", "ok": False, "reason": "database_gone", "status": 404}

BROKEN = {"severity": "warning", "code": "page_5xx", "text": "status 500", "advice": "Ask again."}


def record(*steps: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    done = [{"name": name, "result": answer} for name, answer in steps]
    return _outcome.make_record(SHOP, {"outcome": "done", "changed": True, "steps": done}, {}, "run-1")


def test_refused_work_does_not_look_like_an_end() -> None:
    refused = _outcome.make_record(SHOP, {"failed": True, "msg": "Step 5 refuses"}, {}, "run-1")
    assert "failed  pid 7  Step 5" in _outcome.line(refused, "web1")
    gone = _outcome.make_record(SHOP, {"failed": True, "state": "stopped", "pid_after": None}, {}, "run-1")
    assert "failed  pid 7 -> -" in _outcome.line(gone, "web1")


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([], ""),
        ([("log_check", {"findings": []})], "log: clean"),
        ([("log_check", {"findings": [PANIC, SLOW, SLOW]})], "log: panic, slow_sql"),
        ([("site_check", {"sites": [GOOD, GOOD]})], "sites: 2 ok"),
        ([("site_check", {"sites": [GOOD, DOUBTED]})], "sites: 2 ok (identity: not_proven for news.example)"),
        (
            [("site_check", {"sites": [DOUBTED, LOST]})],
            "sites: blog.example database_gone (identity: not_proven for news.example)",
        ),
        ([("site_check", {"sites": [GOOD, LOST]})], "sites: blog.example database_gone"),
        ([("log_check", {"findings": []}), ("site_check", {"sites": [GOOD]})], "log: clean  sites: 1 ok"),
        ([("log_check", {"msg": "it could not be read"})], ""),
        ([("verified_start", {"findings": []}), ("log_check", {"findings": []})], "log: clean"),
        ([("verified_start", {"findings": [BROKEN]}), ("log_check", {"findings": []})], "log: clean  pages: page_5xx"),
        ([("verified_start", {"findings": [BROKEN]})], "pages: page_5xx"),
    ],
)
def test_line(steps: list[tuple[str, dict[str, Any]]], words: str) -> None:
    line = _outcome.line(record(*steps), "web1")
    assert line.endswith(f"done  pid 7{'  ' if words else ''}{words}")


def test_record_tells_unasked_from_clean() -> None:
    assert (record()["findings"], record()["sites"]) == (None, None)
    assert record(("log_check", {"findings": []}))["findings"] == []


def test_pages_of_a_start_that_is_a_task_of_its_own() -> None:
    started = {"changed": True, "pid": 8, "ready_ms": 3100, "findings": [BROKEN]}
    found = _outcome.make_record(SHOP, started, {}, "run-1", verb="start", checks={"log_check": {"findings": []}})
    assert ([one["code"] for one in found["pages"]], found["findings"]) == (["page_5xx"], [])


def test_record_says_how_a_site_is_known() -> None:
    old = {key: value for key, value in GOOD.items() if key != "identity"}  # of an earlier release's worker
    sites = record(("site_check", {"sites": [GOOD, DOUBTED, LOST, old]}))["sites"]
    assert [site["identity"] for site in sites] == ["id", "not_proven", None, None]


def test_what_logs_say_is_data() -> None:
    (finding,) = record(("log_check", {"findings": [PANIC]}))["findings"]
    assert "{{" not in finding["text"]
    assert "\x1b" not in finding["text"]
    assert (finding["severity"], finding["code"], finding["count"]) == ("error", "panic", 1)
