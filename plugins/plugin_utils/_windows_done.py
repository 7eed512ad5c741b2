# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What is behind the windows of an upgrade: where their dumps are, and the record of an instance with several. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language.words import Words
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import is_hostile, shown

Record = dict[str, t.Any]
Data = t.Mapping[str, t.Any]


def joined(record: Record, windows: t.Sequence[Data], before: t.Sequence[Data]) -> Record:
    """``record``: of the work on the instance, as its last result tells. ``windows``: all that were planned.

    ``before``: the records of those that ended well; what is left over from another instance or run is not read.
    """
    if len(windows) < 2:
        return record
    done = _own(record, windows, before)
    ended = len(done) == len(windows)
    tried = done if ended else [*done, record]
    return {
        **record,
        'changed': any(one['changed'] for one in tried),
        'version': done[-1]['version'] if done and record['state'] == 'unknown' else record['version'],
        'pid_before': tried[0]['pid_before'],
        'version_before': tried[0]['version_before'],
        'began_at': tried[0]['began_at'],
        'ended_at': tried[-1]['ended_at'],
        'steps': _steps(tried),
        'downtime_ms': _sum(tried, 'downtime_ms'),
        'verified_ms': _sum(tried, 'verified_ms'),
        'findings': _all(tried, 'findings'),
        'sites': _all(tried, 'sites'),
        'pages': [page for one in tried for page in one['pages']],
        'notes': list(dict.fromkeys(note for one in tried for note in one['notes'])),
        'hops': [_hop(window, one) for window, one in zip(windows, tried, strict=False)],
        'reason': how_far(record, windows, len(done)) if record['failed'] and not ended else record['reason'],
    }


def dump_directory(result: t.Any) -> str:
    """Where a window that has ended well has put its dumps; empty where it has taken none."""
    steps = result.get('steps') or [] if result and result.get('outcome') == 'done' else []
    found = [(step.get('result') or {}).get('directory') for step in steps if step.get('name') == 'database']
    named = [str(one) for one in found if one]
    return named[0] if named and not is_hostile(named[0]) else ''


def not_packed(result: Data) -> list[str]:
    """Why the dumps were not compressed; empty where they were, or where there was nothing to be done."""
    if result.get('skipped') or not result or 'databases' in result:
        return []
    why = 'the connection was lost' if result.get('unreachable') else shown(result.get('msg') or 'no message', 300)
    return [f'The dumps were not compressed after the window: {why}']


def _own(record: Data, windows: t.Sequence[Data], before: t.Sequence[Data]) -> list[Data]:
    found: list[Data] = []
    for window, one in zip(windows, before, strict=False):
        if (one['dir'], one['run_id']) != (record['dir'], window['run_id']):
            break
        found.append(one)
    return found


def _hop(window: Data, record: Data) -> Record:
    told = {key: record[key] for key in ('outcome', 'downtime_ms', 'verified_ms')}
    return {**{key: window[key] for key in ('from', 'version', 'run_id')}, **told}


def _steps(records: t.Sequence[Data]) -> list[Record]:
    """Those of all windows, in milliseconds since the first one started; of the windows whose start is known."""
    first = records[0]['began_at']
    found = []
    for record in records if first is not None else []:
        later = round(1000 * ((record['began_at'] or first) - first))
        times = ({key: step[key] + later for key in ('started_ms', 'ended_ms')} for step in record['steps'])
        found += [{**step, **shifted} for step, shifted in zip(record['steps'], times)]
    return found


def _sum(records: t.Sequence[Data], key: str) -> int | None:
    """None where one of them is not known: a sum of the others would be too low."""
    values = [one[key] for one in records]
    return None if None in values else sum(values)


def _all(records: t.Sequence[Data], key: str) -> list[t.Any] | None:
    looked = [one[key] for one in records if one[key] is not None]
    return [entry for entries in looked for entry in entries] if looked else None


def how_far(record: Data, windows: t.Sequence[Data], count: int) -> str:
    """Why it failed, with the hops that stand and those that were not begun."""
    here = windows[count]
    parts = [f'Hop {count + 1} of {len(windows)} ({_named(here)}): {record["reason"]}']
    if count:
        stand = ', '.join(f'{_named(one)} (run {one["run_id"]})' for one in windows[:count])
        parts.append(f'The hops before it are done, and stand: {stand}.')
    if windows[count + 1 :]:
        parts.append(f'Not started: {", ".join(_named(one) for one in windows[count + 1 :])}.')
    return ' '.join(parts)


def _named(window: Data) -> str:
    return f'{window["from"]} -> {window["version"]}'


def line_part(hops: t.Sequence[Data], words: Words) -> str:
    """For the line of an instance; empty where there was one window."""
    texts = []
    for hop in hops:
        away = '' if hop['downtime_ms'] is None else f' {hop["downtime_ms"]} ms'
        texts.append(f'{_named(hop)} {words.known(hop["outcome"])}{away}')
    return words('hops: {hops}', hops=', '.join(texts)) if texts else ''
