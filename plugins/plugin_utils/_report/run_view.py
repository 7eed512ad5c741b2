# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What the page of a run shows, from its document. Pure."""

from __future__ import annotations

import collections
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language.words import Words
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._report import advice, timeline, times
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._run.document import BAD, WORKED

Data = t.Mapping[str, t.Any]
# Of every verb: the heading of its report.
TITLES: t.Mapping[str, str] = {
    'restart': 'Restart',
    'stop': 'Stop',
    'start': 'Start',
    'recover': 'Recovery',
    'configure': 'Change of the configuration',
    'upgrade': 'Upgrade',
    'rollback': 'Rollback',
}
LEVELS = ('good', 'plan', 'note', 'bad')


class Verdict(t.NamedTuple):
    """Whether all is well: one of ``LEVELS``, a headline, and a sentence."""

    level: str
    headline: str
    text: str


class Tile(t.NamedTuple):
    label: str
    value: str
    note: str = ''


class Row(t.NamedTuple):
    """An instance in the table and in the details. ``share``: its downtime in percent of the longest."""

    data: Data
    name: str
    level: str
    outcome: str
    versions: str
    downtime: str
    share: float
    verified: str
    begins: str
    lasts: str
    sites: str
    segments: t.Sequence[timeline.Segment]
    is_open: bool


def view(document: Data, clock: times.Clock, words: Words) -> dict[str, t.Any]:
    """By the names that the template knows."""
    instances = document['instances']
    worked = [row for row in instances if row['outcome'] not in ('left_out', 'not_touched')]
    rows = _rows(worked, clock, words)
    shown_kinds = {segment.kind for row in rows for segment in row.segments}
    return {
        'title': words.known(TITLES.get(document['verb'], document['verb'])),
        'run_id': document['run_id'],
        'verdict': verdict(document, words),
        'facts': _facts(document, clock, words),
        'tiles': _tiles(document, words),
        'advice': advice.of_run(document, words),
        'message': document['message'],
        'timeline': timeline.make(worked, clock, words),
        'kinds': [kind for kind in (*timeline.KINDS, 'other') if kind in shown_kinds],
        'rows': rows,
        'left_out': [row for row in instances if row['outcome'] == 'left_out'],
        'not_touched': [row for row in instances if row['outcome'] == 'not_touched'],
        'notifications': document['notifications'],
    }


# --- all is well, or what is not


def verdict(document: Data, words: Words) -> Verdict:
    totals, count = document['totals'], len(document['instances'])
    bad = sum(totals[name] for name in BAD)
    if bad:
        text = _state_of_rest(document, words)
        return Verdict('bad', words('Attention needed: {bad} of {all} instances', bad=bad, all=count), text)
    if document['message'] and not any(totals[name] for name in WORKED):
        return Verdict('bad', words('The run was refused'), words('No instance was worked on.'))
    if document['ended'] == 'interrupted':
        return Verdict('bad', words('The run was interrupted'), _state_of_rest(document, words))
    if document['ended'] == 'failed' or totals['not_touched']:
        return Verdict('bad', words('The run stopped before its end'), _state_of_rest(document, words))
    if document['check_mode']:
        text = words('Planned instances: {count}. Nothing is refused.', count=totals['planned'])
        return Verdict('plan', words('A plan: nothing was changed'), text)
    return _good(document, words)


def _state_of_rest(document: Data, words: Words) -> str:
    totals = document['totals']
    done = totals['done'] + totals['unchanged']
    if totals['not_touched']:
        return words('Done: {done}. Not touched: {rest}.', done=done, rest=totals['not_touched'])
    return words('Done: {done}.', done=done)


def _good(document: Data, words: Words) -> Verdict:
    rows, totals = document['instances'], document['totals']
    done = totals['done'] + totals['unchanged']
    remarks = sum(1 for row in rows if has_remarks(row))
    away = len({row['host'] for row in rows if row['why'] == 'unreachable'})
    if away:
        headline = words('Done, but hosts could not be reached: {away}', away=away)
        return Verdict('note', headline, _longest_text(rows, words))
    if not done:
        return Verdict('note', words('Nothing was to be done'), words('No instance was worked on.'))
    if remarks:
        headline = words('All instances are done, with remarks on {count} of {done}', done=done, count=remarks)
        return Verdict('note', headline, _longest_text(rows, words))
    return Verdict(
        'good', words('All is well: {done} of {done} instances are done', done=done), _longest_text(rows, words)
    )


def _longest_text(rows: t.Sequence[Data], words: Words) -> str:
    longest = _longest(rows)
    if longest is None:
        return words('No instance was down.')
    return words('No instance was down for longer than {time}.', time=times.duration(longest['downtime_ms']))


