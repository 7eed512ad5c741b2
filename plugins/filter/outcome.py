# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: outcome
short_description: Create a record of the outcome for one instance
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Combines the information about an instance with the registered result of the task that worked on it, and with the
    failure of its block.
positional: result, failure, run_id, check_mode, verb, checks
options:
  _input:
    description: The instance as returned by M(anqicms.lifecycle.instance_info).
    type: dict
    required: true
  result:
    description: Registered result of the task that worked on the instance, if one ran.
    type: dict
  failure:
    description: The failure that a rescue section recorded, with C(dir), C(task), and C(msg). Ignored if it is of
      another instance.
    type: dict
  run_id:
    description: Name of the run.
    type: str
    default: ""
  check_mode:
    description: Whether the task ran in check mode.
    type: bool
    default: false
  verb:
    description:
      - What the task does. After a lost connection, the reason reports whether a worker on the host continues it.
    type: str
    choices: [restart, recover, stop, start]
    default: restart
  checks:
    description:
      - Registered results of the tasks that followed, in order, by the name of the step, for example C(log_check).
    type: dict
    default: {}
  upgrade:
    description:
      - For an upgrade with a separate window for each hop. C(windows) contains all windows, as returned by
        P(anqicms.lifecycle.upgrade_windows#filter). C(before) contains the records of the windows that ended before
        this one.
      - C(packed) is the registered result of the task that compressed the dumps of the last window.
    type: dict
    default: {}
  host:
    description: Name of the host.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Restart in one window
  anqicms.lifecycle.window:
    dir: "{{ anqicms_instance.dir }}"
    steps: [graceful_stop: {}, port_released: {}, verified_start: {}]
  register: window_result
  ignore_errors: true

- name: Show the outcome
  ansible.builtin.debug:
    msg: "{{ anqicms_instance | anqicms.lifecycle.outcome(window_result, run_id=anqicms_run_id) }}"
"""

RETURN = r"""
_value:
  description:
    - The record with C(run_id), C(host), C(verb), C(id), C(dir), C(version), C(version_before), C(outcome), C(failed),
      C(changed), C(pid_before), C(pid_after), C(state), C(began_at), C(ended_at), C(downtime_ms), C(verified_ms),
      C(steps), C(findings), C(sites), C(pages), C(notes), C(reason), and C(hops).
    - C(began_at) and C(ended_at) are seconds since 1970 by the clock of the controller, V(null) if they are not known.
      C(steps) lists the steps of the window, each with C(name), C(started_ms) and C(ended_ms) since C(began_at),
      C(changed), and C(ok).
    - C(findings) contains the findings in the logs, and C(sites) the results of the site check. They are V(null) if
      there was no check.
    - C(pages) contains the findings of a start about the pages, for versions whose pages are available later than their
      version.
    - C(notes) reports how the new process differs from the one before, and further remarks about the work.
    - C(hops) lists the windows that were tried, if there were several, each with C(from), C(version), C(run_id),
      C(outcome), C(downtime_ms), and C(verified_ms). In this case, the times of the record are the sums of their times,
      or V(null) if one of them is not known.
    - The outcome is V(done), V(unchanged), V(rolled_back), V(failed), V(lost) if the connection was not re-established,
      or V(planned) in check mode. Without a result, or if the task was skipped, it is V(failed).
  type: dict
  sample:
    run_id: 20261122T064502Z-bb32d1
    host: web1.example
    verb: restart
    id: 4b1d0a7e-shop.example
    dir: /www/wwwroot/shop.example
    version: 3.5.8
    version_before: 3.5.8
    outcome: done
    failed: false
    changed: true
    pid_before: 599
    pid_after: 1506
    state: running
    began_at: 1795329902.118
    ended_at: 1795329903.914
    downtime_ms: 277
    verified_ms: 1288
    steps:
      - {name: graceful_stop, started_ms: 12, ended_ms: 130, changed: true, ok: true}
      - {name: port_released, started_ms: 130, ended_ms: 131, changed: false, ok: true}
      - {name: verified_start, started_ms: 131, ended_ms: 1290, changed: true, ok: true}
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
    host: t.Any = "",
) -> dict[str, t.Any]:
    """The record of one instance; see ``_outcome.make_record``."""
    return _outcome.make_record(instance, result, failure, str(run_id), check_mode, verb, checks, upgrade, str(host))


class FilterModule:
    """Gives the filter to Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"outcome": outcome}
