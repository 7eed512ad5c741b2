# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""log_check on real files and a real writer: positions, rotations, what is not opened, what fails."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Callable

import paths
import pytest
from instance import Instance
from integration.log_writing import (
    LOST,
    PANIC,
    Result,
    check,
    copy_and_truncate,
    pack,
    position,
    quiet_shop,
    rename,
    texts,
    write,
)

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs import position as _log_position
from ansible_collections.anqicms.lifecycle.plugins.module_utils._steps import logs


@pytest.fixture
def shop(site: Callable[..., Instance]) -> Instance:
    return quiet_shop(site)


@pytest.mark.parametrize("hole", [4096, 3 << 20])
def test_a_panic_right_after_a_copytruncate_is_an_error(shop: Instance, hole: int) -> None:
    """The log was cut while its writer went on where it was: its next line comes after a hole that reads as NULs."""
    since = position(shop)
    with shop.log.open("r+b") as stream:
        stream.truncate(0)
        stream.seek(hole)
        stream.write((PANIC % 1).encode())
    found = check(shop, since)
    assert [row["text"] for row in found["findings"] if row["code"] == "panic"] == ["panic: number 1"], found


# --- positions


def test_only_what_was_written_since_counts(shop: Instance) -> None:
    write(shop.log, PANIC % 1)
    token = position(shop)
    assert texts(check(shop, token)) == []
    write(shop.log, PANIC % 2)
    result = check(shop, token)
    assert texts(result) == ["panic: number 2"]
    assert (result["findings"][0]["line"], result["findings"][0]["count"]) == (204, 1)
    assert (result["verdict"], result["lost"]) == ("error", False)
    assert texts(check(shop, result["position"])) == []


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("rotate", [rename, copy_and_truncate])
def test_a_position_survives_a_rotation(shop: Instance, rotate: Callable[[Path], Path], packed: bool) -> None:
    write(shop.log, PANIC % 1)
    token = position(shop)
    write(shop.log, PANIC % 2)
    rotated = rotate(shop.log)
    if packed:
        pack(rotated)
    write(shop.log, PANIC % 3)
    result = check(shop, token)
    assert texts(result) == ["panic: number 2", "panic: number 3"]
    assert result["lost"] is False
    where = [Path(finding["file"]).name for finding in result["findings"]]
    assert where == [rotated.name + (".gz" if packed else ""), "running.log"]
    assert [finding["line"] for finding in result["findings"]] == [204, 1]


def test_a_position_survives_two_rotations_and_grown_logs(shop: Instance) -> None:
    """The new log is larger than the old one was: its size alone would not tell."""
    token = position(shop)
    write(shop.log, PANIC % 1)
    pack(rename(shop.log).rename(shop.dir / "running.log.2"))
    write(shop.log, "x\n" * 9000 + PANIC % 2)
    rename(shop.log)
    write(shop.log, "y\n" * 9000 + PANIC % 3)
    result = check(shop, token)
    assert texts(result) == ["panic: number 1", "panic: number 2", "panic: number 3"]
    assert result["lost"] is False


def test_a_position_in_an_empty_log_survives_a_rotation(site: Callable[..., Instance]) -> None:
    shop = site(start=False)
    shop.log.touch()
    token = position(shop)
    write(shop.log, PANIC % 1)
    copy_and_truncate(shop.log)
    write(shop.log, PANIC % 2)
    assert texts(check(shop, token)) == ["panic: number 1", "panic: number 2"]


def test_a_log_that_was_cut_without_a_copy_is_said_to_be_lost(shop: Instance) -> None:
    token = position(shop)
    os.truncate(shop.log, 0)
    write(shop.log, "2026/01/31 13:00:00 all is well\n" * 300)
    result = check(shop, token)
    assert (result["verdict"], result["lost"], result["findings"]) == ("unknown", True, [])
    assert "was cut or replaced since the position" in result["unread"][0]["why"]
    write(shop.log, PANIC % 1)
    assert check(shop, token)["verdict"] == "error"


