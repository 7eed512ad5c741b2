# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""(f) What one host more costs the controller, against the usual playbook, in turns.

The engine, the modules and the restarts are real, and so is each host for Ansible: its variables, facts and tasks. The
instances are fewer than the hosts, because this machine has a few processors: the hosts of a batch have one each, and
those of the next batch the same ones again. All of it runs on this machine, so the modules count for both sides. Its
processors do the work of 50 hosts at once: a window that takes longer than the first call of its module costs another
call, which the fleet itself would not have.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.rows import Row, ratio_row, shown_row
from bench.running import environment
from bench.usage import Usage
from fleet import Fleet

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
FORKS = 50
FEW, BATCH = 50, 50  # hosts; as many instances as the largest batch
MOST_CPU = 0.8  # of the usual playbook
MOST_MIB = 1.0  # for each host
LINEAR = 1.1
_RECAP = re.compile(r"^\S+\s+: ok=(\d+).* failed=(\d+)\s+skipped=(\d+)", re.MULTILINE)


class Run(NamedTuple):
    """What one run over so many hosts has used."""

    hosts: int
    usage: Usage
    tasks: float  # for each host
    followed: int  # windows that have not ended within the first call of their module, so that another one follows

    @property
    def cpu(self) -> float:
        """Seconds for each host."""
        return (self.usage.waited + self.usage.detached) / self.hosts


class Scale:
    """A fleet, and inventories with more hosts than it has."""

    def __init__(self, fleet: Fleet, batch: int) -> None:
        self.fleet, self.batch = fleet, batch
        for number in range(batch):
            fleet.add_instance(fleet.add_host(f"own{number:02d}"), f"site{number:02d}.example", "3.5.8")

    def ours(self, hosts: int) -> Run:
        def variables(number: int) -> dict[str, Any]:
            host = self.fleet.hosts[number % self.batch]
            (instance,) = host.instances
            listed = [{"dir": str(instance.dir), "port": instance.port}]
            return {"anqicms_state_dir": str(host.state_dir), "anqicms_instances": listed}

        inventory = self._inventory("ours", [variables(number) for number in range(hosts)])
        values = json.dumps({"anqicms_serial": self._serial(hosts), "anqicms_boot_hook": False})
        return self._run(hosts, inventory, str(ROOT / "playbooks" / "restart.yml"), "-e", values)

    def plain(self, hosts: int) -> Run:
        def variables(number: int) -> dict[str, Any]:
            (instance,) = self.fleet.hosts[number % self.batch].instances
            return {"dir": str(instance.dir), "port": instance.port}

        inventory = self._inventory("plain", [variables(number) for number in range(hosts)])
        return self._run(hosts, inventory, str(HERE / "plain_restart.yml"), "-e", f"batch={self._serial(hosts)}")

    def _serial(self, hosts: int) -> str:
        return f"{min(25, 100 * self.batch // hosts)}%"

    def _inventory(self, name: str, variables: Sequence[Mapping[str, Any]]) -> Path:
        common = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        hosts = {f"web{number}.example": values for number, values in enumerate(variables, 1)}
        path = self.fleet.root / f"{name}{len(hosts)}.yml"
        path.write_text(json.dumps({"anqicms": {"hosts": hosts, "vars": common}}))
        return path

    def _run(self, hosts: int, inventory: Path, *arguments: str) -> Run:
        """One playbook over all hosts. RuntimeError unless each instance has a new process."""
        before = [instance.pid for instance in self.fleet.instances]
        log = inventory.with_suffix(".log")
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(inventory), *arguments]
        done = subprocess.run(
            [sys.executable, str(HERE / "usage.py"), str(log), *command],
            check=True,
            env=environment(forks=FORKS),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        usage, output = Usage(**json.loads(done.stdout)), log.read_text()
        if usage.status or {0, *before} & {instance.pid for instance in self.fleet.instances}:
            raise RuntimeError(f"{' '.join(command)} ended with {usage.status}:\n{output[-4000:]}")
        counts = [sum(map(int, found)) for found in _RECAP.findall(output)]
        if len(counts) != hosts:
            raise RuntimeError(f"the recap has {len(counts)} hosts, not {hosts}")
        return Run(hosts, usage, sum(counts) / hosts, output.count("\nwindow ["))


def growth(few: Run, many: Run) -> float:
    """MiB of the main process for each host more."""
    return (many.usage.peak - few.usage.peak) / (many.hosts - few.hosts)


def rows(root: Path, hosts: int) -> list[Row]:
    with Fleet(root / "scale", with_database=False) as fleet:
        scale = Scale(fleet, BATCH)
        fleet.start()
        few, many, plain_many = scale.ours(FEW), scale.ours(hosts), scale.plain(hosts)
    name = f"restart.yml, {hosts} hosts"
    return [
        ratio_row(f"{name}: CPU for each host", many.cpu, "s", plain_many.cpu, MOST_CPU),
        ratio_row(f"the same with {hosts} and with {FEW} hosts", many.cpu, "s", few.cpu, LINEAR),
        ratio_row(f"{name}: memory for each host; limit", growth(few, many), "MiB", MOST_MIB, 1.0),
        shown_row(f"{name}: memory in all", many.usage.peak, "MiB", plain_many.usage.peak),
        shown_row(f"{name}: tasks for each host", many.tasks, "", plain_many.tasks),
        shown_row("windows that needed another call of their module", many.followed, "", hosts),
    ]
