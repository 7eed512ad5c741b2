# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Which variables people gave to a run, and where: not those of roles, which are nobody's mistake of today."""

from __future__ import annotations

import typing as t

Data = t.Mapping[str, t.Any]
_MOST_HOSTS = 3
OF_HOSTS = 'variable of '


def names(task: t.Any, variables: Data, loader: t.Any) -> dict[str, str]:
    """Every name with the place that it was found in, for people."""
    found: dict[str, str] = {}
    by_host = _of_hosts(variables)
    extra = set(_extra(variables))
    for name, hosts in by_host.items():
        found[name] = of_hosts(hosts)
    for name in _of_play(task, loader):
        found.setdefault(name, 'variable of the play or the task')
    for name in extra:
        found[name] = 'extra variable'
    return found


def of_hosts(hosts: t.Sequence[str]) -> str:
    return OF_HOSTS + ', '.join(hosts[:_MOST_HOSTS]) + (', ...' if len(hosts) > _MOST_HOSTS else '')


def variables_of(host: str, task: t.Any, variables: Data) -> Data:
    """What this task would see on another host than the one that it runs for."""
    if host == variables.get('inventory_hostname'):
        return variables
    hostvars: t.Any = variables['hostvars']
    found = hostvars._variable_manager.get_vars(
        play=play_of(task), host=hostvars._inventory.get_host(host), task=task, include_hostvars=False
    )
    return t.cast(Data, found)


def _of_hosts(variables: Data) -> dict[str, list[str]]:
    """Inventory, facts and what was registered, by name; without what plays and roles add."""
    hostvars: t.Any = variables['hostvars']
    found: dict[str, list[str]] = {}
    for host in variables.get('ansible_play_hosts_all') or []:
        for name in hostvars.raw_get(host):
            found.setdefault(str(name), []).append(str(host))
    return found


def _extra(variables: Data) -> t.Iterable[str]:
    manager = getattr(variables.get('hostvars'), '_variable_manager', None)
    return [str(name) for name in getattr(manager, 'extra_vars', None) or {}]


def _of_play(task: t.Any, loader: t.Any) -> set[str]:
    """What the play, the blocks and imports around the task, and the parameters of its roles name."""
    found = set(task.get_vars())
    play = play_of(task)
    if play is not None:
        found |= set(play.get_vars()) | _of_files(play, loader)
    role = getattr(task, '_role', None)
    if role is not None:
        found |= set(role.get_role_params(task.get_dep_chain()))
    return {str(name) for name in found}


def play_of(task: t.Any) -> t.Any:
    node = task
    while node is not None:
        play = getattr(node, '_play', None)
        if play is not None:
            return play
        node = getattr(node, '_parent', None)
    return None


def _of_files(play: t.Any, loader: t.Any) -> set[str]:
    """Names in the files of vars_files, as far as their paths are plain."""
    found: set[str] = set()
    for entry in play.get_vars_files():
        for path in [entry] if isinstance(entry, str) else entry:
            try:
                found |= set(loader.load_from_file(loader.path_dwim(path)) or {})
            except Exception:  # a template, or the first of several that is not there: ansible-core judges it
                continue
    return found
