# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo's verdict: it is worth nothing if it cannot fail."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from instance import Instance, executables
from watching import ProcessWatch

DEMO = Path(__file__).resolve().parent.parent / "fleet" / "demo.py"
# Restarts the named sites one after the other, each as often as it is named, without any protection of siblings:
# in the demo only the sites of 3.2.8 would need one.
RESTART = """
import os, sys, time
sys.path.insert(0, {fleet!r})
from instance import Instance, end_below
from pathlib import Path
import re
places = dict(re.findall(r"dir: (\\S+/(\\S+))\\n +port: \\d+", Path(sys.argv[1]).read_text()))
ports = dict(re.findall(r"dir: (\\S+)\\n +port: (\\d+)", Path(sys.argv[1]).read_text()))
by_name = {{name: Path(place) for place, name in places.items()}}
for name in sys.argv[2:]:
    end_below(by_name[name])
    Instance(by_name[name], "", int(ports[str(by_name[name])]), "").start()
"""
QUIET = ("shop.example", "wiki.example", "docs.example", "old.example")


def _demo(root: Path, *sites: str) -> subprocess.CompletedProcess[str]:
    script = root.with_name("restart.py")
    script.write_text(RESTART.format(fleet=str(DEMO.parent)))
    argv = [sys.executable, str(DEMO), "--root", str(root), "--", sys.executable, str(script), "INVENTORY", *sites]
    return subprocess.run(argv, check=False, capture_output=True, text=True, timeout=120)


def _row(done: subprocess.CompletedProcess[str], site: str) -> str:
    return next(row for row in done.stdout.splitlines() if f" {site} " in row and "->" in row)


def test_demo_tells_who_was_restarted_once_twice_and_never(tmp_path: Path) -> None:
    done = _demo(tmp_path / "fleet", *QUIET, "shop.example")
    assert done.returncode == 1, done.stderr
    assert "WRONG: 2 ends and 2 starts instead of one each; away 2 times" in _row(done, "shop.example")
    assert "WRONG: not restarted" in _row(done, "blog.example")
    for site in ("wiki.example", "docs.example", "old.example"):
        assert _row(done, site).endswith("  unchanged")
    assert not (tmp_path / "fleet").exists()


def test_demo_refuses_a_directory_that_is_not_its_own(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("keep")
    argv = [sys.executable, str(DEMO), "--root", str(tmp_path)]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert precious.read_text() == "keep"


def forks(instance: Instance) -> list[int]:
    """Processes that show the file of the instance, those that have executed nothing yet included."""
    return [pid for pid, exe in executables() if exe == str(instance.binary)]


@pytest.mark.parametrize("orphan", [False, True])
def test_a_child_between_fork_and_exec_is_no_process_of_the_instance(tmp_path: Path, orphan: bool) -> None:
    """Nor is it when its parent has ended meanwhile."""
    instance = Instance(tmp_path, "3.5.8", 1, "none")
    shutil.copy("/bin/bash", instance.binary)
    os.mkfifo(tmp_path / "fifo")
    watch = ProcessWatch([instance])
    watch.start()
    # The subshell is a fork of the same file; both end when something is written into the FIFO.
    with subprocess.Popen([instance.binary, "-c", "(read -r -t 20 line <> fifo); true"], cwd=tmp_path) as process:
        until = time.monotonic() + 10
        while len(forks(instance)) < 2 or not watch.changes:
            assert time.monotonic() < until, "no child was seen"
            time.sleep(0.01)
        if orphan:
            process.kill()
            process.wait()
        time.sleep(0.2)
        assert instance.pid == (0 if orphan else process.pid)
        (tmp_path / "fifo").write_text("end\n")
    watch.finish()
    assert [(change.pid, change.came) for change in watch.changes] == [(process.pid, True), (process.pid, False)]


def test_children_that_execute_something_between_two_looks(tmp_path: Path) -> None:
    instance = Instance(tmp_path, "3.5.8", 1, "none")
    shutil.copy("/bin/bash", instance.binary)
    seen: set[int] = set()
    with subprocess.Popen([instance.binary, "-c", "for n in {1..400}; do /bin/true; done"]) as process:
        while process.poll() is None:
            seen.update(instance.pids())
    assert seen == {process.pid}
