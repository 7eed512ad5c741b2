# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Backups and restores of the application itself, during which it holds ``<root>/data/backup/<name>.sql`` open.

A SIGTERM in its middle leaves half of the rows, or a file that looks whole. Needs no login.
"""

import os
import re
import stat
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import local_time, process, procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._stop.waiting import Waiting

BACKUP, RESTORE = 'backup', 'restore'
LOG_BYTES = 1 << 18  # how much of the log's end is searched for the end of a backup
_PLACE = '/data/backup/'
_DELETED = ' (deleted)'
_POLL_S, _PROGRESS_S = 0.05, 1.0
_MOST_TABLES = 16  # threads of a leader that has ended: they share their descriptors
_NAME = re.compile(r'\d{14}\.sql')
_DONE = re.compile(
    r'^(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) dumping\.all\.done\.cost'
    r'\[(?:(\d+)h)?(?:(\d+)m)?(\d+(?:\.\d+)?)(s|ms|\xb5s|ns)\]',
    re.M,
)
_UNITS = {'s': 1.0, 'ms': 1e-3, '\xb5s': 1e-6, 'ns': 1e-9}
_CLOSE_S = 2.0  # file name and log count whole seconds
_ZONES_S = 900.0  # time zones are multiples of a quarter of an hour
_WHAT = {BACKUP: 'the backup to', RESTORE: 'the restore from'}
_WHY = {
    BACKUP: 'open for writing (%s): a backup to this file, or an upload of it, is running',
    RESTORE: 'open for reading (%s): a restore from this file, or a download of it, is running (both look the same)',
}


class File(t.NamedTuple):
    """One file in use. ``kind``: written is a backup, read is a restore (or a download of it)."""

    path: str
    kind: str


class Descriptor(t.NamedTuple):
    """A descriptor of the process; ``flags`` is None where they could not be read."""

    path: str
    flags: t.Optional[int]
    size: int = 0
    changed_at: float = 0.0


class Seen(t.NamedTuple):
    """One look. ``known`` is False where descriptors could not be read: then nothing can be ruled out."""

    known: bool
    sizes: t.Dict[File, int]

    @property
    def files(self) -> t.List[File]:
        return sorted(self.sizes)


def is_backup_path(path: str, place: str = '') -> bool:
    """Whether it is a file of the backup page: of any site, wherever its root is, or in ``place``."""
    folder, _slash, name = path.rpartition('/')
    return name.endswith('.sql') and ((folder + '/').endswith(_PLACE) or folder == place != '')


def kind_of(flags: t.Optional[int]) -> str:
    """What is not known counts as a restore: to cut that does the greater harm."""
    return RESTORE if flags is None or flags & os.O_ACCMODE == os.O_RDONLY else BACKUP


def is_over(path: str, changed_at: float, log: str) -> bool:
    """Whether the log says that this backup has ended. Up to 3.4.2 its descriptor stays open for minutes more.

    The line's time less what the backup took is the time in the file's name, and the last write was at its end.
    """
    name = os.path.basename(path)
    if not _NAME.fullmatch(name):
        return False
    for stamp, hours, minutes, number, unit in _DONE.findall(log):
        cost = int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(number) * _UNITS[unit]
        try:
            end, begin = local_time.seconds(stamp), local_time.seconds(name)
        except ValueError:
            continue
        apart = (changed_at - end + _CLOSE_S) % _ZONES_S
        if abs(end - cost - begin) <= _CLOSE_S and apart <= 2 * _CLOSE_S:
            return True
    return False


def judge(descriptors: t.Iterable[Descriptor], place: str = '', log: t.Callable[[], str] = str) -> t.Dict[File, int]:
    """The backups and restores among these regular files, each with its size. ``log`` is asked only for backups."""
    found: t.Dict[File, int] = {}
    for entry in descriptors:
        path = entry.path[: -len(_DELETED)] if entry.path.endswith(_DELETED) else entry.path
        if not is_backup_path(path, place):
            continue
        kind = kind_of(entry.flags)
        if kind != BACKUP or not is_over(path, entry.changed_at, log()):
            found[File(shown(path), kind)] = entry.size
    return found


def shown(path: str) -> str:
    """Bytes that are not UTF-8 as ``\\xNN``: neither a result nor a terminal takes them."""
    return path.encode('utf-8', 'surrogateescape').decode('utf-8', 'backslashreplace')


# --- one look at a process


def _tables(proc: procfs.ProcDir) -> t.List[str]:
    """Where its descriptors are listed. Of a leader that has ended only its threads show them."""
    state = proc.stat()
    if state is None or state.state not in 'ZX':
        return ['']
    return ['task/%s/' % task for task in proc.names('task') if task != str(proc.pid)]


def _descriptor(proc: procfs.ProcDir, table: str, number: str, place: str) -> t.Optional[Descriptor]:
    """None for everything but a regular file with the name of a backup. OSError when it was closed meanwhile."""
    path = proc.link('%sfd/%s' % (table, number))
    plain = path[: -len(_DELETED)] if path.endswith(_DELETED) else path
    if not is_backup_path(plain, place):
        return None
    info = os.stat('%sfd/%s' % (table, number), dir_fd=proc.fd)
    if not stat.S_ISREG(info.st_mode):
        return None
    try:
        flags = procfs.parse_flags(proc.read('%sfdinfo/%s' % (table, number), 4096))
    except PermissionError:
        return Descriptor(path, None, info.st_size, info.st_mtime)
    return Descriptor(path, flags, info.st_size, info.st_mtime)


def _descriptors(proc: procfs.ProcDir, table: str, place: str) -> t.Iterator[Descriptor]:
    """OSError when this user may not look, there are too many, or the process is gone."""
    for number in proc.descriptors(table):
        try:
            entry = _descriptor(proc, table, number, place)
        except OSError as exc:
            if exc.errno not in procfs.GONE:
                raise
            continue
        if entry is not None:
            yield entry


def look(proc: procfs.ProcDir, directory: str, log: t.Callable[[], str] = str) -> Seen:
    """What the process of this install directory backs up or restores now. ``log``: the end of what it has logged."""
    place = os.path.realpath(os.path.join(directory, _PLACE.strip('/')))  # data/ may be a link to another disk
    known = True
    entries: t.List[Descriptor] = []
    try:
        for table in _tables(proc)[:_MOST_TABLES]:
            entries += _descriptors(proc, table, place)
    except OSError as exc:
        known = exc.errno in procfs.GONE
    return Seen(known, judge(entries, place, log))


def look_at(context: Context, handle: process.ProcessHandle) -> Seen:
    return look(handle.proc, context.instance.dir, lambda: context.logs.since(0, LOG_BYTES))


def rows(seen: t.Iterable[File]) -> t.List[t.Dict[str, str]]:
    return [dict(path=entry.path, kind=entry.kind) for entry in sorted(seen)]


def would_wait(seen: Seen, seconds: float) -> str:
    """For check mode; empty when nothing is to be waited for."""
    if not seen.files:
        return ''
    return 'wait at most %g s for the end of %s, ' % (
        seconds,
        ' and '.join('%s %s' % (_WHAT[entry.kind], entry.path) for entry in seen.files),
    )


# --- the wait before the signal


class Wait(Waiting):
    """Waits until the process neither backs up nor restores. The time counts from the first look that saw one."""

    option = 'quiet_timeout'

    def __init__(self, context: Context, handle: process.ProcessHandle, seconds: float) -> None:
        Waiting.__init__(self, context, handle, seconds)
        self.seen = Seen(True, {})
        self.known = True
        self.first: t.Dict[File, t.Tuple[float, int]] = {}

    def is_quiet(self) -> bool:
        """One look. What cannot be seen does not hold the stop up: the result says that it is not known."""
        self.seen, now = look_at(self.context, self.handle), time.monotonic()
        self.known = self.known and self.seen.known
        for entry, size in self.seen.sizes.items():
            self.first.setdefault(entry, (now, size))
        if self.seen.files and self.begin is None:
            self.begin = now
        return not self.seen.files

    def until_quiet(self) -> None:
        """LifecycleError when the time is over, in a window also at its deadline."""
        with self._counting():
            while self.seen.files and not self.handle.gone():
                if time.monotonic() >= self._end():
                    raise self._refusal()
                self._tell()
                self.handle.wait_gone(min(_POLL_S, max(0.0, self._end() - time.monotonic())))
                self.is_quiet()

    def _tell(self) -> None:
        now = time.monotonic()
        if now - self.told_at < _PROGRESS_S:
            return
        self.told_at = now
        entry = self.seen.files[0]
        since, size = self.first[entry]
        grown = self.seen.sizes[entry] - size
        more = ', %s more than at the first check' % _size(grown) if entry.kind == BACKUP else ''
        self.context.progress(
            'waiting for the end of %s %s: %d s, %s%s'
            % (_WHAT[entry.kind], entry.path, now - since, _size(self.seen.sizes[entry]), more)
        )

    def _refusal(self) -> LifecycleError:
        entry = self.seen.files[0]
        stat_now = self.handle.proc.stat()
        halted = ' The process is suspended (state T).' if stat_now is not None and stat_now.state == 'T' else ''
        return LifecycleError(
            'pid %d of %s has %s %s.%s The stop waited for %d s, %s. Nothing was signalled. force does not override '
            'this. Wait until it has ended (the backup page of the administration shows it; a download ends with its '
            'connection), then try again, or raise quiet_timeout.'
            % (
                self.handle.pid,
                self.context.instance.id,
                entry.path,
                _WHY[entry.kind] % _size(self.seen.sizes[entry]),
                halted,
                time.monotonic() - self.first[entry][0],
                self._limit(),
            ),
            pid=self.handle.pid,
            quiet=self.result(),
        )

    def result(self) -> t.Dict[str, t.Any]:
        return dict(waited_ms=self._waited_ms(), files=rows(self.first), known=self.known)


def nothing() -> t.Dict[str, t.Any]:
    """The result where no process runs."""
    return dict(waited_ms=0, files=[], known=True)


def _size(count: int) -> str:
    return '%.1f MiB' % (count / 1048576.0)


# --- processes that hold files open below the install directory: locks and half-written files that outlive it


_LOG = re.compile(r'\.log($|[.\-_ ])')  # running.log, running.log.1, running.log (deleted)

_MOST, _MOST_FILES = 100, 200  # processes that are held and named, and files of each
_LOOK_S = 3.0  # seconds for a look at the open files of all processes


class OpenFiles(t.NamedTuple):
    """One process and what it held: ``paths`` by descriptor."""

    handle: process.ProcessHandle
    paths: t.Dict[str, str]


def is_log_reader(path: str, flags: int) -> bool:
    """Somebody who only reads a log (tail, a log shipper) holds nothing back."""
    return flags & os.O_ACCMODE == os.O_RDONLY and _LOG.search(os.path.basename(path)) is not None


def _open_paths(pid: int, prefix: str) -> t.Dict[str, str]:
    found: t.Dict[str, str] = {}
    try:
        with procfs.ProcDir(pid) as proc:
            for name in proc.descriptors():
                path = proc.optional_link('fd/' + name) or ''
                if path.startswith(prefix) and not _only_reads_log(proc, name, path):
                    found[name] = path
                if len(found) >= _MOST_FILES:
                    break
    except OSError:
        pass  # ended, not ours to look at, or too many
    return found


def _only_reads_log(proc: procfs.ProcDir, name: str, path: str) -> bool:
    try:
        return is_log_reader(path, procfs.parse_flags(proc.read('fdinfo/' + name, 4096)))
    except OSError:
        return False


def holders(directory: str, but: t.Container[int]) -> t.List[OpenFiles]:
    """Every process but these that this user may look at and that has a file below the directory open.

    At most 100, and what was found in some seconds: anybody may open files, and each takes a descriptor of ours.
    """
    prefix: str = directory.rstrip('/') + '/'
    found: t.List[OpenFiles] = []
    end = time.monotonic() + _LOOK_S
    for pid in procfs.list_pids():
        if time.monotonic() > end or len(found) >= _MOST:
            break
        paths = {} if pid in but else _open_paths(pid, prefix)
        handle = process.open_process(pid) if paths else None
        if handle is not None:
            found.append(OpenFiles(handle, paths))
    return found


def still_there(found: t.Sequence[OpenFiles]) -> t.List[t.Dict[str, t.Any]]:
    """Which of them still hold their files, for the result: an entry for each file. Closes the handles."""
    rows = []
    for entry in found:
        with entry.handle as handle:
            for descriptor in [] if handle.gone() else sorted(entry.paths):
                if handle.proc.optional_link('fd/' + descriptor) == entry.paths[descriptor]:
                    rows.append(
                        dict(pid=handle.pid, exe=handle.proc.optional_link('exe'), path=entry.paths[descriptor])
                    )
    return rows
