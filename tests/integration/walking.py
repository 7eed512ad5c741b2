# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A walk: an upgrade is disturbed at every point of its way, in many manners, and after each all is as it was.

The points are those of a run that fails in its very last check: the writes of its journal up to the commit, the renames
of its switches, its steps, starts and migrations. A site is made once; each try begins with what the one before was
shown to have left as it was.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import traceback
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, NamedTuple, Sequence

import pytest
import seeding
import windows
from instance import make_instance
from integration.upgrading import NEWEST, Site, stage
from mariadb import MariaDB
from windows import Killer

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import boot_hook, places
from ansible_collections.anqicms.lifecycle.plugins.module_utils._change.store import Store
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import migration
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import process, procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import at_work
from ansible_collections.anqicms.lifecycle.plugins.module_utils._steps import verified_start
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import at_boot
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _upgrade_path, _upgrade_steps

Entry = Mapping[str, Any]
Step = dict[str, Any]
FAILS: Step = {"command": {"argv": ["false"]}}
ANOTHER_BOOT = "11111111-2222-3333-4444-555555555555"
OLDEST = "2.3.6"
_LIMIT_S = 300.0
_STALLED_S = 2.0  # a migration that has failed counts as such a little sooner than for users
# Points of the stand-in's migrations that each version passes on these ways.
MIGRATIONS = {
    "2.5.3": ("begin", "tables", "end"),
    "3.3.11": ("begin", "tables", "purged", "drafts", "flags", "end", "statistics"),
    NEWEST: ("begin", "tables", "purged", "flags", "end"),
}


def counts(entry: Entry) -> bool:
    """Whether a write of the journal is a point: it comes in every run, and something was done since the last one."""
    event = entry.get("event")
    return event in ("change", "signal", "parked", "step", "end") or (
        event == "progress" and str(entry.get("text")).startswith("starting the instance")
    )


def named(entry: Entry) -> str:
    return " ".join(str(entry[key]) for key in ("event", "index", "name", "kind", "signal", "text") if key in entry)


class Point(NamedTuple):
    """So many-th of its kind, and what a reader of a failure calls it."""

    number: int
    name: str


class Strike(Killer):
    """Does something in the worker at one point: before or after a write of its journal, or after a rename."""

    def __init__(self, number: int, act: Callable[["Strike"], None], after: bool = True, rename: bool = False) -> None:
        super().__init__(lambda _entry, _number: False, after)
        self.number, self.act, self.rename = number, act, rename

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().install(monkeypatch)
        original = places.rename

        def rename(*arguments: Any) -> None:
            original(*arguments)
            if self.rename and self.guardian and os.getpid() != self.guardian:
                self.writes += 1
                if self.writes == self.number:
                    self.kill()

        monkeypatch.setattr(places, "rename", rename)

    def is_due(self, name: str, entry: Entry) -> bool:
        if self.rename or name != "journal.jsonl" or not self.guardian or os.getpid() == self.guardian:
            return False
        self.writes += counts(entry)
        return counts(entry) and self.writes == self.number

    def kill(self) -> None:
        self.act(self)


def _children(pid: int) -> Iterator[int]:
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in path.read_text().split():
                yield from _children(int(child))
                yield int(child)


