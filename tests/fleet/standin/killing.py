# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill-at-start: 3.2.2 - 3.4.5 and 3.4.7+ end other processes that look like themselves.

The stand-in finds its victims like the application and spares everything whose executable is not below its fleet's
root, so that it is harmless on a machine that runs the real application.
"""

from __future__ import annotations

import os
import signal


def kill_others(method: str, exe: str, bundle: str) -> None:
    """`method` is pidof or pgrep (or empty), `bundle` the directory that may hold the file fleet-root."""
    victims: list[int] = []
    if method == "pidof":
        victims = _numbers(_output(["pidof", os.path.basename(exe)]).split())
    elif method == "pgrep":
        # One match per line, but split at blanks: with two matches or more nothing is a number.
        victims = _numbers(_output(["pgrep", "-f", exe]).strip().split(" "))
    root = _fleet_root(exe, bundle)
    for pid in victims:
        if pid != os.getpid() and _lies_below(pid, root):
            _kill(pid)


def _numbers(words: list[str]) -> list[int]:
    return [int(word) for word in words if word.isdecimal()]


def _output(argv: list[str]) -> str:
    read_end, write_end = os.pipe()
    try:
        pid = os.posix_spawnp(argv[0], argv, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, write_end, 1)])
    except OSError:  # not installed: skipped
        os.close(write_end)
        os.close(read_end)
        return ""
    os.close(write_end)
    with os.fdopen(read_end, encoding="utf-8", errors="replace") as stream:
        text = stream.read()
    os.waitpid(pid, 0)
    return text


def _fleet_root(exe: str, bundle: str) -> str:
    try:
        with open(os.path.join(bundle, "fleet-root"), encoding="utf-8") as file:
            named = file.read().strip()
    except OSError:
        named = ""
    return os.path.realpath(named or os.path.dirname(os.path.dirname(exe)))


def _lies_below(pid: int, root: str) -> bool:
    try:
        victim = os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return False
    return victim.startswith(root.rstrip("/") + "/")


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        pass
