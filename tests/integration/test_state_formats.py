# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""State that outlives releases: older records are used, newer and damaged ones are refused by name and moved aside."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, Callable

import paths
import pytest
import windows
from instance import Instance

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._info import describe
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import aside, at_work, one_at_a_time, state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import resolve

Site = Callable[..., Instance]
Row = dict[str, Any]


def state_of(shop: Instance) -> state.StateDir:
    return windows.context_of(shop).state


def file_of(shop: Instance, name: str) -> Path:
    return Path(state_of(shop).path, name)


def without_formats(shop: Instance) -> None:
    """The records as they were written before formats were numbered: nothing else has changed since."""
    for path in Path(state_of(shop).path).rglob("*.json*"):
        entries = [json.loads(line) for line in path.read_text().splitlines()]
        assert all(entry.pop("format") == 1 for entry in entries), path
        lines = [json.dumps(entry) for entry in entries]
        path.write_text("\n".join(lines) + ("\n" if path.suffix == ".jsonl" else ""))


def rows_of(base: Path) -> dict[str, Row]:
    """Of all that is found on this host, what lies below the test's own directory."""
    rows = describe.describe_all([str(base)], base=str(base / "state"))
    return {Path(row["dir"]).name: row for row in rows if row["dir"].startswith(str(base))}


def codes(row: Row) -> list[str]:
    return [hazard["code"] for hazard in row["hazards"]]


# --- what is older


