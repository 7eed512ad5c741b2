# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What to do after a run. Pure."""

from __future__ import annotations

import shlex
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language.words import Words

Data = t.Mapping[str, t.Any]
_MOST_HOSTS = 5


class Advice(t.NamedTuple):
    """``command``: to copy; may be ''."""

    text: str
    command: str = ''


def of_run(document: Data, words: Words) -> list[Advice]:
    """In the order in which to do it; empty where nothing is left to do."""
    if document['check_mode']:
        return _of_plan(document, words)
    rows = document['instances']
    found = [
        *_of_lost([row for row in rows if row['outcome'] == 'lost'], words),
        *_of_failed(document, words),
        *_of_left_out([row for row in rows if row['why'] == 'unreachable'], words),
    ]
    if any(finding.get('severity') == 'error' for row in rows for finding in row['findings']):
        found.append(Advice(words('Read the errors in the logs of the instances below.')))
    return found


def _of_plan(document: Data, words: Words) -> list[Advice]:
    if document['ended'] != 'finished' or not document['totals']['planned']:
        return []
    text = words('This was a plan. If it is right, run the same command without --check.')
    return [Advice(text)]


def _of_lost(lost: t.Sequence[Data], words: Words) -> list[Advice]:
    if not lost:
        return []
    text = words('The connection to {hosts} was lost. Check in what state its instances are.', hosts=_names(lost))
    return [Advice(text, f'ansible-playbook anqicms.lifecycle.status --limit {_limit(lost)}')]


def _of_failed(document: Data, words: Words) -> list[Advice]:
    totals = document['totals']
    if not any(totals[name] for name in ('failed', 'rolled_back', 'lost', 'not_touched')):
        return []
    if document['verb'] == 'recover':  # it takes what is left by itself
        return [Advice(words('Fix the cause, then run the same command again.'))]
    text = words('Fix the cause, then run the same command with this option. It leaves out what is done.')
    return [Advice(text, f'-e anqicms_resume={shlex.quote(str(document["run_id"]))}')]


def _of_left_out(away: t.Sequence[Data], words: Words) -> list[Advice]:
    if not away:
        return []
    text = words('When {hosts} can be reached again, run the same command with this option.', hosts=_names(away))
    return [Advice(text, f'--limit {_limit(away)}')]


def _hosts(rows: t.Sequence[Data]) -> list[str]:
    return list(dict.fromkeys(str(row['host']) for row in rows))


def _names(rows: t.Sequence[Data]) -> str:
    hosts = _hosts(rows)
    return ', '.join(hosts[:_MOST_HOSTS]) + (', ...' if len(hosts) > _MOST_HOSTS else '')


def _limit(rows: t.Sequence[Data]) -> str:
    return shlex.quote(','.join(_hosts(rows)))
