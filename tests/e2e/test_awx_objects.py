# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The objects of the AWX kit, created with the collection awx.awx in a double of AWX that has its habits."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import paths
import pytest
import venvs
from awx_double.server import TOKEN, Double
from awx_double.store import Row, Store

KIT = paths.ROOT / "extensions" / "awx"
PLAYBOOKS = sorted(path.name for path in (KIT / "project").glob("*.yml"))
SMALL = {"anqicms_awx_verbs": ["diagnose", "restart"], "anqicms_awx_workflows": ["restart"]}
SECRET = "hunter2-of-the-robot"
GIT: dict[str, Any] = {
    "anqicms_awx_scm_url": "https://git.example/fleet.git",
    "anqicms_awx_chat": {"chat_url": "https://chat.example/robot", "chat_secret": SECRET},
    "anqicms_awx_webhook": "https://chat.example/awx",
}


class Applied(NamedTuple):
    status: int
    output: str

    @property
    def changed(self) -> int:
        return int(re.findall(r"changed=(\d+)", self.output)[-1])


class Kit:
    """Runs playbooks with awx.awx against one double."""

    def __init__(self, double: Double, directory: Path) -> None:
        self.double, self.directory = double, directory
        try:
            self.bin = venvs.ensure("awx")
        except venvs.Missing as error:
            pytest.skip(str(error))

    def apply(self, playbook: Path = KIT / "awx.yml", **variables: Any) -> Applied:
        env = {
            **paths.private_env([self.bin]),
            "CONTROLLER_HOST": self.double.url,
            "CONTROLLER_OAUTH_TOKEN": TOKEN,
            "ANSIBLE_LOCAL_TEMP": str(self.directory / "tmp"),
            "ANSIBLE_REMOTE_TEMP": str(self.directory / "remote"),
            "ANSIBLE_PIPELINING": "1",
        }
        argv = [str(self.bin / "ansible-playbook"), "-i", "localhost,", str(playbook), "-e", json.dumps(variables)]
        done = subprocess.run(
            argv, cwd=self.directory, env=env, capture_output=True, text=True, timeout=600, check=False
        )
        return Applied(done.returncode, done.stdout + done.stderr)

    def tasks(self, *tasks: Row) -> Applied:
        path = self.directory / "naive.yml"
        whole = {"name": "Naive", "hosts": "localhost", "connection": "local", "gather_facts": False}
        path.write_text(json.dumps([{**whole, "tasks": [{"name": "Naive", **task} for task in tasks]}]))
        return self.apply(path)

    def rows(self, collection: str) -> dict[str, Row]:
        return {row.get("name") or row["identifier"]: row for row in self.double.api.store.rows[collection].values()}


@pytest.fixture
def kit(tmp_path: Path) -> Any:
    with Double(Store(PLAYBOOKS)) as double:
        yield Kit(double, tmp_path)


def assert_twice(kit: Kit, **variables: Any) -> None:
    """The first run creates, the second one only reads."""
    first = kit.apply(**variables)
    assert first.status == 0 and first.changed > 0, first.output
    calls = len(kit.double.api.calls)
    second = kit.apply(**variables)
    assert (second.status, second.changed) == (0, 0), second.output
    assert {method for method, _path in kit.double.api.calls[calls:]} == {"GET"}
    assert SECRET not in first.output + second.output


def test_a_second_run_changes_nothing(kit: Kit) -> None:
    assert_twice(kit, **SMALL, **GIT)
    templates = kit.rows("job_templates")
    assert set(templates) == {"AnQiCMS diagnose", "AnQiCMS restart", "AnQiCMS report"}
    for row in templates.values():
        assert not row["allow_simultaneous"] and row["job_slice_count"] == 1 and row["timeout"] == 0
        assert row["ask_job_type_on_launch"] and row["ask_limit_on_launch"] and not row["ask_variables_on_launch"]
    survey = templates["AnQiCMS restart"]["survey_spec"]
    assert survey == json.loads((KIT / "surveys" / "restart.json").read_text())
    assert not kit.rows("workflow_job_templates")["AnQiCMS rolling restart"]["ask_limit_on_launch"]
    assert kit.rows("schedules")["AnQiCMS diagnose every morning"]["enabled"] is False


