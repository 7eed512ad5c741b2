#!/usr/bin/python
# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: instance_info
short_description: Describe one AnQiCMS instance, or find and describe all instances of a host
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Reports for each instance its processes, version and port, the other programs that could start or stop it, and its
    hazards.
  - With O(dir), one instance is described. Without it, the module finds the instances of the host by running processes
    whose executable is in an install directory, by cron lines that name one, by O(search), and by the records of
    earlier runs in O(state_dir). These records identify the instances whose last run did not end, and with O(recorded)
    all instances that were seen running.
  - Nothing below an install directory is trusted. Links, hard links, devices, FIFOs, files of third users, and very
    large files are never opened. They are reported.
  - Values that this user cannot see are V(null) and are named by a hazard. They are never treated as absent. Root sees
    everything.
extends_documentation_fragment:
  - anqicms.lifecycle.attributes
  - anqicms.lifecycle.attributes.actiongroup_lifecycle
  - anqicms.lifecycle.instance
  - anqicms.lifecycle.discovery
attributes:
  check_mode:
    support: full
    details:
      - Outside check mode, the module records in the trusted state which processes were running and how they were
        started. Later runs use these records. In check mode, nothing is recorded.
  diff_mode:
    support: N/A
    details:
      - This module does not change the instance.
  idempotent:
    support: full
options:
  dir:
    description:
      - Install directory of the instance. The real path of this directory and O(binary) identify the instance. The name
        of a process never does.
    type: path
    required: false
  port:
    description:
      - TCP port of the instance. Use it only with O(dir).
      - It distinguishes two processes of the same executable that were started with C(-port). It does not determine
        which port is reported.
      - A number that is neither the port that the process listens on nor the port of its next start is reported as the
        hazard C(port_mismatch).
    type: int
seealso:
  - module: anqicms.lifecycle.window
  - module: anqicms.lifecycle.graceful_stop
notes:
  - An instance that cannot be described is still listed, with V(ambiguous) as its RV(instances[].state) and the hazard
    V(not_described), which explains the reason. It does not hide other instances.
  - All texts are printable. Bytes that are not valid UTF-8, control characters, and invisible characters are shown as
    escapes such as C(\xff).
  - If the module cannot start because the host has no suitable Python, the action plugin of the same name checks which
    Pythons the host has. The failure message then says which one to set in C(ansible_python_interpreter).
"""

EXAMPLES = r"""
- name: Describe one instance
  anqicms.lifecycle.instance_info:
    dir: /www/wwwroot/shop.example
  register: found

- name: Fail if a restart is not safe
  ansible.builtin.assert:
    that: found.instances[0].hazards | selectattr('blocks', 'contains', 'restart') | list | length == 0

- name: Find all instances of the host, including stopped ones
  anqicms.lifecycle.instance_info:
    search:
      - /www/wwwroot
