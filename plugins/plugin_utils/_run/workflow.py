# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""One document of all jobs of a workflow in AWX, from the records that they have passed on. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._run import document

Data = t.Mapping[str, t.Any]


def make(workflow: str, given: t.Mapping[str, t.Mapping[str, Data]], hosts: t.Sequence[str]) -> dict[str, t.Any]:
    """``given``: the records by host and instance; ``hosts``: those of the inventory, some may have no record."""
    records = [{**record, 'host': host} for host, of_host in given.items() for record in of_host.values()]
    planned = [document.Planned(host) for host in hosts if not given.get(host)]
    planned += [_planned(record) for record in records if record.get('outcome') == 'planned']
    times = {name: [_seconds(record.get(name)) for record in records] for name in ('began_at', 'ended_at')}
    head = document.Head(
        run_id=workflow,
        verb=next((str(record['verb']) for record in records if record.get('verb')), 'restart'),
        began_at=min(filter(None, times['began_at']), default=0.0),
        ended_at=max(times['ended_at'], default=0.0),
        awx_job=workflow,
    )
    return {**document.make(head, planned, records), 'resume': _resume(records)}


def _resume(records: t.Sequence[Data]) -> str:
    """The run that can be resumed: the last one in which something failed. '' for none."""
    bad = [record for record in records if record.get('outcome') in document.BAD]
    last = max(bad, key=lambda record: _seconds(record.get('began_at')), default={})
    return str(last.get('run_id') or '')


def _planned(record: Data) -> document.Planned:
    """A job with the job type check has seen this instance, and none has worked on it."""
    known = {name: str(record.get(name) or '') for name in ('host', 'id', 'dir', 'version')}
    return document.Planned(**known, state=str(record.get('state') or 'unknown'))


def _seconds(value: t.Any) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0
