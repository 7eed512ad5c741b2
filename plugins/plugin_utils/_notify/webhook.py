# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Other webhooks: JSON for programs, signed if the target has a secret. docs/notifications.md has its schema. Pure."""

from __future__ import annotations

import hashlib
import hmac

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language.words import Words
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._notify import service
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._notify.message import Message

_LIMIT = 250_000  # bytes


def _payload(message: Message) -> service.Payload:
    listed = message.data['instances'][: len(message.rows)]
    return {
        **message.data,
        'title': message.title,
        'lines': message.lines(),
        'instances': listed,
        'instances_not_listed': message.left,
    }


def _request(message: Message, target: service.Target, now: float) -> service.Request:
    body = service.encoded(service.fitted(message, _LIMIT, _payload))
    return service.Request(target['url'], body, _signature(target.get('secret'), body, now))


def _signature(secret: str | None, body: bytes, now: float) -> dict[str, str]:
    if not secret:
        return {}
    timestamp = str(int(now))
    digest = hmac.new(secret.encode(), f'{timestamp}.'.encode() + body, hashlib.sha256).hexdigest()
    return {'X-Anqicms-Timestamp': timestamp, 'X-Anqicms-Signature': f'sha256={digest}'}


def _refusal(_answer: str, _words: Words) -> str:
    return ''


SERVICE = service.Service(_request, _refusal)
