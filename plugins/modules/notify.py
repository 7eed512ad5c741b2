#!/usr/bin/python
# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: notify
short_description: Send a notification to chat robots and webhooks
version_added: 0.2.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Sends one message to all targets in the variable C(anqicms_notify). It runs on the controller and connects to no
    host. The playbooks of this collection notify by themselves. This module is for your own playbooks.
  - The targets are not an option, because the arguments of tasks are shown in several places, and addresses of robots
    contain their token. The variables C(anqicms_language) and C(anqicms_run_id) apply, too.
  - A notification that cannot be sent does not make the module fail. The module shows one line for each, and returns
    the reason. All targets together take at most as long as the longest C(timeout) of a target.
extends_documentation_fragment:
  - anqicms.lifecycle.attributes
  - anqicms.lifecycle.attributes.info_module
attributes:
  check_mode:
    details:
      - Nothing is sent in check mode.
  idempotent:
    support: none
    details:
      - Each call sends a message.
options:
  event:
    description:
      - What happened. Targets with a list of C(events) receive only these.
    type: str
    choices: [start, canary, finished, failed, lost]
    default: finished
  text:
    description: One line of text for the message. Required if O(document) is not set.
    type: str
  document:
    description:
      - What the message is about, either the content of a C(run.json), or the content of C(anqicms_results), which has
        the records of instances by host and id.
    type: dict
"""

EXAMPLES = r"""
- name: Announce the maintenance
  anqicms.lifecycle.notify:
    event: start
    text: Maintenance of all shops until 3:00
  run_once: true

- name: Send the result of an earlier run
  anqicms.lifecycle.notify:
    document: "{{ lookup('ansible.builtin.file', '/srv/reports/run.json') | from_json }}"
  run_once: true
"""

RETURN = r"""
msg:
  description: The notifications that could not be sent, and why.
  returned: always
  type: str
  sample: 'Notification not sent (dingtalk, finished): errcode 310000: sign not match'
notifications:
  description: What happened to each notification. Contains no address and no secret.
  returned: always
  type: list
  elements: dict
  contains:
    type:
      description: The type of the target.
      type: str
    event:
      description: The event that was sent.
      type: str
    ok:
      description: Whether the service has accepted it.
      type: bool
    reason:
      description: Why it has not, empty otherwise.
      type: str
  sample:
    - type: slack
      event: finished
      ok: true
      reason: ''
"""
