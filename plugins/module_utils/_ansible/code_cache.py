# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Compiled code of the payload, kept on the host between calls, as Python keeps its own in __pycache__.

A module comes as source in every call; to compile it is half of what a call costs. What is kept is code that runs with
the caller's rights, so it is read only from where nobody else can write, below the caller's home directory. Without it
everything works, a tenth of a second later.
"""

import contextlib
import hashlib
import marshal
import os
import stat
import sys
import types
import typing as t
from importlib.util import MAGIC_NUMBER

Mark = t.Tuple[int, int]  # size and CRC-32 of a source
Entry = t.Tuple[Mark, bytes]  # of the source; compiled code
_MOST = 16 << 20  # bytes of the file that is read
_PLACES = ('.cache', 'anqicms-lifecycle')  # below the home directory


class CodeCache:
    """Files are named by their place in the collection, and are compiled anew when their source is another.

    Size and CRC-32 tell that, as the zip file has them: Python goes by size and time of change. Who could forge them
    sends the code that runs here anyway.
    """

    def __init__(self, entries: t.Optional[t.Mapping[str, Entry]] = None) -> None:
        self.entries = dict(entries or {})
        self.grown = False

    def code_of(self, name: str, mark: Mark, read: t.Callable[[], bytes]) -> types.CodeType:
        kept = self.entries.get(name)
        if kept and kept[0] == mark:
            return t.cast(types.CodeType, marshal.loads(kept[1]))
        code = compile(read(), name, 'exec', dont_inherit=True)
        self.entries[name] = (mark, marshal.dumps(code))
        self.grown = True
        return code


def load() -> CodeCache:
    """What an earlier call has kept; empty where there is nothing, or nothing that can be trusted."""
    try:
        return CodeCache(_unpacked(_read(_path())))
    except (OSError, ValueError, EOFError, TypeError):
        return CodeCache()


def keep(cache: CodeCache) -> None:
    """Keep what was compiled in this call. Where it cannot be kept, the next call compiles again."""
    if not cache.grown:
        return
    # Not before: what is imported without a cache is compiled twice.
    from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import trusted

    with contextlib.suppress(OSError, ValueError):
        trusted.write_atomic(_path(make=True), _packed(cache.entries), flush=False)


def _path(make: bool = False) -> str:
    """Where it is kept. PermissionError where another user than the caller and root can change what lies there."""
    place = os.path.expanduser('~')
    _require_own(place)
    for name in _PLACES:
        place = os.path.join(place, name)
        if make:
            with contextlib.suppress(FileExistsError):
                os.mkdir(place, 0o700)
        _require_own(place)
    return os.path.join(place, 'code.%s' % sys.implementation.cache_tag)


def _require_own(place: str) -> None:
    seen = os.lstat(place)
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid not in (0, os.geteuid()) or seen.st_mode & 0o022:
        raise PermissionError('%s can be changed by others' % place)


def _read(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(fd, 'rb') as stream:
        seen = os.fstat(fd)
        own = seen.st_uid == os.geteuid() and not seen.st_mode & 0o022 and seen.st_nlink == 1
        if not stat.S_ISREG(seen.st_mode) or not own or seen.st_size > _MOST:
            raise PermissionError('%s is not a file that only this user can change' % path)
        return stream.read(_MOST)


def _packed(entries: t.Mapping[str, Entry]) -> bytes:
    body = marshal.dumps(dict(entries))
    return MAGIC_NUMBER + hashlib.sha256(body).digest() + body


def _unpacked(data: bytes) -> t.Dict[str, Entry]:
    """ValueError for what another version of Python has written, or what is damaged: it could crash the interpreter."""
    head = len(MAGIC_NUMBER)
    digest, body = data[head : head + 32], data[head + 32 :]
    if data[:head] != MAGIC_NUMBER or hashlib.sha256(body).digest() != digest:
        raise ValueError('not written by this Python, or damaged')
    return t.cast('t.Dict[str, Entry]', marshal.loads(body))
