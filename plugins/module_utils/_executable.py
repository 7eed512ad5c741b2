# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Can this binary be executed here?"""

import errno
import os
import stat
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import Instance


def read_header(path: str) -> bytes:
    """The first bytes of a regular file. Nothing else is opened, whatever stands there: OSError."""
    look = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(look).st_mode):
            raise OSError(errno.EINVAL, 'it is not a regular file')
        fd = os.open('/proc/self/fd/%d' % look, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.read(fd, 20)
        finally:
            os.close(fd)
    finally:
        os.close(look)


def wrong_header(header: bytes, own: bytes) -> t.Optional[str]:
    """Why a program with these first bytes does not run where one with ``own`` does, None when it may. Pure."""
    if header[:4] != b'\x7fELF' or len(header) < 20:
        return 'it is not a Linux program'
    if header[4:6] != own[4:6] or header[18:20] != own[18:20]:
        return 'it is for another processor architecture (ELF machine %d, this host runs %d)' % (
            int.from_bytes(header[18:20], 'little'), int.from_bytes(own[18:20], 'little'))
    return None


def executable_problem(instance: Instance) -> t.Optional[str]:
    """Why the binary cannot be executed here (missing, not executable, not for this machine). None: it can."""
    path = instance.executable
    try:
        header = read_header(path)
        mode = stat.S_IMODE(os.stat(path).st_mode)
        why = wrong_header(header, read_header('/proc/self/exe'))
    except OSError as exc:
        return '%s: %s' % (path, exc.strerror)
    if not mode & 0o111:
        why = 'it is not executable (mode %04o)' % mode
    return '%s: %s' % (path, why) if why else None
