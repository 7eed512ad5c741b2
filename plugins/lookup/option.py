# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: option
short_description: The value of a variable of this collection, however it was written
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - The roles of this collection read all their variables with it, and a hook can.
  - A variable that is not set, V(null) or a blank text gives the default of the role. V(0), V(false) and an empty list
    are values.
  - A text gives the number, the list or the dictionary that belongs there. A list is written as lines, with commas, or
    as JSON or YAML; a dictionary as JSON or YAML.
  - Fails with one line for what the variable cannot hold.
  - Play keywords are read before any task. C(anqicms_hosts) gives the pattern of the hosts, and fails where no host
    matches it within C(--limit), for a run that works on nothing must not look like one that went well.
    C(anqicms_serial) gives the batches, from an extra variable or a variable of the first of these hosts.
options:
  _terms:
    description: The name of the variable, C(anqicms_only) for example. One is taken.
    required: true
"""

EXAMPLES = r"""
- name: Show which instances this run is for
  ansible.builtin.debug:
    msg: "{{ lookup('anqicms.lifecycle.option', 'anqicms_only') }}"

- name: Work on the fleet
  hosts: "{{ lookup('anqicms.lifecycle.option', 'anqicms_hosts') }}"
  serial: "{{ lookup('anqicms.lifecycle.option', 'anqicms_serial') }}"
  tasks: []
"""

RETURN = r"""
_raw:
  description: The value, V(null) where there is none and no default.
  type: raw
"""

import typing as t

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _options, _play_keywords


class LookupModule(LookupBase):
    """Reads one variable of the task, or of the play.

    One plugin for both: that of a play is read in the controller's main process, from which the workers that run tasks
    then have it. Else each of them would have to read it from its file, for a fiftieth of a second.
    """

    def run(self, terms: t.Sequence[str], variables: t.Any = None, **kwargs: t.Any) -> list[t.Any]:
        (name,) = terms
        known = variables or {}
        try:
            if name in _options.OF_KEYWORDS:
                return [_play_keywords.PlayKeywords(known, self._templar, self._loader).value_of(name)]
            return [_options.value_of(name, self._templar.template(known[name]) if name in known else None)]
        except ValueError as error:
            raise AnsibleLookupError(f'{error} Nothing was done.') from error
