# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes that hold ports in every way, and what the tests of the port share."""

import ctypes
import json
import os
import random
import signal
import subprocess
import sys
import typing as t
from pathlib import Path

import paths
import pytest

sys.path.insert(0, str(paths.link_tree()))

from ansible_collections.anqicms.lifecycle.plugins.module_utils import _errors
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import ports as _ports
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import sockdiag

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
    started: t.List[Holder] = []

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
        if _ports.bind_probe(candidate).free and not sockdiag.all_states(candidate):
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
