# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Which instances a host has: by its processes, its cron lines and our records, and below named directories."""

import errno
import os
import stat
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError, system_text
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import cron as _cron
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import reach, state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import Instance
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import found as found_instance
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.selection import split_deleted

_EVIDENCE = ('config.json', 'CHANGELOG.md', 'template', 'public', 'system', 'start.sh', 'locales')
_MOST_CHILDREN = 2000
# What says that nothing is there, or nothing for this user. All else, a stale or broken file system, hides an install.
_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENAMETOOLONG)
ProblemList = t.List[str]


class Process(t.NamedTuple):
    """A process of the host as far as one system call shows it; ``exe`` without the mark of a deleted file."""

    pid: int
    exe: str
    deleted: bool


def processes() -> t.List[Process]:
    """Every process whose executable may be read: one readlink each."""
    found = []
    for pid in procfs.list_pids():
        try:
            exe, deleted = split_deleted(os.readlink('/proc/%d/exe' % pid))
        except OSError:
            continue
        found.append(Process(pid, exe, deleted))
    return found


def looks_like_install(names: t.Collection[str], named_so: bool) -> bool:
    """Whether a directory with these entries is the application's. ``named_so``: the binary's name says so already."""
    count = sum(name in names for name in _EVIDENCE)
    return count >= (1 if named_so else 4)


def _entries(directory: str) -> t.List[str]:
    return [name for name in _EVIDENCE if os.path.lexists(os.path.join(directory, name))]


def _is_install(directory: str, binary: str, wanted: str) -> bool:
    return not reach.hangs(directory) and looks_like_install(_entries(directory), binary == wanted)


def _trouble(directory: str) -> t.Optional[int]:
    """The number of the failure of a look at it, None where there is none."""
    if reach.hangs(directory):
        return errno.ETIMEDOUT
    try:
        os.lstat(directory)
    except OSError as exc:
        return exc.errno
    except ValueError:
        return errno.ENOENT
    return None


def _is_out_of_reach(directory: str) -> bool:
    """Whether it is there, or was, and cannot be looked at: it is shown so, not left out."""
    trouble = _trouble(directory)
    return trouble is not None and trouble not in _NOT_THERE


def by_processes(table: t.Iterable[Process], binary: str) -> t.List[t.Tuple[str, str]]:
    """Directory and binary of each running executable that lies in an install directory."""
    found = []
    for exe, pid in sorted({process.exe: process.pid for process in table}.items()):
        directory, name = os.path.split(exe)
        name = name[: -len('.old')] if name == binary + '.old' else name  # an in-app upgrade leaves the running file so
        if name and ((name == binary and _is_lost(directory, pid)) or _is_install(directory, name, binary)):
            found.append((directory, name))
    return found


def _is_lost(directory: str, pid: int) -> bool:
    """Whether a process runs in a directory that is out of reach, or gone; a container's was never here."""
    trouble = _trouble(directory)
    if trouble is None or (trouble in _NOT_THERE and trouble != errno.ENOENT):
        return False
    try:
        return os.readlink('/proc/%d/ns/mnt' % pid) == os.readlink('/proc/self/ns/mnt')
    except OSError:
        return False


def _is_install_with(directory: str, binary: str) -> bool:
    """Whether it is an install with this binary, or may be one that is out of reach."""
    if _is_out_of_reach(directory):
        return True
    return _has_binary(directory, binary) and _is_install(directory, binary, binary)


def _has_binary(directory: str, binary: str) -> bool:
    try:
        return stat.S_ISREG(os.stat(os.path.join(directory, binary)).st_mode)
    except (OSError, ValueError):
        return False


def by_cron(lines: t.Iterable[_cron.CronLine], binary: str) -> t.List[t.Tuple[str, str]]:
    """Directories whose start.sh, stop.sh or binary a cron line names."""
    tails = ('start.sh', 'stop.sh', binary)
    named = {
        os.path.dirname(path) for line in lines for path in _cron.paths(line.command) if os.path.basename(path) in tails
    }
    return [(path, binary) for path in sorted(named) if _is_install_with(path, binary)]


