# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The record beside a dump: what was dumped, and what proves it."""

import contextlib
import json
import os
import re
import typing as t
from types import MappingProxyType

from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import content as facts
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import foreign_json
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import trusted

FORMAT = 1


class Manifest(t.NamedTuple):
    """What is known of a dump. ``tables`` is None for one that was taken while the site ran: nothing to compare."""

    key: str  # address and name of the database
    database: str
    site: int
    root: str
    file: str  # name in the directory of the manifest
    compression: str  # none, zstd, gzip
    bytes: int
    sha256: t.Optional[str]  # of the file; known when it was compressed and hashed afterwards
    names: t.List[str]  # of the tables
    tables: t.Optional[facts.Recorded]
    content: t.Optional[facts.Content]
    version: t.Optional[str]  # of the application
    server: str
    taken_at: float
    site_settings: t.Mapping[str, str] = MappingProxyType({})  # of config.json, where the site's settings are there
    visits: int = 0  # lines in data/statistic of the site
    shadow: bool = False  # whether copies inside the database were made; no file until they are packed

    @property
    def online(self) -> bool:
        return self.tables is None


def to_json(manifest: Manifest) -> bytes:
    values = dict(manifest._asdict(), format=FORMAT, site_settings=dict(manifest.site_settings))
    if manifest.content is not None:
        values['content'] = dict(manifest.content._asdict())
    if not manifest.shadow:  # earlier releases know these manifests
        del values['shadow']
    return json.dumps(values, sort_keys=True).encode('utf-8')


def from_json(data: bytes) -> Manifest:
    """ValueError (or KeyError, TypeError) for what no release has written so."""
    values = foreign_json.load(data)
    if values.pop('format', None) != FORMAT:
        raise ValueError('its format is not known')
    if values['tables'] is not None:
        values['tables'] = {name: facts.Row(*row) for name, row in values['tables'].items()}
    if values['content'] is not None:
        values['content'] = facts.Content(**values['content'])
    found = Manifest(**values)
    if os.path.basename(found.file) != found.file or found.compression not in ('none', 'zstd', 'gzip'):
        raise ValueError('it names a file elsewhere')
    if not found.file and not found.shadow:
        raise ValueError('it names no file')
    return found


def manifest_name(site: int) -> str:
    return 'site-%d.json' % site


def read(directory: str, site: int) -> Manifest:
    """LifecycleError when there is none that can be believed."""
    path = os.path.join(directory, manifest_name(site))
    data = trusted.read_trusted(path)
    if not data:
        raise LifecycleError(
            'There is no dump of site %d in %s: %s does not exist. Nothing was done.'
            % (site, directory, os.path.basename(path))
        )
    try:
        return from_json(data)
    except (ValueError, KeyError, TypeError) as exc:
        raise LifecycleError('%s is not believed: %s. Nothing was done.' % (path, exc)) from exc


def sites_in(directory: str) -> t.List[int]:
    """The sites that a directory has a dump of."""
    names = os.listdir(directory) if os.path.isdir(directory) else []
    return sorted(int(found.group(1)) for found in (re.match(r'site-([0-9]+)\.json\Z', one) for one in names) if found)


def write(directory: str, manifest: Manifest) -> None:
    """OSError."""
    trusted.write_atomic(os.path.join(directory, manifest_name(manifest.site)), to_json(manifest))


def forget(directory: str, site: int) -> None:
    """A dump that was not taken has no manifest."""
    with contextlib.suppress(OSError):
        os.unlink(os.path.join(directory, manifest_name(site)))
