# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""After a restart the process is as it was before."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, Callable

import pytest
import windows
from instance import Instance, make_instance

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import cgroups, procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import launch as _launch
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state as _state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import resolve
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import siblings
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import start as _start

NOBODY = 65534
SECRET = "geheim-\udcff-中"
NO_DATABASE = "config.json names no database, so none was checked"


def captured(pid: int) -> _launch.LaunchRecord:
    with procfs.ProcDir(pid) as proc:
        return _launch.capture(proc)


def launch(
    site: Instance,
    prepare: Callable[[], object] = lambda: None,
    environment: dict[str, str] | None = None,
    log: str = "running.log",
    arguments: tuple[str, ...] = (),
) -> int:
    """Start it with what `prepare` does in the child, wait until it answers; its pid."""
    pid = os.fork()
    if not pid:
        try:
            os.setsid()
            os.chdir(site.dir)
            out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            null = os.open("/dev/null", os.O_RDONLY)
            prepare()
            for fd, target in ((null, 0), (out, 1), (out, 2)):
                os.dup2(fd, target)
            os.execve(site.binary, [str(site.binary), *arguments], environment or dict(os.environ))
        finally:
            os._exit(99)
    site.wait_ready()
    return pid


def _odd() -> None:
    os.umask(0o027)
    os.nice(3)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    Path("/proc/self/oom_score_adj").write_text("137")
    resource.setrlimit(resource.RLIMIT_NOFILE, (700, 900))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_STACK, (4 << 20, 16 << 20))


def same(before: _launch.LaunchRecord, after: _launch.LaunchRecord) -> None:
    for field in _launch.LaunchRecord._fields:
        assert getattr(after, field) == getattr(before, field), field


@pytest.mark.parametrize("version", ["2.5.3", "3.5.8"])
def test_everything_is_as_before(tmp_path: Path, version: str) -> None:
    site = make_instance(tmp_path / "shop.example", version)
    environment = {"PATH": "/usr/bin:/bin", "EMPTY": "", "SECRET": SECRET, "EQUALS": "a=b=c", "LINES": "a\nb"}
    try:
        pid = launch(site, _odd, environment, "app.log", ("-port", str(site.port)))
        before = captured(pid)
        assert before.environment == environment
        # from 3.2.2 on it catches SIGHUP, whatever it inherited
        assert (before.umask, before.oom_score_adj, before.ignores_hup) == (0o027, 137, version == "2.5.3")
        assert before.limits["7"] == [700, 900]
        first = windows.run(site)
        assert first["outcome"] == "done"
        assert windows.notes_of(first, 2) == [NO_DATABASE]
        same(before, captured(site.pid))
        windows.run(site, [{"graceful_stop": {}}])
        windows.run(site, [{"verified_start": {"stable_for": 0}}])  # from the stored record
        same(before, captured(site.pid))
        assert (site.dir / "app.log").read_text(errors="replace").count("Now listening on") == 3
        assert sorted(os.listdir(f"/proc/{site.pid}/fd")) >= ["0", "1", "2"]
        assert os.readlink(f"/proc/{site.pid}/fd/0") == "/dev/null"
        assert SECRET not in str(first)
    finally:
        site.kill()


def test_options_change_only_what_they_name(tmp_path: Path) -> None:
    site = make_instance(tmp_path / "shop.example", "3.5.8")
    try:
        pid = launch(site, environment={"PATH": "/bin", "A": "1"})
        before = captured(pid)
        steps = [{"graceful_stop": {}}, {"verified_start": {"environment": {"B": 2}, "stable_for": 0}}]
        windows.run(site, steps)
        after = captured(site.pid)
        assert after.environment == {"PATH": "/bin", "A": "1", "B": "2"}
        same(before._replace(environment=after.environment), after)
    finally:
        site.kill()


