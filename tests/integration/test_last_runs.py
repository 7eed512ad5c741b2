# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What runs leave on a host, and their plans: as several users, in namespaces, and where nothing can be written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Iterator, Sequence

import pytest
import windows
from instance import Instance, make_instance
from integration.layouts import WWW, as_user, give

from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import task_of_run
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._info import describe
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import resolve

Site = Callable[..., Instance]
Row = dict[str, Any]
PLAN: Row = {"run_id": "night", "verb": "restart", "resumes": None, "fleet": ["h1", "h2"], "only": [], "found": False}


def look(shop: Instance, record: bool = False, plan: Row | None = None) -> Row:
    base = str(shop.dir.parent / "state")
    return describe.describe(resolve(str(shop.dir)), base=base, record=record, plan=plan)


def said(row: Row, *keys: str) -> list[Any]:
    return [row["last_runs"][0][key] for key in keys]


def test_a_window_leaves_its_outcome_and_its_process(site: Site) -> None:
    shop = site()
    assert look(shop)["last_runs"] == []
    windows.run(shop, run_id="night")
    row = look(shop)
    assert said(row, "run_id", "outcome", "step", "pid", "version", "as_left") == [
        "night",
        "done",
        None,
        shop.pid,
        shop.version,
        True,
    ]
    assert row["last_runs"][0]["began_at"] < row["last_runs"][0]["ended_at"]
    shop.kill()
    assert said(look(shop), "outcome", "as_left") == ["done", False]
    shop.start()
    assert said(look(shop), "outcome", "as_left") == ["done", False]


