# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What became of one instance in this run: for people as one line, for programs as one dict."""

from __future__ import annotations

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._table import version_of
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import as_data, shown

Data = t.Mapping[str, t.Any]
BAD = ('failed', 'rolled_back', 'lost')
_SHOWN_FINDINGS = 10


def make_record(
    instance: Data, result: t.Any, failure: t.Any, run_id: str, check_mode: bool = False
) -> dict[str, t.Any]:
    """The record of one instance from its registered result and, if a task of its block failed, from that failure."""
    result = result if _belongs(result, instance) else {}
    failure = failure if failure and failure.get('dir') == instance['dir'] else {}
    outcome = _outcome(result, failure, check_mode)
    pids = instance.get('pids') or [None]
    return t.cast(
        'dict[str, t.Any]',
        as_data(
            {
                'run_id': run_id,
                'id': instance['id'],
                'dir': instance['dir'],
                'version': shown(_plain(result.get('version')) or version_of(instance)),
                'outcome': outcome,
                'failed': outcome in BAD,
                'changed': bool(result.get('changed')),
                'pid_before': result.get('pid_before', pids[0]),
                'pid_after': result.get('pid_after', result.get('pid') if 'ready_ms' in result else None),
                'state': _state(result),
                'downtime_ms': result.get('downtime_ms'),
                'verified_ms': result.get('verified_ms', result.get('ready_ms')),
                'findings': _findings(result),
                'sites': _sites(result),
                'reason': _reason(result, failure, outcome),
            }
        ),
    )


def _step_results(result: Data, name: str) -> list[Data]:
    steps = [step for step in result.get('steps') or [] if step.get('name') == name]
    return [step['result'] for step in steps if step.get('result')]


def _findings(result: Data) -> list[dict[str, t.Any]] | None:
    """What the logs said, worst first as reported; None when nobody looked."""
    looked = [answer['findings'] for answer in _step_results(result, 'log_check') if 'findings' in answer]
    if not looked:
        return None
    return [
        {key: shown(finding.get(key), 200) for key in ('severity', 'code', 'text')} | {'count': finding.get('count', 1)}
        for findings in looked
        for finding in findings[:_SHOWN_FINDINGS]
    ]


def _sites(result: Data) -> list[dict[str, t.Any]] | None:
    """How each site answered; None when nobody asked."""
    asked = [answer['sites'] for answer in _step_results(result, 'site_check') if 'sites' in answer]
    if not asked:
        return None
    return [
        {'host': shown(site.get('host')), 'ok': bool(site.get('ok')), 'reason': shown(site.get('reason') or '')}
        for sites in asked
        for site in sites
    ]


def _state(result: Data) -> str:
    """The state after the work; unknown when nothing told it, for example because the work was refused."""
    told = 'stopped' if result.get('stopped') else 'running' if 'ready_ms' in result else 'unknown'
    return shown(result.get('state') or told)


def _belongs(result: t.Any, instance: Data) -> bool:
    """Whether a registered result is of this instance, not left over from the one before."""
    if not result:
        return False
    said = (result.get('instance') or {}).get('dir')
    return said is None or said == instance['dir']


def _outcome(result: Data, failure: Data, check_mode: bool) -> str:
    if result.get('unreachable'):
        return 'lost'
    if failure or result.get('failed'):
        return 'rolled_back' if result.get('outcome') == 'rolled_back' else 'failed'
    if check_mode:
        return 'planned'
    return shown(result.get('outcome') or ('done' if result.get('changed') else 'unchanged'))


def _plain(version: t.Any) -> t.Any:
    return version_of({'version': version}) if isinstance(version, dict) else version


def _reason(result: Data, failure: Data, outcome: str) -> str:
    if outcome == 'lost':
        return (
            'the connection was lost and did not come back; the host finishes what it has begun by itself. '
            + shown(result.get('msg') or '', 600)
        ).rstrip()
    if failure:
        said = ' '.join(
            [str(failure.get('msg') or 'no message'), *str(failure.get('stderr') or '').strip().splitlines()[-1:]]
        )
        return f'{shown(failure.get("task") or "")}: {shown(said)}'
    return shown(result.get('exit_kind') or result.get('msg') or '')


def line(record: Data, host: str) -> str:
    """One line for people."""
    parts = [f'{shown(host)}  {shown(record["id"])}  {record["version"]}  {record["outcome"]}', _pids(record)]
    for key, word in (('downtime_ms', 'downtime'), ('verified_ms', 'verified')):
        if record[key] is not None:
            parts.append(f'{word} {record[key]} ms')
    parts += [_log_words(record.get('findings')), _site_words(record.get('sites')), record['reason']]
    return '  '.join(part for part in parts if part)


def _log_words(findings: list[Data] | None) -> str:
    if findings is None:
        return ''
    codes = list(dict.fromkeys(finding['code'] for finding in findings))
    return 'log: ' + (', '.join(codes) or 'clean')


def _site_words(sites: list[Data] | None) -> str:
    if sites is None:
        return ''
    bad = [f'{site["host"]} {site["reason"]}' for site in sites if not site['ok']]
    return 'sites: ' + (', '.join(bad) or f'{len(sites)} ok')


def _pids(record: Data) -> str:
    before, after = record['pid_before'], record['pid_after']
    if before is None and after is None:
        return ''
    if after is None and record['state'] != 'stopped':
        return f'pid {before}'
    return f'pid {"-" if before is None else before} -> {"-" if after is None else after}'
