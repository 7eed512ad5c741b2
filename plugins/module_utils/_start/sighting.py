# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What a start follows of how the instance was seen running. Pure.

A process of the instance's user shows how that user has it run: arguments, environment, directory, umask, limits, nice.
It shows nothing that root would have to give: user, groups, security label and control group come from the last start
that was proved, from the user database, or from the unit. What differs is named.
"""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import traits
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.cgroups import in_login_session
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.launch import LaunchRecord, Proved
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.units import system_unit


class Account(t.NamedTuple):
    """A user as the user database has it. ``known``: it has an entry there."""

    uid: int
    gid: int
    groups: t.Sequence[int]
    home: str
    name: str
    known: bool = True


class Own(t.NamedTuple):
    """What a process of ours has, and the new one would have where nothing else is wanted."""

    label: t.Optional[str] = None
    cgroups: t.Mapping[str, str] = {}


class Settled(t.NamedTuple):
    record: LaunchRecord
    notes: t.List[str]


def as_seen(seen: LaunchRecord, ending: t.Optional[str] = None) -> Settled:
    """Everything as it was seen: a process of root, or for a caller who has no rights to give.

    ``ending``: the unit that it was seen in, where that ends with it.
    """
    notes = traits.named(seen.traits)
    if ending is not None and system_unit(seen.cgroups) == ending:
        return Settled(seen._replace(cgroups={}), notes + [_ended_with(ending)])
    return Settled(seen, notes)


def settle(
    seen: t.Optional[LaunchRecord],
    fresh: LaunchRecord,
    account: Account,
    proved: t.Optional[Proved],
    own: Own,
    in_its_unit: bool = False,
    ending: t.Optional[str] = None,
) -> Settled:
    """How to start it as this user.

    ``seen``: how it was last seen running. ``fresh``: a plain start. ``in_its_unit``: the control group that it was
    seen in is that of a unit which root has written for it. ``ending``: the unit that ends with it.
    """
    proved = proved if proved is not None and proved.uid == account.uid else None
    if seen is not None and seen.uid == account.uid:
        record, notes = seen, traits.named(seen.traits)
    else:
        record, notes = fresh, _of_another_user(seen, account)
    gid, groups = _groups(record, account, proved)
    notes += _different_groups(seen, gid, groups) if record is seen else []
    label, cgroups = (proved.label, proved.cgroups) if proved else (None, {})
    if in_its_unit and record is seen:
        cgroups = record.cgroups
    if ending is not None and system_unit(cgroups) == ending:
        cgroups = {}
        notes.append(_ended_with(ending))
    elif record is seen:
        notes += _different_place(record, label, cgroups, own)
    return Settled(record._replace(gid=gid, groups=list(groups), label=label, cgroups=dict(cgroups)), notes)


def _ended_with(unit: str) -> str:
    return (
        'systemd ends every process left in %s when its main process has ended. The new process is therefore not put '
        'into the control group of that unit, and the limits of the unit do not apply to it' % unit
    )


def _groups(record: LaunchRecord, account: Account, proved: t.Optional[Proved]) -> t.Tuple[int, t.Sequence[int]]:
    if proved is not None and not account.known:
        return proved.gid, proved.groups
    if (record.gid, {*record.groups, record.gid}) == (account.gid, {*account.groups, account.gid}):
        return record.gid, record.groups  # the same rights, whether or not the list repeats the first group
    return account.gid, account.groups


def _of_another_user(seen: t.Optional[LaunchRecord], account: Account) -> t.List[str]:
    if seen is None:
        return []
    text = (
        'it last ran as uid %d and starts as uid %d: its former arguments, environment, directory, umask, limits, nice '
        'value and log are not used' % (seen.uid, account.uid)
    )
    return [text + (' (arguments: %s)' % ' '.join(seen.argv[1:]) if seen.argv[1:] else '')]


def _different_groups(seen: t.Optional[LaunchRecord], gid: int, groups: t.Sequence[int]) -> t.List[str]:
    if seen is None or (seen.gid, {*seen.groups, seen.gid}) == (gid, {*groups, gid}):
        return []
    return [
        'it ran with group %d and groups %s; it starts '
        'with group %d and groups %s, as in the user database' % (seen.gid, list(seen.groups), gid, list(groups))
    ]


def _different_place(seen: LaunchRecord, label: t.Optional[str], cgroups: t.Mapping[str, str], own: Own) -> t.List[str]:
    """Security label and control group."""
    notes = []
    if seen.label is not None and seen.label != (label or own.label):
        notes.append(
            'it ran with the security label %s, which no verified start had; it gets the label of a new start'
            % seen.label
        )
    if in_login_session(seen.cgroups):
        return notes  # never taken over, and no loss
    wanted = cgroups or own.cgroups
    others = ['%s:%s' % item for item in sorted(seen.cgroups.items()) if wanted.get(item[0], item[1]) != item[1]]
    if others:
        notes.append(
            'it ran in the control group %s, which is neither that of its last verified start nor that of its unit; '
            'this control group is not used' % ', '.join(others)
        )
    return notes