def test_an_unfinished_run_without_formats_is_recovered(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = site()
    windows.run(shop)
    context, plan = windows.context_of(shop), windows.plan_of(windows.RESTART, run_id="older")
    with monkeypatch.context() as patch:
        windows.Killer(windows.at("step_end", index=0), both=True).install(patch)
        windows.wait(context, plan, windows.begin(context, plan))
    assert shop.pids() == []
    without_formats(shop)
    assert at_work.interrupted(context.state)["run_id"] == "older"  # type: ignore[index]
    assert windows.run(shop, [], run_id="recovery")["recovered"] == "unfinished run older: it was started"
    assert shop.told_version() == shop.version


def test_a_stopped_instance_starts_by_a_record_without_a_format(site: Site) -> None:
    shop = site(start=False)
    shop.start(environment=dict(os.environ, OLDER="kept"))
    assert windows.run(shop, [{"graceful_stop": {}}])["state"] == "stopped"
    without_formats(shop)
    assert windows.run(shop, [{"verified_start": {"stable_for": 0.1}}])["outcome"] == "done"
    assert b"\0OLDER=kept\0" in b"\0" + Path(f"/proc/{shop.pid}/environ").read_bytes()


def test_what_is_written_is_what_the_release_before_read(site: Site) -> None:
    """A format more in each record, and nothing else: a release that knows no formats reads it."""
    shop = site()
    windows.run(shop)
    launch = json.loads(file_of(shop, "launch.json").read_text())
    assert {
        "argv",
        "environment",
        "uid",
        "gid",
        "groups",
        "umask",
        "limits",
        "nice",
        "oom_score_adj",
        "cgroups",
        "label",
        "cwd",
        "log",
        "ignores_hup",
        "format",
    } <= set(launch)
    begin = next(entry for entry in windows.journal(windows.context_of(shop)) if entry["event"] == "begin")
    assert {"run_id", "token", "steps", "before", "boot_id", "recovers", "event", "at", "monotonic"} <= set(begin)
    assert json.loads(file_of(shop, "instance.json").read_text())["dir"] == str(shop.dir)


# --- what is newer, or odd

NEWER = "written by a newer release"
DAMAGES: dict[str, tuple[str, Callable[[Row], Any], str]] = {
    "newer launch record": ("launch.json", lambda row: dict(row, format=2), f"has format 2, {NEWER}"),
    "newer journal": ("journal.jsonl", lambda row: dict(row, format=2), f"line 1 has format 2, {NEWER}"),
    "newer history": ("history.jsonl", lambda row: dict(row, format=7), f"line 1 has format 7, {NEWER}"),
    "newer name": ("instance.json", lambda row: dict(row, format=2), f"has format 2, {NEWER}"),
    "argv of numbers": ("launch.json", lambda row: dict(row, argv=[1]), "has a list as argv"),
    "odd format": ("launch.json", lambda row: dict(row, format="1"), "has the format a text"),
    "a pid as text": ("history.jsonl", lambda row: dict(row, pid="5"), "line 1 has a text as pid"),
    "before a list": ("journal.jsonl", lambda row: dict(row, event="begin", before=[1]), "has a list as before"),
    "no JSON": ("launch.json", lambda row: None, "is not JSON"),
    "nested too deep": ("journal.jsonl", lambda row: "[" * 200000, "line 1 is nested too deep"),
}


def damage(shop: Instance, name: str) -> tuple[Path, str]:
    """The file that was damaged, and what is text of it."""
    file, change, text = DAMAGES[name]
    path = file_of(shop, file)
    first, *rest = path.read_text().splitlines()
    new = change(json.loads(first))
    new = "{]" if new is None else new if isinstance(new, str) else json.dumps(new)
    path.write_text("\n".join([new, *rest]) + ("\n" if path.suffix == ".jsonl" else ""))
    return path, text


@pytest.mark.parametrize("name", DAMAGES)
def test_it_is_refused_by_name_and_hides_no_other(site: Site, tmp_path: Path, name: str) -> None:
    shop, other = site(), site(name="other.example")
    windows.run(shop)
    path, text = damage(shop, name)
    before, pid = windows.tree_of(Path(state_of(shop).path)), shop.pid
    for steps in (windows.RESTART, []):
        with pytest.raises(LifecycleError) as caught:
            windows.run(shop, steps)
        for part in (
            str(path),
            text,
            "nothing was done",
            "Update the collection",
            f"anqicms_put_aside={state_of(shop).instance.id}.",
        ):
            assert part in caught.value.msg
    rows = rows_of(tmp_path)
    damaged = next(hazard for hazard in rows["shop.example"]["hazards"] if hazard["code"] == "state_damaged")
    assert text in damaged["message"]
    assert "restart" in damaged["blocks"]
    assert (rows["shop.example"]["state"], rows["shop.example"]["pids"]) == ("running", [pid])
    assert (rows["other.example"]["state"], rows["other.example"]["pids"]) == ("running", [other.pid])
    assert "state_damaged" not in codes(rows["other.example"])
    describe.describe(resolve(str(shop.dir)), base=str(tmp_path / "state"), record=True)
    windows.context_of(shop).look()  # for those that only look, it counts as none
    assert windows.tree_of(Path(state_of(shop).path)) == before  # not even by a look, which would note who runs
    assert shop.pids() == [pid]
    assert windows.run(other)["outcome"] == "done"


def test_a_stopped_one_with_a_damaged_journal_stays_in_view(site: Site, tmp_path: Path) -> None:
    """Whether its last run ended is not known, so it is shown as one whose run did not end would be."""
    shop, other = site(), site(name="other.example")
    windows.run(shop)
    windows.run(other)
    damage(shop, "nested too deep")
    for one in (shop, other):
        one.kill()
    rows = {
        Path(row["dir"]).name: row
        for row in describe.describe_all([], base=str(tmp_path / "state"))
        if row["dir"].startswith(str(tmp_path))
    }
    assert list(rows) == ["shop.example"]
    assert "state_damaged" in codes(rows["shop.example"])


def test_a_line_torn_by_a_power_cut_is_left_out(site: Site) -> None:
    shop = site()
    windows.run(shop)
    for name in ("journal.jsonl", "history.jsonl"):
        with file_of(shop, name).open("ab") as stream:
            stream.write(b'{"pid": 5, "start_ticks": 17, "event": "beg\0\0\0\0')
    assert windows.run(shop)["outcome"] == "done"
    assert windows.run(shop)["outcome"] == "done"  # the torn line is in the middle now


# --- moved aside


def put_aside(shop: Instance, check_mode: bool = False) -> Row:
    return aside.put(windows.context_of(shop), check_mode)


@pytest.mark.parametrize("name", ["newer launch record", "newer name", "nested too deep"])
def test_moved_aside_it_is_kept_and_work_goes_on(site: Site, tmp_path: Path, name: str) -> None:
    shop = site()
    windows.run(shop)
    damage(shop, name)
    place, pid = Path(state_of(shop).path), shop.pid
    before = {path.relative_to(place): path.read_bytes() for path in place.rglob("*.json*")}
    planned = put_aside(shop, check_mode=True)
    assert (planned["outcome"], planned["changed"], place.exists()) == ("planned", True, True)
    done = put_aside(shop)
    assert (done["outcome"], done["changed"]) == ("done", True)
    kept = Path(done["kept_in"])
    assert kept.parent == place.parent
    assert str(kept) in done["msg"]
    assert {path.relative_to(kept): path.read_bytes() for path in kept.rglob("*.json*")} == before
    assert shop.pids() == [pid]
    assert windows.run(shop)["outcome"] == "done"
    rows = rows_of(tmp_path)
    assert set(rows) == {"shop.example"}
    assert not {"state_damaged", "not_all_seen"} & set(codes(rows["shop.example"]))


def test_several_do_not_collide(site: Site) -> None:
    shop = site()
    kept = set()
    for _number in range(3):
        windows.run(shop)
        kept.add(put_aside(shop)["kept_in"])
    assert len(kept) == 3
    assert all(Path(path, "launch.json").exists() for path in kept)
    nothing = put_aside(shop)
    assert (nothing["changed"], nothing["outcome"]) == (False, "unchanged")
    assert all(path in nothing["msg"] for path in kept)
    assert put_aside(shop, check_mode=True)["changed"] is False


def test_what_is_kept_is_no_instance(site: Site, tmp_path: Path) -> None:
    shop = site()
    windows.run(shop)
    damage(shop, "newer name")
    put_aside(shop)
    windows.run(shop)
    shop.kill()
    problems: list[str] = []
    assert [one.dir for one in state.recorded(str(tmp_path / "state"), problems)] == [str(shop.dir)]
    assert problems == []


def test_refused_while_a_run_is_at_work(site: Site) -> None:
    shop = site()
    context = windows.context_of(shop)
    plan = windows.plan_of([{"command": {"argv": ["sleep", "2"]}}], run_id="the-first")
    pipe = windows.begin(context, plan)
    for check_mode in (False, True):
        with pytest.raises(LifecycleError, match="in use by run the-first"):
            put_aside(shop, check_mode)
    assert windows.wait(context, plan, pipe)["outcome"] == "done"
    with one_at_a_time.held(context):
        damage(shop, "nested too deep")
        with pytest.raises(LifecycleError, match="is in use by pid %d" % os.getpid()):
            put_aside(shop)
    assert put_aside(shop)["changed"] is True


def test_an_unfinished_run_in_it_is_named(site: Site) -> None:
    shop = site()
    windows.run(shop)
    begin: dict[str, Any] = dict(run_id="lost", token="t", steps=["verified_start"], before=None)
    state_of(shop).log("begin", boot_id=procfs.boot_id(), **begin)
    assert "The unfinished run lost in it will not be recovered" in put_aside(shop)["msg"]
    assert at_work.interrupted(state_of(shop)) is None


# --- by module and playbook


def ansible(program: str, inventory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    bin_dir = paths.VENVS / "core-2.19" / "bin"
    if not (bin_dir / program).exists():
        pytest.skip("ansible-core 2.19 is not there")
    env = dict(paths.private_env([bin_dir]), ANSIBLE_SHOW_CUSTOM_STATS="1")
    return subprocess.run(
        [str(bin_dir / program), "-i", str(inventory), *words],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=180,
        check=False,
    )


@pytest.fixture
def inventory(tmp_path: Path) -> Callable[[], Path]:
    def write() -> Path:
        listed = [dict(dir=str(path)) for path in sorted(tmp_path.glob("*.example"))]
        host = dict(
            ansible_connection="local",
            ansible_python_interpreter="/usr/bin/python3",
            anqicms_state_dir=str(tmp_path / "state"),
            anqicms_instances=listed,
        )
        path = tmp_path / "hosts.json"
        path.write_text(json.dumps(dict(all=dict(children=dict(anqicms=dict(hosts=dict(web1=host)))))))
        return path

    return write


def test_the_playbook_moves_one_aside_and_recovers_the_other(
    site: Site, inventory: Callable[[], Path], tmp_path: Path
) -> None:
    shop, other = site(), site(name="other.example")
    windows.run(shop)
    windows.run(other)
    damage(shop, "newer journal")
    state_of(other).log(
        "begin", run_id="lost", token="t", steps=["verified_start"], before=None, boot_id=procfs.boot_id()
    )
    other.kill()
    recover = ("ansible-playbook", inventory(), "anqicms.lifecycle.recover")
    wrong = ansible(*recover, "-e", "anqicms_put_aside=00000000-no.example")
    assert wrong.returncode != 0
    assert "has the id that anqicms_put_aside names. Nothing was done" in " ".join(wrong.stdout.split())
    assert other.pids() == []
    done = ansible(*recover, "-e", f"anqicms_put_aside={state_of(shop).instance.id}")
    assert done.returncode == 0, done.stdout
    (kept,) = (tmp_path / "state").glob("*shop.example.aside-*")
    assert str(kept) in done.stdout
    assert other.told_version() == other.version
    assert not list((tmp_path / "state").glob("*other.example.aside-*"))
    again = ansible("ansible-playbook", inventory(), "anqicms.lifecycle.restart")
    assert again.returncode == 0, again.stdout


def test_the_module_needs_recover_only(site: Site, inventory: Callable[[], Path], tmp_path: Path) -> None:
    shop = site()
    windows.run(shop)
    call = dict(dir=str(shop.dir), state_dir=str(tmp_path / "state"), put_aside=True)
    words = ("ansible", inventory(), "web1", "-m", "anqicms.lifecycle.window", "-a")
    refused = ansible(*words, json.dumps(dict(call, steps=windows.RESTART)))
    assert "put_aside requires recover: only. Nothing was done." in refused.stdout
    assert Path(state_of(shop).path).is_dir()
    planned = ansible(*words, json.dumps(dict(call, recover="only")), "--check")
    assert "would be moved aside" in planned.stdout
    assert Path(state_of(shop).path).is_dir()
    done = ansible(*words, json.dumps(dict(call, recover="only")))
    assert '"kept_in": "' in done.stdout, done.stdout
    assert not Path(state_of(shop).path).exists()
