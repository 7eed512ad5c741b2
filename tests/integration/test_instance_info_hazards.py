# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""instance_info against running stand-ins: what it warns of."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, Iterator

import paths
import pytest
from instance import Instance

sys.path.insert(0, str(paths.link_tree()))

from integration.describing import Row, change, codes, hazard, looking, sites

from ansible_collections.anqicms.lifecycle.plugins.module_utils._hazards import install_tree
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import cron, files
from ansible_collections.anqicms.lifecycle.plugins.module_utils._info import host as _host
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import directory_lock
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state as _state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import resolve


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Callable[..., Instance]]:
    yield from sites(tmp_path)


@pytest.fixture
def look(tmp_path: Path) -> Callable[..., Row]:
    return looking(tmp_path)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (None, "config_missing"),
        ("{", "config_invalid"),
        ('{"server": {"port": "abc"}}', "config_port_invalid"),
        ('{"server": {}}', "config_port_invalid"),
    ],
)
def test_configuration_that_cannot_be_started(
    site: Callable[..., Instance], look: Callable[..., Row], text: str | None, code: str
) -> None:
    one = site()
    if text is None:
        (one.dir / "config.json").unlink()
    else:
        change(one, text)
    row = look(one)
    assert row["state"] == "stopped" and {"start", "restart"} <= set(hazard(row, code)["blocks"])


def test_configuration_that_is_a_link(site: Callable[..., Instance], look: Callable[..., Row]) -> None:
    one, other = site(), site(name="other")
    (one.dir / "config.json").unlink()
    (one.dir / "config.json").symlink_to(other.dir / "config.json")
    row = look(one)
    assert "config_unreadable" in codes(row) and row["port"] is None


def test_two_processes(site: Callable[..., Instance], look: Callable[..., Row]) -> None:
    one = site()
    first = one.start()
    second = one.spawn("-port", str(one.port + 1))
    try:
        row = look(one)
        assert row["state"] == "ambiguous" and sorted(row["pids"]) == sorted([first, second.pid])
        assert "stop" in hazard(row, "several_processes")["blocks"]
    finally:
        second.kill()
        second.wait()


def test_sibling_that_a_start_would_kill(site: Callable[..., Instance], look: Callable[..., Row]) -> None:
    one, other = site("3.2.8"), site("3.5.8", "other")
    pid = other.start()
    assert pid in _host.Host().siblings("anqicms", [])  # the message names the first of them: a server may run others
    assert "pid" in hazard(look(one), "kills_siblings")["message"]
    assert "kills_siblings" not in codes(look(other))


def test_port_of_two_configurations(site: Callable[..., Instance], look: Callable[..., Row]) -> None:
    one, other = site(), site(name="other")
    assert "port_shared" not in codes(look(one))
    shutil.copy(one.dir / "config.json", other.dir / "config.json")
    assert str(other.dir) in hazard(look(one), "port_shared")["message"]


def test_port_held_by_a_stranger(site: Callable[..., Instance], look: Callable[..., Row]) -> None:
    one, other = site(), site(name="other")
    pid = other.start()
    shutil.copy(other.dir / "config.json", one.dir / "config.json")
    row = look(one)
    found = hazard(row, "port_held_by_stranger")
    assert row["state"] == "ambiguous" and f"pid {pid}" in found["message"] and "start" in found["blocks"]
    (stranger,) = row["strangers"]
    assert (stranger["pid"], stranger["user"]) == (pid, pwd.getpwuid(os.geteuid()).pw_name)
    assert "listens on port" in stranger["why"]


@pytest.mark.parametrize("how", ["missing", "mode", "text", "machine"])
def test_executable_that_cannot_run(site: Callable[..., Instance], look: Callable[..., Row], how: str) -> None:
    one = site()
    if how == "missing":
        one.binary.unlink()
    elif how == "mode":
        one.binary.chmod(0o644)
    elif how == "text":
        one.binary.write_text("#!/bin/sh\n")
    else:
        with open(one.binary, "r+b") as stream:
            stream.seek(18)
            stream.write(b"\xf7\x00")
    assert "restart" in hazard(look(one), "executable_unusable")["blocks"]


def test_files_that_a_version_needs_or_must_not_have(site: Callable[..., Instance], look: Callable[..., Row]) -> None:
    one = site()
    (one.dir / "CHANGELOG.md").write_text("## v3.5.8\n")
    (one.dir / "system").mkdir(exist_ok=True)
    assert "stale_system_dir" in codes(look(one))
    (one.dir / "CHANGELOG.md").write_text("## v3.4.0\n")
    shutil.rmtree(one.dir / "locales", ignore_errors=True)
    row = look(one)
    assert "locales_missing" in codes(row) and "stale_system_dir" not in codes(row)
    (one.dir / "locales" / "en").mkdir(parents=True)
    (one.dir / "locales" / "en" / "en.yml").write_text("a: b\n")
    assert "locales_missing" not in codes(look(one))


