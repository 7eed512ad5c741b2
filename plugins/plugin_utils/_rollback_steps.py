# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Which instances a run has changed, and the steps of the window that takes it back. Pure."""

from __future__ import annotations

import typing as t

Step = dict[str, t.Any]
Options = t.Mapping[str, t.Any]


def run_of(runs: t.Sequence[t.Mapping[str, t.Any]] | None, run_id: str) -> dict[str, t.Any]:
    """What an instance tells of a run, the one that stands where the id was given twice; empty when it knows none.

    ``runs``: as ``instance_info`` tells them, the newest first.
    """
    found = [run for run in runs or [] if run['run_id'] == run_id]
    return dict(next((run for run in found if run['stands']), found[0] if found else {}))


def steps(run: t.Mapping[str, t.Any], options: t.Mapping[str, Options], checks: t.Sequence[Step]) -> list[Step]:
    """One window, in which a failure takes all back to what runs now; no step where there is nothing to take back.

    ``run``: from ``run_of``. ``options``: by the names of steps. ``checks``: the steps after the start.
    """
    if not run.get('stands'):
        return []
    database = options.get('database', {})
    dumped: list[Step] = [{'database': {**database, 'all_sites': True, 'state': 'dumped'}}]
    return [
        {'graceful_stop': options.get('graceful_stop', {})},
        *(dumped if 'database' in run['changes'] else []),
        {'keep_files': {'state': 'kept'}},
        {'rollback': {**database, **options.get('rollback', {}), 'run_id': run['run_id']}},
        {'port_released': options.get('port_released', {})},
        {'verified_start': options.get('verified_start', {})},
        *checks,
    ]


def steps_of(
    runs: t.Sequence[t.Mapping[str, t.Any]] | None,
    run_id: str,
    options: t.Mapping[str, Options],
    checks: t.Sequence[Step],
) -> list[Step]:
    """The steps for one instance."""
    return steps(run_of(runs, run_id), options, checks)
