# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""port_released against real processes and sockets: the wait, and the module itself."""

import contextlib
import json
import os
import resource
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

import paths
import pytest
from port_holders import (
    GO,
    PRELUDE,
    SLEEP,
    Hold,
    Holder,
    Result,
    become_nobody,
    failure_of,
    hold,
    in_child,
    new_network,
    pids,
    port,
    refused,
)

from ansible_collections.anqicms.lifecycle.plugins.module_utils import _errors
from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import port_released
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import ports
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import process as _process

__all__ = ["hold", "port"]  # fixtures


CROWD = """
import resource
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
own = server(0, "127.0.0.1", listen=4096)
pairs = []
for number in range(int(sys.argv[2])):
    client = socket.create_connection(own.getsockname())
    pairs.append((client, own.accept()[0]))
for number in range(int(sys.argv[3])):
    client = socket.create_connection(own.getsockname())
    own.accept()[0].close()
    client.close()
"""


def start_crowd(sockets: int) -> t.List["subprocess.Popen[bytes]"]:
    """Seven of ten sockets are open in processes, three are in TIME_WAIT."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    processes = max(1, sockets // 15000, -(-sockets // (hard - 100)))
    share = sockets // processes
    argv = [sys.executable, "-c", PRELUDE + CROWD + SLEEP, "0", str(share * 7 // 20), str(share * 3 // 10)]
    started = [subprocess.Popen(argv, stdout=subprocess.PIPE) for _unused in range(processes)]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline().split() == [b"ready"]
    return started


def end_crowd(processes: t.Sequence["subprocess.Popen[bytes]"]) -> None:
    for process in processes:
        process.kill()
    for process in processes:
        process.wait(30)
        assert process.stdout is not None
        process.stdout.close()


def bare_descriptor_walk(processes: t.Sequence["subprocess.Popen[bytes]"]) -> float:
    """Processor seconds to read the descriptors of these alone: no complete answer can be had for less."""
    begin = time.process_time()
    for process in processes:
        directory = "/proc/%d/fd/" % process.pid
        for name in os.listdir(directory):
            os.readlink(directory + name)
    return time.process_time() - begin


@pytest.mark.parametrize("sockets", [15000, pytest.param(150000, marks=pytest.mark.soak)])
def test_many_sockets_cost_little(port: int, hold: Hold, sockets: int) -> None:
    crowd = start_crowd(sockets)
    try:
        free = [ports.wait_released([port])["waited_ms"] for _unused in range(5)]
        hold(GO, port)
        bare = bare_descriptor_walk(crowd)
        times = []
        for _unused in range(3):
            begin = time.process_time()  # other work on the machine is not ours
            assert pids(refused([port]))
            times.append(time.process_time() - begin)
    finally:
        end_crowd(crowd)
    assert min(free) <= 5
    assert min(times) <= max(0.5, 1.5 * bare)


def released_after_kill(holder: Holder, port: int, handle: t.Optional[_process.ProcessHandle]) -> float:
    """Milliseconds from the end of the holder to the return of the wait."""
    ended: t.List[float] = []

    def kill() -> None:
        time.sleep(0.2)
        holder.process.kill()
        os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)
        ended.append(time.monotonic())

    killer = threading.Thread(target=kill)
    killer.start()
    result = ports.wait_released([port], timeout=10, handle=handle)
    returned = time.monotonic()
    killer.join()
    assert result["released"] is True
    assert result["waited_ms"] >= 150
    return (returned - ended[0]) * 1000


@pytest.mark.parametrize("known", [True, False])
def test_a_release_during_the_wait_is_seen_within_20_ms(port: int, hold: Hold, known: bool) -> None:
    late = []
    for _unused in range(5):
        holder = hold(GO, port)
        with contextlib.ExitStack() as stack:
            handle = stack.enter_context(_process.ProcessHandle(holder.pid)) if known else None
            late.append(released_after_kill(holder, port, handle))
        holder.process.wait(10)
    assert statistics.median(late) <= 20


def test_a_port_that_a_guard_takes_again_is_a_failure(port: int, hold: Hold) -> None:
    guard = """
