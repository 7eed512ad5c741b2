# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Times of logs as seconds since the epoch, with how far off they can be. Pure but for the zone of the process."""

import calendar
import re
import time
import typing as t
import unicodedata

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.log_prefix import ZONES, Prefix
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.local_time import Date, Moment, local

_DAY = 86400.0
_YEARS_BACK = 9  # from one 29 February to the next there are eight years at most
_AHEAD = _DAY  # how far a stamp may be ahead of what was written after it: clocks are set back
_CTIME_ERROR = 2.0  # dmesg adds whole seconds of the time of boot
_PRINTK_ERROR = 0.1

_ISO = re.compile(
    r'(?:\S+ )?(\d{4})[-/](\d\d)[-/](\d\d)[T _](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,30}))?'
    r' ?(Z|UTC|GMT|[+-]\d\d:?\d\d|[A-Za-z0-9+-]+)?$'
)
_UNIX = re.compile(r'\d{9,10}\.\d{3,6}$')
_CLOCK = re.compile(r'(\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?')
# As Chinese, Japanese and Korean write it: 2026年07月12日 星期日 16时09分14秒
_CJK = re.compile(
    r'(\d{4}) ?[\u5e74\ub144.] *(\d{1,2}) ?[\u6708\uc6d4.] *(\d{1,2}) ?[\u65e5\uc77c.]([^\d:]{0,40})'
    r'(\d\d?)[:\u65f6\u6642\uc2dc] ?(\d\d)[:\u5206\ubd84] ?(\d\d)[\u79d2\ucd08]?(?:\.(\d+))?(?: (\S+))?$'
)
_AFTERNOON = ('\u4e0b\u5348', '\u5348\u5f8c', '\uc624\ud6c4', 'PM')
_FORENOON = ('\u4e0a\u5348', '\u5348\u524d', '\uc624\uc804', 'AM')
_MONTH_DAY = re.compile(r'(\d\d)-(\d\d) (\d\d:\d\d:\d\d\.\d+)$')  # of Android
_ZONE_WORD = re.compile(r'(?:^|\s)(Z|[A-Z]{3,5}|[+-]\d\d(?::?\d\d)?)(?=\s|$)')
_WORD = re.compile(r'[^\s.,]+')
_NUMBERED_MONTH = re.compile(r'(\d{1,2})[\u6708\uc6d4]$')  # as Chinese, Japanese and Korean write it
_GLUED_DAY = re.compile(r'\b([^\W\d]{2,9})(\d{1,2})\b')  # dmesg --human: Jul12
# Begins of the names of the months, without accents; the longest that fits decides.
_MONTHS = {
    stem: number
    for number, stems in enumerate(
        (
            'jan ene gen ian sty led янв січ tam oca',
            'feb fev lut uno фев лют hel sub',
            'mar maer mrz mrt bre мар бер maa',
            'apr avr abr kwi dub апр кві huh nis',
            'mai may mag maj mei kve мая маи тра tou',
            'jun juin giu cze cer июн чер kes haz',
            'jul juil lug lip cec июл лип hei tem',
            'aug aou ago sie srp авг сер elo agu',
            'sep set wrz zar сен вер syy eyl',
            'oct okt ott out paz rij окт жов lok eki',
            'nov lis ноя лис marras kas',
            'dec dez dic des gru pro дек гру jou ara',
        ),
        1,
    )
    for stem in stems.split()
}


class Clocks(t.NamedTuple):
    """The clocks of this host, read at once: CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME."""

    real: float
    monotonic: float
    boottime: float


def of_prefix(prefix: Prefix, not_after: float, clocks: t.Optional[Clocks] = None) -> t.Optional[Moment]:
    """When a line was written. ``clocks`` only for lines of this boot: seconds since boot say nothing of others."""
    if prefix.stamp is not None:
        return of_stamp(prefix.stamp, not_after)
    return of_printk(prefix.printk, clocks) if prefix.printk is not None and clocks is not None else None


def of_printk(seconds: float, clocks: Clocks) -> Moment:
    """The kernel's stamps stand still while the host sleeps: what was before the last sleep seems later than it was."""
    slept = max(0.0, clocks.boottime - clocks.monotonic)
    return Moment(clocks.real - (clocks.monotonic - seconds), _PRINTK_ERROR + slept)


def of_stamp(stamp: bytes, not_after: float) -> t.Optional[Moment]:
    """The time of a stamp of any form. Without a year it is the last such time that is not after ``not_after``."""
    text = _decoded(stamp).strip()
    try:
        match = _ISO.match(text)
        if match:
            return _of_iso(match)
        if _UNIX.match(text):
            return Moment(float(text), 0.001)
        cjk = _CJK.match(text)
        return _of_cjk(cjk) if cjk else _of_words(text, not_after)
    except (ValueError, OverflowError, OSError):
        return None


def _decoded(stamp: bytes) -> str:
    try:
        return stamp.decode('utf-8')
    except UnicodeDecodeError:
        return stamp.decode('latin-1')


def _of_iso(match: t.Match[str]) -> t.Optional[Moment]:
    year, month, day, hour, minute, second = (int(text) for text in match.groups()[:6])
    if not _is_date((year, month, day)) or not _is_clock(hour, minute, second):
        return None
    fraction, zone = match.group(7), match.group(8)
    seconds = hour * 3600 + minute * 60 + second + (float('0.' + fraction) if fraction else 0.0)
    error = 0.001 if fraction else 1.0
    return _moment((year, month, day), seconds, _zone_offset(zone), error)


