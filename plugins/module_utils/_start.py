# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Start an instance as it was started before, and prove that it is this process that answers."""

import grp
import os
import pwd
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils import (
    _exit_codes, _files, _holders, _http, _launch, _ports, _process, _procfs, _selection, _shim, _sockdiag, _spawn, _versions)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._context import Context, milliseconds
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError

Params = t.Mapping[str, t.Any]

_POLL_S = 0.001          # between two version questions while the port is closed: a refused connection costs 0.05 ms
_SLOW_POLL_S = 0.02      # after 2 s, and while it answers something else
_ANSWER_TIMEOUT_S = 1.0
_TAIL_LINES = 20


def choose_record(context: Context, params: Params) -> _launch.LaunchRecord:
    """How to start it: as it runs now, as it was last seen running, or from the owners of its files."""
    record = None  # type: t.Optional[_launch.LaunchRecord]
    if context.handle is not None:
        try:
            record = _launch.capture(context.handle.proc)
        except OSError:
            record = None
    record = record or context.stored_record() or _record_from_owners(context, params.get('user'))
    return _with_options(record, params)


def _with_options(record: _launch.LaunchRecord, params: Params) -> _launch.LaunchRecord:
    if params.get('arguments') is not None:
        record = record._replace(argv=[record.argv[0]] + list(params['arguments']))
    if params.get('environment'):
        record = record._replace(environment=dict(record.environment, **params['environment']))
    if params.get('user'):
        user = _user(params['user'])
        if user.pw_uid != record.uid:
            record = record._replace(uid=user.pw_uid, gid=user.pw_gid, groups=os.getgrouplist(user.pw_name, user.pw_gid))
    return record


