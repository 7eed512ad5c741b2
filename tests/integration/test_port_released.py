# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""port_released against real processes and sockets: what holds a port."""

import contextlib
import ctypes
import errno
import os
import signal
import socket
import struct
import threading
import time
import typing as t
from pathlib import Path

import pytest
from port_holders import (
    GO,
    LIBC,
    SLEEP,
    Hold,
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

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import names, ports, sockdiag

__all__ = ["hold", "port"]  # fixtures


def test_a_free_port_is_released_at_once(port: int) -> None:
    result = ports.wait_released([port])
    assert result == {"released": True, "waited_ms": 0, "holders": [], "connections": {}, "drained": True, "note": ""}
    begin = time.monotonic()
    ports.bind_probe(port)
    assert time.monotonic() - begin < 0.005


def test_a_dual_stack_listener_is_named(port: int, hold: Hold, tmp_path: Path) -> None:
    holder = hold(GO, port, cwd=str(tmp_path))
    needle = ":%04X " % port
    assert needle not in Path("/proc/net/tcp").read_text()
    result = refused([port])
    entry = result["holders"][0]
    assert pids(result) == [holder.pid]
    assert entry["exe"] == os.readlink("/proc/%d/exe" % holder.pid)
    assert entry["cwd"] == str(tmp_path)
    assert entry["user"] == names.user_name(os.geteuid())
    assert entry["state"] == "LISTEN"


@pytest.mark.parametrize("address", ["0.0.0.0", "127.0.0.1"])
def test_a_holder_of_all_addresses_holds_those_of_ipv4(port: int, hold: Hold, address: str) -> None:
    holder = hold(GO, port)
    assert pids(refused([port], address=address)) == [holder.pid]


def test_a_listener_on_another_address_is_noted(port: int, hold: Hold) -> None:
    holder = hold('sock = server(port, "127.0.0.2")' + SLEEP, port)
    result = refused([port])
    assert pids(result) == [holder.pid]
    assert result["holders"][0]["address"] == "127.0.0.2"
    free = ports.wait_released([port], "127.0.0.1", timeout=0, settle=0.05)
    assert free["released"] is True
    assert "127.0.0.2 port %d" % port in free["note"]


TIME_WAIT = """
sock = server(port, "%s", reuse=%s)
client = socket.create_connection(("127.0.0.1", port))
peer = sock.accept()[0]
peer.close(); time.sleep(0.05); client.close(); sock.close()
ready()
"""


def test_time_wait_of_a_go_predecessor_does_not_hinder(port: int, hold: Hold) -> None:
    hold(TIME_WAIT % ("::", True), port).process.wait(10)
    result = ports.wait_released([port], timeout=0)
    assert result["connections"] == {"TIME_WAIT": 1}
    assert "TIME_WAIT" in result["note"]
    assert result["drained"] is True


def test_time_wait_of_a_predecessor_without_reuseaddr_hinders(port: int, hold: Hold) -> None:
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


def test_accepted_connections_outlive_the_listener(port: int, hold: Hold) -> None:
    hold(ORPHANED_CONNECTION + SLEEP, port)
    result = ports.wait_released([port], timeout=0)
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


def test_a_child_that_inherited_the_listener_is_named(port: int, hold: Hold) -> None:
    parent = hold(HEIR, port, start_new_session=True)
    heir = int(parent.words[0])
    with ended_afterwards(heir):
        parent.kill()
        result = refused([port])
        assert pids(result) == [heir]
        assert "inherited" in result["holders"][0]["note"]


def test_a_parent_that_ends_during_the_wait_leaves_its_child_as_the_holder(port: int, hold: Hold) -> None:
    parent = hold(HEIR, port)
    heir = int(parent.words[0])
    with ended_afterwards(heir):
        timer = threading.Timer(0.4, parent.kill)
        timer.start()
        result = refused([port], timeout=0.8)
        timer.join()
        assert pids(result) == [heir]
        assert "inherited from process %d" % parent.pid in result["holders"][0]["note"]


def test_two_holders_are_both_named(port: int, hold: Hold) -> None:
    parent = hold(
        "sock = server(port)\npid = os.fork()\nif pid == 0: time.sleep(600)\nready(pid)\ntime.sleep(600)", port
    )
    child = int(parent.words[0])
    with ended_afterwards(child):
        assert pids(refused([port])) == sorted([parent.pid, child])


def test_a_holder_that_is_bound_and_does_not_listen_is_found(port: int, hold: Hold) -> None:
    holder = hold("sock = server(port, reuse=False, listen=0)" + SLEEP, port)
    assert sockdiag.listeners(port) == []
    result = refused([port])
    if sockdiag.all_states(port):  # Linux 6.8
        assert pids(result) == [holder.pid]
        assert result["holders"][0]["state"] == "BOUND"
    else:
        assert result["holders"] == []
        assert "bound" in result["note"]


def test_an_outgoing_connection_that_has_the_port_is_named(hold: Hold) -> None:
    with socket.socket() as target:
        target.bind(("127.0.0.1", 0))
        target.listen()
        code = 'client = socket.create_connection(("127.0.0.1", port))\nready(client.getsockname()[1])\ntime.sleep(600)'
        holder = hold(code, target.getsockname()[1])
        result = refused([int(holder.words[0])])
    assert pids(result) == [holder.pid]
    assert result["holders"][0]["state"] == "ESTABLISHED"
    assert "ip_local_reserved_ports" in result["note"]


def test_a_reuseport_sibling_stays_the_holder(port: int, hold: Hold) -> None:
    code = "sock = server(port, option=socket.SO_REUSEPORT)" + SLEEP
    one, two = hold(code, port), hold(code, port)
    assert pids(refused([port])) == sorted([one.pid, two.pid])
    timer = threading.Timer(0.2, one.kill)
    timer.start()
    result = refused([port], timeout=0.6)
    timer.join()
    assert pids(result) == [two.pid]
    assert "taken again" not in result["msg"]


def test_a_descriptor_in_flight_is_a_holder_without_a_process(port: int, hold: Hold) -> None:
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
def test_a_holder_in_another_network_namespace_is_noted(port: int, hold: Hold) -> None:
    code = "ctypes.CDLL(None).unshare(0x40000000)\nsock = server(port)"
    holder = hold(code + SLEEP, port)
    result = ports.wait_released([port], timeout=0, explain=True)
    assert result["released"] is True
    assert "Process %d in another network namespace" % holder.pid in result["note"]


@pytest.mark.root
def test_a_privileged_port_is_unknown_to_another_user() -> None:
    def look() -> Result:
        new_network({"ipv4/ip_unprivileged_port_start": "1024"})
        become_nobody()
        return failure_of([81])

    result = in_child(look)
    assert result["released"] is None
    assert "has no permission to bind port 81" in result["msg"]
    assert "Held" not in result["msg"]


@pytest.mark.root
def test_a_host_with_ipv6_disabled_is_asked_by_ipv4(port: int) -> None:
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


def test_a_kernel_without_ipv6_sockets_is_asked_by_ipv4(port: int) -> None:
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


def test_a_stopped_listener_with_a_full_backlog_is_named(port: int, hold: Hold) -> None:
    holder = hold("sock = server(port, listen=1)" + SLEEP, port)
    holder.process.send_signal(signal.SIGSTOP)
    with contextlib.ExitStack() as stack:
        for _unused in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
        assert pids(refused([port])) == [holder.pid]
