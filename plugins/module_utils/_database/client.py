# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The host's MySQL or MariaDB client: find it, and run it with a login that no other process can read.

The login is in an option file that has no name any more when the client starts: the client opens it by its descriptor.
So it is in no argument and no variable, and nothing is left behind when this process is killed.
"""

import ctypes
import os
import select
import signal
import stat
import subprocess
import tempfile
import threading
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import texts
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError, reason
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import changeable, trusted

# Never the caller's PATH: root's programs are not looked up in it. The last ones are the places of panels.
PLACES = (
    '/usr/local/sbin',
    '/usr/local/bin',
    '/usr/sbin',
    '/usr/bin',
    '/sbin',
    '/bin',
    '/www/server/mysql/bin',
    '/www/server/mariadb/bin',
    '/usr/local/mysql/bin',
    '/usr/local/mariadb/bin',
)
_QUERY, _DUMP = ('mariadb', 'mysql'), ('mariadb-dump', 'mysqldump')
_SHOWN = 400  # characters of what the client says
_KEPT = 65536  # bytes of its standard error
_MOST = 4 << 20  # bytes of the answer to a question
_TICK_S = 1.0
_SCRATCH = ('/dev/shm', '/tmp')
_NO_HOME = '/nonexistent'  # there the client would look for more options and logins
_PDEATHSIG = 1  # prctl
_MEANING = {
    'access_denied': 'it rejects the user or password',
    'unknown_database': 'it has no such database',
    'no_right': 'the user lacks a right',
    'cannot_connect': 'it cannot be reached',
    'wrong_options': 'this client does not know an option that it was given',
    'disk_full': 'no space is left on the disk',
    'failed': 'the client failed',
}
_ADVICE = {
    'access_denied': 'Check user and password in mysql of config.json.',
    'unknown_database': 'Check the name in mysql.database of config.json.',
    'no_right': 'Grant the user SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP and INDEX on the database.',
    'cannot_connect': 'Start the database, or correct mysql.host and mysql.port of config.json.',
    'wrong_options': 'Give the directory of another client as client_dir.',
    'disk_full': 'Free space, then try again.',
    'failed': 'Read the output of the client.',
}


class DatabaseError(LifecycleError):
    """``kind``: no_client, timed_out, or one of ``_MEANING``. The message says nothing of what was not done."""

    def __init__(self, kind: str, msg: str) -> None:
        LifecycleError.__init__(self, msg, database_error=kind)
        self.kind = kind


class Programs(t.NamedTuple):
    """Paths of the two programs."""

    query: str
    dump: str


# The user of this connection, whose name may have an @ in it.
OWN_USER = "LEFT(USER(), CHAR_LENGTH(USER()) - LOCATE('@', REVERSE(USER())))"


# --- texts: pure


# --- which programs


def find(client_dir: t.Optional[str] = None, places: t.Sequence[str] = PLACES) -> Programs:
    """Both programs from one directory. DatabaseError when none has them, or others could change them."""
    refused: t.List[str] = []
    wanted = [client_dir] if client_dir else list(places)
    for place in wanted:
        found = [_first(place, names, refused) for names in (_QUERY, _DUMP)]
        if found[0] and found[1]:
            return Programs(found[0], found[1])
    if refused:
        raise DatabaseError(
            'no_client',
            'The MySQL client was not run, because users other than root can change it: %s. Change its owner to root, '
            'or set client_dir to another directory.' % '; '.join(refused[:4]),
        )
    raise DatabaseError(
        'no_client',
        'No MySQL client was found: %s needs mariadb and mariadb-dump (or mysql and '
        'mysqldump). Install the package mariadb-client, or give the directory of a client as '
        'client_dir.' % (client_dir or 'one of %s' % ', '.join(places)),
    )


def _first(place: str, names: t.Sequence[str], refused: t.List[str]) -> str:
    for one in names:
        path = os.path.join(place, one)
        if not os.access(path, os.X_OK) or not os.path.isfile(path):
            continue
        why = _who_could_change(os.path.abspath(path))
        if not why:
            return path
        refused += [text for text in why if text not in refused]
    return ''


def _who_could_change(path: str) -> t.List[str]:
    """Why somebody but root and this user could change a program; empty: nobody."""
    if os.geteuid() == 0:
        return changeable.changeable(path)
    real = os.path.realpath(path)
    part = trusted.untrusted_part(os.path.dirname(real), os.geteuid())
    found = os.stat(real)
    if part is None and found.st_uid in (0, os.geteuid()) and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return []
    return ['%s (others than root and this user can change it)' % (part or real)]


# --- run them


def _die_with_parent() -> t.Callable[[], None]:
    """For the child: a client that outlived this process would go on loading while tables are put back."""
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def call() -> None:
        prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return call


class _Reading(threading.Thread):
    """Reads a pipe to its end; keeps all, or the last bytes."""

    def __init__(self, stream: t.IO[bytes], most: t.Optional[int] = None) -> None:
        threading.Thread.__init__(self, daemon=True)
        self.stream, self.most, self.parts, self.tail = stream, most, [], b''  # type: ignore[var-annotated]
        self.start()

    def run(self) -> None:
        while True:
            chunk = os.read(self.stream.fileno(), 65536)
            if not chunk:
                return
            if self.most is None:
                self.parts.append(chunk)
            else:
                self.tail = (self.tail + chunk)[-self.most :]


class Ended(t.NamedTuple):
    code: int
    output: bytes
    said: str  # on its standard error, as it is


def _begin(
    argv: t.Sequence[str],
    fds: t.Sequence[int],
    stdin: int,
    stdout: int,
    preexec: t.Optional[t.Callable[[], None]] = None,
) -> 'subprocess.Popen[bytes]':
    environment = dict(PATH=':'.join(PLACES[:6]), HOME=_NO_HOME, LC_ALL='C')
    # pylint: disable-next=ansible-bad-function,subprocess-popen-preexec-fn  # the worker has no module any more
    return subprocess.Popen(
        list(argv),
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=environment,
        cwd='/',
        pass_fds=list(fds),
        start_new_session=True,
        preexec_fn=preexec,  # noqa: PLW1509  # it takes no lock
    )


class Running:
    """A client at work. ``process.stdout`` is for the caller where it is a pipe that ``wait`` shall not read."""

    def __init__(
        self, argv: t.Sequence[str], fds: t.Sequence[int], stdin: int, stdout: int, read: bool = False
    ) -> None:
        self.argv = argv
        self.process = _begin(argv, fds, stdin, stdout, _die_with_parent())
        streams = (self.process.stdout if read else None, self.process.stderr)
        self._readers = [_Reading(stream, most) for stream, most in zip(streams, (None, _KEPT)) if stream is not None]

    def wait(self, limit: float, tick: t.Callable[[], None] = lambda: None) -> Ended:
        """Its end, which is seen at once. DatabaseError timed_out when it was ended at the limit."""
        try:
            return self.wait_without_closing(limit, tick)
        finally:
            self.close()

    def wait_without_closing(self, limit: float, tick: t.Callable[[], None] = lambda: None) -> Ended:
        """The same where somebody else still reads its standard output."""
        until = time.monotonic() + limit
        try:
            for reader in self._readers:
                while reader.is_alive():
                    left = until - time.monotonic()
                    if left <= 0:
                        raise DatabaseError(
                            'timed_out', '%s was ended after %.3g s.' % (os.path.basename(self.argv[0]), limit)
                        )
                    reader.join(min(_TICK_S, left))
                    if reader.is_alive():
                        tick()
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise
        code = self.process.wait()
        parts = [b''.join(reader.parts) + reader.tail for reader in self._readers]
        return Ended(code, parts[0] if len(parts) > 1 else b'', parts[-1].decode('utf-8', 'replace'))

    def close(self) -> None:
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


def nameless_file(data: bytes) -> int:
    """A descriptor, for reading, of a file of ours (0600) that has no name any more. In memory where that is possible.

    OSError when none can be written.
    """
    place = next((one for one in _SCRATCH if os.access(one, os.W_OK)), None)
    handle, path = tempfile.mkstemp(prefix='.anqicms-lifecycle.', dir=place)
    try:
        trusted.write_all(handle, data)
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.unlink(path)
        os.close(handle)


def _scratch(data: bytes) -> int:
    try:
        return nameless_file(data)
    except OSError as exc:
        raise DatabaseError(
            'no_client', 'The client was not started: no file for it could be written (%s).' % (reason(exc))
        ) from exc


def _mark() -> str:
    return 'end-%s' % os.urandom(8).hex()


def _marked(statements: t.Iterable[str], mark: str) -> bytes:
    text = ''.join('%s;\nSELECT %s;\n' % (statement, texts.literal(mark)) for statement in statements)
    return text.encode('utf-8', 'surrogateescape')


def _parts(output: bytes, mark: str) -> t.List[t.List[t.List[str]]]:
    """The rows of each statement that has ended."""
    return [texts.rows_of(part) for part in output.split(mark.encode('ascii') + b'\n')[:-1]]


class Session:
    """Statements in one database; each call is a process of its own. Close it, or use it as a context manager."""

    def __init__(self, programs: Programs, login: texts.Login) -> None:
        self.programs, self.login = programs, login
        self._fd = _scratch(texts.option_file(login))

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> 'Session':
        return self

    def __exit__(self, *_unused: t.Any) -> None:
        self.close()

    def fds(self) -> t.List[int]:
        """What a client inherits."""
        return [self._fd]

    def options(self) -> str:
        return '--defaults-file=/dev/fd/%d' % self._fd

    def query_argv(self) -> t.List[str]:
        # Binary mode: nothing in the input is taken for a command of the client, such as one that runs a shell.
        return [
            self.programs.query,
            self.options(),
            '--batch',
            '--skip-column-names',
            '--binary-mode',
            '--',
            self.login.database,
        ]

    def run(
        self, argv: t.Sequence[str], stdin: int = subprocess.DEVNULL, stdout: int = subprocess.PIPE, read: bool = True
    ) -> Running:
        """OSError is told as DatabaseError."""
        try:
            return Running(argv, [self._fd], stdin, stdout, read)
        except OSError as exc:
            raise DatabaseError('no_client', '%s could not be executed: %s.' % (argv[0], reason(exc))) from exc

    def query(self, statement: str, limit: float = 30.0) -> t.List[t.List[str]]:
        """The rows of one statement, every value as text. DatabaseError."""
        return self.queries([statement], limit)[0]

    def queries(
        self, statements: t.Sequence[str], limit: float = 30.0, tick: t.Callable[[], None] = lambda: None
    ) -> t.List[t.List[t.List[str]]]:
        """The rows of each statement, one after the other in one connection. The first that fails ends it."""
        if not statements:
            return []
        mark = _mark()
        stdin = _scratch(_marked(statements, mark))
        try:
            running = self.run(self.query_argv(), stdin)
        finally:
            os.close(stdin)
        return _parts(self.checked(running.wait(limit, tick)).output, mark)

    def checked(self, ended: Ended) -> Ended:
        """DatabaseError unless it ended well."""
        if ended.code:
            raise self.error(ended)
        return ended

    def error(self, ended: Ended) -> DatabaseError:
        kind = texts.kind_of(texts.without_warnings(ended.said))
        words = texts.without_warnings(ended.said)[:_SHOWN] or 'nothing was printed'
        if self.login.password:
            words = words.replace(self.login.password, '********')
        return DatabaseError(
            kind,
            'The database %s: %s (exit status %d: %s). %s'
            % (self.login.shown, _MEANING[kind], ended.code, words, _ADVICE[kind]),
        )


class Question:
    """Statements that are asked while this process does something else: no thread, so that it may fork meanwhile.

    Its client may outlive this process: it changes nothing. DatabaseError when the client cannot be executed.
    """

    def __init__(self, session: Session, statements: t.Sequence[str]) -> None:
        self.session, self._mark = session, _mark()
        self._data: t.Dict[int, bytes] = {}
        stdin = _scratch(_marked(statements, self._mark))
        argv = session.query_argv()
        try:
            self._process = _begin(argv, session.fds(), stdin, subprocess.PIPE)
        except OSError as exc:
            raise DatabaseError('no_client', '%s could not be executed: %s.' % (argv[0], reason(exc))) from exc
        finally:
            os.close(stdin)
        self._streams = [stream for stream in (self._process.stdout, self._process.stderr) if stream is not None]

    def answer(self, limit: float) -> t.Tuple[t.List[t.List[t.List[str]]], t.Optional[DatabaseError]]:
        """The rows of the statements that ended within the limit, and why not all did."""
        numbers = [stream.fileno() for stream in self._streams]
        in_time = self._read(numbers, time.monotonic() + limit)
        if not in_time:
            self._process.kill()
        code = self._process.wait()
        output, said = [self._data.get(number, b'') for number in numbers]
        self.close()
        error: t.Optional[DatabaseError] = None
        if not in_time:
            error = DatabaseError(
                'timed_out', 'The database %s: it did not answer within %.3g s.' % (self.session.login.shown, limit)
            )
        elif code:
            error = self.session.error(Ended(code, output, said.decode('utf-8', 'replace')))
        return _parts(output, self._mark), error

    def _read(self, numbers: t.Sequence[int], until: float) -> bool:
        """Whether both streams have ended in time."""
        poller, waiting = select.poll(), set(numbers)
        for number in numbers:
            poller.register(number, select.POLLIN)
        while waiting:
            left = until - time.monotonic()
            ready = poller.poll(left * 1000) if left > 0 else []
            if not ready:
                return False
            for number, _events in ready:
                chunk = os.read(number, 65536)
                self._data[number] = (self._data.get(number, b'') + chunk)[-_MOST:]
                if not chunk:
                    poller.unregister(number)
                    waiting.discard(number)
        return True

    def close(self) -> None:
        """End it, where it has not ended."""
        if self._process.returncode is None:
            self._process.kill()
            self._process.wait()
        for stream in self._streams:
            stream.close()
