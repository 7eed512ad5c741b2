# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""instance_info against running stand-ins: what it tells, and that nothing hides anything else."""

from __future__ import annotations

import json
import os
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

from integration.describing import Row, change, codes, hazard, looking, sites

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._info import describe as _describe
from ansible_collections.anqicms.lifecycle.plugins.module_utils._info import host as _host
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state as _state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import resolve


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Callable[..., Instance]]:
    yield from sites(tmp_path)


@pytest.fixture
def look(tmp_path: Path) -> Callable[..., Row]:
    return looking(tmp_path)


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
        assert Path(f"/proc/{parent}/comm").read_text() == "start.sh\n"
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
    keys = {
        "id",
        "dir",
        "binary",
        "user",
        "state",
        "pids",
        "port",
        "listening",
        "version",
        "launch",
        "logs",
        "sites",
        "strangers",
        "runs",
        "badly_ended",
        "last_runs",
        "planned",
    }
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
