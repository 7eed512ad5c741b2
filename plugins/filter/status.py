# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: status
short_description: Collect the state and the last run of every instance of the fleet
version_added: 0.2.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Reads the results of M(anqicms.lifecycle.instance_info) that the playbook C(status) registered on every host.
  - A host or an instance that could not be checked is a separate record.
positional: hosts, only
options:
  _input:
    description: The variable C(hostvars).
    type: dict
    required: true
  hosts:
    description: The hosts.
    type: list
    elements: str
    required: true
  only:
    description: IDs of instances. The default is all instances. The variable C(anqicms_only) of a host takes
      precedence.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Show the unfinished runs
  ansible.builtin.debug:
    msg: "{{ hostvars | anqicms.lifecycle.status(ansible_play_hosts_all) | selectattr('unfinished') }}"
  run_once: true
"""

RETURN = r"""
_value:
  description:
    - One record for each instance, with C(host), C(id), C(dir), C(state), C(version), C(pids), C(port), C(run),
      C(unfinished), C(planned), C(progress), and C(problems).
    - C(run) is the last run, with C(run_id), C(verb), C(outcome), C(began_at), C(ended_at), C(step), and C(as_left), as
      M(anqicms.lifecycle.instance_info) returns them. C(unfinished) is the name of a run that a recovery must finish.
    - C(planned) is the newest run that was to work on the instance. C(progress) is V(finished), V(failed),
      V(under way), V(not started), or V(null) if the instance was changed since.
    - C(state) is V(unreachable) for a host that was not reached.
  type: list
  elements: dict
  sample:
    - host: web1.example
      id: 4b1d0a7e-shop.example
      dir: /www/wwwroot/shop.example
      state: running
      version: 3.5.8
      run: {run_id: night-7, verb: restart, outcome: done, ended_at: 1795329903.311, as_left: true}
      unfinished: null
      planned: {run_id: night-7, verb: restart, at: 1795329900.112, resumes: null}
      progress: finished
      problems: []
"""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _status


def status(hostvars: t.Any, hosts: t.Sequence[str], only: t.Sequence[str] = ()) -> list[dict[str, t.Any]]:
    """The records of all hosts; see ``_status.records``."""
    return _status.records(hostvars, hosts, only)


class FilterModule:
    """Gives the filter to Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"status": status}
