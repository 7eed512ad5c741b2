# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""graceful_stop: exactly the one process of the instance, or none."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, Iterator

import paths
import pytest
from instance import Instance, make_instance
from integration.stopping import (
    Actor,
    call,
    directories,
    gone,
    launch,
    outcome,
    signals_of,
    start_of,
    stop,
    within,
)

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import selection
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import resolve

Site = Callable[..., Instance]
IDLE = "ready()\ntime.sleep(600)"


@pytest.fixture
def www(tmp_path: Path) -> Iterator[Path]:
    yield from directories(tmp_path / "www")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def site(www: Path) -> Site:
    def make(name: str = "site", version: str = "3.5.8") -> Instance:
        return make_instance(www / name, version)

    return make


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "600"])
    yield process
    process.kill()
    process.wait()


def test_only_the_second_of_three_is_stopped(site: Site, base: Path) -> None:
    sites = [site(name) for name in ("one", "two", "three")]
    pids = [each.start() for each in sites]
    before = [start_of(pid) for pid in pids]
    result = stop(sites[1].dir, base)
    assert (result["stopped"], result["changed"], result["exit_kind"]) == (True, True, "graceful")
    assert result["pid"] == pids[1] and gone(pids[1])
    assert [start_of(pids[index]) for index in (0, 2)] == [before[0], before[2]]
    assert [sites[index].told_version() for index in (0, 2)] == ["3.5.8", "3.5.8"]


def test_of_one_file_behind_two_links_only_one_instance_is_stopped(www: Path, base: Path) -> None:
    shared = Actor(www / "shared")
    pids = {}
    for name in ("a", "b"):
        (www / name).mkdir()
        (www / name / "anqicms").symlink_to(shared.binary)
        shutil.copy(shared.dir / "CHANGELOG.md", www / name)
        words = [str(www / name / "anqicms"), *shared.words(IDLE)[1:]]
        pids[name] = launch(words, www / name, Actor.environment())
        assert within(10, (www / name / "ready").exists)
    before = start_of(pids["b"])
    result = stop(www / "a", base)
    assert (result["pid"], signals_of(result)) == (pids["a"], ["SIGTERM"])
    assert gone(pids["a"]) and start_of(pids["b"]) == before


def test_one_file_started_twice_is_refused_or_told_apart_by_port(www: Path, base: Path) -> None:
    actor = Actor(www / "site")
    pids = []
    for port in ("8101", "8102"):
        (www / port).mkdir()
        pids.append(launch([*actor.words(IDLE), "-port", port], www / port, Actor.environment()))
        assert within(10, (www / port / "ready").exists)
    before = [start_of(pid) for pid in pids]
    refused = stop(actor.dir, base)
    assert refused["failed"] and "2 processes match" in refused["msg"] and sorted(refused["pids"]) == sorted(pids)
    assert [start_of(pid) for pid in pids] == before
    result = stop(actor.dir, base, port=8102)
    assert result["pid"] == pids[1] and gone(pids[1])
    assert start_of(pids[0]) == before[0]


def test_hard_links_are_two_instances(www: Path, base: Path) -> None:
    first = Actor(www / "a")
    (www / "b").mkdir()
    os.link(first.binary, www / "b" / "anqicms")
    other = launch([str(www / "b" / "anqicms"), *first.words(IDLE)[1:]], www / "b", Actor.environment())
    assert within(10, (www / "b" / "ready").exists)
    assert stop(first.dir, base)["exit_kind"] == "already_stopped"
    assert not gone(other)


def test_what_is_stopped_already_or_was_never_started_is_unchanged(site: Site, base: Path) -> None:
    instance = site()
    never = stop(instance.dir, base)
    assert (never["stopped"], never["changed"], never["exit_kind"]) == (True, False, "already_stopped")
    instance.start()
    stop(instance.dir, base)
    again = stop(instance.dir, base)
    assert (again["stopped"], again["changed"], again["pid"], again["signals"]) == (True, False, None, [])


def reuse(tmp_path: Path, name: str, *words: str) -> dict[str, object]:
    """Run tests/integration/reusing.py as the first process of a PID namespace of its own, where pids can be chosen."""
    script = Path(__file__).with_name("reusing.py")
    space = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    done = subprocess.run([*space, sys.executable, script, name, tmp_path, *words], check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=60)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.root
