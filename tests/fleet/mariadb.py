# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A private MariaDB server: own data directory, own socket, 127.0.0.1 on a free port, ended by its pid."""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import pymysql
from freeze import CACHE

USER = "anq"
PASSWORD = "anq-secret"
START_SECONDS = 30.0
_SYSTEM_SQL = ("mysql_system_tables.sql", "mysql_performance_tables.sql", "mysql_system_tables_data.sql")


class Unavailable(RuntimeError):
    """MariaDB's server is not installed, or it did not start; the text says which."""


def find_server() -> str:
    """Path of mariadbd. Raise Unavailable with the name of the package that has it."""
    places = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin:/usr/libexec"
    for name in ("mariadbd", "mysqld"):
        found = shutil.which(name, path=places)
        if found:
            return found
    raise Unavailable("mariadbd was not found: install mariadb-server-core (Debian, Ubuntu) or mariadb-server")


class MariaDB:
    """`port` is known from the start, so that a stopped server can come back at the same address.

    With `start()` and `stop()`, or as a context manager. The account USER/PASSWORD may do everything.
    """

    def __init__(self, directory: Path, port: int = 0, network: str = "", run: Path | None = None) -> None:
        """`network` is a network namespace of `ip netns` in whose loopback it listens instead of in ours.

        `run` is a directory for the socket, by which other processes find the server too.
        """
        self.directory = directory
        self._prefix = ["nsenter", f"--net=/run/netns/{network}", "--"] if network else []
        self.host = "127.0.0.1"
        self.port = port or free_port()
        self.user = USER
        self.password = PASSWORD
        self.buffer_pool_mb = 32  # many of them run at once; 128 is what a server has that nobody tuned
        self._process: subprocess.Popen[bytes] | None = None
        # A socket's path has at most 107 bytes; a test's directory is often longer.
        self._run = run or Path(tempfile.mkdtemp(prefix="anq-db-"))

    def start(self) -> "MariaDB":
        """Start and wait until it answers. Raise Unavailable."""
        server = find_server()
        data = self.directory / "data"
        if not data.exists():
            self.directory.mkdir(parents=True, exist_ok=True)
            shutil.copytree(_template(server), data)
        with open(self.directory / "mariadb.log", "ab") as log:
            self._process = subprocess.Popen(
                [*self._prefix, server, *self._options(data)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait()
        return self

    def stop(self) -> None:
        """SIGTERM and wait; its data stay."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def close(self) -> None:
        """Stop, and remove the data as well."""
        self.stop()
        shutil.rmtree(self._run, ignore_errors=True)
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> "MariaDB":
        return self.start()

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def run(self, statement: str, database: str = "") -> tuple[tuple[Any, ...], ...]:
        """Run one statement on a connection of its own and return all rows."""
        connection = pymysql.connect(
            unix_socket=f"{self._run}/s",
            user=self.user,
            password=self.password,
            database=database or None,
            autocommit=True,
            ssl_disabled=True,
        )
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return tuple(cursor.fetchall())

    def administer(self, statement: str, database: str = "") -> tuple[tuple[Any, ...], ...]:
        """The same as root, who may grant rights."""
        connection = pymysql.connect(
            unix_socket=f"{self._run}/s", user="root", password="", autocommit=True, database=database or None
        )
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return tuple(cursor.fetchall())

    def give(
        self,
        user: str,
        password: str,
        database: str,
        rights: str = "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX",
    ) -> None:
        """A user with these rights on one database: by default those that the application needs."""
        quoted = pymysql.converters.escape_string(password)
        self.administer(f"CREATE USER IF NOT EXISTS '{user}'@'127.0.0.1' IDENTIFIED BY '{quoted}'")
        if rights:
            self.administer(f"GRANT {rights} ON `{database}`.* TO '{user}'@'127.0.0.1'")

    def has_ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    @property
    def socket(self) -> str:
        return f"{self._run}/s"

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    def _options(self, data: Path) -> list[str]:
        own = self.directory / "tmp"  # each server that starts removes the temporary tables that it finds in /tmp
        own.mkdir(exist_ok=True)
        options = [
            "--no-defaults",
            f"--datadir={data}",
            f"--tmpdir={own}",
            f"--socket={self._run}/s",
            f"--pid-file={self.directory}/pid",
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            "--skip-networking=0",
            "--skip-name-resolve=0",
            f"--innodb-buffer-pool-size={self.buffer_pool_mb}M",
            "--innodb-log-file-size=16M",
            "--innodb-flush-log-at-trx-commit=2",
            "--skip-log-bin",
            "--performance-schema=0",
            "--character-set-server=utf8mb4",
            "--max-connections=500",
            "--aria-pagecache-buffer-size=8M",
            "--key-buffer-size=4M",
        ]
        return options + _as_root()

    def _wait(self) -> None:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            assert self._process is not None
            if self._process.poll() is not None:
                break
            try:
                self.run("SELECT 1")
                return
            except pymysql.MySQLError:
                time.sleep(0.02)
        self.stop()
        raise Unavailable(f"mariadbd did not start; its last words in {self.directory}/mariadb.log:\n" + self._tail())

    def _tail(self) -> str:
        return (self.directory / "mariadb.log").read_text(errors="replace")[-2000:]


def end_left(directory: Path) -> None:
    """End a server that an earlier run left running on this directory, if it is still that server."""
    try:
        pid = int((directory / "pid").read_text())
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return
    if f"--datadir={directory / 'data'}".encode() in words:
        os.kill(pid, signal.SIGTERM)
        end = time.monotonic() + START_SECONDS
        while _runs(pid) and time.monotonic() < end:
            time.sleep(0.02)


def _runs(pid: int) -> bool:
    """A zombie does not run any more; PID 1 of a container may leave it for long."""
    try:
        return bool(os.readlink(f"/proc/{pid}/exe"))
    except OSError:
        return False


def free_port() -> int:
    """A port that nobody listens on; below the range that outgoing connections take where there is room."""
    for _unused in range(200):
        port = 10000 + int.from_bytes(os.urandom(2), "big") % 20000
        if _is_free(port):
            return port
    raise OSError("no free port was found between 10000 and 30000")


def _is_free(port: int) -> bool:
    for family, address in ((socket.AF_INET6, "::"), (socket.AF_INET, "0.0.0.0")):
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            try:
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind((address, port))
            except OSError:
                return False
    return True


def _as_root() -> list[str]:
    return [f"--user={pwd.getpwuid(0).pw_name}"] if os.geteuid() == 0 else []


def _template(server: str) -> Path:
    """A data directory with the account, made once and copied."""
    CACHE.mkdir(exist_ok=True)
    with open(CACHE / ".mariadb.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        template = CACHE / "mariadb-template"
        if not (template / "complete").exists():
            shutil.rmtree(template, ignore_errors=True)
            template.mkdir(parents=True)
            _bootstrap(server, template / "data")
            (template / "complete").touch()
        return template / "data"


def _bootstrap(server: str, data: Path) -> None:
    """What mariadb-install-db does, without the client tools that it asks for."""
    data.mkdir()
    share = _share()
    system = "".join((share / name).read_text() for name in _SYSTEM_SQL)
    accounts = "".join(
        f"CREATE USER '{USER}'@'{host}' IDENTIFIED BY '{PASSWORD}';\nGRANT ALL ON *.* TO '{USER}'@'{host}';\n"
        for host in ("localhost", "127.0.0.1")
    )
    begin = "CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket=NULL, @skip_auth_anonymous=1;\n"
    made = subprocess.run(
        [
            server,
            "--no-defaults",
            "--bootstrap",
            f"--datadir={data}",
            f"--tmpdir={data.parent}",
            f"--lc-messages-dir={share}",
            "--innodb-log-file-size=16M",
            "--skip-log-bin",
            *_as_root(),
        ],
        check=False,
        input=f"{begin}{system}\nFLUSH PRIVILEGES;\n{accounts}",
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if made.returncode or " [ERROR] " in made.stdout:
        raise Unavailable(f"the system tables could not be made:\n{made.stdout[-2000:]}")


def _share() -> Path:
    for name in ("/usr/share/mysql", "/usr/share/mariadb", "/usr/local/share/mysql", "/usr/local/share/mariadb"):
        if (Path(name) / _SYSTEM_SQL[0]).exists():
            return Path(name)
    raise Unavailable(f"{_SYSTEM_SQL[0]} was not found below /usr/share: it comes with mariadb-server-core")
