# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: upgrade_path
short_description: Finds the releases that lie between two versions of AnQiCMS
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Lists the hops from one version to another. Some versions must not be jumped over, because only they convert what
    the versions before them have left.
  - Fails for a downgrade, for a version that this release of the collection does not know, and where the release of a
    hop is missing, and says what would be needed.
positional: target, available, direct
options:
  _input:
    description: The version that runs.
    type: str
    required: true
  target:
    description: The version that is wanted. It is the version that the program reports, which a few tags differ from.
    type: str
    required: true
  available:
    description:
      - The releases at hand, as a mapping from versions to anything, such as a path and a checksum, or as a list of
        versions.
    type: raw
    required: true
  direct:
    description:
      - Jump over releases that can be left out. The schema change then takes longer, and the statistics are written ten
        seconds after the new version has answered.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Say which releases an upgrade goes over
  ansible.builtin.debug:
    msg: "{{ '2.3.6' | anqicms.lifecycle.upgrade_path('3.5.8', releases) | map(attribute='version') }}"
  vars:
    releases: [2.5.3, 3.3.11, 3.5.8]

- name: Keep the archives of all hops
  ansible.builtin.set_fact:
    archives: "{{ running | anqicms.lifecycle.upgrade_path('3.5.8', anqicms_releases) | map(attribute='release') }}"
"""

RETURN = r"""
_value:
  description:
    - One entry for each hop, in order; empty when the two versions are the same.
    - C(from) and C(version) are the versions before and after it, C(release) is what the mapping has for it, and
      C(from_release) what it has for the version before, or V(null).
    - C(mandatory) tells whether the hop can be left out, C(why) gives the reason for it.
    - C(schema) tells whether the database may be changed, C(one_way) whether going back needs a copy of it.
    - C(changes) lists what the first start changes, C(checks) what must hold afterwards, C(waits) what is still under
      way when the version answers.
  type: list
  elements: dict
  sample:
    - from: 3.3.11
      version: 3.5.8
      release:
        src: /srv/anqicms-linux-amd64-v3.5.8.zip
      mandatory: true
      why: the version asked for
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
