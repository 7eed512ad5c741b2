# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Unpack a log as a stream of blocks, in bounded memory: gzip, bzip2, xz, and zstd where the host has its program."""

import os
import subprocess
import typing as t
import zlib

from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs import position as _log_position

_BLOCK = 262144
_MOST = 4 << 30  # bytes that are unpacked
_XZ_MEMORY = 40 << 20  # what xz may take; its level 6, which rotations use, needs 9 MiB
_ENDINGS = ('.gz', '.bz2', '.xz', '.zst')


class Broken(Exception):
    """What is packed cannot be unpacked to its end, and why."""


def is_packed(path: str) -> bool:
    return path.endswith(_ENDINGS)


def blocks(fd: int, path: str) -> t.Iterator[bytes]:
    """The content in blocks; Broken after those that could be unpacked."""
    try:
        total = 0
        for block in _stream(fd, path):
            total += len(block)
            if total > _MOST:
                raise Broken('it unpacks to more than %d bytes' % _MOST)
            yield block
    except (EOFError, zlib.error, OSError, ValueError) as exc:
        raise Broken('it could not be unpacked to its end: %s' % exc) from exc


def _stream(fd: int, path: str) -> t.Iterator[bytes]:
    if path.endswith('.gz'):
        return _log_position.unpacked(fd)
    if path.endswith('.zst'):
        return _by_program(fd)
    return _by_library(fd, path)


def _library(path: str) -> t.Tuple[t.Callable[[], t.Any], t.Type[Exception]]:
    """What makes a reader for an ending, and how it fails; Broken on a Python that was built without it."""
    try:
        if path.endswith('.bz2'):
            import bz2

            return bz2.BZ2Decompressor, OSError
        import lzma

        return lambda: lzma.LZMADecompressor(lzma.FORMAT_AUTO, _XZ_MEMORY), lzma.LZMAError
    except ImportError as exc:
        raise Broken('it was skipped: this Python cannot unpack it (%s)' % exc) from exc


def _by_library(fd: int, path: str) -> t.Iterator[bytes]:
    # pylint: disable=using-constant-test  # it takes what a decompressor tells of itself for constants
    make, failure = _library(path)
    reader, data = make(), b''
    with os.fdopen(os.dup(fd), 'rb') as packed:
        packed.seek(0)
        while True:
            data = data or (packed.read(_BLOCK) if reader.needs_input else b'')
            if not data and reader.needs_input:
                raise EOFError('it is cut')
            try:
                block = reader.decompress(data, _BLOCK)
            except failure as exc:
                raise ValueError(str(exc)) from exc
            data = b''
            if block:
                yield block
            if reader.eof:  # several compressed parts may follow each other
                data = reader.unused_data.lstrip(b'\0') or packed.read(_BLOCK).lstrip(b'\0')
                if not data:
                    return
                reader = make()


def _by_program(fd: int) -> t.Iterator[bytes]:
    os.lseek(fd, 0, os.SEEK_SET)
    try:
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function  # its output is not held in memory
            ['zstd', '-dcq'], stdin=fd, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError as exc:
        raise Broken('it was skipped: zstd is not installed') from exc
    try:
        while process.stdout is not None:
            block = process.stdout.read(_BLOCK)
            if not block:
                break
            yield block
        if process.wait() != 0:
            raise EOFError('zstd ended with status %d' % process.returncode)
    finally:
        if process.stdout is not None:
            process.stdout.close()
        if process.poll() is None:
            process.kill()
        process.wait()
