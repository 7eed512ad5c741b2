# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rolling restart of a small mixed fleet, before your eyes.

demo.py [--keep] [--down] [--root DIR] [-- COMMAND...]
  --keep   leave the fleet running and print what to try; end it with --down
  --down   end a fleet that was left running
  --root   the directory that becomes the fleet's (default .cache/demo); what is in it is removed
  COMMAND  run this instead of ansible-playbook playbooks/restart.yml; the word INVENTORY becomes the inventory's path
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))

import mariadb
import paths
import releases
from fleet import Fleet
from instance import Instance, end_below
from watching import Gap, Prober, ProcessWatch

ROOT = paths.ROOT
FLEET_ROOT = paths.CACHE / "demo"
REPORTS = paths.CACHE / "demo-reports"
LAYOUT = (
    ("web1", (("shop.example", "2.5.3"), ("blog.example", "3.2.8"))),
    ("web2", (("news.example", "3.2.8"), ("wiki.example", "3.5.8"))),
    ("web3", (("docs.example", "3.5.8"), ("old.example", "2.5.3"))),
)


class Row(NamedTuple):
    """What happened to one instance; `wrong` is empty when all is as it should be."""

    host: str
    instance: Instance
    before: int
    after: int
    gaps: list[Gap]
    wrong: list[str]


