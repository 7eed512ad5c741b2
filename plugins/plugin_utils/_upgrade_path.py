# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The way of an upgrade for playbooks: what ``_change.hops`` decides, with the release that each hop takes."""

from __future__ import annotations

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import versions
from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import hops
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import as_data, shown


def releases_of(available: object) -> dict[str, t.Any]:
    """The releases at hand by version: a mapping as it is, a list or one text of versions with nothing to each."""
    if isinstance(available, t.Mapping):
        found = {str(version): release for version, release in available.items()}
    elif isinstance(available, str):
        found = dict.fromkeys(available.replace(',', ' ').split())
    elif isinstance(available, t.Iterable):
        found = {str(version): None for version in available}
    else:
        raise ValueError(
            f'available must be a mapping from versions to releases, or a list of versions, '
            f'got {shown(available, 100)!r}. Nothing was planned.'
        )
    for version in found:
        if versions.parse(version) is None:
            raise ValueError(
                f'available names {shown(version, 100)!r}, which is not a version such as 3.5.8. Nothing was planned.'
            )
    return found


def upgrade_path(source: object, target: object, available: object, direct: bool = False) -> list[dict[str, t.Any]]:
    """The hops as plain values. ValueError with the reason where there is no way."""
    found = releases_of(available)
    by_number = {versions.parse(version): release for version, release in found.items()}
    try:
        way = hops.path(None if source is None else str(source), str(target), found, direct)
    except LifecycleError as error:
        raise ValueError(error.msg) from error
    rows = []
    for hop in way:
        row = dict(hop._asdict(), release=by_number[versions.parse(hop.version)])
        row['from_release'] = by_number.get(versions.parse(hop.source))
        row['from'] = row.pop('source')
        rows.append(row)
    return t.cast('list[dict[str, t.Any]]', as_data(rows))
