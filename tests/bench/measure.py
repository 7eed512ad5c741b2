# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes one of the measures of `modules.py` in a process of its own, and prints its values in milliseconds as JSON.

Usage: measure.py NAME DIRECTORY ROUNDS NUMBER    NUMBER: of sockets, processes or MiB.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ansible.module_utils import basic
from ansible.modules import wait_for
from bench import logs, measure_oom
from instance import make_instance
from integration.stopping import Actor, directories, stop
from mariadb import free_port

from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import instance_info as look
from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import log_lines
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import ports
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import process as _process
from ansible_collections.anqicms.lifecycle.plugins.module_utils._stop import stop as _stop
from ansible_collections.anqicms.lifecycle.plugins.modules import log_check, port_released

Times = dict[str, list[float]]  # milliseconds
HOLDERS = 5  # processes that share the open sockets
LOOPED_MIB = 32  # of the log that the slow loop is measured with

# The last thing that it does is to note the time.
NOTES_ITS_END = """
sock = serve(%d, '3.5.8')
note = os.open('end', os.O_WRONLY | os.O_CREAT, 0o600)
def end(*_):
    os.write(note, b'%%d' %% time.monotonic_ns())
    os._exit(0)
signal.signal(signal.SIGTERM, end)
ready()
while True:
    signal.pause()
"""
# Both end with the standard input: cheap processes of one image, and connections of a process with itself.
PROCESSES = """
import os, sys
reader, writer = os.pipe()
for _unused in range(int(sys.argv[1])):
    if os.fork() == 0:
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
print("ready", flush=True)
sys.stdin.read()
"""
SOCKETS = """
import socket, sys
server = socket.create_server(("127.0.0.1", 0), backlog=64)
kept = []
while len(kept) + 1 < int(sys.argv[1]):
    kept += [socket.create_connection(server.getsockname()), server.accept()[0]]
print("ready", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def helper(code: str, *arguments: object) -> Iterator[None]:
    """A Python program that says when it is ready, and ends with its standard input."""
    command = [sys.executable, "-S", "-c", code, *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        if process.stdout is None or process.stdout.readline() != b"ready\n":
            raise RuntimeError(f"a helper with {arguments} did not get ready")
        yield


def milliseconds(work: Callable[[], object]) -> float:
    begin = time.monotonic()
    work()
    return (time.monotonic() - begin) * 1000


def in_turns(rounds: int, works: dict[str, Callable[[], object]]) -> Times:
    times: Times = {name: [] for name in works}
    for _unused in range(rounds):
        for name, work in works.items():
            times[name].append(milliseconds(work))
    return times


def command(*words: str) -> Callable[[], object]:
    return lambda: subprocess.run(
        words, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def module(main: Callable[[], None], **options: Any) -> Callable[[], dict[str, Any]]:
    """A module's main function in this process, to be called for its result; RuntimeError when it fails."""
    arguments = json.dumps({"ANSIBLE_MODULE_ARGS": options}).encode()

    def run() -> dict[str, Any]:
        basic._ANSIBLE_ARGS = arguments
        basic._ANSIBLE_PROFILE = "legacy"
        output = io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.suppress(SystemExit):
            main()
        result: dict[str, Any] = json.loads(output.getvalue())
        if result.get("failed"):
            raise RuntimeError(output.getvalue())
        return result

    return run


def end_of_process(root: Path, rounds: int, _number: int) -> Times:
    """From the end of a process until a bare poll of its pidfd, graceful_stop's verdict, and graceful_stop return."""
    times: Times = {"poll": [], "verdict": [], "return": []}
    decided = note_verdicts()
    for number in range(rounds):
        for directory in directories(root / str(number)):
            actor = Actor(directory / "shop", "3.5.8", free_port())
            reader = bare_poll(actor.start(NOTES_ITS_END % actor.port))
            result = stop(actor.dir, directory / "state")
            returned = time.monotonic_ns()
            if result.get("exit_kind") != "graceful":
                raise RuntimeError(f"not stopped: {result}")
            ended = int((actor.dir / "end").read_text())
            with os.fdopen(reader) as stream:
                polled = int(stream.read())
            os.wait()
            for name, at in (("poll", polled), ("verdict", decided[-1]), ("return", returned)):
                times[name].append((at - ended) / 1e6)
    return times


