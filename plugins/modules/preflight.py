#!/usr/bin/python
# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: preflight
short_description: Check the variables of a run, and show its plan
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - The roles of this collection use this module, once for all hosts of a play, before anything is changed. It runs on
    the controller and connects to no host.
  - With O(phase=variables), the module fails for variables whose names are similar to a variable of this collection,
    such as C(anqicms_instance) for C(anqicms_instances). It checks the inventory, facts that were set, the variables of
    the play and of the task, and extra variables, but not variables of roles. All other unknown names that start with
    C(anqicms_) result in one warning, or in a failure if C(anqicms_strict) is set.
  - After that, it checks the values of all variables that the role reads, on every host of the play. One message lists
    each invalid variable, what is allowed, and its current value. Names in C(anqicms_serial_by) that are neither a
    group nor a variable of these hosts are invalid, too.
  - With O(phase=plan), the module shows what was found and what the run will do. It fails if no host has an instance to
    work on. If the instances to work on are not specified, it prints the instances that were found as lines for the
    inventory.
  - With O(phase=canary), after a batch of C(playbooks/upgrade.yml), the module reports whether a person must confirm
    before the run continues, and the information for that decision.
  - With O(phase=end), the module lists the hosts that were left out, and fails if C(anqicms_unreachable_fails) is set.
    With O(verb), it shows the closing table of the run, unless P(anqicms.lifecycle.summary#callback) does this.
  - The module fails if C(--tags) or C(--skip-tags) leave nothing to do, or name a tag that no task of the run has. For
    this reason, the roles tag it C(always). If the tags select only other tasks of your playbook, it checks nothing.
extends_documentation_fragment:
  - anqicms.lifecycle.attributes
  - anqicms.lifecycle.attributes.info_module
options:
  phase:
    description: The check to perform.
    type: str
    required: true
    choices: [variables, plan, canary, end]
  verb:
    description:
      - What the run does to the instances, for example V(restart). Required for O(phase=plan).
      - Only variables that a run of this kind reads are checked. By default, all variables are checked.
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
  description: The errors, or the plan or the end of the run in one line.
  returned: always
  type: str
  sample: 'restart: instances: 2, hosts: 2'
asks:
  description: Whether a person must confirm after the canary. With O(phase=canary), whether that is now.
  returned: with O(phase=plan) and O(phase=canary)
  type: bool
  sample: true
can_answer:
  description: Whether someone may be at the terminal to answer. Always V(false) in AWX and with ansible-runner.
  returned: with O(phase=canary) if RV(asks) is true
  type: bool
  sample: true
canary_run:
  description: The run to set in C(anqicms_confirmed).
  returned: with O(phase=canary) if RV(asks) is true
  type: str
  sample: 20261127T180328Z-bb32d1
how_to_go_on:
  description: The lines to show if the run ends after the canary.
  returned: with O(phase=canary) if RV(asks) is true
  type: list
  elements: str
  sample: ['Check the canary. To continue without a prompt, start the same run with -e anqicms_confirmed=night-7']
left:
  description: Hosts that have an instance without the target version.
  returned: with O(phase=canary) if RV(asks) is true
  type: list
  elements: str
  sample: [web2.example, web3.example]
left_out:
  description: Hosts that the run has left out because they were unreachable.
  returned: with O(phase=end)
  type: list
  elements: str
  sample: [web7.example]
run:
  description:
    - The run as data, for the closing table. C(play), C(verb), C(run_id), C(check_mode), C(began_at) in seconds since
      1970, C(resumes), C(awx_job), C(language), and C(time_zone), as far as they are set.
    - With O(phase=plan), unless the run is refused, C(planned) lists for each instance, and for each host without one,
      the host, the ID, the directory, the version, the state, why it is left out, and an explanation.
  returned: with O(phase=variables) and O(phase=plan), if O(verb) changes instances
  type: dict
  sample: {verb: restart, run_id: 20261122T064502Z-bb32d1, check_mode: false, planned: []}
notifications:
  description: What happened to each notification about the canary, see P(anqicms.lifecycle.notify#module).
  returned: with O(phase=canary) if RV(asks) is true
  type: list
  elements: dict
  sample: []
of:
  description: The run to which RV(notifications) belong.
  returned: with O(phase=canary) if RV(asks) is true
  type: dict
  sample: {play: 0242ac11-0002-8b1f-4a3c-000000000006, verb: upgrade}
artifact:
  description: The names of the artifacts with the report of the run.
  returned: with O(phase=end) and O(verb), if C(anqicms_report) is V(artifacts)
  type: list
  elements: str
  sample: [anqicms_report_35]
unknown:
  description: Names that start with C(anqicms_) and are not known.
  returned: with O(phase=variables)
  type: list
  elements: str
  sample: [anqicms_backup_dir]
"""