def main() -> int:
    arguments = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    end_fleet(arguments.root)
    if arguments.down:
        print("The demo fleet is down.")
        return 0
    fleet = Fleet(arguments.root)
    kept = False
    try:
        _start(fleet)
        status = _restart_and_report(fleet, arguments.command)
        kept = arguments.keep
        if kept:
            _print_playground(fleet)
        return status
    except (mariadb.Unavailable, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C does not stop the tidying
        if not kept:
            fleet.remove()


def end_fleet(root: Path) -> None:
    """End what an earlier demo left running, by pid and only below its directory, and remove its files."""
    end_below(root)
    mariadb.end_left(root / "mariadb")
    shutil.rmtree(root, ignore_errors=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--keep", action="store_true", help="leave the fleet running")
    parser.add_argument("--down", action="store_true", help="end a fleet that was left running")
    parser.add_argument("--root", type=own_directory, default=FLEET_ROOT, help="the fleet's directory")
    parser.add_argument("command", nargs="*", help="run this instead of ansible-playbook")
    return parser.parse_args()


def own_directory(text: str) -> Path:
    """One that is not there, is empty, or was made by a demo: it will be removed."""
    root = Path(text).resolve()
    if root.exists() and any(root.iterdir()) and not (root / "inventory.yml").exists():
        raise argparse.ArgumentTypeError(f"{root} is not empty and no demo's directory")
    return root


def _start(fleet: Fleet) -> None:
    source = releases.real_releases() or "the stand-in"
    print(f"A fleet of {len(LAYOUT)} hosts below {fleet.root}, from {source}:", flush=True)
    for version in sorted({version for _host, sites in LAYOUT for _site, version in sites}):
        if releases.nearest(version) != version:
            print(f"  {version} is not there, {releases.nearest(version)} takes its place")
    for name, sites in LAYOUT:
        host = fleet.add_host(name)
        for site, version in sites:
            fleet.add_instance(host, site, releases.nearest(version))
    fleet.start()
    for host in fleet.hosts:
        for instance in host.instances:
            print(f"  {host.name}  {instance.dir.name:14} {instance.version}  port {instance.port}  pid {instance.pid}")
    print(flush=True)


def _restart_and_report(fleet: Fleet, command: list[str]) -> int:
    before = {instance.dir: instance.pid for instance in fleet.instances}
    probers = [Prober(instance) for instance in fleet.instances]
    watch = ProcessWatch(fleet.instances)
    for thread in (watch, *probers):
        thread.start()
    own = [*playbook(fleet, "restart"), "-e", f"anqicms_report={REPORTS}"]
    argv = [word.replace("INVENTORY", str(fleet.inventory)) for word in command] or own
    print("$ " + " ".join(argv), flush=True)
    begin = time.monotonic()
    status = subprocess.run(argv, cwd=ROOT, env=environment(), check=False).returncode
    print(f"\nended with status {status} after {time.monotonic() - begin:.1f} s\n")
    for prober in probers:
        prober.finish()
    watch.finish()
    rows = _judge(fleet, before, probers, watch)
    _print_table(rows)
    if not command:
        print(f"The report, to open in a browser: {REPORTS / 'latest' / 'run.html'}", flush=True)
    return 1 if status or any(row.wrong for row in rows) else 0


def playbook(fleet: Fleet, verb: str) -> list[str]:
    ansible = Path(sys.executable).parent / "ansible-playbook"
    return [str(ansible), "-i", str(fleet.inventory), f"playbooks/{verb}.yml"]


def environment() -> dict[str, str]:
    return {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(paths.link_tree()),
        "ANSIBLE_CALLBACKS_ENABLED": "anqicms.lifecycle.summary",
        "ANSIBLE_FORCE_COLOR": "1" if sys.stdout.isatty() else "0",
        "ANSIBLE_LOCALHOST_WARNING": "0",
    }


def _judge(fleet: Fleet, before: dict[Path, int], probers: list[Prober], watch: ProcessWatch) -> list[Row]:
    rows = []
    for host in fleet.hosts:
        for instance in host.instances:
            gaps = next(prober.gaps for prober in probers if prober.instance is instance)
            pids = instance.pids()
            after = pids[0] if len(pids) == 1 else 0
            wrong = _wrong(instance, before[instance.dir], pids, watch, gaps)
            rows.append(Row(host.name, instance, before[instance.dir], after, gaps, wrong))
    return rows


def _wrong(instance: Instance, before: int, pids: list[int], watch: ProcessWatch, gaps: list[Gap]) -> list[str]:
    own = [change for change in watch.changes if change.instance is instance]
    went, came = [one for one in own if not one.came], [one for one in own if one.came]
    wrong = []
    if len(pids) != 1:
        wrong.append(f"{len(pids)} processes")
    elif pids[0] == before:
        wrong.append("not restarted")
    if len(went) > 1 or len(came) > 1:
        wrong.append(f"{len(went)} ends and {len(came)} starts instead of one each")
    if instance.told_version() != instance.version:
        wrong.append("does not answer with its version")
    if len(gaps) > 1:
        wrong.append(f"away {len(gaps)} times")
    if own and _siblings_changed(instance, own[0].when, own[-1].when, watch):
        wrong.append("a sibling's process changed meanwhile")
    return wrong


def _siblings_changed(instance: Instance, begin: float, end: float, watch: ProcessWatch) -> bool:
    """Did a process of the same host's other instances come or go while this one was restarted?"""
    host = instance.dir.parent
    return any(
        begin <= change.when <= end and change.instance is not instance and change.instance.dir.parent == host
        for change in watch.changes
    )


def _print_table(rows: list[Row]) -> None:
    head = f"{'host':6} {'instance':14} {'version':8} {'pid before -> after':22} {'away':>9} {'cut':>4}  siblings"
    print(head + "\n" + "-" * len(head))
    for row in rows:
        away = " + ".join(f"{gap.away_ms:.0f}" for gap in row.gaps) or "0"
        pids = f"{row.before} -> {row.after or 'none'}"
        verdict = "unchanged" if not row.wrong else "WRONG: " + "; ".join(row.wrong)
        print(
            f"{row.host:6} {row.instance.dir.name:14} {row.instance.version:8} {pids:22} {away:>6} ms "
            f"{sum(gap.cut for gap in row.gaps):>4}  {verdict}"
        )
    bad = sum(bool(row.wrong) for row in rows)
    print(
        "\naway: from the last good answer until the new process is ready (for 2.5.3, until its pages are), polled "
        "every 10 ms from outside;\ncut: polls that were accepted but not answered; siblings: the other processes of "
        "the host meanwhile."
    )
    print(
        f"{bad} of {len(rows)} instances are not as they should be."
        if bad
        else f"All {len(rows)} instances were restarted once, one after the other on each host.",
        flush=True,
    )


def _print_playground(fleet: Fleet) -> None:
    ansible = Path(sys.executable).parent / "ansible-playbook"
    site = fleet.instances[0].dir
    root = "" if fleet.root == FLEET_ROOT else f" --root {fleet.root}"
    commands = [
        f"-i {fleet.inventory} playbooks/{rest}"
        for rest in (
            "restart.yml --limit web1",
            "restart.yml --check --diff",
            "stop.yml --limit web2",
            "start.yml --limit web2",
            "recover.yml",
        )
    ]
    print(f"\nThe fleet stays. From {ROOT}:\n\n  export ANSIBLE_COLLECTIONS_PATH={paths.link_tree()}")
    for command in commands:
        print(f"  {ansible} {command}")
    print(f"\n  tail -f {site}/running.log\n")
    print(f"End it with:  {sys.executable} tests/fleet/demo.py{root} --down", flush=True)


if __name__ == "__main__":
    sys.exit(main())
