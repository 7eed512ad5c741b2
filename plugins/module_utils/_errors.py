# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The exceptions that the work raises and modules turn into a failed result."""

import errno
import os
import re
import typing as t

_NOTHING = re.compile(
    r'\b([Nn])othing was (?=(?:done|changed|stopped|started|signalled|staged|planned|renamed|unpacked)\b)'
)
_USED_UP: t.Dict[int, t.Tuple[str, str]] = {
    errno.EAGAIN: (
        'no more processes can be created: the limit of this user or of the host is reached',
        'Raise the limit (ulimit -u, pids.max) or end some processes, then try again.',
    ),
    errno.EMFILE: (
        'no more files can be opened: the limit of this process is reached',
        'Raise the limit (ulimit -n), then try again.',
    ),
    errno.ENFILE: (
        'no more files can be opened: the limit of the host is reached',
        'Raise fs.file-max or end some processes, then try again.',
    ),
    errno.ENOMEM: ('there is not enough memory', 'Free memory, then try again.'),
    errno.ENOSPC: ('no space is left on the disk', 'Free space, then try again.'),
    errno.EDQUOT: ('the disk quota of this user is used up', 'Free space, then try again.'),
    errno.EROFS: ('the file system is read-only', 'Mount it writable, then try again.'),
}


class LifecycleError(Exception):
    """What was seen, what was not done, what to do next; ``result`` goes into the module's result as it is."""

    def __init__(self, msg: str, **result: t.Any) -> None:
        Exception.__init__(self, msg)
        self.msg = msg
        self.result = result


class NotYet(LifecycleError):
    """What stands in the way of a start can pass by itself: a database that is down, a held port, a busy file."""


def used_up(exc: BaseException) -> t.Optional[t.Tuple[str, str]]:
    """What of the host is used up, and what to do about it; None for any other failure."""
    found = _USED_UP.get(exc.errno or 0) if isinstance(exc, OSError) else None
    return None if found is None else ('%s (%s)' % (found[0], system_text(exc)), found[1])


def reason(exc: OSError) -> str:
    """Why the system refused, in words of ours where something of the host is used up; the file is named elsewhere."""
    found = _USED_UP.get(exc.errno or 0)
    return found[0] if found else str(exc.strerror or exc)


def system_text(exc: BaseException) -> str:
    """A failure for people: that of the system with the file where there is one."""
    if isinstance(exc, LifecycleError):
        return exc.msg
    if not isinstance(exc, OSError) or exc.errno is None:
        return '%s: %s' % (type(exc).__name__, exc)
    where = '%s: ' % os.fsdecode(exc.filename) if isinstance(exc.filename, (str, bytes)) else ''
    return where + (exc.strerror or os.strerror(exc.errno))


def nothing_done(what: str, exc: BaseException) -> LifecycleError:
    """The refusal after a failure of the system before anything was touched. ``what``: what could not be done."""
    why, advice = used_up(exc) or (system_text(exc), 'Fix this, then try again.')
    return LifecycleError('%s: %s. Nothing was stopped or started. %s' % (what, why, advice))


def after_a_change(msg: str) -> str:
    """The message of a refusal where something was done before it: it may not say that nothing was. Pure."""
    said = msg.replace('No process was signalled', 'No further process was signalled')
    return _NOTHING.sub(lambda found: found.group(1) + 'othing more was ', said)


_T = t.TypeVar('_T')


def present(value: t.Optional[_T]) -> _T:
    """A value that an earlier step has set; that it is missing would be a defect of ours."""
    if value is None:
        raise AssertionError('a value is missing that an earlier step should have set')
    return value
