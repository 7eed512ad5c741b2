# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo of an upgrade, as an operator runs it, and its verdict: it is worth nothing if it cannot fail."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import demo_upgrade
import pytest
import seeding
from demo_upgrade import NEWEST, OLD, State

DEMO = Path(demo_upgrade.__file__)


def argv(root: Path, *command: str) -> list[str]:
    return [sys.executable, str(DEMO), "--root", str(root), *(["--", *command] if command else [])]


def left_of(root: Path) -> list[str]:
    """Processes that work below the directory of a demo that has ended, and the directory."""
    found = [str(root)] if root.exists() else []
    for pid in Path("/proc").glob("[0-9]*"):
        try:
            words = (pid / "cmdline").read_bytes()
        except OSError:
            continue
        found += [words.decode(errors="replace")] if f"{root}/".encode() in words else []
    return found


def row(output: str, name: str) -> list[str]:
    line = next(line for line in output.splitlines() if line.startswith(f"{name}  "))
    return re.split(r" {2,}", line)[1:]


def test_one_is_upgraded_and_one_rolled_back(tmp_path: Path) -> None:
    root = tmp_path / "fleet"
    done = subprocess.run(argv(root), check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert row(done.stdout, "outcome") == ["done", "rolled_back"]
    assert row(done.stdout, "version") == ["2.5.3 -> 3.5.8", "2.5.3, the same"]
    for name in ("all files, hash", "all tables, hash"):
        upgraded, rolled_back = row(done.stdout, name)
        assert " -> " in upgraded and rolled_back.endswith(", the same")
    assert all(float(away.split()[0]) > 0 for away in row(done.stdout, "away, seen from outside"))
    assert "blog.example failed, was rolled back, and everything is as before." in done.stdout
    assert not left_of(root)


def test_nothing_is_upgraded_by_another_command(tmp_path: Path) -> None:
    done = subprocess.run(argv(tmp_path / "fleet", "true"), check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1, done.stdout + done.stderr
    for text in (
        f"shop.example: serves {OLD} instead of {NEWEST}",
        "shop.example: has no new process",
        "blog.example: its outcome is None",
        "the run ended well, though an instance failed",
    ):
        assert text in done.stdout
    assert not left_of(tmp_path / "fleet")


def test_interrupted_it_leaves_nothing(tmp_path: Path) -> None:
    root = tmp_path / "fleet"
    with subprocess.Popen(
        argv(root), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        assert any(line.startswith("  web2 ") for line in lines)
        assert left_of(root)
        process.send_signal(signal.SIGINT)
        for _unused in lines:
            pass
    assert process.returncode == 130
    assert not left_of(root)


# --- the verdict


CONTENT = seeding.Content({"archives": 3}, (3, 1), {"system": 1}, (("admin", "hash"),), 2)
BEFORE = State(OLD, 10, CONTENT, {"public/robots.txt": "a"}, "files", "tables")
UPGRADED = State(NEWEST, 20, CONTENT, {"public/robots.txt": "a"}, "other files", "other tables")
ROLLED_BACK = BEFORE._replace(pid=20)


def site(after: State, outcome: str) -> Any:
    return SimpleNamespace(
        instance=SimpleNamespace(dir=Path("/shop")), before=BEFORE, after=after, result={"outcome": outcome}
    )


def test_all_is_well() -> None:
    assert demo_upgrade.wrong_with_upgraded(site(UPGRADED, "done")) == []
    assert demo_upgrade.wrong_with_rolled_back(site(ROLLED_BACK, "rolled_back")) == []


@pytest.mark.parametrize(("after", "outcome", "said"), [
    (UPGRADED._replace(version="3.3.11"), "done", "shop: serves 3.3.11 instead of 3.5.8"),
    (UPGRADED._replace(pid=0), "done", "shop: has no new process"),
    (UPGRADED._replace(content=CONTENT._replace(counts={"archives": 2})), "done", "shop: archives: 3 rows, now 2"),
    (UPGRADED._replace(content=CONTENT._replace(settings={})), "done", "shop: settings.system: gone"),
    (UPGRADED._replace(own_files={}), "done", "shop: own files have changed"),
    (UPGRADED, "failed", "shop: its outcome is failed"),
])  # fmt: skip
def test_an_upgrade_that_lost_something(after: State, outcome: str, said: str) -> None:
    assert demo_upgrade.wrong_with_upgraded(site(after, outcome)) == [said]


@pytest.mark.parametrize(("after", "outcome", "said"), [
    (ROLLED_BACK._replace(version=NEWEST), "rolled_back", "shop: serves 3.5.8 instead of 2.5.3"),
    (BEFORE, "rolled_back", "shop: has no new process"),
    (ROLLED_BACK._replace(files="others"), "rolled_back", "shop: its files are not as before"),
    (ROLLED_BACK._replace(tables="others"), "rolled_back", "shop: its database is not as before"),
    (ROLLED_BACK, "failed", "shop: its outcome is failed"),
])  # fmt: skip
def test_a_rollback_that_left_something(after: State, outcome: str, said: str) -> None:
    assert demo_upgrade.wrong_with_rolled_back(site(after, outcome)) == [said]
