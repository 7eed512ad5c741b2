# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kill for memory, its diagnosis, and the start after it, before your eyes.

demo_oom.py [--root DIR]
  --root   the directory that becomes the fleet's (default .cache/demo-oom); what is in it is removed

One of two instances is put into a memory control group that is made for this, and takes more than its limit. Nothing
else is in that group, so nothing else can be killed. Status 2: something is missing here, and nothing was started.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import demo
import memory_group
import paths
from fleet import Fleet
from instance import Instance

FLEET_ROOT = paths.CACHE / "demo-oom"
LIMIT_MIB = 192
SITES = (("shop.example", "3.5.8"), ("blog.example", "2.5.3"))


def main() -> int:
    root = _arguments().root
    if memory_group.main():
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    demo.end_fleet(root)
    fleet, group = Fleet(root, with_database=False), _group(root)
    try:
        return _show(fleet, group)
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C does not stop the tidying
        fleet.remove()
        group.remove()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--root", type=demo.own_directory, default=FLEET_ROOT, help="the fleet's directory")
    return parser.parse_args()


def _group(root: Path) -> memory_group.MemoryGroup:
    """The same for each run with this directory, so that one that was killed leaves nothing for good."""
    name = "anqicms-demo-oom-" + hashlib.sha256(str(root).encode()).hexdigest()[:8]
    return memory_group.MemoryGroup((memory_group.parent() or memory_group.VERSION_2) / name)


def _show(fleet: Fleet, group: memory_group.MemoryGroup) -> int:
    victim, sibling = _start(fleet)
    before = {instance: instance.pid for instance in (victim, sibling)}
    _say("While everything runs, the diagnosis records which process belongs to which instance:")
    status = _play(fleet, "diagnose", "-e", f"anqicms_since={time.time():.3f}")
    _say(f"Now {victim.dir.name} takes more than {LIMIT_MIB} MiB in a control group that allows no more:")
    began = time.time()  # what died before both were noted is no matter of theirs
    _starve(victim, group)
    print(f"  pid {before[victim]} of {victim.dir.name} is gone", flush=True)
    _say("Why did it die?")
    report = fleet.root / "report.json"
    status |= _play(fleet, "diagnose", "-e", f"anqicms_since={began:.3f}", "-e", f"anqicms_report={report}")
    told = {row["dir"]: row for row in json.loads(report.read_text())["instances"]} if report.exists() else {}
    wrong = _judge_kill(told, victim, before[victim]) + _judge_sibling(told, sibling, before[sibling])
    group.remove()
    _say("Nothing else is wrong with it, so it is started again:")
    status |= _play(fleet, "start")
    wrong += _judge_start(victim, before[victim], sibling, before[sibling])
    _print_end(victim, sibling, before, wrong)
    return 1 if status or wrong else 0


def _start(fleet: Fleet) -> tuple[Instance, Instance]:
    host = fleet.add_host("web1")
    victim, sibling = (fleet.add_instance(host, site, version) for site, version in SITES)
    fleet.start()
    _say(f"A host with two instances of the stand-in below {fleet.root}:")
    for instance in (victim, sibling):
        print(f"  {host.name}  {instance.dir.name:14} {instance.version}  port {instance.port}  pid {instance.pid}")
    return victim, sibling


def _say(text: str) -> None:
    print(f"\n{text}", flush=True)


def _play(fleet: Fleet, verb: str, *options: str) -> int:
    argv = [*demo.playbook(fleet, verb), *options]
    print("$ " + " ".join(argv), flush=True)
    return subprocess.run(argv, cwd=paths.ROOT, env=demo.environment(), check=False).returncode


def _starve(victim: Instance, group: memory_group.MemoryGroup) -> None:
    group.make(LIMIT_MIB << 20)
    group.add(victim.pid)
    with suppress(OSError, http.client.HTTPException):
        victim.get(f"/eat?mb={LIMIT_MIB + 64}", timeout=30)
    end = time.monotonic() + 10
    while victim.pids() and time.monotonic() < end:
        time.sleep(0.02)


def _judge_kill(told: dict[str, Any], victim: Instance, pid: int) -> list[str]:
    if victim.pids():
        return [f"{victim.dir.name} was not killed"]
    row = told.get(str(victim.dir), {})
    said = (row.get("verdict"), row.get("cause"), row.get("pid"))
    return [] if said == ("confirmed", "kernel_oom_cgroup", pid) else [f"of {victim.dir.name} the diagnosis is {said}"]


def _judge_sibling(told: dict[str, Any], sibling: Instance, pid: int) -> list[str]:
    verdict = told.get(str(sibling.dir), {}).get("verdict")
    wrong = [] if verdict == "no" else [f"of {sibling.dir.name} the diagnosis is {verdict}"]
    return wrong if _serves(sibling, pid) else [*wrong, f"{sibling.dir.name} was touched by the kill"]


def _judge_start(victim: Instance, killed: int, sibling: Instance, pid: int) -> list[str]:
    wrong = [] if victim.pid not in (0, killed) and _serves(victim, victim.pid) else [f"{victim.dir.name} is not back"]
    return wrong if _serves(sibling, pid) else [*wrong, f"{sibling.dir.name} was touched by the start"]


def _serves(instance: Instance, pid: int) -> bool:
    return instance.pids() == [pid] and instance.told_version() == instance.version


def _print_end(victim: Instance, sibling: Instance, before: dict[Instance, int], wrong: list[str]) -> None:
    print(f"\n{victim.dir.name:14} pid {before[victim]} was killed for memory; pid {victim.pid or 'none'} serves now")
    print(f"{sibling.dir.name:14} pid {sibling.pid or 'none'} serves, the same as before")
    print(
        "WRONG: " + "; ".join(wrong) if wrong else "Exactly one instance was killed, and the diagnosis reports it.",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
