# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The child that is to become the instance is stopped, killed or cannot be made: down for seconds, never for good."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
import windows
from instance import Instance, make_instance

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import children as _children
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state as _state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import plan as _start_plan
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import spawn
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import start as _start

WEB_USER = 33
PARAMS: dict[str, Any] = dict(ready_timeout=20.0, ready_limit=60.0, stable_for=0.1)


@pytest.fixture
def shop(place: Path) -> Iterator[Instance]:
    """Runs as the web user where this is root, else as ourselves."""
    instance = make_instance(place / "shop.example", "3.5.8")
    words: list[str] = []
    instance.log.touch()
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", f"{WEB_USER}:{WEB_USER}", str(instance.dir)], check=True)
        words = as_web_user()
    with open(instance.log, "ab") as log:
        process = subprocess.Popen(
            [*words, str(instance.binary)],
            cwd=instance.dir,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    instance.wait_ready()
    yield instance
    instance.kill()
    process.poll()


def as_web_user() -> list[str]:
    return ["setpriv", f"--reuid={WEB_USER}", f"--regid={WEB_USER}", "--clear-groups"]


def at_parked(monkeypatch: pytest.MonkeyPatch, act: Callable[[int, int], object]) -> None:
    """In the worker: `act` gets the pid of each child that is noted as parked, and its number among them."""
    original = _state.StateDir.append
    pids: list[int] = []

    def append(state: _state.StateDir, name: str, entry: dict[str, Any], durable: bool = False) -> None:
        original(state, name, entry, durable)
        if entry.get("event") == "parked":
            pids.append(entry["pid"])
            act(entry["pid"], len(pids))

    monkeypatch.setattr(_state.StateDir, "append", append)


def parked_pids(shop: Instance, place: Path) -> list[int]:
    return [
        entry["pid"]
        for entry in windows.journal(windows.context_of(shop, place / "state"))
        if entry["event"] == "parked"
    ]


def ended(pid: int) -> bool:
    try:
        return procfs.is_dead(procfs.parse_stat(Path(f"/proc/{pid}/stat").read_bytes()))
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
def test_one_that_is_stopped_or_killed_is_replaced(
    shop: Instance, place: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    before = shop.pid
    at_parked(monkeypatch, lambda pid, count: os.kill(pid, number) if count == 1 else None)
    result = windows.run(shop, None, place / "state")
    assert (result["outcome"], result["state"]) == ("done", "running"), result
    first, second = parked_pids(shop, place)
    assert shop.pid == second != before
    assert ended(first)
    assert result["downtime_ms"] < 60000
    assert shop.log_text().count("Now listening on") == 2, "one life before, one after"


def test_all_of_them_are_stopped(shop: Instance, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says why; the second try of the window, which nobody disturbs, starts it."""
    monkeypatch.setattr(spawn, "EXEC_S", 0.5)
    at_parked(monkeypatch, lambda pid, count: os.kill(pid, signal.SIGSTOP) if count <= spawn.TRIES else None)
    result = windows.run(shop, None, place / "state")
    assert result["outcome"] == "failed"
    assert "it may be suspended, 3 times" in result["msg"]
    assert "Find out what suspends or kills processes of its user" in result["msg"]
    assert f"The instance runs (pid {shop.pid})" in result["msg"]
    assert all(ended(pid) for pid in parked_pids(shop, place)[: spawn.TRIES])
    assert shop.told_version() == "3.5.8"


@pytest.mark.root
@pytest.mark.parametrize("name", ["STOP", "KILL", "CONT", "TERM"])
def test_the_sites_user_may_not_signal_it(
    shop: Instance, place: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    said = place / "said"

    def attack(pid: int, count: int) -> None:
        done = subprocess.run(
            [*as_web_user(), "sh", "-c", f"kill -{name} {pid}"], check=False, text=True, stderr=subprocess.PIPE
        )
        said.write_text(f"{count} {done.stderr} {Path(f'/proc/{pid}/status').read_text()}")

    at_parked(monkeypatch, attack)
    result = windows.run(shop, None, place / "state")
    assert result["outcome"] == "done", result
    assert "1 sh: 1: kill: Operation not permitted" in said.read_text()
    assert "Uid:\t0\t0\t0\t0" in said.read_text()
    status = Path(f"/proc/{shop.pid}/status").read_text()
    assert f"Uid:\t{WEB_USER}\t{WEB_USER}\t{WEB_USER}\t{WEB_USER}" in status
    assert f"Gid:\t{WEB_USER}\t{WEB_USER}\t{WEB_USER}\t{WEB_USER}" in status
    assert "Groups:\t \n" in status
    assert "CapPrm:\t0000000000000000" in status


@pytest.mark.root
def test_the_sites_user_may_not_trace_it(shop: Instance, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = place / "said"
    code = (
        "import ctypes, sys\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "print(libc.ptrace(0x4206, int(sys.argv[1]), 0, 0), ctypes.get_errno())"
    )  # PTRACE_SEIZE

    def attack(pid: int, _count: int) -> None:
        done = subprocess.run(
            [*as_web_user(), "/usr/bin/python3", "-c", code, str(pid)], check=True, text=True, stdout=subprocess.PIPE
        )
        said.write_text(done.stdout)

    at_parked(monkeypatch, attack)
    assert windows.run(shop, None, place / "state")["outcome"] == "done"
    assert said.read_text() == f"-1 {errno.EPERM}\n"


def launcher_of(shop: Instance, place: Path) -> spawn.Launcher:
    context = windows.context_of(shop, place / "state")
    context.look()
    _start.prepare(context, PARAMS)
    launcher, context.run.launcher = context.run.launcher, None
    context.close()
    assert isinstance(launcher, spawn.Launcher)
    return launcher


def test_one_that_was_given_up_never_executes_the_binary(
    shop: Instance, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where its SIGKILL has no effect (here: is not sent), a late SIGCONT lets it end, and nothing else."""
    monkeypatch.setattr(spawn, "EXEC_S", 0.3)
    launcher = launcher_of(shop, place)
    shop.kill()
    first = launcher.pid
    os.kill(first, signal.SIGSTOP)
    with monkeypatch.context() as patch:
        patch.setattr(_children, "end", lambda pid, limit: False)
        pid = launcher.go()
    try:
        shop.wait_ready()
        assert (shop.pids(), pid) == ([pid], pid)
        assert not ended(first)
        os.kill(first, signal.SIGCONT)
        assert windows.within(10, lambda: ended(first))
        assert shop.pids() == [pid]
        assert shop.log_text().count("Now listening on") == 2
    finally:
        shop.kill()
        os.waitpid(first, 0)


def test_one_that_is_stopped_in_its_last_instant(shop: Instance, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When it has become the site's user, that user may stop it after all: the new program stands before it begins."""
    original, wake = _children.become, spawn.Launcher._wake
    seen = place / "seen"

    def become(who: _children.Identity) -> None:
        child = os.getpid()
        if os.fork() == 0:  # stops it as soon as it runs the binary
            _children.close_all_but(set())
            while os.readlink(f"/proc/{child}/exe") != str(shop.binary):
                time.sleep(0.0005)
            os.kill(child, signal.SIGSTOP)
            os._exit(0)
        original(who)

    def late(launcher: spawn.Launcher) -> None:
        windows.within(10, lambda: "State:\tT" in Path(f"/proc/{launcher.pid}/status").read_text())
        seen.write_text(Path(f"/proc/{launcher.pid}/status").read_text())
        wake(launcher)

    monkeypatch.setattr(_children, "become", become)
    monkeypatch.setattr(spawn.Launcher, "_wake", late)
    result = windows.run(shop, None, place / "state")
    assert (result["outcome"], result["state"]) == ("done", "running"), result
    assert "State:\tT" in seen.read_text()
    assert len(parked_pids(shop, place)) == 1


def test_one_that_does_not_get_ready(shop: Instance, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before_all = children()
    before = shop.pid
    monkeypatch.setattr(spawn, "PREPARE_S", 0.3)
    monkeypatch.setattr(spawn.Launcher, "_prepare_child", lambda self: os.kill(os.getpid(), signal.SIGSTOP))
    context = windows.context_of(shop, place / "state")
    context.look()
    with pytest.raises(LifecycleError, match=r"was not ready within .*; it may be suspended. Nothing was stopped"):
        _start.prepare(context, PARAMS)
    assert context.run.launcher is None
    context.close()
    assert shop.pid == before
    assert children() <= before_all


def children() -> set[str]:
    """The forked children of this process; what it has executed is another program."""
    own = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    return {pid for pid in own if b"pytest" in Path(f"/proc/{pid}/cmdline").read_bytes()}


def test_no_process_can_be_made(shop: Instance, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = windows.context_of(shop, place / "state")
    context.look()

    def fork() -> int:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    opened = len(os.listdir("/proc/self/fd"))
    with monkeypatch.context() as patch:
        patch.setattr(os, "fork", fork)
        with pytest.raises(LifecycleError, match=r"Resource temporarily unavailable.*Nothing was stopped or started"):
            _start.prepare(context, PARAMS)
    assert len(os.listdir("/proc/self/fd")) == opened
    context.close()


def test_no_pipe_can_be_made(shop: Instance, place: Path) -> None:
    before_all = children()
    context = windows.context_of(shop, place / "state")
    context.look()
    record = _start_plan.choose_record(context, PARAMS)
    launcher = spawn.Launcher(context.instance, record, {})
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    opened = sorted(map(int, os.listdir("/proc/self/fd")))
    free = next(number for number in range(1024) if number not in opened[:-1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + 2, limits[1]))  # room for the first of two pipes at most
    try:
        with pytest.raises(LifecycleError, match=r"Too many open files.*Nothing was stopped or started"):
            launcher.prepare()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert sorted(map(int, os.listdir("/proc/self/fd"))) == opened
    context.close()
    assert children() <= before_all


@pytest.mark.root
def test_a_binary_that_its_user_may_not_execute(shop: Instance, place: Path) -> None:
    """Asked of the kernel as that user, not as root; before the stop."""
    before = shop.pid
    subprocess.run(["chown", "0:0", str(shop.binary)], check=True)
    shop.binary.chmod(0o700)
    with pytest.raises(LifecycleError, match=rf"uid {WEB_USER} has no permission to execute it.* Nothing was stopped"):
        windows.run(shop, None, place / "state")
    assert shop.pid == before


def test_the_worker_waits_for_no_child_without_a_limit() -> None:
    """The limits that the guarantees name."""
    assert spawn.TRIES * spawn.EXEC_S + (spawn.TRIES - 1) * (spawn.PREPARE_S + 2.0) < 60
    began = time.monotonic()
    pid = os.fork()
    if not pid:
        os.kill(os.getpid(), signal.SIGSTOP)
        os._exit(0)
    assert _children.end(pid, 5.0)
    assert time.monotonic() - began < 5
