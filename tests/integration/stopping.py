# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of graceful_stop share: a call, here or in another process, and programs that play odd instances.

As a script it makes one call as its JSON argument says (see `Call`) and prints the result as JSON.
"""

from __future__ import annotations

import ctypes
import json
import os
import shlex
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Iterator, Sequence

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "tools"), str(HERE.parent / "fleet")]

import paths
from instance import end_below

sys.path.insert(0, str(paths.link_tree()))

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import process as _process
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import resolve
from ansible_collections.anqicms.lifecycle.plugins.module_utils._stop import stop as _stop

Result = dict[str, Any]
DEFAULTS: Result = {
    "timeout": 30.0,
    "idle_timeout": 5.0,
    "quiet_timeout": 120.0,
    "migration_timeout": 3600.0,
    "force": "idle",
}
NOBODY = 65534

# Prepended to the code of every actor. serve() answers each request with the version, as the application does.
PRELUDE = """
import ctypes, os, signal, socket, sys, threading, time
def serve(port, version):
    sock = socket.socket(socket.AF_INET6)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(('::', port))
    sock.listen(16)
    body = b'{"code":0,"msg":"","data":{"version":"%s"}}' % version.encode()
    def answer():
        while True:
            peer = sock.accept()[0]
            peer.recv(4096)
            head = b'HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\nConnection: close\\r\\n\\r\\n' % len(body)
            peer.sendall(head + body)
            peer.close()
    threading.Thread(target=answer, daemon=True).start()
    return sock
def ready():
    open('ready', 'w').close()
"""


def stop(directory: Path, base: Path, **options: Any) -> Result:
    """graceful_stop in this process; a failure is a result with `failed` and `msg`."""
    check, progress = options.pop("check", False), options.pop("progress", lambda text: None)
    port = options.pop("port", None)
    instance = resolve(str(directory))
    context = Context(instance, state.StateDir(instance, str(base)), port, progress)
    try:
        return (_stop.foresee if check else _stop.stop)(context, {**DEFAULTS, **options})
    except LifecycleError as error:
        return {"failed": True, "msg": error.msg, **error.result}
    finally:
        context.close()


def call(directory: Path, base: Path, before: Sequence[str] = (), **options: Any) -> subprocess.Popen[str]:
    """graceful_stop in a process of its own, behind a command such as unshare; `outcome` reads its result."""
    words = [*before, sys.executable, __file__, json.dumps({"dir": str(directory), "base": str(base), **options})]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def outcome(process: subprocess.Popen[str], seconds: float = 60.0) -> Result:
    out, err = process.communicate(timeout=seconds)
    assert process.returncode == 0, err
    return dict(json.loads(out))


def launch(words: Sequence[object], directory: Path, environment: dict[str, str] | None = None) -> int:
    """Start a program as an orphan in a session of its own, with running.log as its output; its pid."""
    command = " ".join(shlex.quote(str(word)) for word in words)
    place = shlex.quote(str(directory))
    script = f"cd {place} && {{ exec setsid {command}; }} >> running.log 2>&1 < /dev/null & echo $!"
    done = subprocess.run(["/bin/sh", "-c", script], check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return int(done.stdout)


class Actor:
    """A Python interpreter copied to an install directory, so that `/proc/PID/exe` is its binary: it runs any code."""

    def __init__(self, directory: Path, version: str = "3.5.8", port: int = 1) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.dir, self.port, self.binary = directory, port, directory / "anqicms"
        shutil.copy(os.path.realpath(sys.executable), self.binary)
        (directory / "CHANGELOG.md").write_text(f"# CHANGELOG\n\n## v{version}\n")
        (directory / "config.json").write_text(json.dumps({"server": {"port": port}}))
        (directory / "config.json").chmod(0o600)

    def words(self, code: str) -> list[str]:
        return [str(self.binary), "-c", PRELUDE + code]

    @staticmethod
    def environment() -> dict[str, str]:
        return {**os.environ, "PYTHONHOME": sys.base_prefix, "PYTHONDONTWRITEBYTECODE": "1"}

    def start(self, code: str, wait: bool = True) -> int:
        """Start it; the code says ready() when it is what the test wants."""
        pid = launch(self.words(code), self.dir, self.environment())
        assert not wait or within(10, (self.dir / "ready").exists), (self.dir / "running.log").read_text()
        return pid


def within(seconds: float, condition: Callable[[], Any]) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.005)
    return bool(condition())


def start_of(pid: int) -> int | None:
    """Its start time in ticks; None when it is gone or a zombie."""
    try:
        with procfs.ProcDir(pid) as proc:
            stat = proc.stat()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if stat is None or procfs.is_dead(stat) else stat.start_ticks


def gone(pid: int) -> bool:
    return start_of(pid) is None


def signals_of(result: Result) -> list[str]:
    return [entry["signal"] for entry in result["signals"]]


def directories(base: Path) -> Iterator[Path]:
    """For fixtures: a directory whose processes all end with the test."""
    base.mkdir(parents=True, exist_ok=True)
    yield base
    end_below(base)


def forbid(numbers: Sequence[int], code: int) -> None:
    """A seccomp filter: these system calls fail with this errno."""
    rules = [(0x20, 0, 0, 0)]  # load the number of the call
    for index, number in enumerate(numbers):
        rules.append((0x15, len(numbers) - index, 0, number))
    rules += [(0x06, 0, 0, 0x7FFF0000), (0x06, 0, 0, 0x00050000 | code)]
    filters = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *rule) for rule in rules))
    program = struct.pack("HxxxxxxP", len(rules), ctypes.addressof(filters))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(38, 1, 0, 0, 0) == 0, "PR_SET_NO_NEW_PRIVS"
    assert libc.prctl(22, 2, program, 0, 0) == 0, "PR_SET_SECCOMP"


def without_pidfd() -> None:
    """As on a kernel before 5.1: neither pidfd_open nor pidfd_send_signal."""
    _process._LIBC = None
    if hasattr(os, "pidfd_open"):
        del os.pidfd_open


def step_clock() -> None:
    """The wall clock of this process jumps an hour forth and back all the time."""
    real = time.time
    time.time = lambda: real() + (3600 if int(time.monotonic() * 20) % 2 else -3600)


def main() -> None:
    options = json.loads(sys.argv[1])
    directory, base = Path(options.pop("dir")), Path(options.pop("base"))
    if options.pop("old_kernel", False):
        without_pidfd()
    if options.pop("clock", False):
        step_clock()
    blocked = options.pop("seccomp", None)
    uid = options.pop("uid", None)
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    if blocked:
        forbid(blocked["calls"], blocked["errno"])
    print(json.dumps(stop(directory, base, **options)))


if __name__ == "__main__":
    main()
