# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The diagnosis of a fleet with real deaths on it, on every supported ansible-core."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import memory_groups
import pytest
import releases
from e2e.bed import Bed
from e2e.conftest import VERSION
from e2e.playing import Player, Run
from e2e.sites import Site, write_inventory
from fleet import Fleet
from instance import Instance

SECRET = "anq-secret"  # the password of the database in the config.json of every instance
# Several of one host that kill each other when they start have a hazard each.
WELL = "attention" if (3, 2, 2) <= releases.numbers(VERSION) < (3, 4, 7) else "fine"
Record = dict[str, Any]
pytestmark = pytest.mark.usefixtures("kernel_log")


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    """Host web1 with four instances and web2 with one, and web9, where nothing listens. All ran before the window."""
    fleet = Fleet(tmp_path / "fleet", with_database=releases.real_releases() is not None)
    web1, web2 = fleet.add_host("web1"), fleet.add_host("web2")
    for host, name in ((web1, "starved"), (web1, "killed9"), (web1, "scripted"), (web1, "panicked"), (web2, "well")):
        fleet.add_instance(host, name, VERSION)
    try:
        fleet.start()
        with fleet.inventory.open("a") as inventory:
            inventory.write(
                "  children: {away: {hosts: {web9: {ansible_connection: ssh, ansible_host: 127.0.0.1, "
                "ansible_port: 1, anqicms_instances: [{dir: /www/wwwroot/away}]}}}}\n"
            )
        time.sleep(3)
        yield fleet
    finally:
        fleet.remove()


def named(fleet: Fleet, name: str) -> Instance:
    return next(instance for instance in fleet.instances if instance.dir.name == name)


def window(since: float, until: float | None = None) -> tuple[str, ...]:
    """The options for what is looked at."""
    end = ("-e", f"anqicms_until={until:.3f}") if until else ()
    return ("-e", f"anqicms_since={since:.3f}", *end)


def records(run: Run) -> dict[str, Record]:
    """By the name of the site; what is none by the host."""
    assert run.status == 0, run.output
    told = run.stats["anqicms_diagnosis"]
    return {
        (Path(record["dir"]).name if record["dir"] else host): record
        for host, of_host in told.items()
        for record in of_host.values()
    }


def urgencies(run: Run) -> dict[str, str]:
    return {name: record["urgency"] for name, record in records(run).items()}


def kill_9(instance: Instance) -> None:
    os.kill(instance.pid, signal.SIGKILL)
    ended(instance)


def stop_script(instance: Instance) -> None:
    """What the vendor's old stop.sh does to this one: its line, then SIGKILL."""
    line = "%s anqicms PID check: %d\n" % (time.strftime("%Y%m%d %H:%M:%S"), instance.pid)
    (instance.dir / "check.log").write_text(line)
    kill_9(instance)


def panic(instance: Instance, text: str = "oh") -> None:
    """What its runtime writes; the stand-in has none."""
    with instance.log.open("a") as log:
        log.write(f"panic: {text}\n\ngoroutine 1 [running]:\nmain.main()\n\t/src/main.go:12 +0x1d\n")
    kill_9(instance)


def ended(instance: Instance) -> None:
    end = time.monotonic() + 10
    while instance.pids():
        assert time.monotonic() < end, "it lives on"
        time.sleep(0.01)


