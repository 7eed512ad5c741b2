# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Writes the report of a run to where anqicms_report says: a directory, an address, or the artifacts of the run."""

from __future__ import annotations

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
_LONG = ('steps', 'findings', 'sites', 'pages', 'notes', 'hops')  # of an instance


def refusal(target: str | None) -> str:
    """Why the report could not be written, before anything is touched; '' where it can be, as far as can be known."""
    if not target or target == ARTIFACTS:
        return ''
    why = upload.refusal(target) if upload.is_address(target) else directory.refusal(target)
    return f'anqicms_report: the report cannot be written. {shown(why)}.' if why else ''


def write(document: Data, target: str, words: Words, zone: str | None) -> list[str]:
    """Lines for people. What could not be written is such a line, and never an error."""
    try:
        if target == ARTIFACTS:
            return [words('Report: artifact {name}', name=artifact_name(document))]
        plain = _plain(document)
        if upload.is_address(target):
            return _uploaded(plain, target, words, zone)
        if directory.is_file(target):
            path = directory.write_file(target, _json(plain))
        else:
            path = directory.write(target, name_of_run(document), _files(plain, words, zone)) + '/run.html'
        return [words('Report: {path}', path=shown(path))]
    except Exception as error:  # of any kind: the run itself is done, and its outcome is not changed by its report
        return [_not_written(upload.shown(target) if upload.is_address(target) else target, _why(error), words)]


def artifacts(document: Data, words: Words, zone: str | None) -> dict[str, t.Any]:
    """For set_stats: the document, with the page as ``html`` where it is small enough; never raises."""
    plain = _plain(document)
    if len(_json(plain)) > MOST_JSON:
        plain['instances'] = [{**row, **{key: [] for key in _LONG if key in row}} for row in plain['instances']]
        plain['shortened'] = True
    try:
        text = page.page(plain, zone, words)
    except Exception:  # of any kind: the document itself is worth more
        text = ''
    if text and len(text.encode()) <= MOST_HTML:
        plain['html'] = text
    return {artifact_name(document): plain}


def artifact_name(document: Data) -> str:
    """A name that a variable can have."""
    return 'anqicms_report_' + re.sub('[^A-Za-z0-9]', '_', str(document['run_id']))


def name_of_run(document: Data) -> str:
    """A name of a directory for any name of a run."""
    return re.sub('[^A-Za-z0-9._-]', '_', str(document['run_id']))[:120].lstrip('.') or 'run'


def _uploaded(document: Data, target: str, words: Words, zone: str | None) -> list[str]:
    """After the first file that could not be uploaded, the others are not tried: the waits would add up."""
    told = ''
    for name, content in _files(document, words, zone).items():
        try:
            told = upload.put(target, name_of_run(document), name, content)
        except upload.NotUploaded as error:
            return [_not_written(upload.shown(target), str(error), words)]
    return [words('Report: {path}', path=shown(told))]


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


def _not_written(target: str, why: str, words: Words) -> str:
    return words(
        'The report was not written to {target}: {why}. The run itself is not affected.',
        target=shown(target),
        why=shown(why, 300).rstrip('.'),
    )


def _why(error: Exception) -> str:
    return str(getattr(error, 'strerror', None) or error or type(error).__name__)
