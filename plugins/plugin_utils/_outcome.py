# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What became of one instance in this run: for people as one line, for programs as one dict."""

from __future__ import annotations

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _windows_done
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language.words import ENGLISH, Words
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._table import version_of
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import as_data, shown

Data = t.Mapping[str, t.Any]
BAD = ('failed', 'rolled_back', 'lost')
_SHOWN_FINDINGS = 10
_MOST_STEPS = 50
# Verbs whose work is a single task, and the name of the step that it would be in a window.
_ONE_STEP = {'stop': 'graceful_stop', 'start': 'verified_start'}


# Verbs whose work a worker on the host does: it goes on when the connection is lost. The others are single tasks.
WITH_WORKER = ('restart', 'recover', 'configure', 'upgrade', 'rollback')


def make_record(
    instance: Data,
    result: t.Any,
    failure: t.Any,
    run_id: str,
    check_mode: bool = False,
    verb: str = 'restart',
    checks: t.Mapping[str, t.Any] | None = None,
    upgrade: t.Mapping[str, t.Any] | None = None,
    host: str = '',
) -> dict[str, t.Any]:
    """The record of one instance from its registered result and, if a task of its block failed, from that failure.

    ``checks`` are the registered results of the tasks that followed, in order, by the names of the steps.
    ``upgrade``: where each hop has a window of its own, all ``windows``, and the records of those ``before`` this one;
    and the result of the task that has ``packed`` the dumps of the last one.
    """
    record = _record(instance, result, failure, run_id, check_mode, verb, checks)
    record['host'] = shown(host)
    upgrade = upgrade or {}
    if _belongs(result, instance) and result.get('outcome') == 'done':
        record['notes'] += _windows_done.not_packed(upgrade.get('packed') or {})
    joined = _windows_done.joined(record, upgrade.get('windows') or [], upgrade.get('before') or [])
    return t.cast('dict[str, t.Any]', as_data(joined))


def _record(
    instance: Data,
    result: t.Any,
    failure: t.Any,
    run_id: str,
    check_mode: bool,
    verb: str,
    checks: t.Mapping[str, t.Any] | None,
) -> dict[str, t.Any]:
    result = result if _belongs(result, instance) else {}
    result, lost = _with_checks(result, checks or {}, instance)
    failure = failure if failure and failure.get('dir') == instance['dir'] else {}
    outcome = _outcome(result, lost, failure, check_mode)
    pids = instance.get('pids') or [None]
    return {
        'run_id': run_id,
        'verb': verb,
        'id': instance['id'],
        'dir': instance['dir'],
        'version': shown(_plain(result.get('version')) or version_of(instance)),
        'version_before': shown(version_of(instance)),
        'began_at': _epoch(result.get('began_at')),
        'ended_at': _epoch(result.get('ended_at')),
        'outcome': outcome,
        'failed': outcome in BAD,
        'changed': bool(result.get('changed')),
        'pid_before': result.get('pid_before', pids[0]),
        'pid_after': result.get('pid_after', result.get('pid') if 'ready_ms' in result else None),
        'state': _state(result),
        'downtime_ms': result.get('downtime_ms'),
        'verified_ms': result.get('verified_ms', result.get('ready_ms')),
        'steps': _steps(result, verb),
        'findings': _findings(result),
        'sites': _sites(result),
        'pages': _pages(result),
        'notes': _notes(result),
        'reason': _reason(result, lost, failure, verb),
        'hops': [],
    }


def _ended_badly(result: Data) -> bool:
    return bool(result.get('failed') or result.get('unreachable') or result.get('skipped'))


def _with_checks(result: Data, checks: t.Mapping[str, t.Any], instance: Data) -> tuple[Data, str]:
    """The result with the checks as its steps, and where the connection was lost, 'work' or a check; '' if it was not.

    Each check is read only if all before it went well: what is registered behind that is of the instance before.
    """
    if result.get('unreachable'):
        return result, 'work'
    steps = list(result.get('steps') or [])
    for name, answer in checks.items():
        if not answer or not _belongs(answer, instance) or _ended_badly(result):
            break
        if answer.get('unreachable'):
            return {**result, 'steps': steps, 'msg': answer.get('msg')}, name
        if not answer.get('skipped'):
            steps.append({'name': name, 'result': answer})
        if answer.get('failed'):
            return {**result, 'steps': steps, 'failed': True, 'msg': answer.get('msg')}, ''
    return ({**result, 'steps': steps} if steps else result), ''


def _epoch(value: t.Any) -> float | None:
    return round(float(value), 3) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _steps(result: Data, verb: str) -> list[dict[str, t.Any]]:
    """The steps whose times are known, in milliseconds since ``began_at``. A stop or a start is one step."""
    entries = [step for step in result.get('steps') or [] if isinstance(step.get('ended_ms'), int)]
    if not entries and verb in _ONE_STEP and _epoch(result.get('ended_at')) is not None:
        took = round(1000 * (result['ended_at'] - result['began_at']))
        entries = [{**result, 'name': _ONE_STEP[verb], 'started_ms': 0, 'ended_ms': took, 'result': result}]
    return [
        {
            'name': shown(step.get('name')),
            'started_ms': step.get('started_ms') or 0,
            'ended_ms': step['ended_ms'],
            'changed': bool(step.get('changed')),
            'ok': 'result' in step and not step.get('failed'),
        }
        for step in entries[:_MOST_STEPS]
    ]


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


