# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Secret options of a module: not shown among its options, and masked where their values stand in a result. Pure.

Ansible's own masking replaces every number, pid or time whose digits hold such a value, so that a GOMAXPROCS of 1 makes
texts of half the result. Here only texts are masked, and not for values that are part of too many of them.
"""

import re
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import printable
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import secrets as _secrets

_BY_KEY = ('settings',)  # options that hold secrets among much else: the names of their keys tell which
_LEAST = 4  # characters of a value that is looked for
_LEAST_DIGITS = 8  # where it is a number: pids, ports and the parts of a time are shorter
# What another program may have printed. Elsewhere a text that is just such a value is a word of ours: a state, a name.
_TEXTS = frozenset(
    (
        'msg',
        'output',
        'exception',
        'log_tail',
        'text',
        'detail',
        'message',
        'line',
        'lines',
        'reason',
        'notes',
        'problems',
        'why_not',
        'error',
        'http_error',
        'second_try',
    )
)

Spec = t.Mapping[str, t.Mapping[str, t.Any]]


def _texts_in(entry: t.Any) -> t.Iterator[str]:
    if isinstance(entry, t.Mapping):
        entry = list(entry.values())
    if isinstance(entry, (list, tuple)):
        for one in entry:
            yield from _texts_in(one)
    elif entry is not None and not isinstance(entry, bool):
        yield str(entry)


def values_of(spec: Spec, params: t.Mapping[str, t.Any]) -> t.Set[str]:
    """The values in the secret options of this specification, and the lines of those that have several."""
    names = [name for name, option in spec.items() if option.get('no_log') and option.get('elements') != 'dict']
    texts = {text for name in names if name not in _BY_KEY for text in _texts_in(params.get(name))}
    texts |= {text for name in names if name in _BY_KEY for text in _secrets.values_of(params.get(name))}
    return texts | {line.strip() for text in texts for line in text.split('\n')}


def ordinary_of(params: t.Mapping[str, t.Any]) -> t.Set[str]:
    """What is no secret in options that hold some among much else."""
    found = [params[name] for name in _BY_KEY if name in params]
    return {text for one in found for text in _texts_in(one)} - {
        secret for one in found for secret in _secrets.values_of(one)
    }


def options(spec: Spec, params: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    """The options as they are shown: secret ones masked, and those that nobody knows, for they may be misspelt."""
    return {
        name: entry if is_shown(spec.get(name)) or entry is None else _secrets.MASK for name, entry in params.items()
    }


def is_shown(option: t.Optional[t.Mapping[str, t.Any]]) -> bool:
    return option is not None and not option.get('no_log')


def is_searched(secret: str) -> bool:
    return len(secret) >= (_LEAST_DIGITS if secret.isdigit() else _LEAST)


class Mask:
    """Masks secrets in the texts of a result. What stands in ``clear``, other options, is no secret."""

    def __init__(self, secrets: t.Iterable[str], clear: t.Any = None) -> None:
        known = list(_texts_in(clear))
        self._whole = {secret for secret in secrets if is_searched(secret) and not any(secret in one for one in known)}
        forms = {form for one in self._whole for form in (one, printable.line(one), printable.lines(one))}
        longest_first = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile('|'.join(map(re.escape, longest_first))) if forms else None

    def value(self, entry: t.Any, key: str = '') -> t.Any:
        """The same structure. Keys and numbers stay as they are."""
        if self._pattern is None:
            return entry
        if isinstance(entry, t.Mapping):
            return {name: self.value(one, str(name)) for name, one in entry.items()}
        if isinstance(entry, (list, tuple)):
            return [self.value(one, key) for one in entry]
        if not isinstance(entry, str) or (entry in self._whole and key not in _TEXTS):
            return entry
        return self._pattern.sub(_secrets.MASK, entry)
