# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A roll that is broken in its third batch: `status` says what became of it, `anqicms_resume` goes on to the end."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from e2e.conftest import VERSION
from e2e.playing import Player, Run, journal, until
from fleet import Fleet, Host

QUICK = ("-e", "anqicms_stable_for=0.1", "-e", "anqicms_guardian_limit=0")
BATCHES = ("-e", "anqicms_serial=1,2,9")
NOT_OF_A_REAL_RELEASE = pytest.mark.standin("the time that a start takes, and a start that fails")
Breaker = Callable[[Player, Fleet, Host], Run]


@pytest.fixture
def make_roll(tmp_path: Path) -> Iterator[Callable[[int], Fleet]]:
    """Start a fleet of so many hosts, whose names have the same order as their numbers."""
    made: list[Fleet] = []

    def make(hosts: int) -> Fleet:
        fleet = Fleet(tmp_path / "fleet", with_database=False)
        made.append(fleet)
        for number in range(1, hosts + 1):
            site = fleet.add_instance(fleet.add_host(f"h{number:02}"), f"site{number}", VERSION)
            site.knobs(no_database=True)
        fleet.start()
        return fleet

    yield make
    for fleet in made:
        fleet.remove()


def pids(fleet: Fleet) -> dict[str, int]:
    return {host.name: host.instances[0].pid for host in fleet.hosts}


def good_starts(host: Host) -> int:
    """How often windows have started the instance and proved it."""
    steps = [entry for entry in journal(host.state_dir) if entry.get("event") == "step_end" and entry["ok"]]
    return sum(entry["name"] == "verified_start" for entry in steps)


def reversed_inventory(fleet: Fleet) -> Path:
    """AWX lists hosts in another order in each job."""
    fleet.hosts.reverse()
    path = fleet.write_inventory()
    fleet.hosts.reverse()
    return path


def status(player: Player, fleet: Fleet, *more: str) -> dict[str, dict[str, Any]]:
    """What `status` hands over, by host; every host has one instance."""
    run = player.play("status", fleet.inventory, *more)
    assert run.status == 0, run.output
    assert all(len(line.encode()) < 1024 for line in run.output.splitlines() if "RUN: " not in line)
    return {host: next(iter(rows.values())) for host, rows in run.stats["anqicms_status"].items()}


def told(rows: dict[str, dict[str, Any]]) -> dict[str, str | None]:
    return {host: row["progress"] for host, row in rows.items()}


# --- what breaks it: each ends with the run that was broken, and leaves a fleet that can go on


def a_failing_start(player: Player, fleet: Fleet, victim: Host) -> Run:
    site = victim.instances[0]
    shutil.copy2(site.binary, site.dir / "kept")
    shutil.copy("/bin/false", site.dir / "new")
    (site.dir / "new").replace(site.binary)
    run = player.play("restart", fleet.inventory, *QUICK, *BATCHES, "-e", "anqicms_run_id=roll")
    assert run.results[victim.name][0]["outcome"] == "failed", run.output
    (site.dir / "kept").replace(site.binary)
    return run


def starts(host: Host) -> bool:
    """Whether its window has come to the start."""
    return any(entry.get("name") == "verified_start" for entry in journal(host.state_dir))


def ctrl_c(player: Player, fleet: Fleet, victim: Host) -> Run:
    return in_mid_window(player, fleet, victim, signal.SIGINT)


def kill_9(player: Player, fleet: Fleet, victim: Host) -> Run:
    return in_mid_window(player, fleet, victim, signal.SIGKILL)


