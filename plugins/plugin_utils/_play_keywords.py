# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Which hosts a playbook of this collection works on, and in which batches.

Ansible reads the keywords of a play before any task, so what they are made of is checked here.
"""

from __future__ import annotations

import difflib
import functools
import typing as t

from ansible import context
from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _batches, _options
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language import words
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import shown

_MOST_NAMES = 3


class PlayKeywords:
    """What the variables of a play, which are not those of a host, say. ValueError for what cannot be.

    The variables of hosts are not known before the first play of a run. Until then, only names decide.
    """

    def __init__(self, variables: t.Any, templar: t.Any, loader: t.Any) -> None:
        self._variables, self._templar, self._loader = variables, templar, loader
        self._groups: t.Mapping[str, t.Sequence[str]] = variables.get('groups') or {}
        self._hostvars: t.Any = variables.get('hostvars') or {}
        self._read: dict[str, t.Mapping[str, t.Any]] = {}

    def value_of(self, name: str) -> t.Any:
        if name == 'anqicms_hosts':
            return self._hosts()
        return self._serial() if name == 'anqicms_serial' else self._set(name)

    def limits(self, hosts: t.Sequence[str], serial_by: t.Mapping[str, _batches.Size]) -> list[_batches.Limit]:
        """How many of these hosts may be worked on at once."""
        return [_batches.Limit(self._values(name, hosts), most) for name, most in serial_by.items()]

    # --- the keywords

    def _hosts(self) -> str | list[str]:
        """The names of the hosts in the order of the batches; the pattern where there is no inventory."""
        pattern, limit = self._pattern(), context.CLIARGS.get('subset')
        if context.CLIARGS.get('syntax'):
            return pattern
        hosts = self._matching(pattern, limit)
        if not hosts:
            raise ValueError(_no_hosts(pattern, limit, self._groups))
        names = self._in_order(hosts)
        if self._matching(names) != names:
            odd = [name for name in names if self._matching([name]) != [name]]
            raise ValueError(_no_pattern((odd or names)[0]))
        return names

    def _in_order(self, hosts: t.Sequence[str]) -> list[str]:
        if not (self._hostvars and self._set('anqicms_serial_by')):
            return _batches.ordered(hosts, self._canaries())
        return [name for batch in self._batches(hosts) for name in batch]

    def _serial(self) -> list[int | str]:
        """Exact sizes where Ansible cannot make them of the numbers that are given."""
        words.of_variable(self._raw('anqicms_language'))  # read here, so that the workers need not read its texts
        hosts = self._matching(self._pattern(), context.CLIARGS.get('subset'))
        if self._canaries().isdisjoint(hosts) and not self._set('anqicms_serial_by'):
            return t.cast('list[int | str]', self._set('anqicms_serial'))
        return [len(batch) for batch in self._batches(hosts)]

    def _batches(self, hosts: t.Sequence[str]) -> list[list[str]]:
        limits = self.limits(hosts, self._set('anqicms_serial_by') if self._hostvars else {})
        return _batches.plan(hosts, self._set('anqicms_serial'), self._canaries(), limits)

    # --- variables

    def _set(self, name: str) -> t.Any:
        return _options.value_of(name, self._raw(name))

    def _raw(self, name: str) -> t.Any:
        """What is given for a variable of the play, or of the first of its hosts, whatever --limit leaves."""
        given = self._given(name)
        if not _options.is_given(given) and self._hostvars and self._first in self._hostvars:
            given = self._hostvars[self._first].get(name)
        return given

    @functools.cached_property
    def _first(self) -> str:
        """All variables of the play are read from the same host, so it is looked for once."""
        return next(iter(_batches.ordered(self._matching(self._pattern()), self._canaries())), '')

    def _given(self, name: str) -> t.Any:
        return self._templar.template(self._variables[name]) if name in self._variables else None

    def _pattern(self) -> str | list[str]:
        return t.cast('str | list[str]', _options.value_of('anqicms_hosts', self._given('anqicms_hosts')))

    def _canaries(self) -> frozenset[str]:
        return frozenset(self._groups.get(_batches.CANARIES, ()))

    # --- hosts

    def _values(self, name: str, hosts: t.Sequence[str]) -> dict[str, list[str]]:
        """What these hosts have for a group or a variable that limits batches."""
        if name in self._groups:
            members = frozenset(self._groups[name])
            return {host: [name] for host in hosts if host in members}
        found = {host: _texts(name, host, self._of(host)) for host in hosts if name in self._of(host)}
        if not found and not any(name in self._of(host) for host in self._matching(self._pattern())):
            variables = {str(one) for of_host in self._read.values() for one in of_host}
            raise ValueError(_no_name(name, self._groups, variables))
        return found

    def _of(self, host: str) -> t.Mapping[str, t.Any]:
        """The variables of a host, which take a while to collect."""
        if host not in self._read:
            self._read[host] = self._hostvars[host]
        return self._read[host]

    def _matching(self, pattern: str | list[str], limit: str | None = None) -> list[str]:
        """The names of the hosts, in the order of the inventory. What is no pattern matches none."""
        try:
            self._inventory.subset(limit)
            return [host.name for host in self._inventory.get_hosts(pattern)]
        except AnsibleError:
            return []

    @functools.cached_property
    def _inventory(self) -> InventoryManager:
        manager = InventoryManager(self._loader, parse=False)
        for group, hosts in self._groups.items():
            manager.add_group(group)
            for host in hosts:
                manager.add_host(host, group=group)
        return manager


def _texts(name: str, host: str, of_host: t.Mapping[str, t.Any]) -> list[str]:
    """The values of a variable as texts that can be compared: one, those of a list, or none."""
    try:
        value = of_host[name]
    except AnsibleError as error:
        raise ValueError(_no_value(name, host, str(error).splitlines()[0])) from error
    values = value if isinstance(value, (list, tuple)) else [value]
    texts = list(dict.fromkeys(str(one).strip() for one in values if _options.is_given(one)))
    if any('{{' in text for text in texts):  # ansible-core 2.16 leaves what is not defined as it is
        raise ValueError(_no_value(name, host, texts[0]))
    return texts


def _no_value(name: str, host: str, why: str) -> str:
    why = shown(why, 300).rstrip('.')
    return f'anqicms_serial_by names {shown(name, 100)}, which cannot be read on {shown(host, 100)}: {why}.'


def _no_name(name: str, groups: t.Iterable[str], variables: t.Iterable[str]) -> str:
    known = {*map(str, groups), *variables}
    near = difflib.get_close_matches(name, sorted(known), _MOST_NAMES)
    advice = f'Similar are: {", ".join(near)}' if near else f'The groups are: {", ".join(sorted(map(str, groups)))}'
    return (
        f'anqicms_serial_by names {shown(name, 100)}, which is neither a group nor a variable of a host of this run. '
        f'{shown(advice, 500)}.'
    )


def _no_pattern(name: str) -> str:
    """Ansible takes the hosts of a play as patterns only."""
    return (
        f'The name {shown(name, 100)} of a host means something else as a pattern of hosts. Rename it in the '
        'inventory, and keep the address in ansible_host.'
    )


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
