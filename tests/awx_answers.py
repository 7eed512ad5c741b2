# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers to a question of a survey, and what arrives of them in a playbook.

AWX writes each answer into a file of extra variables and marks it `!unsafe`. Up to ansible-core 2.18 it arrives as the
text that it is. From 2.19 on, what YAML makes of that text arrives.
"""

from __future__ import annotations

import datetime
import json
from typing import Any, Mapping

_CHINA = datetime.timezone(datetime.timedelta(hours=8))
OF_YAML: Mapping[str, Any] = {
    "": None, "null": None, "~": None,
    "true": True, "no": False, "on": True, "yes": True,
    "007": 7, "12345678": 12345678, "60001234": 60001234, "1_000": 1000, "0x1f": 31, "0": 0, "1": 1,
    "1.5": 1.5, "30.0": 30.0, "3.10": 3.1, "0.10": 0.1, ".inf": float("inf"),
    "10:30": 630, "10:30:00": 37800,
    "2026-01-01": datetime.date(2026, 1, 1),
    "2026-01-01 10:00:00": datetime.datetime(2026, 1, 1, 10),
    "2026-01-01T10:00:00+08:00": datetime.datetime(2026, 1, 1, 10, tzinfo=_CHINA),
}  # fmt: skip
TEXTS = (
    "2026-01-01 10:00", "50%", "[1, 2]", "a,b", "a\nb", "1e3", "N", "6000dee9-shop.example", "{{ 1 }}", "3.5.8",
    "6000dee9-shop.example\n4b1d0a7e-blog.example\n", "6000dee9-shop.example, 4b1d0a7e-blog.example", "idle", "1,10%",
)  # fmt: skip
ANSWERS = (*OF_YAML, *TEXTS)


def arrives(answer: str, core: str) -> Any:
    """What a playbook sees of an answer."""
    is_new = tuple(map(int, core.split("."))) >= (2, 19)
    return OF_YAML.get(answer, answer) if is_new else answer


def as_extra_variables(values: Mapping[str, Any]) -> str:
    """The text of the file that AWX writes: every key and every text is marked, other values are not."""
    return "".join(f"{_marked(name)}: {_marked(value)}\n" for name, value in values.items())


def _marked(value: Any) -> str:
    return f"!unsafe {json.dumps(value)}" if isinstance(value, str) else json.dumps(value)
