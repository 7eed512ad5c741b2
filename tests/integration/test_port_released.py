# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""port_released against real processes and sockets: the numbered hard cases of the port (C5)."""

import contextlib
import ctypes
import errno
import json
import os
import random
import signal
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

import paths
import pytest

sys.path.insert(0, str(paths.link_tree()))

from ansible_collections.anqicms.lifecycle.plugins.module_utils import (
    _errors,
    _holders,
    _port_released,
    _ports,
    _process,
    _sockdiag,
)

NOBODY = 65534
CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)

# What the holders are made of. Each script says 'ready' when its sockets are as the case wants them.
PRELUDE = """
import ctypes, os, signal, socket, struct, subprocess, sys, threading, time
def server(port, address="::", reuse=True, only6=0, listen=16, option=None):
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    if reuse: sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if option: sock.setsockopt(socket.SOL_SOCKET, option, 1)
    if ":" in address: sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only6)
    sock.bind((address, port))
    if listen: sock.listen(listen)
    return sock
def ready(*words):
    print("ready", *words, flush=True)
port = int(sys.argv[1])
"""
SLEEP = "\nready()\ntime.sleep(600)\n"

Result = t.Dict[str, t.Any]


class Holder(t.NamedTuple):
    process: "subprocess.Popen[bytes]"
    words: t.List[str]

    @property
    def pid(self) -> int:
        return self.process.pid

    def kill(self, signum: int = signal.SIGKILL) -> None:
        self.process.send_signal(signum)
        self.process.wait(30)


Hold = t.Callable[..., Holder]


def start_holder(code: str, port: int, **options: t.Any) -> Holder:
    process = subprocess.Popen([sys.executable, "-c", PRELUDE + code, str(port)], stdout=subprocess.PIPE, **options)
    assert process.stdout is not None
    line = process.stdout.readline().decode().split()
    assert line[:1] == ["ready"], "the holder did not start"
    return Holder(process, line[1:])


@pytest.fixture
def hold() -> t.Iterator[Hold]:
    """Starts holders of ports, and ends what is left of them by pid."""
    started = []  # type: t.List[Holder]

    def begin(code: str, port: int, **options: t.Any) -> Holder:
        started.append(start_holder(code, port, **options))
        return started[-1]

    yield begin
    for holder in started:
        if holder.process.poll() is None:
            holder.kill()
        assert holder.process.stdout is not None
        holder.process.stdout.close()


@pytest.fixture
def port() -> int:
    """A free port that is not given to outgoing connections."""
    while True:
        candidate = random.randint(20000, 32000)
        if _ports.bind_probe(candidate).free and not _sockdiag.all_states(candidate):
            return candidate


def refused(ports: t.Sequence[int], timeout: float = 0.0, **options: t.Any) -> Result:
    """The result of a wait that must fail."""
    with pytest.raises(_errors.LifecycleError) as caught:
        _ports.wait_released(ports, timeout=timeout, **options)
    result = caught.value.result
    assert result["released"] is not True
    for entry in result["holders"]:
        assert str(entry["pid"] or entry["user"]) in caught.value.msg
    return dict(result, msg=caught.value.msg)


def pids(result: Result) -> t.List[t.Optional[int]]:
    return sorted({entry["pid"] for entry in result["holders"]}, key=lambda pid: pid or 0)


def in_child(work: t.Callable[[], t.Any]) -> t.Any:
    """What ``work`` returns, run in a process of its own that may change its user or network namespace."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        try:
            answer = {"value": work()}
        except BaseException as exc:
            answer = {"error": "%s: %s" % (type(exc).__name__, exc)}
        with os.fdopen(writer, "w") as stream:
            json.dump(answer, stream)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as stream:
        text = stream.read()
    os.waitpid(pid, 0)
    answer = json.loads(text)
    assert "error" not in answer, answer["error"]
    return answer["value"]


def new_network(sysctls: t.Mapping[str, str]) -> None:
    """Leave this process's network for an empty one with its loopback up."""
    if LIBC.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    for name, value in sysctls.items():
        Path("/proc/sys/net", name).write_text(value)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def become_nobody() -> None:
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


