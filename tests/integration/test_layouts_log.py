# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One table of where a site of the web user's writes: which layouts a start by root takes, and which it refuses.

Each row is tried on real processes: a restart of the running site, and a start of one that had ended by itself after
it was only looked at. A refusal comes before the stop and names the log.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Callable, Iterator, NamedTuple

import pytest
import windows
from instance import make_instance

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import launch
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state as _state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import plan as _start_plan

pytestmark = pytest.mark.root
WEB, TENANT = 33, 65534
SECRET = "root's own\n"
OPTIONS: dict[str, Any] = dict(stable_for=0.1)
START = [{"verified_start": OPTIONS}]


AS_WEB = ["setpriv", f"--reuid={WEB}", f"--regid={WEB}", "--clear-groups"]


def opened(path: Path, owner: int) -> int:
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.fchown(fd, owner, owner)
    return fd


class Ground:
    """A site of the web user's, not started, and a panel's directory of logs that root alone can write."""

    def __init__(self, place: Path, panel: Path) -> None:
        self.place, self.panel = place, panel
        self.site = make_instance(place / "shop.example", "3.5.8")
        self.site.knobs(no_database=True)
        subprocess.run(["chown", "-R", f"{WEB}:{WEB}", str(self.site.dir)], check=True)
        self.secret = panel / "secret"
        self.secret.write_text(SECRET)
        self.secret.chmod(0o600)

    @property
    def log(self) -> Path:
        return self.panel / "shop.log"

    def start(self, output: int | Path, owner: int = WEB, error: int | None = None) -> None:
        """As the web user. A path is opened by root's shell, as `>> FILE` does."""
        out = output if isinstance(output, int) else opened(output, owner)
        subprocess.Popen(
            [*AS_WEB, str(self.site.binary)],
            cwd=self.site.dir,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out if error is None else error,
            start_new_session=True,
        )
        if out > 2:
            os.close(out)
        self.site.wait_ready()

    def writes_to(self) -> str:
        return os.readlink(f"/proc/{self.site.pid}/fd/1")


@pytest.fixture
def ground(place: Path) -> Iterator[Ground]:
    panel = Path(tempfile.mkdtemp(prefix="anqicms-panel-", dir="/run"))
    panel.chmod(0o755)
    found = Ground(place, panel)
    yield found
    found.site.kill()
    shutil.rmtree(panel)


# --- how it is before the start


def plain(ground: Ground) -> None:
    ground.start(ground.site.log)


def deleted(ground: Ground) -> None:
    plain(ground)
    ground.site.log.unlink()


def renamed(ground: Ground) -> None:
    plain(ground)
    ground.site.log.rename(f"{ground.site.log}.1")


def cut(ground: Ground) -> None:
    plain(ground)
    shutil.copy(ground.site.log, f"{ground.site.log}.1")
    os.truncate(ground.site.log, 0)


def opened_by_roots_shell(ground: Ground) -> None:
    ground.start(ground.site.log, owner=0)


def hardened(owner: int) -> Callable[[Ground], None]:
    """Root owns the directory, and every one down to it, and the binary."""

    def build(ground: Ground) -> None:
        ground.site = make_instance(ground.panel / "hardened.example", "3.5.8")
        ground.site.knobs(no_database=True)
        os.chown(ground.site.dir / "config.json", WEB, WEB)
        ground.start(ground.site.log, owner=owner)

    return build


def linked(ground: Ground) -> None:
    plain(ground)
    ground.site.log.unlink()
    ground.site.log.symlink_to(ground.secret)


def panel_of_root(ground: Ground) -> None:
    ground.start(ground.log, owner=0)


def panel_of_web(ground: Ground) -> None:
    ground.start(ground.log)


def panel_of_tenant(ground: Ground) -> None:
    ground.start(ground.log, owner=TENANT)


def panel_renamed(ground: Ground) -> None:
    panel_of_web(ground)
    ground.log.rename(f"{ground.log}.1")


def panel_cut(ground: Ground) -> None:
    panel_of_root(ground)
    shutil.copy(ground.log, f"{ground.log}.1")
    os.truncate(ground.log, 0)


def panel_deleted(ground: Ground) -> None:
    panel_of_root(ground)
    ground.log.unlink()


def panel_made_again(owner: int) -> Callable[[Ground], None]:
    def build(ground: Ground) -> None:
        panel_deleted(ground)
        ground.log.touch(0o644)
        os.chown(ground.log, owner, owner)

    return build


def panel_of_the_web_user(ground: Ground) -> None:
    os.chown(ground.panel, WEB, WEB)
    ground.start(ground.log)


def two_names(ground: Ground) -> None:
    panel_of_root(ground)
    os.link(ground.log, ground.panel / "other.log")


