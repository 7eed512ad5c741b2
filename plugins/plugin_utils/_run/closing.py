# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The closing table: what a run did, what it left out, what it did not touch, and what to do next. Pure.

A row for each instance that was worked on, the bad ones last; then the others by reason, as names in lines.
"""

from __future__ import annotations

import datetime
import typing as t

import zoneinfo

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _options
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language.words import Words
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._run import document as _document
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._table import table
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import shown

Data = t.Mapping[str, t.Any]
MOST_BYTES = 1000  # of a line: AWX shows 1,024 bytes of an event
_ORDER = ('planned', 'unchanged', 'done', 'rolled_back', 'lost', 'failed')
_MOST_NAMES = 200  # of one reason; the data have all of them
_MOST_REFUSALS = 20
_LINE, _NAME, _REASON = 110, 80, 160  # characters
# Where the record of a run can leave out what it has finished.
_RESUMED = _options.OPTIONS['anqicms_resume'].verbs


def lines(document: Data, words: Words, zone: str | None) -> list[str]:
    """``document``: see ``_run/document.py``. ``zone``: a name such as Asia/Shanghai; None: that of the controller."""
    rows = document['instances']
    worked = [row for row in rows if row['outcome'] in _document.WORKED]
    parts = [
        ['', _head(document, words, zone)],
        _table(document, worked, words),
        _groups(rows, words) if worked or document['ended'] == 'finished' else _refusals(document, words),
        _totals(document, words),
        _next(document, worked, words),
    ]
    return [_cut(line) for part in parts for line in part]


# --- the first line


def _head(document: Data, words: Words, zone: str | None) -> str:
    verb, run = words.known(shown(document['verb'])), shown(document['run_id'], _NAME)
    ended = words.known(document['ended'])
    if document['check_mode']:
        ended = words('{ended} (check mode)', ended=ended)
    if not run:
        return words('{verb}: {ended}', verb=verb, ended=ended)
    when, seconds = _local(document['began_at'], zone), _seconds(document)
    return words(
        '{verb}: {ended}. Run {run}, {when}, {seconds} s', verb=verb, ended=ended, run=run, when=when, seconds=seconds
    )


def _local(epoch: float, zone: str | None) -> str:
    try:
        where = zoneinfo.ZoneInfo(zone) if zone else None
        return datetime.datetime.fromtimestamp(epoch, where).strftime('%Y-%m-%d %H:%M:%S')
    except (ValueError, OSError, OverflowError, zoneinfo.ZoneInfoNotFoundError):
        return '-'


def _seconds(document: Data) -> int:
    return max(0, round(float(document['ended_at'] - document['began_at'])))


# --- the rows


def _table(document: Data, worked: t.Sequence[Data], words: Words) -> list[str]:
    """The plan has shown already what check mode would do."""
    rows = [row for row in worked if not (document['check_mode'] and row['outcome'] == 'planned')]
    if not rows:
        return []
    headings = (words('host'), words('id'), words('version'), words('outcome'), words('downtime'), words('reason'))
    ordered = sorted(rows, key=lambda row: _ORDER.index(row['outcome']))
    return table([(_cells(row, words), []) for row in ordered], headings)


def _cells(row: Data, words: Words) -> tuple[str, ...]:
    downtime = words('{ms} ms', ms=row['downtime_ms']) if row['downtime_known'] else '-'
    reason = words.known(row['reason']) if row['outcome'] in _document.BAD else ''
    return (
        shown(row['host'], _NAME),
        shown(row['id'] or '-', _NAME),
        _version(row),
        words.known(_word(row['outcome'])),
        downtime,
        shown(reason, _REASON),
    )


def _version(row: Data) -> str:
    before, after = (shown(row[key] or '?', 40) for key in ('version_before', 'version'))
    return after if before in (after, '?') else f'{before} -> {after}'


def _word(code: str) -> str:
    return code.replace('_', ' ')


# --- those without any work


def _groups(rows: t.Sequence[Data], words: Words) -> list[str]:
    texts = {
        'not_touched': words('Not touched'),
        'unreachable': words('Left out, unreachable'),
        'limit': words('Left out by --limit'),
        'only': words('Left out by anqicms_only'),
        'not_needed': words('Left out, restart not needed'),
        'finished': words('Left out, finished by the resumed run'),
        'not_part': words('Left out, not part of the resumed run'),
        'foreign': words('Left out, install of another user'),
    }
    found: list[str] = []
    for key, text in texts.items():
        names = [_name(row) for row in rows if key == (row['why'] or row['outcome'])]
        found += _in_lines(text, names, words)
    return found


def _name(row: Data) -> str:
    host = shown(row['host'], _NAME)
    return f'{host} ({shown(row["id"], _NAME)})' if row['id'] else host


def _in_lines(text: str, names: t.Sequence[str], words: Words) -> list[str]:
    """As many lines as the names need; none without names."""
    more = len(names) - _MOST_NAMES
    listed = [*names[:_MOST_NAMES], *([words('and {count} more', count=more)] if more > 0 else [])]
    found: list[str] = []
    for name in listed:
        if found and len(found[-1]) + len(name) < _LINE:
            found[-1] += f', {name}'
        else:
            found[-1:] = [found[-1] + ',', f'  {name}'] if found else [f'{text}: {name}']
    return found


def _refusals(document: Data, words: Words) -> list[str]:
    """Why nothing was done. The plan has shown all instances already."""
    if document['message']:
        return [f'  ! {shown(words.known(document["message"]))}']
    named = [row for row in document['instances'] if row['outcome'] == 'not_touched' and row['reason']]
    texts = [f'  ! {_name(row)}: {shown(words.known(row["reason"]), 2 * _REASON)}' for row in named]
    more = len(texts) - _MOST_REFUSALS
    return texts[:_MOST_REFUSALS] + ([words('  and {count} more', count=more)] if more > 0 else [])


# --- the end


def _totals(document: Data, words: Words) -> list[str]:
    counts = [
        words('{count} {outcome}', count=count, outcome=words.known(_word(outcome)))
        for outcome, count in document['totals'].items()
        if count
    ]
    return [words('Result: {counts}', counts=', '.join(counts))] if counts and not document['message'] else []


def _next(document: Data, worked: t.Sequence[Data], words: Words) -> list[str]:
    if document['check_mode']:
        return [words('Check mode: nothing was changed.')]
    if document['ended'] == 'finished':
        return _after_success(document, words)
    if not worked and document['ended'] == 'interrupted':
        return [words('Nothing was done. Run the same command again.')]
    if not worked:
        return [words('Nothing was done. Fix the cause, then run the same command again.')]
    return _after_failure(document, words)


def _after_success(document: Data, words: Words) -> list[str]:
    if not any(row['why'] == 'unreachable' for row in document['instances']):
        return []
    return [words('Next: when the unreachable hosts are back, {how}', how=_again(document, words))]


def _after_failure(document: Data, words: Words) -> list[str]:
    totals = document['totals']
    found = [words('Next: fix the cause, then {how}', how=_again(document, words))]
    if totals['lost']:
        found.append(words('Check the lost instances with the playbook anqicms.lifecycle.status.'))
    if document['awx_job'] and totals['not_touched']:
        found.append(words("AWX: 'Relaunch on failed hosts' would leave out the instances that were not touched."))
    return found


def _again(document: Data, words: Words) -> str:
    run = shown(document.get('resume', document['run_id']), _NAME)  # that of a workflow is no run of its own
    if document['verb'] not in _RESUMED or not run:
        return words('run the same command again.')
    return words('run the same command with -e anqicms_resume={run}', run=run)


def _cut(line: str) -> str:
    """At most ``MOST_BYTES``, and no half character."""
    data = line.encode('utf-8', 'replace')
    return line if len(data) <= MOST_BYTES else data[: MOST_BYTES - 3].decode('utf-8', 'ignore') + '...'
