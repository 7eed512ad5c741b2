# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Writes the report of a run to where anqicms_report says: a directory, an address, or the artifacts of the run."""

from __future__ import annotations

import contextlib
import json
import re
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language.words import Words
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._report import directory, metrics, page, upload
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import shown

Data = t.Mapping[str, t.Any]
ARTIFACTS = 'artifacts'
# Artifacts become variables of all later jobs of a workflow, so they have to stay small.
MOST_JSON, MOST_HTML = 1024 * 1024, 256 * 1024
_KEPT = ('advice', 'problems')  # of the lists of an instance, where the others are too long


def refusal(target: str | None) -> str:
    """Why the report could not be written, before anything is touched; '' where it can be, as far as can be known."""
    if not target or target == ARTIFACTS:
        return ''
    why = upload.refusal(target) if upload.is_address(target) else directory.refusal(target)
    return f'anqicms_report: the report cannot be written. {shown(why)}.' if why else ''


class Written(t.NamedTuple):
    """``line``: for people."""

    ok: bool
    line: str


def write(document: Data, target: str, words: Words, zone: str | None) -> list[str]:
    """Lines for people. What could not be written is such a line, and never an error."""
    return [attempt(document, target, words, zone).line]


def attempt(document: Data, target: str, words: Words, zone: str | None) -> Written:
    """The same for a caller that has to know whether it was written. Never raises."""
    try:
        return Written(True, words('Report: {path}', path=shown(_written(document, target, words, zone))))
    except Exception as error:  # of any kind: the run itself is done, and its report does not change its outcome
        line = words(
            'The report was not written to {target}: {why}. The run itself is not affected.',
            target=shown(upload.shown(target) if upload.is_address(target) else target),
            why=shown(getattr(error, 'strerror', None) or error or type(error).__name__, 300).rstrip('.'),
        )
        return Written(False, line)


def _written(document: Data, target: str, words: Words, zone: str | None) -> str:
    """Where to find it. Any error says why it could not be written."""
    if target == ARTIFACTS:
        return artifact_name(document)
    plain, run = _plain(document), name_of_run(document)
    if not upload.is_address(target):
        if directory.is_file(target):
            return directory.write_file(target, _json(plain))
        return directory.write(target, run, _files(plain, words, zone)) + '/run.html'
    # After the first file that could not be uploaded, the others are not tried: the waits would add up.
    return [upload.put(target, run, name, content) for name, content in _files(plain, words, zone).items()][-1]


def artifacts(document: Data, words: Words, zone: str | None) -> dict[str, t.Any]:
    """For set_stats: the document, with the page as ``html`` where it is small enough; never raises."""
    plain = _plain(document)
    if len(json.dumps(plain)) > MOST_JSON:
        plain['instances'] = [_shortened(row) for row in plain['instances']]
        plain['shortened'] = True
    with contextlib.suppress(Exception):  # of any kind: the document itself is worth more
        text = page.page(plain, zone, words)
        plain |= {'html': text} if len(text.encode()) <= MOST_HTML else {}
    return {artifact_name(document): plain}


def _shortened(row: Data) -> dict[str, t.Any]:
    """Without the lists of an instance. The log of a diagnosis has lists of its own."""
    return {
        key: _shortened(value)
        if isinstance(value, dict)
        else []
        if isinstance(value, list) and key not in _KEPT
        else value
        for key, value in row.items()
    }


def artifact_name(document: Data) -> str:
    """A name that a variable can have."""
    return 'anqicms_report_' + re.sub('[^A-Za-z0-9]', '_', str(document['run_id']))


def name_of_run(document: Data) -> str:
    """A name of a directory for any name of a run."""
    return re.sub('[^A-Za-z0-9._-]', '_', str(document['run_id']))[:120].lstrip('.') or 'run'


def _files(document: Data, words: Words, zone: str | None) -> dict[str, bytes]:
    """The page is the last one: where it is there, the others are."""
    return {
        'run.json': _json(document),
        'run.prom': metrics.text(document).encode(),
        'run.html': page.page(document, zone, words).encode('utf-8', 'replace'),
    }


def _plain(document: Data) -> dict[str, t.Any]:
    """Without the types of ansible-core, and without anything that the parts do not share."""
    return t.cast('dict[str, t.Any]', json.loads(json.dumps(document, default=str)))


def _json(document: Data) -> bytes:
    """Lone surrogates stay escapes: they cannot be written as UTF-8."""
    try:
        return (json.dumps(document, indent=2, ensure_ascii=False) + '\n').encode()
    except UnicodeEncodeError:
        return (json.dumps(document, indent=2) + '\n').encode()