def other_mounts(ground: Ground) -> None:
    """The web user alone: a file system of its own over root's directory, with a file of the wanted name in it."""
    shell = (
        f"mount -t tmpfs none {ground.panel} && : > {ground.secret} && exec {ground.site.binary} "
        f">> {ground.secret} 2>&1"
    )
    words = [*AS_WEB, "unshare", "-Um", "--map-current-user", "--keep-caps", "/bin/sh", "-c", shell]
    subprocess.Popen(words, cwd=ground.site.dir, stdin=subprocess.DEVNULL, start_new_session=True)
    ground.site.wait_ready()


def to_null(ground: Ground) -> None:
    ground.start(subprocess.DEVNULL)


def to_a_pipe(ground: Ground) -> None:
    read, write = os.pipe()
    subprocess.Popen(["cat"], stdin=read, stdout=subprocess.DEVNULL)
    os.close(read)
    ground.start(write)


def to_a_terminal(ground: Ground) -> None:
    _master, slave = os.openpty()
    ground.start(slave)


def errors_to_a_log(ground: Ground) -> None:
    log = opened(ground.site.log, WEB)
    ground.start(subprocess.DEVNULL, error=log)
    os.close(log)


class Layout(NamedTuple):
    """``running``, ``ended``: where a restart, and a start after its end, write; or words of the refusal, after a !.

    ``before``: what 116b1d6 did, where that was another thing. ``notes``: words of the notes of the restart.
    """

    build: Callable[[Ground], None]
    running: str
    ended: str
    notes: str = ""
    before: str = ""


OWN, SHOP = "{dir}/running.log", "{panel}/shop.log"
TABLE = [
    Layout(plain, OWN, OWN),
    Layout(deleted, OWN, OWN),
    Layout(renamed, OWN, OWN, "was rotated to", "went on in running.log.1"),
    Layout(cut, OWN, OWN),
    Layout(opened_by_roots_shell, "!running.log: Permission denied", "!running.log: Permission denied"),
    Layout(hardened(WEB), OWN, OWN),
    Layout(hardened(0), OWN, "!running.log: Permission denied: uid 33 opens this file", before="refused before"),
    Layout(linked, "!running.log was not opened: it is a symbolic link", "!it is a symbolic link"),
    Layout(panel_of_root, SHOP, "!shop.log: Permission denied", before="started by the text of the link"),
    Layout(panel_of_web, SHOP, SHOP),
    Layout(panel_of_tenant, SHOP, "!shop.log was not opened: it belongs to uid 65534"),
    Layout(panel_renamed, SHOP + ".1", SHOP + ".1"),
    Layout(panel_cut, SHOP, "!shop.log: Permission denied", before="started by the text of the link"),
    Layout(panel_deleted, "!shop.log cannot be opened: No such file", "!shop.log cannot be opened: No such file"),
    Layout(panel_made_again(WEB), SHOP, SHOP),
    Layout(
        panel_made_again(0),
        "!shop.log: Permission denied",
        "!shop.log: Permission denied",
        before="root opened the new file",
    ),
    Layout(panel_of_the_web_user, "!only if root alone can write", "!only if root alone can write"),
    Layout(two_names, "!has 2 names", "!has 2 names"),
    Layout(
        other_mounts,
        "!secret, which is not the file of that name",
        "!secret, which is not the file",
        before="root opened the file of root's",
    ),
    Layout(to_null, "/dev/null", "/dev/null", "goes to /dev/null, as before", "without a word"),
    Layout(to_a_pipe, OWN, OWN, "went to a pipe", "thrown away"),
    Layout(to_a_terminal, OWN, OWN, "went to a terminal", "thrown away"),
    Layout(errors_to_a_log, OWN, OWN, "standard output went to /dev/null", "thrown away"),
]


def name_of(layout: Layout) -> str:
    return layout.build.__qualname__.split(".")[0]


@pytest.mark.parametrize("layout", TABLE, ids=name_of)
def test_a_restart(ground: Ground, layout: Layout) -> None:
    layout.build(ground)
    expect(ground, layout.running, layout.notes, windows.RESTART, ground.site.pid)


@pytest.mark.parametrize("layout", TABLE, ids=name_of)
def test_a_start_after_its_end(ground: Ground, layout: Layout) -> None:
    """It was only looked at: nothing says that root chose what its user had open."""
    layout.build(ground)
    context = windows.context_of(ground.site, ground.place / "state")
    context.look()
    context.remember(before_stop=False)
    context.close()
    ground.site.kill()
    expect(ground, layout.ended, layout.notes, START, None)


def restart(ground: Ground, steps: list[Any] | None = None) -> dict[str, Any]:
    """LifecycleError when it is refused or fails."""
    result = windows.run(ground.site, steps, ground.place / "state")
    if result["outcome"] != "done":
        raise LifecycleError(result["msg"])
    return result


