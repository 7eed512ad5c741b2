# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bytes and characters that anybody on a host may choose: every result arrives, printable, and hides nobody."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paths
import pytest
import windows
from instance import Instance, make_instance

sys.path.insert(0, str(paths.link_tree()))

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import watch as _death_watch
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import cron, files, names, printable
from ansible_collections.anqicms.lifecycle.plugins.module_utils._info import describe
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import discovery, supervisors
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state as _state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import found, resolve

Row = dict[str, Any]
CORES = ["2.16", "2.19", "2.21"]
ODD = b"\xff\x1b[31m\xc2\x9b\xe2\x80\xae\xe4\xb8\xad"  # no UTF-8, ESC, C1, an override, and Chinese
SHOWN = "\\xff\\x1b[31m\\x9b\\u202e中"
FORBIDDEN = ("\x1b", "\x9b", "\u202e", "\udcff")


@pytest.fixture
def odd(place: Path) -> Iterator[Path]:
    """An install directory whose program runs as another user, with such bytes wherever he can put them."""
    directory = place / "odd.example"
    directory.mkdir()
    (directory / "config.json").write_text("{}")
    shutil.copy("/bin/sleep", directory / "anqicms")
    (directory / "running.log").write_bytes(b"panic: " + ODD + b"\n")
    (directory / "data" / "backup").mkdir(parents=True)
    backup = Path(os.fsdecode(os.fsencode(directory) + b"/data/backup/" + ODD + b".sql"))
    backup.write_text("cut")
    os.utime(backup, (1, 1))  # not being written any more
    user: Row = dict(user=65534, group=65534, extra_groups=[]) if os.geteuid() == 0 else {}
    if user:
        subprocess.run(["chown", "-R", "65534:65534", str(directory)], check=True)
    process = subprocess.Popen([b"./anqicms", b"3600"], cwd=directory, env={b"X" + ODD: ODD, b"LANG": ODD}, **user)
    yield directory
    process.kill()
    process.wait()


