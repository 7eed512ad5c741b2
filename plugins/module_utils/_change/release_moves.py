# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The renames of a switch, and how they are taken back: at once, or by a later rollback."""

import os
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import (
    listing,
    places,
    release_desk,
    switch,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._change.store import Store, Switch
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import binary as _binary
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context

Result = t.Dict[str, t.Any]


def expect(context: Context, version: t.Optional[str]) -> None:
    """What the next start of this run runs: until it tells, it counts as what the operator has named."""
    context.run.expected_version = version
    if version is not None:
        context.binaries.learn(_binary.of_file(context.instance.executable), version)
    context.read_files()


def move(desk: release_desk.Desk, one: Switch, work: t.Callable[[switch.Trees], int]) -> t.Tuple[int, t.Optional[str]]:
    return switch.run(desk.install, desk.bulk(), one, work)


def moved(
    version: t.Optional[str],
    previous: t.Optional[str],
    count: int,
    left: t.Optional[str],
    store: Store,
    one: Switch,
    **more: t.Any,
) -> Result:
    notes = ['Files that were in the way of restored files were moved to %s.' % left] if left else []
    journal = os.path.join(store.path, 'switch-%s.json' % one.id)
    return dict(more, changed=True, version=version, previous=previous, renames=count, journal=journal, notes=notes)


def undo(context: Context, change: t.Mapping[str, t.Any]) -> Result:
    """The inverse of a recorded change, from wherever it, or an inverse of before, has died."""
    with release_desk.Desk(context) as desk:
        one = desk.store.switch(change['switch'])
        if one is None:
            raise LifecycleError(
                'The record %s of a switch is missing in %s. The files were left as they are. Restore them from a '
                'backup, then run the recover playbook.' % (change['switch'], desk.store.path)
            )
        again = change['direction'] == 'reverted'
        count, left = move(desk, one, switch.again if again else switch.back)
        desk.store.set_active(one.id if again else one.before)
        expect(context, None)
        return moved(one.version if again else one.previous, one.version, count, left, desk.store, one)


def looks_of(
    desk: release_desk.Desk, one: Switch, change: t.Mapping[str, t.Any]
) -> t.Tuple[listing.Stats, listing.Stats]:
    out = [rename.path for rename in one.renames if rename.out]
    new = [rename.path for rename in one.renames if not rename.out]
    forward = change['direction'] == 'switched'
    with places.open_below(desk.bulk(), one.old if forward else one.tree) as kept:
        placed = listing.stats_of(desk.install, new if forward else out)
        return placed, listing.stats_of(kept, out if forward else new)


def refuse_take_back(context: Context, changes: t.Sequence[t.Mapping[str, t.Any]]) -> t.List[str]:
    """Of the changes of an earlier run, the newest first: the files that somebody has changed since.

    LifecycleError for what cannot be taken back, or is not what stands now.
    """
    altered: t.List[str] = []
    with release_desk.Desk(context) as desk:
        active = desk.store.active()
        for number, change in enumerate(changes):
            one = desk.store.switch(change['data']['switch'])
            if one is None or any(desk.bulk().lstat(name) is None for name in (one.tree, one.old)):
                raise LifecycleError(
                    'The files that were replaced are gone: %s cannot be taken back. Nothing was '
                    'done. Restore files and database from a backup.' % change['data'].get('version')
                )
            stands = one.id if change['data']['direction'] == 'switched' else one.before
            if number == 0 and (active.id if active else None) != stands:
                raise LifecycleError(
                    'The files are not those that the run has left: another release was switched in '
                    'or taken back since. Nothing was done. Take that back first.'
                )
            desk.refuse_file_systems(one.renames, one.version)
            placed, kept = looks_of(desk, one, change['data'])
            bad = listing.altered(change['left'].get('kept') or {}, kept)
            if bad:
                raise LifecycleError(
                    'Replaced files were altered or are gone: %s. Nothing was done. Restore files and '
                    'database from a backup.' % ', '.join(bad[:5])
                )
            altered += listing.altered(change['left'].get('placed') or {}, placed)
    return list(dict.fromkeys(altered))


def take_back(context: Context, change: t.Mapping[str, t.Any]) -> Result:
    """The inverse of a change of an earlier run, as a change of this one, which has its own inverse."""
    direction = 'switched' if change['direction'] == 'reverted' else 'reverted'
    context.run.record_change(
        release_desk.KIND, switch=change['switch'], direction=direction, version=change.get('version')
    )
    context.run.act()
    return undo(context, change)
