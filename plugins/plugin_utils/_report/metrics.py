# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The report as metrics, in the text format of Prometheus. Pure.

Only what describes the run has its name as a label: a series for each run and instance would never be seen again.
"""

from __future__ import annotations

import collections
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._report import timeline

Data = t.Mapping[str, t.Any]
Labels = t.Mapping[str, t.Any]
_ESCAPES = str.maketrans({'\\': '\\\\', '"': '\\"', '\n': '\\n'})
# Every metric with its help. All are gauges: a file tells of one run.
METRICS: t.Mapping[str, str] = {
    'anqicms_run_info': 'The run that wrote this file, always 1.',
    'anqicms_run_start_timestamp_seconds': 'When the run started.',
    'anqicms_run_end_timestamp_seconds': 'When the run ended.',
    'anqicms_run_instances': 'Number of instances with this outcome or urgency.',
    'anqicms_instance_info': 'An instance with its outcome or urgency and its version, always 1.',
    'anqicms_instance_failed': 'Whether the work on the instance failed or was lost.',
    'anqicms_instance_downtime_seconds': 'How long the instance did not listen. Absent if it was not stopped.',
    'anqicms_instance_verified_seconds': 'From the end of listening to the end of the last check.',
    'anqicms_instance_window_seconds': 'From the start of the work on the instance to the end of its last step.',
    'anqicms_instance_step_seconds': 'How long a step took. The number is its place in the window.',
    'anqicms_instance_findings': 'Number of findings in the logs with this severity.',
    'anqicms_instance_running': 'Whether the instance is running.',
    'anqicms_instance_deaths': 'Number of deaths with this cause in the time range of the diagnosis.',
    'anqicms_instance_last_death_timestamp_seconds': 'When the instance last died in that time range.',
}


class Sample(t.NamedTuple):
    name: str
    labels: Labels
    value: float


def text(document: Data) -> str:
    """Of a run, or of a diagnosis."""
    of_instance = _of_diagnosis if document['verb'] == 'diagnose' else _of_work
    samples = _of_run(document)
    for row in document['instances']:
        labels = {'verb': document['verb'], 'host': row['host'], 'id': row['id'] or '', 'dir': row['dir'] or ''}
        samples += of_instance(row, labels)
    return _written(samples)


def _of_run(document: Data) -> list[Sample]:
    verb = {'verb': document['verb']}
    info = {**verb, 'run_id': document['run_id'], 'ended': document.get('ended', 'finished')}
    info['check_mode'] = str(bool(document.get('check_mode'))).lower()
    samples = [Sample('anqicms_run_info', info, 1)]
    for key, name in (('began_at', 'start'), ('ended_at', 'end')):
        if document.get(key):
            samples.append(Sample(f'anqicms_run_{name}_timestamp_seconds', verb, document[key]))
    for outcome, count in document['totals'].items():
        samples.append(Sample('anqicms_run_instances', {**verb, 'outcome': outcome}, count))
    return samples


def _of_work(row: Data, labels: Labels) -> list[Sample]:
    versions = {'version': row['version'], 'version_before': row['version_before']}
    samples = [
        Sample('anqicms_instance_info', {**labels, 'outcome': row['outcome'], **versions}, 1),
        Sample('anqicms_instance_failed', labels, bool(row['failed'])),
    ]
    for name in ('downtime', 'verified'):
        if row[f'{name}_known']:
            samples.append(Sample(f'anqicms_instance_{name}_seconds', labels, row[f'{name}_ms'] / 1000))
    if timeline.has_window(row):
        lasts = round(timeline.end_of(row) - row['began_at'], 3)
        samples.append(Sample('anqicms_instance_window_seconds', labels, lasts))
    samples += _of_steps(row, labels)
    return samples + _of_findings(row['findings'], labels)


def _of_steps(row: Data, labels: Labels) -> list[Sample]:
    return [
        Sample(
            'anqicms_instance_step_seconds',
            {**labels, 'step': step['name'], 'number': number},
            (step['ended_ms'] - step['started_ms']) / 1000,
        )
        for number, step in enumerate(row['steps'], start=1)
        if step.get('ended_ms') is not None and step.get('started_ms') is not None
    ]


def _of_findings(findings: t.Sequence[Data], labels: Labels) -> list[Sample]:
    counts: collections.Counter[str] = collections.Counter()
    for one in findings:
        counts[str(one.get('severity'))] += int(one.get('count') or 1)
    return [
        Sample('anqicms_instance_findings', {**labels, 'severity': severity}, count)
        for severity, count in sorted(counts.items())
    ]


def _of_diagnosis(row: Data, labels: Labels) -> list[Sample]:
    samples = [
        Sample('anqicms_instance_info', {**labels, 'outcome': row['urgency'], 'version': row['version']}, 1),
        Sample('anqicms_instance_running', labels, row['state'] == 'running'),
    ]
    causes = collections.Counter(str(one.get('cause')) for one in row['incidents'])
    samples += [
        Sample('anqicms_instance_deaths', {**labels, 'cause': cause}, count) for cause, count in sorted(causes.items())
    ]
    last = max((one['epoch'] for one in row['incidents'] if one.get('epoch')), default=0)
    if last:
        samples.append(Sample('anqicms_instance_last_death_timestamp_seconds', labels, last))
    return samples + _of_findings(row['log']['findings'], labels)


# --- the format


def _written(samples: t.Sequence[Sample]) -> str:
    """Grouped by metric, as the format wants it. Of samples that would be the same series, the last one counts."""
    lines: list[str] = []
    for name, told in METRICS.items():
        values = {_series(one): one.value for one in samples if one.name == name}
        if values:
            lines += [f'# HELP {name} {told}', f'# TYPE {name} gauge']
            lines += [f'{series} {_number(value)}' for series, value in values.items()]
    return '\n'.join([*lines, ''])


def _series(sample: Sample) -> str:
    labels = ','.join(f'{name}="{_escaped(value)}"' for name, value in sample.labels.items())
    return f'{sample.name}{{{labels}}}'


def _escaped(value: t.Any) -> str:
    """Lone surrogates cannot be written as UTF-8."""
    return str(value).encode('utf-8', 'replace').decode().translate(_ESCAPES)


def _number(value: float) -> str:
    return repr(float(value)) if isinstance(value, float) else str(int(value))
