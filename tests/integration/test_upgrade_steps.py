# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which windows an upgrade has, their steps, and the record of an instance that goes through several."""

from __future__ import annotations

import sys
from typing import Any

import paths
import pytest

sys.path.insert(0, str(paths.link_tree()))

from ansible.errors import AnsibleFilterError

from ansible_collections.anqicms.lifecycle.plugins.filter import dump_directory, known_files
from ansible_collections.anqicms.lifecycle.plugins.filter.upgrade_windows import FilterModule, upgrade_windows
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import (
    _outcome,
    _upgrade_path,
    _upgrade_steps,
    _windows_done,
)

VERSIONS = ["2.5.3", "3.3.11", "3.5.7", "3.5.8"]
ASKED: dict[str, Any] = {"site_check": {"through": "direct"}}
CHECKS = [{"log_check": {}}, ASKED]


def way(source: str, target: str = "3.5.8") -> list[dict[str, Any]]:
    return _upgrade_path.upgrade_path(source, target, VERSIONS)


def words(steps: list[dict[str, Any]]) -> list[str]:
    """Each step as one word, with its state or the version that it switches in."""
    found = []
    for step in steps:
        ((name, options),) = step.items()
        what = options.get("version") or options.get("state") or ("private" if options.get("private_port") else "")
        found.append(f"{name} {what}".rstrip())
    return found


SHORT = [
    "graceful_stop",
    "keep_files kept",
    "release 3.5.8",
    "port_released",
    "verified_start",
    "log_check",
    "site_check",
]


def one_hop(version: str) -> list[str]:
    return [
        "graceful_stop", "database dumped", "keep_files kept", f"release {version}", "verified_start private",
        "database migrated", "database compared", "site_check", "rollback_point", "graceful_stop",
        "keep_files port_back", "port_released", "verified_start", "log_check", "site_check",
    ]  # fmt: skip


@pytest.mark.parametrize(("source", "one_by_one", "expected"), [
    ("3.5.8", False, []),
    ("3.5.8", True, []),
    ("3.5.7", False, SHORT),
    ("3.5.7", True, SHORT),
    ("3.3.11", False, one_hop("3.5.8")),
    ("3.3.11", True, one_hop("3.5.8")),
    ("3.2.8", True, one_hop("3.3.11") + one_hop("3.5.8")),
    ("2.3.6", True, one_hop("2.5.3") + one_hop("3.3.11") + one_hop("3.5.8")),
    ("3.2.8", False, [
        "graceful_stop", "database dumped", "keep_files kept", "release 3.3.11", "verified_start private",
        "database migrated", "database compared", "graceful_stop", "keep_files port_back", "release 3.5.8",
        "verified_start private", "database migrated", "database compared", "site_check", "rollback_point",
        "graceful_stop", "keep_files port_back", "port_released", "verified_start", "log_check", "site_check",
    ]),
])  # fmt: skip
def test_steps(source: str, one_by_one: bool, expected: list[str]) -> None:
    assert words(_upgrade_steps.steps(way(source), {}, CHECKS, None, one_by_one)) == expected


def test_a_plan_knows_the_releases_at_hand() -> None:
    """What a hop before would put there, and what runs now, is not edited; an archive on the host is read there."""
    digests = {version: f"{number}" * 64 for number, version in enumerate(["2.3.6", *VERSIONS], 1)}
    manifests = {
        version: {"sha256": digest, "directories": [], "files": [["template/a", 1, digest]]}
        for version, digest in digests.items()
    }
    steps = _upgrade_steps.steps(way("2.3.6"), {}, [], manifests)
    (first, _second, third) = [step["release"] for step in steps if "release" in step]
    assert set(third["known_files"]["template/a"]) == set(digests.values()) - {digests["3.5.8"]}
    assert digests["2.5.3"] not in first["known_files"]["template/a"] and "old_src" not in first
    assert not any(
        "known_files" in step["release"] for step in _upgrade_steps.steps(way("2.3.6"), {}, []) if "release" in step
    )
    remote = {version: {"src": f"/srv/{version}.zip", "remote_src": True} for version in ("3.3.11", "3.5.8")}
    (hop,) = _upgrade_path.upgrade_path("3.3.11", "3.5.8", remote)
    (step,) = [one["release"] for one in _upgrade_steps.steps([hop], {}, [], {}) if "release" in one]
    assert (step["src"], step["old_src"], step["known_files"]) == ("/srv/3.5.8.zip", "/srv/3.3.11.zip", {})
    assert known_files.known_files(manifests, "3.5.8") == third["known_files"]
    with pytest.raises(AnsibleFilterError, match="is not one"):
        known_files.known_files({"3.5.8": {"sha256": 1}}, "3.5.8")


