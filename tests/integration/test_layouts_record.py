# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One table of how a site of the web user's was seen running, and with what root starts it again."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Iterator, NamedTuple

import pytest
import windows
from instance import Instance, make_instance

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import cgroups, procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import launch as _launch
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import plan as _start_plan

pytestmark = pytest.mark.root
WEB = 33
SHADOW = 42
NO_DATABASE = "config.json names no database, so none was checked"
START = [{"verified_start": {"stable_for": 0.1}}]


@pytest.fixture
def site(place: Path) -> Iterator[Instance]:
    made = make_instance(place / "shop.example", "3.5.8")
    made.knobs(no_database=True)
    made.log.touch()
    subprocess.run(["chown", "-R", f"{WEB}:{WEB}", str(made.dir)], check=True)
    yield made
    made.kill()


def become(gid: int = WEB, groups: tuple[int, ...] = (WEB,)) -> None:
    os.setgroups(groups)
    os.setresgid(gid, gid, gid)
    os.setresuid(WEB, WEB, WEB)


def launch(site: Instance, prepare: Callable[[], object], arguments: tuple[str, ...] = ()) -> int:
    pid = os.fork()
    if not pid:
        try:
            os.setsid()
            os.chdir(site.dir)
            out = os.open(site.log, os.O_WRONLY | os.O_APPEND)
            for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them
                signal.signal(number, signal.SIG_DFL)
            prepare()
            for target in (1, 2):
                os.dup2(out, target)
            os.execve(site.binary, [str(site.binary), *arguments], {"PATH": "/usr/bin:/bin", "KEPT": "yes"})
        finally:
            os._exit(99)
    site.wait_ready()
    return pid


def status(site: Instance) -> dict[str, str]:
    return procfs.parse_status(Path(f"/proc/{site.pid}/status").read_bytes())


class Layout(NamedTuple):
    """``groups``: gid and groups of the new process. ``note``: words of a note; none where nothing differs."""

    prepare: Callable[[], object]
    groups: tuple[int, set[int]]
    note: str
    before: str = ""


def restrained() -> None:
    """Much that its user may set for itself."""
    os.umask(0o027)
    os.nice(3)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    Path("/proc/self/coredump_filter").write_text("0x7")
    libc = ctypes.CDLL(None)
    libc.personality(0x0040000)
    libc.prctl(38, 1, 0, 0, 0)
    become()


def realtime() -> None:
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    become()


