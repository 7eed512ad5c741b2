# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The signals that this collection sent, as its journal has them: each process that was signalled is one event. Pure.

A window journals them with its run id. A task of its own has no run, so it gives its name as ``by``.
"""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.events import (
    CLEAN_STOP,
    GUARD_ADMIN_STOP,
    Event,
    Evidence,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.local_time import iso

SOURCE = 'journal.jsonl'
_CLOCK_S = 1.0  # how far off the time of an entry may be
_ONE_STOP_S = 3600.0  # between two signals to one process: no stop takes longer, and pids are used again

Entry = t.Mapping[str, t.Any]


class _Stop(t.NamedTuple):
    """Who signalled one process, and the entries that say so."""

    pid: int
    by: str
    run_id: t.Optional[str]
    entries: t.Tuple[Entry, ...]


def events(entries: t.Iterable[Entry], path: str) -> t.List[Event]:
    """An event for each process that was asked to end, or was killed. ``path``: of the journal."""
    return [_event(stop, path) for stop in _stops(entries)]


def _stops(entries: t.Iterable[Entry]) -> t.List[_Stop]:
    found: t.List[_Stop] = []
    run_id: t.Optional[str] = None
    for entry in entries:
        if entry.get('event') == 'begin':
            run_id = entry.get('run_id')
        if not _is_ending(entry):
            continue
        own = _Stop(entry['pid'], entry.get('by') or 'window', entry.get('run_id') or run_id, (entry,))
        own = own._replace(run_id=None) if entry.get('by') else own
        last = found[-1] if found else None
        if last is not None and last.pid == own.pid and entry['at'] - last.entries[-1]['at'] < _ONE_STOP_S:
            found[-1] = last._replace(entries=last.entries + (entry,))
        else:
            found.append(own)
    return found


def _is_ending(entry: Entry) -> bool:
    return (
        entry.get('event') == 'signal'
        and entry.get('signal') in ('SIGTERM', 'SIGKILL')
        and isinstance(entry.get('pid'), int)
        and isinstance(entry.get('at'), (int, float))
    )


def _event(stop: _Stop, path: str) -> Event:
    """It ended at the first signal, at the last one, or between them."""
    first, last = stop.entries[0]['at'], stop.entries[-1]['at']
    names = list(dict.fromkeys(entry['signal'] for entry in stop.entries))
    who = (
        'the task %s of this collection' % stop.by
        if stop.run_id is None and stop.by != 'window'
        else ('a window of this collection' + (' (run %s)' % stop.run_id if stop.run_id else ''))
    )
    details = dict(by=stop.by, run_id=stop.run_id, signals=names, how='%s sent %s' % (who, ', then '.join(names)))
    rows = tuple(
        Evidence(SOURCE, path, None, None, '%s %s to pid %d by %s' % (iso(entry['at']), entry['signal'], stop.pid, who))
        for entry in stop.entries
    )
    kind = GUARD_ADMIN_STOP if 'SIGKILL' in names else CLEAN_STOP
    middle, half = (first + last) / 2, abs(last - first) / 2
    return Event(kind, middle, half + _CLOCK_S, stop.pid, None, None, None, None, None, True, details, rows)
