# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Who may run an instance. A process of anybody else is a stranger, whatever file it executes.

By the real user id: the effective one can be that of a setuid program.
"""

import os
import pwd
import stat
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import files as _files
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.names import name_of
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state as _state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import trusted, units
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import Instance

ROOT = 'root, by the path of the instance'
Named = t.Union[str, int, None]


class Users(t.NamedTuple):
    """``why`` says for each uid what makes it one of the instance's users.

    Root is always among them. A process of root must also have been executed by the path of the instance, which is for
    the selection to see.
    """

    uids: t.FrozenSet[int]
    why: t.Dict[int, str]

    def has(self, uid: int) -> bool:
        return uid in self.uids

    def text(self) -> str:
        """For messages: every user but root, and why."""
        return ', '.join('%s (%s)' % (name_of(uid), self.why[uid]) for uid in sorted(self.uids) if uid) or 'root alone'


def decide(
    directory: int,
    files: t.Mapping[str, int],
    proved: t.Optional[int] = None,
    unit: t.Optional[t.Tuple[str, int]] = None,
    user: t.Optional[int] = None,
) -> Users:
    """The users, from what was seen. Pure.

    ``directory``: its owner. ``files``: the owners of its files where root alone can write the directory. ``proved``:
    of a start that was proved. ``unit``: the unit that holds the process, and its user. ``user``: the option.
    """
    why: t.Dict[int, str] = {}
    reasons = [(user, 'given as user'), (directory, 'owns the directory')]
    reasons += [(uid, 'owns %s' % name) for name, uid in sorted(files.items())]
    reasons.append((proved, 'ran it after a verified start'))
    if unit is not None:
        reasons.append((unit[1], 'User= of %s' % unit[0]))
    for uid, reason in reasons:
        if uid is not None:
            why.setdefault(uid, reason)
    why.setdefault(0, ROOT)
    return Users(frozenset(why), why)


def users_of(
    instance: Instance,
    state: t.Optional[_state.StateDir],
    user: Named = None,
    cgroups: t.Optional[t.Mapping[str, str]] = None,
) -> Users:
    """The users of an instance. ``cgroups``: of the process in question, whose unit may name one more.

    LifecycleError where there is no such ``user``; OSError where the directory cannot be looked at.
    """
    proved = _proved(state)
    with _files.InstallDir(instance.dir) as directory:
        files = _owners_of_files(directory, proved.get('log')) if directory.root_only else {}
        owner = directory.uid
    unit = units.unit_and_uid(instance, cgroups) if cgroups else None
    return decide(owner, files, proved.get('uid'), unit, uid_of(user))


def uid_of(user: Named) -> t.Optional[int]:
    """The id of a user by name or number, None when none is given. LifecycleError when there is no such user."""
    if user is None or user == '':
        return None
    try:
        return pwd.getpwnam(str(user)).pw_uid
    except KeyError:
        if str(user).isdigit() and int(user) < 2**32 - 1:
            return int(user)
    raise LifecycleError(
        'There is no user %s on this host. Nothing was stopped '
        "or started. Set user to the name of the instance's user." % user
    )


def known(user: t.Optional[str]) -> t.Optional[str]:
    """The option ``user`` as it is given. LifecycleError when there is no such user: before anything is looked at."""
    uid_of(user)
    return user or None


def _proved(state: t.Optional[_state.StateDir]) -> t.Mapping[str, t.Any]:
    """The last start that was proved. A damaged record counts as none: it makes nobody a user."""
    try:
        data = state.read_json('launch.json') if state is not None else None
    except (OSError, LifecycleError):
        return {}
    return (data or {}).get('proved') or {}


def _owners_of_files(directory: _files.InstallDir, log: t.Optional[str]) -> t.Dict[str, int]:
    """Of what root alone could put there: the owner of the directory says nothing then, these do."""
    owners = {}
    for name, is_kind in (('config.json', stat.S_ISREG), ('data', stat.S_ISDIR), ('running.log', stat.S_ISREG)):
        found = directory.lstat(name)
        if found is not None and is_kind(found.st_mode):
            owners[name] = found.st_uid
    if log and directory.relative(log) is None:
        found = _log_of_root(log)
        if found is not None:
            owners[log] = found.st_uid
    return owners


def _log_of_root(path: str) -> t.Optional[os.stat_result]:
    """A log elsewhere that root alone could put there; None where anybody else could have."""
    try:
        found = os.lstat(path)
        safe = trusted.untrusted_part(os.path.dirname(path), 0) is None
    except OSError:
        return None
    return found if safe and stat.S_ISREG(found.st_mode) and found.st_nlink == 1 else None
