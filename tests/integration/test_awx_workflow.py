# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The results of all jobs of a workflow as one document."""

from __future__ import annotations

import sys
from typing import Any

import paths
import pytest

sys.path.insert(0, str(paths.link_tree()))

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language import words
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._run import closing, results, workflow


def record(identity: str, outcome: str = "done", **more: Any) -> dict[str, Any]:
    return {"id": identity, "outcome": outcome, "verb": "upgrade", "dir": f"/srv/{identity}", **more}


def outcomes(document: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(row["host"], row["id"], row["outcome"]) for row in document["instances"]]


def test_records_of_all_jobs_and_hosts_without_any() -> None:
    given = {
        "web1": {"a": record("a", began_at=20.0, ended_at=30.0)},
        "web2": {"b": record("b", began_at=10.0, ended_at=25.0), "c": record("c", "planned", version="3.5.8")},
    }
    document = workflow.make("4700", given, ["web1", "web2", "web3"])
    assert sorted(outcomes(document)) == [
        ("web1", "a", "done"), ("web2", "b", "done"), ("web2", "c", "not_touched"), ("web3", "", "not_touched"),
    ]  # fmt: skip
    assert (document["run_id"], document["verb"], document["ended"]) == ("4700", "upgrade", "failed")
    assert (document["began_at"], document["ended_at"]) == (10.0, 30.0)
    assert {row["id"]: row["version"] for row in document["instances"]}["c"] == "3.5.8"


def test_a_workflow_that_reached_everything_has_finished() -> None:
    assert workflow.make("1", {"web1": {"a": record("a")}}, ["web1"])["ended"] == "finished"


def test_the_last_run_that_failed_is_the_one_to_resume() -> None:
    given = {
        "web1": {
            "a": record("a", run_id="4711", began_at=1.0),
            "b": record("b", "failed", run_id="4711", began_at=2.0),
        },
        "web2": {"c": record("c", "lost", run_id="4714", began_at=3.0), "d": record("d", "planned", run_id="4715")},
    }
    document = workflow.make("4700", given, ["web1", "web2"])
    assert document["resume"] == "4714"
    assert "anqicms_resume=4714" in "\n".join(closing.lines(document, words.of("en"), "UTC"))


def test_nothing_is_resumed_if_nothing_failed() -> None:
    """The approval was denied, for example: no run has begun with the other hosts."""
    document = workflow.make("4700", {"web1": {"a": record("a", run_id="4711")}}, ["web1", "web2"])
    assert document["resume"] == ""
    lines = "\n".join(closing.lines(document, words.of("en"), "UTC"))
    assert "Not touched: web2" in lines and "run the same command again" in lines and "anqicms_resume" not in lines


def test_a_workflow_without_results_shows_the_hosts() -> None:
    document = workflow.make("1", {}, ["web1"])
    assert outcomes(document) == [("web1", "", "not_touched")]
    assert (document["began_at"], document["ended_at"]) == (0.0, 0.0)


@pytest.mark.parametrize("given", [None, "", "nonsense", 7, [], {"web1": None}, {"web1": "x"}, {"web1": {"a": None}}])
def test_what_is_no_result_is_left_out(given: Any) -> None:
    name = "anqicms_results_1"
    document = workflow.make("1", results.given(name, {name: given}), ["web1"])
    assert outcomes(document) == [("web1", "", "not_touched")]
