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
    C(anqicms_) and are not known are one warning, or refused where C(anqicms_strict) is set.
  - Then it checks the values of all variables that the role reads, on every host of the play. One message names each
    that is wrong, what is allowed, and what it is.
  - With O(phase=plan) it shows what was found and what the run will do. It fails when no host has an instance to work
    on. Where nobody said which instances to work on, it prints what was found as lines for the inventory.
  - With O(phase=canary), after a batch of C(playbooks/upgrade.yml), it says whether a person is to be asked before the
    run goes on, and what that person should know.
  - With O(phase=end) it names the hosts that were left out, and fails if C(anqicms_unreachable_fails) is set.
  - Where C(--tags) or C(--skip-tags) leave nothing to do, or name a tag that no task of the run has, it refuses; the
    roles tag it C(always). Where they select other tasks of your playbook only, it checks nothing.
extends_documentation_fragment:
  - anqicms.lifecycle.attributes
  - anqicms.lifecycle.attributes.info_module
options:
  phase:
    description: What to do.
    type: str
    required: true
    choices: [variables, plan, canary, end]
  verb:
    description:
      - What the run does to the instances, V(restart) for example. Needed for O(phase=plan).
      - Only variables that a run of this kind reads are checked. All of them, if not given.
    type: str
"""

EXAMPLES = r"""
- name: Check the variables of this run
  anqicms.lifecycle.preflight:
    phase: variables
    verb: restart
  run_once: true
"""

RETURN = r"""
msg:
  description: What is wrong, or the plan or the end in one line.
  returned: always
  type: str
  sample: 'restart: instances: 2, hosts: 2'
asks:
  description: Whether a person is to be asked after the canary; with O(phase=canary) whether that is now.
  returned: with O(phase=plan) and O(phase=canary)
  type: bool
  sample: true
can_answer:
  description: Whether somebody may sit at the terminal. In AWX and below ansible-runner nobody does.
  returned: with O(phase=canary) where RV(asks) is true
  type: bool
  sample: true
canary_run:
  description: The run that C(anqicms_confirmed) would name.
  returned: with O(phase=canary) where RV(asks) is true
  type: str
  sample: 20261127T180328Z-bb32d1
how_to_go_on:
  description: What to say where the run ends after the canary, line by line.
  returned: with O(phase=canary) where RV(asks) is true
  type: list
  elements: str
  sample: ['Check the canary. To go on without a prompt, start the same run with -e anqicms_confirmed=night-7']
left:
  description: Hosts that have an instance without the version that is wanted.
  returned: with O(phase=canary) where RV(asks) is true
  type: list
  elements: str
  sample: [web2.example, web3.example]
left_out:
  description: Hosts that the run has left out, because they were unreachable.
  returned: with O(phase=end)
  type: list
  elements: str
  sample: [web7.example]
unknown:
  description: Names that begin with C(anqicms_) and are not known.
  returned: with O(phase=variables)
  type: list
  elements: str
  sample: [anqicms_backup_dir]
"""
