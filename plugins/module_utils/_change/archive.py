# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The archive of a release: what it may hold, and the manifest of its files.

Nothing is believed of an archive but its bytes. Works on open files alone, so that the controller can make the manifest
of an archive that no host has yet.
"""

import hashlib
import re
import stat
import struct
import typing as t
import zipfile
import zlib

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import changelog as _changelog
from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import versions
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import printable
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import elf

BINARY = 'anqicms'
MAX_ENTRIES = 100000
MAX_BYTES = 2 << 30  # of all files together; the largest known release has 0.11 GB
MAX_RATIO = 200  # of one file that is larger than this:
RATIO_FROM = 10 << 20
MAX_PATH, MAX_NAME = 1024, 255
_CHANGELOG_BYTES = 65536
_CHUNK = 1 << 18
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
# What zipfile raises for bytes that are not what the archive's directory says; OSError for a place before its begin.
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    struct.error,
    RuntimeError,
    NotImplementedError,
    ValueError,
    OSError,
)
_UNIX, _DIRECTORY_OF_DOS = 3, 0x10


class File(t.NamedTuple):
    path: str
    size: int
    sha256: str


class Manifest(t.NamedTuple):
    """What an archive holds. ``sha256``: of the archive itself."""

    sha256: str
    files: t.List[File]
    directories: t.List[str]
    changelog: t.Optional[str]  # the first heading of its CHANGELOG.md
    machine: t.Optional[elf.Machine]  # what its binary is made for

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    def to_json(self) -> t.Dict[str, t.Any]:
        return dict(
            sha256=self.sha256,
            files=[list(file) for file in self.files],
            directories=self.directories,
            changelog=self.changelog,
            machine=self.machine and list(self.machine),
        )


class BadArchive(LifecycleError):
    """What is wrong with an archive. Nothing was unpacked from it that anything uses."""


def from_json(data: t.Mapping[str, t.Any]) -> Manifest:
    """BadArchive for what no release of ours has written: it may come by way of a playbook's variable."""
    try:
        machine = data.get('machine')
        files = [File(str(path), int(size), str(digest)) for path, size, digest in data['files']]
        found = Manifest(
            str(data['sha256']),
            files,
            [str(path) for path in data['directories']],
            data.get('changelog') or None,
            (machine[0], machine[1], machine[2]) if machine else None,
        )
    except (TypeError, ValueError, LookupError, AttributeError) as exc:
        raise BadArchive(
            'The manifest of the release is not one: %s. Nothing was staged. Create it again from the archive.' % exc
        ) from exc
    for path in [file.path for file in found.files] + found.directories:
        refuse_path(path)
    if any(not re.match(r'[0-9a-f]{64}\Z', digest) for digest in [found.sha256] + [one.sha256 for one in files]):
        raise BadArchive(
            'The manifest of the release has a checksum that is not a SHA-256. Nothing was staged. Create it '
            'again from the '
            'archive.'
        )
    return found


def refused(why: str, advice: str = 'Get the archive from where the release is published, again.') -> BadArchive:
    return BadArchive('The archive is refused: %s. Nothing was staged. %s' % (why, advice))


# --- names


def why_path_is_bad(path: str) -> t.Optional[str]:
    """Why a path of an archive is not used, as the end of a sentence. Pure."""
    if path.startswith('/') or re.match(r'[A-Za-z]:', path):
        return 'it is an absolute path'
    if '\\' in path:
        return 'it has a backslash'
    parts = path.split('/')
    if '..' in parts:
        return 'it leads out of the directory'
    if any(part in ('', '.') for part in parts):
        return 'it has an empty part'
    if not printable.is_printable(path):
        return 'it has characters that cannot be shown'
    if len(path.encode('utf-8', 'surrogateescape')) > MAX_PATH or any(
        len(part.encode('utf-8', 'surrogateescape')) > MAX_NAME for part in parts
    ):
        return 'it is too long'
    if parts[0] == '.lifecycle':
        return 'that name is taken by this collection'
    return None


def refuse_path(path: str) -> None:
    why = why_path_is_bad(path)
    if why is not None:
        raise refused('it holds %s, and %s' % (_shown(path), why))


def _shown(path: str) -> str:
    return repr(printable.line(path)[:200])


def kind_of_entry(info: zipfile.ZipInfo) -> str:
    """``file``, ``directory``, or what else it is. Pure."""
    mode = info.external_attr >> 16 if info.create_system == _UNIX else 0
    kind = stat.S_IFMT(mode)
    if kind == stat.S_IFLNK:
        return 'a symbolic link'
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return 'no file'
    named_so = info.filename.endswith('/')
    if named_so or kind == stat.S_IFDIR or (info.create_system == 0 and info.external_attr & _DIRECTORY_OF_DOS):
        return 'directory' if info.file_size == 0 else 'a directory with content'
    return 'file'