def _moment(date: Date, seconds: float, offset: t.Optional[int], error: float) -> Moment:
    """``offset``: seconds east of Greenwich, None for the local clock."""
    if offset is not None:
        return Moment(calendar.timegm(date + (0, 0, 0)) + seconds - offset, error)
    moment = local(date, seconds)
    return Moment(moment.time, moment.uncertainty + error)


def _of_cjk(match: t.Match[str]) -> t.Optional[Moment]:
    year, month, day, hour, minute, second = (int(match.group(number)) for number in (1, 2, 3, 5, 6, 7))
    if any(word in match.group(4) for word in _AFTERNOON) and hour < 12:
        hour += 12
    elif any(word in match.group(4) for word in _FORENOON) and hour == 12:
        hour = 0
    if not _is_date((year, month, day)) or not _is_clock(hour, minute, second):
        return None
    fraction = float('0.' + match.group(8)) if match.group(8) else 0.0
    offset = 8 * 3600 if match.group(9) == 'CST' else _zone_offset(match.group(9))  # in Chinese it is that of China
    return _moment((year, month, day), hour * 3600 + minute * 60 + second + fraction, offset, 1.0)


def _zone_offset(zone: t.Optional[str]) -> t.Optional[int]:
    """Seconds east of Greenwich; None for the local zone. ValueError for a name that only the writer can explain."""
    if zone is None or zone in ('Z', 'UTC', 'GMT'):
        return None if zone is None else 0
    match = re.match(r'([+-])(\d\d)(?::?(\d\d))?$', zone)
    if match is not None:
        east = int(match.group(2)) * 3600 + int(match.group(3) or 0) * 60
        return east if match.group(1) == '+' else -east
    if zone in time.tzname:
        return None
    if zone not in ZONES:
        raise ValueError('what time the zone %s means is not known' % zone)
    return ZONES[zone] * 3600


def _zone_in(text: str) -> t.Tuple[str, t.Optional[str]]:
    """A text without the name of a zone in it, and that name."""
    for match in _ZONE_WORD.finditer(text):
        zone = match.group(1)
        if not zone.isalpha() or zone in ZONES or zone in ('Z', 'UTC', 'GMT', 'CST', 'IST', 'BST'):
            return text[: match.start()] + text[match.end() :], zone
    return text, None


def _of_words(text: str, not_after: float) -> t.Optional[Moment]:
    """``Jul 12 16:09:14``, ``Sun Jul 12 16:09:14 2026``, and these in other languages and another order."""
    month_day = _MONTH_DAY.match(text)
    if month_day:
        text = '%s\u6708 %s %s' % month_day.groups()
    clock = _CLOCK.search(text)
    if clock is None:
        return None
    behind, zone = _zone_in(text[clock.end() :])
    year, month, day = _date_words(text[: clock.start()] + ' ' + behind)
    hour, minute, second = (int(part or 0) for part in clock.groups()[:3])
    if day is None or not _is_clock(hour, minute, second):
        return None
    fraction = clock.group(4)
    seconds = hour * 3600 + minute * 60 + second + (float('0.' + fraction) if fraction else 0.0)
    error = _CTIME_ERROR if year else 0.001 if fraction else 1.0 if clock.group(3) else 60.0
    found = _latest(year, month, day, seconds, not_after, _zone_offset(zone))
    return Moment(found.time, found.uncertainty + error) if found else None


def _date_words(text: str) -> t.Tuple[t.Optional[int], t.Optional[int], t.Optional[int]]:
    """Year, month, day; None for each that is not there or not understood. The weekday comes before the month."""
    year = month = day = None
    for word in _WORD.findall(_GLUED_DAY.sub(r'\1 \2', text.replace('-', ' '))):
        numbered = _NUMBERED_MONTH.match(word)
        if numbered:
            month = int(numbered.group(1))
        elif word.isdigit() and len(word) == 4:
            year = int(word)
        elif word.isdigit() and len(word) <= 2:
            day = int(word)
        else:
            month = _month(word)
    return year, month, day


def _month(word: str) -> t.Optional[int]:
    plain = ''.join(char for char in unicodedata.normalize('NFKD', word.casefold()) if not unicodedata.combining(char))
    fitting = [stem for stem in _MONTHS if plain.startswith(stem)]
    return _MONTHS[max(fitting, key=len)] if fitting else None


def _latest(
    year: t.Optional[int], month: t.Optional[int], day: int, seconds: float, not_after: float, offset: t.Optional[int]
) -> t.Optional[Moment]:
    """The last such time that is not after. A month that is not understood can be each of that year until then."""
    last = time.localtime(not_after + _AHEAD).tm_year
    for candidate in [year] if year else range(last, last - _YEARS_BACK, -1):
        dates = [(candidate, number, day) for number in ([month] if month else range(12, 0, -1))]
        found = [_moment(date, seconds, offset, 0.0) for date in dates if _is_date(date)]
        # A year that is written is believed.
        found = [moment for moment in found if moment.time <= not_after + _AHEAD] or (found[-1:] if year else [])
        if found:
            return Moment(found[0].time, found[0].uncertainty + found[0].time - found[-1].time)
    return None


def _is_date(date: Date) -> bool:
    year, month, day = date
    return 1970 <= year <= 9999 and 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]


def _is_clock(hour: int, minute: int, second: int) -> bool:
    return hour < 24 and minute < 60 and second <= 60
