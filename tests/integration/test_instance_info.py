# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""instance_info against running stand-ins: what it tells, what it warns of, and that nothing hides anything else."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import memory_groups
import paths
import pytest
from instance import Instance, make_instance

sys.path.insert(0, str(paths.link_tree()))

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._hazards import install_tree
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import cron, files
from ansible_collections.anqicms.lifecycle.plugins.module_utils._info import describe as _describe
from ansible_collections.anqicms.lifecycle.plugins.module_utils._info import host as _host
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import directory_lock
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state as _state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import resolve

Row = dict[str, Any]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Callable[..., Instance]]:
    """Make instances below one directory; all end with the test."""
    made: list[Instance] = []

    def make(version: str = "3.5.8", name: str = "site", **knobs: Any) -> Instance:
        instance = make_instance(tmp_path / "www" / name, version)
        instance.knobs(no_database=True, **knobs)
        made.append(instance)
        return instance

    yield make
    for instance in made:
        instance.kill()


@pytest.fixture
def look(tmp_path: Path) -> Callable[..., Row]:
    def describe(instance: Instance, **options: Any) -> Row:
        return _describe.describe(resolve(str(instance.dir)), base=str(tmp_path / "state"), **options)

    return describe


def codes(row: Row) -> list[str]:
    return [hazard["code"] for hazard in row["hazards"]]


def hazard(row: Row, code: str) -> Row:
    return next(found for found in row["hazards"] if found["code"] == code)


def change(instance: Instance, text: str) -> None:
    (instance.dir / "config.json").write_text(text)


# --- what it tells


@pytest.mark.parametrize("called", ["by its path", "in its directory"])
def test_bash_that_the_vendors_script_leaves_watches_nothing(
    tmp_path: Path, look: Callable[..., Row], called: str
) -> None:
    one = make_instance(tmp_path / "www" / "site", "3.5.8", by_script=True)
    try:
        pid = one.start()
        if called == "in its directory":
            one.kill()
            subprocess.run(["./start.sh"], cwd=one.dir, check=True, stdin=subprocess.DEVNULL)
            pid = one.wait_ready()
        parent = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
        assert Path(f"/proc/{parent}/comm").read_text() in ("bash\n", "start.sh\n")
        row = look(one)
        assert "watched" not in codes(row) and row["supervisors"] == []
        (one.dir / "start.sh").write_text("#!/bin/bash\nwhile true; do ./anqicms; done &\n")
        assert "watched" in codes(look(one))
        (one.dir / "start.sh").unlink()
        assert "watched" in codes(look(one))
    finally:
        one.kill()


def test_memory_of_process_and_host(site: Callable[..., Instance], look: Callable[..., Row]) -> None:
    one = site()
    one.start(environment=dict(os.environ, GOMEMLIMIT="400MiB"))
    memory = look(one)["memory"]
    status = dict(line.split(":", 1) for line in Path(f"/proc/{one.pid}/status").read_text().splitlines())
    assert abs(memory["rss_kb"] - int(status["VmRSS"].split()[0])) < 8192
    assert memory["peak_kb"] >= memory["rss_kb"]
    assert memory["gomemlimit"] == "400MiB"
    total = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal:"))
    assert memory["host_total_kb"] == int(total.split()[1])
    assert 0 < memory["host_available_kb"] <= memory["host_total_kb"]
    assert memory["host_swap_total_kb"] >= memory["host_swap_free_kb"]


@memory_groups.needed
def test_limit_of_a_group_above_counts(site: Callable[..., Instance], look: Callable[..., Row]) -> None:
    one = site()
    one.start()
    with memory_groups.limited(300 << 20) as group:
        (group / "inner").mkdir()
        (group / "inner" / "cgroup.procs").write_text(str(one.pid))
        assert look(one, record=True)["memory"]["limit_kb"] == 300 << 10
        one.kill()
        memory = look(one)["memory"]
        assert (memory["rss_kb"], memory["limit_kb"], memory["gomemlimit"]) == (None, 300 << 10, "")


