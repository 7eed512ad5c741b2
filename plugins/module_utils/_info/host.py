# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What all instances of a host share, read once."""

import os
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import config_file
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import cron, files
from ansible_collections.anqicms.lifecycle.plugins.module_utils._info.database import Answers
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import discovery, reach
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import Instance


class Host:
    """What all instances of a host share, read once: cron lines, processes, listening sockets, other instances."""

    def __init__(
        self, binary: str = 'anqicms', search: t.Iterable[str] = (), seen: t.Iterable[t.Tuple[str, str]] = ()
    ) -> None:
        trouble: t.List[str] = []
        self.cron = discovery.attempt(trouble, 'cron', cron.read_all, cron.Cron([], trouble))
        self.table = discovery.attempt(trouble, 'processes', discovery.processes, [])
        self.instances, self.problems = discovery.discover_all(search, binary, self.cron, self.table, seen)
        self.problems += trouble
        self.databases = Answers()
        self._ports: t.Dict[t.Tuple[str, str], t.Optional[int]] = {}

    def siblings(self, binary: str, but: t.Collection[int]) -> t.List[int]:
        return sorted(
            process.pid for process in self.table if os.path.basename(process.exe) == binary and process.pid not in but
        )

    def sharing(self, instance: Instance, port: t.Optional[int]) -> t.List[str]:
        """Directories of other instances that are configured to the same port."""
        return [
            other.dir
            for other in self.instances
            if port and (other.dir, other.binary) != (instance.dir, instance.binary) and self._port(other) == port
        ]

    def _port(self, other: Instance) -> t.Optional[int]:
        key = (other.dir, other.binary)
        if key not in self._ports:
            try:
                reach.refuse_hanging(other.dir)
                with files.InstallDir(other.dir) as directory:
                    self._ports[key] = config_file.read_config(directory, directory.owners()).port
            except Exception:  # whatever is wrong there, its own row says it
                self._ports[key] = None
        return self._ports[key]
