# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What is kept on the host about one instance, in a directory that its own user cannot write.

``instance.json`` which one it is, ``launch.json`` how it was last seen running, ``history.jsonl`` who was seen,
``journal.jsonl`` the runs, ``results/TOKEN.json`` what came of them, ``planned.jsonl`` those that were to work on it,
``lock`` that only one run is at work, see ``_instance.lock``.
"""

import json
import os
import re
import shutil
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError, system_text
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import printable, procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import journal as _journal
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import records as _records
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import trusted
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import Instance, instance_id

_KEEP_RESULTS = 20
_KEEP_RUNS = 10
_KEEP_HISTORY = 200
_KEEP_JOURNAL_BYTES = 262144
_RESERVE_BYTES = 1 << 20
_NAMED = 'instance.json'
_FIELDS = {_NAMED: _records.INSTANCE, 'launch.json': _records.LAUNCH}
_ASIDE = re.compile(r'.*\.aside-[0-9]{8}T[0-9]{6}Z(-[0-9]+)?\Z')

Entry = t.Dict[str, t.Any]


class Recorded(t.NamedTuple):
    """An instance that was seen running once. ``interrupted``: its last run did not end, or is still at work."""

    dir: str
    binary: str
    interrupted: bool


def recorded(base: t.Optional[str], problems: t.List[str]) -> t.List[Recorded]:
    """Every instance that was ever seen running. What cannot be told is added to ``problems``."""
    base = base or trusted.default_base()
    part = trusted.untrusted_part(base, os.geteuid())
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
    entry = trusted.read_record(os.path.join(path, _NAMED), _records.INSTANCE)
    if entry is None:
        return None
    try:
        entries = trusted.read_lines(os.path.join(path, 'journal.jsonl'), _records.JOURNAL)
        run = _journal.unfinished(_journal.last_run(entries))
    except trusted.DamagedState:
        return Recorded(entry['dir'], entry['binary'], True)  # whether it ended is not known; the look at it says so
    return Recorded(entry['dir'], entry['binary'], run is not None)


class StateDir:
    """The trusted state of one instance. Raises LifecycleError when the place cannot be trusted or made."""

    def __init__(self, instance: Instance, base: t.Optional[str] = None) -> None:
        self.instance = instance
        self.user: t.Union[str, int, None] = None  # the option: one more user whose lock is heeded
        self.base = base or trusted.default_base()
        self.path = os.path.join(self.base, instance.id)
        self._check()

    def _check(self) -> None:
        part = trusted.untrusted_part(self.path, os.geteuid())
        if part:
            raise LifecycleError(
                'The state directory %s cannot be trusted: %s is not a directory that only root and uid %d can write. '
                'Nothing was done. Fix its owner and mode, or set another state_dir.' % (self.path, part, os.geteuid())
            )

    def file(self, name: str) -> str:
        return os.path.join(self.path, name)

    def make(self) -> None:
        """Make the directories (0700). Raises LifecycleError when there is no room or no permission."""
        try:
            os.makedirs(os.path.dirname(os.path.abspath(self.base)), exist_ok=True)
            trusted.make_dir(self.base, 0o755 if os.geteuid() == 0 else 0o700)
            for path in (self.path, self.file('results')):
                trusted.make_dir(path, 0o700)
        except OSError as exc:
            raise LifecycleError(
                'The state directory %s could not be created: %s. Nothing was done. Free space, fix its permissions, '
                'or set another state_dir.' % (self.path, exc.strerror)
            ) from exc
        self._check()

    def read(self, name: str) -> bytes:
        """A file of ours, empty when it does not exist. A file that another user owns is refused."""
        return trusted.read_trusted(self.file(name))

    def read_json(self, name: str) -> t.Optional[Entry]:
        """One record without its format; None when there is none. trusted.DamagedState when it is newer, or odd."""
        return trusted.read_record(self.file(name), _FIELDS.get(name, _records.RESULT))

    def write_json(self, name: str, entry: t.Mapping[str, t.Any]) -> None:
        """Replace a record. DamagedState when there is one that this release cannot read: it may be worth more."""
        self.read_json(name)
        trusted.write_atomic(self.file(name), json.dumps(dict(entry, format=_records.FORMAT)).encode('utf-8'))

    def refuse_damaged(self) -> None:
        """trusted.DamagedState when a record is newer, or odd: before anything is changed."""
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
        line = (
            json.dumps(
                dict(entry, at=round(time.time(), 3), monotonic=round(time.monotonic(), 4), format=_records.FORMAT)
            )
            + '\n'
        )
        fd = os.open(self.file(name), os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(fd).st_size
            torn = size and os.pread(fd, 1, size - 1) != b'\n'  # by a power cut: the line after it stays readable
            trusted.write_all(fd, (b'\n' if torn else b'') + line.encode('utf-8'))
            if durable:
                os.fsync(fd)
        finally:
            os.close(fd)

    def journal(self) -> t.List[Entry]:
        return trusted.read_lines(self.file('journal.jsonl'), _records.JOURNAL)

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
        return os.path.join(self.path, 'runs', _journal.run_name(run_id, token))

    def run_dir(self, run_id: str, token: str = '') -> str:
        """The same, made where it is missing. OSError when that fails."""
        self.make()
        path = self.run_path(run_id, token)
        for part in (os.path.dirname(path), path):
            trusted.make_dir(part, 0o700)
        return path

    def keep(self, path: str, data: bytes) -> None:
        """Write a file of a run, with its name and those of its directories on the disk. OSError."""
        trusted.write_atomic(path, data)
        for part in (os.path.dirname(path), os.path.dirname(os.path.dirname(path)), self.path):
            trusted.flush_directory(part)

    def reserve(self) -> None:
        """Set room for the result aside before anything is touched. OSError when the disk is full."""
        fd = os.open(self.file('reserve'), os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(fd, 0, _RESERVE_BYTES)
        finally:
            os.close(fd)

    def release_reserve(self) -> None:
        try:
            os.unlink(self.file('reserve'))
        except OSError:
            pass

    def tidy(self) -> None:
        """Keep the newest results and runs: what is left behind has a bound. What cannot be tidied is left."""
        try:
            self._remove_old_results()
            self._remove_old_runs()
            self._shorten('journal.jsonl', _journal.kept_of_journal(self.journal()), _KEEP_JOURNAL_BYTES)
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
        needed = _journal.runs_needed(self.last_unfinished() if old else None, place)
        for path in old:
            if os.path.basename(path) not in needed:
                shutil.rmtree(path, ignore_errors=True)

    def _remove_old_results(self) -> None:
        by_age = []
        with os.scandir(self.file('results')) as found:
            for entry in found:
                if entry.is_file(follow_symlinks=False):
                    by_age.append((entry.stat(follow_symlinks=False).st_mtime, entry.path))
        for _mtime, path in sorted(by_age)[:-_KEEP_RESULTS]:
            os.unlink(path)

    def _shorten(self, name: str, entries: t.Sequence[Entry], limit: int) -> None:
        if len(self.read(name)) > limit:
            self.keep_newest(name, entries)

    def keep_newest(self, name: str, entries: t.Sequence[Entry]) -> None:
        """Replace a file of lines by these of its entries. OSError."""
        lines = [json.dumps(entry).encode('utf-8') + b'\n' for entry in entries]
        trusted.write_atomic(self.file(name), b''.join(lines))

    def last_unfinished(self) -> t.Optional[Entry]:
        """The last run of this instance where it has no end, whether it is at work or not."""
        return _journal.unfinished(_journal.last_run(self.journal()))

    def launch(self) -> t.Optional[Entry]:
        """How it was last seen running; a damaged record counts as none: whoever changes something has refused it."""
        try:
            return self.read_json('launch.json')
        except trusted.DamagedState:
            return None

    def history(self) -> t.List[Entry]:
        return trusted.read_lines(self.file('history.jsonl'), _records.HISTORY)

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
