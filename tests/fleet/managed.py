# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet that other programs make, look at and end by commands: that of a Molecule scenario.

managed.py up DIRECTORY < PLATFORMS     make and start the hosts, write inventory.yml and before.json
managed.py look DIRECTORY               print what is there now as JSON
managed.py interrupt DIRECTORY HOST     restart a host, and kill the worker and its guardian in the middle
managed.py down DIRECTORY               end everything and remove the directory
managed.py containers                   print why hosts cannot be containers here, nothing if they can

PLATFORMS is the list of platforms of a molecule.yml:
  name       the host
  container  'systemd', 'plain', or 'bare' for one without Python: a container of podman; a directory if it is not set
  vars       variables of the host
  instances  name, version (3.5.8), knobs; listed: false keeps it out of the inventory;
             content: true gives it a database with content
  releases   versions whose archives are made, for anqicms_releases
"""

from __future__ import annotations

import hashlib
import json
import pickle
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable

TESTS = Path(__file__).resolve().parent.parent
sys.path[1:1] = [str(TESTS / "tools"), str(TESTS)]

import demo
import podman_hosts
import release_files
import seeding
from e2e.playing import journal, kill, until
from fleet import Fleet
from instance import Instance
from mariadb import MariaDB

HASHED = ("anqicms", "config.json", "CHANGELOG.md", "robots.txt")
_START_SECONDS = 90.0
_ASKED = "退出"  # what the log says once the process has been asked to end
Platform = dict[str, Any]


class Instances:
    """The instances of a directory, as `up` has laid them out; found again by the other commands."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.file = directory / "layout.json"
        self.rows: list[dict[str, Any]] = []

    def read(self) -> "Instances":
        self.rows = json.loads(self.file.read_text())
        return self

    def write(self) -> None:
        self.file.write_text(json.dumps(self.rows, indent=1))

    def instance(self, row: dict[str, Any]) -> Instance:
        return Instance(Path(row["dir"]), row["version"], row["port"], row["database"])

    def look(self) -> dict[str, dict[str, dict[str, Any]]]:
        """By host and name: pid, when it was started, the version it answers, and hashes of its files."""
        found: dict[str, dict[str, dict[str, Any]]] = {}
        for row in self.rows:
            one = self.instance(row)
            pid = one.pid
            seen = {"pid": pid, "started": started(pid), "version": one.told_version(), "files": hashes(one.dir)}
            if row["content"]:
                before = pickle.loads((self.directory / row["content"]).read_bytes())
                db = _database(self.directory, row["database_port"])
                seen["lost"] = seeding.lost(before, seeding.content(one, db))
            found.setdefault(row["host"], {})[row["name"]] = seen
        return found


