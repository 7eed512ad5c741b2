# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Whether the application changes a database now, and whether a database is newer than a binary.

The only answers to these two questions. What is looked at is asked of the server; ``decide`` and ``is_newer`` are pure.
The facts are in docs/databases.md.
"""

import json
import os
import re
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import versions
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import client, texts
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import files, foreign_json
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import trusted

RUNNING, DONE, PENDING, UNKNOWN = 'running', 'done', 'pending', 'unknown'
_RECORD = 'databases.json'
STALLED_S = 20.0  # nothing has worked on it for so long, and its mark is missing: it has failed
LATE_S = 12.0  # the lines of the statistics are written 10 s after the port has opened
_MARKER_FROM = (3, 3, 0)
_SETTINGS_FROM, _SETTINGS_LAST = (2, 5, 0), (2, 5, 999)
STATISTICS = 'data/statistic'  # of each site
_CATEGORIES_FROM = (3, 2, 0)
# Tables and columns, and the first version that makes them; the newest first.
_SHAPES = (
    ('websites.parent_id', (3, 3, 12)),  # 3.3.11 does not have it
    ('archive_drafts', (3, 3, 0)),
    ('archive_categories', (3, 2, 0)),
    ('websites', (3, 0, 0)),
    ('settings', (2, 5, 0)),
)
_DROPPED_IN = (3, 5, 3)  # websites.deleted_at
_ALTERING = ('ALTER', 'RENAME', 'OPTIMIZE')
_SELECT, _VALUES = re.compile(r'\bSELECT\b'), re.compile(r'\bVALUES?\b')
_CATEGORY_NOTE = (
    'the copy of the categories of the articles has not ended; a stop interrupts it, and the next start starts it '
    'again. It is used with multi_category only'
)
_CATEGORY_COPY = ['INSERT', 'INTO', 'ARCHIVE_CATEGORIES']
# One client process asks all of it; what needs no lock of a table comes first.
_RUNNING = (
    "SELECT COALESCE(LEFT(info, 300), '') FROM information_schema.processlist WHERE db = DATABASE() "
    "AND id <> CONNECTION_ID() AND user = %s AND info IS NOT NULL" % client.OWN_USER
)
_TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()"
_COLUMNS = (
    "SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'websites'"
)
_SETTINGS = (
    "SELECT `key`, IF(`key` = 'last_run_version', `value`, '') FROM `settings` "
    "WHERE `key` IN ('last_run_version', 'upgrade_archive_category', 'system')"
)
STATEMENTS = (_RUNNING, _TABLES, _COLUMNS, texts.if_there('settings', _SETTINGS))


class Seen(t.NamedTuple):
    """What one look at a database found."""

    tables: t.FrozenSet[str]
    website_columns: t.FrozenSet[str]
    marker: t.Optional[str]  # last_run_version
    settings: t.FrozenSet[str]  # which of the keys that matter are there
    statements: t.Sequence[str]  # that run now in this database, of the same user
    statistics_lines: t.Optional[int] = None


class Answer(t.NamedTuple):
    """``state``: running, done, pending (it has not ended, and nothing works on it at this moment), or unknown."""

    state: str
    why: str
    notes: t.Sequence[str] = ()


class Newer(t.NamedTuple):
    """``newer``: None when it is not known. ``version``: what the database is at least, as far as it is known."""

    newer: t.Optional[bool]
    version: t.Optional[str]
    why: str


# --- pure


def _bare(statement: str) -> str:
    """Without the comments before it, in capitals."""
    left = statement.lstrip()
    while left.startswith('/*') and '*/' in left:
        left = left.partition('*/')[2].lstrip()
    return left.upper()


def _changes_tables(statement: str) -> bool:
    """Whether a statement changes tables as a migration does; the copy of the categories does not count."""
    text = _bare(statement)
    words = text.replace('(', ' ').replace('`', ' ').split()
    first, second, third = (words + ['', '', ''])[:3]
    if first in ('INSERT', 'REPLACE'):
        select, values = _SELECT.search(text), _VALUES.search(text)
        return bool(select and not (values and values.start() < select.start())) and words[:3] != _CATEGORY_COPY
    if first == 'CREATE':
        return 'INDEX' in (second, third if second == 'UNIQUE' else '')
    return first in _ALTERING or (first == 'DROP' and second in ('TABLE', 'INDEX'))


def changing(statements: t.Iterable[str]) -> t.List[str]:
    """Those that change tables as a migration does, each cut for people."""
    return [' '.join(one.split())[:80] for one in statements if _changes_tables(one)]


def decide(
    version: t.Optional[str], seen: Seen, expected_lines: t.Optional[int] = None, marked_for: t.Optional[float] = None
) -> Answer:
    """Whether the process of this version migrates the database now.

    ``expected_lines``: rows that the table ``statistics`` had before a jump from below 3.3.11 to 3.5.0 or later; None:
    no such jump, or not known. ``marked_for``: seconds since the version was first seen in the database.
    """
    more = _category_notes(version, seen)
    at_work = changing(seen.statements)
    if at_work:
        return Answer(RUNNING, 'the application runs %s' % '; '.join(at_work[:3]), more)
    parsed = versions.parse(version)
    if parsed is None:
        return Answer(UNKNOWN, 'the version of the application is not known', more)
    if parsed >= _MARKER_FROM:
        if seen.marker is None or versions.parse(seen.marker) != parsed:
            return Answer(PENDING, 'last_run_version is %s, not %s' % (seen.marker or 'missing', version), more)
        return _late(parsed, seen, expected_lines, marked_for, more)
    if _SETTINGS_FROM <= parsed <= _SETTINGS_LAST and 'system' not in seen.settings:
        return Answer(PENDING, 'the settings have no system yet', more)
    return Answer(DONE, 'nothing changes its tables', more)


def _late(
    parsed: versions.Version,
    seen: Seen,
    expected: t.Optional[int],
    marked_for: t.Optional[float],
    more: t.Sequence[str],
) -> Answer:
    """After a jump the rows of ``statistics`` are in the memory of the process alone for ten seconds."""
    done = Answer(DONE, 'last_run_version is %s' % seen.marker, more)
    if parsed < versions.STATISTICS_LATE or not expected or (seen.statistics_lines or 0) >= expected:
        return done
    if seen.statistics_lines is None and (marked_for or 0.0) >= LATE_S:
        return done
    late = (marked_for or 0.0) >= 2 * LATE_S  # they should have been there long ago
    return Answer(
        PENDING if late else RUNNING,
        'of %d rows of the statistics %s are in data/statistic'
        % (expected, seen.statistics_lines if seen.statistics_lines is not None else 'an unknown number'),
        more,
    )


def _category_notes(version: t.Optional[str], seen: Seen) -> t.List[str]:
    if not versions.at_least(version, _CATEGORIES_FROM) or 'archive_categories' not in seen.tables:
        return []
    if 'upgrade_archive_category' in seen.settings:
        return []
    return [_CATEGORY_NOTE]


def jumps_over_statistics(before: t.Optional[str], after: t.Optional[str]) -> bool:
    """Whether the rows of ``statistics`` are written late on this way. Not known: they may be."""
    return (
        versions.at_least(before, versions.STATISTICS_IN_FILES) is not True
        and versions.at_least(after, versions.STATISTICS_LATE) is not False
    )


def shape_version(seen: Seen) -> t.Optional[versions.Version]:
    """The oldest version that has these tables; None for a database without any."""
    if not seen.tables:
        return None
    if seen.website_columns and 'deleted_at' not in seen.website_columns:
        return _DROPPED_IN
    for what, first in _SHAPES:
        table, _dot, column = what.partition('.')
        if column and column in seen.website_columns:
            return first
        if not column and table in seen.tables:
            return first
    return (0, 0, 0)


def version_of(seen: Seen) -> t.Optional[str]:
    """The version that a database has at least, by its mark or its tables; None where neither tells. Pure."""
    found = [one for one in (versions.parse(seen.marker), shape_version(seen)) if one is not None]
    highest = max(found) if found else (0, 0, 0)
    return '.'.join(map(str, highest)) if highest > (0, 0, 0) else None


def is_newer(version: t.Optional[str], seen: Seen, recorded: t.Optional[str] = None) -> Newer:
    """Whether a database is newer than a binary of this version.

    ``recorded``: the highest version that we have seen work on this database; an old binary can set last_run_version
    back, so the highest of the three counts.
    """
    shape = shape_version(seen)
    known = [
        ('last_run_version', versions.parse(seen.marker)),
        ('its tables', shape),
        ('earlier runs', versions.parse(recorded)),
    ]
    found = [(what, one) for what, one in known if one is not None]
    if not found:
        return Newer(False, None, 'the database is empty') if not seen.tables else Newer(None, None, 'it is not known')
    source, highest = max(found, key=lambda pair: pair[1])
    text = '.'.join(map(str, highest)) if highest > (0, 0, 0) else None
    parsed = versions.parse(version)
    if parsed is None:
        return Newer(None, text, 'the version of the binary is not known')
    if versions.schema_of(highest) > versions.schema_of(parsed):
        return Newer(True, text, '%s: %s or later, and the binary is %s' % (source, text, version))
    return Newer(False, text, '%s: not newer than %s' % (source, version))


# --- what our runs saw


def recorded(directory: str, key: str) -> t.Optional[str]:
    """The highest version whose work on this database we have seen; None when we have seen none.

    ``directory``: the trusted state of the instance. A record that cannot be read counts as none.
    """
    try:
        found = foreign_json.load(trusted.read_trusted(os.path.join(directory, _RECORD)) or b'{}').get(key)
    except (ValueError, AttributeError, LifecycleError):
        return None
    return found if isinstance(found, str) and versions.parse(found) else None


def remember(directory: str, key: str, version: t.Optional[str], restored: bool = False) -> None:
    """Note what has worked on it: a lower version only where the database was ``restored``. OSError."""
    known = recorded(directory, key)
    parsed, before = versions.parse(version), versions.parse(known)
    if version == known or not (restored or (parsed is not None and (before is None or parsed > before))):
        return
    path = os.path.join(directory, _RECORD)
    try:
        values = foreign_json.load(trusted.read_trusted(path) or b'{}')
    except (ValueError, LifecycleError):
        values = {}
    values = dict(values if isinstance(values, dict) else {}, **{key: version})
    trusted.write_atomic(path, json.dumps(values).encode('utf-8'))


# --- looking


def look(session: client.Session, root: t.Optional[str] = None, limit: float = 30.0) -> Seen:
    """``root``: the directory of the site, where its statistics are counted; None: they are not. DatabaseError."""
    return seen_of(session.queries(STATEMENTS, limit), statistics_lines(root) if root else None)


def seen_of(answers: t.Sequence[t.Sequence[t.Sequence[str]]], lines: t.Optional[int] = None) -> Seen:
    """From the rows of ``STATEMENTS``."""
    running, tables, columns, rows = answers[:4]
    settings = {row[0]: row[1] for row in rows}
    return Seen(
        frozenset(row[0] for row in tables),
        frozenset(row[0] for row in columns),
        settings.get('last_run_version', '').strip('"') or None,
        frozenset(settings),
        [row[0] for row in running],
        lines,
    )


def statistics_lines(root: str, most: int = 400) -> t.Optional[int]:
    """How many visits data/statistic of a site holds; None when that cannot be seen."""
    total = 0
    try:
        with files.InstallDir(root) as directory:
            owners = directory.owners()
            for name in directory.names(STATISTICS, most):
                if name.endswith('.log'):
                    total += _lines(directory.open_file('%s/%s' % (STATISTICS, name), owners))
    except (OSError, LifecycleError):
        return None
    return total


def _lines(fd: int) -> int:
    try:
        total = 0
        while True:
            chunk = os.read(fd, 1 << 20)
            if not chunk:
                return total
            total += chunk.count(b'\n')
    finally:
        os.close(fd)


class Waiting:
    """One database that is waited for."""

    def __init__(
        self, session: client.Session, name: str, root: t.Optional[str] = None, expected_lines: t.Optional[int] = None
    ) -> None:
        self.session, self.name, self.root, self.expected = session, name, root, expected_lines
        self.marked_at: t.Optional[float] = None
        self.answer = Answer(UNKNOWN, 'it was not asked')

    def ask(self, version: t.Optional[str]) -> Answer:
        """DatabaseError."""
        seen = look(self.session, self.root if self.expected else None)
        if self.marked_at is None and versions.parse(seen.marker) == versions.parse(version):
            self.marked_at = time.monotonic()
        marked_for = None if self.marked_at is None else time.monotonic() - self.marked_at
        self.answer = decide(version, seen, self.expected, marked_for)
        return self.answer


class Stalled(LifecycleError):
    """The migration has not ended, and for some time nothing has worked on it: it has failed."""


def wait(
    databases: t.Sequence[Waiting],
    version: t.Optional[str],
    limit: float,
    progress: t.Callable[[str], None] = lambda text: None,
    stalled_s: float = STALLED_S,
    pause: float = 0.2,
    alive: t.Callable[[], bool] = lambda: True,
) -> t.List[Answer]:
    """Wait until none of them is being migrated any more. LifecycleError at the limit, Stalled as above.

    ``alive``: whether the process of the application is still there; without it nothing goes on.
    """
    until, worked_at, told_at = time.monotonic() + limit, time.monotonic(), 0.0
    while True:
        answers = [one.ask(version) for one in databases]
        open_ones = [one for one in databases if one.answer.state in (RUNNING, PENDING)]
        if not open_ones:
            return answers
        now = time.monotonic()
        text = '; '.join('%s: %s' % (one.name, one.answer.why) for one in open_ones)
        if any(one.answer.state == RUNNING for one in open_ones):
            worked_at = now
        if not alive():
            raise Stalled('The application has ended before its migration had (%s).' % text)
        if now - worked_at > stalled_s:
            raise Stalled(
                'The migration has not ended, and nothing has worked on it for %d s: %s. See the log of the '
                'application.' % (now - worked_at, text)
            )
        if now > until:
            raise LifecycleError(
                'The migration has not ended within %g s: %s. It continues. Wait for its end, then try '
                'again.' % (limit, text),
                migrating=True,
            )
        if now - told_at >= 1.0:
            progress('waiting for the migration: %s' % text)
            told_at = now
        time.sleep(pause)
