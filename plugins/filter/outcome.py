# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: outcome
short_description: What became of one instance, as one record
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Joins what is known of an instance with the registered result of the task that worked on it, and with the failure of
    its block.
positional: result, failure, run_id, check_mode, verb, checks
options:
  _input:
    description: The instance as M(anqicms.lifecycle.instance_info) described it.
    type: dict
    required: true
  result:
    description: Registered result of the task that worked on it, if one ran.
    type: dict
  failure:
    description: What a rescue recorded, with C(dir), C(task) and C(msg); of another instance it is ignored.
    type: dict
  run_id:
    description: Name of the run.
    type: str
    default: ""
  check_mode:
    description: Whether nothing was to be changed.
    type: bool
    default: false
  verb:
    description:
      - What the task was to do. After a lost connection the reason says whether a worker on the host goes on with it.
    type: str
    choices: [restart, recover, stop, start]
    default: restart
  checks:
    description:
      - Registered results of the tasks that followed, in order, by the name of the step, C(log_check) for example.
    type: dict
    default: {}
  upgrade:
    description:
      - Of an upgrade where each hop has a window of its own C(windows) with all of them, from
        P(anqicms.lifecycle.upgrade_windows#filter), and C(before) with the records of those that ended before this one.
      - And C(packed), the registered result of the task that compressed the dumps of the last window.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Restart in one window
  anqicms.lifecycle.window:
    dir: "{{ anqicms_instance.dir }}"
    steps: [graceful_stop: {}, port_released: {}, verified_start: {}]
  register: window_result
  ignore_errors: true

- name: Show what became of it
  ansible.builtin.debug:
    msg: "{{ anqicms_instance | anqicms.lifecycle.outcome(window_result, run_id=anqicms_run_id) }}"
"""

RETURN = r"""
_value:
  description:
    - The record with C(run_id), C(id), C(dir), C(version), C(outcome), C(failed), C(changed), C(pid_before),
      C(pid_after), C(state), C(downtime_ms), C(verified_ms), C(findings), C(sites), C(pages), C(notes), C(reason) and
      C(hops).
    - C(findings) are what the logs said and C(sites) how the sites answered, V(null) when nobody looked.
    - C(pages) is what a start found of the pages of versions whose pages come later than their version.
    - C(notes) say how the new process differs from the one before, and what else is worth knowing about the work.
    - C(hops) lists the windows that were tried, where there were several, each with C(from), C(version), C(run_id),
      C(outcome), C(downtime_ms) and C(verified_ms). The times of the record are their sums then, or V(null) where one
      of them is not known.
    - The outcome is V(done), V(unchanged), V(rolled_back), V(failed), V(lost) when the connection did not come back, or
      V(planned) in check mode. Without a result, or when the task was skipped, it is V(failed).
  type: dict
  sample:
    run_id: 20261122T064502Z-bb32d1
    id: 4b1d0a7e-shop.example
    dir: /www/wwwroot/shop.example
    version: 3.5.8
    outcome: done
    failed: false
    changed: true
    pid_before: 599
    pid_after: 1506
    state: running
    downtime_ms: 277
    verified_ms: 1288
    findings:
    sites:
    pages: []
    notes: []
    reason: ''
    hops: []
"""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _outcome


def outcome(
    instance: t.Any,
    result: t.Any = None,
    failure: t.Any = None,
    run_id: t.Any = "",
    check_mode: bool = False,
    verb: str = "restart",
    checks: t.Any = None,
    upgrade: t.Any = None,
) -> dict[str, t.Any]:
    """The record of one instance; see ``_outcome.make_record``."""
    return _outcome.make_record(instance, result, failure, str(run_id), check_mode, verb, checks, upgrade)


class FilterModule:
    """Gives the filter to Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"outcome": outcome}
