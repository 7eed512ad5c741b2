# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Jobs as AWX runs them: ansible-runner in a private data directory, with the playbooks of the kit as its project."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Mapping

import paths
import pytest
import venvs
import yaml
from awx_answers import as_extra_variables
from e2e.playing import descendants
from fleet import Fleet

PROJECT = paths.ROOT / "extensions" / "awx" / "project"
WORKFLOW = 4700
EVENT_LIMIT = 1024  # what AWX shows of one event
_INVENTORY = "#!{python}\nprint(open({path!r}).read())\n"


class Job:
    """One job that has begun. ``number`` is that of AWX, and so the id of the run."""

    def __init__(self, process: "subprocess.Popen[bytes]", directory: Path, number: int) -> None:
        self.process, self.directory, self.number = process, directory, number

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events that AWX would get, in order."""
        files = self.directory.glob(f"artifacts/{self.number}/job_events/*-*.json")
        return sorted((json.loads(path.read_text()) for path in files), key=lambda event: int(event["counter"]))

    @property
    def output(self) -> str:
        path = self.directory / "artifacts" / str(self.number) / "stdout"
        return path.read_text() if path.exists() else ""

    @property
    def artifacts(self) -> dict[str, Any]:
        """What AWX keeps of set_stats; nothing if there was no recap."""
        ends = [event["event_data"] for event in self.events if event["event"] == "playbook_on_stats"]
        return dict(ends[-1].get("artifact_data") or {}) if ends else {}

    def wait(self, seconds: float = 240) -> int:
        """Its end, and the exit status of ansible-playbook."""
        self.process.wait(seconds)
        return int((self.directory / "artifacts" / str(self.number) / "rc").read_text())

    def kill(self) -> None:
        """What a cancel and a timeout of AWX do: nothing of it is left to end anything properly."""
        for pid in [self.process.pid, *descendants(self.process.pid, "ansible-playbook")]:
            try:
                os.killpg(os.getpgid(pid), signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait(20)

    def too_long(self) -> list[str]:
        """Lines of which AWX would show only the beginning."""
        shown = [event for event in self.events if event["event"] != "playbook_on_stats"]
        return [event["stdout"] for event in shown if len(event["stdout"].encode()) >= EVENT_LIMIT]


class Awx:
    """Starts jobs on a fleet, on one ansible-core. The first host of the fleet is the canary."""

    def __init__(self, core: str, fleet: Fleet, directory: Path) -> None:
        try:
            self.runner = venvs.ensure("awx") / "ansible-runner"
        except venvs.Missing as error:
            pytest.skip(str(error))
        self.bin = venvs.ensure(f"core-{core}")
        self.fleet, self.directory = fleet, directory
        self.count = 4710
        self.orders: list[list[str]] = []

    def begin(self, verb: str, answers: Mapping[str, Any] | None = None, *arguments: str, **variables: Any) -> Job:
        """``answers``: to the survey; ``arguments``: of ansible-playbook; ``variables``: others, of the template."""
        self.count += 1
        place = self.directory / f"job{self.count}"
        (place / "env").mkdir(parents=True)
        (place / "inventory").mkdir()
        shutil.copytree(PROJECT, place / "project")
        self._write_inventory(place)
        own = {"awx_job_id": self.count, "awx_job_launch_type": "manual", "awx_user_name": "admin"}
        own |= {f"tower_{name[4:]}": value for name, value in own.items()}
        (place / "env" / "extravars").write_text(as_extra_variables({**own, **variables, **(answers or {})}))
        (place / "env" / "cmdline").write_text(" ".join(arguments))
        return Job(self._start(verb, place), place, self.count)

    def run(self, verb: str, answers: Mapping[str, Any] | None = None, *arguments: str, **variables: Any) -> Job:
        job = self.begin(verb, answers, *arguments, **variables)
        job.wait()
        return job

    def _start(self, verb: str, place: Path) -> "subprocess.Popen[bytes]":
        env = {
            **paths.private_env([self.bin]),
            "JOB_ID": str(self.count),
            "ANSIBLE_HOST_KEY_CHECKING": "False",
            "ANSIBLE_RETRY_FILES_ENABLED": "False",
            "ANSIBLE_FORCE_COLOR": "True",
            "ANSIBLE_LOCAL_TEMP": str(place / "tmp"),
            "ANSIBLE_REMOTE_TEMP": str(self.directory / "remote"),
        }
        del env["ANSIBLE_NOCOLOR"]
        argv = [str(self.runner), "run", str(place), "-p", f"{verb}.yml", "--ident", str(self.count), "--quiet"]
        with (place / "runner.log").open("wb") as log:
            return subprocess.Popen(
                argv, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def _write_inventory(self, place: Path) -> None:
        """A script, as AWX writes one: the hosts of each group are in another order in each job."""
        group = yaml.safe_load(self.fleet.inventory.read_text())["anqicms"]
        hosts = list(group["hosts"])
        order = random.Random(self.count)
        order.shuffle(hosts)
        self.orders.append(hosts)
        numbers = {name: {"remote_tower_enabled": "true", "remote_tower_id": i} for i, name in enumerate(hosts, 1)}
        whole = {
            "all": {"children": ["anqicms", "anqicms_canary", "ungrouped"]},
            "anqicms": {"hosts": hosts, "vars": group["vars"]},
            "anqicms_canary": {"hosts": [self.fleet.hosts[0].name]},
            "_meta": {"hostvars": {name: {**group["hosts"][name], **numbers[name]} for name in hosts}},
        }
        path = place / "hosts.json"
        path.write_text(json.dumps(whole))
        script = place / "inventory" / "hosts"
        script.write_text(_INVENTORY.format(python=sys.executable, path=str(path)))
        script.chmod(0o700)