def _pages(result: Data) -> list[dict[str, t.Any]]:
    """What a start, as a step or as a task of its own, found of its pages."""
    starts = [result, *_step_results(result, 'verified_start')]
    return [
        {key: shown(finding.get(key), 200) for key in ('severity', 'code', 'text')}
        for answer in starts
        for finding in answer.get('findings') or []
    ]


def _sites(result: Data) -> list[dict[str, t.Any]] | None:
    """How each site answered; None when nobody asked."""
    asked = [answer['sites'] for answer in _step_results(result, 'site_check') if 'sites' in answer]
    if not asked:
        return None
    return [
        {
            'host': shown(site.get('host')),
            'ok': bool(site.get('ok')),
            'reason': shown(site.get('reason') or ''),
            'identity': shown(site['identity']) if site.get('identity') else None,
        }
        for sites in asked
        for site in sites
    ]


def _notes(result: Data) -> list[str]:
    """What the work itself has to say, in the order of the steps: how a start differs from how it ran, for example."""
    answers = [result, *(step.get('result') or step for step in result.get('steps') or [])]
    told = [shown(note, 300) for answer in answers for note in answer.get('notes') or []]
    return list(dict.fromkeys(told))


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


def _outcome(result: Data, lost: str, failure: Data, check_mode: bool) -> str:
    if lost:
        return 'lost'
    if failure or result.get('failed'):
        return 'rolled_back' if result.get('outcome') == 'rolled_back' else 'failed'
    if not result or result.get('skipped'):
        return 'failed'  # nothing says that the work was done
    if check_mode:
        return 'planned'
    return shown(result.get('outcome') or ('done' if result.get('changed') else 'unchanged'))


def _plain(version: t.Any) -> t.Any:
    return version_of({'version': version}) if isinstance(version, dict) else version


def _reason(result: Data, lost: str, failure: Data, verb: str) -> str:
    if lost:
        return f'{_lost_words(lost, verb)} {shown(result.get("msg") or "", 600)}'.rstrip()
    if failure:
        said = ' '.join(
            [str(failure.get('msg') or 'no message'), *str(failure.get('stderr') or '').strip().splitlines()[-1:]]
        )
        return f'{shown(failure.get("task") or "")}: {shown(said)}'
    if not result or result.get('skipped'):
        return (
            f'the {verb} has no result: its task was not run. The state of the instance is not known. Check with '
            f'instance_info, then run {verb} again.'
        )
    return shown(result.get('exit_kind') or result.get('msg') or '')


def _lost_words(lost: str, verb: str) -> str:
    """What is known of an instance after the connection to its host was lost."""
    if lost != 'work':
        return (
            f'the {verb} itself succeeded, but then the connection was lost in {lost} and did not come back. The '
            'checks after it were not completed.'
        )
    if verb in WITH_WORKER:
        return 'the connection was lost and did not come back; the host completes the started work by itself.'
    return (
        f'the connection was lost and did not come back; whether the {verb} was done is not known, and nothing '
        f'continues it on the '
        f'host. Check with instance_info, then run {verb} again.'
    )


def line(record: Data, host: str, words: Words = ENGLISH) -> str:
    """One line for people."""
    outcome = words.known(record['outcome'])
    parts = [f'{shown(host)}  {shown(record["id"])}  {record["version"]}  {outcome}', _pids(record, words)]
    if record['downtime_ms'] is not None:
        parts.append(words('downtime {ms} ms', ms=record['downtime_ms']))
    if record['verified_ms'] is not None:
        parts.append(words('verified {ms} ms', ms=record['verified_ms']))
    parts.append(_windows_done.line_part(record.get('hops') or [], words))
    parts += [_log_words(record.get('findings'), words), _page_words(record.get('pages') or [], words)]
    parts += [_site_words(record.get('sites'), words), words.known(record['reason'])]
    return '  '.join(part for part in parts if part)


def _log_words(findings: list[Data] | None, words: Words) -> str:
    if findings is None:
        return ''
    codes = list(dict.fromkeys(finding['code'] for finding in findings))
    return words('log: {found}', found=', '.join(codes) or words('clean'))


def _page_words(findings: list[Data], words: Words) -> str:
    codes = list(dict.fromkeys(finding['code'] for finding in findings))
    return words('pages: {found}', found=', '.join(codes)) if codes else ''


def _site_words(sites: list[Data] | None, words: Words) -> str:
    if sites is None:
        return ''
    bad = [f'{site["host"]} {words.known(site["reason"])}' for site in sites if not site['ok']]
    unproven = [site['host'] for site in sites if site['ok'] and site.get('identity') == 'not_proven']
    doubt = words(' (identity: not_proven for {hosts})', hosts=', '.join(unproven)) if unproven else ''
    return words('sites: {found}', found=', '.join(bad) or words('{count} ok', count=len(sites))) + doubt


def _pids(record: Data, words: Words) -> str:
    before, after = record['pid_before'], record['pid_after']
    if before is None and after is None:
        return ''
    if after is None and record['state'] != 'stopped':
        return words('pid {pid}', pid=before)
    known = {'before': '-' if before is None else before, 'after': '-' if after is None else after}
    return words('pid {before} -> {after}', **known)
