# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several of our roles and playbooks in one run, with the connection lost at each step: the end says what is so."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Iterator, NamedTuple

import pytest
import releases
from e2e.bed import Bed
from e2e.conftest import VERSION, Maker
from e2e.playing import Player, Run, until
from e2e.sites import Site, write_inventory
from fleet import Fleet

PLUGINS = Path(__file__).with_name("connection_plugins")
WORKER = "the host completes the started work by itself"
QUICK = {"anqicms_stable_for": 0.1, "anqicms_deadline": 20}
MOMENTS = ("before", "after")


class Call(NamedTuple):
    """A module that a role runs. ``only_looks``: nothing is lost with it; before a window its module does that, too."""

    module: str
    only_looks: bool = False


class Combination(NamedTuple):
    """A playbook, what its last verb wants, and its calls of modules in their order."""

    plays: list[dict[str, Any]]
    wants: str
    calls: tuple[Call, ...]

    def call(self, module: str, number: int) -> Call:
        return [call for call in self.calls if call.module == module][number - 1]


def role(verb: str, **variables: Any) -> dict[str, Any]:
    task = {"name": f"Now {verb}", "ansible.builtin.import_role": {"name": f"anqicms.lifecycle.{verb}"}}
    return {**task, "vars": variables} if variables else task


def play(*tasks: dict[str, Any]) -> dict[str, Any]:
    return {"name": "Combined", "hosts": "anqicms", "gather_facts": False, "vars": QUICK, "tasks": list(tasks)}


def imported(verb: str) -> dict[str, Any]:
    return {"name": f"Then {verb}", "import_playbook": f"anqicms.lifecycle.{verb}", "vars": QUICK}


LOOK = Call("instance_info", only_looks=True)
STOP = (LOOK, Call("graceful_stop"), Call("port_released"))
START = (LOOK, Call("verified_start"), Call("log_check"), Call("site_check"))
RESTART = (Call("window", only_looks=True), Call("window"))
COMBINATIONS = {
    "stop-start": Combination([play(role("stop"), role("start"))], "running", STOP + START),
    "start-stop-start": Combination(
        [play(role("start"), role("stop"), role("start"))], "running", START + STOP + START
    ),
    "stop-restart": Combination([play(role("stop"), role("restart"))], "running", STOP + RESTART),
    "restart-stop": Combination([play(role("restart"), role("stop"))], "stopped", RESTART + STOP),
    "playbooks": Combination([imported("stop"), imported("start")], "running", STOP + START),
    "as-roles": Combination(
        [{**play(), "roles": [f"anqicms.lifecycle.{verb}" for verb in ("stop", "start")]}], "running", STOP + START
    ),
}


def losses(combination: Combination) -> list[tuple[str, int, str]]:
    """Each call, by module and number, and whether its answer or already the call is lost."""
    found = []
    modules = [call.module for call in combination.calls]
    for index, module in enumerate(modules, 1):
        found += [(module, modules[:index].count(module), moment) for moment in MOMENTS]
    return found


EVERY_LOSS = [(name, *loss) for name, combination in COMBINATIONS.items() for loss in losses(combination)]
OFTEN = [
    ("stop-start", "verified_start", 1, "before"),
    ("stop-start", "verified_start", 1, "after"),
    ("stop-start", "graceful_stop", 1, "after"),
    ("stop-start", "port_released", 1, "before"),
    ("start-stop-start", "verified_start", 2, "before"),
    ("start-stop-start", "site_check", 2, "before"),
    ("playbooks", "verified_start", 1, "before"),
]


def run_plays(player: Player, fleet: Fleet, plays: list[dict[str, Any]], *arguments: str) -> Run:
    player.directory.mkdir(parents=True, exist_ok=True)
    path = player.directory / "combined.yml"
    path.write_text(json.dumps(plays))
    return player.play(str(path), fleet.inventory, *arguments)


def lose_at(player: Player, fleet: Fleet, module: str, number: int, moment: str) -> None:
    """The connection to the hosts is lost for good at that call."""
    player.directory.mkdir(parents=True, exist_ok=True)
    player.env.update(
        ANSIBLE_CONNECTION_PLUGINS=str(PLUGINS),
        LOSSY_RULE=f"{module} {number} {moment}",
        LOSSY_DIRECTORY=str(player.directory),
    )
    text = fleet.inventory.read_text()
    fleet.inventory.write_text(text.replace("ansible_connection: local", "ansible_connection: lossy"))


