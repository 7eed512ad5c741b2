# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Unpacks the archive of a release beside the instance, while that runs.

Into a fresh directory below ``.lifecycle``, which nobody else can enter; with owner and mode as the files will have in
their places. The archive is copied there first, so that what is hashed is what is unpacked.
"""

import ctypes
import os
import stat
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import archive, file_plan, listing, places
from ansible_collections.anqicms.lifecycle.plugins.module_utils._change.store import Staged
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import (
    LifecycleError,
    NotYet,
    nothing_done,
    reason,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import files as _files
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import Instance
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.launch import LaunchRecord
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import executable, writers

_CHUNK = 1 << 20
_SPARE_BYTES = 16 << 20
_BLOCK = 4096


def open_source(path: str) -> t.IO[bytes]:
    """The archive by the operator's path. LifecycleError when it is missing, no plain file, or still being written."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as exc:
        raise LifecycleError(
            'The archive %s cannot be opened: %s. Nothing was staged. Copy it to this host first.' % (path, reason(exc))
        ) from exc
    kind = _files.kind_of(os.fstat(fd))
    if kind is not None:
        os.close(fd)
        raise LifecycleError('The archive %s is %s. Nothing was staged. Give the path of a zip file.' % (path, kind))
    if writers.is_written(fd):
        found = writers.describe(os.fstat(fd), os.path.realpath(path))
        os.close(fd)
        raise NotYet(
            'The archive %s is not complete: %s. Nothing was staged. Wait until it is complete.' % (path, found)
        )
    return os.fdopen(fd, 'rb')


def refuse_read_only(install: places.Tree) -> None:
    if os.fstatvfs(install.fd).f_flag & os.ST_RDONLY:
        raise LifecycleError(
            'The file system of %s is read-only. Nothing was changed. Mount it writable.' % (install.path)
        )


