# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cases of fixtures/deaths: what the sources of one noon say, and what oom_check says of it.

What is said: `kernel` (rows of a kern.log that spans the day), `messages` (lines of a syslog that does), `ring`, `own`
(running.log: `START` begins a process, `FAILING` one that does not listen, a line with a clock is dated, any other
stays as it is), `siblings` (the same of other instances), `check` (check.log), `history` and `alive` (processes of the
instance), `others`, `signals` (of this collection), `contained`, `pid`.
What is expected: `is` (verdict and cause), and where given `incidents` (how many are listed), `causes` (of each),
`pids`, `candidates`, `says` (in the summary), `never` (not in it), `notes`, `advice` and `no_advice`.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import paths
import pytest
import yaml
from integration.noon import BEGIN, Noon, guard, kern, local, write

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import causes
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.identity import Other
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import lives as _lives
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.lives import Life

Case = dict[str, Any]
PLACE = paths.ROOT / "tests" / "fixtures" / "deaths"
TOLD = {
    "kernel",
    "messages",
    "ring",
    "own",
    "siblings",
    "check",
    "history",
    "alive",
    "others",
    "signals",
    "contained",
    "pid",
}
EXPECTED = {"name", "is", "incidents", "causes", "pids", "candidates", "says", "never", "notes", "advice", "no_advice"}


def cases() -> list[Any]:
    found = [(path.stem, case) for path in sorted(PLACE.glob("*.yml")) for case in yaml.safe_load(path.read_text())]
    return [pytest.param(case, id=f"{kind}: {case['name']}") for kind, case in found]


def lives(rows: list[Case], running: bool = False) -> list[Life]:
    return [
        Life(
            row["pid"],
            local(row["begin"]),
            time.time() if running else local(row["seen"]),
            running,
            0,
            row.get("cgroup", "/"),
        )
        for row in rows
    ]


def other(row: Case) -> Other:
    begin = local(row["begin"]) if "begin" in row else None
    return Other(
        row["name"], begin, row.get("uid"), row.get("cgroup"), tuple(lives(row.get("history", []))), row.get("pid")
    )


def own_log(directory: Path, lines: list[str]) -> str:
    text = ""
    for line in lines:
        clock, _blank, rest = line.partition(" ")
        if rest in ("START", "FAILING"):
            text += f"2026/01/31 {clock} {directory}/\n{BEGIN if rest == 'START' else ''}"
        else:
            text += f"2026/01/31 {line}\n" if clock.count(":") == 2 and clock[:1].isdigit() else f"{line}\n"
    return text


def tell(noon: Noon, case: Case) -> None:
    """The kernel's log spans the day, in a file of its own or in that of the services."""
    text = kern(*[(row[0], row[1]) for row in case.get("kernel", [])])
    if "messages" in case:
        noon.options["kernel_logs"] = [str(noon.root / "messages")]
        lines = text.splitlines() + [f"Jan 31 {line[:8]} web1 {line[9:]}" for line in case["messages"]]
        write(noon.root / "messages", "".join(line + "\n" for line in sorted(lines)))
    else:
        noon.tell(text)
    if "ring" in case:
        noon.ring(*[(row[0], row[1]) for row in case["ring"]])
    if "own" in case:
        noon.tell(None, None, own_log(noon.dir, case["own"]))
    if "check" in case:
        noon.tell(None, guard(*[(line[:8], line[9:]) for line in case["check"]]))


def siblings(noon: Noon, logs: list[list[str]]) -> list[Other]:
    made = []
    for number, lines in enumerate(logs):
        directory = noon.root / f"site{number}.example"
        directory.mkdir()
        write(directory / "running.log", own_log(directory, lines))
        made.append(Other(directory.name, None, os.geteuid(), "/", dir=str(directory)))
    return made


def know(noon: Noon, case: Case) -> None:
    noon.others(*map(other, case.get("others", [])), *siblings(noon, case.get("siblings", [])))
    if case.get("contained"):
        noon.contained()
    known = lives(case.get("history", [])) + lives([case["alive"]] if "alive" in case else [], running=True)
    if known:
        noon.patch.setattr(_lives, "lives", lambda *_: tuple(known))
    if "signals" in case:
        rows = [line.split() for line in case["signals"]]
        noon.signals(*[(clock, name, int(pid)) for clock, name, pid in rows], by="graceful_stop")


@pytest.mark.parametrize("case", cases())
def test_a_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: Case) -> None:
    assert set(case) <= TOLD | EXPECTED
    noon = Noon(tmp_path, monkeypatch)
    tell(noon, case)
    know(noon, case)
    found = noon.check(pid=case.get("pid"))
    assert [found["verdict"], found["cause"]] == case["is"], found
    deaths = found["incidents"]
    assert len(deaths) == case.get("incidents", len(deaths)), deaths
    assert [row["cause"] for row in deaths] == case.get("causes", [row["cause"] for row in deaths]), deaths
    if "pids" in case:
        assert [row["pid"] for row in deaths] == case["pids"], deaths
    if "candidates" in case:
        assert deaths[-1]["candidates"] == case["candidates"], deaths
    assert case.get("says", "") in found["summary"], found
    assert "never" not in case or case["never"] not in found["summary"], found
    assert case.get("notes", "") in " ".join(found["notes"]), found
    assert case.get("advice", "") in " ".join(found["advice"]), found
    assert "no_advice" not in case or case["no_advice"] not in " ".join(found["advice"]), found
    assert found["cause"] == causes.NOT_DEAD or found["advice"], "every verdict on a death says what to do"
