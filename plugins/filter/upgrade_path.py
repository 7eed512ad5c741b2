# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: upgrade_path
short_description: Determine the releases between two versions of AnQiCMS
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Lists the hops from one version to another. Some versions must not be skipped, because only they convert the data of
    earlier versions.
  - The filter fails for a downgrade, for a version that this release of the collection does not know, and if the
    release of a hop is missing. The message lists what is required.
positional: target, available, direct
options:
  _input:
    description: The current version.
    type: str
    required: true
  target:
    description: The target version. This is the version that the program reports, which differs from a few tags.
    type: str
    required: true
  available:
    description:
      - The available releases, as a list of versions, or as a dictionary with versions as keys. The values can be
        anything, such as a path and a checksum.
    type: raw
    required: true
  direct:
    description:
      - Skip releases that are not mandatory. The schema change then takes longer, and the statistics are written ten
        seconds after the first answer of the new version.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show the hops of an upgrade
  ansible.builtin.debug:
    msg: "{{ '2.3.6' | anqicms.lifecycle.upgrade_path('3.5.8', releases) | map(attribute='version') }}"
  vars:
    releases: [2.5.3, 3.3.11, 3.5.8]

- name: Store the archives of all hops
  ansible.builtin.set_fact:
    archives: "{{ running | anqicms.lifecycle.upgrade_path('3.5.8', anqicms_releases) | map(attribute='release') }}"
"""

RETURN = r"""
_value:
  description:
    - One entry for each hop, in order. Empty if the two versions are the same.
    - C(from) and C(version) are the versions before and after the hop. C(release) is the value of that version in the
      dictionary, and C(from_release) is the value of the version before, or V(null).
    - C(mandatory) reports whether the hop is mandatory, and C(why) contains the reason.
    - C(schema) reports whether the database may be changed, and C(one_way) whether a copy of it is required to go back.
    - C(changes) lists what the first start changes, C(checks) what must be true afterwards, and C(waits) what is still
      in progress at the first answer of the new version.
  type: list
  elements: dict
  sample:
    - from: 3.3.11
      version: 3.5.8
      release:
        src: /srv/anqicms-linux-amd64-v3.5.8.zip
      mandatory: true
      why: the requested version
      schema: true
      one_way: true
      changes: []
      checks: []
      waits: []
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _upgrade_path


def upgrade_path(source: t.Any, target: t.Any, available: t.Any, direct: bool = False) -> list[dict[str, t.Any]]:
    """The hops, see ``_upgrade_path``. Raises AnsibleFilterError where there is no way."""
    try:
        return _upgrade_path.upgrade_path(source, target, available, direct)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Gives the filter to Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"upgrade_path": upgrade_path}
