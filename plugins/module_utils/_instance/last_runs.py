# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The newest runs of an instance as its journal has them: windows, and tasks such as a stop.

Pure, but for ``here`` and ``left``.
"""

import os
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import procfs

SHOWN = 5
RECOVER = 'recover'
# Outcomes of a run that has no end in the journal: at work, left for a recovery, and not known (of tasks).
UNDER_WAY, UNFINISHED, UNKNOWN = 'under_way', 'unfinished', 'unknown'
_ENDED_WELL = ('done', 'unchanged')

Entry = t.Dict[str, t.Any]


def read(entries: t.Sequence[Entry], worked_on: t.Callable[[], bool]) -> t.List[Entry]:
    """The newest first. ``entries``: of the journal. ``worked_on``: whether somebody holds the lock now."""
    runs = _runs(entries)[: -SHOWN - 1 : -1]
    if runs and runs[0]['outcome'] is None and worked_on():
        runs[0]['outcome'] = UNDER_WAY
    for run in runs:
        if run['outcome'] is None:
            run['outcome'] = UNKNOWN if run['tasks'] else UNFINISHED
    return runs


def begun(entries: t.Sequence[Entry]) -> t.Set[str]:
    """The names of all runs that the journal knows."""
    return {str(entry['run_id']) for entry in entries if entry.get('event') in ('begin', 'task') and 'run_id' in entry}


def _runs(entries: t.Sequence[Entry]) -> t.List[Entry]:
    runs: t.List[Entry] = []
    for entry in entries:
        event = entry.get('event')
        if event == 'begin':
            runs.append(_new(entry, tasks=False))
        elif event == 'task' and not _goes_on(runs, entry):
            runs.append(_new(entry, tasks=True))
        run = _run_of(runs, entry)
        if run is not None:
            _add(run, entry)
    return runs


def _new(entry: Entry, tasks: bool) -> Entry:
    steps = list(entry.get('steps') or [])
    return dict(
        run_id=entry.get('run_id'),
        verb=None if steps or tasks else RECOVER,
        outcome=None,
        began_at=entry.get('at'),
        ended_at=None,
        step=None,
        steps=steps,
        version=None,
        state=None,
        after=None,
        boot_id=entry.get('boot_id'),
        pid_space=None,
        tasks=tasks,
        done=[],
    )


def _goes_on(runs: t.Sequence[Entry], entry: Entry) -> bool:
    """Whether a task is not the first one of its run. A run id may be given twice."""
    last = runs[-1] if runs else None
    same = last is not None and last['tasks'] and last['run_id'] == entry.get('run_id')
    return same and (entry.get('steps') or [None])[0] != entry.get('by')


def _run_of(runs: t.Sequence[Entry], entry: Entry) -> t.Optional[Entry]:
    """That of an entry: tasks name theirs, and are no part of the window before them."""
    tasks = bool(entry.get('by'))
    found = [run for run in runs if run['tasks'] == tasks and (not tasks or run['run_id'] == entry.get('run_id'))]
    return found[-1] if found else None


def _add(run: Entry, entry: Entry) -> None:
    event = entry.get('event')
    if event == 'step':
        run['step'] = entry.get('name')
    elif event == 'step_end' and entry.get('ok'):
        run['step'] = None
    elif event == 'task':
        run['step'] = entry.get('by')
    elif event == 'end':
        run.update(_end(entry), outcome=entry.get('outcome'))
    elif event == 'task_end':
        _end_task(run, entry)


def _end(entry: Entry) -> Entry:
    told = {
        key: entry[key] for key in ('state', 'after', 'version', 'boot_id', 'pid_space') if entry.get(key) is not None
    }
    return dict(told, ended_at=entry.get('at'))


def _end_task(run: Entry, entry: Entry) -> None:
    """A run of tasks has ended with the first one that failed, or when all were done."""
    run.update(_end(entry))
    if entry.get('outcome') not in _ENDED_WELL:
        run['outcome'] = entry.get('outcome')
        return
    run['done'].append(entry)
    run['step'] = None
    if {one.get('by') for one in run['done']} >= set(run['steps']):
        run['outcome'] = 'done' if any(one.get('outcome') == 'done' for one in run['done']) else 'unchanged'


class Here(t.NamedTuple):
    """Where numbers of processes have a meaning: since which boot, and in which namespace."""

    boot_id: str
    pid_space: str


def here() -> Here:
    """Of this process."""
    try:
        space = os.readlink('/proc/self/ns/pid')
    except OSError:
        space = 'unknown'
    return Here(procfs.boot_id(), space)


def as_left(run: Entry, state: str, process: t.Optional[t.Tuple[int, int]], now: Here) -> t.Optional[bool]:
    """Whether an instance is as the run has left it: the same process, or still stopped. None: not known.

    ``process``: pid and start of the only process; ``state``: of the instance now.
    """
    if state == 'ambiguous' or run['state'] is None or run['pid_space'] != now.pid_space:
        return None
    if run['after'] is None:
        return state == 'stopped' if run['state'] == 'stopped' else None
    left = (run['after']['pid'], run['after']['start_ticks'])
    return run['boot_id'] == now.boot_id and process == left


def shown(run: Entry, left: t.Optional[bool]) -> Entry:
    """For results."""
    keys = ('run_id', 'verb', 'outcome', 'began_at', 'ended_at', 'step', 'steps', 'version', 'state')
    return dict({key: run[key] for key in keys}, pid=(run['after'] or {}).get('pid'), as_left=left)


def left(state: t.Optional[str], pid: t.Optional[int] = None, version: t.Optional[str] = None) -> Entry:
    """What a run leaves, for the end in the journal: so it can be told later whether the instance is still so."""
    after = None
    if pid is not None:
        try:
            with procfs.ProcDir(pid) as proc:
                stat = proc.stat()
        except OSError:
            stat = None  # it has ended since: nothing will ever be found to be this process
        after = dict(pid=pid, start_ticks=stat.start_ticks if stat else 0)
    return dict(here()._asdict(), state=state, after=after, version=version)