def test_no_descriptor_is_inherited(tmp_path: Path) -> None:
    """Compared with the same program started by hand, and from a caller that has many descriptors open."""
    site = make_instance(tmp_path / "shop.example", "3.5.8")
    pipes = [os.pipe() for _unused in range(20)]
    inheritable = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(inheritable, True)
    try:
        site.start()
        time.sleep(0.3)
        by_hand = _kinds(site.pid)
        windows.run(site)
        assert windows.within(5, lambda: by_hand == _kinds(site.pid))
    finally:
        for pair in pipes:
            os.close(pair[0])
            os.close(pair[1])
        os.close(inheritable)
        site.kill()


def _kinds(pid: int) -> list[str]:
    return sorted(_kind(pid, name) for name in os.listdir(f"/proc/{pid}/fd"))


def _kind(pid: int, name: str) -> str:
    try:
        return os.readlink(f"/proc/{pid}/fd/{name}").split(":")[0]
    except OSError:
        return "gone"


@pytest.mark.root
def test_another_users_site(place: Path) -> None:
    """Root restarts it: user, group and groups are those of the user database, and the log is made by that user."""
    site = make_instance(place / "shop.example", "3.5.8")
    subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", str(site.dir)], check=True)
    state = place / "state"

    def become() -> None:
        os.chown(site.log, NOBODY, NOBODY)
        os.setgroups([NOBODY, 12, 34])
        os.setgid(NOBODY)
        os.setuid(NOBODY)

    pid = launch(site, become)
    before = captured(pid)
    rotate = {"command": {"argv": ["/bin/mv", str(site.log), f"{site.log}.1"]}}
    steps = [windows.RESTART[0], rotate, windows.RESTART[2]]
    result = windows.run(site, steps, state)
    assert result["outcome"] == "done", result
    after = captured(site.pid)
    assert (after.uid, after.gid, after.groups) == (NOBODY, NOBODY, [NOBODY])
    assert "groups [12, 34, 65534]; it starts with" in str(result["steps"][-1]["result"]["notes"])
    same(before._replace(groups=after.groups), after)
    status = Path(f"/proc/{site.pid}/status").read_text()
    assert f"Uid:\t{NOBODY}\t{NOBODY}\t{NOBODY}\t{NOBODY}" in status
    assert f"Gid:\t{NOBODY}\t{NOBODY}\t{NOBODY}\t{NOBODY}" in status
    assert (site.log.stat().st_uid, site.log.stat().st_gid) == (NOBODY, NOBODY)  # a new one
    assert "Now listening on" in site.log.read_text()


@pytest.mark.root
def test_a_first_start_takes_the_agreeing_owner(place: Path) -> None:
    site = make_instance(place / "shop.example", "3.5.8")
    state = place / "state"
    with pytest.raises(LifecycleError, match="the user to start it as is not known"):
        windows.run(site, [{"verified_start": {}}], state)
    subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", str(site.dir)], check=True)
    result = windows.run(site, [{"verified_start": {"stable_for": 0}}], state)
    assert result["outcome"] == "done"
    after = captured(site.pid)
    assert (after.uid, after.log, after.cwd) == (NOBODY, str(site.log), str(site.dir))
    assert after.environment["USER"] == "nobody"
    assert not [name for name in after.environment if name.startswith(("SSH_", "SUDO_", "ANSIBLE"))]


@pytest.mark.root
def test_a_log_that_its_user_cannot_write_is_known_before_the_stop(place: Path) -> None:
    """Root's shell had opened it for the site; the site's user cannot open it again."""
    site = make_instance(place / "shop.example", "3.5.8")
    subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", str(site.dir)], check=True)
    pid = launch(site, lambda: os.setuid(NOBODY))
    result = windows.run(site, None, place / "state")
    assert result["outcome"] == "failed"
    assert "running.log: Permission denied" in result["msg"]
    assert (result["state"], site.pid) == ("running", pid)
    assert result["steps"] == []


