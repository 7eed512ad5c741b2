# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What each AnQiCMS version does: data, with its evidence in docs/application.md (section named beside each column)."""

import re
import typing as t

Version = t.Tuple[int, int, int]


class Behaviour(t.NamedTuple):
    """How one version line behaves. ``unknown`` where the version is not known."""

    on_sigterm: str  # exits: at once, cutting requests; drains: when the requests in flight have ended; stays:
    #                      closes the port and lives for ever; unknown  (docs/application.md, Signals)
    kills_at_start: str  # pidof: every other process of the same name; pgrep: nearly never; none  (Kill at start)
    migration: str  # before_port: the port opens when it is done; background: after the port  (Migrations)


_UNKNOWN = Behaviour('unknown', 'unknown', 'unknown')
_LINES: t.Tuple[t.Tuple[Version, Behaviour], ...] = (  # first version of the line, newest first
    ((3, 5, 2), Behaviour('exits', 'pgrep', 'background')),
    ((3, 4, 7), Behaviour('drains', 'pgrep', 'background')),
    ((3, 4, 5), Behaviour('drains', 'pidof', 'background')),
    ((3, 2, 2), Behaviour('drains', 'pidof', 'before_port')),
    ((2, 1, 0), Behaviour('stays', 'none', 'before_port')),  # 2.1.2 is the first; its CHANGELOG.md says 2.1.1
    ((0, 0, 0), Behaviour('drains', 'none', 'before_port')),
)
# Neighbours that lay out the database alike (the models of their sources); AutoMigrate finds nothing to do.
SAME_SCHEMA: t.Tuple[t.Tuple[Version, Version], ...] = (
    ((3, 5, 0), (3, 5, 1)),
    ((3, 5, 3), (3, 5, 4)),
    ((3, 5, 5), (3, 5, 6)),
    ((3, 5, 7), (3, 5, 8)),
)
STATISTICS_IN_FILES = (3, 3, 11)  # the table is gone from here on
STATISTICS_LATE = (3, 5, 0)  # on the way from below that, its rows are in memory for ten seconds
_PATTERN = re.compile(r'v?(\d{1,4})\.(\d{1,4})\.(\d{1,4})(?![\d.])')


def parse(text: t.Optional[str]) -> t.Optional[Version]:
    """``3.5.8`` or ``v3.5.8-beta`` as three numbers, None for anything else."""
    match = _PATTERN.match(text or '')
    return (int(match.group(1)), int(match.group(2)), int(match.group(3))) if match else None


def behaviour(version: t.Optional[str]) -> Behaviour:
    parsed = parse(version)
    if parsed is None:
        return _UNKNOWN
    return next(line for first, line in _LINES if parsed >= first)


def at_least(version: t.Optional[str], first: Version) -> t.Optional[bool]:
    """Whether the version is ``first`` or later, None when it is not known."""
    parsed = parse(version)
    return None if parsed is None else parsed >= first


def between(version: t.Optional[str], first: Version, last: Version) -> bool:
    """Whether the version is known and within the two, both included."""
    parsed = parse(version)
    return parsed is not None and first <= parsed <= last


def schema_of(version: Version) -> Version:
    """The first of the versions that lay out the database as this one does."""
    return next((first for first, second in SAME_SCHEMA if version == second), version)


def copies_categories_in_background(version: t.Optional[str]) -> bool:
    """From 3.2.0 every article's category is copied after the port has opened (docs/application.md, Migrations)."""
    return at_least(version, (3, 2, 0)) is not False


def pages_come_late(version: t.Optional[str]) -> bool:
    """2.1.2 to 2.5.5 answer every page with 500 for a second after the version; an unknown version may be one."""
    return parse(version) is None or between(version, (2, 1, 0), (2, 5, 999))


def needs_locales(version: t.Optional[str]) -> bool:
    """3.3.9 to 3.4.x end with exit code 1 without ``locales/`` (docs/application.md, Start)."""
    return between(version, (3, 3, 9), (3, 4, 999))


def may_read_dictionary(version: t.Optional[str]) -> bool:
    """From 2.5.1 ``dictionary.txt`` is read where the full-text search is open; an unknown version is taken for one."""
    return at_least(version, (2, 5, 1)) is not False


def embeds_admin_pages(version: t.Optional[str]) -> bool:
    """From 3.4.5 a left-over ``system/`` directory hides the new administration pages."""
    return bool(at_least(version, (3, 4, 5)))


def keeps_token_secret_in_config(version: t.Optional[str]) -> bool:
    """2.1.2 to 3.3.3 sign administrator tokens with config.json's token_secret, even an empty one."""
    return between(version, (2, 1, 0), (3, 3, 3))


def has_siteinfo(version: t.Optional[str]) -> bool:
    """From 3.0.5 each site tells its id and whether the database answers; an unknown version is taken for one."""
    return at_least(version, (3, 0, 5)) is not False
