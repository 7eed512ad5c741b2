# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""WeCom: robots of a group. Their address is their only secret. Pure.

https://developer.work.weixin.qq.com/document/path/91770
"""

from __future__ import annotations

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language.words import Words
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._notify import service
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._notify.message import Message

_LIMIT = 4_096  # bytes


def _payload(message: Message) -> service.Payload:
    title = f'**{service.as_markdown(message.title)}**'
    lines = [f'> {service.as_markdown(line)}' for line in message.lines()]
    return {'msgtype': 'markdown', 'markdown': {'content': '\n'.join([title, *lines])}}


def _request(message: Message, target: service.Target, _now: float) -> service.Request:
    return service.Request(target['url'], service.encoded(service.fitted(message, _LIMIT, _payload)))


def _refusal(answer: str, words: Words) -> str:
    return service.refusal_by_code(answer, words, 'errcode', 'errmsg')


SERVICE = service.Service(_request, _refusal)
