# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The full-text search of 2.5.1 and later: its dictionary is loaded at each start, in the background."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

from standin import log
from standin.database import DatabaseError
from standin.pages import Site

if TYPE_CHECKING:
    from standin.main import Program

_OWN_ENGINES = ("", "default", "wukong")


def start(program: "Program", sites: list[Site]) -> None:
    """For every site that has it open; a dictionary that is missing ends the process with 1."""
    for site in sites:
        if site.status == 1 and program.behaviour.fulltext and _is_open(program, site):
            threading.Thread(target=_load, args=(program, site), daemon=True).start()


def _is_open(program: "Program", site: Site) -> bool:
    if program.knobs.no_database:
        return program.knobs.fulltext
    setting = site.settings.get("fulltext") or {}
    return bool(setting.get("open") and (setting.get("modules") or not program.behaviour.multi_site))


def _load(program: "Program", site: Site) -> None:
    if program.behaviour.marks_fulltext:
        log.stamped("fulltext init")
    if str((site.settings.get("fulltext") or {}).get("engine") or "") in _OWN_ENGINES:
        _load_dictionary(f"{program.root}dictionary.txt", program.knobs.fulltext_ms)
    if program.behaviour.marks_fulltext:
        log.stamped("fulltext init <nil>")
    try:
        rows = site.database.run("SELECT COUNT(*) FROM `archives`")
    except DatabaseError:
        rows = ()
    log.stamped(f"索引总数{rows[0][0] if rows else 0}")


def _load_dictionary(path: str, milliseconds: int) -> None:
    log.stamped(f"载入sego词典 {path}")
    if not os.access(path, os.R_OK):
        log.stamped(f'无法载入字典文件 "{path}" ')
        os._exit(1)
    time.sleep(milliseconds / 1000)
    log.stamped("sego词典载入完毕")
