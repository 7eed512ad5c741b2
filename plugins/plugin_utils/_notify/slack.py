# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Slack: incoming webhooks, and services with the same form, such as Mattermost. The address is their secret. Pure.

https://api.slack.com/messaging/webhooks, https://api.slack.com/reference/surfaces/formatting
"""

from __future__ import annotations

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language.words import Words
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._notify import service
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._notify.message import Message
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import shown

_LIMIT = 4_000  # bytes: longer texts are cut or divided
_ESCAPES = str.maketrans({'&': '&amp;', '<': '&lt;', '>': '&gt;', '`': "'", '@': '＠'})


def _payload(message: Message) -> service.Payload:
    """Everything but the title is in a block of code, in which only the three escaped characters have a meaning."""
    lines = [line.translate(_ESCAPES) for line in message.lines()]
    title = service.as_markdown(message.title).replace('&', '&amp;')
    return {'text': '\n'.join([f'*{title}*', '```', *lines, '```'])}


def _request(message: Message, target: service.Target, _now: float) -> service.Request:
    return service.Request(target['url'], service.encoded(service.fitted(message, _LIMIT, _payload)))


def _refusal(answer: str, _words: Words) -> str:
    """HTTP 2xx is success there, except for services that answer like Slack's other interfaces."""
    found = service.answer_of(answer)
    return shown(found.get('error') or 'ok: false', 200) if found.get('ok') is False else ''


SERVICE = service.Service(_request, _refusal)
