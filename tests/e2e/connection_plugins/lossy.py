# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The local connection, until a module is run that the test has named: from then on the host is lost, or it fails."""

from __future__ import annotations

DOCUMENTATION = """
name: lossy
short_description: Local, until a module is run that the test has named
description: Local, until a module is run that the test has named.
author: anqicms.lifecycle contributors
options: {}
"""

import os
import re
import typing as t
from pathlib import Path

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection.local import Connection as LocalConnection

# MODULE, the number of its call, and 'before' or 'after' the host has done it; or 'instead': only this call fails.
RULE, DIRECTORY = "LOSSY_RULE", "LOSSY_DIRECTORY"


class Connection(LocalConnection):  # type: ignore[misc]
    transport = "lossy"

    def _connect(self) -> t.Any:
        self._fail_if_lost()
        return super()._connect()

    def exec_command(self, cmd: str, *args: t.Any, **options: t.Any) -> t.Any:
        if "rm -f -r" in cmd:  # tidying up: a connection that is lost in it makes a task failed instead of unreachable
            return super().exec_command(cmd, *args, **options)
        self._fail_if_lost()
        found = re.search(r"AnsiballZ_(\w+)\.py", cmd)
        moment = self._moment(found.group(1)) if found and "chmod" not in cmd else ""
        if moment == "before":
            self._lose()
        if moment == "instead":
            return 0, b'{"failed": true, "changed": false, "msg": "the test has refused it"}', b""
        answer = super().exec_command(cmd, *args, **options)
        if moment == "after":
            self._lose()
        return answer

    def put_file(self, *args: t.Any) -> t.Any:
        self._fail_if_lost()
        return super().put_file(*args)

    def _moment(self, module: str) -> str:
        """When this call is to be lost; '' when it is not. They are counted in a file: each has its own process."""
        wanted, number, moment = os.environ[RULE].split()
        if module != wanted:
            return ""
        calls = Path(os.environ[DIRECTORY], "calls")
        with calls.open("a") as log:
            log.write(module + "\n")
        return moment if calls.read_text().count("\n") == int(number) else ""

    def _lose(self) -> None:
        Path(os.environ[DIRECTORY], "lost").touch()
        self._fail_if_lost()

    def _fail_if_lost(self) -> None:
        if Path(os.environ[DIRECTORY], "lost").exists():
            raise AnsibleConnectionFailure("the test has cut the connection")
