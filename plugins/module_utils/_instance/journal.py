# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What the journal of an instance says of its runs. Pure."""

import hashlib
import re
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import procfs

_KEEP_SIGNALS = 400
_KEPT = ('signal', 'task', 'task_end')
_MAY_CHANGE = ('verified_start', 'command')  # steps that leave no trace in the journal before they do
LAUNCH = 'launch'  # the change that each window with changes begins with: how it was started before

Entry = t.Dict[str, t.Any]


def last_run(entries: t.Sequence[Entry]) -> t.List[Entry]:
    """The entries of the newest run: from its ``begin`` on."""
    for index in range(len(entries) - 1, -1, -1):
        if entries[index].get('event') == 'begin':
            return list(entries[index:])
    return []


def unfinished(run: t.Sequence[Entry]) -> t.Optional[Entry]:
    """What is known of a run without an ``end``: run id, its last step, its process before; None when it ended."""
    if not run or any(entry.get('event') == 'end' for entry in run):  # a late entry may stand after it
        return None
    run = [entry for entry in run if not entry.get('by')]  # a task of its own is no part of it
    steps = [entry for entry in run if entry.get('event') == 'step']
    parked = [entry for entry in run if entry.get('event') == 'parked' and 'pid' in entry and 'start_ticks' in entry]
    begin = run[0]
    recovered = [entry for entry in run if entry.get('event') == 'recovered']
    if begin.get('recovers') and not recovered:
        earlier = begin['recovers']  # it had that one to put right first, and has not
        return dict(
            earlier, changes=_without_undone(earlier.get('changes') or [], run), had_changes=has_had_changes(earlier)
        )
    before = (recovered or [begin])[-1].get('before')
    signalled = any(entry.get('event') == 'signal' for entry in run)
    stays = [entry for entry in run if entry.get('event') in ('guardian_stays', 'guardian_left')]
    own = run[run.index(recovered[-1]) :] if recovered else run
    changes = [_change_of(entry) for entry in own if entry.get('event') == 'change']
    return dict(
        run_id=begin.get('run_id'),
        token=begin.get('token'),
        began_at=begin.get('at'),
        force=begin.get('force'),
        hosts=begin.get('hosts'),
        accepts=begin.get('accepts'),
        guardian=_guardian_of(stays),
        waits_for=stays[-1].get('waits_for') if stays else None,
        boot_id=begin.get('boot_id'),
        step=steps[-1].get('name') if steps else None,
        steps=begin.get('steps'),
        before=before,
        signalled=signalled,
        parked=parked[-1] if parked else None,
        changes=_without_undone(changes, own),
        had_changes=bool(changes),
    )


def _change_of(entry: Entry) -> Entry:
    return {key: entry.get(key) for key in ('kind', 'number', 'data')}


def _without_undone(changes: t.Sequence[Entry], run: t.Sequence[Entry]) -> t.List[Entry]:
    """The changes that still stand, the oldest first."""
    undone = {entry.get('number') for entry in run if entry.get('event') == 'undone'}
    return [change for change in changes if change['number'] not in undone]


def lasting(changes: t.Sequence[Entry]) -> t.List[Entry]:
    """Those that change something themselves: that of the launch record only says what a start may replace. Pure."""
    return [change for change in changes if change['kind'] != LAUNCH]


def has_had_changes(run: t.Mapping[str, t.Any]) -> bool:
    """Whether a run has recorded changes, also when all of them were taken back since. Pure."""
    return bool(run.get('had_changes') or run.get('changes'))


def _guardian_of(entries: t.Sequence[Entry]) -> t.Optional[Entry]:
    """The guardian that stayed behind: its pid, when it stayed and for how long; None once it has left."""
    if not entries or entries[-1].get('event') != 'guardian_stays':
        return None
    return {key: entries[-1].get(key) for key in ('pid', 'at', 'limit_s')}


def kept_of_journal(entries: t.Sequence[Entry]) -> t.List[Entry]:
    """What stays when the journal is shortened. Pure.

    That is the last window, who was signalled before it, for ``oom_check``, and the last runs without a window.
    """
    run = last_run(entries)
    earlier = [entry for entry in entries[: len(entries) - len(run)] if entry.get('event') in _KEPT]
    too_many = [id(entry) for entry in run if entry.get('by')][:-_KEEP_SIGNALS]
    return earlier[-_KEEP_SIGNALS:] + [entry for entry in run if id(entry) not in too_many]


def is_of_this_boot(run: t.Mapping[str, t.Any]) -> bool:
    """Whether pids, start times and the monotonic clock that a run has noted mean anything today."""
    return run.get('boot_id') == procfs.boot_id()


def steps_begun(run: t.Sequence[Entry]) -> t.List[Entry]:
    """Name of the steps that the journal of a run knows, whether they ended well, and whether they changed something.

    What was broken off may have done what it was to do; a stop has done nothing before its first signal.
    """
    found: t.List[Entry] = []
    for entry in run:
        event = entry.get('event')
        if event == 'step':
            found.append(dict(name=entry.get('name'), changed=entry.get('name') in _MAY_CHANGE, ok=False))
        elif event == 'step_end' and found:
            found[-1].update(ok=entry.get('ok'), changed=entry.get('changed', found[-1]['changed']))
        elif event in ('signal', 'change') and found and not entry.get('by'):
            found[-1]['changed'] = True
    return found


def has_changed(run: t.Sequence[Entry]) -> bool:
    """Whether a run that left no result may have changed something, or the earlier run that it put right."""
    return any(step['changed'] for step in steps_begun(run)) or bool(run and run[0].get('recovers'))


def _file_name(run_id: str) -> str:
    """A run id as the name of a file; one that had to be changed gets a hash, so that two stay two."""
    plain = re.sub(r'[^A-Za-z0-9_-]', '-', run_id)[:80]
    return plain if plain == run_id else '%s-%s' % (plain, hashlib.sha256(run_id.encode('utf-8')).hexdigest()[:8])


def run_name(run_id: str, token: str) -> str:
    """The name of a run's directory."""
    name = _file_name(run_id)
    return '%s-%s' % (name, hashlib.sha256(token.encode('utf-8')).hexdigest()[:8]) if token else name


def runs_needed(run: t.Optional[Entry], place: str) -> t.Set[str]:
    """The names of the directories in ``place`` that taking an unfinished run back needs. Pure."""
    if run is None:
        return set()
    paths = [
        value
        for change in run.get('changes') or []
        for value in change['data'].values()
        if isinstance(value, str) and value.startswith(place + '/')
    ]
    own = run_name(run.get('run_id') or '', run.get('token') or '')
    return {path[len(place) + 1 :].split('/')[0] for path in paths} | {own}
