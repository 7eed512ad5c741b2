# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Make values of what people write: each takes a value or its text and raises ValueError for anything else. Pure.

The text of the error says more than 'it is no such value'; it is empty where there is no more to say.
"""

from __future__ import annotations

import datetime
import math
import re
import typing as t
import warnings

import yaml
import zoneinfo
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import versions
from ansible_collections.anqicms.lifecycle.plugins.module_utils._sites import options as _site_options
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import shown

DISCOVER = 'discover'
MOST_PAGES = 10000
# What an entry of anqicms_instances may hold.
ENTRY: t.Mapping[str, t.Any] = {
    'dir': {'type': 'path', 'required': True},
    'binary': {'type': 'str'},
    'port': {'type': 'int'},
    'user': {'type': 'str'},
    'sites': {'type': 'list', 'elements': 'dict'},
}
_RELEASE: t.Mapping[str, t.Any] = {
    'src': {'type': 'path', 'required': True},
    'sha256': {'type': 'str'},
    'remote_src': {'type': 'bool'},
}
_NUMBER = re.compile(r'[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?')
_ID = re.compile(r'[0-9a-f]{8}-[A-Za-z0-9._-]{1,40}')
_FLAGS = {
    **dict.fromkeys(('true', 'yes', 'on', '1', 'y', 't'), True),
    **dict.fromkeys(('false', 'no', 'off', '0', 'n', 'f'), False),
}


def text(value: t.Any) -> str:
    """One line of text. A whole number is taken for its digits; any other number may have lost some on its way."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise ValueError
    if not value.strip().isprintable():
        raise ValueError('it contains control characters')
    return value.strip()


def choice(value: t.Any, choices: t.Sequence[str]) -> str:
    if isinstance(value, str) and value.strip() in choices:
        return value.strip()
    raise ValueError


def flag(value: t.Any) -> bool:
    if isinstance(value, (bool, int, str)) and str(value).strip().lower() in _FLAGS:
        return _FLAGS[str(value).strip().lower()]
    raise ValueError


def seconds(value: t.Any) -> float:
    number = _number(value)
    if not 0 <= number < math.inf:
        raise ValueError
    return number


def some_seconds(value: t.Any) -> float:
    number = seconds(value)
    if not number:
        raise ValueError
    return number


def pages(value: t.Any) -> int:
    number = _number(value)
    if not number.is_integer() or not 0 <= number <= MOST_PAGES:
        raise ValueError
    return int(number)


def _number(value: t.Any) -> float:
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value.strip()):
            raise ValueError
        return float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError
    return float(value)


# --- lists


def words(value: t.Any) -> list[str]:
    """Texts, as a list or as one text: lines and commas, or a list in JSON or YAML."""
    return [_word(entry) for entry in entries(value)]


def _word(value: t.Any) -> str:
    if value is None or value == '':
        raise ValueError('an entry is empty')
    try:
        return text(value)
    except ValueError as error:
        raise ValueError(f'the entry {shown(value, 100)!r} is not one line of text') from error


def _split(value: str) -> t.Any:
    value = value.strip()
    if value.startswith(('[', '- ')):
        return _loaded(value, list)
    return [word.strip() for word in re.split(r'[\n,]', value) if word.strip()]


def _loaded(value: str, kind: type) -> t.Any:
    """What JSON or YAML makes of a text."""
    try:
        found = yaml.safe_load(value)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError('it is neither JSON nor YAML') from error
    if not isinstance(found, kind):
        raise ValueError
    return found


def ids(value: t.Any) -> list[str]:
    return [identity(word) for word in words(value)]


def identity(value: t.Any) -> str:
    found = text(value)
    if not _ID.fullmatch(found):
        raise ValueError(f'{shown(found, 100)!r} is not an id. They are in the plan, and discover shows them')
    return found


def hazards(value: t.Any) -> list[str]:
    codes = words(value)
    if not codes:
        return codes
    from ansible_collections.anqicms.lifecycle.plugins.module_utils._hazards import table as _hazards

    with _as_value_error():
        _hazards.refuse_unknown(codes)
    return codes


