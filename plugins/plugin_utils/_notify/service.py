# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What all services share: requests, the size limit of a message, and texts that cause nothing but text. Pure."""

from __future__ import annotations

import bisect
import json
import re
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language.words import Words
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._notify.message import Message
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import shown

Payload = dict[str, t.Any]
Target = t.Mapping[str, t.Any]
# Not every service documents escapes for its markup, so characters with a meaning become their full-width twins.
_MARKDOWN = str.maketrans({char: chr(ord(char) + 0xFEE0) for char in '@`*~#<>[]|\\'})
_LONE_UNDERSCORE = re.compile(r'(?<![^\W_])_|_(?![^\W_])')  # one within a word is no markup


class Request(t.NamedTuple):
    url: str
    body: bytes
    headers: t.Mapping[str, str] = {}


class Service(t.NamedTuple):
    """``request``: for a message to a target at a time. ``refusal``: what an answer of HTTP 2xx complains about."""

    request: t.Callable[[Message, Target, float], Request]
    refusal: t.Callable[[str, Words], str]


def encoded(payload: t.Any) -> bytes:
    return json.dumps(payload, ensure_ascii=False, separators=(',', ':')).encode()


def fitted(message: Message, limit: int, payload_of: t.Callable[[Message], Payload]) -> Payload:
    """The payload with as many rows as ``limit`` bytes allow, and the number of those that are missing."""

    def cut(count: int) -> Payload:
        return payload_of(message._replace(rows=message.rows[:count], left=len(message.rows) - count))

    counts = range(len(message.rows) + 1)
    most = bisect.bisect_left(counts, True, key=lambda count: len(encoded(cut(count))) > limit) - 1
    return cut(max(most, 0))


def as_markdown(text: str) -> str:
    """The text as it is, in Markdown: no markup, no link behind other words, no mention of people, no HTML."""
    return _LONE_UNDERSCORE.sub('＿', text.translate(_MARKDOWN))


def answer_of(text: str) -> t.Mapping[str, t.Any]:
    """The JSON object in an answer; empty for anything else."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def refusal_by_code(text: str, words: Words, code: str, reason: str) -> str:
    """Robots answer HTTP 200 also when they send nothing. Only a code of 0 means that they did."""
    answer = answer_of(text)
    if code not in answer:
        return words('the answer is not that of such a robot')
    if answer[code] == 0:
        return ''
    return f'{code} {shown(answer[code], 20)}: {shown(answer.get(reason) or "", 200)}'