def in_mid_window(player: Player, fleet: Fleet, victim: Host, number: signal.Signals) -> Run:
    """Signal the controller's whole process group while the window of the victim is starting its instance."""
    victim.instances[0].knobs(no_database=True, start_delay_ms=6000)
    with player.begin("restart", fleet.inventory, *QUICK, *BATCHES, "-e", "anqicms_run_id=roll") as playing:
        until(lambda: playing.process.poll() is not None or starts(victim), "its start", 240, 0.05)
        assert playing.process.poll() is None, playing.output()
        os.killpg(playing.process.pid, number)
        run = playing.wait(30)
    row = status(player, fleet)[victim.name]
    if row["run"]["outcome"] == "under_way":  # a slow machine may have let it end
        assert (row["run"]["step"], row["progress"]) == ("verified_start", "under way")
    until(lambda: journal(victim.state_dir)[-1]["event"] == "end", "the end of the window", 30)
    return run


def lost(moment: str) -> Breaker:
    """The connection to the victim is lost ``before`` its window begins, or ``after`` it has ended."""

    def lose(player: Player, fleet: Fleet, victim: Host) -> Run:
        text = fleet.inventory.read_text()
        fleet.inventory.write_text(
            text.replace(f"    {victim.name}:\n", f"    {victim.name}:\n      ansible_connection: lossy\n")
        )
        directory = player.directory / "lossy"
        directory.mkdir(parents=True)
        plugins = str(Path(__file__).with_name("connection_plugins"))
        # the first call of this module is the look of the preflight
        env = {
            "ANSIBLE_CONNECTION_PLUGINS": plugins,
            "LOSSY_RULE": f"window 2 {moment}",
            "LOSSY_DIRECTORY": str(directory),
        }
        player.env.update(env)
        run = player.play("restart", fleet.inventory, *QUICK, *BATCHES, "-e", "anqicms_run_id=roll")
        fleet.inventory.write_text(text)
        assert run.outcomes[victim.name] == ["lost"], run.output
        return run

    return lose


BREAKERS: dict[str, Breaker] = {
    "failing start": a_failing_start,
    "Ctrl-C": ctrl_c,
    "lost before its window": lost("before"),
    "lost after its window": lost("after"),
    "kill -9": kill_9,
}


def check_resumed(player: Player, fleet: Fleet, break_it: Breaker) -> None:
    victim = fleet.hosts[min(4, len(fleet.hosts) - 1)]  # in the third batch
    before = pids(fleet)
    run = break_it(player, fleet, victim)
    assert run.status != 0, run.output
    cut = pids(fleet)
    moved = {name for name, pid in cut.items() if pid and pid != before[name]}
    assert {"h01", "h02", "h03"} <= moved, run.output

    rows = status(player, fleet)
    assert {name for name, progress in told(rows).items() if progress == "finished"} == moved, rows
    assert {row["planned"]["run_id"] for row in rows.values()} == {"roll"}

    resumed = player.play("restart", reversed_inventory(fleet), *QUICK, "-e", "anqicms_resume=roll")
    assert resumed.status == 0, resumed.output
    after = pids(fleet)
    assert {name: after[name] for name in moved} == {name: cut[name] for name in moved}, "nobody was restarted twice"
    assert all(pid and pid != before[name] for name, pid in after.items()), resumed.output
    assert {host.name: good_starts(host) for host in fleet.hosts} == dict.fromkeys(before, 1)
    assert set(resumed.outcomes) == set(before) - moved, resumed.output
    assert "finished by run roll" in resumed.output
    assert set(told(status(player, fleet)).values()) == {"finished"}


@NOT_OF_A_REAL_RELEASE
def test_a_roll_of_12_that_fails_in_its_third_batch_is_resumed(
    default_player: Player, make_roll: Callable[[int], Fleet]
) -> None:
    check_resumed(default_player, make_roll(12), a_failing_start)


@pytest.mark.soak
@NOT_OF_A_REAL_RELEASE
@pytest.mark.parametrize("how", BREAKERS)
def test_a_roll_of_12_is_resumed_whatever_broke_it(player: Player, make_roll: Callable[[int], Fleet], how: str) -> None:
    check_resumed(player, make_roll(12), BREAKERS[how])