@pytest.mark.root
@pytest.mark.parametrize("controllers", ["pids", "memory", "name=systemd"])
def test_control_group(tmp_path: Path, controllers: str) -> None:
    mount = Path("/sys/fs/cgroup", controllers.rsplit("=", maxsplit=1)[-1])
    own = cgroups.parse(Path("/proc/self/cgroup").read_text()).get(controllers)
    if own is None or not (mount / own.lstrip("/") / "cgroup.procs").exists():
        pytest.skip(f"no v1 hierarchy of {controllers} is mounted here")
    group = mount / own.lstrip("/") / f"anqicms-test-{os.getpid()}"
    group.mkdir()
    site = make_instance(tmp_path / "shop.example", "3.5.8")
    try:
        launch(site, lambda: (group / "cgroup.procs").write_text("0"))
        before = captured(site.pid)
        assert before.cgroups[controllers].endswith(group.name)
        result = windows.run(site)
        assert captured(site.pid).cgroups == before.cgroups
        assert windows.notes_of(result, 2) == [NO_DATABASE]
        site.kill()
        result = windows.run(site, [{"verified_start": {"stable_for": 0}}])  # from the record
        assert captured(site.pid).cgroups == before.cgroups
        assert str(site.pid) in (group / "cgroup.procs").read_text().split()
    finally:
        site.kill()
        windows.within(5, lambda: not (group / "cgroup.procs").read_text())
        group.rmdir()


def test_a_control_group_that_is_gone_is_only_noted(tmp_path: Path) -> None:
    site = make_instance(tmp_path / "shop.example", "3.5.8")
    try:
        site.start()
        windows.run(site)
        context = windows.context_of(site)
        record = context.stored_record()
        assert record is not None
        wanted = dict(record.cgroups, nothing="/no/such/group")
        context.state.write_json("launch.json", _launch.to_json(record._replace(cgroups=wanted)))
        site.kill()
        result = windows.run(site, [{"verified_start": {"stable_for": 0}}])
        assert result["outcome"] == "done"
        assert windows.notes_of(result, 0) == [
            "control group nothing:/no/such/group: its hierarchy is not mounted",
            NO_DATABASE,
        ]
    finally:
        site.kill()


@pytest.mark.parametrize("version", ["3.2.8", "3.3.11"])
def test_siblings_live_and_the_shim_stays_out_of_the_record(tmp_path: Path, version: str) -> None:
    """`pidof anqicms` of the starting version finds all of them; three restarts, no sibling dies."""
    sites = [make_instance(tmp_path / name, version) for name in ("a.example", "b.example")]
    sites.append(make_instance(tmp_path / "c.example", "3.5.8"))
    if not shutil.which("pidof"):
        pytest.skip("no pidof")
    try:
        for site in reversed(sites):
            site.spawn(environment={"PATH": "/nonexistent", "HOME": "/"})  # no pidof there: nobody is killed
            site.wait_ready()
        pids = [site.pid for site in sites]
        assert all(pids)
        victim, base = sites[0], tmp_path / "state"
        context = windows.context_of(victim, base)
        shim = str(base / _launch.SHIM_NAME)
        for _unused in range(3):
            result = windows.run(
                victim,
                [
                    {"graceful_stop": {}},
                    {"verified_start": {"stable_for": 0.5, "environment": {"PATH": "/usr/bin:/bin"}}},
                ],
                base,
            )
            assert result["outcome"] == "done"
            assert path_of(victim.pid) == f"{shim}:/usr/bin:/bin"
            assert captured(victim.pid).environment["PATH"] == "/usr/bin:/bin"
            stored = context.stored_record()
            assert stored is not None
            assert stored.environment["PATH"] == "/usr/bin:/bin"
        assert [site.pid for site in sites[1:]] == pids[1:]
    finally:
        for site in sites:
            site.kill()


def path_of(pid: int) -> str:
    """What /proc says, with the directory of the protection in it."""
    values = dict(item.partition("=")[::2] for item in Path(f"/proc/{pid}/environ").read_text().split("\0"))
    return values["PATH"]


