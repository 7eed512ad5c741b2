# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a window refuses before anything is stopped, and that its plan changes nothing."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
import windows
from instance import Instance, make_instance, write_config
from mariadb import free_port

from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import window_call
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import at_work, directory_lock
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import validate, window_plan


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Instance]:
    instance = make_instance(tmp_path / "shop.example", "3.5.8")
    instance.start()
    yield instance
    instance.kill()


def refused(shop: Instance, steps: Any = None, base: Path | None = None) -> str:
    """The message of a refusal, after which the same process serves, nothing is locked and no run is unfinished."""
    before = shop.pid
    with pytest.raises(LifecycleError) as caught:
        windows.run(shop, steps, base)
    assert shop.pid == before
    assert shop.told_version() == "3.5.8"
    return caught.value.msg


WRONG_STEPS = [
    (
        [{"gracefull_stop": {}}],
        "unknown step gracefull_stop; known steps: command, config, ",
    ),
    ([{"graceful_stop": {}, "verified_start": {}}], "one key is expected"),
    ([{}], "one key is expected"),
    (
        [{"graceful_stop": {"time_out": 1}}],
        "unknown option time_out; known options: force, idle_timeout, migration_timeout,",
    ),
    ([{"graceful_stop": {"timeout": "soon"}}], "timeout"),
    ([{"graceful_stop": {"timeout": -1}}], "must not be negative"),
    ([{"graceful_stop": {"force": "always"}}], "force"),
    ([{"graceful_stop": "now"}], "a dictionary of options is expected"),
    ([{"graceful_stop": {}}, {"verified_start": {"user": "no-such-user"}}], "There is no user no-such-user"),
    ([{"graceful_stop": {}}, {"verified_start": {"arguments": ["a\0b"]}}], "NUL byte"),
    ([{"graceful_stop": {}}, {"verified_start": {"environment": {"A=B": "1"}}}], "not a valid name of an environment"),
    ([{"graceful_stop": {}}, {"port_released": {"ports": [70000]}}], "70000 is not a port"),
    ([{"graceful_stop": {}}, {"command": {}}], "exactly one of cmd and argv"),
    ([{"graceful_stop": {}}, {"command": {"cmd": "no-such-program"}}], "not a program that can be executed"),
    ([{"graceful_stop": {}}, {"command": {"cmd": "'unbalanced"}}], "cannot be split"),
    ([{"graceful_stop": {}}, {"command": {"cmd": "true", "chdir": "/no/such"}}], "does not exist"),
]


def test_wrong_steps_and_options(shop: Instance) -> None:
    for steps, expected in WRONG_STEPS:
        assert expected in refused(shop, steps), steps
    assert not windows.context_of(shop).state.journal()


def test_everything_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(LifecycleError) as caught:
        validate.validate([{"a": {}}, {"graceful_stop": {"b": 1}}], set())
    assert "steps[1]: unknown step a" in caught.value.msg
    assert "steps[2] (graceful_stop): unknown option b" in caught.value.msg


def test_secrets_in_steps_are_told_to_the_module() -> None:
    secrets: set[str] = set()
    validate.validate([{"verified_start": {"environment": {"MYSQL_PASSWORD": "s3cret"}}}], secrets)
    assert "s3cret" in secrets


Spoil = Callable[[Path], object]


def instead(make: Spoil) -> Spoil:
    """What `make` makes, in the place of the file."""

    def spoil(path: Path) -> None:
        path.rename(path.with_suffix(".real"))
        make(path)

    return spoil


def _foreign(path: Path) -> None:
    header = bytearray(path.with_suffix(".real").read_bytes()[:64])
    header[18:20] = b"\xf3\x00"  # RISC-V
    _program(path, bytes(header))


def _program(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o755)


