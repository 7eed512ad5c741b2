# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom the stand-in kills when it starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FLEET = Path(__file__).resolve().parent.parent / "fleet"
_NAMESPACE_SCRIPT = """
import json, sys, time
from pathlib import Path
sys.path.insert(0, {fleet!r})
from instance import make_instance
root = Path({root!r})
near, far = (make_instance(root / place, "3.5.8", fleet_root=root / "fleet") for place in ("fleet/near", "far/far"))
starter = make_instance(root / "fleet/starter", {version!r}, fleet_root=root / "fleet")
for instance in (near, far):
    instance.start()
before = near.pids() + far.pids()
starter.start()
print(json.dumps([near.pids() == before[:1], far.pids() == before[1:], bool(starter.pids())]))
"""


@pytest.mark.parametrize(("version", "near_lives"), [("3.2.8", False), ("2.5.3", True), ("3.5.8", True)])
def test_kill_at_start_ends_siblings_below_the_fleet_root_only(tmp_path: Path, version: str, near_lives: bool) -> None:
    script = _NAMESPACE_SCRIPT.format(fleet=str(FLEET), root=str(tmp_path), version=version)
    assert json.loads(_in_pid_namespace(script)) == [near_lives, True, True]


def _in_pid_namespace(script: str) -> str:
    """Run Python code as the first process of a PID namespace: with it everything that it started ends."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    unshare = ["unshare", *user, "--pid", "--fork", "--mount-proc", "--kill-child"]
    if subprocess.run([*unshare, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("a kernel feature: this user cannot make a PID namespace")
    argv = [*unshare, sys.executable, "-c", script]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout
