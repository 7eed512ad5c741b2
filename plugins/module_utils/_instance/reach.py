# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Whether a directory on a file system of the network, or of a program, answers: a call to one that hangs never ends.

So a child of ours asks first, once for each mount. Nothing is asked where the kernel itself has the files.
"""

import os
import re
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import children, procfs

LIMIT_S = 2.0
_ASKED = re.compile(r'(nfs4?|cifs|smb3|smbfs|ceph|glusterfs|9p|afs|lustre|autofs|fuse|fuseblk|fuse\..*)\Z')


class Mount(t.NamedTuple):
    point: str
    kind: str


def parse_mounts(text: str) -> t.List[Mount]:
    """Parse /proc/self/mountinfo. Pure."""
    found = []
    for line in text.split('\n'):
        fields, dash, rest = line.partition(' - ')
        words = fields.split(' ')
        if dash and len(words) > 4:
            point = re.sub(r'\\([0-7]{3})', lambda code: chr(int(code.group(1), 8)), words[4])
            found.append(Mount(point, rest.split(' ')[0]))
    return found


def mount_of(path: str, mounts: t.Iterable[Mount]) -> t.Optional[Mount]:
    """On which mount a path lies: the deepest one, of several at one place the last. Pure."""
    found: t.Optional[Mount] = None
    for mount in mounts:
        below = (path.rstrip('/') + '/').startswith(mount.point.rstrip('/') + '/')
        if below and (found is None or len(mount.point) >= len(found.point)):
            found = mount
    return found


def is_asked(mount: t.Optional[Mount]) -> bool:
    return mount is not None and bool(_ASKED.match(mount.kind))


class _Answers:
    """Of this process: its mounts, and which of them were found to hang or not."""

    def __init__(self) -> None:
        self.hanging: t.Dict[str, bool] = {}
        try:
            mounts = parse_mounts(procfs.read_text('/proc/self/mountinfo'))
        except OSError:
            mounts = []
        self.mounts = mounts if any(is_asked(mount) for mount in mounts) else []

    def hangs(self, path: str) -> bool:
        mount = mount_of(path, self.mounts) if self.mounts else None
        if mount is None or not is_asked(mount):
            return False
        if mount.point not in self.hanging:
            self.hanging[mount.point] = not _answers(path)
        return self.hanging[mount.point]


_known: t.List[_Answers] = []


def forget() -> None:
    """Ask again: a process that lives on calls this before it looks anew."""
    _known.clear()


def hangs(path: str) -> bool:
    """Whether the file system of this absolute path does not answer."""
    if not _known:
        _known.append(_Answers())
    return _known[0].hangs(path)


def _answers(path: str) -> bool:
    """Whatever the answer is. A child that hangs is left to the kernel: it may not even be killed."""
    child = os.fork()
    if child == 0:
        try:
            os.lstat(path)
        finally:
            os._exit(0)
    until, pause = time.monotonic() + LIMIT_S, 0.0005
    while os.waitpid(child, os.WNOHANG)[0] == 0:
        if time.monotonic() > until:
            children.end(child, 0.05)
            return False
        time.sleep(pause)
        pause = min(pause * 2, 0.02)
    return True


def refuse_hanging(path: str) -> None:
    """LifecycleError where a look would never end."""
    if hangs(path):
        raise LifecycleError(
            '%s is on a file system that did not answer '
            'within %g s. Nothing was done. Fix or unmount it.' % (path, LIMIT_S)
        )