def failure_of(ports: t.Sequence[int], **options: t.Any) -> Result:
    try:
        return _ports.wait_released(ports, timeout=0, **options)
    except _errors.LifecycleError as exc:
        return dict(exc.result, msg=exc.msg)


GO = "sock = server(port)" + SLEEP


def test_c5_01_free_port(port: int) -> None:
    result = _ports.wait_released([port])
    assert result == {"released": True, "waited_ms": 0, "holders": [], "connections": {}, "drained": True, "note": ""}
    begin = time.monotonic()
    _ports.bind_probe(port)
    assert time.monotonic() - begin < 0.005


def test_c5_02_dual_stack_listener(port: int, hold: Hold, tmp_path: Path) -> None:
    holder = hold(GO, port, cwd=str(tmp_path))
    needle = ":%04X " % port
    assert needle not in Path("/proc/net/tcp").read_text()
    result = refused([port])
    entry = result["holders"][0]
    assert pids(result) == [holder.pid]
    assert entry["exe"] == os.readlink("/proc/%d/exe" % holder.pid)
    assert entry["cwd"] == str(tmp_path)
    assert entry["user"] == _holders.user_name(os.geteuid())
    assert entry["state"] == "LISTEN"


@pytest.mark.parametrize("address", ["0.0.0.0", "127.0.0.1"])
def test_c5_03_ipv4_asked_holder_on_all(port: int, hold: Hold, address: str) -> None:
    holder = hold(GO, port)
    assert pids(refused([port], address=address)) == [holder.pid]


def test_c5_04_listener_on_one_other_address(port: int, hold: Hold) -> None:
    holder = hold('sock = server(port, "127.0.0.2")' + SLEEP, port)
    result = refused([port])
    assert pids(result) == [holder.pid]
    assert result["holders"][0]["address"] == "127.0.0.2"
    free = _ports.wait_released([port], "127.0.0.1", timeout=0, settle=0.05)
    assert free["released"] is True
    assert "127.0.0.2 port %d" % port in free["note"]


TIME_WAIT = """
sock = server(port, "%s", reuse=%s)
client = socket.create_connection(("127.0.0.1", port))
peer = sock.accept()[0]
peer.close(); time.sleep(0.05); client.close(); sock.close()
ready()
"""


def test_c5_05_time_wait_of_a_go_predecessor(port: int, hold: Hold) -> None:
    hold(TIME_WAIT % ("::", True), port).process.wait(10)
    result = _ports.wait_released([port], timeout=0)
    assert result["connections"] == {"TIME_WAIT": 1}
    assert "TIME_WAIT" in result["note"]
    assert result["drained"] is True


def test_c5_06_time_wait_of_a_predecessor_without_reuseaddr(port: int, hold: Hold) -> None:
    hold(TIME_WAIT % ("0.0.0.0", False), port).process.wait(10)
    result = refused([port], timeout=0.2)
    assert result["holders"] == []
    assert result["connections"] == {"TIME_WAIT": 1}
    assert "60 seconds" in result["note"]


ORPHANED_CONNECTION = """
sock = server(port)
client = socket.create_connection(("127.0.0.1", port))
peer = sock.accept()[0]
sock.close()
"""


def test_c5_07_accepted_connections_outlive_the_listener(port: int, hold: Hold) -> None:
    hold(ORPHANED_CONNECTION + SLEEP, port)
    result = _ports.wait_released([port], timeout=0)
    assert result["released"] is True
    assert result["drained"] is False
    assert result["connections"] == {"ESTABLISHED": 1}
    assert "accepted connection" in result["note"]


HEIR = """
sock = server(port)
os.set_inheritable(sock.fileno(), True)
heir = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], close_fds=False)
ready(heir.pid)
time.sleep(600)
"""


