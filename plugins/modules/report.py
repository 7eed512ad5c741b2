#!/usr/bin/python
# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: report
short_description: Show lines for people, and hand values over
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms)
description:
  - The roles of this collection show their tables and result lines with it. It works on the controller and connects to
    no host.
  - Lines are shown as they are, one by one, whichever callback shows the run. They are not a message in JSON, and they
    are there where a callback hides tasks that are ok, or the labels of loops.
extends_documentation_fragment:
  - anqicms.lifecycle.attributes
  - anqicms.lifecycle.attributes.info_module
options:
  lines:
    description: What to show.
    type: list
    elements: str
    default: []
  stats:
    description:
      - What to hand over, as M(ansible.builtin.set_stats) does with its options C(aggregate) and C(per_host=false).
    type: dict
    default: {}
  kept:
    description: What to give back as RV(kept), for a later task.
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: Show what became of it
  anqicms.lifecycle.report:
    lines: ["{{ record | anqicms.lifecycle.outcome_line(inventory_hostname) }}"]
  vars:
    record: "{{ anqicms_instance | anqicms.lifecycle.outcome(window_result) }}"
"""

RETURN = r"""
msg:
  description: The lines.
  returned: always
  type: str
  sample: web1.example  4b1d0a7e-shop.example  3.5.8  done  pid 599 -> 1506  downtime 277 ms  verified 1288 ms
kept:
  description: The values of O(kept). They are data, and no templates, whatever a host has said.
  returned: when some were given
  type: list
  elements: dict
  sample: []
"""
