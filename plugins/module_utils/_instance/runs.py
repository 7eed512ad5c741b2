# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The windows of one instance that have ended well and changed something: what a later rollback goes by.

Each has a file in its directory below ``runs``, written just before its end is noted. When the end could not be noted,
the run is taken back, and the file goes first.
"""

import contextlib
import json
import os
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import foreign_json
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state as _state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import trusted

RESTORE_FACTOR = 10.0  # a load takes up to seven times as long as the dump did
_RESTORE_S = 3600.0  # where a dump does not say how long its restore may take

FORMAT = 1
ROLLBACK = 'rollback'
_FILE = 'changes.json'
# The others alone leave files and databases as they were, or nobody but a person can tell, as of commands.
_LASTING = ('release', 'config', ROLLBACK)
_ENDED_WELL = ('done', 'unchanged')
_SHOWN = 20

Entry = t.Dict[str, t.Any]


class Run(t.NamedTuple):
    """``name``: of its directory. ``number`` gives the order. ``before`` and ``after``: the versions.

    Each of ``changes`` has kind, number and data as the journal had them, and ``left``: what it had left at the end.
    """

    name: str
    run_id: str
    number: int
    at: float
    before: t.Optional[str]
    after: t.Optional[str]
    changes: t.List[Entry]

    @property
    def kinds(self) -> t.List[str]:
        return sorted({change['kind'] for change in self.changes})

    @property
    def rolls_back(self) -> t.Optional[str]:
        """The name of the run that this one has taken back."""
        return next((change['data'].get('run') for change in self.changes if change['kind'] == ROLLBACK), None)


# --- pure


def standing(runs: t.Sequence[Run]) -> t.List[Run]:
    """Those that nobody has rolled back, the oldest first. ``runs``: the oldest first."""
    gone: t.Set[t.Optional[str]] = set()
    for run in reversed(runs):
        if run.name not in gone:
            gone.add(run.rolls_back)
    return [run for run in runs if run.name not in gone]


def later(runs: t.Sequence[Run], than: Run) -> t.List[Run]:
    """Those that have changed something after a run, and stand. A rollback counts as nothing: what it undid is gone."""
    return [run for run in standing(runs) if run.number > than.number and run.rolls_back is None]


def rolled_back_by(runs: t.Sequence[Run], run: Run) -> t.Optional[Run]:
    """The rollback that stands; None where the run itself stands."""
    return next((one for one in standing(runs) if one.rolls_back == run.name), None)


def named(runs: t.Sequence[Run], run_id: str) -> t.Optional[Run]:
    """The newest of this run id that stands, else the newest: one may have been given twice."""
    found = [run for run in runs if run.run_id == run_id]
    stand = [run for run in standing(runs) if run.run_id == run_id]
    best = stand or found
    return best[-1] if best else None


def lasts(changes: t.Iterable[Entry]) -> bool:
    return any(change['kind'] in _LASTING for change in changes)


def described(runs: t.Sequence[Run]) -> t.List[Entry]:
    """For people and playbooks, the newest first."""
    stand = {run.name for run in standing(runs)}
    return [
        dict(
            run_id=run.run_id,
            at=run.at,
            version_before=run.before,
            version_after=run.after,
            changes=run.kinds,
            stands=run.name in stand,
        )
        for run in reversed(runs)
    ]


def badly_ended(journal: t.Sequence[Entry]) -> t.List[Entry]:
    """The runs whose newest window on the instance has not ended well, or not at all, the newest first.

    ``journal``: the oldest first, which goes back only as far as it was kept.
    """
    newest: t.List[Entry] = []
    for entry in journal:
        if entry.get('event') == 'begin':
            newest = [run for run in newest if run['run_id'] != entry.get('run_id')]
            newest.append(dict(run_id=entry.get('run_id'), at=entry.get('at'), outcome='unfinished'))
        elif entry.get('event') == 'end' and newest:
            newest[-1].update(at=entry.get('at'), outcome=entry.get('outcome'))
    return [run for run in reversed(newest) if run['outcome'] not in _ENDED_WELL][:_SHOWN]


# --- files


def read_all(state: _state.StateDir) -> t.List[Run]:
    """The oldest first. LifecycleError where one cannot be read: it may be the one that matters."""
    place = os.path.join(state.path, 'runs')
    names = sorted(os.listdir(place)) if os.path.isdir(place) else []
    found = [_read(os.path.join(place, name, _FILE), name) for name in names]
    return sorted((run for run in found if run is not None), key=lambda run: run.number)


def _read(path: str, name: str) -> t.Optional[Run]:
    data = trusted.read_if_there(path)
    if data is None:
        return None
    try:
        values = foreign_json.load(data)
        if values.pop('format') != FORMAT:
            raise ValueError('it has an unknown format')
        for change in values['changes']:
            change['kind'], change['number'], change['data']
        return Run(name=name, **values)
    except (ValueError, LookupError, TypeError, AttributeError) as exc:
        raise LifecycleError(
            '%s cannot be used: %s. Nothing was done. Update the collection on the controller, or move the file away '
            '(that run can then not be rolled back).' % (path, exc)
        ) from exc


def keep(
    state: _state.StateDir,
    directory: str,
    run_id: str,
    at: float,
    versions: t.Sequence[t.Optional[str]],
    changes: t.Sequence[Entry],
) -> None:
    """Write that of a run that ends now. OSError, LifecycleError."""
    known = [run.number for run in read_all(state)]
    values = dict(
        format=FORMAT,
        run_id=run_id,
        number=max(known + [0]) + 1,
        at=at,
        before=versions[0],
        after=versions[1],
        changes=list(changes),
    )
    trusted.write_atomic(os.path.join(directory, _FILE), json.dumps(values).encode('utf-8'))
    trusted.flush_directory(directory)


def forget(directory: str) -> None:
    """Of a run that is taken back after all."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(directory, _FILE))


# --- how long a way back may take: pure


def restore_s(data: t.Mapping[str, t.Any]) -> float:
    """Seconds that the restore of one dump may take, from what was recorded with it."""
    return float(data.get('restore_s') or _RESTORE_S)


def restores_s(changes: t.Iterable[_state.Entry]) -> float:
    """The same for all dumps among the changes of a run."""
    return sum(restore_s(change['data']) for change in changes if change['kind'] == 'database')
