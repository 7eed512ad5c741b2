# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Everything that ``instance_info`` tells of one instance. What could not be seen is null and named in a hazard."""

import os
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import asking, migration, schemas
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import target as _database
from ansible_collections.anqicms.lifecycle.plugins.module_utils._hazards import foreign, install_tree, preconditions
from ansible_collections.anqicms.lifecycle.plugins.module_utils._hazards import table as _hazards
from ansible_collections.anqicms.lifecycle.plugins.module_utils._hazards.facts import Facts
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import (
    children,
    files,
    memory,
    names,
    ports,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._info import odd
from ansible_collections.anqicms.lifecycle.plugins.module_utils._info.host import Host
from ansible_collections.anqicms.lifecycle.plugins.module_utils._info.look import Look
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import binary as _binary
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import (
    changeable,
    discovery,
    judge,
    last_runs,
    launch,
    lives,
    plans,
    reach,
    strangers,
    supervisors,
    users,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import Instance, resolve
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import (
    executable,
    needs,
    root_runs,
)

Row = t.Dict[str, t.Any]
_DATABASE_S = 2.0  # for what its database says


class Description(Look):
    """The order of the calls in ``take`` is the order of what needs what."""

    def take(self) -> Row:
        self._read_state()
        self._find()
        self._read_launch()
        with files.InstallDir(self.instance.dir) as directory:
            self._read_config(directory)
            self._find_port()
            self._ask()
            self.on_port = self._on_port()
            tree = install_tree.Tree(directory, self.owners)
            self.files_version, self.files_source = self._files_version(tree)
            tree.note_foreign_store()
            self.has_listened = self._ever_listened(directory)
            self.databases = self._ask_databases()
            self._begin_to_ask()
            try:
                self.result = self._result(tree)
                self.result['last_runs'] = self._last_runs()
                facts = self._with_database(self._facts(tree))
            finally:
                self.database_look.close()
        return dict(self.result, hazards=_hazards.evaluate(facts))

    # --- what a start needs

    def _identity(self) -> t.Optional[children.Identity]:
        """As whom a start would ask the database; None when that is not known."""
        if self.record is not None:
            return children.Identity(self.record.uid, self.record.gid, self.record.groups)
        uid = self.uid if self.uid is not None else self.directory_uid
        return judge.identity(uid) if uid else None

    def _ask_databases(self) -> t.List[_database.Answer]:
        if not self.http or self.config.state != 'ok':
            return []
        environment = self.record.environment if self.record else {}
        version = self.files_version or (self.answer.version if self.answer else None)
        targets = _database.targets(self.config.database, environment, version)
        answers = self.host.databases.of(targets, self._identity(), self._sockets())
        self.problems += [
            'whether its database %s can be reached: %s' % (answer.target.address, answer.unknown)
            for answer in answers
            if answer.unknown
        ]
        return answers

    def _begin_to_ask(self) -> None:
        """Ask the database of the first site, unless it cannot be reached, or has kept us waiting for another one."""
        places = [answer.target.address for answer in self.databases if not answer.problem]
        self.asks_database = bool(places) and not self.host.databases.slow.intersection(places)
        self.database_look = asking.Look(self._mysql if self.asks_database else dict, self.instance.dir, False)

    def _mysql(self) -> t.Dict[str, t.Any]:
        environment = self.record.environment if self.record else {}
        version = self.files_version or (self.answer.version if self.answer else None)
        return schemas.from_environment(
            schemas.section(schemas.read(self.instance.dir, self.uid)), environment, version
        )

    def _with_database(self, facts: Facts) -> Facts:
        """What the database says, which was asked meanwhile."""
        if not self.asks_database:
            return facts
        begin = time.monotonic()
        found, state = self.database_look.found(_DATABASE_S), self._usable_state()
        if time.monotonic() - begin >= _DATABASE_S:
            self.host.databases.slow.update(answer.target.address for answer in self.databases)
        said = needs.judge(
            facts.files_version or facts.running_version,
            found,
            lambda key: migration.recorded(state.path, key) if state is not None else None,
        )
        if found[0].seen is not None:
            self.result['version']['database'] = migration.version_of(found[0].seen)
        unknown = '; '.join('%s: %s' % (one.name, one.why) for one in found if one.why)
        return facts._replace(newer=said.newer, database_unknown=unknown or None)

    def _reads_dictionary(self, directory: files.InstallDir) -> t.Optional[bool]:
        return preconditions.dictionary_was_read(self._log_text(directory, needs.LOG_BYTES), self.instance.dir)

    # --- results

    def _user(self) -> t.Optional[str]:
        if self.uid is None and self.directory_uid != 0:
            return names.user_name(self.directory_uid)
        return None if self.uid is None else names.user_name(self.uid)

    def _result(self, tree: install_tree.Tree) -> Row:
        unsure = bool(self.found.unseen) or self.found.hidden or bool(self.on_port)
        running = self.answer.version if self.answer else None
        version = {'running': running, 'files': self.files_version, 'from': self.files_source, 'database': None}
        return dict(
            id=self.instance.id,
            dir=self.instance.dir,
            binary=self.instance.binary,
            user=self._user(),
            state=judge.decide_state(len(self.pids), unsure, self.listening, self.has_listened),
            pids=self.pids,
            strangers=strangers.rows(list(self.found.strangers) + self.on_port),
            port=self.port,
            listening=self.listening if self.pids else False,
            version=version,
            launch=launch.masked(self.record) if self.record else None,
            memory=self._memory_used(),
            restarts=self._restarts(),
            logs=tree.logs(self._log() if self.record and self.record.log else None, self.uid),
            sites=judge.site_hosts(self.config.base_url),
            supervisors=supervisors.detect(self.instance, self.candidate, self.host.cron),
            interrupted=self.interrupted,
            runs=self.runs,
            badly_ended=self.badly_ended,
            last_runs=[],
            planned=self.planned,
            foreign=foreign.why_foreign(self.instance.dir, self.directory_uid if self.uid is None else self.uid),
        )

    def _last_runs(self) -> t.List[Row]:
        """With the verb of each, as far as its plan tells, and whether the instance is as it was left."""
        verbs = {plan['run_id']: plan['verb'] for plan in self.planned or []}
        process = (self.candidate.pid, self.candidate.start_ticks) if self.candidate is not None else None
        here, found = last_runs.here(), []
        for run in self.last_runs:
            named = [
                verb for name, verb in verbs.items() if run['run_id'] == name or plans.is_hop_of(run['run_id'], name)
            ]
            told = dict(run, verb=run['verb'] or (named[0] if named else None))
            found.append(last_runs.shown(told, last_runs.as_left(run, self.result['state'], process, here)))
        return found

    def _memory_used(self) -> Row:
        pid = self.candidate.pid if self.candidate is not None else None
        record = self.record
        return memory.report(pid, record.cgroups if record else {}, record.environment if record else None)

    def _restarts(self) -> t.List[Row]:
        state = self._usable_state()
        known = state.history() if state is not None else []
        return lives.starts(lives.lives(self.found.candidates, known))

    def _facts(self, tree: install_tree.Tree) -> Facts:
        starts_as = self._start_uid()
        groups = set(self.record.groups + [self.record.gid]) if self.record else set()
        scripts = install_tree.runs_by_root(self.host.cron.lines, self.instance.dir)
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
            config_readable=judge.readable_by(self.config, self.uid, groups) if self.record else None,
            argv_port=self.argv_port,
            port=self.port,
            listening=self.listening,
            port_problem=self._port_problem(),
            strangers=strangers.rows(self.on_port),
            replaced=any(candidate.replaced for candidate in self.found.candidates),
            running_version=self.result['version']['running'],
            files_version=self.files_version,
            files_version_guessed=self.files_source == _binary.CHANGELOG,
            http_status=self.answer.status if self.answer else None,
            http_error=self.answer.error if self.answer else None,
            asked=self.answer is not None,
            siblings=self.host.siblings(self.instance.binary, self.pids),
            sharing=self.host.sharing(self.instance, self.port),
            system_dir=tree.is_dir('system'),
            locales=tree.has_locales(),
            databases=self.databases,
            uid=getattr(self._identity(), 'uid', None),
            executable_problem=binary.problem,
            executable_busy=binary.busy,
            runs_as_root=starts_as == 0 if starts_as is not None else None,
            writable=root_runs.writable(self.instance) if starts_as == 0 else [],
            owner=names.user_name(self.directory_uid),
            starts_as=None if starts_as is None else names.user_name(starts_as),
            left_behind=self._left_behind(starts_as),
            cron_writable=[text for path in scripts for text in changeable.changeable(path)[-1:]],
            fragile=install_tree.fragile_scripts(tree, self.host.cron.lines),
            cut=tree.cut_files(bool(self.pids)),
            backups=self._backups(tree.directory),
            interrupted=self.interrupted,
            running_run=self.running_run,
            state_problem=self.state_problem,
            state_damaged=self.state_damaged,
            disks=self._disks(),
            supervisors=self.result['supervisors'],
            marks=judge.marks_in(self.result),
        )
        return self._with_port(self._with_dictionary(facts, tree))._replace(problems=self._all_problems(tree))

    def _with_dictionary(self, facts: Facts, tree: install_tree.Tree) -> Facts:
        there = needs.has_dictionary(tree.directory)
        read = self._reads_dictionary(tree.directory) if there is False else None
        return facts._replace(dictionary=there, reads_dictionary=read)

    def _with_port(self, facts: Facts) -> Facts:
        """For a stopped instance: would the bind of a start succeed?"""
        if self.pids or not self.port:
            return facts
        probe = ports.bind_probe(self.port)
        if probe.free is None:
            self.problems.append('port %d: %s' % (self.port, probe.reason))
        return facts._replace(port_free=probe.free)

    def _all_problems(self, tree: install_tree.Tree) -> t.List[str]:
        found = self.problems + tree.problems
        found += ['%s is not used: %s' % (log['path'], log['reason']) for log in self.result['logs'] if log['reason']]
        if self.port is None and self.config.state == 'ok' and not self.config.port_error:
            found.append('its port is not known')
        return list(dict.fromkeys(found))

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
                ('binary', list(self.binary or ())),
                ('listened', self.listening or None),
                ('port', self.port if self.listening else None),
            )
            if value
        }
        state.make()
        state.history_add(
            self.candidate.pid,
            self.candidate.start_ticks,
            uid=self.record.uid,
            cgroups=self.record.cgroups,
            exe=list(self.candidate.file or ()),
            **more,
        )
        needs.remember(state.path, self.database_look.found())
        if not self.candidate.deleted or state.read_json('launch.json') is None:
            launch.store(state, self.record)

    def note_plan(self, row: Row, plan: t.Mapping[str, t.Any]) -> None:
        """Note that a run is to work on it. Nothing is noted in a state that cannot be believed or read."""
        state = self._usable_state()
        if state is not None and plans.concerns(row, plan):
            plans.add(state, plan, row['version']['running'])


