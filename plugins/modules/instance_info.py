#!/usr/bin/python
# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: instance_info
short_description: Describe one AnQiCMS instance, or find and describe all of a host
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Tells of each instance what runs, which version, on which port, who else could start or stop it, and what is
    dangerous about it.
  - With O(dir) one instance is described. Without it the instances of the host are found by running processes whose
    executable lies in an install directory, by cron lines that name one, in O(search), and by the records of
    earlier runs in O(state_dir), which tell of those whose last run did not end, and with O(recorded) of all.
  - Nothing below an install directory is trusted. Links, hard links, devices, FIFOs, files of third users and very
    large files are never opened; they are reported.
  - What this user cannot see is V(null) and named by a hazard, never taken for absent. As root everything is seen.
extends_documentation_fragment:
  - anqicms.lifecycle.attributes
  - anqicms.lifecycle.attributes.actiongroup_lifecycle
  - anqicms.lifecycle.instance
attributes:
  check_mode:
    support: full
    details:
      - Outside check mode it notes in the trusted state who was seen running and how it was started, which later runs
        use. In check mode it notes nothing.
  diff_mode:
    support: N/A
    details:
      - This module does not change the instance.
  idempotent:
    support: full
options:
  dir:
    description:
      - Install directory of the instance. Its real path together with O(binary) is what identifies an instance;
        the name of a process never does.
      - Without it all instances of the host are described.
    type: path
    required: false
  port:
    description:
      - TCP port of the instance; only with O(dir).
      - It tells two processes of one executable apart that were started with C(-port). It does not decide which port is
        reported.
      - A number that is neither the port that the process listens on nor the port of its next start is the hazard
        C(port_mismatch).
    type: int
  search:
    description:
      - More directories to look in. Each may be an install directory itself or hold some directly below. Only used
        without O(dir).
    type: list
    elements: path
    default: []
  recorded:
    description:
      - Whether to find also the instances that earlier runs of this collection have seen running and that are still
        installed. So one that has died is found. Only used without O(dir).
      - One whose last run did not end, because it was killed in the middle, is always found.
    type: bool
    default: false
    version_added: 0.1.0
  http:
    description:
      - Whether to ask running instances for their version. Only a listener that belongs to the process itself is asked.
      - Also whether to connect to the databases that starts would ask, each once and for two seconds at most, as the
        user of the instance.
    type: bool
    default: true
seealso:
  - module: anqicms.lifecycle.window
  - module: anqicms.lifecycle.graceful_stop
notes:
  - An instance that cannot be described is shown all the same, with V(ambiguous) as its RV(instances[].state) and the
    hazard V(not_described), which says why. It hides no other.
  - All texts are printable. Bytes that are no UTF-8, control characters and invisible ones are shown as escapes such as
    C(\xff).
  - Where the module cannot start for want of a Python, the action plugin of the same name asks the host which Pythons
    it has, and the failure says which one to set in C(ansible_python_interpreter).
"""

EXAMPLES = r"""
- name: Describe one instance
  anqicms.lifecycle.instance_info:
    dir: /www/wwwroot/shop.example
  register: found

- name: Refuse to go on when a restart is not safe
  ansible.builtin.assert:
    that: found.instances[0].hazards | selectattr('blocks', 'contains', 'restart') | list | length == 0

