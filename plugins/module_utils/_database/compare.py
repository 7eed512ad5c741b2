# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Whether a database after a change of version still holds what it held before: never its definitions.

What holds was seen on real releases (docs/databases.md).
"""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import versions
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import client
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import content as facts

_ARTICLES = ('archives', 'archive_drafts')
_OWN_RULE = _ARTICLES + ('settings', 'statistics', 'archive_data')
_EXACT = ('admins', 'categories')  # nobody but a person adds to them
_REWRITTEN = ('last_run_version',)  # settings that a new version writes itself
_SETTINGS_COME = (2, 5, 0)


class Before(t.NamedTuple):
    """What was recorded at the stop. ``site``: of config.json where there were no settings in the database."""

    tables: facts.Recorded
    content: facts.Content
    site: t.Mapping[str, str] = {}


class After(t.NamedTuple):
    """What is there now. ``rows``: of each table, all and those that are not soft-deleted."""

    rows: t.Mapping[str, t.Tuple[int, int]]
    content: facts.Content


def broken(before: Before, after: After, version: t.Optional[str]) -> t.List[str]:
    """Which invariants are broken, in short sentences; empty when all hold. ``version`` is the new one. Pure."""
    return (
        _tables(before, after, version)
        + _articles(before, after)
        + _bodies(before.content, after.content)
        + _settings(before, after, version)
        + _admins(before.content, after.content)
    )


def notes(before: Before, after: After) -> t.List[str]:
    """What is different and allowed. Pure."""
    grown = [
        '%s has %d rows more' % (one, after.rows[one][1] - row.live)
        for one, row in sorted(before.tables.items())
        if one in after.rows and one not in _OWN_RULE and after.rows[one][1] > row.live
    ]
    gone = sum(row.rows - row.live for row in before.tables.values())
    return grown + (['%d rows were marked as deleted before' % gone] if gone else [])


def _tables(before: Before, after: After, version: t.Optional[str]) -> t.List[str]:
    found = []
    for one, row in sorted(before.tables.items()):
        if one not in after.rows:
            if one != 'statistics' or versions.at_least(version, versions.STATISTICS_IN_FILES) is False:
                found.append('the table %s is gone' % one)
        elif one not in _OWN_RULE:
            now = after.rows[one][1]
            if now < row.live or (now > row.live and one in _EXACT):
                found.append('%s has %d rows, not %d' % (one, now, row.live))
    return found


def _articles(before: Before, after: After) -> t.List[str]:
    """Drafts move to a table of their own; what was marked as deleted is purged."""
    then = sum(before.tables[one].live for one in _ARTICLES if one in before.tables)
    now = sum(after.rows[one][1] for one in _ARTICLES if one in after.rows)
    return [] if then == now else ['archives and archive_drafts have %d rows, not %d' % (now, then)]


def _bodies(before: facts.Content, after: facts.Content) -> t.List[str]:
    """The texts of the articles, all of them or without those that were marked as deleted."""
    if not before.bodies:
        return []
    now = after.bodies[2:] if after.bodies else []
    if now in (before.bodies[:2], before.bodies[2:]):
        return []
    return [
        'the texts of the articles (archive_data) are not what they were: %s, not %s (rows, sum)'
        % (' '.join(now) or 'none', ' '.join(before.bodies[2:]))
    ]


def _settings(before: Before, after: After, version: t.Optional[str]) -> t.List[str]:
    then, now = before.content.settings, after.content.settings
    lost = sorted(key for key in then if key not in now and key not in _REWRITTEN)
    changed = sorted(key for key in then if key in now and now[key] != then[key] and key not in _REWRITTEN)
    found = ['settings are missing: %s' % facts.listing(lost)] if lost else []
    found += ['settings have other values: %s' % facts.listing(changed)] if changed else []
    if not then and versions.at_least(version, _SETTINGS_COME) is not False and 'system' not in now:
        found.append('the settings of config.json did not come into the database')
    site = before.content.site or before.site
    return found + [
        '%s of the site is %r, not %r' % (key, after.content.site.get(key, ''), value)
        for key, value in sorted(site.items())
        if after.content.site.get(key) != value
    ]


def _admins(before: facts.Content, after: facts.Content) -> t.List[str]:
    wrong = sorted(one for one, value in before.admins.items() if after.admins.get(one) != value)
    return (
        ['administrators are missing, or have another name or password: id %s' % facts.listing(wrong)] if wrong else []
    )


# --- looking


def look(session: client.Session, limit: float = 60.0) -> After:
    """DatabaseError."""
    seen = facts.look(session, limit)
    held = facts.content(session, seen, limit)
    return After(facts.rows(session, seen, held, limit), held)
