# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What the steps on one instance share: what was observed of it, what is foreseen, and what the run is doing."""

import signal
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import changelog, http
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError, present, reason
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import cgroups as _cgroups
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import files, holders, process, procfs, sockdiag
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import binary as _binary
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import (
    foreseen,
    launch,
    lives,
    own_logs,
    selection,
    trusted,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import run as _run
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state as _state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import users as _users
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import Instance
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.observed import Observed


def milliseconds(begin: float, end: t.Optional[float] = None) -> int:
    """Whole milliseconds from one ``time.monotonic()`` to another (default: now)."""
    return round(((time.monotonic() if end is None else end) - begin) * 1000)


class Context(Observed):
    """One instance during one call. ``progress`` takes a short text for whoever follows."""

    def __init__(
        self,
        instance: Instance,
        state: _state.StateDir,
        port: t.Optional[int] = None,
        progress: t.Callable[[str], None] = lambda text: None,
        user: _users.Named = None,
    ) -> None:
        Observed.__init__(self, instance, state, port, user)
        self.progress = progress
        self.run = _run.Run(state)
        self.foreseen = foreseen.NOTHING
        self.logs = own_logs.Logs(self)
        self.running_version: t.Optional[str] = None  # what this very process told, now or earlier
        self.files = _binary.FilesVersion()  # the version of the next start
        self.changelog: t.Optional[str] = None
        self.binaries = _binary.Binaries(state.history)
        self.database_look: t.Any = None  # of _database/asking.py, which whoever only looks does not load

    def look(self) -> t.Optional[selection.Candidate]:
        """Find the process, open it, read configuration and version. LifecycleError when that is ambiguous."""
        Observed.look(self)
        self.binaries.running = _binary.of_process(self.handle.proc.fd) if self.handle else None
        if self.candidate is not None:
            self._ask_version()
            self._read_version()
        return self.candidate

    def _read(self, directory: files.InstallDir, owners: t.Collection[int]) -> None:
        Observed._read(self, directory, owners)
        self.changelog = changelog.read_version(directory, owners)

    def read_files(self) -> None:
        Observed.read_files(self)
        self._read_version()

    def _read_version(self) -> None:
        self.binaries.on_disk = _binary.of_file(self.instance.executable)
        self.files = _binary.files_version(self.binaries.told(self.binaries.on_disk), self.changelog)

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

    def seen(self) -> t.Optional[_state.Entry]:
        """What was noted earlier of exactly this process.

        A damaged record counts as none: a look goes on without it, and whoever changes something has refused before.
        """
        try:
            return self.state.seen(self.candidate.pid, self.candidate.start_ticks) if self.candidate else None
        except trusted.DamagedState:
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
            self.state.history_add(
                self.candidate.pid,
                self.candidate.start_ticks,
                uid=self.candidate.uid,
                cgroups=lives.cgroups_of(self.candidate.pid),
                version=self.running_version,
                exe=list(self.candidate.file or ()),
                log_position=(self.seen() or {}).get('log_position'),
                **more,
            )
            if record is not None:
                launch.store(self.state, record)
        except OSError as exc:
            raise LifecycleError(
                'The state in %s could not be written: %s. Nothing was done. Free space there, then '
                'try again.' % (self.state.path, reason(exc))
            ) from exc

    def remember_started(
        self,
        handle: process.ProcessHandle,
        launcher: launch.Parked,
        version: t.Optional[str],
        log_position: str,
        proven: bool = True,
        usual: bool = True,
    ) -> None:
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
                launch.store(
                    self.state,
                    record,
                    launch.Proved(
                        record.uid,
                        record.gid,
                        record.groups,
                        launcher.proved_log(),
                        launch.label_of(handle.proc),
                        cgroups,
                        handle.pid,
                        handle.start_ticks,
                        procfs.boot_id(),
                    ),
                )
            self.state.history_add(
                handle.pid,
                handle.start_ticks,
                uid=record.uid,
                cgroups=cgroups,
                version=version,
                log_position=log_position,
                port=self.port_for(record.argv),
                **(dict(binary=list(binary)) if binary else {}),
            )
        except (OSError, LifecycleError):
            self.progress('the state in %s could not be written' % self.state.path)

    def stored_record(self) -> t.Optional[launch.LaunchRecord]:
        """How it was last seen running; a damaged record counts as none, as above."""
        data = self.state.launch()
        return launch.from_json(data) if data else None

    def listens(self) -> bool:
        """Whether the process listens on its port; anybody, where nothing runs or its sockets cannot be read."""
        owns = holders.owns_listener(self.handle.proc, self.port) if self.handle else None
        return bool(sockdiag.listeners(self.port)) if owns is None else owns

    def foresee(self, found: foreseen.Foreseen) -> None:
        """Go on as if this were so: for the plan of the steps after it."""
        changes_config = found.config is not None and found.config is not self.foreseen.config
        self.foreseen = found
        if changes_config:
            self.config = found.config
            self._find_ports()

    def close(self) -> None:
        self.run.close()
        if self.database_look is not None:
            self.database_look.close()
            self.database_look = None
        Observed.close(self)


def name_of_signal(number: int) -> str:
    return signal.Signals(number).name