@pytest.mark.parametrize(("source", "one_by_one", "expected"), [
    ("3.5.8", True, []),
    ("3.3.11", True, [("3.3.11", "3.5.8", "night-7")]),
    ("2.3.6", False, [("2.3.6", "3.5.8", "night-7")]),
    ("2.3.6", True, [("2.3.6", "2.5.3", "night-7-2.5.3"), ("2.5.3", "3.3.11", "night-7-3.3.11"),
                     ("3.3.11", "3.5.8", "night-7")]),
])  # fmt: skip
def test_windows(source: str, one_by_one: bool, expected: list[tuple[str, ...]]) -> None:
    """The last window has the id of the run: a rollback by it begins there."""
    found = upgrade_windows(way(source), one_by_one, "night-7")
    assert [(one["from"], one["version"], one["run_id"]) for one in found] == expected
    assert [hop["version"] for one in found for hop in one["hops"]] == [hop["version"] for hop in way(source)]
    assert list(FilterModule().filters()) == ["upgrade_windows"]


# --- what is reported

INSTANCE = {"id": "1-shop", "dir": "/srv/shop", "version": {"running": "2.3.6", "files": "2.3.6"}, "pids": [10]}
WINDOWS = upgrade_windows(way("2.3.6"), True, "night-7")


def window(number: int, **more: Any) -> dict[str, Any]:
    return {
        "outcome": "done",
        "changed": True,
        "version": WINDOWS[number]["version"],
        "pid_before": 10 + number,
        "pid_after": 11 + number,
        "state": "running",
        "downtime_ms": 100 * (number + 1),
        "verified_ms": 200,
        "notes": [f"note {number}"],
        "instance": {"dir": "/srv/shop"},
        "steps": [],
        **more,
    }


def ended(*numbers: int) -> list[dict[str, Any]]:
    return [
        _outcome.make_record(INSTANCE, window(one), {}, WINDOWS[one]["run_id"], False, "upgrade") for one in numbers
    ]


def record(result: dict[str, Any], before: list[dict[str, Any]], failure: Any = None) -> dict[str, Any]:
    return _outcome.make_record(
        INSTANCE, result, failure, "night-7", False, "upgrade", {}, {"windows": WINDOWS, "before": before}
    )


FAILED = {"dir": "/srv/shop", "task": "Upgrade in one window", "msg": "step database failed"}


def test_all_hops_are_done() -> None:
    found = record(window(2), ended(0, 1, 2))
    assert (found["outcome"], found["run_id"], found["version"]) == ("done", "night-7", "3.5.8")
    assert (found["downtime_ms"], found["verified_ms"]) == (600, 600)
    assert (found["pid_before"], found["pid_after"], found["reason"]) == (10, 13, "")
    assert found["notes"] == ["note 0", "note 1", "note 2"]
    assert found["hops"][0] == {
        "from": "2.3.6",
        "version": "2.5.3",
        "run_id": "night-7-2.5.3",
        "outcome": "done",
        "downtime_ms": 100,
        "verified_ms": 200,
    }
    assert [hop["run_id"] for hop in found["hops"]] == ["night-7-2.5.3", "night-7-3.3.11", "night-7"]
    line = _outcome.line(found, "web1")
    assert "hops: 2.3.6 -> 2.5.3 done 100 ms, 2.5.3 -> 3.3.11 done 200 ms, 3.3.11 -> 3.5.8 done 300 ms" in line


def test_a_failed_hop_says_how_far_it_came() -> None:
    back = window(1, outcome="rolled_back", failed=True, changed=False, version="2.5.3", verified_ms=None)
    found = record(back, ended(0), FAILED)
    assert (found["outcome"], found["version"]) == ("rolled_back", "2.5.3") and found["failed"] and found["changed"]
    assert (found["downtime_ms"], found["verified_ms"]) == (300, None)
    assert [hop["outcome"] for hop in found["hops"]] == ["done", "rolled_back"]
    assert found["reason"] == (
        "Hop 2 of 3 (2.5.3 -> 3.3.11): Upgrade in one window: step database failed The hops before it are done, and "
        "stand: 2.3.6 -> 2.5.3 (run night-7-2.5.3). Not started: 3.3.11 -> 3.5.8."
    )


