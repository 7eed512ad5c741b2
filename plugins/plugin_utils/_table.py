# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Tables for people: what was found on every host and what the run would do."""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _options, _plan
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language.words import ENGLISH, Words
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import padded, shown, width

HEADINGS = ('host', 'id', 'state', 'version', 'port', 'pid', 'plan', 'directory')  # the longest last: it may wrap
_NOTHING = 'nothing to do: it has no instances'
_PLAIN = re.compile(r'[A-Za-z/][A-Za-z0-9._/-]*')
MARKS = {'block': '!', 'warn': '-', 'info': '.'}


def version_of(instance: t.Mapping[str, t.Any]) -> str:
    """The running version, with the one on disk behind it where the two differ, and what only CHANGELOG.md says."""
    version = instance.get('version') or {}
    running, files = version.get('running'), version.get('files')
    guessed = version.get('from') == 'changelog'
    if running and files and running != files:
        return f'{running} (files {files}{", by CHANGELOG.md" if guessed else ""})'
    return f'{files} (by CHANGELOG.md)' if files and guessed and not running else str(running or files or '?')


def cells(host: str, instance: t.Mapping[str, t.Any], what: str, words: Words = ENGLISH) -> tuple[str, ...]:
    """One row of the table."""
    pids = ' '.join(str(pid) for pid in instance.get('pids') or []) or '-'
    values = (
        host,
        instance.get('id'),
        words.known(str(instance.get('state'))),
        version_of(instance),
        instance.get('port') or '?',
        pids,
        what,
        instance.get('dir'),
    )
    return tuple(shown(value, 120) for value in values)


def notes(instance: t.Mapping[str, t.Any], verb: str, accept: t.Sequence[str], words: Words = ENGLISH) -> list[str]:
    """What people should know about an instance, one line per hazard."""
    lines = []
    hazards = instance.get('hazards') or []
    for hazard in hazards if _plan.HIDDEN in accept else _plan.cause(hazards):
        blocks = verb in (hazard.get('blocks') or [])
        state = words(' (accepted)') if blocks and hazard['code'] in accept else ''
        mark = '!' if blocks else MARKS.get(hazard.get('severity', ''), '-')
        message = shown(words.known(str(hazard['message'])), 300)
        lines.append(f'  {mark} {shown(hazard["code"])}{state}: {message}')
    return lines


def what_happens(
    instance: t.Mapping[str, t.Any],
    plan: _plan.Plan,
    verb: str,
    accept: t.Sequence[str],
    resume: str | None = None,
    words: Words = ENGLISH,
) -> str:
    """A word on what the run does to an instance."""
    skipped = {entry['dir']: entry['reason'] for entry in plan.skipped}
    if plan.unlisted:
        return words('REFUSED: not listed')
    if instance['dir'] in skipped:
        reason = skipped[instance['dir']]
        is_whole = reason.startswith('not worked on')
        return words.known(reason) if is_whole else words('skip: {reason}', reason=words.known(reason))
    return words('REFUSED') if _plan.refused(instance, verb, accept, resume) else words.known(verb)


def plan_of(facts: t.Mapping[str, t.Any], verb: str) -> _plan.Plan:
    """The plan of a host from its variables."""
    return _plan.make_plan(
        facts.get('anqicms__found'),
        verb,
        _option(facts, 'anqicms_accept_hazards', verb),
        _option(facts, 'anqicms_only_if_needed', verb),
        _option(facts, 'anqicms_only', verb),
        _option(facts, 'anqicms_resume', verb),
    )


def _option(facts: t.Mapping[str, t.Any], name: str, verb: str) -> t.Any:
    """A variable of the whole fleet may be meant for another verb: this one does not read it then."""
    reads = verb in _options.OPTIONS[name].verbs
    return _options.value_of(name, facts.get(name) if reads else None)


def for_inventory(found: t.Mapping[str, t.Any]) -> str:
    """YAML for the inventory with what was found on each host. What is left out is named in a comment."""
    lines = ['', '# Found, for the inventory: keep what is yours. Or set anqicms_instances: discover', 'hosts:']
    for host, answer in found.items():
        instances = [one for each in _plan.answers(answer) for one in each.get('instances') or []]
        listed = _plan.inventory(instances)
        lines += [f'  {_quoted(host)}:', f'    anqicms_instances:{"" if listed else " []"}']
        for entry in listed:
            first, *others = [f'{key}: {_quoted(value)}' for key, value in entry.items()]
            lines += [f'      - {first}', *(f'        {other}' for other in others)]
        kept = {entry['dir'] for entry in listed}
        left = [one for one in instances if one.get('dir') not in kept]
        lines += [f'      # left out: {shown(one.get("dir"), 200)}' for one in left]
    return '\n'.join([*lines, ''])


def _quoted(value: t.Any) -> str:
    """A scalar of YAML: as it is where it is plain, else as JSON, which YAML reads too."""
    text = str(value)
    return text if isinstance(value, int) or _PLAIN.fullmatch(text) else json.dumps(text)


def host_rows(
    host: str, facts: t.Mapping[str, t.Any], verb: str, words: Words = ENGLISH
) -> list[tuple[tuple[str, ...], list[str]]]:
    """The rows of one host, each with the notes that stand below it."""
    found, accept = facts.get('anqicms__found'), _option(facts, 'anqicms_accept_hazards', verb)
    only, resume = (_option(facts, f'anqicms_{name}', verb) for name in ('only', 'resume'))
    plan = plan_of(facts, verb)
    rows = []
    for answer in _plan.chosen(found, only):
        for instance in answer.get('instances') or []:
            what = what_happens(instance, plan, verb, accept, resume, words)
            rows.append((cells(host, instance, what, words), notes(instance, verb, accept, words)))
    if rows:
        return rows
    word = 'unreachable, left out' if plan.unreachable else 'REFUSED' if plan.refusals else _NOTHING
    below = [f'  ! {shown(words.known(line), 600)}' for line in plan.refusals]
    return [((host, '-', '-', '-', '-', '-', words.known(word), ''), below)]


def summary(plans: t.Mapping[str, _plan.Plan], verb: str, words: Words = ENGLISH) -> str:
    """The plan in one line."""
    count = sum(len(plan.instances) for plan in plans.values())
    hosts = sum(bool(plan.instances) for plan in plans.values())
    refused = sum(bool(plan.refusals) for plan in plans.values())
    said = words('{verb}: instances: {count}, hosts: {hosts}', verb=words.known(verb), count=count, hosts=hosts)
    return said + (words(', hosts that refuse: {count}', count=refused) if refused else '')


def table(
    rows: t.Sequence[tuple[tuple[str, ...], list[str]]], headings: tuple[str, ...] = HEADINGS, words: Words = ENGLISH
) -> list[str]:
    """Aligned lines with a heading."""
    first = tuple(words.known(heading) for heading in headings)
    all_cells = [first, *(cells for cells, _notes in rows)]
    widths = [max(width(row[n]) for row in all_cells) for n in range(len(headings))]
    lines = [_line(first, widths)]
    for row, below in rows:
        lines += [_line(row, widths), *below]
    return lines


def _line(row: t.Sequence[str], widths: t.Sequence[int]) -> str:
    return '  '.join(padded(cell, cells) for cell, cells in zip(row, widths)).rstrip()
