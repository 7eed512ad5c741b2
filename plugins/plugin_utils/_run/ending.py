# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The end of a run: the closing table, then the notifications and the report, each with a line if it failed.

The callback does this if it is enabled, otherwise tasks do. Nothing here changes how the run ends.
"""

from __future__ import annotations

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _options
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language import words as _words
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._notify import result_lines
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._run import closing, results
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import shown

Data = t.Mapping[str, t.Any]

# Set in the main process of ansible-playbook by the callback. The workers that run tasks are forks of it.
callback_is_enabled = False


class Targets(t.NamedTuple):
    """Values of anqicms_report and anqicms_notify. The second one contains secrets."""

    report: str | None = None
    notify: t.Sequence[Data] = ()


def targets(given: t.Callable[[str], t.Any]) -> Targets:
    """``given`` returns what people wrote for a variable. The preflight has refused wrong values already."""
    values = []
    for name in ('anqicms_report', 'anqicms_notify'):
        try:
            values.append(_options.value_of(name, given(name)))
        except Exception:  # a template of any kind may be behind it
            values.append(_options.value_of(name, None))
    return Targets(*values)


def lines(
    document: dict[str, t.Any], language: str | None, zone: str | None, to: Targets, has_artifact: bool
) -> t.Iterator[str]:
    """The lines for people, each as soon as it is known. Never raises. ``has_artifact``: see ``artifacts``."""
    words = _words.of(language)
    yield from _safely(lambda: closing.lines(document, words, zone), 'The closing table')
    if document['check_mode']:
        return
    yield from _safely(lambda: notify(event_of(document), document, to.notify, words), 'The notification')
    yield from _safely(lambda: _write(document, to.report, words, zone, has_artifact), 'The report')


def artifacts(document: dict[str, t.Any], language: str | None, zone: str | None, to: Targets) -> dict[str, t.Any]:
    """What a task returns so that the report becomes an artifact; empty if it is for another target.

    Only a task can do that: a callback comes after the one that AWX gets the artifacts from.
    """
    if to.report != 'artifacts' or document['check_mode']:
        return {}
    from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._run import report

    data = report.artifacts(document, _words.of(language), zone)
    return {'artifact': list(data), **results.passed_on(data)}


def event_of(document: Data) -> str:
    if document['totals']['lost']:
        return 'lost'
    return 'finished' if document['ended'] == 'finished' else 'failed'


def notify(event: str, document: dict[str, t.Any], to: t.Sequence[Data], words: _words.Words) -> list[str]:
    """Lines about notifications of this run that failed, earlier ones included. The document gets all of them."""
    if to:
        from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._notify import send

        document['notifications'] = [*document['notifications'], *send.send(event, document, to, words)]
    return result_lines.lines(document['notifications'], words)


def _write(document: Data, target: str | None, words: _words.Words, zone: str | None, has_artifact: bool) -> list[str]:
    if not target:
        return []
    from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._run import report

    if target == report.ARTIFACTS and not has_artifact:
        return [
            words('The report is not in the artifacts: no task could run at the end. The run itself is not affected.')
        ]
    return report.write(document, target, words, zone)


def _safely(work: t.Callable[[], list[str]], what: str) -> list[str]:
    """A defect here must not hide how the run has ended."""
    try:
        return work()
    except Exception as error:
        return [f'{what} failed: {type(error).__name__}: {shown(error, 300)}. The run itself is not affected.']
