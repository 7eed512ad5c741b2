# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Joins what the modules said of every instance into one record each, and says how urgent it is."""

from __future__ import annotations

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _options, _plan
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._table import version_of
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import as_data, shown

Data = t.Mapping[str, t.Any]
Record = dict[str, t.Any]
VERB = 'diagnose'
_OWN_DEATHS = ('crash', 'go_runtime_oom', 'host_panic')
_OTHERS_DID_IT = ('admin_stop', 'admin_kill', 'host_reboot')

# How urgent an instance is: the first row that fits, most urgent first. What fits none is unknown, never fine.
URGENCY: tuple[tuple[str, t.Callable[[Data], bool]], ...] = (
    ('killed', lambda r: r['verdict'] == 'confirmed'),
    ('likely killed', lambda r: r['verdict'] == 'likely'),
    ('crashed', lambda r: r['cause'] in _OWN_DEATHS),
    ('unknown', lambda r: r['verdict'] not in ('confirmed', 'likely', 'no') or bool(r['problems'])),
    ('died', lambda r: r['cause'] == 'unexplained'),
    ('down', lambda r: r['state'] != 'running'),
    ('attention', lambda r: r['log']['verdict'] != 'ok' or bool(serious(r))),
    ('restarted', lambda r: r['cause'] in _OTHERS_DID_IT),
    ('fine', lambda r: r['cause'] == 'not_dead'),
)
_ORDER = {name: number for number, (name, _fits) in enumerate(URGENCY)}
_LISTS_OF_DEATH = ('incidents', 'other_kills', 'coverage', 'counters', 'advice', 'notes')
# What is handed over by set_stats; the report has all of a record.
SHORT = (
    *('urgency', 'dir', 'state', 'version', 'verdict', 'cause', 'time', 'uncertainty_ms', 'pid', 'summary', 'advice'),
    *('starts', 'problems', 'bundle'),
)


def urgency(record: Data) -> str:
    return next((name for name, fits in URGENCY if fits(record)), 'unknown')


def serious(record: Data) -> list[Data]:
    """The hazards that are more than information."""
    return [hazard for hazard in record['hazards'] if hazard.get('severity') in ('block', 'warn')]


def _only(facts: t.Mapping[str, t.Any]) -> list[str]:
    return t.cast('list[str]', _options.value_of('anqicms_only', facts.get('anqicms_only')))


def records(hostvars: t.Any, hosts: t.Sequence[str], only: t.Sequence[str] = ()) -> list[Record]:
    """A record for every instance, and for every host or instance that could not be looked at; most urgent first.

    ``only``: ids, where a host does not say it itself.
    """
    found = [record for host in hosts for record in host_records(host, hostvars[host], _only(hostvars[host]) or only)]
    found.sort(key=_rank)
    return t.cast('list[Record]', as_data(found))


def _rank(record: Data) -> tuple[int, bool, int]:
    """Among equals what does not run stands first, then the latest death."""
    return _ORDER[record['urgency']], record['state'] == 'running', -round(record['epoch'] or 0)


def host_records(host: str, facts: Data, only: t.Sequence[str] = ()) -> list[Record]:
    found = facts.get('anqicms__diagnose_found')
    plan = _plan.make_plan(found, VERB, only=only)
    if plan.unreachable:
        return [_unseen(host, None, f'unreachable: {shown(_message(found), 600)}')]
    registered = (facts.get(f'anqicms__diagnose_{name}') for name in ('deaths', 'logs', 'bundles'))
    deaths, logs, bundles = map(_by_index, registered)
    described = {entry['id']: entry for answer in _plan.answers(found) for entry in answer.get('instances') or []}
    seen = [
        _seen(host, described[instance['id']], deaths.get(index, {}), logs.get(index, {}), bundles.get(index, {}))
        for index, instance in enumerate(plan.instances)
    ]
    return seen + _refused(host, _plan.chosen(found, only), plan)


def _refused(host: str, answers: t.Iterable[Data], plan: _plan.Plan) -> list[Record]:
    """What could not be looked at: by instance where it is one, else the host."""
    rows: dict[str, Record] = {}
    for answer in answers:
        directory = (answer.get('anqicms__listed') or {}).get('dir')
        for refusal in _plan.make_plan({'results': [answer]}, VERB).refusals:
            rows.setdefault(refusal, _unseen(host, directory, refusal))
    for refusal in plan.refusals:
        rows.setdefault(refusal, _unseen(host, None, refusal))
    return list(rows.values())


