# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What a notification of one's own is about: a document of a run, or the records of its instances. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _readers as read
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._run import document as _document


def document(value: t.Any) -> dict[str, t.Any]:
    """The document of run.json, or one that is made of the records of anqicms_results, by host and id."""
    found = read.dictionary(value)
    if 'instances' in found:
        if not _are_instances(found['instances']):
            raise ValueError('an entry of its instances has no host or no known outcome')
        return found
    if not found:
        raise ValueError('it is empty')
    records = [_record(host, by_id) for host, by_id in found.items()]
    return _of_records([record for of_host in records for record in of_host])


def _record(host: str, by_id: t.Any) -> list[dict[str, t.Any]]:
    if not isinstance(by_id, dict):
        raise ValueError('it has neither instances nor records by host and id')
    records = [{'id': name, **one, 'host': host} if isinstance(one, dict) else {} for name, one in by_id.items()]
    if not _are_instances(records):
        raise ValueError('a record has no known outcome')
    return records


def _are_instances(value: t.Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(one, dict) and isinstance(one.get('host'), str) and one.get('outcome') in _document.OUTCOMES
        for one in value
    )


def _of_records(records: t.Sequence[dict[str, t.Any]]) -> dict[str, t.Any]:
    run_id = str(records[0].get('run_id') or '') if records else ''
    made = _document.make(_document.Head(run_id, verb=''), (), records)
    del made['ended']  # records do not say it
    return made
