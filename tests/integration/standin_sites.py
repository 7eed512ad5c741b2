# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of the stand-in itself share: instances with or without a database, and looks at them."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Callable, Iterator

from instance import Instance, make_instance
from mariadb import MariaDB

OLD, DRAINING, ABRUPT = "2.5.3", "3.2.8", "3.5.8"
MARKER = "退出 terminated\n"
END_MARKER = "监听到退出信号\n"


def standins(tmp_path: Path) -> Iterator[Callable[..., Instance]]:
    """For fixtures: make instances below the test's directory; all end with the test. Knobs as keywords."""

    def make(version: str, name: str = "site", db: MariaDB | None = None, **knobs: Any) -> Instance:
        instance = make_instance(tmp_path / name, version, db=db, database=f"b_{os.urandom(4).hex()}")
        instance.knobs(no_database=db is None, **knobs)
        made.append(instance)
        return instance

    made: list[Instance] = []
    yield make
    for instance in made:
        instance.kill()


def ready(instance: Instance, **options: Any) -> subprocess.Popen[bytes]:
    process = instance.spawn(**options)
    instance.wait_ready()
    return process


def listens(port: int) -> bool:
    with socket.socket() as dial:
        return dial.connect_ex(("127.0.0.1", port)) == 0


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return condition()


def ignored_signals(pid: str) -> int:
    """The mask of ignored signals of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("SigIgn:")[1].split()[0], 16)


def count(db: MariaDB, instance: Instance, table: str) -> int:
    try:
        return int(db.run(f"SELECT COUNT(*) FROM `{table}`", instance.database)[0][0])
    except Exception:
        return 0


def last_run_version(db: MariaDB, instance: Instance) -> str:
    rows = db.run("SELECT `value` FROM `settings` WHERE `key` = 'last_run_version'", instance.database)
    return str(rows[0][0]) if rows else ""
