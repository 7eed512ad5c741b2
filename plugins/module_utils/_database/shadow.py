# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Shadow tables: a dump that is a copy of every table inside the database, so that a restore is one renaming.

A record in the trusted state says whose copies stand in a database, and is on the disk before the first one is made.
So a half-made set is known after a death, and tables of such names that nobody has noted are a stranger's.
"""

import hashlib
import json
import os
import re
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import (
    client,
    dump,
    dump_file,
    dump_manifest,
    restore,
    texts,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import content as facts
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError, reason
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import foreign_json
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import trusted

METHOD = 'shadow'
_FILE = re.compile(r'shadow-[0-9a-f]{16}\.json\Z')
_JOIN_S = 10.0
_STATEMENT_S = 300.0
# Rows come as they are: an id of 0, a date of zeros, a value that today's mode would refuse.
_SESSION = "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO', foreign_key_checks = 0, lock_wait_timeout = 30"
_COLUMNS = (
    "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = DATABASE() "
    "AND extra NOT LIKE '%GENERATED%' ORDER BY table_name, ordinal_position"
)
_FLUSHING = 'SELECT @@innodb_flush_log_at_trx_commit'
Progress = t.Callable[[str], None]


class Made(t.NamedTuple):
    """Whose copies stand in a database. ``directory``: of the dump that they are. ``names``: of the originals.

    ``whole``: all were made and proved, and the dump has its manifest.
    """

    directory: str
    names: t.List[str]
    site: int = 1
    whole: bool = False


class Record:
    """The one of a database, in the state of the instance."""

    def __init__(self, path: str) -> None:
        self.path = path

    def read(self) -> t.Optional[Made]:
        """None where no copies are known. LifecycleError where it is not believed."""
        data = trusted.read_if_there(self.path)
        if data is None:
            return None
        try:
            values = foreign_json.load(data)
            return Made(
                str(values['directory']),
                [str(one) for one in values['names']],
                int(values['site']),
                values['whole'] is True,
            )
        except (ValueError, LookupError, TypeError) as exc:
            raise LifecycleError(
                '%s is not believed: %s. Nothing was done. Check the tables %s of the database, '
                'then remove both.' % (self.path, exc, facts.SHADOW + '...')
            ) from exc

    def write(self, made: Made) -> None:
        """LifecycleError: then no copy is to be made."""
        try:
            trusted.write_atomic(self.path, json.dumps(dict(made._asdict(), format=1)).encode('utf-8'))
            trusted.flush_directory(os.path.dirname(self.path))
        except OSError as exc:
            raise LifecycleError('%s could not be written: %s.' % (self.path, reason(exc))) from exc

    def forget(self) -> None:
        if os.path.lexists(self.path):
            os.unlink(self.path)
            trusted.flush_directory(os.path.dirname(self.path))


def record_of(state: str, key: str) -> Record:
    """That of the database with this key."""
    return Record(
        os.path.join(state, 'shadow-%s.json' % hashlib.sha256(key.encode('utf-8', 'surrogateescape')).hexdigest()[:16])
    )


# --- pure


def unknown(seen: facts.Inspected, made: t.Optional[Made]) -> t.List[str]:
    """Tables that look like copies of ours, and that nothing is noted of."""
    known = made.names if made else []
    return [facts.SHADOW + one for one in seen.shadowed if one not in known]


def copying(names: t.Sequence[str], columns: t.Mapping[str, t.Sequence[str]]) -> t.List[str]:
    """What makes and fills the copies. ``columns``: those of each table that are not generated."""
    found = [_SESSION]
    for one in names:
        copy, listed = texts.name(facts.SHADOW + one), ', '.join(texts.name(column) for column in columns[one])
        found.append('CREATE TABLE %s LIKE %s' % (copy, texts.name(one)))
        found.append('INSERT INTO %s (%s) SELECT %s FROM %s' % (copy, listed, listed, texts.name(one)))
    return found


def numbering(wanted: t.Mapping[str, int], found: t.Mapping[str, int]) -> t.List[str]:
    """What sets the next ids of copies again: one that was filled goes on behind its highest id."""
    return [
        'ALTER TABLE %s AUTO_INCREMENT = %d' % (texts.name(facts.SHADOW + one), number)
        for one, number in wanted.items()
        if number and found.get(one) != number
    ]


def notes(seen: facts.Inspected, flushing: str) -> t.List[str]:
    """What a power cut may do to copies that a dump in a file would survive."""
    found = []
    if flushing != '1':
        found.append(
            'the server does not flush its log at each commit (innodb_flush_log_at_trx_commit=%s): a power '
            'cut right after the shadow tables were made may damage them' % flushing
        )
    others = [one for one in facts.not_innodb(seen) if one in seen.names]
    if others:
        found.append(
            'the shadow tables of %s, which are not InnoDB, are not safe from a power cut' % (facts.listing(others))
        )
    return found


# --- doing it


def ask_notes(session: client.Session, seen: facts.Inspected) -> t.List[str]:
    """DatabaseError."""
    return notes(seen, session.query(_FLUSHING)[0][0])


def take(
    wanted: dump.Wanted, record: Record, limit: float, progress: Progress = lambda text: None
) -> dump_manifest.Manifest:
    """Copy all tables and prove the copies; the manifest is written last. LifecycleError, no copy is left.

    The instance must be stopped, and no copies may be there.
    """
    session, until, began = wanted.session, time.monotonic() + limit, time.time()
    recording = dump.Recording(wanted, limit)
    made = Made(wanted.directory, wanted.seen.names, wanted.site)
    record.write(made)
    try:
        recording.start()
        _copy(wanted, until, progress)
        recording.join()
        if recording.problem is not None:
            raise recording.problem
        copied = facts.record_shadows(session, facts.look(session), max(1.0, until - time.monotonic()))
        texts = restore.differences(recording.tables or {}, copied)
        if texts:
            raise LifecycleError(
                'The shadow tables of %s are not what its tables are: %s.'
                % (session.login.shown, facts.listing(texts, 4))
            )
        manifest = dump.manifest_of(wanted, recording, began)._replace(shadow=True)
        dump_manifest.write(wanted.directory, manifest)
        record.write(made._replace(whole=True))
        return manifest
    except (LifecycleError, OSError) as exc:
        dump_manifest.forget(wanted.directory, wanted.site)
        if recording.ident is not None:
            recording.join(_JOIN_S)  # it uses the same session
        _drop_after(exc, session, record, progress)
        if isinstance(exc, OSError):
            raise LifecycleError(
                'The manifest of the shadow tables could not be written in %s: %s.' % (wanted.directory, reason(exc))
            ) from exc
        raise


def _copy(wanted: dump.Wanted, until: float, progress: Progress) -> None:
    session, names, began = wanted.session, wanted.seen.names, time.monotonic()
    columns: t.Dict[str, t.List[str]] = {}
    for table, column in session.query(_COLUMNS):
        columns.setdefault(table, []).append(column)

    def tick() -> None:
        progress('copying %s inside the database: %d s' % (session.login.database, time.monotonic() - began))

    session.queries(copying(names, columns), max(1.0, until - began), tick)
    definitions = session.queries(
        ['SHOW CREATE TABLE ' + texts.name(prefix + one) for prefix in ('', facts.SHADOW) for one in names],
        _STATEMENT_S,
    )
    ids = [facts.increment_of(answer[0][1]) for answer in definitions]
    session.queries(
        numbering(dict(zip(names, ids)), dict(zip(names, ids[len(names) :]))), max(1.0, until - time.monotonic()), tick
    )


def _drop_after(why: BaseException, session: client.Session, record: Record, progress: Progress) -> None:
    """The failure that is told is the first one; what stays is known, and goes at the next dump."""
    try:
        drop(session, record, progress)
    except (LifecycleError, OSError) as exc:
        progress('shadow tables were left in %s: %s' % (session.login.shown, getattr(exc, 'msg', exc)))


def drop(
    session: client.Session,
    record: Record,
    progress: Progress = lambda text: None,
    running: bool = False,
) -> t.List[str]:
    """Drop the copies that the record knows, and forget it; their names. LifecycleError.

    Unless the instance is ``running``, what a dead process has left at work on them is ended first.
    """
    made = record.read()
    if made is None:
        return []
    if not running:
        restore.end_strays(session, progress=progress)
    there = [facts.SHADOW + one for one in facts.look(session).shadowed if one in made.names]
    if there:
        session.queries(
            ['SET SESSION lock_wait_timeout = 30', 'SET SESSION foreign_key_checks = 0', restore.drop_statement(there)],
            _STATEMENT_S,
        )
    record.forget()
    return there


def manifest_that_stands(made: t.Optional[Made], site: int) -> t.Optional[dump_manifest.Manifest]:
    """Of the dump that the copies in a database are; None where there are none, or they were never complete."""
    if made is None or site not in dump_manifest.sites_in(made.directory):
        return None
    manifest = dump_manifest.read(made.directory, site)
    return manifest if manifest.shadow and sorted(manifest.names) == sorted(made.names) else None


def is_of(record: Record, directory: str) -> bool:
    """Whether the copies in a database are those of the dump in a directory."""
    made = record.read()
    return made is not None and os.path.realpath(made.directory) == os.path.realpath(directory)


def all_of(state: str, directory: str) -> t.List[Made]:
    """The copies, in all databases of an instance, that are the dump in a directory. LifecycleError."""
    names = sorted(os.listdir(state)) if os.path.isdir(state) else []
    records = [Record(os.path.join(state, one)) for one in names if _FILE.match(one)]
    found = [one.read() for one in records if is_of(one, directory)]
    return [one for one in found if one is not None]


def into_file(
    session: client.Session,
    directory: str,
    manifest: dump_manifest.Manifest,
    limit: float,
    progress: Progress = lambda text: None,
) -> dump_manifest.Manifest:
    """An ordinary dump beside the manifest, made from the copies, which stay. LifecycleError."""
    if manifest.file:
        return manifest
    seen = facts.look(session)
    if not restore.all_there(seen, manifest):
        raise LifecycleError(
            'The shadow tables of %s are not all there: no dump can be made of them.' % (session.login.shown)
        )
    size = sum(seen.tables[facts.SHADOW + one].data for one in manifest.names)
    if dump_file.choose('none', size, dump_file.free_bytes(directory), []) is None:
        raise LifecycleError(
            'There is no room for the dump of the shadow tables in %s: they hold %d MB of data. They '
            'stay in %s. Free space there, then call state packed.' % (directory, size >> 20, session.login.shown)
        )
    return dump.file_of_shadows(session, directory, manifest, limit, progress)
