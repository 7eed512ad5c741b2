# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What a change of config.json means to the version that reads it, see docs/application.md, Configuration. Pure."""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import config_file, versions
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import selection

Values = t.Mapping[str, t.Any]
Path = t.Tuple[str, ...]

NEWEST = (3, 5, 8)  # a later version may know more keys
_SERVER = ('env', 'port', 'log_level', 'token_secret', 'site_name')
_MYSQL = ('database', 'user', 'password', 'host', 'port', 'use_default')
# A key, the first version that reads it, and the first that does not any more.
_READ: t.Sequence[t.Tuple[Path, t.Optional[versions.Version], t.Optional[versions.Version]]] = (
    (('server', 'site_name'), None, (2, 5, 3)),  # then in the settings of the site
    (('server', 'token_secret'), None, (3, 3, 5)),  # then in the table websites
    (('mysql', 'use_default'), (3, 0, 5), None),
)
_KEPT_BY_VARIABLES = (('server', 'env'), ('server', 'port'), ('server', 'log_level'))
_NAME, _HOST = 'MYSQL_DATABASE', 'MYSQL_HOST'
_PASSWORDS = ('MYSQL_ROOT_PASSWORD', 'MYSQL_PASSWORD')


class Start(t.NamedTuple):
    """What of the next start decides beside the file."""

    version: t.Optional[str]
    argv: t.Sequence[str] = ()
    environment: t.Mapping[str, str] = {}


def leaves(settings: Values, above: Path = ()) -> t.List[t.Tuple[Path, t.Any]]:
    """The single values of a nested mapping, with the path of each; an empty mapping is a value."""
    found: t.List[t.Tuple[Path, t.Any]] = []
    for key, value in settings.items():
        path = above + (str(key),)
        found += leaves(value, path) if isinstance(value, t.Mapping) and value else [(path, value)]
    return found


def at(values: t.Any, path: Path) -> t.Tuple[bool, t.Any]:
    """Whether something stands at the path, and what."""
    for key in path:
        if not isinstance(values, t.Mapping) or key not in values:
            return False, None
        values = values[key]
    return True, values


def changed_paths(before: Values, after: Values, above: Path = ()) -> t.List[Path]:
    """Where two contents differ, as precisely as objects allow."""
    found: t.List[Path] = []
    for key in list(before) + [key for key in after if key not in before]:
        one, other, path = before.get(key), after.get(key), above + (key,)
        if isinstance(one, t.Mapping) and isinstance(other, t.Mapping):
            found += changed_paths(one, other, path)
        elif key not in before or key not in after or type(one) is not type(other) or one != other:
            found.append(path)
    return found


def shown(path: Path) -> str:
    return '.'.join(path)


def wrong(after: config_file.ConfigFile) -> t.Optional[str]:
    """Why the application would not start, or not as wanted, with this content."""
    if after.state != 'ok':
        return after.message
    return after.port_error


def refusals(start: Start, before: Values, after: Values) -> t.List[str]:
    """Changes that would have no effect, would be undone, or would do harm. Each says why, and what to do."""
    changed = changed_paths(before, after)
    return [
        text
        for text in (
            _no_setting_here(start, changed),
            _unknown_keys(start, changed, after),
            _not_read(start, changed, after),
            _lost_secret(start, before, after),
            _variables_win(start, changed),
            _argument_wins(start, changed),
        )
        if text
    ]


def _known(version: t.Optional[str]) -> bool:
    parsed = versions.parse(version)
    return parsed is not None and parsed <= NEWEST


def holds_site_settings(version: t.Optional[str]) -> bool:
    return versions.at_least(version, (2, 5, 0)) is False


def _no_setting_here(start: Start, changed: t.Sequence[Path]) -> t.Optional[str]:
    if not _known(start.version) or holds_site_settings(start.version):
        return None
    sections = ('mysql', 'server') + (('sparks',) if versions.at_least(start.version, (3, 3, 9)) else ())
    wrong_ones = [shown(path) for path in changed if path[0] not in sections]
    if not wrong_ones:
        return None
    return (
        '%s would have no effect: %s reads only %s from config.json, the settings of a site are in its database. '
        'Change them in the administration pages.' % (', '.join(wrong_ones), start.version, ', '.join(sections))
    )


def _unknown_keys(start: Start, changed: t.Sequence[Path], after: Values) -> t.Optional[str]:
    """What is removed had no effect before either."""
    if not _known(start.version) or holds_site_settings(start.version):
        return None
    names = dict(server=_SERVER, mysql=_MYSQL)
    unknown = [
        shown(path)
        for path in changed
        if path[0] in names and len(path) > 1 and path[1] not in names[path[0]] and at(after, path)[0]
    ]
    return (
        '%s would have no effect: %s knows no such key. Correct the name.' % (', '.join(unknown), start.version)
        if unknown
        else None
    )


def _not_read(start: Start, changed: t.Sequence[Path], after: Values) -> t.Optional[str]:
    """A key that other versions read; to remove it is allowed."""
    if not _known(start.version):
        return None
    for path, first, end in _READ:
        early = first is not None and not versions.at_least(start.version, first)
        late = end is not None and versions.at_least(start.version, end)
        if (early or late) and path in changed and at(after, path)[0]:
            when = 'from %s on' % _text(first) if early else 'before %s' % _text(end)
            return '%s would have no effect: it is read %s alone, and this is %s. Leave it out, or remove it.' % (
                shown(path),
                when,
                start.version,
            )
    return None


def _text(version: t.Optional[versions.Version]) -> str:
    return '.'.join(map(str, version or ()))


def _lost_secret(start: Start, before: Values, after: Values) -> t.Optional[str]:
    """Up to 3.3.3 an empty secret signs the tokens of administrators, so that anybody can forge one."""
    path = ('server', 'token_secret')
    if not at(before, path)[1] or at(after, path)[1] or versions.at_least(start.version, (3, 3, 5)):
        return None
    return (
        'server.token_secret would get lost: %s would accept administrator tokens that anyone can create. '
        'Keep it.' % (start.version or 'a version up to 3.3.3')
    )


def rewrites_from_variables(start: Start) -> bool:
    """From 3.4.2 each start writes the file anew where the MYSQL_* variables are set."""
    known = bool(start.environment.get(_NAME) and start.environment.get(_HOST))
    password = any(start.environment.get(name) for name in _PASSWORDS)
    return known and password and versions.at_least(start.version, (3, 4, 2)) is not False


def _variables_win(start: Start, changed: t.Sequence[Path]) -> t.Optional[str]:
    if not rewrites_from_variables(start):
        return None
    undone = [shown(path) for path in changed if path[:2] not in _KEPT_BY_VARIABLES]
    if not undone:
        return None
    return (
        '%s would be undone at the start: the MYSQL_* variables of the process are written into config.json then. '
        'Change the variables (environment of verified_start).' % ', '.join(undone)
    )


def _argument_wins(start: Start, changed: t.Sequence[Path]) -> t.Optional[str]:
    given = selection.argv_port(start.argv)
    if given is None or ('server', 'port') not in changed:
        return None
    return (
        'server.port would have no effect: the process is started with -port %d, which wins over config.json. '
        'Change the arguments (arguments of verified_start).' % given
    )
