# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The diagnosis of a fleet for people: one table, with lines below a row that say what happened and what to do.

``!`` what happened, ``>`` what to do, ``-`` what else is wrong, ``.`` for information.
"""

from __future__ import annotations

import math
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._diagnosis import URGENCY, serious
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language.words import ENGLISH, Words
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._table import table
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import shown

Data = t.Mapping[str, t.Any]
HEADINGS = ('urgency', 'host', 'instance', 'state', 'version', 'cause', 'died', 'starts', 'memory')
_MOST = 3  # lines of one kind below a row
_MOST_HOSTS = 5  # named in one line


def lines(records: t.Sequence[Data], words: Words = ENGLISH) -> list[str]:
    """The table, what could not be seen, and a line that sums up."""
    rows = [(cells(record, words), below(record, words)) for record in records]
    return [*table(rows, HEADINGS, words), *not_seen(records, words), summary(records, words)]


def cells(record: Data, words: Words = ENGLISH) -> tuple[str, ...]:
    values = (
        words.known(record['urgency']),
        record['host'],
        record['dir'] or '-',
        words.known(str(record['state'])),
        record['version'],
        record['cause'] or '-',
        _when(record['time']) + _give_or_take(record['uncertainty_ms']),
        record['starts'],
        _memory(record, words),
    )
    return tuple(shown(value, 120) for value in values)


def _when(time: t.Any) -> str:
    return str(time)[:19].replace('T', ' ') if time else '-'


def _give_or_take(uncertainty: int | None) -> str:
    """How far the real moment may lie to either side, where that is more than a moment."""
    seconds = (uncertainty or 0) / 1000
    if seconds < 2:
        return ''
    unit, size = next((unit, size) for unit, size in (('h', 3600), ('min', 60), ('s', 1)) if seconds >= 2 * size)
    return f' ±{math.ceil(seconds / size)} {unit}'


def _memory(record: Data, words: Words) -> str:
    """What the process holds, of what it may, or of what the host has; else what it held when it was killed."""
    memory = record['memory'] or {}
    rss, room = memory.get('rss_kb'), memory.get('limit_kb') or memory.get('host_total_kb')
    if rss is not None:
        used = words('{used} of {size} MiB', used=_mib(rss), size=_mib(room)) if room else ''
        return used or f'{_mib(rss)} MiB'
    return words('{used} MiB at its end', used=_mib(record['last_rss_kb'])) if record['last_rss_kb'] else '-'


def _mib(kilobytes: int) -> int:
    return round(kilobytes / 1024)


# --- below a row


def below(record: Data, words: Words = ENGLISH) -> list[str]:
    """Nothing where all is fine."""
    if record['urgency'] == 'fine':
        return []
    noted = [_line('!', words.known(text)) for text in _happened(record, words)]
    if record['verdict'] != 'unknown':  # what to grant then stands below the table, once
        noted += _some([_line('>', words.known(text)) for text in record['advice']], words)
    noted += _some([_line('-', text) for text in _wrong(record, words)], words, 2 * _MOST)
    noted += [_line('.', text) for text in _known(record, words)]
    return noted


def _line(mark: str, text: str) -> str:
    return f'  {mark} {shown(text, 600)}'


def _some(found: list[str], words: Words, most: int = _MOST) -> list[str]:
    more = len(found) - most
    rest = words('    {count} more in the report (-e anqicms_report=DIR)', count=more)
    return found if more <= 0 else [*found[:most], rest]


def _room(memory: Data, words: Words) -> str:
    """What else there is to know of memory; what is not known is left out."""
    said = []
    if memory.get('limit_kb'):
        said.append(words('limit {size} MiB', size=_mib(memory['limit_kb'])))
    if memory.get('gomemlimit') is not None:
        said.append(f'GOMEMLIMIT {memory["gomemlimit"] or words("not set")}')
    host, swap = (_left(memory, *keys) for keys in (_OF_HOST, _OF_SWAP))
    if host:
        said.append(words('host {left} of {size} MiB available', left=host[0], size=host[1]))
    if swap:
        said.append(words('swap {left} of {size} MiB free', left=swap[0], size=swap[1]))
    elif memory.get('host_swap_total_kb') == 0:
        said.append(words('no swap'))
    return words('memory: {figures}', figures=', '.join(said or [words('not known')]))


_OF_HOST = ('host_available_kb', 'host_total_kb')
_OF_SWAP = ('host_swap_free_kb', 'host_swap_total_kb')


def _left(memory: Data, least: str, most: str) -> tuple[int, int] | None:
    """What is left of how much; None where it is not known, or where there is none."""
    return (_mib(memory.get(least) or 0), _mib(memory[most])) if memory.get(most) else None


def _happened(record: Data, words: Words) -> t.Iterator[str]:
    yield from record['problems']
    if not record['problems'] and record['cause'] != 'not_dead':
        yield str(record['summary'])
    deaths = record['incidents']
    if len(deaths) > 1:
        last = ', '.join(f'{_when(entry.get("time"))} {entry.get("cause")}' for entry in deaths[-_MOST:])
        count = max(len(deaths), record.get('incident_count') or 0)
        yield words('{count} incidents in this time window, the last: {last}', count=count, last=last)


def _wrong(record: Data, words: Words) -> t.Iterator[str]:
    for entry in record['log']['findings']:
        times = words(' ({count} times)', count=entry['count']) if entry.get('count', 1) > 1 else ''
        yield words('log: {found}', found=f'{entry.get("code")}{times}: {shown(entry.get("text"), 200)}')
    for entry in record['log']['unread']:
        name = entry.get('file') or 'running.log'
        yield words('log not read: {file}: {why}', file=name, why=words.known(str(entry.get('why'))))
    for hazard in serious(record):
        yield f'{hazard.get("code")}: {words.known(str(hazard.get("message")))}'
    if record['bundle_problem']:
        yield words.known(record['bundle_problem'])


def _known(record: Data, words: Words) -> t.Iterator[str]:
    for entry in record['supervisors']:
        line = ' '.join(str(entry[key]) for key in ('schedule', 'command') if entry.get(key))
        detail = f'{entry.get("detail")}: {line}' if line else entry.get('detail')
        yield f'{entry.get("kind")} {entry.get("where")}: {detail}'
    if record['memory']:
        yield _room(record['memory'], words)
    met = [f'{_when(start.get("time"))} (pid {start.get("pid")})' for start in record['restarts']]
    if met:
        yield words('starts found: {starts}', starts=', '.join(met[-_MOST:]))
    if record['bundle']:
        yield words('evidence: {path}', path=record['bundle'])


# --- below the table


def not_seen(records: t.Sequence[Data], words: Words = ENGLISH) -> list[str]:
    """What could not be read and what to grant, once for all hosts where it is so."""
    hosts: dict[str, dict[str, None]] = {}
    for record in records:
        for entry in record['coverage']:
            if _is_missed(entry, record):
                why = words.known(str(entry.get('why_not')))
                hosts.setdefault(f'{entry.get("source")}: {why}', {})[record['host']] = None
    return [
        words('not seen on {hosts}: {why}', hosts=_names(list(where), words), why=shown(why, 400))
        for why, where in hosts.items()
    ]


def _is_missed(entry: Data, record: Data) -> bool:
    """Files that do not exist are worth a word only where nobody knows; hardly a host has a check.log."""
    why = str(entry.get('why_not') or '')
    is_absent = 'No such file' in why or 'does not exist' in why
    wanted = record['verdict'] == 'unknown' and entry.get('source') != 'check.log'
    return bool(why) and not entry.get('readable') and (wanted or not is_absent)


def _names(hosts: list[str], words: Words) -> str:
    more = len(hosts) - _MOST_HOSTS
    rest = words(' and {count} more', count=more) if more > 0 else ''
    return ', '.join(shown(host) for host in hosts[:_MOST_HOSTS]) + rest


def summary(records: t.Sequence[Data], words: Words = ENGLISH) -> str:
    counts = [(name, sum(record['urgency'] == name for record in records)) for name, _fits in URGENCY]
    said = ', '.join(f'{count} {words.known(name)}' for name, count in counts if count)
    said = said or words('nothing to inspect')
    window = next((record for record in records if record['since']), None)
    if not window:
        return words('{counts}.', counts=said)
    since, until = _when(window['since']), _when(window['until'])
    return words('from {since} to {until}: {counts}.', since=since, until=until, counts=said)
