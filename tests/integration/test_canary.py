# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When an upgrade asks after a batch, and which earlier run it takes for its canary."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import paths
import pytest

sys.path.insert(0, str(paths.link_tree()))

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _canary

NEW, OLD = "3.5.8", "3.5.7"


def run(run_id: str, after: str | None = NEW, stands: bool = True, changes: str = "launch release") -> dict[str, Any]:
    return {"run_id": run_id, "version_after": after, "stands": stands, "changes": changes.split()}


def member(host: str, running: str | None = OLD, *runs: dict[str, Any], **more: Any) -> _canary.Member:
    version = {"running": running, "files": more.pop("files", running)}
    state = "running" if running else "stopped"
    instance = {"id": f"id-{host}", "version": version, "runs": list(runs), "state": state, **more}
    return _canary.Member(host, instance, NEW)


def bad(run_id: str, outcome: str = "rolled_back") -> dict[str, Any]:
    return {"badly_ended": [{"run_id": run_id, "outcome": outcome, "at": 1.0}]}


OLD1, OLD2, OLD3 = (member(f"h{number}") for number in (1, 2, 3))
DONE1, DONE2 = (member(f"h{number}", NEW, run("x")) for number in (1, 2))
BY_HAND = member("h1", NEW)


@pytest.mark.parametrize(("earlier", "batch", "later", "run_id", "left"), [
    ([], [OLD1], [OLD2, OLD3], "now", "h2 h3"),
    ([], [OLD1, OLD2], [OLD3], "now", "h3"),
    ([], [OLD1], [OLD2, member("h2"), DONE2], "now", "h2"),
    ([], [OLD1], [], "", ""),                                       # one host, or the last batch
    ([], [OLD1], [DONE2], "", ""),                                  # the others have it
    ([], [OLD1], [member("h2", None, files=NEW)], "", ""),          # stopped, but has it
    ([], [OLD1], [member("h2", None, files=OLD)], "now", "h2"),
    ([], [OLD1], [member("h2", None)], "now", "h2"),                # not known what it has
    ([OLD1], [OLD2], [OLD3], "", ""),                               # was asked before
    ([], [DONE1], [OLD2], "x", "h2"),                               # of an earlier run, and nobody has said yes
    ([DONE1], [OLD2], [OLD3], "", ""),
    ([], [DONE1, OLD2], [OLD3], "now", "h3"),
    ([], [BY_HAND], [OLD2], "", ""),                                # nobody's canary
    ([BY_HAND], [OLD2], [OLD3], "now", "h3"),
    ([], [], [OLD2], "", ""),                                       # its hosts were left out, or have no instances
    ([], [member("h1", NEW, run("x", stands=False))], [OLD2], "", ""),
    ([], [member("h1", NEW, run("c", changes="config"), run("x"))], [OLD2], "x", "h2"),
    ([], [member("h1", NEW, run("z", "3.5.9"), run("y"), run("x"))], [OLD2], "y", "h2"),
])  # fmt: skip
def test_question(earlier: Any, batch: Any, later: Any, run_id: str, left: str) -> None:
    asked = _canary.question(earlier, batch, later, "now")
    assert (asked.run_id, " ".join(asked.left)) == (run_id, left) if asked else not left


@pytest.mark.parametrize(
    "batch, canaries, expected",
    [
        ("h1", "", "/h1/h2 h3 h4"),
        ("h2 h3", "", "h1/h2 h3/h4"),
        ("h1", "h1 h2", "h1//h2 h3 h4"),  # a canary follows
        ("h2", "h1 h2", "/h1 h2/h3 h4"),
        ("h1 h2", "h1 h2", "/h1 h2/h3 h4"),
        ("h3", "h1 h2", "h1 h2/h3/h4"),
        ("h4", "h1 h2 h3 h4", "/h1 h2 h3 h4/"),
        ("h1", "x9", "/h1/h2 h3 h4"),  # none of this run
    ],
)
def test_hosts_of_the_canary(batch: str, canaries: str, expected: str) -> None:
    found = _canary.parts(["h1", "h2", "h3", "h4"], batch.split(), canaries.split())
    assert "/".join(" ".join(part) for part in found) == expected


def test_after_the_canary_the_other_hosts_are_not_read() -> None:
    """With many batches, reading all of them after each one would be quadratic."""

    read: list[_canary.Member] = []

    def reading(*members: _canary.Member) -> Iterator[_canary.Member]:
        for member in members:
            read.append(member)
            yield member

    assert _canary.question(reading(OLD1, OLD1), reading(OLD1), reading(OLD1), "now") is None
    assert read == [OLD1]


def test_what_is_said() -> None:
    asked = _canary.question([], [OLD1], [OLD2, OLD3], "night {{ 7 }}")
    assert asked is not None
    lines = [*_canary.seen(asked), *_canary.how_to_go_on(asked)]
    assert lines[:2] == [r"The canary has 3.5.8, by run night {\{ 7 }}: h1", "Not upgraded yet, hosts: 2: h2, h3"]
    assert "{{" not in "".join(lines)


@pytest.mark.parametrize("members", [
    [DONE1],
    [DONE1, OLD2, OLD3],
    [DONE1, DONE2, OLD3],
    [OLD3, DONE1],
    [member("h1", NEW, run("x", "3.3.11"), run("x"))],              # one window for each hop
    [member("h1", NEW, run("x"), run("x", stands=False)), OLD2],    # the id was given twice
    [DONE1, member("h2", OLD, **bad("y"))],                         # another run has failed there
    [member("h1", NEW, run("c", changes="config"), run("x"))],
])  # fmt: skip
def test_confirmed(members: list[_canary.Member]) -> None:
    assert _canary.refusal("x", members) == ""


UNKNOWN = "No instance on the hosts of this run knows a run x that has changed it and succeeded. Known are: "


@pytest.mark.parametrize(("members", "said"), [
    ([], UNKNOWN + "none."),
    ([OLD1, OLD2], UNKNOWN + "none."),
    ([member("h1", NEW, run("y"), run("z")), OLD2], UNKNOWN + "y, z."),
    ([member("h1", NEW, run("y", stands=False))], UNKNOWN + "none."),
    ([DONE1, member("h2", OLD, **bad("x"))], "Run x did not succeed on h2 (id-h2): rolled_back."),
    ([member("h1", OLD, **bad("x", "unfinished"))], "Run x did not succeed on h1 (id-h1): unfinished."),
    ([member("h1", OLD, run("x", stands=False))], "Run x was rolled back on h1 (id-h1)."),
    ([DONE1, member("h2", OLD, run("x", stands=False))], "Run x was rolled back on h2 (id-h2)."),
    ([member("h1", "3.5.6", run("x", "3.5.6"))], "Run x has brought h1 (id-h1) to 3.5.6, and 3.5.8 is wanted."),
    ([member("h1", NEW, run("x", changes="config"))], "Run x has upgraded nothing on h1 (id-h1), and 3.5.8 is wanted."),
    ([member("h1", OLD, run("x", None))], "Run x has brought h1 (id-h1) to None, and 3.5.8 is wanted."),
    ([member("h1", OLD, run("x"))], "h1 (id-h1) does not run 3.5.8 any more: it runs 3.5.7."),
    ([member("h1", None, run("x"), files=NEW)], "h1 (id-h1) does not run 3.5.8 any more: its state is stopped."),
])  # fmt: skip
def test_refused(members: list[_canary.Member], said: str) -> None:
    assert _canary.refusal("x", members).startswith(f"anqicms_confirmed: {said} Nothing was done. ")