def test_siblings_live_when_only_the_binary_was_rolled_back(tmp_path: Path) -> None:
    """CHANGELOG.md and the running process say 3.5.8; the binary on the disk is one that kills its siblings."""
    if not shutil.which("pidof"):
        pytest.skip("no pidof")
    rolled, sibling = (make_instance(tmp_path / name, "3.5.8") for name in ("a.example", "b.example"))
    try:
        rolled.start()
        pid = sibling.start()
        older = make_instance(tmp_path / "older", "3.2.8", port=rolled.port)
        shutil.rmtree(rolled.dir / "lib")
        shutil.copytree(older.dir / "lib", rolled.dir / "lib", symlinks=True)
        shutil.copy2(older.binary, rolled.dir / "new")
        (rolled.dir / "new").replace(rolled.binary)
        rolled.limit_kills_to(tmp_path)
        result = windows.run(rolled)
        assert (result["outcome"], result["version"]) == ("done", "3.2.8")
        time.sleep(0.3)
        assert sibling.pids() == [pid]
    finally:
        rolled.kill()
        sibling.kill()


def test_a_start_without_siblings_is_protected_too(tmp_path: Path) -> None:
    """One may be started at the same moment; and the version is not known before it runs."""
    site = make_instance(tmp_path / "shop.example", "3.5.8")
    try:
        site.start(environment={"PATH": "/usr/bin:/bin"})
        before = captured(site.pid)
        tools = tmp_path / "state" / _launch.SHIM_NAME
        changed = []
        for _unused in range(2):
            assert windows.notes_of(windows.run(site), 2) == [NO_DATABASE]
            assert path_of(site.pid) == f"{tools}:/usr/bin:/bin"
            same(before, captured(site.pid))
            changed.append({path.name: path.stat().st_mtime_ns for path in tools.iterdir()})
        assert sorted(changed[0]) == ["pgrep", "pidof"]
        assert changed[0] == changed[1], "they are written once"
        (tools / "pidof").write_text("#!/bin/sh\necho 1\n")
        (tools / "pgrep").unlink()
        (tools / "pgrep").symlink_to("/bin/true")
        assert windows.run(site)["outcome"] == "done"
        for tool in tools.iterdir():
            assert not tool.is_symlink()
            done = subprocess.run([str(tool), "anqicms"], check=False, capture_output=True)
            assert (done.returncode, done.stdout) == (1, b"")
    finally:
        site.kill()


def test_other_programs_are_found_as_before(tmp_path: Path) -> None:
    """What the application itself starts, an image converter for example, comes from its own PATH."""
    record = _record({"PATH": f"{tmp_path / 'own'}:/usr/bin:/bin"})
    (tmp_path / "own").mkdir()
    converter = tmp_path / "own" / "cwebp"
    converter.write_text("#!/bin/sh\necho converted by $(basename $0)\n")
    converter.chmod(0o755)
    site = make_instance(tmp_path / "shop.example", "3.5.8")
    context = windows.context_of(site)
    environment, notes = siblings.protect(context.state, context.instance, record, ("3.5.8",))
    assert notes == [f"PATH starts with {tmp_path / 'state' / _launch.SHIM_NAME}, which protects siblings"]
    done = subprocess.run(
        ["/bin/sh", "-c", "cwebp && ls / > /dev/null && pidof sh"], env=environment, check=False, capture_output=True
    )
    assert (done.returncode, done.stdout) == (1, b"converted by cwebp\n")
    assert _launch.without_shim(environment) == record.environment


def _record(environment: dict[str, str], uid: int | None = None) -> _launch.LaunchRecord:
    record = captured(os.getpid())._replace(environment=environment)
    return record._replace(uid=os.geteuid() if uid is None else uid)


