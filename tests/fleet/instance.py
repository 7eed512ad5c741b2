# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One instance: an install directory with its own binary, configuration, log and (perhaps) process."""

from __future__ import annotations

import http.client
import json
import os
import shlex
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Mapping

import freeze
import releases
from freeze import BINARY
from mariadb import MariaDB, free_port
from release_files import CHANGELOG_BEHIND, full_release

# Its port is none: a site without a base URL takes that of the first request that has one, for all visitors.
NO_HOST = "localhost:none"
_FORKED_NOT_EXECUTED = 0x40  # PF_FORKNOEXEC of the kernel
_START_SCRIPT = """#!/bin/bash
cd {place} && nohup {binary} >> {log} 2>&1 &
"""


class Instance:
    """Made by `make_instance`. Nothing is started before `start`."""

    def __init__(self, directory: Path, version: str, port: int, database: str) -> None:
        self.dir = directory
        self.version = version
        self.port = port
        self.database = database
        self.binary = directory / BINARY
        self.log = directory / "running.log"
        self.by_script = False
        self.environment: Mapping[str, str] | None = None  # of its starts; ours where it is none

    def start(self, wait: float = 20.0, environment: Mapping[str, str] | None = None) -> int:
        """Start it with the line of the vendor's script, wait until it answers with its version, and return its pid.

        `wait` is in seconds; 0 does not wait and returns 0. Raise TimeoutError with the log's end. With `by_script`
        start.sh in its directory does it: that is bash, which stays as the parent until the instance ends.
        """
        place, binary, log = (shlex.quote(str(path)) for path in (self.dir, self.binary, self.log))
        words = ["/bin/sh", "-c", f"cd {place} && nohup {binary} >> {log} 2>&1 &"]
        if self.by_script:
            script = self.dir / "start.sh"
            script.write_text(_START_SCRIPT.format(place=place, binary=binary, log=log))
            script.chmod(0o755)
            words = [str(script)]
        given = self.environment if environment is None else environment
        subprocess.run(words, check=True, stdin=subprocess.DEVNULL, env=None if given is None else dict(given))
        return self.wait_ready(wait) if wait else 0

    def spawn(self, *arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start it as a child of this process, with running.log as stdout and stderr: for tests of exit codes."""
        with open(self.log, "ab") as log:
            return subprocess.Popen(
                [str(self.binary), *arguments],
                cwd=self.dir,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=dict(environment) if environment is not None else None,
            )

    def wait_ready(self, seconds: float = 20.0) -> int:
        """Wait until a process of this instance answers with a version, and its pages have views; return its pid."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.told_version() and self.has_views() and self.pids():
                return self.pids()[0]
            time.sleep(0.01)
        tail = self.log_text()[-2000:]
        raise TimeoutError(f"{self.dir}: no answer on port {self.port} after {seconds} s; its log ends:\n{tail}")

    def has_views(self) -> bool:
        """2.1.2 - 2.5.5 answer every page with 500 for a second after the port has opened: only then they are ready."""
        try:
            return self.version >= "3" or self.get("/", headers={"Cache-Control": "no-cache"})[0] < 500
        except (OSError, http.client.HTTPException):
            return False

    def pids(self) -> list[int]:
        """Processes that run this directory's binary (also one that was replaced meanwhile)."""
        return [pid for pid, exe in executed() if exe == str(self.binary)]

    @property
    def pid(self) -> int:
        """Its one process; 0 when there is none. Raise RuntimeError when there are several."""
        pids = self.pids()
        if len(pids) > 1:
            raise RuntimeError(f"{self.dir}: several processes {pids}")
        return pids[0] if pids else 0

    def told_version(self, timeout: float = 2.0) -> str:
        """What version/info answers, empty when it does not; `timeout` in seconds for all of it, however it drips."""
        try:
            status, body = self._exchange("/system/api/version/info", time.monotonic() + timeout)
            return str(json.loads(body)["data"]["version"]) if status == 200 else ""
        except (OSError, ValueError, LookupError, TypeError):
            return ""

    def _exchange(self, path: str, end: float) -> tuple[int, bytes]:
        with socket.create_connection(("127.0.0.1", self.port), max(0.001, end - time.monotonic())) as connection:
            lines = (f"GET {path} HTTP/1.1", f"Host: {NO_HOST}", "Connection: close", "", "")
            connection.sendall("\r\n".join(lines).encode())
            data, chunk = b"", b"-"
            while chunk:
                connection.settimeout(max(0.001, end - time.monotonic()))
                chunk = connection.recv(65536)
                data += chunk
        head, _separator, body = data.partition(b"\r\n\r\n")
        return int(head.split(b" ", 2)[1]), body

    def get(
        self,
        path: str,
        timeout: float = 5.0,
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
        body: bytes | None = None,
    ) -> tuple[int, bytes]:
        """One request on a connection of its own: status and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(
                method, path, body=body, headers={"Connection": "close", "Host": NO_HOST, **(headers or {})}
            )
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def backup(self, action: str = "dump", name: str = "", host: str = "") -> tuple[int, bytes]:
        """`dump`, or `restore` of a file below data/backup, as the admin pages of the site with this host do it."""
        headers = {"admin": "token", **({"Host": host} if host else {})}
        body = json.dumps({"name": name}).encode()
        return self.get(f"/system/api/plugin/backup/{action}", 60.0, headers, "POST", body)

    def log_text(self) -> str:
        try:
            return self.log.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    def become(self, version: str) -> None:
        """Put the files of another version over these, as a plain unpacking does. For an instance that is stopped."""
        self.binary.unlink()  # a process that still runs it keeps its file
        releases.unpack(releases.release_of(version), self.dir)
        self.version = version

    def knobs(self, **values: Any) -> None:
        """Write the stand-in's test-only settings (standin/config.py, Knobs); they count from the next start."""
        (self.dir / "standin.json").write_text(json.dumps(values))

    def limit_kills_to(self, root: Path) -> None:
        """From its next start on a stand-in's kill-at-start finds victims below this directory only."""
        if (self.dir / "lib" / "stamp").exists():
            (self.dir / "lib" / "fleet-root").write_text(str(root))

    def kill(self) -> None:
        """SIGKILL to every process whose executable lies in this directory, and wait until they are gone."""
        end_below(self.dir)


def make_instance(
    directory: Path,
    version: str,
    port: int = 0,
    db: MariaDB | None = None,
    database: str = "",
    fleet_root: Path | None = None,
    by_script: bool = False,
    changelog_behind: bool = False,
    full: bool = False,
) -> Instance:
    """Lay out an install directory of this version.

    Without `db` it is always the stand-in, which then serves one site from memory. `fleet_root` is the directory below
    which its kill-at-start may find victims (default: the parent of `directory`). With `by_script` it is started by a
    start.sh; with `changelog_behind` CHANGELOG.md names an older version where that of the vendor does. With `full` a
    stand-in has all files of a release, as release_files makes them, and not only those that it needs.
    """
    directory = Path(os.path.realpath(directory))
    releases.unpack(_source(version, db is not None, full), directory)
    database = database or "anq_" + "".join(char if char.isalnum() else "_" for char in directory.name)
    instance = Instance(directory, version, port or free_port(), database)
    instance.by_script = by_script
    instance.limit_kills_to(fleet_root or directory.parent)
    if changelog_behind and version in CHANGELOG_BEHIND:
        (directory / "CHANGELOG.md").write_text(f"# CHANGELOG\n\n## v{CHANGELOG_BEHIND[version]}\n\n- stand-in\n")
    if db is None:
        instance.knobs(no_database=True)
    write_config(instance, db)
    return instance


def _source(version: str, with_database: bool, full: bool) -> Path:
    if with_database and releases.real_releases():
        return releases.release_of(version)
    return full_release(version) if full else freeze.release(version)


def write_config(instance: Instance, db: MariaDB | None) -> None:
    """config.json as the installer leaves it, readable by its owner alone. Without `db` it names no database."""
    mysql: dict[str, Any] = {"user": "anq", "password": "anq-secret"}
    if db:
        mysql = {
            "database": instance.database,
            "user": db.user,
            "password": db.password,
            "host": db.host,
            "port": db.port,
        }
    config = {
        "mysql": mysql,
        "server": {
            "env": "production",
            "port": instance.port,
            "log_level": "error",
            "token_secret": "0123456789abcdef0123456789abcdef",
        },
    }
    path = instance.dir / "config.json"
    path.write_text(json.dumps(config, indent="\t"))
    path.chmod(0o600)


def executables() -> list[tuple[int, str]]:
    """Pid and executable of every process that may be seen."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                found.append((int(name), os.readlink(f"/proc/{name}/exe").removesuffix(" (deleted)")))
            except OSError:
                continue
    return found


def executed() -> list[tuple[int, str]]:
    """The same without children between fork and exec, which still show the file of their parent.

    Whether it has executed anything is asked first: a child may do so between two looks.
    """
    those = {int(name) for name in os.listdir("/proc") if name.isdecimal() and _has_executed(name)}
    return [(pid, exe) for pid, exe in executables() if pid in those]


def _has_executed(pid: str) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:  # it has ended
        return False
    return not int(fields[6]) & _FORKED_NOT_EXECUTED


def end_below(directory: Path) -> None:
    """SIGKILL, by pid, to everything whose executable lies below a directory that we made."""
    prefix = os.path.realpath(directory).rstrip("/") + "/"
    for _unused in range(200):
        living = [pid for pid, exe in executables() if exe.startswith(prefix)]
        if not living:
            return
        for pid in living:
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except (ProcessLookupError, ChildProcessError):
                pass
        time.sleep(0.01)
    raise TimeoutError(f"processes below {directory} do not end: {living}")