def _user(name: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        raise LifecycleError('There is no user %s on this host. Nothing was started. Give the name of the instance\'s user.' % name)


def agreeing_owner(owners: t.Mapping[str, int]) -> t.Optional[int]:
    """The one owner of directory, binary, configuration and log; None when they differ or it is root."""
    uids = set(owners.values())
    return uids.pop() if len(uids) == 1 and 0 not in uids else None


def _owners(context: Context) -> t.Dict[str, int]:
    owners = {}
    with _files.InstallDir(context.instance.dir) as directory:
        owners[context.instance.dir] = directory.uid
        for name in (context.instance.binary, 'config.json', 'running.log'):
            found = directory.lstat(name)
            if found is not None:
                owners[name] = found.st_uid
    return owners


def _record_from_owners(context: Context, user: t.Optional[str]) -> _launch.LaunchRecord:
    """A first start. LifecycleError when it cannot be told as whom."""
    owners = _owners(context)
    uid = _user(user).pw_uid if user else agreeing_owner(owners) if os.geteuid() == 0 else os.geteuid()
    if uid is None:
        listing = ', '.join('%s: uid %d' % item for item in sorted(owners.items()))
        raise LifecycleError('%s was never seen running, and its files do not say as whom to start it (%s). Nothing was started. Give '
                             'user.' % (context.instance.id, listing))
    try:
        entry = pwd.getpwuid(uid)
        gid, groups, home, name = entry.pw_gid, os.getgrouplist(entry.pw_name, entry.pw_gid), entry.pw_dir, entry.pw_name
    except KeyError:
        gid, groups, home, name = os.stat(context.instance.dir).st_gid, [], context.instance.dir, str(uid)
    environment = dict(PATH='/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME=home, USER=name, LOGNAME=name,
                       LANG=os.environ.get('LANG', 'C.UTF-8'))
    return _launch.LaunchRecord(
        argv=[context.instance.executable], environment=environment, uid=uid, gid=gid, groups=groups, umask=0o022,
        limits=_launch.current_limits(), nice=0, oom_score_adj=0, cgroups={}, label=None, cwd=context.instance.dir,
        log=os.path.join(context.instance.dir, 'running.log'), ignores_hup=True)


def plan(context: Context, params: Params) -> t.Dict[str, t.Any]:
    """What the start would do. LifecycleError for everything that it cannot end well with."""
    if not context.will_stop and context.look() is not None:
        assert context.candidate is not None
        _refuse_unfit_process(context)
        return dict(changed=False, pid=context.candidate.pid, would='nothing but the checks: it runs as pid %d' % context.candidate.pid)
    _refuse_config(context)
    problem = _spawn.executable_problem(context.instance)
    if problem:
        raise LifecycleError('%s cannot be started: %s. Nothing was started. Put the binary of this release there (mode 0755).'
                             % (context.instance.id, problem))
    record = choose_record(context, params)
    _refuse_user(context, record)
    _refuse_log(context, record)
    if not context.will_stop:
        _refuse_port(context)
    return dict(changed=True, would='start %s as uid %d' % (' '.join([context.instance.executable] + record.argv[1:]), record.uid))


def _refuse_unfit_process(context: Context) -> None:
    if not context.listens() and (context.seen() or {}).get('version'):
        raise LifecycleError('%s runs as pid %d with its port %d closed: it will not serve again. Nothing was started. Stop it first '
                             '(graceful_stop).' % (context.instance.id, context.candidate.pid if context.candidate else 0, context.port))


def _refuse_config(context: Context) -> None:
    config = context.config
    assert config is not None
    if config.state != 'ok' or config.port_error:
        consequence = ('The application would start in install mode and let anybody set it up.'
                       if config.state in ('missing', 'unreadable') else 'The application would not start.')
        raise LifecycleError('config.json of %s is %s: %s. %s Nothing was started or stopped. Mend the file first.' % (
            context.instance.id, config.state if config.state != 'ok' else 'not usable', config.message or config.port_error, consequence))


def _refuse_user(context: Context, record: _launch.LaunchRecord) -> None:
    if os.geteuid() not in (0, record.uid):
        raise LifecycleError('%s runs as uid %d, and only root can start it as that user. Nothing was started or stopped. Run as root or '
                             'as that user.' % (context.instance.id, record.uid))


def _refuse_log(context: Context, record: _launch.LaunchRecord) -> None:
    """A log that is a link, a device or another user's file is not opened."""
    if record.log is None:
        return
    try:
        with _files.InstallDir(context.instance.dir) as directory:
            os.close(directory.open_log(record.log, record.uid))
    except FileNotFoundError:
        return
    except OSError as exc:
        raise LifecycleError('The log %s of %s cannot be opened: %s. Nothing was started or stopped. Mend its permissions.'
                             % (record.log, context.instance.id, exc.strerror))


def _refuse_port(context: Context) -> None:
    probe = _ports.bind_probe(context.port)
    if probe.free is False:
        found = _holders.holders(context.port)
        names = ', '.join('pid %s (%s, user %s)' % (h.get('pid'), h.get('exe'), h.get('user')) for h in found) or 'a holder that is not visible'
        raise LifecycleError('Port %d of %s is held by %s. Nothing was started. End that process or change the port.'
                             % (context.port, context.instance.id, names), holders=found)


def prepare(context: Context, params: Params) -> None:
    """Park a child that is ready to become the instance, before anything is stopped."""
    record = choose_record(context, params)
    environment = _shim.protect(context.state, context.instance, record, context.file_version or context.version)
    context.launcher = _spawn.Launcher(context.instance, record, environment)
    context.launcher.prepare()


class Start:
    """One start, from exec to the proof."""

    def __init__(self, context: Context, params: Params) -> None:
        assert context.launcher is not None
        self.context, self.params, self.launcher = context, params, context.launcher
        self.position = context.log_size()
        self.handle = None  # type: t.Optional[_process.ProcessHandle]
        self.begin = time.monotonic()
        self.ready_at = 0.0
        self.progress_at = 0.0
        self.mark = None  # type: t.Any
        self.answer = _http.Answer(None, None, 'never asked')
        self.stranger = False

    def run(self) -> None:
        """LifecycleError when it ends, does not answer, or another process answers."""
        self.begin = time.monotonic()
        pid = self.launcher.go()
        self.context.launcher = None
        self.handle = _process.ProcessHandle(pid)
        self.progress_at = time.monotonic()
        while not self._ready():
            self._check_alive()
            self._check_progress()
            self._check_stranger()
            fast = time.monotonic() - self.begin < 2.0 and self.answer.status is None
            time.sleep(_POLL_S if fast else _SLOW_POLL_S)
        self.ready_at = time.monotonic()
        if self.context.answered_at is None:
            self.context.answered_at = self.ready_at
        self.handle.wait_gone(self.params['stable_for'])
        self._check_alive()

    def _ready(self) -> bool:
        """The version endpoint answered, and the listener that answered is this process's."""
        self.answer = _http.version_info(self.context.port, timeout=_ANSWER_TIMEOUT_S)
        if not self.answer.alive:
            return False
        assert self.handle is not None
        owns = _holders.owns_listener(self.handle.proc, self.context.port)
        self.stranger = owns is False
        return owns is not False

    def _check_stranger(self) -> None:
        """Another process took the port and answers: a guard, or the wrong port."""
        if self.stranger and not self._dead() and time.monotonic() - self.begin > 1.0:
            raise self._failure('another process answers on port %d' % self.context.port, holders=_holders.holders(self.context.port))

    def _dead(self) -> bool:
        assert self.handle is not None
        return self.handle.gone()

    def _check_alive(self) -> None:
        if not self._dead():
            return
        assert self.handle is not None
        code = _exit_code(self.handle.pid)
        log = self.context.log_since(self.position)
        if code is None:
            raise self._failure('it ended, its exit code is not known', exit_code=None)
        why = _exit_codes.explain(code, self.context.file_version, log)
        raise self._failure('it ended: %s' % why.meaning, exit_code=code, exit_meaning=why.meaning, advice=why.advice, cause_line=why.line)

    def _check_progress(self) -> None:
        now = time.monotonic()
        if now - self.progress_at < min(1.0, self.params['ready_timeout'] / 4.0):
            return
        mark = self._progress_mark()
        if mark != self.mark:
            self.mark, self.progress_at = mark, now
            if now - self.begin > 2.0:
                self.context.progress('pid %d is starting, %d s so far' % (self.launcher.pid, now - self.begin))
        elif now - self.progress_at > self.params['ready_timeout']:
            raise self._failure('it did not answer, and nothing has moved for %g s (last answer: %s)' % (
                self.params['ready_timeout'], self.answer.error or self.answer.status))

    def _progress_mark(self) -> t.Any:
        """What moves while a migration advances: its log, and the bytes to and from its database."""
        assert self.handle is not None
        try:
            socks = _sockdiag.client_connections(_holders.socket_inodes(self.handle.proc))
        except OSError:
            socks = []
        moved = [(sock.info.bytes_acked, sock.info.bytes_received) for sock in socks if sock.info]
        working = any(_sockdiag.query_in_flight(sock) for sock in socks if sock.local_port != self.context.port)
        return self.context.log_size(), sorted(moved, key=str), time.monotonic() if working else 0

    def _failure(self, what: str, **more: t.Any) -> LifecycleError:
        log = _exit_codes.plain_lines(self.context.log_since(self.position))[-_TAIL_LINES:]
        alive = self.handle is not None and not self.handle.gone()
        state = 'It still runs as pid %d.' % self.launcher.pid if alive else 'Nothing runs.'
        said = more.get('cause_line') or (log[-1] if log else 'its log says nothing')
        advice = more.pop('advice', None) or 'Read its log, then start it again.'
        return LifecycleError('%s was started and %s. Its log: %s. %s %s' % (self.context.instance.id, what, said, state, advice),
                              changed=True, pid=self.launcher.pid if alive else None, log_tail=log, **more)

    def result(self) -> t.Dict[str, t.Any]:
        assert self.handle is not None
        version = self.answer.version or self.context.file_version
        notes = list(self.launcher.notes)
        if self.answer.version is None:
            notes.append('version/info is forbidden (an admin host is set): the version is that of the files')
        return dict(changed=True, pid=self.handle.pid, ready_ms=milliseconds(self.begin, self.ready_at), version=version,
                    log_position=self.position, exit_code=None, log_tail=[], notes=notes)


def _exit_code(pid: int) -> t.Optional[int]:
    """Exit status, or minus the signal's number; None when it is not a child of ours (any more)."""
    try:
        dummy, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return None
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def verify_running(context: Context, params: Params) -> t.Dict[str, t.Any]:
    """It runs already: the same proof, nothing is started. LifecycleError when it does not answer in time."""
    assert context.candidate is not None and context.handle is not None
    begin = time.monotonic()
    while True:
        answer = _http.version_info(context.port, timeout=_ANSWER_TIMEOUT_S)
        if answer.alive and _holders.owns_listener(context.handle.proc, context.port) is not False:
            break
        if context.handle.gone() or time.monotonic() - begin > params['ready_timeout']:
            raise LifecycleError('pid %d of %s does not answer on port %d (%s). Nothing was started. Stop it first, or read its log.' % (
                context.candidate.pid, context.instance.id, context.port, answer.error or answer.status), pid=context.candidate.pid)
        time.sleep(_SLOW_POLL_S)
    context.running_version = answer.version
    context.remember()
    return dict(changed=False, pid=context.candidate.pid, ready_ms=milliseconds(begin), version=answer.version or context.file_version,
                log_position=context.log_size(), exit_code=None, log_tail=[], notes=['it ran already'])


def start(context: Context, params: Params) -> t.Dict[str, t.Any]:
    """Start the instance, or prove that it runs. LifecycleError says why it ended."""
    if context.launcher is None:
        context.will_stop = False
        plan(context, params)
        if context.candidate is not None:
            return verify_running(context, params)
        prepare(context, params)
    else:
        _refuse_port(context)
    context.progress('starting it, waiting for its version')
    work = Start(context, params)
    work.run()
    assert work.handle is not None
    context.remember_started(work.handle, work.launcher.record, work.answer.version)
    return work.result()


def foresee(context: Context, params: Params) -> t.Dict[str, t.Any]:
    """The result in check mode: nothing is started."""
    planned = plan(context, params)
    return dict(changed=planned['changed'], would=planned['would'], pid=planned.get('pid'), ready_ms=None, version=context.version,
                log_position=context.log_size(), exit_code=None, log_tail=[], notes=[])
