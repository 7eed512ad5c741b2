# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The steps of the window of an upgrade, from its hops. Pure."""

from __future__ import annotations

import typing as t

Step = dict[str, t.Any]
Options = t.Mapping[str, t.Any]
Hop = t.Mapping[str, t.Any]


def changes_schema(hops: t.Sequence[Hop]) -> bool:
    """Whether any hop may lay the database out anew: then it is dumped before, and compared afterwards."""
    return any(hop['schema'] for hop in hops)


def steps(
    hops: t.Sequence[Hop],
    options: t.Mapping[str, Options],
    checks: t.Sequence[Step],
    manifests: t.Mapping[str, t.Any] | None = None,
) -> list[Step]:
    """One window for the whole way, with one dump.

    Each new version is first started on a port that no proxy knows, so that no visitor reaches it before its data are
    compared with what was recorded at the stop. ``options``: by the names of steps. ``checks``: the steps after the
    last start, log and sites. ``manifests``: of the archives, for a plan before they are on the host.
    """
    if not hops:
        return []
    stop: Step = {'graceful_stop': options.get('graceful_stop', {})}
    released: Step = {'port_released': options.get('port_released', {})}
    start: Step = {'verified_start': options.get('verified_start', {})}
    if not changes_schema(hops):
        return [stop, {'keep_files': {'state': 'kept'}}, *_switches(hops[-1:], manifests), released, start, *checks]
    dumped = {**options.get('database', {}), 'all_sites': True, 'state': 'dumped'}
    plain = {name: value for name, value in options.get('database', {}).items() if name != 'method'}
    database = {**plain, 'all_sites': True}
    found: list[Step] = [stop, {'database': dumped}, {'keep_files': {'state': 'kept'}}]
    private: Step = {'verified_start': {**options.get('verified_start', {}), 'private_port': True, 'stable_for': 0.0}}
    for hop in hops:
        found += [*_switches([hop], manifests), private, {'database': {**database, 'state': 'migrated'}},
                  {'database': {**database, 'state': 'compared'}}]
        if hop is hops[-1]:
            found += [step for step in checks if 'site_check' in step and _asks_the_port(step)]
            found.append({'rollback_point': plain})
        found += [stop, {'keep_files': {'state': 'port_back'}}]
    return [*found, released, start, *checks]


def _switches(hops: t.Sequence[Hop], manifests: t.Mapping[str, t.Any] | None) -> list[Step]:
    return [{'release': _switch(hop, manifests)} for hop in hops]


def _switch(hop: Hop, manifests: t.Mapping[str, t.Any] | None) -> Step:
    release = hop.get('release') or {}
    step: Step = {'state': 'switched', 'version': hop['version']}
    step |= {'sha256': release['sha256']} if release.get('sha256') else {}
    if manifests is not None:
        manifest = manifests.get(hop['version'])
        step |= {'src': release['src']} if release.get('remote_src') else {'manifest': manifest} if manifest else {}
    return step


def _asks_the_port(step: Step) -> bool:
    """Whether the sites are asked at the port of the instance; a proxy does not know the private one."""
    through = str((step['site_check'] or {}).get('through') or 'direct')
    return through == 'direct'
