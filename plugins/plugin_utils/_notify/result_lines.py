# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What became of notifications, in lines for people. Those that were sent need none. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language.words import Words
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import shown


def lines(results: t.Iterable[t.Mapping[str, t.Any]], words: Words) -> list[str]:
    """``results``: those of ``send``."""
    return [
        words(
            'Notification not sent ({type}, {event}): {reason}',
            type=shown(one['type'], 20),
            event=words.known(shown(one['event'], 20)),
            reason=shown(one['reason'], 300),
        )
        for one in results
        if not one['ok']
    ]