@memory_groups.needed
@pytest.mark.standin("it takes memory when it is asked to")
def test_fleet_with_deaths(player: Player, fleet: Fleet, tmp_path: Path) -> None:
    before = player.play("diagnose", fleet.inventory, *window(time.time()))  # it notes which process is whose
    assert urgencies(before) == {**{one.dir.name: "fine" for one in fleet.instances}, "web9": "unknown"}, before.output
    evil, since = tmp_path / "evil", time.time()
    pid = memory_groups.starve(named(fleet, "starved"))
    kill_9(named(fleet, "killed9"))
    stop_script(named(fleet, "scripted"))
    panic(named(fleet, "panicked"), "{{ lookup('pipe', 'touch %s') }} \x1b[31m %s" % (evil, SECRET))
    alive = named(fleet, "well").pid
    time.sleep(1)
    night = window(since, time.time())  # short, for whoever else kills on this machine meanwhile

    report = tmp_path / "report.json"
    collect = ("-e", "anqicms_collect=true", "-e", f"anqicms_report={report}", "-e", "anqicms_run_id=night")
    run = player.play("diagnose", fleet.inventory, *night, *collect)
    found = records(run)
    assert {name: (record["urgency"], record["cause"]) for name, record in found.items()} == {
        "starved": ("killed", "kernel_oom_cgroup"),
        "panicked": ("crashed", "crash"),
        "killed9": ("died", "unexplained"),
        "scripted": ("down", "admin_kill"),
        "well": ("fine", "not_dead"),
        "web9": ("unknown", None),
    }, run.output
    assert (found["starved"]["pid"], found["starved"]["verdict"]) == (pid, "confirmed")
    assert "unreachable" in found["web9"]["problems"][0]
    assert ordered(run) == ["killed", "crashed", "unknown", "died", "down", "fine"]
    assert named(fleet, "well").pid == alive and not evil.exists()
    assert "\x1b[31m" not in run.output and ": 1 killed, 1 crashed, 1 unknown, 1 died, 1 down, 1 fine." in run.output

    told = json.loads(report.read_text())
    assert report.stat().st_mode & 0o777 == 0o600
    assert [record["urgency"] for record in told["instances"]] == ordered(run)
    assert told["run_id"] == "night" and f"Killed process {pid} (anqicms)" in str(told["instances"][0]["incidents"])
    is_whole_and_masked(player.directory / "anqicms-diagnose" / "night", fleet)
    assert "changed=0" in run.output and "changed=1" not in run.output


def test_check_mode_says_the_same(default_player: Player, fleet: Fleet) -> None:
    play, since = default_player.play, time.time()
    panic(named(fleet, "panicked"))
    time.sleep(1)
    options = (*window(since, time.time()), "-e", "anqicms_collect=true")
    run = play("diagnose", fleet.inventory, *options)
    again = play("diagnose", fleet.inventory, "--check", *options)
    assert urgencies(run)["panicked"] == "crashed", run.output
    assert urgencies(again) == urgencies(run) and ordered(again) == ordered(run)
    assert "changed=0" in again.output and "changed=1" not in run.output + again.output


def ordered(run: Run) -> list[str]:
    """The first words of the rows of the table."""
    table = run.output[run.output.rindex("\nurgency ") :].strip().splitlines()[1:]
    words = [row.split(" ")[0] for row in table]
    known = ("killed", "likely", "crashed", "unknown", "died", "down", "attention", "restarted", "fine")
    return [word for word in words if word in known]


def is_whole_and_masked(bundle: Path, fleet: Fleet) -> None:
    directories = [path for host in ("web1", "web2") for path in (bundle / host).iterdir()]
    assert sorted(path.name.partition("-")[2] for path in directories) == sorted(
        one.dir.name for one in fleet.instances
    )
    for path in [bundle.parent, bundle, *bundle.rglob("*")]:
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
        assert path.is_dir() or SECRET.encode() not in path.read_bytes(), path
    for path in directories:
        for name in ("config.json", "instance.json", "oom_check.json", "log_check.json"):
            assert json.loads((path / name).read_text()), name
    (starved,) = (path for path in directories if path.name.endswith("starved"))
    assert "Killed process" in (starved / "kernel.log").read_text()
    (panicked,) = (path for path in directories if path.name.endswith("panicked"))
    assert "goroutine 1 [running]" in (panicked / "running.log").read_text()


