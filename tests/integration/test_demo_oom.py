# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo of a kill for memory, as an operator runs it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import demo_oom
import memory_group
import pytest
from instance import executables

DEMO = Path(demo_oom.__file__)
MISSING = memory_group.what_is_missing()
possible = pytest.mark.skipif(bool(MISSING), reason="; ".join(MISSING))
NO_GROUPS = 'mount -t tmpfs none /sys/fs/cgroup && exec "$@"'


def argv(root: Path, *options: str) -> list[str]:
    return [sys.executable, str(DEMO), "--root", str(root), *options]


def left_of(root: Path) -> list[object]:
    """What a demo that has ended should not leave."""
    groups = memory_group.parent()
    prefix = str(root) + "/"
    return [
        *(exe for _unused, exe in executables() if exe.startswith(prefix)),
        *([root] if root.exists() else []),
        *([demo_oom._group(root).path] if groups and demo_oom._group(root).path.exists() else []),
    ]


@possible
def test_it_kills_one_and_the_diagnosis_names_it(tmp_path: Path) -> None:
    root = tmp_path / "fleet"
    done = subprocess.run(argv(root), check=False, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    pids = dict(re.findall(r"web1 +(\S+) .* pid (\d+)\n", done.stdout))
    assert f"pid {pids['shop.example']} of shop.example is gone" in done.stdout
    assert f"confirmed (kernel_oom_cgroup) pid {pids['shop.example']} " in done.stdout
    assert re.search(rf"\nshop\.example +pid {pids['shop.example']} was killed for memory; pid \d+ serves", done.stdout)
    assert re.search(rf"\nblog\.example +pid {pids['blog.example']} serves, the same as before", done.stdout)
    assert not left_of(root)


@possible
def test_interrupted_it_leaves_nothing(tmp_path: Path) -> None:
    root = tmp_path / "fleet"
    with subprocess.Popen(
        argv(root), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        assert any("is gone" in line for line in lines)
        assert demo_oom._group(root).path.exists()
        process.send_signal(signal.SIGINT)
        for _unused in lines:
            pass
    assert process.returncode == 130
    assert not left_of(root)


@pytest.mark.root
def test_where_no_group_can_be_made_nothing_is_started(tmp_path: Path) -> None:
    root = tmp_path / "fleet"
    command = ["unshare", "--mount", "sh", "-c", NO_GROUPS, "sh", *argv(root)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "no memory control group can be made below /sys/fs/cgroup" in done.stderr
    assert done.stderr.endswith("Nothing was started.\n")
    assert not left_of(root)


def test_a_group_does_not_take_whoever_asks_for_nobody(tmp_path: Path) -> None:
    with pytest.raises(ProcessLookupError):
        memory_group.MemoryGroup(tmp_path).add(0)
    assert not list(tmp_path.iterdir())
