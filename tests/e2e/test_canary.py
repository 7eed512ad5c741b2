# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook `upgrade` with a person who is asked after the canary, with nobody there, and with an earlier canary."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import termios
import time
from pathlib import Path
from typing import Any

import pytest
import release_files
import venvs
from e2e.conftest import Maker
from e2e.playing import Player, Playing, Run, until
from fleet import Fleet

pytestmark = pytest.mark.standin("an upgrade without a database")
OLD, NEW = "3.5.7", "3.5.8"
PROMPT = "anything else ends the run here"
LONG = 300.0
ENDS = "The run ends here, because no one confirmed it with yes"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return release_files.release_zip(NEW, tmp_path_factory.mktemp("archive"))


class Upgrades:
    """A fleet that is upgraded host by host unless said, with a person to be asked."""

    def __init__(self, player: Player, fleet: Fleet, archive: Path) -> None:
        self.player, self.fleet = player, fleet
        self.given = {
            "anqicms_upgrade_to": NEW,
            "anqicms_releases": {NEW: str(archive)},
            "anqicms_stable_for": 0.1,
            "anqicms_serial": 1,
            "anqicms_confirm_after_canary": True,
        }

    def arguments(self, **more: Any) -> list[str]:
        return ["-e", json.dumps({**self.given, **more})]

    def play(self, *arguments: str, **more: Any) -> Run:
        return self.player.play("upgrade", self.fleet.inventory, *self.arguments(**more), *arguments, timeout=LONG)

    def versions(self) -> list[str]:
        return [instance.told_version() for instance in self.fleet.instances]


@pytest.fixture
def upgrades(player: Player, make_fleet: Maker, archive: Path) -> Upgrades:
    return Upgrades(player, make_fleet(2, OLD), archive)


@pytest.fixture
def two(default_player: Player, make_fleet: Maker, archive: Path) -> Upgrades:
    return Upgrades(default_player, make_fleet(2, OLD), archive)


@pytest.fixture
def three(default_player: Player, make_fleet: Maker, archive: Path) -> Upgrades:
    return Upgrades(default_player, make_fleet(3, OLD), archive)