def started(pid: int) -> int:
    """When a process was started, in ticks since the boot; 0 if there is none."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]) if pid else 0


def hashes(directory: Path) -> dict[str, str]:
    return {
        name: hashlib.sha256((directory / name).read_bytes()).hexdigest()
        for name in HASHED
        if (directory / name).is_file()
    }


def _database(directory: Path, port: int) -> MariaDB:
    return MariaDB(directory / "mariadb", port, run=directory / "socket")


def up(directory: Path) -> None:
    platforms: list[Platform] = json.load(sys.stdin)
    demo.end_fleet(directory)
    contained = any(platform.get("container") for platform in platforms)
    inventory = _containers(directory, platforms) if contained else _directories(directory, platforms)
    (directory / "inventory.yml").write_text(json.dumps({"anqicms": inventory}, indent=1))


# --- hosts that are directories


def _directories(directory: Path, platforms: list[Platform]) -> dict[str, Any]:
    given = [(platform, one) for platform in platforms for one in platform.get("instances", [])]
    fleet, made = Fleet(directory, with_database=False), Instances(directory)
    if any(one.get("content") for _platform, one in given):
        (directory / "socket").mkdir(mode=0o755)
        fleet.db = _database(directory, 0).start()
    hosts = {platform["name"]: fleet.add_host(platform["name"]) for platform in platforms}
    with fleet.sparing():
        for platform, one in given:
            made.rows.append(_start(fleet, hosts[platform["name"]], one))
    made.write()
    (directory / "before.json").write_text(json.dumps(made.look()))
    rows = {platform["name"]: _variables(directory, platform, made.rows) for platform in platforms}
    shared = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "anqicms_boot_hook": False}
    return {"hosts": rows, "vars": shared}


def _start(fleet: Fleet, host: Any, given: dict[str, Any]) -> dict[str, Any]:
    """Lay out an instance and start it; returns its row of the layout."""
    content = bool(given.get("content"))
    one = fleet.add_instance(host, given["name"], given.get("version", "3.5.8"), full=content)
    one.limit_kills_to(fleet.root / "nobody")
    row = {"host": host.name, "name": given["name"], "dir": str(one.dir), "port": one.port, "version": one.version}
    row.update(database=one.database, content="", listed=given.get("listed", True))
    if content and fleet.db:
        seeding.seed(one, fleet.db, seeding.SMALL)
        row.update(content=f"{host.name}-{one.dir.name}.content", database_port=fleet.db.port)
    one.knobs(**({} if content else {"no_database": True}), **given.get("knobs", {}))
    one.start(_START_SECONDS)
    one.limit_kills_to(fleet.root)
    if content and fleet.db:
        (fleet.root / row["content"]).write_bytes(pickle.dumps(seeding.content(one, fleet.db)))
    return row


def _variables(directory: Path, platform: Platform, rows: list[dict[str, Any]]) -> dict[str, Any]:
    listed = [row for row in rows if row["host"] == platform["name"] and row["listed"]]
    found: dict[str, Any] = {
        "anqicms_state_dir": str(directory / "hosts" / platform["name"] / "state"),
        "anqicms_instances": [{"dir": row["dir"], "port": row["port"]} for row in listed],
    }
    for version in platform.get("releases", []):
        archive = release_files.release_zip(version, directory / "releases")
        found.setdefault("anqicms_releases", {})[version] = str(archive)
    return {**found, **platform.get("vars", {})}


# --- hosts that are containers


def _containers(directory: Path, platforms: list[Platform]) -> dict[str, Any]:
    podman = podman_hosts.Podman.usable()
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "podman").write_text(str(podman.root))
    hosts = podman_hosts.Hosts(podman, directory)
    hosts.make_key()
    return {"hosts": {platform["name"]: _contained(directory, hosts, platform) for platform in platforms}}


def _contained(directory: Path, hosts: podman_hosts.Hosts, platform: Platform) -> dict[str, Any]:
    name = platform["name"]
    www = podman_hosts.www(directory, name)
    hosts.add(name, platform["container"], www)
    dirs = []
    for given in platform.get("instances", []):
        podman_hosts.start(hosts, name, www, given)
        dirs.append({"dir": f"/www/{given['name']}"})
    reached = {"ansible_user": "root", "ansible_ssh_private_key_file": str(hosts.key)}
    reached["ansible_ssh_common_args"] = shlex.join(hosts.ssh_options(name))
    return {**reached, **({"anqicms_instances": dirs} if dirs else {}), **platform.get("vars", {})}


# --- the other commands


def look(directory: Path) -> None:
    print(json.dumps(Instances(directory).read().look()))


def interrupt(directory: Path, host: str) -> None:
    made = Instances(directory).read()
    state = directory / "hosts" / host / "state"
    (victim,) = [made.instance(row) for row in made.rows if row["host"] == host and row["listed"]]
    argv = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(directory / "inventory.yml")]
    playing = subprocess.Popen(
        [*argv, "anqicms.lifecycle.restart", "--limit", host], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    until(lambda: _ASKED in victim.log_text(), "the process is asked to end", pause=0.001)
    pids = {entry["event"]: entry["pid"] for entry in journal(state) if entry.get("event") in ("guardian", "worker")}
    for role in ("guardian", "worker"):
        kill(pids[role])
    if not playing.wait(60):
        raise SystemExit("the restart has ended well, though its worker and guardian were killed")
    until(lambda: not victim.pid, "the process ends", 20)


def down(directory: Path) -> None:
    podman = directory / "podman"
    root = Path(podman.read_text()) if podman.exists() else None
    if root and root.is_dir():
        podman_hosts.Podman(root).remove()
    demo.end_fleet(directory)


def containers() -> None:
    try:
        podman_hosts.Podman.usable().remove()
    except podman_hosts.Unusable as error:
        print(error)


def main(arguments: list[str]) -> None:
    commands: dict[str, Callable[..., None]] = {"up": up, "look": look, "interrupt": interrupt, "down": down}
    commands["containers"] = containers
    command, *rest = arguments
    commands[command](*(Path(one).resolve() for one in rest[:1]), *rest[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
