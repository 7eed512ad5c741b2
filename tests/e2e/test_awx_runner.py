# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbooks of the AWX kit as jobs: answers as AWX sends them, and the hosts in another order in each job."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping

import pytest
import surveys as questions
from awx_double import surveys
from e2e.awx_jobs import WORKFLOW, Awx, Job
from e2e.conftest import VERSION, Maker, for_standin
from e2e.playing import journal, until
from fleet import Fleet
from release_files import release_zip

QUICK = {"anqicms_stable_for": 0.1, "anqicms_language": "en", "anqicms_time_zone": "UTC"}
RESULTS = f"anqicms_results_{WORKFLOW}"
OF_WORKFLOW = {"awx_workflow_job_id": WORKFLOW, "tower_workflow_job_id": WORKFLOW, **QUICK}
# Of a person who answers every question; ids are filled in.
ANSWERS: Mapping[str, Any] = {
    "anqicms_serial": "1,50%", "anqicms_unreachable": "skip", "anqicms_accept_hazards": "config_missing\n",
    "anqicms_only_if_needed": "false", "anqicms_force": "idle", "anqicms_warm_up": 2, "anqicms_since": "2026-01-01",
    "anqicms_until": "2036-01-01T10:00:00+08:00", "anqicms_collect": "false", "anqicms_confirm_after_canary": "false",
    "anqicms_accept_data_loss": "false", "anqicms_search": "/srv/nowhere/*\n/opt/nowhere/*",
}  # fmt: skip


