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
    its option O(anqicms.lifecycle.graceful_stop#module:quiet_timeout). When it does not end, the instance is left as it
    is.
  - The steps are run by a worker that is detached from the connection. Once begun, the host ends it, even when the
    connection, this module, C(sudo) or the controller is gone. A guardian watches the worker and, if it is killed, puts
    the instance right at once. If both are killed, the next run or the C(recover) playbook does.
  - Only one run works on an instance at a time. A second one is refused and told the first one's run id.
extends_documentation_fragment:
  - anqicms.lifecycle.attributes
  - anqicms.lifecycle.attributes.actiongroup_lifecycle
  - anqicms.lifecycle.instance
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
options:
  steps:
    description:
      - The steps in order, each a dictionary with one key, the name of the step, and its options as value.
      - C(graceful_stop), C(port_released), C(verified_start), C(log_check) and C(site_check) take the options of the
        module of that name, without those that name the instance.
      - C(command) runs a command on the host without a shell. It takes C(cmd) (a string) or C(argv) (a list), C(chdir)
        (a path) and C(timeout) (seconds, 60 by default).
    type: list
    elements: dict
    default: []
  run_id:
    description:
      - Name of the run, for the journal and for whoever is refused meanwhile. By default the time and a random part.
    type: str
  deadline:
    description:
      - Seconds that the whole window may take. No step begins after it, and no step waits longer.
      - Requests that still hold a process whose port has closed after C(SIGTERM) are waited for until then, and then
        cut and counted, unless O(steps) say C(force=never), or the process migrates its database, writes or restores a
        backup, or that cannot be ruled out. Then a guardian stays, see O(guardian_limit).
      - What starts the instance again after such a wait may take 20 seconds more. A worker that overstays the deadline
        by 60 seconds is ended, and the guardian puts the instance right within the time of the deadline, at least 60
        seconds.
    type: float
    default: 900
  guardian_limit:
    description:
      - Seconds that a guardian stays on the host after a window that could not be finished, because a process that was
        asked to end has not ended, the new process has not answered, or the database, the port or the binary is not
        available. It starts the instance as soon as that is possible, ends an idle process of a version up to 3.2.1
        that no C(SIGTERM) ends, and leaves when another run, stop, start or recovery takes over.
      - At its limit the run stays unfinished. M(anqicms.lifecycle.instance_info) shows it as C(interrupted), and
        the C(recover) playbook finishes it.
    type: float
    default: 3600
  on_failure:
    description:
      - V(rollback) undoes what was changed and makes the instance run again. A plain restart has nothing to undo, its
        start is tried once more.
      - V(leave) leaves everything as it is. An instance that does not run then has an unfinished run, which the
        C(recover) playbook or the next window finds.
    type: str
    choices: [rollback, leave]
    default: rollback
  recover:
    description:
      - V(auto) puts an unfinished run of this instance right before the first step.
      - V(only) does that and nothing else; O(steps) must be empty then.
    type: str
    choices: [auto, only]
    default: auto
  accept_hazards:
    description:
      - Codes of hazards that refuse no start of this window, of its second try and of a recovery, after you have read
        what they mean.
      - C(locales_missing), C(dictionary_missing) and C(database_unreachable) have an effect here; the others are
        hazards of M(anqicms.lifecycle.instance_info). A code that does not exist is refused.
    type: list
    elements: str
    default: []
  put_aside:
    description:
      - Moves the whole state of this instance aside instead, for one that cannot be used because a newer release has
        written it or because it is damaged. O(recover=only) is needed.
      - The directory is renamed within the state directory, and nothing is removed. An unfinished run in it is not
        recovered any more, and the next start of a stopped instance does not know how it was started before.
      - Refused while a run is at work on the instance.
    type: bool
    default: false
  internal:
    description:
      - Set by the action plugin of this module, which follows a window in several calls. Not for playbooks.
    type: dict
    suboptions:
      token:
        description: Name of this window, the same in all calls that follow it.
        type: str
      wait:
        description: Seconds to stay in this call at most.
        type: float
        default: 0
      follow:
        description: Only follow a window that an earlier call has begun.
        type: bool
        default: false
seealso:
  - module: anqicms.lifecycle.graceful_stop
  - module: anqicms.lifecycle.port_released
  - module: anqicms.lifecycle.verified_start
  - module: anqicms.lifecycle.log_check
  - module: anqicms.lifecycle.site_check
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
  returned: always, unless it was refused
  type: str
  sample: done
downtime_ms:
  description: >-
    Milliseconds from the end of the listener to the first correct version answer of the new process; V(null) when it
    was not stopped and started.
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
      description: When it began, in milliseconds since the begin of the window.
      type: int
      returned: when run
    ended_ms:
      description: When it ended, in milliseconds since the begin of the window.
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
        notes: []
pid_before:
  description: The process before, V(null) when none ran.
  returned: when run, and in check mode
  type: int
  sample: 599
pid_after:
  description: The process after, V(null) when none runs.
  returned: when run
  type: int
  sample: 1506
state:
  description: V(running), V(stopped), V(undead) (alive with its port closed) or V(unknown).
  returned: when run
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
  sample: 'unfinished run 20261122T064502Z-bb32d1: its end was completed, then it was started'
kept_in:
  description: Where the state is kept that was moved aside, V(null) when there was none to move, or in check mode.
  returned: with O(put_aside=true)
  type: str
  sample: /var/lib/anqicms-lifecycle/1f3a0c52-shop.example.aside-20261126T201826Z
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
    - What a guardian on the host waits for, which is V(end_of_process), V(answer) (of a process that was started) or
      V(condition) (its database, its port or its binary). V(null) when no guardian stays.
  returned: with RV(unfinished)
  type: str
  sample: end_of_process
held:
  description: Connections that were held during the downtime, or why none were.
  returned: when run
  type: dict
  sample: {"connections": 0, "longest_ms": 0, "why_not": "holding connections is not part of this release"}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.anqicms.lifecycle.plugins.module_utils import _module, _window_call


def main() -> None:
    module = AnsibleModule(
        argument_spec=_module.common_spec(
            steps=dict(type='list', elements='dict', default=[]),
            run_id=dict(type='str'),
            deadline=dict(type='float', default=900.0),
            guardian_limit=dict(type='float', default=3600.0),
            on_failure=dict(type='str', default='rollback', choices=['rollback', 'leave']),
            recover=dict(type='str', default='auto', choices=['auto', 'only']),
            accept_hazards=dict(type='list', elements='str', default=[]),
            put_aside=dict(type='bool', default=False),
            **_window_call.PRIVATE
        ),
        supports_check_mode=True,
    )
    _module.run(module, lambda: _window_call.run(module))


if __name__ == '__main__':
    main()
