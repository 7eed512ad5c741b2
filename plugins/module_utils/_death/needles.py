# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Which lines of a system log are looked at: what a search of its bytes finds."""

import functools
import re
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import losses
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs.scan import lines_with

# What every line has that tells of a kill, a crash, a boot or of lost lines; others are not looked at.
NEEDLES = (
    b'Kill',
    b'kill',
    b'oom',
    b'ending SIG',
    b'Linux version ',
    b'segfault',
    b'general prot',
    b'] trap ',
    b'unhandled ',
    b'Kernel panic',
    b'page allocation failure',
    b'escalating to',
    b'exited after',
    b'dryrun',
    b', badness',
    b'ut of memory',
    b'taking action',
    b'did not exit',
) + losses.NEEDLES
# Rows of the kernel's table of tasks have no such word. Those that name a thread tell whose it is, and those of a name
# how many of it there were: under this head.
_TABLE = b'tgid total_vm'
_THREAD = re.compile(rb'\[ *(\d{1,10})\] +\d{1,10} +(?!\1 )\d{1,10} +\d')
_OF_NAME = rb'|\[ *\d{1,10}\](?: +-?\d{1,20}){6,15} (?:%s)(?!\S)'
_rows = [_THREAD]  # what is looked for; see keep_rows_of
# A log has few of these bytes. What a needle has of them is seldom found by chance.
_RARE = b'kKGilmogupdvybxt],'
_COMMON = bytes(bytearray(set(range(256)) - set(_RARE)))


def keep_rows_of(*names: bytes) -> None:
    """From now on the rows of the table of tasks with one of these names concern a death as well."""
    _rows[0] = re.compile(_THREAD.pattern + _OF_NAME % b'|'.join(map(re.escape, names))) if names else _THREAD


def concerns(text: bytes) -> bool:
    return any(needle in text for needle in NEEDLES) or _rows[0].search(text) is not None


def rare_bytes(data: bytes) -> bytes:
    """What is left of a log without the bytes that it is full of, a tenth or so. Where a needle is, its rest is."""
    return data.translate(None, _COMMON)


_RESTS = tuple((needle, rare_bytes(needle)) for needle in NEEDLES)


_REST_OF_TABLE = rare_bytes(_TABLE)


def has_table(data: bytes, rest: bytes) -> bool:
    return _REST_OF_TABLE in rest and _TABLE in data


def matching(data: bytes, rest: bytes, after_table: bool = False) -> t.List[t.Tuple[int, int]]:
    """Begin and end of each line that has a needle, in order. ``data``: whole lines; ``rest``: its rare bytes. Pure.

    Each needle costs a pass over all of the data, so only those are looked for there whose rest is in its rest.
    """
    searches: t.List[t.Callable[[int], int]] = [
        functools.partial(data.find, needle) for needle, part in _RESTS if part in rest
    ]
    return lines_with(data, searches + ([functools.partial(_find_thread, data)] if after_table else []))


def _find_thread(data: bytes, begin: int) -> int:
    found = _rows[0].search(data, begin)
    return found.start() if found else -1
