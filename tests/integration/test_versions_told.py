# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A version is what the binary told when it ran; CHANGELOG.md counts only for a binary that never did."""

from __future__ import annotations

import errno
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
import windows
from instance import Instance, make_instance

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import holders
from ansible_collections.anqicms.lifecycle.plugins.module_utils._info import describe
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import resolve
from ansible_collections.anqicms.lifecycle.plugins.module_utils._steps import verified_start
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _table

Row = dict[str, Any]
NOBODY = 65534
STOP: list[Row] = [{"graceful_stop": {}}]
ME = pwd.getpwuid(os.geteuid()).pw_name
START: list[Row] = [{"verified_start": {"stable_for": 0, "user": ME}}]
IN_A_NAMESPACE = """
import json, sys
sys.path[:0] = json.loads(sys.argv[1])
from pathlib import Path
import windows
from instance import make_instance
from integration import test_versions_told as here
site = make_instance(Path(sys.argv[2]), '3.1.9', changelog_behind=True)
site.start()
seen = here.look(site)
site.kill()
print(json.dumps([seen['version'], here.look(site)['version']]))
"""


@pytest.fixture
def site(place: Path) -> Iterator[Callable[..., Instance]]:
    """An instance with the CHANGELOG.md of the vendor's release, which is behind; it does not run yet."""
    made: list[Instance] = []

    def make(version: str = "3.1.9", name: str = "shop.example", **knobs: Any) -> Instance:
        instance = make_instance(place / name, version, changelog_behind=True)
        instance.knobs(no_database=True, **knobs)
        made.append(instance)
        return instance

    yield make
    for instance in made:
        instance.kill()


def look(one: Instance, record: bool = True, **options: Any) -> Row:
    base = str(one.dir.parent / "state")
    return describe.describe(resolve(str(one.dir)), base=base, record=record, **options)


def codes(row: Row) -> list[str]:
    return [hazard["code"] for hazard in row["hazards"]]


def files(row: Row) -> tuple[str | None, str | None]:
    return row["version"]["files"], row["version"]["from"]


def shown(row: Row) -> str:
    return _table.version_of(row)


@pytest.mark.parametrize(("version", "behind"), [("2.3.6", "2.2.5"), ("3.1.9", "3.1.6"), ("3.5.1", "3.5.0")])
def test_before_while_and_after_it_runs(site: Callable[..., Instance], version: str, behind: str) -> None:
    shop = site(version)
    row = look(shop)
    assert (files(row), shown(row)) == ((behind, "changelog"), f"{behind} (by CHANGELOG.md)")
    shop.start()
    row = look(shop, record=False)
    assert (row["version"]["running"], files(row), shown(row)) == (version, (version, "binary"), version)
    assert "versions_differ" not in codes(row)
    look(shop)
    shop.kill()
    row = look(shop)
    assert (row["state"], files(row), shown(row)) == ("stopped", (version, "binary"), version)


def test_a_window_and_a_start_teach_it_too(site: Callable[..., Instance]) -> None:
    shop = site("3.1.9")
    assert windows.run(shop, START)["version"] == "3.1.9"
    shop.kill()
    assert files(look(shop)) == ("3.1.9", "binary")
    shutil.rmtree(shop.dir.parent / "state")
    shop.start()
    assert windows.run(shop, STOP)["version"] == "3.1.9"
    assert files(look(shop)) == ("3.1.9", "binary")


@pytest.mark.parametrize("how", ["written to", "another file"])
def test_another_binary_has_told_nothing(site: Callable[..., Instance], how: str) -> None:
    shop = site("3.1.9")
    shop.start()
    look(shop)
    if how == "written to":
        shop.kill()
        shutil.copy(shop.binary, shop.dir / "copy")
        os.replace(shop.dir / "copy", shop.binary)
        with open(shop.binary, "ab") as stream:
            stream.write(b"-")
    else:
        shutil.copy(shop.binary, shop.dir / "copy")
        os.replace(shop.dir / "copy", shop.binary)
        row = look(shop)
        assert (files(row), shown(row)) == (("3.1.6", "changelog"), "3.1.9 (files 3.1.6, by CHANGELOG.md)")
        differs = next(hazard for hazard in row["hazards"] if hazard["code"] == "versions_differ")
        assert "according to CHANGELOG.md, which may be out of date" in differs["message"]
        shop.kill()
    assert files(look(shop)) == ("3.1.6", "changelog")


def test_two_binaries_in_turns(site: Callable[..., Instance]) -> None:
    """An upgrade and a way back: each file keeps what it told."""
    shop = site("3.1.9")
    shop.start()
    look(shop)
    shop.kill()
    shutil.copy(shop.binary, shop.dir / "new")
    os.replace(shop.binary, shop.dir / "old")
    os.replace(shop.dir / "new", shop.binary)
    shop.knobs(no_database=True, wrong_version="3.2.0")
    shop.start()
    assert files(look(shop)) == ("3.2.0", "binary")
    shop.kill()
    assert files(look(shop)) == ("3.2.0", "binary")
    os.replace(shop.dir / "old", shop.binary)
    assert files(look(shop)) == ("3.1.9", "binary")