@pytest.mark.root
@pytest.mark.parametrize(
    ("version", "with_sibling", "refused"),
    [("3.5.8", True, False), ("3.2.8", False, False), ("3.2.8", True, True), (None, True, True)],
)
def test_where_it_cannot_be_set_up(place: Path, version: str | None, with_sibling: bool, refused: bool) -> None:
    """A state directory that the instance's user cannot reach. Only what may kill somebody is refused."""
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    sites = [make_instance(place / name, "3.5.8") for name in ("a.example", "b.example")]
    binary = "anqicms" if with_sibling else "alone"  # the name that a sibling has
    site = sites[0]
    if not with_sibling:
        shutil.copy2(site.binary, site.dir / binary)
    pid = sites[1].start()
    try:
        instance = resolve(str(site.dir), binary)
        state = _state.StateDir(instance, str(closed / "state"))
        record = _record({"PATH": "/usr/bin:/bin"}, NOBODY)
        if refused:
            with pytest.raises(LifecycleError, match=r"could kill its siblings.*closed is closed to other users"):
                siblings.protect(state, instance, record, (version,))
        else:
            environment, notes = siblings.protect(state, instance, record, (version,))
            assert environment == record.environment
            assert len(notes) == 1
            assert f"uid {NOBODY} cannot enter it, because {closed} is closed to other users" in notes[0]
        assert sites[1].pids() == [pid]
    finally:
        for one in sites:
            one.kill()


@pytest.mark.root
def test_the_start_goes_on_with_a_note_where_it_cannot_be_set_up(place: Path) -> None:
    site = make_instance(place / "shop.example", "3.5.8")
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", str(site.dir)], check=True)
    result = windows.run(site, [{"verified_start": {"stable_for": 0}}], closed / "state")
    assert result["outcome"] == "done"
    assert "siblings are not protected" in result["steps"][0]["result"]["notes"][0]
    assert _launch.SHIM_NAME not in path_of(site.pid)


@pytest.mark.root
def test_a_place_without_programs_is_no_protection(tmp_path: Path) -> None:
    base = tmp_path / "noexec"
    base.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "noexec,size=1m,mode=755", "tmpfs", str(base)], check=True)
    try:
        site = make_instance(tmp_path / "shop.example", "3.5.8")
        context = windows.context_of(site, base)
        environment, notes = siblings.protect(context.state, context.instance, _record({"PATH": "/bin"}), ("3.5.8",))
        assert environment == {"PATH": "/bin"}
        assert "noexec" in notes[0]
    finally:
        subprocess.run(["umount", str(base)], check=True)


def test_without_the_shim_the_sibling_would_die(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests above prove something: the same start without protection kills."""
    if not shutil.which("pidof"):
        pytest.skip("no pidof")
    monkeypatch.setattr(siblings, "protect", lambda state, instance, record, versions: (dict(record.environment), []))
    first, second = (make_instance(tmp_path / name, "3.2.8") for name in ("a.example", "b.example"))
    try:
        first.start()
        context = windows.context_of(second)
        options: dict[str, Any] = dict(
            ready_timeout=20.0, ready_limit=60.0, stable_for=0.0, environment=None, arguments=None
        )
        _start.start(context, dict(options, user=None if os.geteuid() else "root"))
        assert windows.within(10, lambda: not first.pids())
    finally:
        first.kill()
        second.kill()


def test_a_zombie_is_no_sibling(tmp_path: Path) -> None:
    """In a container whose first process does not ask for its children they stay for good."""
    name = f"a{os.getpid()}"  # nothing else is called so
    for place in ("site", "other"):
        (tmp_path / place).mkdir()
        shutil.copy("/bin/sleep", tmp_path / place / name)
    site = resolve(str(tmp_path / "site"), name)
    child = subprocess.Popen([tmp_path / "other" / name, "60"])
    try:
        assert windows.within(10, lambda: siblings.has_sibling(site))
        child.kill()
        assert windows.within(10, lambda: not siblings.has_sibling(site))
        assert Path(f"/proc/{child.pid}/stat").read_text().split()[2] == "Z"
    finally:
        child.kill()
        child.wait()
