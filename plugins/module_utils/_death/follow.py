# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Follows the kernel's log as it is written, to know when it is worth a look. It only wakes; it decides nothing.

So it needs no position that could be lost: a look reads the logs themselves, for a span of time.
"""

import os
import subprocess
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import sources as _death_sources
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.needles import concerns
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs.scan import LineCutter

_RECORD = 8192
_AT_ONCE = 1000  # records, before others have their turn
_BLOCK = 262144
_LONGEST_PAUSE = 60.0


class Follower:
    """``fd`` becomes readable when something was written, None while there is nothing to wait for."""

    fd: t.Optional[int] = None

    def __init__(self, names: t.Callable[[], t.Collection[bytes]], note: t.Callable[[str], None]) -> None:
        self.names, self.note = names, note

    def tick(self) -> None:
        """Called now and then."""

    def woken(self) -> bool:
        """Read what there is; whether a line of it can be about one of the names."""
        return False

    def close(self) -> None:
        """End what it has begun."""

    def may_concern(self, text: bytes) -> bool:
        return concerns(text) and any(name in text for name in self.names())


class KmsgFollower(Follower):
    """The kernel's ring, from its end on."""

    def __init__(
        self, names: t.Callable[[], t.Collection[bytes]], note: t.Callable[[str], None], path: str = _death_sources.KMSG
    ) -> None:
        super().__init__(names, note)
        self.fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        try:
            os.lseek(self.fd, 0, os.SEEK_END)
            self._read(self.fd)  # whether this user may
        except OSError:
            self.close()
            raise

    def woken(self) -> bool:
        found = False
        for _dummy in range(_AT_ONCE):
            record = self._read(self.fd) if self.fd is not None else None
            if record is None:
                break
            found = found or not record or self._is_worth_a_look(record)
        return found

    @staticmethod
    def _read(fd: int) -> t.Optional[bytes]:
        """A record; None at the end, nothing where records were lost."""
        try:
            return os.read(fd, _RECORD)
        except BlockingIOError:
            return None
        except BrokenPipeError:
            return b''

    def _is_worth_a_look(self, record: bytes) -> bool:
        head, _semicolon, message = record.partition(b';')
        priority = head.partition(b',')[0]
        return priority.isdigit() and int(priority) < 8 and self.may_concern(message)  # 8 and more: a program's

    def close(self) -> None:
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None


class JournalFollower(Follower):
    """``journalctl --follow``, begun anew when it ends."""

    def __init__(
        self, names: t.Callable[[], t.Collection[bytes]], note: t.Callable[[str], None], program: str = 'journalctl'
    ) -> None:
        super().__init__(names, note)
        self.argv = [program, '--no-pager', '--quiet', '-o', 'json', '-n', '0', '-f'] + list(_death_sources.MATCHES)
        self.process: t.Optional[subprocess.Popen[bytes]] = None
        self.begin_at = self.pause = 0.0
        self.cutter = LineCutter()
        self.tick()

    def tick(self) -> None:
        if self.process is None and time.monotonic() >= self.begin_at:
            self._begin()

    def _begin(self) -> None:
        environment = dict(os.environ, LC_ALL='C', SYSTEMD_PAGER='')
        self.cutter = LineCutter()
        try:
            self.process = subprocess.Popen(  # pylint: disable=ansible-bad-function,consider-using-with  # it goes on
                self.argv, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        except OSError as exc:
            self._later('cannot be run: %s' % exc.strerror)
            return
        if self.process.stdout is not None:
            self.fd = self.process.stdout.fileno()
            os.set_blocking(self.fd, False)

    def woken(self) -> bool:
        if self.fd is None:
            return False
        try:
            block = os.read(self.fd, _BLOCK)
        except BlockingIOError:
            return False
        if not block:
            self._ended()
            return True  # what was written meanwhile is seen by the look
        self.pause = 0.0
        return self.may_concern(self.cutter.feed(block))

    def _ended(self) -> None:
        status = self.process.wait() if self.process is not None else None
        self.close()
        self._later('ended with status %s' % status)

    def _later(self, why: str) -> None:
        self.pause = min(_LONGEST_PAUSE, max(1.0, self.pause * 2))
        self.begin_at = time.monotonic() + self.pause
        self.note(
            '%s %s. It is started again in %d s. Meanwhile only the ends of processes are detected.'
            % (self.argv[0], why, self.pause)
        )

    def close(self) -> None:
        if self.process is not None:
            if self.process.poll() is None:
                self.process.kill()
            if self.process.stdout is not None:
                self.process.stdout.close()
            self.process.wait()
        self.process = self.fd = None


def follower(names: t.Callable[[], t.Collection[bytes]], note: t.Callable[[str], None]) -> Follower:
    """Of the kernel's ring, or of the journal where that may not be read."""
    try:
        return KmsgFollower(names, note)
    except OSError as exc:
        if not _has_journal():
            note(
                '%s cannot be read (%s), and journalctl is not available. Ends of processes are still detected, but '
                'OOM kills only from other logs. Run as root.' % (_death_sources.KMSG, exc.strerror)
            )
            return Follower(names, note)
    return JournalFollower(names, note)


def _has_journal() -> bool:
    return any(os.access(os.path.join(path, 'journalctl'), os.X_OK) for path in os.get_exec_path())
