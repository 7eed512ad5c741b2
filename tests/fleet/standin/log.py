# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the program prints, in the formats of Go's log and fmt, iris and gorm. Nothing is buffered."""

from __future__ import annotations

import os
import signal
import time

from standin.behaviours import Behaviour, Panic

_SOURCE = "kandaoni.com/anqicms/"


def _write(fd: int, text: str) -> None:
    try:
        os.write(fd, text.encode())
    except BrokenPipeError:  # a Go program dies of SIGPIPE on a broken stdout or stderr
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGPIPE)
    except OSError:
        pass


def stamp() -> str:
    return time.strftime("%Y/%m/%d %H:%M:%S")


def line(text: str) -> None:
    """Go's fmt.Println."""
    _write(1, text + "\n")


def stamped(text: str) -> None:
    """Go's log.Println."""
    _write(2, f"{stamp()} {text}\n")


def iris_error(behaviour: Behaviour, text: str) -> None:
    level = "\x1b[31m[ERRO]\x1b[0m" if behaviour.coloured_iris_error else "[ERRO]"
    _write(1, f"{level} {time.strftime('%Y/%m/%d %H:%M')} {text}\n")


def banner(behaviour: Behaviour, port: int) -> None:
    if behaviour.iris:
        _write(1, f"Iris Version: {behaviour.iris}\n\n")
    _write(1, f"Now listening on: http://localhost:{port}\nApplication started. Press CTRL+C to shut down.\n")


def connect_error(location: str, error: str) -> None:
    """gorm: failed to initialize."""
    _write(
        1,
        f"\n{stamp()} \x1b[35m{_SOURCE}{location}\n"
        f"\x1b[0m\x1b[31m[error] \x1b[0mfailed to initialize database, got error {error}\n",
    )


def statement_error(location: str, error: str, took: float, rows: str, statement: str) -> None:
    """gorm: a statement failed or found nothing. `took` is in seconds."""
    _write(
        1,
        f"\n{stamp()} \x1b[31;1m{_SOURCE}{location} \x1b[35;1m{error}\n"
        f"\x1b[0m\x1b[33m[{took * 1000:.3f}ms] \x1b[34;1m[rows:{rows}]\x1b[0m {statement}\n",
    )


def slow_statement(location: str, took: float, rows: int, statement: str) -> None:
    """gorm: a statement took 200 ms or more. `took` is in seconds."""
    _write(
        1,
        f"\n{stamp()} \x1b[32m{_SOURCE}{location} \x1b[33mSLOW SQL >= 200ms\n"
        f"\x1b[0m\x1b[31;1m[{took * 1000:.3f}ms] \x1b[33m[rows:{rows}]\x1b[35m {statement}\x1b[0m\n",
    )


def config_panic(panic: Panic) -> None:
    source = f"{_SOURCE}config"
    _write(
        2,
        "panic: runtime error: invalid memory address or nil pointer dereference\n"
        f"[signal SIGSEGV: segmentation violation code=0x1 addr=0x18 pc={panic.pc}]\n\n"
        f"goroutine 1 [running]:\n{source}.initJSON()\n\t{source}/config.go:{panic.line} {panic.offset}\n"
        f"{source}.init.0()\n\t{source}/config.go:{panic.init_line} +0x14\n",
    )


def crash(text: str) -> None:
    """A Go panic in a goroutine."""
    _write(
        2,
        f"panic: {text}\n\ngoroutine 87 [running]:\n{_SOURCE}provider.(*Website).Task()\n"
        f"\t{_SOURCE}provider/task.go:64 +0x1d2\n",
    )


def no_memory(size: int, used: int) -> None:
    """What the Go runtime prints when it is not given the memory that it asks for."""
    _write(
        2,
        f"runtime: out of memory: cannot allocate {size}-byte block ({used} in use)\nfatal error: out of memory\n"
        f"\ngoroutine 1 [running]:\nruntime.throw()\n\truntime/panic.go:1047 +0x5d\n",
    )


def signal_dump(said: str) -> None:
    """What the Go runtime prints when a signal ends it that nobody handles."""
    _write(
        2,
        f"{said}\nPC=0x46d5c1 m=0 sigcode=0\n\ngoroutine 0 [idle]:\nruntime.futex()\n"
        "\truntime/sys_linux_amd64.s:557 +0x21\n\ngoroutine 1 [select]:\nmain.main()\n\tmain/main.go:24 +0x85\n",
    )


def error_file(root: str, text: str) -> None:
    """Append a start failure to error.log."""
    append(os.path.join(root, "error.log"), f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")


def append(path: str, text: str) -> None:
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o766)
    except OSError:
        return
    try:
        os.write(fd, text.encode())
    except OSError:
        pass
    finally:
        os.close(fd)
