# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""When may a process be killed that did not end by itself? Pure deciders over what was observed."""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import versions

SILENT_S = 1.0  # a migration that goes on statement by statement is not silent for so long
SILENT_CATEGORY_COPY_S = 3.0  # from 3.2.0 on: there are pauses between the rows that are copied in the background


class DatabaseUse(t.NamedTuple):
    """``waiting``: a statement may wait for its answer (False is sure; a command that has none looks like True).

    ``silent_s``: seconds since the last byte to or from the database; infinite when it had no connection all the time.
    """

    waiting: bool
    silent_s: float


class Migration(t.NamedTuple):
    """``no``: proven not to be running; ``possible``: not excluded; ``running``: what is seen looks like one."""

    verdict: str
    why: str


def needs_a_look_at_the_database(version: t.Optional[str], answered: bool) -> bool:
    """Whether the verdict depends on what the database connections do."""
    return not (answered and _migrates_before_port(version) and not versions.copies_categories_in_background(version))


def _migrates_before_port(version: t.Optional[str]) -> bool:
    return versions.behaviour(version).migration == 'before_port'


def judge_migration(version: t.Optional[str], answered: bool, use: t.Optional[DatabaseUse]) -> Migration:
    """Whether the process may be changing its database now.

    ``answered``: this process opened its port at some time. ``use`` is None when its connections cannot be seen.
    """
    if not needs_a_look_at_the_database(version, answered):
        return Migration('no', 'it has opened its port, which %s does only after its migration' % version)
    if use is None:
        return Migration('possible', 'its connections to the database cannot be seen')
    if use.silent_s < SILENT_S:
        return Migration('running', 'its last exchange with its database was %.1f s ago' % use.silent_s)
    if not answered:
        if use.waiting:
            return Migration('running', 'it has not opened its port yet and is waiting for its database')
        return Migration('possible', 'it has never answered, so its start may not be complete')
    if use.silent_s < SILENT_CATEGORY_COPY_S:  # what is looked at up to here may copy them
        return Migration('running', '%s may be copying categories in the background' % (version or 'it'))
    # The copy goes row by row: its silence is proof, whatever the last packet was.
    if use.waiting and not _migrates_before_port(version):
        return Migration('possible', 'a long statement may be waiting for its database')
    return Migration('no', 'its database connections have been silent for %.1f s' % use.silent_s)


def with_backups(migration: Migration, files: t.Sequence[str], known: bool) -> Migration:
    """The same verdict where the application also writes or restores a backup, or that cannot be seen."""
    if migration.verdict == 'running':
        return migration
    if files:
        return Migration('running', '%s is open, so a backup or a restore is running' % files[0])
    if not known and migration.verdict == 'no':
        return Migration('possible', 'its open files cannot be read, so a backup or a restore cannot be ruled out')
    return migration


def idle_grace(version: t.Optional[str]) -> float:
    """Seconds to leave an idle process after its port has closed: none is needed where SIGTERM never ends it."""
    return 0.03 if versions.behaviour(version).on_sigterm == 'stays' else 2.0


def would_kill(version: t.Optional[str], force: str) -> str:
    """What a plan says of SIGKILL, where it is the rule and no exception. Pure."""
    if versions.behaviour(version).on_sigterm != 'stays':
        return ''
    if force == 'never':
        return (
            '; version %s does not exit on SIGTERM, and force is never: the process will stay, with its port closed'
        ) % version
    return (
        ', then SIGKILL when its port is closed and no request is left, because version %s does not exit on SIGTERM'
    ) % version


class Look(t.NamedTuple):
    """One look at a process that was asked to end. Times in seconds.

    ``closed``: its port is closed, and was open. ``in_use``: connections with a request. ``idle_for``: since the port
    is closed and no connection is in use. ``expired``: the time of the stop is over. ``at_deadline``: that of the whole
    window is, so that the site would stay down.
    """

    closed: bool
    in_use: int
    migration: Migration
    idle_for: float
    grace: float
    expired: bool
    at_deadline: bool = False


def may_kill(force: str, look: Look) -> t.Optional[str]:
    """``forced_idle`` or ``forced_timeout`` when SIGKILL is allowed now. A migration overrides every force."""
    if force == 'never' or look.migration.verdict == 'running':
        return None
    if look.closed and not look.in_use and look.migration.verdict == 'no' and look.idle_for >= look.grace:
        return 'forced_idle'
    if force == 'timeout' and look.expired:
        return 'forced_timeout'
    # Nothing but requests holds it, and waiting longer would leave the site down.
    return 'forced_timeout' if look.at_deadline and look.closed and look.migration.verdict == 'no' else None


def cut_requests(on_sigterm: str, exit_kind: str, busy_at_signal: int, busy_at_kill: int) -> int:
    """How many requests ended without an answer: at most so many where the version is not known."""
    if exit_kind == 'forced_timeout':
        return busy_at_kill
    if exit_kind == 'forced_idle' or on_sigterm in ('drains', 'stays'):
        return 0
    return busy_at_signal