def test_a_broken_archive_is_said_to_be_lost(shop: Instance) -> None:
    token = position(shop)
    rotated = rename(shop.log)
    pack(rotated)
    whole = Path(f"{rotated}.gz").read_bytes()
    Path(f"{rotated}.gz").write_bytes(whole[: len(whole) // 2])
    write(shop.log, "2026/01/31 13:00:00 all is well\n")
    assert (check(shop, token)["verdict"], check(shop, token)["lost"]) == ("unknown", True)


def test_a_writer_is_rotated_again_and_again(shop: Instance) -> None:
    """A process writes numbered panics while its log is copied and truncated: each one is found once, none is lost."""
    code = (
        "import sys, time\n"
        "for number in range(60):\n"
        "    sys.stdout.write('panic: writes %03d\\n' % number); sys.stdout.flush(); time.sleep(0.02)\n"
    )
    found: list[str] = []
    token = position(shop)
    with shop.log.open("ab") as log:
        writer = subprocess.Popen([sys.executable, "-c", code], stdout=log)
    try:
        for turn in range(4):
            time.sleep(0.2)
            os.kill(writer.pid, 19)  # SIGSTOP: between copy and truncation nothing may be written
            rotated = copy_and_truncate(shop.log)
            rotated.rename(shop.dir / f"running.log.{9 - turn}")
            os.kill(writer.pid, 18)
            result = check(shop, token)
            token = result["position"]
            found.append(str(sum(finding["count"] for finding in result["findings"])))
            assert result["lost"] is False
        writer.wait(20)
    finally:
        writer.kill()
        writer.wait()
    last = check(shop, token)
    assert sum(map(int, found)) + sum(finding["count"] for finding in last["findings"]) == 60, found


# --- since a start, since a time


def test_since_the_last_start_by_the_first_line_of_the_process(site: Callable[..., Instance]) -> None:
    shop = site()
    write(shop.log, PANIC % 2)
    shop.kill()
    shop.start()
    token = check(shop)
    assert (token["verdict"], [marker["code"] for marker in token["markers"]][:2]) == (
        "ok",
        ["process_started", "listening"],
    )
    write(shop.log, LOST)
    write(shop.dir / "error.log", "2020-01-01 00:00:00 连接数据库失败 old\n")
    result = check(shop)
    assert [finding["code"] for finding in result["findings"]] == ["database_lost"]


def test_since_the_last_start_where_a_guard_tried_another_one(site: Callable[..., Instance]) -> None:
    """What a refused second start prints begins with the same line; it is not the start of what runs."""
    shop = site()
    write(shop.log, LOST)
    time.sleep(3.1)  # a start is looked for within 2 s, and stamps are whole seconds
    assert shop.spawn().wait(20) == 255
    result = check(shop)
    assert [(finding["severity"], finding["code"]) for finding in result["findings"]] == [
        ("error", "database_lost"),
        ("warning", "port_in_use"),
    ]


def test_since_a_time(shop: Instance) -> None:
    for hour in range(24):
        write(shop.log, f"2026/02/01 {hour:02d}:00:00 hello\n" * 2000 + PANIC % hour)
    write(shop.dir / "cache" / "error.log", "Recovered from a route's Handler('a')\nAt Request: x\nTrace: boom\n" * 3)
    result = check(shop, "2026-02-01T21:30:00")
    found = {finding["code"]: (finding["text"], finding["count"], finding["line"]) for finding in result["findings"]}
    assert found == {
        "panic": ("panic: number 22", 2, 200 + 22 * 2003 + 2001),
        "handler_panic": ("Recovered from a route's Handler('a')", 1, 1),
    }
    os.utime(shop.dir / "cache" / "error.log", (1, 1))
    assert "handler_panic" not in [finding["code"] for finding in check(shop, "2026-02-01 21:30")["findings"]]


# --- what cannot be read


def test_no_log_is_unknown(site: Callable[..., Instance]) -> None:
    shop = site(start=False)
    result = check(shop)
    assert (result["verdict"], result["unread"][0]["why"]) == ("unknown", "it does not exist")


def test_output_that_goes_nowhere_is_unknown(site: Callable[..., Instance]) -> None:
    shop = site(start=False)
    write(shop.log, "2026/01/31 12:00:00 an old one\n")
    process = subprocess.Popen(
        [str(shop.binary)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        shop.wait_ready()
        result = check(shop)
    finally:
        process.kill()
        process.wait()
    assert result["verdict"] == "unknown"
    assert "/dev/null" in result["unread"][0]["why"]


def plant_link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def plant_fifo(path: Path) -> None:
    os.mkfifo(path)


def plant_hard_link(path: Path) -> None:
    (path.parent / "other").write_text("panic: of another tenant\n")
    os.link(path.parent / "other", path)


@pytest.mark.parametrize("name", ["running.log", "error.log", "cache/error.log"])
@pytest.mark.parametrize("plant", [plant_link, plant_fifo, plant_hard_link])
def test_what_is_no_plain_file_is_not_opened(shop: Instance, plant: Callable[[Path], None], name: str) -> None:
    path = shop.dir / name
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    plant(path)
    result = check(shop)
    assert (result["verdict"], result["findings"]) == ("unknown", [])
    assert [entry["file"] for entry in result["unread"]] == [str(path)]
    assert "was not opened" in result["unread"][0]["why"]


@pytest.mark.root
def test_a_device_is_not_opened(shop: Instance) -> None:
    os.mknod(shop.dir / "error.log", 0o20644, os.makedev(1, 5))  # /dev/zero: it would never end
    result = check(shop)
    assert (result["verdict"], result["unread"][0]["why"].count("a device")) == ("unknown", 1)


def test_a_rotated_file_that_is_a_link_is_not_followed(shop: Instance, tmp_path: Path) -> None:
    token = position(shop)
    write(shop.log, PANIC % 1)
    rename(shop.log).rename(tmp_path / "elsewhere")
    (shop.dir / "running.log.1").symlink_to(tmp_path / "elsewhere")
    write(shop.log, "2026/01/31 13:00:00 all is well\n")
    result = check(shop, token)
    assert (result["verdict"], result["lost"], result["findings"]) == ("unknown", True, [])


@pytest.mark.root
def test_the_log_of_a_panel_is_read_across_its_rotation(site: Callable[..., Instance]) -> None:
    """In a directory of root's outside of the install directory: the process writes there."""
    shop = site(start=False)
    panel = Path(tempfile.mkdtemp(prefix="anqicms-panel-", dir="/run"))
    log = panel / "shop.log"
    try:
        with log.open("ab") as output:
            process = subprocess.Popen(
                [str(shop.binary)], cwd=shop.dir, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        try:
            shop.wait_ready()
            token = position(shop)
            write(log, PANIC % 1)
            copy_and_truncate(log)
            write(log, PANIC % 2)
            result = check(shop, token)
        finally:
            process.kill()
            process.wait()
        assert texts(result) == ["panic: number 1", "panic: number 2"]
        assert [finding["file"] for finding in result["findings"]] == [f"{log}-20260131", str(log)]
        assert (result["lost"], result["unread"]) == (False, [])
    finally:
        shutil.rmtree(panel)


# --- options


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"ignore": ["(unclosed"]}, "is not a regular expression"),
        ({"ignore": [""]}, "would match every line"),
        ({"ignore": ["handler_panics"]}, "unknown finding code: handler_panics"),
        ({"since": "yesterday"}, "is not valid. No log was read. Use last_start"),
        ({"since": "2026-02-30"}, "Use last_start"),
        ({"since": "anqicms-log-1:AAAA"}, "is not a position"),
    ],
)
def test_what_cannot_be_meant_is_refused(shop: Instance, options: Result, said: str) -> None:
    with pytest.raises(LifecycleError, match=said):
        logs.check_params(dict(dict(since=None, ignore=[], fail_on="error"), **options))


def test_ignored_findings_are_counted(shop: Instance) -> None:
    write(shop.log, LOST + PANIC % 1)
    assert check(shop, ignore=["database_lost", "number \\d"], fail_on="warning")["ignored"] == 2
    with pytest.raises(LifecycleError) as caught:
        check(shop, ignore=["database_lost"], fail_on="error")
    assert "panic: number 1" in caught.value.msg
    assert caught.value.result["verdict"] == "error"


def test_times_are_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    try:
        noon = logs.parse_since("2026-01-31T12:00:00").epoch
        assert noon == logs.parse_since("2026-01-31 04:00Z").epoch == 1769832000.0
        assert noon == logs.parse_since("2026-01-31T05:30:00.5+01:30").epoch
        assert noon == logs.parse_since("1769832000").epoch
        assert logs.local_time(1769832000.0) == "2026-01-31 12:00:00"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_position_of_garbage_is_refused_whatever_it_is(shop: Instance) -> None:
    token = position(shop)
    for cut in range(14, len(token), 7):
        with pytest.raises(LifecycleError, match="is not a position"):
            _log_position.decode(token[:cut] + "!")


# --- size


def test_two_gigabytes_take_little_memory_and_a_place_near_the_end_little_time(shop: Instance) -> None:
    """One line of 2 GiB without an end, then an error: in a process of its own, whose memory the kernel counts.

    VmHWM, not ru_maxrss: that also counts what the parent held when it started the process.
    """
    with shop.log.open("r+b") as log:
        log.truncate(2 << 30)
        log.seek(0, os.SEEK_END)
    token = position(shop)
    write(shop.log, "\n" + PANIC % 1)
    code = (
        "import re, sys\n"
        f"sys.path.insert(0, {str(paths.link_tree())!r})\n"
        "from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs import read\n"
        "found = read.scan_file(sys.argv[1])\n"
        "print(len(found.findings), re.search('VmHWM: *(.*) kB', open('/proc/self/status').read()).group(1))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(shop.log)], check=True, capture_output=True, text=True)
    findings, kib = map(int, done.stdout.split())
    assert findings == 1
    assert kib < 64 * 1024
    began = time.monotonic()
    assert texts(check(shop, token)) == ["panic: number 1"]
    assert time.monotonic() - began < 5


# --- the module itself


def run_module(shop: Instance, tmp_path: Path, *more: str, **arguments: Any) -> Result:
    env = dict(
        os.environ,
        ANSIBLE_COLLECTIONS_PATH=str(paths.link_tree()),
        ANSIBLE_LOCAL_TEMP=str(tmp_path / "local"),
        ANSIBLE_REMOTE_TEMP=str(tmp_path / "remote"),
        ANSIBLE_CALLBACK_RESULT_FORMAT="json",
    )
    argv = [str(Path(sys.executable).parent / "ansible"), "localhost", "-c", "local", "-i", "localhost,"]
    argv += ["-e", "ansible_python_interpreter=" + sys.executable, "-m", "anqicms.lifecycle.log_check", *more]
    argv += ["-a", json.dumps(dict(arguments, dir=str(shop.dir), state_dir=str(shop.dir.parent / "state")))]
    output = subprocess.run(argv, env=env, stdout=subprocess.PIPE, check=False).stdout.decode()
    return dict(json.loads(output[output.index("=> {") + 3 :]))


def test_module_fails_with_its_result_and_goes_on_from_its_position(
    site: Callable[..., Instance], tmp_path: Path
) -> None:
    shop = site()
    write(shop.log, LOST * 3)
    failed = run_module(shop, tmp_path)
    assert "database_lost: 2026/01/31 12:00:01" in failed["msg"]
    assert "(3 times). Start the database" in failed["msg"]
    assert (failed["changed"], failed["verdict"], failed["findings"][0]["count"]) == (False, "error", 3)
    checked = run_module(shop, tmp_path, "--check", fail_on="never")
    assert (checked["changed"], checked["findings"]) == (False, failed["findings"])
    assert run_module(shop, tmp_path, since=failed["position"])["verdict"] == "ok"
    assert "unknown finding code" in run_module(shop, tmp_path, ignore=["lost_database"])["msg"]
