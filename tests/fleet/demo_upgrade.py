# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An upgrade over two hops, and one that fails and is rolled back, before your eyes.

demo_upgrade.py [--root DIR] [-- COMMAND...]
  --root   the directory that becomes the fleet's (default .cache/demo-upgrade); what is in it is removed
  COMMAND  run this instead of ansible-playbook playbooks/upgrade.yml; the word INVENTORY becomes the inventory's path

Two hosts with one instance of the stand-in each, with content in a MariaDB of their own. The migration of the second
one loses a setting at its last hop, by a knob of the stand-in, so this is always the stand-in, whatever RELEASES says.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import demo
import mariadb
import paths
import release_files
import seeding
from fleet import Fleet, Host
from instance import Instance
from prober import Prober

FLEET_ROOT = paths.CACHE / "demo-upgrade"
OLD, NEWEST = "2.5.3", "3.5.8"
WAY = ("3.3.11", NEWEST)
SITES = (("web1", "shop.example"), ("web2", "blog.example"))
AMOUNTS = seeding.Amounts(2000, 200, 5, 80, 500, 100, 200, 50, 1000, 10)
_OF_SERVING = ("running.log", "error.log", "cache", ".lifecycle")  # what serving, and our own work, write
_SETTLE_S = 0.5


class State(NamedTuple):
    """What is compared: `files` and `tables` are hashes of all of it, the rest is what an upgrade has to keep."""

    version: str
    pid: int
    content: seeding.Content
    own_files: dict[str, str]
    files: str
    tables: str


class Site:
    """One instance, how it was before, and how it ends."""

    def __init__(self, fleet: Fleet, host: Host, name: str) -> None:
        self.host, self.db = host, _database(fleet)
        self.instance: Instance = fleet.add_instance(host, name, OLD, full=True)
        with fleet.sparing():
            self.seeded = seeding.seed(self.instance, self.db, AMOUNTS)
            self.instance.start(60.0)
        self.before = self.look()
        self.after = self.before
        self.result: dict[str, Any] = {}
        self.away_s = 0.0

    def look(self) -> State:
        content = seeding.content(self.instance, self.db)
        own = seeding.hashes(self.instance.dir, self.seeded.files)
        return State(
            self.instance.told_version(),
            self.instance.pid,
            content,
            own,
            hash_of_files(self.instance.dir),
            hash_of_tables(self.db, self.instance.database),
        )

    def read_result(self) -> None:
        """The newest result of a window that its host keeps; empty when there is none."""
        found = sorted(self.host.state_dir.glob("*/results/*.json"), key=lambda path: path.stat().st_mtime)
        self.result = json.loads(found[-1].read_text()) if found else {}


