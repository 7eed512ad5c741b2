# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever is killed in the middle of a window: the instance runs again, at once or after the next run."""

from __future__ import annotations

from typing import Any

import pytest
from e2e.bed import Bed
from e2e.conftest import Maker
from e2e.playing import Player, Playing, descendants, journal, kill, until
from e2e.sites import Site, write_inventory
from fleet import Fleet, Host

QUICK = ("-e", "anqicms_stable_for=0.1")
SLOW = {"exit_delay_ms": 1500}
# Entries of the journal in their order: every boundary between steps, and both ends.
ASKED = "the process has been asked to end"
BOUNDARIES = (
    "begin",
    "guardian",
    "worker",
    "step graceful_stop",
    "step_end graceful_stop",
    "step port_released",
    "step_end port_released",
    "step verified_start",
    "step_end verified_start",
    "end",
)
# Killed here, the process may not have been asked to end yet: then the old one goes on, and that is right.
UNTOUCHED = ("begin", "guardian", "worker", "step graceful_stop")
SURVIVED = ("ansible-playbook", "module", "worker")
ALL_AT_ONCE = "worker and guardian"
TAKES_ITS_TIME = pytest.mark.standin("the time that it takes to end and to start")


def reached(fleet: Fleet, boundary: str) -> bool:
    if boundary == ASKED:
        return "退出" in fleet.instances[0].log_text()
    return bool(entry(fleet.hosts[0], boundary))


def entry(host: Host, event: str) -> dict[str, Any]:
    """An entry of the journal by its event, with the step's name behind it; empty when it is not there (yet)."""
    for found in journal(host.state_dir):
        if f"{found.get('event')} {found.get('name', '')}".strip() == event:
            return found
    return {}


def strike(victim: str, playing: Playing, host: Host) -> None:
    """kill -9."""
    if victim == "ansible-playbook":
        kill(playing.process.pid)
    elif victim == "module":
        for pid in descendants(playing.process.pid, "AnsiballZ_window"):
            kill(pid)
    elif victim == "worker":
        kill(until(lambda: entry(host, "worker"), "the worker")["pid"])
    else:
        for event in ("guardian", "worker"):
            kill(until(lambda: entry(host, event), event)["pid"])  # noqa: B023


def killed_window(player: Player, fleet: Fleet, victim: str, boundary: str) -> Playing:
    """A restart that has lost its victim right after a boundary."""
    host = fleet.hosts[0]
    playing = player.begin("restart", fleet.inventory, *QUICK)
    try:
        until(lambda: reached(fleet, boundary), boundary, pause=0.001)
        strike(victim, playing, host)
    except BaseException:
        playing.end()
        raise
    return playing


def check_survived(player: Player, fleet: Fleet, victim: str, boundary: str) -> None:
    host, before = fleet.hosts[0], fleet.instances[0].pid
    with killed_window(player, fleet, victim, boundary) as playing:
        until(lambda: (journal(host.state_dir) or [{}])[-1].get("event") == "end", "the end of the run", 20)
        after = fleet.instances[0].wait_ready(10)
        run = playing.wait(60)
    assert after != before or boundary in UNTOUCHED, run.output
    assert fleet.instances[0].pid == after, "one process, and it stays"
    if victim == "module":
        assert run.status == 0, run.output
        assert run.outcomes == {"h1": ["done"]}, run.output
    if victim == "worker" and boundary == ASKED:
        assert run.outcomes == {"h1": ["failed"]}, run.output
        assert "guardian" in run.results["h1"][0]["reason"]


@TAKES_ITS_TIME
@pytest.mark.parametrize("victim", SURVIVED)
def test_instance_runs_again_without_a_new_run(default_player: Player, make_fleet: Maker, victim: str) -> None:
    check_survived(default_player, make_fleet(1, **SLOW), victim, ASKED)


@pytest.mark.soak
@TAKES_ITS_TIME
@pytest.mark.parametrize("boundary", BOUNDARIES[:-1])
@pytest.mark.parametrize("victim", SURVIVED)
def test_instance_runs_again_at_every_boundary(
    default_player: Player, make_fleet: Maker, victim: str, boundary: str
) -> None:
    check_survived(default_player, make_fleet(1, exit_delay_ms=200, start_delay_ms=200), victim, boundary)


def check_put_right(player: Player, fleet: Fleet, playbook: str, boundary: str) -> None:
    site = fleet.instances[0]
    with killed_window(player, fleet, ALL_AT_ONCE, boundary) as playing:
        assert playing.wait(60).status != 0 or boundary == "end", playing.output()
    if boundary == ASKED:
        until(lambda: not site.pid, "the end of the process that was asked to")
        assert not site.told_version(), "nobody was there to start it again"
    run = player.play(playbook, fleet.inventory, *QUICK)
    assert run.status == 0, run.output
    pid = site.wait_ready(10)
    assert journal(fleet.hosts[0].state_dir)[-1]["event"] == "end"
    if playbook == "restart":
        assert run.results["h1"][0]["pid_after"] == pid


@TAKES_ITS_TIME
@pytest.mark.parametrize("playbook", ["recover", "restart"])
def test_death_of_worker_and_guardian_is_put_right(default_player: Player, make_fleet: Maker, playbook: str) -> None:
    fleet = make_fleet(1, **SLOW)
    check_put_right(default_player, fleet, playbook, ASKED)


@pytest.mark.soak
@TAKES_ITS_TIME
@pytest.mark.parametrize("boundary", BOUNDARIES[2:])
@pytest.mark.parametrize("playbook", ["recover", "restart"])
def test_death_of_both_at_every_boundary(
    default_player: Player, make_fleet: Maker, playbook: str, boundary: str
) -> None:
    check_put_right(default_player, make_fleet(1, exit_delay_ms=200, start_delay_ms=200), playbook, boundary)


@pytest.mark.root
@TAKES_ITS_TIME
@pytest.mark.parametrize("victim", ["sshd", "sudo"])
def test_ssh_and_become_side(bed: Bed, remote: Player, site: Site, victim: str) -> None:
    site.knobs(**SLOW)
    before = site.start()
    with remote.begin(
        "restart", write_inventory(bed, [site], remote.directory / "hosts.json", "ops"), *QUICK
    ) as playing:
        until(lambda: "step graceful_stop" in site.events(), "the stop", pause=0.02)
        until(lambda: "退出" in site.instance.log_text(), "the end of its service", pause=0.02)
        pids = site.host.pids_of("sshd: ops" if victim == "sshd" else "sudo ")
        assert pids, site.host.run("/bin/ps", "-ef").output
        site.host.kill(pids)
        run = playing.wait(60)
    assert site.events()[-1] == "end", run.output
    assert site.answers() and site.pid != before
    assert run.status == 0, run.output
    assert run.outcomes == {site.host.name: ["done"]}, run.output
    assert "connection lost" in run.output
