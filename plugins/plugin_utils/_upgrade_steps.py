# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The windows of an upgrade and their steps, from its hops. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import archive, file_plan

Step = dict[str, t.Any]
Options = t.Mapping[str, t.Any]
Hop = t.Mapping[str, t.Any]


def changes_schema(hops: t.Sequence[Hop]) -> bool:
    """Whether any hop may lay the database out anew: then it is dumped before, and compared afterwards."""
    return any(hop['schema'] for hop in hops)


def windows(hops: t.Sequence[Hop], one_by_one: bool, run_id: str) -> list[dict[str, t.Any]]:
    """Which hops are in one window: all of them, or each in its own.

    The last one has the id of the run, so that a rollback by it begins where it has to. Those before it have the
    version that they lead to behind it, which is the same on every host.
    """
    groups = [[hop] for hop in hops] if one_by_one else [list(hops)] if hops else []
    return [
        {
            'from': group[0]['from'],
            'version': group[-1]['version'],
            'run_id': run_id if group is groups[-1] else f'{run_id}-{group[-1]["version"]}',
            'hops': group,
        }
        for group in groups
    ]


def steps(
    hops: t.Sequence[Hop],
    options: t.Mapping[str, Options],
    checks: t.Sequence[Step],
    manifests: t.Mapping[str, t.Any] | None = None,
    one_by_one: bool = False,
) -> list[Step]:
    """The steps of one window for the whole way, or, for a plan, of the windows of all hops behind each other.

    ``options``: by the names of steps. ``checks``: the steps after the last start, log and sites. ``manifests``: of the
    archives, for a plan before they are on the host.
    """
    groups = [window['hops'] for window in windows(hops, one_by_one, '')]
    return [step for group in groups for step in _of_window(group, options, checks, manifests)]


def _of_window(
    hops: t.Sequence[Hop],
    options: t.Mapping[str, Options],
    checks: t.Sequence[Step],
    manifests: t.Mapping[str, t.Any] | None,
) -> list[Step]:
    """With one dump before the first hop.

    Each new version is first started on a port that no proxy knows, so that no visitor reaches it before its data are
    compared with what was recorded at the stop.
    """
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
        found += [
            *_switches([hop], manifests),
            private,
            {'database': {**database, 'state': 'migrated'}},
            {'database': {**database, 'state': 'compared'}},
        ]
        if hop is hops[-1]:
            found += [step for step in checks if 'site_check' in step and _asks_the_port(step)]
            found.append({'rollback_point': plain})
        found += [stop, {'keep_files': {'state': 'port_back'}}]
    return [*found, released, start, *checks]


def known_files(manifests: t.Mapping[str, t.Any], version: str) -> dict[str, list[str]]:
    """Of the files that a version would replace and people edit, how the releases at hand have them."""
    read = {str(key): archive.from_json(manifest) for key, manifest in manifests.items()}
    return file_plan.known_in(read.values(), read.get(version))


def old_src(hop: Hop) -> str:
    """The archive of the version before a hop, where that lies on the host; the others are read on the controller."""
    release = hop.get('from_release') or {}
    return str(release['src']) if release.get('remote_src') else ''


def _switches(hops: t.Sequence[Hop], manifests: t.Mapping[str, t.Any] | None) -> list[Step]:
    return [{'release': _switch(hop, manifests)} for hop in hops]


def _switch(hop: Hop, manifests: t.Mapping[str, t.Any] | None) -> Step:
    release = hop.get('release') or {}
    step: Step = {'state': 'switched', 'version': hop['version']}
    step |= {'sha256': release['sha256']} if release.get('sha256') else {}
    if manifests is not None:
        manifest = manifests.get(hop['version'])
        step |= {'src': release['src']} if release.get('remote_src') else {'manifest': manifest} if manifest else {}
        step |= {'known_files': known_files(manifests, hop['version'])}
        step |= {'old_src': old_src(hop)} if old_src(hop) else {}
    return step


def _asks_the_port(step: Step) -> bool:
    """Whether the sites are asked at the port of the instance; a proxy does not know the private one."""
    through = str((step['site_check'] or {}).get('through') or 'direct')
    return through == 'direct'