def judge(entries: t.Sequence[zipfile.ZipInfo], archive_bytes: int) -> None:
    """BadArchive for what must not be unpacked, from the directory of the archive alone. Pure."""
    if len(entries) > MAX_ENTRIES:
        raise refused('it holds %d entries, more than %d' % (len(entries), MAX_ENTRIES))
    seen: t.Dict[str, str] = {}
    for info in entries:
        _judge_one(info)
        path, kind = info.filename.rstrip('/'), kind_of_entry(info)
        if path in seen and not kind == seen[path] == 'directory':
            raise refused('it holds %s twice' % _shown(path))
        seen[path] = kind
    for path in seen:
        parts = path.split('/')
        above = next((up for up in ('/'.join(parts[:n]) for n in range(1, len(parts))) if seen.get(up) == 'file'), None)
        if above is not None:
            raise refused('it holds %s as a file and as a directory' % _shown(above))
    _judge_sizes(entries, archive_bytes)


def _judge_one(info: zipfile.ZipInfo) -> None:
    if '\0' in info.orig_filename:
        raise refused('it holds %s, and it has characters that cannot be shown' % _shown(info.orig_filename))
    refuse_path(info.filename[:-1] if info.filename.endswith('/') else info.filename)
    kind = kind_of_entry(info)
    if kind not in ('file', 'directory'):
        raise refused('it holds %s, which is %s' % (_shown(info.filename), kind))
    if info.flag_bits & _ENCRYPTED:
        raise refused('%s in it is encrypted' % _shown(info.filename))
    if info.compress_type not in _METHODS:
        raise refused(
            '%s in it is compressed by method %d, which is not used for releases'
            % (_shown(info.filename), info.compress_type)
        )


def _judge_sizes(entries: t.Sequence[zipfile.ZipInfo], archive_bytes: int) -> None:
    total = sum(info.file_size for info in entries)
    if total > MAX_BYTES:
        raise refused('its files have %d bytes together, more than %d' % (total, MAX_BYTES))
    if sum(info.compress_size for info in entries) > archive_bytes:
        raise refused('its entries overlap')
    for info in entries:
        if info.file_size > RATIO_FROM and info.file_size > MAX_RATIO * max(1, info.compress_size):
            raise refused(
                '%s in it grows from %d to %d bytes' % (_shown(info.filename), info.compress_size, info.file_size)
            )


# --- content


class Archive:
    """An archive, opened from a file that nobody else writes. Use it as a context manager.

    BadArchive for everything that is no proper archive of a release.
    """

    def __init__(self, stream: t.IO[bytes]) -> None:
        stream.seek(0, 2)
        self.bytes = stream.tell()
        stream.seek(0)
        try:
            self.zip = zipfile.ZipFile(stream)
        except _DAMAGED as exc:
            raise refused('it is not a zip archive, or is truncated (%s)' % exc) from exc
        self.entries = self.zip.infolist()
        judge(self.entries, self.bytes)
        self.files = [info for info in self.entries if kind_of_entry(info) == 'file']
        self._refuse_without_binary()

    def __enter__(self) -> 'Archive':
        return self

    def __exit__(self, *dummy: t.Any) -> None:
        self.zip.close()

    def _refuse_without_binary(self) -> None:
        names = [info.filename for info in self.files]
        if BINARY in names:
            return
        deeper = [name for name in names if name.endswith('/' + BINARY)]
        if BINARY + '.exe' in names:
            raise refused('it is the release for Windows', 'Get the one for Linux.')
        if deeper:
            raise refused(
                '%s is in a subdirectory of it (%s), not at its top' % (BINARY, _shown(deeper[0])),
                'Pack it as the vendor does, without that directory.',
            )
        raise refused('there is no %s in it' % BINARY)

    @property
    def directories(self) -> t.List[str]:
        """All directories, those that have no entry of their own too, each after the one that holds it."""
        found = {info.filename.rstrip('/') for info in self.entries if kind_of_entry(info) == 'directory'}
        for info in self.entries:
            parts = info.filename.rstrip('/').split('/')[:-1]
            found.update('/'.join(parts[:count]) for count in range(1, len(parts) + 1))
        return sorted(found)

    def read(self, info: zipfile.ZipInfo, write: t.Callable[[bytes], t.Any]) -> File:
        """One file, piece by piece; its declared size and its checksum (CRC) must hold."""
        digest, left = hashlib.sha256(), info.file_size
        for piece in self._pieces(info):
            left -= len(piece)
            if left < 0:
                raise refused('%s in it is larger than it says' % _shown(info.filename))
            digest.update(piece)
            write(piece)
        if left:
            raise refused('%s in it is truncated' % _shown(info.filename))
        return File(info.filename, info.file_size, digest.hexdigest())

    def _pieces(self, info: zipfile.ZipInfo) -> t.Iterator[bytes]:
        """A failure while the archive is read is its fault; one of whoever writes the pieces is not caught here."""
        try:
            source = self.zip.open(info)
            piece = source.read(_CHUNK)
        except _DAMAGED as exc:
            raise refused('%s in it is damaged (%s)' % (_shown(info.filename), exc)) from exc
        while piece:
            yield piece
            try:
                piece = source.read(_CHUNK)
            except _DAMAGED as exc:
                raise refused('%s in it is damaged (%s)' % (_shown(info.filename), exc)) from exc


