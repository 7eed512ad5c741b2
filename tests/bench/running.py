# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running what is measured: Ansible's commands, one window, and the bare restart that it is compared with."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import paths
from fleet import Fleet
from instance import Instance

_REAP: list[subprocess.Popen[bytes]] = []


def environment(forks: int = 20) -> dict[str, str]:
    return {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(paths.link_tree()),
        "ANSIBLE_FORKS": str(forks),
        "ANSIBLE_HOST_KEY_CHECKING": "False",
        "ANSIBLE_DEPRECATION_WARNINGS": "False",
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_INJECT_FACT_VARS": "False",
    }


def ansible(*arguments: str, forks: int = 20) -> float:
    """Run one of Ansible's commands; its wall time in seconds. Raise RuntimeError with its output when it fails."""
    command = [str(Path(sys.executable).parent / arguments[0]), *arguments[1:]]
    begin = time.monotonic()
    done = subprocess.run(
        command,
        check=False,
        env=environment(forks),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-4000:]}")
    return time.monotonic() - begin


def bare_restart(instance: Instance, change: Callable[[], object] = lambda: None) -> float:
    """The bare limit: SIGTERM, wait for the pidfd, exec, ready (version and pages). Milliseconds of downtime.

    `change` is done while it is stopped.
    """
    pid = instance.pid
    pidfd = os.pidfd_open(pid)
    environ = dict(item.split("=", 1) for item in Path(f"/proc/{pid}/environ").read_text().split("\0") if "=" in item)
    signal.pidfd_send_signal(pidfd, signal.SIGTERM)
    select.select([pidfd], [], [])
    begin = time.monotonic()
    os.close(pidfd)
    change()
    with open(instance.log, "ab") as log:
        process = subprocess.Popen(
            [str(instance.binary)],
            cwd=instance.dir,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    while instance.told_version() != instance.version or not instance.has_views():
        time.sleep(0.001)
    away = time.monotonic() - begin
    _REAP.append(process)
    return away * 1000


def reap() -> None:
    for process in _REAP:
        process.poll()


def window(fleet: Fleet, instance: Instance, steps: Sequence[Any]) -> dict[str, Any]:
    """One window on an instance of the first host; its result."""
    host = fleet.hosts[0]
    arguments = {
        "dir": str(instance.dir),
        "port": instance.port,
        "state_dir": str(host.state_dir),
        "steps": steps,
        "boot_hook": False,
    }  # it would be this machine's
    with tempfile.TemporaryDirectory() as tree:
        ansible(
            "ansible",
            host.name,
            "-i",
            str(fleet.inventory),
            "-t",
            tree,
            "-m",
            "anqicms.lifecycle.window",
            "-a",
            json.dumps(arguments),
        )
        reap()
        result: dict[str, Any] = json.loads((Path(tree) / host.name).read_text())
        return result