@pytest.mark.soak
@NOT_OF_A_REAL_RELEASE
def test_a_small_roll_is_resumed_after_kill_9(default_player: Player, make_roll: Callable[[int], Fleet]) -> None:
    check_resumed(default_player, make_roll(4), kill_9)


# --- what is refused, before anything is touched


@pytest.mark.soak
@NOT_OF_A_REAL_RELEASE
def test_what_cannot_be_resumed_is_refused(default_player: Player, make_roll: Callable[[int], Fleet]) -> None:
    player, fleet = default_player, make_roll(2)
    first, second = fleet.hosts
    run = player.play("restart", fleet.inventory, *QUICK, "--limit", "h01", "-e", "anqicms_run_id=roll")
    assert run.status == 0, run.output
    held = pids(fleet)
    again = player.play("restart", fleet.inventory, *QUICK, "-e", "anqicms_resume=roll")
    assert again.status == 0 and "Nothing is left to do." in again.output, again.output
    assert pids(fleet) == held

    def refused(playbook: str, *more: str) -> str:
        said = player.play(playbook, fleet.inventory, *QUICK, *more)
        assert said.status != 0 and pids(fleet) == held, said.output
        assert "Nothing was done." in said.output
        return said.output

    assert "No host knows run nope." in refused("restart", "-e", "anqicms_resume=nope")
    assert "was a restart, not a stop" in refused("stop", "-e", "anqicms_resume=roll")

    checked = player.play("restart", fleet.inventory, *QUICK, "--check", "-e", "anqicms_resume=roll")
    assert checked.status == 0 and pids(fleet) == held, checked.output
    assert "skip: finished by run roll" in checked.output and "skip: not part of run roll" in checked.output
    assert not list(second.state_dir.glob("*/planned.jsonl")), "check mode writes nothing"

    first.instances[0].kill()
    first.instances[0].start()
    held = pids(fleet)
    said = refused("restart", "-e", "anqicms_resume=roll")
    assert "it was changed since run roll (restart), which left it running as pid" in said
    assert "-e anqicms_only=" in said and "--limit" in said


# --- stop and start, which have no worker


@NOT_OF_A_REAL_RELEASE
def test_stop_and_start_leave_what_came_of_them(default_player: Player, make_roll: Callable[[int], Fleet]) -> None:
    player, fleet = default_player, make_roll(2)
    stop = player.play("stop", fleet.inventory, "-e", "anqicms_run_id=down", "--limit", "h01")
    assert stop.status == 0, stop.output
    text = fleet.inventory.read_text()
    gone = "    h02:\n      ansible_connection: ssh\n      ansible_host: 127.0.0.1\n      ansible_port: 1\n"
    fleet.inventory.write_text(text.replace("    h02:\n", gone))
    chinese = status(player, fleet, "-e", "anqicms_language=zh", "-e", "anqicms_time_zone=Asia/Shanghai")
    fleet.inventory.write_text(text)
    row, other = chinese["h01"], chinese["h02"]
    assert other["state"] == "unreachable" and "127.0.0.1" in other["problems"][0], "an unreachable host is a row"
    assert [row["run"][key] for key in ("run_id", "verb", "outcome", "as_left")] == ["down", "stop", "done", True]
    assert (row["state"], row["progress"]) == ("stopped", "finished")
    unknown = player.play("stop", fleet.inventory, "-e", "anqicms_resume=nope")
    assert unknown.status != 0 and "No host knows run nope. Nothing was done." in unknown.output, unknown.output
    start = player.play("start", fleet.inventory, *QUICK[:2], "-e", "anqicms_run_id=up")
    assert start.status == 0, start.output
    rows = status(player, fleet)
    assert [(row["run"]["verb"], row["run"]["outcome"], row["progress"]) for row in rows.values()] == [
        ("start", "done", "finished"),
        ("start", "unchanged", "finished"),
    ]