class Head:
    """The first bytes of a file as it goes by."""

    def __init__(self, most: int) -> None:
        self.most, self.data = most, b''

    def __call__(self, piece: bytes) -> None:
        if len(self.data) < self.most:
            self.data += piece[: self.most - len(self.data)]


def digest_of(stream: t.IO[bytes]) -> str:
    stream.seek(0)
    digest = hashlib.sha256()
    for piece in iter(lambda: stream.read(_CHUNK), b''):
        digest.update(piece)
    return digest.hexdigest()


def machine_of(head: bytes) -> elf.Machine:
    """What the binary is made for. BadArchive when it is no Linux program at all."""
    try:
        return elf.parse_header(head).machine
    except elf.NotRunnable as exc:
        raise refused('its %s cannot be executed: %s' % (BINARY, exc)) from exc


def refuse_machine(machine: elf.Machine, runnable: t.Collection[elf.Machine]) -> None:
    """BadArchive for a binary of another architecture than this host's."""
    if machine not in runnable:
        raise refused(
            'its %s is for another processor architecture (ELF machine %d, this host runs %s)'
            % (BINARY, machine[2], ' and '.join(sorted(str(known[2]) for known in runnable))),
            'Get the archive for this architecture.',
        )


def refuse_digest(digest: str, wanted: t.Optional[str]) -> None:
    if wanted and digest != wanted.strip().lower():
        raise refused('its SHA-256 is %s, not %s' % (digest, printable.line(wanted)))


def _both(first: t.Callable[[bytes], t.Any], second: t.Callable[[bytes], t.Any]) -> t.Callable[[bytes], None]:
    def take(piece: bytes) -> None:
        first(piece)
        second(piece)

    return take


Sink = t.Callable[[str], t.ContextManager[t.Callable[[bytes], t.Any]]]


class _Nowhere:
    def __enter__(self) -> t.Callable[[bytes], t.Any]:
        return len

    def __exit__(self, *dummy: t.Any) -> None:
        return None


def _no_sink(dummy: str) -> t.ContextManager[t.Callable[[bytes], t.Any]]:
    return _Nowhere()


def read(
    stream: t.IO[bytes],
    sha256: t.Optional[str] = None,
    sink: Sink = _no_sink,
    runnable: t.Optional[t.Collection[elf.Machine]] = None,
    ready: t.Callable[[Archive], None] = lambda _a: None,
) -> Manifest:
    """Read a whole archive. ``sink(path)`` gives what takes a file's bytes; ``ready`` is called before the first one.

    ``runnable``: what this host executes; None where it is not this host that will.
    """
    digest = digest_of(stream)
    refuse_digest(digest, sha256)
    with Archive(stream) as opened:
        ready(opened)
        files: t.List[File] = []
        changelog: t.Optional[str] = None
        machine: t.Optional[elf.Machine] = None
        for info in opened.files:
            head = Head(_CHANGELOG_BYTES if info.filename == _changelog.NAME else elf.HEADER_BYTES)
            with sink(info.filename) as write:
                files.append(opened.read(info, _both(head, write)))
            if info.filename == _changelog.NAME:
                changelog = _changelog.newest(head.data.decode('utf-8', 'replace'))
            elif info.filename == BINARY:
                machine = machine_of(head.data)
                if runnable is not None:
                    refuse_machine(machine, runnable)
        return Manifest(digest, sorted(files), opened.directories, changelog, machine)


def manifest_of(stream: t.IO[bytes], sha256: t.Optional[str] = None) -> Manifest:
    """The manifest of an archive that is not to be unpacked here."""
    return read(stream, sha256)


# --- versions

_KNOWN_BEHIND = {
    '2.1.2': '2.1.1',
    '2.1.6': '2.1.1',
    '2.3.6': '2.2.5',
    '3.1.9': '3.1.6',
    '3.2.7': '3.2.6',
    '3.5.1': '3.5.0',
    '3.5.4': '3.5.2',
}


def why_not_version(version: str, changelog: t.Optional[str]) -> t.Optional[str]:
    """Why an archive cannot be of the version that the operator names; None where nothing speaks against it. Pure.

    CHANGELOG.md is behind in 26 of 62 releases, by some patches of the same line but for those of the table, and never
    ahead.
    """
    named, told = versions.parse(version), versions.parse(changelog)
    if named is None:
        return 'no version such as 3.5.8'
    if told is None or told == named or _KNOWN_BEHIND.get('%d.%d.%d' % named) == '%d.%d.%d' % told:
        return None
    if told > named:
        return 'its CHANGELOG.md starts with %d.%d.%d, which is newer' % told
    return None if told[:2] == named[:2] else 'its CHANGELOG.md starts with %d.%d.%d, of another line' % told
