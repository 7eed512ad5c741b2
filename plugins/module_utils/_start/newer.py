# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Whether a database is newer than the version that would be started on it, which would change its tables."""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import asking, migration
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database.target import Answer
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context


class Said(t.NamedTuple):
    """``newer``: databases that are, and how that is seen. ``unknown``: why it could not be asked."""

    newer: t.Sequence[str] = ()
    unknown: t.Sequence[str] = ()


def judge(version: t.Optional[str], found: t.Sequence[asking.Found],
          recorded: t.Callable[[str], t.Optional[str]]) -> Said:
    """``recorded``: the highest version that we have seen work on the database of a key. Pure."""
    newer, unknown = [], []
    for one in found:
        if one.seen is None:
            unknown.append('whether it is newer than this version is not known: %s: %s' % (one.name, one.why))
            continue
        answer = migration.is_newer(version, one.seen, recorded(one.key))
        if answer.newer:
            newer.append('%s by %s' % (one.name, answer.why))
        elif answer.newer is None:
            unknown.append('whether %s is newer than this version is not known: %s' % (one.name, answer.why))
    return Said(newer, unknown)


def ask(context: Context, version: t.Optional[str], answers: t.Sequence[Answer]) -> Said:
    """Nothing where the plan of this run has asked, or a step before this start puts the databases back."""
    if context.run.knows_databases or context.foreseen.restores_databases:
        return Said()
    if answers and all(answer.problem for answer in answers):
        return Said()  # that is what is said then
    return judge(version, asking.found(context), lambda key: migration.recorded(context.state.path, key))


def remember(path: str, found: t.Iterable[asking.Found]) -> None:
    """Note the version that each has now: an old one may set its mark back. What cannot be noted is asked again.

    ``path``: the trusted state of the instance.
    """
    for one in found:
        if one.seen is not None:
            try:
                migration.remember(path, one.key, migration.version_of(one.seen))
            except OSError:
                return
