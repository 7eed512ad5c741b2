# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The binary is exchanged between the last check and the exec: what was started in its place does not stay."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Iterator

import pytest
import windows
from instance import end_below

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import launch
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import Instance, resolve
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import root_runs, spawn

WWW = 33
WRITABLE = "root_runs_writable"
SWAP = """
import os, sys
os.chdir(sys.argv[1])
while True:
    for name in ('one', 'two'):
        try:
            os.unlink('next')
        except OSError:
            pass
        os.link(name, 'next')
        os.rename('next', 'anqicms')
"""


@pytest.fixture
def instance(place: Path) -> Iterator[Instance]:
    """A directory of www whose binary sleeps, with two more copies of it."""
    directory = place / "shop"
    directory.mkdir()
    for name in ("anqicms", "one", "two"):
        shutil.copy("/bin/sleep", directory / name)
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", f"{WWW}:{WWW}", str(directory)], check=True)
    yield resolve(str(directory))
    end_below(place)


def record_of(instance: Instance, uid: int) -> launch.LaunchRecord:
    """As this process runs, to sleep for a minute."""
    with procfs.ProcDir(os.getpid()) as proc:
        record = launch.capture(proc)
    return record._replace(argv=["x", "60"], uid=uid, gid=uid, groups=[], cwd=instance.dir, log=None, label=None,
                           cgroups={}, oom_score_adj=0, nice=0, umask=0o022)  # fmt: skip


def launcher_of(instance: Instance, uid: int, *accepted: str) -> spawn.Launcher:
    launcher = spawn.Launcher(instance, record_of(instance, uid), {}, accepted=accepted)
    launcher.prepare()
    return launcher


def alive(pid: int) -> bool:
    try:
        return os.readlink(f"/proc/{pid}/exe") != ""
    except OSError:
        return False


def exchange_after_the_check(monkeypatch: pytest.MonkeyPatch, instance: Instance) -> None:
    """In the child, which inherits it."""
    checked = root_runs.checked

    def check(*given: Any) -> Any:
        found = checked(*given)
        os.rename(os.path.join(instance.dir, "one"), instance.executable)
        return found

    monkeypatch.setattr(root_runs, "checked", check)


@pytest.mark.parametrize("uid", [0, WWW])
@pytest.mark.root
def test_what_was_put_there_after_the_check_is_ended(
    instance: Instance, monkeypatch: pytest.MonkeyPatch, uid: int
) -> None:
    exchange_after_the_check(monkeypatch, instance)
    launcher = launcher_of(instance, uid, WRITABLE)
    parked = launcher.pid
    with pytest.raises(LifecycleError, match=rf"as pid {parked}, but it executes another file .* Nothing runs"):
        launcher.go()
    assert not alive(parked) and launcher.pid == 0


def test_it_is_ended_where_nobody_is_root(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    exchange_after_the_check(monkeypatch, instance)
    launcher = launcher_of(instance, os.geteuid(), WRITABLE)
    with pytest.raises(LifecycleError, match="another file"):
        launcher.go()


@pytest.mark.root
def test_root_does_not_execute_what_became_writable_after_the_plan(instance: Instance) -> None:
    for name in (instance.dir, instance.executable):
        os.chown(name, 0, 0)
    launcher = launcher_of(instance, 0)
    os.chmod(instance.dir, 0o777)
    parked = launcher.pid
    with pytest.raises(LifecycleError, match="root would run files that other users can change") as caught:
        launcher.go()
    assert WRITABLE in caught.value.msg and not alive(parked)


@pytest.mark.root
def test_a_process_of_the_sites_user_that_exchanges_it_all_the_time(instance: Instance) -> None:
    """Whatever comes first: what runs is the file that was checked, or nothing does."""
    as_www = ["setpriv", f"--reuid={WWW}", f"--regid={WWW}", "--clear-groups"]
    ended = kept = 0
    with subprocess.Popen([*as_www, "/usr/bin/python3", "-c", SWAP, instance.dir]) as swapper:
        until = time.monotonic() + 20
        while time.monotonic() < until and (ended < 3 or kept < 1):
            launcher = launcher_of(instance, 0, WRITABLE)
            pid = launcher.pid
            try:
                launcher.go()
            except LifecycleError as exc:
                assert "another file" in exc.msg and not alive(pid)
                ended += 1
                continue
            kept += 1
            windows.end_process(pid)
        swapper.kill()
    assert ended + kept > 3
