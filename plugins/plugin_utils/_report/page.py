# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The report as one HTML file, without scripts and without anything that is loaded from elsewhere."""

from __future__ import annotations

import functools
import os
import typing as t

import jinja2
import markupsafe

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language.words import Words
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._report import diagnosis_view, run_view, times
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import shown

Data = t.Mapping[str, t.Any]
TEMPLATES = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'templates')
KIND_NAMES: t.Mapping[str, str] = {
    'stop': 'stop',
    'port': 'release of the port',
    'change': 'change',
    'start': 'start',
    'check': 'checks',
    'other': 'other',
}
WHY_NAMES: t.Mapping[str, str] = {
    'unreachable': 'unreachable',
    'limit': 'not selected by --limit',
    'only': 'not selected by anqicms_only',
    'not_needed': 'not needed',
    'finished': 'finished by the earlier run',
    'not_part': 'not part of the earlier run',
    'foreign': 'install of another user',
}


def page(document: Data, zone: str | None, words: Words) -> str:
    """Of a run, or of a diagnosis."""
    clock = times.clock(zone)
    if document['verb'] == 'diagnose':
        name, values = 'diagnosis.html.j2', diagnosis_view.view(document, clock, words)
    else:
        name, values = 'run.html.j2', run_view.view(document, clock, words)
        values['has_sites'] = any(row.sites for row in values['rows'])
    return (
        _templates()
        .get_template(name)
        .render(
            **values,
            words=words,
            known=lambda code: words.known(str(code).replace('_', ' ')),
            zone=clock.offset(document['ended_at']),
            duration=times.duration,
            moment=clock.moment,
            name_of=run_view.name_of,
            kind_names=KIND_NAMES,
            why_names=WHY_NAMES,
        )
    )


@functools.lru_cache(maxsize=1)
def _templates() -> jinja2.Environment:
    """Every value that a template prints is escaped, and made harmless before: no template can forget it."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.ChainableUndefined,
    )


def _harmless(value: t.Any) -> t.Any:
    return shown(value) if isinstance(value, str) and not isinstance(value, markupsafe.Markup) else value
