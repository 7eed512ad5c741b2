# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The names of all variables of this collection, and which other name was meant to be one of them."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._options import OPTIONS, PREFIX

# What only playbooks read.
OF_PLAYS = frozenset({'anqicms_hosts', 'anqicms_serial', 'anqicms_serial_by', 'anqicms_search'})
KNOWN = frozenset(OPTIONS)
OF_ROLES = KNOWN - OF_PLAYS
# What the collection hands over, and a workflow hands on as extra variables.
HANDED_OVER = ('anqicms_results', 'anqicms_diagnosis')
# The report of another job, by its number.
_OF_JOBS = re.compile(r'anqicms_report_\d+')
# The roles set it for hooks. Set by somebody else, it would take the place of the instance that is worked on.
OF_HOOKS = 'anqicms_instance'
_LEAST_CUT = 4  # letters of a word that may stand for a longer one: stop_time for stop_timeout
_PREFIX_SLIPS = 2  # letters of the prefix that may be wrong, where all behind it is right
_LONG_WORD = 8  # in one as long as this two letters may be wrong, else one


class Judgement(t.NamedTuple):
    """``meant``: the known name for each name that comes close to it; ``unknown``: the others, sorted."""

    meant: dict[str, str]
    unknown: list[str]


def judge(names: t.Iterable[str]) -> Judgement:
    """Which of these names are wrong; what does not look like ours is left out."""
    result = Judgement({}, [])
    for name in sorted(set(names)):
        if _is_known(name):
            continue
        known = nearest(name)
        if known:
            result.meant[name] = known
        elif name.lower().startswith(PREFIX):
            result.unknown.append(name)
    return result


def _is_known(name: str) -> bool:
    """Names with two underscores are private, set by the roles themselves; a user's that means a public one is not."""
    if name.startswith(PREFIX + '_'):
        return PREFIX + name[len(PREFIX) :].strip('_') not in KNOWN
    return name in KNOWN or name.startswith(HANDED_OVER) or _OF_JOBS.fullmatch(name) is not None


def nearest(name: str) -> str:
    """The known name that was meant, '' for none."""
    words = _words(name)
    if words and _distance(words[0], 'anqicms') <= _PREFIX_SLIPS:
        for known in sorted(KNOWN):
            if words[1:] == known.split('_')[1:] or (words[0] == 'anqicms' and _means(words, known.split('_'))):
                return known
    return _joined(words)


def _words(name: str) -> list[str]:
    return [word for word in re.split(r'[-_.\s]+', name.lower()) if word]


def _joined(words: t.Sequence[str]) -> str:
    """The known name that has the same letters, with one wrong at most, in more or fewer words."""
    letters = ''.join(words)
    if not letters.startswith('anqicms'):
        return ''
    others = (known for known in sorted(KNOWN) if len(known.split('_')) != len(words))
    return next((known for known in others if _distance(letters, known.replace('_', '')) < 2), '')


def _means(words: t.Sequence[str], known: t.Sequence[str]) -> bool:
    """Whether each word is, but for a slip of the hand in one or two of them, the known one."""
    if len(words) != len(known):
        return False
    pairs = list(zip(words, known))
    wrong = [pair for pair in pairs if pair[0] != pair[1]]
    if len(wrong) == 1 and len(words) > 2 and _is_cut(*wrong[0]):
        return True
    return len(wrong) <= 2 and all(_is_slip(*pair) for pair in wrong)


def _is_cut(word: str, known: str) -> bool:
    return len(word) >= _LEAST_CUT and known.startswith(word)


def _is_slip(word: str, known: str) -> bool:
    """Short words differ in their first letter only where they are other words: posts is not hosts."""
    shorter = min(len(word), len(known))
    if shorter < _LEAST_CUT or (shorter < 6 and word[0] != known[0]):
        return False
    return _distance(word, known) <= (2 if shorter >= _LONG_WORD else 1)


def _distance(one: str, other: str) -> int:
    """Letters to insert, remove, replace or swap with their neighbour."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        earlier, before, row = before, row, [i]
        for j, wanted in enumerate(other, 1):
            best = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                best = min(best, earlier[j - 2] + 1)
            row.append(best)
    return row[-1]
