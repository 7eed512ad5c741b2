# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Which hosts a playbook of this collection works on, and in which batches.

Ansible reads the keywords of a play before any task, so what they are made of is checked here.
"""

from __future__ import annotations

import typing as t

from ansible import context
from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _options
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import shown


class PlayKeywords:
    """What the variables of a play, which are not those of a host, say. ValueError for what cannot be."""

    def __init__(self, variables: t.Any, templar: t.Any, loader: t.Any) -> None:
        self._variables, self._templar, self._loader = variables, templar, loader

    def value_of(self, name: str) -> t.Any:
        return self._hosts() if name == 'anqicms_hosts' else self._serial()

    def _given(self, name: str) -> t.Any:
        return self._templar.template(self._variables[name]) if name in self._variables else None

    def _pattern(self) -> str | list[str]:
        return t.cast('str | list[str]', _options.value_of('anqicms_hosts', self._given('anqicms_hosts')))

    def _hosts(self) -> str | list[str]:
        pattern = self._pattern()
        if not context.CLIARGS.get('syntax') and not self._matching(pattern, context.CLIARGS.get('subset')):
            raise ValueError(_no_hosts(pattern, context.CLIARGS.get('subset'), self._variables['groups']))
        return pattern

    def _serial(self) -> list[int | str]:
        given = self._given('anqicms_serial')
        hostvars = self._variables.get('hostvars') or {}  # there are none before the first play of a run
        first = '' if _options.is_given(given) else next(iter(self._matching(self._pattern())), '')
        if first in hostvars:
            given = hostvars[first].get('anqicms_serial')
        return t.cast('list[int | str]', _options.value_of('anqicms_serial', given))

    def _matching(self, pattern: str | list[str], limit: str | None = None) -> list[str]:
        """The names of the hosts, in the order of the inventory. What is no pattern matches none."""
        manager = InventoryManager(self._loader, parse=False)
        for group, hosts in self._variables['groups'].items():
            manager.add_group(group)
            for host in hosts:
                manager.add_host(host, group=group)
        try:
            manager.subset(limit)
            return [host.name for host in manager.get_hosts(pattern)]
        except AnsibleError:
            return []


def _no_hosts(wanted: str | list[str], limit: str | None, groups: t.Mapping[str, t.Any]) -> str:
    """Why a run has nothing to work on, and what to do."""
    name = wanted if isinstance(wanted, str) else ','.join(wanted)
    if limit:
        seen, advice = f'No host of {shown(name)} is within --limit {shown(limit)}', 'Correct --limit'
    elif name in groups:
        seen, advice = f'The group {shown(name)} has no hosts', 'Add hosts to it in the inventory'
    else:
        seen, advice = f'The inventory has no host or group {shown(name)}', 'Add it'
    return f'{seen}. {advice}, or name other hosts with -e anqicms_hosts=PATTERN.'
