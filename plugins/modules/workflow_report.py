#!/usr/bin/python
# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: workflow_report
short_description: Report on all jobs of a workflow in AWX
version_added: 0.2.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - The playbook C(workflow_report) uses this module, once for all hosts. It runs on the controller and connects to no
    host.
  - It reads the variable C(anqicms_results_<number of the workflow>), which AWX makes of the results that the jobs have
    passed on. It shows one closing table, and writes the report to C(anqicms_report). Hosts of the play without a
    result were not touched.
  - It has no options. The variables C(anqicms_language) and C(anqicms_time_zone) apply.
extends_documentation_fragment:
  - anqicms.lifecycle.attributes
  - anqicms.lifecycle.attributes.info_module
options: {}
"""

EXAMPLES = r"""
- name: Report
  anqicms.lifecycle.workflow_report:
  run_once: true
"""

RETURN = r"""
document:
  description: The report, as in C(run.json).
  returned: success
  type: dict
  sample: {schema: 1, run_id: '4700', verb: restart, ended: finished}
"""
