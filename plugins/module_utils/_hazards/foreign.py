# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Whether an install looks like one of somebody else: it lies where its owner does not own the place.

Anybody with an account can put a program of that name somewhere and run it. What is found so is shown, not worked on.
"""

import os
import pwd
import stat
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.names import name_of

_NO_LOGIN = ('nologin', 'false', 'sync', 'shutdown', 'halt')


class Part(t.NamedTuple):
    """One directory of a path: owner and mode."""

    path: str
    uid: int
    mode: int


def why_foreign(directory: str, uid: int) -> t.Optional[str]:
    """Why an install that this user runs looks like one of somebody else; None where nothing speaks against it."""
    try:
        parts = [Part(path, info.st_uid, info.st_mode) for path, info in _stats(directory)]
    except OSError as exc:
        return 'the way to its directory cannot be seen: %s' % exc.strerror
    return judge(parts, uid, os.geteuid()) or _in_a_home(directory, uid)


def of_directory(directory: str) -> t.Optional[str]:
    """The same where it is not known who runs it: judged by the owner of the directory."""
    try:
        return why_foreign(directory, os.lstat(directory).st_uid)
    except OSError as exc:
        return 'its directory cannot be seen: %s' % exc.strerror


def _stats(directory: str) -> t.Iterator[t.Tuple[str, os.stat_result]]:
    path = '/'
    for name in [''] + [name for name in directory.split('/') if name]:
        path = os.path.join(path, name)
        yield path, os.lstat(path)


def judge(parts: t.Sequence[Part], uid: int, ours: int = 0) -> t.Optional[str]:
    """The same from what was seen of each directory, the install directory last. ``ours``: who works on it.

    Nobody can make root run something: what root runs is judged by the owner of its directory, and may be refused for
    that by name.
    """
    uid = uid or parts[-1].uid
    for part, following in zip(parts, parts[1:]):
        if part.uid not in (0, uid):
            return 'it is below %s, which belongs to %s, and %s runs it' % (
                part.path,
                name_of(part.uid),
                name_of(uid),
            )
        if part.mode & stat.S_IWOTH and (following.uid not in (0, ours) or not part.mode & stat.S_ISVTX):
            return 'it is below %s, where all users may put files' % part.path
    if parts[-1].uid not in (0, uid):
        return 'its directory belongs to %s, and %s runs it' % (name_of(parts[-1].uid), name_of(uid))
    if parts[-1].mode & stat.S_IWOTH:
        return 'all users may write to its directory'
    return None


def _in_a_home(directory: str, uid: int) -> t.Optional[str]:
    """A user who can log in may run what he likes in his home; a user of a service has no shell."""
    if uid in (0, os.geteuid()):
        return None
    try:
        user = pwd.getpwuid(uid)
    except KeyError:
        return None
    home = os.path.realpath(user.pw_dir)
    can_log_in = os.path.basename(user.pw_shell or 'sh') not in _NO_LOGIN
    if can_log_in and home.count('/') > 1 and (directory + '/').startswith(home + '/'):
        return 'it is in the home directory of %s, who can log in' % user.pw_name
    return None