def answered(upgrades: Upgrades, keys: bytes, then: tuple[str, bytes] | None = None, **more: Any) -> Run:
    """A run at a terminal of its own, where these keys are pressed at the prompt."""
    master, slave = pty.openpty()
    player = upgrades.player
    player.directory.mkdir(parents=True, exist_ok=True)
    log = player.directory / "terminal.log"
    argv = [
        str(player.bin / "ansible-playbook"),
        "-i",
        str(upgrades.fleet.inventory),
        "anqicms.lifecycle.upgrade",
        *upgrades.arguments(**more),
    ]
    # Lines come at once at a terminal; into a file Ansible flushes nothing while it waits for keys.
    env = {**player.env, "PYTHONUNBUFFERED": "1"}
    try:
        with log.open("wb") as output:
            # setsid --ctty makes it the terminal of the run, as a login does
            process = subprocess.Popen(
                ["setsid", "--ctty", "--wait", *argv],
                env=env,
                cwd=player.directory,
                stdin=slave,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        with Playing(process, log) as playing:
            press(playing, master, PROMPT, keys)
            if then:
                press(playing, master, *then)
            return playing.wait(LONG)
    finally:
        os.close(master)
        os.close(slave)


def press(playing: Playing, terminal: int, at: str, keys: bytes) -> None:
    """Press keys once the prompt reads them: before that Ctrl+C would end the run, and others would be lost."""
    until(lambda: at in playing.output(), at, LONG)
    until(lambda: reads_keys(terminal), "the prompt", 30)
    before, pressed = said(playing), float("-inf")

    def went_on() -> bool:
        nonlocal pressed
        if playing.process.poll() is not None or said(playing) > before:
            return True
        if time.monotonic() > pressed + 5:  # those that come before it has emptied the line are lost
            pressed = time.monotonic()
            os.write(terminal, keys)
        return False

    until(went_on, "what follows the answer")


def reads_keys(terminal: int) -> bool:
    return not termios.tcgetattr(terminal)[3] & termios.ICANON


def said(playing: Playing) -> int:
    output = playing.output()
    return output.count("TASK [") + output.count("PLAY ") + output.count("Press 'C'") + output.count("fatal: ")


def test_where_nobody_can_answer_it_ends_after_the_canary(upgrades: Upgrades) -> None:
    run = upgrades.play()
    assert (run.status, run.outcomes) == (0, {"h1": ["done"]}), run.output
    assert upgrades.versions() == [NEW, OLD]
    (record,) = run.results["h1"]
    said = run.output
    assert f"The canary has {NEW}, by run {record['run_id']}: h1\n" in said
    assert "Not upgraded yet, hosts: 1: h2\n" in said and ENDS in said
    assert f"-e anqicms_confirmed={record['run_id']}\n" in said and "DEPRECATION" not in said
    assert "PLAY [Report the hosts that were left out]" in said and "failed=1" not in said
    again = upgrades.play()
    assert (again.status, again.outcomes) == (0, {"h1": ["unchanged"]}), again.output
    assert f"-e anqicms_confirmed={record['run_id']}\n" in again.output, "nobody has said yes to that one yet"
    pid = upgrades.fleet.instances[0].pid
    run = upgrades.play(anqicms_confirmed=record["run_id"])
    assert (run.status, run.outcomes) == (0, {"h1": ["unchanged"], "h2": ["done"]}), run.output
    assert (upgrades.versions(), upgrades.fleet.instances[0].pid) == ([NEW, NEW], pid)
    assert PROMPT not in run.output and ENDS not in run.output


def test_a_person_answers(upgrades: Upgrades) -> None:
    run = answered(upgrades, b"no\r")
    assert (run.status, upgrades.versions()) == (0, [NEW, OLD]), run.output
    assert ENDS in run.output
    run = answered(upgrades, b"yes\r")
    assert (run.status, upgrades.versions()) == (0, [NEW, NEW]), run.output
    assert run.output.count(PROMPT) == 1 and ENDS not in run.output


def test_a_person_interrupts(two: Upgrades) -> None:
    run = answered(two, b"\x03", ("Press 'C' to continue the play or 'A' to abort", b"a"))
    assert run.status != 0 and "user requested abort" in run.output, run.output
    assert two.versions() == [NEW, OLD]


def test_a_person_answers_once_for_all_batches(three: Upgrades) -> None:
    run = answered(three, b"Yes\r")
    assert (run.status, three.versions()) == (0, [NEW, NEW, NEW]), run.output
    assert run.output.count(PROMPT) == 1, run.output


def test_a_batch_of_several_hosts(three: Upgrades) -> None:
    run = three.play(anqicms_serial="2,1", anqicms_run_id="night-7")
    assert (run.status, three.versions()) == (0, [NEW, NEW, OLD]), run.output
    assert f"The canary has {NEW}, by run night-7: h1, h2\n" in run.output and run.output.count(ENDS) == 1
    assert "Not upgraded yet, hosts: 1: h3\n" in run.output
    run = three.play("--limit", "h1,h3", anqicms_confirmed="night-7")
    assert (run.status, three.versions()) == (0, [NEW, NEW, NEW]), run.output


def test_canaries_by_their_group(three: Upgrades) -> None:
    """They come first, in batches of their own, and the question comes after the last of them."""
    inventory = three.fleet.inventory
    inventory.write_text(inventory.read_text() + "anqicms_canary:\n  hosts:\n    h3:\n    h2:\n")
    run = three.play(anqicms_run_id="night-7")
    assert (run.status, three.versions()) == (0, [OLD, NEW, NEW]), run.output
    assert "After the canary (the group anqicms_canary), the run asks whether to continue." in run.output
    assert f"The canary has {NEW}, by run night-7: h2, h3\n" in run.output and run.output.count(ENDS) == 1
    assert run.output.count("PLAY [Upgrade batch by batch]") == 2 and "Not upgraded yet, hosts: 1: h1\n" in run.output


def test_nobody_is_asked_where_there_is_nothing_to_ask(two: Upgrades) -> None:
    plan = two.play("--check", "--diff")
    assert (plan.status, list(plan.outcomes)) == (0, ["h1", "h2"]), plan.output
    assert "the run asks whether to continue" in plan.output and ENDS not in plan.output
    run = two.play("--limit", "h1")
    assert (run.status, run.outcomes, ENDS in run.output) == (0, {"h1": ["done"]}, False), run.output
    run = two.play(anqicms_confirm_after_canary=False)
    assert run.status == 0 and two.versions() == [NEW, NEW], run.output


def test_a_canary_that_fails_is_none(three: Upgrades) -> None:
    """One host of the canary is well and one is not: nobody is asked, and its run is no canary later either."""
    second = three.fleet.instances[1]
    second.knobs(no_database=True, when=[{"version": NEW, "knobs": {"exit_code": 3, "no_database": True}}])
    run = three.play(anqicms_serial="2,1", anqicms_run_id="night-7")
    assert run.status != 0 and run.outcomes == {"h1": ["done"], "h2": ["rolled_back"]}, run.output
    assert PROMPT not in run.output and ENDS not in run.output
    run = three.play(anqicms_confirmed="night-7")
    assert run.status != 0 and "anqicms_confirmed: Run night-7 did not succeed on h2" in run.output, run.output
    assert three.versions() == [NEW, OLD, OLD]


def test_what_is_no_canary_is_refused_before_anything_is_touched(two: Upgrades) -> None:
    run = two.play(anqicms_run_id="night-7")
    assert run.status == 0, run.output
    unknown = "knows a run night-8 that has changed it and succeeded. Known are: night-7."
    refusals: list[tuple[tuple[str, ...], str, str]] = [
        ((), "night-8", unknown),
        (("--check",), "night-8", unknown),
        (("--limit", "h2"), "night-7", "knows a run night-7 that has changed it"),
    ]
    for arguments, confirmed, said in refusals:
        run = two.play(*arguments, anqicms_confirmed=confirmed)
        assert run.status != 0 and said in run.output and "Nothing was done." in run.output, run.output
        assert two.versions() == [NEW, OLD]
    back = ("-e", "anqicms_rollback_run=night-7", "-e", "anqicms_stable_for=0.1")
    run = two.player.play("rollback", two.fleet.inventory, *back, timeout=LONG)
    assert run.status == 0, run.output
    run = two.play(anqicms_confirmed="night-7")
    assert run.status != 0 and "Run night-7 was rolled back on h1" in run.output, run.output
    assert two.versions() == [OLD, OLD]


def test_a_role_in_another_play_is_refused_with_it(two: Upgrades, tmp_path: Path) -> None:
    play = tmp_path / "own.yml"
    roles = ["anqicms.lifecycle.upgrade"]
    play.write_text(json.dumps([{"hosts": "anqicms", "gather_facts": False, "serial": 1, "roles": roles}]))
    run = two.player.play(str(play), two.fleet.inventory, *two.arguments())
    assert run.status != 0 and "a role cannot end the batches" in run.output, run.output
    assert two.versions() == [OLD, OLD]


def test_a_terminal_that_nobody_types_at(two: Upgrades) -> None:
    """AWX runs playbooks by ansible-runner, which gives them a terminal: a prompt there would wait for ever."""
    try:
        runner = venvs.ensure("rulebook") / "ansible-runner"
    except venvs.Missing as error:
        pytest.skip(f"ansible-runner cannot be installed here: {error}")
    data, log = two.player.directory / "runner", two.player.directory / "runner.log"
    (data / "env").mkdir(parents=True)
    (data / "env" / "extravars").write_text(json.dumps({**two.given, "anqicms_run_id": "night-7"}))
    argv = [str(runner), "run", str(data), "-p", "anqicms.lifecycle.upgrade", "--inventory", str(two.fleet.inventory)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv,
            env=two.player.env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    with Playing(process, log) as playing:
        run = playing.wait(LONG)
    assert run.status == 0 and "-e anqicms_confirmed=night-7" in run.output, run.output
    assert two.versions() == [NEW, OLD]
