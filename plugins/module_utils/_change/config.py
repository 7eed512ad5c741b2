# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Step ``config``: merge keys into config.json, or remove some; the file of before is kept in the trusted state."""

import hashlib
import json
import os
import stat
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import config_file, versions
from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import config_rules, json_edit, proxies
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import client, schemas
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import (
    LifecycleError,
    nothing_done,
    present,
    system_text,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._hazards import table as _hazards
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import files, secrets
from ansible_collections.anqicms.lifecycle.plugins.module_utils._info import host as _host
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import (
    discovery,
    foreseen,
    launch,
    trusted,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context

KIND = 'config'
SPEC: t.Dict[str, t.Dict[str, t.Any]] = dict(
    settings=dict(type='dict', default={}, no_log=True),  # the password of the database may be among them
    remove=dict(type='list', elements='str', default=[]),
    accept_hazards=dict(type='list', elements='str', default=[]),
)
_DATABASE_S = 10.0
_USELESS = ('access_denied', 'unknown_database', 'cannot_connect', 'no_right')
NAMED_BY_PROXY = 'proxy_names_port'  # a code for accept_hazards

Params = t.Mapping[str, t.Any]
Result = t.Dict[str, t.Any]


class File(t.NamedTuple):
    """config.json as it is now."""

    data: bytes
    found: os.stat_result
    attributes: t.Dict[str, bytes]

    @property
    def values(self) -> t.Dict[str, t.Any]:
        return config_file.load_json(self.data)


def read(context: Context) -> File:
    """LifecycleError where it is no file that can be changed."""
    name, advice = config_file.NAME, 'Nothing was changed. Fix the file first.'
    try:
        with files.InstallDir(context.instance.dir) as directory:
            owners = directory.owners(context.candidate.uid if context.candidate else None)
            fd = directory.open_file(name, owners)
            try:
                found = File(files.read_fd(fd, files.MIB + 1), os.fstat(fd), files.attributes_of(fd))
            finally:
                os.close(fd)
    except OSError as exc:
        raise LifecycleError(
            '%s of %s cannot be changed: %s. %s' % (name, context.instance.id, system_text(exc), advice)
        ) from exc
    if len(found.data) > files.MIB:
        raise LifecycleError('%s of %s is larger than 1 MiB. %s' % (name, context.instance.id, advice))
    try:
        found.data.decode('utf-8')
        config_file.load_json(found.data)
    except ValueError as exc:
        raise LifecycleError('%s of %s is not valid JSON: %s. %s' % (name, context.instance.id, exc, advice)) from exc
    return found


def edited(data: bytes, params: Params) -> bytes:
    """The content with the settings merged in and the keys removed; every other character stays. Pure."""
    text, values = data.decode('utf-8'), config_file.load_json(data)
    for path, value in config_rules.leaves(params['settings']):
        known, now = config_rules.at(values, path)
        if isinstance(value, dict) and not value and isinstance(now, dict):
            continue  # dictionaries are merged, and this one has nothing to merge
        if not known or type(now) is not type(value) or now != value:
            text = json_edit.put(text, path, value)
    for name in params['remove']:
        text = json_edit.drop(text, tuple(name.split('.')))
    return text.encode('utf-8')


def _refuse_options(params: Params) -> None:
    _hazards.refuse_unknown(params['accept_hazards'])
    both = [
        config_rules.shown(path)
        for path, _value in config_rules.leaves(params['settings'])
        if any((config_rules.shown(path) + '.').startswith(name + '.') for name in params['remove'])
    ]
    if both:
        raise LifecycleError(
            'config: %s is in both settings and remove. Nothing was done. Remove it from one of them.' % ', '.join(both)
        )
    odd = [name for name in params['remove'] if not all(name.split('.'))]
    if odd:
        raise LifecycleError(
            'config: %r is not a path such as server.token_secret. Nothing was done. Correct it.' % odd[0]
        )
    if not params['settings'] and not params['remove']:
        raise LifecycleError('config: neither settings nor remove is set. Nothing was done. Set one of them.')


def next_start(context: Context) -> config_rules.Start:
    """What of the next start decides beside the file; what cannot be seen decides nothing."""
    record: t.Optional[launch.LaunchRecord] = None
    try:
        record = launch.capture(context.handle.proc) if context.handle else context.stored_record()
    except OSError:
        pass
    argv, given = record.argv if record else [], context.run.next_arguments
    argv = argv if given is None else ['', *given]
    environment = dict(record.environment if record else {}, **context.run.next_environment)
    return config_rules.Start(context.file_version, argv, environment)


def plan(context: Context, params: Params) -> Result:
    _refuse_options(params)
    if context.candidate is None and not context.foreseen.stops:
        context.read_files()
    now = read(context)
    data = edited(now.data, params)
    if data == now.data:
        return dict(changed=False, would='nothing: config.json already has these values')
    after = config_file.interpret(data)
    wrong = config_rules.wrong(after)
    if wrong:
        raise LifecycleError(
            'config.json would not be usable: %s. Nothing was done. Correct the value.' % (wrong.rstrip('.'))
        )
    refusals = config_rules.refusals(next_start(context), now.values, config_file.load_json(data))
    if refusals:
        raise LifecycleError('config: %s Nothing was done.' % ' '.join(refusals))
    _refuse_owner(context, now)
    if after.port != config_file.interpret(now.data).port:
        _refuse_port(context, present(after.port), params)
    values = config_file.load_json(data)
    paths = config_rules.changed_paths(now.values, values)
    notes = _refuse_database(values) if any(path[0] == 'mysql' for path in paths) else []
    return dict(
        changed=True,
        would='change %s of config.json' % ', '.join(map(config_rules.shown, paths)),
        diff=_diff(context, now.data, data),
        notes=notes,
        then=dict(config=after),
    )


def _refuse_database(values: t.Mapping[str, t.Any]) -> t.List[str]:
    """The notes; LifecycleError for a database that the instance could not use.

    One that does not exist would be made, empty and with a default administrator, and the site would be gone.
    """
    login = schemas.login_of(values.get('mysql') or {})
    if login is None:
        return []
    try:
        session = client.Session(client.find(), login)
    except client.DatabaseError as exc:
        return ['the database of the new config.json was not asked: %s' % exc.msg]
    try:
        session.query('SELECT 1', _DATABASE_S)
    except client.DatabaseError as exc:
        if exc.kind not in _USELESS:
            return ['the database of the new config.json was not asked: %s' % exc.msg]
        raise LifecycleError(
            'The instance could not use the database of the new config.json. %s Nothing was changed.' % exc.msg
        ) from exc
    finally:
        session.close()
    return []


def _refuse_owner(context: Context, now: File) -> None:
    """It is replaced by a new file, which only root can give to another user."""
    if os.geteuid() not in (0, now.found.st_uid):
        raise LifecycleError(
            'config.json of %s belongs to uid %d. Nothing was done. Run as root or as that user.'
            % (context.instance.id, now.found.st_uid)
        )


def _refuse_port(context: Context, port: int, params: Params) -> None:
    """LifecycleError for a port that is not this instance's alone, or that its visitors would not reach."""
    old = context.start_port
    if context.port_option not in (None, port):
        raise LifecycleError(
            'The option port is %d, but config.json would have port %d. Nothing was done. Omit port: it is read from '
            'config.json.' % (context.port_option or 0, port)
        )
    known = discovery.by_records(context.state.base, True, [])
    host = _host.Host(context.instance.binary, [os.path.dirname(context.instance.dir)], known)
    sharing = host.sharing(context.instance, port)
    if sharing:
        raise LifecycleError(
            'Port %d is configured in %s. Nothing was done. Choose another port.' % (port, ', '.join(sharing))
        )
    accepted = set(params['accept_hazards']) | context.run.accepted_hazards
    named = [] if NAMED_BY_PROXY in accepted else proxies.naming(old, (0, os.geteuid()))
    if named:
        raise LifecycleError(
            '%s sends requests to port %d, on which nothing would listen any more. Nothing was done. Change the port '
            'there in a hook of this run and accept the hazard %s, or keep the port.'
            % (', '.join(named), old, NAMED_BY_PROXY)
        )


def _diff(context: Context, before: bytes, after: bytes) -> Result:
    """What changes, for people; of a secret only that it changes."""
    name = os.path.join(context.instance.dir, config_file.NAME)
    one, other = config_file.load_json(before), config_file.load_json(after)
    return dict(before_header=name, after_header=name, before=_shown(one), after=_shown(_marked(other, one)))


def _marked(values: t.Any, before: t.Any) -> t.Any:
    """The content of after; secrets that differ are shown as new ones."""
    if not isinstance(values, dict):
        return values
    old = before if isinstance(before, dict) else {}
    return {
        key: '%s (new)' % secrets.MASK if _is_new_secret(key, value, old) else _marked(value, old.get(key))
        for key, value in values.items()
    }


def _is_new_secret(key: str, value: t.Any, old: t.Mapping[str, t.Any]) -> bool:
    return secrets.is_secret(key) and not isinstance(value, (dict, list)) and bool(value) and old.get(key) != value


def _shown(values: t.Dict[str, t.Any]) -> str:
    new = '%s (new)' % secrets.MASK
    masked = _keeping(secrets.masked(values), values, new)
    return json.dumps(masked, indent=4, ensure_ascii=False) + '\n'


def _keeping(masked: t.Any, values: t.Any, mark: str) -> t.Any:
    if isinstance(masked, dict):
        return {key: _keeping(one, values[key], mark) for key, one in masked.items()}
    return mark if values == mark else masked


def as_a_task(context: Context, params: Params) -> Result:
    """The change outside of a window: there is no rollback, and no restart."""
    context.look()
    planned = plan(context, params)
    if not planned['changed']:
        return dict(changed=False, backup_file=None, restart_required=False)
    _refuse_writer(context)
    return run(context, params)


def _refuse_writer(context: Context) -> None:
    """LifecycleError where the process may write its settings into the file, up to 2.3.6."""
    if context.candidate is None or versions.at_least(context.version, (2, 5, 0)):
        return
    who = context.version or 'a version up to 2.3.6, which it may be as its version is not known,'
    raise LifecycleError(
        '%s runs, and %s writes its settings into config.json while it does. Nothing was changed. '
        'Use a window with graceful_stop, config and verified_start.' % (context.instance.id, who)
    )


def foresee(context: Context, params: Params) -> Result:
    """As a task of its own in check mode."""
    context.look()
    planned = plan(context, params)
    return dict(
        foreseen.of_a_task(planned),
        backup_file=None,
        restart_required=planned['changed'] and context.candidate is not None,
    )


def run(context: Context, params: Params) -> Result:
    """Merge into the file as it is now: up to 2.3.6 the application writes its settings into it while it runs."""
    now = read(context)
    data = edited(now.data, params)
    if data == now.data:
        return dict(changed=False, backup_file=None, restart_required=False)
    wrong = config_rules.wrong(config_file.interpret(data))
    if wrong:
        raise LifecycleError('config.json would not be usable: %s. It was not changed.' % wrong.rstrip('.'))
    backup = _backup(context, now.data)
    context.run.record_change(
        'config', kept=backup, uid=now.found.st_uid, gid=now.found.st_gid, mode=stat.S_IMODE(now.found.st_mode)
    )
    context.run.act()
    write(context, data, now)
    context.read_files()
    return dict(
        changed=True,
        backup_file=backup,
        restart_required=context.candidate is not None,
        diff=_diff(context, now.data, data),
    )


def _backup(context: Context, data: bytes) -> str:
    """Keep the file of before, once for each run: a second change of the same run leaves the first backup."""
    if context.run.id:
        return context.run.keep_file(config_file.NAME, data)
    made_up = '%s-%s' % (time.strftime('%Y%m%dT%H%M%SZ', time.gmtime()), os.urandom(3).hex())
    try:
        path = os.path.join(context.state.run_dir(made_up), config_file.NAME)
        context.state.keep(path, data)
        return path
    except OSError as exc:
        raise nothing_done('The backup of config.json could not be written', exc) from exc


def write(context: Context, data: bytes, now: File) -> None:
    """In the place of what is there now, with its owner, mode and attributes. LifecycleError."""
    try:
        with files.InstallDir(context.instance.dir) as directory:
            directory.replace(config_file.NAME, data, now.found, now.attributes)
    except files.NotFlushed as exc:
        raise LifecycleError(
            'config.json of %s has its new content, but it may not be on the disk yet: %s. A power failure may bring '
            'the old content back. Fix the cause.' % (context.instance.id, system_text(exc))
        ) from exc
    except OSError as exc:
        raise LifecycleError(
            'config.json of %s could not be written: %s. It is as it was.' % (context.instance.id, system_text(exc))
        ) from exc


def left(context: Context, change: t.Mapping[str, t.Any]) -> Result:
    """By what a later rollback tells whether somebody has changed the file since."""
    return dict(config=digest(context))


def digest(context: Context) -> str:
    return hashlib.sha256(read(context).data).hexdigest()


class _Like(t.NamedTuple):
    st_uid: int
    st_gid: int
    st_mode: int


def undo(context: Context, change: t.Mapping[str, t.Any]) -> Result:
    """Put the file of before back, whatever stands there now."""
    data = trusted.read_trusted(change['kept'])
    if not data:
        raise LifecycleError(
            'The backup %s of config.json is missing. Restore '
            'the previous file manually, then run recover.yml.' % change['kept']
        )
    try:
        with files.InstallDir(context.instance.dir) as directory:
            attributes = _attributes_now(directory)
            like = t.cast(os.stat_result, _Like(change['uid'], change['gid'], change['mode']))
            if not _is_as_before(directory, data, like):
                directory.replace(config_file.NAME, data, like, attributes)
            else:  # by a writer that was killed before its end
                directory.remove_left_over(config_file.NAME)
                directory.flush()
    except files.NotFlushed as exc:
        raise LifecycleError(
            'config.json of %s was restored, but it may not be on the disk yet: %s. Fix the cause, then run '
            'recover.yml.' % (context.instance.id, system_text(exc))
        ) from exc
    except OSError as exc:
        raise LifecycleError(
            'config.json of %s could not be restored: %s. Its previous content is in %s.'
            % (context.instance.id, system_text(exc), change['kept'])
        ) from exc
    return dict(changed=True)


def _attributes_now(directory: files.InstallDir) -> t.Dict[str, bytes]:
    try:
        fd = directory.open_file(config_file.NAME, directory.owners())
    except (OSError, LifecycleError):
        return {}
    try:
        return files.attributes_of(fd)
    finally:
        os.close(fd)


def _is_as_before(directory: files.InstallDir, data: bytes, like: os.stat_result) -> bool:
    found = directory.lstat(config_file.NAME)
    if found is None or (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) != (
        like.st_uid,
        like.st_gid,
        like.st_mode,
    ):
        return False
    try:
        return directory.read(config_file.NAME, directory.owners(like.st_uid)) == data
    except (OSError, LifecycleError):
        return False
