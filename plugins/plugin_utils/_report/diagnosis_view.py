# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The document of a diagnosis, and what its page shows. Pure."""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _diagnosis
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language.words import Words
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._report import advice, timeline, times
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._report.run_view import Tile, Verdict, name_of

Data = t.Mapping[str, t.Any]
SCHEMA = 1
URGENCIES = tuple(name for name, _fits in _diagnosis.URGENCY)
_LEVELS = {'attention': 'note', 'restarted': 'note', 'fine': 'good'}
_MOST_ADVICE = 5
_MARK = 8.0  # the width of a death on the axis


class Mark(t.NamedTuple):
    """A death on the axis of time."""

    x: float
    text: str


class Lane(t.NamedTuple):
    data: Data
    marks: t.Sequence[Mark]


class Row(t.NamedTuple):
    data: Data
    name: str
    level: str
    urgency: str
    version: str
    died: str
    memory: str
    is_open: bool
    advice: t.Sequence[str]
    hazards: t.Sequence[Data]
    not_read: t.Sequence[Data]


def document(run_id: str, records: t.Sequence[Data], ended_at: float) -> dict[str, t.Any]:
    """Its schema is public, see docs/reports.md. ``records``: those of ``_diagnosis.records``."""
    totals = {name: sum(record['urgency'] == name for record in records) for name in URGENCIES}
    return {
        'schema': SCHEMA,
        'run_id': run_id,
        'verb': _diagnosis.VERB,
        'ended_at': ended_at,
        'totals': totals,
        'instances': list(records),
    }


def view(found: Data, clock: times.Clock, words: Words) -> dict[str, t.Any]:
    """By the names that the template knows."""
    records = found['instances']
    ticks, lanes = _timeline(records, clock, words)
    return {
        'title': words('Diagnosis'),
        'run_id': found['run_id'],
        'verdict': verdict(found, words),
        'facts': _facts(found, clock, words),
        'tiles': _tiles(found, words),
        'advice': _advice(records),
        'ticks': ticks,
        'lanes': lanes,
        'rows': [_row(record, clock, words) for record in records],
    }


def verdict(found: Data, words: Words) -> Verdict:
    totals, count = found['totals'], len(found['instances'])
    bad = sum(number for name, number in totals.items() if _level(name) == 'bad')
    remarks = totals['attention'] + totals['restarted']
    if bad:
        headline = words('Attention needed: {bad} of {all} instances', bad=bad, all=count)
        return Verdict('bad', headline, words('Fine: {count}.', count=totals['fine']))
    if remarks:
        headline = words('All instances are running, with remarks on {some} of {count}', count=count, some=remarks)
        return Verdict('note', headline, words('Fine: {count}.', count=totals['fine']))
    if not count:
        return Verdict('note', words('Nothing was checked'), words('No instance was found.'))
    text = words('They are running, none has died, and no problem was found.')
    return Verdict('good', words('All is well: {count} of {count} instances are fine', count=count), text)


def _level(urgency: str) -> str:
    return _LEVELS.get(urgency, 'bad')


def _facts(found: Data, clock: times.Clock, words: Words) -> list[tuple[str, str]]:
    since, until = _range(found['instances'])
    facts = [
        (words('Run'), str(found['run_id'])),
        (words('Time range'), f'{clock.moment(since)} – {clock.moment(until)}' if since and until else ''),
        (words('Hosts'), str(len({record['host'] for record in found['instances']}))),
    ]
    return [(label, value) for label, value in facts if value]


def _tiles(found: Data, words: Words) -> list[Tile]:
    return [Tile(words.known(name), str(number)) for name, number in found['totals'].items() if number]


def _advice(records: t.Sequence[Data]) -> list[advice.Advice]:
    """That of the most urgent instances, each text once, with the hosts for which it is meant."""
    hosts: dict[str, list[str]] = {}
    for record in records:
        for text in record['advice'] if _level(record['urgency']) == 'bad' else ():
            hosts.setdefault(str(text), []).append(f'{record["host"]} {name_of(record)}')
    return [advice.Advice(f'{", ".join(names[:3])}: {text}') for text, names in list(hosts.items())[:_MOST_ADVICE]]


# --- the deaths on the axis of time


def _epoch(text: t.Any) -> float:
    """Of a time in ISO 8601 with a zone; 0 where it is none."""
    try:
        return datetime.datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return 0.0


def _range(records: t.Sequence[Data]) -> tuple[float, float]:
    since = [moment for moment in (_epoch(record['since']) for record in records) if moment]
    until = [moment for moment in (_epoch(record['until']) for record in records) if moment]
    return min(since, default=0.0), max(until, default=0.0)


def _timeline(
    records: t.Sequence[Data], clock: times.Clock, words: Words
) -> tuple[t.Sequence[timeline.Tick], list[Lane]]:
    """Only instances that have died; nothing where none has, or nobody knows when."""
    since, until = _range(records)
    if not since < until:
        return [], []
    scale = timeline.WIDTH / (until - since)
    lanes = [Lane(record, _marks(record, since, scale, clock, words)) for record in records]
    return timeline.ticks(since, until, clock), [lane for lane in lanes if lane.marks]


def _marks(record: Data, since: float, scale: float, clock: times.Clock, words: Words) -> list[Mark]:
    deaths = [one for one in record['incidents'] if one.get('epoch')]
    return [
        Mark(
            round(min(max((one['epoch'] - since) * scale - _MARK / 2, 0.0), timeline.WIDTH - _MARK), 1),
            f'{clock.moment(one["epoch"])} {words.known(one.get("cause") or "")}',
        )
        for one in deaths
    ]


# --- the instances


def _row(record: Data, clock: times.Clock, words: Words) -> Row:
    return Row(
        data=record,
        name=name_of(record) if record['id'] or record['dir'] else '-',
        level=_level(record['urgency']),
        urgency=words.known(record['urgency']),
        version=str(record['version'] or '?').replace('?', '-'),
        died=clock.moment(record['epoch'] or 0.0),
        memory=_memory(record, words),
        is_open=_level(record['urgency']) == 'bad',
        advice=record['advice'] if record['urgency'] != 'fine' else (),
        hazards=_diagnosis.serious(record),
        not_read=[one for one in record['coverage'] if one.get('why_not')] if record['urgency'] == 'unknown' else [],
    )


def _memory(record: Data, words: Words) -> str:
    memory = record['memory'] or {}
    rss, room = memory.get('rss_kb'), memory.get('limit_kb') or memory.get('host_total_kb')
    if rss is not None and room:
        return words('{part} of {all} MiB', part=round(rss / 1024), all=round(room / 1024))
    if rss is not None:
        return f'{round(rss / 1024)} MiB'
    if record['last_rss_kb']:
        return words('{count} MiB at its end', count=round(record['last_rss_kb'] / 1024))
    return '-'