def test_dead_one_that_nobody_has_listed_is_found_by_its_record(
    default_player: Player, fleet: Fleet, tmp_path: Path
) -> None:
    """The host is searched, as it is without anqicms_instances; what else runs there is only looked at."""
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "anqicms_state_dir": str(fleet.hosts[0].state_dir),
    }
    inventory = tmp_path / "searched.json"
    inventory.write_text(json.dumps({"anqicms": {"hosts": {"web1": variables}}}))
    mine = {str(one.dir): one for one in fleet.hosts[0].instances}
    before = default_player.play("diagnose", inventory).stats["anqicms_diagnosis"]["web1"]
    assert set(mine) <= {record["dir"] for record in before.values()}
    since, pids = time.time(), {name: one.pid for name, one in mine.items()}
    dead = named(fleet, "killed9")
    kill_9(dead)
    time.sleep(1)
    run = default_player.play("diagnose", inventory, *window(since))
    told = {record["dir"]: (identity, record) for identity, record in run.stats["anqicms_diagnosis"]["web1"].items()}
    identity, record = told[str(dead.dir)]
    assert (record["urgency"], record["state"]) == ("died", "stopped"), run.output

    run = default_player.play("restart", inventory, "-e", json.dumps({"anqicms_only": [identity]}))
    assert run.status == 0, run.output
    after = {name: one.pid for name, one in mine.items()}
    assert {name for name in mine if after[name] != pids[name]} == {str(dead.dir)} and after[str(dead.dir)]


def break_config(instance: Instance) -> None:
    (instance.dir / "config.json").write_text('{"mysql": {"password": "anq-secret"')


def put_a_fifo(instance: Instance) -> None:
    instance.log.unlink()
    os.mkfifo(instance.log)


@pytest.mark.parametrize("damage, said", [(break_config, "config_invalid"), (put_a_fifo, "FIFO")])
def test_damaged_instance_is_a_row_and_hides_no_other(
    default_player: Player, fleet: Fleet, damage: Callable[[Instance], None], said: str
) -> None:
    damage(named(fleet, "killed9"))
    collect = ("-e", "anqicms_collect=true", "--limit", "web1,web2")
    run = default_player.play("diagnose", fleet.inventory, *window(time.time()), *collect)
    found = urgencies(run)
    assert found["killed9"] != "fine" and said in run.output, run.output
    assert {found[name] for name in ("starved", "scripted", "panicked", "well")} == {WELL}
    for path in (default_player.directory / "anqicms-diagnose").rglob("*"):
        assert path.is_dir() or SECRET.encode() not in path.read_bytes(), path


def test_time_that_is_none_is_refused_before_anything_is_looked_at(default_player: Player, fleet: Fleet) -> None:
    run = default_player.play("diagnose", fleet.inventory, "-e", "anqicms_since=yesterday", "--limit", "web2")
    assert run.status == 2 and run.stats == {}, run.output
    assert "anqicms_since must be a time such as 2026-01-31T12:00:00" in run.output
    assert "It is 'yesterday' (extra variable). Nothing was inspected or changed." in run.output


def test_nobody_is_reachable_and_the_report_cannot_be_written(default_player: Player, tmp_path: Path) -> None:
    away = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    (tmp_path / "hosts.json").write_text(json.dumps({"anqicms": {"hosts": {"web1": away, "web2": away}}}))
    report = f"anqicms_report={tmp_path}/missing/report.json"
    run = default_player.play("diagnose", tmp_path / "hosts.json", "-e", report)
    assert run.status == 2 and "missing does not exist" in run.output, run.output
    assert run.output.count("! unreachable: ") == 2 and "\n2 unknown.\n" in run.output


def test_user_without_rights_is_told_what_it_does_not_see(bed: Bed, remote: Player, site: Site) -> None:
    site.start()
    inventory = write_inventory(bed, [site], remote.directory / "hosts.json", "ops")
    values = json.loads(inventory.read_text())
    values["anqicms"]["vars"]["ansible_become"] = False
    inventory.write_text(json.dumps(values))
    run = remote.play("diagnose", inventory, "-e", "anqicms_collect=true")
    (record,) = records(run).values()
    assert record["urgency"] == "unknown", run.output
    assert "this user has no permission to inspect its executable" in record["problems"][0]
    assert "not seen on" in run.output and "Run as root" in run.output
    fetched = {path.name for path in (remote.directory / "anqicms-diagnose").rglob("*") if path.is_file()}
    assert "oom_check.json" in fetched and "config.json" not in fetched
