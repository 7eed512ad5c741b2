# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Which staged and replaced files are not needed any more. Pure."""

import re
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change.store import Staged, Switch

_OURS = re.compile(r'(?:new|old|left|zip)-[0-9A-Za-z._-]+\Z')


class Gone(t.NamedTuple):
    """``names``: below ``.lifecycle``. ``records``: kind and name."""

    names: t.List[str]
    records: t.List[t.Tuple[str, str]]


def needed(switches: t.Sequence[Switch], active: t.Optional[Switch], used: t.Collection[t.Any]) -> t.Set[str]:
    """Switches that must stay: the active one, those of the same run, and what an unfinished run would take back."""
    found = {one.id for one in switches if one.id in used}
    if active is not None:
        found.add(active.id)
        found.update(one.id for one in switches if one.run_id is not None and one.run_id == active.run_id)
    return found


def choose(
    names: t.Sequence[str],
    staged: t.Sequence[Staged],
    switches: t.Sequence[Switch],
    active: t.Optional[Switch],
    keep: int,
    used: t.Collection[t.Any] = (),
) -> Gone:
    """``staged`` and ``switches``: the newest first. Besides what must stay, the last ``keep`` of both stay."""
    stay = needed(switches, active, used)
    switched = {one.tree for one in switches}
    things = sorted(
        [(one.at, 'switch', one.id) for one in switches]
        + [(one.at, 'staged', one.tree) for one in staged if one.tree not in switched],
        reverse=True,
    )
    kept = {(kind, name) for _at, kind, name in things[:keep]} | {('switch', number) for number in stay}
    trees = {name for kind, name in kept if kind == 'staged'}
    marks: t.List[str] = []
    for one in switches:
        if ('switch', one.id) in kept:
            trees.update((one.tree, one.old))
            marks.append(one.left + '-')
    gone = [name for name in names if _OURS.match(name) and name not in trees and not name.startswith(tuple(marks))]
    records = [('switch', one.id) for one in switches if ('switch', one.id) not in kept]
    records += [('staged', one.tree) for one in staged if one.tree not in trees]
    return Gone(sorted(gone), records)