@contextlib.contextmanager
def ended_afterwards(pid: int) -> t.Iterator[None]:
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_c5_08_child_inherited_the_listener(port: int, hold: Hold) -> None:
    parent = hold(HEIR, port, start_new_session=True)
    heir = int(parent.words[0])
    with ended_afterwards(heir):
        parent.kill()
        result = refused([port])
        assert pids(result) == [heir]
        assert "inherited" in result["holders"][0]["note"]


def test_c5_08_parent_ends_during_the_wait(port: int, hold: Hold) -> None:
    parent = hold(HEIR, port)
    heir = int(parent.words[0])
    with ended_afterwards(heir):
        timer = threading.Timer(0.4, parent.kill)
        timer.start()
        result = refused([port], timeout=0.8)
        timer.join()
        assert pids(result) == [heir]
        assert "inherited from process %d" % parent.pid in result["holders"][0]["note"]


def test_c5_09_two_holders(port: int, hold: Hold) -> None:
    parent = hold(
        "sock = server(port)\npid = os.fork()\nif pid == 0: time.sleep(600)\nready(pid)\ntime.sleep(600)", port
    )
    child = int(parent.words[0])
    with ended_afterwards(child):
        assert pids(refused([port])) == sorted([parent.pid, child])


def test_c5_10_bound_and_not_listening(port: int, hold: Hold) -> None:
    holder = hold("sock = server(port, reuse=False, listen=0)" + SLEEP, port)
    assert _sockdiag.listeners(port) == []
    result = refused([port])
    if _sockdiag.all_states(port):  # Linux 6.8
        assert pids(result) == [holder.pid]
        assert result["holders"][0]["state"] == "BOUND"
    else:
        assert result["holders"] == []
        assert "bound" in result["note"]


def test_c5_11_outgoing_connection_owns_the_port(hold: Hold) -> None:
    with socket.socket() as target:
        target.bind(("127.0.0.1", 0))
        target.listen()
        code = 'client = socket.create_connection(("127.0.0.1", port))\nready(client.getsockname()[1])\ntime.sleep(600)'
        holder = hold(code, target.getsockname()[1])
        result = refused([int(holder.words[0])])
    assert pids(result) == [holder.pid]
    assert result["holders"][0]["state"] == "ESTABLISHED"
    assert "ip_local_reserved_ports" in result["note"]


def test_c5_12_reuseport_sibling(port: int, hold: Hold) -> None:
    code = "sock = server(port, option=socket.SO_REUSEPORT)" + SLEEP
    one, two = hold(code, port), hold(code, port)
    assert pids(refused([port])) == sorted([one.pid, two.pid])
    timer = threading.Timer(0.2, one.kill)
    timer.start()
    result = refused([port], timeout=0.6)
    timer.join()
    assert pids(result) == [two.pid]
    assert "taken again" not in result["msg"]


def test_c5_13_descriptor_in_flight(port: int, hold: Hold) -> None:
    code = """
sock = server(port)
left, right = socket.socketpair()
left.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", sock.fileno()))])
sock.close()
"""
    hold(code + SLEEP, port)
    result = refused([port])
    assert pids(result) == [None]
    assert "no" in result["holders"][0]["note"]


@pytest.mark.root
def test_c5_15_other_network_namespace(port: int, hold: Hold) -> None:
    code = "ctypes.CDLL(None).unshare(0x40000000)\nsock = server(port)"
    holder = hold(code + SLEEP, port)
    result = _ports.wait_released([port], timeout=0, explain=True)
    assert result["released"] is True
    assert "Process %d in another network namespace" % holder.pid in result["note"]


@pytest.mark.root
def test_c5_17_privileged_port_as_another_user() -> None:
    def look() -> Result:
        new_network({"ipv4/ip_unprivileged_port_start": "1024"})
        become_nobody()
        return failure_of([81])

    result = in_child(look)
    assert result["released"] is None
    assert "may not bind port 81" in result["msg"]
    assert "Held" not in result["msg"]


