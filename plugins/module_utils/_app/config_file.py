# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""config.json, read as the application reads it, and never failing on it.

A file that the application cannot read makes it open its installer on port 8001; one that is not JSON ends it
(docs/application.md). So every kind of trouble has its own state and is told apart from 'missing'.
"""

import json
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import foreign_json
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.files import InstallDir, UnsafePath

NAME = 'config.json'
DEFAULT_PORT = 8001  # what the application takes without a config.json
# The keys that the application decodes; a value of another type is refused by its JSON decoder.
_TYPES: t.Dict[str, t.Dict[str, type]] = {
    'server': {'env': str, 'port': int, 'log_level': str, 'token_secret': str},
    'mysql': {'database': str, 'user': str, 'password': str, 'host': str, 'port': int, 'use_default': bool},
}


class ConfigFile(t.NamedTuple):
    """``state``: ok, missing, unreadable, unsafe or invalid; ``message`` says why when it is not ok.

    ``port`` is None when it cannot be known; ``port_error`` says why a port that stands there cannot be used.
    ``database`` is without the password. ``mode`` and ``uid`` are None when the file could not be looked at.
    """

    state: str
    message: t.Optional[str] = None
    port: t.Optional[int] = None
    port_error: t.Optional[str] = None
    database: t.Mapping[str, t.Any] = {}
    token_secret_empty: t.Optional[bool] = None
    mode: t.Optional[int] = None
    uid: t.Optional[int] = None
    gid: t.Optional[int] = None
    raw_keys: t.Sequence[str] = ()
    base_url: t.Optional[str] = None
    admin_url: t.Optional[str] = None


def load_json(data: bytes) -> t.Dict[str, t.Any]:
    """Decode a JSON object as strictly as the application does; ValueError says where and why."""
    try:
        value = foreign_json.load(data.decode('utf-8', 'replace'))
    except foreign_json.Refused as exc:
        raise ValueError('it %s' % exc) from None
    if not isinstance(value, dict):
        raise ValueError('the file contains %s, but an object is expected' % type(value).__name__)
    return value


def _type_error(values: t.Mapping[str, t.Any]) -> t.Optional[str]:
    """The first key whose type the application's decoder refuses (the port has a message of its own)."""
    for section, keys in sorted(_TYPES.items()):
        content = values.get(section)
        if content is None:
            continue
        if not isinstance(content, dict):
            return '%s is not an object' % section
        for key, kind in sorted(keys.items()):
            value = content.get(key)
            if value is not None and (section, key) != ('server', 'port') and not _is_a(value, kind):
                return '%s.%s is not %s' % (section, key, {str: 'a string', int: 'a number'}.get(kind, 'true or false'))
    return None


def _is_a(value: t.Any, kind: type) -> bool:
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def port_of(values: t.Mapping[str, t.Any]) -> t.Tuple[t.Optional[int], t.Optional[str]]:
    """The port that the file asks for, or what is wrong with it. 8001 is the default of a missing file only."""
    server = values.get('server')
    value = server.get('port') if isinstance(server, dict) else None
    if value is None:
        return None, 'server.port is missing: the application would use a random port'
    if not _is_a(value, int):
        return None, 'server.port is %s, not a number' % json.dumps(value)[:40]
    if not 0 < value < 65536:
        return None, 'server.port is %d, not between 1 and 65535' % value
    return int(value), None


def _text(values: t.Mapping[str, t.Any], section: str, key: str) -> t.Optional[str]:
    content = values.get(section)
    value = content.get(key) if isinstance(content, dict) else None
    return value if isinstance(value, str) and value else None


def interpret(data: bytes) -> ConfigFile:
    """What the content means. Pure."""
    try:
        values = load_json(data)
    except ValueError as exc:
        return ConfigFile('invalid', 'it is not valid JSON: %s' % exc)
    port, port_error = port_of(values)
    wrong = _type_error(values)
    return ConfigFile(
        'invalid' if wrong else 'ok',
        wrong,
        port,
        port_error,
        _database(values),
        _text(values, 'server', 'token_secret') is None,
        raw_keys=sorted(values),
        base_url=_text(values, 'system', 'base_url'),
        admin_url=_text(values, 'system', 'admin_url'),
    )


def _database(values: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    mysql = values.get('mysql')
    keys = ('database', 'user', 'host', 'port', 'use_default')
    return {key: mysql[key] for key in keys if key in mysql} if isinstance(mysql, dict) else {}


def _read(install_dir: InstallDir, owners: t.Collection[int]) -> ConfigFile:
    try:
        return interpret(install_dir.read(NAME, owners))
    except UnsafePath as exc:
        return ConfigFile('unsafe', exc.msg)
    except FileNotFoundError:
        return ConfigFile('missing', '%s does not exist' % install_dir.shown(NAME))
    except OSError as exc:
        return ConfigFile('unreadable', '%s cannot be read: %s' % (install_dir.shown(NAME), exc.strerror))


def read_config(install_dir: InstallDir, owners: t.Collection[int]) -> ConfigFile:
    """The instance's config.json. Never raises: what is wrong is in ``state`` and ``message``."""
    result = _read(install_dir, owners)
    try:
        info = install_dir.lstat(NAME)
    except OSError:
        return result
    return result if info is None else result._replace(mode=info.st_mode & 0o7777, uid=info.st_uid, gid=info.st_gid)