def has_remarks(row: Data) -> bool:
    """Whether something is to be read about an instance that is done.

    That nothing proves which site has answered is none: with older versions, nothing can.
    """
    return bool(row['findings'] or row['pages'] or not all(site.get('ok') for site in row['sites']))


def _longest(rows: t.Sequence[Data]) -> Data | None:
    return max((row for row in rows if row['downtime_known']), key=lambda row: row['downtime_ms'], default=None)


# --- the head


def _facts(document: Data, clock: times.Clock, words: Words) -> list[tuple[str, str]]:
    began, ended = document['began_at'], document['ended_at']
    hosts = {row['host'] for row in document['instances']}
    found = [
        (words('Run'), str(document['run_id'])),
        (words('Started at'), f'{clock.moment(began)} ({clock.offset(began)})' if began else ''),
        (words('Ended at'), f'{clock.moment(ended)}' if ended else ''),
        (words('Hosts'), str(len(hosts))),
        (words('Versions'), _versions(document['instances'])),
        (words('Resumes the run'), str(document['resumes'] or '')),
    ]
    return [(label, value) for label, value in found if value]


def _versions(rows: t.Sequence[Data]) -> str:
    """Each change of version with the number of instances, the most frequent first."""
    counts = collections.Counter(_version(row) for row in rows if row['version'])
    return ', '.join(f'{version} ({count})' for version, count in counts.most_common(4))


def _version(row: Data) -> str:
    before, after = row['version_before'], row['version']
    return f'{before} → {after}' if before and before != after else str(after)


def _tiles(document: Data, words: Words) -> list[Tile]:
    rows, totals = document['instances'], document['totals']
    bad = sum(totals[name] for name in BAD)
    done = totals['planned'] if document['check_mode'] else totals['done'] + totals['unchanged']
    longest, known = _longest(rows), [row['downtime_ms'] for row in rows if row['downtime_known']]
    tiles = [Tile(words('Planned') if document['check_mode'] else words('Done'), f'{done} / {len(rows)}')]
    if bad:
        tiles.append(Tile(words('Failed or lost'), str(bad)))
    if totals['not_touched']:
        tiles.append(Tile(words('Not touched'), str(totals['not_touched'])))
    if longest is not None:
        tiles.append(Tile(words('Longest downtime'), times.duration(longest['downtime_ms']), str(longest['host'])))
        tiles += [] if bad else [Tile(words('Median downtime'), times.duration(_median(known)))]
    if document['ended_at'] > document['began_at'] > 0:
        lasts = times.duration((document['ended_at'] - document['began_at']) * 1000)
        tiles.append(Tile(words('Whole run'), lasts))
    return tiles


def _median(values: t.Sequence[float]) -> float:
    ordered, middle = sorted(values), len(values) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


# --- the instances


def _rows(worked: t.Sequence[Data], clock: times.Clock, words: Words) -> list[Row]:
    longest = max((row['downtime_ms'] for row in worked), default=0)
    window = max((_lasts(row) for row in worked), default=0.0)
    return [_row(row, longest, window, clock, words) for row in worked]


def _lasts(row: Data) -> float:
    """Milliseconds of a window."""
    return (timeline.end_of(row) - row['began_at']) * 1000 if timeline.has_window(row) else 0.0


def _row(row: Data, longest: float, window: float, clock: times.Clock, words: Words) -> Row:
    lasts = _lasts(row)
    return Row(
        data=row,
        name=name_of(row),
        level=_level(row),
        outcome=words.known(row['outcome'].replace('_', ' ')),
        versions=_version(row),
        downtime=times.duration(row['downtime_ms']) if row['downtime_known'] else '-',
        share=round(100 * row['downtime_ms'] / longest, 1) if longest and row['downtime_known'] else 0.0,
        verified=times.duration(row['verified_ms']) if row['verified_known'] else '-',
        begins=clock.moment(row['began_at']) if row['began_at'] else '',
        lasts=times.duration(lasts) if lasts else '',
        sites=_sites(row),
        segments=timeline.segments(row, window, words) if window else [],
        is_open=row['outcome'] in BAD or has_remarks(row),
    )


def _level(row: Data) -> str:
    if row['outcome'] in BAD:
        return 'bad'
    return 'plan' if row['outcome'] == 'planned' else 'note' if has_remarks(row) else 'good'


def name_of(row: Data) -> str:
    """The directory's own name, which is that of the site by custom; else what there is."""
    return str(row['dir'] or '').rstrip('/').rpartition('/')[2] or str(row['id'] or '-')


def _sites(row: Data) -> str:
    sites = row['sites']
    return f'{sum(bool(site.get("ok")) for site in sites)} / {len(sites)}' if sites else ''