def test_a_window_that_lost_its_worker_and_its_guardian(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = site()
    for both, wanted in ((False, "recovered"), (True, "unfinished")):
        context, plan = windows.context_of(shop), windows.plan_of(windows.RESTART, run_id=wanted)
        with monkeypatch.context() as patch:
            windows.Killer(windows.at("step", name="verified_start"), both=both).install(patch)
            windows.wait(context, plan, windows.begin(context, plan))
        row = look(shop)
        assert said(row, "run_id", "outcome", "step") == [wanted, wanted, "verified_start"]
        assert said(row, "as_left") == [None]
    windows.run(shop, [], run_id="repair")
    assert said(look(shop), "verb", "outcome") == ["recover", "done"]


def test_a_window_at_work_is_under_way(site: Site) -> None:
    shop = site(start_delay_ms=1500)
    context, plan = windows.context_of(shop), windows.plan_of(windows.RESTART, run_id="night")
    pipe = windows.begin(context, plan)
    windows.within(20, lambda: bool(windows.at_event(context, "step", name="verified_start")))
    assert said(look(shop), "outcome", "step", "as_left") == ["under_way", "verified_start", None]
    windows.wait(context, plan, pipe)
    assert said(look(shop), "outcome", "step", "as_left") == ["done", None, True]


def test_tasks_leave_what_came_of_them(site: Site) -> None:
    shop = site()
    state = windows.context_of(shop).state
    state.make()
    params = {"run_id": "down", "run_steps": ["graceful_stop", "port_released"]}

    def stop() -> Row:
        shop.kill()
        return {"changed": True, "stopped": True, "version": shop.version}

    task_of_run.of_run(params, "graceful_stop", state, stop)
    assert said(look(shop), "run_id", "outcome", "as_left") == ["down", "unknown", True]
    with pytest.raises(LifecycleError):
        task_of_run.of_run(params, "port_released", state, _refuse)
    assert said(look(shop), "outcome", "step") == ["failed", "port_released"]
    task_of_run.of_run({"run_id": None}, "port_released", state, dict)
    assert len(look(shop)["last_runs"]) == 1, "a task that is of no run leaves nothing"


def _refuse() -> Row:
    raise LifecycleError("the port is held")


# --- plans


def test_a_look_of_a_changing_run_records_its_plan(site: Site) -> None:
    shop = site()
    look(shop, record=False, plan=PLAN)
    assert not (shop.dir.parent / "state").exists(), "check mode"
    look(shop, record=True)
    assert look(shop)["planned"] == []
    look(shop, record=True, plan=PLAN)
    (plan,) = look(shop)["planned"]
    assert {key: plan[key] for key in ("run_id", "verb", "version", "begun", "fleet")} == {
        "run_id": "night",
        "verb": "restart",
        "version": shop.version,
        "begun": False,
        "fleet": ["h1", "h2"],
    }
    windows.run(shop, run_id="night")
    row = look(shop)
    assert (row["planned"][0]["begun"], said(row, "verb")) == (True, ["restart"])


def test_a_stopped_instance_that_nobody_has_seen_is_planned_too(site: Site) -> None:
    shop = site(start=False)
    look(shop, record=True, plan=dict(PLAN, verb="start"))
    assert [plan["verb"] for plan in look(shop)["planned"]] == ["start"]


def test_a_damaged_plan_keeps_no_run_from_its_work(site: Site) -> None:
    shop = site()
    look(shop, record=True, plan=PLAN)
    (path,) = (shop.dir.parent / "state").glob("*/planned.jsonl")
    path.write_text(json.dumps(dict(json.loads(path.read_text()), format=9)) + "\n")
    row = look(shop, record=True, plan=PLAN)
    assert row["planned"] is None
    texts = [hazard["message"] for hazard in row["hazards"] if hazard["code"] == "not_all_seen"]
    assert any("planned.jsonl line 1 has format 9" in text for text in texts), texts
    assert any("this plan was not recorded" in text for text in texts), texts
    assert windows.run(shop)["outcome"] == "done"


# --- users, namespaces, and disks: each in a process of its own

CODE = """
import json, sys
from pathlib import Path
sys.path[:0] = json.loads(sys.argv[1])
import windows
from instance import Instance
from integration import test_last_runs as here
shop = Instance(Path(sys.argv[2]), '3.5.8', 0, '')
if 'window' in sys.argv[3:]:
    windows.run(shop, run_id='night')
print(json.dumps(here.look(shop, 'record' in sys.argv[3:], here.PLAN if 'record' in sys.argv[3:] else None)))
"""


def elsewhere(shop: Instance, *what: str, uid: int = 0, before: Sequence[str] = ()) -> Row:
    argv = [*before, *as_user(uid), sys.executable, "-c", CODE, json.dumps(sys.path), str(shop.dir), *what]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.fixture
def of_www(place: Path) -> Iterator[Instance]:
    """An instance whose files and process are those of www-data, below a directory of its own."""
    made = make_instance(place / "shop", "3.5.8")
    made.knobs(no_database=True)
    give(place, WWW)
    text = f"cd {made.dir} && nohup {made.binary} >> {made.log} 2>&1 &"
    subprocess.run([*as_user(WWW), "/bin/sh", "-c", text], check=True, stdin=subprocess.DEVNULL)
    made.wait_ready()
    yield made
    made.kill()


@pytest.mark.root
@pytest.mark.parametrize("hidden", [False, True], ids=["", "hidepid"])
def test_another_user_than_root(of_www: Instance, hidden: bool) -> None:
    script = "mount -t proc -o hidepid=2 proc /proc && exec \"$@\"" if hidden else 'exec "$@"'
    space = ["unshare", "--mount", "/bin/sh", "-c", script, "sh"]
    row = elsewhere(of_www, "window", "record", uid=WWW, before=space)
    assert said(row, "run_id", "outcome", "pid", "as_left") == ["night", "done", of_www.pid, True]
    assert [plan["run_id"] for plan in elsewhere(of_www, uid=WWW, before=space)["planned"]] == ["night"]


@pytest.mark.root
def test_from_another_pid_namespace_nothing_is_taken_for_changed(of_www: Instance) -> None:
    os.chown(of_www.dir.parent, 0, 0)
    windows.run(of_www, run_id="night")
    row = elsewhere(of_www, before=["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"])
    assert row["pids"] == [] and said(row, "outcome", "as_left") == ["done", None]
    assert said(look(of_www), "as_left") == [True]


@pytest.mark.root
@pytest.mark.parametrize("options", ["size=64k,ro", "nr_inodes=1"])
def test_where_nothing_can_be_written(of_www: Instance, options: str) -> None:
    """A finding of the look, which else is whole."""
    os.chown(of_www.dir.parent, 0, 0)
    state = of_www.dir.parent / "state"
    state.mkdir()
    script = f'mount -t tmpfs -o mode=755,{options} tmpfs {state}; exec "$@"'
    row = elsewhere(of_www, "record", before=["unshare", "--mount", "/bin/sh", "-c", script, "sh"])
    texts = [hazard["message"] for hazard in row["hazards"] if hazard["code"] == "not_all_seen"]
    assert any("this plan was not recorded, so a resume may not know the instance: " in text for text in texts), texts
    assert (row["state"], row["pids"]) == ("running", [of_www.pid])
