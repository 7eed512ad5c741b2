# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of layouts: what root restarts, and what it refuses because others can change what it would run.

Whole windows on real processes. Before each the hazards of `instance_info` are compared: there is one answer.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Callable, Iterator, NamedTuple

import pytest
import windows
from instance import end_below, make_instance

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._hazards import table as _hazards
from ansible_collections.anqicms.lifecycle.plugins.module_utils._info import describe
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import at_work
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import resolve

pytestmark = pytest.mark.root
WWW, TENANT = 33, 65534
WWW_NAME = "www-data"
WRITABLE, SET_ID, LEFT = "root_runs_writable", "executable_unusable", "files_left_behind"
AS_WWW = {"user": WWW_NAME}
ACCEPTED = {"accept_hazards": [WRITABLE]}


class Scene:
    """An instance below `place`, which root alone can change. `elsewhere`: a directory on another file system."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.site = make_instance(place / "www" / "shop", "3.5.8")
        self.elsewhere = Path(tempfile.mkdtemp(prefix="anqicms-place-", dir="/dev/shm"))
        self.elsewhere.chmod(0o755)

    def own(self, uid: int, *names: str) -> None:
        """Everything, or these names alone."""
        paths = [str(self.site.dir / name) for name in names] or [str(self.site.dir)]
        subprocess.run(["chown", "-R", f"{uid}:{uid}", *paths], check=True)

    def start(self, uid: int) -> int:
        words = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"] if uid else []
        text = f"cd {self.site.dir} && nohup {self.site.binary} >> {self.site.log} 2>&1 &"
        subprocess.run(
            [*words, "/bin/sh", "-c", text],
            check=True,
            stdin=subprocess.DEVNULL,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        )
        return self.ready()

    def ready(self) -> int:
        assert windows.within(20, self.site.told_version), self.site.log_text()
        return self.pid()

    def pid(self) -> int:
        found = [pid for pid in _processes() if _identity(f"/proc/{pid}/exe") == _identity(self.site.binary)]
        assert len(found) == 1, found
        return found[0]

    def close(self) -> None:
        for directory in (self.place, self.elsewhere):
            end_below(directory)
        shutil.rmtree(self.elsewhere)


def _processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]


def _identity(path: Path | str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _uid(pid: int) -> int:
    return os.stat(f"/proc/{pid}").st_uid


@pytest.fixture
def scene(place: Path) -> Iterator[Scene]:
    made = Scene(place)
    yield made
    made.close()


# --- layouts: each builds one and starts it; returns the pid


def of_www_by(uid: int) -> Callable[[Scene], int]:
    def build(scene: Scene) -> int:
        scene.own(WWW)
        pid = scene.start(uid)
        scene.own(WWW, "running.log")  # as those do who have read the hazard
        return pid

    return build


def of_www_by_root_with_its_log(scene: Scene) -> int:
    scene.own(WWW)
    return scene.start(0)


def of_root_by_www(scene: Scene) -> int:
    scene.site.log.touch()
    scene.own(WWW, "config.json", "running.log", "cache", "public")
    return scene.start(WWW)


def of_root_by_root(scene: Scene) -> int:
    return scene.start(0)


def hardened_by_root(scene: Scene) -> int:
    """Root owns the directory and keeps config.json and public/; www has only what the application must write."""
    scene.site.log.touch()
    (scene.site.dir / "data").mkdir(exist_ok=True)
    scene.own(WWW, "running.log", "cache", "data")
    os.chown(scene.site.dir / "config.json", 0, WWW)
    (scene.site.dir / "config.json").chmod(0o640)
    return scene.start(0)


def hardened_by_root_with_its_data(scene: Scene) -> int:
    pid = hardened_by_root(scene)
    (scene.site.dir / "data" / "statistic").mkdir()
    return pid


def binary_of_root_in_directory_of_www(scene: Scene) -> int:
    os.chown(scene.site.dir, WWW, WWW)
    return scene.start(0)


def directory_with(mode: int, gid: int = 0) -> Callable[[Scene], int]:
    def build(scene: Scene) -> int:
        os.chown(scene.site.dir, 0, gid)
        scene.site.dir.chmod(mode)
        return scene.start(0)

    return build


def directory_with_a_list(scene: Scene) -> int:
    """In which an access control list lets www write, and the mode shows the group of root."""
    entries = [(1, 7, 0xFFFFFFFF), (2, 7, WWW), (4, 5, 0xFFFFFFFF), (0x10, 7, 0xFFFFFFFF), (0x20, 5, 0xFFFFFFFF)]
    data = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    os.setxattr(scene.site.dir, "system.posix_acl_access", data)
    return scene.start(0)


def parent_that_a_group_can_write(scene: Scene) -> int:
    os.chown(scene.site.dir.parent, 0, WWW)
    scene.site.dir.parent.chmod(0o775)
    return scene.start(0)


def linked_elsewhere(uid: int) -> Callable[[Scene], int]:
    """The binary is a link to another file system, whose directory is this user's."""

    def build(scene: Scene) -> int:
        there = scene.elsewhere / "release"
        shutil.copytree(scene.site.dir, there)
        os.chown(there, uid, uid)
        scene.site.binary.unlink()
        scene.site.binary.symlink_to(there / "anqicms")
        return scene.start(0)

    return build


