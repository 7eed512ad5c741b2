# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What the steps on one instance share: its process, port and version, and the two moments that make the downtime."""

import os
import signal
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils import (
    _changelog,
    _configfile,
    _files,
    _holders,
    _http,
    _launch,
    _log_position,
    _process,
    _selection,
    _slots,
    _sockdiag,
    _state,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError, present
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import Instance
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import spawn as _spawn

DEFAULT_PORT = 8001  # what the application takes without a config.json


def milliseconds(begin: float, end: t.Optional[float] = None) -> int:
    """Whole milliseconds from one ``time.monotonic()`` to another (default: now)."""
    return round(((time.monotonic() if end is None else end) - begin) * 1000)


def _nothing(event: str, **fields: t.Any) -> None:
    """Outside of a window nothing is journalled."""


class Context:
    """One instance during one call. ``progress`` takes a short text for whoever follows."""

    def __init__(self, instance: Instance, state: _state.StateDir, port: t.Optional[int] = None,
                 progress: t.Callable[[str], None] = lambda text: None) -> None:
        self.instance, self.state, self.port_option, self.progress = instance, state, port, progress
        self.candidate = None   # type: t.Optional[_selection.Candidate]
        self.handle = None      # type: t.Optional[_process.ProcessHandle]
        self.config = None      # type: t.Optional[_configfile.ConfigFile]
        self.launcher: t.Optional[_spawn.Launcher] = None
        self.port = self.start_port = port or DEFAULT_PORT  # where it listens now, and where it would after a start
        self.running_version = None  # type: t.Optional[str]
        self.file_version = None     # type: t.Optional[str]
        self.listener_ended_at = None  # type: t.Optional[float]
        self.answered_at = None        # type: t.Optional[float]
        self.note = _nothing  # type: t.Callable[..., None]  # journals an event of the worker
        self.slot = _slots.Slot()  # a place among the instances of this host that are down
        self.window_position = None  # type: t.Optional[str]  # of the logs when the window began
        self.will_stop = False  # a stop stands before this step: what runs now will be gone

    def look(self) -> t.Optional[_selection.Candidate]:
        """Find the process, open it, read configuration and version. LifecycleError when that is ambiguous."""
        found = _selection.find(self.instance, self.port_option)
        self.candidate = _selection.pick(self.instance, found)
        self._hold(found)
        self._read_files()
        self.port, self.start_port = self._resolve_ports()
        if self.candidate is not None:
            self._ask_version()
        elif found.hidden:
            self._refuse_hidden()
        return self.candidate

    def _hold(self, found: _selection.Found) -> None:
        """Open the process, then make sure that it is still the one that was selected."""
        if self.handle is not None:
            self.handle.close()
            self.handle = None
        if self.candidate is None:
            return
        self.handle = _process.open_process(self.candidate.pid)
        if self.handle is None or self.handle.start_ticks != self.candidate.start_ticks:
            self.candidate, self.handle = None, None
            return
        exe = self.handle.proc.optional_link('exe')
        if exe is not None and _selection.split_deleted(exe)[0] != self.candidate.exe:
            self.candidate, self.handle = None, None

    def _refuse_hidden(self) -> None:
        if _sockdiag.listeners(self.port):
            raise LifecycleError('/proc hides other users\' processes (hidepid) and port %d is in use: whether %s runs '
                                 'is not known. Nothing was done. Run as root.' % (self.port, self.instance.id))

    def _read_files(self) -> None:
        with _files.InstallDir(self.instance.dir) as directory:
            owners = directory.owners(self.candidate.uid if self.candidate else None)
            self.config = _configfile.read_config(directory, owners)
            self.file_version = _changelog.read_version(directory, owners)

    def _resolve_ports(self) -> t.Tuple[int, int]:
        if self.candidate is None:
            record = self.stored_record()
            port = self.port_for(record.argv if record else [])
            return port, port
        port = self.port_for(self.candidate.argv)
        own = self._own_ports()
        if self.port_option is None and port not in own and len(own) == 1:
            return own.pop(), port  # config.json was changed after the start
        return port, port

    def port_for(self, argv: t.Sequence[str]) -> int:
        """The port that a process of these arguments opens when it starts now."""
        configured = self.config.port if self.config else None
        return self.port_option or _selection.argv_port(argv) or configured or DEFAULT_PORT

    def _own_ports(self) -> t.Set[int]:
        try:
            inodes = _holders.socket_inodes(present(self.handle).proc)
        except OSError:
            return set()
        return {sock.local_port for sock in _sockdiag.listeners() if sock.inode in inodes}

    def _ask_version(self) -> None:
        self.running_version = _http.version_info(self.port).version if self.listens() else None
        seen = self.seen()
        if self.running_version is None and seen:
            self.running_version = seen.get('version')

    @property
    def version(self) -> t.Optional[str]:
        """The running version; that of the files where the process does not tell."""
        return self.running_version or self.file_version

    def note_answer(self, at: float) -> None:
        """The first correct answer after the stop ends the downtime."""
        if self.answered_at is None:
            self.answered_at = at

    def seen(self) -> t.Optional[_state.Entry]:
        """What was noted earlier of exactly this process.

        A damaged record counts as none: a look goes on without it, and whoever changes something has refused before.
        """
        try:
            return self.state.seen(self.candidate.pid, self.candidate.start_ticks) if self.candidate else None
        except _state.DamagedState:
            return None

    def remember(self) -> None:
        """Note who was seen, and how it runs. LifecycleError when the state directory cannot be written."""
        if self.candidate is None or self.handle is None:
            return
        self.state.make()
        try:
            record = _launch.capture(self.handle.proc)
        except OSError:
            return
        try:
            self.state.history_add(self.candidate.pid, self.candidate.start_ticks, uid=record.uid,
                                   cgroups=record.cgroups, version=self.running_version,
                                   log_position=(self.seen() or {}).get('log_position'))
            self.state.write_json('launch.json', _launch.to_json(record))
        except OSError as exc:
            raise LifecycleError('The state in %s could not be written: %s. Nothing was done. Free space there, then '
                                 'try again.' % (self.state.path, exc.strerror)) from exc

    def remember_started(self, handle: _process.ProcessHandle, record: _launch.LaunchRecord,
                         version: t.Optional[str], log_position: str) -> None:
        """Note who runs now: the record of the next start. What runs is not disturbed by a full disk."""
        try:
            self.state.make()
            self.state.write_json('launch.json', _launch.to_json(record))
            cgroups = _launch.parse_cgroups(handle.proc.read('cgroup').decode('utf-8', 'surrogateescape'))
            self.state.history_add(handle.pid, handle.start_ticks, uid=record.uid, cgroups=cgroups, version=version,
                                   log_position=log_position)
        except (OSError, LifecycleError):
            self.progress('the state in %s could not be written' % self.state.path)

    def stored_record(self) -> t.Optional[_launch.LaunchRecord]:
        """How it was last seen running; a damaged record counts as none, as above."""
        try:
            data = self.state.read_json('launch.json')
        except _state.DamagedState:
            return None
        return _launch.from_json(data) if data else None

    def listens(self) -> bool:
        return bool(_sockdiag.listeners(self.port))

    def log_path(self) -> str:
        """Where standard output goes, as it runs now or ran before; running.log when that is not known."""
        if self.handle is not None:
            current = _launch.log_of(self.handle.proc)
            if current:
                return current
        record = self.stored_record()
        return (record.log if record else None) or os.path.join(self.instance.dir, 'running.log')

    def log_files(self) -> t.Dict[str, str]:
        """The paths of all its logs, by kind."""
        return dict(running=self.log_path(), error=os.path.join(self.instance.dir, 'error.log'),
                    panics=os.path.join(self.instance.dir, 'cache/error.log'))

    def log_position(self, serving: t.Optional[bool] = None) -> str:
        """The end of all logs now, for ``since`` of log_check. ``serving``: whether it runs, as seen by default."""
        uid = self.candidate.uid if self.candidate else None
        with _files.InstallDir(self.instance.dir) as directory:
            return _log_position.take(directory, self.log_files(), uid,
                                      self.candidate is not None if serving is None else serving)

    def why_log_is_hidden(self) -> t.Optional[str]:
        """Why what the process prints is in no file that could be read; None when it is, or nothing runs."""
        if self.handle is None or self.handle.gone():
            return None
        target = self.handle.proc.optional_link('fd/1')
        if target is None:
            return 'where its standard output goes could not be seen by this user'
        if _launch.log_of(self.handle.proc) is None:
            return 'its standard output goes to %s, which is no log file' % target
        return 'it writes to %s, so what it prints is lost' % target if target.endswith(' (deleted)') else None

    def log_size(self) -> int:
        fd = self._open_log()
        if fd is None:
            return 0
        try:
            return os.fstat(fd).st_size
        finally:
            os.close(fd)

    def log_since(self, position: int, limit: int = 65536) -> str:
        """What the log says from a position on, at most its last ``limit`` bytes; empty when it cannot be read."""
        fd = self._open_log()
        if fd is None:
            return ''
        try:
            size = os.fstat(fd).st_size
            position = 0 if size < position else position  # it was cut (copytruncate)
            os.lseek(fd, max(position, size - limit), os.SEEK_SET)
            return _files.read_fd(fd, limit).decode('utf-8', 'replace')
        finally:
            os.close(fd)

    def _open_log(self) -> t.Optional[int]:
        try:
            with _files.InstallDir(self.instance.dir) as directory:
                return directory.open_log(self.log_path(), self.candidate.uid if self.candidate else None)
        except (OSError, LifecycleError):
            return None

    def close(self) -> None:
        self.slot.release()
        if self.launcher is not None:
            self.launcher.abandon()
            self.launcher = None
        if self.handle is not None:
            self.handle.close()
            self.handle = None


def name_of_signal(number: int) -> str:
    return signal.Signals(number).name
