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
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._table import table
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import shown

Data = t.Mapping[str, t.Any]
HEADINGS = ('urgency', 'host', 'instance', 'state', 'version', 'cause', 'died', 'starts', 'memory')
_MOST = 3  # lines of one kind below a row
_MOST_HOSTS = 5  # named in one line


def lines(records: t.Sequence[Data]) -> list[str]:
    """The table, what could not be seen, and a line that sums up."""
    rows = [(cells(record), below(record)) for record in records]
    return [*table(rows, HEADINGS), *not_seen(records), summary(records)]


def cells(record: Data) -> tuple[str, ...]:
    values = (
        record['urgency'],
        record['host'],
        record['dir'] or '-',
        record['state'],
        record['version'],
        record['cause'] or '-',
        _when(record['time']) + _give_or_take(record['uncertainty_ms']),
        record['starts'],
        _memory(record),
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


def _memory(record: Data) -> str:
    """What the process holds, of what it may, or of what the host has; else what it held when it was killed."""
    memory = record['memory'] or {}
    rss, room = memory.get('rss_kb'), memory.get('limit_kb') or memory.get('host_total_kb')
    if rss is not None:
        return f'{_mib(rss)} of {_mib(room)} MiB' if room else f'{_mib(rss)} MiB'
    return f'{_mib(record["last_rss_kb"])} MiB at its end' if record['last_rss_kb'] else '-'


def _mib(kilobytes: int) -> int:
    return round(kilobytes / 1024)


# --- below a row


def below(record: Data) -> list[str]:
    """Nothing where all is fine."""
    if record['urgency'] == 'fine':
        return []
    noted = [_line('!', text) for text in _happened(record)]
    if record['verdict'] != 'unknown':  # what to grant then stands below the table, once
        noted += _some([_line('>', text) for text in record['advice']])
    noted += _some([_line('-', text) for text in _wrong(record)], 2 * _MOST)
    noted += [_line('.', text) for text in _known(record)]
    return noted


def _line(mark: str, text: str) -> str:
    return f'  {mark} {shown(text, 600)}'


def _some(found: list[str], most: int = _MOST) -> list[str]:
    more = len(found) - most
    return found if more <= 0 else [*found[:most], f'    {more} more in the report (-e anqicms_report=DIR)']


def _room(memory: Data) -> str:
    """What else there is to know of memory; what is not known is left out."""
    said = []
    if memory.get('limit_kb'):
        said.append(f'limit {_mib(memory["limit_kb"])} MiB')
    if memory.get('gomemlimit') is not None:
        said.append(f'GOMEMLIMIT {memory["gomemlimit"] or "not set"}')
    for name, least, most, word in (
        ('host', 'host_available_kb', 'host_total_kb', 'available'),
        ('swap', 'host_swap_free_kb', 'host_swap_total_kb', 'free'),
    ):
        if memory.get(most):
            said.append(f'{name} {_mib(memory.get(least) or 0)} of {_mib(memory[most])} MiB {word}')
        elif memory.get(most) == 0:
            said.append(f'no {name}')
    return 'memory: ' + ', '.join(said or ['not known'])


def _happened(record: Data) -> t.Iterator[str]:
    yield from record['problems']
    if not record['problems'] and record['cause'] != 'not_dead':
        yield str(record['summary'])
    deaths = record['incidents']
    if len(deaths) > 1:
        last = ', '.join(f'{_when(entry.get("time"))} {entry.get("cause")}' for entry in deaths[-_MOST:])
        yield f'{max(len(deaths), record.get("incident_count") or 0)} incidents in this time window, the last: {last}'


def _wrong(record: Data) -> t.Iterator[str]:
    for entry in record['log']['findings']:
        times = f' ({entry["count"]} times)' if entry.get('count', 1) > 1 else ''
        yield f'log: {entry.get("code")}{times}: {shown(entry.get("text"), 200)}'
    for entry in record['log']['unread']:
        yield f'log not read: {entry.get("file") or "running.log"}: {entry.get("why")}'
    for hazard in serious(record):
        yield f'{hazard.get("code")}: {hazard.get("message")}'
    if record['bundle_problem']:
        yield record['bundle_problem']


def _known(record: Data) -> t.Iterator[str]:
    for entry in record['supervisors']:
        line = ' '.join(str(entry[key]) for key in ('schedule', 'command') if entry.get(key))
        detail = f'{entry.get("detail")}: {line}' if line else entry.get('detail')
        yield f'{entry.get("kind")} {entry.get("where")}: {detail}'
    if record['memory']:
        yield _room(record['memory'])
    met = [f'{_when(start.get("time"))} (pid {start.get("pid")})' for start in record['restarts']]
    if met:
        yield f'starts found: {", ".join(met[-_MOST:])}'
    if record['bundle']:
        yield f'evidence: {record["bundle"]}'


# --- below the table


def not_seen(records: t.Sequence[Data]) -> list[str]:
    """What could not be read and what to grant, once for all hosts where it is so."""
    hosts: dict[str, dict[str, None]] = {}
    for record in records:
        for entry in record['coverage']:
            if _is_missed(entry, record):
                hosts.setdefault(f'{entry.get("source")}: {entry.get("why_not")}', {})[record['host']] = None
    return [f'not seen on {_names(list(where))}: {shown(why, 400)}' for why, where in hosts.items()]


def _is_missed(entry: Data, record: Data) -> bool:
    """Files that do not exist are worth a word only where nobody knows; hardly a host has a check.log."""
    why = str(entry.get('why_not') or '')
    is_absent = 'No such file' in why or 'does not exist' in why
    wanted = record['verdict'] == 'unknown' and entry.get('source') != 'check.log'
    return bool(why) and not entry.get('readable') and (wanted or not is_absent)


def _names(hosts: list[str]) -> str:
    more = len(hosts) - _MOST_HOSTS
    return ', '.join(shown(host) for host in hosts[:_MOST_HOSTS]) + (f' and {more} more' if more > 0 else '')


def summary(records: t.Sequence[Data]) -> str:
    counts = [(name, sum(record['urgency'] == name for record in records)) for name, _fits in URGENCY]
    said = ', '.join(f'{count} {name}' for name, count in counts if count) or 'nothing to inspect'
    window = next((record for record in records if record['since']), None)
    when = f'from {_when(window["since"])} to {_when(window["until"])}: ' if window else ''
    return f'{when}{said}.'
