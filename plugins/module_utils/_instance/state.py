# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What is kept on the host about one instance, in a directory that its own user cannot write.

``instance.json`` which one it is, ``launch.json`` how it was last seen running, ``history.jsonl`` who was seen,
``journal.jsonl`` the runs, ``results/TOKEN.json`` what came of them, ``lock`` that only one run is at work, see
``_instance.lock``.
"""

import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import stat
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import (
    LifecycleError,
    nothing_done,
    system_text,
    used_up,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import printable, procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import records as _records
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import Instance, instance_id

SYSTEM_DIR = '/var/lib/anqicms-lifecycle'
_KEEP_RESULTS = 20
_KEEP_RUNS = 10
_KEEP_HISTORY = 200
_KEEP_JOURNAL_BYTES = 262144
_KEEP_SIGNALS = 400
_MAY_CHANGE = ('verified_start', 'command')  # steps that leave no trace in the journal before they do
_RESERVE_BYTES = 1 << 20
LAUNCH = 'launch'  # the change that each window with changes begins with: how it was started before
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
    run = [entry for entry in run if not entry.get('by')]  # a task of its own is no part of it
    steps = [entry for entry in run if entry.get('event') == 'step']
    parked = [entry for entry in run if entry.get('event') == 'parked' and 'pid' in entry and 'start_ticks' in entry]
    begin = run[0]
    recovered = [entry for entry in run if entry.get('event') == 'recovered']
    if begin.get('recovers') and not recovered:
        earlier = begin['recovers']  # it had that one to put right first, and has not
        return dict(earlier, changes=_without_undone(earlier.get('changes') or [], run),
                    had_changes=has_had_changes(earlier))
    before = (recovered or [begin])[-1].get('before')
    signalled = any(entry.get('event') == 'signal' for entry in run)
    stays = [entry for entry in run if entry.get('event') in ('guardian_stays', 'guardian_left')]
    own = run[run.index(recovered[-1]):] if recovered else run
    changes = [_change_of(entry) for entry in own if entry.get('event') == 'change']
    return dict(run_id=begin.get('run_id'), token=begin.get('token'), began_at=begin.get('at'),
                force=begin.get('force'), hosts=begin.get('hosts'), accepts=begin.get('accepts'),
                guardian=_guardian_of(stays), waits_for=stays[-1].get('waits_for') if stays else None,
                boot_id=begin.get('boot_id'), step=steps[-1].get('name') if steps else None, steps=begin.get('steps'),
                before=before, signalled=signalled, parked=parked[-1] if parked else None,
                changes=_without_undone(changes, own), had_changes=bool(changes))


def _change_of(entry: Entry) -> Entry:
    return {key: entry.get(key) for key in ('kind', 'number', 'data')}


def _without_undone(changes: t.Sequence[Entry], run: t.Sequence[Entry]) -> t.List[Entry]:
    """The changes that still stand, the oldest first."""
    undone = {entry.get('number') for entry in run if entry.get('event') == 'undone'}
    return [change for change in changes if change['number'] not in undone]


def lasting(changes: t.Sequence[Entry]) -> t.List[Entry]:
    """Those that change something themselves: that of the launch record only says what a start may replace. Pure."""
    return [change for change in changes if change['kind'] != LAUNCH]


def has_had_changes(run: t.Mapping[str, t.Any]) -> bool:
    """Whether a run has recorded changes, also when all of them were taken back since. Pure."""
    return bool(run.get('had_changes') or run.get('changes'))


def _guardian_of(entries: t.Sequence[Entry]) -> t.Optional[Entry]:
    """The guardian that stayed behind: its pid, when it stayed and for how long; None once it has left."""
    if not entries or entries[-1].get('event') != 'guardian_stays':
        return None
    return {key: entries[-1].get(key) for key in ('pid', 'at', 'limit_s')}


def kept_of_journal(entries: t.Sequence[Entry]) -> t.List[Entry]:
    """What stays when the journal is shortened: the last run, and who was signalled before, for ``oom_check``. Pure."""
    run = last_run(entries)
    earlier = [entry for entry in entries[: len(entries) - len(run)] if entry.get('event') == 'signal']
    too_many = [id(entry) for entry in run if entry.get('by')][:-_KEEP_SIGNALS]
    return earlier[-_KEEP_SIGNALS:] + [entry for entry in run if id(entry) not in too_many]


def is_of_this_boot(run: t.Mapping[str, t.Any]) -> bool:
    """Whether pids, start times and the monotonic clock that a run has noted mean anything today."""
    return run.get('boot_id') == procfs.boot_id()


def steps_begun(run: t.Sequence[Entry]) -> t.List[Entry]:
    """Name of the steps that the journal of a run knows, whether they ended well, and whether they changed something.

    What was broken off may have done what it was to do; a stop has done nothing before its first signal.
    """
    found: t.List[Entry] = []
    for entry in run:
        event = entry.get('event')
        if event == 'step':
            found.append(dict(name=entry.get('name'), changed=entry.get('name') in _MAY_CHANGE, ok=False))
        elif event == 'step_end' and found:
            found[-1].update(ok=entry.get('ok'), changed=entry.get('changed', found[-1]['changed']))
        elif event in ('signal', 'change') and found and not entry.get('by'):
            found[-1]['changed'] = True
    return found


def has_changed(run: t.Sequence[Entry]) -> bool:
    """Whether a run that left no result may have changed something, or the earlier run that it put right."""
    return any(step['changed'] for step in steps_begun(run)) or bool(run and run[0].get('recovers'))


def _file_name(run_id: str) -> str:
    """A run id as the name of a file; one that had to be changed gets a hash, so that two stay two."""
    plain = re.sub(r'[^A-Za-z0-9_-]', '-', run_id)[:80]
    return plain if plain == run_id else '%s-%s' % (plain, hashlib.sha256(run_id.encode('utf-8')).hexdigest()[:8])


def _run_name(run_id: str, token: str) -> str:
    """The name of a run's directory."""
    name = _file_name(run_id)
    return '%s-%s' % (name, hashlib.sha256(token.encode('utf-8')).hexdigest()[:8]) if token else name


