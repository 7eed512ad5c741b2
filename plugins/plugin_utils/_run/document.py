# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What one run did to all its instances, as one document. The closing table, reports and notifications show it.

Its schema is public, see docs/reports.md: a change of the meaning of a key increases ``SCHEMA``. Pure.
"""

from __future__ import annotations

import typing as t

SCHEMA = 1

# Outcomes of an instance. The first group is what the work on it reported, the second is for those without any work.
WORKED = ('done', 'unchanged', 'planned', 'rolled_back', 'failed', 'lost')
NOT_WORKED = ('left_out', 'not_touched')
OUTCOMES = (*WORKED, *NOT_WORKED)
BAD = ('rolled_back', 'failed', 'lost')
# With one of these, a run has not reached its end.
NOT_WELL = (*BAD, 'not_touched')
# Why an instance or a host was left out.
LEFT_OUT = ('unreachable', 'limit', 'only', 'not_needed', 'finished', 'not_part', 'foreign')
# How a run ended.
ENDS = ('finished', 'failed', 'interrupted')

Data = t.Mapping[str, t.Any]


class Head(t.NamedTuple):
    """What is known of the run itself. Times are seconds since the epoch.

    ``ended``: one of ``ENDS``; '' lets instances and message decide. ``message``: why the whole run was refused.
    ``awx_job``: the number of the job in AWX, '' elsewhere.
    """

    run_id: str
    verb: str
    check_mode: bool = False
    began_at: float = 0.0
    ended_at: float = 0.0
    ended: str = ''
    resumes: str | None = None
    message: str = ''
    awx_job: str = ''
    notifications: t.Sequence[Data] = ()


class Planned(t.NamedTuple):
    """An instance of the plan, or a host without any known one (``id`` is '' then).

    ``why``: one of ``LEFT_OUT``, '' if the run was to work on it. ``reason``: for people, may be ''.
    """

    host: str
    id: str = ''
    dir: str = ''
    version: str = ''
    state: str = 'unknown'
    why: str = ''
    reason: str = ''


# The keys of an instance, with the value of those that nothing is known of. Numbers are numbers, so that queries can
# sort by them; whether they are known stands beside them.
EMPTY: Data = {
    'host': '',
    'id': '',
    'dir': '',
    'verb': '',
    'outcome': 'not_touched',
    'why': '',
    'failed': False,
    'changed': False,
    'version': '',
    'version_before': '',
    'state': 'unknown',
    'pid_before': None,
    'pid_after': None,
    'began_at': 0.0,
    'ended_at': 0.0,
    'downtime_ms': 0,
    'downtime_known': False,
    'verified_ms': 0,
    'verified_known': False,
    'steps': (),
    'findings': (),
    'sites': (),
    'pages': (),
    'notes': (),
    'hops': (),
    'reason': '',
}


def make(head: Head, planned: t.Sequence[Planned], records: t.Sequence[Data]) -> dict[str, t.Any]:
    """The document. ``records``: those of ``_outcome.make_record``; the last one of an instance counts."""
    of_instance = {(str(record['host']), str(record['id'])): record for record in records}
    named = {host for host, _id in of_instance} | {one.host for one in planned if one.id}
    shown = [one for one in planned if one.id or one.host not in named]
    rows = [_row(head, one, of_instance.pop((one.host, one.id), None)) for one in shown]
    rows += [_row(head, Planned(host, name), record) for (host, name), record in of_instance.items()]
    return {
        'schema': SCHEMA,
        **head._asdict(),
        'ended': head.ended or ended(head.message, rows),
        'notifications': [dict(one) for one in head.notifications],
        'totals': {outcome: sum(row['outcome'] == outcome for row in rows) for outcome in OUTCOMES},
        'instances': rows,
    }


def ended(message: str, rows: t.Sequence[Data]) -> str:
    """A run has finished if it was not refused, nothing failed, and it has reached every instance that it was for."""
    return 'failed' if message or any(row['outcome'] in NOT_WELL for row in rows) else 'finished'


def _row(head: Head, planned: Planned, record: Data | None) -> dict[str, t.Any]:
    known = {'host': planned.host, 'id': planned.id, 'dir': planned.dir, 'version': planned.version}
    known |= {'version_before': planned.version, 'state': planned.state, 'verb': head.verb}
    if record is None or (record.get('outcome') == 'planned' and not head.check_mode):
        outcome = 'left_out' if planned.why else 'not_touched'
        return _plain({**EMPTY, **known, 'outcome': outcome, 'why': planned.why, 'reason': planned.reason})
    reported = {key: value for key, value in record.items() if key in EMPTY and value is not None}
    known_times = {f'{name}_known': record.get(f'{name}_ms') is not None for name in ('downtime', 'verified')}
    return _plain({**EMPTY, **known, **reported, **known_times})


def _plain(row: dict[str, t.Any]) -> dict[str, t.Any]:
    return {key: list(value) if isinstance(value, (list, tuple)) else value for key, value in row.items()}
