# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Put a database back to a dump, with rights on this database alone, so that a death at any point can be repaired.

Today's tables are renamed aside in one statement, the dump is loaded and compared, and then the tables aside are
dropped. Where the dump is copies inside the database, these are compared first and take their places in that same
statement. A journal in the trusted state says how far it is: until ``compared`` the way is back, after it forward.
"""

import hashlib
import json
import os
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import client, dump_file, dump_manifest, texts
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import content as facts
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError, reason
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import foreign_json
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import trusted

RENAMING, COMPARED, DROPPED = 'renaming', 'compared', 'dropped'
_STRAYS_S = 60.0
_LOCK_WAIT_S = 30
_PAUSE_S = 0.02
_STATEMENT_S = 300.0
_THREADS = (
    "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID() "
    "AND user = " + client.OWN_USER
)
_UNKNOWN_THREAD = ' 1094 '
Progress = t.Callable[[str], None]


class Journal:
    """How far the restore of one database is: lines in a file of the trusted state, on the disk before it goes on."""

    def __init__(self, directory: str, key: str) -> None:
        self.path = os.path.join(
            directory, 'restore-%s.jsonl' % hashlib.sha256(key.encode('utf-8', 'surrogateescape')).hexdigest()[:16]
        )

    def entries(self) -> t.List[t.Dict[str, t.Any]]:
        """A last line that a power cut has torn was not on the disk: what it announces was not done."""
        found = []
        for line in trusted.read_trusted(self.path).split(b'\n')[:-1]:
            try:
                entry = foreign_json.load(line)
            except ValueError:
                continue
            if isinstance(entry, dict):
                found.append(entry)
        return found

    def add(self, state: str, **data: t.Any) -> None:
        """LifecycleError when it cannot be written: what it announces is not done then."""
        try:
            self._append(json.dumps(dict(data, state=state, at=round(time.time(), 3))) + '\n')
        except OSError as exc:
            raise LifecycleError(
                'The journal of the restore %s could not be written: %s. Free space there, then '
                'repeat the restore: it continues from where it is.' % (self.path, reason(exc))
            ) from exc

    def _append(self, line: str) -> None:
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(fd).st_size
            torn = size and os.pread(fd, 1, size - 1) != b'\n'
            trusted.write_all(fd, (b'\n' if torn else b'') + line.encode('utf-8'))
            os.fsync(fd)
        finally:
            os.close(fd)
        if not size:
            trusted.flush_directory(os.path.dirname(self.path))

    def close(self) -> None:
        """It is over: the next restore begins with an empty journal."""
        if os.path.lexists(self.path):
            os.unlink(self.path)
            trusted.flush_directory(os.path.dirname(self.path))


# --- what is to be done: pure


class Plan(t.NamedTuple):
    """``way``: nothing, back or forward. ``drop`` first, then ``rename`` (from, to) in one statement."""

    way: str
    drop: t.Sequence[str] = ()
    rename: t.Sequence[t.Tuple[str, str]] = ()


def decide(
    entries: t.Sequence[t.Mapping[str, t.Any]],
    names: t.Sequence[str],
    aside: t.Sequence[str],
    shadowed: t.Sequence[str] = (),
) -> Plan:
    """How a restore that died is repaired. ``names``: the plain tables that are there, ``aside``: those put aside.

    No plain table is dropped while none is aside, and none that is an original one: a server that does not rename all
    or nothing may have left some. No table aside is dropped before it is on the disk that all was compared.
    ``shadowed``: which tables there is a copy of. Copies that have taken their places go back as well, undropped.
    """
    states = [entry.get('state') for entry in entries]
    if not aside or RENAMING not in states:
        return Plan('nothing')
    if COMPARED in states:
        return Plan('forward', drop=list(aside))
    begun = next(entry for entry in reversed(entries) if entry.get('state') == RENAMING)
    before, copies = begun.get('tables') or [], begun.get('shadows') or []
    plain = {one[len(facts.PREFIX) :] for one in aside}
    loaded = [one for one in names if one in plain or one not in before]
    copied = [one for one in loaded if one in copies and one not in shadowed]
    return Plan(
        'back',
        drop=[one for one in loaded if one not in copied],
        rename=[(one, facts.SHADOW + one) for one in copied] + [(one, one[len(facts.PREFIX) :]) for one in aside],
    )


def drop_statement(names: t.Sequence[str]) -> str:
    return 'DROP TABLE ' + ', '.join(texts.name(one) for one in names)


def rename_statement(pairs: t.Sequence[t.Tuple[str, str]]) -> str:
    return 'RENAME TABLE ' + ', '.join('%s TO %s' % (texts.name(one), texts.name(other)) for one, other in pairs)


def differences(wanted: facts.Recorded, found: facts.Recorded) -> t.List[str]:
    """What differs between two states of one database, in short sentences; empty when they are equal."""
    lost, more = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
    texts = []
    if lost:
        texts.append('tables are missing: %s' % facts.listing(lost))
    if more:
        texts.append('tables are there that were not: %s' % facts.listing(more))
    for one in sorted(set(wanted) & set(found)):
        if wanted[one].rows != found[one].rows:
            texts.append('%s has %d rows, not %d' % (one, found[one].rows, wanted[one].rows))
        elif wanted[one].checksum != found[one].checksum:
            texts.append('%s has other content (CHECKSUM TABLE)' % one)
        elif wanted[one].ddl != found[one].ddl:
            texts.append('%s is defined differently' % one)
    return texts


# --- doing it


def end_strays(session: client.Session, limit: float = _STRAYS_S, progress: Progress = lambda text: None) -> int:
    """End what a dead process of the application left running in the server; the number. LifecycleError."""
    until: float = time.monotonic() + limit
    ended: t.Set[str] = set()
    while True:
        threads = [row[0] for row in session.query(_THREADS)]
        if not threads:
            return len(ended)
        if time.monotonic() > until:
            raise LifecycleError(
                '%d connections of %s to %s do not end (%s). The tables were left as they are. Find '
                'out what uses the database.'
                % (len(threads), session.login.user, session.login.shown, facts.listing(threads))
            )
        progress('ending %d connections that were left in %s' % (len(threads), session.login.database))
        for thread in threads:
            _kill(session, thread)
            ended.add(thread)
        time.sleep(_PAUSE_S)


def _kill(session: client.Session, thread: str) -> None:
    try:
        session.query('KILL %d' % int(thread))
    except client.DatabaseError as exc:
        if _UNKNOWN_THREAD not in exc.msg:  # it has ended by itself
            raise


def _change(session: client.Session, *statements: str) -> None:
    session.queries(
        ['SET SESSION lock_wait_timeout = %d' % _LOCK_WAIT_S, 'SET SESSION foreign_key_checks = 0'] + list(statements),
        _STATEMENT_S,
    )


def recover(session: client.Session, journal: Journal, progress: Progress = lambda text: None) -> str:
    """Repair a restore that died: nothing, back or forward. It may die itself, and be repeated. LifecycleError."""
    entries = journal.entries()
    if not any(entry.get('state') == RENAMING for entry in entries):
        journal.close()
        return 'nothing'
    end_strays(session, progress=progress)
    return _repair(session, journal)


def _repair(session: client.Session, journal: Journal) -> str:
    seen = facts.look(session)
    plan = decide(journal.entries(), seen.names, seen.aside, seen.shadowed)
    if plan.drop:
        _change(session, drop_statement(plan.drop))
    if plan.rename:
        _change(session, rename_statement(plan.rename))
    journal.close()
    return plan.way


def restore(
    session: client.Session,
    directory: str,
    manifest: dump_manifest.Manifest,
    journal: Journal,
    limit: float,
    progress: Progress = lambda text: None,
    shadows: bool = False,
) -> t.Dict[str, t.Any]:
    """Make the database what it was at the dump. Repeat it after a death at any point. LifecycleError.

    On a failure the tables of before are back, unless the message says that they could not be put back.
    ``shadows``: whether copies in the database are those of this dump; they are used up where all are there.
    """
    until = time.monotonic() + limit
    repaired = recover(session, journal, progress)
    strays = end_strays(session, progress=progress)
    seen = facts.look(session)
    _refuse(session, seen)
    if manifest.tables is not None and is_same(session, seen, manifest.tables, limit):
        return dict(changed=repaired != 'nothing', restored=False, recovered=repaired, strays=strays)
    way = _by_renaming if shadows and all_there(seen, manifest) else _by_loading
    way(_Work(session, directory, manifest, journal, until, progress), seen)
    journal.add(COMPARED)
    aside = facts.look(session).aside
    if aside:
        _change(session, drop_statement(aside))
    journal.add(DROPPED)
    journal.close()
    return dict(changed=True, restored=True, recovered=repaired, strays=strays)


class _Work(t.NamedTuple):
    """One restore."""

    session: client.Session
    directory: str
    manifest: dump_manifest.Manifest
    journal: Journal
    until: float
    progress: Progress

    @property
    def left(self) -> float:
        return max(1.0, self.until - time.monotonic())

    def announce(self, seen: facts.Inspected, shadows: t.Sequence[str] = ()) -> None:
        self.journal.add(
            RENAMING,
            tables=seen.names,
            database=self.manifest.database,
            directory=self.directory,
            shadows=list(shadows),
        )


def all_there(seen: facts.Inspected, manifest: dump_manifest.Manifest) -> bool:
    """Whether there is a copy of every table of a dump."""
    return manifest.shadow and set(manifest.names) <= set(seen.shadowed)


def _by_loading(work: _Work, seen: facts.Inspected) -> None:
    reader = _opened(work.directory, work.manifest)
    try:
        work.announce(seen)
        try:
            if seen.names:
                _change(work.session, rename_statement([(one, facts.PREFIX + one) for one in seen.names]))
            _load(work.session, reader, work.manifest, work.until, work.progress)
            _compare(work.session, work.manifest, work.left)
        except (LifecycleError, OSError) as exc:
            raise _put_back(work.session, work.journal, exc, work.progress) from exc
    finally:
        reader.close()


def _by_renaming(work: _Work, seen: facts.Inspected) -> None:
    """What is compared is the copies: a renaming does not change what a table holds."""
    session, names = work.session, work.manifest.names
    texts = differences(
        work.manifest.tables or {},
        {name: row for name, row in facts.record_shadows(session, seen, work.left).items() if name in names},
    )
    if texts:
        raise LifecycleError(
            'The shadow tables of %s are not what they were when they were made: %s. The tables were '
            'left as they are. Restore this database from a backup.' % (session.login.shown, facts.listing(texts, 4))
        )
    work.announce(seen, names)
    pairs = [(one, facts.PREFIX + one) for one in seen.names] + [(facts.SHADOW + one, one) for one in names]
    try:
        if pairs:
            _change(session, rename_statement(pairs))
        if facts.look(session).names != sorted(names):
            raise LifecycleError('%s has other tables than when its shadow tables were made.' % session.login.shown)
    except (LifecycleError, OSError) as exc:
        raise _put_back(session, work.journal, exc, work.progress) from exc


def _refuse(session: client.Session, seen: facts.Inspected) -> None:
    if seen.aside:
        raise LifecycleError(
            '%s has tables that a restore has put aside (%s), and nothing is known of that restore. '
            'The tables were left as they are. Rename them back or drop them manually.'
            % (session.login.shown, facts.listing(seen.aside))
        )
    found = facts.obstacles(seen)
    if found:
        raise LifecycleError(
            '%s cannot be restored: it has %s. The tables were left as they are.'
            % (session.login.shown, '; '.join(found))
        )


def is_same(session: client.Session, seen: facts.Inspected, tables: facts.Recorded, limit: float) -> bool:
    """Whether a database is what was recorded already."""
    return seen.names == sorted(tables) and not differences(tables, facts.record(session, seen, limit))


def _opened(directory: str, manifest: dump_manifest.Manifest) -> dump_file.Reader:
    path = os.path.join(directory, manifest.file)
    if not manifest.file:
        raise LifecycleError(
            'The shadow tables of %s that were made for %s are not there any more: they are used up, '
            'or were dropped. The tables were left as they are. Restore this database from a backup.'
            % (manifest.database, directory)
        )
    try:
        size = os.stat(path).st_size
        if size != manifest.bytes:
            raise LifecycleError(
                'The dump %s has %d bytes, not %d: it is not the one that was taken. The tables were '
                'left as they are.' % (path, size, manifest.bytes)
            )
        return dump_file.Reader(directory, manifest)
    except OSError as exc:
        raise LifecycleError(
            'The dump %s cannot be read: %s. The tables were left as they are.' % (path, reason(exc))
        ) from exc


def _load(
    session: client.Session,
    reader: dump_file.Reader,
    manifest: dump_manifest.Manifest,
    until: float,
    progress: Progress,
) -> None:
    began = time.monotonic()
    running = session.run(session.query_argv(), stdin=reader.fd)
    ended = running.wait(
        max(1.0, until - began),
        lambda: progress(
            'loading %s: %d s (%d MB)' % (manifest.database, time.monotonic() - began, manifest.bytes >> 20)
        ),
    )
    session.checked(ended)
    problem = reader.close()
    if problem:
        raise LifecycleError('The dump %s was not loaded whole: %s.' % (manifest.file, problem))


def _compare(session: client.Session, manifest: dump_manifest.Manifest, limit: float) -> None:
    seen = facts.look(session)
    if manifest.tables is None:
        texts = [] if seen.names == sorted(manifest.names) else ['its tables are not those of the dump']
    else:
        texts = differences(manifest.tables, facts.record(session, seen, limit))
    if texts:
        raise LifecycleError(
            '%s is not what it was when it was dumped: %s.' % (session.login.shown, facts.listing(texts, 4))
        )


def _put_back(session: client.Session, journal: Journal, why: BaseException, progress: Progress) -> LifecycleError:
    """The failure to be raised."""
    said = why.msg if isinstance(why, LifecycleError) else str(why)
    try:
        end_strays(session, progress=progress)
        _repair(session, journal)
    except (LifecycleError, OSError) as exc:
        return LifecycleError(
            'The restore failed: %s The previous tables are still aside, with names that start with '
            '%s: they could not be put back: %s They are put back when this is repeated.'
            % (said, facts.PREFIX, getattr(exc, 'msg', exc)),
            changed=True,
        )
    return LifecycleError('The restore failed, and the tables are as they were before it: %s' % said)
