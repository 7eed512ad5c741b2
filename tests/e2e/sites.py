# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An instance on a host of the bed, started over ssh as an operator would, and the inventory to reach it."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from pathlib import Path
from typing import Sequence

from e2e.bed import Bed, Host
from e2e.playing import journal, until
from instance import Instance, make_instance
from mariadb import MariaDB

STATE = "var/lib/anqicms-lifecycle"
WWW = 1001
# What sshd gives nobody: recognizable in the process after a restart.
MARK = {"ANQ_MARK": "kept by the restart", "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}


class Site:
    """One instance below /www of a host, run by its user www."""

    def __init__(self, host: Host, name: str, version: str, db: MariaDB | None = None, full: bool = False) -> None:
        self.host, self.name = host, name
        self.instance: Instance = make_instance(host.www / name, version, db=db, full=full)
        self.dir = f"/www/{name}"

    def knobs(self, **values: int) -> None:
        """Settings of the stand-in, for a test that is marked `standin`."""
        self.instance.knobs(no_database=True, **values)

    def start(self, preparation: str = "true", groups: str = "1001,1500", as_root: bool = False) -> int:
        """Start it in a shell of an ssh session after some preparation; returns its pid on the host once it answers.

        Its files become those of www, who runs it, or root does.
        """
        self.give(WWW)
        environment = " ".join(f"{key}='{value}'" for key, value in MARK.items())
        inner = f"exec nohup env -i {environment} {self.dir}/anqicms >> running.log 2>&1 < /dev/null"
        becoming = f"setpriv --reuid={WWW} --regid={WWW} --groups={groups}"
        script = (
            f"{preparation}; cd {self.dir}; {'' if as_root else becoming} "
            f"sh -c {shlex.quote(inner)} > /dev/null 2>&1 < /dev/null &"
        )
        done = self.host.ssh(script)
        assert done.status == 0, done.output
        until(self.answers, f"{self.name} answers", 90, 0.05)
        return self.pid

    def give(self, user: int, names: Sequence[str] = (".",)) -> None:
        """These files, and all below them, to a user; those that are not there are left out."""
        for top in (self.instance.dir / name for name in names):
            for path in [top, *top.rglob("*")] if top.exists() else []:
                os.chown(path, user, user, follow_symlinks=False)

    def owner_of_process(self) -> int:
        return int(self.host.run("/usr/bin/stat", "-c", "%u", f"/proc/{self.pid}").output)

    def answers(self) -> bool:
        return bool(self.version())

    def version(self) -> str:
        """What it answers, empty when it does not."""
        address = f"http://127.0.0.1:{self.instance.port}/system/api/version/info"
        ask = f"import urllib.request as r; print(r.urlopen({address!r}, timeout=2).read().decode())"
        found = re.search(r'"version": ?"([^"]*)"', self.host.run("/usr/bin/python3", "-c", ask).output)
        return found.group(1) if found else ""

    @property
    def pid(self) -> int:
        """Its process by the host's numbers, 0 when there is none."""
        found = [pid for pid in self.host.pids_of(f"{self.dir}/anqicms") if self._exe(pid) == f"{self.dir}/anqicms"]
        assert len(found) < 2, found
        return found[0] if found else 0

    def _exe(self, pid: int) -> str:
        return self.host.run("/bin/readlink", f"/proc/{pid}/exe").output.strip()

    def kill(self) -> None:
        if self.pid:
            self.host.kill([self.pid])
        until(lambda: not self.pid, f"{self.name} has ended")

    def end(self) -> None:
        self.kill()
        shutil.rmtree(self.instance.dir)

    @property
    def state(self) -> Path:
        """The host's state directory, seen from here."""
        return Path(f"/proc/{self.host.init}/root/{STATE}")

    def events(self) -> list[str]:
        """What the journal of its newest run says: 'step graceful_stop', 'end' and the like."""
        entries = [entry for entry in journal(self.state) if entry.get("event")]
        begins = [number for number, entry in enumerate(entries) if entry["event"] == "begin"]
        return [
            f"{entry['event']} {entry['name']}" if "name" in entry else str(entry["event"])
            for entry in entries[begins[-1] if begins else 0 :]
        ]


def write_inventory(bed: Bed, sites: list[Site], path: Path, user: str = "root") -> Path:
    """Group anqicms over ssh; a user other than root becomes root by sudo."""
    hosts = {
        site.host.name: {
            "ansible_host": site.host.address,
            "anqicms_instances": [{"dir": site.dir, "port": site.instance.port}],
        }
        for site in sites
    }
    # a connection that has died without a word is noticed after six seconds
    options = [
        *bed.ssh_options(),
        "-o",
        "ServerAliveInterval=2",
        "-o",
        "ServerAliveCountMax=3",
        "-o",
        "ConnectTimeout=3",
    ]
    variables = {
        "ansible_user": user,
        "ansible_become": user != "root",
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_ssh_common_args": " ".join(options),
    }
    path.write_text(json.dumps({"anqicms": {"hosts": hosts, "vars": variables}}))
    return path