def ignored_findings(value: t.Any) -> list[str]:
    entries = words(value)
    if not entries:
        return entries
    from ansible_collections.anqicms.lifecycle.plugins.module_utils._steps import logs

    with _as_value_error(), warnings.catch_warnings():
        warnings.simplefilter('error', DeprecationWarning)  # what one Python warns of is an error for another
        try:
            logs.parse_ignore(entries)
        except DeprecationWarning as error:
            raise ValueError(str(error)) from error
    for entry in entries:
        if _is_new(entry):
            raise ValueError(f'{entry!r} has a possessive quantifier or an atomic group. Pythons before 3.11 lack them')
    return entries


def _is_new(entry: str) -> bool:
    """Whether an expression needs Python 3.11: the host may have an older one. Older controllers refuse it anyway."""
    parser = getattr(re, '_parser', None)
    return parser is not None and re.search('POSSESSIVE_REPEAT|ATOMIC_GROUP', repr(parser.parse(entry))) is not None


class _as_value_error:  # noqa: N801 - read as a function
    """Turns a refusal of code that runs on hosts into the reason of ours, without what it says that was not done."""

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: t.Any, error: BaseException | None, _trace: t.Any) -> None:
        from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError

        if isinstance(error, LifecycleError):
            raise ValueError(re.sub(r'^\w+: |\s*(Nothing was done|No \w+ was \w+)\.', '', error.msg)) from error


def pattern(value: t.Any) -> str | list[str]:
    """A pattern of hosts, as Ansible takes it."""
    found = value.strip() if isinstance(value, str) else words(value)
    if not found:
        raise ValueError
    return found


def batches(value: t.Any) -> list[int | str]:
    """Sizes of batches, as Ansible takes them."""
    found = re.split(r'[\n,]', value.strip(' []\n')) if isinstance(value, str) else value
    entries = list(found) if isinstance(found, (list, tuple)) else [found]
    sizes = [str(entry).strip(' "\'') for entry in entries]
    if not sizes or not all(re.fullmatch(r'[1-9][0-9]*%?', size) for size in sizes):
        raise ValueError
    return [size if size.endswith('%') else int(size) for size in sizes]


def batch_limits(value: t.Any) -> dict[str, int | str]:
    """At most so many hosts at once with the same value of a variable, or in the same group."""
    found = _loaded(value, dict) if isinstance(value, str) else value
    if not isinstance(found, t.Mapping):
        raise ValueError
    return {_word(name): _limit(name, limit) for name, limit in found.items()}


def _limit(name: t.Any, value: t.Any) -> int | str:
    try:
        (size,) = batches(value)
    except ValueError as error:
        raise ValueError(
            f'{shown(name, 100)}: {shown(value, 100)!r} is not a number of hosts or a percentage'
        ) from error
    return size


# --- times


def time_zone(value: t.Any) -> str:
    found = text(value)
    try:
        zoneinfo.ZoneInfo(found)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError) as error:
        raise ValueError('the time zone database of the controller does not contain it') from error
    return found


def moment(value: t.Any) -> str:
    """ISO 8601, or seconds since the epoch. YAML makes 630 of 10:30: no other number is taken for a time."""
    if isinstance(value, (datetime.date, datetime.datetime)):
        return value.isoformat()
    found = str(value).strip()
    if isinstance(value, bool) or not isinstance(value, (str, int, float)) or epoch(found) is None:
        raise ValueError
    return found


def epoch(value: str | None) -> float | None:
    """Seconds since the epoch, as far as the controller can tell: without a zone, the host's counts."""
    if value is None:
        return None
    from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
    from ansible_collections.anqicms.lifecycle.plugins.module_utils._steps import logs

    try:
        return logs.parse_since(value).epoch
    except LifecycleError:
        return None


# --- structures


def instances(value: t.Any) -> t.Any:
    """The word discover, or the entries with what is not given in them left out."""
    if isinstance(value, str) and value.strip() == DISCOVER:
        return DISCOVER
    return [_entry(number, entry) for number, entry in enumerate(entries(value), 1)]


def entries(value: t.Any) -> t.Sequence[t.Any]:
    """A list as it is, or as text."""
    found = _split(value) if isinstance(value, str) else value
    if isinstance(found, (str, bytes, t.Mapping)) or not isinstance(found, t.Sequence):
        raise ValueError
    return t.cast('t.Sequence[t.Any]', found)