def recap(run: Run, host: str) -> dict[str, int]:
    (line,) = re.findall(rf"^{host} +: (.*)$", run.output, re.MULTILINE)
    return {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", line)}


def check_what_is_said(run: Run, fleet: Fleet, wants: str, host: str = "h1") -> None:
    """A record says nothing else than what is so, and a green run has reached what it was to reach."""
    site = next(one for one in fleet.hosts if one.name == host).instances[0]
    now = "running" if site.pid and site.told_version() else "stopped"
    good = run.status == 0 and recap(run, host)["failed"] == recap(run, host)["unreachable"] == 0
    assert not good or now == wants, run.output
    for record in run.results.get(host, []):
        assert record["state"] in (now, "unknown"), (record, now, run.output)
        assert record["outcome"] not in ("done", "unchanged") or record["state"] == now, run.output
        assert record["failed"] or record["outcome"] in ("done", "unchanged"), record
        assert not record["pid_after"] or record["pid_after"] == site.pid, run.output
        last = [line for line in run.output.splitlines() if f"{host}  {record['id']}  {VERSION}  " in line][-1]
        assert f"{VERSION}  {record['outcome']}" in last, last


def check_loss(player: Player, fleet: Fleet, name: str, loss: tuple[str, int, str]) -> Run:
    combination = COMBINATIONS[name]
    lose_at(player, fleet, *loss)
    run = run_plays(player, fleet, combination.plays)
    assert (player.directory / "lost").exists(), f"never at {loss}: {run.output}"
    assert run.status != 0, run.output
    assert recap(run, "h1")["unreachable"] + recap(run, "h1")["failed"] > 0, run.output
    check_what_is_said(run, fleet, combination.wants)
    lost = [record for record in run.results.get("h1", []) if record["outcome"] == "lost"]
    call = combination.call(loss[0], loss[1])
    assert call.only_looks or lost, run.output
    assert (WORKER in run.output) == (call.module == "window" and not call.only_looks), run.output
    return run


@pytest.mark.parametrize("name", [*COMBINATIONS])
def test_each_verb_reports_its_own_result(default_player: Player, make_fleet: Maker, name: str) -> None:
    fleet = make_fleet(1)
    run = run_plays(default_player, fleet, COMBINATIONS[name].plays)
    assert run.status == 0, run.output
    check_what_is_said(run, fleet, COMBINATIONS[name].wants)
    (record,) = run.results["h1"]
    assert (record["outcome"], record["state"]) == ("done", COMBINATIONS[name].wants)


def test_start_after_a_stop_is_reported_as_the_start(player: Player, make_fleet: Maker) -> None:
    fleet = make_fleet(1)
    run = check_loss(player, fleet, "stop-start", ("verified_start", 1, "before"))
    (record,) = run.results["h1"]
    assert (record["outcome"], record["state"]) == ("lost", "unknown")
    assert "nothing continues it on the host" in record["reason"]


@pytest.mark.parametrize("loss", OFTEN, ids=lambda loss: "-".join(map(str, loss)))
def test_lost_connection(default_player: Player, make_fleet: Maker, loss: tuple[str, str, int, str]) -> None:
    check_loss(default_player, make_fleet(1), loss[0], loss[1:])


@pytest.mark.soak
@pytest.mark.parametrize("loss", EVERY_LOSS, ids=lambda loss: "-".join(map(str, loss)))
def test_lost_connection_at_each_step(
    default_player: Player, make_fleet: Maker, loss: tuple[str, str, int, str]
) -> None:
    check_loss(default_player, make_fleet(1), loss[0], loss[1:])


# --- a second attempt, and a second list


def knobs(**values: Any) -> dict[str, Any]:
    """A task that sets the stand-in's knobs, which count from its next start."""
    return {
        "name": "Set knobs",
        "ansible.builtin.copy": {
            "dest": "{{ anqicms_instances[0].dir }}/standin.json",
            "content": json.dumps({"no_database": True, **values}),
            "mode": "0644",
        },
    }


@pytest.mark.standin("its start fails by a knob, and succeeds by another")
@pytest.mark.parametrize("verb", ["restart", "start"])
def test_success_in_a_rescue_is_no_failure(player: Player, make_fleet: Maker, verb: str) -> None:
    fleet = make_fleet(1)
    fleet.instances[0].knobs(no_database=True, exit_code=3)
    tries = {"name": "Try", "block": [role(verb)], "rescue": [knobs(), role(verb)]}
    run = run_plays(player, fleet, [play(*([role("stop")] if verb == "start" else []), tries)])
    assert run.status == 0, run.output
    check_what_is_said(run, fleet, "running")
    (record,) = run.results["h1"]
    assert (record["outcome"], record["failed"], record["reason"]) == ("done", False, ""), run.output
    assert recap(run, "h1")["rescued"] >= 1


def check_second_attempt_lost(player: Player, fleet: Fleet, verb: str, loss: tuple[str, int, str]) -> None:
    fleet.instances[0].knobs(no_database=True, exit_code=3)
    lose_at(player, fleet, *loss)
    run = run_plays(player, fleet, [play({"name": "Try", "block": [role(verb)], "rescue": [knobs(), role(verb)]})])
    assert run.status != 0 and (player.directory / "lost").exists(), run.output
    check_what_is_said(run, fleet, "running")
    assert all(record["outcome"] in ("lost", "failed") for record in run.results["h1"]), run.output


@pytest.mark.soak
@pytest.mark.standin("its start fails by a knob, and succeeds by another")
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("number", [2, 3, 4])
def test_connection_lost_around_a_rescue(default_player: Player, make_fleet: Maker, number: int, moment: str) -> None:
    """The first call is the look: with it the host is lost before there is something to rescue."""
    check_second_attempt_lost(default_player, make_fleet(1), "restart", ("window", number, moment))


def test_failing_hook_does_not_report_the_window_before(
    default_player: Player, make_fleet: Maker, tmp_path: Path
) -> None:
    fleet, hook = make_fleet(1), tmp_path / "refuse.yml"
    hook.write_text(json.dumps([{"name": "Refuse", "ansible.builtin.fail": {"msg": "not now"}}]))
    again = role("restart", anqicms_before_window=[str(hook)])
    run = run_plays(default_player, fleet, [play(role("restart"), again)])
    assert run.status != 0
    (record,) = run.results["h1"]
    assert (record["outcome"], record["pid_after"], record["changed"]) == ("failed", None, False), record
    assert record["reason"] == "Refuse: not now"


@pytest.fixture
def two_sites(tmp_path: Path) -> Iterator[Fleet]:
    """One host with two instances."""
    with Fleet(tmp_path / "two", with_database=releases.real_releases() is not None) as fleet:
        host = fleet.add_host("h1")
        for name in ("a", "b"):
            fleet.add_instance(host, name, VERSION)
        fleet.start()
        yield fleet


def twice(verb: str, fleet: Fleet) -> list[dict[str, Any]]:
    return [play(*(role(verb, anqicms_instances=[{"dir": str(one.dir)}]) for one in fleet.instances))]


def test_same_role_for_two_lists(default_player: Player, two_sites: Fleet) -> None:
    before = [one.pid for one in two_sites.instances]
    run = run_plays(default_player, two_sites, twice("restart", two_sites))
    assert run.status == 0, run.output
    after = {record["dir"]: record["pid_after"] for record in run.results["h1"]}
    assert after == {str(one.dir): one.pid for one in two_sites.instances}
    assert not set(before) & set(after.values())


def check_second_list_lost(player: Player, fleet: Fleet, verb: str, loss: tuple[str, int, str]) -> None:
    looks_too = 2 if loss[0] == "window" else 1  # each second call of it is then the work
    lose_at(player, fleet, loss[0], loss[1] * looks_too, loss[2])
    run = run_plays(player, fleet, twice(verb, fleet))
    assert run.status != 0 and (player.directory / "lost").exists(), run.output
    for record in run.results["h1"]:
        site = next(one for one in fleet.instances if str(one.dir) == record["dir"])
        now = "running" if site.pid and site.told_version() else "stopped"
        assert record["state"] in (now, "unknown"), (record, now, run.output)
        assert record["failed"] == (site is fleet.instances[loss[1] - 1]), run.output


def test_second_list_is_lost(default_player: Player, two_sites: Fleet) -> None:
    check_second_list_lost(default_player, two_sites, "stop", ("graceful_stop", 2, "before"))


@pytest.mark.soak
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("verb, module", [("stop", "graceful_stop"), ("stop", "port_released"), ("restart", "window")])
def test_list_is_lost(
    default_player: Player, two_sites: Fleet, verb: str, module: str, number: int, moment: str
) -> None:
    check_second_list_lost(default_player, two_sites, verb, (module, number, moment))


# --- a host that is really cut off


@pytest.mark.root
def test_host_off_the_network_between_stop_and_start(bed: Bed, remote: Player, site: Site) -> None:
    site.start()
    inventory = write_inventory(bed, [site], remote.directory / "hosts.json")
    marker = {"name": "Wait for the test", "ansible.builtin.pause": {"seconds": 1}}
    path = remote.directory / "combined.yml"
    path.write_text(json.dumps([play(role("stop"), marker, role("start"))]))
    with remote.begin(str(path), inventory) as playing:
        until(lambda: "Wait for the test" in playing.output(), "the stop", 60, 0.02)
        site.host.unplug()
        try:
            run = playing.wait(90)
        finally:
            site.host.plug()
    assert run.status != 0 and recap(run, site.host.name)["unreachable"] == 1, run.output
    assert not site.pid
    (record,) = run.results[site.host.name]
    assert (record["state"], record["outcome"]) == ("stopped", "done"), "the stop; of the start there is none"