def _message(found: t.Any) -> str:
    answers = [found, *_plan.answers(found)]
    return next((str(answer['msg']) for answer in reversed(answers) if answer.get('msg')), 'no message')


def _by_index(registered: t.Any) -> dict[int, Data]:
    return {int(answer['anqicms__index']): answer for answer in _plan.answers(registered) if 'anqicms__index' in answer}


def _unseen(host: str, directory: t.Any, problem: str) -> Record:
    instance = {'id': None, 'dir': directory, 'state': 'unknown'}
    record = _seen(host, instance, {'verdict': 'unknown'}, {'verdict': 'unknown'}, {})
    return {**record, 'problems': [problem], 'summary': problem}


def _seen(host: str, instance: Data, death: Data, log: Data, bundle: Data) -> Record:
    told = _telling(death)
    record = {
        'host': host,
        **{key: instance.get(key) for key in ('id', 'dir', 'binary', 'user', 'state', 'pids', 'port', 'memory')},
        'version': version_of(instance),
        'verdict': death.get('verdict', 'unknown'),
        'cause': death.get('cause'),
        **{key: told.get(key) for key in ('time', 'epoch', 'uncertainty_ms', 'pid')},
        'last_rss_kb': _resident(told.get('details') or {}),
        **{key: death.get(key) for key in ('summary', 'since', 'until')},
        **{key: death.get(key) or [] for key in _LISTS_OF_DEATH},
        'incident_count': death.get('incident_count'),
        'log': _log(log, death),
        **{key: instance.get(key) or [] for key in ('restarts', 'supervisors', 'hazards')},
        'starts': _starts(instance, log, death),
        'bundle': bundle.get('path'),
        'bundle_problem': shown(bundle['msg'], 600) if bundle.get('msg') else None,
        'problems': [shown(_message(answer), 600) for answer in (death, log) if 'verdict' not in answer],
    }
    return {'urgency': urgency(record), **record}


def _telling(death: Data) -> Data:
    """The last incident that decided."""
    wanted = (death.get('verdict'), death.get('cause'))
    known = [entry for entry in death.get('incidents') or [] if (entry.get('verdict'), entry.get('cause')) == wanted]
    return known[-1] if known else {}


def _resident(details: Data) -> int | None:
    """What it held when the kernel killed it."""
    sizes = [details[key] for key in ('anon_rss_kb', 'file_rss_kb', 'shmem_rss_kb') if details.get(key) is not None]
    return sum(sizes) if sizes else None


def _log(log: Data, death: Data) -> Record:
    """Its findings within the window; log_check reads to the end of the logs."""
    findings = [entry for entry in log.get('findings') or [] if _within(entry, death)]
    unread = log.get('unread') or []
    severities = {str(entry.get('severity')) for entry in findings}
    verdict = 'error' if 'error' in severities else 'unknown' if unread else 'warning' if severities else 'ok'
    return {'verdict': verdict if 'verdict' in log else 'unknown', 'findings': findings, 'unread': unread}


def _within(entry: Data, death: Data) -> bool:
    """Both times are the host's; that of a log has no zone."""
    until = str(death.get('until') or '')[:19].replace('T', ' ')
    return not entry.get('time') or not until or str(entry['time']) <= until


def _starts(instance: Data, log: Data, death: Data) -> int:
    """Starts in the window, at least: those that the log tells of, or those that were met."""
    told = [mark for mark in log.get('markers') or [] if mark.get('code') == 'process_started' and _within(mark, death)]
    since, until = (str(death.get(key) or '')[:19] for key in ('since', 'until'))
    met = [start for start in instance.get('restarts') or [] if since <= str(start.get('time'))[:19] <= until]
    return max(len(told), len(met))


def as_stats(found: t.Sequence[Data]) -> dict[str, dict[str, Record]]:
    """The short records by host and instance id; what could not be looked at by its directory, or ``-``."""
    stats: dict[str, dict[str, Record]] = {}
    for record in found:
        key = record['id'] or record['dir'] or '-'
        stats.setdefault(record['host'], {})[key] = {name: record[name] for name in SHORT}
    return stats
