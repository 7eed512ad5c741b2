# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The runs that were to work on an instance, recorded when they looked at it, before the first window of the fleet.

Each is a line of ``planned.jsonl``. So a run that has not reached the instance is known here, however it ended.
"""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import records as _records
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state as _state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import trusted

_FILE = 'planned.jsonl'
_KEEP, _MOST = 20, 40  # it is shortened to the newest 20 when it has more than 40

Entry = t.Dict[str, t.Any]


def read(state: _state.StateDir) -> t.List[Entry]:
    """The oldest first. trusted.DamagedState where a line is of a newer format, or odd."""
    return trusted.read_lines(state.file(_FILE), _records.PLAN)


def add(state: _state.StateDir, plan: t.Mapping[str, t.Any], version: t.Optional[str]) -> None:
    """Note one more. OSError, LifecycleError: then only the work itself will tell of the run."""
    known = read(state)
    state.make()
    entry = {key: plan[key] for key in ('run_id', 'verb', 'resumes', 'fleet') if plan.get(key) is not None}
    state.append(_FILE, dict(entry, version=version) if version else entry)
    if len(known) >= _MOST:
        state.keep_newest(_FILE, read(state)[-_KEEP:])


def described(plans: t.Sequence[Entry], begun: t.Collection[str]) -> t.List[Entry]:
    """For results, the newest first. ``begun``: the names of the runs that the journal knows. Pure."""
    return [
        dict(
            run_id=plan['run_id'],
            verb=plan['verb'],
            at=plan.get('at'),
            resumes=plan.get('resumes'),
            fleet=plan.get('fleet') or [],
            version=plan.get('version'),
            begun=any(name == plan['run_id'] or is_hop_of(name, plan['run_id']) for name in begun),
        )
        for plan in reversed(plans[-_KEEP:])
    ]


def is_hop_of(name: str, run_id: str) -> bool:
    """Whether it is the window of a run with a window for each hop: the version of the hop follows. Pure."""
    rest = name[len(run_id) :]
    return name.startswith(run_id + '-') and rest[1:].replace('.', '').isdigit()


def concerns(row: t.Mapping[str, t.Any], plan: t.Mapping[str, t.Any]) -> bool:
    """Whether the run is to work on the instance, as far as it shows here. ``row``: its description. Pure."""
    only = plan.get('only') or []
    if only and row['id'] not in only:
        return False
    if plan.get('found') and not only and row['foreign']:
        return False
    if plan.get('only_if_needed') and not _needs_restart(row):
        return False
    if plan.get('to_version') and (row['version']['running'] or row['version']['files']) == plan['to_version']:
        return False
    if plan.get('of_run') and plan['of_run'] not in [run['run_id'] for run in row['runs'] if run['stands']]:
        return False
    return not plan.get('resumes') or _was_part_of(row, plan['resumes'], plan['verb'])


def _needs_restart(row: t.Mapping[str, t.Any]) -> bool:
    return row['state'] != 'running' or 'binary_replaced' in {hazard['code'] for hazard in row['hazards']}


def _was_part_of(row: t.Mapping[str, t.Any], run_id: str, verb: str) -> bool:
    """Whether a run was to do the same with it, or has done something."""
    verbs = {plan['run_id']: plan['verb'] for plan in row['planned'] or []}
    worked = [str(run['run_id']) for run in row['last_runs']]
    known = run_id in verbs or any(name == run_id or is_hop_of(name, run_id) for name in worked)
    return known and verbs.get(run_id, verb) == verb
