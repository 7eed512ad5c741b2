# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What a notification says, in plain text: a title, some facts, and one row for each instance. Pure.

Values come from hosts and users. They become text of one line here. Each service escapes them for its own markup.
"""

from __future__ import annotations

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _options
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language.words import Words
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._run import document as _document
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import shown

Data = t.Mapping[str, t.Any]
# The rows come in this order: first those that somebody has to look after.
_ORDER = ('failed', 'lost', 'rolled_back', 'not_touched', 'left_out', 'done', 'unchanged', 'planned')
_MOST_NAME, _MOST_REASON, _MOST_TEXT = 100, 200, 500  # characters


# What programs get of the run, and of each instance.
_RUN = ('schema', 'run_id', 'verb', 'check_mode', 'began_at', 'ended_at', 'ended', 'resumes', 'message', 'totals')
_INSTANCE = (
    *('host', 'id', 'dir', 'outcome', 'why', 'failed', 'changed', 'version', 'version_before', 'state'),
    *('began_at', 'ended_at', 'downtime_ms', 'downtime_known', 'reason'),
)


class Message(t.NamedTuple):
    """``data``: the same for programs, with as many ``instances`` as rows. ``left``: instances without a row."""

    title: str
    facts: list[str]
    rows: list[str]
    data: dict[str, t.Any]
    words: Words
    left: int = 0

    def lines(self) -> list[str]:
        """All but the title."""
        more = [self.words('and {count} more', count=self.left)] if self.left else []
        return [*self.facts, *self.rows, *more]


def make(event: str, document: Data, words: Words) -> Message:
    """``event``: one of ``targets.EVENTS``. ``document``: see ``_run/document.py``; its ``text`` is one fact."""
    chosen = _instances(event, document)
    rows = [_row(one, words) for one in chosen]
    data: dict[str, t.Any] = {'event': event, 'text': shown(document.get('text') or '', _MOST_TEXT)}
    data |= {key: _data(document[key]) for key in _RUN if key in document}
    data['instances'] = [{key: _data(one[key]) for key in _INSTANCE if key in one} for one in chosen]
    return Message(_title(event, document, words), _facts(event, document, words), rows, data, words)


def _data(value: t.Any) -> t.Any:
    """Texts as they are, but for their length."""
    return value[:_MOST_TEXT] if isinstance(value, str) else value


def _title(event: str, document: Data, words: Words) -> str:
    verb = words.known(shown(document.get('verb') or '', _MOST_NAME))
    name = f'AnQiCMS {verb}'.strip()
    title = {
        'start': words('{name}: started', name=name),
        'canary': words('{name}: first batch done', name=name),
        'finished': words('{name}: finished', name=name),
        'failed': words('{name}: failed', name=name),
        'lost': words('{name}: connection to a host lost', name=name),
    }[event]
    return words('{title} (check mode)', title=title) if document.get('check_mode') else title


def _facts(event: str, document: Data, words: Words) -> list[str]:
    facts = [shown(document.get('text') or '', _MOST_TEXT)]
    if document.get('run_id'):
        facts.append(words('Run: {run}', run=shown(document['run_id'], _MOST_NAME)))
    facts.append(_totals(document, words))
    seconds = (document.get('ended_at') or 0) - (document.get('began_at') or 0)
    if event != 'start' and document.get('began_at') and seconds > 0:
        facts.append(
            words('Duration: {minutes} min {seconds} s', minutes=int(seconds // 60), seconds=int(seconds % 60))
        )
    facts.append(words.known(shown(document.get('message') or '', _MOST_TEXT)))
    facts.append(_resume(event, document, words))
    return [fact for fact in facts if fact]


def _totals(document: Data, words: Words) -> str:
    instances = document.get('instances') or []
    if not instances:
        return ''
    hosts = len({one['host'] for one in instances})
    counts = {outcome: sum(one['outcome'] == outcome for one in instances) for outcome in _ORDER}
    text = ', '.join(f'{words.known(_word(outcome))} {count}' for outcome, count in counts.items() if count)
    return words('Instances: {count} on {hosts} hosts ({totals})', count=len(instances), hosts=hosts, totals=text)


def _resume(event: str, document: Data, words: Words) -> str:
    verbs = _options.OPTIONS['anqicms_resume'].verbs
    if event not in ('failed', 'lost') or document.get('check_mode') or document.get('verb') not in verbs:
        return ''
    run = shown(document.get('run_id') or '', _MOST_NAME)
    return words('Fix the cause, then resume with -e anqicms_resume={run}', run=run) if run else ''


def _instances(event: str, document: Data) -> list[Data]:
    """Those that this event is about, the important ones first."""
    outcomes = {'start': ('left_out',), 'canary': _document.WORKED}.get(event, _ORDER)
    chosen = [one for one in document.get('instances') or [] if one['outcome'] in outcomes]
    return sorted(chosen, key=lambda one: _ORDER.index(one['outcome']))


def _row(one: Data, words: Words) -> str:
    names = [shown(one.get(key) or '', _MOST_NAME) for key in ('host', 'id')]
    downtime = words('downtime {ms} ms', ms=one['downtime_ms']) if one.get('downtime_known') else ''
    why = words.known(_word(shown(one.get('why') or '', _MOST_NAME)))
    reason = words.known(shown(one.get('reason') or '', _MOST_REASON))
    return ' · '.join(part for part in [*names, words.known(_word(one['outcome'])), downtime, why, reason] if part)


def _word(code: str) -> str:
    return code.replace('_', ' ')
