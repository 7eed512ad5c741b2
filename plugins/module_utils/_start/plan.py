# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""How an instance is to be started, and everything that makes a start end badly, before anything is touched."""

import os
import pwd
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils import (
    _files,
    _holders,
    _launch,
    _ports,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError, NotYet, present
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import executable
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import needs as _needs

Params = t.Mapping[str, t.Any]

_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
_NAMES_OF_USER = ('USER', 'LOGNAME')


def choose_record(context: Context, params: Params) -> _launch.LaunchRecord:
    """How to start it: as it runs now, as it was last seen running, or from the owners of its files."""
    record = None  # type: t.Optional[_launch.LaunchRecord]
    if context.handle is not None:
        try:
            record = _launch.capture(context.handle.proc)
        except OSError:
            record = None  # it has ended meanwhile
    record = record or context.stored_record() or _record_from_owners(context, params.get('user'))
    return with_options(record, params)


def with_options(record: _launch.LaunchRecord, params: Params) -> _launch.LaunchRecord:
    """The record as the options change it. LifecycleError for what no process can have."""
    if params.get('arguments') is not None:
        record = record._replace(argv=[record.argv[0]] + list(params['arguments']))
    if params.get('user'):
        user = _user(params['user'])
        if user.pw_uid != record.uid:
            record = _as_user(record, user)
    if params.get('environment'):
        wanted = {str(name): str(value) for name, value in params['environment'].items()}
        record = record._replace(environment=dict(record.environment, **wanted))
    _refuse_impossible(record)
    return record


def _refuse_impossible(record: _launch.LaunchRecord) -> None:
    wrong = ['the argument %r has a NUL byte' % word for word in record.argv if '\0' in word]
    for name, value in record.environment.items():
        if not name or '=' in name or '\0' in name:
            wrong.append('%r is not a name of an environment variable' % name)
        elif '\0' in value:
            wrong.append('the value of %s has a NUL byte' % name)
    if wrong:
        raise LifecycleError('It cannot be started so: %s. Nothing was stopped or started.' % '; '.join(wrong))


def _as_user(record: _launch.LaunchRecord, user: pwd.struct_passwd) -> _launch.LaunchRecord:
    environment = dict(record.environment)
    for name, value in [('HOME', user.pw_dir)] + [(name, user.pw_name) for name in _NAMES_OF_USER]:
        if name in environment:
            environment[name] = value
    return record._replace(uid=user.pw_uid, gid=user.pw_gid, groups=os.getgrouplist(user.pw_name, user.pw_gid),
                           environment=environment)


def _user(name: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(name)
    except KeyError as exc:
        raise LifecycleError('There is no user %s on this host. Nothing was stopped or started. Give the name of the '
                             "instance's user." % name) from exc


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


def _first_uid(context: Context, user: t.Optional[str]) -> int:
    if user:
        return _user(user).pw_uid
    if os.geteuid() != 0:
        return os.geteuid()
    owners = _owners(context)
    uid = agreeing_owner(owners)
    if uid is None:
        listing = ', '.join('%s: uid %d' % item for item in sorted(owners.items()))
        raise LifecycleError('%s was never seen running, and its files do not say as whom to start it (%s). Nothing '
                             'was stopped or started. Give user.' % (context.instance.id, listing))
    return uid


def _record_from_owners(context: Context, user: t.Optional[str]) -> _launch.LaunchRecord:
    """A first start. LifecycleError when it cannot be told as whom."""
    uid = _first_uid(context, user)
    try:
        entry = pwd.getpwuid(uid)
        gid, groups = entry.pw_gid, os.getgrouplist(entry.pw_name, entry.pw_gid)
        home, name = entry.pw_dir, entry.pw_name
    except KeyError:
        gid, groups, home, name = os.stat(context.instance.dir).st_gid, [], context.instance.dir, str(uid)
    environment = dict(PATH=_PATH, HOME=home, USER=name, LOGNAME=name, LANG=os.environ.get('LANG', 'C.UTF-8'))
    return _launch.LaunchRecord(
        argv=[context.instance.executable], environment=environment, uid=uid, gid=gid, groups=groups, umask=0o022,
        limits=_launch.current_limits(), nice=0, oom_score_adj=0, cgroups={}, label=None, cwd=context.instance.dir,
        log=os.path.join(context.instance.dir, 'running.log'), ignores_hup=True)


def plan(context: Context, params: Params) -> t.Dict[str, t.Any]:
    """What the start would do. LifecycleError for everything that it cannot end well with, NotYet for what may pass."""
    _needs.accepted(context, params)
    found = None if context.will_stop else context.look()
    if found is not None:
        _refuse_unfit_process(context, found.pid)
        pid = found.pid
        return dict(changed=False, pid=pid, would='nothing but the checks: it runs as pid %d' % pid)
    _refuse_config(context)
    record = _record_for_binary(context, params)
    _refuse_user(context, record)
    _refuse_log(context, record)
    refuse_port(context, record)
    # Last, because MySQL counts connections without a login: a start that waits for its port must not add to them.
    _needs.require(context, params, record, _needs.ask_databases(context, record))
    words = [context.instance.executable] + record.argv[1:]
    return dict(changed=True, would='start %s as uid %d' % (' '.join(words), record.uid))


def _record_for_binary(context: Context, params: Params) -> _launch.LaunchRecord:
    """A binary that cannot be executed is named first, also where nothing says as whom to execute it."""
    try:
        record = choose_record(context, params)
    except LifecycleError:
        refuse_executable(context, None)
        raise
    refuse_executable(context, record)
    return record


def refuse_executable(context: Context, record: t.Optional[_launch.LaunchRecord]) -> None:
    """LifecycleError when the binary cannot be executed by that user; NotYet while somebody writes it."""
    executable.refuse(context.instance, record, context.handle.pid if context.handle is not None else None)


def _refuse_unfit_process(context: Context, pid: int) -> None:
    if not context.listens() and (context.seen() or {}).get('version'):
        raise LifecycleError('%s runs as pid %d with its port %d closed: it will not serve again. Nothing was started. '
                             'Stop it first (graceful_stop).'
                             % (context.instance.id, pid, context.port))


def _refuse_config(context: Context) -> None:
    config = present(context.config)
    if config.state == 'ok' and not config.port_error:
        return
    consequence = ('The application would start in install mode and let anybody set it up.'
                   if config.state in ('missing', 'unreadable') else 'The application would not start.')
    raise LifecycleError('config.json of %s is %s: %s. %s Nothing was stopped or started. Mend the file first.' % (
        context.instance.id, config.state if config.state != 'ok' else 'not usable',
        (config.message or config.port_error or '').rstrip('.'), consequence))


def _refuse_user(context: Context, record: _launch.LaunchRecord) -> None:
    if os.geteuid() not in (0, record.uid):
        raise LifecycleError('%s runs as uid %d, and only root can start it as that user. Nothing was stopped or '
                             'started. Run as root or as that user.' % (context.instance.id, record.uid))


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
        raise LifecycleError('The log %s of %s cannot be opened: %s. Nothing was stopped or started. Mend its '
                             'permissions.' % (record.log, context.instance.id, exc.strerror)) from exc


def refuse_port(context: Context, record: _launch.LaunchRecord) -> None:
    """NotYet when somebody else holds the port that this start would bind; names the holder."""
    port = context.port_for(record.argv)
    if _ports.bind_probe(port).free is not False:
        return
    stops_it = context.will_stop and context.handle is not None
    if stops_it and context.handle and _holders.owns_listener(context.handle.proc, port) is not False:
        return  # by the process that will have been stopped by then
    found = _holders.holders(port)
    names = ', '.join('pid %s (%s, user %s)' % (h.get('pid'), h.get('exe'), h.get('user')) for h in found)
    raise NotYet('Port %d of %s is held by %s. %s End that process or change the port.' % (
        port, context.instance.id, names or 'a holder that is not visible', _needs.untouched(context)), holders=found)