def module(core: str, name: str, *words: str, **values: Any) -> subprocess.CompletedProcess[str]:
    program = paths.VENVS / f"core-{core}" / "bin" / "ansible"
    if not program.exists():
        pytest.skip(f"ansible-core {core} is not there")
    env = dict(
        paths.private_env(),
        ANSIBLE_LOAD_CALLBACK_PLUGINS="1",
        ANSIBLE_DEPRECATION_WARNINGS="0",
        ANSIBLE_STDOUT_CALLBACK="ansible.builtin.minimal",
        ANSIBLE_PYTHON_INTERPRETER=sys.executable,
    )
    return subprocess.run(
        [
            str(program),
            "localhost",
            "-i",
            "localhost,",
            "-c",
            "local",
            "-m",
            "anqicms.lifecycle." + name,
            "-a",
            json.dumps(values),
            *words,
        ],
        env=env,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def result_of(done: subprocess.CompletedProcess[str]) -> Row:
    assert "=> {" in done.stdout, done.stdout + done.stderr
    assert not [mark for mark in FORBIDDEN if mark in done.stdout]
    return dict(json.loads(done.stdout[done.stdout.index("=> {") + 3 : done.stdout.rindex("}") + 1]))


def rows_below(place: Path, result: Row) -> dict[str, Row]:
    return {row["dir"]: row for row in result["instances"] if row["dir"].startswith(str(place))}


# --- through Ansible


@pytest.mark.parametrize("core", CORES)
def test_a_process_with_such_bytes_is_shown_and_hides_nobody(odd: Path, place: Path, core: str) -> None:
    good = make_instance(place / "good.example", "3.5.8")
    hostile = Path(os.fsdecode(os.fsencode(place) + b"/x" + ODD))
    shutil.copytree(good.dir, hostile)
    values = dict(search=[str(place)], state_dir=str(place / "state"), recorded=True)
    first = rows_below(place, result_of(module(core, "instance_info", **values)))
    assert set(first) == {str(good.dir), str(odd), f"{place}/x{SHOWN}"}
    assert first[str(odd)]["launch"]["environment"] == {"X" + SHOWN: "********", "LANG": SHOWN}
    assert any(SHOWN in hazard["message"] for hazard in first[str(odd)]["hazards"])  # the backup that was cut
    row = first[f"{place}/x{SHOWN}"]
    assert [hazard["code"] for hazard in row["hazards"]] == ["not_described"] and "cannot be shown" in row["foreign"]
    again = rows_below(place, result_of(module(core, "instance_info", **values)))  # now with the launch record
    assert set(again) == set(first)


@pytest.mark.parametrize("core", CORES)
def test_a_failure_with_such_bytes_arrives(odd: Path, core: str) -> None:
    done = module(core, "graceful_stop", dir=str(odd), binary="anq\x1b[31m")
    assert done.returncode == 2 and "Rename it" in result_of(done)["msg"]


@pytest.mark.parametrize("core", CORES)
def test_short_secrets_leave_numbers_alone_and_long_ones_are_masked(tmp_path: Path, core: str) -> None:
    site = make_instance(tmp_path / "shop.example", "3.5.8")
    site.knobs(no_database=True)
    before = site.start()
    site.knobs(no_database=True, says="token hunter22-secret", exit_code=3)
    environment = {"GOMAXPROCS": "1", "GOGC": "100", "N": 2, "MODE": "failed", "TOKEN": "hunter22-secret"}
    steps = [{"graceful_stop": {}}, {"verified_start": {"environment": environment}}]
    values = dict(dir=str(site.dir), state_dir=str(tmp_path / "state"), on_failure="leave", steps=steps)
    try:
        done = module(core, "window", "-vvv", **values)
        result = result_of(done)
    finally:
        site.kill()
    assert result["pid_before"] == before and result["outcome"] == "failed" and result["steps"][0]["changed"] is True
    assert "hunter22" not in done.stdout and "token ********" in done.stdout
    if "invocation" in result:  # the newest core shows it nowhere
        options = result["invocation"]["module_args"]["steps"]
        assert options == [{"graceful_stop": {}}, {"verified_start": {"environment": "********"}}]


def test_steps_that_are_misspelt_show_no_secret(tmp_path: Path) -> None:
    site = make_instance(tmp_path / "shop.example", "3.5.8")
    for step in (
        {"verified_start": {"enviroment": {"T": "hunter22"}}},
        {"verified_start": "environment=T=hunter22"},
        {"start": {"environment": {"T": "hunter22"}}},
        {"verified_start": {"environment": "T=hunter22 x"}},
    ):
        done = module("2.21", "window", "-vvv", dir=str(site.dir), steps=[step], state_dir=str(tmp_path / "state"))
        shown = done.stdout[done.stdout.index("=> {") :]
        assert done.returncode == 2 and "hunter22" not in shown


def test_the_call_of_a_window_is_logged_without_its_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    testing = pytest.importorskip("ansible.module_utils.testing")
    from ansible.module_utils.basic import AnsibleModule

    from ansible_collections.anqicms.lifecycle.plugins.modules import window

    logged: list[str] = []
    monkeypatch.setattr(AnsibleModule, "log", lambda self, msg, log_args=None: logged.append(msg))
    steps = [{"verified_start": {"environment": {"T": "hunter22"}}}]
    with testing.patch_module_args({"dir": "/does/not/exist", "steps": steps}), pytest.raises(SystemExit):
        window.main()
    assert logged and "/does/not/exist" in logged[0] and "hunter22" not in logged[0]


# --- sources that belong to the machine, in this process


def describe_all(place: Path, **options: Any) -> dict[str, Row]:
    rows = printable.value(describe.describe_all([str(place)], base=str(place / "state"), **options))
    json.dumps(rows, ensure_ascii=False).encode("utf-8")
    return rows_below(place, {"instances": rows})


def test_the_launch_record_keeps_what_was_read(odd: Path, place: Path) -> None:
    describe_all(place, record=True)
    record = _state.StateDir(resolve(str(odd)), str(place / "state")).read_json("launch.json")
    assert record and os.fsencode(record["environment"]["LANG"]) == ODD
    assert b"X" + ODD in map(os.fsencode, record["environment"])


@pytest.mark.parametrize("line", [ODD + b"\0/start.sh", ODD * 500, b"[" * 5000, b"/a\0b/start.sh && cd /x\0"])
def test_crontab_lines(odd: Path, place: Path, monkeypatch: pytest.MonkeyPatch, line: bytes) -> None:
    spool = place / "spool"
    spool.mkdir()
    (spool / "evil").write_bytes(b"* * * * * " + line + b" " + os.fsencode(odd) + b"/start.sh\n")
    Path(os.fsdecode(os.fsencode(spool) + b"/" + ODD)).write_bytes(b"* * * * * /x/start.sh\n")
    monkeypatch.setattr(cron, "SPOOLS", (str(spool),))
    assert str(odd) in describe_all(place)


def test_unit_files_user_names_and_what_is_broken_in_looking(
    odd: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    units = place / "units"
    units.mkdir()
    (units / "a.service").write_bytes(b"[Service]\nExecStart=" + os.fsencode(odd) + b"/anqicms " + ODD + b"\n")
    monkeypatch.setattr(supervisors, "UNIT_DIRS", (str(units),))
    monkeypatch.setattr(names, "user_name", lambda uid: os.fsdecode(ODD))
    assert describe_all(place)[str(odd)]["user"] == SHOWN

    def broken(*dummy: Any) -> Any:
        raise RecursionError("too deep")

    monkeypatch.setattr(cron, "read_all", broken)
    row = describe_all(place)[str(odd)]
    assert "RecursionError: too deep" in json.dumps(row["hazards"])


@pytest.mark.parametrize(
    "trouble",
    [
        ValueError("odd \udcff"),
        OverflowError("big"),
        RecursionError("deep"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "odd"),
        OSError(errno.EIO, "EIO"),
    ],
)
def test_one_that_breaks_a_look_is_a_row(
    odd: Path, place: Path, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    good = make_instance(place / "good.example", "3.5.8")
    original = files.InstallDir.__init__

    def init(self: files.InstallDir, path: str) -> None:
        if path == str(odd):
            raise trouble
        original(self, path)

    monkeypatch.setattr(files.InstallDir, "__init__", init)
    rows = describe_all(place)
    assert rows[str(good.dir)]["state"] == "stopped"
    assert type(trouble).__name__ in rows[str(odd)]["hazards"][0]["message"] and rows[str(odd)]["pids"]


@pytest.mark.parametrize("number", [errno.ESTALE, errno.EIO])
def test_a_file_system_that_fails_is_a_row(
    odd: Path, place: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    good = make_instance(place / "good.example", "3.5.8")
    original = os.lstat

    def lstat(path: Any, **options: Any) -> os.stat_result:
        if str(path).startswith(str(odd)):
            raise OSError(number, os.strerror(number), path)
        return original(path, **options)

    monkeypatch.setattr(os, "lstat", lstat)
    rows = describe_all(place)
    assert rows[str(good.dir)]["state"] == "stopped"
    assert os.strerror(number) in rows[str(odd)]["hazards"][0]["message"]


def test_a_directory_that_was_removed_under_its_process_is_a_row(odd: Path, place: Path) -> None:
    pids = describe_all(place)[str(odd)]["pids"]
    shutil.rmtree(odd)
    row = describe_all(place)[str(odd)]
    assert row["pids"] == pids and "does not exist" in row["hazards"][0]["message"] and row["foreign"]


def test_an_unfinished_run_of_a_directory_that_is_away_is_a_row(
    site: Callable[..., Instance], place: Path, tmp_path: Path
) -> None:
    one = site(start=False)
    state = _state.StateDir(resolve(str(one.dir)), str(place / "state"))
    state.make()
    state.write_json("instance.json", dict(dir=str(one.dir), binary="anqicms"))
    state.log("begin", run_id="r1", token="t", steps=[])
    one.dir.rename(tmp_path / "away")
    rows = [row for row in describe.describe_all([], base=str(place / "state")) if row["dir"] == str(one.dir)]
    assert rows and rows[0]["interrupted"]["run_id"] == "r1"


@pytest.mark.root
def test_a_program_too_deep_for_a_path_hides_nobody(odd: Path, place: Path) -> None:
    code = (
        "import os,shutil,sys\n"
        "for n in range(20):\n os.mkdir('d'*250); os.chdir('d'*250)\n"
        "shutil.copy('/bin/sleep','anqicms'); print(1, flush=True)\nos.execv('./anqicms', ['anqicms','60'])\n"
    )
    deep = subprocess.Popen([sys.executable, "-c", code], cwd=place, stdout=subprocess.PIPE)
    try:
        assert deep.stdout is not None and deep.stdout.readline() == b"1\n"
        assert windows.within(5, lambda: b"sleep" not in Path(f"/proc/{deep.pid}/cmdline").read_bytes())
        assert describe_all(place)[str(odd)]["pids"]
    finally:
        deep.kill()
        deep.wait()
        subprocess.run(["rm", "-rf", str(place / ("d" * 250))], check=False)


@pytest.mark.root
def test_a_file_system_that_hangs_is_a_row(odd: Path, place: Path) -> None:
    """Its process goes on, its records are there, it is named by the search: none of them makes the look hang."""
    if not os.access("/dev/fuse", os.W_OK):
        pytest.skip("there is no /dev/fuse")
    good = make_instance(place / "good.example", "3.5.8")
    describe_all(place, record=True)
    script = paths.ROOT / "tests" / "hanging_mount.py"
    places = [paths.link_tree(), place, place / "state", odd]
    done = subprocess.run(
        ["unshare", "-m", sys.executable, str(script), *map(str, places)],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = rows_below(place, {"instances": json.loads(done.stdout)})
    assert rows[str(good.dir)]["state"] == "stopped"
    assert "did not answer within 2 s" in rows[str(odd)]["hazards"][0]["message"]
    assert rows[str(odd)]["foreign"] == "its file system does not answer"


def test_one_that_breaks_the_watch_is_noted_once_and_the_others_are_watched(
    odd: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = make_instance(place / "good.example", "3.5.8")
    lines: list[Row] = []
    original = _death_watch.Watched.find

    def find(watched: _death_watch.Watched) -> bool:
        if watched.instance.dir == str(odd):
            raise ValueError("odd \udcff")
        return original(watched)

    monkeypatch.setattr(_death_watch.Watched, "find", find)
    listed = [{"dir": str(odd)}, {"dir": str(place / "missing")}, {"dir": str(good.dir)}]
    watch = _death_watch.Watch({"instances": listed, "state_dir": str(place / "state")}, lines.append)
    for _round in range(2):
        watch.find_at = watch.tick_at = 0.0
        watch.watched.clear()
        watch.work()
    notes = [line["text"] for line in lines if line["what"] == "note"]
    assert len(notes) == 2 and notes[0].startswith(f"{odd}: ValueError: odd") and "missing" in notes[1]
    assert [entry.instance.dir for entry in watch.watched.values()] == [str(good.dir)]


# --- what is refused


@pytest.mark.parametrize("name", [ODD, b"a\nb", b"a\tb", b"\xe2\x80\xae", b"\x7f"])
def test_a_directory_that_cannot_be_shown_is_refused(tmp_path: Path, name: bytes) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/" + name)
    os.mkdir(path)
    with pytest.raises(LifecycleError, match="Rename it"):
        resolve(path)
    link = tmp_path / "plain"
    link.symlink_to(path)
    with pytest.raises(LifecycleError, match="Rename it"):
        resolve(str(link))
    with pytest.raises(LifecycleError, match="Rename it"):
        resolve(str(tmp_path), os.fsdecode(name))
    assert found(path, "anqicms").dir == path


@pytest.mark.parametrize("name", ["商店", "a b", "é\u3000", "{{ x }}"])
def test_other_directories_are_not(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    assert resolve(str(tmp_path / name)).dir == str(tmp_path / name)


def test_one_way_of_looking_that_breaks_is_told() -> None:
    problems: list[str] = []

    def broken() -> list[int]:
        raise ValueError("x")

    assert discovery.attempt(problems, "cron", broken, [7]) == [7] and problems == [
        "cron could not be searched for instances: ValueError: x"
    ]
