# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What is known of every instance and its last run: as records, and as a table for people. Pure.

``!`` what is wrong or under way, ``-`` what was not begun, ``>`` what to do.
"""

from __future__ import annotations

import datetime
import typing as t

import zoneinfo

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _options, _plan, _resume
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language.words import Words
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._table import table, version_of
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import as_data, shown

Data = t.Mapping[str, t.Any]
Record = dict[str, t.Any]
UNREACHABLE = 'unreachable'
_OF_RUN = ('run_id', 'verb', 'outcome', 'began_at', 'ended_at', 'step', 'as_left')
# Hazards that say that something here is not known.
_UNSEEN = ('state_untrusted', 'state_damaged', 'hidden_processes', 'not_described', 'not_all_seen')
# What became of an instance in the newest run that was to work on it.
FINISHED, NOT_STARTED, UNDER_WAY, FAILED = 'finished', 'not started', 'under way', 'failed'
_MOST = 300  # characters of a line below a row


# --- records


def records(hostvars: t.Any, hosts: t.Sequence[str], only: t.Sequence[str] = ()) -> list[Record]:
    """One for every instance, and for every host or instance that could not be looked at. ``only``: ids."""
    found = [record for host in hosts for record in _of_host(host, hostvars[host], only)]
    return t.cast('list[Record]', as_data(found))


def _of_host(host: str, facts: Data, only: t.Sequence[str]) -> list[Record]:
    found = facts.get('anqicms__status_found')
    given = facts.get('anqicms_only')
    only = _options.value_of('anqicms_only', given) if given is not None else only
    answers = [found, *_plan.answers(found)] if found else []
    if not answers or any(answer.get('unreachable') for answer in answers):
        said = next((str(answer['msg']) for answer in reversed(answers) if answer.get('msg')), 'no answer')
        return [{**_record(host, {'state': UNREACHABLE}), 'problems': [shown(said, _MOST)]}]
    rows: list[Record] = []
    for answer in _plan.chosen(found, only):
        if 'instances' not in answer:
            directory = (answer.get('anqicms__listed') or {}).get('dir')
            said = shown(answer.get('msg') or answer.get('module_stderr') or 'no answer', _MOST)
            rows.append({**_record(host, {'dir': directory, 'state': 'unknown'}), 'problems': [said]})
        rows += [_record(host, instance) for instance in answer.get('instances') or []]
    return rows or [{**_record(host, {'state': '-'}), 'problems': ['no instance was found']}]


def _record(host: str, instance: Data) -> Record:
    runs, planned = instance.get('last_runs') or [], instance.get('planned') or []
    newest = str(planned[0]['run_id']) if planned else None
    interrupted = instance.get('interrupted')
    return {
        'host': host,
        **{key: instance.get(key) for key in ('id', 'dir', 'state', 'pids', 'port')},
        'version': version_of(instance),
        'run': {key: runs[0].get(key) for key in _OF_RUN} if runs else None,
        'unfinished': interrupted.get('run_id') if interrupted else None,
        'planned': {key: planned[0].get(key) for key in ('run_id', 'verb', 'at', 'resumes')} if planned else None,
        'progress': _progress(instance, str(planned[0]['verb']), newest) if newest else None,
        'problems': [
            shown(hazard.get('message'), _MOST) for hazard in instance.get('hazards') or [] if hazard['code'] in _UNSEEN
        ],
    }


def _progress(instance: Data, verb: str, name: str) -> str | None:
    """What became of it in the newest run that was to work on it; None where it was changed since."""
    verdict = _resume.decide(instance, verb, name)
    if verdict.kind == _resume.FINISHED:
        return FINISHED
    if verdict.kind != _resume.LEFT:
        return None
    run = _resume.of_run(instance, name)
    if run.last is None or not run.has(str(run.last['run_id'])):
        return NOT_STARTED
    return UNDER_WAY if run.last['outcome'] == 'under_way' else FAILED


def as_stats(found: t.Sequence[Data]) -> dict[str, dict[str, Record]]:
    """The records by host and instance id; what could not be looked at by its directory, or ``-``."""
    stats: dict[str, dict[str, Record]] = {}
    for record in found:
        stats.setdefault(record['host'], {})[record['id'] or record['dir'] or '-'] = dict(record)
    return stats


# --- for people


class Writer:
    """The lines, in one language and time zone. ``zone`` None: that of the controller."""

    def __init__(self, words: Words, zone: str | None) -> None:
        self.words, self.zone = words, zoneinfo.ZoneInfo(zone) if zone else None

    def lines(self, found: t.Sequence[Data]) -> list[str]:
        rows = [(self._cells(record), self._below(record)) for record in found]
        return [*table(rows, self._headings()), *self._runs(found), self._summary(found)]

    def _headings(self) -> tuple[str, ...]:
        words = self.words
        return (
            words('host'),
            words('id'),
            words('state'),
            words('version'),
            words('pid'),
            words('last run'),
            words('outcome'),
            words('when'),
            words('run id'),
        )

    def _cells(self, record: Data) -> tuple[str, ...]:
        run = record['run'] or {}
        values = (
            record['host'],
            record['id'] or '-',
            self.words.known(str(record['state'] or '-')),
            record['version'],
            ' '.join(str(pid) for pid in record['pids'] or []) or '-',
            self.words.known(str(run.get('verb') or '-')),
            self._outcome(run),
            self._when(run.get('ended_at') or run.get('began_at')),
            run.get('run_id') or '-',
        )
        return tuple(shown(value, 80) for value in values)

    def _outcome(self, run: Data) -> str:
        return (
            self.words('not known')
            if run.get('outcome') == 'unknown'
            else self.words.known(str(run.get('outcome') or '-'))
        )

    def _when(self, at: t.Any) -> str:
        if not isinstance(at, (int, float)):
            return '-'
        return datetime.datetime.fromtimestamp(at, self.zone).strftime('%Y-%m-%d %H:%M:%S')

    def _below(self, record: Data) -> list[str]:
        words, run, planned = self.words, record['run'] or {}, record['planned'] or {}
        lines = [f'  ! {words.known(problem)}' for problem in record['problems']]
        if run.get('outcome') == 'under_way':
            step = run.get('step') or words('before the first step')
            lines.append('  ! ' + words('run {run} is running now: {step}', run=run['run_id'], step=step))
        elif run.get('step') and run.get('outcome') != 'done':
            lines.append('  ! ' + words('it ended in step {step}', step=run['step']))
        if record['unfinished']:
            lines.append('  ! ' + words('run {run} is unfinished: run the playbook recover', run=record['unfinished']))
        if run.get('as_left') is False:
            lines.append('  - ' + words('it was changed since that run'))
        if record['progress'] == NOT_STARTED:
            when, verb = self._when(planned['at']), words.known(str(planned['verb']))
            said = words(
                'run {run} ({verb}), planned {when}, has not started here', run=planned['run_id'], verb=verb, when=when
            )
            lines.append('  - ' + said)
        return [shown(line, _MOST * 2) for line in lines]

    def _runs(self, found: t.Sequence[Data]) -> list[str]:
        """What is left of each run, with the command that goes on."""
        left = [record['planned'] for record in found if record['progress'] in (NOT_STARTED, FAILED, UNDER_WAY)]
        lines: list[str] = []
        for name, verb in dict.fromkeys((plan['run_id'], plan['verb']) for plan in left):
            of_run = [r['progress'] for r in found if r['planned'] and r['planned']['run_id'] == name]
            count = {word: of_run.count(word) for word in (FINISHED, FAILED, NOT_STARTED, UNDER_WAY)}
            parts = [f'{number} {self.words.known(word)}' for word, number in count.items() if number]
            run = self.words(
                'Run {run} ({verb}): {parts}.', run=name, verb=self.words.known(verb), parts=', '.join(parts)
            )
            lines.append(shown(run, _MOST))
            command = f'ansible-playbook anqicms.lifecycle.{verb} -e anqicms_resume={name}'
            if count[UNDER_WAY]:
                advice = self.words('wait until that work has ended, then {command}', command=command)
            else:
                advice = self.words('to continue: {command}', command=command)
            lines.append(shown(f'  > {advice}', _MOST * 2))
        return lines

    def _summary(self, found: t.Sequence[Data]) -> str:
        return self.words(
            '{instances} instances, {running} running, {unreachable} hosts unreachable',
            instances=sum(bool(record['id']) for record in found),
            running=sum(record['state'] == 'running' for record in found),
            unreachable=sum(record['state'] == UNREACHABLE for record in found),
        )