def hash_of_files(directory: Path) -> str:
    """Of names, modes and bytes of all files, but for those that serving writes."""
    digest = hashlib.sha256()
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory)
        if path.is_file() and name.parts[0] not in _OF_SERVING and not str(name).startswith("data/statistic-"):
            digest.update(f"{name} {path.stat().st_mode:o} {path.stat().st_size}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def hash_of_tables(db: mariadb.MariaDB, database: str) -> str:
    """Of the names, definitions and checksums of all tables."""
    names = sorted(str(row[0]) for row in db.run("SHOW TABLES", database))
    made = [db.run(f"SHOW CREATE TABLE `{name}`", database)[0][1] for name in names]
    sums = db.run("CHECKSUM TABLE " + ",".join(f"`{name}`" for name in names), database)
    return hashlib.sha256(json.dumps([names, made, sorted(map(str, sums))]).encode()).hexdigest()


def main() -> int:
    arguments = _arguments()
    if os.environ.pop("RELEASES", None):
        print("RELEASES is ignored: the demonstrated failure is one of the stand-in.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    demo.end_fleet(arguments.root)
    fleet = Fleet(arguments.root)
    try:
        return _show(fleet, arguments.command)
    except (mariadb.Unavailable, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C does not stop the tidying
        fleet.remove()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--root", type=demo.own_directory, default=FLEET_ROOT, help="the fleet's directory")
    parser.add_argument("command", nargs="*", help="run this instead of ansible-playbook")
    return parser.parse_args()


def _database(fleet: Fleet) -> mariadb.MariaDB:
    if fleet.db is None:
        raise mariadb.Unavailable("the fleet has no database")
    return fleet.db


def _show(fleet: Fleet, command: list[str]) -> int:
    sites = _start(fleet)
    argv = [word.replace("INVENTORY", str(fleet.inventory)) for word in command] or _playbook(fleet)
    with Prober([site.instance for site in sites], WAY) as prober:
        time.sleep(_SETTLE_S)  # it is connected to both
        print("\n$ " + " ".join(argv), flush=True)
        begin = time.monotonic()
        status = subprocess.run(argv, cwd=paths.ROOT, env=demo.environment(), check=False).returncode
        print(f"\nended with status {status} after {time.monotonic() - begin:.1f} s\n")
        time.sleep(_SETTLE_S)
    for site, away in zip(sites, prober.downtimes):
        site.away_s = away
        site.after = site.look()
        site.read_result()
    wrong = wrong_with_upgraded(sites[0]) + wrong_with_rolled_back(sites[1])
    wrong += [] if status else ["the run ended well, though an instance failed"]
    _print_end(sites, wrong)
    return 1 if wrong else 0


def _start(fleet: Fleet) -> list[Site]:
    print(f"Two hosts with an instance of the stand-in each, below {fleet.root}:", flush=True)
    _database(fleet).start()
    sites = [Site(fleet, fleet.add_host(host), name) for host, name in SITES]
    for site in sites:
        print(
            f"  {site.host.name}  {site.instance.dir.name:14} {OLD}  port {site.instance.port}  pid {site.before.pid}"
            f"  {site.before.content.counts['archives']} articles"
        )
    spoilt = sites[1].instance
    spoilt.knobs(when=[{"version": NEWEST, "knobs": {"spoils": [seeding.lose_setting("system")]}}])
    sites[1].before = sites[1].look()  # the knobs lie in its directory
    print(f"\nThe migration of {spoilt.dir.name} to {NEWEST} will lose a setting: the name and address of the site.")
    fleet.write_inventory()
    return sites


def _playbook(fleet: Fleet) -> list[str]:
    """With the releases of the way in a file of variables, as an inventory would have them."""
    archives = {version: {"src": str(release_files.release_zip(version, fleet.root / "releases"))} for version in WAY}
    given = fleet.root / "upgrade.json"
    given.write_text(json.dumps({"anqicms_upgrade_to": NEWEST, "anqicms_releases": archives}, indent=1) + "\n")
    print(f"\n{given.name} names the release to upgrade to and those that lie on the way:\n{given.read_text()}", end="")
    return [*demo.playbook(fleet, "upgrade"), "-e", f"@{given}"]


# --- the verdict


def wrong_with_upgraded(site: Site) -> list[str]:
    before, after, name = site.before, site.after, site.instance.dir.name
    wrong = [] if after.version == NEWEST else [f"serves {after.version or 'nothing'} instead of {NEWEST}"]
    wrong += [] if after.pid not in (0, before.pid) else ["has no new process"]
    wrong += seeding.lost(before.content, after.content)
    wrong += [] if after.own_files == before.own_files else ["own files have changed"]
    wrong += [] if site.result.get("outcome") == "done" else [f"its outcome is {site.result.get('outcome')}"]
    return [f"{name}: {text}" for text in wrong]


def wrong_with_rolled_back(site: Site) -> list[str]:
    before, after, name = site.before, site.after, site.instance.dir.name
    wrong = [] if after.version == OLD else [f"serves {after.version or 'nothing'} instead of {OLD}"]
    wrong += [] if after.pid not in (0, before.pid) else ["has no new process"]
    wrong += [] if after.files == before.files else ["its files are not as before"]
    wrong += [] if after.tables == before.tables else ["its database is not as before"]
    wrong += [] if site.result.get("outcome") == "rolled_back" else [f"its outcome is {site.result.get('outcome')}"]
    return [f"{name}: {text}" for text in wrong]


# --- the table


def _pair(before: object, after: object) -> str:
    return f"{before}, the same" if before == after else f"{before} -> {after}"


def _settings(site: Site) -> str:
    before, after = site.before.content.settings, site.after.content.settings
    asked = [name for name in before if name != "last_run_version"]
    return f"{sum(after.get(name) == before[name] for name in asked)} of {len(asked)} as before"


def _admins(site: Site) -> str:
    kept = set(site.before.content.admins) & set(site.after.content.admins)
    return f"{len(kept)} of {len(site.before.content.admins)} with their passwords"


def _own_files(site: Site) -> str:
    kept = site.before.own_files.items() & site.after.own_files.items()
    return f"{len(kept)} of {len(site.before.own_files)} by SHA-256"


ROWS: Sequence[tuple[str, Callable[[Site], str]]] = (
    ("outcome", lambda site: str(site.result.get("outcome") or "none")),
    ("version", lambda site: _pair(site.before.version, site.after.version or "none")),
    ("pid", lambda site: _pair(site.before.pid, site.after.pid or "none")),
    ("articles and drafts", lambda site: _pair(*(one.content.counts["archives"] for one in (site.before, site.after)))),
    ("texts, their checksum", lambda site: _pair(*(one.content.bodies[1] for one in (site.before, site.after)))),
    ("settings", _settings),
    ("administrators", _admins),
    ("visits counted", lambda site: _pair(site.before.content.statistics, site.after.content.statistics)),
    ("files of its owner", _own_files),
    ("all files, hash", lambda site: _pair(site.before.files[:12], site.after.files[:12])),
    ("all tables, hash", lambda site: _pair(site.before.tables[:12], site.after.tables[:12])),
    ("away, seen from outside", lambda site: f"{site.away_s:.1f} s"),
)


def _print_end(sites: list[Site], wrong: list[str]) -> None:
    rows = [("", *(f"{site.host.name} {site.instance.dir.name}" for site in sites))]
    rows += [(name, *(text(site) for site in sites)) for name, text in ROWS]
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    print("\n".join([lines[0], "-" * (sum(widths) + 2 * len(sites)), *lines[1:]]))
    print(
        "\nhashes: of names, modes and bytes of all files but logs and caches, definitions and sums of all tables;\n"
        "away: from the end of the last connection that was answered until it serves again: the new version is not\n"
        "reached before its data are compared."
    )
    upgraded, failed = (site.instance.dir.name for site in sites)
    print(
        "WRONG: " + "; ".join(wrong)
        if wrong
        else f"{upgraded} was upgraded over {WAY[0]} and has lost nothing. {failed} failed, was rolled back, and "
        "everything is as before.",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
