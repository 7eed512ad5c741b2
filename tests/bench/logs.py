# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A large log, and the loop that one would write to look for the known lines in it."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from pathlib import Path

MIB = 1 << 20
_START = """2026/11/22 01:30:02 {root}/
Now listening on: http://localhost:8001
Application started. Press CTRL+C to shut down.
"""
_ORDINARY = """2026/11/22 01:{minute:02}:38 google-status 200
2026/11/22 01:{minute:02}:38 sitemap built in 2.3s, {number} urls, {root}/public/sitemap.xml
关键词：建站 采集了 {number} 篇文章
索引总数{number}
"""
_NOT_FOUND = (
    "\r\n2026/11/22 01:{minute:02}:15 \x1b[31;1mkandaoni.com/anqicms/provider/dao.go:259 \x1b[35;1mrecord not found\n"
    "\x1b[0m\x1b[33m[0.557ms] \x1b[34;1m[rows:0]\x1b[0m SELECT * FROM `modules` WHERE `id` = {number} LIMIT 1\n"
)
_SLOW = (
    "\r\n2026/11/22 01:{minute:02}:15 \x1b[32mkandaoni.com/anqicms/provider/archive.go:99 \x1b[33mSLOW SQL >= 200ms\n"
    "\x1b[0m\x1b[31;1m[245.1ms] \x1b[33m[rows:20]\x1b[35m SELECT * FROM `archives` WHERE `id` = {number}\x1b[0m\n"
)


def write(path: Path, root: Path, size: int) -> None:
    """A running.log of about so many bytes: starts, and what an instance prints for weeks after them."""
    chance = random.Random(1)
    kinds = (*_ORDINARY.splitlines(keepends=True), _NOT_FOUND, _SLOW)
    lines = (
        chance.choice(kinds).format(root=root, number=chance.randrange(10**6), minute=chance.randrange(60))
        for _unused in range(10_000)
    )
    block = (_START.format(root=root) + "".join(lines)).encode()
    with path.open("ab") as log:
        for _unused in range(size // len(block)):
            log.write(block)


def loop_over_lines(path: Path, patterns: Sequence[str]) -> None:
    """One regular expression of all patterns, line by line."""
    known = re.compile("|".join(pattern.replace("?P<detail>", "?:") for pattern in patterns))
    with path.open(encoding="utf-8", errors="replace", newline="\n") as log:
        for line in log:
            known.search(line)
