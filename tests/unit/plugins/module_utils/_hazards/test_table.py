# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of hazards: each code has a case that fires it and one that does not."""

import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app.config_file import ConfigFile
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database.target import Answer, Target
from ansible_collections.anqicms.lifecycle.plugins.module_utils._hazards.facts import Facts
from ansible_collections.anqicms.lifecycle.plugins.module_utils._hazards.table import (
    HAZARDS,
    VERBS,
    evaluate,
    not_described,
    refusals,
)

OK = ConfigFile("ok", port=8001, token_secret_empty=False, mode=0o600, uid=33, gid=33)
FINE = Facts(
    dir="/www/a", user="www", state="running", pids=[5], config=OK, config_readable=True, port=8001, listening=True,
    running_version="3.5.8", files_version="3.5.8", http_status=200, asked=True, system_dir=False, locales=True,
    runs_as_root=False, disks=[("/www/a", 10 << 30, 1000000)],
)  # fmt: skip
SYSTEMD = dict(kind="systemd", where="a.service", restarts=True, prompt=True, detail="Restart=always")
CRON = dict(
    kind="cron",
    where="/etc/crontab",
    restarts=True,
    prompt=False,
    detail="starts",
    action="start",
    command="x/start.sh",
)
BOTH_328 = dict(running_version="3.2.8", files_version="3.2.8")
BOTH_340 = dict(running_version="3.4.0", files_version="3.4.0")
STOPPED = dict(state="stopped", pids=[], listening=False, http_status=None, asked=False)
RUN = dict(run_id="r1", step="verified_start")

# code -> what fires it, what comes close and does not
CASES: t.Dict[str, t.Tuple[t.Dict[str, t.Any], t.Dict[str, t.Any]]] = {
    "several_processes": (dict(pids=[5, 6]), dict(pids=[5])),
    "hidden_processes": (dict(STOPPED, hidden=True), dict(hidden=True)),
    "state_untrusted": (dict(state_problem="planted"), dict(state_problem=None)),
    "state_damaged": (dict(state_damaged="/var/x/launch.json is not JSON"), dict(state_problem="planted")),
    "run_in_progress": (dict(running_run=RUN), dict(interrupted=RUN)),
    "unfinished_run": (dict(interrupted=RUN), dict(running_run=RUN)),
    "port_mismatch": (dict(port_problem="port 8099 was given, but it listens on 8001"), dict(port_problem=None)),
    "config_missing": (dict(config=ConfigFile("missing")), dict(config=ConfigFile("invalid"))),
    "config_unreadable": (dict(config_readable=False), dict(config_readable=None)),
    "config_invalid": (dict(config=ConfigFile("invalid", "no JSON")), dict(config=ConfigFile("missing"))),
    "config_port_invalid": (
        dict(config=OK._replace(port=None, port_error="bad")),
        dict(config=OK._replace(port=None, port_error="bad"), argv_port=8001),
    ),
    "executable_busy": (dict(executable_busy="pid 9"), dict(executable_problem="ARM")),
    "executable_unusable": (dict(executable_problem="ARM"), dict(executable_problem=None)),
    "locales_missing": (dict(BOTH_340, locales=False), dict(locales=False)),
    "dictionary_missing": (
        dict(dictionary=False, reads_dictionary=True),
        dict(dictionary=False, reads_dictionary=None),
    ),
    "database_unreachable": (
        dict(databases=[Answer(Target("db", 3306), "it refuses connections")]),
        dict(databases=[Answer(Target("db", 3306), "it refuses connections"), Answer(Target("db", 1))]),
    ),
    "database_newer": (dict(newer=["shop by last_run_version"]), dict(newer=[])),
    "port_held_by_stranger": (
        dict(STOPPED, port_free=False, strangers=[dict(pid=9, user="u", exe="/bin/x")]),
        dict(STOPPED, port_free=None),
    ),
    "root_runs_writable": (dict(runs_as_root=True, writable=["/www/a"]), dict(runs_as_root=False, writable=["/www/a"])),
    "files_left_behind": (dict(left_behind=["running.log (owner root, mode 0644)"]), dict(left_behind=[])),
    "supervised": (dict(supervisors=[SYSTEMD]), dict(supervisors=[dict(SYSTEMD, restarts=False), CRON])),
    "disk_full": (dict(disks=[("/", 0, None)]), dict(disks=[("/", 50 << 20, None)])),
    "undead_process": (dict(state="undead"), dict(state="starting")),
    "installer_open": (dict(http_status=302), dict(http_status=403)),
    "no_answer": (dict(http_status=None, running_version=None), dict(http_status=None, asked=False)),
    "binary_replaced": (dict(replaced=True), dict(replaced=False)),
    "versions_differ": (dict(running_version="3.5.1"), dict(running_version=None)),
    "kills_siblings": (dict(BOTH_328, siblings=[7]), dict(siblings=[7])),
    "port_shared": (dict(sharing=["/www/b"]), dict(sharing=[])),
    "port_differs": (dict(port=8009), dict(port=8009, argv_port=8009)),
    "stale_system_dir": (dict(system_dir=True), dict(BOTH_340, system_dir=True)),
    "config_world_readable": (dict(config=OK._replace(mode=0o644)), dict(config=OK._replace(mode=0o660))),
    "token_secret_empty": (
        dict(BOTH_328, config=OK._replace(token_secret_empty=True)),
        dict(config=OK._replace(token_secret_empty=True)),
    ),
    "root_cron_runs_writable": (dict(cron_writable=["/www/a/start.sh"]), dict(cron_writable=[])),
    "vendor_guard": (dict(fragile=["/www/a/start.sh"]), dict(fragile=[])),
    "cron_guard": (dict(supervisors=[CRON]), dict(supervisors=[dict(CRON, restarts=False, action="names")])),
    "cron_kill": (dict(supervisors=[dict(CRON, restarts=False, action="stop")]), dict(supervisors=[CRON])),
    "watched": (
        dict(supervisors=[dict(kind="baota", where="/www/server/x.sh", restarts=None, prompt=False, detail="d")]),
        dict(supervisors=[dict(kind="baota", where="/www/server/x.sh", restarts=False, prompt=False, detail="d")]),
    ),
    "unit_left": (dict(supervisors=[dict(SYSTEMD, restarts=False)]), dict(supervisors=[SYSTEMD])),
    "cut_writes": (dict(cut=["/www/a/public/sitemap.xml"]), dict(cut=[])),
    "backup_running": (dict(backups=["/www/a/data/backup/1.sql (restore)"]), dict(cut=["/www/a/data/backup/1.sql"])),
    "low_disk": (dict(disks=[("/", 50 << 20, None)]), dict(disks=[("/", 200 << 20, None)])),
    "template_marks": (dict(marks=["dir"]), dict(marks=[])),
    "admin_host": (dict(http_status=403, running_version=None), dict(http_status=200)),
    "files_version_unknown": (dict(files_version=None), dict(running_version=None)),
    "database_not_asked": (dict(database_unknown="no client"), dict(database_unknown=None)),
    "supervisors_unseen": (
        dict(supervisors=[dict(kind="unknown", where="x", restarts=None, prompt=False, detail="denied")]),
        dict(supervisors=[CRON]),
    ),
    "not_all_seen": (dict(problems=["logs: denied"]), dict(problems=[])),
}