CONFIGS: list[tuple[str, Spoil]] = [
    ("missing", Path.unlink),
    ("invalid", lambda path: path.write_text("{")),
    ("invalid", lambda path: path.write_bytes(b"\xff\xfe")),
    ("port", lambda path: path.write_text('{"mysql": {"database": "a"}, "server": {"port": "eighty"}}')),
    ("unsafe", instead(os.mkfifo)),
    ("unsafe", instead(lambda path: os.symlink(path.with_suffix(".real"), path))),
]


@pytest.mark.parametrize("word,spoil", CONFIGS)
def test_config_json(shop: Instance, word: str, spoil: Callable[[Path], object]) -> None:
    spoil(shop.dir / "config.json")
    message = refused(shop)
    assert "config.json" in message
    assert word in message
    assert "Nothing was stopped or started" in message


BINARIES: list[tuple[str, Spoil]] = [
    ("No such file", Path.unlink),
    ("not executable (mode 0644)", lambda path: os.chmod(path, 0o644)),
    ("not a Linux program", instead(lambda path: _program(path, b"MZ" + b"\0" * 64))),
    ("another processor architecture", instead(_foreign)),
    ("not a regular file", instead(os.mkfifo)),
    ("not a regular file", instead(Path.mkdir)),
    ("not a regular file", instead(lambda path: os.symlink("/dev/zero", path))),
]


@pytest.mark.parametrize("words,spoil", BINARIES)
def test_the_binary(shop: Instance, words: str, spoil: Callable[[Path], object]) -> None:
    spoil(shop.binary)
    message = refused(shop)
    assert words in message
    assert "Step 3 (verified_start) cannot run" in message


def test_the_port_of_the_next_start_is_held_by_a_stranger(shop: Instance) -> None:
    own = shop.port
    with socket.socket(socket.AF_INET6) as stranger:
        stranger.bind(("::", 0))
        stranger.listen()
        shop.port = stranger.getsockname()[1]
        write_config(shop, None)
        shop.port, wanted = own, shop.port
        message = refused(shop)
    assert f"Port {wanted}" in message
    assert f"pid {os.getpid()}" in message