ready()
while True:
    try:
        sock = server(port)
        break
    except OSError:
        time.sleep(0.05)
time.sleep(600)
"""
    first = hold(GO, port)
    second = hold(guard, port)
    timer = threading.Timer(0.3, first.kill)
    timer.start()
    params = {"dir": None, "ports": [port], "address": "::", "timeout": 10.0}
    with pytest.raises(_errors.LifecycleError, match="released and taken again by process %d" % second.pid) as caught:
        port_released.work(params)
    timer.join()
    assert caught.value.result["released"] is False
    assert pids(caught.value.result) == [second.pid]
    assert "taken again" in caught.value.result["note"]
    assert caught.value.result["waited_ms"] < 2000


def test_a_port_that_is_taken_again_before_it_was_seen_free_is_noted(port: int, hold: Hold) -> None:
    """The successor listens beside the first already, so that no probe ever succeeds."""
    code = "sock = server(port, option=socket.SO_REUSEPORT)"
    first = hold(code + SLEEP, port)
    second: t.List[Holder] = []

    def succeed() -> None:
        second.append(hold("time.sleep(0.3)\n" + code + SLEEP, port))
        first.kill()

    thread = threading.Thread(target=succeed)
    thread.start()
    result = refused([port], timeout=10)
    thread.join()
    assert pids(result) == [second[0].pid]
    assert "taken again" in result["note"]


def test_a_restart_in_place_is_the_same_holder(port: int, hold: Hold) -> None:
    code = """
sock = server(port, option=socket.SO_REUSEPORT)
ready()
time.sleep(0.4)
new = server(port, option=socket.SO_REUSEPORT)
sock.close()
time.sleep(600)
"""
    holder = hold(code, port)
    result = refused([port], timeout=1.0)
    assert pids(result) == [holder.pid]
    assert "still held" in result["msg"]


def test_a_timeout_names_the_holders(port: int, hold: Hold) -> None:
    holder = hold(GO, port)
    result = refused([port], timeout=0.3)
    assert pids(result) == [holder.pid]
    assert "still held after 3" in result["msg"]
    assert "pid %d (%s, user " % (holder.pid, result["holders"][0]["exe"]) in result["msg"]
    assert result["waited_ms"] >= 300


@pytest.mark.root
def test_a_holder_of_another_user_is_told_by_its_user(port: int, hold: Hold) -> None:
    hold(GO, port)

    def look() -> Result:
        become_nobody()
        return failure_of([port])

    result = in_child(look)
    assert pids(result) == [None]
    assert result["holders"][0]["user"] == "root"
    assert "uid 0" in result["holders"][0]["note"]


def test_probes_do_not_get_in_the_way_of_a_start(port: int) -> None:
    """A start as AnQiCMS does it: dial the own port (an answer means 'in use'), then bind and listen."""
    prober = os.fork()
    if prober == 0:
        with contextlib.suppress(BaseException):
            while True:
                ports.bind_probe(port)
        os._exit(0)
    failed = []
    try:
        end = time.monotonic() + 1.0
        while time.monotonic() < end:
            with socket.socket() as dial:
                answered = dial.connect_ex(("127.0.0.1", port)) == 0
            with socket.socket(socket.AF_INET6) as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
                try:
                    sock.bind(("::", port))
                    sock.listen(128)
                except OSError as exc:
                    failed.append(exc)
            if answered:
                failed.append(OSError("the dial was answered"))
    finally:
        os.kill(prober, signal.SIGKILL)
        os.waitpid(prober, 0)
    assert failed == []


def free_memory_gib() -> float:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) / 1024.0 / 1024
    return 0.0


@pytest.mark.parametrize("gib", [2, pytest.param(6, marks=pytest.mark.soak)])
def test_the_port_of_a_large_process_is_waited_for_until_its_memory_is_freed(port: int, hold: Hold, gib: int) -> None:
    if free_memory_gib() < gib * 1.5:
        pytest.skip("kernel feature: %d GiB of free memory" % (gib * 1.5))
    populated = "mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x8000"
    code = "import mmap\nmemory = mmap.mmap(-1, %d << 30, flags=%s)\nsock = server(port)" % (gib, populated)
    holder = hold(code + SLEEP, port)
    holder.process.kill()
    first = ports.bind_probe(port)
    result = ports.wait_released([port], timeout=30)
    assert first.free is False
    assert result["released"] is True
    assert result["waited_ms"] >= 5


def test_a_zombie_leader_with_live_threads_is_a_holder(port: int, hold: Hold) -> None:
    code = """
