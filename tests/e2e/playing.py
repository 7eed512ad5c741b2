# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs playbooks of the collection with one ansible-core and reads what they say; finds the processes of a run."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Iterator, NamedTuple, Sequence, TypeVar

import paths
from releases import real_releases

CORES = ("2.16", "2.19", "2.21")
NEWEST_HERE = "2.19"
PATIENCE_S = 1200.0 if real_releases() else 240.0  # a real migration makes and alters a hundred tables
_STATS = re.compile(r"^\s+RUN: (\{.*\})\s*$", re.MULTILINE)
T = TypeVar("T")


class Run(NamedTuple):
    """A playbook run that has ended."""

    status: int
    output: str

    @property
    def stats(self) -> dict[str, Any]:
        """What it handed over by set_stats."""
        found = _STATS.search(self.output)
        return dict(json.loads(found.group(1))) if found else {}

    @property
    def results(self) -> dict[str, list[dict[str, Any]]]:
        """The records of each host."""
        return {host: list(records.values()) for host, records in self.stats.get("anqicms_results", {}).items()}

    @property
    def outcomes(self) -> dict[str, list[str]]:
        return {host: [record["outcome"] for record in records] for host, records in self.results.items()}


class Player:
    """One ansible-core. ``prefix`` is put before its commands, to run them in another network for example."""

    def __init__(self, core: str, directory: Path, prefix: Sequence[str] = ()) -> None:
        self.core, self.directory, self.prefix = core, directory, list(prefix)
        self.bin = paths.VENVS / f"core-{core}" / "bin"
        # Not below the test's directory: the path of a socket has 108 bytes at most.
        self.sockets = tempfile.TemporaryDirectory(prefix="anqicms-ssh-", ignore_cleanup_errors=True)
        self.env = {
            **paths.private_env([self.bin]),
            "ANSIBLE_SHOW_CUSTOM_STATS": "1",
            "ANSIBLE_HOST_KEY_CHECKING": "0",
            "ANSIBLE_DEPRECATION_WARNINGS": "1",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": self.sockets.name,
            "ANSIBLE_LOCAL_TEMP": str(directory / "tmp"),
        }
        if not self.prefix:  # here the 'remote' directory is this machine's own, which others use too
            self.env["ANSIBLE_REMOTE_TEMP"] = str(directory / "remote")

    def begin(self, playbook: str, inventory: Path, *arguments: str) -> "Playing":
        """Start a playbook, 'restart' for example or the path of a file, in a process group of its own."""
        self.directory.mkdir(parents=True, exist_ok=True)
        log = self.directory / f"{Path(playbook).stem}-{time.monotonic_ns()}.log"
        argv = [
            *self.prefix,
            str(self.bin / "ansible-playbook"),
            "-i",
            str(inventory),
            playbook if "/" in playbook else f"anqicms.lifecycle.{playbook}",
            *arguments,
        ]
        with open(log, "wb") as output:
            process = subprocess.Popen(
                argv,
                env=self.env,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return Playing(process, log)

    def play(self, playbook: str, inventory: Path, *arguments: str, timeout: float = PATIENCE_S) -> Run:
        """Run a playbook to its end."""
        return self.begin(playbook, inventory, *arguments).wait(timeout)

    def ad_hoc(self, pattern: str, module: str, arguments: str, inventory: Path, timeout: float = PATIENCE_S) -> Run:
        """One module of the collection, its result in one line after `=>`."""
        self.directory.mkdir(parents=True, exist_ok=True)
        argv = [
            *self.prefix,
            str(self.bin / "ansible"),
            pattern,
            "-i",
            str(inventory),
            "--one-line",
            "-m",
            f"anqicms.lifecycle.{module}",
            "-a",
            arguments,
        ]
        done = subprocess.run(
            argv,
            env=self.env,
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
        )
        return Run(done.returncode, done.stdout.decode(errors="replace"))


class Playing:
    """A playbook run that goes on. Use as a context manager to be sure that it ends with the test."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.process, self.log = process, log

    def __enter__(self) -> "Playing":
        return self

    def __exit__(self, *_exc: object) -> None:
        self.end()

    def end(self) -> None:
        """End it and all that it started that is still in its process group or below it."""
        for pid in [self.process.pid, *descendants(self.process.pid)]:
            kill(pid)
        self.process.wait(20)

    def wait(self, timeout: float = PATIENCE_S) -> Run:
        """Its end. Raises AssertionError with the output when it takes longer, in seconds."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.end()
            raise AssertionError(f"still running after {timeout} s:\n{self.output()}") from None
        return Run(status, self.output())

    def output(self) -> str:
        return self.log.read_text(errors="replace")


def kill(pid: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Signal one process; one that has ended is no error."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def processes() -> Iterator[tuple[int, int, str]]:
    """Pid, parent and command line of every process here."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                arguments = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except (OSError, IndexError):
                continue
            yield int(entry.name), parent, arguments


def descendants(pid: int, containing: str = "") -> list[int]:
    """Processes below one, the nearest first, whose command line contains a text."""
    rows, generation, wanted = list(processes()), {pid}, []
    while generation:
        children = [(child, arguments) for child, parent, arguments in rows if parent in generation]
        wanted += [child for child, arguments in children if containing in arguments]
        generation = {child for child, _arguments in children}
    return wanted


def journal(state_dir: Path) -> list[dict[str, Any]]:
    """The journal entries of all instances that have their state below a directory."""
    entries = []
    for path in sorted(state_dir.glob("*/journal.jsonl")):
        for line in path.read_text(errors="replace").splitlines():
            try:
                entries.append(json.loads(line))
            except ValueError:
                continue
    return entries


def until(look: Callable[[], T], what: str, seconds: float = 90.0, pause: float = 0.005) -> T:
    """Wait for a true value and return it. Raises AssertionError that names what did not come."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(pause)