def _existing(path: str) -> str:
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


def describe_on(
    host: Host,
    instance: Instance,
    port: t.Optional[int] = None,
    http: bool = True,
    base: t.Optional[str] = None,
    record: bool = False,
    user: users.Named = None,
    plan: t.Optional[t.Mapping[str, t.Any]] = None,
) -> Row:
    """One instance; never raises: a broken one must not hide the others.

    ``record``: note who was seen running, and the ``plan`` of the run that this look belongs to.
    """
    look = Description(instance, host, port, http, base, user)
    try:
        reach.refuse_hanging(instance.dir)
        resolve(instance.dir, instance.binary)
        row = look.take()
    except Exception as exc:  # whatever it is, it must not hide the others
        return odd.row(instance, exc, host.table, base)
    if record:
        row['hazards'] += _noted(look.remember, 'the process history was not written: %s')
        if plan is not None:
            row['hazards'] += _noted(
                lambda: look.note_plan(row, plan),
                'this plan was not recorded, so a resume may not know the instance: %s',
            )
    return row


def _noted(note: t.Callable[[], None], failed: str) -> t.List[Row]:
    """Hazards that say why something was not noted."""
    try:
        note()
        return []
    except Exception as exc:
        return _hazards.evaluate(Facts(problems=[failed % odd.why(exc)]))


