# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What is kept on the host about one instance, in a directory that its own user cannot write.

``instance.json`` which one it is, ``launch.json`` how it was last seen running, ``history.jsonl`` who was seen,
``journal.jsonl`` the runs, ``results/TOKEN.json`` what came of them. The lock is a flock on the install directory
itself: every user excludes every other, and it ends with its holder.
"""

import errno
import fcntl
import json
import os
import re
import stat
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils import _procfs, _records
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import Instance, instance_id

SYSTEM_DIR = '/var/lib/anqicms-lifecycle'
_KEEP_RESULTS = 20
_KEEP_HISTORY = 200
_KEEP_JOURNAL_BYTES = 262144
_RESERVE_BYTES = 1 << 20
_NAMED = 'instance.json'
_FIELDS = {_NAMED: _records.INSTANCE, 'launch.json': _records.LAUNCH}
_ASIDE = re.compile(r'.*\.aside-[0-9]{8}T[0-9]{6}Z(-[0-9]+)?\Z')

Entry = t.Dict[str, t.Any]


class DamagedState(LifecycleError):
    """A file of the state is of a newer format, or no release has written it so. ``seen``: which one, and why."""

    def __init__(self, path: str, why: object) -> None:
        self.seen = '%s %s' % (path, why)
        place = os.path.dirname(path)
        name = os.path.basename(os.path.dirname(place) if os.path.basename(place) == 'results' else place)
        LifecycleError.__init__(
            self, '%s. It was not used, and nothing was done. Update the collection on the controller, or move this '
            'state aside: run recover with anqicms_put_aside=%s.' % (self.seen, name))


def default_base() -> str:
    """/var/lib/anqicms-lifecycle as root, the user's own state directory otherwise."""
    if os.geteuid() == 0:
        return SYSTEM_DIR
    home = os.environ.get('XDG_STATE_HOME') or os.path.join(os.path.expanduser('~'), '.local', 'state')
    return os.path.join(home, 'anqicms-lifecycle')


def _others(found: os.stat_result, uid: int) -> int:
    """The write bits of others; a user's own group of one, with the user's number, is nobody else."""
    return 0o002 if uid and found.st_uid == found.st_gid == uid else 0o022


def untrusted_part(path: str, uid: int) -> t.Optional[str]:
    """The first part of the path that somebody but root and ``uid`` could change, None when there is none.

    A sticky directory of root's, such as /tmp, is no danger: others cannot rename or remove what is ours in it.
    """
    part = '/'
    for name in [''] + [name for name in os.path.abspath(path).split('/') if name]:
        part = os.path.join(part, name)
        try:
            found = os.lstat(part)
        except FileNotFoundError:
            return None
        sticky = found.st_mode & stat.S_ISVTX and found.st_uid == 0
        writable_by_others = found.st_mode & _others(found, uid) and not sticky
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (0, uid) or writable_by_others:
            return part
    return None


def write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data):]


def write_atomic(path: str, data: bytes, mode: int = 0o600, flush: bool = True) -> None:
    """Replace a file of ours: written beside it, flushed, renamed. Mode 0600 unless said.

    Without ``flush``, which costs many ms, a power cut may leave anything: for what is compared before each use.
    """
    temporary = '%s.%d.tmp' % (path, os.getpid())
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        try:
            os.fchmod(fd, mode)
            write_all(fd, data)
            if flush:
                os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise


def last_run(entries: t.Sequence[Entry]) -> t.List[Entry]:
    """The entries of the newest run: from its ``begin`` on."""
    for index in range(len(entries) - 1, -1, -1):
        if entries[index].get('event') == 'begin':
            return list(entries[index:])
    return []


def unfinished(run: t.Sequence[Entry]) -> t.Optional[Entry]:
    """What is known of a run without an ``end``: run id, its last step, its process before; None when it ended."""
    if not run or any(entry.get('event') == 'end' for entry in run):  # a late entry may stand after it
        return None
    steps = [entry for entry in run if entry.get('event') == 'step']
    parked = [entry for entry in run if entry.get('event') == 'parked' and 'pid' in entry and 'start_ticks' in entry]
    begin = run[0]
    recovered = [entry for entry in run if entry.get('event') == 'recovered']
    if begin.get('recovers') and not recovered:
        return dict(begin['recovers'])  # it had an earlier one to put right first, and has not
    before = (recovered or [begin])[-1].get('before')
    signalled = any(entry.get('event') == 'signal' for entry in run)
    stays = [entry for entry in run if entry.get('event') in ('guardian_stays', 'guardian_left')]
    return dict(run_id=begin.get('run_id'), token=begin.get('token'), began_at=begin.get('at'),
                force=begin.get('force'), hosts=begin.get('hosts'), guardian=_guardian_of(stays),
                waits_for=stays[-1].get('waits_for') if stays else None,
                boot_id=begin.get('boot_id'), step=steps[-1].get('name') if steps else None, steps=begin.get('steps'),
                before=before, signalled=signalled, parked=parked[-1] if parked else None)


