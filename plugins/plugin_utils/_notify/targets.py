# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Where notifications go: what people write in anqicms_notify. Pure.

Texts of errors name the key that is wrong, never its value: any of them may be an address or a secret by mistake.
"""

from __future__ import annotations

import typing as t
import urllib.parse

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _readers as read

SIGNING = ('dingtalk', 'feishu', 'webhook')
TYPES = (*SIGNING, 'wecom', 'slack')
EVENTS = ('start', 'canary', 'finished', 'failed', 'lost')
MOST_TIMEOUT_S = 30.0
_KEYS = ('type', 'url', 'secret', 'events', 'timeout', 'validate_certs')


def targets(value: t.Any) -> list[dict[str, t.Any]]:
    """The entries with what is not given in them left out, except for defaults."""
    return [_target(f'entry {number}', entry) for number, entry in enumerate(read.entries(value), 1)]


def _target(where: str, given: t.Any) -> dict[str, t.Any]:
    if not isinstance(given, t.Mapping):
        raise ValueError(f'{where} is not a dictionary')
    entry: dict[str, t.Any] = read.plain(given)
    if not set(entry) <= set(_KEYS):
        raise ValueError(f'{where} has other keys than {", ".join(_KEYS)}')
    kind = _read(where, entry, 'type', f'one of {", ".join(TYPES)}', lambda value: read.choice(value, TYPES))
    found = {'type': kind, 'url': _read(where, entry, 'url', 'an address with http:// or https://', _address)}
    if 'secret' in entry:
        if kind not in SIGNING:
            raise ValueError(f'{where}: {kind} has no signature, so it takes no secret')
        found['secret'] = _read(where, entry, 'secret', 'one line of text', read.text)
    if 'events' in entry:
        found['events'] = _read(where, entry, 'events', f'a list of {", ".join(EVENTS)}', _events)
    limit = f'a number of seconds, more than 0, at most {MOST_TIMEOUT_S:g}'
    found['timeout'] = _read(where, {'timeout': 5.0, **entry}, 'timeout', limit, _timeout)
    certs = {'validate_certs': True, **entry}
    found['validate_certs'] = _read(where, certs, 'validate_certs', 'true or false', read.flag)
    return found


def _read(
    where: str, entry: t.Mapping[str, t.Any], key: str, allowed: str, reader: t.Callable[[t.Any], t.Any]
) -> t.Any:
    try:
        return reader(entry.get(key))
    except ValueError:
        raise ValueError(f'{where}: {key} must be {allowed}') from None


def _address(value: t.Any) -> str:
    address = read.text(value)
    parts = urllib.parse.urlsplit(address)  # ValueError for some
    if parts.scheme.lower() not in ('http', 'https') or not parts.hostname or parts.port == 0:
        raise ValueError
    if not address.isascii() or any(char.isspace() for char in address):
        raise ValueError
    return address


def _events(value: t.Any) -> list[str]:
    found = [read.choice(word, EVENTS) for word in read.words(value)]
    if not found:
        raise ValueError
    return found


def _timeout(value: t.Any) -> float:
    seconds = read.some_seconds(value)
    if seconds > MOST_TIMEOUT_S:
        raise ValueError
    return seconds
