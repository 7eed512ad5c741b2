# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A local fleet: several 'hosts' that are directories of one machine, with several instances each."""

from __future__ import annotations

import os
import shutil
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, NamedTuple

import releases
from instance import Instance, end_below, make_instance
from mariadb import MariaDB

_LATE_START_SECONDS = 0.3
_FIRST_START_SECONDS = 90.0  # it makes a hundred tables, on a busy machine
_HARMLESS = "no-pidof"


class Host(NamedTuple):
    name: str
    directory: Path
    instances: list[Instance]

    @property
    def state_dir(self) -> Path:
        return self.directory / "state"


class Fleet:
    """`root` becomes the fleet's own: everything whose executable lies below it ends with `stop`.

    With `with_database` (the default) there is one private MariaDB for all; without, the stand-ins need none.
    """

    def __init__(self, root: Path, with_database: bool = True) -> None:
        self.root = Path(root).resolve()
        self.root.mkdir(parents=True, exist_ok=True)
        self.hosts: list[Host] = []
        self.db = MariaDB(self.root / "mariadb") if with_database else None
        self.inventory = self.root / "inventory.yml"

    def add_host(self, name: str) -> Host:
        host = Host(name, self.root / "hosts" / name, [])
        host.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.hosts.append(host)
        return host

    def add_instance(self, host: Host, site: str, version: str, port: int = 0, **options: bool) -> Instance:
        """Lay out an instance of `site`; a free port is chosen unless one is given.

        Options are those of `make_instance`: `by_script` and `changelog_behind`.
        """
        database = "".join(char if char.isalnum() else "_" for char in f"{host.name}_{site}")
        instance = make_instance(
            host.directory / "www" / "wwwroot" / site, version, port, self.db, database, self.root, **options
        )
        host.instances.append(instance)
        return instance

    @property
    def instances(self) -> list[Instance]:
        return [instance for host in self.hosts for instance in host.instances]

    def start(self) -> None:
        """Start the database and all instances, one after the other, wait for them, write inventory.yml."""
        if self.db:
            self.db.start()
        with self.sparing():
            for instance in self.instances:
                instance.start(_FIRST_START_SECONDS)
        self.write_inventory()

    @contextmanager
    def sparing(self) -> Iterator[None]:
        """Starts in here kill nobody. Whoever starts one afterwards has to protect the others himself."""
        real = releases.real_releases() is not None
        for instance in self.instances:
            instance.limit_kills_to(self.root / "nobody")
            instance.environment = _protected(self.root) if real else None
        yield
        for instance in self.instances:
            instance.limit_kills_to(self.root)
            instance.environment = None
        shutil.rmtree(self.root / _HARMLESS, ignore_errors=True)

    def stop(self) -> None:
        """End everything that runs below the root, and the database. Files stay."""
        end_below(self.root)
        if self.db:
            self.db.stop()

    def remove(self) -> None:
        """Stop, and remove all files."""
        self.stop()
        if self.db:
            self.db.close()
        shutil.rmtree(self.root, ignore_errors=True)
        # A restart that was interrupted may have brought one back meanwhile; without its files there is no further one.
        time.sleep(_LATE_START_SECONDS)
        end_below(self.root)
        shutil.rmtree(self.root, ignore_errors=True)

    def __enter__(self) -> "Fleet":
        return self

    def __exit__(self, *_exc: object) -> None:
        self.remove()

    def write_inventory(self) -> Path:
        """An Ansible inventory of the hosts: group anqicms, connection local, one state directory per host.

        It lists no sites by name: a new database of the application has no base URL. The default site is asked.
        """
        rows = ["anqicms:", "  hosts:"]
        for host in self.hosts:
            rows += [f"    {host.name}:", f"      anqicms_state_dir: {host.state_dir}", "      anqicms_instances:"]
            for instance in host.instances:
                rows += [f"        - dir: {instance.dir}", f"          port: {instance.port}"]
        rows += [
            "  vars:",
            "    ansible_connection: local",
            f"    ansible_python_interpreter: {sys.executable}",
            "    anqicms_site_check: true",
            "    anqicms_boot_hook: false",
        ]  # it would be this machine's
        self.inventory.write_text("\n".join(rows) + "\n")
        return self.inventory


def _protected(root: Path) -> dict[str, str]:
    """An environment whose `pidof` finds nobody, so that real instances of 3.2.2 - 3.4.5 spare the others.

    Stand-ins are limited by another means (limit_kills_to) that leaves their environment as it is.
    """
    directory = root / _HARMLESS
    directory.mkdir(exist_ok=True)
    (directory / "pidof").write_text("#!/bin/sh\nexit 1\n")
    (directory / "pidof").chmod(0o755)
    return {**os.environ, "PATH": f"{directory}:{os.environ.get('PATH', '/usr/bin:/bin')}"}
