# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes, descriptors or room run out before anything was touched: one message, and nothing is left unfinished."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any, Callable

import pytest
import windows
from instance import Instance

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import at_work, directory_lock

Site = Callable[..., Instance]
# The forks of a restart up to its stop, one after the other; each copy of this process counts on by itself.
FORKS = {1: "leave the caller", 2: "leave its session", 3: "the worker", 4: "the parked child"}


def fail_fork(patch: pytest.MonkeyPatch, number: int) -> None:
    original, count = os.fork, [0]

    def fork() -> int:
        count[0] += 1
        if count[0] == number:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return original()

    patch.setattr(os, "fork", fork)


def fail_call(patch: pytest.MonkeyPatch, call: str, code: int, wanted: Callable[..., bool]) -> None:
    original = getattr(os, call)

    def failing(*args: Any, **kwargs: Any) -> Any:
        if wanted(*args):
            raise OSError(code, os.strerror(code), args[0] if args else None)
        return original(*args, **kwargs)

    patch.setattr(os, call, failing)


def _appends(path: Any, flags: int) -> bool:
    return str(path).endswith("journal.jsonl") and bool(flags & os.O_APPEND)


def refused(shop: Instance, monkeypatch: pytest.MonkeyPatch, fail: Callable[[pytest.MonkeyPatch], None]) -> str:
    """A restart is refused, or its result says why it was not begun: the message."""
    context, plan = windows.context_of(shop), windows.plan_of(windows.RESTART)
    try:
        with monkeypatch.context() as patch:
            fail(patch)
            pipe = windows.begin(context, plan)
    except LifecycleError as exc:
        return exc.msg
    result = windows.wait(context, plan, pipe)
    assert (result["outcome"], result["failed"], result["changed"]) == ("failed", True, False), result
    assert "exception" not in result
    return str(result["msg"])


def assert_untouched(shop: Instance, pid: int, message: str) -> None:
    context = windows.context_of(shop)
    assert shop.pids() == [pid], message
    assert shop.told_version() == shop.version
    assert at_work.interrupted(context.state) is None, message
    assert not directory_lock.is_locked(context.instance)
    assert not Path(context.state.path, "reserve").exists()
    log = Path(context.state.path, "worker.log")  # made with the worker, so not in each of these cases
    assert not log.exists() or log.read_text() == ""
    assert "Errno" not in message
    assert windows.run(shop)["outcome"] == "done"


@pytest.mark.parametrize("number", FORKS, ids=FORKS.values())
def test_no_process_can_be_made(site: Site, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    shop = site()
    pid = shop.pid
    message = refused(shop, monkeypatch, lambda patch: fail_fork(patch, number))
    assert "no more processes can be created" in message
    assert "ulimit -u" in message
    assert_untouched(shop, pid, message)


CALLS: dict[str, tuple[str, int, Callable[..., bool], str]] = {
    "pipe": ("pipe", errno.EMFILE, lambda: True, "ulimit -n"),
    "host": ("pipe", errno.ENFILE, lambda: True, "fs.file-max"),
    "worker.log": ("open", errno.ENOSPC, lambda path, *_: str(path).endswith("worker.log"), "Free space"),
    "worker.log on a read-only disk": (
        "open",
        errno.EROFS,
        lambda path, *_: str(path).endswith("worker.log"),
        "Mount it writable",
    ),
    "no inode for the FIFO": ("mkfifo", errno.ENOSPC, lambda *_: True, "Free space"),
    "no descriptor for the FIFO": ("open", errno.EMFILE, lambda path, *_: str(path).endswith("alive"), "ulimit -n"),
    "quota": ("posix_fallocate", errno.EDQUOT, lambda *_: True, "Free space"),
    "journal": ("open", errno.EROFS, lambda path, flags=0, *_: _appends(path, flags), "Mount it writable"),
    "lock": ("open", errno.EMFILE, lambda path, *_: str(path).endswith("shop.example"), "ulimit -n"),
}


@pytest.mark.parametrize("name", CALLS)
def test_no_file_can_be_made(site: Site, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    shop = site()
    pid = shop.pid
    call, code, wanted, advice = CALLS[name]
    message = refused(shop, monkeypatch, lambda patch: fail_call(patch, call, code, wanted))
    assert os.strerror(code) in message
    assert "Nothing was stopped or started" in message
    assert advice in message
    assert_untouched(shop, pid, message)


def test_whoever_follows_is_given_the_reason(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer of the first call may be lost with its connection: a second call finds the result."""
    shop = site()
    context, plan = windows.context_of(shop), windows.plan_of(windows.RESTART)
    with monkeypatch.context() as patch:
        fail_fork(patch, 1)
        with pytest.raises(LifecycleError, match="no more processes can be created"):
            windows.begin(context, plan)
    result = windows.wait(context, plan, None)
    assert "Nothing was stopped or started" in result["msg"]
    assert (result["state"], result["pid_after"]) == ("running", shop.pid)
    Path(context.state.path, "results", plan.token + ".json").unlink()  # without room for it, the journal says so
    assert "Nothing was stopped or started" in windows.wait(context, plan, None)["msg"]


@pytest.mark.parametrize("number", [1, 3])
def test_an_earlier_run_stays_unfinished(site: Site, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    shop = site()
    context = windows.context_of(shop)
    windows.run(shop)
    context.state.log(
        "begin",
        run_id="earlier",
        token="t",
        steps=["graceful_stop", "verified_start"],
        before=dict(pid=1, start_ticks=1),
        boot_id="x",
    )
    shop.kill()
    refused(shop, monkeypatch, lambda patch: fail_fork(patch, number))
    assert (at_work.interrupted(context.state) or {}).get("run_id") == "earlier"
    assert windows.run(shop)["outcome"] == "done"
    assert shop.told_version() == shop.version
    assert at_work.interrupted(context.state) is None


def test_what_cannot_be_tidied_fails_no_run(site: Site) -> None:
    shop = site()
    context = windows.context_of(shop)
    windows.run(shop)
    results = Path(context.state.path, "results")
    (results / "of somebody").mkdir()
    (results / "link").symlink_to("nowhere")
    for number in range(25):
        (results / f"old{number}.json").write_text("{}")
        os.utime(results / f"old{number}.json", (number, number))
    assert windows.run(shop)["outcome"] == "done"
    assert windows.worker_log(context) == ""
    assert len([path for path in results.iterdir() if path.is_file()]) == 20
    assert (results / "of somebody").is_dir()
