# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Where the new process writes: which log, and who opens it.

Where others can write the directory, which must be the install directory then, the instance's user opens it, by its
name. Where root alone can, root opens it: the very file that the process holds open, or that of the last proved start;
never a file that only a text names.
"""

import os
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import files, procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import launch
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.launch import LaunchRecord
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs import position as _log_position

BY_USER, HELD, PROVED, NOWHERE = 'by its user', 'held', 'proved', 'nowhere'
APPEND = os.O_WRONLY | os.O_APPEND
_KINDS = dict(
    pipe='a pipe',
    socket='a socket',
    terminal='a terminal',
    closed='nothing (it was closed)',
    null='/dev/null',
    other='something other than a log file',
    file='a file',
)
_WAY_OUT = (
    "Create it again as a regular file of the instance's user, in directories that only root can write, or start the "
    "instance manually once with its output in running.log of the install directory."
)


class Choice(t.NamedTuple):
    """One way to open the log. ``path`` is None for /dev/null."""

    path: t.Optional[str]
    how: str
    note: t.Optional[str] = None


class Output(t.NamedTuple):
    """``fd``: opened by root; -1 where the user opens ``path``."""

    path: t.Optional[str]
    how: str = BY_USER
    fd: int = -1
    notes: t.Sequence[str] = ()

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)


# --- which: pure


def choices(seen: t.Optional[LaunchRecord], proved: t.Optional[str], directory: str, running: bool) -> t.List[Choice]:
    """The ways to open its log, best first; none where nothing fits. ``proved``: the log of the last proved start."""
    if seen is None or (seen.log is None and seen.output == 'file'):
        return [_by_name(proved or os.path.join(directory, 'running.log'), directory)]
    if seen.log is None:
        return [_without_log(seen, directory)]
    note = _both_in_one(seen, seen.log)
    if launch.is_inside(directory, seen.log):
        return _inside(seen, seen.log, proved, directory, running, note)
    elsewhere = proved if proved and not launch.is_inside(directory, proved) else None
    found = _outside(seen, seen.log, elsewhere, running, note)
    return found if seen.output in (None, 'file') else found + [_instead_of_errors(seen, seen.log, directory)]


def _by_name(path: str, directory: str) -> Choice:
    return Choice(path, BY_USER if launch.is_inside(directory, path) else PROVED)


def _without_log(seen: LaunchRecord, directory: str) -> Choice:
    if seen.output == 'null':
        return Choice(None, NOWHERE, 'its output goes to /dev/null, as before')
    path = os.path.join(directory, 'running.log')
    what = _KINDS.get(seen.output or '', 'an unknown place')
    return Choice(path, BY_USER, 'its output went to %s before; it now goes to %s' % (what, path))


def _instead_of_errors(seen: LaunchRecord, log: str, directory: str) -> Choice:
    """Where only its standard error was in a file, that file need not be had: its output went elsewhere anyway."""
    path = os.path.join(directory, 'running.log')
    return Choice(
        path,
        BY_USER,
        'its standard output went to %s, its standard error to %s; both now go to %s'
        % (_KINDS.get(seen.output or ''), log, path),
    )


def _both_in_one(seen: LaunchRecord, log: str) -> t.Optional[str]:
    """Standard output and standard error go to the same log; where that was not so, it is named."""
    if seen.output not in (None, 'file'):
        return 'its standard output went to %s before; it now goes to %s' % (_KINDS.get(seen.output or ''), log)
    if seen.error_output is not None:
        return 'its standard error went to %s of its own; it now goes to %s' % (_KINDS.get(seen.error_output), log)
    return None


def _is_rotated(log: str, path: str) -> bool:
    """Whether ``path`` is a name that a rotation gives to ``log``."""
    beside = os.path.dirname(log) == os.path.dirname(path)
    return beside and os.path.basename(path) in _log_position.rotated_names(
        os.path.basename(log), [os.path.basename(path)]
    )


def _inside(
    seen: LaunchRecord, log: str, proved: t.Optional[str], directory: str, running: bool, note: t.Optional[str]
) -> t.List[Choice]:
    """By its name, opened by its user; root's ways before that fit only where root alone can write the directory."""
    for name in (proved, os.path.join(directory, 'running.log')):
        if name and _is_rotated(name, log):
            return [Choice(name, BY_USER, 'its log was rotated to %s; it now writes to %s again' % (log, name))]
    found = [Choice(log, HELD, note)] if _is_held(seen, running) else []
    found += [Choice(log, PROVED, note)] if proved == log else []
    return found + [Choice(log, BY_USER, note)]


