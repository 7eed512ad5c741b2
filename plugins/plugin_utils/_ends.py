# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Which hosts a run has left out, and which it has not reached. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _plan

Facts = t.Mapping[str, t.Any]
# What the first look at a host registers.
_LOOKS = ('anqicms__found', 'anqicms__asked')
# What the work on a host registers, also where it was skipped.
_WORK = {'prepare': 'anqicms__installing'}


def is_left_out(facts: Facts) -> bool:
    """Whether the first look did not reach the host, and the run went on without it."""
    looks = [facts.get(name) for name in _LOOKS]
    return any(answer.get('unreachable') for look in looks if look for answer in [look, *_plan.answers(look)])


def not_reached(of_hosts: t.Mapping[str, Facts], verb: str) -> list[str]:
    """Hosts with something to do on which no work has begun."""
    work = _WORK.get(verb, f'anqicms__{verb}_result')
    return [
        host for host, facts in of_hosts.items() if work not in facts and not is_left_out(facts) and _has_work(facts)
    ]


def _has_work(facts: Facts) -> bool:
    found = facts.get('anqicms__found')
    return found is None or any(answer.get('instances') for answer in _plan.answers(found))
