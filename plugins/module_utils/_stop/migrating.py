# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Migrations that are under way, which no ordinary SIGTERM is to end. The database itself is asked.

It is the twin of ``quiet``. Where the database cannot be asked, that is said, and what is seen of the connections
counts as before.
"""

import re
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import exit_codes, versions
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import asking, migration
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import files, holders, process, procfs, sockdiag
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import trusted
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._stop.kill_policy import DatabaseUse
from ansible_collections.anqicms.lifecycle.plugins.module_utils._stop.waiting import Waiting

_YOUNG_S = 900.0  # a process that is older, and at which no statement of a migration is seen, has failed
_SILENT_S = 20.0  # nothing is sent to or from the database for so long
_POLL_S, _PROGRESS_S = 0.2, 1.0
_LOG_BYTES = 1 << 18
_READS = re.compile(r'\s*(?:SELECT|SHOW|SET)\b', re.IGNORECASE)
_FAILED = 'migrate table error'
_MOST_FILES = 1000


class Life(t.NamedTuple):
    """What is known of the process beside its database. ``failed``: its log says so since its start."""

    age_s: float
    failed: bool = False
    use: t.Optional[DatabaseUse] = None  # None: its connections cannot be seen


class Judged(t.NamedTuple):
    """``runs``: what is waited for. ``unknown``: what could not be asked, or has no mark and does not go on."""

    runs: t.Sequence[str]
    unknown: t.Sequence[str]


def can_migrate(version: t.Optional[str], opened: bool) -> bool:
    """Whether it is worth a question: before its port has opened, or where the version migrates behind it. Pure."""
    return not opened or versions.behaviour(version).migration != 'before_port'


def goes_on(life: Life, statements: t.Iterable[str] = ()) -> bool:
    """Whether a migration that has no mark, and of which no statement is seen right now, may be between two. Pure."""
    if life.failed or life.age_s > _YOUNG_S:
        return False
    writes = any(not _READS.match(statement) for statement in statements)
    return writes or life.use is None or life.use.silent_s < _SILENT_S


def judge(version: t.Optional[str], found: t.Sequence[asking.Found], life: Life) -> Judged:
    """What runs, and what is not known. Pure."""
    runs, unknown = [], []
    for one in found:
        if one.at_work:
            runs.append('%s: the application runs %s' % (one.name, '; '.join(one.at_work[:3])))
        elif one.seen is None:
            unknown.append('whether a migration runs is not known: %s: %s' % (one.name, one.why))
        else:
            answer = migration.decide(version, one.seen)
            waits = answer.state == migration.PENDING and goes_on(life, one.seen.statements)
            if answer.state == migration.RUNNING or waits:
                runs.append('%s: %s' % (one.name, answer.why))
            elif answer.state == migration.PENDING:
                unknown.append(
                    '%s: %s, and nothing is working on it%s'
                    % (one.name, answer.why, ': its log says "%s"' % _FAILED if life.failed else '')
                )
            elif answer.state == migration.UNKNOWN:
                unknown.append('whether a migration runs is not known: %s' % answer.why)
    return Judged(runs, unknown)


def came_over_statistics(version: t.Optional[str], history: t.Sequence[t.Mapping[str, t.Any]]) -> bool:
    """Whether the version before this one had the table ``statistics``: its rows are written late. Pure."""
    if not versions.at_least(version, versions.STATISTICS_LATE):
        return False
    others = [
        entry['version']
        for entry in history
        if entry.get('version') and versions.parse(entry['version']) != versions.parse(version)
    ]
    return bool(others) and versions.at_least(others[-1], versions.STATISTICS_IN_FILES) is False


def nothing() -> t.Dict[str, t.Any]:
    """The result where no process runs, or none can migrate."""
    return dict(waited_ms=0, seen=[], unknown=[])


# --- looking


class Wait(Waiting):
    """Waits until no migration runs. The time counts from the first look that saw one."""

    option = 'migration_timeout'

    def __init__(self, context: Context, handle: process.ProcessHandle, seconds: float, opened: bool) -> None:
        Waiting.__init__(self, context, handle, seconds)
        known = context.run.migrated == (handle.pid, handle.start_ticks)
        self.asks = can_migrate(context.version, opened) and not known
        self.judged = Judged((), ())
        self.seen: t.List[str] = []
        self._watch = Watch(handle.proc, context.port)
        self._over_statistics = self.asks and came_over_statistics(context.version, _history(context))
        self._late_since: t.Optional[float] = None
        if self.asks:
            asking.begin(context)

    def look(self) -> Judged:
        """One look."""
        found = asking.found(self.context)
        life = self._life(found)
        judged = judge(self.context.version, found, life)
        late = [] if judged.runs else self._late(found, life)
        self.judged = Judged(list(judged.runs) + late, judged.unknown)
        self.seen += [text for text in self.judged.runs if text not in self.seen]
        return self.judged

    def until_over(self) -> None:
        """LifecycleError when the time is over, in a window also at its deadline."""
        if not self.asks or self.handle.gone() or not self.look().runs:
            return
        self.begin = time.monotonic()
        with self._counting():
            while self.judged.runs and not self.handle.gone():
                if time.monotonic() >= self._end():
                    raise self._refusal()
                self._tell()
                self.handle.wait_gone(min(_POLL_S, max(0.0, self._end() - time.monotonic())))
                asking.forget(self.context)
                self.look()

    def _life(self, found: t.Sequence[asking.Found]) -> Life:
        """What it costs time to see is looked at only where it matters."""
        version = self.context.version
        pending = any(
            one.seen is not None and migration.decide(version, one.seen).state == migration.PENDING for one in found
        )
        if not pending:
            return Life(self._age())
        log = exit_codes.of_last_start(self.context.logs.since(0, _LOG_BYTES), self.context.instance.dir)
        return Life(self._age(), _FAILED in log, self._watch.look())

    def _age(self) -> float:
        return max(0.0, procfs.uptime() - procfs.seconds_of(self.handle.start_ticks))

    def _late(self, found: t.Sequence[asking.Found], life: Life) -> t.List[str]:
        """From below 3.3.11 on the visits are in the memory of the process for ten seconds behind the mark."""
        if not self._over_statistics or life.age_s > _YOUNG_S:
            return []
        roots = [one.root for one in found if one.root]
        if all(_written_since(root, time.time() - life.age_s) for root in roots):
            return []
        now = time.monotonic()
        self._late_since = self._late_since or now
        if now - self._late_since > migration.LATE_S:
            return []
        return ['its statistics are not in data/statistic yet']

    def _tell(self) -> None:
        now = time.monotonic()
        if now - self.told_at >= _PROGRESS_S:
            self.told_at = now
            self.context.progress(
                'waiting for the migration to end: %d s, %s' % (now - (self.begin or now), '; '.join(self.judged.runs))
            )

    def _refusal(self) -> LifecycleError:
        return LifecycleError(
            'pid %d of %s is migrating its database (%s). The stop waited for %d s, %s. Nothing was signalled, and the '
            'migration continues. force does not override this. Wait until the migration has ended (check SHOW '
            'PROCESSLIST and last_run_version in the table settings), then try again, or raise migration_timeout.'
            % (
                self.handle.pid,
                self.context.instance.id,
                '; '.join(self.judged.runs),
                time.monotonic() - (self.begin or 0.0),
                self._limit(),
            ),
            pid=self.handle.pid,
            migrating=True,
            migration=self.result(),
        )

    def result(self) -> t.Dict[str, t.Any]:
        return dict(waited_ms=self._waited_ms(), seen=list(self.seen), unknown=list(self.judged.unknown))


def would_wait(judged: Judged, seconds: float) -> str:
    """For check mode; empty when nothing is to be waited for."""
    if not judged.runs:
        return ''
    return 'wait at most %g s for the migration to end (%s), ' % (seconds, '; '.join(judged.runs))


def _history(context: Context) -> t.Sequence[t.Mapping[str, t.Any]]:
    try:
        return context.state.history()
    except trusted.DamagedState:
        return ()


def _written_since(root: str, moment: float) -> bool:
    """Whether visits of earlier days were written to data/statistic of a site since; also where that cannot be seen.

    Those of today come in at once. Where there were none before today, this says no.
    """
    today = time.strftime('%Y%m%d', time.localtime(moment))
    try:
        with files.InstallDir(root) as directory:
            names = [
                name
                for name in directory.names(migration.STATISTICS, _MOST_FILES)
                if name.endswith('.log') and name < today
            ]
            found = [directory.lstat('%s/%s' % (migration.STATISTICS, name)) for name in names]
    except FileNotFoundError:
        return False
    except (OSError, LifecycleError):
        return True
    return any(info is not None and info.st_mtime >= moment for info in found)


# --- what a process does with its database, seen from the connections that it opened itself. Needs no password


def silence(socks: t.Iterable[sockdiag.Sock]) -> t.Optional[float]:
    """Seconds since any of these sent or received, as the kernel counts; None when it tells of none."""
    ages = []
    for sock in socks:
        if sock.info is not None:
            ages += [age for age in (sock.info.last_data_sent, sock.info.last_data_recv) if age is not None]
    return min(ages) / 1000.0 if ages else None


class Watch:
    """Looks again and again at every connection but those of the instance's own port."""

    def __init__(self, proc: procfs.ProcDir, port: int) -> None:
        self._proc, self._port = proc, port
        self._inodes: t.Optional[t.FrozenSet[int]] = None
        self._changed_at = float('-inf')

    def look(self) -> t.Optional[DatabaseUse]:
        """None when this user may not see the connections. One that came or went meanwhile is a sign of use."""
        try:
            inodes = holders.socket_inodes(self._proc)
        except OSError as exc:
            if exc.errno in procfs.GONE:
                return DatabaseUse(False, time.monotonic() - self._changed_at)
            return None
        socks = [sock for sock in sockdiag.client_connections(inodes) if sock.local_port != self._port]
        now, silent = time.monotonic(), silence(socks)
        if socks and silent is None:
            return None  # this kernel does not tell when they were last used
        seen = frozenset(sock.inode for sock in socks)
        if self._inodes not in (None, seen):
            self._changed_at = now
        self._inodes = seen
        waiting = any(sockdiag.query_in_flight(sock) is not False for sock in socks)
        since = now - self._changed_at
        return DatabaseUse(waiting, since if silent is None else min(silent, since))
