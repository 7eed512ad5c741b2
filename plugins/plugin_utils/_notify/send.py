# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Sends notifications. Nothing that happens to one is an error of the run: it is a result with a reason.

Addresses of robots contain their token. Neither an address nor a secret is part of any result, message or exception.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
import typing as t
import urllib.error
import urllib.parse

from ansible.module_utils.urls import open_url

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language.words import Words
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._notify import (
    dingtalk,
    feishu,
    message,
    slack,
    webhook,
    wecom,
)
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._notify.service import Request, Service
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import shown

Data = t.Mapping[str, t.Any]
Target = t.Mapping[str, t.Any]
_SERVICES: t.Mapping[str, Service] = {
    'dingtalk': dingtalk.SERVICE,
    'feishu': feishu.SERVICE,
    'wecom': wecom.SERVICE,
    'slack': slack.SERVICE,
    'webhook': webhook.SERVICE,
}
_MOST_S = 30.0
_DEFAULT_S = 5.0
_MOST_ANSWER = 65536  # bytes
_LEAST_MASKED = 6  # characters: a shorter part of an address is no token


class _NotSent(Exception):
    """The reason, for people, without anything secret."""


def send(event: str, document: Data, targets: t.Sequence[Target], words: Words) -> list[dict[str, t.Any]]:
    """Send an event to all targets that want it, at once; returns ``type``, ``event``, ``ok`` and ``reason`` of each.

    Takes at most as long as the longest ``timeout`` of a target, and never more than half a minute. Never raises.
    """
    wanted = [target for target in targets if event in (target.get('events') or (event,))]
    reasons: dict[int, str] = {}
    threads = [
        threading.Thread(target=_try, args=(number, event, document, target, words, reasons), daemon=True)
        for number, target in enumerate(wanted)
    ]
    began = time.monotonic()
    for thread in threads:
        _start(thread)
    for thread, target in zip(threads, wanted):
        if thread.ident is not None:
            thread.join(max(0.0, began + _timeout(target) - time.monotonic()))
    found = dict(reasons)
    late = [_no_answer(target, words) for target in wanted]
    told = [found.get(number, late[number]) for number in range(len(wanted))]
    return [
        {'type': target['type'], 'event': event, 'ok': not reason, 'reason': reason}
        for target, reason in zip(wanted, told)
    ]


def _start(thread: threading.Thread) -> None:
    """At the exit of the interpreter, after Ctrl-C, Python 3.12 and later start no thread any more."""
    try:
        thread.start()
    except RuntimeError:
        thread.run()


def _timeout(target: Target) -> float:
    return min(float(target.get('timeout') or _DEFAULT_S), _MOST_S)


def _try(number: int, event: str, document: Data, target: Target, words: Words, reasons: dict[int, str]) -> None:
    try:
        _send(event, document, target, words)
        reason = ''
    except _NotSent as error:
        reason = _masked(str(error), target)
    except Exception as error:  # of any kind: its text may contain the address
        reason = words('it failed with {error}', error=type(error).__name__)
    reasons[number] = reason


def _send(event: str, document: Data, target: Target, words: Words) -> None:
    service = _SERVICES[target['type']]
    request = service.request(message.make(event, document, words), target, time.time())
    refusal = service.refusal(_post(request, target, words), words)
    if refusal:
        raise _NotSent(refusal)


def _post(request: Request, target: Target, words: Words) -> str:
    """The answer, if it is one of success."""
    deadline = time.monotonic() + _timeout(target)
    try:
        with open_url(
            request.url,
            data=request.body,
            headers={'Content-Type': 'application/json; charset=utf-8', **request.headers},
            method='POST',
            timeout=_timeout(target),
            validate_certs=bool(target.get('validate_certs', True)),
            follow_redirects='none',
            use_netrc=False,
            decompress=False,
            http_agent='anqicms.lifecycle',
        ) as answer:
            return _read(answer, deadline)
    except urllib.error.HTTPError as error:
        raise _NotSent(_status(error, deadline, words)) from None
    except (OSError, urllib.error.URLError) as error:
        raise _NotSent(_trouble(error, target, words)) from None


def _read(answer: t.Any, deadline: float) -> str:
    """The beginning of a body, however long it is, and however slowly it comes."""
    body = b''
    while len(body) < _MOST_ANSWER and time.monotonic() < deadline:
        piece = answer.read1(_MOST_ANSWER - len(body))
        if not piece:
            break
        body += piece
    return body.decode('utf-8', 'replace')


def _status(error: urllib.error.HTTPError, deadline: float, words: Words) -> str:
    if 300 <= error.code < 400:
        return words('HTTP {status}: redirects are not followed', status=error.code)
    try:
        said = _read(error, deadline)
    except OSError:
        said = ''
    return f'HTTP {error.code}: {shown(said.strip(), 100)}'.rstrip(': ')


def _trouble(error: OSError, target: Target, words: Words) -> str:
    """Why there was no answer at all."""
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, (TimeoutError, socket.timeout)):
        return _no_answer(target, words)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return words('the certificate of the server is not valid')
    if isinstance(cause, OSError) and cause.strerror and not isinstance(cause, ssl.SSLError):
        return cause.strerror
    return words('it failed with {error}', error=type(cause).__name__)


def _no_answer(target: Target, words: Words) -> str:
    return words('no answer within {seconds} s', seconds=f'{_timeout(target):g}')


def _masked(text: str, target: Target) -> str:
    """A server may answer with what it got."""
    for part in _secrets(target):
        text = text.replace(part, '***')
    return text


def _secrets(target: Target) -> list[str]:
    """The secret, the address, and the parts of the address that may be a token, the longest first."""
    parts = urllib.parse.urlsplit(target['url'])
    words = [word for word in parts.path.split('/') if any(char.isdigit() for char in word)]
    words += [value for _name, value in urllib.parse.parse_qsl(parts.query)]
    words += [parts.query, parts.username or '', parts.password or '']
    found = [target['url'], target.get('secret') or '', *(word for word in words if len(word) >= _LEAST_MASKED)]
    return sorted({one for one in found if one}, key=len, reverse=True)
