#!/usr/bin/python
# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: preflight
short_description: Check the variables of a run, and show its plan
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms)
description:
  - The roles of this collection use it, once for all hosts of a play, before anything is touched. It works on the
    controller and connects to no host.
  - With O(phase=variables) it refuses variables whose names come close to a variable of this collection, such as
    C(anqicms_instance) for C(anqicms_instances). It looks at the inventory, at facts that were set, at the variables of
    the play and of the task, and at extra variables, not at variables of roles. Other names that begin with
    C(anqicms_) and are not known are one warning.
  - With O(phase=plan) it shows what was found and what the run will do. It fails when no host has an instance to work
    on. Where nobody said which instances to work on, it prints what was found as lines for the inventory.
extends_documentation_fragment:
  - anqicms.lifecycle.attributes
  - anqicms.lifecycle.attributes.info_module
options:
  phase:
    description: What to do.
    type: str
    required: true
    choices: [variables, plan]
  strict:
    description: Whether to refuse unknown names too.
    type: bool
    default: false
  verb:
    description: What the run does to the instances, needed for O(phase=plan).
    type: str
"""

EXAMPLES = r"""
- name: Check the variables of this run
  anqicms.lifecycle.preflight:
    phase: variables
  run_once: true
"""

RETURN = r"""
msg:
  description: The lines of the plan, or what is wrong.
  returned: always
  type: raw
  sample:
    - 'host          instance                   state    version  port  pid   plan'
    - 'web1.example  /www/wwwroot/shop.example  running  3.5.8    8001  5539  restart'
unknown:
  description: Names that begin with C(anqicms_) and are not known.
  returned: with O(phase=variables)
  type: list
  elements: str
  sample: [anqicms_backup_dir]
"""
