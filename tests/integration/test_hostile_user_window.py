# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Root restarts a site whose own user planted what it could. Needs root: the second user is nobody."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import windows
from instance import Instance, make_instance

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import directory_lock, launch
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state as _state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import plan as _start_plan

pytestmark = pytest.mark.root
NOBODY = 65534
SECRET = "root-s-secret\n"


@pytest.fixture
def site(place: Path) -> Instance:
    """An instance of nobody's, not started."""
    instance = make_instance(place / "www" / "shop", "3.5.8")
    subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", str(instance.dir)], check=True)
    return instance


@pytest.fixture
def secret(place: Path) -> Path:
    path = place / "secret"
    path.write_text(SECRET)
    path.chmod(0o600)
    return path


def start_as_nobody(site: Instance, open_output: str) -> int:
    """Started by its own user, with what `open_output` (Python) opens as standard output."""
    code = (
        f"import os, sys\nos.setgroups([])\nos.setgid({NOBODY})\nos.setuid({NOBODY})\nos.setsid()\n"
        f"os.dup2({open_output}, 1)\nos.chdir({str(site.dir)!r})\n"
        f"os.execv({str(site.binary)!r}, [{str(site.binary)!r}])\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    site.wait_ready()
    return process.pid


PLANTED = {
    "readable": ("os.open({path!r}, os.O_RDONLY)", 0o644),  # anybody may open it for reading
    "only-pointed-at": ("os.open({path!r}, os.O_PATH)", 0o600),  # not even that is needed
}


@pytest.mark.parametrize("how", PLANTED)
def test_a_file_of_roots_as_standard_output_is_no_log(site: Instance, place: Path, secret: Path, how: str) -> None:
    """It must neither be appended to as root, nor be handed to the new process, nor be shown."""
    text, mode = PLANTED[how]
    secret.chmod(mode)
    start_as_nobody(site, text.format(path=str(secret)))
    assert os.readlink(f"/proc/{site.pid}/fd/1") == str(secret)
    context = windows.context_of(site, place / "state")
    context.look()
    assert context.logs.path() != str(secret)
    assert _start_plan.choose_record(context, {}).log is None
    result = windows.run(site, None, place / "state")
    assert (result["outcome"], result["state"]) == ("done", "running"), result
    assert secret.read_text() == SECRET
    assert SECRET.strip() not in str(result)
    links = [os.readlink(f"/proc/{site.pid}/fd/{name}") for name in os.listdir(f"/proc/{site.pid}/fd")]
    assert str(secret) not in links


def test_running_log_is_a_link_to_a_file_of_roots(site: Instance, place: Path, secret: Path) -> None:
    pid = start_as_nobody(site, "os.open('/dev/null', os.O_WRONLY)")
    state = _state.StateDir(windows.context_of(site, place / "state").instance, str(place / "state"))
    state.make()
    with procfs.ProcDir(pid) as proc:
        record = launch.capture(proc)._replace(log=str(site.log))
    windows.end_process(pid)
    state.write_json("launch.json", launch.to_json(record))
    site.log.symlink_to(secret)
    with pytest.raises(LifecycleError, match="link"):
        windows.run(site, [{"verified_start": {}}], place / "state")
    assert site.pids() == []
    site.log.unlink()
    os.link(secret, site.log)
    with pytest.raises(LifecycleError, match=r"2 names \(hard links\)"):
        windows.run(site, [{"verified_start": {}}], place / "state")
    assert secret.read_text() == SECRET


def test_a_log_swapped_for_a_link_after_the_look(
    site: Instance, place: Path, secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between plan and start: the new process opens it as its own user, and not through a link."""
    start_as_nobody(site, f"os.open({str(site.log)!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)")
    swap = {"command": {"argv": ["/bin/sh", "-c", f"rm {site.log}; ln -s {secret} {site.log}"]}}
    result = windows.run(site, [windows.RESTART[0], swap, windows.RESTART[2]], place / "state")
    assert secret.read_text() == SECRET
    assert str(secret) not in [os.readlink(f"/proc/{site.pid}/fd/{name}") for name in ("0", "1", "2")]
    assert result["state"] == "running"


def test_a_foreign_launch_record_is_not_believed(site: Instance, place: Path) -> None:
    """In a state directory that was open to the site's user for a moment: started as root it would be root's end."""
    base = place / "state"
    state = _state.StateDir(windows.context_of(site, base).instance, str(base))
    state.make()
    record = launch.LaunchRecord(
        argv=["x"],
        environment={},
        uid=0,
        gid=0,
        groups=[],
        umask=0,
        limits={},
        nice=0,
        oom_score_adj=0,
        cgroups={},
        label=None,
        cwd="/",
        log=None,
        ignores_hup=False,
    )
    state.write_json("launch.json", launch.to_json(record))
    planted = Path(state.path, "launch.json")
    os.chown(planted, NOBODY, NOBODY)
    with pytest.raises(LifecycleError, match="it is not trusted"):
        windows.run(site, [{"verified_start": {}}], base)
    assert site.pids() == []
    planted.unlink()
    planted.symlink_to(place / "www" / "shop" / "config.json")
    with pytest.raises(LifecycleError, match=r"is not trusted|cannot be used"):
        windows.run(site, [{"verified_start": {}}], base)
    assert site.pids() == []


def test_a_state_directory_of_the_sites_user_is_refused(site: Instance, place: Path) -> None:
    theirs = place / "www" / "shop" / ".lifecycle"
    theirs.mkdir()
    os.chown(theirs, NOBODY, NOBODY)
    (place / "linked").symlink_to(theirs)
    (place / "open").mkdir()
    (place / "open").chmod(0o777)
    for base in (theirs, place / "linked", place / "open"):
        with pytest.raises(LifecycleError, match="cannot be trusted"):
            windows.run(site, [{"verified_start": {}}], base)
    assert site.pids() == []
    assert list(theirs.iterdir()) == []


def test_an_install_directory_full_of_odd_things(site: Instance, place: Path) -> None:
    """FIFOs and devices under every name that is looked at: nothing blocks, nothing is opened."""
    os.mkfifo(site.log)
    (site.dir / "CHANGELOG.md").unlink()
    os.mknod(site.dir / "CHANGELOG.md", 0o600 | 0o020000, os.makedev(1, 5))
    config = site.dir / "config.json"
    text = config.read_text()
    config.unlink()
    os.mkfifo(config)
    began = time.monotonic()
    with pytest.raises(LifecycleError, match=r"config\.json"):
        windows.run(site, [{"verified_start": {}}], place / "state")
    config.unlink()
    config.write_text(text)
    os.chown(config, NOBODY, NOBODY)
    os.chown(site.log, NOBODY, NOBODY)
    with pytest.raises(LifecycleError, match="FIFO"):
        windows.run(site, [{"verified_start": {}}], place / "state")
    assert time.monotonic() - began < 10
    assert site.pids() == []


def test_the_web_user_holds_the_lock(site: Instance, place: Path) -> None:
    """It can keep us from working on its own site, and is named; it cannot make us wait."""
    pid = start_as_nobody(site, "os.open('/dev/null', os.O_WRONLY)")
    command = ["setpriv", f"--reuid={NOBODY}", "--clear-groups", "flock", str(site.dir), "sleep", "30"]
    holder = subprocess.Popen(command, start_new_session=True)
    try:
        assert windows.within(5, lambda: directory_lock.is_locked(windows.context_of(site, place / "state").instance))
        began = time.monotonic()
        with pytest.raises(LifecycleError, match=rf"in use by pid {holder.pid}\b"):
            windows.run(site, None, place / "state")
        assert time.monotonic() - began < 10
        assert site.pid == pid
    finally:
        os.killpg(holder.pid, signal.SIGKILL)
        holder.wait()