"""

RETURN = r"""
instances:
  description: The instances, sorted by directory.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: A short hash of directory and binary name, followed by the base name of the directory.
      type: str
      sample: 4b1d0a7e-shop.example
    dir:
      description: The real path of the install directory.
      type: str
      sample: /www/wwwroot/shop.example
    binary:
      description: Name of the executable in the install directory.
      type: str
    user:
      description: The user that the instance runs as or was last seen running as. For an instance that was never seen
        running, the owner of the directory, or V(null) if that is root.
      type: str
      sample: www
    state:
      description:
        - V(running) if its process listens on its port.
        - V(starting) if its process does not listen yet.
        - V(undead) if its process has closed its port but is still alive.
        - V(stopped) if no process runs the instance.
        - V(ambiguous) if several processes run the instance, if this user cannot see enough to determine the state, or
          if the instance has no process and another process holds its port, see RV(instances[].strangers).
      type: str
      sample: running
    pids:
      description: IDs of all processes that run the instance.
      type: list
      elements: int
      sample: [4711]
    strangers:
      description:
        - Processes that do not belong to the instance and are never touched, at most 20. They execute its binary as
          someone who is not a user of the instance, or they hold its port.
        - If such a process does belong to the instance, set O(user) to its user.
      type: list
      elements: dict
      contains:
        pid: {description: Process ID. V(null) if this user cannot see it., type: int}
        user:
          description: Owner of the process, by its real user ID.
          type: str
        exe:
          description: Target of the link to its executable, which is a path in the mount namespace of the process.
            V(null) if it is not visible.
          type: str
        why: {description: Why the process is listed here., type: str}
      sample:
        [{pid: 4713, user: nobody, exe: /www/wwwroot/shop.example/anqicms, why: 'it executes the file
        of the instance, but nobody is not one of its users: www (owns the directory)'}]
    port:
      description:
        - The port that its process listens on. If there is no listening process, the port of the next start, which is
          the value of C(-port) or, without it, the port in C(config.json).
        - V(null) if the port cannot be determined.
      type: int
      sample: 8001
    listening:
      description: Whether its own process listens on the port. V(null) if this is not visible.
      type: bool
      sample: true
    version:
      description: The versions of the instance. Each is V(null) if it is not known.
      type: dict
      contains:
        running:
          description: The version that the running process reports.
          type: str
          sample: 3.5.8
        files:
          description: The version of the binary on disk, which the next start runs. This is the version that exactly
            this file reported when it ran, identified by device, inode, size, and change time. If that is not known, it
            is the first heading of C(CHANGELOG.md).
          type: str
          sample: 3.5.8
        from:
          description: The source of RV(instances[].version.files), V(binary) or V(changelog). The C(CHANGELOG.md) of 26
            of 62 releases names an older version than the release.
          type: str
          sample: binary
        database:
          description: The minimum version of the database of the first site, based on C(last_run_version) in its table
            C(settings) or on the tables that exist. V(null) without O(http), if the database cannot be queried with the
            MySQL client of the host within 2 seconds, or if neither source yields a version.
          type: str
          sample: 3.5.8
    launch:
      description: How the instance was started, or was last seen started, as the kernel reports it for the process.
        Values of environment variables are hidden, except harmless ones. V(null) if the instance was never seen running
        or the information is not readable. C(output) is the type of its standard output (V(file), V(null), V(pipe),
        V(socket), V(terminal), V(closed), or V(other)). C(error_output) is the type of its standard error, if that is
        not the same file. C(log_found) reports whether the path C(log) is the file that the process has open (V(same)),
        was that file (V(gone)), or is not a path of this host (V(null)). C(log_file) is recorded only for starts by
        this collection. C(traits) are further properties of the process in the kernel. Its C(affinity) is empty for all
        processors, and its C(lost) lists what a start cannot restore.
      type: dict
      sample:
        {argv: [/www/wwwroot/shop.example/anqicms], environment: {HOME: /home/www, LANG: C.UTF-8,
        MYSQL_PASSWORD: '********',
        PATH: '/usr/local/bin:/usr/bin:/bin'}, uid: 1000, gid: 1000, groups: [1000], umask: 18, limits: {
        '7': [65535, 65535]}, nice: 0, oom_score_adj: 0, cgroups: {'': /system.slice/anqicms.scope},
        label: null, cwd: /www/wwwroot/shop.example, log: /www/wwwroot/shop.example/running.log, ignores_hup: true,
        log_found: same, log_file: null, output: file, error_output: null, traits: {no_new_privs: false,
        affinity: [], scheduler: 0, io_priority: 0, personality: 0, coredump_filter: 51, timer_slack: 50000,
        bounding_set: 2199023255551, lost: []}}
    memory:
      description: Sizes in KiB. Each is V(null) if it is not known.
      type: dict
      contains:
        rss_kb: {description: Resident memory of its process., type: int}
        peak_kb: {description: Peak resident memory of its process., type: int}
        swap_kb: {description: Swapped memory of its process., type: int}
        limit_kb:
          description: Memory limit of its control group and of the groups above it. V(null) also if there is no limit.
            For a stopped instance, the limit of the group that it was last seen in, if that group still exists.
          type: int
        gomemlimit: {description: Value of C(GOMEMLIMIT) in its environment. Empty if it is not set., type: str}
        host_total_kb: {description: Memory of the host., type: int}
        host_available_kb: {description: Memory of the host that is available without swapping., type: int}
        host_swap_total_kb: {description: Swap space of the host., type: int}
        host_swap_free_kb: {description: Free swap space of the host., type: int}
      sample:
        {rss_kb: 141312, peak_kb: 180224, swap_kb: 0, limit_kb: 524288, gomemlimit: 400MiB, host_total_kb: 2014648,
        host_available_kb: 1205416, host_swap_total_kb: 0, host_swap_free_kb: 0}
    restarts:
      description: When its processes started, as far as modules of this collection have seen them. The newest entry is
        last, at most 20 entries.
      type: list
      elements: dict
      contains:
        pid: {description: Process ID., type: int}
        time:
          description: When the process started, in ISO 8601 format in the time zone of the host.
          type: str
        epoch: {description: The same time in seconds since the epoch., type: float}
        last_seen: {description: When the process was last known to be alive., type: str}
        running: {description: Whether the process is running now., type: bool}
      sample:
        [{pid: 4711, time: '2026-01-31T03:12:11.020000+01:00', epoch: 1769825531.02,
        last_seen: '2026-01-31T12:00:00+01:00',
        running: true}]
    logs:
      description: The log files of the instance that exist.
      type: list
      elements: dict
      contains:
        path: {description: Path of the file., type: str}
        kind:
          description: V(running), V(check), V(error), or V(panics).
          type: str
        size: {description: Size in bytes. V(null) if the file is not usable., type: int}
        usable: {description: Whether the file can be opened safely., type: bool}
        reason: {description: Why the file is not opened. V(null) if it is., type: str}
      sample: [{path: /www/wwwroot/shop.example/running.log, kind: running, size: 1100, usable: true, reason: null}]
    sites:
      description: Host names in its configuration file. V(null) if the file contains none, as from version 2.5 on,
        where they are in the database.
      type: list
      elements: str
      sample: [shop.example]
    supervisors:
      description: Which other programs could start or stop the instance.
      type: list
      elements: dict
      contains:
        kind:
          description: V(cron), V(systemd), V(baota), V(container), V(parent), V(unknown), or the name of a supervisor
            such as V(supervisord).
          type: str
        where:
          description: The file, unit, or process.
          type: str
        restarts:
          description: Whether it starts the instance when the instance is down. V(null) if this could not be
            determined.
          type: bool
        prompt:
          description: Whether it reacts to the end of the process immediately instead of checking periodically.
          type: bool
        detail:
          description: What it does, as readable text.
          type: str
      sample:
        [{kind: cron, where: /etc/crontab, restarts: true, prompt: false, detail: starts it when it does
        not see it running, action: start, user: root, schedule: '* * * * *',
        command: /www/wwwroot/shop.example/start.sh}]
    hazards:
      description: The hazards of the instance. Hazards that block something are first.
      type: list
      elements: dict
      contains:
        code: {description: Stable code of the hazard., type: str}
        severity:
          description: V(block), V(warn), or V(info).
          type: str
        blocks:
          description: The verbs that the hazard blocks, out of V(restart), V(stop), V(start), V(configure), V(upgrade),
            and V(rollback).
          type: list
          elements: str
        message: {description: What was seen., type: str}
        advice: {description: What to do., type: str}
      sample:
        [{code: config_missing, severity: block, blocks: [restart, start, configure, upgrade, rollback],
        message: 'config.json is missing: a start would open the installer on port 8001 to everyone',
        advice: Restore config.json from a backup.}]
    interrupted:
      description: The run that did not end. V(null) if there is none.
      type: dict
      contains:
        run_id: {description: Name of the run., type: str}
        began_at:
          description: When the run started, in seconds since the epoch.
          type: float
        step: {description: The step that was running. V(null) before the first step., type: str}
        steps:
          description: Names of all steps of the run.
          type: list
          elements: str
        before:
          description: The process before the run, with C(pid) and C(start_ticks). V(null) if none was running.
          type: dict
        signalled: {description: Whether the process before the run had been signalled to end., type: bool}
        changes:
          description: >-
            What the run has changed and not rolled back, the oldest change first, each with C(kind), C(number), and
            C(data). C(data) is what is needed to roll the change back. A recovery rolls the changes back before it
            starts the instance.
          type: list
          elements: dict
        had_changes:
          description: Whether the run has recorded changes, even if all of them have been rolled back since.
          type: bool
      sample:
        {run_id: 20261122T064502Z-bb32d1, token: e45e937545fd4a04b1978bb328d15141, began_at: 1795329902.096,
        boot_id: 3a135189-7db9-4147-a67e-c52aa5a2b96e, step: graceful_stop, steps: [graceful_stop, port_released,
        verified_start], before: {pid: 599, start_ticks: 1459565}, signalled: true, parked: {event: parked,
        pid: 1506, start_ticks: 1461400}, changes: []}
    runs:
      description: The windows that have changed the instance and succeeded, the newest first, as far as they are kept.
        The role C(rollback) rolls one of them back by its C(run_id).
      type: list
      elements: dict
      contains:
        run_id: {description: Name of the run., type: str}
        at:
          description: When the run ended, in seconds since the epoch.
          type: float
        version_before:
          description: The version of the instance before the run. V(null) if it was not known.
          type: str
        version_after: {description: The version of the instance after the run. V(null) if it was not known., type: str}
        changes:
          description: The kinds of changes that the run has made.
          type: list
          elements: str
        stands:
          description: Whether the run is still in effect, which means that it has not been rolled back.
          type: bool
      sample:
        [{run_id: night-7, at: 1795329902.096, version_before: 3.3.11, version_after: 3.5.8, changes: [
        database, keep_files, launch, release], stands: true}]
    badly_ended:
      description: The runs whose newest window on this instance has not succeeded, the newest first, at most 20. They
        are read from the journal, as far as it goes back.
      type: list
      elements: dict
      contains:
        run_id: {description: Name of the run., type: str}
        at:
          description: When the run ended, or when it started if it has no end, in seconds since the epoch.
          type: float
        outcome:
          description: Outcome of the run, for example V(rolled_back) or V(failed). V(unfinished) if it has no end.
          type: str
      sample: [{run_id: night-6, at: 1795243502.096, outcome: rolled_back}]
      version_added: 0.1.0
    last_runs:
      description: The last runs that have worked on the instance, the newest first, at most 5, as far as the journal
        goes back.
      type: list
      elements: dict
      contains:
        run_id: {description: Name of the run., type: str}
        verb:
          description: What the run was to do, for example V(restart). V(null) if its plan was not recorded.
          type: str
        outcome:
          description:
            - V(done), V(unchanged), V(failed), V(rolled_back), V(recovered), or V(superseded).
            - V(not_begun) if there was no worker, so that nothing was touched.
            - V(under_way) if the run is working on the instance now.
            - V(unfinished) if the window has no end. A recovery is needed.
            - V(unknown) if a stop or start without a window has no end. Nothing continues it.
          type: str
        began_at: {description: When the work started. The times are seconds since the epoch., type: float}
        ended_at: {description: When it ended. V(null) if it has no end., type: float}
        step: {description: The step that is running or that has not succeeded. V(null) if there is none., type: str}
        steps: {description: Names of all steps of the run., type: list, elements: str}
        pid: {description: The process that the run left. V(null) if there is none or it is not known., type: int}
        state: {description: The state in which the run left the instance. V(null) if it is not known., type: str}
        version: {description: The version that the run left., type: str}
        as_left:
          description: Whether the instance is still as the run left it, which means that the same process runs, or that
            it is still stopped. V(null) if this is not known.
          type: bool
      sample:
        [{run_id: 20261122T064502Z-bb32d1, verb: restart, outcome: done, began_at: 1795329902.096,
        ended_at: 1795329903.311, step: null, steps: [graceful_stop, port_released, verified_start], pid: 1506,
        state: running, version: 3.5.8, as_left: true}]
      version_added: 0.1.0
    planned:
      description: The runs that were to work on the instance when they checked it, the newest first, at most 20. A run
        records this before its first window. V(null) if it cannot be read.
      type: list
      elements: dict
      contains:
        run_id: {description: Name of the run., type: str}
        verb: {description: What the run was to do., type: str}
        at: {description: When it was recorded., type: float}
        resumes: {description: Name of the run that it resumed. V(null) if it resumed none., type: str}
        fleet: {description: The first and the last of the names of its hosts., type: list, elements: str}
        version: {description: The version that was running then. V(null) if it is not known., type: str}
        begun: {description: Whether the work on this instance was started., type: bool}
      sample:
        [{run_id: 20261122T064502Z-bb32d1, verb: restart, at: 1795329900.112, resumes: null,
        fleet: [web1.example, web9.example], version: 3.5.8, begun: true}]
      version_added: 0.1.0
    foreign:
      description: Why the instance looks like an installation of someone else. V(null) if nothing indicates this. With
        C(anqicms_instances=discover), the roles show such an instance and do not work on it.
      type: str
      sample: it is below /tmp, where all users may put files
problems:
  description: What could not be searched for instances, such as a damaged record. There may be more instances than are
    listed. Each listed instance also reports this as the hazard V(not_all_seen).
  returned: without O(dir)
  type: list
  elements: str
  sample: []
python_missing:
  description: Whether the module failed because the host has no Python at the configured path that modules can run
    with.
  returned: when this is the reason for the failure
  type: bool
  sample: true
"""

from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import instance_info as look
from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import module as _module


def main() -> None:
    # The action plugin passes the plan of a run, which is recorded with what was seen.
    look.run(**(dict(internal=dict(type='dict')) if _module.internal_options() else {}))


if __name__ == '__main__':
    main()