def test_the_row_of_the_table_is_that_of_the_binary(site: Callable[..., Instance]) -> None:
    """A version that SIGTERM never ends, with a CHANGELOG.md of one that ends: known from a life before this one."""
    shop = site("2.5.3")
    (shop.dir / "CHANGELOG.md").write_text("# CHANGELOG\n\n## v2.0.1\n")
    shop.start()
    look(shop)
    shop.kill()
    shop.start()
    os.kill(shop.pid, signal.SIGTERM)  # its port is closed: it can tell nothing now
    assert windows.within(5, lambda: not shop.told_version(timeout=0.2))
    result = windows.run(shop, [{"graceful_stop": {"timeout": 20}}])
    assert (result["outcome"], result["state"]) == ("done", "stopped"), result.get("msg")
    assert result["steps"][0]["result"]["exit_kind"] == "forced_idle"


def test_a_process_of_another_file_is_not_judged_by_the_one_on_disk(site: Callable[..., Instance]) -> None:
    """Its version is not known, which is not the version of the new file."""
    shop = site("3.5.8", disabled=True)
    shop.start(wait=0)
    assert windows.within(10, lambda: bool(shop.log_text().count("Now listening on")))
    shutil.copy(shop.binary, shop.dir / "copy")
    os.replace(shop.dir / "copy", shop.binary)
    context = windows.context_of(shop)
    try:
        context.look()
        assert (context.version, context.file_version) == (None, "3.5.8")
    finally:
        context.close()


def test_a_listener_that_may_be_another_ones_teaches_nothing(
    site: Callable[..., Instance], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As another user than root the sockets of a process can be hidden: then anybody may have answered."""
    shop = site("3.1.9")
    shop.start()
    monkeypatch.setattr(holders, "owns_listener", lambda proc, port: None)
    context = windows.context_of(shop)
    context.look()
    context.remember()
    context.close()
    monkeypatch.undo()
    (entry,) = context.state.history()
    assert (entry["version"], entry.get("binary")) == ("3.1.9", None)
    shop.kill()
    assert files(look(shop)) == ("3.1.6", "changelog")


@pytest.mark.root
def test_a_stranger_teaches_nothing(site: Callable[..., Instance]) -> None:
    """Anybody can run a binary that he may read, on any port, and let it say anything."""
    shop = site("3.1.9")
    mine = make_instance(shop.dir.parent / "mine", "3.1.9", port=shop.port)
    mine.knobs(no_database=True, wrong_version="9.9.9")
    subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", str(mine.dir)], check=True)
    mine.binary.unlink()
    os.link(shop.binary, mine.binary)
    try:
        with open(os.devnull, "r+b") as null:
            subprocess.Popen(
                [str(mine.binary)],
                cwd=mine.dir,
                stdin=null,
                stdout=null,
                stderr=null,
                user=NOBODY,
                group=NOBODY,
                extra_groups=[],
            )
        assert windows.within(10, lambda: mine.told_version() == "9.9.9")
        row = look(shop)
        assert (row["state"], row["version"]["running"], files(row)) == ("ambiguous", None, ("3.1.6", "changelog"))
        assert not Path(state.StateDir(resolve(str(shop.dir)), str(shop.dir.parent / "state")).path).exists()
    finally:
        mine.kill()


def test_a_full_disk_breaks_neither_a_look_nor_a_start(
    site: Callable[..., Instance], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = site("3.1.9")

    def full(*_args: Any, **_more: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(state.StateDir, "append", full)
    context = windows.context_of(shop)
    try:
        params = dict(verified_start.defaults(), user=ME)
        assert verified_start.run(context, params)["version"] == "3.1.9"
    finally:
        context.close()
    row = look(shop)
    assert (row["state"], files(row)) == ("running", ("3.1.9", "binary"))
    assert any("No space left" in hazard["message"] for hazard in row["hazards"])
    shop.kill()
    assert files(look(shop)) == ("3.1.6", "changelog")


@pytest.mark.root
def test_in_a_pid_namespace(place: Path) -> None:
    words = [
        "unshare",
        "--pid",
        "--fork",
        "--mount-proc",
        "--kill-child",
        sys.executable,
        "-c",
        IN_A_NAMESPACE,
        json.dumps(sys.path),
        str(place / "shop.example"),
    ]
    done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True, timeout=60)
    seen, after = json.loads(done.stdout.splitlines()[-1])
    assert (seen["running"], seen["files"], seen["from"]) == ("3.1.9", "3.1.9", "binary")
    assert (after["running"], after["files"], after["from"]) == (None, "3.1.9", "binary")
