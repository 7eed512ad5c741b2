# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Root looks at an install directory whose own user planted what it could. Needs root: the second user is nobody."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import paths
import pytest
from instance import Instance, make_instance

sys.path.insert(0, str(paths.link_tree()))

from ansible_collections.anqicms.lifecycle.plugins.module_utils._hazards import table as _hazards
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import files as _files
from ansible_collections.anqicms.lifecycle.plugins.module_utils._info import describe
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state as _state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import resolve

pytestmark = pytest.mark.root
NOBODY = 65534
STRANGER = 65533
SECRET = "another-tenant-s-password"
Row = dict[str, Any]


def own(path: Path, uid: int = NOBODY) -> None:
    for directory, names, files in os.walk(path):
        for name in [directory, *(os.path.join(directory, name) for name in names + files)]:
            os.chown(name, uid, uid, follow_symlinks=False)


@pytest.fixture
def site(place: Path) -> Instance:
    """An instance of nobody's, not started."""
    instance = make_instance(place / "www" / "shop", "3.5.8")
    own(instance.dir)
    return instance


@contextlib.contextmanager
def running(instance: Instance, uid: int = NOBODY) -> Iterator[int]:
    with open(os.devnull, "r+b") as null:
        process = subprocess.Popen(
            [str(instance.binary)], cwd=instance.dir, stdin=null, stdout=null, stderr=null, user=uid, group=uid,
            extra_groups=[],
        )  # fmt: skip
    try:
        instance.wait_ready()
        yield process.pid
    finally:
        process.kill()
        process.wait()


def look(instance: Instance, place: Path, **options: Any) -> Row:
    """A look that must end within two seconds, whatever lies in the way."""

    def too_long(*_: Any) -> None:
        raise TimeoutError("the look blocked")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(2)
    try:
        return describe.describe(resolve(str(instance.dir)), base=str(place / "state"), **options)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def codes(row: Row) -> list[str]:
    return [hazard["code"] for hazard in row["hazards"]]


def replace(path: Path, make: Callable[[Path], Any]) -> None:
    path.unlink(missing_ok=True)
    make(path)
    os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


