# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""All texts by language, from files by theme. Pure."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import after_a_change
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language import (
    zh,
    zh_changes,
    zh_diagnosis,
    zh_hazards,
    zh_hosts,
    zh_plan,
    zh_variables,
    zh_work,
)

ZH: t.Sequence[t.Mapping[str, str]] = (
    zh.TEXTS,
    zh_plan.TEXTS,
    zh_variables.TEXTS,
    zh_hazards.TEXTS,
    zh_diagnosis.TEXTS,
    zh_hosts.TEXTS,
    zh_work.TEXTS,
    zh_changes.TEXTS,
)
_NOTHING = re.compile('(没有)(?=(?:启停|启动|发送|暂存|制定|重命名)任何)|(未)(?=做任何)')


def _nothing_more(text: str) -> str:
    """In Chinese what ``after_a_change`` makes of a message: that nothing more was done."""
    return _NOTHING.sub(lambda found: found.group() + '再', text).replace('任何', '其他')


def _with_later_ones(texts: t.Mapping[str, str]) -> dict[str, str]:
    """With the messages as they are where something was done before."""
    later = {after_a_change(text): _nothing_more(chinese) for text, chinese in texts.items()}
    return {**later, **texts}


TEXTS: t.Mapping[str, t.Mapping[str, str]] = {
    'en': {},
    'zh': _with_later_ones({text: chinese for texts in ZH for text, chinese in texts.items()}),
}
