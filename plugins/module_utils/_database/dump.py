# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Dump a database into a file of ours, and prove that it is complete.

The client writes into the file itself. What a comparison needs is read from the server at the same time: the instance
is stopped, so nothing moves. A file beside the dump, the manifest, says what was recorded.
"""

import contextlib
import mmap
import os
import re
import subprocess
import threading
import time
import typing as t
from types import MappingProxyType

from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import client, dump_file, dump_manifest
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import content as facts
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError, present, reason
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import trusted

OPTIONS = (
    '--single-transaction',
    '--quick',
    '--skip-lock-tables',
    '--no-tablespaces',
    '--no-autocommit',
    '--skip-add-locks',  # with them it could not be loaded by the same user
    '--loose-column-statistics=0',
    '--loose-set-gtid-purged=OFF',  # of MySQL's client; the other one warns
)
_LAST_LINE = b'-- Dump completed'
_TAIL = 4096
_JOIN_S = 10.0
_MADE = b'\nCREATE TABLE `'


# --- is there room: pure


# --- is it complete


def tables_in(data: t.Union[bytes, mmap.mmap]) -> t.List[str]:
    """The tables that a dump makes. In its data a new line is written as two characters. Pure."""
    found, at = [], data.find(_MADE)
    while at >= 0:
        begin = at + len(_MADE)
        end = data.find(b'` (', begin)
        if end >= 0:
            found.append(data[begin:end].decode('utf-8', 'replace').replace('``', '`'))
        at = data.find(_MADE, begin)
    return found


def has_last_line(tail: bytes) -> bool:
    return tail.rstrip(b'\n').rpartition(b'\n')[2].startswith(_LAST_LINE)


def why_incomplete(tail: bytes, made: t.Sequence[str], names: t.Sequence[str]) -> t.Optional[str]:
    """None when a dump has its last line and all tables. Pure."""
    if not has_last_line(tail):
        return 'its last line is missing'
    left_out, more = sorted(set(names) - set(made)), sorted(set(made) - set(names))
    if left_out:
        return 'tables are missing in it: %s' % facts.listing(left_out)
    return 'it has tables that the database did not have before: %s' % facts.listing(more) if more else None


def _look_at_file(path: str) -> t.Tuple[bytes, t.List[str]]:
    with open(path, 'rb') as stream:
        if not os.fstat(stream.fileno()).st_size:
            return b'', []
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return data[-_TAIL:], tables_in(data)


class _Passing:
    """From the dump to the compressor; sees the last bytes and the tables on the way."""

    def __init__(self, source: t.IO[bytes], target: t.IO[bytes]) -> None:
        self.source, self.target = source, target
        self.tail, self.made, self.count = b'', [], 0  # type: ignore[var-annotated]

    def run(self) -> None:
        rest = b''
        while True:
            chunk = os.read(self.source.fileno(), 1 << 18)
            if not chunk:
                break
            self.target.write(chunk)
            self.count += len(chunk)
            self.tail = (self.tail + chunk)[-_TAIL:]
            seen = rest + chunk
            self.made += [one for one in tables_in(seen) if one not in self.made]
            rest = seen[-512:]
        self.target.close()


# --- take it


class Wanted(t.NamedTuple):
    """One dump to be taken."""

    session: client.Session
    seen: facts.Inspected
    directory: str
    site: int
    root: str
    key: str
    compression: str  # none, zstd, gzip
    online: bool = False
    version: t.Optional[str] = None
    site_settings: t.Mapping[str, str] = MappingProxyType({})
    visits: int = 0


class Recording(threading.Thread):
    """Asks the server for what is recorded, while the client dumps."""

    def __init__(self, wanted: Wanted, limit: float) -> None:
        threading.Thread.__init__(self, daemon=True)
        self.wanted, self.limit = wanted, limit
        self.tables: t.Optional[facts.Recorded] = None
        self.content: t.Optional[facts.Content] = None
        self.problem: t.Optional[LifecycleError] = None

    def run(self) -> None:
        try:
            self.content = facts.content(self.wanted.session, self.wanted.seen, self.limit)
            self.tables = facts.record(self.wanted.session, self.wanted.seen, self.limit, self.content)
        except LifecycleError as exc:
            self.problem = exc
        except (OSError, ValueError, LookupError) as exc:
            self.problem = LifecycleError('What the database holds could not be recorded: %s.' % exc)


def take(wanted: Wanted, limit: float, progress: dump_file.Progress = lambda text: None) -> dump_manifest.Manifest:
    """Dump it; the manifest is written last, so that a dump with one is complete. LifecycleError, nothing is left."""
    suffix = dump_file.COMPRESSORS[wanted.compression][2] if wanted.compression in dump_file.COMPRESSORS else ''
    path = os.path.join(wanted.directory, 'site-%d.sql%s' % (wanted.site, suffix))
    recording = Recording(wanted, limit)
    began = time.time()
    try:
        if not wanted.online:
            recording.start()
        tail, made = _write(wanted, path, limit, progress)
        problem = why_incomplete(tail, made, wanted.seen.names)
        if problem:
            raise LifecycleError('The dump of %s is not complete: %s.' % (wanted.session.login.shown, problem))
        if not wanted.online:
            recording.join()
        if recording.problem is not None:
            raise recording.problem
        manifest = manifest_of(wanted, recording, began)._replace(
            file=os.path.basename(path), bytes=os.stat(path).st_size
        )
        dump_manifest.write(wanted.directory, manifest)
        return manifest
    except (LifecycleError, OSError) as exc:
        if recording.ident is not None:
            recording.join(_JOIN_S)  # it uses the same session
        if os.path.lexists(path):
            os.unlink(path)
        if isinstance(exc, OSError):
            raise LifecycleError('The dump %s could not be written: %s.' % (path, reason(exc))) from exc
        raise


def manifest_of(wanted: Wanted, recording: Recording, began: float) -> dump_manifest.Manifest:
    """Of what was recorded, without a file."""
    return dump_manifest.Manifest(
        wanted.key,
        wanted.session.login.database,
        wanted.site,
        wanted.root,
        '',
        wanted.compression,
        0,
        None,
        wanted.seen.names,
        recording.tables,
        recording.content,
        wanted.version,
        wanted.seen.server,
        round(began, 3),
        wanted.site_settings,
        wanted.visits,
    )


def flush(directory: str) -> None:
    """The names of the dumps are on the disk, too. LifecycleError."""
    try:
        trusted.flush_directory(directory)
    except OSError as exc:
        raise LifecycleError('%s could not be written to the disk: %s.' % (directory, reason(exc))) from exc


def _argv(wanted: Wanted) -> t.List[str]:
    session = wanted.session
    copies = ['--ignore-table=%s.%s%s' % (session.login.database, facts.SHADOW, one) for one in wanted.seen.shadowed]
    return [session.programs.dump, session.options()] + list(OPTIONS) + copies + ['--', session.login.database]


def _write(wanted: Wanted, path: str, limit: float, progress: dump_file.Progress) -> t.Tuple[bytes, t.List[str]]:
    """The last bytes, and the tables in it."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:

        def tick() -> None:
            progress(
                'dumping %s: %d MB of about %d MB'
                % (wanted.session.login.database, os.fstat(fd).st_size >> 20, wanted.seen.data_bytes >> 20)
            )

        if wanted.compression == 'none':
            running = wanted.session.run(_argv(wanted), stdout=fd, read=False)
            wanted.session.checked(running.wait(limit, tick))
            os.fsync(fd)
            return _look_at_file(path)
        passed = _compressed(wanted, fd, limit, tick)
        os.fsync(fd)
        return passed.tail, passed.made
    finally:
        os.close(fd)


