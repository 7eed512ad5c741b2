# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import errno
import os
import resource
import shutil
import signal
import sys
import threading
import time
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError, NotYet
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import cgroups, procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import launch
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import Instance, resolve
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import child, siblings, spawn

MOUNTINFO = """\
30 22 0:26 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755
31 30 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
32 30 0:28 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
33 30 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
34 30 0:30 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
"""
GROUPS = [
    ("", "/a", "/sys/fs/cgroup/unified/a/cgroup.procs"),
    ("memory", "/docker/abc/x", "/sys/fs/cgroup/memory/x/cgroup.procs"),
    ("memory", "/docker/abc", "/sys/fs/cgroup/memory/cgroup.procs"),
    ("cpu,cpuacct", "/", "/sys/fs/cgroup/cpu,cpuacct/cgroup.procs"),
    ("cpuacct,cpu", "/a/../../etc", "/sys/fs/cgroup/cpu,cpuacct/etc/cgroup.procs"),
    ("name=systemd", "/s", "/sys/fs/cgroup/systemd/s/cgroup.procs"),
    ("pids", "/a", None),
]


@pytest.mark.parametrize("controllers,path,expected", GROUPS)
def test_procs_file(controllers: str, path: str, expected: t.Optional[str]) -> None:
    assert cgroups.procs_file(controllers, path, MOUNTINFO) == expected


@pytest.mark.parametrize(
    "path,expected",
    [
        ("/user.slice/user-0.slice/session-4.scope", True),
        ("/user.slice/user-1000.slice/user@1000.service/a", True),
        ("/system.slice/anqicms.service", False),
        ("/", False),
    ],
)
def test_login_sessions(path: str, expected: bool) -> None:
    assert cgroups.in_login_session({"": path}) is expected


@pytest.fixture
def instance(tmp_path: t.Any) -> Instance:
    return resolve(str(tmp_path))


@pytest.mark.parametrize(
    "versions,expected",
    [
        (("3.2.8",), True),
        (("3.5.8",), False),
        (("2.5.3", None), False),
        ((None, None), True),
        (("3.5.8", "3.2.8"), True),
        (("3.4.5",), True),
        (("3.4.7",), False),
        (("3.2.1",), False),
        (("nonsense",), True),
    ],
)
def test_which_start_may_kill_siblings(versions: t.Any, expected: bool) -> None:
    assert siblings.may_kill_siblings(*versions) is expected


@pytest.mark.parametrize(
    "label,expected",
    [
        ("system_u:system_r:httpd_t:s0", "system_u:system_r:httpd_t:s0"),
        ("anqicms (enforce)", "exec anqicms"),
        ("/usr/bin/x (complain)", "exec /usr/bin/x"),
        ("unconfined", "exec unconfined"),
    ],
)
def test_how_a_label_is_asked_for(label: str, expected: str) -> None:
    assert child.exec_label(label) == expected


def of_this_process(instance: Instance) -> launch.LaunchRecord:
    with procfs.ProcDir(os.getpid()) as proc:
        record = launch.capture(proc)
    return record._replace(argv=["x", "-c", "import time; time.sleep(60)"], log=None, cwd=instance.dir)


@pytest.fixture
def python_as_instance(instance: Instance) -> Instance:
    os.symlink(os.path.realpath(sys.executable), instance.executable)
    return instance


def test_a_parked_child_becomes_the_program(python_as_instance: Instance) -> None:
    limit = list(resource.getrlimit(resource.RLIMIT_NOFILE))
    limit[0] = min(limit[0], 512)
    record = of_this_process(python_as_instance)
    record = record._replace(limits=dict(record.limits, **{"7": limit}), umask=0o027, ignores_hup=True)
    launcher = spawn.Launcher(python_as_instance, record, {"A": "1"})
    launcher.prepare()
    parked = procfs.ProcDir(launcher.pid)
    pid = launcher.go()
    try:
        found = launch.capture(parked)
        assert (found.environment, found.umask, found.ignores_hup) == ({"A": "1"}, 0o027, True)
        assert found.limits["7"] == limit
        # The program opens and closes files of its own while it starts; one that it inherited is in every look.
        end = time.monotonic() + 5
        while True:
            names = sorted(parked.names("fd"))
            if names == ["0", "1", "2"] or time.monotonic() > end:
                break
            time.sleep(0.01)
        assert names == ["0", "1", "2"]
        assert found.argv[0] == python_as_instance.executable
    finally:
        parked.close()
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_an_abandoned_child_ends(python_as_instance: Instance) -> None:
    launcher = spawn.Launcher(python_as_instance, of_this_process(python_as_instance), {})
    launcher.prepare()
    pid = launcher.pid
    launcher.abandon()
    assert not os.path.exists("/proc/%d" % pid)