def runs_needed(run: t.Optional[Entry], place: str) -> t.Set[str]:
    """The names of the directories in ``place`` that taking an unfinished run back needs. Pure."""
    if run is None:
        return set()
    paths = [value for change in run.get('changes') or [] for value in change['data'].values()
             if isinstance(value, str) and value.startswith(place + '/')]
    own = _run_name(run.get('run_id') or '', run.get('token') or '')
    return {path[len(place) + 1:].split('/')[0] for path in paths} | {own}


def flush_directory(path: str) -> None:
    """Names that were made, replaced or removed in it are on the disk. OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


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
        if used_up(exc):
            raise nothing_done('%s cannot be read' % path, exc) from exc
        raise LifecycleError('%s cannot be used: %s. Nothing was done. Remove it.'
                             % (path, exc.strerror)) from exc
    with os.fdopen(fd, 'rb') as stream:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or found.st_uid not in (0, os.geteuid()):
            raise LifecycleError(
                '%s belongs to uid %d or is not a regular '
                'file, so it is not trusted. Nothing was done. Remove it.' % (path, found.st_uid))
        return stream.read()


def read_if_there(path: str) -> t.Optional[bytes]:
    """As ``read_trusted``; None when it does not exist."""
    data = read_trusted(path)
    return data if data or os.path.lexists(path) else None


def read_record(path: str, fields: _records.Fields) -> t.Optional[Entry]:
    """One record, None when there is none. DamagedState when its format or types are not known."""
    data = read_if_there(path)
    if data is None:
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
            mine = one is not None and instance_id(one.dir, one.binary) == name
        except (LifecycleError, OSError, ValueError, RecursionError) as exc:
            problems.append(system_text(exc))
            continue
        found += [one] if one and mine else []
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
        self.user: t.Union[str, int, None] = None  # the option: one more user whose lock is heeded
        self.base = base or default_base()
        self.path = os.path.join(self.base, instance.id)
        self._check()

    def _check(self) -> None:
        part = untrusted_part(self.path, os.geteuid())
        if part:
            raise LifecycleError(
                'The state directory %s cannot be trusted: %s is not a directory that only root and uid %d can write. '
                'Nothing was done. Fix its owner and mode, or set another state_dir.' % (self.path, part, os.geteuid()))

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
            raise LifecycleError(
                'The state directory %s could not be created: %s. Nothing was done. Free space, fix its permissions, '
                'or set another state_dir.' % (self.path, exc.strerror)) from exc
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

    def log_end(self, outcome: str, **fields: t.Any) -> t.Optional[OSError]:
        """Note durably that the run has ended, at the cost of the reserve; why it could not be noted, or None."""
        try:
            self.log_at_last('end', outcome=outcome, **fields)
        except OSError as exc:
            return exc
        return None

    def log_at_last(self, event: str, **fields: t.Any) -> None:
        """Note durably what a run ends with; where there is no room, at the cost of the reserve. OSError."""
        try:
            self.log(event, durable=True, **fields)
        except OSError:
            self.release_reserve()
            self.log(event, durable=True, **fields)

    def run_path(self, run_id: str, token: str = '') -> str:
        """The directory of a run; ``token`` is that of its window, since a run id may be given twice."""
        return os.path.join(self.path, 'runs', _run_name(run_id, token))

    def run_dir(self, run_id: str, token: str = '') -> str:
        """The same, made where it is missing. OSError when that fails."""
        self.make()
        path = self.run_path(run_id, token)
        for part in (os.path.dirname(path), path):
            _make_dir(part, 0o700)
        return path

    def keep(self, path: str, data: bytes) -> None:
        """Write a file of a run, with its name and those of its directories on the disk. OSError."""
        write_atomic(path, data)
        for part in (os.path.dirname(path), os.path.dirname(os.path.dirname(path)), self.path):
            flush_directory(part)

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
            self._remove_old_runs()
            self._shorten('journal.jsonl', kept_of_journal(self.journal()), _KEEP_JOURNAL_BYTES)
        except (OSError, LifecycleError):
            pass  # what was done stays done; the next run tidies

    def tidy_runs(self) -> None:
        """As ``tidy``, of the runs alone: for a task of its own. The lock must be held."""
        try:
            self._remove_old_runs()
        except (OSError, LifecycleError):
            pass

    def _remove_old_runs(self) -> None:
        """All but the newest directories of runs, and what a recovery of the last run needs."""
        place = os.path.join(self.path, 'runs')
        runs = [os.path.join(place, name) for name in os.listdir(place)] if os.path.isdir(place) else []
        old = sorted(runs, key=os.path.getmtime)[:-_KEEP_RUNS]
        needed = runs_needed(self.last_unfinished() if old else None, place)
        for path in old:
            if os.path.basename(path) not in needed:
                shutil.rmtree(path, ignore_errors=True)

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
        return None if run is None or self.is_worked_on() else run

    def running_run(self) -> t.Optional[Entry]:
        return self.last_unfinished() if self.is_worked_on() else None

    def is_worked_on(self) -> bool:
        """Whether a run or task is at work on the instance. A stranger's lock on its directory is none."""
        from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import lock as _lock  # imports this

        return _lock.look(self).refuses

    def wait_for_running_run(self, timeout: float) -> t.Optional[Entry]:
        """As ``running_run``, but waits for one that has just taken the lock to write its name."""
        end = time.monotonic() + timeout
        while True:
            run = self.running_run()
            if run is not None or not self.is_worked_on() or time.monotonic() > end:
                return run
            time.sleep(0.02)

    def history(self) -> t.List[Entry]:
        return read_lines(self._file('history.jsonl'), _records.HISTORY)

    def history_add(self, pid: int, start_ticks: int, **fields: t.Any) -> None:
        """Note that this process was seen as the instance's; the same sight is not written twice.

        With what the kernel had counted then: that it counts no more at the process's end excludes a kill for memory.
        """
        entry = dict(fields, pid=pid, start_ticks=start_ticks, boot_id=procfs.boot_id(), oom_kills=procfs.oom_kills())
        known = self.seen(pid, start_ticks)
        if known is None or any(known.get(key) != value for key, value in entry.items()):
            self.append('history.jsonl', entry)
            self._shorten('history.jsonl', self.history()[-_KEEP_HISTORY:], _KEEP_HISTORY * 1024)
        if not self.read(_NAMED):
            self.write_json(_NAMED, dict(dir=self.instance.dir, binary=self.instance.binary))

    def seen(self, pid: int, start_ticks: int) -> t.Optional[Entry]:
        """What was last noted of exactly this process (pid, start and boot), None when it was never seen."""
        key = (pid, start_ticks, procfs.boot_id())
        for entry in reversed(self.history()):
            if (entry.get('pid'), entry.get('start_ticks'), entry.get('boot_id')) == key:
                return entry
        return None

    def result(self, token: str) -> t.Optional[Entry]:
        return self.read_json('results/%s.json' % token)

    def write_result(self, token: str, result: t.Mapping[str, t.Any]) -> None:
        """What others will read: text that is printable already. Records of an instance keep what was read."""
        self.release_reserve()
        self.write_json('results/%s.json' % token, printable.value(result))


# --- the lock of the install directory alone; what a run takes and heeds is in ``_instance.lock``


def _try_lock(instance: Instance, operation: int) -> t.Optional[int]:
    """The locked descriptor of the install directory, None when somebody else holds the lock."""
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
        fd = _try_lock(instance, fcntl.LOCK_EX)
        if fd is not None:
            return fd
        time.sleep(0.005)  # is_locked() of another process holds it for a moment
    return None


def unlock(fd: int) -> None:
    """Give the lock up, also for those who have inherited its descriptor."""
    if fd >= 0:
        fcntl.flock(fd, fcntl.LOCK_UN)


def is_locked(instance: Instance) -> bool:
    """Whether anybody holds it, a stranger too."""
    fd = _try_lock(instance, fcntl.LOCK_SH)
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