def linked_by_www_to_what_is_roots(scene: Scene) -> int:
    shutil.move(scene.site.binary, scene.elsewhere / "anqicms")
    for name in ("lib", "config.json", "standin.json"):
        (scene.elsewhere / name).symlink_to(scene.site.dir / name)
    scene.own(WWW)
    scene.site.binary.symlink_to(scene.elsewhere / "anqicms")
    os.chown(scene.site.binary, WWW, WWW, follow_symlinks=False)
    return scene.start(0)


def set_user_id(scene: Scene) -> int:
    pid = of_root_by_www(scene)
    scene.site.binary.chmod(0o4755)
    return pid


def set_group_id(gid: int) -> Callable[[Scene], int]:
    def build(scene: Scene) -> int:
        pid = of_www_by(WWW)(scene)
        os.chown(scene.site.binary, WWW, gid)
        scene.site.binary.chmod(0o2755)
        return pid

    return build


class Layout(NamedTuple):
    name: str
    build: Callable[[Scene], int]
    refused: str | None  # by the hazard of this code; None: restarted
    uid: int = 0  # that the new process runs as
    options: dict[str, Any] = {}  # noqa: RUF012 -- of verified_start


LAYOUTS = [
    Layout("files of www, run by www", of_www_by(WWW), None, WWW),
    Layout("files of www, run by root", of_www_by(0), WRITABLE),
    Layout("files of www, run by root, to be run by www", of_www_by(0), None, WWW, AS_WWW),
    Layout("files of www, run by root, accepted", of_www_by(0), None, 0, ACCEPTED),
    Layout("files of www, run by root, log of root", of_www_by_root_with_its_log, LEFT, WWW, AS_WWW),
    Layout("files of root, run by root", of_root_by_root, None, 0),
    Layout("hardened, run by root, to be run by www", hardened_by_root, None, WWW, AS_WWW),
    Layout("hardened, run by root, to be run by www, data of root", hardened_by_root_with_its_data, LEFT, WWW, AS_WWW),
    Layout("binary and directory of root, run by www", of_root_by_www, None, WWW),
    Layout("binary of root in a directory of www", binary_of_root_in_directory_of_www, WRITABLE),
    Layout("directory that a group can write", directory_with(0o775, WWW), WRITABLE),
    Layout("directory that everybody can write", directory_with(0o777), WRITABLE),
    Layout("sticky directory that everybody can write", directory_with(0o1777), WRITABLE),
    Layout("directory with an access control list", directory_with_a_list, WRITABLE),
    Layout("parent that a group can write", parent_that_a_group_can_write, WRITABLE),
    Layout("link to another file system, of root", linked_elsewhere(0), None, 0),
    Layout("link to another file system, of a tenant", linked_elsewhere(TENANT), WRITABLE),
    Layout("link of www to a binary of root", linked_by_www_to_what_is_roots, WRITABLE),
    Layout("set-user-ID binary of root, run by www", set_user_id, SET_ID),
    Layout("set-group-ID binary of another group", set_group_id(42), SET_ID),
    Layout("set-group-ID binary of its own group", set_group_id(WWW), None, WWW),
]
NAMED = pytest.mark.parametrize("layout", LAYOUTS, ids=[layout.name for layout in LAYOUTS])


def hazards_of(scene: Scene, layout: Layout) -> list[str]:
    """Those that refuse a restart in the preflight."""
    row = describe.describe(
        resolve(str(scene.site.dir)), base=str(scene.place / "state"), user=layout.options.get("user")
    )
    return [
        found["code"]
        for found in _hazards.refusals(row["hazards"], "restart", layout.options.get("accept_hazards", ()))
    ]


def restart(scene: Scene, options: dict[str, Any]) -> dict[str, Any]:
    steps = [windows.RESTART[0], windows.RESTART[1], {"verified_start": {"stable_for": 0.2, **options}}]
    return windows.run(scene.site, steps, scene.place / "state")


