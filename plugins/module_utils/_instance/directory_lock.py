# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The lock of the install directory alone; what a run takes and heeds is in ``_instance.lock``."""

import errno
import fcntl
import os
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import Instance


def _try_lock(instance: Instance, operation: int) -> t.Optional[int]:
    """The locked descriptor of the install directory, None when somebody else holds the lock."""
    fd = os.open(instance.dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, operation | fcntl.LOCK_NB)
        return fd
    except OSError as exc:
        os.close(fd)
        if exc.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return None
        raise


def take(instance: Instance) -> t.Optional[int]:
    """The lock's descriptor (held by whoever inherits it), None when somebody else holds it."""
    for _attempt in range(20):
        fd = _try_lock(instance, fcntl.LOCK_EX)
        if fd is not None:
            return fd
        time.sleep(0.005)  # is_locked() of another process holds it for a moment
    return None


def release(fd: int) -> None:
    """Give the lock up, also for those who have inherited its descriptor."""
    if fd >= 0:
        fcntl.flock(fd, fcntl.LOCK_UN)


def is_locked(instance: Instance) -> bool:
    """Whether anybody holds it, a stranger too."""
    fd = _try_lock(instance, fcntl.LOCK_SH)
    if fd is None:
        return True
    os.close(fd)
    return False


def holders(instance: Instance, locks: t.Optional[str] = None) -> t.List[int]:
    """Pids that /proc/locks names for the install directory (the process that took it, which may have passed it on)."""
    found = os.stat(instance.dir)
    wanted = '%02x:%02x:%d' % (os.major(found.st_dev), os.minor(found.st_dev), found.st_ino)
    if locks is None:
        with open('/proc/locks') as stream:
            locks = stream.read()
    rows = [line.split() for line in locks.split('\n')]
    return [int(row[4]) for row in rows if len(row) > 5 and row[1] == 'FLOCK' and row[5] == wanted]