def answered(verb: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """What AWX makes of these answers, as far as the survey asks for them. It must take all of them."""
    survey = questions.survey(verb)
    asked = {question["variable"] for question in survey["spec"]}
    launched = surveys.launch(survey, {name: value for name, value in given.items() if name in asked})
    assert not launched.errors and not launched.ignored
    return launched.extra_vars


def blank(verb: str) -> dict[str, Any]:
    """Every text left blank: AWX sends these as answers, and the others not at all."""
    texts = [one["variable"] for one in questions.questions(verb) if one["type"].startswith("text")]
    return answered(verb, dict.fromkeys(texts, ""))


def assert_good(job: Job, *expected: str) -> None:
    assert job.wait() == 0, job.output
    assert not job.too_long(), job.too_long()
    for text in expected:
        assert text in job.output, job.output


def pids(fleet: Fleet) -> list[int]:
    return [instance.pid for instance in fleet.instances]


def results(job: Job, name: str = "anqicms_results") -> dict[str, list[str]]:
    hosts = job.artifacts.get(name, {})
    return {host: [record["outcome"] for record in records.values()] for host, records in hosts.items()}


def test_a_workflow_from_the_plan_to_the_report(default_core: str, make_fleet: Maker, tmp_path: Path) -> None:
    """Each host is restarted once, whatever the order of the inventory, and the report knows all jobs."""
    fleet = make_fleet(3)
    awx, before = Awx(default_core, fleet, tmp_path), pids(fleet)
    plan = awx.run("restart", blank("restart"), "--check", **OF_WORKFLOW)
    assert_good(plan)
    assert pids(fleet) == before
    canary = awx.run("restart", None, "--limit", "anqicms_canary", **OF_WORKFLOW, **plan.artifacts)
    assert_good(canary)
    assert [pid != old for pid, old in zip(pids(fleet), before)] == [True, False, False]
    halfway = awx.run("report", None, **OF_WORKFLOW, **canary.artifacts)
    assert_good(halfway, "not touched")
    middle = pids(fleet)
    rest = awx.run("restart", None, "--limit", "anqicms:!anqicms_canary", **OF_WORKFLOW, **canary.artifacts)
    assert_good(rest)
    assert [pid != old for pid, old in zip(pids(fleet), middle)] == [False, True, True]
    assert results(rest, RESULTS) == {"h1": ["done"], "h2": ["done"], "h3": ["done"]}
    report = awx.run("report", None, **OF_WORKFLOW, **rest.artifacts, anqicms_report="artifacts")
    assert_good(report, "h1", "h2", "h3")
    document = report.artifacts[f"anqicms_report_{WORKFLOW}"]
    assert (document["totals"]["done"], document["ended"], document["verb"]) == (3, "finished", "restart")
    assert len({tuple(order) for order in awx.orders}) > 1, "the order never changed"


def test_a_report_outside_of_a_workflow_is_refused(default_core: str, make_fleet: Maker, tmp_path: Path) -> None:
    awx = Awx(default_core, make_fleet(1), tmp_path)
    job = awx.begin("report")
    assert job.wait() == 2 and "There is no awx_workflow_job_id" in job.output, job.output


@pytest.mark.soak
def test_a_killed_job_is_resumed(default_core: str, make_fleet: Maker, tmp_path: Path) -> None:
    """After a cancel only the hosts know what has happened: the window ends there, and a new job does the rest."""
    fleet = make_fleet(3, **for_standin(start_delay_ms=3000))
    awx, before = Awx(default_core, fleet, tmp_path), pids(fleet)
    job = awx.begin("restart", {"anqicms_serial": "1"}, **QUICK)
    until(lambda: any(journal(host.state_dir) for host in fleet.hosts), "a window", 60)
    job.kill()
    assert job.artifacts == {}
    (worked,) = [host for host in fleet.hosts if journal(host.state_dir)]
    until(lambda: worked.instances[0].pid not in (0, *before), "the end of the window", 60)
    until(worked.instances[0].told_version, "its answer", 60)
    status = awx.run("status", blank("status"), **QUICK)
    assert_good(status, str(job.number))
    middle = pids(fleet)
    resumed = awx.run("restart", answered("restart", {"anqicms_resume": str(job.number)}), **QUICK)
    assert_good(resumed)
    assert worked.instances[0].pid in middle, "it was restarted twice"
    assert not set(before) & set(pids(fleet))


@pytest.mark.soak
def test_each_playbook_of_the_kit(core: str, make_fleet: Maker, tmp_path: Path) -> None:
    """A fleet's life with every question answered, and once more with every text left blank."""
    fleet = make_fleet(3)
    awx = Awx(core, fleet, tmp_path)
    first = awx.run("restart", blank("restart"), **QUICK)
    assert_good(first)
    ids = [identity for records in first.artifacts["anqicms_results"].values() for identity in records]
    given = {**ANSWERS, "anqicms_only": "\n".join(ids)}
    for verb in ("discover", "status", "prepare", "restart", "stop", "start", "recover", "diagnose"):
        assert_good(awx.run(verb, answered(verb, given), **QUICK))
        assert_good(awx.run(verb, blank(verb), **QUICK))
    assert 0 not in pids(fleet)
    assert len({tuple(order) for order in awx.orders}) > 1


@pytest.mark.soak
@pytest.mark.standin("its config.json")
def test_each_changing_playbook_of_the_kit(core: str, make_fleet: Maker, tmp_path: Path) -> None:
    fleet = make_fleet(3)
    awx = Awx(core, fleet, tmp_path)
    wanted = {"anqicms_config": {"server": {"log_level": "debug"}}}
    changed = awx.run("configure", blank("configure"), **wanted, **QUICK)
    assert_good(changed)
    assert list(results(changed).values()) == [["done"]] * 3
    back = awx.run("rollback", answered("rollback", {"anqicms_rollback_run": str(changed.number)}), **QUICK)
    assert_good(back)
    assert list(results(back).values()) == [["done"]] * 3
    releases = {"anqicms_releases": {VERSION: str(release_zip(VERSION, tmp_path))}}
    upgraded = awx.run("upgrade", answered("upgrade", {"anqicms_upgrade_to": VERSION}), **releases, **QUICK)
    assert_good(upgraded)
    assert list(results(upgraded).values()) == [["unchanged"]] * 3


@pytest.mark.soak
def test_no_event_of_a_large_plan_is_cut(default_core: str, make_fleet: Maker, tmp_path: Path) -> None:
    awx = Awx(default_core, make_fleet(40), tmp_path)
    job = awx.run("restart", blank("restart"), "--check", **QUICK)
    assert_good(job)
    assert sum("site" in event["stdout"] for event in job.events) >= 40
