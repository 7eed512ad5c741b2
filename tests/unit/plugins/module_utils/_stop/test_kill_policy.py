# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import itertools
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._stop import kill_policy
from ansible_collections.anqicms.lifecycle.plugins.module_utils._stop.kill_policy import DatabaseUse, Migration

NEVER = float("inf")
QUIET, LATELY, NOW = DatabaseUse(False, 60.0), DatabaseUse(False, 2.0), DatabaseUse(False, 0.2)
WAITS, NO_CONNECTION = DatabaseUse(True, 60.0), DatabaseUse(False, NEVER)

# version, port was open, what its database connections do -> verdict
MIGRATIONS: t.List[t.Tuple[t.Optional[str], bool, t.Optional[DatabaseUse], str]] = [
    # the migration stands before the port: an open port proves its end, whatever the database does
    ("2.5.3", True, None, "no"),
    ("2.5.3", True, NOW, "no"),
    ("2.5.3", True, WAITS, "no"),
    ("3.1.9", True, NOW, "no"),
    # categories are copied after it: silence of three seconds is proof, the last packet is not
    ("3.2.0", True, NOW, "running"),
    ("3.2.1", True, LATELY, "running"),
    ("3.2.1", True, DatabaseUse(True, 2.9), "running"),
    ("3.2.1", True, DatabaseUse(True, 3.0), "no"),
    ("3.2.1", True, QUIET, "no"),
    ("3.2.1", True, NO_CONNECTION, "no"),
    ("3.2.1", True, None, "possible"),
    ("3.2.8", True, NOW, "running"),
    ("3.3.11", True, LATELY, "running"),
    ("3.4.0", True, WAITS, "no"),
    ("3.4.4", True, QUIET, "no"),
    ("3.4.4", True, None, "possible"),
    # migrations in the background, or nobody knows
    ("3.4.5", True, NOW, "running"),
    ("3.5.8", True, NOW, "running"),
    ("3.5.8", True, LATELY, "running"),
    ("3.5.8", True, DatabaseUse(False, 3.0), "no"),
    ("3.5.8", True, WAITS, "possible"),
    ("3.5.8", True, QUIET, "no"),
    ("3.5.8", True, NO_CONNECTION, "no"),
    ("3.5.8", True, None, "possible"),
    (None, True, NOW, "running"),
    (None, True, LATELY, "running"),
    (None, True, WAITS, "possible"),
    (None, True, QUIET, "no"),
    (None, True, None, "possible"),
    # the port was never open: it may be migrating, and a statement that waits is taken for that
    ("2.5.3", False, None, "possible"),
    ("2.5.3", False, NOW, "running"),
    ("2.5.3", False, WAITS, "running"),
    ("2.5.3", False, QUIET, "possible"),
    ("3.2.1", False, QUIET, "possible"),
    ("3.3.11", False, NOW, "running"),
    ("3.3.11", False, WAITS, "running"),
    ("3.3.11", False, NO_CONNECTION, "possible"),
    ("3.5.8", False, WAITS, "running"),
    ("3.5.8", False, QUIET, "possible"),
    (None, False, None, "possible"),
    (None, False, WAITS, "running"),
]


@pytest.mark.parametrize("version,opened,use,verdict", MIGRATIONS)
def test_migration(version: t.Optional[str], opened: bool, use: t.Optional[DatabaseUse], verdict: str) -> None:
    judged = kill_policy.judge_migration(version, opened, use)
    assert judged.verdict == verdict and judged.why


@pytest.mark.parametrize("verdict,files,known,combined", [
    ("no", [], True, "no"), ("no", ["/w/data/backup/1.sql"], True, "running"), ("no", [], False, "possible"),
    ("possible", [], True, "possible"), ("possible", ["/w/data/backup/1.sql"], True, "running"),
    ("possible", [], False, "possible"), ("running", [], True, "running"), ("running", [], False, "running"),
])  # fmt: skip
def test_a_backup_counts_like_a_migration(verdict: str, files: t.List[str], known: bool, combined: str) -> None:
    judged = kill_policy.with_backups(Migration(verdict, "why"), files, known)
    assert judged.verdict == combined and judged.why


@pytest.mark.parametrize("version,opened,looks", [
    ("2.5.3", True, False), ("2.5.3", False, True), ("3.1.9", True, False), ("3.2.1", True, True),
    ("3.2.8", True, True), ("3.4.5", True, True), (None, True, True), (None, False, True),
])  # fmt: skip
def test_database_is_looked_at_only_where_it_matters(version: t.Optional[str], opened: bool, looks: bool) -> None:
    assert kill_policy.needs_a_look_at_the_database(version, opened) is looks


def allowed(
    force: str, closed: bool, in_use: int, verdict: str, idle: bool, expired: bool, at_deadline: bool
) -> t.Optional[str]:
    """The rule, written once more: idle kills what is proven idle, timeout and the deadline what is left, a migration
    nothing; what is only possible stands against the deadline too."""
    if force == "never" or verdict == "running":
        return None
    if closed and in_use == 0 and verdict == "no" and idle:
        return "forced_idle"
    if (force, expired) == ("timeout", True):
        return "forced_timeout"
    return "forced_timeout" if at_deadline and closed and verdict == "no" else None


def test_every_kill() -> None:
    verdicts, either = ("no", "possible", "running"), (True, False)
    rows = list(itertools.product(("never", "idle", "timeout"), either, (0, 1), verdicts, either, either, either))
    for row in rows:
        force, closed, in_use, verdict, idle, expired, at_deadline = row
        look = kill_policy.Look(closed, in_use, Migration(verdict, ""), 2.0 if idle else 1.9, 2.0, expired, at_deadline)
        assert kill_policy.may_kill(force, look) == allowed(*row), row
    assert len(rows) == 288


@pytest.mark.parametrize("version,seconds", [
    ("2.1.2", 0.03), ("2.5.3", 0.03), ("3.2.1", 0.03), ("3.2.2", 2.0), ("3.5.1", 2.0), ("3.5.8", 2.0), (None, 2.0),
])  # fmt: skip
def test_grace(version: t.Optional[str], seconds: float) -> None:
    assert kill_policy.idle_grace(version) == seconds


@pytest.mark.parametrize("on_sigterm,kind,at_signal,at_kill,cut", [
    ("exits", "graceful", 3, 0, 3), ("exits", "graceful", 0, 0, 0), ("drains", "graceful", 3, 0, 0),
    ("stays", "forced_idle", 3, 0, 0), ("stays", "forced_timeout", 3, 2, 2), ("drains", "forced_timeout", 3, 1, 1),
    ("exits", "forced_timeout", 3, 2, 2), ("exits", "forced_idle", 3, 0, 0), ("unknown", "graceful", 3, 0, 3),
])  # fmt: skip
def test_cut(on_sigterm: str, kind: str, at_signal: int, at_kill: int, cut: int) -> None:
    assert kill_policy.cut_requests(on_sigterm, kind, at_signal, at_kill) == cut


@pytest.mark.parametrize(
    'version,force,words',
    [
        ('3.2.1', 'idle', ', then SIGKILL when its port is closed and no request is left'),
        ('2.5.3', 'timeout', ', then SIGKILL'),
        ('2.5.3', 'never', 'the process will stay, with its port closed'),
        ('3.2.2', 'idle', None),
        ('3.5.8', 'never', None),
        (None, 'idle', None),
    ],
)
def test_what_the_plan_says_of_a_version_that_sigterm_never_ends(
    version: t.Optional[str], force: str, words: t.Optional[str]
) -> None:
    text = kill_policy.would_kill(version, force)
    assert (words in text) if words else text == ''