sock = server(port)
threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
ready()
ctypes.CDLL(None).syscall(%d, 0)
""" % {"x86_64": 60, "aarch64": 93}[os.uname().machine]
    holder = hold(code, port)
    stat = Path("/proc/%d/stat" % holder.pid)
    end = time.monotonic() + 5
    while stat.read_text().rpartition(")")[2].split()[0] != "Z" and time.monotonic() < end:
        time.sleep(0.01)
    assert stat.read_text().rpartition(")")[2].split()[0] == "Z"
    result = refused([port])
    assert pids(result) == [holder.pid]
    assert "main thread has ended" in result["holders"][0]["note"]


@pytest.mark.root
def test_a_host_with_bindv6only_is_asked_by_both_families(port: int) -> None:
    def look() -> t.List[Result]:
        new_network({"ipv6/bindv6only": "1"})
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", port))
            sock.listen(1)
            held = failure_of([port])
        return [held, failure_of([port])]

    held, free = in_child(look)
    assert held["released"] is False
    assert held["holders"][0]["address"] == "127.0.0.1"
    assert free["released"] is True


# The module itself


def run_module(tmp_path: Path, check: bool = False, **arguments: t.Any) -> Result:
    env = dict(
        os.environ,
        ANSIBLE_COLLECTIONS_PATH=str(paths.link_tree()),
        ANSIBLE_LOCAL_TEMP=str(tmp_path / "local"),
        ANSIBLE_REMOTE_TEMP=str(tmp_path / "remote"),
        ANSIBLE_CALLBACK_RESULT_FORMAT="json",
    )
    argv = [str(Path(sys.executable).parent / "ansible"), "localhost", "-c", "local", "-i", "localhost,"]
    argv += ["-e", "ansible_python_interpreter=" + sys.executable, "-m", "anqicms.lifecycle.port_released"]
    argv += ["-a", json.dumps(arguments)] + (["--check"] if check else [])
    output = subprocess.run(argv, env=env, stdout=subprocess.PIPE, check=False).stdout.decode()
    return dict(json.loads(output[output.index("=> {") + 3 :]))


def test_module_released(port: int, tmp_path: Path) -> None:
    result = run_module(tmp_path, ports=[port])
    assert (result["changed"], result["released"], result["holders"]) == (False, True, [])


def test_module_failure_keeps_the_result(port: int, hold: Hold, tmp_path: Path) -> None:
    holder = hold(GO, port)
    result = run_module(tmp_path, port=port, timeout=0.2)
    assert str(holder.pid) in result["msg"]
    assert (result["changed"], result["released"], pids(result)) == (False, False, [holder.pid])
    assert {"waited_ms", "connections", "drained", "note"} <= set(result)


def test_module_check_mode_looks_once_and_does_not_fail(port: int, hold: Hold, tmp_path: Path) -> None:
    holder = hold(GO, port)
    result = run_module(tmp_path, check=True, port=port, timeout=60)
    assert "msg" not in result
    assert (result["changed"], result["released"], pids(result)) == (False, False, [holder.pid])
    assert result["waited_ms"] < 1000


def test_module_refuses_what_is_no_port(tmp_path: Path) -> None:
    result = run_module(tmp_path, ports=[8001, 65536])
    assert "65536" in result["msg"]
    assert "released" not in result
