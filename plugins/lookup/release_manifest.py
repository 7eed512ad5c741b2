# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: release_manifest
short_description: Get the content of the archive of an AnQiCMS release
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Reads the archive of a release on the controller. The lookup fails for an archive that
    P(anqicms.lifecycle.release#module) would refuse on a host.
  - With its result, check mode can show which files would change before the archive is on the host.
options:
  _terms:
    description: Paths of archives on the controller.
    required: true
  sha256:
    description: SHA-256 checksum that the archive must have. Use it only with a single path.
    type: str
"""

EXAMPLES = r"""
- name: Show which files an upgrade would change before the archive is copied
  anqicms.lifecycle.release:
    dir: /www/wwwroot/shop.example
    state: staged
    version: 3.5.8
    manifest: "{{ lookup('anqicms.lifecycle.release_manifest', 'files/anqicms-linux-amd64-v3.5.8.zip') }}"
  check_mode: true
  diff: true
"""

RETURN = r"""
_raw:
  description:
    - For each archive, C(sha256) is its checksum, C(files) lists its files with path, size, and SHA-256 checksum,
      C(directories) lists its directories, C(changelog) is the version at the beginning of its C(CHANGELOG.md), and
      C(machine) is the architecture that its binary is built for.
  type: list
  elements: dict
"""

import typing as t

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import archive
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import as_data


class LookupModule(LookupBase):
    """Reads archives on the controller."""

    def run(self, terms: t.Sequence[str], variables: t.Any = None, **kwargs: t.Any) -> list[t.Any]:
        self.set_options(var_options=variables, direct=kwargs)
        sha256 = self.get_option('sha256')
        if sha256 and len(terms) != 1:
            raise AnsibleLookupError('release_manifest: sha256 is for one archive, and %d are named.' % len(terms))
        return [self._manifest(term, sha256) for term in terms]

    def _manifest(self, term: str, sha256: str | None) -> t.Any:
        path = self._loader.path_dwim(str(term))
        try:
            with open(path, 'rb') as stream:
                return as_data(archive.manifest_of(stream, sha256).to_json())
        except OSError as error:
            raise AnsibleLookupError(f'release_manifest: {path} cannot be read: {error.strerror}.') from error
        except LifecycleError as error:
            raise AnsibleLookupError(f'release_manifest: {path}: {error.msg}') from error