def with_bind() -> None:
    """CAP_NET_BIND_SERVICE, kept over the exec."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(8, 1, 0, 0, 0)  # PR_SET_KEEPCAPS
    become()
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    assert libc.capset(header, (ctypes.c_uint32 * 6)(1 << 10, 1 << 10, 1 << 10, 0, 0, 0)) == 0
    assert libc.prctl(47, 2, 10, 0, 0) == 0  # PR_CAP_AMBIENT_RAISE


def niced() -> None:
    os.nice(-5)
    become()


TABLE = {
    "sudo -u www": Layout(become, (WEB, {WEB}), ""),
    "setpriv --clear-groups": Layout(lambda: become(groups=()), (WEB, set()), ""),
    "root gave it more groups": Layout(
        lambda: become(groups=(WEB, 4, 27)), (WEB, {WEB}), "groups [4, 27, 33]", "started with them"
    ),
    "root gave it another group": Layout(lambda: become(gid=4, groups=()), (WEB, {WEB}), "group 4 and", "kept it"),
    "restrained by its user": Layout(restrained, (WEB, {WEB}), "", "lost, but for umask and nice"),
    "nice -n -5 by root": Layout(niced, (WEB, {WEB}), ""),
    "realtime by root": Layout(realtime, (WEB, {WEB}), "the scheduling policy SCHED_RR", "lost"),
    "with a capability": Layout(with_bind, (WEB, {WEB}), "the capabilities 0x400", "lost"),
}
FOLLOWED = ("argv", "environment", "cwd", "umask", "limits", "nice", "oom_score_adj", "ignores_hup", "log")


def seen(site: Instance) -> _launch.LaunchRecord:
    with procfs.ProcDir(site.pid) as proc:
        return _launch.capture(proc)


@pytest.mark.parametrize("name", TABLE)
def test_how_it_was_seen(site: Instance, place: Path, name: str) -> None:
    layout = TABLE[name]
    launch(site, layout.prepare, ("-port", str(site.port)))
    before, traits = seen(site), status(site)
    result = windows.run(site, None, place / "state")
    assert result["outcome"] == "done", result
    check(site, layout, before, traits, result)
    site.kill()
    result = windows.run(site, START, place / "state")  # from the record
    assert result["outcome"] == "done", result
    check(site, layout._replace(note=""), before, traits, result)


def check(
    site: Instance, layout: Layout, before: _launch.LaunchRecord, traits: dict[str, str], result: dict[str, Any]
) -> None:
    after, now = seen(site), status(site)
    assert (after.uid, after.gid, set(after.groups)) == (WEB, *layout.groups)
    notes = [note for note in windows.notes_of(result) if note != NO_DATABASE]
    assert bool(notes) == bool(layout.note), notes
    assert layout.note in "; ".join(notes)
    for field in FOLLOWED:
        assert getattr(after, field) == getattr(before, field), field
    assert now["SigIgn"] == traits["SigIgn"]
    assert now["SigBlk"] == traits["SigBlk"]
    assert now["CapEff"] == "0000000000000000"
    plain = before.traits._replace(lost=[])
    if plain.scheduler == os.SCHED_RR:
        plain = plain._replace(scheduler=os.SCHED_OTHER, timer_slack=after.traits.timer_slack)
    assert after.traits == plain._replace(io_priority=after.traits.io_priority)


def test_seen_through_a_setgid_program(site: Instance, place: Path) -> None:
    """The site's user has its path lead to a setgid program for a moment: a look must not make that its group."""
    launch(site, become)
    context = windows.context_of(site, place / "state")
    context.look()
    context.remember()
    context.close()
    site.kill()
    program = place / "setgid"
    shutil.copy(os.path.realpath("/bin/sleep"), program)
    os.chown(program, 0, SHADOW)
    program.chmod(0o2755)
    site.binary.rename(site.dir / "real")
    site.binary.symlink_to(program)
    os.chown(site.binary, WEB, WEB, follow_symlinks=False)
    words = ["setpriv", f"--reuid={WEB}", f"--regid={WEB}", "--clear-groups", str(site.binary), "60"]
    process = subprocess.Popen(
        words, cwd=site.dir, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        assert windows.within(5, lambda: f"Gid:\t{WEB}\t{SHADOW}" in Path(f"/proc/{process.pid}/status").read_text())
        context = windows.context_of(site, place / "state")
        context.look()
        context.remember()
        assert (_start_plan.choose_record(context, {}).gid, context.user) == (WEB, None)
        context.close()
    finally:
        process.kill()
        process.wait()
    site.binary.unlink()
    (site.dir / "real").rename(site.binary)
    result = windows.run(site, [{"verified_start": {"stable_for": 0.1, "arguments": []}}], place / "state")
    assert result["outcome"] == "done", result
    assert status(site)["Gid"].split() == [str(WEB)] * 4
    assert str(SHADOW) not in status(site)["Groups"].split()


def test_a_process_that_has_changed_its_user_tells_nothing(site: Instance, place: Path) -> None:
    """As a setuid program does: it acts as somebody else than its real user."""
    pid = launch(site, become)
    code = f"import os, time; os.setresuid({WEB}, 0, 0); time.sleep(60)"
    other = subprocess.Popen([sys.executable, "-c", code])
    try:
        assert windows.within(5, lambda: f"Uid:\t{WEB}\t0\t0" in Path(f"/proc/{other.pid}/status").read_text())
        with procfs.ProcDir(other.pid) as proc, pytest.raises(PermissionError, match="real and effective user are"):
            _launch.capture(proc)
    finally:
        other.kill()
        other.wait()
    assert site.pid == pid


def test_a_start_as_another_user_takes_nothing_over(site: Instance, place: Path) -> None:
    """Root ran it; the way out of that is to name the user. Its arguments are named, for whoever needs them."""
    launch(site, lambda: os.umask(0), ("-port", str(site.port)))
    site.log.write_text("")
    os.chown(site.log, WEB, WEB)
    steps = [*windows.RESTART[:2], {"verified_start": {"stable_for": 0.1, "user": "www-data"}}]
    result = windows.run(site, steps, place / "state")
    assert result["outcome"] == "done", result
    after = seen(site)
    assert (after.uid, after.umask, after.argv) == (WEB, 0o022, [str(site.binary)])
    assert "KEPT" not in after.environment
    notes = str(result["steps"][-1]["result"]["notes"])
    assert "last ran as uid 0 and starts as uid 33" in notes
    assert f"(arguments: -port {site.port})" in notes


@pytest.fixture
def group() -> Iterator[Path]:
    own = cgroups.parse(Path("/proc/self/cgroup").read_text()).get("pids")
    mount = Path("/sys/fs/cgroup/pids")
    if own is None or not (mount / own.lstrip("/") / "cgroup.procs").exists():
        pytest.skip("no v1 hierarchy of pids is mounted here")
    made = mount / own.lstrip("/") / f"anqicms-test-{os.getpid()}"
    made.mkdir()
    yield made
    assert windows.within(5, lambda: not (made / "cgroup.procs").read_text())
    made.rmdir()


def test_the_control_group_of_a_proved_start(group: Path, site: Instance, place: Path) -> None:
    """One that the web user's process was only seen in is named and left; that of a proved start is kept."""

    def in_the_group() -> None:
        (group / "cgroup.procs").write_text("0")
        become()

    launch(site, in_the_group)
    try:
        result = windows.run(site, None, place / "state")
        assert result["outcome"] == "done", result
        notes = str(result["steps"][-1]["result"]["notes"])
        assert f"it ran in the control group pids:{seen_group(group)}" in notes
        assert str(site.pid) not in (group / "cgroup.procs").read_text().split()
        context = windows.context_of(site, place / "state")
        data = context.state.launch()
        proved = _launch.proved_of(data)
        assert proved is not None
        assert (proved.uid, proved.pid, proved.log) == (WEB, site.pid, str(site.log))
        wanted = dict(proved.cgroups, pids=seen_group(group))
        record = context.stored_record()
        assert record is not None
        _launch.store(context.state, record, proved._replace(cgroups=wanted))
        site.kill()
        assert windows.run(site, START, place / "state")["outcome"] == "done"
        assert str(site.pid) in (group / "cgroup.procs").read_text().split()
        assert windows.run(site, None, place / "state")["outcome"] == "done"
        assert str(site.pid) in (group / "cgroup.procs").read_text().split()
    finally:
        site.kill()


def seen_group(group: Path) -> str:
    return "/" + str(group.relative_to("/sys/fs/cgroup/pids"))


def test_a_look_keeps_what_was_proved(site: Instance, place: Path) -> None:
    launch(site, become)
    windows.run(site, None, place / "state")
    context = windows.context_of(site, place / "state")
    proved = _launch.proved_of(context.state.launch())
    assert proved is not None
    pid = site.pid
    os.kill(pid, signal.SIGKILL)
    assert windows.within(5, lambda: site.pids() == [])
    launch(site, lambda: become(groups=(4,)))
    context.look()
    context.remember()
    context.close()
    data = context.state.launch()
    assert _launch.proved_of(data) == proved
    assert data is not None
    assert data["groups"] == [4]