def as_nobody(work: Callable[[], Any]) -> Any:
    """The JSON result of ``work`` done by the second user in a child."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            result = work()
        except BaseException as error:
            result = {"error": repr(error)}
        os.write(write, json.dumps(result).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        data = stream.read()
    os.waitpid(pid, 0)
    return json.loads(data)


def test_configuration_that_leads_to_another_tenant(site: Instance, place: Path) -> None:
    other = place / "tenant.json"
    other.write_text(json.dumps({"server": {"port": 4711}, "mysql": {"database": SECRET, "password": SECRET}}))
    other.chmod(0o600)
    for plant in (lambda path: path.symlink_to(other), lambda path: path.hardlink_to(other)):
        replace(site.dir / "config.json", plant)
        row = look(site, place)
        assert "config_unreadable" in codes(row) and row["port"] is None
        assert SECRET not in json.dumps(row) and "4711" not in json.dumps(row)
    (site.dir / "config.json").unlink()
    shutil.copy(other, site.dir / "config.json")
    os.chown(site.dir / "config.json", STRANGER, STRANGER)
    row = look(site, place)
    assert "config_unreadable" in codes(row) and SECRET not in json.dumps(row)


def test_log_that_leads_to_a_file_of_root(site: Instance, place: Path) -> None:
    (place / "shadow").write_text(SECRET)
    (place / "shadow").chmod(0o600)
    for plant in (lambda path: path.symlink_to(place / "shadow"), lambda path: path.hardlink_to(place / "shadow")):
        replace(site.dir / "running.log", plant)
        (log,) = [log for log in look(site, place)["logs"] if log["path"] == str(site.log)]
        assert (log["usable"], log["size"]) == (False, None) and log["reason"]
    assert (place / "shadow").read_text() == SECRET


def test_directory_full_of_links_devices_and_fifos_never_blocks(site: Instance, place: Path) -> None:
    names = [
        "config.json",
        "CHANGELOG.md",
        "running.log",
        "error.log",
        "check.log",
        "start.sh",
        "stop.sh",
        "collector.json",
        "keyword.json",
    ]
    plants: list[Callable[[Path], Any]] = [
        os.mkfifo,
        lambda path: path.symlink_to("/dev/tty"),
        lambda path: path.symlink_to(path),
        lambda path: path.symlink_to("/proc/kmsg"),
        Path.mkdir,
        _device(5, 0),
        _device(1, 3),
    ]
    for plant in plants:
        for name in names:
            path = site.dir / name
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            try:
                replace(path, plant)
            except PermissionError:
                pytest.skip("this kernel or sandbox makes no device nodes")
        begin = time.monotonic()
        row = look(site, place)
        assert time.monotonic() - begin < 1.5
        assert row["version"]["files"] is None and row["port"] is None and not any(log["usable"] for log in row["logs"])
        assert _hazards.refusals(row["hazards"], "restart")


def _device(major: int, minor: int) -> Callable[[Path], Any]:
    return lambda path: os.mknod(path, 0o20666, os.makedev(major, minor))


def test_subdirectories_that_lead_elsewhere(site: Instance, place: Path) -> None:
    secret = place / "secret"
    (secret / "en").mkdir(parents=True)
    (secret / "en" / "en.yml").write_text(SECRET)
    (secret / "sitemap.xml").write_text("<urlset>")
    (site.dir / "CHANGELOG.md").write_text("## v3.4.0\n")
    for name in ("locales", "public", "data", "system"):
        if (site.dir / name).is_dir():
            shutil.rmtree(site.dir / name)
        replace(site.dir / name, lambda path: path.symlink_to(secret))
    row = look(site, place)
    assert "cut_writes" not in codes(row) and "locales_missing" not in codes(row)
    told = next(hazard["message"] for hazard in row["hazards"] if hazard["code"] == "not_all_seen")
    assert str(site.dir / "public") in told and str(site.dir / "locales") in told  # not known, and said so


def test_bulk_store_that_was_planted(site: Instance, place: Path) -> None:
    replace(site.dir / ".lifecycle", lambda path: path.symlink_to("/etc"))
    before = sorted(os.listdir("/etc"))
    row = look(site, place, record=True)
    assert any(".lifecycle" in hazard["message"] for hazard in row["hazards"] if hazard["code"] == "not_all_seen")
    assert sorted(os.listdir("/etc")) == before


def test_huge_files_are_not_read(site: Instance, place: Path) -> None:
    for name in ("config.json", "CHANGELOG.md", "keyword.json", "running.log"):
        with open(site.dir / name, "wb") as stream:
            stream.truncate(1 << 42)
        os.chown(site.dir / name, NOBODY, NOBODY)
    assert "config_unreadable" in codes(look(site, place))


def test_foreign_launch_record_is_not_believed(site: Instance, place: Path) -> None:
    instance = resolve(str(site.dir))
    state = _state.StateDir(instance, str(place / "state"))
    state.make()
    record = Path(state.path) / "launch.json"
    record.write_text(json.dumps({"argv": ["/bin/evil"], "uid": 0}))
    os.chown(record, NOBODY, NOBODY)
    row = look(site, place)
    assert row["launch"] is None and "state_untrusted" in codes(row)
    record.unlink()
    os.chown(state.path, NOBODY, NOBODY)
    row = look(site, place)
    assert "state_untrusted" in codes(row) and _hazards.refusals(row["hazards"], "stop")


def test_process_of_the_same_name_beside_it_is_a_stranger(site: Instance, place: Path) -> None:
    evil = make_instance(place / "www" / "shop.evil", "3.5.8")
    own(evil.dir)
    with running(site) as pid, running(evil) as other:
        row = look(site, place)
        assert row["pids"] == [pid] and other not in row["pids"] and row["state"] == "running"
        assert row["user"] == "nobody" and row["launch"]["uid"] == NOBODY


def test_root_running_what_others_can_change(site: Instance, place: Path) -> None:
    with running(site, 0):
        row = look(site, place)
        found = next(hazard for hazard in row["hazards"] if hazard["code"] == "root_runs_writable")
        assert "start" in found["blocks"] and "stop" not in found["blocks"]
        own(site.dir, 0)
        assert "root_runs_writable" not in codes(look(site, place))
        os.chmod(site.dir, 0o777)
        assert "root_runs_writable" in codes(look(site, place))


def test_configuration_that_its_own_user_cannot_read(site: Instance, place: Path) -> None:
    with running(site):
        assert "config_unreadable" not in codes(look(site, place))
        os.chown(site.dir / "config.json", 0, 0)
        (site.dir / "config.json").chmod(0o600)
        assert "config_unreadable" in codes(look(site, place))


def test_directory_of_root_with_a_configuration_of_its_user(site: Instance, place: Path) -> None:
    os.chown(site.dir, 0, 0)
    row = look(site, place)
    assert "config_unreadable" not in codes(row) and row["port"] == site.port
    site.dir.chmod(0o777)
    assert "config_unreadable" in codes(look(site, place))


def test_log_of_a_panel_in_a_directory_of_root(site: Instance, place: Path) -> None:
    log = place / "shop.log"
    log.write_text("line\n")
    os.chown(log, NOBODY, NOBODY)
    # /var/tmp is open to all: only below a directory chain that root alone can write the exception holds
    with _files.InstallDir(str(site.dir)) as directory, pytest.raises(_files.UnsafePath):
        directory.open_log(str(log), NOBODY)
    panel = Path(tempfile.mkdtemp(prefix="anqicms-panel-", dir="/run"))
    try:
        shutil.move(log, panel / "shop.log")
        with _files.InstallDir(str(site.dir)) as directory:
            os.close(directory.open_log(str(panel / "shop.log"), NOBODY))
            os.chown(panel, NOBODY, NOBODY)
            with pytest.raises(_files.UnsafePath):
                directory.open_log(str(panel / "shop.log"), NOBODY)
    finally:
        shutil.rmtree(panel)


def test_another_user_is_told_what_cannot_be_seen(site: Instance, place: Path) -> None:
    own(site.dir, 0)
    site.dir.chmod(0o755)
    with running(site, 0):
        row = as_nobody(lambda: look(site, place))
    assert (row["state"], row["pids"]) == ("ambiguous", [])
    assert row["version"]["running"] is None and row["launch"] is None
    assert {"hidden_processes", "config_unreadable"} <= set(codes(row))
    assert _hazards.refusals(row["hazards"], "stop")


def test_own_instance_of_an_unprivileged_user_is_seen(site: Instance, place: Path) -> None:
    home = place / "home"
    home.mkdir()
    own(home)
    with running(site) as pid:
        row = as_nobody(lambda: describe.describe(resolve(str(site.dir)), base=str(home / "state"), record=True))
    assert (row["state"], row["pids"], row["version"]["running"]) == ("running", [pid], "3.5.8")
    assert not _hazards.refusals(row["hazards"], "restart")
    assert (home / "state").stat().st_uid == NOBODY
