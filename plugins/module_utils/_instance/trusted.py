# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Files that only root and this user could have written, and the way to write them."""

import os
import stat
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import (
    LifecycleError,
    nothing_done,
    used_up,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import records as _records

SYSTEM_DIR = '/var/lib/anqicms-lifecycle'

Entry = t.Dict[str, t.Any]


class DamagedState(LifecycleError):
    """A file of the state is of a newer format, or no release has written it so. ``seen``: which one, and why."""

    def __init__(self, path: str, why: object) -> None:
        self.seen = '%s %s' % (path, why)
        place = os.path.dirname(path)
        name = os.path.basename(os.path.dirname(place) if os.path.basename(place) == 'results' else place)
        LifecycleError.__init__(
            self,
            '%s. It was not used, and nothing was done. Update the collection on the controller, or move this '
            'state aside: run recover with anqicms_put_aside=%s.' % (self.seen, name),
        )


def default_base() -> str:
    """/var/lib/anqicms-lifecycle as root, the user's own state directory otherwise."""
    if os.geteuid() == 0:
        return SYSTEM_DIR
    home = os.environ.get('XDG_STATE_HOME') or os.path.join(os.path.expanduser('~'), '.local', 'state')
    return os.path.join(home, 'anqicms-lifecycle')


def _others(found: os.stat_result, uid: int) -> int:
    """The write bits of others; a user's own group of one, with the user's number, is nobody else."""
    return 0o002 if uid and found.st_uid == found.st_gid == uid else 0o022


def untrusted_part(path: str, uid: int) -> t.Optional[str]:
    """The first part of the path that somebody but root and ``uid`` could change, None when there is none.

    A sticky directory of root's, such as /tmp, is no danger: others cannot rename or remove what is ours in it.
    """
    part = '/'
    for name in [''] + [name for name in os.path.abspath(path).split('/') if name]:
        part = os.path.join(part, name)
        try:
            found = os.lstat(part)
        except FileNotFoundError:
            return None
        sticky = found.st_mode & stat.S_ISVTX and found.st_uid == 0
        writable_by_others = found.st_mode & _others(found, uid) and not sticky
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (0, uid) or writable_by_others:
            return part
    return None


def write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def write_atomic(path: str, data: bytes, mode: int = 0o600, flush: bool = True) -> None:
    """Replace a file of ours: written beside it, flushed, renamed. Mode 0600 unless said.

    Without ``flush``, which costs many ms, a power cut may leave anything: for what is compared before each use.
    """
    temporary = '%s.%d.tmp' % (path, os.getpid())
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        try:
            os.fchmod(fd, mode)
            write_all(fd, data)
            if flush:
                os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise


def flush_directory(path: str) -> None:
    """Names that were made, replaced or removed in it are on the disk. OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_dir(path: str, mode: int) -> None:
    """One that is there, or that another process makes now, stays as it is."""
    try:
        os.mkdir(path, mode)
    except FileExistsError:
        return
    os.chmod(path, mode)  # whatever the umask


def read_trusted(path: str) -> bytes:
    """A file of ours, empty when it does not exist. LifecycleError for another user's, or a link."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return b''
    except OSError as exc:
        if used_up(exc):
            raise nothing_done('%s cannot be read' % path, exc) from exc
        raise LifecycleError('%s cannot be used: %s. Nothing was done. Remove it.' % (path, exc.strerror)) from exc
    with os.fdopen(fd, 'rb') as stream:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or found.st_uid not in (0, os.geteuid()):
            raise LifecycleError(
                '%s belongs to uid %d or is not a regular '
                'file, so it is not trusted. Nothing was done. Remove it.' % (path, found.st_uid)
            )
        return stream.read()


def read_if_there(path: str) -> t.Optional[bytes]:
    """As ``read_trusted``; None when it does not exist."""
    data = read_trusted(path)
    return data if data or os.path.lexists(path) else None


def read_record(path: str, fields: _records.Fields) -> t.Optional[Entry]:
    """One record, None when there is none. DamagedState when its format or types are not known."""
    data = read_if_there(path)
    if data is None:
        return None
    try:
        return _records.parse_record(data, fields)
    except _records.Odd as exc:
        raise DamagedState(path, exc) from exc


def read_lines(path: str, fields: _records.Fields) -> t.List[Entry]:
    """A record of one line each. DamagedState as above."""
    try:
        return _records.parse_lines(read_trusted(path), fields)
    except _records.Odd as exc:
        raise DamagedState(path, exc) from exc
