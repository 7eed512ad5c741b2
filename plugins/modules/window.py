#!/usr/bin/python
# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: window
short_description: Run the steps of a maintenance window on one AnQiCMS instance in one call
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Runs a list of steps on one instance. Between them there is no connection, no other host and no task, so that the
    instance is away only as long as it needs itself.
  - The options of every step are validated, and every step is asked for what it would do, before anything is stopped.
    A step that refuses, refuses for the whole window.
  - A backup or restore of the application itself that is under way is waited for before C(graceful_stop) signals; see
    its option O(anqicms.lifecycle.graceful_stop#module:quiet_timeout). So is a migration of its database, see
    O(anqicms.lifecycle.graceful_stop#module:migration_timeout). When it does not end, the instance is left as it is.
  - The steps are run by a worker that is detached from the connection. Once begun, the host ends it, even when the
    connection, this module, C(sudo) or the controller is gone. A guardian watches the worker and, if it is killed, puts
    the instance right at once. If both are killed, the next run or the C(recover) playbook does.
  - The steps C(config), C(release), C(database) and C(keep_files), and a C(command) with C(undo), note what they change
    in the journal before they change it. When a later step fails, or the window is broken off, these changes are taken
    back in reverse order while the instance is stopped, and it is started as it was before the window. What did not run
    before is not started. After the window has ended well nothing is taken back.
  - Until a window that has changed something has ended, M(anqicms.lifecycle.graceful_stop),
    M(anqicms.lifecycle.verified_start), M(anqicms.lifecycle.config), M(anqicms.lifecycle.release) and
    M(anqicms.lifecycle.database) as tasks of their own refuse.
  - Only one run works on an instance at a time. A second one is refused and told the first one's run id.
extends_documentation_fragment:
  - anqicms.lifecycle.attributes
  - anqicms.lifecycle.attributes.actiongroup_lifecycle
  - anqicms.lifecycle.instance
  - anqicms.lifecycle.window
attributes:
  check_mode:
    support: full
    details:
      - Returns the plan, which is what each step would do or why it refuses.
  diff_mode:
    support: full
    details:
      - Shows the state of the instance and the plan; steps that change files add their own.
  idempotent:
    support: partial
    details:
      - A window that stops and starts restarts the instance each time it is run. Steps that find nothing to do change
        nothing.
seealso:
  - module: anqicms.lifecycle.graceful_stop
  - module: anqicms.lifecycle.port_released
  - module: anqicms.lifecycle.verified_start
  - module: anqicms.lifecycle.log_check
  - module: anqicms.lifecycle.site_check
  - module: anqicms.lifecycle.config
  - module: anqicms.lifecycle.release
  - module: anqicms.lifecycle.database
notes:
  - The action plugin of the same name follows a long window in short calls, shows its progress, and connects again when
    the connection is lost. O(ignore:async) is not supported, and not needed.
"""

EXAMPLES = r"""
- name: Restart an instance
  anqicms.lifecycle.window:
    dir: /www/wwwroot/shop.example
    run_id: "{{ anqicms_run_id }}"
    steps:
      - graceful_stop: {timeout: 30}
      - port_released: {}
      - verified_start: {}
  register: restarted

- name: Show how long it was away
  ansible.builtin.debug:
    msg: "{{ restarted.downtime_ms }} ms"

- name: Do something while it is down
  anqicms.lifecycle.window:
    dir: /www/wwwroot/shop.example
    steps:
      - graceful_stop: {}
      - command: {argv: [/usr/bin/rsync, -a, /www/wwwroot/shop.example/data/, /backup/shop.example/], timeout: 300}
      - verified_start: {}

- name: Change config.json, and put the old one back when it does not start or logs an error
  anqicms.lifecycle.window:
    dir: /www/wwwroot/shop.example
    only_if_changed: true
    steps:
      - graceful_stop: {}
      - config: {settings: {server: {log_level: error}}}
      - port_released: {}
      - verified_start: {}
      - log_check: {}

- name: Do something that can be taken back
  anqicms.lifecycle.window:
    dir: /www/wwwroot/shop.example
    steps:
      - graceful_stop: {}
      - command:
          argv: [/usr/local/bin/switch-template, new]
          undo: [/usr/local/bin/switch-template, old]
      - verified_start: {}

- name: Restart it, then look at what it logs and ask its sites
  anqicms.lifecycle.window:
    dir: /www/wwwroot/shop.example
    steps:
      - graceful_stop: {}
      - port_released: {}
      - verified_start: {}
      - log_check: {}
      - site_check:
          sites:
            - {host: shop.example, id: 1}
            - {host: outlet.example, id: 2, path: /archives/17.html}

- name: Put an unfinished run right
  anqicms.lifecycle.window:
    dir: /www/wwwroot/shop.example
    recover: only

- name: Move a state that cannot be used aside
  anqicms.lifecycle.window:
    dir: /www/wwwroot/shop.example
    recover: only
    put_aside: true
"""

RETURN = r"""
outcome:
  description: >-
    V(done), V(unchanged), V(rolled_back) or V(failed); the last two make the task fail. V(planned) in check mode.
    V(rolled_back) says that a step failed, that everything that was changed is taken back, and that the instance is as
    before, running or stopped. When the worker was killed it is V(failed), also where the guardian has taken it back.
  returned: always, unless it was refused
  type: str
  sample: done
downtime_ms:
  description: >-
    Milliseconds from the end of the listener until the new process is ready, which is its first correct version answer,
    for versions 2.1.2 to 2.5.5 the first page below status 500 after it; added up where a window stops it more than
    once; V(null) when it was not stopped, or does not answer since.
  returned: always, unless it was refused
  type: int
  sample: 277
verified_ms:
  description: Milliseconds from the end of the listener to the end of the last check, V(null) as above.
  returned: always, unless it was refused
  type: int
  sample: 1288
steps:
  description: The steps that were begun, or planned in check mode.
  returned: always, unless it was refused
  type: list
  elements: dict
  contains:
    name:
      description: Name of the step.
      type: str
      returned: always
    started_ms:
      description: When it began, in milliseconds since the start of the window.
      type: int
      returned: when run
    ended_ms:
      description: When it ended, in milliseconds since the start of the window.
      type: int
      returned: when run
    changed:
      description: Whether it changed, or would change, something.
      type: bool
      returned: always
    would:
      description: What it would do.
      type: str
      returned: in check mode
    notes:
      description: How a start would differ from how the instance was seen running.
      type: list
      elements: str
      returned: in check mode, by a step C(verified_start) that would start it
    undone:
      description: Whether it had changed something and that was taken back.
      type: bool
      returned: when run by a worker that was not killed, by a step C(config) or a C(command) with C(undo)
    result:
      description: What the module of that name returns.
      type: dict
      returned: when run
  sample:
    - name: graceful_stop
      started_ms: 82
      ended_ms: 219
      changed: true
      result:
        changed: true
        stopped: true
        exit_kind: graceful
        pid: 599
        signals: [{signal: SIGTERM, at_ms: 34}]
        requests: {in_flight: 0, cut: 0}
        waited_ms: 46
        last_log_line: 监听到退出信号
        survivors: []
        open_files: []
        respawned:
        version: 3.5.8
        zombie_parent:
    - name: port_released
      started_ms: 219
      ended_ms: 223
      changed: false
      result:
        changed: false
        released: true
        waited_ms: 0
        holders: []
        connections: {TIME_WAIT: 8}
        drained: true
        note: 8 connection(s) in TIME_WAIT do not hinder a start.
    - name: verified_start
      started_ms: 223
      ended_ms: 1482
      changed: true
      result:
        changed: true
        pid: 1506
        ready_ms: 254
        version: 3.5.8
        log_position: anqicms-log-1:eNqrVspLLEvMTFGyUorOTU0...
        exit_code:
        log_tail: []
        findings: []
        notes: []
pid_before:
  description: The process before, V(null) when none ran.
  returned: when run, and in check mode
  type: int
  sample: 599
pid_after:
  description: The process after, V(null) when none runs. With O(recover=only) and no unfinished run, the one that runs.
  returned: when run, and with O(recover=only)
  type: int
  sample: 1506
state:
  description: V(running), V(stopped), V(undead) (alive with its port closed) or V(unknown).
  returned: when run, and with O(recover=only)
  type: str
  sample: running
version:
  description: Version of the instance.
  returned: when run, and in check mode
  type: str
  sample: 3.5.8
instance:
  description: The instance.
  returned: always, unless it was refused
  type: dict
  contains:
    id:
      description: Its id.
      type: str
      returned: always
    dir:
      description: Its directory.
      type: str
      returned: always
  sample: {"id": "1f3a0c52-shop.example", "dir": "/www/wwwroot/shop.example"}
run_id:
  description: Name of the run.
  returned: always, unless it was refused
  type: str
  sample: 20261122T064502Z-bb32d1
interrupted:
  description:
    - The unfinished run that would be put right first, as in
      RV(anqicms.lifecycle.instance_info#module:instances[].interrupted).
    - V(null) when there is none.
  returned: in check mode, and with O(recover=only) when there was nothing to do
  type: dict
  sample: null
recovered:
  description: How an unfinished run was put right before the first step.
  returned: when there was one
  type: str
  sample: 'unfinished run 20261122T064502Z-bb32d1: its last phase was completed, then it was started'
kept_in:
  description: Where the state is kept that was moved aside, V(null) when there was none to move, or in check mode.
  returned: with O(put_aside=true)
  type: str
  sample: /var/lib/anqicms-lifecycle/1f3a0c52-shop.example.aside-20261126T201826Z
notes:
  description: That somebody who is no user of the instance holds the lock of its directory, which was ignored.
  returned: when there are any
  type: list
  elements: str
  sample:
    - "the lock of /www/wwwroot/shop.example is held by pid 4711 (guest), no user of this instance: it was ignored"
connection_losses:
  description: Why the connection was made anew while the window went on, one text for each time.
  returned: when the connection was lost
  type: list
  elements: str
  sample: ['the module was killed (rc 137)']
unfinished:
  description:
    - Whether the run has not reached what it was to reach, although a process was signalled or started, so that
      something is left to do. The guardian, the next window or the C(recover) playbook does it.
  returned: when that is so
  type: bool
  sample: true
waits_for:
  description:
    - What a guardian on the host waits for, which is V(end_of_process), V(answer) (of a process that was started),
      V(condition) (its database, its port or its binary), or V(migration) (the end of one, before its changes are taken
      back). V(null) when no guardian stays.
  returned: with RV(unfinished)
  type: str
  sample: end_of_process
held:
  description: Connections that were held during the downtime, or why none were.
  returned: when run
  type: dict
  sample: {"connections": 0, "longest_ms": 0, "why_not": "holding connections is not part of this release"}
"""

from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import module as _module


def main() -> None:
    # Each imports only what it needs. Ansible packs a module once in a run, so one that looks and works is sent once.
    if _module.internal_options().get('look'):
        from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import instance_info as look

        look.run(internal=dict(type='dict'))
    else:
        from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import window_call

        window_call.main()


if __name__ == '__main__':
    main()