def _compressed(wanted: Wanted, fd: int, limit: float, tick: t.Callable[[], None]) -> _Passing:
    """Every member of the pipe has to end well."""
    program = present(dump_file.program_of(wanted.compression))
    compressor = subprocess.Popen(  # pylint: disable=ansible-bad-function  # the worker has no module any more
        [program] + dump_file.COMPRESSORS[wanted.compression][0],
        stdin=subprocess.PIPE,
        stdout=fd,
        stderr=subprocess.DEVNULL,
    )
    try:
        running = wanted.session.run(_argv(wanted), read=False)
        passing = _Passing(present(running.process.stdout), present(compressor.stdin))
        ended, problem = _carried(running, passing, limit, tick)
        code = compressor.wait(limit)
        if code or problem:
            raise LifecycleError(
                '%s ended with exit status %s while it compressed the dump of %s. Is there room on '
                'the disk?' % (wanted.compression, code, wanted.session.login.shown)
            )
        wanted.session.checked(ended)
        return passing
    finally:
        if compressor.poll() is None:
            compressor.kill()
            compressor.wait()
        with contextlib.suppress(OSError):  # what it did not take
            present(compressor.stdin).close()


def _carried(
    running: client.Running,
    passing: _Passing,
    limit: float,
    tick: t.Callable[[], None],
) -> t.Tuple[client.Ended, t.Optional[OSError]]:
    """The end of a client whose output was passed on, and why not all of it could be."""
    problem: t.List[OSError] = []

    def carry() -> None:
        try:
            passing.run()
        except OSError as exc:  # the compressor is gone, or the disk is full
            problem.append(exc)
            running.process.kill()

    carrier = threading.Thread(target=carry, daemon=True)
    carrier.start()
    ended = running.wait_without_closing(limit, tick)
    carrier.join()
    running.close()
    return ended, problem[0] if problem else None


