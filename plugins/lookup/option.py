# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: option
short_description: Get the value of a variable of this collection in a normalized form
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - The roles of this collection read all their variables with this lookup. Hooks can use it, too.
  - If the variable is not set, V(null), or a blank string, the lookup returns the default of the role. V(0), V(false),
    and an empty list are values.
  - A string is converted to the number, list, or dictionary that the variable requires. A list can be written as lines,
    separated by commas, or as JSON or YAML. A dictionary can be written as JSON or YAML.
  - The lookup fails with a message of one line if the value is invalid.
  - Play keywords are evaluated before any task. For C(anqicms_hosts), the lookup returns the names of the hosts in the
    order of the batches. It fails if no host matches the pattern within C(--limit), because a run that does nothing
    must not look successful. For C(anqicms_serial), it returns the batches, from an extra variable or from a variable
    of the first of these hosts. If the group C(anqicms_canary) or C(anqicms_serial_by) is in use, it returns the exact
    number of hosts of each batch, which fits only the order of C(anqicms_hosts).
options:
  _terms:
    description: Name of the variable, for example C(anqicms_only). Exactly one name is required.
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
  description: The value. V(null) if there is neither a value nor a default.
  type: raw
"""

import typing as t

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _lines, _options, _play_keywords


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
            words = _lines.words_of(known, self._templar)
            raise AnsibleLookupError(words.known(f'{error} Nothing was done.')) from error