def test_restarts_are_those_that_were_met(site: Callable[..., Instance], look: Callable[..., Row]) -> None:
    one = site()
    assert look(one)["restarts"] == []
    began = time.time()
    first = one.start()
    look(one, record=True)
    one.kill()
    (gone,) = look(one)["restarts"]
    assert (gone["pid"], gone["running"]) == (first, False)
    assert abs(gone["epoch"] - began) < 5
    second = one.start()
    assert [(start["pid"], start["running"]) for start in look(one)["restarts"]] == [(first, False), (second, True)]


def test_running_instance(site: Callable[..., Instance], look: Callable[..., Row]) -> None:
    one = site()
    pid = one.start()
    row = look(one)
    assert (row["state"], row["pids"], row["port"], row["listening"]) == ("running", [pid], one.port, True)
    assert row["version"] == {"running": "3.5.8", "files": "3.5.8", "from": "binary", "database": None}
    assert row["launch"]["argv"][0] == str(one.binary) and row["launch"]["log"] == str(one.log)
    assert [log["path"] for log in row["logs"] if log["kind"] == "running"] == [str(one.log)]
    assert row["interrupted"] is None and row["dir"] == str(one.dir)
    assert not [
        found for found in row["hazards"] if found["severity"] == "block" and found["code"] != "root_runs_writable"
    ]
    assert "anq-secret" not in json.dumps(row)


def test_result_has_exactly_the_documented_keys(site: Callable[..., Instance], look: Callable[..., Row]) -> None:
    keys = {"id", "dir", "binary", "user", "state", "pids", "port", "listening", "version", "launch", "logs", "sites",
            "strangers", "runs", "badly_ended"}
    assert set(look(site())) == keys | {"supervisors", "hazards", "interrupted", "memory", "restarts", "foreign"}


def test_environment_is_masked(site: Callable[..., Instance], look: Callable[..., Row]) -> None:
    one = site()
    one.start(environment={**os.environ, "MYSQL_PASSWORD": "deep-secret"})
    row = look(one)
    assert row["launch"]["environment"]["MYSQL_PASSWORD"] == "********" and "deep-secret" not in json.dumps(row)


def test_stopped_instance_remembers_how_it_ran(site: Callable[..., Instance], look: Callable[..., Row]) -> None:
    one = site()
    assert look(one)["launch"] is None
    pid = one.start()
    look(one, record=True)
    one.kill()
    row = look(one)
    assert (row["state"], row["pids"], row["listening"]) == ("stopped", [], False)
    assert row["launch"]["argv"] == [str(one.binary)] and pid


def test_history_notes_who_was_seen_once(
    site: Callable[..., Instance], look: Callable[..., Row], tmp_path: Path
) -> None:
    one = site()
    pid = one.start()
    state = _state.StateDir(resolve(str(one.dir)), str(tmp_path / "state"))
    look(one)
    assert state.history() == [] and not Path(state.path).exists()
    for _unused in range(2):
        look(one, record=True)
    (entry,) = state.history()
    assert (entry["pid"], entry["uid"], entry["version"]) == (pid, os.geteuid(), "3.5.8")
    assert entry["boot_id"] and entry["start_ticks"] and "cgroups" in entry


def test_starting_and_undead_are_told_apart(site: Callable[..., Instance], look: Callable[..., Row]) -> None:
    one = site("2.5.3", start_delay_ms=1500)
    process = one.spawn()
    assert look(one)["state"] == "starting"
    one.wait_ready()
    assert look(one)["state"] == "running"
    process.send_signal(signal.SIGTERM)
    end = time.monotonic() + 5
    while look(one)["listening"] and time.monotonic() < end:
        time.sleep(0.02)
    row = look(one)
    assert row["state"] == "undead" and hazard(row, "undead_process")["blocks"] == ["start"]


def test_replaced_binary(site: Callable[..., Instance], look: Callable[..., Row]) -> None:
    one = site()
    pid = one.start()
    copy = one.dir / "anqicms.new"
    shutil.copy2(one.binary, copy)
    copy.rename(one.binary)
    row = look(one)
    assert row["pids"] == [pid] and row["state"] == "running" and "binary_replaced" in codes(row)


def test_port_of_the_process_wins_over_a_changed_configuration(
    site: Callable[..., Instance], look: Callable[..., Row]
) -> None:
    one = site()
    one.start()
    change(one, json.dumps({"server": {"port": 1234}, "mysql": {}}))
    row = look(one)
    assert (row["port"], row["state"]) == (one.port, "running") and "1234" in hazard(row, "port_differs")["message"]


