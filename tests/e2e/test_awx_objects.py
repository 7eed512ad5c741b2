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
SCHEDULE = {
    "name": "at night",
    "verb": "restart",
    "rrule": "DTSTART:20260101T060000Z RRULE:FREQ=DAILY",
    "enabled": False,
}
SMALL: dict[str, Any] = {
    "anqicms_awx_verbs": ["restart"],
    "anqicms_awx_workflows": ["restart"],
    "anqicms_awx_schedules": [SCHEDULE],
}
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

    def tasks(self, outcome: str) -> list[str]:
        """The names of the tasks with this outcome."""
        parts = re.split(r"^TASK \[(.*?)\].*$", self.output, flags=re.MULTILINE)[1:]
        return [name for name, text in zip(parts[::2], parts[1::2]) if f"\n{outcome}: [localhost]" in text]


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
        argv = [str(self.bin / "ansible-playbook"), str(playbook), "-e", json.dumps(variables)]
        done = subprocess.run(
            argv, cwd=self.directory, env=env, capture_output=True, text=True, timeout=600, check=False
        )
        return Applied(done.returncode, done.stdout + done.stderr)

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
    assert set(templates) == {"AnQiCMS restart", "AnQiCMS report"}
    for row in templates.values():
        assert not row["allow_simultaneous"] and row["job_slice_count"] == 1 and row["timeout"] == 0
        assert row["ask_job_type_on_launch"] and row["ask_limit_on_launch"] and not row["ask_variables_on_launch"]
    survey = templates["AnQiCMS restart"]["survey_spec"]
    assert survey == json.loads((KIT / "surveys" / "restart.json").read_text())
    assert not kit.rows("workflow_job_templates")["AnQiCMS rolling restart"]["ask_limit_on_launch"]
    assert kit.rows("schedules")["AnQiCMS at night"]["enabled"] is False
    assert kit.rows("credentials")["AnQiCMS chat"]["inputs"]["chat_secret"] == SECRET
    assert_leads_from_the_plan_to_the_report(kit)


def assert_leads_from_the_plan_to_the_report(kit: Kit) -> None:
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


@pytest.mark.soak
def test_a_project_whose_first_update_failed(kit: Kit) -> None:
    """The second run does not update it and reports ok. Only then the templates fail."""
    store = kit.double.api.store
    store.updates_fail = True
    assert "Project update failed" in kit.apply(**SMALL, **GIT).output
    store.updates_fail = False
    assert "Playbook not found for project" in kit.apply(**SMALL, **GIT).output
    assert kit.apply(**SMALL, **GIT, anqicms_awx_sync=True).status == 0


# --- what the double must show of a playbook that does not know the habits of AWX

CONFIGURATION = {
    "url": "https://chat.example", "http_method": "POST", "headers": {}, "disable_ssl_verification": False,
    "username": "", "password": "",
}  # fmt: skip
MESSAGES = {"started": None, "success": None, "error": {"message": "", "body": "{}"}, "workflow_approval": None}
COMMON = {"organization": "Default"}
NODE = {**COMMON, "workflow_job_template": "w"}
PREPARED: dict[str, tuple[str, Row]] = {
    "project": ("project", {**COMMON, "name": "p", "scm_type": "manual", "local_path": "p"}),
    "template": ("job_template", {**COMMON, "name": "t", "project": "p", "playbook": "restart.yml"}),
    "workflow": ("workflow_job_template", {**COMMON, "name": "w"}),
    "last node": ("workflow_job_template_node", {**NODE, "identifier": "last", "unified_job_template": "t"}),
}


def notification(configuration: Row, messages: Row) -> tuple[str, Row]:
    row = {**COMMON, "notification_type": "webhook", "messages": messages}
    return "notification_template", {**row, "notification_configuration": configuration}


def without(row: Row, name: str) -> Row:
    return {key: value for key, value in row.items() if key != name}


CHANGED_EACH_TIME: dict[str, tuple[str, Row]] = {
    "messages": notification(CONFIGURATION, without(MESSAGES, "workflow_approval")),
    "configuration": notification(without(CONFIGURATION, "username"), MESSAGES),
    "password": notification({**CONFIGURATION, "password": "x"}, MESSAGES),
    "secrets": ("credential", {**COMMON, "credential_type": "Machine", "inputs": {"password": "x"}}),
    "workflow_nodes": ("workflow_job_template", {**COMMON, "name": "v", "workflow_nodes": [
        {"identifier": "b", "unified_job_template": {"type": "workflow_approval", "name": "go on", "timeout": 60}}]}),
}  # fmt: skip
FAILS_THE_SECOND_TIME = (
    "workflow_job_template_node",
    {**NODE, "identifier": "approve", "approval_node": {"name": "go on"}, "success_nodes": ["last"]},
)


@pytest.mark.soak
def test_naive_tasks_change_something_in_each_run_or_fail(kit: Kit) -> None:
    """These are what a playbook has that does not know the habits of AWX: on a real one they do the same."""
    tasks = {**PREPARED, **CHANGED_EACH_TIME, "approval with edges": FAILS_THE_SECOND_TIME}
    plays = [{"name": "Naive", "hosts": "localhost", "gather_facts": False, "tasks": [
        {"name": title, f"awx.awx.{module}": {"name": title, **row} if "identifier" not in row else row}
        for title, (module, row) in tasks.items()
    ]}]  # fmt: skip
    path = kit.directory / "naive.yml"
    path.write_text(json.dumps(plays))
    first, second = kit.apply(path), kit.apply(path)
    assert (first.status, first.tasks("changed")) == (0, list(tasks)), first.output
    assert second.tasks("ok") == list(PREPARED), second.output
    assert second.tasks("changed") == list(CHANGED_EACH_TIME)
    assert second.tasks("fatal") == ["approval with edges"]
    assert re.search(r"not be found at /api/v2/workflow_approval_templates/\d+/success_nodes/", second.output)