def _end(*pids: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _waits(journal: Sequence[Entry]) -> bool:
    """Whether a start waits for the database."""
    return str(journal[-1].get("text")).startswith("waiting before the start")


def fill(place: Path) -> None:
    """Until nothing more can be written there."""
    with open(place / "filler", "wb") as file, contextlib.suppress(OSError):
        free = os.statvfs(place)
        os.posix_fallocate(file.fileno(), 0, max(1, free.f_bavail * free.f_frsize))
        while True:
            file.write(b"x" * 4096)
            file.flush()


class Walk:
    """A site of an old version, and every manner in which its upgrade is disturbed."""

    def __init__(self, version: str, place: Path, db: MariaDB, archives: Mapping[str, Path]) -> None:
        self.version, self.place, self.db, self.archives = version, place, db, archives
        self.base = place / "state-disk" / "state"
        self.instance = make_instance(
            place / "disk" / "shop.example", version, db=db, database=f"w_{os.urandom(4).hex()}", full=True
        )
        self.site = Site(self.instance, db)
        self._keep()
        self.hops = _upgrade_path.upgrade_path(
            version, NEWEST, {name: {"src": str(path)} for name, path in archives.items()}
        )
        self.steps = _upgrade_steps.steps(self.hops, {"verified_start": {"stable_for": 0.0}}, [{"log_check": {}}])
        self.stage()
        self.journal, self.renames = self._enumerated()

    # --- the site

    def context(self) -> Any:
        return windows.context_of(self.instance, self.base)

    def stage(self) -> None:
        stage(self.instance, self.hops, base=self.base)

    def _keep(self) -> None:
        """What `reset` puts back."""
        self.instance.kill()
        shutil.copytree(self.instance.dir, self.place / "kept", symlinks=True)
        with open(self.place / "kept.sql", "wb") as file:
            subprocess.run([*self._client("mariadb-dump"), self.instance.database], stdout=file, check=True)
        self.instance.start(60.0)

    def _client(self, name: str) -> list[str]:
        return [
            name,
            "--no-defaults",
            f"--socket={self.db.socket}",
            f"--user={self.db.user}",
            f"--password={self.db.password}",
        ]

    def reset(self) -> None:
        """By other means than those that are tested; for what comes after a point where they failed."""
        self.instance.kill()
        self.db.run(f"DROP DATABASE `{self.instance.database}`")
        self.db.run(f"CREATE DATABASE `{self.instance.database}`")
        with open(self.place / "kept.sql", "rb") as file:
            subprocess.run([*self._client("mariadb"), self.instance.database], stdin=file, check=True)
        shutil.rmtree(self.instance.dir)
        shutil.copytree(self.place / "kept", self.instance.dir, symlinks=True)
        shutil.rmtree(self.base)
        self.instance.start(60.0)
        self.stage()

    def assert_as_before(self) -> None:
        """Files, database, process and records; nothing is left of the run but what people may want to read."""
        context = self.context()
        assert at_work.interrupted(context.state) is None, windows.journal(context)[-5:]
        assert windows.runs(self.instance) and len(self.instance.pids()) == 1
        assert self.instance.told_version() == self.version
        assert self.site.checksums() == self.site.tables  # tables aside would be seen too
        assert self.site.files() == self.site.tree
        assert Store(context.state).active() is None
        assert not list(Path(context.state.path).glob("restore-*")), "the journal of a restore"
        assert not list((self.instance.dir / ".lifecycle").glob("left-*")), "something stood in the way"
        hooks = [path for name in ("units", "cron") for path in (self.place / name).rglob("anqicms-*")]
        assert not hooks, hooks

    # --- runs

    def _reuse_staged(self) -> None:
        """The staged trees are whole again: to unpack them anew each time would take half of the time."""
        store = Store(self.context().state)
        for one in store.switches():
            store.forget_switch(one.id)
            shutil.rmtree(self.instance.dir / ".lifecycle" / one.old)

    def run(
        self, steps: Sequence[Step], strike: Strike | None = None, meanwhile: Callable[[], None] = lambda: None
    ) -> Step:
        context = self.context()
        if at_work.interrupted(context.state) is None:
            self._reuse_staged()
        plan = windows.plan_of(steps, deadline=_LIMIT_S, boot_hook=True)
        with pytest.MonkeyPatch.context() as patch:
            if strike is not None:
                strike.install(patch)
            pipe = windows.begin(context, plan)
        meanwhile()
        result = windows.wait(context, plan, pipe, _LIMIT_S + 60.0)  # at its limit it has still to say so
        assert bool(result.get("failed")) == bool(result.get("msg")), result  # a failure says why
        return result

    def recover(self) -> None:
        recovery = self.run([])
        assert recovery["outcome"] in ("done", "unchanged") and recovery["state"] == "running", recovery

    def at_boot(self) -> None:
        """What the hook runs, after a boot that no pid and no time of the run means anything in."""
        path = Path(self.context().state.path, "journal.jsonl")
        path.write_text(path.read_text().replace(procfs.boot_id(), ANOTHER_BOOT))
        pid = os.fork()
        if pid == 0:
            with contextlib.suppress(BaseException):
                os._exit(at_boot.main(str(self.instance.dir), "anqicms", str(self.base)))
            os._exit(99)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, windows.worker_log(self.context())

    def _enumerated(self) -> tuple[list[Point], list[Point]]:
        """By a run that fails in its very last step."""
        self.fails(Point(len(self.steps), "the last check"))
        entries = [entry for entry in windows.journal(self.context()) if counts(entry)]
        last = next(number for number, entry in enumerate(entries) if entry.get("name") == "command")
        points = [Point(number, named(entry)) for number, entry in enumerate(entries[:last], 1)]
        switches = sorted(Store(self.context().state).switches(), key=lambda one: one.at)
        renames = [
            f"{one.version} {'out' if rename.out else 'in'} {rename.path}" for one in switches for rename in one.renames
        ]
        assert len(points) > 15 and len(renames) > 10
        return points, [Point(number, name) for number, name in enumerate(renames, 1)]

    # --- manners: each has points, and disturbs the upgrade at one of them

    def points(self, manner: str) -> list[Point]:
        found = {
            "renames": self.renames,
            "fails": [Point(number, next(iter(step))) for number, step in enumerate(self.steps)],
            "starts": self._starts(),
            "migration dies": self._of_migrations(),
            "migration fails": self._of_migrations(),
            "invariants": self._migrating_hops(),
            "no database": self._before_the_last_start(),
            "state is full": self._boundaries(),
            "install is full": self._boundaries(),
            "undisturbed": [Point(0, "")],
            "reboot": [*self.journal, Point(len(self.journal) + 1, "end")],
        }
        return found.get(manner, self.journal)

    def _boundaries(self) -> list[Point]:
        return [point for point in self.journal if point.name.startswith("step ")]

    def _before_the_last_start(self) -> list[Point]:
        last = max(index for index, point in enumerate(self.journal) if point.name.startswith("parked"))
        return self.journal[: last + 1]

    def _starts(self) -> list[Point]:
        return [
            Point(number, f"{hop['version']}{' on its own port' if number == len(self.hops) else ''}")
            for number, hop in enumerate([*self.hops, self.hops[-1]])
        ]

    def _migrating_hops(self) -> list[Point]:
        """What 2.3.6 has in config.json the next start of 2.5.3 reads again: nothing is compared in between."""
        first = 1 if self.version == OLDEST else 0
        return [Point(number, hop["version"]) for number, hop in enumerate(self.hops) if number >= first]

    def _of_migrations(self) -> list[Point]:
        return [
            Point(number, f"{hop['version']} {point}")
            for number, hop in enumerate(self.hops)
            for point in MIGRATIONS[hop["version"]]
        ]

    def worker(self, point: Point) -> None:
        result = self.run(self.steps, Strike(point.number, lambda _strike: _end(os.getpid())))
        assert result["failed"] and "was killed by signal 9" in result["msg"], result
        assert "The guardian recovered the instance" in result["msg"], result["msg"]

    def both(self, point: Point) -> None:
        result = self.run(self.steps, Strike(point.number, lambda strike: _end(strike.guardian, os.getpid())))
        assert result["failed"] and "recover" in result["msg"], result
        self.recover()

    def _reboot(self, strike: Strike) -> None:
        """Ends ours and the instance's, also a child that is about to execute it."""
        _end(strike.guardian, *_children(os.getpid()))
        for entry in windows.journal(self.context()):
            handle = process.open_process(entry["pid"]) if entry.get("event") == "parked" else None
            if handle is not None and handle.start_ticks == entry["start_ticks"]:
                handle.signal(signal.SIGKILL)
        self.instance.kill()
        _end(os.getpid())

    def reboot(self, point: Point) -> None:
        """Before the write: what was done is not noted."""
        result = self.run(self.steps, Strike(point.number, self._reboot, after=False))
        assert result["failed"] and not self.instance.pid, result
        self.at_boot()

    def renames_(self, point: Point) -> None:
        result = self.run(self.steps, Strike(point.number, self._reboot, rename=True))
        assert result["failed"] and not self.instance.pid, result
        self.at_boot()

    def fails(self, point: Point) -> None:
        result = self.run([*self.steps[: point.number], FAILS, *self.steps[point.number :]])
        assert result["outcome"] == ("rolled_back" if point.number else "failed"), result
        assert "step command failed" in result["msg"] and not result.get("unfinished")

    def _with_knobs(self, version: str, flag: bool, **knobs: Any) -> Step:
        self.instance.knobs(when=[{"version": version, "flag": flag, "knobs": knobs}])
        try:
            result = self.run(self.steps)
        finally:
            (self.instance.dir / "standin.json").unlink()
        assert result["outcome"] == "rolled_back", (result["outcome"], result.get("msg"), result["steps"][-1])
        return result

    def starts(self, point: Point) -> None:
        result = self._with_knobs(point.name.split()[0], point.number < len(self.hops), exit_code=3)
        assert result["steps"][-1]["name"] == "verified_start" and "exit" in result["msg"], result["msg"]

    def migration_dies(self, point: Point) -> None:
        version, name = point.name.split()
        self._with_knobs(version, True, migration_dies_at=name)

    def migration_fails(self, point: Point) -> None:
        version, name = point.name.split()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(migration, "STALLED_S", _STALLED_S)
            self._with_knobs(version, True, migration_fails_at=name)

    def invariants(self, point: Point) -> None:
        result = self._with_knobs(point.name, True, spoils=[seeding.lose_setting("system")])
        assert result["steps"][-1]["name"] == "database", result["msg"]
        lost = "the settings of config.json" if self.version == OLDEST else "system"
        assert lost in result["msg"], result["msg"]

    def no_database(self, point: Point) -> None:
        """Its server is killed, and comes back when the run has ended, or waits for it."""
        steps = [*self.steps, FAILS]
        result = self.run(steps, Strike(point.number, lambda _strike: _end(self.db.pid)), self._bring_database_back)
        assert result["failed"], result
        if result.get("unfinished"):
            self.recover()

    def _bring_database_back(self) -> None:
        context = self.context()
        windows.within(_LIMIT_S, lambda: self.db.has_ended() or not at_work.is_worked_on(context.state))
        windows.within(_LIMIT_S, lambda: not at_work.is_worked_on(context.state) or _waits(windows.journal(context)))
        self.db.stop()
        self.db.start()

    def state_is_full(self, point: Point) -> None:
        self._full(point, self.place / "state-disk")

    def install_is_full(self, point: Point) -> None:
        self._full(point, self.place / "disk")

    def _full(self, point: Point, disk: Path) -> None:
        """It stays so until the run has ended, which fails at the latest in its last step."""
        try:
            result = self.run([*self.steps, FAILS], Strike(point.number, lambda _strike: fill(disk)))
        finally:
            (disk / "filler").unlink(missing_ok=True)
        assert result["failed"], result
        if at_work.interrupted(self.context().state):
            assert result.get("unfinished"), result
            self.recover()

    def undisturbed(self, _point: Point) -> None:
        """After all that it goes well."""
        result = self.run(self.steps)
        assert result["outcome"] == "done", result
        assert self.instance.told_version() == NEWEST
        assert seeding.lost(self.site.before, seeding.content(self.instance, self.db)) == []
        assert seeding.hashes(self.instance.dir, self.site.seeded.files) == self.site.seeded.files
        self.reset()

    def go(self, manner: str, chosen: Callable[[list[Point]], list[Point]] = lambda points: points) -> None:
        """AssertionError that names all points after which not all was as it was."""
        disturb = getattr(self, manner.replace(" ", "_") + ("_" if manner == "renames" else ""))
        wrong = []
        for point in chosen(self.points(manner)):
            try:
                disturb(point)
                self.assert_as_before()
            except Exception:
                wrong.append(f"{manner} at {point.number} ({point.name}):\n{traceback.format_exc()}")
                self.reset()
        assert not wrong, "\n\n".join([f"{len(wrong)} points", *wrong])


_TOLD = pytest.mark.standin("failures that it is told to have")
MANNERS = [
    "worker",
    "both",
    "reboot",
    "renames",
    "fails",
    pytest.param("starts", marks=_TOLD),
    pytest.param("migration dies", marks=_TOLD),
    pytest.param("migration fails", marks=_TOLD),
    pytest.param("invariants", marks=_TOLD),
    "no database",
    "state is full",
    "install is full",
    "undisturbed",
]


def one_point(points: list[Point]) -> list[Point]:
    """In the middle of the last hop, for a look at each manner."""
    return [points[len(points) * 3 // 4]]


@contextlib.contextmanager
def walk(version: str, place: Path, db: MariaDB, archives: Mapping[str, Path]) -> Iterator[Walk]:
    """On disks of its own; a recovery looks at what it has started for less long than for users."""
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
        for name, size in (("disk", "700m"), ("state-disk", "200m")):
            target = place / name
            target.mkdir()
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "none", str(target)], check=True)
            stack.callback(subprocess.run, ["umount", "-l", str(target)], check=True)
        for name in ("units", "cron"):
            (place / name).mkdir()
        patch.setattr(boot_hook, "UNITS", str(place / "units"))
        patch.setattr(boot_hook, "CRON", str(place / "cron"))
        patch.setattr(boot_hook, "SYSTEMD", str(place))
        patch.setitem(verified_start.SPEC["stable_for"], "default", 0.1)
        found = Walk(version, place, db, archives)
        stack.callback(found.instance.kill)
        yield found