@NAMED
def test_what_root_restarts(scene: Scene, layout: Layout) -> None:
    before = layout.build(scene)
    assert hazards_of(scene, layout) == ([layout.refused] if layout.refused else [])
    if layout.refused is None:
        result = restart(scene, layout.options)
        assert result["outcome"] == "done", result
        assert scene.pid() == result["pid_after"] != before
        assert _uid(scene.pid()) == layout.uid
        return
    with pytest.raises(LifecycleError, match="Nothing was stopped or started") as caught:
        restart(scene, layout.options)
    assert caught.value.result.get("hazards", [SET_ID]) == [layout.refused]
    assert scene.pid() == before and scene.site.told_version()


def test_the_refusal_names_both_ways_out_and_a_stop_works(scene: Scene) -> None:
    before = of_www_by(0)(scene)
    with pytest.raises(LifecycleError) as caught:
        restart(scene, {})
    assert (
        f"with user: {WWW_NAME} it would run" in caught.value.msg
        and f"add {WRITABLE} to accept_hazards" in caught.value.msg
    )
    result = windows.run(scene.site, [{"graceful_stop": {}}], scene.place / "state")
    assert (result["outcome"], result["pid_before"], result["state"]) == ("done", before, "stopped")
    with pytest.raises(LifecycleError, match="root would run"):
        windows.run(scene.site, [{"verified_start": {}}], scene.place / "state")
    assert not scene.site.told_version()


def test_what_was_accepted_counts_for_a_recovery_of_this_run_alone(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_www_by(0)(scene)
    context = windows.context_of(scene.site, scene.place / "state")
    plan = windows.plan_of([windows.RESTART[0], windows.RESTART[1], {"verified_start": dict(ACCEPTED, stable_for=0.1)}])
    context.run.accepted_hazards = frozenset([WRITABLE])
    killer = windows.Killer(windows.at("step_end", name="graceful_stop"), both=True)
    killer.install(monkeypatch)
    pipe = windows.begin(context, plan)
    assert windows.wait(context, plan, pipe)["outcome"] == "failed"
    monkeypatch.undo()
    assert windows.within(20, lambda: not scene.site.told_version())
    assert at_work.interrupted(context.state)["accepts"] == [WRITABLE]  # type: ignore[index]
    result = windows.run(scene.site, [], scene.place / "state")
    assert result["recovered"] and _uid(scene.ready()) == 0, result
    with pytest.raises(LifecycleError, match="root would run"):
        restart(scene, {})


# --- after the plan


def test_a_directory_that_others_can_write_only_after_the_stop(scene: Scene) -> None:
    """The start itself looks again: the run is left unfinished, and finished when that is mended."""
    scene.start(0)
    theirs = {"command": {"argv": ["/bin/chown", str(WWW), str(scene.site.dir)]}}
    steps = [windows.RESTART[0], windows.RESTART[1], theirs, windows.RESTART[2]]
    result = windows.run(scene.site, steps, scene.place / "state")
    assert (result["outcome"], result["state"]) == ("failed", "stopped"), result
    assert "root would run files that other users can change" in result["msg"] and result["unfinished"]
    assert not scene.site.told_version()
    os.chown(scene.site.dir, 0, 0)
    assert windows.run(scene.site, [], scene.place / "state")["recovered"]
    assert _uid(scene.ready()) == 0


def test_root_takes_over_no_program_that_others_can_change(scene: Scene) -> None:
    """Of the environment and the working directory of a process that root started."""
    theirs = scene.place / "theirs"
    theirs.mkdir()
    os.chown(theirs, WWW, WWW)
    before = {"LD_PRELOAD": f"{theirs}/x.so", "LD_LIBRARY_PATH": "/usr/lib", "KEPT": "1",
              "PATH": f"{theirs}:/usr/bin:/bin:."}  # fmt: skip
    text = f"cd {theirs} && nohup {scene.site.binary} >> {scene.site.log} 2>&1 &"
    subprocess.run(["/bin/sh", "-c", text], check=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=before)
    scene.ready()
    result = restart(scene, {"environment": {"LD_BIND_NOW": "1"}})
    assert result["outcome"] == "done", result
    pid = scene.pid()
    variables = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    assert {"KEPT=1", "LD_BIND_NOW=1"} <= set(variables), variables
    (path,) = [text for text in variables if text.startswith("PATH=")]
    assert path.endswith("kill-at-start-shim:/usr/bin:/bin") and str(theirs) not in path
    assert not [text for text in variables if text.startswith(("LD_PRELOAD", "LD_LIBRARY"))]
    assert os.readlink(f"/proc/{pid}/cwd") == str(scene.site.dir)
    notes = " ".join(result["steps"][-1]["result"]["notes"])
    assert (
        "LD_LIBRARY_PATH, LD_PRELOAD" in notes
        and f"{theirs}, . from PATH" in notes
        and f"instead of {theirs}," in notes
    ), notes