def _is_held(seen: LaunchRecord, running: bool) -> bool:
    """Whether the very file can be told: of the process, or from when we stopped it."""
    return seen.log_found == 'same' and bool(running or seen.log_file)


def _outside(
    seen: LaunchRecord, log: str, proved: t.Optional[str], running: bool, note: t.Optional[str]
) -> t.List[Choice]:
    found = [Choice(log, HELD, note)] if _is_held(seen, running) else []
    if proved is not None and proved == log:
        found.append(Choice(proved, PROVED, note))
    elif proved is not None:
        text = 'it was writing to %s; it now writes to %s, the log of its last verified start' % (log, proved)
        found.insert(0 if _is_rotated(proved, log) else len(found), Choice(proved, PROVED, text))
    if seen.log_found == 'gone' or (not running and (seen.log_found or seen.output is None)):
        found.append(Choice(log, BY_USER, note))
    return found


# --- open


def opened(
    directory: files.InstallDir,
    seen: t.Optional[LaunchRecord],
    ways: t.Sequence[Choice],
    uid: int,
    proc: t.Optional[procfs.ProcDir],
    untouched: str,
) -> Output:
    """The first way that works. LifecycleError, naming the log, when none does. ``proc``: of the running process."""
    problems: t.List[LifecycleError] = []
    for way in ways:
        try:
            return Output(way.path, way.how, _open(directory, seen, way, uid, proc), [way.note] if way.note else [])
        except LifecycleError as exc:
            problems.append(LifecycleError('%s %s' % (exc.msg, untouched)))
        except OSError as exc:
            problems.append(
                LifecycleError('The log %s cannot be opened: %s. %s %s' % (way.path, exc.strerror, untouched, _WAY_OUT))
            )
    if problems:
        raise problems[0]
    raise LifecycleError(
        'The instance writes to the log %s, which is not the file of that name on this host. The log was not opened. '
        '%s %s' % (seen.log if seen else None, untouched, _WAY_OUT)
    )


def _open(
    directory: files.InstallDir, seen: t.Optional[LaunchRecord], way: Choice, uid: int, proc: t.Optional[procfs.ProcDir]
) -> int:
    """A descriptor where root opens it; -1 where the user will, after a look whether the file is a plain one."""
    if way.path is None:
        return -1
    if way.how == BY_USER:
        _look(directory, way.path, uid)
        return -1
    same = _identity(seen, proc) if way.how == HELD else None
    return directory.open_log(way.path, uid, APPEND, same, by_root=True)


def _look(directory: files.InstallDir, path: str, uid: int) -> None:
    try:
        os.close(directory.open_log(path, uid))
    except FileNotFoundError:
        if directory.relative(path) is None:
            raise


def _identity(seen: t.Optional[LaunchRecord], proc: t.Optional[procfs.ProcDir]) -> t.Tuple[int, int]:
    """Device and inode of the file that the process has open, or had when we stopped it."""
    if proc is not None:
        found = os.stat('fd/%d' % launch.output_of(proc).number, dir_fd=proc.fd)
        return found.st_dev, found.st_ino
    noted = (seen.log_file if seen else None) or (0, 0)
    return noted[0], noted[1]
