# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the next boot runs when a reboot has ended worker and guardian in the middle of a change."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable

import pytest
import windows
from instance import Instance
from windows import Killer, at

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import boot_hook
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import at_work

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root arms it")


@pytest.fixture
def shop(site: Callable[..., Instance]) -> Instance:
    return site()


@pytest.fixture(params=["systemd", "cron"])
def system(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Directories that stand for those of the host, which the test does not touch."""
    for name in ("units", "cron"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(boot_hook, "UNITS", str(tmp_path / "units"))
    monkeypatch.setattr(boot_hook, "CRON", str(tmp_path / "cron"))
    monkeypatch.setattr(boot_hook, "SYSTEMD", str(tmp_path if request.param == "systemd" else tmp_path / "none"))
    return tmp_path


def armed(system: Path) -> list[str]:
    return sorted(
        str(path.relative_to(system))
        for name in ("units", "cron")
        for path in (system / name).rglob("*")
        if not path.is_dir()
    )


def command(system: Path) -> list[str]:
    """What the unit, or the line of cron, would run."""
    (path,) = list((system / "units").glob("*.service")) or list((system / "cron").iterdir())
    text = path.read_text()
    line = next(line for line in text.splitlines() if line.startswith(("ExecStart=", "@reboot")))
    return line.removeprefix("ExecStart=").removeprefix("@reboot root ").split()


def steps(mark: Path, *more: dict[str, Any]) -> list[dict[str, Any]]:
    change = {"command": {"argv": ["touch", str(mark)], "undo": ["rm", "-f", str(mark)]}}
    return [{"graceful_stop": {}}, change, {"verified_start": {"stable_for": 0.1}}, *more]


def test_a_window_arms_it_and_takes_it_away(shop: Instance, system: Path, tmp_path: Path) -> None:
    look = {"command": {"argv": ["find", str(system), "-name", "anqicms-recover-*"]}}
    for more, outcome in (((look,), "done"), ((look, {"command": {"argv": ["false"]}}), "rolled_back")):
        result = windows.run(shop, steps(tmp_path / "mark", *more), boot_hook=True, run_id=outcome)
        assert result["outcome"] == outcome
        assert "anqicms-recover-" in result["steps"][3]["result"]["output"] and armed(system) == []
    plain = windows.run(shop, [*windows.RESTART, look], boot_hook=True, run_id="plain")
    assert plain["outcome"] == "done" and plain["steps"][3]["result"]["output"] == ""


def test_a_reboot_in_the_middle(shop: Instance, system: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mark, pid = tmp_path / "mark", shop.pid
    context, plan = windows.context_of(shop), windows.plan_of(steps(mark), boot_hook=True)
    with monkeypatch.context() as patch:
        Killer(at("step_end", name="command"), both=True).install(patch)
        windows.wait(context, plan, windows.begin(context, plan))
    assert mark.exists() and not shop.pid
    done = subprocess.run(command(system), check=False, timeout=120, env={"PATH": "/usr/bin:/bin"})
    assert done.returncode == 0
    assert not mark.exists() and windows.runs(shop) not in (0, pid)
    assert at_work.interrupted(context.state) is None


def test_what_is_armed_can_be_run_and_goes(shop: Instance, system: Path) -> None:
    """A boot after a run that has ended finds nothing to do."""
    context = windows.context_of(shop)
    before = shop.pid
    assert boot_hook.arm(context.state) is None
    found = [os.stat(system / name) for name in armed(system) if not (system / name).is_symlink()]
    assert all(one.st_uid == 0 and not one.st_mode & 0o022 for one in found)
    assert subprocess.run(command(system), check=False, timeout=60).returncode == 0
    assert shop.pid == before
    boot_hook.disarm(context.state)
    assert armed(system) == [] and os.listdir(Path(context.state.path) / "boot") == []


def test_what_cannot_be_armed_is_told(shop: Instance, system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (system / "units").rmdir()
    (system / "cron").rmdir()
    told = boot_hook.arm(windows.context_of(shop).state)
    why = "could not be prepared" if str(system) == boot_hook.SYSTEMD else "run recover.yml"
    assert told is not None and why in told
    assert sys.executable