@pytest.mark.root
def test_c5_18_ipv6_disabled_host(port: int) -> None:
    def look() -> t.List[Result]:
        new_network({"ipv6/conf/all/disable_ipv6": "1", "ipv6/conf/default/disable_ipv6": "1"})
        with socket.socket() as sock:
            sock.bind(("0.0.0.0", port))
            sock.listen(1)
            held = failure_of([port])
        return [held, failure_of([port])]

    held, free = in_child(look)
    assert held["released"] is False
    assert held["holders"][0]["address"] == "0.0.0.0"
    assert free["released"] is True


def refuse_ipv6_sockets() -> None:
    """From now on socket(AF_INET6) fails as on a host without IPv6; irreversible for this process."""
    steps = [
        (0x20, 0, 0, 0),  # system call number
        (0x15, 0, 3, {"x86_64": 41, "aarch64": 198}[os.uname().machine]),
        (0x20, 0, 0, 16),  # first argument
        (0x15, 0, 1, int(socket.AF_INET6)),
        (0x06, 0, 0, 0x00050000 | errno.EAFNOSUPPORT),
        (0x06, 0, 0, 0x7FFF0000),
    ]
    program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    header = ctypes.create_string_buffer(struct.pack("@HP", len(steps), ctypes.addressof(program)))
    prctl = LIBC.prctl
    prctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_ulong]
    if prctl(38, 1, None, 0, 0) != 0 or prctl(22, 2, ctypes.addressof(header), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "seccomp")


def test_c5_18_kernel_without_ipv6_sockets(port: int) -> None:
    def look() -> t.List[t.Any]:
        refuse_ipv6_sockets()
        try:
            socket.socket(socket.AF_INET6)
        except OSError as exc:
            assert exc.errno == errno.EAFNOSUPPORT
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", port))
            sock.listen(1)
            held = failure_of([port])
        return [held, failure_of([port])]

    if "seccomp" not in Path("/proc/self/status").read_text().lower():
        pytest.skip("kernel feature: seccomp")
    held, free = in_child(look)
    assert (held["released"], free["released"]) == (False, True)


def test_c5_19_stopped_listener_with_full_backlog(port: int, hold: Hold) -> None:
    holder = hold("sock = server(port, listen=1)" + SLEEP, port)
    holder.process.send_signal(signal.SIGSTOP)
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
        assert pids(refused([port])) == [holder.pid]