- name: Find all instances of the host, stopped ones too
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
      description: A short hash of directory and binary name, and the base name of the directory.
      type: str
      sample: 4b1d0a7e-shop.example
    dir:
      description: The real path of the install directory.
      type: str
      sample: /www/wwwroot/shop.example
    binary:
      description: Name of the executable in it.
      type: str
      sample: anqicms
    user:
      description: The user that it runs as or was last seen running as; for one that was never seen the owner of the
        directory, V(null) when that is root.
      type: str
      sample: www
    state:
      description:
        - V(running) when its process listens on its port.
        - V(starting) when it does not listen yet.
        - V(undead) when it has closed its port and lives on.
        - V(stopped) when no process runs it.
        - V(ambiguous) when several processes run it, when this user cannot see enough to tell, or when none of its own
          runs and its port is held by somebody else, see RV(instances[].strangers).
      type: str
      sample: running
    pids:
      description: All processes that run it.
      type: list
      elements: int
      sample: [4711]
    strangers:
      description:
        - Processes that are not of the instance and are never touched, at most 20. They execute its binary and are of
          nobody who runs the instance, or they hold its port.
        - If such a process is the instance after all, name its user with O(user).
      type: list
      elements: dict
      contains:
        pid:
          description: Its number, V(null) when this user cannot see it.
          type: int
        user:
          description: Who runs it, by the real user id.
          type: str
        exe:
          description: The link to its executable, which is a path in its own mount namespace. V(null) when not seen.
          type: str
        why:
          description: Why it is shown here.
          type: str
      sample:
        - pid: 4713
          user: nobody
          exe: /www/wwwroot/shop.example/anqicms
          why: "it executes the file of the instance, but nobody is not one of its users: www (owns the directory)"
    port:
      description:
        - The port that its process listens on. When it listens on none, or does not run, the port of its next start,
          which is that of C(-port), else that of C(config.json).
        - V(null) when it cannot be known.
      type: int
      sample: 8001
    listening:
      description: Whether its own process listens on the port; V(null) when that cannot be seen.
      type: bool
      sample: true
    version:
      description: Its versions, each V(null) when not known.
      type: dict
      contains:
        running:
          description: What the running process answers.
          type: str
          sample: 3.5.8
        files:
          description: That of the binary on disk, which the next start runs. It is what this very file told when it
            ran, known by device, inode, size and time of change; else the first heading of C(CHANGELOG.md).
          type: str
          sample: 3.5.8
        from:
          description: Who tells RV(instances[].version.files), V(binary) or V(changelog). That file is behind the
            version in 26 of 62 releases.
          type: str
          sample: binary
        database:
          description: The version that the database of the first site has at least, by C(last_run_version) in its
            table C(settings) or by the tables that are there. V(null) without O(http), and where the database cannot be
            asked with the host's MySQL client within 2 seconds, or tells neither.
          type: str
          sample: 3.5.8
    launch:
      description: How it was started, or was last seen started, from the kernel's view of the process; values of the
        environment are hidden but for harmless ones. V(null) when it was never seen running or may not be read.
        C(output) is what its standard output is (V(file), V(null), V(pipe), V(socket), V(terminal), V(closed) or
        V(other)), C(error_output) what its standard error is where that is not the same file. C(log_found) tells
        whether the path C(log) is the file that it has open (V(same)), was it (V(gone)), or is no path of this host
        (V(null)); C(log_file) is noted only for our own starts. C(traits) is what else the kernel keeps of the process;
        its C(affinity) is empty for all processors, its C(lost) names what a start cannot give again.
      type: dict
      sample:
        argv: [/www/wwwroot/shop.example/anqicms]
        environment: {HOME: /home/www, LANG: C.UTF-8, MYSQL_PASSWORD: '********', PATH: '/usr/local/bin:/usr/bin:/bin'}
        uid: 1000
        gid: 1000
        groups: [1000]
        umask: 18
        limits: {'7': [65535, 65535]}
        nice: 0
        oom_score_adj: 0
        cgroups: {'': /system.slice/anqicms.scope}
        label:
        cwd: /www/wwwroot/shop.example
        log: /www/wwwroot/shop.example/running.log
        ignores_hup: true
        log_found: same
        log_file:
        output: file
        error_output:
        traits:
          no_new_privs: false
          affinity: []
          scheduler: 0
          io_priority: 0
          personality: 0
          coredump_filter: 51
          timer_slack: 50000
          bounding_set: 2199023255551
          lost: []
    memory:
      description: Sizes in KiB, each V(null) when it is not known.
      type: dict
      contains:
        rss_kb:
          description: What its process holds in memory.
          type: int
        peak_kb:
          description: The most that it held.
          type: int
        swap_kb:
          description: What of it is in the swap.
          type: int
        limit_kb:
          description: What its control group, and those above it, may take; V(null) also when there is no limit. Of a
            stopped instance the group that it was last seen in, if that is still there.
          type: int
        gomemlimit:
          description: C(GOMEMLIMIT) of its environment, empty when it is not set.
          type: str
        host_total_kb:
          description: Memory of the host.
          type: int
        host_available_kb:
          description: What of it can be had without swapping.
          type: int
        host_swap_total_kb:
          description: Swap of the host.
          type: int
        host_swap_free_kb:
          description: What of it is free.
          type: int
      sample:
        rss_kb: 141312
        peak_kb: 180224
        swap_kb: 0
        limit_kb: 524288
        gomemlimit: 400MiB
        host_total_kb: 2014648
        host_available_kb: 1205416
        host_swap_total_kb: 0
        host_swap_free_kb: 0
    restarts:
      description: When its processes began, as far as any module of this collection met them; the newest last, at
        most 20.
      type: list
      elements: dict
      contains:
        pid:
          description: The process.
          type: int
        time:
          description: When it began, in ISO 8601 in the time zone of the host.
          type: str
        epoch:
          description: The same in seconds since the epoch.
          type: float
        last_seen:
          description: When it was last known to live.
          type: str
        running:
          description: Whether it runs now.
          type: bool
      sample:
        - pid: 4711
          time: "2026-01-31T03:12:11.020000+01:00"
          epoch: 1769825531.02
          last_seen: "2026-01-31T12:00:00+01:00"
          running: true
    logs:
      description: Its log files that exist.
      type: list
      elements: dict
      contains:
        path:
          description: Path of the file.
          type: str
        kind:
          description: V(running), V(check), V(error) or V(panics).
          type: str
        size:
          description: Bytes, V(null) when it is not usable.
          type: int
        usable:
          description: Whether it may be opened.
          type: bool
        reason:
          description: Why it is not opened, V(null) when it is.
          type: str
      sample:
        - path: /www/wwwroot/shop.example/running.log
          kind: running
          size: 1100
          usable: true
          reason:
    sites:
      description: Host names that its configuration file names; V(null) when it names none, as from version
        2.5 on, where they are in the database.
      type: list
      elements: str
      sample: [shop.example]
    supervisors:
      description: What else could start or stop it.
      type: list
      elements: dict
      contains:
        kind:
          description: V(cron), V(systemd), V(baota), V(container), V(parent), V(unknown), or the name of a supervisor
            such as V(supervisord).
          type: str
        where:
          description: The file, unit or process.
          type: str
        restarts:
          description: Whether it starts the instance when it is down; V(null) when that could not be seen.
          type: bool
        prompt:
          description: Whether it acts on the end of the process itself rather than looking once in a while.
          type: bool
        detail:
          description: What it does, for people.
          type: str
      sample:
        - kind: cron
          where: /etc/crontab
          restarts: true
          prompt: false
          detail: starts it when it finds it not running
          action: start
          user: root
          schedule: '* * * * *'
          command: /www/wwwroot/shop.example/start.sh
    hazards:
      description: What is dangerous about it, what blocks first.
      type: list
      elements: dict
      contains:
        code:
          description: A stable name.
          type: str
        severity:
          description: V(block), V(warn) or V(info).
          type: str
        blocks:
          description: The verbs that it forbids, of V(restart), V(stop), V(start), V(configure), V(upgrade) and
            V(rollback).
          type: list
          elements: str
        message:
          description: What was seen.
          type: str
        advice:
          description: What to do.
          type: str
      sample:
        - code: config_missing
          severity: block
          blocks: [restart, start, configure, upgrade, rollback]
          message: 'config.json is missing: a start would open the installer on port 8001 to everybody'
          advice: Restore config.json from a backup.
    interrupted:
      description: The run that did not end, V(null) when there is none.
      type: dict
      contains:
        run_id:
          description: Its name.
          type: str
        began_at:
          description: When it began, in seconds since 1970.
          type: float
        step:
          description: The step that it was in, V(null) before the first one.
          type: str
        steps:
          description: Names of all its steps.
          type: list
          elements: str
        before:
          description: The process before it, with C(pid) and C(start_ticks), V(null) when none ran.
          type: dict
        signalled:
          description: Whether the process before had been asked to end.
          type: bool
        changes:
          description: >-
            What it has changed and not taken back, the oldest first, each with C(kind), C(number) and C(data), which is
            what takes it back. A recovery does that before it starts the instance.
          type: list
          elements: dict
        had_changes:
          description: Whether it has recorded changes, also where all of them were taken back since.
          type: bool
      sample:
        run_id: 20261122T064502Z-bb32d1
        token: e45e937545fd4a04b1978bb328d15141
        began_at: 1795329902.096
        boot_id: 3a135189-7db9-4147-a67e-c52aa5a2b96e
        step: graceful_stop
        steps: [graceful_stop, port_released, verified_start]
        before: {pid: 599, start_ticks: 1459565}
        signalled: true
        parked: {event: parked, pid: 1506, start_ticks: 1461400}
        changes: []
    runs:
      description: The windows that have changed it and ended well, the newest first, as far as they are kept. The role
        C(rollback) takes one back by its C(run_id).
      type: list
      elements: dict
      contains:
        run_id:
          description: Its name.
          type: str
        at:
          description: When it ended, in seconds since 1970.
          type: float
        version_before:
          description: The version of the instance before it, V(null) when that was not known.
          type: str
        version_after:
          description: The version after it, V(null) when that was not known.
          type: str
        changes:
          description: The kinds of what it has changed.
          type: list
          elements: str
        stands:
          description: Whether nobody has rolled it back.
          type: bool
      sample:
        - run_id: night-7
          at: 1795329902.096
          version_before: 3.3.11
          version_after: 3.5.8
          changes: [database, keep_files, launch, release]
          stands: true
    badly_ended:
      description: The runs whose newest window on it has not ended well, the newest first, at most 20. The journal
        tells them, as far as it goes back.
      type: list
      elements: dict
      contains:
        run_id:
          description: Its name.
          type: str
        at:
          description: When it ended, or began where it has no end, in seconds since 1970.
          type: float
        outcome:
          description: What became of it, V(rolled_back) or V(failed) for example; V(unfinished) when it has no end.
          type: str
      sample:
        - run_id: night-6
          at: 1795243502.096
          outcome: rolled_back
      version_added: 0.1.0
    foreign:
      description: Why it looks like an install of somebody else, V(null) where nothing speaks for that. With
        C(anqicms_instances=discover) the roles show it and do not work on it.
      type: str
      sample: it lies below /tmp, where everybody may put files
problems:
  description: What could not be looked through for instances, such as a record that is damaged. There may be more
    instances than are shown. Each of them carries it as the hazard V(not_all_seen), too.
  returned: without O(dir)
  type: list
  elements: str
  sample: []
python_missing:
  description: Whether it failed because the host has no Python at that place that modules can run with.
  returned: when that is so
  type: bool
  sample: true
"""

from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import instance_info as look


def main() -> None:
    look.run()


if __name__ == '__main__':
    main()