def _guardian_of(entries: t.Sequence[Entry]) -> t.Optional[Entry]:
    """The guardian that stayed behind: its pid, when it stayed and for how long; None once it has left."""
    if not entries or entries[-1].get('event') != 'guardian_stays':
        return None
    return {key: entries[-1].get(key) for key in ('pid', 'at', 'limit_s')}


def is_of_this_boot(run: t.Mapping[str, t.Any]) -> bool:
    """Whether pids, start times and the monotonic clock that a run has noted mean anything today."""
    return run.get('boot_id') == _procfs.boot_id()


def steps_begun(run: t.Sequence[Entry]) -> t.List[Entry]:
    """Name, and whether it ended well, of the steps that the journal of a run knows."""
    ended = {entry.get('index'): entry.get('ok') for entry in run if entry.get('event') == 'step_end'}
    return [dict(name=entry.get('name'), changed=True, ok=ended.get(entry.get('index'), False))
            for entry in run if entry.get('event') == 'step']


def _make_dir(path: str, mode: int) -> None:
    """One that is there, or that another process makes now, stays as it is."""
    try:
        os.mkdir(path, mode)
    except FileExistsError:
        return
    os.chmod(path, mode)  # whatever the umask


def read_trusted(path: str) -> bytes:
    """A file of ours, empty when it does not exist. LifecycleError for another user's, or a link."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return b''
    except OSError as exc:
        raise LifecycleError('%s cannot be read: %s. It is not believed. Nothing was done. Remove it.'
                             % (path, exc.strerror)) from exc
    with os.fdopen(fd, 'rb') as stream:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or found.st_uid not in (0, os.geteuid()):
            raise LifecycleError('%s belongs to uid %d or is not a regular file: it is not believed. Nothing was '
                                 'done. Remove it.' % (path, found.st_uid))
        return stream.read()


def read_record(path: str, fields: _records.Fields) -> t.Optional[Entry]:
    """One record, None when there is none. DamagedState when its format or types are not known."""
    data = read_trusted(path)
    if not data and not os.path.lexists(path):
        return None
    try:
        return _records.parse_record(data, fields)
    except _records.Odd as exc:
        raise DamagedState(path, exc) from exc


def read_lines(path: str, fields: _records.Fields) -> t.List[Entry]:
    """A record of one line each. DamagedState as above."""
    try:
        return _records.parse_lines(read_trusted(path), fields)
    except _records.Odd as exc:
        raise DamagedState(path, exc) from exc


class Recorded(t.NamedTuple):
    """An instance that was seen running once. ``interrupted``: its last run did not end, or is still at work."""

    dir: str
    binary: str
    interrupted: bool


def recorded(base: t.Optional[str], problems: t.List[str]) -> t.List[Recorded]:
    """Every instance that was ever seen running. What cannot be told is added to ``problems``."""
    base = base or default_base()
    part = untrusted_part(base, os.geteuid())
    if part:
        problems.append('%s is not a directory that only root and uid %d can write' % (part, os.geteuid()))
        return []
    found = []
    for name in sorted(os.listdir(base)) if os.path.isdir(base) else []:
        if _ASIDE.match(name):
            continue
        try:
            one = _recorded_as(os.path.join(base, name))
        except LifecycleError as exc:
            problems.append(exc.msg)
            continue
        found += [one] if one and instance_id(one.dir, one.binary) == name else []
    return found


def _recorded_as(path: str) -> t.Optional[Recorded]:
    entry = read_record(os.path.join(path, _NAMED), _records.INSTANCE)
    if entry is None:
        return None
    try:
        run = unfinished(last_run(read_lines(os.path.join(path, 'journal.jsonl'), _records.JOURNAL)))
    except DamagedState:
        return Recorded(entry['dir'], entry['binary'], True)  # whether it ended is not known; the look at it says so
    return Recorded(entry['dir'], entry['binary'], run is not None)


class StateDir:
    """The trusted state of one instance. Raises LifecycleError when the place cannot be trusted or made."""

    def __init__(self, instance: Instance, base: t.Optional[str] = None) -> None:
        self.instance = instance
        self.base = base or default_base()
        self.path = os.path.join(self.base, instance.id)
        self._check()

    def _check(self) -> None:
        part = untrusted_part(self.path, os.geteuid())
        if part:
            raise LifecycleError('The state directory %s cannot be trusted: %s is not a directory that only root and '
                                 'uid %d can write. Nothing was done. Mend its owner and mode, or give another '
                                 'state_dir.' % (self.path, part, os.geteuid()))

    def _file(self, name: str) -> str:
        return os.path.join(self.path, name)

    def make(self) -> None:
        """Make the directories (0700). Raises LifecycleError when there is no room or no permission."""
        try:
            os.makedirs(os.path.dirname(os.path.abspath(self.base)), exist_ok=True)
            _make_dir(self.base, 0o755 if os.geteuid() == 0 else 0o700)
            for path in (self.path, self._file('results')):
                _make_dir(path, 0o700)
        except OSError as exc:
            raise LifecycleError('The state directory %s could not be made: %s. Nothing was done. Free space, mend its '
                                 'permissions, or give another state_dir.' % (self.path, exc.strerror)) from exc
        self._check()

    def read(self, name: str) -> bytes:
        """A file of ours, empty when it does not exist. A file that another user owns is refused."""
        return read_trusted(self._file(name))

    def read_json(self, name: str) -> t.Optional[Entry]:
        """One record without its format; None when there is none. DamagedState when it is newer, or odd."""
        return read_record(self._file(name), _FIELDS.get(name, _records.RESULT))

    def write_json(self, name: str, entry: t.Mapping[str, t.Any]) -> None:
        """Replace a record. DamagedState when there is one that this release cannot read: it may be worth more."""
        self.read_json(name)
        write_atomic(self._file(name), json.dumps(dict(entry, format=_records.FORMAT)).encode('utf-8'))

    def refuse_damaged(self) -> None:
        """DamagedState when a record is newer, or odd: before anything is changed."""
        for name in _FIELDS:
            self.read_json(name)
        self.history()
        self.journal()

    def exists(self) -> bool:
        return os.path.isdir(self.path)

    def put_aside(self) -> t.Optional[str]:
        """Rename the whole state of this instance; returns where it is kept, None when there is none.

        The lock must be held. Nothing is removed, and no look at the host takes it for an instance.
        """
        if not self.exists():
            return None
        kept = wanted = '%s.aside-%s' % (self.path, time.strftime('%Y%m%dT%H%M%SZ', time.gmtime()))
        number = 1
        while os.path.lexists(kept):
            number += 1
            kept = '%s-%d' % (wanted, number)
        os.rename(self.path, kept)
        return kept

    def kept_aside(self) -> t.List[str]:
        """Where earlier states of this instance are kept, the oldest first."""
        names = sorted(os.listdir(self.base)) if os.path.isdir(self.base) else []
        own = self.instance.id + '.aside-'
        return [os.path.join(self.base, name) for name in names if name.startswith(own) and _ASIDE.match(name)]

    def append(self, name: str, entry: Entry, durable: bool = False) -> None:
        """Add a line; ``durable`` waits until it is on the disk."""
        line = json.dumps(dict(entry, at=round(time.time(), 3), monotonic=round(time.monotonic(), 4),
                               format=_records.FORMAT)) + '\n'
        fd = os.open(self._file(name), os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(fd).st_size
            torn = size and os.pread(fd, 1, size - 1) != b'\n'  # by a power cut: the line after it stays readable
            write_all(fd, (b'\n' if torn else b'') + line.encode('utf-8'))
            if durable:
                os.fsync(fd)
        finally:
            os.close(fd)

    def journal(self) -> t.List[Entry]:
        return read_lines(self._file('journal.jsonl'), _records.JOURNAL)

    def log(self, event: str, durable: bool = False, **fields: t.Any) -> None:
        self.append('journal.jsonl', dict(fields, event=event), durable)

    def try_log(self, event: str, durable: bool = False, **fields: t.Any) -> None:
        """As ``log``; a full disk must not stop what has begun."""
        try:
            self.log(event, durable, **fields)
        except OSError:
            pass

    def reserve(self) -> None:
        """Set room for the result aside before anything is touched. OSError when the disk is full."""
        fd = os.open(self._file('reserve'), os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(fd, 0, _RESERVE_BYTES)
        finally:
            os.close(fd)

    def release_reserve(self) -> None:
        try:
            os.unlink(self._file('reserve'))
        except OSError:
            pass

    def tidy(self) -> None:
        """Keep the newest results and runs: what is left behind has a bound. What cannot be tidied is left."""
        try:
            self._remove_old_results()
            self._shorten('journal.jsonl', last_run(self.journal()), _KEEP_JOURNAL_BYTES)
        except (OSError, LifecycleError):
            pass  # what was done stays done; the next run tidies

    def _remove_old_results(self) -> None:
        by_age = []
        with os.scandir(self._file('results')) as found:
            for entry in found:
                if entry.is_file(follow_symlinks=False):
                    by_age.append((entry.stat(follow_symlinks=False).st_mtime, entry.path))
        for _mtime, path in sorted(by_age)[:-_KEEP_RESULTS]:
            os.unlink(path)

    def _shorten(self, name: str, entries: t.Sequence[Entry], limit: int) -> None:
        if len(self.read(name)) > limit:
            write_atomic(self._file(name), b''.join(json.dumps(entry).encode('utf-8') + b'\n' for entry in entries))

    def last_unfinished(self) -> t.Optional[Entry]:
        """The last run of this instance where it has no end, whether it is at work or not."""
        return unfinished(last_run(self.journal()))

    def interrupted(self) -> t.Optional[Entry]:
        """The unfinished run of this instance, None when there is none or it is still being worked on."""
        run = self.last_unfinished()
        return None if run is None or is_locked(self.instance) else run

    def running_run(self) -> t.Optional[Entry]:
        return self.last_unfinished() if is_locked(self.instance) else None

    def wait_for_running_run(self, timeout: float) -> t.Optional[Entry]:
        """As ``running_run``, but waits for one that has just taken the lock to write its name."""
        end = time.monotonic() + timeout
        while True:
            run = self.running_run()
            if run is not None or not is_locked(self.instance) or time.monotonic() > end:
                return run
            time.sleep(0.02)

    def history(self) -> t.List[Entry]:
        return read_lines(self._file('history.jsonl'), _records.HISTORY)

    def history_add(self, pid: int, start_ticks: int, **fields: t.Any) -> None:
        """Note that this process was seen as the instance's; the same sight is not written twice.

        With what the kernel had counted then: that it counts no more at the process's end excludes a kill for memory.
        """
        entry = dict(fields, pid=pid, start_ticks=start_ticks, boot_id=_procfs.boot_id(), oom_kills=_procfs.oom_kills())
        known = self.seen(pid, start_ticks)
        if known is None or any(known.get(key) != value for key, value in entry.items()):
            self.append('history.jsonl', entry)
            self._shorten('history.jsonl', self.history()[-_KEEP_HISTORY:], _KEEP_HISTORY * 1024)
        if not self.read(_NAMED):
            self.write_json(_NAMED, dict(dir=self.instance.dir, binary=self.instance.binary))

    def seen(self, pid: int, start_ticks: int) -> t.Optional[Entry]:
        """What was last noted of exactly this process (pid, start and boot), None when it was never seen."""
        key = (pid, start_ticks, _procfs.boot_id())
        for entry in reversed(self.history()):
            if (entry.get('pid'), entry.get('start_ticks'), entry.get('boot_id')) == key:
                return entry
        return None

    def result(self, token: str) -> t.Optional[Entry]:
        return self.read_json('results/%s.json' % token)

    def write_result(self, token: str, result: t.Mapping[str, t.Any]) -> None:
        self.release_reserve()
        self.write_json('results/%s.json' % token, result)


def _flock(instance: Instance, operation: int) -> t.Optional[int]:
    fd = os.open(instance.dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, operation | fcntl.LOCK_NB)
        return fd
    except OSError as exc:
        os.close(fd)
        if exc.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return None
        raise


def lock(instance: Instance) -> t.Optional[int]:
    """The lock's descriptor (held by whoever inherits it), None when somebody else holds it."""
    for _attempt in range(20):
        fd = _flock(instance, fcntl.LOCK_EX)
        if fd is not None:
            return fd
        time.sleep(0.005)  # is_locked() of another process holds it for a moment
    return None


def unlock(fd: int) -> None:
    """Give the lock up, also for those who have inherited its descriptor."""
    if fd >= 0:
        fcntl.flock(fd, fcntl.LOCK_UN)


def is_locked(instance: Instance) -> bool:
    fd = _flock(instance, fcntl.LOCK_SH)
    if fd is None:
        return True
    os.close(fd)
    return False


def lock_holders(instance: Instance, locks: t.Optional[str] = None) -> t.List[int]:
    """Pids that /proc/locks names for the install directory (the process that took it, which may have passed it on)."""
    found = os.stat(instance.dir)
    wanted = '%02x:%02x:%d' % (os.major(found.st_dev), os.minor(found.st_dev), found.st_ino)
    if locks is None:
        with open('/proc/locks') as stream:
            locks = stream.read()
    rows = [line.split() for line in locks.split('\n')]
    return [int(row[4]) for row in rows if len(row) > 5 and row[1] == 'FLOCK' and row[5] == wanted]