def describe(
    instance: Instance,
    port: t.Optional[int] = None,
    http: bool = True,
    base: t.Optional[str] = None,
    record: bool = False,
    user: users.Named = None,
    plan: t.Optional[t.Mapping[str, t.Any]] = None,
) -> Row:
    """One instance, with the directories beside its own looked at for a second one on the same port."""
    host = Host(instance.binary, [os.path.dirname(instance.dir)])
    return describe_on(host, instance, port, http, base, record, user, plan)


def describe_all(
    search: t.Iterable[str],
    binary: str = 'anqicms',
    http: bool = True,
    base: t.Optional[str] = None,
    record: bool = False,
    recorded: bool = False,
    user: users.Named = None,
    problems: t.Optional[t.List[str]] = None,
    plan: t.Optional[t.Mapping[str, t.Any]] = None,
) -> t.List[Row]:
    """Every instance that can be found on the host, sorted by directory. ``recorded``: all that our records know.

    ``problems`` takes in what could not be looked through for them: there may be more.
    """
    unseen: t.List[str] = []
    host = Host(binary, search, discovery.by_records(base, recorded, unseen))
    host.problems += unseen
    if problems is not None:
        problems += host.problems
    return [describe_on(host, instance, None, http, base, record, user, plan) for instance in host.instances]