def test_secrets_of_the_configuration(site: Callable[..., Instance], look: Callable[..., Row]) -> None:
    one = site("3.2.8")
    (one.dir / "CHANGELOG.md").write_text("## v3.2.8\n")
    assert not {"config_world_readable", "token_secret_empty"} & set(codes(look(one)))
    (one.dir / "config.json").chmod(0o644)
    change(one, json.dumps({"server": {"port": one.port, "token_secret": ""}}))
    assert {"config_world_readable", "token_secret_empty"} <= set(codes(look(one)))


def test_signs_of_a_hard_kill(site: Callable[..., Instance], look: Callable[..., Row]) -> None:
    one = site()
    for directory in ("public", "data/backup"):
        (one.dir / directory).mkdir(parents=True, exist_ok=True)
    whole = {"public/sitemap.xml": "<urlset></urlset>\n", "data/backup/1.sql": "INSERT 1;\n", "keyword.json": "[]"}
    cut = {"public/sitemap.xml": "<urlset><url>", "data/backup/1.sql": "INSERT INTO", "keyword.json": '{"a": '}
    for content, fires in ((whole, False), (cut, True)):
        for name, text in content.items():
            (one.dir / name).write_text(text)
        row = look(one)
        assert ("cut_writes" in codes(row)) is fires
    assert all(name in hazard(row, "cut_writes")["message"] for name in cut)


def test_what_is_still_being_written_is_not_cut(site: Callable[..., Instance]) -> None:
    one = site()
    (one.dir / "public").mkdir(exist_ok=True)
    (one.dir / "public" / "sitemap.xml").write_text("<urlset>")
    with files.InstallDir(str(one.dir)) as directory:
        tree = install_tree.Tree(directory, directory.owners())
        assert tree.cut_files(running=True) == []
        assert tree.cut_files(running=True, now=time.time() + 120) != []


def test_unfinished_run(site: Callable[..., Instance], look: Callable[..., Row], tmp_path: Path) -> None:
    one = site()
    instance = resolve(str(one.dir))
    state = _state.StateDir(instance, str(tmp_path / "state"))
    state.make()
    state.log("begin", run_id="r7", token="t")
    state.log("step", name="graceful_stop")
    row = look(one)
    assert row["interrupted"]["run_id"] == "r7"
    blocks = hazard(row, "unfinished_run")["blocks"]
    assert "restart" not in blocks and {"stop", "start", "upgrade"} <= set(blocks)
    lock = directory_lock.take(instance)
    assert lock is not None
    try:
        assert "run_in_progress" in codes(look(one)) and look(one)["interrupted"] is None
    finally:
        os.close(lock)


def test_cron_lines_and_vendor_scripts(
    site: Callable[..., Instance], look: Callable[..., Row], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = site()
    (one.dir / "start.sh").write_text("#!/bin/bash\npgrep -x anqicms || nohup ./anqicms &\n")
    spool, crontab = tmp_path / "spool", tmp_path / "crontab"
    spool.mkdir()
    (spool / "www").write_text(f"# guard\n*/1 * * * * {one.dir}/start.sh\n")
    os.mkfifo(spool / "planted")
    crontab.write_text(f"0 0 1 * * root {one.dir}/stop.sh\n")
    monkeypatch.setattr(cron, "SPOOLS", (str(spool),))
    monkeypatch.setattr(cron, "_SYSTEM", (str(crontab), str(tmp_path / "cron.d")))
    row = look(one)
    assert {"cron_guard", "cron_kill", "vendor_guard", "supervisors_unseen"} <= set(codes(row))
    assert [(found["action"], found["user"]) for found in row["supervisors"] if found["kind"] == "cron"] == [
        ("start", "www"),
        ("stop", "root"),
    ]
    assert "supervised" not in codes(row)


def test_parent_that_would_start_it_again(
    site: Callable[..., Instance], look: Callable[..., Row], tmp_path: Path
) -> None:
    one = site()
    script = tmp_path / "supervisord"
    script.write_text("import subprocess, sys\nsubprocess.call(sys.argv[1:], cwd='/')\n")
    parent = subprocess.Popen([sys.executable, str(script), str(one.binary)], stdout=subprocess.DEVNULL)
    try:
        one.wait_ready()
        row = look(one)
        assert {"stop", "restart"} <= set(hazard(row, "supervised")["blocks"])
    finally:
        parent.kill()
        parent.wait()


def test_template_marks_in_values_of_the_host(site: Callable[..., Instance], look: Callable[..., Row]) -> None:
    one = site(name="a{{ b")
    row = look(one)
    assert "template_marks" in codes(row) and row["dir"] == str(one.dir)