def _entry(number: int, given: t.Any) -> dict[str, t.Any]:
    where = f'entry {number}'
    if not isinstance(given, t.Mapping):
        raise ValueError(
            f'{where}, {shown(given, 100)!r}, is not a dictionary. With -e write it as JSON: '
            '\'{"anqicms_instances": [{"dir": "/www/wwwroot/shop.example"}]}\''
        )
    entry: dict[str, t.Any] = plain(given)
    port = _validated(ENTRY, entry, where).get('port')
    if port is not None and not 0 < port < 65536:
        raise ValueError(f'{where}: port must be between 1 and 65535, got {port}')
    if entry.get('sites') == []:
        raise ValueError(f'{where}: sites is empty. Leave it out where none is to be asked')
    for count, site in enumerate(entry.get('sites') or [], 1):
        _refuse_site(site, f'{where}: sites[{count}]')
    return entry


def _refuse_site(site: t.Any, where: str) -> None:
    wrong = _site_options.wrong_site(_validated(_site_options.SPEC['sites']['options'], site, where))
    if wrong:
        raise ValueError(f'{where}: {"; ".join(wrong)}')


def proxy(value: t.Any) -> dict[str, t.Any]:
    found = _loaded(value, dict) if isinstance(value, str) else value
    if not isinstance(found, t.Mapping):
        raise ValueError
    given: dict[str, t.Any] = plain(found)
    valid = _validated(_site_options.SPEC['proxy']['options'], given, '')
    wrong = _site_options.wrong_proxy(valid)
    if wrong:
        raise ValueError('; '.join(wrong))
    return given


def dictionary(value: t.Any) -> dict[str, t.Any]:
    """A dictionary as it is, or as text, with null, blank texts and empty lists as values in it."""
    found = _loaded(value, dict) if isinstance(value, str) else value
    if not isinstance(found, t.Mapping):
        raise ValueError
    return t.cast('dict[str, t.Any]', _whole(found))


def _whole(value: t.Any) -> t.Any:
    """The same in plain containers."""
    if isinstance(value, t.Mapping):
        return {str(key): _whole(entry) for key, entry in value.items()}
    return [_whole(entry) for entry in value] if isinstance(value, (list, tuple)) else value


def version(value: t.Any) -> str:
    found = text(value)
    if versions.parse(found) is None or not re.fullmatch(r'v?\d+\.\d+\.\d+', found):
        raise ValueError
    return found.removeprefix('v')


def releases(value: t.Any) -> dict[str, dict[str, t.Any]]:
    found = _loaded(value, dict) if isinstance(value, str) else value
    if not isinstance(found, t.Mapping) or not found:
        raise ValueError
    return {_version_of(key): _release(key, entry) for key, entry in found.items()}


def _version_of(key: t.Any) -> str:
    try:
        return version(key)
    except ValueError as error:
        raise ValueError(f'{key} is not a version') from error


def _release(key: t.Any, given: t.Any) -> dict[str, t.Any]:
    entry = plain({'src': given} if isinstance(given, str) else given)
    if not isinstance(entry, t.Mapping):
        raise ValueError(f'{key}: src is missing')
    valid = _validated(_RELEASE, entry, str(key))
    if valid['sha256'] and not re.fullmatch(r'[0-9a-fA-F]{64}', valid['sha256']):
        raise ValueError(f'{key}: sha256 is not a checksum of 64 hexadecimal digits')
    return {name: one for name, one in valid.items() if one}


def plain(value: t.Any) -> t.Any:
    """The same in plain containers, without what is null or blank in dictionaries: that is not given."""
    if isinstance(value, t.Mapping):
        return {str(key): plain(entry) for key, entry in value.items() if not (entry is None or entry == '')}
    return [plain(entry) for entry in value] if isinstance(value, (list, tuple)) else value


def _validated(spec: t.Mapping[str, t.Any], given: t.Any, where: str) -> dict[str, t.Any]:
    """The entry as modules see it, with defaults."""
    result = ArgumentSpecValidator(spec).validate(given)
    if result.error_messages:
        raise ValueError(f'{where}{": " if where else ""}{"; ".join(result.error_messages)}')
    return t.cast('dict[str, t.Any]', result.validated_parameters)
