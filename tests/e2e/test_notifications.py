# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which notifications a run sends, that none of them can harm it, and that nothing shows where they go."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any, Iterator

import pytest
from e2e.conftest import Maker, player_of
from e2e.playing import Player, Run
from e2e.test_rolling import BATCHES, ends_at_once, make_unreachable
from fleet import Fleet
from robots import SECRET, TOKEN, Robots

KINDS = ("dingtalk", "feishu", "wecom", "slack", "webhook")
EVERYTHING = "-vvvv"
NOT_SENT = "Notification not sent "


@pytest.fixture
def robots() -> Iterator[Robots]:
    with Robots() as server:
        yield server


def tell(fleet: Fleet, targets: list[dict[str, Any]], **variables: Any) -> None:
    """Where people write it: variables of the group."""
    values = {"anqicms_notify": targets, **variables}
    lines = "".join(f"    {name}: {json.dumps(value)}\n" for name, value in values.items())
    fleet.inventory.write_text(fleet.inventory.read_text() + lines)


def play(player: Player, fleet: Fleet, *arguments: str, verb: str = "restart") -> Run:
    """With all that ansible-core can show."""
    player.env["ANSIBLE_DISPLAY_ARGS_TO_STDOUT"] = "1"
    run = player.play(verb, fleet.inventory, EVERYTHING, *arguments)
    for secret in (TOKEN, SECRET, "access_token"):
        assert secret not in run.output, [line for line in run.output.splitlines() if secret in line]
    return run


def events(robots: Robots) -> list[str]:
    return [one.payload["event"] for one in robots.received if one.kind == "webhook"]


def outcomes(robots: Robots, number: int = -1) -> dict[str, str]:
    message = [one.payload for one in robots.received if one.kind == "webhook"][number]
    return {one["host"]: one["outcome"] for one in message["instances"]}


@pytest.mark.parametrize(("core", "callback"), [
    ("2.19", False),
    ("2.19", True),
    pytest.param("2.16", False, marks=pytest.mark.soak),
    pytest.param("2.21", True, marks=pytest.mark.soak),
])  # fmt: skip
def test_a_roll_that_ends_well(make_fleet: Maker, robots: Robots, tmp_path: Path, core: str, callback: bool) -> None:
    fleet, player = make_fleet(3), player_of(core, tmp_path)
    tell(fleet, [robots.target(kind) for kind in KINDS], anqicms_language="zh", anqicms_run_id="night-7")
    if callback:
        player.env["ANSIBLE_CALLBACKS_ENABLED"] = "anqicms.lifecycle.summary"
    run = play(player, fleet, *BATCHES)
    assert run.status == 0, run.output
    assert events(robots) == ["start", "canary", "finished"]
    assert outcomes(robots, 1) == {"h1": "done"}
    assert outcomes(robots) == dict.fromkeys(("h1", "h2", "h3"), "done")
    assert len(robots.received) == 3 * len(KINDS) and NOT_SENT not in run.output
    (last,) = [one.payload["markdown"]["text"] for one in robots.received[-5:] if one.kind == "dingtalk"]
    assert "night-7" in last and "：已完成" in last and last.count(" · ") >= 9


def test_a_roll_that_fails(default_player: Player, make_fleet: Maker, robots: Robots) -> None:
    fleet = make_fleet(3)
    ends_at_once(fleet.hosts[0].instances[0])
    tell(fleet, [robots.target("webhook")], anqicms_run_id="night-7")
    run = play(default_player, fleet, *BATCHES)
    assert run.status == 2 and events(robots) == ["start", "failed"], run.output
    assert outcomes(robots) == {"h1": "failed", "h2": "not_touched", "h3": "not_touched"}
    assert "resume with -e anqicms_resume=night-7" in "\n".join(robots.received[-1].payload["lines"])


def test_a_host_that_is_lost(default_player: Player, make_fleet: Maker, robots: Robots, tmp_path: Path) -> None:
    fleet = make_fleet(2)
    tell(fleet, [robots.target("webhook", events="start,lost"), robots.target("slack", events=["finished"])])
    run = play(default_player, fleet, *BATCHES, *make_unreachable(fleet, "h1", tmp_path))
    assert run.status != 0 and events(robots) == ["start", "lost"], run.output
    assert outcomes(robots) == {"h1": "lost", "h2": "not_touched"}
    assert len(robots.received) == 2


