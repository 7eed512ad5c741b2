# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Everything that ``instance_info`` tells of one instance. What could not be seen is null and named in a hazard."""

import os
import re
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils import (
    _configfile,
    _discovery,
    _evidence,
    _files,
    _foreign,
    _hazards,
    _holders,
    _http,
    _judge,
    _launch,
    _lives,
    _memory,
    _port_choice,
    _ports,
    _procfs,
    _selection,
    _sockdiag,
    _state,
    _supervisors,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._facts import Facts
from ansible_collections.anqicms.lifecycle.plugins.module_utils._info.host import Host
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import Instance
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import children as _children
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import database as _database
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import executable
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import needs as _needs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import preconditions as _preconditions
from ansible_collections.anqicms.lifecycle.plugins.module_utils._stop import quiet as _quiet

Row = t.Dict[str, t.Any]
_LISTENED = re.compile(rb'Now listening on: ')


class Look:
    """One look at one instance. The order of the calls in ``take`` is the order of what needs what."""

    def __init__(
        self, instance: Instance, host: Host, port: t.Optional[int], http: bool, base: t.Optional[str]
    ) -> None:
        self.instance, self.host, self.port_option, self.http, self.base = instance, host, port, http, base
        self.problems = list(host.problems)
        self.state = None  # type: t.Optional[_state.StateDir]
        self.state_problem = None  # type: t.Optional[str]
        self.state_damaged = None  # type: t.Optional[str]
        self.interrupted = self.running_run = None  # type: t.Optional[Row]
        self.record = None  # type: t.Optional[_launch.LaunchRecord]
        self.answer = None  # type: t.Optional[_http.Answer]
        self.listening = None  # type: t.Optional[bool]

    def take(self) -> Row:
        self._find()
        self._read_state()
        self._read_launch()
        with _files.InstallDir(self.instance.dir) as directory:
            self._read_config(directory)
            self._find_port()
            self._ask()
            tree = _evidence.Tree(directory, self.owners)
            self.files_version = tree.version()
            tree.note_foreign_store()
            self.has_listened = self._ever_listened(directory)
            self.result = self._result(tree)
            facts = self._facts(tree)
        return dict(self.result, hazards=_hazards.evaluate(facts))

    # --- process, state, launch

    def _find(self) -> None:
        self.found = _selection.find(self.instance, self.port_option)
        candidates = self.found.candidates
        self.candidate = candidates[0] if len(candidates) == 1 else None
        self.pids = [candidate.pid for candidate in candidates]

    def _read_state(self) -> None:
        try:
            self.state = _state.StateDir(self.instance, self.base)
            self.state.refuse_damaged()
            self.interrupted, self.running_run = self.state.interrupted(), self.state.running_run()
        except _state.DamagedState as exc:
            self.state_damaged = exc.seen
        except LifecycleError as exc:
            self.state_problem = exc.msg
        except OSError as exc:
            self.state_problem = 'its state cannot be read: %s: %s' % (exc.filename, exc.strerror)

    def _usable_state(self) -> t.Optional[_state.StateDir]:
        """None where it is not believed, cannot be read, or a record in it is damaged."""
        return self.state if self.state_problem is None and self.state_damaged is None else None

    def _read_launch(self) -> None:
        if self.candidate is not None:
            try:
                with _procfs.ProcDir(self.candidate.pid) as proc:
                    stat = proc.stat()
                    if stat is not None and stat.start_ticks == self.candidate.start_ticks:
                        self.record = _launch.capture(proc)
            except (OSError, ValueError, KeyError):
                self.problems.append('how process %d was started cannot be read by this user' % self.candidate.pid)
        else:
            state = self._usable_state()
            data = state.read_json('launch.json') if state is not None else None
            self.record = _launch.from_json(data) if data else None

    @property
    def uid(self) -> t.Optional[int]:
        """The user that it runs as, or ran as."""
        if self.candidate is not None:
            return self.candidate.uid
        return self.record.uid if self.record is not None else None

    # --- configuration, port, answer

    def _read_config(self, directory: _files.InstallDir) -> None:
        self.owners = directory.owners(self.uid)
        self.config = _configfile.read_config(directory, self.owners)
        self.directory_uid = directory.uid

    def _find_port(self) -> None:
        argv = self.candidate.argv if self.candidate else (self.record.argv if self.record else [])
        self.argv_port = _selection.argv_port(argv)
        own = self._own_listeners(self.candidate.pid) if self.candidate else None
        runs = self.candidate is not None
        self.ports = _port_choice.decide(runs, own, argv, self.config, self.port_option)
        self.port, self.listened_by = self.ports.known, own or []
        if self.candidate is None:
            return
        self.listening = self.ports.listening
        if own is None:
            self.problems.append('the sockets of process %d cannot be read by this user' % self.candidate.pid)

    @staticmethod
    def _own_listeners(pid: int) -> _port_choice.Listeners:
        try:
            with _procfs.ProcDir(pid) as proc:
                return _port_choice.own_listeners(proc)
        except OSError as exc:
            return [] if exc.errno in _procfs.GONE else None

    def _port_problem(self) -> t.Optional[str]:
        """Not judged where it is not known whether it runs, or which of several processes it is."""
        if self.candidate is None and (self.pids or self.found.unseen or self.found.hidden):
            return None
        return _port_choice.problem(self.ports, self.port_option, self.candidate.pid if self.candidate else None)

    def _ask(self) -> None:
        """Its version, from the listener that belongs to the process and from nobody else."""
        if not (self.http and self.listening and self.port):
            return
        own = next(sock for sock in self.listened_by if sock.local_port == self.port)
        address = {'::': '127.0.0.1', '0.0.0.0': '127.0.0.1'}.get(own.local_address, own.local_address)
        hosts = ['localhost'] + (_judge.site_hosts(self.config.admin_url, self.config.base_url) or [])
        for name in hosts:
            self.answer = _http.version_info(self.port, name, address=address)
            if self.answer.status != 403:
                return

    def _ever_listened(self, directory: _files.InstallDir) -> bool:
        """Whether a process without a listener once had one: noted, a connection is left, or the log says so."""
        if self.candidate is None or self.listening is not False:
            return False
        state = self._usable_state()
        seen = state.seen(self.candidate.pid, self.candidate.start_ticks) if state is not None else None
        if seen and (seen.get('listened') or seen.get('version')):
            return True
        return self._has_connection() or self._log_says_listened(directory)

    def _has_connection(self) -> bool:
        inodes = self._sockets()
        return bool(self.port) and any(sock.inode in inodes for sock in _sockdiag.connections(self.port or 0))

    def _log_tail(self, directory: _files.InstallDir, limit: int) -> bytes:
        """The end of what it prints, empty when that cannot be read."""
        log = self.record.log if self.record and self.record.log else 'running.log'
        try:
            fd = directory.open_log(os.path.join(self.instance.dir, log), self.uid)
        except (OSError, LifecycleError):
            return b''
        try:
            os.lseek(fd, max(0, os.fstat(fd).st_size - limit), os.SEEK_SET)
            return _files.read_fd(fd, limit)
        finally:
            os.close(fd)

    def _log_says_listened(self, directory: _files.InstallDir) -> bool:
        """Whether the banner stands after the first line of the newest start, which names the directory."""
        tail = self._log_tail(directory, 262144)
        starts = tail.rfind(b' ' + os.fsencode(self.instance.dir) + b'/\n')
        return starts >= 0 and bool(_LISTENED.search(tail, starts))

    def _log_text(self, directory: _files.InstallDir) -> str:
        return self._log_tail(directory, _quiet.LOG_BYTES).decode('utf-8', 'replace')

    def _backups(self, directory: _files.InstallDir) -> t.List[str]:
        """The files of backups and restores under way; empty also where descriptors may not be read."""
        seen: t.Set[_quiet.File] = set()
        for pid in self.pids:
            try:
                with _procfs.ProcDir(pid) as proc:
                    seen.update(_quiet.look(proc, self.instance.dir, lambda: self._log_text(directory)).files)
            except OSError:
                continue
        return ['%s (%s)' % (entry.path, entry.kind) for entry in sorted(seen)]

    # --- what a start needs

    def _identity(self) -> t.Optional[_children.Identity]:
        """As whom a start would ask the database; None when that is not known."""
        if self.record is not None:
            return _children.Identity(self.record.uid, self.record.gid, self.record.groups)
        uid = self.uid if self.uid is not None else self.directory_uid
        return _judge.identity(uid) if uid else None

    def _ask_databases(self) -> t.List[_database.Answer]:
        if not self.http or self.config.state != 'ok':
            return []
        environment = self.record.environment if self.record else {}
        version = self.files_version or (self.answer.version if self.answer else None)
        targets = _database.targets(self.config.database, environment, version)
        answers = self.host.databases.of(targets, self._identity(), self._sockets())
        self.problems += ['whether its database %s can be reached: %s' % (answer.target.address, answer.unknown)
                          for answer in answers if answer.unknown]
        return answers

    def _sockets(self) -> t.Set[int]:
        if self.candidate is None:
            return set()
        try:
            with _procfs.ProcDir(self.candidate.pid) as proc:
                return _ports.socket_inodes(proc)
        except OSError:
            return set()

    def _reads_dictionary(self, directory: _files.InstallDir) -> t.Optional[bool]:
        log = self._log_tail(directory, _needs.LOG_BYTES).decode('utf-8', 'replace')
        return _preconditions.dictionary_was_read(log, self.instance.dir)

    # --- results

    def _user(self) -> t.Optional[str]:
        if self.uid is None and self.directory_uid != 0:
            return _judge.user_name(self.directory_uid)
        return _judge.user_name(self.uid)

    def _result(self, tree: _evidence.Tree) -> Row:
        unsure = bool(self.found.unseen) or self.found.hidden
        version = dict(running=self.answer.version if self.answer else None, files=self.files_version, database=None)
        return dict(
            id=self.instance.id,
            dir=self.instance.dir,
            binary=self.instance.binary,
            user=self._user(),
            state=_judge.decide_state(len(self.pids), unsure, self.listening, self.has_listened),
            pids=self.pids,
            port=self.port,
            listening=self.listening if self.pids else False,
            version=version,
            launch=_launch.masked(self.record) if self.record else None,
            memory=self._memory_used(),
            restarts=self._restarts(),
            logs=tree.logs(self.record.log if self.record else None, self.uid),
            sites=_judge.site_hosts(self.config.base_url),
            supervisors=_supervisors.detect(self.instance, self.candidate, self.host.cron),
            interrupted=self.interrupted,
            foreign=_foreign.why_foreign(self.instance.dir, self.directory_uid if self.uid is None else self.uid),
        )

    def _memory_used(self) -> Row:
        pid = self.candidate.pid if self.candidate is not None else None
        record = self.record
        return _memory.report(pid, record.cgroups if record else {}, record.environment if record else None)

    def _restarts(self) -> t.List[Row]:
        state = self._usable_state()
        known = state.history() if state is not None else []
        return _lives.starts(_lives.lives(self.found.candidates, known))

    def _facts(self, tree: _evidence.Tree) -> Facts:
        running_as_root = self.uid == 0 if self.uid is not None else None
        groups = set(self.record.groups + [self.record.gid]) if self.record else set()
        scripts = _evidence.runs_by_root(self.host.cron.lines, self.instance.dir)
        binary = executable.judge(self.instance, self.record, self.candidate.pid if self.candidate else None)
        self.problems += [binary.unknown] if binary.unknown else []
        facts = Facts(
            dir=self.instance.dir,
            binary=self.instance.binary,
            user=self.result['user'],
            state=self.result['state'],
            pids=self.pids,
            unseen=self.found.unseen,
            hidden=self.found.hidden,
            config=self.config,
            config_readable=_judge.readable_by(self.config, self.uid, groups) if self.record else None,
            argv_port=self.argv_port,
            port=self.port,
            listening=self.listening,
            port_problem=self._port_problem(),
            strangers=self._strangers(),
            replaced=any(
                c.deleted or (c.exe != self.instance.executable and c.exe.endswith('.old'))
                for c in self.found.candidates
            ),
            running_version=self.result['version']['running'],
            files_version=self.files_version,
            http_status=self.answer.status if self.answer else None,
            http_error=self.answer.error if self.answer else None,
            asked=self.answer is not None,
            siblings=self.host.siblings(self.instance.binary, self.pids),
            sharing=self.host.sharing(self.instance, self.port),
            system_dir=tree.is_dir('system'),
            locales=tree.has_locales(),
            databases=self._ask_databases(),
            uid=getattr(self._identity(), 'uid', None),
            executable_problem=binary.problem,
            executable_busy=binary.busy,
            runs_as_root=running_as_root,
            writable=_evidence.changeable(self.instance.executable) if running_as_root else [],
            cron_writable=[text for path in scripts for text in _evidence.changeable(path)[-1:]],
            fragile=_evidence.fragile_scripts(tree, self.host.cron.lines),
            cut=tree.cut_files(bool(self.pids)),
            backups=self._backups(tree.directory),
            interrupted=self.interrupted,
            running_run=self.running_run,
            state_problem=self.state_problem,
            state_damaged=self.state_damaged,
            disks=self._disks(),
            supervisors=self.result['supervisors'],
            marks=_judge.marks_in(self.result),
        )
        return self._with_port(self._with_dictionary(facts, tree))._replace(problems=self._all_problems(tree))

    def _with_dictionary(self, facts: Facts, tree: _evidence.Tree) -> Facts:
        there = _needs.has_dictionary(tree.directory)
        read = self._reads_dictionary(tree.directory) if there is False else None
        return facts._replace(dictionary=there, reads_dictionary=read)

    def _with_port(self, facts: Facts) -> Facts:
        """For a stopped instance: would the bind of a start succeed?"""
        if self.pids or not self.port:
            return facts
        probe = _ports.bind_probe(self.port)
        if probe.free is None:
            self.problems.append('port %d: %s' % (self.port, probe.reason))
        return facts._replace(port_free=probe.free)

    def _all_problems(self, tree: _evidence.Tree) -> t.List[str]:
        found = self.problems + tree.problems
        found += ['%s is not used: %s' % (log['path'], log['reason']) for log in self.result['logs'] if log['reason']]
        if self.port is None and self.config.state == 'ok' and not self.config.port_error:
            found.append('its port is not known')
        return list(dict.fromkeys(found))

    def _strangers(self) -> t.List[Row]:
        """Who else listens on the port."""
        foreign = [sock for sock in _sockdiag.listeners(self.port or 0) if self.port]
        if not foreign or self.listening or (self.listening is None and self.pids):
            return []
        pids = _holders.owners({sock.inode for sock in foreign})
        rows = []
        for sock in foreign:
            for pid in pids.get(sock.inode) or [None]:  # type: ignore[list-item]
                exe = next((process.exe for process in self.host.table if process.pid == pid), None)
                if pid not in self.pids:
                    rows.append(dict(pid=pid, exe=exe, user=_judge.user_name(sock.uid)))
        return rows

    def _disks(self) -> t.List[t.Tuple[str, int, t.Optional[int]]]:
        found = []
        places = [self.instance.dir] + ([self.state.base] if self.state is not None else [])
        for place in map(_existing, places):
            try:
                info = os.statvfs(place)
            except OSError as exc:
                self.problems.append('free space of %s: %s' % (place, exc.strerror))
                continue
            found.append((place, info.f_bavail * info.f_frsize, info.f_favail if info.f_files else None))
        return found

    def remember(self) -> None:
        """Note in the process history who was seen running, and how. Nothing is noted of what could not be seen."""
        state = self._usable_state()
        if self.candidate is None or self.record is None or state is None:
            return
        more = {
            key: value
            for key, value in (
                ('version', self.answer.version if self.answer else None),
                ('listened', self.listening or None),
                ('port', self.port if self.listening else None),
            )
            if value
        }
        state.make()
        state.history_add(
            self.candidate.pid, self.candidate.start_ticks, uid=self.record.uid, cgroups=self.record.cgroups, **more
        )
        if not self.candidate.deleted or state.read_json('launch.json') is None:
            state.write_json('launch.json', _launch.to_json(self.record))


def _existing(path: str) -> str:
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


def _undescribed(instance: Instance, problem: str) -> Row:
    return dict(
        id=instance.id,
        dir=instance.dir,
        binary=instance.binary,
        user=None,
        state='ambiguous',
        pids=[],
        port=None,
        listening=None,
        version=dict(running=None, files=None, database=None),
        launch=None,
        memory=_memory.report(None, {}, None),
        restarts=[],
        logs=[],
        sites=None,
        supervisors=[],
        interrupted=None,
        foreign=_foreign.of_directory(instance.dir),
        hazards=[_hazards.not_described(problem)],
    )


def describe_on(
    host: Host,
    instance: Instance,
    port: t.Optional[int] = None,
    http: bool = True,
    base: t.Optional[str] = None,
    record: bool = False,
) -> Row:
    """One instance; never raises: a broken one must not hide the others. ``record``: note who was seen running."""
    look = Look(instance, host, port, http, base)
    try:
        row = look.take()
    except LifecycleError as exc:
        return _undescribed(instance, exc.msg)
    except Exception as exc:  # whatever it is, it must not hide the others
        return _undescribed(instance, '%s: %s' % (type(exc).__name__, exc))
    if record:
        try:
            look.remember()
        except (OSError, LifecycleError) as exc:
            facts = Facts(problems=['the process history was not written: %s' % (getattr(exc, 'msg', None) or exc)])
            row['hazards'] += _hazards.evaluate(facts)
    return row


def describe(
    instance: Instance,
    port: t.Optional[int] = None,
    http: bool = True,
    base: t.Optional[str] = None,
    record: bool = False,
) -> Row:
    """One instance, with the directories beside its own looked at for a second one on the same port."""
    return describe_on(Host(instance.binary, [os.path.dirname(instance.dir)]), instance, port, http, base, record)


def describe_all(
    search: t.Iterable[str],
    binary: str = 'anqicms',
    http: bool = True,
    base: t.Optional[str] = None,
    record: bool = False,
    recorded: bool = False,
) -> t.List[Row]:
    """Every instance that can be found on the host, sorted by directory. ``recorded``: all that our records know."""
    problems = []  # type: t.List[str]
    host = Host(binary, search, _discovery.by_records(base, recorded, problems))
    host.problems += problems
    return [describe_on(host, instance, None, http, base, record) for instance in host.instances]
