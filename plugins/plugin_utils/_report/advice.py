# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What to do after a run. Pure."""

from __future__ import annotations

import shlex
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _options
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language.words import Words
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._run.document import WORKED

Data = t.Mapping[str, t.Any]
_MOST_HOSTS = 5
# Where the record of a run can leave out what it has finished.
_RESUMED = _options.OPTIONS['anqicms_resume'].verbs


class Advice(t.NamedTuple):
    """``command``: to copy; may be ''."""

    text: str
    command: str = ''


def of_run(document: Data, words: Words) -> list[Advice]:
    """In the order in which to do it; empty where nothing is left to do."""
    if document['check_mode']:
        return _of_plan(document, words)
    rows = document['instances']
    found = [*_of_lost([row for row in rows if row['outcome'] == 'lost'], words), *_of_rest(document, words)]
    if document['awx_job'] and document['totals']['not_touched']:
        found.append(
            Advice(words("AWX: 'Relaunch on failed hosts' would leave out the instances that were not touched."))
        )
    if any(finding.get('severity') == 'error' for row in rows for finding in row['findings']):
        found.append(Advice(words('Read the errors in the logs of the instances below.')))
    return found


def _of_plan(document: Data, words: Words) -> list[Advice]:
    if document['ended'] != 'finished' or not document['totals']['planned']:
        return []
    return [Advice(words('This was a plan. If it is right, run the same command without --check.'))]


def _of_lost(lost: t.Sequence[Data], words: Words) -> list[Advice]:
    if not lost:
        return []
    text = words('The connection to {hosts} was lost. Check in what state its instances are.', hosts=_names(lost))
    return [Advice(text, f'ansible-playbook anqicms.lifecycle.status --limit {_limit(lost)}')]


def _of_rest(document: Data, words: Words) -> list[Advice]:
    """How to go on with what is not done."""
    away = [row for row in document['instances'] if row['why'] == 'unreachable']
    if document['ended'] == 'finished' and not away:
        return []
    first = (
        words('When {hosts} can be reached again:', hosts=_names(away))
        if document['ended'] == 'finished'
        else words('Fix the cause.')
    )
    run = str(document.get('resume', document['run_id']))  # that of a workflow is no run of its own
    if document['verb'] not in _RESUMED or not run or not any(document['totals'][name] for name in WORKED):
        return [Advice(words.sentences(first, words('Run the same command again.')))]
    then = words('Run the same command with this option, which leaves out what is done.')
    return [Advice(words.sentences(first, then), f'-e anqicms_resume={shlex.quote(run)}')]


def _hosts(rows: t.Sequence[Data]) -> list[str]:
    return list(dict.fromkeys(str(row['host']) for row in rows))


def _names(rows: t.Sequence[Data]) -> str:
    hosts = _hosts(rows)
    return ', '.join(hosts[:_MOST_HOSTS]) + (', ...' if len(hosts) > _MOST_HOSTS else '')


def _limit(rows: t.Sequence[Data]) -> str:
    return shlex.quote(','.join(_hosts(rows)))
