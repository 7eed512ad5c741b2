# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A binary that cannot be executed, or that is being written, is found before the old process is stopped."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
import windows
from instance import Instance, make_instance

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError, NotYet
from ansible_collections.anqicms.lifecycle.plugins.module_utils._info import describe
from ansible_collections.anqicms.lifecycle.plugins.module_utils._info.host import Host
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import resolve
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import executable, spawn
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import plan as _start_plan
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import start as _start

NOBODY = 65534
OTHER = 65533
Row = dict[str, Any]
# Opens the file for writing, says so, and holds it until its input ends. A shell: every user can execute it.
WRITER = os.path.realpath("/bin/sh")
_WRITE = 'exec 3<>"$1"; echo open; read end'


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Instance]:
    instance = make_instance(tmp_path / "shop.example", "3.5.8")
    instance.start()
    replace(instance)
    yield instance
    instance.kill()


def replace(shop: Instance) -> None:
    """A new file in the place of the binary that runs, as an upload to a name of its own and a rename leave it."""
    new = shop.binary.with_suffix(".new")
    shutil.copy2(shop.binary, new)
    status = shop.binary.stat()
    os.chown(new, status.st_uid, status.st_gid)
    new.rename(shop.binary)


@contextlib.contextmanager
def upload(path: Path, user: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has the file open for writing."""
    writer = subprocess.Popen(
        [WRITER, "-c", _WRITE, "sh", str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        user=user,
        group=user,
        extra_groups=None if user is None else [],
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"open\n"
    try:
        yield writer
    finally:
        writer.communicate()


def refused(shop: Instance, base: Path | None = None) -> str:
    before = shop.pid
    with pytest.raises(LifecycleError) as caught:
        windows.run(shop, None, base)
    assert shop.pid == before
    assert shop.told_version() == "3.5.8"
    return caught.value.msg


def hazards(shop: Instance) -> dict[str, Row]:
    look = describe.Description(resolve(str(shop.dir)), Host(), None, True, str(shop.dir.parent / "state"))
    return {row["code"]: row for row in look.take()["hazards"]}


def test_an_upload_in_progress_refuses_and_names_the_writer(shop: Instance) -> None:
    with upload(shop.binary) as writer:
        message = refused(shop)
        found = hazards(shop)
    assert f"it is open for writing by pid {writer.pid} ({WRITER}, user " in message
    assert "Step 3 (verified_start) cannot run" in message
    assert "Nothing was stopped or started" in message
    assert f"pid {writer.pid} (" in found["executable_busy"]["message"]
    assert "restart" in found["executable_busy"]["blocks"]
    assert "stop" not in found["executable_busy"]["blocks"]
    assert "executable_unusable" not in found
    assert "executable_busy" not in hazards(shop)
    assert windows.run(shop)["outcome"] == "done"


def test_an_upload_that_is_incomplete_is_busy_and_then_truncated(shop: Instance) -> None:
    size = shop.binary.stat().st_size
    with upload(shop.binary):
        os.truncate(shop.binary, size // 2)
        assert "open for writing" in refused(shop)
    message = refused(shop)
    assert "it is truncated" in message
    assert f"the file has {size // 2}" in message


def test_the_file_that_a_link_leads_to_is_judged(shop: Instance) -> None:
    releases = shop.dir.parent / "releases"
    releases.mkdir()
    target = releases / "anqicms-3.5.8"
    shop.binary.rename(target)
    shop.binary.symlink_to(target)
    with upload(target) as writer:
        assert f"by pid {writer.pid} (" in refused(shop)
    os.truncate(target, 1000)
    assert "it is truncated" in refused(shop)


def test_a_writer_that_ends_between_two_runs_leaves_no_trace(shop: Instance) -> None:
    before = shop.pid
    context = windows.context_of(shop)
    context.look()
    record = _start_plan.choose_record(context, {})
    with upload(shop.binary), pytest.raises(NotYet):
        executable.refuse(context.instance, record, before)
    executable.refuse(context.instance, record, before)
    context.close()
    assert windows.run(shop)["outcome"] == "done"
    assert shop.pid not in (0, before)


def test_an_upload_that_begins_after_the_plan_refuses_before_the_stop(
    shop: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker looks once more before it parks the child that will become the instance."""
    before, original = shop.pid, _start.prepare
    writers: list[int] = []

    def prepare(*arguments: Any) -> None:
        writers.append(os.open(shop.binary, os.O_RDWR))
        try:
            original(*arguments)
        finally:
            os.close(writers.pop())

    monkeypatch.setattr(_start, "prepare", prepare)
    result = windows.run(shop)
    assert result["failed"], result
    assert "before any step" in result["msg"]
    assert "open for writing by pid" in result["msg"]
    assert (shop.pid, result["pid_after"], result["state"]) == (before, before, "running")


def test_a_binary_that_becomes_busy_just_before_exec_is_tried_again(
    shop: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, original = shop.pid, spawn.Launcher.go

    def go(launcher: spawn.Launcher) -> int:
        writer = os.open(shop.binary, os.O_RDWR)
        timer = threading.Timer(0.5, os.close, [writer])
        timer.start()
        try:
            return original(launcher)
        finally:
            timer.join()

    monkeypatch.setattr(spawn.Launcher, "go", go)
    result = windows.run(shop)
    assert result["outcome"] == "done", result
    assert result["pid_before"] == before
    assert shop.pid == result["pid_after"]


def test_a_binary_that_stays_busy_at_exec_is_not_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever starts it may wait and try again: nothing runs, and nothing of ours is left."""
    site = make_instance(tmp_path / "shop.example", "3.5.8")
    site.start()
    context = windows.context_of(site)
    context.look()
    context.remember()
    site.kill()
    params = dict(ready_timeout=10.0, stable_for=0.1, environment=None, arguments=None, user=None)
    original = spawn.Launcher.go
    with contextlib.ExitStack() as stack:

        def go(launcher: spawn.Launcher) -> int:
            stack.enter_context(upload(site.binary))
            return original(launcher)

        monkeypatch.setattr(spawn.Launcher, "go", go)
        if not refuses_what_is_written(tmp_path):
            pytest.skip("this kernel executes files that are open for writing (Linux 6.11 and 6.12)")
        with pytest.raises(NotYet, match="open for writing by pid") as caught:
            _start.start(context, params)
    assert "Nothing runs" in caught.value.msg
    assert not site.pids()
    context.close()
    monkeypatch.undo()
    again = windows.context_of(site)
    assert _start.start(again, params)["changed"]
    again.close()
    site.kill()


def refuses_what_is_written(directory: Path) -> bool:
    program = directory / "true"
    shutil.copy(shutil.which("true") or "/bin/true", program)
    with upload(program):
        try:
            subprocess.run([str(program)], check=True)
        except OSError:
            return True
    return False


def _in_a_script(path: Path) -> None:
    path.unlink()
    path.write_text("#!/no/such/interpreter\n")
    path.chmod(0o755)


def _without_loader(path: Path) -> None:
    data = path.read_bytes()
    name = next(name for name in (b"/lib64/ld-linux-x86-64.so.2", b"/lib/ld-linux-aarch64.so.1") if name in data)
    path.write_bytes(data.replace(name, b"/none".ljust(len(name), b"\0"), 1))


@pytest.mark.parametrize(("expected", "spoil"), [
    ("it is empty", lambda path: os.truncate(path, 0)),
    ("it is truncated", lambda path: os.truncate(path, 30)),
    ("it is truncated", lambda path: os.truncate(path, path.stat().st_size - 4096)),  # its end names its version
    ("its interpreter '/no/such/interpreter' is missing", _in_a_script),
    ("its loader '/none' is missing", _without_loader),
])  # fmt: skip
def test_what_execve_or_the_start_would_refuse(shop: Instance, expected: str, spoil: Callable[[Path], object]) -> None:
    spoil(shop.binary)
    assert expected in refused(shop)
    assert expected in hazards(shop)["executable_unusable"]["message"]


@pytest.mark.root
def test_a_mount_that_executes_nothing(place: Path) -> None:
    """In a mount namespace of its own."""
    directory = place / "noexec"
    directory.mkdir()
    shutil.copy(shutil.which("true") or "/bin/true", directory / "anqicms")
    script = 'mount --bind "$1" "$1" && mount -o remount,bind,noexec "$1" && shift && exec "$@"'
    code = (
        "import json, os, sys\n"
        "from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import resolve\n"
        "from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import executable\n"
        "print(json.dumps(executable.judge(resolve(sys.argv[1]), None)))\n"
    )
    command = ["unshare", "--mount", "sh", "-c", script, "sh", str(directory), sys.executable, "-c", code]
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    done = subprocess.run([*command, str(directory)], env=environment, capture_output=True, text=True, check=False)
    if done.returncode and "mount" in done.stderr + str(done.args) and "Traceback" not in done.stderr:
        pytest.skip(f"no mount namespace can be had here: {done.stderr.strip()}")
    assert "mounted with noexec" in json.loads(done.stdout)[0], done.stderr
    assert executable.judge(resolve(str(directory)), None).problem is None


# As another user: the owner of the site works on it without root.


@pytest.fixture
def site_of_nobody(place: Path) -> Iterator[Instance]:
    instance = make_instance(place / "www" / "shop.example", "3.5.8")
    subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", str(place / "www")], check=True)
    with open(os.devnull, "r+b") as null:
        subprocess.Popen(
            [str(instance.binary)],
            cwd=instance.dir,
            stdin=null,
            stdout=null,
            stderr=null,
            user=NOBODY,
            group=NOBODY,
            extra_groups=[],
        )
    instance.wait_ready()
    replace(instance)
    (place / "state").mkdir()
    os.chown(place / "state", NOBODY, NOBODY)
    yield instance
    instance.kill()


def refused_as(uid: int, shop: Instance, base: Path) -> str:
    """The message of a window that this user runs, after which the same process serves."""
    before = shop.pid
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            try:
                text = f"not refused: {windows.run(shop, None, base)}"
            except LifecycleError as exc:
                text = f"{type(exc).__name__}: {exc.msg}"
            os.write(writer, text.encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as stream:
        text = stream.read().decode()
    os.waitpid(pid, 0)
    assert (shop.pid, shop.told_version()) == (before, "3.5.8")
    return text


@pytest.mark.root
def test_the_owner_of_a_site_sees_writers_too(site_of_nobody: Instance, place: Path) -> None:
    with upload(site_of_nobody.binary, NOBODY) as writer:
        text = refused_as(NOBODY, site_of_nobody, place / "state")
    assert text.startswith("NotYet: ")
    assert f"open for writing by pid {writer.pid} (" in text
    with upload(site_of_nobody.binary):  # by root
        text = refused_as(NOBODY, site_of_nobody, place / "state")
    assert "open for writing by a process that this user cannot see" in text


@pytest.mark.root
def test_root_names_a_writer_of_any_user(site_of_nobody: Instance, place: Path) -> None:
    site_of_nobody.binary.chmod(0o777)
    with upload(site_of_nobody.binary, OTHER) as writer:
        message = refused(site_of_nobody, place / "rootstate")
    assert f"by pid {writer.pid} ({WRITER}, user {OTHER})" in message


@pytest.mark.root
def test_where_no_lease_is_possible_it_is_unknown(site_of_nobody: Instance) -> None:
    """Neither owner nor root: nothing is claimed, unless the file is the one that is executed."""
    instance, before = resolve(str(site_of_nobody.dir)), time.monotonic()
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.setgroups([])
            os.setgid(OTHER)
            os.setuid(OTHER)
            own = executable.judge(instance._replace(dir="/usr/bin", binary="env"), None)
            os.write(writer, json.dumps([executable.judge(instance, None), own]).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as stream:
        found = json.loads(stream.read())
    os.waitpid(pid, 0)
    text = f"this user cannot see whether a process has {site_of_nobody.binary} open for writing"
    assert found == [[None, None, text], [None, None, text.replace(str(site_of_nobody.binary), "/usr/bin/env")]]
    assert time.monotonic() - before < 30