def test_a_log_that_is_a_link(shop: Instance, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.write_text("mine\n")
    shop.log.unlink()  # it goes on writing into the removed file
    shop.log.symlink_to(target)
    assert "running.log" in refused(shop)
    assert target.read_text() == "mine\n"


def test_two_processes(shop: Instance) -> None:
    other = shop.spawn("-port", str(free_port()))
    assert windows.within(20, lambda: len(shop.pids()) == 2)
    with pytest.raises(LifecycleError, match="2 processes match"):
        windows.run(shop)
    assert other.poll() is None
    assert len(shop.pids()) == 2


@pytest.mark.root
def test_a_full_disk_under_the_journal(shop: Instance, tmp_path: Path) -> None:
    base = tmp_path / "small"
    base.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=755", "tmpfs", str(base)], check=True)
    try:
        message = refused(shop, base=base)
        assert "could not be written: no space is left on the disk (No space left on device)" in message
        subprocess.run(["dd", "if=/dev/zero", f"of={base}/filler", "bs=1k"], check=False, stderr=subprocess.DEVNULL)
        assert "No space left on device" in refused(shop, base=base)
    finally:
        subprocess.run(["umount", str(base)], check=True)


@pytest.mark.root
def test_room_runs_out_in_the_middle(shop: Instance, tmp_path: Path) -> None:
    """Once begun it is ended, and the result is there: room for it was set aside."""
    base = tmp_path / "small"
    base.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=755", "tmpfs", str(base)], check=True)
    try:
        fill = {"command": {"argv": ["/bin/sh", "-c", f"dd if=/dev/zero of={base}/filler bs=1k 2>/dev/null; true"]}}
        result = windows.run(shop, [windows.RESTART[0], fill, *windows.RESTART[1:]], base)
        assert (result["outcome"], result["state"]) == ("done", "running")
        assert shop.told_version() == "3.5.8"
    finally:
        subprocess.run(["umount", str(base)], check=True)


def test_a_read_only_state_directory(shop: Instance, tmp_path: Path) -> None:
    base = tmp_path / "a-file"
    base.write_text("")
    assert "cannot be trusted" in refused(shop, base=base)


def test_check_mode_is_the_plan_and_changes_nothing(shop: Instance) -> None:
    before = windows.tree_of(shop.dir, shop.dir.parent)
    pid = shop.pid
    planned = window_call.run(windows.ModuleCall(shop, check_mode=True))
    assert (planned["outcome"], planned["changed"]) == ("planned", True)
    assert [step["name"] for step in planned["steps"]] == ["graceful_stop", "port_released", "verified_start"]
    assert f"SIGTERM to pid {pid}" in planned["steps"][0]["would"]
    assert f"start {shop.binary}" in planned["diff"][0]["after"]
    assert windows.tree_of(shop.dir, shop.dir.parent) == before
    assert shop.pid == pid
    assert not (shop.dir.parent / "state").exists()


def test_check_mode_refuses_like_the_run(shop: Instance) -> None:
    (shop.dir / "config.json").unlink()
    with pytest.raises(LifecycleError, match=r"config\.json"):
        window_call.run(windows.ModuleCall(shop, check_mode=True))


def test_recover_only(shop: Instance) -> None:
    pid = shop.pid
    result = window_call.run(windows.ModuleCall(shop, steps=[], recover="only"))
    assert (result["outcome"], result["changed"]) == ("unchanged", False)
    assert (result["state"], result["pid_before"], result["pid_after"]) == ("running", pid, pid)
    with pytest.raises(LifecycleError, match="cannot be combined with recover: only"):
        window_call.run(windows.ModuleCall(shop, recover="only"))
    with pytest.raises(LifecycleError, match="steps is empty"):
        window_call.run(windows.ModuleCall(shop, steps=[]))
    state = windows.context_of(shop).state
    state.make()
    state.log("begin", run_id="cut", token="x", steps=["verified_start"], before=None)
    planned = window_call.run(windows.ModuleCall(shop, steps=[], recover="only", check_mode=True))
    assert (planned["outcome"], planned["changed"], planned["interrupted"]["run_id"]) == ("planned", True, "cut")
    assert (planned["state"], planned["pid_before"]) == ("running", pid)
    result = window_call.run(windows.ModuleCall(shop, steps=[], recover="only"))
    assert (result["outcome"], result["pid_after"]) == ("unchanged", pid)
    assert result["recovered"] == "unfinished run cut: it ran"
    assert at_work.interrupted(state) is None


def test_the_same_call_twice_follows_the_first(shop: Instance) -> None:
    """ssh may repeat a call after a lost connection: it carries the same token and must not restart twice."""
    first = window_call.run(windows.ModuleCall(shop, internal={"token": "abc"}))
    pid = shop.pid
    again = window_call.run(windows.ModuleCall(shop, internal={"token": "abc"}))
    assert again == json.loads(json.dumps(first))
    assert shop.pid == pid
    with pytest.raises(LifecycleError, match="its outcome is not known"):
        window_call.run(windows.ModuleCall(shop, internal={"token": "never-begun", "follow": True}))


def test_a_lock_that_is_no_run_of_ours(shop: Instance) -> None:
    holder = subprocess.Popen(["flock", str(shop.dir), "sleep", "30"], start_new_session=True)
    try:
        assert windows.within(5, lambda: directory_lock.is_locked(windows.context_of(shop).instance))
        assert "in use by pid" in refused(shop)
    finally:
        os.killpg(holder.pid, signal.SIGKILL)
        holder.wait()


def test_start_to_park_needs_a_stop_before_it() -> None:
    order: list[Any] = [{"verified_start": {}}, {"graceful_stop": {}}, {"verified_start": {"ready_timeout": 1}}]
    assert window_plan.start_to_park(windows.plan_of(order)) is None
    assert window_plan.start_to_park(windows.plan_of(order[1:])) is not None
