# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Reports that are uploaded with PUT to an address. Redirects are not followed, and every wait has a limit."""

from __future__ import annotations

import threading
import typing as t
import urllib.error
import urllib.parse

from ansible.module_utils.urls import open_url

_TYPES = {'.json': 'application/json', '.html': 'text/html; charset=utf-8', '.prom': 'text/plain; charset=utf-8'}
LIMIT_S = 20.0  # for one file
_ANSWER = 64 * 1024


class NotUploaded(Exception):
    """Why, for people."""


def is_address(target: str) -> bool:
    return '://' in target


def refusal(target: str) -> str:
    """What is wrong with an address; '' where nothing is."""
    try:
        parts = urllib.parse.urlsplit(target)
        good = parts.scheme in ('http', 'https') and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        return f'{shown(target)}: {error}'
    if not good or any(character.isspace() for character in target):
        return f'{shown(target)} is not an address such as https://reports.example/anqicms'
    return ''


def shown(target: str) -> str:
    """The address without what may be secret in it."""
    scheme, _colon, rest = target.partition('://')
    place = rest.partition('?')[0].partition('#')[0]
    host, slash, path = place.partition('/')
    return f'{scheme}://{host.rpartition("@")[2]}{slash}{path}'


def put(target: str, run: str, name: str, content: bytes, limit: float = LIMIT_S) -> str:
    """The address of the file without secrets. NotUploaded says why it could not be."""
    address = _below(target, f'{run}/{name}')
    answer: list[str] = []
    # A server that sends a byte now and then keeps every time limit of a socket: the whole needs one of its own.
    thread = threading.Thread(target=lambda: answer.append(_try_put(address, content, limit)), daemon=True)
    try:
        thread.start()
        thread.join(limit)
    except RuntimeError:  # at the exit of the interpreter, after Ctrl-C, Python 3.12 and later start no thread any more
        thread.run()
    problem = answer[0] if answer else _no_answer(limit)
    if problem:
        raise NotUploaded(problem)
    return shown(address)


def _below(target: str, path: str) -> str:
    parts = urllib.parse.urlsplit(target)
    return urllib.parse.urlunsplit(parts._replace(path=f'{parts.path.rstrip("/")}/{path}', fragment=''))


def _try_put(address: str, content: bytes, limit: float) -> str:
    """Why it failed; '' where it did not."""
    kind = next(kind for end, kind in _TYPES.items() if address.partition('?')[0].endswith(end))
    headers = {'Content-Type': kind}
    try:
        answer: t.Any = open_url(
            address,
            data=content,
            headers=headers,
            method='PUT',
            timeout=limit / 2,
            follow_redirects='none',
            force_basic_auth=True,
        )
        with answer:
            answer.read(_ANSWER)
        return '' if 200 <= answer.status < 300 else f'it answered with status {answer.status}'
    except urllib.error.HTTPError as error:
        error.close()
        moved = ', a redirect, which is not followed' if 300 <= error.code < 400 else ''
        return f'it answered with status {error.code}{moved}'
    except TimeoutError:
        return _no_answer(limit)
    except urllib.error.URLError as error:
        reason = error.reason
        return (
            _no_answer(limit) if isinstance(reason, TimeoutError) else getattr(reason, 'strerror', None) or str(reason)
        )
    except Exception as error:  # of any kind: its text may contain the address, and secrets in it
        return f'it failed with {type(error).__name__}'


def _no_answer(limit: float) -> str:
    return f'no answer within {limit:g} s'
