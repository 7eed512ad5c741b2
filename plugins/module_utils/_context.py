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
    _port_choice,
    _process,
    _selection,
    _slots,
    _sockdiag,
    _state,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
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
        self.ports = _port_choice.Ports()
        self.port = self.start_port = port or DEFAULT_PORT  # where it listens now, and where it would after a start
        self.running_version = None  # type: t.Optional[str]
        self.file_version = None     # type: t.Optional[str]
        self.listener_ended_at = None  # type: t.Optional[float]
        self.answered_at = None        # type: t.Optional[float]
        self.note = _nothing  # type: t.Callable[..., None]  # journals an event of the worker
        self.slot = _slots.Slot()  # a place among the instances of this host that are down
        self.window_position = None  # type: t.Optional[str]  # of the logs when the window began
        self.accepted_hazards: t.FrozenSet[str] = frozenset()  # codes that refuse no start of this run
        self.will_stop = False  # a stop stands before this step: what runs now will be gone
        self.until: t.Optional[float] = None  # monotonic: the end of the window or recovery; None: no common limit
        self.touched = False  # a process of the instance was signalled or started by this run
        self.hosts: t.Sequence[str] = ()  # names by which the version is asked for where localhost gets none

    def look(self) -> t.Optional[_selection.Candidate]:
        """Find the process, open it, read configuration and version. LifecycleError when that is ambiguous."""
        found = _selection.find(self.instance, self.port_option)
        self.candidate = _selection.pick(self.instance, found)
        self._hold(found)
        self.read_files()
        self._find_ports()
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

    def read_files(self) -> None:
        """Configuration and version as they are on the disk now."""
        with _files.InstallDir(self.instance.dir) as directory:
            owners = directory.owners(self.candidate.uid if self.candidate else None)
            self.config = _configfile.read_config(directory, owners)
            self.file_version = _changelog.read_version(directory, owners)

    def _find_ports(self) -> None:
        record = None if self.candidate else self.stored_record()
        argv = self.candidate.argv if self.candidate else record.argv if record else []
        own = _port_choice.own_listeners(self.handle.proc) if self.handle else None
        self.ports = _port_choice.decide(self.candidate is not None, own, argv, self.config, self.port_option)
        self.port, self.start_port = self.ports.known or DEFAULT_PORT, self.ports.next or DEFAULT_PORT

    def port_for(self, argv: t.Sequence[str]) -> int:
        """The port that a process of these arguments opens when it starts now."""
        return _port_choice.next_port(argv, self.config, self.port_option) or DEFAULT_PORT

    def refuse_wrong_port(self, arguments: t.Optional[t.Sequence[str]] = None) -> None:
        """LifecycleError when the given port is neither the process's nor that of its next start.

        ``arguments``: those that this run's own start gets in place of the recorded ones. A step that changes
        config.json has to be heeded here too.
        """
        ports = self.ports
        if arguments is not None:
            words = [''] + list(arguments)
            source = '-port' if _selection.argv_port(words) else 'config.json'
            ports = ports._replace(next=self.port_for(words), next_from=source)
        problem = _port_choice.problem(ports, self.port_option, self.candidate.pid if self.candidate else None)
        if problem:
            raise LifecycleError('%s (%s): %s. Nothing was done. Correct port, or leave it out: it is read from the '
                                 'process and from config.json then.' % (self.instance.id, self.instance.dir, problem))

    def last_port(self) -> t.Optional[int]:
        """Where its last process that was seen listened, None when none was seen since that is noted."""
        seen = [entry['port'] for entry in self.state.history() if entry.get('port')]
        return seen[-1] if seen else None

    def _ask_version(self) -> None:
        self.running_version = _http.version_info(self.port).version if self.listens() else None
        seen = self.seen()
        if self.running_version is None and seen:
            self.running_version = seen.get('version')

    @property
    def version(self) -> t.Optional[str]:
        """The running version; that of the files where the process does not tell."""
        return self.running_version or self.file_version

    def time_left(self, wanted: float) -> float:
        """``wanted`` seconds, but not more than is left until the end of the window or recovery; never negative."""
        return wanted if self.until is None else max(0.0, min(wanted, self.until - time.monotonic()))

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
            more = dict(port=self.ports.now) if self.ports.listening else {}
            self.state.history_add(self.candidate.pid, self.candidate.start_ticks, uid=record.uid,
                                   cgroups=record.cgroups, version=self.running_version,
                                   log_position=(self.seen() or {}).get('log_position'), **more)
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
                                   log_position=log_position, port=self.port_for(record.argv))
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
        """Whether the process listens on its port; anybody, where nothing runs or its sockets cannot be read."""
        owns = _holders.owns_listener(self.handle.proc, self.port) if self.handle else None
        return bool(_sockdiag.listeners(self.port)) if owns is None else owns

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
