# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The logs of one instance: where they are, how far they go, what they say since."""

import os
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import files as _files
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import launch
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.observed import Observed
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs import position as _position
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs import scan


class Logs:
    """By kind: ``running`` takes what the process prints; the others are in the install directory."""

    def __init__(self, of: Observed) -> None:
        self._of = of

    def path(self) -> str:
        """Where standard output goes, as it runs now or ran before; running.log when that is not known."""
        data = self._of.state.launch()
        proved = launch.proved_of(data)
        if self._of.handle is not None:
            now = launch.output_of(self._of.handle.proc)
            if now.log is not None:
                return launch.believed_log(now.log, now.found, proved, self._of.instance.dir)
        record = launch.from_json(data) if data else None
        log, found = (record.log, record.log_found) if record else (None, None)
        return launch.believed_log(log, found, proved, self._of.instance.dir)

    def files(self) -> t.Dict[str, str]:
        """The paths of all its logs, by kind."""
        return dict(
            running=self.path(),
            error=os.path.join(self._of.instance.dir, 'error.log'),
            panics=os.path.join(self._of.instance.dir, 'cache/error.log'),
        )

    def position(self, serving: t.Optional[bool] = None) -> str:
        """The end of all logs now, for ``since`` of log_check. ``serving``: whether it runs, as seen by default."""
        uid = self._of.candidate.uid if self._of.candidate else None
        with _files.InstallDir(self._of.instance.dir) as directory:
            return _position.take(
                directory, self.files(), uid, self._of.candidate is not None if serving is None else serving
            )

    def why_hidden(self) -> t.Optional[str]:
        """Why what the process prints is in no file that could be read; None when it is, or nothing runs."""
        if self._of.handle is None or self._of.handle.gone():
            return None
        target = self._of.handle.proc.optional_link('fd/1')
        if target is None:
            return 'this user cannot see where its standard output goes'
        output = launch.output_of(self._of.handle.proc)
        if output.kind != 'file':
            return 'its standard output goes to %s, which is not a log file' % target
        if output.found is None:
            return (
                'it writes to %s in its own mount namespace; on this host that is another file, or does not exist'
            ) % output.log
        return 'it writes to %s, so its output is lost' % target if target.endswith(' (deleted)') else None

    def size(self, kind: str = 'running') -> int:
        fd = self._open(kind)
        if fd is None:
            return 0
        try:
            return os.fstat(fd).st_size
        finally:
            os.close(fd)

    def since(self, position: int, limit: int = 65536, kind: str = 'running') -> str:
        """What the log says from a position on, at most its last ``limit`` bytes; empty when it cannot be read."""
        fd = self._open(kind)
        if fd is None:
            return ''
        try:
            size = os.fstat(fd).st_size
            position = 0 if size < position else position  # it was cut (copytruncate)
            os.lseek(fd, max(position, size - limit), os.SEEK_SET)
            return scan.without_nuls(_files.read_fd(fd, limit)).decode('utf-8', 'replace')
        finally:
            os.close(fd)

    def _open(self, kind: str) -> t.Optional[int]:
        try:
            with _files.InstallDir(self._of.instance.dir) as directory:
                path = self.path() if kind == 'running' else self.files()[kind]
                return directory.open_log(path, self._of.candidate.uid if self._of.candidate else None)
        except (OSError, LifecycleError):
            return None
