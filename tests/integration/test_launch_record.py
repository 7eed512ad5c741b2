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

from ansible_collections.anqicms.lifecycle.plugins.module_utils import _launch, _procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import siblings as _shim
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import start as _start

NOBODY = 65534
SECRET = "geheim-\udcff-中"
NO_DATABASE = "config.json names no database: none was asked"


def captured(pid: int) -> _launch.LaunchRecord:
    with _procfs.ProcDir(pid) as proc:
        return _launch.capture(proc)


def launch(site: Instance, prepare: Callable[[], object] = lambda: None, environment: dict[str, str] | None = None,
           log: str = "running.log", arguments: tuple[str, ...] = ()) -> int:
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
        assert first["steps"][2]["result"]["notes"] == [NO_DATABASE]
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
    """Root restarts it: user, group and groups are right, and the log is made by that user."""
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
    assert (after.uid, after.gid, sorted(after.groups)) == (NOBODY, NOBODY, [12, 34, NOBODY])
    same(before, after)
    status = Path(f"/proc/{site.pid}/status").read_text()
    assert f"Uid:\t{NOBODY}\t{NOBODY}\t{NOBODY}\t{NOBODY}" in status
    assert f"Gid:\t{NOBODY}\t{NOBODY}\t{NOBODY}\t{NOBODY}" in status
    assert (site.log.stat().st_uid, site.log.stat().st_gid) == (NOBODY, NOBODY)  # a new one
    assert "Now listening on" in site.log.read_text()


@pytest.mark.root
def test_a_first_start_takes_the_agreeing_owner(place: Path) -> None:
    site = make_instance(place / "shop.example", "3.5.8")
    state = place / "state"
    with pytest.raises(LifecycleError, match="do not say as whom to start it"):
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
    own = _launch.parse_cgroups(Path("/proc/self/cgroup").read_text()).get(controllers)
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
        assert result["steps"][2]["result"]["notes"] == [NO_DATABASE]
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
        assert result["steps"][0]["result"]["notes"] == [
            "control group nothing:/no/such/group: its hierarchy is not mounted", NO_DATABASE]
    finally:
        site.kill()


@pytest.mark.parametrize("version", ["3.2.8", "3.3.11"])
def test_siblings_live_and_the_shim_stays_out_of_the_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                            version: str) -> None:
    """B4: `pidof anqicms` of the starting version finds all of them; three restarts, no sibling dies."""
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
            result = windows.run(victim, [{"graceful_stop": {}}, {"verified_start": {
                "stable_for": 0.5, "environment": {"PATH": "/usr/bin:/bin"}}}], base)
            assert result["outcome"] == "done"
            raw = Path(f"/proc/{victim.pid}/environ").read_bytes().split(b"\0")
            assert f"PATH={shim}:/usr/bin:/bin".encode() in raw
            assert captured(victim.pid).environment["PATH"] == "/usr/bin:/bin"
            stored = context.stored_record()
            assert stored is not None
            assert stored.environment["PATH"] == "/usr/bin:/bin"
        assert [site.pid for site in sites[1:]] == pids[1:]
        monkeypatch.setattr(_shim, "has_sibling", lambda instance: False)
        windows.run(victim, None, base)  # nobody to protect any more
        assert f"PATH={shim}".encode() not in Path(f"/proc/{victim.pid}/environ").read_bytes()
    finally:
        for site in sites:
            site.kill()


def test_without_the_shim_the_sibling_would_die(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above proves something: the same start without protection kills."""
    if not shutil.which("pidof"):
        pytest.skip("no pidof")
    monkeypatch.setattr(_shim, "has_sibling", lambda instance: False)
    first, second = (make_instance(tmp_path / name, "3.2.8") for name in ("a.example", "b.example"))
    try:
        first.start()
        context = windows.context_of(second)
        options: dict[str, Any] = dict(ready_timeout=20.0, stable_for=0.0, environment=None, arguments=None)
        _start.start(context, dict(options, user=None if os.geteuid() else "root"))
        assert windows.within(10, lambda: not first.pids())
    finally:
        first.kill()
        second.kill()
