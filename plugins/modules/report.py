#!/usr/bin/python
# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: report
short_description: Show lines of text, and pass values on
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - The roles of this collection use this module to show their tables and result lines. It runs on the controller and
    connects to no host.
  - Lines are shown unchanged, one by one, with every callback. They are not part of a JSON message, and they are also
    shown by callbacks that hide successful tasks or the labels of loops.
extends_documentation_fragment:
  - anqicms.lifecycle.attributes
  - anqicms.lifecycle.attributes.info_module
options:
  lines:
    description: The lines to show.
    type: list
    elements: str
    default: []
  stats:
    description:
      - Values to pass on, like M(ansible.builtin.set_stats) does with its options C(aggregate) and C(per_host=false).
    type: dict
    default: {}
  kept:
    description: Values to return as RV(kept) for a later task.
    type: list
    elements: dict
    default: []
  record:
    description:
      - A record of P(anqicms.lifecycle.outcome#filter). The module shows its line, passes it on as
        C(anqicms_results.<host>.<instance id>), and returns it in RV(records). It fails if the outcome is a failure.
      - In a workflow of AWX, the name is C(anqicms_results_<number of the workflow>), and the values that earlier jobs
        have passed on under this name are kept. A record of more than 4,096 bytes is shortened there.
    type: dict
    default: {}
  stop_on_failure:
    description: Whether to fail if the outcome of O(record) is a failure.
    type: bool
    default: true
  closing:
    description:
      - The verb of a run that ends here, for example V(restart). The module shows the closing table of the run, unless
        P(anqicms.lifecycle.summary#callback) does this.
    type: str
  diagnosis:
    description:
      - The records of P(anqicms.lifecycle.diagnosis#filter). The module writes the report of the diagnosis to
        C(anqicms_report), and fails if it cannot be written. Without this variable, nothing is written.
    type: list
    elements: dict
  run_id:
    description: Name of the run, for O(diagnosis).
    type: str
  batch_of:
    description:
      - The verb of a run of which a batch starts here. At the start of the second batch, the module sends the
        notification C(canary).
    type: str
  fail_msg:
    description: The module fails with this message after everything else, unless it is blank.
    type: str
"""

EXAMPLES = r"""
- name: Show the outcome
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
records:
  description: The records of the host in this run, the latest last.
  returned: when O(record) was set, unless the module fails because of it
  type: list
  elements: dict
  sample: []
artifact:
  description: The names of the artifacts with the report of the run.
  returned: with O(closing), if C(anqicms_report) is V(artifacts)
  type: list
  elements: str
  sample: [anqicms_report_35]
of:
  description: The run to which RV(records), or RV(number) and RV(notifications), belong.
  returned: when O(record) or O(batch_of) was set, unless the module fails because of it
  type: dict
  sample: {play: 0242ac11-0002-8b1f-4a3c-000000000006, verb: restart}
number:
  description: The number of the batch.
  returned: when O(batch_of) was set, and the run notifies someone
  type: int
  sample: 2
notifications:
  description: What happened to each notification about the canary, see P(anqicms.lifecycle.notify#module).
  returned: when O(batch_of) was set, and the run notifies someone
  type: list
  elements: dict
  sample: []
kept:
  description: The values of O(kept). They are data and are not evaluated as templates, regardless of what a host
    reported.
  returned: when O(kept) was set
  type: list
  elements: dict
  sample: []
"""
