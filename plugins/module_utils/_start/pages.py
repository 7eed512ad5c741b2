# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Wait until pages work, where the version endpoint answers before they do (docs/application.md, Start)."""

import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import http

LIMIT_S = 3.0  # after the version has answered: the templates come one second later, and a template can be broken
_PAUSE_S = 0.05
_ANSWER_TIMEOUT_S, _LEAST_TIMEOUT_S = 1.0, 0.25
_FRESH = 'Cache-Control: no-cache'  # without it a stored home page answers, while all others do not
_ADVICE = 'Request that page again. If it still fails, read cache/error.log and running.log: a template may be broken.'

Finding = t.Dict[str, str]


def wait(port: int, host: str, limit: float, ended: t.Callable[[], bool]) -> http.Reply:
    """The first answer of the home page below 500, or the last one after ``limit`` seconds, or at the end."""
    target, end = http.Target('127.0.0.1', port), time.monotonic() + limit
    while True:
        left = end - time.monotonic()
        timeout = max(_LEAST_TIMEOUT_S, min(left, _ANSWER_TIMEOUT_S))
        reply = http.get(target, host, '/', timeout, _FRESH, limit=65536)
        if works(reply) or left <= _PAUSE_S or ended():
            return reply
        time.sleep(_PAUSE_S)


def works(reply: http.Reply) -> bool:
    return reply.status is not None and reply.status < 500


def findings(reply: t.Optional[http.Reply]) -> t.List[Finding]:
    """What is wrong with the pages; None: nobody had to ask. Pure."""
    if reply is None or reply.status is None or works(reply):
        return []
    text = 'the home page still answers with status %d, %g s after the first version answer' % (reply.status, LIMIT_S)
    return [dict(severity='warning', code='page_5xx', text=text, advice=_ADVICE)]


def notes(reply: t.Optional[http.Reply]) -> t.List[str]:
    """What could not be seen. Pure."""
    if reply is None or reply.status is not None:
        return []
    return ['whether its pages work is not known: the home page gave no answer (%s)' % (reply.error or reply.failure)]