def test_no_http_asks_nobody(site: Callable[..., Instance], look: Callable[..., Row]) -> None:
    one = site()
    one.start()
    row = look(one, http=False)
    assert row["version"]["running"] is None and row["state"] == "running" and "no_answer" not in codes(row)


# --- what it warns of


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


# --- a host with several


def test_discovery_lists_all_and_a_broken_one_hides_none(site: Callable[..., Instance], tmp_path: Path) -> None:
    first, stopped, broken = site(name="a"), site("3.2.8", "b"), site("2.5.3", "c")
    first.start()
    broken.start()
    for name in ("config.json", "CHANGELOG.md", "running.log"):
        (broken.dir / name).unlink(missing_ok=True)
        os.mkfifo(broken.dir / name)
    rows = _describe.describe_all([str(tmp_path / "www")], base=str(tmp_path / "state"))
    mine = {row["dir"]: row for row in rows if row["dir"].startswith(str(tmp_path))}
    assert sorted(mine) == [str(one.dir) for one in (first, stopped, broken)]
    assert [mine[str(one.dir)]["state"] for one in (first, stopped, broken)] == ["running", "stopped", "running"]
    assert "config_unreadable" in codes(mine[str(broken.dir)])


def test_instance_that_cannot_be_described_is_still_listed(
    site: Callable[..., Instance], look: Callable[..., Row]
) -> None:
    one = site()
    instance = resolve(str(one.dir))
    one.dir.rename(one.dir.with_name("gone"))
    row = _describe.describe_on(_host.Host(), instance)
    assert codes(row) == ["not_described"] and row["state"] == "ambiguous" and "restart" in row["hazards"][0]["blocks"]
    assert set(row) == set(look(site(name="other")))
    shutil.rmtree(one.dir.with_name("gone"))


def test_two_thousand_processes_cost_little(site: Callable[..., Instance], look: Callable[..., Row]) -> None:
    """The figure is for the whole look; it is compared with the same look on the quiet host."""
    one = site()
    one.start()

    def best() -> float:
        times = []
        for _unused in range(5):
            begin = time.process_time()
            look(one, http=False)
            times.append(time.process_time() - begin)
        return min(times)

    quiet = best()
    children: list[int] = []
    try:
        for _unused in range(2000):
            pid = os.fork()
            if pid == 0:
                signal.pause()
                os._exit(0)
            children.append(pid)
        assert best() - quiet < 0.15
    finally:
        for pid in children:
            os.kill(pid, signal.SIGKILL)
        for pid in children:
            os.waitpid(pid, 0)


# --- the module itself


def module(directory: str, *options: str, **arguments: Any) -> Row:
    """One run of the module through Ansible."""
    words = json.dumps({"dir": directory, **arguments})
    argv = [str(Path(sys.executable).with_name("ansible")), "localhost", "-c", "local", "-m"]
    argv += [
        "anqicms.lifecycle.instance_info",
        "-a",
        words,
        "-e",
        f"ansible_python_interpreter={sys.executable}",
        *options,
    ]
    env = dict(
        os.environ, ANSIBLE_COLLECTIONS_PATH=str(paths.link_tree()), ANSIBLE_NOCOLOR="1", ANSIBLE_LOCALHOST_WARNING="0"
    )
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=120)
    body = done.stdout.partition("=> ")[2]
    assert body, done.stdout + done.stderr
    return {"rc": done.returncode, **json.loads(body)}


def test_module_describes_and_records(site: Callable[..., Instance], tmp_path: Path) -> None:
    one = site()
    pid = one.start()
    state = str(tmp_path / "state")
    found = module(str(one.dir), "--check", state_dir=state)
    assert found["changed"] is False and found["instances"][0]["pids"] == [pid] and not Path(state).exists()
    found = module(str(one.dir), state_dir=state)
    assert found["rc"] == 0 and found["changed"] is False
    assert _state.StateDir(resolve(str(one.dir)), state).history()[0]["pid"] == pid


def test_module_refuses_what_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for name in ("none", "file"):
        found = module(str(tmp_path / name))
        assert found["rc"] != 0 and "does not exist or is not a directory" in found["msg"]
    with pytest.raises(LifecycleError):
        resolve(str(tmp_path), "../anqicms")
