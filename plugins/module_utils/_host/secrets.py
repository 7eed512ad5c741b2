# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Finds secrets in what is handed on, and masks them. Pure."""

import json
import re
import typing as t
from urllib.parse import quote

MASK = '********'
_MASK = MASK.encode('ascii')
_LEAST = 4  # characters: a shorter secret is part of too many words to be looked for in texts
_NAME = re.compile(
    r'pass|pwd|secret|token|credential|private|salt|auth(?!or)|dsn|cookie|session|api_?id'
    r'|(?:api|app|access|secret|encrypt|sign)[_-]?key|(?:^|[_-])(?:key|sk|ak)$',
    re.IGNORECASE,
)
# What holds a secret wherever it stands, whether it is the one of config.json or not.
_PATTERNS = (  # each with a bound: whoever writes a log must not be able to make the search take long
    (re.compile(rb'(?<![\w.%-])([\w.%-]{1,64}:)\S{1,128}(@\w{1,16}\()'), rb'\1%s\2' % _MASK),  # root:it@tcp(127.0.0.1)
    (re.compile(rb'(://[^\s/:@]{0,64}:)[^\s/@]{1,128}@'), rb'\1%s@' % _MASK),  # redis://:it@127.0.0.1
    (
        re.compile(
            rb'((?:pass|passwd|password|pwd|secret|token)["\']?\s?[=:]\s?["\']?)[^\s"\'&,;)}\]]+', re.IGNORECASE
        ),
        rb'\1%s' % _MASK,
    ),
)
# Of variables fewer names are taken, for PWD, SSH_AUTH_SOCK, XDG_SESSION_ID and the like hold what stands in every log.
_VARIABLE = re.compile(r'pass(?!ive)|secret|token|credential|_pwd|_dsn|(?:api|app|access|private)_?key', re.IGNORECASE)
_IN_QUOTES = r'([^"\\]*(?:\\.[^"\\]*)*)'
# What does not go on with a colon is passed over as a whole, so that no text is looked at twice.
_STRING = re.compile(r'"%s"?(?:\s*:\s*"%s)?' % (_IN_QUOTES, _IN_QUOTES))


def is_secret(name: str) -> bool:
    """Whether a key of this name holds a secret, as far as names tell."""
    return _NAME.search(name) is not None


def is_secret_variable(name: str) -> bool:
    return _VARIABLE.search(name) is not None


def masked(value: t.Any) -> t.Any:
    """The same structure; all below a key that holds a secret is masked. Empty values stay, for they tell something."""
    if isinstance(value, dict):
        return {key: _hidden(entry) if is_secret(str(key)) else masked(entry) for key, entry in value.items()}
    return [masked(entry) for entry in value] if isinstance(value, list) else value


def _hidden(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {key: _hidden(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_hidden(entry) for entry in value]
    return value if value is None or value == '' or isinstance(value, bool) else MASK


def values_of(value: t.Any, hidden: bool = False) -> t.Set[str]:
    """The secrets themselves, to look for them elsewhere."""
    if isinstance(value, dict):
        return {found for key, entry in value.items() for found in values_of(entry, hidden or is_secret(str(key)))}
    if isinstance(value, list):
        return {found for entry in value for found in values_of(entry, hidden)}
    return {str(value)} if hidden and value is not None and not isinstance(value, bool) else set()


def values_in_text(text: str) -> t.Set[str]:
    """As ``values_of``, from what should be JSON and is not."""
    return {
        form
        for name, value in _STRING.findall(text)
        if value and is_secret(name)
        for form in (value, _unescaped(value))
    }


def _unescaped(value: str) -> str:
    try:
        return str(json.loads('"%s"' % value))
    except ValueError:
        return value


class Mask:
    """Masks known secrets, and what looks like one, in texts."""

    def __init__(self, secrets: t.Iterable[str]) -> None:
        forms = {form for secret in secrets if len(secret) >= _LEAST for form in _forms(secret)}
        longest_first = sorted(forms, key=len, reverse=True)
        self._known = re.compile(b'|'.join(re.escape(form) for form in longest_first)) if forms else None

    def text(self, data: bytes) -> bytes:
        if self._known is not None:
            data = self._known.sub(_MASK, data)
        for pattern, shown in _PATTERNS:
            data = pattern.sub(shown, data)
        return data

    def value(self, value: t.Any) -> t.Any:
        """The same structure with every text in it masked."""
        if isinstance(value, dict):
            return {key: self.value(entry) for key, entry in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.value(entry) for entry in value]
        if isinstance(value, str):
            return self.text(value.encode('utf-8', 'surrogateescape')).decode('utf-8', 'surrogateescape')
        return value


def _forms(secret: str) -> t.Set[bytes]:
    """As it stands in a log, in JSON, and in an address."""
    forms = {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    encoded = {form.encode('utf-8', 'surrogateescape') for form in forms}
    return encoded | {quote(secret.encode('utf-8', 'surrogateescape'), safe='').encode('ascii')}
