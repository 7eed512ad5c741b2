# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: diagnosis_stats
short_description: Summarize the diagnosis of a fleet by host and instance ID
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Creates the summary to pass on with M(ansible.builtin.set_stats). It contains no log lines.
options:
  _input:
    description: The records of P(anqicms.lifecycle.diagnosis#filter).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Pass the diagnosis on
  ansible.builtin.set_stats:
    data:
      anqicms_diagnosis: "{{ records | anqicms.lifecycle.diagnosis_stats }}"
"""

RETURN = r"""
_value:
  description:
    - A dictionary by host and instance ID, each entry with C(urgency), C(dir), C(state), C(version), C(verdict),
      C(cause), C(time), C(uncertainty_ms), C(pid), C(summary), C(advice), C(starts), C(problems), and C(bundle).
    - An instance that could not be checked is listed by its directory. A host that could not be checked is listed as
      V(-).
  type: dict
  sample:
    web1.example:
      4b1d0a7e-shop.example: {urgency: killed, state: stopped, verdict: confirmed, cause: kernel_oom_cgroup}
"""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _diagnosis
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import as_data


def diagnosis_stats(records: t.Any) -> dict[str, t.Any]:
    """The short records; see ``_diagnosis.as_stats``."""
    return t.cast("dict[str, t.Any]", as_data(_diagnosis.as_stats(records)))


class FilterModule:
    """Gives the filter to Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"diagnosis_stats": diagnosis_stats}