def refuse_no_room(install: places.Tree, wanted: int, files: int) -> None:
    """LifecycleError where the file system of the install directory is read-only, or has no room."""
    refuse_read_only(install)
    found = os.fstatvfs(install.fd)
    free = (found.f_bfree if os.geteuid() == 0 else found.f_bavail) * found.f_frsize
    if free < wanted + _SPARE_BYTES:
        raise LifecycleError(
            'The release needs %d MB in %s, but only %d MB are free. Nothing was staged. Free space there; state '
            'tidied removes old releases.' % ((wanted + _SPARE_BYTES) // 10**6 + 1, install.path, free // 10**6)
        )
    if found.f_files and found.f_ffree < files + 100:
        raise LifecycleError(
            'The release has %d files, and the file system of %s has room for %d. Nothing was staged. '
            'Remove files there.' % (files, install.path, found.f_ffree)
        )


def size_on_disk(sizes: t.Iterable[int]) -> int:
    return sum((size + _BLOCK - 1) // _BLOCK * _BLOCK for size in sizes)


class _Sink:
    """Takes one file of the archive."""

    def __init__(self, tree: places.Tree, path: t.Optional[str], stats: t.Dict[str, t.List[int]]) -> None:
        self.tree, self.path, self.stats, self.fd = tree, path, stats, -1

    def __enter__(self) -> t.Callable[[bytes], t.Any]:
        if self.path is None:
            return len
        self.fd = self.tree.create(self.path)
        return self._write

    def _write(self, piece: bytes) -> None:
        while piece:
            piece = piece[os.write(self.fd, piece) :]

    def __exit__(self, *dummy: t.Any) -> None:
        if self.fd >= 0 and self.path is not None:
            info = os.fstat(self.fd)
            self.stats[self.path] = [info.st_ino, info.st_size, info.st_mtime_ns]
            os.close(self.fd)


class Stager:
    """One staging. ``dressed`` says how the staged files look, from the manifest."""

    def __init__(self, instance: Instance, install: places.Tree, bulk: places.Tree, version: str) -> None:
        self.instance, self.install, self.bulk, self.version = instance, install, bulk, version
        mark = os.urandom(4).hex()
        self.name, self.copy = 'new-%s-%s' % (version, mark), 'zip-%s' % mark
        self.stats: t.Dict[str, t.List[int]] = {}

    def stage(
        self,
        source: t.IO[bytes],
        sha256: t.Optional[str],
        record: t.Optional[LaunchRecord],
        dressed: t.Callable[[t.Sequence[archive.File], t.Sequence[str]], t.Mapping[str, file_plan.Owned]],
        progress: t.Callable[[str], None] = lambda text: None,
    ) -> Staged:
        """LifecycleError when it cannot be used here; nothing is left of it then."""
        try:
            progress('copying the archive')
            with self._copied(source) as copy:
                progress('unpacking the release %s' % self.version)
                with places.open_below(self.bulk, self.name, make=True) as tree:
                    staged = self._unpack(copy, tree, sha256)
                    self._dress(tree, staged, dressed(staged.files, staged.directories))
                    refuse_binary(self.instance, tree, record)
            sync_file_system(self.install)
            return staged
        except OSError as exc:
            self._discard()
            raise nothing_done(
                'The release %s could not be staged in %s' % (self.version, self.install.path), exc
            ) from exc
        except BaseException:
            self._discard()
            raise
        finally:
            self._remove(self.copy)

    def _discard(self) -> None:
        self._remove(self.name)

    def _remove(self, name: str) -> None:
        try:
            self.bulk.remove(name)
        except OSError:
            pass  # tidied removes it

    def _copied(self, source: t.IO[bytes]) -> t.IO[bytes]:
        size = os.fstat(source.fileno()).st_size
        refuse_no_room(self.install, size, 10)
        source.seek(0)
        fd = self.bulk.create(self.copy)
        target = os.fdopen(fd, 'w+b')
        for piece in iter(lambda: source.read(_CHUNK), b''):
            target.write(piece)
        target.flush()
        return target

    def _unpack(self, copy: t.IO[bytes], tree: places.Tree, sha256: t.Optional[str]) -> Staged:
        renamed = {archive.BINARY: self.instance.binary}

        def ready(opened: archive.Archive) -> None:
            sizes = [info.file_size for info in opened.files]
            refuse_no_room(self.install, size_on_disk(sizes), len(sizes) + len(opened.directories))
            for path in opened.directories:
                if not file_plan.is_never_touched(path) or path == 'cache':
                    tree.make_directory(path)

        def sink(path: str) -> t.ContextManager[t.Callable[[bytes], t.Any]]:
            name = None if file_plan.is_never_touched(path) else renamed.get(path, path)
            return _Sink(tree, name, self.stats)

        manifest = archive.read(copy, sha256, sink, executable.own_machines(), ready)
        refuse_version(self.version, manifest)
        files, directories, _ignored = file_plan.staged_files(manifest, self.instance.binary)
        file_plan.refuse_missing_parts(self.version, files)
        return Staged(
            self.version,
            manifest.sha256,
            self.name,
            time.time(),
            files,
            directories,
            manifest.changelog,
            self.stats,
            {},
        )

    def _dress(self, tree: places.Tree, staged: Staged, wanted: t.Mapping[str, file_plan.Owned]) -> None:
        """Directories after what is in them: then nobody else can enter one that is not complete."""
        for path in [file.path for file in staged.files] + staged.directories[::-1]:
            tree.dress(path, *wanted[path])


def refuse_version(version: str, manifest: archive.Manifest) -> None:
    why = archive.why_not_version(version, manifest.changelog)
    if why is not None:
        raise LifecycleError(
            'The archive is not the release %s: %s. Nothing was staged. Give the archive of %s, or '
            'the version that the program of this one reports.' % (version, why, version)
        )


def refuse_binary(instance: Instance, tree: places.Tree, record: t.Optional[LaunchRecord]) -> None:
    """LifecycleError when the staged binary could not be executed in its place."""
    here = '/proc/self/fd/%d' % tree.fd
    found = executable.judge(instance._replace(dir=here), record)
    for text, kind in ((found.busy, NotYet), (found.problem, LifecycleError)):
        if text:
            raise kind(
                'The staged binary cannot be executed: %s. The release is not used, and nothing was stopped. '
                'Get the complete archive for this host.' % text.replace(here, tree.path)
            )


def refuse_altered(tree: places.Tree, staged: Staged, paths: t.Iterable[str], content: bool = False) -> None:
    """LifecycleError when a staged file is not the one that was unpacked. ``content``: its bytes are compared, too."""
    digests = staged.proofs()
    for path in paths:
        why = _why_altered(tree, path, staged.stats.get(path), digests[path] if content else None)
        if why is not None:
            raise LifecycleError(
                'The staged file %s is not used: %s. Nothing was changed. Stage the release %s '
                'again.' % (tree.shown(path), why, staged.version)
            )


def _why_altered(
    tree: places.Tree, path: str, stats: t.Optional[t.Sequence[int]], digest: t.Optional[str]
) -> t.Optional[str]:
    info = tree.lstat(path)
    if info is None:
        return 'it is missing'
    if not stat.S_ISREG(info.st_mode) or [info.st_ino, info.st_size, info.st_mtime_ns] != list(stats or ()):
        return 'it is not the file that was unpacked'
    if digest is None:
        return None
    parent, name = tree.parent(path)
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
    try:
        return None if listing.digest_of(fd) == digest else 'its content is another one'
    finally:
        os.close(fd)


def sync_file_system(tree: places.Tree) -> None:
    """All that was written to the file system is on the disk. Where there is no syncfs, everything of the host."""
    fd = os.open('/proc/self/fd/%d' % tree.fd, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.syncfs(fd) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    except AttributeError:
        os.sync()
    finally:
        os.close(fd)