def note_verdicts() -> list[int]:
    """The times at which graceful_stop has known that the process is gone; what comes then is its report."""
    known: list[int] = []
    run = _stop.Stop.run

    def noted(self: _stop.Stop) -> None:
        run(self)
        known.append(time.monotonic_ns())

    _stop.Stop.run = noted  # type: ignore[method-assign]
    return known


def bare_poll(pid: int) -> int:
    """Another process polls the pidfd; the pipe from which the time of its return can be read."""
    reader, writer = os.pipe()
    with _process.ProcessHandle(pid) as handle:
        if os.fork() == 0:
            _process._readable([handle.pidfd or -1], 60.0)
            os.write(writer, b"%d" % time.monotonic_ns())
            os._exit(0)
    os.close(writer)
    return reader


def verdict_of_port(_root: Path, rounds: int, number: int) -> Times:
    """What tells whether a port is free, or who holds it, on a host with so many open sockets."""
    raise_limit(number)
    port = free_port()
    with contextlib.ExitStack() as stack:
        for _unused in range(HOLDERS):
            stack.enter_context(helper(SOCKETS, number // HOLDERS))
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        works = {
            "verdict": lambda: ports._Wait([port], "::", None).look(),
            "free": lambda: ports.wait_released([port], timeout=0.0),
            "held": lambda: ports.look([listener.getsockname()[1]]),
            "module": module(port_released.main, ports=[port], timeout=0),
            "wait_for": module(wait_for.main, port=port, state="drained", timeout=5),
            "ss": command("ss", "-ltnp"),
            "lsof": command("lsof", f"-iTCP:{port}", "-sTCP:LISTEN"),
        }
        return in_turns(rounds, {name: work for name, work in works.items() if may_run(name)})


def may_run(name: str) -> bool:
    return name not in ("ss", "lsof") or shutil.which(name) is not None


def raise_limit(number: int) -> None:
    """Enough open files for the helpers, which inherit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = number // HOLDERS + 64
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard if hard >= wanted else wanted))


def look_at_instance(root: Path, rounds: int, number: int) -> Times:
    """A look at a running instance among so many processes, at all of the host, and the list of processes."""
    instance = make_instance(root / "www" / "shop", "3.5.8")
    options = {"state_dir": str(root / "state")}
    try:
        instance.start()
        with helper(PROCESSES, number):
            return in_turns(
                rounds,
                {
                    "one": module(look.run, dir=str(instance.dir), **options),
                    "all": module(look.run, **options),
                    "ps": command("ps", "-eo", "pid,args"),
                },
            )
    finally:
        instance.kill()


def look_at_log(root: Path, rounds: int, number: int) -> Times:
    """A whole log of so many MiB, a position near its end, an empty log; the peak of memory after that, in MiB."""
    big, empty, looped = (root / name / "running.log" for name in ("big", "empty", "looped"))
    for log in (big, empty, looped):
        log.parent.mkdir(parents=True)
        log.touch()

    def look(log: Path, since: str) -> Callable[[], dict[str, Any]]:
        return module(log_check.main, dir=str(log.parent), since=since, fail_on="never", state_dir=str(root / "state"))

    begin = look(big, "last_start")()["position"]
    logs.write(big, big.parent, number * logs.MIB)
    whole = milliseconds(look(big, begin))
    near_end = look(big, "last_start")()["position"]
    with big.open("a") as grown:
        grown.write("2026/11/22 09:00:00 the last line\n")
    times = in_turns(rounds, {"near_end": look(big, near_end), "empty": look(empty, "last_start")})
    times["peak"] = [_peak_mib()]
    logs.write(looped, looped.parent, LOOPED_MIB * logs.MIB)
    loop = milliseconds(lambda: logs.loop_over_lines(looped, [line.pattern for line in log_lines._TABLE]))
    return {**times, "whole": [whole], "loop": [loop * big.stat().st_size / looped.stat().st_size]}


def _peak_mib() -> float:
    """The most memory that this process has had. Unlike ru_maxrss without what its parent held when it began."""
    return int(re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024  # type: ignore[index]


MEASURES = {"end": end_of_process, "port": verdict_of_port, "instance": look_at_instance, "log": look_at_log}


def main() -> None:
    name, directory, rounds, number = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    if name in measure_oom.MEASURES:
        taken = measure_oom.take(name, directory, rounds, number, milliseconds, module, _peak_mib)
    else:
        taken = MEASURES[name](directory, rounds, number)
    print(json.dumps(taken))


if __name__ == "__main__":
    main()