@pytest.mark.parametrize("kernel", ["new", "old"])
@pytest.mark.parametrize("moment", ["select", "signal"])
def test_a_pid_that_is_reused_before_the_signal_gets_none(tmp_path: Path, moment: str, kernel: str) -> None:
    seen = reuse(tmp_path, moment, kernel)
    assert seen["reused"] and seen["stranger_alive"]
    assert seen["stopped"] and not seen["changed"] and seen["signals"] == []
    assert seen["exit_kind"] == "already_stopped"


@pytest.mark.root
@pytest.mark.parametrize("kernel", ["pidfd", "directory", "old"])
def test_a_pid_that_is_reused_in_the_same_tick_gets_no_signal(tmp_path: Path, kernel: str) -> None:
    """`old`: no pidfd at all. What is left there is the time between the look at /proc and kill(2)."""
    seen = reuse(tmp_path, "tick", kernel)
    assert seen["same_tick"] and seen["stranger_alive"]
    assert seen["gone"] is True and seen["signalled"] is False


def test_a_process_whose_binary_was_replaced_is_stopped(site: Site, base: Path) -> None:
    instance = site()
    pid = instance.start()
    fresh = instance.dir / "anqicms.new"
    shutil.copy2(instance.binary, fresh)
    os.replace(fresh, instance.binary)
    assert os.readlink(f"/proc/{pid}/exe").endswith(" (deleted)")
    result = stop(instance.dir, base)
    assert (result["pid"], result["exit_kind"]) == (pid, "graceful") and gone(pid)


def test_a_process_whose_binary_was_moved_aside_is_stopped(site: Site, base: Path) -> None:
    instance = site()
    pid = instance.start()
    os.rename(instance.binary, instance.dir / "anqicms.old")
    result = stop(instance.dir, base)
    assert (result["pid"], result["exit_kind"]) == (pid, "graceful") and gone(pid)


def test_pid_files_are_not_believed(site: Site, base: Path, stranger: subprocess.Popen[bytes]) -> None:
    instance = site()
    pid = instance.start()
    (instance.dir / "anqicms.pid").write_text(str(stranger.pid))
    (instance.dir / "anqicms.pid").chmod(0o666)
    (instance.dir / "run.pid").symlink_to(f"/proc/{stranger.pid}/stat")
    assert stop(instance.dir, base)["pid"] == pid
    assert gone(pid) and stranger.poll() is None
    assert stop(instance.dir, base)["exit_kind"] == "already_stopped"
    assert stranger.poll() is None


def pid_of(binary: Path) -> int:
    found = [pid for pid in procfs.list_pids() if exe_of(pid) == str(binary)]
    assert len(found) == 1
    return found[0]


def exe_of(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""


@pytest.mark.root
def test_a_process_in_a_container_with_the_same_path_is_not_stopped(www: Path, base: Path) -> None:
    actor = Actor(www / "site")
    space = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]
    with subprocess.Popen([*space, *actor.words(IDLE)], cwd=actor.dir, env=Actor.environment()) as container:
        try:
            assert within(10, (actor.dir / "ready").exists)
            inside = pid_of(actor.binary)
            result = stop(actor.dir, base)
            assert (result["exit_kind"], result["signals"]) == ("already_stopped", [])
            assert not gone(inside)
        finally:
            container.kill()
    assert within(5, lambda: gone(inside))


@pytest.mark.root
def test_mounts_of_its_own_are_no_container(www: Path, base: Path) -> None:
    """As under systemd with PrivateTmp. Another directory under the same path is another instance."""
    actor = Actor(www / "site")
    pid = launch(["unshare", "--mount", *actor.words(IDLE)], actor.dir, Actor.environment())
    assert within(10, (actor.dir / "ready").exists)
    result = stop(actor.dir, base)
    assert (result["pid"], result["exit_kind"]) == (pid, "graceful") and gone(pid)
    other = Actor(www / "other")
    code = f"mount --bind {other.dir} {actor.dir} && cd {actor.dir} && exec \"$@\""
    pid = launch(["unshare", "--mount", "sh", "-c", code, "sh", *actor.words(IDLE)], www, Actor.environment())
    assert within(10, (other.dir / "ready").exists)
    assert exe_of(pid) == str(actor.binary)
    assert stop(actor.dir, base)["exit_kind"] == "already_stopped"
    assert not gone(pid)