def expect(ground: Ground, expected: str, notes: str, steps: list[Any], before: int | None) -> None:
    panel = ground.panel
    if expected.startswith("!"):
        with pytest.raises(LifecycleError) as raised:
            restart(ground, steps)
        assert any(words in raised.value.msg for words in expected[1:].split("|")), raised.value.msg
        assert "Nothing was st" in raised.value.msg
        assert ground.site.pids() == ([before] if before else [])
    else:
        result = restart(ground, steps)
        assert ground.writes_to() == expected.format(dir=ground.site.dir, panel=panel)
        assert notes in "; ".join(result["steps"][-1]["result"]["notes"])
        assert "3.5.8" in ground.site.told_version()
    assert ground.secret.read_text() == SECRET


# --- what a proved start adds


def test_a_proved_start_vouches_for_the_log_of_a_panel(ground: Ground) -> None:
    panel_of_root(ground)
    inode = ground.log.stat().st_ino
    restart(ground)
    ground.site.kill()
    restart(ground, START)
    assert ground.writes_to() == str(ground.log)
    assert (ground.log.stat().st_ino, ground.log.stat().st_uid) == (inode, 0)
    assert ground.log.read_text().count("Now listening on") == 3
    ground.log.rename(f"{ground.log}.1")  # while it runs; the rotation makes a new one
    ground.log.touch(0o640)
    result = restart(ground)
    assert ground.writes_to() == str(ground.log)
    notes = str(result["steps"][-1]["result"]["notes"])
    assert f"it now writes to {ground.log}, the log of its last verified start" in notes
    ground.log.rename(f"{ground.log}.2")  # without a new one: the very file goes on
    restart(ground)
    assert ground.writes_to() == f"{ground.log}.2"


def test_stopped_by_us_it_goes_on_in_the_very_file(ground: Ground) -> None:
    panel_of_root(ground)
    restart(ground, [{"graceful_stop": {}}])
    restart(ground, START)
    assert ground.writes_to() == str(ground.log)


def test_stopped_by_us_and_another_file_put_there(ground: Ground) -> None:
    panel_of_root(ground)
    restart(ground, [{"graceful_stop": {}}])
    ground.log.rename(f"{ground.log}.1")
    ground.log.write_text(SECRET)
    with pytest.raises(LifecycleError, match=r"shop.log: Permission denied: uid 33 opens this file"):
        restart(ground, START)
    assert ground.log.read_text() == SECRET


def test_a_child_that_is_replaced_after_the_stop_writes_to_it_too(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that held it open is gone then."""
    panel_of_root(ground)
    original = _state.StateDir.append
    seen: list[int] = []

    def append(state: Any, name: str, entry: dict[str, Any], durable: bool = False) -> None:
        original(state, name, entry, durable)
        if entry.get("event") == "parked":
            seen.append(entry["pid"])
            if len(seen) == 1:
                os.kill(entry["pid"], signal.SIGKILL)

    monkeypatch.setattr(_state.StateDir, "append", append)
    restart(ground)
    assert ground.writes_to() == str(ground.log)


def test_a_record_without_an_origin_was_only_seen(ground: Ground) -> None:
    """Of a release that took the text of a link for a path: root follows it nowhere."""
    context = windows.context_of(ground.site, ground.place / "state")
    plain(ground)
    context.look()
    context.remember()
    record = context.stored_record()
    assert record is not None
    context.close()
    ground.site.kill()
    old = launch.to_json(record._replace(log=str(ground.secret), gid=42, groups=[0, 42]))
    for name in ("log_found", "log_file", "output", "error_output", "traits"):
        del old[name]
    context.state.write_json("launch.json", old)
    context.look()
    assert context.logs.path() == str(ground.site.log), "not even read"
    with pytest.raises(LifecycleError, match=r"secret: Permission denied: uid 33 opens this file"):
        restart(ground, START)
    assert ground.secret.read_text() == SECRET
    context.state.write_json("launch.json", dict(old, log=str(ground.site.log)))
    result = restart(ground, START)
    assert "group 42 and groups [0, 42]; it starts with group 33" in str(result["steps"][0]["result"]["notes"])
    assert "Gid:\t33\t33\t33\t33" in Path(f"/proc/{ground.site.pid}/status").read_text()


def test_the_plan_says_it_too(ground: Ground) -> None:
    to_a_pipe(ground)
    context = windows.context_of(ground.site, ground.place / "state")
    context.look()
    context.foreseen = context.foreseen._replace(stops=True)
    planned = _start_plan.plan(context, {})
    assert any("went to a pipe" in note for note in planned["notes"])
    context.close()
