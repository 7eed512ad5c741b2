# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a command and prints, as JSON, its status, its CPU seconds, and the largest memory of its main process.

Usage: usage.py LOG COMMAND [ARGUMENT]...    LOG: the file for its output.

`waited`: the command and all that it has waited for. `detached`: what it has left behind, as the workers of windows
are, and has ended meanwhile. Instances count for neither: they use the same, whoever restarts them.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import NamedTuple

PR_SET_CHILD_SUBREAPER = 36
INSTANCE = "anqicms"
_PEAK = re.compile(r"VmHWM:\s+(\d+) kB")
_EVERY_S = 0.1


class Usage(NamedTuple):
    status: int
    waited: float  # seconds
    detached: float  # seconds
    peak: float  # MiB


class Peak(threading.Thread):
    """The largest resident memory of a process, without that of its children, until it ends."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.status = Path(f"/proc/{pid}/status")
        self.kib = 0
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(_EVERY_S):
            try:
                found = _PEAK.search(self.status.read_text())
            except OSError:
                return
            self.kib = int(found[1]) if found else self.kib


def adopt_what_is_left() -> None:
    """What is left behind below this process becomes its child, so that it can be waited for."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "PR_SET_CHILD_SUBREAPER")


def _name(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def measure(log: Path, command: list[str]) -> Usage:
    adopt_what_is_left()
    with log.open("wb") as output:
        main = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    peak = Peak(main.pid)
    peak.start()
    detached = 0.0
    while True:
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        if ended is None:
            raise ChildProcessError("nothing is left to wait for")
        name = _name(ended.si_pid)
        _pid, status, used = os.wait4(ended.si_pid, 0)
        seconds = used.ru_utime + used.ru_stime
        if ended.si_pid == main.pid:
            peak.over.set()
            peak.join()
            main.returncode = os.waitstatus_to_exitcode(status)
            return Usage(main.returncode, seconds, detached, peak.kib / 1024)
        detached += 0.0 if name == INSTANCE else seconds


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), sys.argv[2:])._asdict()))