CROWD = """
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
    processes = max(1, sockets // 15000)
    share = sockets // processes
    argv = [sys.executable, "-c", PRELUDE + CROWD + SLEEP, "0", str(share * 7 // 20), str(share * 3 // 10)]
    started = [subprocess.Popen(argv, stdout=subprocess.PIPE) for _ in range(processes)]
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
def test_c5_20_many_sockets(port: int, hold: Hold, sockets: int) -> None:
    crowd = start_crowd(sockets)
    try:
        free = [_ports.wait_released([port])["waited_ms"] for _ in range(5)]
        hold(GO, port)
        bare = bare_descriptor_walk(crowd)
        times = []
        for _ in range(3):
            begin = time.process_time()  # other work on the machine is not ours
            assert pids(refused([port]))
            times.append(time.process_time() - begin)
    finally:
        end_crowd(crowd)
    assert min(free) <= 5
    assert min(times) <= max(0.5, 1.5 * bare)


def released_after_kill(holder: Holder, port: int, handle: t.Optional[_process.ProcessHandle]) -> float:
    """Milliseconds from the end of the holder to the return of the wait."""
    ended = []  # type: t.List[float]

    def kill() -> None:
        time.sleep(0.2)
        holder.process.kill()
        os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)
        ended.append(time.monotonic())

    killer = threading.Thread(target=kill)
    killer.start()
    result = _ports.wait_released([port], timeout=10, handle=handle)
    returned = time.monotonic()
    killer.join()
    assert result["released"] is True
    assert result["waited_ms"] >= 150
    return (returned - ended[0]) * 1000


@pytest.mark.parametrize("known", [True, False])
def test_c5_21_release_during_the_wait(port: int, hold: Hold, known: bool) -> None:
    late = []
    for _ in range(5):
        holder = hold(GO, port)
        with contextlib.ExitStack() as stack:
            handle = stack.enter_context(_process.ProcessHandle(holder.pid)) if known else None
            late.append(released_after_kill(holder, port, handle))
        holder.process.wait(10)
    assert statistics.median(late) <= 20


def test_c5_22_taken_again_by_a_guard(port: int, hold: Hold) -> None:
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
    params = {"ports": [port], "address": "::", "timeout": 10.0}
    with pytest.raises(_errors.LifecycleError, match="released and taken again by process %d" % second.pid) as caught:
        _port_released.work(params)
    timer.join()
    assert caught.value.result["released"] is False
    assert pids(caught.value.result) == [second.pid]
    assert "taken again" in caught.value.result["note"]
    assert caught.value.result["waited_ms"] < 2000


def test_c5_22_taken_again_before_it_was_seen_free(port: int, hold: Hold) -> None:
    """The successor listens beside the first already, so that no probe ever succeeds."""
    code = "sock = server(port, option=socket.SO_REUSEPORT)"
    first = hold(code + SLEEP, port)
    second = []  # type: t.List[Holder]

    def succeed() -> None:
        second.append(hold("time.sleep(0.3)\n" + code + SLEEP, port))
        first.kill()

    thread = threading.Thread(target=succeed)
    thread.start()
    result = refused([port], timeout=10)
    thread.join()
    assert pids(result) == [second[0].pid]
    assert "taken again" in result["note"]


def test_c5_22_restart_in_place_is_the_same_holder(port: int, hold: Hold) -> None:
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


def test_c5_23_timeout_names_the_holders(port: int, hold: Hold) -> None:
    holder = hold(GO, port)
    result = refused([port], timeout=0.3)
    assert pids(result) == [holder.pid]
    assert "still held after 3" in result["msg"]
    assert "pid %d (%s, user " % (holder.pid, result["holders"][0]["exe"]) in result["msg"]
    assert result["waited_ms"] >= 300


@pytest.mark.root
def test_c5_24_holder_of_another_user(port: int, hold: Hold) -> None:
    hold(GO, port)

    def look() -> Result:
        become_nobody()
        return failure_of([port])

    result = in_child(look)
    assert pids(result) == [None]
    assert result["holders"][0]["user"] == "root"
    assert "uid 0" in result["holders"][0]["note"]


def test_c5_25_start_during_the_probes(port: int) -> None:
    """A start as AnQiCMS does it: dial the own port (an answer means 'in use'), then bind and listen."""
    prober = os.fork()
    if prober == 0:
        with contextlib.suppress(BaseException):
            while True:
                _ports.bind_probe(port)
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
def test_c5_26_large_process_killed(port: int, hold: Hold, gib: int) -> None:
    if free_memory_gib() < gib * 1.5:
        pytest.skip("kernel feature: %d GiB of free memory" % (gib * 1.5))
    populated = "mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x8000"
    code = "import mmap\nmemory = mmap.mmap(-1, %d << 30, flags=%s)\nsock = server(port)" % (gib, populated)
    holder = hold(code + SLEEP, port)
    holder.process.kill()
    first = _ports.bind_probe(port)
    result = _ports.wait_released([port], timeout=30)
    assert first.free is False
    assert result["released"] is True
    assert result["waited_ms"] >= 5


def test_c5_27_zombie_leader_with_live_threads(port: int, hold: Hold) -> None:
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
def test_c5_28_bindv6only_host(port: int) -> None:
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