def test_the_workflow_leads_from_the_plan_to_the_report(kit: Kit) -> None:
    done = kit.apply(**{**SMALL, "anqicms_awx_verbs": ["restart"], "anqicms_awx_schedules": []})
    assert done.status == 0, done.output
    store, nodes = kit.double.api.store, kit.rows("workflow_job_template_nodes")
    names = {row["id"]: name for name, row in nodes.items()}
    edges = {
        (name, edge, names[target])
        for name, row in nodes.items()
        for edge in ("success", "failure", "always")
        for target in store.members("workflow_job_template_nodes", row["id"], f"{edge}_nodes")
    }
    assert edges == {
        ("plan", "success", "canary"), ("canary", "success", "approve"), ("canary", "failure", "report"),
        ("approve", "success", "rest"), ("approve", "failure", "report"), ("rest", "always", "report"),
    }  # fmt: skip
    limits = {name: row["limit"] for name, row in nodes.items() if row["limit"]}
    assert limits == {"canary": "anqicms_canary", "rest": "anqicms:!anqicms_canary"}
    assert nodes["plan"]["job_type"] == "check"
    assert store.unified(nodes["approve"]["unified_job_template"])["timeout"] == 3600
    assert store.unified(nodes["report"]["unified_job_template"])["playbook"] == "report.yml"


@pytest.mark.soak
def test_the_whole_kit_twice(kit: Kit) -> None:
    assert_twice(kit, **GIT, anqicms_awx_database={"database_password": "x"})
    assert len(kit.rows("job_templates")) == 12


def test_a_project_whose_first_update_failed(kit: Kit) -> None:
    """The second run does not update it and reports ok. Only then the templates fail."""
    store = kit.double.api.store
    store.updates_fail = True
    assert "Project update failed" in kit.apply(**SMALL, **GIT).output
    store.updates_fail = False
    assert "Playbook not found for project" in kit.apply(**SMALL, **GIT).output
    assert kit.apply(**SMALL, **GIT, anqicms_awx_sync=True).status == 0


# --- what the double must show of a playbook that does not know the habits of AWX

NOTIFICATION: Row = {
    "name": "chat",
    "organization": "Default",
    "notification_type": "webhook",
    "notification_configuration": {
        "url": "https://chat.example", "http_method": "POST", "headers": {}, "disable_ssl_verification": False,
        "username": "", "password": "",
    },
    "messages": {"started": None, "success": None, "error": {"message": "", "body": "{}"}, "workflow_approval": None},
}  # fmt: skip
CREDENTIAL: Row = {
    "name": "key", "organization": "Default", "credential_type": "Machine", "inputs": {"password": "x"},
}  # fmt: skip


def without(row: Row, key: str, inner: str) -> Row:
    return {**row, key: {name: value for name, value in row[key].items() if name != inner}}


@pytest.mark.parametrize(("module", "arguments"), [
    ("notification_template", without(NOTIFICATION, "messages", "workflow_approval")),
    ("notification_template", without(NOTIFICATION, "notification_configuration", "username")),
    ("notification_template", {**NOTIFICATION, "notification_configuration": {
        **NOTIFICATION["notification_configuration"], "password": "x"}}),
    ("credential", CREDENTIAL),
], ids=["messages", "configuration", "password", "secrets"])  # fmt: skip
def test_a_naive_object_is_changed_by_each_run(kit: Kit, module: str, arguments: Row) -> None:
    for _run in range(3):
        applied = kit.tasks({f"awx.awx.{module}": arguments})
        assert (applied.status, applied.changed) == (0, 1), applied.output


def workflow(kit: Kit) -> None:
    kit.double.api.store.playbooks = frozenset({"a.yml"})
    common = {"name": "a", "organization": "Default"}
    done = kit.tasks(
        {"awx.awx.project": {**common, "scm_type": "manual", "local_path": "a"}},
        {"awx.awx.job_template": {**common, "project": "a", "playbook": "a.yml"}},
        {"awx.awx.workflow_job_template": {**common, "name": "w"}},
    )
    assert done.status == 0, done.output


def test_nodes_of_the_workflow_module_are_changed_by_each_run(kit: Kit) -> None:
    workflow(kit)
    approval = {"type": "workflow_approval", "name": "go on", "timeout": 60}
    nodes = [{"identifier": "approve", "unified_job_template": approval}]
    task = {"awx.awx.workflow_job_template": {"name": "w", "organization": "Default", "workflow_nodes": nodes}}
    assert [kit.tasks(task).changed for _run in range(3)] == [1, 1, 1]


def test_an_approval_with_edges_fails_in_the_second_run(kit: Kit) -> None:
    workflow(kit)
    common = {"workflow_job_template": "w", "organization": "Default"}
    last = {**common, "identifier": "last", "unified_job_template": "a"}
    approve = {**common, "identifier": "approve", "approval_node": {"name": "go on"}, "success_nodes": ["last"]}
    tasks = [{"awx.awx.workflow_job_template_node": one} for one in (last, approve)]
    assert kit.tasks(*tasks).status == 0
    second = kit.tasks(*tasks)
    assert second.status != 0
    assert re.search(r"not be found at /api/v2/workflow_approval_templates/\d+/success_nodes/", second.output)