def codes(**changes: t.Any) -> t.List[str]:
    return [row["code"] for row in evaluate(FINE._replace(**changes))]


def test_healthy_instance_has_none() -> None:
    assert codes() == []


def test_every_code_has_its_cases() -> None:
    assert sorted(CASES) == sorted(hazard.code for hazard in HAZARDS)


@pytest.mark.parametrize("code", sorted(CASES))
def test_fires(code: str) -> None:
    assert code in codes(**CASES[code][0])


@pytest.mark.parametrize("code", sorted(CASES))
def test_does_not_fire(code: str) -> None:
    assert code not in codes(**CASES[code][1])


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("hidden_processes", dict(STOPPED, unseen=[7])),
        ("config_unreadable", dict(config=ConfigFile("unreadable", "denied"))),
        ("config_unreadable", dict(config=ConfigFile("unsafe", "a link"))),
        ("port_held_by_stranger", dict(STOPPED, port_free=False)),
        ("supervised", dict(supervisors=[dict(SYSTEMD, restarts=None)])),
        ("low_disk", dict(disks=[("/", 10 << 30, 5)])),
        ("no_answer", dict(http_status=500, running_version=None)),
        ("no_answer", dict(running_version=None)),
        ("stale_system_dir", dict(running_version=None, system_dir=True)),
    ],
)
def test_unknown_and_odd_facts_are_not_taken_for_good(code: str, changes: t.Dict[str, t.Any]) -> None:
    assert code in codes(**changes)


def test_severity_says_whether_it_blocks() -> None:
    for hazard in HAZARDS:
        assert hazard.severity in ("block", "warn", "info")
        assert bool(hazard.blocks) == (hazard.severity == "block"), hazard.code
        assert set(hazard.blocks) <= set(VERBS) and hazard.advice.endswith(".")


@pytest.mark.parametrize(
    ("code", "refused"),
    [
        ("unfinished_run", {"stop", "start", "configure", "upgrade", "rollback"}),
        ("several_processes", set(VERBS)),
        ("supervised", {"restart", "stop", "configure", "upgrade", "rollback"}),
        ("executable_busy", {"restart", "start", "configure", "upgrade", "rollback"}),
        ("config_invalid", {"restart", "start", "configure", "upgrade", "rollback"}),
    ],
)
def test_what_is_refused(code: str, refused: t.Set[str]) -> None:
    rows = [row for row in evaluate(FINE._replace(**CASES[code][0])) if row["code"] == code]
    assert {verb for verb in VERBS if refusals(rows, verb)} == refused
    assert not any(refusals(rows, verb, [code]) for verb in VERBS)


def test_what_blocks_comes_first() -> None:
    blocks = [hazard.severity == "block" for hazard in HAZARDS]
    assert blocks == sorted(blocks, reverse=True)


def test_instance_that_could_not_be_described_refuses_all() -> None:
    assert all(refusals([not_described("x")], verb) for verb in VERBS)
