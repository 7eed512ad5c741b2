# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench`: the collection and its baselines side by side in one run, as a table and as .bench/results.json."""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench import changes, deaths, modules, scale
from bench.rows import Row, ratio_row
from bench.running import ansible, bare_restart, reap, window
from fleet import Fleet
from instance import Instance
from prober import Prober

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
RESULTS = ROOT / ".bench" / "results.json"
ROUNDS = int(os.environ.get("ROUNDS", "11"))
MANY = int(os.environ.get("MANY", "20"))
HOSTS = int(os.environ.get("HOSTS", "200"))
ONLY = os.environ.get("ONLY", "")
SLACK_MS = 40.0


def window_restart(fleet: Fleet, instance: Instance) -> float:
    """One window; the downtime_ms that it reports."""
    steps: list[dict[str, dict[str, object]]] = [{"graceful_stop": {}}, {"port_released": {}}, {"verified_start": {}}]
    return float(window(fleet, instance, steps)["downtime_ms"])


def downtime_rows(root: Path) -> list[Row]:
    """(a) downtime_ms against the bare limit on the same instance, in turns."""
    with Fleet(root / "one") as fleet:
        instance = fleet.add_instance(fleet.add_host("one"), "shop.example", "3.5.8")
        fleet.start()
        bare, window = [], []
        for _unused in range(ROUNDS):
            bare.append(bare_restart(instance))
            window.append(window_restart(fleet, instance))
        reap()
    medians = statistics.median(window), statistics.median(bare)
    return [ratio_row("downtime of one instance, median", medians[0], "ms", medians[1], 1.25, SLACK_MS)]


def host_rows(root: Path) -> list[Row]:
    """(d) The whole of oom_check with its defaults, against a ping, in turns."""
    with Fleet(root / "host", with_database=False) as fleet:
        host = fleet.add_host("host")
        instance = fleet.add_instance(host, "shop.example", "3.5.8")
        fleet.start()
        arguments = json.dumps({"dir": str(instance.dir), "state_dir": str(host.state_dir)})
        command = ("ansible", host.name, "-i", str(fleet.inventory), "-m")
        ours, ping = [], []
        for _unused in range(ROUNDS):
            ping.append(ansible(*command, "ansible.builtin.ping"))
            ours.append(ansible(*command, "anqicms.lifecycle.oom_check", "-a", arguments))
    medians = statistics.median(ours), statistics.median(ping)
    return [ratio_row("ansible -m oom_check; ansible -m ping", medians[0], "s", medians[1], 1, 1.0)]


def plain_inventory(fleet: Fleet) -> Path:
    rows = [f"{host.name} dir={host.instances[0].dir} port={host.instances[0].port}" for host in fleet.hosts]
    path = fleet.root / "plain.ini"
    rows += ["[all:vars]", "ansible_connection=local", f"ansible_python_interpreter={sys.executable}", ""]
    path.write_text("\n".join(rows))
    return path


def roll(fleet: Fleet, *arguments: str) -> tuple[float, float]:
    """One playbook over the whole fleet: its wall time and the median downtime seen from outside, in seconds."""
    with Prober(fleet.instances) as prober:
        time.sleep(0.5)
        wall = ansible("ansible-playbook", *arguments, forks=MANY)
        time.sleep(0.5)
    if not all(prober.downtimes):
        raise RuntimeError(f"not every instance was restarted: {prober.downtimes}")
    return wall, statistics.median(prober.downtimes)


def playbook_rows(root: Path, hosts: int, rounds: int) -> list[Row]:
    """(b) restart.yml against the usual playbook, all hosts at once, in turns.

    The usual playbook does not wait to see whether an instance lives on, so where one host is compared ours does not
    either; with many hosts the waits are at the same time, and ours does.
    """
    with Fleet(root / f"many{hosts}") as fleet:
        for number in range(hosts):
            fleet.add_instance(fleet.add_host(f"host{number:02d}"), f"site{number:02d}.example", "3.5.8")
        fleet.start()
        ours, plain = [], []
        playbook, at_once = str(ROOT / "playbooks" / "restart.yml"), '{"anqicms_serial": ["100%"]}'
        restart = ["-i", str(fleet.inventory), playbook, "-e", at_once]
        restart += ["-e", '{"anqicms_stable_for": 0.0}'] if hosts == 1 else []
        for _unused in range(rounds):
            plain.append(roll(fleet, "-i", str(plain_inventory(fleet)), str(HERE / "plain_restart.yml")))
            ours.append(roll(fleet, *restart))
    wall = [statistics.median(run[0] for run in runs) for runs in (ours, plain)]
    away = [statistics.median(run[1] for run in runs) for runs in (ours, plain)]
    what, goal = (f"{hosts} instances at once", 0.8) if hosts > 1 else ("one host, stable_for: 0", 1.0)
    rows = [ratio_row(f"restart.yml, {what}, wall time", wall[0], "s", wall[1], goal)]
    if hosts > 1:
        rows.append(ratio_row(f"restart.yml, {what}, median downtime from outside", away[0], "s", away[1], 0.05))
    return rows


def show(rows: list[Row]) -> None:
    print(f"\n{'what':60} {'value':>10} {'baseline':>10} {'ratio':>7}  {'goal':20} ok")
    for row in rows:
        figures = f"{row.value:>7} {row.unit:2} {row.baseline:>7} {row.unit:2} {row.ratio:>7}"
        print(f"{row.name:60} {figures}  {row.goal:20} {'yes' if row.ok else 'NO'}")


def main() -> int:
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="anqicms-bench-") as directory:
        root = Path(directory)
        measures: list[tuple[str, str, Callable[[], list[Row]]]] = [
            ("a", "one window and the bare limit", lambda: downtime_rows(root)),
            ("b", "one host", lambda: playbook_rows(root, 1, 3)),
            ("b", f"{MANY} instances at once", lambda: playbook_rows(root, MANY, 3)),
            ("c", "graceful_stop", lambda: modules.stop_rows(root, ROUNDS)),
            ("c", "port_released", lambda: modules.port_rows(root, ROUNDS)),
            ("c", "instance_info", lambda: modules.instance_rows(root, ROUNDS)),
            ("c", "log_check", lambda: modules.log_rows(root, ROUNDS)),
            ("d", "oom_check on logs", lambda: deaths.rows(root, ROUNDS)),
            ("d", "oom_check on this host", lambda: host_rows(root)),
            ("e", "a hop without a change of the database", lambda: changes.plain_hop_rows(root, 5)),
            ("e", "dump, restore, comparison and a hop, 20,000 articles", lambda: changes.database_rows(root, 3)),
            ("e", "the switch of a release", lambda: changes.switch_rows(root, 3)),
            ("f", f"{scale.FEW} and {HOSTS} hosts", lambda: scale.rows(root, HOSTS)),
        ]
        for part, title, measure in measures:
            if part not in (ONLY or part):
                continue
            print(f"measuring ({part}) {title} ...", flush=True)
            rows += measure()
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps([row._asdict() for row in rows], indent=2) + "\n")
    show(rows)
    print(f"\nwritten to {RESULTS.relative_to(ROOT)}")
    return 0 if all(row.ok for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
