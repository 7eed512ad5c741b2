# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: known_files
short_description: Get the checksums of the files that users edit from the available releases
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Collects the checksums of default templates, public files, and scripts in the available archives. A file that
    matches one of them was not edited, so that a new release can replace it.
  - The role C(upgrade) uses this filter.
positional: version
options:
  _input:
    description: Content of the archives by version, as returned by P(anqicms.lifecycle.release_manifest#lookup).
    type: dict
    required: true
  version:
    description: The version of the release to switch to. Only files that this release would replace are returned.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Stage a release, and use the files of the running release to detect edited files
  anqicms.lifecycle.release:
    dir: /www/wwwroot/shop.example
    state: staged
    src: /srv/anqicms-linux-amd64-v3.5.8.zip
    version: 3.5.8
    known_files: "{{ {'3.5.7': running} | anqicms.lifecycle.known_files('3.5.8') }}"
  vars:
    running: "{{ lookup('anqicms.lifecycle.release_manifest', '/srv/anqicms-linux-amd64-v3.5.7.zip') }}"
"""

RETURN = r"""
_value:
  description: Lists of SHA-256 checksums by path, for O(anqicms.lifecycle.release#module:known_files).
  type: dict
  sample:
    template/default/index.html: [1f0c2a3b4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8]
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _upgrade_steps
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import as_data


def known_files(manifests: t.Any, version: t.Any) -> dict[str, list[str]]:
    """How the releases at hand have the files that people edit; see ``_upgrade_steps.known_files``."""
    try:
        return t.cast('dict[str, list[str]]', as_data(_upgrade_steps.known_files(manifests, str(version))))
    except LifecycleError as error:
        raise AnsibleFilterError(error.msg) from error


class FilterModule:
    """Gives the filter to Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"known_files": known_files}