@pytest.fixture
def open_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Other users reach this directory."""
    place = Path("/var/tmp") / f"anqicms-stop-{os.getpid()}-{os.urandom(3).hex()}"
    place.mkdir(mode=0o755)
    yield from directories(place)
    shutil.rmtree(place)


@pytest.mark.root
def test_another_users_process_is_not_stopped_for_unseen(open_place: Path) -> None:
    instance = make_instance(open_place / "site", "3.5.8")
    pid = instance.start()
    before = start_of(pid)
    result = outcome(call(instance.dir, open_place / "state", uid=65534))
    assert result["failed"] and not result.get("changed") and f"Process {pid} may be" in result["msg"]
    assert start_of(pid) == before and "退出" not in instance.log_text()


@pytest.mark.root
def test_another_users_process_on_its_way_out_is_not_unseen(open_place: Path) -> None:
    """From its last instruction until its memory is given back it has no arguments, but its name."""
    site, other = open_place / "site", open_place / "other"
    for place, program in ((site, "/bin/sleep"), (other, os.path.realpath("/usr/bin/python3"))):
        place.mkdir()
        shutil.copy(program, place / "anqicms")
    for path in (site, site / "anqicms"):
        os.chown(path, 65534, 65534)
    code = (
        f"import sys, time; sys.path.insert(0, {str(paths.link_tree())!r})\n"
        "from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import instance as made, selection\n"
        f"instance, end = made.resolve({str(site)!r}), time.monotonic() + 6\n"
        "while time.monotonic() < end:\n"
        "    assert selection.find(instance).unseen == []\n"
    )
    watcher = subprocess.Popen([sys.executable, "-B", "-c", code], user=65534, group=65534)
    while watcher.poll() is None:
        large = "import posix; x = bytearray(200 << 20); posix._exit(0)"
        subprocess.run([other / "anqicms", "-S", "-c", large], check=True)
    assert watcher.returncode == 0


@pytest.mark.root
def test_a_process_that_may_not_be_signalled_is_a_failure(open_place: Path) -> None:
    instance = make_instance(open_place / "site", "3.5.8")
    for path in [instance.dir, *instance.dir.rglob("*")]:
        os.chown(path, 65533, 65533)
    pid = launch(["setpriv", "--reuid=65533", "--regid=65533", "--clear-groups", instance.binary], instance.dir)
    instance.wait_ready()
    before = start_of(pid)
    powerless = ["setpriv", "--bounding-set=-kill", "--inh-caps=-kill"]
    result = outcome(call(instance.dir, open_place / "state", powerless, force="timeout"))
    assert result["failed"] and f"No permission to signal pid {pid}" in result["msg"] and "uid 65533" in result["msg"]
    assert start_of(pid) == before and "退出" not in instance.log_text()


@pytest.mark.root
@pytest.mark.parametrize("option", ["2", "invisible", "1"])
@pytest.mark.parametrize("serves", [True, False])
def test_where_processes_are_hidden_the_stop_is_refused(open_place: Path, option: str, serves: bool) -> None:
    """Both the one that answers and the one whose port is closed: whether it runs is not known."""
    instance = make_instance(open_place / "site", "2.5.3")
    pid = instance.start()
    if not serves:
        os.kill(pid, signal.SIGTERM)
        assert within(5, lambda: not instance.told_version())
    before = start_of(pid)
    script = f"mount -t proc -o hidepid={option} proc /proc && exec \"$@\""
    space = ["unshare", "--mount", "sh", "-c", script, "sh"]
    result = outcome(call(instance.dir, open_place / "state", space, uid=65534))
    assert result["failed"] and "/proc hides other users' processes (hidepid)" in result["msg"]
    assert start_of(pid) == before


def test_check_mode_names_the_process_and_sends_nothing(site: Site, base: Path) -> None:
    instance = site()
    pid = instance.start()
    before = start_of(pid)
    result = stop(instance.dir, base, check=True)
    assert (result["changed"], result["pid"], result["signals"], result["stopped"]) == (True, pid, [], False)
    assert f"SIGTERM to pid {pid}" in result["would"]
    time.sleep(0.3)
    assert start_of(pid) == before and instance.told_version() == "3.5.8" and "退出" not in instance.log_text()
    assert not base.exists()
    instance.kill()
    assert not stop(instance.dir, base, check=True)["changed"]


def test_the_module_stops_as_its_check_mode_says(site: Site, base: Path) -> None:
    """Through Ansible, as it is shipped to a host."""
    instance, sibling = site(), site("sibling")
    pid, other = instance.start(), sibling.start()
    remote = instance.dir.parent.parent / "remote"

    def run(*words: str) -> tuple[int, dict[str, object]]:
        bin_dir = Path(sys.executable).parent
        argv = [
            str(bin_dir / "ansible"),
            "localhost",
            "-i",
            "localhost,",
            "-c",
            "local",
            "-e",
            f"ansible_python_interpreter={sys.executable}",
            "-m",
            "anqicms.lifecycle.graceful_stop",
            "-a",
            f"dir={instance.dir} state_dir={base}",
            *words,
        ]
        done = subprocess.run(argv, check=False, stdout=subprocess.PIPE, text=True, timeout=60,
                              env={**paths.private_env([bin_dir]), "ANSIBLE_REMOTE_TMP": str(remote)})  # fmt: skip
        return done.returncode, dict(json.loads(done.stdout[done.stdout.index("=> {") + 3 :]))

    status, planned = run("--check")
    assert (status, planned["changed"], planned["pid"]) == (0, True, pid)
    assert not gone(pid) and "退出" not in instance.log_text()
    status, done = run()
    assert (status, done["changed"], done["exit_kind"], done["pid"]) == (0, True, "graceful", pid)
    assert gone(pid) and not gone(other)
    assert run()[1]["changed"] is False


def test_the_instance_is_found_among_four_thousand_processes(
    www: Path, base: Path, record_property: Callable[[str, object], None]
) -> None:
    actor = Actor(www / "site")
    pid = actor.start(IDLE)
    crowd = Actor(www / "crowd")
    first = crowd.start(
        """
