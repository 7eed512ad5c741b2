# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Feishu and Lark: custom bots of a group, with signature verification or a keyword. Pure.

https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language.words import Words
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._notify import service
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._notify.message import Message

_LIMIT = 20_000  # bytes, with room for the signature: the service takes 20 KiB


def _payload(message: Message) -> service.Payload:
    """A post of plain text elements: there is no markup in them, and mentions are elements of their own."""
    content = [[{'tag': 'text', 'text': line}] for line in message.lines()]
    language = 'zh_cn' if message.words.language == 'zh' else 'en_us'
    return {'msg_type': 'post', 'content': {'post': {language: {'title': message.title, 'content': content}}}}


def _request(message: Message, target: service.Target, now: float) -> service.Request:
    payload = service.fitted(message, _LIMIT, _payload)
    return service.Request(target['url'], service.encoded({**_signature(target.get('secret'), now), **payload}))


def _signature(secret: str | None, now: float) -> dict[str, t.Any]:
    """The text that is signed is the key, and the signed message is empty."""
    if not secret:
        return {}
    timestamp = str(int(now))
    digest = hmac.new(f'{timestamp}\n{secret}'.encode(), b'', hashlib.sha256).digest()
    return {'timestamp': timestamp, 'sign': base64.b64encode(digest).decode()}


def _refusal(answer: str, words: Words) -> str:
    """Older answers have only StatusCode."""
    if 'code' in service.answer_of(answer):
        return service.refusal_by_code(answer, words, 'code', 'msg')
    return service.refusal_by_code(answer, words, 'StatusCode', 'StatusMessage')


SERVICE = service.Service(_request, _refusal)
