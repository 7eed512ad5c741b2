# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""(e) What an upgrade adds to the downtime, and its parts against the bare tools, in turns.

Hops are compared with the same exchange of binaries without anything of ours: SIGTERM, one rename, exec, ready.
Restores, dumps, comparisons and switches of files run in this process, as they do in a worker.
"""

from __future__ import annotations

import functools
import os
import shutil
import statistics
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import freeze
import paths
import release_files
import seeding
from bench.rows import Row, ratio_or_limit_row, ratio_row, shown_row, sum_row
from bench.running import bare_restart, reap, window
from fleet import Fleet
from instance import Instance, make_instance
from mariadb import PASSWORD, USER, MariaDB

sys.path.insert(0, str(paths.link_tree()))

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import release
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import (
    client,
    compare,
    dump,
    dump_manifest,
    restore,
    texts,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import content as facts
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database.target import Target
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state as _state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import resolve
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _upgrade_path, _upgrade_steps

OLD, SAME, NEWEST = "3.3.11", "3.5.7", "3.5.8"  # the last two lay the database out alike
NO_WAIT = {"verified_start": {"stable_for": 0.0}}
FILES, FILE_BYTES = 5000, 11 << 10
LIMIT_S = 600.0


def seconds(work: Callable[[], object]) -> float:
    begin = time.monotonic()
    work()
    return time.monotonic() - begin


def _context(instance: Instance, state: Path) -> Context:
    found = resolve(str(instance.dir))
    return Context(found, _state.StateDir(found, str(state)))


def _release(instance: Instance, records: Path, **options: Any) -> None:
    """The module `release`, in this process."""
    values = {name: option.get("default") for name, option in release.SPEC.items()}
    release.as_a_task(_context(instance, records), {**values, **options})


def _hops(version: str, archive: Path) -> list[Any]:
    return _upgrade_path.upgrade_path(version, NEWEST, {NEWEST: {"src": str(archive)}})


# --- hops


class Hop:
    """An instance that goes to the newest version and back, with our window and without it."""

    def __init__(self, fleet: Fleet, site: str, version: str, archive: Path) -> None:
        self.fleet, self.host, self.version, self.archive = fleet, fleet.hosts[0], version, archive
        self.instance = fleet.add_instance(self.host, site, version, full=True)
        self.staged_binary = self.instance.dir.with_name(f"{site}-new")

    def bare(self) -> float:
        """Downtime in milliseconds. Afterwards it is stopped, with the old binary."""
        old = self.staged_binary.with_suffix(".old")
        shutil.copy2(freeze.release(NEWEST) / freeze.BINARY, self.staged_binary)
        self.instance.version = NEWEST

        def exchange() -> None:
            os.rename(self.instance.binary, old)
            os.rename(self.staged_binary, self.instance.binary)

        away = bare_restart(self.instance, exchange)
        self._end()
        os.rename(old, self.instance.binary)
        return away

    def ours(self, steps: list[Any]) -> float:
        """The same with a window; the files are put back by `reverted`."""
        _release(self.instance, self.host.state_dir, state="staged", src=str(self.archive), version=NEWEST)
        result = window(self.fleet, self.instance, steps)
        if result["outcome"] != "done":
            raise RuntimeError(f"the hop ended as {result['outcome']}")
        self._end()
        _release(self.instance, self.host.state_dir, state="reverted")
        return float(result["downtime_ms"])

    def _end(self) -> None:
        self.instance.kill()
        reap()
        self.instance.version = self.version

    def start(self) -> None:
        self.instance.start(90.0)


def plain_hop_rows(root: Path, rounds: int) -> list[Row]:
    """A hop that leaves the database as it is: no dump, one start."""
    with Fleet(root / "plain") as fleet:
        fleet.add_host("one")
        hop = Hop(fleet, "shop.example", SAME, release_files.release_zip(NEWEST, root / "archives"))
        steps = _upgrade_steps.steps(_hops(SAME, hop.archive), NO_WAIT, [])
        fleet.start()
        bare, ours = [], []
        for _unused in range(rounds):
            bare.append(hop.bare())
            hop.start()
            ours.append(hop.ours(steps))
            hop.start()
    medians = statistics.median(ours), statistics.median(bare)
    return [sum_row(f"hop {SAME} to {NEWEST}, no dump; bare", medians[0], "ms", medians[1], 150.0, "<= bare + 150 ms")]


# --- databases


class Tools:
    """The bare client on one database, with the options of our dumps."""

    def __init__(self, db: MariaDB, database: str, place: Path) -> None:
        self.programs, self.database, self.place = client.find(), database, place
        self.login = texts.Login(Target(db.host, db.port), USER, PASSWORD, database)
        place.mkdir(parents=True)
        self.options = place / "client.cnf"
        self.options.write_bytes(texts.option_file(self.login))

    def session(self) -> client.Session:
        return client.Session(self.programs, self.login)

    def dump(self, flush: bool) -> None:
        with open(self.place / "bare.sql", "wb") as target:
            subprocess.run(
                [self.programs.dump, f"--defaults-file={self.options}", *dump.OPTIONS, self.database],
                check=True,
                stdout=target,
                stderr=subprocess.DEVNULL,
            )
            if flush:
                os.fsync(target.fileno())

    def load(self) -> None:
        with open(self.place / "bare.sql", "rb") as source:
            subprocess.run(
                [self.programs.query, f"--defaults-file={self.options}", "--binary-mode", self.database],
                check=True,
                stdin=source,
            )


def _take(tools: Tools, directory: Path, recorded: bool = True) -> dump_manifest.Manifest:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o700)
    with tools.session() as session:
        wanted = dump.Wanted(session, facts.look(session), str(directory), 1, "/", "key", "none", not recorded)
        found = dump.take(wanted, LIMIT_S)
        dump.flush(str(directory))
        return found


def _restore(tools: Tools, directory: Path, key: str) -> None:
    with tools.session() as session:
        manifest = dump_manifest.read(str(directory), 1)
        restore.restore(session, str(directory), manifest, restore.Journal(str(directory), key), LIMIT_S)


def _compare(tools: Tools, manifest: dump_manifest.Manifest) -> None:
    if manifest.tables is None or manifest.content is None:
        raise RuntimeError("nothing was recorded")
    with tools.session() as session:
        after = compare.look(session)
    broken = compare.broken(compare.Before(manifest.tables, manifest.content), after, OLD)
    if broken:
        raise RuntimeError("; ".join(broken))


def database_rows(root: Path, rounds: int) -> list[Row]:
    with Fleet(root / "large") as fleet:
        fleet.add_host("one")
        hop = Hop(fleet, "shop.example", OLD, release_files.release_zip(NEWEST, root / "archives"))
        if fleet.db is None:
            raise RuntimeError("the fleet has no database")
        fleet.db.buffer_pool_mb = 128
        fleet.db.start()
        fleet.write_inventory()
        seeding.seed(hop.instance, fleet.db, seeding.LARGE)
        hop.start()
        hop.instance.kill()
        tools = Tools(fleet.db, hop.instance.database, root / "tools")
        parts = part_times(fleet.db, tools, root / "dumps", rounds)
        hops = hop_times(hop, tools, root / "dumps", rounds)
    return [*part_rows(parts), *hop_rows(hops, parts)]


Times = dict[str, float]  # medians, in seconds


def part_times(db: MariaDB, tools: Tools, directory: Path, rounds: int) -> Times:
    """A dump, a comparison and a restore of a stopped instance, and the same by the bare client."""
    times: dict[str, list[float]] = {}
    for _unused in range(rounds):
        _note(times, "client", lambda: tools.dump(flush=False))
        _note(times, "client and fsync", lambda: tools.dump(flush=True))
        _note(times, "dump alone", lambda: _take(tools, directory, recorded=False))
        _note(times, "dump", lambda: _take(tools, directory))
        _note(times, "compare", lambda: _compare(tools, dump_manifest.read(str(directory), 1)))
        db.run("UPDATE `archive_data` SET `content` = '' WHERE `id` = 5", tools.database)
        _note(times, "restore", lambda: _restore(tools, directory, "key"))
        _note(times, "load", tools.load)
    return {name: statistics.median(values) for name, values in times.items()}


def _note(times: dict[str, list[float]], name: str, work: Callable[[], object]) -> None:
    times.setdefault(name, []).append(seconds(work))


def hop_times(hop: Hop, tools: Tools, directory: Path, rounds: int) -> Times:
    """A hop without a window of ours; with a dump in one; the whole of an upgrade, compared before visitors come."""
    whole = _upgrade_steps.steps(_hops(OLD, hop.archive), NO_WAIT, [])
    dumped = [step for step in whole if "database" not in step or step["database"]["state"] == "dumped"]
    short = [
        step
        for step in dumped
        if not step.get("verified_start", {}).get("private_port")
        and step.get("keep_files", {}).get("state") != "port_back"
    ]
    del short[[index for index, step in enumerate(short) if "graceful_stop" in step][-1]]  # that of the private start
    times: dict[str, list[float]] = {"bare": [], "dump": [], "whole": []}
    works: dict[str, Callable[[], float]] = {
        "bare": hop.bare,
        "dump": lambda: hop.ours(short),
        "whole": lambda: hop.ours(whole),
    }
    for _unused in range(rounds):
        for name, work in works.items():
            hop.start()
            times[name].append(work() / 1000)
            _restore(tools, directory, "key")
    return {name: statistics.median(values) for name, values in times.items()}


def part_rows(parts: Times) -> list[Row]:
    more = 0.3 * parts["load"] + 1.0
    return [
        ratio_row(
            "dump on the disk; client into a file and fsync", parts["dump alone"], "s", parts["client and fsync"], 1.2
        ),
        # Counts, checksums and settings are read beside it, with two processors that it keeps busy already.
        shown_row("the same with all that is recorded", parts["dump"], "s", parts["client and fsync"]),
        sum_row("restore, compared; load by the client", parts["restore"], "s", parts["load"], more, "<= 1.3 x + 1 s"),
        ratio_row("comparison after a hop; its limit", parts["compare"], "s", 0.2, 1.0),
    ]


def hop_rows(hops: Times, parts: Times) -> list[Row]:
    more = 1.25 * parts["client and fsync"] + 0.2
    name = f"{OLD} to {NEWEST}"
    return [
        sum_row(f"hop {name} with a dump; bare", hops["dump"], "s", hops["bare"], more, "<= + 1.25 client + .2"),
        # It waits for the end of the migration, which takes a second there, and starts the application twice.
        shown_row(f"upgrade {name}, all of its window; bare", hops["whole"], "s", hops["bare"]),
    ]


# --- files


def switch_rows(root: Path, rounds: int) -> list[Row]:
    """5,000 files that are replaced one by one, and `unzip -o` over the same tree; planned before, as in a window."""
    state, unzipped = root / "switch" / "state", root / "switch" / "unzipped"
    state.mkdir(parents=True, mode=0o700)
    instance = make_instance(root / "switch" / "shop.example", SAME, full=True)
    archive = release_files.release_zip(NEWEST, root / "switch" / "archives")
    _add_files(instance.dir, archive)
    shutil.copytree(instance.dir, unzipped)
    ours, bare = [], []
    options = {name: option.get("default") for name, option in release.SPEC.items()}
    for _unused in range(rounds):
        bare.append(seconds(lambda: subprocess.run(["unzip", "-qo", archive, "-d", unzipped], check=True)))
        _release(instance, state, state="staged", src=str(archive), version=NEWEST)
        context, params = _context(instance, state), {**options, "state": "switched", "version": NEWEST}
        release.plan(context, params)
        ours.append(seconds(functools.partial(release.run, context, params)))
        if (instance.dir / _name(1)).read_bytes() != _content(NEWEST, 1):
            raise RuntimeError("the files were not switched")
        _release(instance, state, state="reverted")
    medians = statistics.median(ours), statistics.median(bare)
    name = f"switch of {FILES} files; unzip -o over the same tree"
    return [ratio_or_limit_row(name, medians[0], "s", medians[1], 1 / 5, 0.3)]


def _name(number: int) -> str:
    return f"source/many/{number % 50}/{number}.txt"


def _content(version: str, number: int) -> bytes:
    line = f"{version} {number} {'x' * 80}\n".encode()
    return (line * (FILE_BYTES // len(line) + 1))[:FILE_BYTES]


def _add_files(directory: Path, archive: Path) -> None:
    """The old ones below the directory, new ones in the archive."""
    with zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as opened:
        for number in range(FILES):
            path = directory / _name(number)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_content(SAME, number))
            opened.writestr(_name(number), _content(NEWEST, number))
