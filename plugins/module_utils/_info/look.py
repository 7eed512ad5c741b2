# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""One look at one instance: its state, its process, its configuration, its port, its answer and its log."""

import os
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import config_file
from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import http as _http
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError, present
from ansible_collections.anqicms.lifecycle.plugins.module_utils._hazards import install_tree
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import (
    files,
    ports,
    procfs,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._info.host import Host
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import (
    at_work,
    judge,
    last_runs,
    launch,
    plans,
    port_choice,
    selection,
    strangers,
    trusted,
    users,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import binary as _binary
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import runs as _runs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state as _state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import Instance
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs.scan import without_nuls
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import (
    left_behind,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._stop import quiet

Row = t.Dict[str, t.Any]


class Look:
    """What was seen of one instance, by parts; ``describe`` puts them together."""

    def __init__(
        self,
        instance: Instance,
        host: Host,
        port: t.Optional[int],
        http: bool,
        base: t.Optional[str],
        user: users.Named = None,
    ) -> None:
        self.user = user
        self.instance, self.host, self.port_option, self.http, self.base = instance, host, port, http, base
        self.problems = list(host.problems)
        self.state: t.Optional[_state.StateDir] = None
        self.state_problem: t.Optional[str] = None
        self.state_damaged: t.Optional[str] = None
        self.interrupted: t.Optional[Row] = None
        self.running_run: t.Optional[Row] = None
        self.runs: t.List[Row] = []
        self.badly_ended: t.List[Row] = []
        self.last_runs: t.List[Row] = []
        self.planned: t.Optional[t.List[Row]] = []  # None where that cannot be read
        self.record: t.Optional[launch.LaunchRecord] = None
        self.proved: t.Optional[launch.Proved] = None
        self.answer: t.Optional[_http.Answer] = None
        self.listening: t.Optional[bool] = None
        self.binary: t.Optional[_binary.Binary] = None  # that the process executes, where it told its version

    # --- process, state, launch

    def _find(self) -> None:
        self.found = selection.find(self.instance, self.port_option, self.state, self.user)
        candidates = self.found.candidates
        self.candidate = candidates[0] if len(candidates) == 1 else None
        self.pids = [candidate.pid for candidate in candidates]

    def _read_state(self) -> None:
        try:
            self.state = _state.StateDir(self.instance, self.base)
            self.state.user = self.user
            self.state.refuse_damaged()
            self.interrupted, self.running_run = at_work.interrupted(self.state), at_work.running_run(self.state)
            self.runs = self._read_runs(self.state)
            self._read_journal(self.state)
        except trusted.DamagedState as exc:
            self.state_damaged = exc.seen
        except LifecycleError as exc:
            self.state_problem = exc.msg
        except OSError as exc:
            self.state_problem = 'its state cannot be read: %s: %s' % (exc.filename, exc.strerror)

    def _read_journal(self, state: _state.StateDir) -> None:
        entries = state.journal()
        self.badly_ended = _runs.badly_ended(entries)
        self.last_runs = last_runs.read(entries, lambda: at_work.is_worked_on(state))
        try:
            self.planned = plans.described(plans.read(state), last_runs.begun(entries))
        except LifecycleError as exc:
            self.planned = None
            seen = exc.seen if isinstance(exc, trusted.DamagedState) else exc.msg
            self.problems.append('which runs were planned for it is not known: %s. Remove that file' % seen)

    def _read_runs(self, state: _state.StateDir) -> t.List[Row]:
        try:
            return _runs.described(_runs.read_all(state))
        except LifecycleError as exc:
            self.problems.append(exc.msg)
            return []

    def _usable_state(self) -> t.Optional[_state.StateDir]:
        """None where it is not believed, cannot be read, or a record in it is damaged."""
        return self.state if self.state_problem is None and self.state_damaged is None else None

    def _read_launch(self) -> None:
        state = self._usable_state()
        data = state.read_json('launch.json') if state is not None else None
        self.proved = launch.proved_of(data)
        if self.candidate is not None:
            try:
                with procfs.ProcDir(self.candidate.pid) as proc:
                    stat = proc.stat()
                    if stat is not None and stat.start_ticks == self.candidate.start_ticks:
                        self.record = launch.capture(proc)
            except launch.NoRecord as exc:
                self.problems.append('how it runs is not recorded: %s' % exc.strerror)
            except (OSError, ValueError, KeyError):
                self.problems.append('how process %d was started cannot be read by this user' % self.candidate.pid)
        else:
            self.record = launch.from_json(data) if data else None

    @property
    def uid(self) -> t.Optional[int]:
        """The user that it runs as, or ran as."""
        if self.candidate is not None:
            return self.candidate.uid
        return self.record.uid if self.record is not None else None

    def _start_uid(self) -> t.Optional[int]:
        """As whom a start would run it, where that is told."""
        given = users.uid_of(self.user)
        if given is not None or self.candidate is not None or self.proved is None:
            return self.uid if given is None else given
        return self.proved.uid

    def _left_behind(self, starts_as: t.Optional[int]) -> t.List[str]:
        who = judge.identity(starts_as) if starts_as is not None and starts_as != self.uid else None
        if who is None or self.record is None:
            return []
        record = self.record._replace(uid=who.uid, gid=who.gid, groups=list(who.groups))
        return left_behind.of(self.instance, self.uid, record)

    # --- configuration, port, answer

    def _read_config(self, directory: files.InstallDir) -> None:
        self.owners = directory.owners(self.uid)
        self.config = config_file.read_config(directory, self.owners)
        self.directory_uid = directory.uid

    def _find_port(self) -> None:
        argv = self.candidate.argv if self.candidate else (self.record.argv if self.record else [])
        self.argv_port = selection.argv_port(argv)
        own = self._own_listeners(self.candidate.pid) if self.candidate else None
        runs = self.candidate is not None
        self.ports = port_choice.decide(runs, own, argv, self.config, self.port_option)
        self.port, self.listened_by = self.ports.known, own or []
        if self.candidate is None:
            return
        self.listening = self.ports.listening
        if own is None:
            self.problems.append('the sockets of process %d cannot be read by this user' % self.candidate.pid)

    @staticmethod
    def _own_listeners(pid: int) -> port_choice.Listeners:
        try:
            with procfs.ProcDir(pid) as proc:
                return port_choice.own_listeners(proc)
        except OSError as exc:
            return [] if exc.errno in procfs.GONE else None

    def _port_problem(self) -> t.Optional[str]:
        """Not judged where it is not known whether it runs, or which of several processes it is."""
        if self.candidate is None and (self.pids or self.found.unseen or self.found.hidden):
            return None
        return port_choice.problem(self.ports, self.port_option, self.candidate.pid if self.candidate else None)

    def _ask(self) -> None:
        """Its version, from the listener that belongs to the process and from nobody else."""
        if not (self.http and self.listening and self.port):
            return
        own = next(sock for sock in self.listened_by if sock.local_port == self.port)
        address = {'::': '127.0.0.1', '0.0.0.0': '127.0.0.1'}.get(own.local_address, own.local_address)
        hosts = ['localhost'] + (judge.site_hosts(self.config.admin_url, self.config.base_url) or [])
        before = self._running_binary()
        for name in hosts:
            self.answer = _http.version_info(self.port, name, address=address)
            if self.answer.status != 403:
                break
        told = self.answer is not None and self.answer.version is not None
        self.binary = before if told and before == self._running_binary() else None

    def _running_binary(self) -> t.Optional[_binary.Binary]:
        try:
            with procfs.ProcDir(present(self.candidate).pid) as proc:
                return _binary.of_process(proc.fd)
        except OSError:
            return None

    def _files_version(self, tree: install_tree.Tree) -> _binary.FilesVersion:
        """What the binary on disk told, now or earlier; else what CHANGELOG.md says."""
        on_disk, state = _binary.of_file(self.instance.executable), self._usable_state()
        if self.answer is not None and on_disk is not None and on_disk == self.binary:
            told = self.answer.version
        else:
            told = _binary.told(state.history(), on_disk) if state is not None else None
        return _binary.files_version(told, tree.version())

    def _ever_listened(self, directory: files.InstallDir) -> bool:
        """Whether a process without a listener once had one: noted, a connection is left, or the log says so."""
        if self.candidate is None or self.listening is not False:
            return False
        state = self._usable_state()
        seen = state.seen(self.candidate.pid, self.candidate.start_ticks) if state is not None else None
        return judge.has_served(
            seen, self.port, self._sockets(), self.instance.dir, lambda limit: self._log_text(directory, limit)
        )

    def _log(self) -> str:
        log, found = (self.record.log, self.record.log_found) if self.record else (None, None)
        return launch.believed_log(log, found, self.proved, self.instance.dir)

    def _log_tail(self, directory: files.InstallDir, limit: int) -> bytes:
        """The end of what it prints, empty when that cannot be read."""
        try:
            fd = directory.open_log(self._log(), self.uid)
        except (OSError, LifecycleError):
            return b''
        try:
            os.lseek(fd, max(0, os.fstat(fd).st_size - limit), os.SEEK_SET)
            return without_nuls(files.read_fd(fd, limit))
        finally:
            os.close(fd)

    def _log_text(self, directory: files.InstallDir, limit: int = quiet.LOG_BYTES) -> str:
        return self._log_tail(directory, limit).decode('utf-8', 'replace')

    def _backups(self, directory: files.InstallDir) -> t.List[str]:
        """The files of backups and restores under way; empty also where descriptors may not be read."""
        seen: t.Set[quiet.File] = set()
        for pid in self.pids:
            try:
                with procfs.ProcDir(pid) as proc:
                    seen.update(quiet.look(proc, self.instance.dir, lambda: self._log_text(directory)).files)
            except OSError:
                continue
        return ['%s (%s)' % (entry.path, entry.kind) for entry in sorted(seen)]

    def _on_port(self) -> t.List[strangers.Stranger]:
        """Who else listens on the port."""
        if self.listening or (self.listening is None and self.pids):
            return []
        return strangers.on_port(self.port, self.pids)

    def _sockets(self) -> t.Set[int]:
        if self.candidate is None:
            return set()
        try:
            with procfs.ProcDir(self.candidate.pid) as proc:
                return ports.socket_inodes(proc)
        except OSError:
            return set()