# --- of copies inside the database


_NAMING = re.compile(
    rb'((?:DROP TABLE IF EXISTS|CREATE TABLE|INSERT INTO|/\*!40000 ALTER TABLE) `)' + facts.SHADOW.encode('ascii')
)


def with_original_name(line: bytes) -> bytes:
    """A line of a dump of copies, for the originals. A new line in data is written as two characters. Pure."""
    found = _NAMING.match(line)
    return found.group(1) + line[found.end() :] if found else line


class _Renaming(_Passing):
    """Gives each table the name of its original."""

    def run(self) -> None:
        for line in self.source:
            self.target.write(with_original_name(line))
        self.target.flush()


def file_of_shadows(
    session: client.Session,
    directory: str,
    manifest: dump_manifest.Manifest,
    limit: float,
    progress: dump_file.Progress = lambda text: None,
) -> dump_manifest.Manifest:
    """An ordinary dump from the copies that a manifest is of, which stay. LifecycleError, nothing is left."""
    path = os.path.join(directory, 'site-%d.sql' % manifest.site)
    argv = [session.programs.dump, session.options()] + list(OPTIONS) + ['--', session.login.database]
    try:
        with open(path, 'wb', opener=dump_file.private) as target:
            running = session.run(argv + [facts.SHADOW + one for one in manifest.names], read=False)
            passing = _Renaming(present(running.process.stdout), target)
            ended, problem = _carried(
                running,
                passing,
                limit,
                lambda: progress(
                    'writing the dump of %s: %d MB' % (manifest.database, os.fstat(target.fileno()).st_size >> 20)
                ),
            )
            if problem is not None:
                raise problem
            session.checked(ended)
            os.fsync(target.fileno())
        incomplete = why_incomplete(*(_look_at_file(path) + (manifest.names,)))
        if incomplete:
            raise LifecycleError(
                'The dump of the shadow tables of %s is not complete: %s.' % (session.login.shown, incomplete)
            )
        found = manifest._replace(file=os.path.basename(path), bytes=os.stat(path).st_size)
        dump_manifest.write(directory, found)
        flush(directory)
        return found
    except (LifecycleError, OSError) as exc:
        if os.path.lexists(path):
            os.unlink(path)
        if isinstance(exc, OSError):
            raise LifecycleError('The dump %s could not be written: %s.' % (path, reason(exc))) from exc
        raise


def trial(session: client.Session, limit: float = 30.0) -> None:
    """A dump without rows, which goes nowhere: it shows that this client can dump this database. LifecycleError."""
    argv = [session.programs.dump, session.options()] + list(OPTIONS) + ['--no-data', '--', session.login.database]
    ended = session.run(argv).wait(limit)
    if ended.code:
        error = session.error(ended)
        raise client.DatabaseError('trial_dump', 'A trial dump by %s fails. %s' % (session.programs.dump, error.msg))
    if not has_last_line(ended.output):
        raise client.DatabaseError(
            'trial_dump',
            'A trial dump by %s has no last line: none of its dumps could be '
            'proved. Give another client as client_dir.' % session.programs.dump,
        )


# --- afterwards, when the new version answers
