# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The file of a dump: compressed or not, read back, packed when the new version answers."""

import hashlib
import os
import re
import shutil
import subprocess
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import client, dump_manifest
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError, present, reason

_SANDBOX = re.compile(rb'/\*M?!999999\\- [^\n]*\n')
_PER_DATA = 1.3  # of the size that the server tells: what is asked for on the disk
_COMPRESSED = 0.6  # the same, compressed; a third was seen
_RESERVE = 64 << 20  # that stays free
COMPRESSORS = {
    'zstd': (['-q', '-1', '-c'], ['-q', '-dc'], '.zst'),
    'gzip': (['-1', '-c'], ['-dc'], '.gz'),
}
Progress = t.Callable[[str], None]


def choose(wanted: str, data_bytes: int, free: int, available: t.Sequence[str]) -> t.Optional[str]:
    """none, zstd or gzip for this dump; None when there is no room for any. ``wanted`` auto: plain where it fits."""
    if wanted != 'auto':
        needed = data_bytes * (_PER_DATA if wanted == 'none' else _COMPRESSED)
        return wanted if free >= needed + _RESERVE else None
    if free >= data_bytes * _PER_DATA + _RESERVE:
        return 'none'
    fits = free >= data_bytes * _COMPRESSED + _RESERVE
    return next((one for one in ('zstd', 'gzip') if one in available), None) if fits else None


def compressors() -> t.List[str]:
    return [one for one in ('zstd', 'gzip') if program_of(one)]


def program_of(one: str) -> t.Optional[str]:
    return shutil.which(one, path=':'.join(client.PLACES[:6]))


def free_bytes(directory: str) -> int:
    """On the disk of a directory, or of the one that it will be made in."""
    while not os.path.isdir(directory):
        directory = os.path.dirname(directory) or '/'
    found = os.statvfs(directory)
    return found.f_bavail * found.f_frsize


def pack(
    directory: str, site: int, compression: str = 'auto', progress: Progress = lambda text: None
) -> dump_manifest.Manifest:
    """Compress a plain dump and note the hash of the file. What is there already is left as it is. LifecycleError."""
    manifest = dump_manifest.read(directory, site)
    if manifest.sha256 is not None or not manifest.file:
        return manifest
    if compression == 'auto':
        compression = (compressors() or ['none'])[0]
    path = os.path.join(directory, manifest.file)
    try:
        if manifest.compression == 'none' and compression in COMPRESSORS:
            _refuse_to_pack(directory, manifest)
            progress('compressing the dump of %s' % manifest.database)
            packed = path + COMPRESSORS[compression][2]
            _compress_file(path, packed, compression)
            manifest = manifest._replace(file=os.path.basename(packed), compression=compression)
        whole = os.path.join(directory, manifest.file)
        manifest = manifest._replace(sha256=hash_of(whole), bytes=os.stat(whole).st_size)
        dump_manifest.write(directory, manifest)
        if whole != path:
            os.unlink(path)
    except OSError as exc:
        raise LifecycleError(
            'The dump in %s could not be compressed: %s. It stays as it is.' % (directory, reason(exc))
        ) from exc
    return manifest


def _refuse_to_pack(directory: str, manifest: dump_manifest.Manifest) -> None:
    """For a while both files are there, on a disk that others need too. LifecycleError when there is no room."""
    free = free_bytes(directory)
    if free < manifest.bytes * _COMPRESSED + _RESERVE:
        raise LifecycleError(
            'There is no room to compress the dump in %s: %d MB are free, and it has %d MB. It stays '
            'as it is. Free space there, then compress it with the module database, state packed.'
            % (directory, free >> 20, manifest.bytes >> 20)
        )


def _compress_file(path: str, packed: str, compression: str) -> None:
    """Compressed, flushed, and unpacked once more for a look. LifecycleError."""
    program, (pack_options, unpack_options, _suffix) = present(program_of(compression)), COMPRESSORS[compression]
    with open(path, 'rb') as source, open(packed, 'wb', opener=private) as target:
        codes = [
            subprocess.call(  # pylint: disable=ansible-bad-function  # the worker has no module any more
                [program] + pack_options, stdin=source, stdout=target, stderr=subprocess.DEVNULL
            )
        ]
        os.fsync(target.fileno())
    with open(packed, 'rb') as source:
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function
            [program] + unpack_options, stdin=source, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        again = _hash_stream(present(process.stdout))
        present(process.stdout).close()
        codes.append(process.wait())
    if any(codes) or again != hash_of(path):
        os.unlink(packed)
        raise LifecycleError(
            '%s did not compress %s well (exit status %s). It stays as it is.' % (compression, path, codes)
        )


def private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _hash_stream(stream: t.IO[bytes]) -> str:
    digest = hashlib.sha256()
    while True:
        chunk = stream.read(1 << 20)
        if not chunk:
            return digest.hexdigest()
        digest.update(chunk)


def hash_of(path: str) -> str:
    with open(path, 'rb') as stream:
        return _hash_stream(stream)


class Reader:
    """A dump as the input of a client: ``fd``. Close it; ``problem`` says then what of it could not be read."""

    def __init__(self, directory: str, manifest: dump_manifest.Manifest) -> None:
        self._file = open(os.path.join(directory, manifest.file), 'rb')  # noqa: SIM115  # closed by close
        self._process: 't.Any' = None
        if manifest.compression == 'none':
            os.lseek(self._file.fileno(), len(first_line(self._file)), os.SEEK_SET)
            self.fd = self._file.fileno()
            return
        program = program_of(manifest.compression)
        if program is None:
            self._file.close()
            raise LifecycleError(
                '%s is needed to read the dump %s, and is not installed.' % (manifest.compression, manifest.file)
            )
        self._process = subprocess.Popen(  # pylint: disable=ansible-bad-function
            [program] + COMPRESSORS[manifest.compression][1],
            stdin=self._file,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.fd = self._process.stdout.fileno()

    def close(self) -> t.Optional[str]:
        self._file.close()
        if self._process is None:
            return None
        self._process.stdout.close()
        code = self._process.wait()
        return 'it could not be unpacked (exit status %d)' % code if code else None


def first_line(stream: t.IO[bytes]) -> bytes:
    """The line by which a client is told to execute no commands; an older one does not know it."""
    head = stream.read(256)
    found = _SANDBOX.match(head)
    return found.group(0) if found else b''