def test_a_parked_child_ends_with_its_parent(python_as_instance: Instance) -> None:
    read_end, write_end = os.pipe()
    middle = os.fork()
    if not middle:
        launcher = spawn.Launcher(python_as_instance, of_this_process(python_as_instance), {})
        launcher.prepare()
        os.write(write_end, b"%d" % launcher.pid)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(middle, 0)
    pid = int(os.read(read_end, 32))
    os.close(write_end)
    assert os.read(read_end, 1) == b""  # nobody holds the other end any more: the parked child closed its own at once
    os.close(read_end)
    with_life = "/proc/%d/stat" % pid
    for _attempt in range(200):
        try:
            with open(with_life, "rb") as stream:
                if procfs.is_dead(procfs.parse_stat(stream.read())):
                    break
        except OSError:
            break
        time.sleep(0.01)
    else:
        raise AssertionError("the parked child lives on")


def test_what_cannot_be_executed_is_known_before_the_stop(instance: Instance) -> None:
    with open(instance.executable, "w") as stream:
        stream.write("no program")
    os.chmod(instance.executable, 0o644)
    launcher = spawn.Launcher(instance, of_this_process(instance), {})
    with pytest.raises(LifecycleError, match="has no permission to execute it"):
        launcher.prepare()


def test_a_failed_exec_says_why(instance: Instance) -> None:
    with open(instance.executable, "w") as stream:
        stream.write("no program")
    os.chmod(instance.executable, 0o755)
    launcher = spawn.Launcher(instance, of_this_process(instance), {})
    launcher.prepare()
    with pytest.raises(LifecycleError, match="Exec format error") as caught:
        launcher.go()
    assert not isinstance(caught.value, NotYet)


@pytest.fixture
def parked_sleep(instance: Instance) -> t.Iterator[spawn.Launcher]:
    """A child that is ready to become a copy of sleep, which nobody else executes."""
    shutil.copy(shutil.which("sleep") or "/bin/sleep", instance.executable)
    launcher = spawn.Launcher(instance, of_this_process(instance)._replace(argv=["x", "60"]), {})
    launcher.prepare()
    yield launcher
    launcher.abandon()


def test_a_binary_that_is_written_is_tried_again_by_the_same_child(parked_sleep: spawn.Launcher) -> None:
    timer = threading.Timer(0.4, os.close, [os.open(parked_sleep.instance.executable, os.O_RDWR)])
    timer.start()
    parked = parked_sleep.pid
    pid = parked_sleep.go()
    try:
        assert pid == parked
        assert os.readlink("/proc/%d/exe" % pid) == parked_sleep.instance.executable
    finally:
        timer.join()
        os.kill(pid, signal.SIGKILL)


def test_a_binary_that_stays_open_for_writing_is_not_yet(parked_sleep: spawn.Launcher) -> None:
    with open(parked_sleep.instance.executable, "r+b"):
        if not refuses_what_is_written(parked_sleep.instance.executable):
            pytest.skip("this kernel executes files that are open for writing (Linux 6.11 and 6.12)")
        with pytest.raises(NotYet) as caught:
            parked_sleep.go()
    assert "open for writing by pid %d" % os.getpid() in caught.value.msg
    assert "Nothing runs" in caught.value.msg
    assert not parked_sleep.pid


def refuses_what_is_written(path: str) -> bool:
    pid = os.fork()
    if not pid:
        try:
            os.execv(path, [path, "0"])
        except OSError as exc:
            os._exit(77 if exc.errno == errno.ETXTBSY else 1)
    return os.waitpid(pid, 0)[1] >> 8 == 77
