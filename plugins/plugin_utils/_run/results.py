# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The records of a run for programs: the data that ``set_stats`` passes on, and that AWX stores as artifacts. Pure.

In a workflow of AWX, an artifact replaces that of the same name from the node before. So the name contains the number
of the workflow, and each job passes on what it was given under that name.
"""

from __future__ import annotations

import json
import typing as t

Data = t.Mapping[str, t.Any]
NAME = 'anqicms_results'
MOST_BYTES = 4096  # of one record, as JSON
# Entries of lists and characters of texts, one after the other until the record is small enough.
_CUTS = ((10, 600), (5, 200), (2, 100), (0, 60))


def name_of(variables: Data) -> str:
    """The variable that the run sets."""
    workflow = variables.get('awx_workflow_job_id') or variables.get('tower_workflow_job_id')
    return f'{NAME}_{workflow}' if str(workflow).isdecimal() else NAME


def given(name: str, variables: Data) -> dict[str, dict[str, t.Any]]:
    """What the earlier jobs of a workflow have passed on. AWX makes extra variables of it, so keys may be numbers."""
    value = variables.get(name) if name != NAME else None
    hosts = value.items() if isinstance(value, t.Mapping) else ()
    return {
        str(host): {str(key): record for key, record in records.items() if isinstance(record, t.Mapping)}
        for host, records in hosts
        if isinstance(records, t.Mapping)
    }


def passed_on(data: t.Any) -> dict[str, t.Any]:
    """What a task returns to do the work of ``set_stats``: AWX stores it as artifacts."""
    return {'ansible_stats': {'data': data, 'per_host': False, 'aggregate': True}}


def of_record(name: str, host: str, record: Data) -> dict[str, t.Any]:
    return {name: {host: {str(record['id']): shortened(record)}}}


def shortened(record: Data) -> Data:
    """The same keys within ``MOST_BYTES``."""
    found = record
    for entries, characters in _CUTS:
        if len(json.dumps(found)) <= MOST_BYTES:
            break
        found = {key: _cut(value, entries, characters) for key, value in record.items()}
    return found


def _cut(value: t.Any, entries: int, characters: int) -> t.Any:
    if isinstance(value, str):
        return value if len(value) <= characters else value[:characters] + '...'
    if isinstance(value, (list, tuple)):
        return [_cut(entry, entries, characters) for entry in value[:entries]]
    if isinstance(value, t.Mapping):
        return {key: _cut(entry, entries, characters) for key, entry in value.items()}
    return value
