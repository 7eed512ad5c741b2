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
  - Runs a list of steps on one instance. No connection, other host, or task comes between the steps, so that the
    downtime is as short as the instance itself allows.
  - Before the instance is stopped, the options of all steps are validated and every step plans what it would do. If one
    step refuses, the whole window is refused.
  - If the application itself is writing or restoring a backup, C(graceful_stop) waits for it before it signals the
    process, see O(anqicms.lifecycle.graceful_stop#module:quiet_timeout). It also waits for a migration of the database,
    see O(anqicms.lifecycle.graceful_stop#module:migration_timeout). If these do not end in time, the instance is left
    as it is.
  - A worker that is detached from the connection runs the steps. After the window has started, it continues on the host
    even if the connection, this module, C(sudo), or the controller is gone. A guardian watches the worker and recovers
    the instance immediately if the worker is killed. If both are killed, the next run or the C(recover) playbook
    recovers the instance.
  - The steps C(config), C(release), C(database), and C(keep_files), and C(command) with C(undo), record each change in
    the journal before they make it. If a later step fails or the window is interrupted, these changes are rolled back
    in reverse order while the instance is stopped, and the instance is started as it was before the window. An instance
    that did not run before is not started. After the window has succeeded, nothing is rolled back.
  - While a window that has made changes has not ended, M(anqicms.lifecycle.graceful_stop),
    M(anqicms.lifecycle.verified_start), M(anqicms.lifecycle.config), M(anqicms.lifecycle.release), and
    M(anqicms.lifecycle.database) fail when they run as separate tasks.
  - Only one run works on an instance at a time. A second run is refused, and its message names the ID of the first run.
extends_documentation_fragment:
  - anqicms.lifecycle.attributes
  - anqicms.lifecycle.attributes.actiongroup_lifecycle
  - anqicms.lifecycle.instance
  - anqicms.lifecycle.steps
  - anqicms.lifecycle.window
attributes:
  check_mode:
    support: full
    details:
      - Returns the plan, which is what each step would do or why it refuses.
  diff_mode:
    support: full
    details:
      - Shows the state of the instance and the plan. Steps that change files add their own differences.
  idempotent:
    support: partial
    details:
      - A window that stops and starts the instance restarts it each time. Steps that find nothing to do change nothing.
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
  - The action plugin of the same name follows a long window in short calls, shows its progress, and reconnects if the
    connection is lost. O(ignore:async) is neither supported nor needed.
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

- name: Show the downtime
  ansible.builtin.debug:
    msg: "{{ restarted.downtime_ms }} ms"

- name: Run a command while the instance is down
  anqicms.lifecycle.window:
    dir: /www/wwwroot/shop.example
    steps:
      - graceful_stop: {}
      - command: {argv: [/usr/bin/rsync, -a, /www/wwwroot/shop.example/data/, /backup/shop.example/], timeout: 300}
      - verified_start: {}

- name: Change config.json, and restore the old file if the instance does not start or logs an error
  anqicms.lifecycle.window:
    dir: /www/wwwroot/shop.example
    only_if_changed: true
    steps:
      - graceful_stop: {}
      - config: {settings: {server: {log_level: error}}}
      - port_released: {}
      - verified_start: {}
      - log_check: {}

- name: Run a command that can be reverted
  anqicms.lifecycle.window:
    dir: /www/wwwroot/shop.example
    steps:
      - graceful_stop: {}
      - command:
          argv: [/usr/local/bin/switch-template, new]
          undo: [/usr/local/bin/switch-template, old]
      - verified_start: {}

- name: Restart an instance, then check its logs and its sites
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

- name: Recover from an unfinished run
  anqicms.lifecycle.window:
    dir: /www/wwwroot/shop.example
    recover: only

- name: Move an unusable state aside
  anqicms.lifecycle.window:
    dir: /www/wwwroot/shop.example
    recover: only
    put_aside: true
"""

RETURN = r"""
outcome:
  description: >-
    V(done), V(unchanged), V(rolled_back), or V(failed). The last two make the task fail. V(planned) in check mode.
    V(rolled_back) means that a step failed, that all changes have been rolled back, and that the instance is as before,
    running or stopped. If the worker was killed, the outcome is V(failed), even if the guardian has rolled the changes
    back.
  returned: always, unless the window was refused
  type: str
  sample: done
downtime_ms:
  description: >-
    Milliseconds from the moment the listener closed until the new process is ready, which is its first correct version
    answer. For versions 2.1.2 to 2.5.5, the process is ready with the first page with a status below 500 after that
    answer. If the window stops the instance more than once, the times are added up. V(null) if the instance was not
    stopped, or has not answered since.
  returned: always, unless the window was refused
  type: int
  sample: 277
verified_ms:
  description: >-
    Milliseconds from the moment the listener closed to the end of the last check. V(null) in the same cases as
    RV(downtime_ms).
  returned: always, unless the window was refused
  type: int
  sample: 1288
steps:
  description: The steps that were started, or that are planned in check mode.
  returned: always, unless the window was refused
  type: list
  elements: dict
  contains:
    name:
      description: Name of the step.
      type: str
      returned: always
    started_ms:
      description: When the step started, in milliseconds since the start of the window.
      type: int
      returned: when run
    ended_ms:
      description: When the step ended, in milliseconds since the start of the window.
      type: int
      returned: when run
    changed:
      description: Whether the step changed something, or would change something.
      type: bool
      returned: always
    would:
      description: What the step would do.
      type: str
      returned: in check mode
    notes:
      description: How the start would differ from how the instance was last seen running.
      type: list
      elements: str
      returned: in check mode, by a step C(verified_start) that would start the instance
    undone:
      description: Whether the step had changed something that has been rolled back.
      type: bool
      returned: when run by a worker that was not killed, by a step C(config) or a C(command) with C(undo)
    result:
      description: The return values of the module with the name of the step.
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
  description: The process before the window. V(null) if none was running.
  returned: when run, and in check mode
  type: int
  sample: 599
pid_after:
  description: >-
    The process after the window. V(null) if none is running. With O(recover=only) and no unfinished run, the process
    that is running.
  returned: when run, and with O(recover=only)
  type: int
  sample: 1506
state:
  description: V(running), V(stopped), V(undead) (alive with its port closed), or V(unknown).
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
  returned: always, unless the window was refused
  type: dict
  contains:
    id:
      description: ID of the instance.
      type: str
      returned: always
    dir:
      description: Directory of the instance.
      type: str
      returned: always
  sample: {"id": "1f3a0c52-shop.example", "dir": "/www/wwwroot/shop.example"}
run_id:
  description: Name of the run.
  returned: always, unless the window was refused
  type: str
  sample: 20261122T064502Z-bb32d1
interrupted:
  description:
    - The unfinished run that would be recovered first, in the format of
      RV(anqicms.lifecycle.instance_info#module:instances[].interrupted).
    - V(null) if there is none.
  returned: in check mode, and with O(recover=only) when there was nothing to do
  type: dict
  sample: null
recovered:
  description: How an unfinished run was recovered before the first step.
  returned: when there was an unfinished run
  type: str
  sample: 'unfinished run 20261122T064502Z-bb32d1: its last phase was completed, then it was started'
kept_in:
  description: Path of the state that was moved aside. V(null) if there was none to move, and in check mode.
  returned: with O(put_aside=true)
  type: str
  sample: /var/lib/anqicms-lifecycle/1f3a0c52-shop.example.aside-20261126T201826Z
notes:
  description: Reports that the lock of the directory is held by someone who is not a user of the instance and was
    ignored.
  returned: when there are any
  type: list
  elements: str
  sample:
    - "the lock of /www/wwwroot/shop.example is held by pid 4711 (guest), no user of this instance: it was ignored"
connection_losses:
  description: Why the connection had to be re-established while the window continued, one text for each time.
  returned: when the connection was lost
  type: list
  elements: str
  sample: ['the module was killed (rc 137)']
unfinished:
  description:
    - Whether the run has not reached its goal although a process was signalled or started, so that something is left to
      do. The guardian, the next window, or the C(recover) playbook does it.
  returned: when the run is unfinished
  type: bool
  sample: true
waits_for:
  description:
    - The event that a guardian on the host waits for. V(end_of_process); V(answer), of a process that was started;
      V(condition), which is the database, the port, or the binary; or V(migration), whose end is awaited before the
      changes are rolled back. V(null) if no guardian stays.
  returned: with RV(unfinished)
  type: str
  sample: end_of_process
held:
  description: Reports that no connections are held during the downtime. C(why_not) explains it.
  returned: when run
  type: dict
  sample: {"connections": 0, "longest_ms": 0, "why_not": "holding connections is not part of this release"}
began_at:
  description: When it started, in seconds since 1970 by the clock of the controller.
  returned: always, if the host answered
  type: float
  sample: 1795329902.118
ended_at:
  description: When it ended, in seconds since 1970 by the clock of the controller.
  returned: always, if the host answered
  type: float
  sample: 1795329903.914
"""

from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import module as _module


def main() -> None:
    # Each branch imports only what it needs. Ansible packs a module once in a run, so both are sent in one module.
    if _module.internal_options().get('look'):
        from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import instance_info as look

        look.run(internal=dict(type='dict'))
    else:
        from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import window_call

        window_call.main()


if __name__ == '__main__':
    main()
