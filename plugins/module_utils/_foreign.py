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
    return judge(parts, uid) or _in_a_home(directory, uid)


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


def judge(parts: t.Sequence[Part], uid: int) -> t.Optional[str]:
    """The same from what was seen of each directory, the install directory last."""
    for part, following in zip(parts, parts[1:]):
        if part.uid not in (0, uid):
            return 'it lies below %s, which belongs to %s, and %s runs it' % (part.path, _name(part.uid), _name(uid))
        if part.mode & stat.S_IWOTH and (following.uid != 0 or not part.mode & stat.S_ISVTX):
            return 'it lies below %s, where everybody may put files' % part.path
    if parts[-1].uid not in (0, uid):
        return 'its directory belongs to %s, and %s runs it' % (_name(parts[-1].uid), _name(uid))
    if parts[-1].mode & stat.S_IWOTH:
        return 'everybody may write its directory'
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
        return 'it lies in the home directory of %s, who can log in' % user.pw_name
    return None


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return 'user id %d' % uid
