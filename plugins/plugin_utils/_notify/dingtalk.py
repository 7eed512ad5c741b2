# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""DingTalk: custom robots of a group, with the security setting 'signature' or a keyword. Pure.

https://open.dingtalk.com/document/robots/custom-robot-access
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import urllib.parse

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language.words import Words
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._notify import service
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._notify.message import Message

_LIMIT = 20_000  # bytes


def _payload(message: Message) -> service.Payload:
    heading = f'#### {service.as_markdown(message.title)}'
    lines = [f'- {service.as_markdown(line)}' for line in message.lines()]
    markdown = {'title': service.as_markdown(message.title), 'text': '\n'.join([heading, '', *lines])}
    return {'msgtype': 'markdown', 'markdown': markdown, 'at': {'isAtAll': False}}


def _request(message: Message, target: service.Target, now: float) -> service.Request:
    body = service.encoded(service.fitted(message, _LIMIT, _payload))
    return service.Request(_signed(target['url'], target.get('secret'), now), body)


def _signed(url: str, secret: str | None, now: float) -> str:
    if not secret:
        return url
    timestamp = str(int(now * 1000))
    digest = hmac.new(secret.encode(), f'{timestamp}\n{secret}'.encode(), hashlib.sha256).digest()
    query = urllib.parse.urlencode({'timestamp': timestamp, 'sign': base64.b64encode(digest).decode()})
    parts = urllib.parse.urlsplit(url)
    return parts._replace(query=f'{parts.query}&{query}' if parts.query else query).geturl()


def _refusal(answer: str, words: Words) -> str:
    return service.refusal_by_code(answer, words, 'errcode', 'errmsg')


SERVICE = service.Service(_request, _refusal)
