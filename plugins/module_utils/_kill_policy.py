# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""When may a process be killed that did not end by itself? Pure deciders over what was observed."""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils import _versions

QUIET_DATABASE_S = 1.0       # no query in flight for so long: nothing is being migrated
QUIET_CATEGORY_COPY_S = 3.0  # 3.2.0 and 3.2.1 pause between the rows that they copy in the background


class Migration(t.NamedTuple):
    """``no``: proven not to be running; ``possible``: not excluded; ``running``: a query is in flight."""

    verdict: str
    why: str


def judge_migration(version: t.Optional[str], answered: bool, database_quiet_s: t.Optional[float]) -> Migration:
    """Whether the process may be changing its database now.

    ``answered``: this process served its version at some time. ``database_quiet_s``: how long no query has been in flight,
    None when its connections cannot be seen.
    """
    if database_quiet_s is not None and database_quiet_s < QUIET_DATABASE_S:
        return Migration('running', 'a query to its database is or was in flight less than %g s ago' % QUIET_DATABASE_S)
    in_front_of_port = _versions.behaviour(version).migration == 'before_port'
    copies = _versions.copies_categories_in_background(version)
    if answered and in_front_of_port and not copies:
        return Migration('no', 'it had opened its port, which %s does after its migration' % version)
    if database_quiet_s is None:
        return Migration('possible', 'its connections to the database cannot be seen')
    if not answered:
        return Migration('possible', 'it never answered, so it may not have finished starting')
    if copies and database_quiet_s < QUIET_CATEGORY_COPY_S:
        return Migration('running', '%s copies categories in the background' % version)
    return Migration('no', 'no query to its database has been in flight for %.1f s' % database_quiet_s)


def needs_a_look_at_the_database(version: t.Optional[str], answered: bool) -> bool:
    """Whether the verdict may still depend on what its database connections do."""
    before_port = _versions.behaviour(version).migration == 'before_port'
    return not (answered and before_port and not _versions.copies_categories_in_background(version))


def idle_grace(version: t.Optional[str]) -> float:
    """Seconds to leave an idle process after its port has closed: none is needed where SIGTERM never ends it."""
    return 0.03 if _versions.behaviour(version).on_sigterm == 'stays' else 2.0


def may_kill(force: str, port_closed_by_us: bool, in_use: int, migration: Migration, idle_for: float, grace: float,
             expired: bool) -> t.Optional[str]:
    """``forced_idle`` or ``forced_timeout`` when SIGKILL is allowed now, None otherwise. A migration overrides every force."""
    if force == 'never' or migration.verdict == 'running':
        return None
    if force in ('idle', 'timeout') and port_closed_by_us and not in_use and migration.verdict == 'no' and idle_for >= grace:
        return 'forced_idle'
    return 'forced_timeout' if force == 'timeout' and expired else None


def cut_requests(on_sigterm: str, exit_kind: str, busy_at_signal: int, busy_at_kill: int) -> int:
    """How many requests ended without an answer: at most so many where the version is not known."""
    if exit_kind == 'forced_timeout':
        return busy_at_kill
    if exit_kind == 'forced_idle' or on_sigterm in ('drains', 'stays'):
        return 0
    return busy_at_signal
