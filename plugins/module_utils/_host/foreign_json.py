# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""JSON that somebody else wrote. What Python's reader trips over, or would hand on, is one kind of error here. Pure.

Nesting without end is a RecursionError of Python's reader, and of whatever walks the value; a whole number of 5,000
digits a ValueError in some Pythons and seconds of work in others; one of 400 an OverflowError as soon as it meets a
fraction; NaN and Infinity are no JSON at all.
"""

import json
import math
import re
import typing as t

DEEPEST = 100  # levels of objects and lists
LONGEST_NUMBER = 300  # digits: a longer one is no number of seconds, bytes or anything else, and no float holds it
_LONG_NUMBER = re.compile(r'(?<![0-9])[0-9]{%d}' % (LONGEST_NUMBER + 1))


class Refused(ValueError):
    """Why it is not used, for people: what follows its name."""


def load(data: t.Union[bytes, str], deepest: int = DEEPEST, unique: bool = False) -> t.Any:
    """The value. ValueError (mostly Refused) for all else. ``unique``: refuse an object that has a key twice."""
    text = data.decode('utf-8') if isinstance(data, bytes) else data
    try:
        # Python's own reading of whole numbers is faster; that of long ones takes minutes, or is another error.
        value = json.loads(
            text,
            parse_constant=_constant,
            parse_int=_whole if _LONG_NUMBER.search(text) else None,
            parse_float=_fraction,
            object_pairs_hook=_once if unique else None,
        )
    except RecursionError:
        raise Refused('is nested too deep') from None
    if text.count('[') + text.count('{') > deepest and _is_deeper(value, deepest):
        raise Refused('is nested too deep')
    return value


def _constant(name: str) -> t.Any:
    raise Refused('has %s, which is not JSON' % name)


def _whole(text: str) -> int:
    if len(text) > LONGEST_NUMBER:
        raise Refused('has a number of %d digits' % len(text))
    return int(text)


def _fraction(text: str) -> float:
    number = float(text) if len(text) <= LONGEST_NUMBER else math.inf
    if math.isinf(number):
        raise Refused('has a number that is too large or too long: %s...' % text[:20])
    return number


def _once(pairs: t.List[t.Tuple[str, t.Any]]) -> t.Dict[str, t.Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise Refused('has a key twice')
    return value


def _is_deeper(value: t.Any, deepest: int) -> bool:
    """Level by level: a function that called itself would trip as the reader does."""
    level = [value] if isinstance(value, (dict, list)) else []
    for _dummy in range(deepest):
        below: t.List[t.Any] = []
        for entry in level:
            below += entry.values() if isinstance(entry, dict) else entry
        level = [entry for entry in below if isinstance(entry, (dict, list))]
        if not level:
            return False
    return True
