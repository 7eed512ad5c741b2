# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What a run is going to do with each instance that was found, and with each host: the plan as data. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _plan, _table
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._run.document import Planned
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import shown

Data = t.Mapping[str, t.Any]
_MOST = 300  # characters of a reason


def of_host(host: str, found: t.Any, plan: _plan.Plan, only: t.Sequence[str]) -> list[Planned]:
    """The instances of one host. ``found``: what the preflight registered, ``only``: the ids that were selected.

    A host without any is one entry, if there is something to say of it.
    """
    if plan.unreachable:
        return [Planned(host, why='unreachable')]
    instances = [one for answer in _plan.answers(found) for one in answer.get('instances') or []]
    rows = [_of_instance(host, one, plan, only) for one in instances]
    if rows or not plan.refusals:
        return rows
    return [Planned(host, reason=shown(plan.refusals[0], _MOST))]


def _of_instance(host: str, instance: Data, plan: _plan.Plan, only: t.Sequence[str]) -> Planned:
    skipped = {entry['dir']: entry for entry in plan.skipped}.get(instance['dir'], {})
    is_other = bool(only) and instance.get('id') not in only
    place = shown(instance['dir'])
    refusal = next((text for text in plan.refusals if text.startswith(f'{place}: ')), '')
    return Planned(
        host=host,
        id=shown(instance.get('id'), 200),
        dir=shown(instance['dir'], 500),
        version=shown(_table.version_of(instance), 100),
        state=shown(instance.get('state') or 'unknown', 50),
        why='only' if is_other else skipped.get('why', ''),
        reason=shown(skipped.get('reason') or refusal.removeprefix(f'{place}: '), _MOST),
    )


def others(
    planned: t.Iterable[str], in_play: t.Iterable[str], in_inventory: t.Iterable[str], gone: t.Collection[str]
) -> list[Planned]:
    """The hosts that the plan does not contain: ``gone`` before it, in a later batch, or excluded by --limit."""
    known = set(planned)
    rows = [
        Planned(host, reason='the host was unreachable' if host in gone else '')
        for host in in_play
        if host not in known
    ]
    known.update(one.host for one in rows)
    return rows + [Planned(host, why='limit') for host in in_inventory if host not in known]
