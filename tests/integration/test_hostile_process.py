# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A process of the site's user that is made to be hard to look at: a look has a limit, and says what it did not see.

Needs root: the user of the site is nobody.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import hostile_program
import paths
import pytest
from instance import Instance, make_instance

sys.path.insert(0, str(paths.link_tree()))

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import watch as _death_watch
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import holders, procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import resolve
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import plan
from ansible_collections.anqicms.lifecycle.plugins.module_utils._stop import quiet

pytestmark = pytest.mark.root
NOBODY = 65534
MIB = 1 << 20
MOST_MIB, MOST_S = 100, 2.0
LOOK = """
import json, sys, time
sys.path.insert(0, sys.argv[1])
from ansible_collections.anqicms.lifecycle.plugins.module_utils._info import describe as _describe
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import instance as _instance
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import procfs as _procfs
_procfs.MOST_DESCRIPTORS = int(sys.argv[4])
begin = time.monotonic()
row = _describe.describe(_instance.resolve(sys.argv[2]), None, base=sys.argv[3], record=True)
seconds = time.monotonic() - begin
with open("/proc/self/status") as status:  # not ru_maxrss: that also counts what the parent held when it started this
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
print(json.dumps(dict(row=row, seconds=seconds, mib=peak >> 10)))
"""


@pytest.fixture
def site(place: Path) -> Instance:
    instance = make_instance(place / "www" / "shop", "3.5.8")
    hostile_program.install(instance.binary)
    subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", str(instance.dir)], check=True)
    return instance


def look(site: Instance, base: Path, seconds: float = MOST_S, limit: int = 1 << 18) -> dict[str, Any]:
    """A look in a process of its own, whose memory and time are measured."""
    words = [sys.executable, "-c", LOOK, str(paths.link_tree()), str(site.dir), str(base), str(limit)]
    told: dict[str, Any] = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout)
    assert told["mib"] < MOST_MIB and told["seconds"] < seconds, (told["mib"], told["seconds"])
    row: dict[str, Any] = told["row"]
    return row


@pytest.mark.parametrize("which,size,text", [
    ("environment", 20 * MIB, "A=b\0"), ("environment", 400 * MIB, "\udcff"), ("environment", 3 * MIB, "A" * 4000),
    ("arguments", 20 * MIB, "A=b\0"), ("arguments", 400 * MIB, "-port=1\0"), ("arguments", 0, ""),
])  # fmt: skip
def test_arguments_and_environment_of_any_size(site: Instance, place: Path, which: str, size: int, text: str) -> None:
    text = text.replace("\0", "\n") or "x"  # execve ends words at NUL: the program gets another sign for it
    program = hostile_program.LARGE.replace(
        "sys.argv[3].encode()", "sys.argv[3].encode(errors='surrogateescape').replace(b'\\n', b'\\0')"
    )
    with hostile_program.running(site.binary, program, [which, str(size), text]) as process:
        row = look(site, place / "state")
        assert row["pids"] == [process.pid] and row["launch"] is None
        assert "cannot be used as a template for a start" in json.dumps(row["hazards"]), row["hazards"]
        assert not list((place / "state").glob("*/launch.json"))
        with pytest.raises(LifecycleError, match=r"no earlier record of how it ran\. Nothing was stopped"):
            planned(site, place / "state")


def planned(site: Instance, base: Path) -> Any:
    instance = resolve(str(site.dir))
    context = Context(instance, state.StateDir(instance, str(base)))
    try:
        context.look()
        return plan.choose_record(context, {})
    finally:
        context.close()


def test_an_earlier_record_serves_a_process_that_has_become_too_large(site: Instance, place: Path) -> None:
    with hostile_program.running(site.binary, "import time; print('ready', flush=True); time.sleep(600)"):
        assert look(site, place / "state")["launch"]["environment"]["PATH"] == "/usr/bin:/bin"
    with hostile_program.running(site.binary, hostile_program.LARGE, ["environment", str(20 * MIB), "A"]):
        look(site, place / "state")
        record = planned(site, place / "state")
    assert record.environment == {"PATH": "/usr/bin:/bin", "PYTHONHOME": "/usr"} and record.uid == NOBODY


@pytest.mark.parametrize("limit", [100000, 2000])
def test_many_open_files(site: Instance, place: Path, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the limit its sockets are unknown, not none: it is not told to be without a listener."""
    monkeypatch.setattr(procfs, "MOST_DESCRIPTORS", limit)
    with hostile_program.running(site.binary, hostile_program.MANY_FILES, ["5000", str(site.port)]) as process:
        whole = limit > 5000
        found = holders.holders(site.port)
        assert found[0]["pid"] == (process.pid if whole else None), found
        row = look(site, place / "state", limit=limit)
        assert row["pids"] == [process.pid] and row["state"] == ("running" if whole else "ambiguous"), row
        assert row["listening"] is (True if whole else None)
        with procfs.ProcDir(process.pid) as proc:
            assert quiet.look(proc, str(site.dir)).known is whole
            assert holders.owns_listener(proc, site.port) is (True if whole else None)


def test_a_look_at_the_files_of_all_processes_is_given_up(site: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holders, "_LOOK_S", -1.0)
    with hostile_program.running(site.binary, hostile_program.MANY_FILES, ["20", str(site.port)]):
        assert "is not known" in holders.holders(site.port)[0]["note"]


def test_looks_keep_no_descriptors_and_no_memory(site: Instance, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The event source looks for weeks."""
    monkeypatch.setattr(_death_watch, "trusted_readings", lambda since, until: [])
    settings = {"instances": [{"dir": str(site.dir)}], "state_dir": str(place / "state")}
    watch, held, sizes = _death_watch.Watch(settings, lambda row: None), [], []
    for round_ in range(60):
        with hostile_program.running(site.binary, "print('ready', flush=True); import time; time.sleep(600)"):
            watch.tick_at = watch.beat_at = watch.find_at = 0.0
            watch.work()
            held.append(len(os.listdir("/proc/self/fd")))
        for entry in watch.watched.values():
            entry.look()
            entry.due = 0.0
        if round_ in (20, 59):
            sizes.append(int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize())
    for entry in watch.watched.values():
        entry.close()
    assert held[20] == held[59], held
    assert sizes[1] - sizes[0] < 8 * MIB, sizes


def test_many_processes_of_one_instance(site: Instance, place: Path) -> None:
    with hostile_program.running(site.binary, hostile_program.MANY_PROCESSES, ["300"]):
        row = look(site, place / "state", seconds=5.0)
        assert row["state"] == "ambiguous" and 2 <= len(row["pids"]) <= 50
        with pytest.raises(LifecycleError, match="processes match instance") as told:
            planned(site, place / "state")
        assert len(str(told.value)) < 8000