def test_no_plan_and_no_refused_run_is_notified_as_started(
    default_player: Player, make_fleet: Maker, robots: Robots
) -> None:
    fleet = make_fleet(1)
    tell(fleet, [robots.target("webhook")])
    run = play(default_player, fleet, "--check")
    assert run.status == 0 and robots.received == [], run.output
    (fleet.hosts[0].instances[0].dir / "config.json").unlink()
    run = play(default_player, fleet)
    assert run.status == 2 and "start" not in events(robots), run.output


def test_none_that_does_not_work_harms_a_run(default_player: Player, make_fleet: Maker, robots: Robots) -> None:
    """Each is said below the closing table, and the one that works gets its messages."""
    fleet = make_fleet(1)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{closed.getsockname()[1]}/send?access_token={TOKEN}"
        bad = [
            {"type": "slack", "url": dead},
            robots.target("feishu", "hanging", timeout=2),
            robots.target("webhook", "refusing"),
            robots.target("wecom", "redirecting"),
            robots.target("dingtalk", "huge"),
            robots.target("dingtalk", "echoing"),
            robots.target("slack", "echoing_status"),
        ]
        tell(fleet, [*({**target, "events": ["finished"]} for target in bad), robots.target("webhook")])
        run = play(default_player, fleet, "-e", "anqicms_stable_for=0.1")
    assert run.status == 0 and run.outcomes == {"h1": ["done"]}, run.output
    lines = run.output.splitlines()
    told = [number for number, line in enumerate(lines) if line.startswith(NOT_SENT)]
    assert len(told) == len(bad), run.output
    assert next(number for number, line in enumerate(lines) if line.startswith("Result: ")) < told[0]
    for reason in (
        "Connection refused",
        "no answer within 2 s",
        "HTTP 500",
        "HTTP 302",
        "HTTP 404",
        "robot: /dingtalk",
    ):
        assert any(reason in lines[number] for number in told), (reason, run.output)
    assert [one.payload.get("event") for one in robots.received if one.kind == "webhook"].count("start") == 1
    assert "redirected" not in [one.kind for one in robots.received]


def test_a_wrong_entry_refuses_the_run_without_its_value(default_player: Player, make_fleet: Maker) -> None:
    fleet = make_fleet(1)
    before = fleet.instances[0].pid
    tell(fleet, [{"type": "slack", "url": f"file:///{TOKEN}"}, {"type": "fax", "url": TOKEN}])
    run = play(default_player, fleet)
    assert run.status == 2 and fleet.instances[0].pid == before, run.output
    assert "It is another value, which may be secret: entry 1: url must be an address" in run.output, run.output


def test_messages_of_plays_of_ones_own(
    default_player: Player, make_fleet: Maker, robots: Robots, tmp_path: Path
) -> None:
    """By the role with a text, and by the module with the records of a run."""
    fleet = make_fleet(1)
    tell(fleet, [robots.target("webhook"), robots.target("slack", "refusing")], anqicms_language="en")
    results = {"web1": {"0123abcd-a": {"outcome": "failed", "failed": True, "run_id": "night-7", "reason": "{{ 1 }}"}}}
    role = {"role": "anqicms.lifecycle.notify", "anqicms_notify_event": "start", "anqicms_notify_text": "@all: {# a #}"}
    task = {"name": "Result", "anqicms.lifecycle.notify": {"event": "failed", "document": results}, "run_once": True}
    path = tmp_path / "mine.yml"
    whole = {"hosts": "anqicms", "gather_facts": False, "roles": [role], "tasks": [task]}
    path.write_text(json.dumps([whole]).replace("{{ 1 }}", "{% raw %}{{ 1 }}{% endraw %}").replace("{# a #}", "soon"))
    run = play(default_player, fleet, "--check", verb=str(path))
    assert run.status == 0 and robots.received == [], run.output
    run = play(default_player, fleet, verb=str(path))
    assert run.status == 0, run.output
    assert run.output.count(NOT_SENT) >= 2 and "HTTP 500" in run.output
    first, second = (one.payload for one in robots.received if one.kind == "webhook")
    assert (first["event"], first["text"]) == ("start", "@all: soon")
    assert (second["event"], second["run_id"], second["instances"][0]["reason"]) == ("failed", "night-7", "{{ 1 }}")
    run = play(default_player, fleet, "-e", "anqicms_notify_text=", verb=str(path))
    assert run.status == 2 and "Neither is set" in run.output, run.output