libc, me = ctypes.CDLL(None), os.getpid()
for number in range(4000):
    if os.fork() == 0:
        libc.prctl(1, 9, 0, 0, 0)
        while True:
            signal.pause()
ready()
while True:
    signal.pause()
""",
        wait=False,
    )
    try:
        assert within(180, (crowd.dir / "ready").exists), (crowd.dir / "running.log").read_text()
        took = []
        for _unused in range(3):
            begin = time.monotonic()
            found = selection.find(resolve(str(actor.dir)))
            took.append((time.monotonic() - begin) * 1000)
            assert [candidate.pid for candidate in found.candidates] == [pid]
        assert len(procfs.list_pids()) > 4000
        record_property("select_ms", round(min(took), 1))
        print(f"selection among {len(procfs.list_pids())} processes: {min(took):.1f} ms")
        result = stop(actor.dir, base)
        assert result["pid"] == pid and gone(pid) and not gone(first)
    finally:
        os.kill(first, signal.SIGKILL)
    assert within(30, lambda: len(procfs.list_pids()) < 4000)


@pytest.mark.parametrize("calls", [[434], [434, 424]], ids=["open", "open+signal"])
@pytest.mark.parametrize("code", [1, 38], ids=["EPERM", "ENOSYS"])
def test_where_seccomp_blocks_pidfds_the_stop_works(site: Site, base: Path, code: int, calls: list[int]) -> None:
    instance, sibling = site(), site("sibling")
    pid, other = instance.start(), sibling.start()
    result = outcome(call(instance.dir, base, seccomp={"calls": calls, "errno": code}))
    assert (result["pid"], result["exit_kind"], signals_of(result)) == (pid, "graceful", ["SIGTERM"])
    assert gone(pid) and not gone(other)


def test_no_descriptor_left_is_no_answer(www: Path, base: Path) -> None:
    """Where not even /proc can be opened nothing is signalled, and a running instance is not called stopped."""
    actor = Actor(www / "site")
    pid = actor.start(IDLE)
    process = call(actor.dir, base, ["prlimit", "--nofile=3", "--"])
    process.communicate(timeout=30)
    assert process.returncode != 0 and not gone(pid)