def test_a_later_hop_that_is_refused_or_lost_leaves_the_version_of_the_one_before() -> None:
    refused = {"failed": True, "changed": False, "msg": "no room", "instance": {"dir": "/srv/shop"}}
    found = record(refused, ended(0, 1), FAILED)
    assert (found["outcome"], found["version"], found["downtime_ms"]) == ("failed", "3.3.11", None)
    assert found["changed"] and found["reason"].startswith("Hop 3 of 3 (3.3.11 -> 3.5.8): ")
    lost = record({"unreachable": True, "msg": "gone"}, ended(0))
    assert (lost["outcome"], lost["version"]) == ("lost", "2.5.3") and "Not started: 3.3.11 -> 3.5.8." in lost["reason"]


def test_what_fails_behind_the_last_window_is_no_failed_hop() -> None:
    found = record(window(2), ended(0, 1, 2), {**FAILED, "task": "Tidy"})
    assert found["outcome"] == "failed" and found["reason"] == "Tidy: step database failed"
    assert [hop["outcome"] for hop in found["hops"]] == ["done"] * 3


@pytest.mark.parametrize("change", [{"dir": "/srv/blog"}, {"run_id": "night-6-2.5.3"}])
def test_records_of_another_instance_or_run_are_not_read(change: dict[str, Any]) -> None:
    found = record({}, [{**one, **change} for one in ended(0)], FAILED)
    assert found["hops"] == [
        {
            "from": "2.3.6",
            "version": "2.5.3",
            "run_id": "night-7-2.5.3",
            "outcome": "failed",
            "downtime_ms": None,
            "verified_ms": None,
        }
    ]
    assert found["changed"] is False and "stand" not in found["reason"]


@pytest.mark.parametrize(("result", "expected"), [
    ({}, ""),
    ({"outcome": "done"}, ""),
    ({"outcome": "done", "steps": [{"name": "graceful_stop", "result": {"directory": "/a"}}]}, ""),
    ({"outcome": "done", "steps": [{"name": "database", "result": {"directory": "/a"}}, {"name": "database"}]}, "/a"),
    ({"outcome": "rolled_back", "steps": [{"name": "database", "result": {"directory": "/a"}}]}, ""),
    ({"outcome": "done", "steps": [{"name": "database", "result": {"directory": "/{{ a }}"}}]}, ""),
])  # fmt: skip
def test_where_the_dumps_are(result: dict[str, Any], expected: str) -> None:
    assert _windows_done.dump_directory(result) == expected
    assert dump_directory.FilterModule().filters()["dump_directory"](result) == expected


@pytest.mark.parametrize(("packed", "notes"), [
    ({}, []),
    ({"skipped": True}, []),
    ({"changed": True, "databases": []}, []),
    ({"msg": "no {{ room }}"}, ["The dumps were not compressed after the window: no {\\{ room }}"]),
    ({"unreachable": True, "msg": "gone"}, ["The dumps were not compressed after the window: the connection was lost"]),
])  # fmt: skip
def test_that_dumps_are_not_compressed_is_a_note(packed: dict[str, Any], notes: list[str]) -> None:
    """The upgrade has ended well all the same. Of a window that has not, what is left over is not read."""
    found = _outcome.make_record(INSTANCE, window(2), {}, "night-7", False, "upgrade", {}, {"packed": packed})
    assert (found["outcome"], found["failed"], found["notes"]) == ("done", False, ["note 2", *notes])
    failed = window(2, outcome="rolled_back", failed=True)
    assert _outcome.make_record(INSTANCE, failed, FAILED, "night-7", False, "upgrade", {}, {"packed": packed})[
        "notes"
    ] == ["note 2"]


def test_one_window_is_as_it_was() -> None:
    alone = upgrade_windows(way("2.3.6"), False, "night-7")
    found = _outcome.make_record(INSTANCE, window(2), {}, "night-7", False, "upgrade", {}, {"windows": alone})
    assert found == _outcome.make_record(INSTANCE, window(2), {}, "night-7", False, "upgrade")
    assert found["hops"] == [] and "hops:" not in _outcome.line(found, "web1")
