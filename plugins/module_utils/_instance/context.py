# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What the steps on one instance share: its process, port and version, and the two moments that make the downtime."""

import os
import signal
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import changelog, config_file, http
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import (
    LifecycleError,
    nothing_done,
    present,
    reason,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import cgroups as _cgroups
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import (
    downtime,
    files,
    holders,
    process,
    procfs,
    sockdiag,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import binary as _binary
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import (
    launch,
    lives,
    port_choice,
    selection,
    slots,
    strangers,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state as _state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import users as _users
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import Instance
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs import position as _log_position
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs.scan import without_nuls

DEFAULT_PORT = 8001  # what the application takes without a config.json


def milliseconds(begin: float, end: t.Optional[float] = None) -> int:
    """Whole milliseconds from one ``time.monotonic()`` to another (default: now)."""
    return round(((time.monotonic() if end is None else end) - begin) * 1000)


def _nothing(event: str, **fields: t.Any) -> None:
    """Outside of a window nothing is journalled."""


class Context:
    """One instance during one call. ``progress`` takes a short text for whoever follows."""

    def __init__(self, instance: Instance, state: _state.StateDir, port: t.Optional[int] = None,
                 progress: t.Callable[[str], None] = lambda text: None, user: _users.Named = None) -> None:
        self.instance, self.state, self.port_option, self.progress = instance, state, port, progress
        state.user = user or None
        self.user = user or None  # the option: one more user of the instance, and as whom it is started
        self.strangers: t.Sequence[strangers.Stranger] = ()  # who executes its file without being one of its users
        self.candidate: t.Optional[selection.Candidate] = None
        self.handle: t.Optional[process.ProcessHandle] = None
        self.config: t.Optional[config_file.ConfigFile] = None
        self.launcher: t.Optional[launch.Parked] = None
        self.ports = port_choice.Ports()
        self.port = self.start_port = port or DEFAULT_PORT  # where it listens now, and where it would after a start
        self.running_version: t.Optional[str] = None  # what this very process told, now or earlier
        self.files = _binary.FilesVersion()  # the version of the next start
        self.changelog: t.Optional[str] = None
        self.binaries = _binary.Binaries(state.history)
        self.downtime = downtime.Downtime()
        self.note: t.Callable[..., None] = _nothing  # journals an event of the worker
        self.slot = slots.Slot()  # a place among the instances of this host that are down
        self.window_position: t.Optional[str] = None  # of the logs when the window began
        self.accepted_hazards: t.FrozenSet[str] = frozenset()  # codes that refuse no start of this run
        self.will_stop = False  # a stop stands before this step: what runs now will be gone
        self.until: t.Optional[float] = None  # monotonic: the end of the window or recovery; None: no common limit
        self.lock_notes: t.Sequence[str] = ()  # whose lock was not heeded
        self.touched = False  # a process of the instance was signalled or started by this run, or may have been
        self.acts = 0  # how often one certainly was
        self.run_id = ''  # of the window that these steps belong to; empty for a task of its own
        self.run_token = ''  # of that window alone: a run id may be given twice
        self.changes: t.List[_state.Entry] = []  # what this run has recorded to take back
        # What the start of this run gets in place of what is recorded; None: as it was started before.
        self.next_arguments: t.Optional[t.Sequence[str]] = None
        self.private_port: t.Optional[int] = None  # where this run has started it for itself alone
        self.next_environment: t.Mapping[str, str] = {}
        self.expected_version: t.Optional[str] = None  # what the release must report that this run has switched in
        self.begins = False  # this plan is made to begin, and shown to nobody
        self.planned_version: t.Optional[str] = None  # what a step before this one will have switched in
        self.planned_start = False  # a start stands before this step: what runs then is not what runs now
        self.planned_files: t.List[t.Any] = []  # of _change/release.py: what the steps before this one will have done
        self.planned_steps: t.Sequence[t.Tuple[str, t.Dict[str, t.Any]]] = ()  # of a window, while their plans are made
        self.restores_databases = False  # a step before this one will have put the databases back
        self.knows_databases = False  # the plan of this run has asked whether they are newer than what it will start
        self.migrated: t.Optional[t.Tuple[int, int]] = None  # the process whose migration this run has waited for
        self.database_look: t.Any = None  # of _database/asking.py, which whoever only looks does not load
        self.hosts: t.Sequence[str] = ()  # names by which the version is asked for where localhost gets none

    def find(self) -> selection.Found:
        """All processes of the instance, by its file and its users."""
        return selection.find(self.instance, self.port_option, self.state, self.user)

    def look(self) -> t.Optional[selection.Candidate]:
        """Find the process, open it, read configuration and version. LifecycleError when that is ambiguous."""
        found = self.find()
        self.strangers = found.strangers
        self.candidate = selection.pick(self.instance, found)
        self._hold(found)
        self.binaries.running = _binary.of_process(self.handle.proc.fd) if self.handle else None
        self.read_files()
        self._find_ports()
        if self.candidate is not None:
            self._ask_version()
            self._read_version()
        elif found.hidden:
            self._refuse_hidden()
        return self.candidate

    def _hold(self, found: selection.Found) -> None:
        """Open the process, then make sure that it is still the one that was selected."""
        if self.handle is not None:
            self.handle.close()
            self.handle = None
        if self.candidate is None:
            return
        self.handle = process.open_process(self.candidate.pid)
        if self.handle is None or self.handle.start_ticks != self.candidate.start_ticks:
            self.candidate, self.handle = None, None
            return
        exe = self.handle.proc.optional_link('exe')
        if exe is not None and selection.split_deleted(exe)[0] != self.candidate.exe:
            self.candidate, self.handle = None, None

    def on_its_port(self) -> t.List[strangers.Stranger]:
        """Who holds its port while none of its own runs: then it is not known that it is stopped."""
        return [] if self.candidate is not None else strangers.on_port(self.ports.known)

    def refuse_unclear(self) -> None:
        """LifecycleError where that is so."""
        found = self.on_its_port()
        if found:
            raise LifecycleError(
                'No process of the users of %s runs it, but its port %s is held by %s. Whether it is stopped is not '
                'known. Nothing was signalled. End that process, or configure another port for the instance. %s' % (
                    self.instance.id, self.ports.known, strangers.listing(found), self.way_out(found)),
                strangers=strangers.rows(found))

    def users(self) -> _users.Users:
        """Who may run it."""
        return _users.users_of(self.instance, self.state, self.user)

    def way_out(self, found: t.Sequence[strangers.Stranger]) -> str:
        """What to do where one of them is the instance after all."""
        return strangers.way_out(found, self.users())

    def strangers_on(self, port: int) -> t.List[strangers.Stranger]:
        """Who listens on a port and is no user of the instance."""
        users = self.users()
        return [one for one in strangers.on_port(port) if not users.has(one.uid)]

    def _refuse_hidden(self) -> None:
        if sockdiag.listeners(self.port):
            raise LifecycleError('/proc hides other users\' processes (hidepid) and port %d is in use: whether %s runs '
                                 'is not known. Nothing was done. Run as root.' % (self.port, self.instance.id))

    def read_files(self) -> None:
        """Configuration and version as they are on the disk now."""
        with files.InstallDir(self.instance.dir) as directory:
            owners = directory.owners(self.candidate.uid if self.candidate else None)
            self.config = config_file.read_config(directory, owners)
            self.changelog = changelog.read_version(directory, owners)
        self._read_version()

    def _read_version(self) -> None:
        self.binaries.on_disk = _binary.of_file(self.instance.executable)
        self.files = _binary.files_version(self.binaries.told(self.binaries.on_disk), self.changelog)

    def _find_ports(self) -> None:
        record = None if self.candidate else self.stored_record()
        argv = self.candidate.argv if self.candidate else record.argv if record else []
        own = port_choice.own_listeners(self.handle.proc) if self.handle else None
        self.ports = port_choice.decide(self.candidate is not None, own, argv, self.config, self.port_option)
        self.port, self.start_port = self.ports.known or DEFAULT_PORT, self.ports.next or DEFAULT_PORT

    def foresee_config(self, config: config_file.ConfigFile) -> None:
        """Go on as if config.json were this: for the plan of the steps after its change."""
        self.config = config
        self._find_ports()

    def port_for(self, argv: t.Sequence[str]) -> int:
        """The port that a process of these arguments opens when it starts now."""
        return port_choice.next_port(argv, self.config, self.port_option) or DEFAULT_PORT

    def refuse_wrong_port(self, arguments: t.Optional[t.Sequence[str]] = None) -> None:
        """LifecycleError when the given port is neither the process's nor that of its next start.

        ``arguments``: those that this run's own start gets in place of the recorded ones. A step that changes
        config.json has to be heeded here too.
        """
        ports = self.ports
        if arguments is not None:
            words = [''] + list(arguments)
            source = '-port' if selection.argv_port(words) else 'config.json'
            ports = ports._replace(next=self.port_for(words), next_from=source)
        problem = port_choice.problem(ports, self.port_option, self.candidate.pid if self.candidate else None)
        if problem:
            raise LifecycleError(
                '%s (%s): %s. Nothing was done. Correct port, or omit it: the port is then read from the process and '
                'from config.json.' % (self.instance.id, self.instance.dir, problem))

    def last_port(self) -> t.Optional[int]:
        """Where its last process that was seen listened, None when none was seen since that is noted."""
        seen = [entry['port'] for entry in self.state.history() if entry.get('port')]
        return seen[-1] if seen else None

    def _ask_version(self) -> None:
        owns = holders.owns_listener(present(self.handle).proc, self.port)
        listens = bool(sockdiag.listeners(self.port)) if owns is None else owns
        self.running_version = http.version_info(self.port).version if listens else None
        if owns and self.binaries.running == _binary.of_process(present(self.handle).proc.fd):
            self.binaries.learn(self.binaries.running, self.running_version)
        self.running_version = self.running_version or self._noted_version()

    def _noted_version(self) -> t.Optional[str]:
        """What exactly this process told earlier, unless it has executed another file since."""
        seen, running = self.seen() or {}, self.binaries.running
        noted = seen.get('binary') or seen.get('exe') or []
        same = running is None or noted == list(running)[: len(noted)]
        return seen.get('version') if same else None

    @property
    def file_version(self) -> t.Optional[str]:
        """The version of the files: what the binary on disk told when it ran, else that of CHANGELOG.md."""
        return self.files.version

    @property
    def version(self) -> t.Optional[str]:
        """That of the process; that of the files where nothing runs, or where it runs them and does not tell."""
        if self.candidate is None:
            return self.file_version
        told = self.running_version or self.binaries.told(self.binaries.running)
        return told or (None if self.runs_another_file() else self.file_version)

    def runs_another_file(self) -> t.Optional[bool]:
        """Whether the process executes another binary than the one on disk; None when that cannot be seen."""
        return self.binaries.differ()

    def time_left(self, wanted: float) -> float:
        """``wanted`` seconds, but not more than is left until the end of the window or recovery; never negative."""
        return wanted if self.until is None else max(0.0, min(wanted, self.until - time.monotonic()))

    def act(self) -> None:
        """A process of the instance was signalled or started: whatever fails from now on has changed something."""
        self.touched, self.acts = True, self.acts + 1

    def run_dir(self) -> str:
        """Where this run keeps what it needs to take its changes back: in the trusted state, 0700, made here."""
        try:
            return self.state.run_dir(self.run_id, self.run_token)
        except OSError as exc:
            raise nothing_done('The directory for the run in %s could not be created' % self.state.path, exc) from exc

    def run_path(self) -> str:
        """The same, not made."""
        return self.state.run_path(self.run_id, self.run_token)

    def keep_file(self, name: str, data: bytes) -> str:
        """Keep a file for the run, durably; returns its path. What the run has kept already stays. LifecycleError."""
        path = os.path.join(self.run_dir(), name)
        if not os.path.lexists(path):
            try:
                self.state.keep(path, data)
            except OSError as exc:
                raise nothing_done('%s could not be written' % path, exc) from exc
        return path

    def record_change(self, kind: str, **data: t.Any) -> None:
        """Note durably what is about to be changed, with all that is needed to take it back; no secrets.

        LifecycleError when it cannot be noted: then it must not be changed. A task of its own notes nothing.
        """
        if not self.run_id:
            return
        change = dict(kind=kind, number=len(self.changes), data=data)
        try:
            self.state.log('change', durable=True, **change)
        except OSError as exc:
            raise nothing_done('The change could not be recorded in %s' % self.state.path, exc) from exc
        self.changes.append(change)
        self.touched = True

    def seen(self) -> t.Optional[_state.Entry]:
        """What was noted earlier of exactly this process.

        A damaged record counts as none: a look goes on without it, and whoever changes something has refused before.
        """
        try:
            return self.state.seen(self.candidate.pid, self.candidate.start_ticks) if self.candidate else None
        except _state.DamagedState:
            return None

    def remember(self, before_stop: bool = True) -> None:
        """Note who was seen, and how it runs. LifecycleError when the state directory cannot be written.

        ``before_stop``: also which file its log is, for a start after this run has stopped it.
        """
        if self.candidate is None or self.handle is None:
            return
        self.state.make()
        record: t.Optional[launch.LaunchRecord] = None
        try:
            record = launch.capture(self.handle.proc)
            if before_stop:
                record = launch.with_log_file(self.handle.proc, record)
        except launch.NoRecord as exc:
            self.progress('how it runs was not recorded: %s' % reason(exc))
        except OSError:
            return
        try:
            more: t.Dict[str, t.Any] = dict(port=self.ports.now) if self.ports.listening else {}
            if self.binaries.has_told(self.binaries.running, self.running_version):
                more['binary'] = list(present(self.binaries.running))
            self.state.history_add(self.candidate.pid, self.candidate.start_ticks, uid=self.candidate.uid,
                                   cgroups=lives.cgroups_of(self.candidate.pid), version=self.running_version,
                                   exe=list(self.candidate.file or ()),
                                   log_position=(self.seen() or {}).get('log_position'), **more)
            if record is not None:
                launch.store(self.state, record)
        except OSError as exc:
            raise LifecycleError('The state in %s could not be written: %s. Nothing was done. Free space there, then '
                                 'try again.' % (self.state.path, reason(exc))) from exc

    def remember_started(self, handle: process.ProcessHandle, launcher: launch.Parked,
                         version: t.Optional[str], log_position: str, proven: bool = True,
                         usual: bool = True) -> None:
        """Note who runs now: the record of the next start. What runs is not disturbed by a full disk.

        ``proven``: the version was told by a listener of this very process. ``usual``: later starts follow this one.
        """
        record = launcher.started_record()
        binary = _binary.of_process(handle.proc.fd) if version and proven else None
        self.binaries.learn(binary, version)
        try:
            self.state.make()
            cgroups = _cgroups.parse(handle.proc.read('cgroup').decode('utf-8', 'surrogateescape'))
            if usual:
                launch.store(self.state, record, launch.Proved(
                    record.uid, record.gid, record.groups, launcher.proved_log(),
                    launch.label_of(handle.proc), cgroups, handle.pid, handle.start_ticks, procfs.boot_id()))
            self.state.history_add(handle.pid, handle.start_ticks, uid=record.uid, cgroups=cgroups, version=version,
                                   log_position=log_position, port=self.port_for(record.argv),
                                   **(dict(binary=list(binary)) if binary else {}))
        except (OSError, LifecycleError):
            self.progress('the state in %s could not be written' % self.state.path)

    def stored_record(self) -> t.Optional[launch.LaunchRecord]:
        """How it was last seen running; a damaged record counts as none, as above."""
        data = launch.stored(self.state)
        return launch.from_json(data) if data else None

    def listens(self) -> bool:
        """Whether the process listens on its port; anybody, where nothing runs or its sockets cannot be read."""
        owns = holders.owns_listener(self.handle.proc, self.port) if self.handle else None
        return bool(sockdiag.listeners(self.port)) if owns is None else owns

    def log_path(self) -> str:
        """Where standard output goes, as it runs now or ran before; running.log when that is not known."""
        data = launch.stored(self.state)
        proved = launch.proved_of(data)
        if self.handle is not None:
            now = launch.output_of(self.handle.proc)
            if now.log is not None:
                return launch.believed_log(now.log, now.found, proved, self.instance.dir)
        record = launch.from_json(data) if data else None
        log, found = (record.log, record.log_found) if record else (None, None)
        return launch.believed_log(log, found, proved, self.instance.dir)

    def log_files(self) -> t.Dict[str, str]:
        """The paths of all its logs, by kind."""
        return dict(running=self.log_path(), error=os.path.join(self.instance.dir, 'error.log'),
                    panics=os.path.join(self.instance.dir, 'cache/error.log'))

    def log_position(self, serving: t.Optional[bool] = None) -> str:
        """The end of all logs now, for ``since`` of log_check. ``serving``: whether it runs, as seen by default."""
        uid = self.candidate.uid if self.candidate else None
        with files.InstallDir(self.instance.dir) as directory:
            return _log_position.take(directory, self.log_files(), uid,
                                      self.candidate is not None if serving is None else serving)

    def why_log_is_hidden(self) -> t.Optional[str]:
        """Why what the process prints is in no file that could be read; None when it is, or nothing runs."""
        if self.handle is None or self.handle.gone():
            return None
        target = self.handle.proc.optional_link('fd/1')
        if target is None:
            return 'this user cannot see where its standard output goes'
        output = launch.output_of(self.handle.proc)
        if output.kind != 'file':
            return 'its standard output goes to %s, which is not a log file' % target
        if output.found is None:
            return ('it writes to %s in its own mount namespace; on '
                    'this host that is another file, or does not exist') % output.log
        return 'it writes to %s, so its output is lost' % target if target.endswith(' (deleted)') else None

    def log_size(self, kind: str = 'running') -> int:
        fd = self._open_log(kind)
        if fd is None:
            return 0
        try:
            return os.fstat(fd).st_size
        finally:
            os.close(fd)

    def log_since(self, position: int, limit: int = 65536, kind: str = 'running') -> str:
        """What the log says from a position on, at most its last ``limit`` bytes; empty when it cannot be read."""
        fd = self._open_log(kind)
        if fd is None:
            return ''
        try:
            size = os.fstat(fd).st_size
            position = 0 if size < position else position  # it was cut (copytruncate)
            os.lseek(fd, max(position, size - limit), os.SEEK_SET)
            return without_nuls(files.read_fd(fd, limit)).decode('utf-8', 'replace')
        finally:
            os.close(fd)

    def _open_log(self, kind: str) -> t.Optional[int]:
        try:
            with files.InstallDir(self.instance.dir) as directory:
                path = self.log_path() if kind == 'running' else self.log_files()[kind]
                return directory.open_log(path, self.candidate.uid if self.candidate else None)
        except (OSError, LifecycleError):
            return None

    def close(self) -> None:
        self.slot.release()
        if self.database_look is not None:
            self.database_look.close()
            self.database_look = None
        if self.launcher is not None:
            self.launcher.abandon()
            self.launcher = None
        if self.handle is not None:
            self.handle.close()
            self.handle = None


def name_of_signal(number: int) -> str:
    return signal.Signals(number).name