def children(directory: str) -> t.List[str]:
    """The directories directly below, links left out, at most 2000. OSError when it cannot be listed."""
    found = []
    with os.scandir(directory) as entries:
        for number, entry in enumerate(entries):
            if number >= _MOST_CHILDREN:
                break
            if entry.is_dir(follow_symlinks=False):
                found.append(entry.path)
    return sorted(found)


def by_search(search: t.Iterable[str], binary: str, problems: ProblemList) -> t.List[t.Tuple[str, str]]:
    """Installs among the given directories and their direct children."""
    found = []
    for directory in search:
        try:
            reach.refuse_hanging(directory)
            places = [directory] + children(directory)
        except LifecycleError as exc:
            problems.append(exc.msg)
            continue
        except OSError as exc:
            problems.append('%s could not be searched: %s' % (directory, exc.strerror))
            continue
        found += [(path, binary) for path in places if _is_install_with(path, binary)]
    return found


def by_records(base: t.Optional[str], every: bool, problems: ProblemList) -> t.List[t.Tuple[str, str]]:
    """Installs that the state directory has as seen running: every one, or those whose last run did not end."""
    why: ProblemList = []
    seen = attempt(why, 'records', lambda: state.recorded(base, why), [])
    problems += ['the records of earlier instances cannot be read: %s' % reason for reason in why]
    return [(one.dir, one.binary) for one in seen if (every or one.interrupted) and _is_still_there(one)]


def _is_still_there(one: state.Recorded) -> bool:
    """A link that took the place of the directory leads to another one. What is out of reach is there.

    One that is gone was removed, but for a run of it that did not end: then somebody has to know.
    """
    trouble = _trouble(one.dir)
    if trouble is not None:
        return one.interrupted or trouble not in _NOT_THERE
    return os.path.realpath(one.dir) == one.dir and _is_install(one.dir, one.binary, one.binary)


def discover_all(
    search: t.Iterable[str],
    binary: str = 'anqicms',
    cron: t.Optional[_cron.Cron] = None,
    table: t.Optional[t.List[Process]] = None,
    seen: t.Iterable[t.Tuple[str, str]] = (),
) -> t.Tuple[t.List[Instance], ProblemList]:
    """Every instance that can be found, sorted by directory, and what could not be looked at. ``seen``: those too."""
    reach.forget()
    problems: ProblemList = []
    if cron is None:
        cron = attempt(problems, 'cron', _cron.read_all, _cron.Cron([], []))
    if table is None:
        table = attempt(problems, 'processes', processes, [])
    lines, shown = cron.lines, table
    places = attempt(problems, 'processes', lambda: by_processes(shown, binary), [])
    places += attempt(problems, 'cron', lambda: by_cron(lines, binary), [])
    places += attempt(problems, 'search', lambda: by_search(search, binary, problems), [])
    found: t.Dict[t.Tuple[str, str], Instance] = {}
    for directory, name in places + list(seen):
        instance = found_instance(directory, name, not reach.hangs(directory))
        found[(instance.dir, instance.binary)] = instance
    return [found[key] for key in sorted(found)], problems


_T = t.TypeVar('_T')


def attempt(problems: ProblemList, what: str, work: t.Callable[[], _T], instead: t.Any) -> _T:
    """What one way of looking finds; ``instead`` where it breaks, which is told as a problem. The others go on."""
    try:
        return work()
    except Exception as exc:
        problems.append('%s could not be searched for instances: %s' % (what, system_text(exc)))
        return t.cast(_T, instead)


def discover(search: t.Iterable[str], binary: str = 'anqicms') -> t.List[Instance]:
    """Every instance of the host: processes, cron lines, and ``search`` with the directories directly below it."""
    return discover_all(search, binary)[0]
